//! The state from which a run is resumed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::entry::WaitRecord;
use super::event_payload::EventPayload;
use super::index::TaskIndex;
use super::state::{RunState, TaskState};
use crate::base::{Failure, Timestamp};
use crate::value::AnyValue;

/// The state from which a run is resumed.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    /// When it first started.
    pub(crate) started: Option<Timestamp>,
    /// Its tasks; those that have ended in the order of their ends.
    pub(crate) tasks: Vec<RestoredTask>,
    /// The tasks that were ready or running when the last process died: one of them may have killed
    /// it.
    pub(crate) in_flight: HashSet<TaskIndex>,
    /// The tasks that were running when several processes in a row died: they run one at a time,
    /// with nothing beside them.
    pub(crate) suspects: HashSet<TaskIndex>,
    /// The tasks with which several processes have died, and how many: they fail instead of being
    /// called again.
    pub(crate) deadly: Vec<(TaskIndex, u32)>,
    /// The expanded lists in their order: their expand nodes and lengths.
    pub(crate) expansions: Vec<(TaskIndex, u32)>,
    /// Expand nodes whose upstream has another list by now, or will: their elements have ended, and
    /// cannot run again without another expansion.
    pub(crate) outdated: Vec<TaskIndex>,
    /// Expand nodes whose elements are retired: they are expanded again, in the same session.
    pub(crate) retired: Vec<TaskIndex>,
    /// Elements whose lists are not expanded (again) yet, by id.
    pub(crate) later: HashMap<String, RestoredTask>,
    /// The reason and final state of a run that was ending early when it was interrupted.
    pub(crate) halted: Option<(String, RunState)>,
    /// Tasks that had ended and run again, with the states they had.
    pub(crate) reopened: Vec<(TaskIndex, TaskState)>,
    /// The labels of lists, by expand node.
    pub(crate) labels: HashMap<TaskIndex, Arc<[String]>>,
    /// The retries of groups so far, and when their tasks may run.
    pub(crate) units: HashMap<String, (u32, Option<Timestamp>)>,
    /// The events sent to it, in order, with their keys.
    pub(crate) events: Vec<(String, EventPayload)>,
    /// When it was requested.
    pub(crate) queued: Option<Timestamp>,
    /// The retries of the run so far.
    pub(crate) run_retries: u32,
    /// The pending retry of the run: its number, and when it is due.
    pub(crate) run_retry: Option<(u32, Timestamp)>,
    /// Whether it has missed its deadline.
    pub(crate) past_deadline: bool,
    /// Whether it was over before, and tasks of it were cleared.
    pub(crate) was_over: bool,
    /// When the run was last retried: the deadlines of tasks up to then were judged.
    pub(crate) judged: Option<Timestamp>,
    /// The tasks that have missed their deadlines, as numbers of nodes.
    pub(crate) missed: Vec<TaskIndex>,
    /// How often it ended, ends before a retry of the run included.
    pub(crate) ends: u32,
    /// The XComs of its tasks.
    pub(crate) notes: Vec<RestoredNote>,
    /// How many entries are stored.
    pub(crate) entries: u64,
    /// The task state store: id, key, text.
    pub(crate) task_state: Vec<(String, String, String)>,
}

/// A task of a run that is resumed.
#[derive(Clone, Debug)]
pub(crate) struct RestoredTask {
    pub(crate) task: TaskIndex,
    pub(crate) state: RestoredState,
    /// Attempts made so far.
    pub(crate) attempts: u32,
    /// Those that do not count against the retries: lost ones, and all before it was cleared.
    pub(crate) uncounted_attempts: u32,
    /// Those before it was last cleared, or retried with its group or its run. Unlike lost ones,
    /// they do not count against the limit over all attempts either.
    pub(crate) earlier_attempts: u32,
    /// How often it was retried with its group or its run.
    pub(crate) rounds: u32,
    pub(crate) started: Timestamp,
    pub(crate) ended: Timestamp,
    /// The failures of attempts that others followed.
    pub(crate) retried: Vec<AttemptRecord>,
    /// What it waits for, or waited for last.
    pub(crate) wait: Option<Box<WaitRecord>>,
    /// The number of the last event that it ignores: it was cleared after that.
    pub(crate) events_seen: u64,
}

/// The state of a task of a run that is resumed.
#[derive(Clone, Debug)]
pub(crate) enum RestoredState {
    /// It succeeded; with its value, if a consumer needs it.
    Success(Option<AnyValue>),
    /// It skipped itself, or was marked `skipped`. Or it was skipped by the early end of its run,
    /// which a retry of the run undoes.
    Skipped { reason: Arc<Failure>, by_halt: bool },
    /// It failed without a retry left.
    Failed(Arc<Failure>),
    /// It was stopped with its run, or did not start, for this reason.
    Cancelled(Arc<Failure>),
    /// It ended because of another task.
    Because { state: TaskState, cause: TaskIndex },
    /// Its next attempt is due then.
    Retry(Timestamp),
    /// Its attempt waits: a sensor or a deferred task.
    Waits { poke: bool },
    /// It has yet to run (again).
    Open,
}

/// An attempt that is over.
#[derive(Clone, Debug)]
pub(crate) struct AttemptRecord {
    pub(crate) started: Timestamp,
    pub(crate) ended: Timestamp,
    /// `None` if it succeeded: its task ran again with its group or its run, or because others
    /// needed it.
    pub(crate) failure: Option<Arc<Failure>>,
    /// When the next one was due, if that is known.
    pub(crate) due: Option<Timestamp>,
}

/// An XCom of a run that is resumed.
#[derive(Clone, Debug)]
pub(crate) struct RestoredNote {
    /// The id of the task.
    pub(crate) task: String,
    pub(crate) key: String,
    /// The name of its type, without modules.
    pub(crate) ty: String,
    pub(crate) bytes: Arc<[u8]>,
}
