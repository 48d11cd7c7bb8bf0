//! What the driver and the report read of a machine.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::cells::Halted;
use super::core::seed_of;
use super::machine::Machine;
use super::timer::Timer;
use crate::base::{Failure, Timestamp};
#[cfg(feature = "testing")]
use crate::dag::GroupIndex;
use crate::dag::{Layout, NodeOptions, Plan, RunJoinIndex};
use crate::run::{AttemptRecord, Entry, Event, RunState, TaskIndex, TaskState, WaitRecord, within};
use crate::task::{WaitState, Waiting, because_of};

impl Machine {
    /// Whether this attempt is the running one.
    pub(crate) fn is_running(&self, task: TaskIndex, attempt: u32) -> bool {
        self.core.is_running(task, attempt)
    }

    pub(crate) fn plan(&self) -> &Arc<Plan> {
        self.layout.plan()
    }

    /// The labels of the elements that a task instance belongs to, the outermost first.
    pub(crate) fn label(&self, task: TaskIndex) -> Option<String> {
        if self.core.labels.is_empty() {
            return None;
        }
        let mut whole: Option<String> = None;
        let mut around = self.layout.at(task);
        while let Some(at) = around {
            let expand = self.layout.expand_at(at);
            if let Some(label) = self.core.labels.get(&expand).and_then(|labels| labels.get(at.element as usize)) {
                whole = Some(within(label, whole.as_deref()));
            }
            around = self.layout.at(expand);
        }
        whole
    }

    /// The task instances of the run.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn state(&self) -> RunState {
        self.core.state
    }

    pub(crate) fn task_state(&self, task: TaskIndex) -> TaskState {
        self.core.tasks[task].state
    }

    /// Whether no task has ended or is left out.
    pub(crate) fn is_all_open(&self) -> bool {
        self.core.open as usize == self.core.tasks.len()
    }

    /// The running attempt, or the last one; 0 before the first.
    pub(crate) fn attempt(&self, task: TaskIndex) -> u32 {
        self.core.tasks[task].attempt
    }

    /// Whether no attempt can follow the running one and the task cannot return from a wait.
    #[inline]
    pub(crate) fn is_last_attempt(&self, task: TaskIndex) -> bool {
        let NodeOptions { retry, waiting, .. } = self.layout.options(task);
        self.core.tasks[task].attempt >= self.attempts_with(retry.retries, task)
            && *waiting == Waiting::Never
            // Its group may be retried.
            && self.plan().units().of(self.layout.node(task)).is_none()
    }

    /// The wait state for a call now, if the task may wait.
    #[inline]
    pub(crate) fn wait_state(&self, task: TaskIndex, now: Timestamp) -> Option<Box<WaitState>> {
        if self.layout.options(task).waiting == Waiting::Never { None } else { Some(self.new_wait_state(task, now)) }
    }

    fn new_wait_state(&self, task: TaskIndex, now: Timestamp) -> Box<WaitState> {
        let record = self.core.waiters.get(&task).map(|waiter| &waiter.record);
        let (since, waits) = record.map_or((now, 0), |record| (record.since, record.count));
        let after = self.core.past.events_seen.get(&task).copied().unwrap_or(0);
        let (events, respondents) = (Arc::clone(&self.core.external), self.layout.options(task).respondents);
        Box::new(WaitState { now, since, waits, after, events, respondents })
    }

    /// How often the task was run again with its group or its run.
    pub(crate) fn rounds(&self, task: TaskIndex) -> u32 {
        if self.core.past.rounds.is_empty() { 0 } else { self.core.past.rounds.get(&task).copied().unwrap_or(0) }
    }

    /// The attempts that do not count against the retries.
    pub(crate) fn uncounted_attempts(&self, task: TaskIndex) -> u32 {
        self.core.uncounted_attempts(task)
    }

    /// How many attempts the task may have.
    pub(crate) fn max_attempts(&self, task: TaskIndex) -> u32 {
        self.attempts_with(self.layout.options(task).retry.retries, task)
    }

    fn attempts_with(&self, retries: u32, task: TaskIndex) -> u32 {
        retries.saturating_add(1).saturating_add(self.core.uncounted_attempts(task))
    }

    /// When the last attempt started and when the task ended.
    pub(crate) fn times(&self, task: TaskIndex) -> (Timestamp, Timestamp) {
        let cell = &self.core.tasks[task];
        (cell.started, cell.ended)
    }

    pub(crate) fn run_times(&self) -> (Timestamp, Timestamp) {
        (self.core.started, self.core.ended)
    }

    pub(crate) fn retried(&self, task: TaskIndex) -> &[AttemptRecord] {
        self.core.retried.get(&task).map_or(&[], Vec::as_slice)
    }

    /// Why a task did not succeed.
    pub(crate) fn failure(&self, task: TaskIndex) -> Option<Arc<Failure>> {
        if let Some(failure) = self.core.failures.get(&task) {
            return Some(Arc::clone(failure));
        }
        let cell = &self.core.tasks[task];
        match cell.state {
            TaskState::UpstreamFailed | TaskState::Skipped => {
                let rule = self.layout.options(task).trigger_rule.name();
                because_of(cell.state, rule, &self.layout.id(cell.cause), self.task_state(cell.cause))
            }
            // Ended before the run was resumed: only the reason of the run is known.
            TaskState::Cancelled => {
                let reason = self.halt_reason()?.to_owned();
                Some(Arc::new(Failure::Cancelled { reason }))
            }
            _ => None,
        }
    }

    /// The upstream whose success decided this join of an `AnyOf`.
    pub(crate) fn winner(&self, join: RunJoinIndex) -> Option<TaskIndex> {
        self.core.winners.get(&join).copied()
    }

    /// When `TimeReached` is due.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.core.timers.first().map(|&(due, _)| due)
    }

    /// The wait after the failure of an attempt, if another one follows.
    pub(crate) fn retry_delay(&self, task: TaskIndex, attempt: u32) -> Duration {
        // The actual wait, if it is known.
        let record = self.retried(task).get(attempt.saturating_sub(1) as usize);
        if let Some(record) = record
            && let Some(due) = record.due
        {
            return due.since(record.ended);
        }
        let counted = attempt.saturating_sub(self.core.uncounted_attempts(task));
        self.layout.options(task).retry.delay_after(counted.max(1), seed_of(&self.core.settings, task))
    }

    /// What a `deferred` or `up_for_reschedule` task waits for.
    pub(crate) fn wait(&self, task: TaskIndex) -> Option<&WaitRecord> {
        self.core.waiters.get(&task).filter(|waiter| waiter.waits).map(|waiter| &waiter.record)
    }

    /// The pending retry of the whole run, and when it is due.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the command line is what uses it"))]
    pub(crate) fn run_retry(&self) -> Option<(u32, Timestamp)> {
        self.core.run_retry
    }

    /// The groups with open tasks that have been retried, and since when.
    #[cfg(feature = "testing")]
    pub(crate) fn group_retries(&self) -> impl Iterator<Item = (GroupIndex, Timestamp)> + '_ {
        let open = self.core.group_retries.all.iter().filter(|(_, unit)| unit.open > 0);
        open.filter_map(|(&group, unit)| Some((group, unit.due?)))
    }

    /// When the retry of a task is due that is `up_for_retry`.
    pub(crate) fn retry_due(&self, task: TaskIndex) -> Option<Timestamp> {
        self.retried(task).last().and_then(|record| record.due).or_else(|| {
            let mut timers = self.core.timers.iter();
            timers.find_map(|&(due, timer)| matches!(timer, Timer::Retry(retried) if retried == task).then_some(due))
        })
    }

    /// Whether a task that has ended keeps its inputs because its group may be retried. For use
    /// before `Start`.
    pub(crate) fn keeps_inputs(&self, task: TaskIndex) -> bool {
        let unit = self.plan().units().of(self.layout.node(task));
        unit.is_some_and(|unit| self.plan().units().tasks(unit).any(|task| !self.task_state(task).is_terminal()))
    }

    /// The running tasks that an early end of the run spares.
    pub(crate) fn spared(&self) -> HashSet<TaskIndex> {
        if self.plan().teardowns().is_empty() {
            return HashSet::new();
        }
        let runs = |&task: &TaskIndex| self.task_state(task) == TaskState::Running;
        self.core.tasks.indices().filter(runs).filter(|&task| self.core.is_spared(&self.layout, task)).collect()
    }

    /// Why the run ends early or is interrupted, once it does.
    pub(crate) fn halt_reason(&self) -> Option<&str> {
        let draining = self.core.draining.as_ref().map(|draining| draining.reason.as_str());
        // A run can end as usual while it drains.
        let draining = draining.filter(|_| matches!(self.state(), RunState::Running | RunState::Interrupted));
        draining.or(self.core.halted.as_ref().map(|halted| halted.reason.as_str()))
    }

    /// Whether the run drains: nothing more starts in this process.
    pub(crate) fn drains(&self) -> bool {
        self.core.draining.is_some()
    }

    /// The state in which the run ends, if it ends early.
    pub(crate) fn ends_as(&self) -> Option<RunState> {
        self.core.halted.as_ref().map(|halted| halted.state)
    }

    /// The entries to record, in order.
    pub(crate) fn entries(&mut self) -> &mut Vec<(Timestamp, Entry)> {
        &mut self.core.entries
    }

    /// Marks the run as interrupted: its last entries could not be stored.
    ///
    /// A run that is ending early must be halted again: the results of the tasks it spared cannot
    /// be stored either.
    pub(crate) fn interrupt(&mut self, reason: &str) {
        let core = &mut self.core;
        core.plain = false;
        core.halted = None;
        if core.state != RunState::Running {
            core.state = RunState::Interrupted;
            core.halted = Some(Halted { reason: reason.to_owned(), state: RunState::Interrupted });
        }
    }

    /// Whether to collect events from now on.
    pub(crate) fn set_observed(&mut self, observed: bool) {
        self.core.settings.observed = observed;
        self.core.plain &= !observed;
    }

    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.core.events)
    }
}
