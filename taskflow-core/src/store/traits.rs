//! Where runs are kept: what every kind of store can do.
//!
//! A store knows rows and bytes, and nothing of what they mean: runs, their segments in order, the snapshots of graphs, and
//! requests of other processes. What the entries in the segments say is read by [`history`](crate::journal::history).
//!
//! What every store keeps to:
//!
//! 1. [`Store::append`] is atomic: all of a batch is stored, or nothing. When it has returned, the batch survives the death
//!    of the process (and, with [`Sync::Full`](super::sync_mode::SyncMode), that of the machine).
//! 2. A run has a *token* that counts the processes that have had it. An append with any other token than the present one
//!    changes nothing and is answered with [`Appended::Fenced`]: a process that was believed dead cannot write.
//! 3. The segments of a run are numbered from 1 without gaps. An append with any other number than the next is fenced as
//!    well. A part that is fenced stores nothing, and is no reason not to store the others.
//! 4. Reading never waits for writing, and sees whole batches.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::base::{ErrorKind, Timestamp};
use crate::callback::DeliveryAttempt;
use crate::run::{RunInfo, RunState, TaskState};

/// A future of a store.
pub(crate) type StoreFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A place for runs.
pub(crate) trait Store: Send + Sync + fmt::Debug {
    /// Stores new runs, new segments and new states of runs, all of it or nothing. One store_future for each part, in order.
    fn append<'a>(&'a self, batch: &'a [Append]) -> StoreFuture<'a, Vec<Appended>>;

    /// Gives a run to a process: raises its token, sets its state to `running`, forgets what was asked of the process that
    /// had the run before, and answers with the new token. `expected` is the token that the process has seen; with any other
    /// one nothing happens and the store_future is `None`.
    fn adopt<'a>(&'a self, run: i64, expected: u64, owner: &'a str) -> StoreFuture<'a, Option<u64>>;

    /// Keeps the snapshot of a graph, unless it is there. [`Store::delete`] takes away those that no run has, also one that
    /// was put there for a run about to be stored: to be sure, put it again once the run is.
    fn put_graph<'a>(&'a self, hash: &'a str, snapshot: &'a [u8]) -> StoreFuture<'a, ()>;

    /// The snapshot of a graph.
    fn graph<'a>(&'a self, hash: &'a str) -> StoreFuture<'a, Option<Vec<u8>>>;

    /// The run with this number.
    fn run<'a>(&'a self, run: i64) -> StoreFuture<'a, Option<RunRow>>;

    /// The run with this id.
    fn run_by_id<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Option<RunRow>>;

    /// The runs target ids contain this text, which is looked for in every id: first the one target id it is, then those target ids begin with it, then the
    /// others; those stored last first. At most `limit`.
    fn find<'a>(&'a self, text: &'a str, limit: u32) -> StoreFuture<'a, Vec<RunRow>>;

    /// The runs that the filter lets through, newest first: by the time of their creation, then by their number.
    fn runs<'a>(&'a self, filter: &'a RunFilter) -> StoreFuture<'a, Vec<RunRow>>;

    /// The parameters of a run, as they were given at its beginning.
    fn params<'a>(&'a self, run: i64) -> StoreFuture<'a, Option<Vec<u8>>>;

    /// The entries of a run from segment number `from` on, without values.
    fn segments<'a>(&'a self, run: i64, from: u32) -> StoreFuture<'a, Vec<SegmentRow>>;

    /// A part of the data of a segment; `None` when the segment is not there or shorter.
    fn data<'a>(&'a self, run: i64, segment: u32, range: Range<u32>) -> StoreFuture<'a, Option<Vec<u8>>>;

    /// Leaves a request for whichever process has the run; nothing if there is no such run.
    fn ask<'a>(&'a self, request: &'a Request) -> StoreFuture<'a, ()>;

    /// The requests with a number above `after`, in order.
    fn requests<'a>(&'a self, after: i64) -> StoreFuture<'a, Vec<(i64, Request)>>;

    /// Takes a run among those that may have to tell callbacks something. It need not be stored yet.
    fn outbox_add<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, ()>;

    /// The runs that may have to tell something, by their ids.
    fn outbox_pending(&self) -> StoreFuture<'_, Vec<String>>;

    /// Everything that a run had to tell is told, unless it is in the state `running`.
    fn outbox_done<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, ()>;

    /// Notes the last tries to tell callbacks something, by their keys; nothing if there is no such run.
    fn record_deliveries<'a>(&'a self, run_id: &'a str, tried: &'a [DeliveryAttempt]) -> StoreFuture<'a, ()>;

    /// The last try of each notification of a run, in the order of their times.
    fn deliveries<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Vec<DeliveryAttempt>>;

    /// Forgets runs with all that belongs to them in the store. Runs in the state `running` stay. How many are gone.
    /// Graphs go that no run has or had. Not all at once: after an error some may be gone.
    fn delete<'a>(&'a self, runs: &'a [i64]) -> StoreFuture<'a, u64>;

    /// Gives the room of what was deleted back to the file system. How many bytes the store took before and takes now.
    fn vacuum(&self) -> StoreFuture<'_, (u64, u64)>;

    /// Looks for damage in the store itself. Each finding is a sentence that names the place.
    fn check(&self) -> StoreFuture<'_, Vec<String>>;

    /// Writes what is to be written and lets go of files. Later calls fail.
    fn close(&self) -> StoreFuture<'_, ()>;
}

/// A part of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Append {
    /// The run.
    pub(crate) run: AppendTarget,
    /// The segment, if there are entries.
    pub(crate) segment: Option<Segment>,
    /// What is known of the run from now on, if that has changed.
    pub(crate) update: Option<RunUpdate>,
}

/// The run that an append belongs to.
#[derive(Clone, Debug)]
pub(crate) enum AppendTarget {
    /// One that is not in the store yet. Its token is 1.
    New(Box<NewRun>),
    /// One that is, and the token of the writer.
    Existing { run: i64, token: u64 },
}

/// A segment to be stored; see [`segment`](crate::journal::segment).
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    /// From 1, without gaps.
    pub(crate) number: u32,
    pub(crate) events: Vec<u8>,
    pub(crate) data: Vec<u8>,
}

/// What became of a part of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appended {
    /// It is stored, under this number of the run.
    Stored(i64),
    /// Another process has the run, or has written this segment.
    Fenced,
    /// A new run cannot be stored: there is a run with this id, or its first segment is not number 1.
    Taken,
}

/// A run that is not in the store yet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NewRun {
    pub(crate) info: RunInfo,
    /// The structural hash of its graph.
    pub(crate) graph: String,
    /// Which build of the program started it.
    pub(crate) build: String,
    /// Where it runs.
    pub(crate) owner: String,
    /// The values of its parameters, encoded.
    pub(crate) params: Vec<u8>,
    /// How many tasks the graph has.
    pub(crate) tasks: u32,
    pub(crate) created: Timestamp,
}

/// What has changed about a run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunUpdate {
    pub(crate) state: RunState,
    pub(crate) ended: Option<Timestamp>,
    /// How many tasks came to which state; empty while the run goes on.
    pub(crate) counts: Vec<(TaskState, u32)>,
    /// Another graph than before, with the number of its tasks.
    pub(crate) graph: Option<(String, u32)>,
}

/// What a store says of a run at once, without reading its history.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunRow {
    /// The number of the run in its store: small, and counted upwards.
    pub(crate) number: i64,
    pub(crate) info: RunInfo,
    pub(crate) graph: String,
    pub(crate) build: String,
    pub(crate) owner: String,
    pub(crate) token: u64,
    pub(crate) state: RunState,
    pub(crate) tasks: u32,
    pub(crate) created: Timestamp,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) counts: Vec<(TaskState, u32)>,
}

/// Entries of a run as they are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentRow {
    pub(crate) number: u32,
    pub(crate) events: Vec<u8>,
}

/// Which runs are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of this DAG.
    pub dag: Option<String>,
    /// In one of these states; in any, if there are none.
    pub states: Vec<RunState>,
    /// RunStart this point in time: with this logical date.
    pub about: Option<Timestamp>,
    /// Created at this time or later.
    pub since: Option<Timestamp>,
    /// Created before this time.
    pub before: Option<Timestamp>,
    /// Not more than these; all, if nothing is said.
    pub limit: Option<u32>,
}

/// Something that a process wants of the process that has a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) run: i64,
    pub(crate) what: RequestKind,
    pub(crate) by: String,
    pub(crate) reason: String,
    pub(crate) at: Timestamp,
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RequestKind {
    /// That the run ends.
    Cancel,
    /// That it learns of an event; the value is JSON.
    Release { key: String, value: String },
}

/// Why a store did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is nothing where a store should be, or what is there is none.
    #[error("cannot open the store {place}: {reason}")]
    Open {
        /// The file or address.
        place: String,
        /// Why, and what can be done.
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
    /// It could not be written: the disk is full, it is read-only, it is locked.
    #[error("cannot write to the store {place}: {reason}")]
    Write {
        /// The file or address.
        place: String,
        /// Why.
        reason: String,
    },
    /// It could not be read.
    #[error("cannot read the store {place}: {reason}")]
    Read {
        /// The file or address.
        place: String,
        /// Why.
        reason: String,
    },
    /// What it holds makes no sense.
    #[error("the store {place} is damaged: {what}; `db check` names all damage")]
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
            | StoreError::Read { .. } => ErrorKind::Unavailable,
            StoreError::Damaged { .. } => ErrorKind::Damaged,
        }
    }
}

/// Boxes a future of a store.
pub(crate) fn store_future<'a, T>(
    future: impl Future<Output = Result<T, StoreError>> + Send + 'a,
) -> StoreFuture<'a, T> {
    Box::pin(future)
}
