//! The notifications of runs that could not be delivered.

use serde::Serialize;

use super::error::OpsError;
use crate::base::schema::Schema;
use crate::journal::{Delivery, Journal};
use crate::store::DeliveryPlace;

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
    let mut all = Vec::new();
    for (run_id, delivery) in journal.failed_deliveries(after, limit).await? {
        let run = journal.find_id(&run_id).await?;
        all.push(FailedDelivery { number: run.number, run_id, dag_id: run.info.dag_id, delivery });
    }
    Ok(all)
}
