//! What a journal stores: every change of a run is an entry.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::durability::Durability;
use super::index::TaskIndex;
use super::state::{RunState, TaskState};
use crate::base::{Failure, Timestamp};
use crate::value::FileRef;

/// One change of a run. Stored by number: new ones are added at the end, none is ever removed or
/// reordered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// A process has taken the run, for the first time or again. Attempts that were running before
    /// are lost.
    Session(Box<Session>),
    /// The task is not part of this run.
    Removed { task: TaskIndex },
    /// The task is ready to run.
    Scheduled { task: TaskIndex },
    /// An attempt started.
    Started { task: TaskIndex, attempt: u32 },
    /// An attempt succeeded after `took` nanoseconds.
    Succeeded { task: TaskIndex, attempt: u32, took: u64, value: ValueRef },
    /// An attempt failed; `retry` is the time of the next one, if there is one.
    Failed { task: TaskIndex, attempt: u32, took: u64, failure: Arc<Failure>, retry: Option<i64> },
    /// The task skipped itself, or was skipped because of `cause`.
    Skipped { task: TaskIndex, attempt: u32, took: u64, reason: Option<Arc<Failure>>, cause: Option<TaskIndex> },
    /// The task does not run because `cause` failed.
    UpstreamFailed { task: TaskIndex, cause: TaskIndex },
    /// The task does not run, or stopped, because its run ends early.
    Cancelled { task: TaskIndex, attempt: u32, took: u64 },
    /// The run ends early.
    Halted { reason: String, state: RunState },
    /// The run is over.
    Ended { state: RunState },
    /// These tasks were cleared and run again.
    Cleared { tasks: Vec<TaskIndex>, by: String, reason: String },
    /// The state of these tasks was set by hand.
    Marked { tasks: Vec<TaskIndex>, state: TaskState, by: String, reason: String, value: ValueRef },
    /// The list of an expand node has this many elements; from here on they have numbers.
    Expanded { task: TaskIndex, count: u32 },
    /// An attempt waits after `took` nanoseconds, and holds nothing: a sensor between two pokes, or
    /// a deferred task.
    Waiting { task: TaskIndex, attempt: u32, took: u64, poke: bool, record: Box<WaitRecord> },
    /// An event arrived; its value is JSON. Only in stores of earlier versions, replaced by
    /// `Happened`.
    Released { key: String, value: String, by: String },
    /// The labels of the elements of an expand node's list.
    Labelled { task: TaskIndex, labels: Vec<String> },
    /// A group has failed and all of its tasks are retried from `due` on. Counts its tasks by
    /// state.
    Regrouped { group: String, retry: u32, due: i64, tasks: Vec<TaskIndex>, were: Vec<(TaskState, u32)> },
    /// The run missed its deadline.
    DeadlineMissed { due: i64 },
    /// The run has failed and is retried then; `retry` counts from 1.
    TriedAgain { retry: u32, due: i64 },
    /// These tasks run again with their run. Counts them by state.
    Again { tasks: Vec<TaskIndex>, were: Vec<(TaskState, u32)> },
    /// An event arrived: its value as JSON, who sent it, and why.
    Happened { key: String, value: String, by: String, reason: String },
    /// A task has added a link.
    Linked { task: TaskIndex, attempt: u32, name: String, url: String },
    /// A task has pushed a named value of this type.
    Pushed { task: TaskIndex, attempt: u32, key: String, ty: String, value: ValueRef },
    /// A task has stored task state under a key, for its own later calls and attempts.
    TaskStateSet { task: TaskIndex, key: String, text: String },
    /// These tasks had ended and run again in the session that begins, because others need it: a
    /// setup and its teardown for work that is left, an expand node whose list is another one.
    Reopened { tasks: Vec<TaskIndex> },
    /// The task with this id in the graph missed its deadline. `open` of its task instances have
    /// not succeeded.
    TaskDeadlineMissed { task: String, due: i64, open: u32 },
    /// These nodes, inside an `each`, are not part of this run, so none of their tasks will be. By
    /// their ids in the graph.
    LeftOut { nodes: Vec<String> },
}

/// What a task waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WaitRecord {
    /// When it first started to wait.
    #[serde(with = "in_nanos")]
    pub(crate) since: Timestamp,
    /// How often it has waited, including this time.
    pub(crate) count: u32,
    /// The time that it waits for.
    #[serde(with = "maybe_in_nanos")]
    pub(crate) until: Option<Timestamp>,
    /// The key of the event that it waits for, and the number of the last one it has seen and
    /// cannot use.
    pub(crate) event: Option<(String, u64)>,
}

/// Points in time are stored as nanoseconds: a text would be three times as long.
mod in_nanos {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::base::Timestamp;

    pub(crate) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.as_nanos())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_nanos)
    }
}

mod maybe_in_nanos {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::base::Timestamp;

    pub(crate) fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        time.map(Timestamp::as_nanos).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<i64>::deserialize(deserializer)?.map(Timestamp::from_nanos))
    }
}

/// A process that drives a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Where it ran: `host:process`.
    pub(crate) worker: String,
    /// The build of its program.
    pub(crate) build: String,
    /// The fencing token: counts the processes that have had the run. Only the last one can write.
    pub(crate) token: u64,
    /// The structural hash of the graph; numbers of tasks in what follows are those of this graph.
    pub(crate) graph: String,
    /// What is waited for.
    pub(crate) durability: Durability,
}

/// Where the value of a success is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ValueRef {
    /// There is none.
    #[default]
    Nowhere,
    /// In the data of the segment that holds the entry.
    Inline { start: u32, len: u32 },
    /// In a file of its own.
    File(FileRef),
}

/// The stored form of the duration of an attempt.
pub(crate) fn nanos(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}
