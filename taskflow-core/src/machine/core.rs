//! The transitions of a run: everything that changes, and every way in which it does.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::cells::{Halted, JoinCell, Past, TaskCell, Timer};
use super::group_retry::Units;
use super::rate::Pace;
use super::waits::Waiter;
use super::{Command, Elements, Input, Settings};
use crate::base::{Failure, Timestamp};
use crate::dag::{Layout, Plan, Selection, Teardown};
use crate::run::{AttemptRecord, Entry, Event, Events, RunState, TaskState, Transition, ValueRef, nanos};
use crate::task::Outcome;

/// Everything that changes; apart from the plan, so that both can be borrowed at once.
pub(super) struct Core {
    pub(super) settings: Settings,
    pub(super) tasks: Vec<TaskCell>,
    pub(super) joins: Vec<JoinCell>,
    /// Tasks not yet in a terminal state.
    pub(super) open: u32,
    pub(super) state: RunState,
    pub(super) started: Timestamp,
    pub(super) ended: Timestamp,
    /// The latest time it was told.
    pub(super) latest: Timestamp,
    /// Retries, waits, time limits of attempts and of the run, the end of the grace time.
    pub(super) timers: BTreeSet<(Timestamp, Timer)>,
    pub(super) failures: HashMap<u32, Arc<Failure>>,
    /// Closed attempts that a retry followed.
    pub(super) retried: HashMap<u32, Vec<AttemptRecord>>,
    /// Which upstream made the join of an `AnyOf` run.
    pub(super) winners: HashMap<u32, u32>,
    pub(super) halted: Option<Halted>,
    pub(super) failed_leaf: bool,
    /// The cascade under way: ends that joins below have yet to hear of.
    pub(super) told: Vec<u32>,
    pub(super) events: Vec<Event>,
    /// What is to be recorded.
    pub(super) entries: Vec<(Timestamp, Entry)>,
    /// What a run that goes on brings with it; nothing for others.
    pub(super) past: Past,
    /// Which nodes take part, if not all do.
    pub(super) selection: Option<Selection>,
    /// Tasks of new elements that wait for nothing.
    pub(super) unbound: Vec<u32>,
    /// Ends of tasks outside, to be told to joins of elements that have just come to be there: (upstream, join).
    pub(super) late: Vec<(u32, u32)>,
    /// Tasks that wait without a slot, or have waited.
    pub(super) waiters: HashMap<u32, Waiter>,
    /// What was released so far.
    pub(super) external: Events,
    /// How many events there were.
    pub(super) released: u64,
    /// When the elements of lists begin, by the blocks of those that have a rate.
    pub(super) paces: HashMap<u32, Pace>,
    /// What people call the elements of lists, by expand nodes.
    pub(super) labels: HashMap<u32, Arc<[String]>>,
    /// Groups that are tried again as a whole.
    pub(super) units: Units,
    /// How often the run was tried again.
    pub(super) run_retries: u32,
    /// It has failed, and is to be tried again: for which time, and when.
    pub(super) run_retry: Option<(u32, Timestamp)>,
    /// That time has come.
    pub(super) tries_again: bool,
}

impl Core {
    pub(super) fn step(&mut self, graph: &Layout, input: Input, now: Timestamp, commands: &mut Vec<Command>) {
        // Threads read the clock at different moments; in a run, time does not go back.
        let now = now.max(self.latest);
        self.latest = now;
        match input {
            Input::Start => self.start(graph, now, commands),
            Input::Started { task } => return self.task_started(graph, task, now),
            Input::Finished { task, attempt, started, outcome } => {
                if self.is_running(task, attempt) {
                    // That of an attempt which goes on is when it first started.
                    if self.waiters.is_empty() || !self.waiters.contains_key(&task) {
                        let cell = &mut self.tasks[task as usize];
                        cell.started = cell.started.max(started);
                    }
                    self.finished(graph, task, outcome, now, commands);
                }
            }
            Input::TimeReached => self.time_reached(graph, now, commands),
            Input::Cancel { reason } => {
                self.halt(graph, reason, RunState::Cancelled, Transition::Cancel, now, commands);
            }
            Input::Release { key, value, by, reason } => self.release(key, (value, by, reason), now, commands),
            Input::Halt { reason, state } => self.halt(graph, reason, state, Transition::Cancel, now, commands),
        }
        self.tell(graph, now, commands);
        for task in std::mem::take(&mut self.unbound) {
            if self.halted.is_none() && self.tasks[task as usize].state == TaskState::None {
                self.ready(graph, task, now, commands);
            }
        }
        for (upstream, join) in std::mem::take(&mut self.late) {
            let state = self.tasks[upstream as usize].state;
            self.tell_join(graph, join, upstream, state, now, commands);
            self.tell(graph, now, commands);
        }
        self.judge_units(graph, now, commands);
        if self.open == 0 && self.state == RunState::Running && !self.is_tried_again(graph, now) {
            self.end(now, commands);
        }
    }

    fn start(&mut self, graph: &Layout, now: Timestamp, commands: &mut Vec<Command>) {
        self.started = self.past.started.unwrap_or(now);
        if !graph.plan().units().is_empty() {
            self.count_units(graph);
        }
        if let Some(timeout) = self.settings.timeout {
            // A run that goes on after a crash gets its whole time again: that nobody ran it is not its fault.
            self.timers.insert((now + timeout, Timer::Run));
        }
        self.set_deadline(graph, now);
        if self.settings.recorded && self.past.started.is_none() {
            let removed = graph.tasks().filter(|&task| self.tasks[task as usize].state == TaskState::Removed);
            self.entries.extend(removed.map(|task| (now, Entry::Removed { task })));
        }
        if self.settings.recorded {
            let lists = std::mem::take(&mut self.past.expansions).into_iter();
            self.entries.extend(lists.map(|(task, count)| (now, Entry::Expanded { task, count })));
        }
        // In their order, because the first success decides an `AnyOf`.
        for task in std::mem::take(&mut self.past.ended) {
            self.told.push(task);
            self.tell(graph, now, commands);
        }
        for task in 0..self.tasks.len() as u32 {
            let cell = &self.tasks[task as usize];
            if cell.undecided == 0 && cell.state == TaskState::None {
                self.ready(graph, task, now, commands);
            }
        }
    }

    /// Every join lets the task run: now, or when the retry is due that it was waiting for.
    pub(super) fn ready(&mut self, graph: &Layout, task: u32, now: Timestamp, commands: &mut Vec<Command>) {
        if !graph.plan().mappings().is_empty() && self.is_held_back(graph, task, now) {
            return;
        }
        if !graph.plan().units().is_empty() && self.unit_waits(graph, task, now) {
            return;
        }
        // Even in an empty map a key is hashed.
        let retry = if self.past.retries.is_empty() { None } else { self.past.retries.remove(&task) };
        if !self.past.waits.is_empty()
            && let Some(poke) = self.past.waits.remove(&task)
        {
            return self.waits_again(task, poke, now, commands);
        }
        match retry {
            Some(due) if due > now => {
                self.tasks[task as usize].state = TaskState::UpForRetry;
                self.timers.insert((due, Timer::Retry(task)));
            }
            _ => {
                if self.apply(task, Transition::Schedule, now) {
                    commands.push(Command::Ready(task));
                }
            }
        }
    }

    fn task_started(&mut self, graph: &Layout, task: u32, now: Timestamp) {
        let goes_on = self.goes_on(task, now);
        let cell = &mut self.tasks[task as usize];
        if !goes_on {
            cell.attempt += 1;
            cell.started = now;
        }
        let attempt = cell.attempt;
        if self.apply(task, Transition::Start, now)
            && let Some(timeout) = graph.options(task).timeout
        {
            self.timers.insert((now + timeout, Timer::Attempt { task, attempt }));
        }
    }

    fn finished(
        &mut self,
        graph: &Layout,
        task: u32,
        outcome: Outcome<Option<Box<Elements>>>,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        match outcome {
            Outcome::Success(_) => {
                self.settle(graph, task, Transition::Succeed, now, commands);
            }
            Outcome::Skipped(reason) => {
                self.failures.insert(task, Arc::new(Failure::Skipped { reason }));
                self.settle(graph, task, Transition::Skip, now, commands);
            }
            Outcome::Failed(failure) => self.attempt_failed(graph, task, *failure, None, now, commands),
            Outcome::FailedFor(failed) => {
                let (failure, delay) = *failed;
                self.attempt_failed(graph, task, failure, Some(delay), now, commands);
            }
            Outcome::Waits(wait) => self.wait(graph, task, *wait, now, commands),
        }
    }

    pub(super) fn attempt_failed(
        &mut self,
        graph: &Layout,
        task: u32,
        failure: Failure,
        delay: Option<Duration>,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        let spared = self.is_spared(graph, task);
        if let Some(halted) = &self.halted
            && !spared
            && matches!(failure, Failure::Error { .. } | Failure::Cancelled { .. })
        {
            // It stopped because it was asked to; what it says about that is not a failure of its own.
            self.failures.insert(task, Arc::new(Failure::Cancelled { reason: halted.reason.clone() }));
            return self.settle(graph, task, Transition::Cancel, now, commands);
        }
        let cell = self.tasks[task as usize];
        let retry = graph.options(task).retry;
        let counted = cell.attempt - self.uncounted_attempts(task);
        let goes_on = self.halted.is_none() || spared;
        if goes_on && failure.is_retryable() && counted <= retry.retries {
            let failure = Arc::new(failure);
            let due = now + delay.unwrap_or_else(|| retry.delay_after(counted, seed_of(&self.settings, task)));
            if self.settings.recorded {
                let took = nanos(now.since(cell.started));
                let (failure, retry) = (Arc::clone(&failure), Some(due.as_nanos()));
                self.entries.push((now, Entry::Failed { task, attempt: cell.attempt, took, failure, retry }));
            }
            let record = AttemptRecord { started: cell.started, ended: now, failure, due: Some(due) };
            self.retried.entry(task).or_default().push(record);
            self.apply(task, Transition::Retry, now);
            self.timers.insert((due, Timer::Retry(task)));
            return;
        }
        self.failures.insert(task, Arc::new(failure));
        self.settle(graph, task, Transition::Fail, now, commands);
        let is_final = graph.options(task).teardown.is_none() && self.open_unit(graph, task).is_none();
        if self.settings.fail_fast && self.halted.is_none() && is_final {
            let reason = format!("`{}` failed and the run is to fail fast", graph.id(task));
            self.halt(graph, reason, RunState::Failed, Transition::Skip, now, commands);
        }
    }

    fn time_reached(&mut self, graph: &Layout, now: Timestamp, commands: &mut Vec<Command>) {
        while let Some(&(due, timer)) = self.timers.first()
            && due <= now
        {
            self.timers.pop_first();
            match timer {
                Timer::Retry(task) => {
                    if self.apply(task, Transition::Schedule, now) {
                        commands.push(Command::Ready(task));
                    }
                }
                Timer::Wait(task) => self.wait_is_over(task, due, now, commands),
                Timer::Begin(task) if self.tasks[task as usize].state == TaskState::None => {
                    self.ready(graph, task, now, commands);
                }
                Timer::Begin(_) => {}
                Timer::Unit(group) => self.unit_is_due(graph, group, now, commands),
                Timer::Attempt { task, attempt } => {
                    let cell = &self.tasks[task as usize];
                    if cell.state == TaskState::Running
                        && cell.attempt == attempt
                        && let Some(limit) = graph.options(task).timeout
                        && self.is_limit_of_call(task, limit, due)
                    {
                        commands.push(Command::Abandon(task));
                        self.attempt_failed(graph, task, Failure::TimedOut { limit }, None, now, commands);
                    }
                }
                Timer::Deadline => self.deadline_missed(due, now),
                Timer::TryAgain => self.tries_again = self.run_retry.is_some() && self.halted.is_none(),
                Timer::Run => {
                    let limit = self.settings.timeout.unwrap_or_default();
                    let reason = format!("the run took longer than its timeout of {limit:?}");
                    self.halt(graph, reason, RunState::Failed, Transition::Cancel, now, commands);
                }
                Timer::Grace => {
                    let reason = self.halted.as_ref().map(|halted| halted.reason.clone()).unwrap_or_default();
                    for task in 0..self.tasks.len() as u32 {
                        if self.tasks[task as usize].state == TaskState::Running && !self.is_spared(graph, task) {
                            commands.push(Command::Abandon(task));
                            self.failures.insert(task, Arc::new(Failure::Cancelled { reason: reason.clone() }));
                            self.settle(graph, task, Transition::Cancel, now, commands);
                        }
                    }
                }
            }
        }
    }

    /// A final state: counted, and to be told to the joins below.
    pub(super) fn settle(
        &mut self,
        graph: &Layout,
        task: u32,
        transition: Transition,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        if !self.apply(task, transition, now) {
            return;
        }
        let cell = &mut self.tasks[task as usize];
        cell.ended = now;
        self.open -= 1;
        self.told.push(task);
        if !graph.plan().units().is_empty() && self.is_kept_back(graph, task) {
            return;
        }
        commands.push(Command::Settled(task));
        self.judge_leaf(graph, task);
    }

    /// Notes the end of a task that nothing depends on, if it was a bad one: it decides the state of the run.
    pub(super) fn judge_leaf(&mut self, graph: &Layout, task: u32) {
        let state = self.tasks[task as usize].state;
        let bad = matches!(state, TaskState::Failed | TaskState::UpstreamFailed | TaskState::Cancelled);
        if bad && self.is_leaf(graph.plan(), graph.node(task)) {
            self.failed_leaf = true;
        }
    }

    fn is_leaf(&self, plan: &Plan, node: u32) -> bool {
        match plan.node_options(node).teardown {
            Some(Teardown::Quiet) => return false,
            Some(Teardown::FailsRun) => return true,
            None => {}
        }
        // What merely tears down deals with no failure.
        let takes_part = |node| {
            self.selection.as_ref().is_none_or(|selection| selection.contains(node))
                && plan.node_options(node).teardown.is_none()
        };
        let waiting = plan.place(node).expands.map_or(&[][..], |mapping| &plan.mappings()[mapping as usize].collectors);
        let below = plan.successors(node).iter().chain(waiting);
        !below.into_iter().any(|&join| takes_part(plan.joins()[join as usize].node))
    }

    /// How the run ends, now that no task is open.
    pub(super) fn verdict(&self) -> RunState {
        match &self.halted {
            Some(halted) => halted.state,
            None if self.failed_leaf => RunState::Failed,
            None => RunState::Success,
        }
    }

    fn end(&mut self, now: Timestamp, commands: &mut Vec<Command>) {
        let deadline = self.timers.iter().find(|(_, timer)| *timer == Timer::Deadline);
        if let Some(&(due, _)) = deadline.filter(|&&(due, _)| due <= now) {
            // It has passed, and nobody has looked at the clock since.
            self.deadline_missed(due, now);
        }
        self.state = self.verdict();
        self.ended = now;
        self.timers.clear();
        if self.settings.observed {
            self.events.push(Event::Run { at: now, to: self.state });
        }
        if self.settings.recorded {
            self.entries.push((now, Entry::Ended { state: self.state }));
        }
        commands.push(Command::Ended(self.state));
    }

    /// Makes the transition if it is legal; every change of a task's state goes through here.
    pub(super) fn apply(&mut self, task: u32, transition: Transition, now: Timestamp) -> bool {
        let cell = &mut self.tasks[task as usize];
        let Some(next) = cell.state.after(transition) else { return false };
        if self.settings.observed {
            self.events.push(Event::Task { at: now, task, attempt: cell.attempt, from: cell.state, to: next });
        }
        let from = std::mem::replace(&mut cell.state, next);
        if self.settings.recorded {
            let entry = self.entry(task, transition, from, now);
            self.entries.extend(entry.map(|entry| (now, entry)));
        }
        true
    }

    /// How a transition is recorded.
    fn entry(&self, task: u32, transition: Transition, from: TaskState, now: Timestamp) -> Option<Entry> {
        let cell = &self.tasks[task as usize];
        let attempt = cell.attempt;
        let took = if from == TaskState::Running { nanos(now.since(cell.started)) } else { 0 };
        Some(match transition {
            Transition::Schedule => Entry::Scheduled { task },
            Transition::Start => Entry::Started { task, attempt },
            Transition::Succeed => Entry::Succeeded { task, attempt, took, value: ValueRef::Nowhere },
            Transition::Fail => {
                Entry::Failed { task, attempt, took, failure: Arc::clone(self.failures.get(&task)?), retry: None }
            }
            Transition::Skip => {
                let reason = self.failures.get(&task).map(Arc::clone);
                let cause = if reason.is_none() { Some(cell.cause) } else { None };
                Entry::Skipped { task, attempt, took, reason, cause }
            }
            Transition::FailUpstream => Entry::UpstreamFailed { task, cause: cell.cause },
            Transition::Cancel => Entry::Cancelled { task, attempt, took },
            // What leads to a retry or a wait is recorded where it happens; what is left out, when the run starts.
            Transition::Retry | Transition::Reschedule | Transition::Defer | Transition::Remove => return None,
        })
    }

    /// How many attempts do not count against the retries.
    pub(super) fn uncounted_attempts(&self, task: u32) -> u32 {
        if self.past.uncounted_attempts.is_empty() {
            0
        } else {
            self.past.uncounted_attempts.get(&task).copied().unwrap_or(0)
        }
    }

    pub(super) fn is_running(&self, task: u32, attempt: u32) -> bool {
        let cell = &self.tasks[task as usize];
        cell.state == TaskState::Running && cell.attempt == attempt
    }
}
/// Tasks that fail together are not tried again together.
pub(super) fn seed_of(settings: &Settings, task: u32) -> u64 {
    settings.seed ^ u64::from(task)
}
