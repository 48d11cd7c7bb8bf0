//! What is known of a stored run. [`history`](super::history) builds it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::elements::Numbers;
use super::graph::Graph;
use super::steps;
use super::task_history::TaskHistory;
use crate::base::schema::Schema;
use crate::base::{Failure, Timestamp};
use crate::run::{EventPayload, RunInfo, RunState, TaskIndex, TaskState};
use crate::store::RunRow;

/// A stored run: its tasks, their attempts, and the processes that ran it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RunHistory {
    /// The number of the run in its store.
    pub number: i64,
    /// Its id, its DAG, its logical date and what started it.
    #[serde(flatten)]
    pub info: RunInfo,
    /// Its state: how it ended, `running` while a process runs it, or `interrupted` if it has not
    /// ended and no process runs it.
    pub state: RunState,
    /// Why it ended early, if it did.
    pub halt_reason: Option<String>,
    /// The structural hash of the graph it was last run with.
    pub graph: String,
    /// When it was requested.
    pub created: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// The processes that have run it, in order.
    pub sessions: Vec<SessionHistory>,
    /// Its tasks in the order of the graph, followed by those that the present graph no longer has.
    pub tasks: Vec<TaskHistory>,
    /// Manual changes to it, in order.
    pub edits: Vec<Edit>,
    /// The retries of the whole run, the pending one included.
    pub run_retries: Vec<RunRetry>,
    /// The deadline that it missed, if it did.
    pub missed_deadline: Option<MissedDeadline>,
    /// The deadlines that its tasks missed.
    pub missed_task_deadlines: Vec<MissedTaskDeadline>,
    /// The deliveries of its callback notifications, in the order of their last attempts.
    pub deliveries: Vec<super::Delivery>,
    /// The events sent to it, in order, with their keys.
    #[serde(skip)]
    pub(crate) events: Vec<(String, EventPayload)>,
    /// The nodes that the selection of the run has left out, by their ids. A graph without some of
    /// them may be followed by one that has them again.
    #[serde(skip)]
    pub(super) left_out: HashSet<Arc<str>>,
    /// The last retries of groups that were retried as a whole.
    #[serde(skip)]
    pub(crate) groups: HashMap<String, RetriedGroup>,
    /// How often it ended, ends before a retry of the run included.
    #[serde(skip)]
    pub(crate) run_ends: u32,
    /// How many of the retries of the whole run were made before the last edit.
    #[serde(skip)]
    pub(super) retries_before_edit: usize,
    /// When its first process started its tasks.
    #[serde(skip)]
    pub(super) began: Option<Timestamp>,
    /// Whether it was edited since its last session.
    #[serde(skip)]
    pub(crate) edited: bool,
    /// Its final state, if it ends early.
    #[serde(skip)]
    pub(super) halts_as: RunState,
    /// The graph, with the elements of lists as nodes.
    #[serde(skip)]
    pub(crate) shape: Arc<Graph>,
    #[serde(skip)]
    pub(super) numbers: Numbers,
    /// Tasks that the graph no longer has, by id, while entries are folded.
    #[serde(skip)]
    pub(super) gone: HashMap<Arc<str>, TaskHistory>,
    /// How many tasks are running, once somebody has asked.
    #[serde(skip)]
    pub(super) running: OnceLock<usize>,
    #[serde(skip)]
    pub(crate) segments: u32,
    #[serde(skip)]
    pub(crate) row: RunRow,
    /// The number of task ends so far.
    #[serde(skip)]
    pub(super) ends: u64,
    /// How many entries it was built from.
    #[serde(skip)]
    pub(crate) entries: u64,
}

/// A process that ran a run or a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct SessionHistory {
    /// When it took the run.
    pub at: Timestamp,
    /// Where it ran: `host:process`.
    pub worker: String,
    /// Which build of the program it was.
    pub build: String,
    /// Its fencing token: the number of processes that have had the run.
    pub token: u64,
    /// The structural hash of its graph.
    pub graph: String,
}

/// A retry of a whole run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct RunRetry {
    /// Which retry, counted from 1.
    pub number: u32,
    /// When the run failed.
    pub failed: Timestamp,
    /// When the retry was due.
    pub due: Timestamp,
    /// When the retry started, if it has.
    pub started: Option<Timestamp>,
}

/// The last retry of a group that was retried as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RetriedGroup {
    /// Which retry, counted from 1.
    pub(crate) retry: u32,
    /// When it was due.
    pub(crate) due: Timestamp,
    /// Whether a task of the group may have run since: the delay is over, also for a process whose
    /// clock is behind.
    pub(crate) has_begun: bool,
}

/// A deadline that a run missed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct MissedDeadline {
    /// The deadline.
    pub deadline: Timestamp,
    /// When the engine or the service noticed it.
    pub noticed: Timestamp,
    /// Why the slot of the run has missed it; empty for other deadlines.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// A deadline that a task missed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct MissedTaskDeadline {
    /// The task; inside of an `each`, all of its elements.
    pub task: String,
    /// The deadline.
    pub deadline: Timestamp,
    /// When the engine noticed it.
    pub noticed: Timestamp,
    /// How many of its task instances had not succeeded by then; 0 if its list was not there yet.
    pub open: u32,
}

/// A manual change to a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct Edit {
    /// When.
    pub at: Timestamp,
    /// The tasks.
    pub tasks: Vec<String>,
    /// The state they were marked as; `None` if they were cleared.
    pub marked: Option<TaskState>,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl RunHistory {
    /// A run without entries.
    pub(crate) fn of_row(row: RunRow, graph: &Arc<Graph>) -> Self {
        let (numbers, shape) = Numbers::of(graph);
        RunHistory {
            number: row.number,
            info: row.info.clone(),
            state: row.state,
            halt_reason: None,
            graph: row.graph.clone(),
            created: row.created,
            ended: row.ended,
            sessions: Vec::new(),
            tasks: shape.nodes.iter().map(|node| TaskHistory::new(Arc::clone(&node.id))).collect(),
            edits: Vec::new(),
            run_retries: Vec::new(),
            missed_deadline: None,
            missed_task_deadlines: Vec::new(),
            deliveries: Vec::new(),
            events: Vec::new(),
            left_out: HashSet::new(),
            groups: HashMap::new(),
            run_ends: 0,
            retries_before_edit: 0,
            began: None,
            edited: false,
            halts_as: RunState::Cancelled,
            shape,
            numbers,
            gone: HashMap::new(),
            running: OnceLock::new(),
            segments: 0,
            row,
            ends: 0,
            entries: 0,
        }
    }

    /// The task with this id.
    pub fn task(&self, id: &str) -> Option<&TaskHistory> {
        self.find(id).map(|place| &self.tasks[place])
    }

    /// How many tasks are in which state, in the order of the states' names.
    pub fn counts(&self) -> Vec<(TaskState, u32)> {
        let mut counts: HashMap<TaskState, u32> = HashMap::new();
        self.tasks.iter().for_each(|task| *counts.entry(task.state).or_default() += 1);
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|&(state, _)| state.name());
        counts
    }

    /// How many tasks are running.
    pub(crate) fn running(&self) -> usize {
        *self.running.get_or_init(|| {
            steps::count(self.tasks.len());
            self.tasks.iter().filter(|task| task.state == TaskState::Running).count()
        })
    }

    /// When it started: when its first process started its tasks, or took it if it never did.
    pub fn started(&self) -> Option<Timestamp> {
        self.began.or_else(|| self.sessions.first().map(|session| session.at))
    }

    /// The reason and the final state of a run that ends early.
    pub(crate) fn halted(&self) -> Option<(String, RunState)> {
        Some((self.halt_reason.clone()?, self.halts_as))
    }

    /// The id of the task at this place.
    pub(crate) fn id(&self, place: u32) -> &str {
        self.tasks.get(place as usize).map_or("?", |task| &task.id)
    }

    /// The id of the task with this number.
    pub(super) fn id_of(&self, number: TaskIndex) -> String {
        let place = self.numbers.place(number).and_then(|place| self.tasks.get(place));
        place.map_or("?", |task| &task.id).to_owned()
    }

    /// The state of the task with this number.
    pub(super) fn state_of(&self, number: TaskIndex) -> TaskState {
        let place = self.numbers.place(number).and_then(|place| self.tasks.get(place));
        place.map_or(TaskState::None, |task| task.state)
    }

    /// Why the task at this place ended without running, if another one decided it.
    pub(super) fn because(&self, place: usize) -> Option<Arc<Failure>> {
        let rule = self.shape.nodes.get(place).map_or("", |_| &self.shape.kind(place as u32).rule);
        self.tasks.get(place)?.because(rule)
    }

    /// The retries of the whole run since the last edit: the number started, and the pending one
    /// with its time.
    pub(crate) fn retries_made(&self) -> (u32, Option<(u32, Timestamp)>) {
        // By their order: the edit has the clock of another process.
        let counted = self.run_retries.get(self.retries_before_edit..).unwrap_or_default();
        let made = counted.iter().filter(|retry| retry.started.is_some()).count() as u32;
        let waits = counted.last().filter(|retry| retry.started.is_none());
        (made, waits.map(|retry| (retry.number, retry.due)))
    }
}
