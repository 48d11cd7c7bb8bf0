//! Retries of whole groups.
//!
//! 1. While such a group has retries left, the ends of its tasks are propagated inside the group
//!    only.
//! 2. When its last task has ended, the group has failed if one of its tasks failed and no other
//!    task of the group handled that: the task is a last one of the group, or a task below it in
//!    the group did not run because of a failure, and nobody handled that. A failure from outside
//!    neither makes the group fail nor keeps it from being retried, whichever came first: the
//!    failures inside are the same.
//! 3. If it has failed, each of its failures allows a retry, and it has one left, all its tasks are
//!    open again, as if none had run. `Regrouped` is recorded, their values are discarded, and the
//!    ends outside are propagated to them again. None of them is scheduled before the retry delay
//!    is over. Attempt numbers continue, and earlier attempts do not count against the retries of
//!    the tasks.
//! 4. Otherwise the group is over: the ends of its tasks are propagated outside, and their inputs
//!    are dropped. Under `fail_fast`, a failure halts the run only now.
//! 5. A halt ends the tasks of a group like others, and a group that ends in a halted run is over.
//! 6. A resumed run knows how often each group was retried, and whether the last retry had begun:
//!    then its delay is over, wherever the clock stands now. A group whose tasks have all ended is
//!    over: the consequences were recorded with its end. The tasks of other groups keep their
//!    inputs.

use std::collections::BTreeSet;

use super::cells::{GroupRetry, JoinCell, TaskCell};
use super::command::Command;
use super::core::Core;
use super::joins::Recipients;
use super::timer::Timer;
use crate::base::Timestamp;
use crate::base::index::indices;
use crate::dag::{GroupIndex, JoinIndex, Layout, NodeIndex, RunJoinIndex, Teardown};
use crate::run::{AttemptRecord, Entry, Event, RunState, TaskIndex, TaskState, Transition};

impl Core {
    /// Counts the open tasks of each group. Called when the run starts.
    pub(super) fn count_open_tasks(&mut self, graph: &Layout) {
        let plan = graph.plan();
        for group in plan.units().groups() {
            let is_open = |task: &TaskIndex| !self.tasks[*task].state.is_terminal();
            let open = plan.units().tasks(group).filter(is_open).count() as u32;
            let (retries, due) =
                self.past.group_retries.get(plan.group(group).id.as_str()).copied().unwrap_or((0, None));
            // A group that ended in an earlier session was judged there, in the same step.
            self.group_retries.all.insert(group, GroupRetry { open, retries, due, is_over: open == 0 });
            if let Some(due) = due.filter(|_| open > 0) {
                self.timers.insert((due, Timer::Group(group)));
            }
        }
    }

    /// The group with retries that a task is in, if the group is not over.
    pub(super) fn open_group(&self, graph: &Layout, task: TaskIndex) -> Option<GroupIndex> {
        let unit = graph.plan().units().of(graph.node(task))?;
        self.group_retries.all.get(&unit).is_some_and(|unit| !unit.is_over).then_some(unit)
    }

    /// Counts the end of a task. Returns whether it is withheld from tasks outside its group for
    /// now.
    pub(super) fn is_withheld(&mut self, graph: &Layout, task: TaskIndex) -> bool {
        let Some(group) = self.open_group(graph, task) else { return false };
        if let Some(unit) = self.group_retries.all.get_mut(&group) {
            unit.open -= 1;
            if unit.open == 0 {
                self.group_retries.ended.push(group);
            }
        }
        true
    }

    /// Whether this task is waiting for the retry of its group.
    pub(super) fn group_waits(&self, graph: &Layout, task: TaskIndex, now: Timestamp) -> bool {
        let unit = self.open_group(graph, task).and_then(|group| self.group_retries.all.get(&group));
        unit.and_then(|unit| unit.due).is_some_and(|due| due > now)
    }

    /// The retry delay of a group is over.
    pub(super) fn group_is_due(
        &mut self,
        graph: &Layout,
        group: GroupIndex,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        for task in graph.plan().units().tasks(group) {
            let cell = &self.tasks[task];
            if cell.state == TaskState::None && cell.undecided == 0 {
                self.ready(graph, task, now, commands);
            }
        }
    }

    /// Retries or closes the groups whose last task has ended.
    pub(super) fn judge_groups(&mut self, graph: &Layout, now: Timestamp, commands: &mut Vec<Command>) {
        while let Some(group) = self.group_retries.ended.pop() {
            let failed = self.failed_tasks_of(graph, group);
            let plan = graph.plan();
            let options = plan.group(group);
            let Some(unit) = self.group_retries.all.get_mut(&group).filter(|unit| unit.open == 0 && !unit.is_over)
            else {
                continue;
            };
            let is_retryable = |task| self.failures.get(task).is_none_or(|failure| failure.is_retryable());
            let may_be_retried = !failed.is_empty() && failed.iter().all(is_retryable);
            if may_be_retried && self.halted.is_none() && unit.retries < options.retries {
                unit.retries += 1;
                let due = now + options.retry_delay;
                unit.due = Some(due);
                let retry = unit.retries;
                self.retry_group(graph, group, (retry, due), now, commands);
            } else {
                unit.is_over = true;
                self.group_is_over(graph, group, failed.first().copied(), now, commands);
            }
            self.propagate(graph, now, commands);
        }
    }

    /// The tasks because of which a group has failed. They do not depend on the order in which
    /// tasks ended, as the `cause` of a task does.
    fn failed_tasks_of(&self, graph: &Layout, group: GroupIndex) -> BTreeSet<TaskIndex> {
        let plan = graph.plan();
        let is_inside = |node: NodeIndex| plan.units().of(node) == Some(group);
        let deals_with = |join: &JoinIndex| {
            let below = plan.join(*join).node;
            let takes_part = self.selection.as_ref().is_none_or(|selection| selection.contains(below));
            takes_part && is_inside(below) && plan.node_options(below).teardown.is_none()
        };
        let state = |task: &TaskIndex| self.tasks[*task].state;
        let has_failed = |task: &TaskIndex| matches!(state(task), TaskState::Failed | TaskState::UpstreamFailed);
        let is_last = |task: &TaskIndex| !plan.successors(graph.node(*task)).iter().any(deals_with);
        // As at the end of a run, the failure of a teardown is one of the group only if it says so.
        let counts = |task: &TaskIndex| plan.node_options(graph.node(*task)).teardown != Some(Teardown::Quiet);
        let failed = plan.units().tasks(group).filter(has_failed).filter(counts);
        let mut unhandled: Vec<TaskIndex> = failed.filter(is_last).collect();
        let mut found: BTreeSet<TaskIndex> = unhandled.iter().copied().collect();
        while let Some(task) = unhandled.pop() {
            if state(&task) == TaskState::UpstreamFailed {
                let inside = plan.upstreams(graph.node(task)).filter(|&node| is_inside(node)).map(NodeIndex::task);
                unhandled.extend(inside.filter(has_failed).filter(|&task| found.insert(task)));
            }
        }
        found.retain(|task| state(task) == TaskState::Failed);
        found
    }

    /// Opens all tasks of the group again.
    fn retry_group(
        &mut self,
        graph: &Layout,
        group: GroupIndex,
        (retry, due): (u32, Timestamp),
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        let plan = graph.plan();
        let takes_part = |&task: &TaskIndex| self.tasks[task].state != TaskState::Removed;
        let tasks: Vec<TaskIndex> = plan.units().tasks(group).filter(takes_part).collect();
        let were = self.states_of(&tasks);
        for &task in &tasks {
            self.reopen(graph, task, due, now);
            commands.push(Command::Forget(task));
        }
        let count = tasks.len() as u32;
        if let Some(unit) = self.group_retries.all.get_mut(&group) {
            unit.open = count;
        }
        self.open += count;
        if self.settings.recorded {
            let group = plan.group(group).id.clone();
            let (due, tasks) = (due.as_nanos(), tasks.clone());
            self.entries.push((now, Entry::Regrouped { group, retry, due, tasks, were }));
        }
        self.timers.insert((due, Timer::Group(group)));
        self.propagate_again(graph, group, &tasks, now, commands);
    }

    /// Propagates the ends outside to the tasks of a group again, in their order: the first success
    /// decides an `AnyOf`.
    fn propagate_again(
        &mut self,
        graph: &Layout,
        group: GroupIndex,
        tasks: &[TaskIndex],
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        let plan = graph.plan();
        let is_propagated = |upstream: &TaskIndex| {
            let state = self.tasks[*upstream].state;
            plan.units().of(graph.node(*upstream)) != Some(group)
                && state.is_terminal()
                && state != TaskState::Removed
                && self.open_group(graph, *upstream).is_none()
        };
        let all = tasks.iter().flat_map(|&task| plan.upstreams(graph.node(task)));
        let mut upstreams: Vec<TaskIndex> = all.map(NodeIndex::task).filter(is_propagated).collect();
        upstreams.sort_unstable_by_key(|&upstream| (self.tasks[upstream].ended, upstream));
        upstreams.dedup();
        for upstream in upstreams {
            self.propagate_end(graph, upstream, Recipients::Inside(group), now, commands);
        }
    }

    /// Resets a task as if it had not run; its attempts are kept.
    fn reopen(&mut self, graph: &Layout, task: TaskIndex, due: Timestamp, now: Timestamp) {
        let (plan, node, cell) = (graph.plan(), graph.node(task), self.tasks[task]);
        let failure = self.failures.remove(&task);
        self.skipped_by_halt.remove(&task);
        let retried = self.retried.entry(task).or_default();
        if cell.attempt as usize > retried.len() {
            retried.push(AttemptRecord { started: cell.started, ended: cell.ended, failure, due: Some(due) });
        }
        if cell.attempt > 0 {
            self.past.uncounted_attempts.insert(task, cell.attempt);
            self.past.earlier_attempts.insert(task, cell.attempt);
            *self.past.rounds.entry(task).or_default() += 1;
            self.past.events_seen.insert(task, self.event_count);
        }
        self.waiters.remove(&task);
        // What it was to go on with when the run was resumed.
        self.past.waits.remove(&task);
        self.past.retries.remove(&task);
        for join in indices(plan.joins_of(node)) {
            let own = RunJoinIndex::of(join);
            self.winners.remove(&own);
            self.joins[own] = JoinCell::new(plan, join, self.selection.as_ref());
        }
        let fresh = TaskCell::new(plan, node, self.selection.as_ref());
        let TaskCell { started, ended, attempt, .. } = cell;
        self.tasks[task] = TaskCell { started, ended, attempt, ..fresh };
        if self.settings.observed {
            self.events.push(Event::Task { at: now, task, attempt, from: cell.state, to: TaskState::None });
        }
    }

    /// Propagates the ends that were withheld.
    fn group_is_over(
        &mut self,
        graph: &Layout,
        group: GroupIndex,
        failed: Option<TaskIndex>,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        let plan = graph.plan();
        let ended = |&task: &TaskIndex| self.tasks[task].state != TaskState::Removed;
        let mut tasks: Vec<TaskIndex> = plan.units().tasks(group).filter(ended).collect();
        tasks.sort_by_key(|&task| (self.tasks[task].ended, task));
        for &task in &tasks {
            commands.push(Command::Settled(task));
            self.judge_leaf(graph, task);
        }
        if let Some(failed) = failed
            && self.settings.fail_fast
            && self.halted.is_none()
        {
            let reason = format!("`{}` failed, and the run fails fast", graph.id(failed));
            self.halt(graph, reason, RunState::Failed, Transition::Skip, now, commands);
        }
        if self.halted.is_some() && plan.teardowns().is_empty() {
            return;
        }
        for task in tasks {
            self.propagate_end(graph, task, Recipients::Outside(group), now, commands);
        }
    }
}
