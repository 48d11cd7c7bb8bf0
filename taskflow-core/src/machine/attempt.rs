//! Attempts: how one starts, ends, and is followed by a retry.

use std::sync::Arc;
use std::time::Duration;

use super::command::Command;
use super::core::{Core, seed_of};
use super::input::Elements;
use super::timer::Timer;
use crate::base::{Failure, Timestamp};
use crate::dag::Layout;
use crate::run::{AttemptRecord, Entry, RunState, TaskIndex, TaskState, Transition, nanos};
use crate::task::Outcome;

impl Core {
    pub(super) fn task_started(&mut self, graph: &Layout, task: TaskIndex, now: Timestamp) {
        let continues_attempt = self.continues_attempt(task, now);
        let cell = &mut self.tasks[task];
        if !continues_attempt {
            cell.attempt += 1;
            cell.started = now;
        }
        let attempt = cell.attempt;
        if !self.apply(task, Transition::Start, now) {
            return;
        }
        if let Some(timeout) = graph.options(task).timeout {
            self.timers.insert((now + timeout, Timer::Attempt { task, attempt }));
        }
        if let Some((_, end)) = self.end_of_attempts(graph, task) {
            // It may have waited for a slot for too long.
            self.timers.insert((end.max(now), Timer::Total(task)));
        }
    }

    /// The limit over all attempts of a task, and when it is reached. Attempts before the task was
    /// cleared, or retried with its group or run, do not count; lost ones do, like the time without
    /// a process after them.
    pub(super) fn end_of_attempts(&self, graph: &Layout, task: TaskIndex) -> Option<(Duration, Timestamp)> {
        let limit = graph.options(task).total_timeout?;
        let first = self.retried.get(&task).and_then(|all| all.get(self.earlier_attempts(task) as usize));
        let started = self.tasks[task].started;
        // The clock of the process that started the first one may have been ahead.
        let started = first.map_or(started, |first| first.started.min(started));
        Some((limit, started + limit))
    }

    /// The time of a task over all its attempts may be over.
    pub(super) fn attempts_end(
        &mut self,
        graph: &Layout,
        task: TaskIndex,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        let Some((limit, end)) = self.end_of_attempts(graph, task) else { return };
        // An earlier round of the task may have set the timer. A task that waits for a slot has its
        // own when it starts.
        if end > now {
            return;
        }
        match self.tasks[task].state {
            TaskState::Running => commands.extend([Command::Abandon(task), Command::EndWork(task)]),
            TaskState::Deferred | TaskState::UpForReschedule => {
                if let Some(waiter) = self.waiters.get_mut(&task) {
                    waiter.waits = false;
                }
                commands.push(Command::EndWork(task));
            }
            _ => return,
        }
        self.out_of_time(graph, task, limit, now, commands);
    }

    /// Schedules a task. If the time over all its attempts has passed while none of them ran, as
    /// without a process, it fails instead of being called once more; likewise if several processes
    /// have died with it.
    pub(super) fn schedule(&mut self, graph: &Layout, task: TaskIndex, now: Timestamp, commands: &mut Vec<Command>) {
        if let Some(limit) = self.passed_limit(graph, task, now) {
            // A lost attempt may have left some.
            commands.push(Command::EndWork(task));
            self.out_of_time(graph, task, limit, now, commands);
        } else if let Some(deaths) = self.past.deadly.remove(&task) {
            commands.push(Command::EndWork(task));
            let chain = vec![format!("its process has died {deaths} times while it ran")];
            let failure = Failure::Error { chain, retryable: false };
            self.attempt_failed(graph, task, failure, None, now, commands);
        } else if self.apply(task, Transition::Schedule, now) {
            commands.push(Command::Ready(task));
        }
    }

    /// The limit over all attempts of a task that is about to go on, if it has passed.
    pub(super) fn passed_limit(&self, graph: &Layout, task: TaskIndex, now: Timestamp) -> Option<Duration> {
        let attempt = self.tasks[task].attempt;
        // The first one that counts sets the limit.
        if attempt == 0 || attempt == self.earlier_attempts(task) || self.past.ends_early {
            return None;
        }
        self.end_of_attempts(graph, task).filter(|&(_, end)| end <= now).map(|(limit, _)| limit)
    }

    fn out_of_time(
        &mut self,
        graph: &Layout,
        task: TaskIndex,
        limit: Duration,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        let attempts = self.tasks[task].attempt - self.earlier_attempts(task);
        self.attempt_failed(graph, task, Failure::OutOfTime { limit, attempts }, None, now, commands);
    }

    pub(super) fn finished(
        &mut self,
        graph: &Layout,
        task: TaskIndex,
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
        task: TaskIndex,
        failure: Failure,
        delay: Option<Duration>,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        if self.draining.is_some() && matches!(failure, Failure::Error { .. } | Failure::Cancelled { .. }) {
            // It stopped on request, and runs again when the run is resumed.
            self.apply(task, Transition::Interrupt, now);
            return;
        }
        let spared = self.is_spared(graph, task);
        if let Some(halted) = &self.halted
            && !spared
            && matches!(failure, Failure::Error { .. } | Failure::Cancelled { .. })
        {
            // It stopped on request: its error is not a failure of its own.
            self.failures.insert(task, Arc::new(Failure::Cancelled { reason: halted.reason.clone() }));
            return self.settle(graph, task, Transition::Cancel, now, commands);
        }
        let cell = self.tasks[task];
        let retry = graph.options(task).retry;
        let counted = cell.attempt - self.uncounted_attempts(task);
        let continues_attempt = self.halted.is_none() || spared;
        let due = now + delay.unwrap_or_else(|| retry.delay_after(counted, seed_of(&self.settings, task)));
        let in_time = self.end_of_attempts(graph, task).is_none_or(|(_, end)| due < end);
        if continues_attempt && failure.is_retryable() && counted <= retry.retries && in_time {
            let failure = Arc::new(failure);
            if self.settings.recorded {
                let took = nanos(now.since(cell.started));
                let (failure, retry) = (Arc::clone(&failure), Some(due.as_nanos()));
                self.entries.push((now, Entry::Failed { task, attempt: cell.attempt, took, failure, retry }));
            }
            let record = AttemptRecord { started: cell.started, ended: now, failure: Some(failure), due: Some(due) };
            self.retried.entry(task).or_default().push(record);
            self.apply(task, Transition::Retry, now);
            self.timers.insert((due, Timer::Retry(task)));
            return;
        }
        self.failures.insert(task, Arc::new(failure));
        self.settle(graph, task, Transition::Fail, now, commands);
        let is_final = graph.options(task).teardown.is_none() && self.open_group(graph, task).is_none();
        if self.settings.fail_fast && self.halted.is_none() && is_final {
            let reason = format!("`{}` failed, and the run fails fast", graph.id(task));
            self.halt(graph, reason, RunState::Failed, Transition::Skip, now, commands);
        }
    }
}
