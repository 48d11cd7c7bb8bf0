//! What the engine tells a journal, and what it waits for.
//!
//! The protocol between a run and its [`Recorder`]:
//!
//! 1. Every change of a run is an [`Entry`]. Under the lock of the hub, in the order of the state machine, they are handed
//!    to the recorder, which takes a note and returns at once with the number of the last one.
//! 2. What an entry makes possible waits for it: under [`Durability::Strict`] a ready task is dispatched when everything
//!    before it is stored, and under every durability a run is over when its last entry is. A start is told and waited for by
//!    nobody.
//! 3. The recorder says [`Commits::stored`] from a thread of its own, or [`Commits::failed`] once and for all: then nothing
//!    more starts, what runs is asked to stop, and the run is `interrupted`. What was stored before can be resumed.
//! 4. A recorder that cannot keep up says so ([`Commits::set_congested`]), and the engine starts nothing until it has.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::archive::Archive;
use super::callback_dispatcher::{DeliveryLog, PendingCallback};
use super::dispatch::RunKey;
use super::effects::Effects;
use super::engine_state::Shared;
use super::notes::RestoredNote;
use super::run::RunShared;
use super::state::{RunState, TaskState};
use crate::error::Failure;
use crate::task::EventPayload;
use crate::time::Timestamp;
use crate::value::{AnyValue, FileRef, TypeInfo};

/// When a run may go on after something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Durability {
    /// A success is stored before a task that depends on it starts: whatever happens, no task sees a result that is lost
    /// later.
    #[default]
    Strict,
    /// Everything is stored, soon, and nobody waits for it: after a crash the last moments may be missing, and tasks that ran
    /// in them run again, also when others have seen their results.
    Relaxed,
    /// Nothing is stored.
    Ephemeral,
}

impl Durability {
    /// `strict`, `relaxed` or `ephemeral`.
    pub const fn name(self) -> &'static str {
        match self {
            Durability::Strict => "strict",
            Durability::Relaxed => "relaxed",
            Durability::Ephemeral => "ephemeral",
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One change of a run. Stored by number: new ones are added at the end, none is ever removed or reordered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// A process has taken the run, for the first time or again. What was running before is lost.
    Session(Box<Session>),
    /// The task is not part of this run.
    Removed { task: u32 },
    /// The task may run.
    Scheduled { task: u32 },
    /// An attempt began.
    Started { task: u32, attempt: u32 },
    /// An attempt succeeded after `took` nanoseconds.
    Succeeded { task: u32, attempt: u32, took: u64, value: ValueRef },
    /// An attempt failed; `retry` says when the next one is due, if one is.
    Failed { task: u32, attempt: u32, took: u64, failure: Arc<Failure>, retry: Option<i64> },
    /// The task skipped itself, or was skipped because of `cause`.
    Skipped { task: u32, attempt: u32, took: u64, reason: Option<Arc<Failure>>, cause: Option<u32> },
    /// The task does not run because `cause` failed.
    UpstreamFailed { task: u32, cause: u32 },
    /// The task does not run, or stopped, because its run ends early.
    Cancelled { task: u32, attempt: u32, took: u64 },
    /// The run ends early.
    Halted { reason: String, state: RunState },
    /// The run is over.
    Ended { state: RunState },
    /// Somebody wants these tasks to run again.
    Cleared { tasks: Vec<u32>, by: String, reason: String },
    /// Somebody says what became of these tasks.
    Marked { tasks: Vec<u32>, state: TaskState, by: String, reason: String, value: ValueRef },
    /// The list of an expand node has so many elements: from here on they have numbers.
    Expanded { task: u32, count: u32 },
    /// An attempt waits after `took` nanoseconds, and holds nothing: a sensor between two pokes, or a deferred task.
    Waiting { task: u32, attempt: u32, took: u64, poke: bool, record: Box<WaitRecord> },
    /// Somebody said that an event has come; its value is JSON. From stores of earlier versions: now it is `Happened`.
    Released { key: String, value: String, by: String },
    /// What people call the elements of the list of an expand node.
    Labelled { task: u32, labels: Vec<String> },
    /// A group has failed and is tried again, all its tasks, from `due` on. So many of them were in which state.
    Regrouped { group: String, retry: u32, due: i64, tasks: Vec<u32>, were: Vec<(TaskState, u32)> },
    /// The run was not over at its deadline.
    DeadlineMissed { due: i64 },
    /// The run has failed, and is tried again then, for the time that `retry` counts from 1.
    TriedAgain { retry: u32, due: i64 },
    /// These tasks run again, because the run does. So many of them were in which state.
    Again { tasks: Vec<u32>, were: Vec<(TaskState, u32)> },
    /// An event has come; its value is JSON. Who said so, and why.
    Happened { key: String, value: String, by: String, reason: String },
    /// A task has said where something is to be found.
    Linked { task: u32, attempt: u32, name: String, url: String },
    /// A task has pushed a named value of this type.
    Pushed { task: u32, attempt: u32, key: String, ty: String, value: ValueRef },
    /// A task has kept a text under a key, for its own later calls and attempts.
    TaskStateSet { task: u32, key: String, text: String },
}

/// What a task waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WaitRecord {
    /// When it first began to wait.
    #[serde(with = "in_nanos")]
    pub(crate) since: Timestamp,
    /// How often it has waited, this time included.
    pub(crate) count: u32,
    /// The time that it waits for.
    #[serde(with = "maybe_in_nanos")]
    pub(crate) until: Option<Timestamp>,
    /// The key of the event that it waits for, and the number of the last one it has seen and cannot use.
    pub(crate) event: Option<(String, u64)>,
}

/// Points in time as they engine_ref in entries: a text would be three times as long.
mod in_nanos {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::time::Timestamp;

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.as_nanos())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_nanos)
    }
}

mod maybe_in_nanos {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::time::Timestamp;

    pub(super) fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        time.map(Timestamp::as_nanos).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<i64>::deserialize(deserializer)?.map(Timestamp::from_nanos))
    }
}

/// What is known of a process that drives a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Where it ran: `host:process`.
    pub(crate) worker: String,
    /// Which build of the program it was.
    pub(crate) build: String,
    /// The fencing token: counts the processes that have had the run. Only the last one can write.
    pub(crate) token: u64,
    /// The structural hash of the graph; numbers of tasks in what follows are those of this graph.
    pub(crate) graph: String,
    /// What is waited for.
    pub(crate) durability: Durability,
}

/// Where the value of a success is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ValueRef {
    /// There is none.
    #[default]
    Nowhere,
    /// In the data of the segment that holds the entry.
    Inline { start: u32, len: u32 },
    /// In a file of its own.
    File(FileRef),
}

/// A value made ready for being stored, by the thread that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Inline(Vec<u8>),
    File(FileRef),
}

/// A value written down.
#[derive(Debug)]
pub(crate) enum Encoded {
    /// Small enough to engine_ref among the entries.
    Inline(Vec<u8>),
    /// To be put into a file.
    Large(Vec<u8>),
}

/// Takes what happens to one run.
pub(crate) trait Recorder: Send + Sync + fmt::Debug {
    /// Says where news about storing go. Called once, before anything else.
    fn attach(&self, commits: Commits);

    /// Takes entries, in order, and empties the list; `value` belongs to the success or the pushed value among them. The number of the last
    /// entry. `urgent` says that something waits for it. Called under the lock of the engine: must not wait.
    fn record(&self, entries: &mut Vec<(Timestamp, Entry)>, value: Option<Stored>, urgent: bool) -> u64;

    /// Writes a value down. Called by the thread that has produced it; `task` is the id of the task.
    ///
    /// # Errors
    ///
    /// Why the value cannot be stored: that is a failure of the task that produced it.
    fn encode(&self, task: &str, ty: TypeInfo, value: &AnyValue) -> Result<Encoded, Failure>;

    /// Puts a large value into a file: this waits for the disk.
    ///
    /// # Errors
    ///
    /// As [`Recorder::encode`].
    fn spill(&self, task: &str, bytes: &[u8]) -> Result<Stored, Failure>;

    /// The engine has let go of the run: nothing of it runs any more.
    fn over(&self);

    /// Whether a ready task has to wait until everything before it is stored.
    fn is_strict(&self) -> bool;

    /// How often the task was cleared.
    fn generation(&self, task: &str) -> u32;

    /// The number that the run is stored under, as soon as it is.
    fn number(&self) -> Option<i64>;

    /// Where is noted what callbacks were told.
    fn delivery_log(&self) -> Arc<dyn DeliveryLog>;

    /// The directory for files of the run, if there is one. It need not be there yet.
    fn artifacts(&self) -> Option<PathBuf>;

    /// The journal, for a look at its other runs.
    fn archive(&self) -> Option<Arc<dyn Archive>>;
}

/// Tells the engine what was stored.
#[derive(Clone)]
pub(crate) struct Commits {
    shared: Weak<Shared>,
    key: RunKey,
    run: Weak<RunShared>,
}

impl Commits {
    pub(super) fn new(shared: &Arc<Shared>, key: RunKey, run: &Arc<RunShared>) -> Self {
        Commits { shared: Arc::downgrade(shared), key, run: Arc::downgrade(run) }
    }

    /// Everything up to this entry is stored.
    pub(crate) fn stored(&self, entry: u64) {
        let (Some(shared), Some(of)) = (self.shared.upgrade(), self.run.upgrade()) else { return };
        let mut effects = Effects::default();
        let mut hub = shared.lock();
        hub.stored(self.key, &of, entry, &mut effects);
        shared.leave(hub, &mut effects);
        effects.carry_out(&shared);
    }

    /// Nothing more can be stored.
    pub(crate) fn failed(&self, reason: &str) {
        let (Some(shared), Some(of)) = (self.shared.upgrade(), self.run.upgrade()) else { return };
        let mut effects = Effects::default();
        let mut hub = shared.lock();
        hub.cannot_store(self.key, &of, reason, &mut effects);
        shared.leave(hub, &mut effects);
        effects.carry_out(&shared);
    }

    /// Somebody outside wants the run to end.
    pub(crate) fn cancel(&self, reason: &str) {
        let (Some(shared), Some(of)) = (self.shared.upgrade(), self.run.upgrade()) else { return };
        shared.tell(self.key, &of.info.run_id, super::machine::Input::Cancel { reason: reason.to_owned() });
    }

    /// Somebody outside says that an event has come.
    pub(crate) fn release(&self, key: String, value: Arc<str>, by: String, reason: String) {
        let (Some(shared), Some(of)) = (self.shared.upgrade(), self.run.upgrade()) else { return };
        shared.tell(self.key, &of.info.run_id, super::machine::Input::Release { key, value, by, reason });
    }

    /// Whether too much waits to be stored.
    pub(crate) fn set_congested(&self, congested: bool) {
        let Some(shared) = self.shared.upgrade() else { return };
        let mut effects = Effects::default();
        let mut hub = shared.lock();
        hub.congested = congested;
        shared.leave(hub, &mut effects);
        effects.carry_out(&shared);
    }
}

impl fmt::Debug for Commits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commits({:?})", self.key)
    }
}

/// What a run that goes on starts from, instead of nothing.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    /// When it first started.
    pub(crate) started: Option<Timestamp>,
    /// What is known of tasks, those that have ended in the order in which they did.
    pub(crate) tasks: Vec<RestoredTask>,
    /// The lists whose elements are there, in the order in which they came: their expand nodes and lengths.
    pub(crate) expansions: Vec<(u32, u32)>,
    /// What is known of elements whose lists have yet to come, by id.
    pub(crate) later: HashMap<String, RestoredTask>,
    /// It was ending early when it stopped: why, and as what.
    pub(crate) halted: Option<(String, RunState)>,
    /// What people call the elements of lists, by expand nodes.
    pub(crate) labels: HashMap<u32, Arc<[String]>>,
    /// How often groups were tried again, and when their tasks may run.
    pub(crate) units: HashMap<String, (u32, Option<Timestamp>)>,
    /// The events that it was told, in order, by their keys.
    pub(crate) events: Vec<(String, EventPayload)>,
    /// When it was asked for.
    pub(crate) queued: Option<Timestamp>,
    /// How often it was tried again.
    pub(crate) run_retries: u32,
    /// It has failed, and is to be tried again: for which time, and when.
    pub(crate) run_retry: Option<(u32, Timestamp)>,
    /// Its deadline counts no more: it was missed, or the run has been over before.
    pub(crate) past_deadline: bool,
    /// How often it came to an end, those included after which it was tried again.
    pub(crate) ends: u32,
    /// What was to be told, and was not.
    pub(crate) pending: Vec<PendingCallback>,
    /// The named values that tasks have pushed.
    pub(crate) notes: Vec<RestoredNote>,
    /// The texts that tasks have kept for themselves: id, key, text.
    pub(crate) task_state: Vec<(String, String, String)>,
}

/// What is known of a task of a run that goes on.
#[derive(Clone, Debug)]
pub(crate) struct RestoredTask {
    pub(crate) task: u32,
    pub(crate) state: RestoredState,
    /// Attempts made so far.
    pub(crate) attempts: u32,
    /// Those of them that do not count against the retries: lost ones, and all before it was cleared.
    pub(crate) uncounted_attempts: u32,
    /// How often it ran again with its group or its run.
    pub(crate) rounds: u32,
    pub(crate) started: Timestamp,
    pub(crate) ended: Timestamp,
    /// The failures of attempts that others followed.
    pub(crate) retried: Vec<super::machine::AttemptRecord>,
    /// What it waits for, or waited for last.
    pub(crate) wait: Option<Box<WaitRecord>>,
    /// The number of the last event that is not for it: it was cleared after that.
    pub(crate) events_seen: u64,
}

/// What a task of a run that goes on has come to.
#[derive(Clone, Debug)]
pub(crate) enum RestoredState {
    /// It succeeded; the value is there if somebody will want it.
    Success(Option<AnyValue>),
    /// It skipped itself, or was marked so.
    Skipped(Arc<Failure>),
    /// It failed for good.
    Failed(Arc<Failure>),
    /// It ended because of another task.
    Because { state: TaskState, cause: u32 },
    /// Its next attempt is due then.
    Retry(Timestamp),
    /// Its attempt waits: it is a sensor, or deferred.
    Waits { poke: bool },
    /// It has yet to run (again).
    Open,
}

impl Durability {
    pub(crate) fn is_strict(self) -> bool {
        self == Durability::Strict
    }
}

/// How much time an attempt took, as it is stored.
pub(crate) fn nanos(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}
