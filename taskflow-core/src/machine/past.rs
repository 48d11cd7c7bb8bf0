//! What a resumed run brings with it.

use std::collections::{BTreeSet, HashMap};

use crate::base::Timestamp;
use crate::dag::NodeIndex;
use crate::run::{RestoredTask, TaskIndex, TaskState};

/// What a resumed run brings with it.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// When it first started.
    pub(super) started: Option<Timestamp>,
    /// Tasks that have ended, in the order in which they did.
    pub(super) ended: Vec<TaskIndex>,
    /// Pending retries.
    pub(super) retries: HashMap<TaskIndex, Timestamp>,
    /// Tasks that were waiting, and whether they are sensors.
    pub(super) waits: HashMap<TaskIndex, bool>,
    /// It was ending early: its tasks end for that reason, right after the start.
    pub(super) ends_early: bool,
    /// Attempts that do not count against the retries.
    pub(super) uncounted_attempts: HashMap<TaskIndex, u32>,
    /// Attempts before a task was last cleared, or retried with its group or its run.
    pub(super) earlier_attempts: HashMap<TaskIndex, u32>,
    /// How often tasks were run again with their group or their run.
    pub(super) rounds: HashMap<TaskIndex, u32>,
    /// The number of the last event that a task ignores, because it was cleared after it.
    pub(super) events_seen: HashMap<TaskIndex, u64>,
    /// The state of tasks of elements whose lists are not there yet, by id.
    pub(super) later: HashMap<String, RestoredTask>,
    /// The expanded lists, to record again.
    pub(super) expansions: Vec<(TaskIndex, u32)>,
    /// Expand nodes whose ends are yet to be propagated, while the collectors of their lists wait
    /// for the elements already.
    pub(super) awaited: BTreeSet<TaskIndex>,
    /// Tasks that had ended and run again, with the states they had: to record.
    pub(super) reopened: Vec<(TaskIndex, TaskState)>,
    /// Expand nodes whose upstream has another list, or will: if their elements run again, they are
    /// expanded again.
    pub(super) outdated: BTreeSet<TaskIndex>,
    /// How often groups were retried, and when their tasks may run.
    pub(super) group_retries: HashMap<String, (u32, Option<Timestamp>)>,
    /// When the run was requested.
    pub(super) queued: Option<Timestamp>,
    /// It has missed its deadline.
    pub(super) past_deadline: bool,
    /// It was over before, so deadlines that have passed since do not apply.
    pub(super) was_over: bool,
    /// The deadlines of tasks up to then were judged before the run was retried.
    pub(super) judged: Option<Timestamp>,
    /// Tasks with which several processes have died, and how many.
    pub(super) deadly: HashMap<TaskIndex, u32>,
    /// The tasks that have missed their deadlines.
    pub(super) missed: BTreeSet<NodeIndex>,
}
