//! The state that the machine keeps for each task, join, waiting task, group and mapping.

use std::collections::HashMap;

use crate::base::Timestamp;
use crate::base::index::{IndexVec, indices};
use crate::dag::{GroupIndex, Join, JoinIndex, NodeIndex, Plan, RunJoinIndex, Selection};
use crate::run::{RunState, TaskIndex, TaskState, Transition, WaitRecord};
use crate::task::TriggerRule;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TaskCell {
    pub(super) started: Timestamp,
    pub(super) ended: Timestamp,
    pub(super) attempt: u32,
    /// Joins without a verdict.
    pub(super) undecided: u32,
    /// The task because of which this one is skipped or `upstream_failed`.
    pub(super) cause: TaskIndex,
    pub(super) state: TaskState,
    /// A join has skipped it; a later one can still fail it.
    pub(super) skip: bool,
    /// Its node is plain: it takes the short path if the run does.
    pub(super) plain: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct JoinCell {
    pub(super) pending: u32,
    pub(super) success: u32,
    /// `upstream_failed` ones included. The only rule that tells them apart, `one_done`, counts
    /// them like skipped ones, and so does its join: most runs have many joins.
    pub(super) failed: u32,
    pub(super) skipped: u32,
}

impl TaskCell {
    /// A task that nothing has happened to.
    pub(super) fn new(plan: &Plan, node: NodeIndex, selection: Option<&Selection>) -> Self {
        let joins = indices(plan.joins_of(node)).map(|join| plan.join(join));
        let is_open = |join: &&Join| waits(join) && join.upstreams > left_out(plan, join, selection);
        let undecided = joins.filter(is_open).count() as u32;
        let removed = selection.is_some_and(|selection| !selection.contains(node));
        let state = if removed { TaskState::None.after(Transition::Remove) } else { Some(TaskState::None) };
        let plain = plan.is_plain(node);
        TaskCell { undecided, state: state.unwrap_or_default(), plain, ..TaskCell::default() }
    }

    /// The tasks of a run that has not started, in which all nodes take part.
    pub(super) fn all(plan: &Plan) -> IndexVec<TaskIndex, TaskCell> {
        let cell = |&plain: &bool| TaskCell { plain, ..TaskCell::default() };
        let mut tasks: IndexVec<TaskIndex, TaskCell> = plan.plain_nodes().iter().map(cell).collect();
        if !plan.mappings().is_empty() {
            // A mapped node has no task instance yet: they come with the elements.
            for node in plan.node_indices().filter(|&node| plan.is_mapped(node)) {
                tasks[node.task()].state = TaskState::Removed;
            }
        }
        for join in plan.joins().iter().filter(|join| waits(join) && join.upstreams > 0) {
            tasks[join.node.task()].undecided += 1;
        }
        tasks
    }

    /// Makes the transition if it is legal, and returns the state before it.
    #[inline]
    pub(super) fn make(&mut self, transition: Transition) -> Option<TaskState> {
        let next = self.state.after(transition)?;
        Some(std::mem::replace(&mut self.state, next))
    }
}

impl JoinCell {
    /// The joins of a run that has not started, in which all nodes take part.
    pub(super) fn all(plan: &Plan) -> IndexVec<RunJoinIndex, JoinCell> {
        plan.joins().iter().map(|join| JoinCell::of(join, join.upstreams)).collect()
    }

    /// A join none of whose upstreams has ended.
    #[inline]
    pub(super) fn new(plan: &Plan, join: JoinIndex, selection: Option<&Selection>) -> Self {
        let join = plan.join(join);
        JoinCell::of(join, join.upstreams - left_out(plan, join, selection))
    }

    /// A join that so many upstreams take part in.
    #[inline]
    fn of(join: &Join, upstreams: u32) -> Self {
        let pending = if waits(join) && upstreams > 0 { upstreams } else { DECIDED };
        JoinCell { pending, success: 0, failed: 0, skipped: 0 }
    }
}

/// Whether a join waits for its upstreams: `always` does not.
fn waits(join: &Join) -> bool {
    join.rule != TriggerRule::Always
}

/// How many upstreams of a join do not take part in the run. Only the work of a scope can be left
/// out while what is below it, the teardown, takes part.
#[inline]
fn left_out(plan: &Plan, join: &Join, selection: Option<&Selection>) -> u32 {
    selection.map_or(0, |selection| left_out_of(selection, plan, join))
}

fn left_out_of(selection: &Selection, plan: &Plan, join: &Join) -> u32 {
    if join.rule != TriggerRule::AllDoneSetupSuccess || plan.node_options(join.node).teardown.is_none() {
        return 0;
    }
    let work = plan.orders(join.node).iter().chain(plan.rest_of_work(join.node));
    work.filter(|&&(upstream, _)| !selection.contains(upstream)).count() as u32
}

/// The value of `pending` in a join that has its verdict.
pub(super) const DECIDED: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Halted {
    pub(super) reason: String,
    /// The state in which the run ends.
    pub(super) state: RunState,
}

/// A run that drains.
#[derive(Debug)]
pub(super) struct Draining {
    pub(super) reason: String,
    /// The tasks that were running when it began; from the end, those that still do.
    pub(super) running: Vec<TaskIndex>,
}

/// A task that waits, or has waited.
#[derive(Clone, Debug)]
pub(super) struct Waiter {
    /// What it waits for, or waited for last.
    pub(super) record: WaitRecord,
    /// Whether it is waiting: its next start continues its attempt.
    pub(super) waits: bool,
    /// When it was last started.
    pub(super) called: Timestamp,
}

impl Waiter {
    pub(super) fn waits_for(&self, key: &str) -> bool {
        self.waits && self.record.event.as_ref().is_some_and(|(waits_for, _)| waits_for == key)
    }
}

/// The groups with retries.
#[derive(Debug, Default)]
pub(super) struct GroupRetries {
    pub(super) all: HashMap<GroupIndex, GroupRetry>,
    /// Groups whose last task has just ended.
    pub(super) ended: Vec<GroupIndex>,
}

#[derive(Debug, Default)]
pub(super) struct GroupRetry {
    /// Tasks that have not ended.
    pub(super) open: u32,
    pub(super) retries: u32,
    /// When its tasks may be scheduled.
    pub(super) due: Option<Timestamp>,
    pub(super) is_over: bool,
}

/// When the elements of a list may begin.
#[derive(Debug, Default)]
pub(super) struct ElementStarts {
    /// The earliest time for the next element.
    pub(super) next: Timestamp,
    pub(super) begins: HashMap<u32, Timestamp>,
}
