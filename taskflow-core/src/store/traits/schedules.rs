//! The schedules of DAGs, and the plans of backfills.

use super::StoreFuture;
use crate::base::Timestamp;
use crate::store::backfill_rows::{BackfillChange, BackfillRow, Changed, SlotRunRow};
use crate::store::schedule_rows::{DamagedRow, NoteRow, ScheduleRow, ScheduleStep, SlotRow, Stepped};

/// The schedules of DAGs: which of their slots are decided. They are apart from the runs, so that
/// deleting runs brings no slot back.
pub(crate) trait ScheduleStore: Send + Sync {
    /// How many steps of schedules were ever stored: a cheap way to notice steps of other
    /// processes.
    fn schedule_steps(&self) -> StoreFuture<'_, i64>;

    /// The schedules of all DAGs that a service has seen, by id. Damage of one row hides no other.
    fn schedules(&self) -> StoreFuture<'_, Vec<Result<ScheduleRow, DamagedRow>>>;

    /// The schedule of a DAG.
    fn schedule<'a>(&'a self, dag: &'a str) -> StoreFuture<'a, Option<ScheduleRow>>;

    /// Stores steps of different DAGs in one transaction. Each step is stored whole, with its runs
    /// and its slots, or is a conflict: the version of its row is not the next one. A run whose id
    /// exists is answered with [`Appended::Taken`](crate::store::rows::Appended::Taken) and does
    /// not make its step a conflict.
    fn step_schedules<'a>(&'a self, steps: &'a [ScheduleStep]) -> StoreFuture<'a, Vec<Stepped>>;

    /// What is decided of the deadlines of slots, by DAG. Damage of one row hides no other.
    fn slot_deadlines(&self) -> StoreFuture<'_, Vec<Result<ScheduleRow, DamagedRow>>>;

    /// As [`ScheduleStore::step_schedules`], for the deadlines of slots.
    fn step_slot_deadlines<'a>(&'a self, steps: &'a [ScheduleStep]) -> StoreFuture<'a, Vec<Stepped>>;

    /// At most `limit` records of slots of a DAG that became no runs, the latest first.
    fn slots<'a>(&'a self, dag: &'a str, limit: u32) -> StoreFuture<'a, Vec<SlotRow>>;

    /// At most `limit` entries in the history of the schedule of a DAG, the latest first.
    fn schedule_notes<'a>(&'a self, dag: &'a str, limit: u32) -> StoreFuture<'a, Vec<NoteRow>>;

    /// At most `limit` entries in the history of the schedule of a DAG from a time on, the earliest
    /// first, without the first `skipped` of them.
    fn schedule_notes_from<'a>(
        &'a self,
        dag: &'a str,
        from: Timestamp,
        skipped: u32,
        limit: u32,
    ) -> StoreFuture<'a, Vec<NoteRow>>;
}

/// The plans of backfills. They are apart from the runs, so that deleting runs repeats no slot.
pub(crate) trait BackfillStore: Send + Sync {
    /// The plans that may have something left to do, by number. A damaged one hides no other.
    fn open_backfills(&self) -> StoreFuture<'_, Vec<Result<BackfillRow, DamagedRow>>>;

    /// At most `limit` plans, of one DAG or of all, the latest first: those with a lower number
    /// than `before`, if there is one.
    fn backfills<'a>(
        &'a self,
        dag: Option<&'a str>,
        before: Option<i64>,
        limit: Option<u32>,
    ) -> StoreFuture<'a, Vec<BackfillRow>>;

    /// The plan with this number.
    fn backfill(&self, number: i64) -> StoreFuture<'_, Option<BackfillRow>>;

    /// Stores a new plan or a change of one, with its runs, in one transaction. It is a conflict,
    /// and nothing is stored, if the version is not the next one, if the other open plans of the
    /// DAG are not those that the change names, or if the id of one of its runs exists.
    fn change_backfill<'a>(&'a self, change: &'a BackfillChange) -> StoreFuture<'a, Changed>;

    /// The runs of a DAG with a logical date in one of these ranges, whose ends are inclusive, by
    /// logical date. The ranges are disjoint.
    fn slot_runs<'a>(&'a self, dag: &'a str, ranges: &'a [(Timestamp, Timestamp)]) -> StoreFuture<'a, Vec<SlotRunRow>>;
}
