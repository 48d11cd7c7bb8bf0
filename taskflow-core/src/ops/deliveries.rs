//! The notifications of runs that could not be delivered.

use std::collections::BTreeSet;

use serde::Serialize;

use super::error::OpsError;
use crate::base::schema::Schema;
use crate::journal::{Delivery, Journal};
use crate::store::DeliveryPlace;

/// How many are read at once.
const AT_ONCE: usize = 1_000;

/// A notification of a run that was not delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Schema)]
#[non_exhaustive]
pub struct FailedDelivery {
    /// The number of the run.
    pub number: i64,
    /// Its id.
    pub run_id: String,
    /// Its DAG.
    pub dag_id: String,
    /// The notification, the callback, the attempts and the last error.
    #[serde(flatten)]
    pub delivery: Delivery,
}

impl FailedDelivery {
    /// Its place in the list.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the pages of the HTTP API"))]
    pub(crate) fn place(&self) -> DeliveryPlace {
        DeliveryPlace(self.delivery.at, self.delivery.key.clone(), self.run_id.clone())
    }
}

/// The notifications whose last attempt failed, the latest first: those that are tried again, and
/// those that are not; at most `limit` after a place, if there is one. The notices of missed slots
/// have [a list of their own](super::deadlines()).
///
/// # Errors
///
/// When the store cannot be read.
pub async fn deliveries(
    journal: &Journal,
    after: Option<&DeliveryPlace>,
    limit: u32,
) -> Result<Vec<FailedDelivery>, OpsError> {
    let (mut all, mut after, most) = (Vec::new(), after.cloned(), limit as usize);
    loop {
        let wanted = (most - all.len()).min(AT_ONCE);
        let failed = journal.failed_deliveries(after.as_ref(), wanted as u32).await?;
        let is_last = failed.len() < wanted;
        after = failed.last().map(|(run_id, last)| DeliveryPlace(last.at, last.key.clone(), run_id.clone()));
        let run_ids: BTreeSet<&String> = failed.iter().map(|(run_id, _)| run_id).collect();
        let runs = journal.find_ids(&run_ids.into_iter().cloned().collect::<Vec<_>>()).await?;
        for (run_id, delivery) in failed {
            // A run that was deleted meanwhile has no notifications.
            let Some(run) = runs.get(&run_id) else { continue };
            all.push(FailedDelivery { number: run.number, run_id, dag_id: run.info.dag_id.clone(), delivery });
        }
        if is_last || all.len() == most {
            return Ok(all);
        }
    }
}
