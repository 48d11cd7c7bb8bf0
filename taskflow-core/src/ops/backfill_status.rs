//! Backfills as documents.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::OpsError;
use crate::base::Timestamp;
use crate::base::schema::Schema;
use crate::dag::Registry;
use crate::journal::{Journal, OwnRuns, StoredBackfill};
use crate::run::RunInfo;
use crate::schedule::{
    ActiveRun, BackfillAction, BackfillCounts, BackfillOrder, BackfillPhase, BackfillScope, SlotRange, SlotRunState,
};

/// A backfill, as JSON documents have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct BackfillStatus {
    /// Its number.
    pub number: i64,
    /// Its DAG.
    pub dag_id: String,
    /// The time zone of the schedule, as far as this program knows it.
    #[serde(skip)]
    pub timezone: &'static str,
    /// Whether it is carried out.
    #[serde(flatten)]
    pub phase: BackfillPhase,
    /// The ranges of its slots. Both ends are inclusive.
    pub ranges: Vec<SlotRange>,
    /// Which slots are run.
    pub scope: BackfillScope,
    /// The order.
    pub order: BackfillOrder,
    /// How many of its runs may be active at once.
    pub limit: u32,
    /// Whether one run covers all slots.
    pub as_one_run: bool,
    /// The parameters that were given, as text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Vec<String>>,
    /// How many slots it has.
    pub slots: u64,
    /// How many slots are not decided.
    pub pending: u64,
    /// What became of the others.
    pub counts: BackfillCounts,
    /// Its active runs.
    pub active: Vec<BackfillRun>,
    /// The slots whose runs have failed or could not be made, and were not retried.
    pub failed: Vec<Timestamp>,
    /// Why the last run that could not be made was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// What people did with it, oldest first.
    pub history: Vec<BackfillAction>,
    /// When it last changed.
    pub updated: Timestamp,
}

/// An active run of a backfill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct BackfillRun {
    /// The slot.
    pub slot: Timestamp,
    /// The id of the run.
    pub run_id: String,
    /// Its number, unless it was deleted.
    pub number: Option<i64>,
    /// Whether it is being reprocessed.
    pub reprocessed: bool,
    /// Whether it has ended without success, and the backfill waits until it succeeds.
    pub blocks: bool,
}

impl BackfillStatus {
    /// With the time zone that this program knows. A document does not have it.
    #[cfg(all(feature = "cli", feature = "sqlite"))]
    #[must_use]
    pub(crate) fn in_own_zone(self) -> Self {
        let dag = Registry::dags().into_iter().find(|known| known.id == self.dag_id);
        BackfillStatus { timezone: dag.and_then(|dag| dag.options.timezone).unwrap_or("UTC"), ..self }
    }

    pub(super) fn of(stored: StoredBackfill, own: &OwnRuns) -> Self {
        let StoredBackfill { number, dag, plan, updated, .. } = stored;
        let pending = plan.remaining();
        let active = plan.active.iter().map(|slot| {
            let state = own.runs.get(&slot.at).map(|run| run.state);
            BackfillRun {
                slot: slot.at,
                run_id: RunInfo::id_of_backfill(&dag, number, slot),
                number: own.numbers.get(&slot.at).copied(),
                reprocessed: matches!(slot.run, ActiveRun::Again { .. }),
                blocks: matches!(state, Some(SlotRunState::Failed | SlotRunState::Cancelled)),
            }
        });
        let dags = Registry::dags();
        let known = dags.iter().find(|known| known.id == dag).and_then(|known| known.options.timezone);
        BackfillStatus {
            number,
            active: active.collect(),
            timezone: known.unwrap_or("UTC"),
            phase: plan.phase,
            ranges: plan.request.ranges,
            scope: plan.request.scope,
            order: plan.request.order,
            limit: plan.request.limit,
            as_one_run: plan.request.as_one_run,
            params: plan.request.params,
            slots: plan.total,
            pending,
            counts: plan.counts,
            failed: plan.failed,
            trouble: plan.trouble,
            history: plan.history,
            dag_id: dag,
            updated,
        }
    }
}

/// A backfill with its active runs.
///
/// # Errors
///
/// When there is no such backfill, or the store cannot be read.
pub async fn backfill_status(journal: &Journal, number: i64) -> Result<BackfillStatus, OpsError> {
    let stored = stored(journal, number).await?;
    status_of(journal, stored).await
}

/// The backfills, of one DAG or of all, the latest first: at most `limit`, and only those after the
/// backfill `after`, if there is one.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn list_backfills(
    journal: &Journal,
    dag: Option<&str>,
    after: Option<i64>,
    limit: Option<u32>,
) -> Result<Vec<BackfillStatus>, OpsError> {
    let mut list = Vec::new();
    for stored in journal.backfills(dag, after, limit).await? {
        list.push(status_of(journal, stored).await?);
    }
    Ok(list)
}

pub(super) async fn status_of(journal: &Journal, stored: StoredBackfill) -> Result<BackfillStatus, OpsError> {
    let own = journal.runs_of_backfill(&stored.dag, stored.number, &stored.plan.active).await?;
    Ok(BackfillStatus::of(stored, &own))
}

/// The plan with this number.
pub(super) async fn stored(journal: &Journal, number: i64) -> Result<StoredBackfill, OpsError> {
    journal.backfill(number).await?.ok_or(OpsError::UnknownBackfill { number })
}

/// `2026-01-01T00:00:00Z`, or `2026-01-01T00:00:00Z to 2026-01-05T00:00:00Z`.
pub(crate) fn from_to(first: Timestamp, last: Timestamp) -> String {
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}
