//! What is known of a run that is resumed.

use std::collections::HashMap;
use std::sync::Arc;

use super::entry::WaitRecord;
use super::event_payload::EventPayload;
use super::state::{RunState, TaskState};
use crate::base::{Failure, Timestamp};
use crate::value::AnyValue;

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
    /// The named values that tasks have pushed.
    pub(crate) notes: Vec<RestoredNote>,
    /// How many entries are stored.
    pub(crate) entries: u64,
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
    pub(crate) retried: Vec<AttemptRecord>,
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

/// An attempt that is over.
#[derive(Clone, Debug)]
pub(crate) struct AttemptRecord {
    pub(crate) started: Timestamp,
    pub(crate) ended: Timestamp,
    pub(crate) failure: Arc<Failure>,
    /// When the next one was due, if that is known.
    pub(crate) due: Option<Timestamp>,
}

/// A named value of a run that goes on.
#[derive(Clone, Debug)]
pub(crate) struct RestoredNote {
    /// The id of the task.
    pub(crate) task: String,
    pub(crate) key: String,
    /// The name of its type, without modules.
    pub(crate) ty: String,
    pub(crate) bytes: Arc<[u8]>,
}
