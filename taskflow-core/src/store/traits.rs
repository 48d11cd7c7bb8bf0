//! What every kind of store can do.
//!
//! A store keeps rows and bytes and does not interpret them: runs, their segments in order,
//! snapshots of graphs, requests of other processes, the outbox of callbacks.
//! [`history`](crate::journal::history) interprets the entries in segments. Each trait here is one
//! of these subjects; a [`Store`] implements all of them.
//!
//! # Guarantees
//!
//! 1. [`RunStore::append`] is atomic: the store keeps all of a batch or none of it. Once `append`
//!    has returned, the batch survives the death of the process and, with
//!    [`SyncMode::Full`](super::SyncMode::Full), of the machine.
//! 2. A run has a *fencing token*, which counts the processes that have owned the run. An append
//!    with any token but the present one changes nothing and returns [`Appended::Fenced`]: a
//!    process that was presumed dead cannot write.
//! 3. The segments of a run are numbered from 1 without gaps. An append with any number but the
//!    next is fenced, too. A fenced part stores nothing; the other parts of the batch are stored.
//! 4. Reads never wait for writes, and see whole batches.
//! 5. A read returns what was stored, or [`StoreError::Damaged`]: a store that can be damaged has
//!    checksums of what it holds ([`checksum`](super::checksum)), and notices changed bytes and a
//!    lost end.
//!
//! # Ownership
//!
//! A process owns a run from [`RunStore::reserve`] (a run that it is about to store) or
//! [`RunStore::claim`] (a stored run) until it drops the [`RunGuard`] or dies. How a store notices
//! the death of a process is its own affair: a lock file, a lease. Each [`RunRow`] that a store
//! returns says whether the owner is alive ([`Liveness`](super::Liveness)). A wrong answer, such as
//! a lock on a network file system without locks, cannot corrupt a run: claiming raises the token,
//! which fences the former owner.
//!
//! Claim before you read. A history that was read before the claim may miss what the former owner
//! stored in between.

use std::fmt;
use std::ops::Range;

use super::account_rows::AccountStore;
use super::admission::{Admission, AdmissionRequest};
use super::audit_rows::{AuditFilter, AuditRow};
use super::backfill_rows::{BackfillChange, BackfillRow, Changed, SlotRunRow};
use super::change_rows::{RunHead, TableVersion};
use super::event_rows::{DeletedEvents, Emitted, EventFilter, EventProgress, EventRow, NewEvent, WatchCursor};
use super::ownership::{Claim, RunGuard};
use super::pool_leases::{PoolDemand, PoolGrant};
use super::rollup_rows::RollupRow;
use super::rows::{Append, Appended, DeliveryPlace, Request, RunFilter, RunRow, SegmentRow};
use super::schedule_rows::{DamagedRow, NoteRow, ScheduleRow, ScheduleStep, SlotRow, Stepped};
use crate::base::{ErrorKind, Timestamp};
use crate::callback::DeliveryAttempt;

/// A future of a store.
pub(crate) type StoreFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A place for runs: everything that the journal needs of one.
pub(crate) trait Store:
    RunStore
    + SegmentStore
    + RollupStore
    + GraphStore
    + RequestStore
    + PoolStore
    + ScheduleStore
    + BackfillStore
    + EventStore
    + AuditStore
    + AccountStore
    + ChangeStore
    + Outbox
    + Maintenance
    + fmt::Debug
{
}

impl<T> Store for T where
    T: RunStore
        + SegmentStore
        + RollupStore
        + GraphStore
        + RequestStore
        + PoolStore
        + ScheduleStore
        + BackfillStore
        + EventStore
        + AuditStore
        + AccountStore
        + ChangeStore
        + Outbox
        + Maintenance
        + fmt::Debug
{
}

/// Runs, and who owns them.
pub(crate) trait RunStore: Send + Sync {
    /// Stores new runs, new segments and updates of runs: all of it or nothing. Returns one answer
    /// for each part, in order.
    ///
    /// A new run that this process has [reserved](RunStore::reserve) belongs to it from then on.
    /// Without a reservation the run is stored with an owner who counts as dead.
    fn append<'a>(&'a self, batch: &'a [Append]) -> StoreFuture<'a, Vec<Appended>>;

    /// Reserves the id of a run that this process is about to store. Returns `None` if this process
    /// has reserved or claimed the id already. Does no I/O: `append` finds out whether another
    /// process owns such a run.
    fn reserve(&self, run_id: &str) -> Option<RunGuard>;

    /// Takes an id that no run has any more, so that no run with it is stored until the guard is
    /// dropped. Returns `None` if a process has it. Another process can still reserve it: what it
    /// appends is answered with [`Appended::Taken`].
    fn hold_id<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Option<RunGuard>>;

    /// Those of these ids that no run has. `by_rows`: by reading the rows of all runs, because an
    /// index that is damaged may lack one.
    fn without_run<'a>(&'a self, run_ids: &'a [String], by_rows: bool) -> StoreFuture<'a, Vec<String>>;

    /// Makes this process, called `owner`, the owner of a stored run and raises the token. State
    /// and history of the run stay as they are; requests that nobody has acknowledged are left to
    /// the new owner. A claim may be lost with the power of the machine, but not without what the
    /// owner stored.
    fn claim<'a>(&'a self, run: i64, owner: &'a str) -> StoreFuture<'a, Claim>;

    /// Whether the owner of a run died while it owned the run. An owner that is asked to leave
    /// releases its run, as a drained process does. `false` if nobody owned it.
    fn owner_died<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, bool> {
        let _ = run_id;
        store_future(std::future::ready(Ok(false)))
    }

    /// Asks whether a run of this process may start, and admits it if fewer runs of its DAG are
    /// active than the request allows. Counting and admitting are one transaction. Until it is
    /// admitted the run waits, and its [`RunRow`] says so; see
    /// [`admission`](super::admission). As a claim, an admission may be lost with the power of the
    /// machine.
    fn admit<'a>(&'a self, request: &'a AdmissionRequest) -> StoreFuture<'a, Admission>;

    /// Renews what proves that this process is alive. The writer calls it regularly while runs are
    /// live. Only a store whose ownership expires has to do something.
    fn heartbeat(&self) -> StoreFuture<'_, ()> {
        store_future(std::future::ready(Ok(())))
    }

    /// The run with this number.
    fn run(&self, run: i64) -> StoreFuture<'_, Option<RunRow>>;

    /// The run with this id.
    fn run_by_id<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Option<RunRow>>;

    /// The number of the run that was stored last, whether or not it was deleted since; 0 if there
    /// was none.
    fn last_number(&self) -> StoreFuture<'_, i64>;

    /// At most `limit` runs whose ids contain this text. The id that equals the text comes first,
    /// then ids that begin with it, then all others; within each class the highest number comes
    /// first.
    fn find<'a>(&'a self, text: &'a str, limit: u32) -> StoreFuture<'a, Vec<RunRow>>;

    /// The runs that match the filter, in its order.
    fn runs<'a>(&'a self, filter: &'a RunFilter) -> StoreFuture<'a, Vec<RunRow>>;

    /// The run of each DAG that was created last, by the id of the DAG.
    fn last_runs(&self) -> StoreFuture<'_, Vec<RunRow>>;

    /// The runs of each of these DAGs that were created last, at most `each` of one and at least
    /// one, by the id of the DAG and then the latest first.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "only the pages ask for them"))]
    fn last_runs_of<'a>(&'a self, dags: &'a [&'a str], each: u32) -> StoreFuture<'a, Vec<RunRow>>;

    /// The encoded parameters that a run was created with.
    fn params(&self, run: i64) -> StoreFuture<'_, Option<Vec<u8>>>;
}

/// How many segments a store returns at once, at least: more may follow these.
pub(crate) const SEGMENTS: u32 = 128;

/// What tells a reader that others have changed something. See
/// [`change_rows`](super::change_rows).
#[cfg_attr(not(feature = "server"), allow(dead_code, reason = "only a server has streams"))]
pub(crate) trait ChangeStore: Send + Sync {
    /// A number that differs from the last one if anything was committed in between, whichever
    /// process did it. `None` if the store cannot tell: then ask the other methods.
    ///
    /// Only the answers of one store value can be compared, and only while none of its reads fails
    /// or is dropped.
    fn data_version(&self) -> StoreFuture<'_, Option<i64>> {
        store_future(std::future::ready(Ok(None)))
    }

    /// The heads of the runs that are stored as queued or running, of all runs with a higher number
    /// than `after`, and of these runs.
    fn run_heads<'a>(&'a self, after: i64, also: &'a [i64]) -> StoreFuture<'a, Vec<RunHead>> {
        let _ = (after, also);
        store_future(std::future::ready(Ok(Vec::new())))
    }

    /// The versions of everything that is not a run.
    fn table_versions(&self) -> StoreFuture<'_, Vec<TableVersion>> {
        store_future(std::future::ready(Ok(Vec::new())))
    }
}

/// The histories of runs.
pub(crate) trait SegmentStore: Send + Sync {
    /// The entries of a run from segment number `from`, without values: all, or at least the first
    /// [`SEGMENTS`] of them.
    fn segments(&self, run: i64, from: u32) -> StoreFuture<'_, Vec<SegmentRow>>;

    /// A range of the data of a segment; `None` if there is no such segment or it is shorter.
    fn data(&self, run: i64, segment: u32, range: Range<u32>) -> StoreFuture<'_, Option<Vec<u8>>>;
}

/// Rollups of runs: what is derived from their segments, so that a list of runs need not read them.
///
/// A rollup covers the segments up to a number, and is outdated once the run has more. It can be
/// made anew at any time, so one that is damaged or missing is no damage of the store.
pub(crate) trait RollupStore: Send + Sync {
    /// The number of the last segment of each of these runs; 0 for a run without segments.
    fn last_segments<'a>(&'a self, runs: &'a [i64]) -> StoreFuture<'a, Vec<(i64, u32)>>;

    /// The rollups of these runs, outdated ones included, without their labels. Leaves out those
    /// that are missing or damaged.
    fn rollups<'a>(&'a self, runs: &'a [i64]) -> StoreFuture<'a, Vec<RollupRow>>;

    /// The rollup of a run with its labels.
    fn rollup_with_labels(&self, run: i64) -> StoreFuture<'_, Option<RollupRow>>;

    /// Stores rollups in the place of those that were there. Does nothing for a run that does not
    /// exist.
    fn put_rollups<'a>(&'a self, rollups: &'a [RollupRow]) -> StoreFuture<'a, ()>;
}

/// Snapshots of graphs, by structural hash.
pub(crate) trait GraphStore: Send + Sync {
    /// Stores a snapshot unless it is there. [`Maintenance::delete`] removes snapshots that no run
    /// refers to, possibly one whose run is about to be stored: put it again after the run to be
    /// sure.
    fn put_graph<'a>(&'a self, hash: &'a str, snapshot: &'a [u8]) -> StoreFuture<'a, ()>;

    /// The snapshot of a graph.
    fn graph<'a>(&'a self, hash: &'a str) -> StoreFuture<'a, Option<Vec<u8>>>;
}

/// What processes ask of the owner of a run.
///
/// A request stays until an owner acknowledges it or the run ends, so it survives the death of an
/// owner that has not carried it out.
pub(crate) trait RequestStore: Send + Sync {
    /// Leaves a request for the owner of a run, present or future, with the row of the audit trail
    /// about it. Does nothing if there is no such run or it has ended. Returns whether the request
    /// is stored.
    fn ask<'a>(&'a self, request: &'a Request, audit: Option<&'a AuditRow>) -> StoreFuture<'a, bool>;

    /// The unacknowledged requests to the owner of these runs, with their ids, oldest first.
    fn requests<'a>(&'a self, runs: &'a [i64]) -> StoreFuture<'a, Vec<(i64, Request)>>;

    /// Removes requests that were carried out. An unknown id is ignored.
    fn acknowledge<'a>(&'a self, ids: &'a [i64]) -> StoreFuture<'a, ()>;
}

/// The slots of pools that processes share; see [`pool_leases`](super::pool_leases).
///
/// A store in memory has one process, so nothing is leased there.
pub(crate) trait PoolStore: Send + Sync {
    /// Whether the slots of pools have to be leased, because several processes may use the store.
    fn shares_pools(&self) -> bool {
        false
    }

    /// Makes a holder of leases, which lives until the guard is dropped or the process dies. The
    /// name must be unique.
    fn hold_pools<'a>(&'a self, holder: &'a str) -> StoreFuture<'a, Option<RunGuard>> {
        let _ = holder;
        store_future(std::future::ready(Ok(None)))
    }

    /// Adjusts what a holder holds of each pool. Returns one answer for each demand, in order.
    fn lease_pools<'a>(&'a self, holder: &'a str, demands: &'a [PoolDemand]) -> StoreFuture<'a, Vec<PoolGrant>> {
        let _ = holder;
        let whole = |demand: &PoolDemand| PoolGrant { held: demand.size, owed: 0, is_contended: false };
        store_future(std::future::ready(Ok(demands.iter().map(whole).collect())))
    }
}

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
    /// exists is answered with [`Appended::Taken`] and does not make its step a conflict.
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
    /// The plans that may have something left to do, by number.
    fn open_backfills(&self) -> StoreFuture<'_, Vec<BackfillRow>>;

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

/// The events of assets, and which of them DAGs have consumed.
///
/// The numbers of events are in the order in which they were stored: once a reader has seen an
/// event, no event with a lower number appears.
pub(crate) trait EventStore: Send + Sync {
    /// Stores events in one transaction. Returns one answer for each event, in order. The events of
    /// tasks are stored by [`RunStore::append`]. With `cursor`, the events are those of a source,
    /// which is at that cursor after them; it is stored in the same transaction. The row of the
    /// audit trail is stored if an event is.
    fn emit<'a>(
        &'a self,
        events: &'a [NewEvent],
        cursor: Option<&'a WatchCursor>,
        audit: Option<&'a AuditRow>,
    ) -> StoreFuture<'a, Vec<Emitted>>;

    /// The last cursor of a source.
    fn watch_cursor<'a>(&'a self, source: &'a str) -> StoreFuture<'a, Option<WatchCursor>>;

    /// The events that match the filter, in its order.
    fn events<'a>(&'a self, filter: &'a EventFilter) -> StoreFuture<'a, Vec<EventRow>>;

    /// How many events with numbers above `after` and up to `until` the store has, by asset.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the metrics of a server"))]
    fn count_events(&self, after: i64, until: i64) -> StoreFuture<'_, Vec<(String, u64)>>;

    /// The highest number that an event has had; 0 before the first.
    fn last_event(&self) -> StoreFuture<'_, i64>;

    /// How far events and consumers are: a cheap way to notice those of other processes.
    fn event_progress(&self) -> StoreFuture<'_, EventProgress>;

    /// What DAGs have consumed, by DAG. Damage of one row hides no other.
    fn consumers(&self) -> StoreFuture<'_, Vec<Result<ScheduleRow, DamagedRow>>>;

    /// As [`ScheduleStore::step_schedules`], for what DAGs have consumed. Records of slots are in
    /// the same table as those of schedules.
    fn step_consumers<'a>(&'a self, steps: &'a [ScheduleStep]) -> StoreFuture<'a, Vec<Stepped>>;
}

/// The audit trail: who has asked for which change. It is apart from the runs, so that deleting
/// runs deletes none of it.
///
/// The row about a change is stored in the transaction of the change: each operation that a person
/// can cause takes the row, and stores both or neither. No stored row ever changes.
pub(crate) trait AuditStore: Send + Sync {
    /// Stores a row about what has changed nothing: a refusal.
    fn record_audit<'a>(&'a self, row: &'a AuditRow) -> StoreFuture<'a, ()>;

    /// The rows that match a filter, the newest first.
    fn audit<'a>(&'a self, filter: &'a AuditFilter) -> StoreFuture<'a, Vec<AuditRow>>;

    /// How many rows there are before a point in time.
    fn count_audit(&self, before: Timestamp) -> StoreFuture<'_, u64>;

    /// Deletes the rows before a point in time, the oldest first, and stores the row about that
    /// with the first of them. Others can write meanwhile; what they store stays. Returns how many
    /// were deleted. Not atomic: an error after the first deletion ends it early, and the answer is
    /// what is gone. Another call goes on, or has the error.
    fn delete_audit<'a>(&'a self, before: Timestamp, audit: Option<&'a AuditRow>) -> StoreFuture<'a, u64>;
}

/// Which runs may have undelivered callbacks, and what was delivered.
pub(crate) trait Outbox: Send + Sync {
    /// Marks a run that this process owns as possibly having undelivered callbacks. A new run is
    /// stored with its mark: see [`NewRun::has_callbacks`](super::rows::NewRun::has_callbacks).
    fn outbox_add<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, ()>;

    /// The ids of the runs that may have undelivered callbacks.
    fn outbox_pending(&self) -> StoreFuture<'_, Vec<String>>;

    /// Removes the mark, unless the run has yet to end, or has another token than the caller knows:
    /// then somebody has claimed it since, and may have more to deliver. Without a token, there was
    /// no such run.
    fn outbox_done<'a>(&'a self, run_id: &'a str, token: Option<u64>) -> StoreFuture<'a, ()>;

    /// Takes the right to deliver the callbacks of a run that nobody owns. Returns `None` if a
    /// process owns the run or delivers its callbacks.
    fn claim_deliveries<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Option<RunGuard>>;

    /// Records the last attempts to deliver notifications, by their keys. What was delivered stays
    /// delivered, whoever records an attempt later. Does nothing if there is no such run.
    fn record_deliveries<'a>(&'a self, run_id: &'a str, attempts: &'a [DeliveryAttempt]) -> StoreFuture<'a, ()>;

    /// The last attempt of each notification of a run, oldest first.
    fn deliveries<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Vec<DeliveryAttempt>>;

    /// The last attempts that failed, with the ids of their runs, the latest first: those after a
    /// place, if there is one.
    fn failed_deliveries<'a>(
        &'a self,
        after: Option<&'a DeliveryPlace>,
        limit: u32,
    ) -> StoreFuture<'a, Vec<(String, DeliveryAttempt)>>;
}

/// Keeping a store in order.
pub(crate) trait Maintenance: Send + Sync {
    /// Deletes runs with everything that belongs to them, and graphs that no run refers to
    /// afterwards. Keeps runs that are stored as queued or running. Returns the numbers of those
    /// that were deleted: none after an error. An error that comes after some were deleted is not
    /// returned; the next call goes on, or has it. Parts of deleted runs may still take space until
    /// the next call, which may be one without runs. Others can write meanwhile. The row of the
    /// audit trail is stored with the first deletion.
    fn delete<'a>(&'a self, runs: &'a [i64], audit: Option<&'a AuditRow>) -> StoreFuture<'a, Vec<i64>>;

    /// The ids of runs that were deleted and whose files have not been
    /// [forgotten](Maintenance::forget_files) since, in order. Each is stored with the deletion of
    /// its run. A run with the same id may have come meanwhile.
    fn left_files(&self) -> StoreFuture<'_, Vec<String>>;

    /// The files of deleted runs with these ids are gone. An unknown id is ignored.
    fn forget_files<'a>(&'a self, run_ids: &'a [String]) -> StoreFuture<'a, ()>;

    /// Deletes events. Their numbers are not used again, and their keys can be. Returns how many
    /// were deleted, and the payloads in files that no event has any more. Not atomic: an error
    /// after the first deletion ends it early, and the answer is what is gone. Another call goes
    /// on, or has the error. The row of the audit trail is stored with the first deletion.
    fn delete_events<'a>(&'a self, numbers: &'a [i64], audit: Option<&'a AuditRow>) -> StoreFuture<'a, DeletedEvents>;

    /// Returns the space of deleted rows to the file system. Returns the size of the store before
    /// and after, in bytes.
    fn vacuum(&self) -> StoreFuture<'_, (u64, u64)>;

    /// Looks for damage without reading everything. Each finding is a sentence.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "a store in memory has no file"))]
    fn quick_check(&self) -> StoreFuture<'_, Vec<String>> {
        store_future(std::future::ready(Ok(Vec::new())))
    }

    /// Looks for damage. Each finding is a sentence that names the place.
    fn check(&self) -> StoreFuture<'_, Vec<String>>;

    /// Finishes writing and closes files. Later calls fail.
    fn close(&self) -> StoreFuture<'_, ()>;
}

/// An error of a store.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store cannot be opened: it is missing, unreadable, or not a store.
    #[error("cannot open the store {place}: {reason}")]
    Open {
        /// The file or address.
        place: String,
        /// Why, and what to do.
        reason: String,
    },
    /// It was written by a later version of taskflow.
    #[error(
        "the store {place} was written by a later version of taskflow (schema {found}, this build knows {known}); use that version or another store"
    )]
    TooNew {
        /// The file or address.
        place: String,
        /// The version of its schema.
        found: i64,
        /// The last version that this build knows.
        known: i64,
    },
    /// The store cannot be written: the disk is full, or it is read-only.
    #[error("cannot write to the store {place}: {reason}")]
    Write {
        /// The file or address.
        place: String,
        /// Why.
        reason: String,
    },
    /// Another process has locked the store, and has not released it in time. What was to be
    /// written is not.
    #[error("cannot {doing} the store {place}: {}", locked(holder.as_deref()))]
    Busy {
        /// What cannot be done: `open`, `read` or `write to`.
        doing: &'static str,
        /// The file or address.
        place: String,
        /// The process that has locked it, if the system says which.
        holder: Option<String>,
    },
    /// The store cannot be read.
    #[error("cannot read the store {place}: {reason}")]
    Read {
        /// The file or address.
        place: String,
        /// Why.
        reason: String,
    },
    /// The store is damaged.
    #[error("the store {place} is damaged: {what}; `db check` lists all damage")]
    Damaged {
        /// The file or address.
        place: String,
        /// The row and what is wrong with it.
        what: String,
    },
}

impl StoreError {
    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            StoreError::Open { .. }
            | StoreError::TooNew { .. }
            | StoreError::Write { .. }
            | StoreError::Busy { .. }
            | StoreError::Read { .. } => ErrorKind::Unavailable,
            StoreError::Damaged { .. } => ErrorKind::Damaged,
        }
    }
}

/// Why a store is busy, and what to do.
fn locked(holder: Option<&str>) -> String {
    match holder {
        Some(process) => {
            format!("{process} has locked it for more than ten seconds; let it continue or end it, then try again")
        }
        None => {
            "another process has locked it for more than ten seconds; find out which one writes to it, and try again"
                .to_owned()
        }
    }
}

/// Boxes a future of a store.
pub(crate) fn store_future<'a, T>(
    future: impl Future<Output = Result<T, StoreError>> + Send + 'a,
) -> StoreFuture<'a, T> {
    Box::pin(future)
}
