//! What a store takes and returns.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::audit_rows::AuditRow;
use super::event_rows::NewEvent;
use super::ownership::Liveness;
use crate::base::Timestamp;
use crate::run::{RunInfo, RunState, RunType, TaskState};

/// A part of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Append {
    /// The run.
    pub(crate) run: AppendTarget,
    /// The segment, if there are entries.
    pub(crate) segment: Option<Segment>,
    /// What changes in the row of the run.
    pub(crate) update: Option<RunUpdate>,
    /// Events that are stored with the segment: all of them, or none if the part is fenced. Without
    /// a segment there are none.
    pub(crate) events: Vec<NewEvent>,
    /// The row of the audit trail about the part: stored if the part is.
    pub(crate) audit: Option<Box<AuditRow>>,
}

/// The run that an append belongs to.
#[derive(Clone, Debug)]
pub(crate) enum AppendTarget {
    /// A run that is not in the store yet. Its token will be 1, or 0 if it is queued.
    New(Box<NewRun>),
    /// A stored run, with the token of the writer.
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

/// The outcome of a part of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appended {
    /// It is stored. The number is that of the run.
    Stored(i64),
    /// Another process has claimed the run, or has written this segment.
    Fenced,
    /// The new run cannot be stored: its id exists, another process owns it, or its first segment
    /// is not number 1.
    Taken,
}

/// A run that is not in the store yet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NewRun {
    pub(crate) info: RunInfo,
    /// The structural hash of its graph.
    pub(crate) graph: String,
    /// The build of the program that created it.
    pub(crate) build: String,
    /// The process that runs it, `host:pid`. Without one the run is queued until a process claims
    /// it.
    pub(crate) owner: Option<String>,
    /// The encoded values of its parameters.
    pub(crate) params: Vec<u8>,
    /// The number of tasks in its graph.
    pub(crate) tasks: u32,
    pub(crate) created: Timestamp,
    /// Whether it is stored with its mark in the [outbox](super::traits::Outbox).
    pub(crate) has_callbacks: bool,
}

impl NewRun {
    /// The state that it is stored in.
    pub(crate) fn state(&self) -> RunState {
        if self.owner.is_some() { RunState::Running } else { RunState::Queued }
    }

    /// The token that it is stored with.
    pub(crate) fn token(&self) -> u64 {
        u64::from(self.owner.is_some())
    }
}

/// The graph of new runs. Its snapshot is encoded only if the store does not have it.
#[derive(Clone)]
pub(crate) struct NewGraph {
    /// Its structural hash.
    pub(crate) hash: String,
    /// Encodes the snapshot.
    pub(crate) encode: Arc<dyn Fn() -> Vec<u8> + Send + Sync>,
}

impl fmt::Debug for NewGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewGraph({})", self.hash)
    }
}

/// What changes in the row of a run. A run that ends takes its unacknowledged requests with it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunUpdate {
    pub(crate) state: RunState,
    pub(crate) ended: Option<Timestamp>,
    /// The number of tasks in each state; empty until the run has ended.
    pub(crate) counts: Vec<(TaskState, u32)>,
    /// A new graph, with the number of its tasks.
    pub(crate) graph: Option<(String, u32)>,
}

/// What a store knows of a run without its history.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunRow {
    /// The number of the run in its store: counted from 1.
    pub(crate) number: i64,
    pub(crate) info: RunInfo,
    pub(crate) graph: String,
    pub(crate) build: String,
    /// The last process that owned the run, `host:pid`; empty until one has.
    pub(crate) owner: String,
    pub(crate) token: u64,
    /// Whether a process owns the run now.
    pub(crate) liveness: Liveness,
    /// Whether the owner waits for the admission of the run; see
    /// [`admission`](super::admission).
    pub(crate) waits: bool,
    /// The state as stored; see [`RunRow::present_state`].
    pub(crate) state: RunState,
    pub(crate) tasks: u32,
    pub(crate) created: Timestamp,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) counts: Vec<(TaskState, u32)>,
}

impl RunRow {
    /// The state of the run. A run that is stored as running is interrupted if its owner is dead,
    /// and queued if its owner waits for its admission.
    pub(crate) fn present_state(&self) -> RunState {
        present_state(self.state, self.liveness, self.waits)
    }

    /// The process that owns the run now, `host:pid`.
    pub(crate) fn live_owner(&self) -> Option<&str> {
        (self.liveness == Liveness::Alive).then_some(&*self.owner)
    }

    /// Sets whether somebody owns the run.
    pub(super) fn set_owned(&mut self, owned: bool) {
        self.liveness = Liveness::of(owned, self.state);
    }
}

/// As [`RunRow::present_state`], of its parts.
pub(super) fn present_state(stored: RunState, liveness: Liveness, waits: bool) -> RunState {
    match stored {
        RunState::Running if liveness != Liveness::Alive => RunState::Interrupted,
        RunState::Running if waits => RunState::Queued,
        state => state,
    }
}

/// The entries of a segment as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentRow {
    pub(crate) number: u32,
    pub(crate) events: Vec<u8>,
}

/// Selects runs. The default selects all, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of this DAG.
    pub dag: Option<String>,
    /// Of one of these DAGs: of none if there are none. `None`: of all.
    pub among: Option<Vec<String>>,
    /// In one of these states; in any if empty.
    pub states: Vec<RunState>,
    /// Of one of these run types; of any if empty.
    pub run_types: Vec<RunType>,
    /// With this logical date.
    pub about: Option<Timestamp>,
    /// With this logical date or a later one.
    pub logical_since: Option<Timestamp>,
    /// With an earlier logical date than this.
    pub logical_before: Option<Timestamp>,
    /// Created at this time or later.
    pub since: Option<Timestamp>,
    /// Created before this time.
    pub before: Option<Timestamp>,
    /// Asked for by this account, user or token: one of [`RunInfo::requested_by`]. No index has it.
    pub requested_by: Option<String>,
    /// With these values of parameters, each a name and a text as the command line takes it: of a
    /// name that is there several times, with any of its texts. No index has them. A store does not
    /// read values, and leaves no run out for them; a [`Journal`](crate::journal::Journal) does.
    pub params: Vec<(String, String)>,
    /// In this order.
    pub order: RunOrder,
    /// Only runs that follow this place in the order: the next page.
    pub after: Option<RunCursor>,
    /// At most this many; all if `None`.
    pub limit: Option<u32>,
}

impl RunFilter {
    /// Whether a run fits all conditions but those about its state and its parameters.
    pub(super) fn allows(&self, run: &RunRow) -> bool {
        let date = run.info.logical_date;
        let place = run.cursor(self.order);
        self.dag.as_ref().is_none_or(|dag| *dag == run.info.dag_id)
            && self.among.as_ref().is_none_or(|among| among.contains(&run.info.dag_id))
            && (self.run_types.is_empty() || self.run_types.contains(&run.info.run_type))
            && self.about.is_none_or(|about| date == about)
            && self.logical_since.is_none_or(|since| date >= since)
            && self.logical_before.is_none_or(|before| date < before)
            && self.since.is_none_or(|since| run.created >= since)
            && self.before.is_none_or(|before| run.created < before)
            && self.is_requested(&run.info)
            && self.after.is_none_or(|after| (place.at, place.number) < (after.at, after.number))
    }

    /// Whether it has a condition that no index decides, so that many runs may have to be looked at
    /// for each that fits.
    pub(crate) fn is_unindexed(&self) -> bool {
        self.requested_by.is_some() || !self.params.is_empty()
    }

    /// Whether a run fits the condition about who has asked for it.
    pub(crate) fn is_requested(&self, run: &RunInfo) -> bool {
        self.requested_by.as_ref().is_none_or(|name| run.requested_by.contains(name))
    }
}

/// The order of runs. The number of the run decides between equal times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunOrder {
    /// The run that was created last comes first.
    #[default]
    Created,
    /// The run with the latest logical date comes first.
    LogicalDate,
    /// The run with the highest number comes first: the one that was created last, wherever the
    /// clock stood.
    Number,
}

/// A place in an order of runs. Runs that are created later do not move it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunCursor {
    pub(super) at: Timestamp,
    pub(super) number: i64,
}

impl RunCursor {
    /// The place of a run.
    pub(crate) fn of(order: RunOrder, created: Timestamp, logical_date: Timestamp, number: i64) -> Self {
        let at = match order {
            RunOrder::Created => created,
            RunOrder::LogicalDate => logical_date,
            RunOrder::Number => Timestamp::EPOCH,
        };
        RunCursor { at, number }
    }

    /// The number of the run at the place.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the page of runs"))]
    pub(crate) fn number(self) -> i64 {
        self.number
    }

    /// The place as text.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the pages of the HTTP API"))]
    pub(crate) fn encode(self) -> String {
        format!("{}.{}", self.at.as_nanos(), self.number)
    }

    /// The place of a text that [`encode`](RunCursor::encode) has returned.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the pages of the HTTP API"))]
    pub(crate) fn decode(text: &str) -> Option<Self> {
        let (at, number) = text.split_once('.')?;
        Some(RunCursor { at: Timestamp::from_nanos(at.parse().ok()?), number: number.parse().ok()? })
    }
}

/// A place in the list of the deliveries that failed: when the last attempt was made, the key of
/// the notification, and the id of the run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeliveryPlace(pub(crate) Timestamp, pub(crate) String, pub(crate) String);

impl RunRow {
    /// Its place in an order.
    pub(super) fn cursor(&self, order: RunOrder) -> RunCursor {
        RunCursor::of(order, self.created, self.info.logical_date, self.number)
    }
}

/// What a process asks of the owner of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) run: i64,
    pub(crate) what: RequestKind,
    pub(crate) by: String,
    pub(crate) reason: String,
    pub(crate) at: Timestamp,
}

/// The kinds of requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RequestKind {
    /// To cancel the run.
    Cancel,
    /// To deliver an event to the run; the value is JSON.
    #[serde(rename = "release")]
    Event { key: String, value: String },
}
