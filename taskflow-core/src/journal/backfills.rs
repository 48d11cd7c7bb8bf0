//! The plans of backfills in the store, and the runs that slots have.

use std::collections::BTreeMap;

use super::enqueue::QueuedRun;
use super::error::JournalError;
use super::journal::Journal;
use super::schedules::with_graphs;
use crate::base::Timestamp;
use crate::run::{RunInfo, RunState};
use crate::schedule::{ActiveRun, ActiveSlot, BackfillPlan, SlotRange, SlotRun, SlotRunState, SlotRuns};
use crate::store::{BackfillChange, BackfillRow, Changed, DamagedRow, SlotRunRow, StoreError};

/// A stored plan, and the version to change it from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredBackfill {
    pub(crate) number: i64,
    pub(crate) dag: String,
    pub(crate) version: i64,
    pub(crate) plan: BackfillPlan,
    pub(crate) updated: Timestamp,
}

/// A plan that cannot be read.
#[derive(Debug)]
pub(crate) struct DamagedBackfill {
    pub(crate) dag: String,
    pub(crate) error: JournalError,
}

/// A plan to be stored.
#[derive(Debug)]
pub(crate) struct NewBackfill {
    /// Its number: 0 for a plan that is new.
    pub(crate) number: i64,
    pub(crate) dag: String,
    /// The version that the change began with: 0 for a plan that is new.
    pub(crate) version: i64,
    pub(crate) plan: BackfillPlan,
    pub(crate) runs: Vec<QueuedRun>,
    /// The numbers and versions of the other open plans of the DAG, in ascending order, if the
    /// change depends on them.
    pub(crate) beside: Option<Vec<(i64, i64)>>,
}

/// The runs of the active slots of a plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnRuns {
    /// Their states.
    pub(crate) runs: SlotRuns,
    /// Their numbers.
    pub(crate) numbers: BTreeMap<Timestamp, i64>,
}

impl Journal {
    /// The plans that may have something left to do, by number. One that is damaged hides no other.
    pub(crate) async fn open_backfills(&self) -> Result<Vec<Result<StoredBackfill, DamagedBackfill>>, JournalError> {
        let rows = self.inner.store.open_backfills().await?;
        let stored = |row: Result<BackfillRow, DamagedRow>| match row {
            Ok(row) => {
                let dag = row.dag.clone();
                stored(row).map_err(|error| DamagedBackfill { dag, error })
            }
            Err(DamagedRow { dag, error, .. }) => Err(DamagedBackfill { dag, error: error.into() }),
        };
        Ok(rows.into_iter().map(stored).collect())
    }

    /// At most `limit` plans, of one DAG or of all, the latest first: those before the plan with
    /// the number `before`, if there is one.
    pub(crate) async fn backfills(
        &self,
        dag: Option<&str>,
        before: Option<i64>,
        limit: Option<u32>,
    ) -> Result<Vec<StoredBackfill>, JournalError> {
        self.inner.store.backfills(dag, before, limit).await?.into_iter().map(stored).collect()
    }

    /// The plan with this number.
    pub(crate) async fn backfill(&self, number: i64) -> Result<Option<StoredBackfill>, JournalError> {
        self.inner.store.backfill(number).await?.map(stored).transpose()
    }

    /// Stores a plan and its new runs in one transaction. Returns its number, or `None` if another
    /// process was faster: then nothing is stored.
    pub(crate) async fn store_backfill(&self, new: NewBackfill, now: Timestamp) -> Result<Option<i64>, JournalError> {
        let NewBackfill { number, dag, version, plan, runs, beside } = new;
        let text = serde_json::to_string(&plan).map_err(|error| damaged(number, &error))?;
        let row = BackfillRow { number, dag, version: version + 1, is_open: plan.is_open(), plan: text, updated: now };
        let (runs, graphs) = with_graphs(runs);
        let audit = self.audit_row();
        let changed = self.inner.store.change_backfill(&BackfillChange { row, runs, graphs, beside, audit }).await?;
        Ok(match changed {
            Changed::Stored(number) => {
                self.audit_stored();
                Some(number)
            }
            Changed::Conflict => None,
        })
    }

    /// The runs that slots have, in some disjoint ranges.
    pub(crate) async fn runs_of_slots(&self, dag: &str, ranges: &[SlotRange]) -> Result<SlotRuns, JournalError> {
        let rows = self.slot_rows(dag, ranges).await?;
        let of_slot = rows.into_iter().filter(|row| row.run_id == RunInfo::id_of_slot(dag, row.logical_date));
        Ok(of_slot.map(|row| (row.logical_date, slot_run(&row))).collect())
    }

    /// The runs of active slots of a plan.
    pub(crate) async fn runs_of_backfill(
        &self,
        dag: &str,
        number: i64,
        active: &[ActiveSlot],
    ) -> Result<OwnRuns, JournalError> {
        if active.is_empty() {
            return Ok(OwnRuns::default());
        }
        let ids: BTreeMap<Timestamp, String> =
            active.iter().map(|slot| (slot.at, RunInfo::id_of_backfill(dag, number, slot))).collect();
        let ranges: Vec<SlotRange> = ids.keys().map(|&at| SlotRange::slot(at)).collect();
        let rows = self.slot_rows(dag, &ranges).await?;
        let rows = rows.iter().filter(|row| ids.get(&row.logical_date) == Some(&row.run_id));
        let mut own = OwnRuns::default();
        for row in rows {
            own.runs.insert(row.logical_date, slot_run(row));
            own.numbers.insert(row.logical_date, row.number);
        }
        Ok(own)
    }

    /// The run of the whole range of a plan that makes one run, whose last slot is at this time.
    /// The plan does not keep the interval of a run that has ended, and the timetable may be
    /// another one by now.
    pub(crate) async fn run_of_whole_backfill(
        &self,
        dag: &str,
        number: i64,
        at: Timestamp,
    ) -> Result<Option<SlotRun>, JournalError> {
        let rows = self.slot_rows(dag, &[SlotRange::slot(at)]).await?;
        let whole = rows.iter().find(|row| RunInfo::is_of_whole_backfill(&row.run_id, dag, number));
        Ok(whole.map(slot_run))
    }

    /// The number and the state of the run that each slot of a plan has: of two, that which the
    /// plan has made beside the one of the slot. An interrupted run is running.
    pub(crate) async fn runs_of_plan(
        &self,
        stored: &StoredBackfill,
        within: SlotRange,
    ) -> Result<BTreeMap<Timestamp, (i64, RunState)>, JournalError> {
        let mut runs = BTreeMap::new();
        for row in self.slot_rows(&stored.dag, &[within]).await? {
            let id =
                |run| RunInfo::id_of_backfill(&stored.dag, stored.number, &ActiveSlot { at: row.logical_date, run });
            if row.run_id == id(ActiveRun::Sibling) {
                runs.insert(row.logical_date, (row.number, row.state));
            } else if row.run_id == id(ActiveRun::New) {
                runs.entry(row.logical_date).or_insert((row.number, row.state));
            }
        }
        Ok(runs)
    }

    async fn slot_rows(&self, dag: &str, ranges: &[SlotRange]) -> Result<Vec<SlotRunRow>, JournalError> {
        let ranges: Vec<(Timestamp, Timestamp)> = ranges.iter().map(|range| (range.from, range.to)).collect();
        Ok(self.inner.store.slot_runs(dag, &ranges).await?)
    }
}

fn slot_run(row: &SlotRunRow) -> SlotRun {
    let state = match row.state {
        RunState::Success => SlotRunState::Success,
        RunState::Failed => SlotRunState::Failed,
        RunState::Cancelled => SlotRunState::Cancelled,
        RunState::Queued | RunState::Running | RunState::Interrupted => SlotRunState::InFlight,
    };
    SlotRun { state, ended: row.ended }
}

fn stored(row: BackfillRow) -> Result<StoredBackfill, JournalError> {
    let plan = serde_json::from_str(&row.plan).map_err(|error| damaged(row.number, &error))?;
    Ok(StoredBackfill { number: row.number, dag: row.dag, version: row.version, plan, updated: row.updated })
}

fn damaged(number: i64, error: &serde_json::Error) -> JournalError {
    let what = format!("backfill {number}: {error}");
    JournalError::Store(StoreError::Damaged { place: "of this home".to_owned(), what })
}
