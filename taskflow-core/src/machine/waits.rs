//! Waiting without a slot: sensors between two pokes, and tasks that are deferred for a time or an
//! event.
//!
//! A waiting attempt holds no worker. When it continues, it is started again under the same number;
//! only a failure or the loss of its process begins another attempt.

use std::sync::Arc;

use super::cells::Waiter;
use super::command::Command;
use super::core::{Core, seed_of};
use super::timer::Timer;
use crate::base::{Failure, Timestamp};
use crate::dag::Layout;
use crate::run::{Entry, EventPayload, RUN_ENDED, TaskIndex, TaskState, Transition, WaitRecord, nanos};
use crate::task::Wait;

impl Core {
    /// Puts a running attempt into a wait.
    pub(super) fn wait(
        &mut self,
        graph: &Layout,
        task: TaskIndex,
        wait: Wait,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        if let Some(halted) = &self.halted
            && !self.is_spared(graph, task)
        {
            self.failures.insert(task, Arc::new(Failure::Cancelled { reason: halted.reason.clone() }));
            return self.settle(graph, task, Transition::Cancel, now, commands);
        }
        self.plain = false;
        let cell = self.tasks[task];
        let seed = seed_of(&self.settings, task);
        let before = self.waiters.get(&task).map(|waiter| (waiter.record.since, waiter.record.count));
        let (since, count) = before.unwrap_or((cell.started, 0));
        let count = count.saturating_add(1);
        let (until, event, transition) = match (wait, &graph.options(task).sensor) {
            (Wait::Poke, Some(policy)) => {
                let end = since + policy.timeout;
                if now >= end {
                    return self.give_up_waiting(graph, task, count, now, commands);
                }
                (Some((now + policy.wait_after(count, seed)).min(end)), None, Transition::Reschedule)
            }
            // Only a sensor pokes.
            (Wait::Poke, None) => (Some(now), None, Transition::Reschedule),
            (Wait::Deferred { until, event }, _) => (until, event, Transition::Defer),
        };
        let record = WaitRecord { since, count, until, event };
        if self.settings.recorded {
            let took = nanos(now.since(cell.started));
            let poke = transition == Transition::Reschedule;
            let entry = Entry::Waiting { task, attempt: cell.attempt, took, poke, record: Box::new(record.clone()) };
            self.entries.push((now, entry));
        }
        self.waiters.insert(task, Waiter { record, waits: true, called: now });
        self.apply(task, transition, now);
        self.wait_on(task, now, commands);
    }

    /// The time of a sensor is over.
    fn give_up_waiting(
        &mut self,
        graph: &Layout,
        task: TaskIndex,
        pokes: u32,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        let Some(policy) = graph.options(task).sensor else { return };
        let failure = Failure::NothingFound { limit: policy.timeout, pokes };
        if policy.soft_fail {
            self.failures.insert(task, Arc::new(Failure::Skipped { reason: failure.to_string() }));
            self.settle(graph, task, Transition::Skip, now, commands);
        } else {
            self.attempt_failed(graph, task, failure, None, now, commands);
        }
    }

    /// Sets the timer of a waiting task, or schedules it if there is nothing left to wait for.
    fn wait_on(&mut self, task: TaskIndex, now: Timestamp, commands: &mut Vec<Command>) {
        let Some(waiter) = self.waiters.get(&task) else { return };
        let WaitRecord { until, event, .. } = &waiter.record;
        let arrived =
            event.as_ref().is_some_and(|(key, seen)| self.external.get(key).is_some_and(|(number, _)| number > seen));
        match *until {
            _ if arrived => self.resume_waiting(task, now, commands),
            Some(until) if until <= now => self.resume_waiting(task, now, commands),
            Some(until) => {
                self.timers.insert((until, Timer::Wait(task)));
            }
            None => {}
        }
    }

    /// Schedules a task whose wait is over.
    fn resume_waiting(&mut self, task: TaskIndex, now: Timestamp, commands: &mut Vec<Command>) {
        if self.apply(task, Transition::Schedule, now) {
            commands.push(Command::Ready(task));
        }
    }

    /// Ends the wait of a task for a time, unless it waits for another time by now.
    pub(super) fn wait_is_over(
        &mut self,
        task: TaskIndex,
        due: Timestamp,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        let waiter = self.waiters.get(&task);
        if waiter.is_some_and(|waiter| waiter.waits && waiter.record.until == Some(due)) {
            self.resume_waiting(task, now, commands);
        }
    }

    /// Delivers an event that tasks may wait for, now or later.
    pub(super) fn receive_event(
        &mut self,
        key: String,
        (value, by, reason): (Arc<str>, String, String),
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        let payload = EventPayload { value, by: Arc::from(&*by), reason: Arc::from(&*reason), at: now };
        if self.settings.recorded {
            let value = payload.value.to_string();
            self.entries.push((now, Entry::Happened { key: key.clone(), value, by, reason }));
        }
        let mut waiting: Vec<TaskIndex> =
            self.waiters.iter().filter(|(_, waiter)| waiter.waits_for(&key)).map(|(&task, _)| task).collect();
        waiting.sort_unstable();
        self.event_count += 1;
        Arc::make_mut(&mut self.external).insert(key, (self.event_count, payload));
        for task in waiting {
            if self.tasks[task].state == TaskState::Deferred {
                self.resume_waiting(task, now, commands);
            }
        }
    }

    /// Notes the start of a task. Returns whether it continues its attempt.
    pub(super) fn continues_attempt(&mut self, task: TaskIndex, now: Timestamp) -> bool {
        if self.waiters.is_empty() {
            return false;
        }
        let Some(waiter) = self.waiters.get_mut(&task) else { return false };
        waiter.called = now;
        std::mem::take(&mut waiter.waits)
    }

    /// Whether a time limit was set by the call under way, and not by one before a wait.
    pub(super) fn is_limit_of_call(&self, task: TaskIndex, limit: std::time::Duration, due: Timestamp) -> bool {
        self.waiters.get(&task).is_none_or(|waiter| due >= waiter.called + limit)
    }

    /// Resumes the wait of a task in a resumed run.
    pub(super) fn restore_wait(
        &mut self,
        graph: &Layout,
        task: TaskIndex,
        poke: bool,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        let cell = &mut self.tasks[task];
        // The clock of an earlier process may have been ahead.
        cell.started = cell.started.min(now);
        cell.state = if poke { TaskState::UpForReschedule } else { TaskState::Deferred };
        if self.passed_limit(graph, task, now).is_some() {
            return self.attempts_end(graph, task, now, commands);
        }
        if let Some((_, end)) = self.end_of_attempts(graph, task) {
            self.timers.insert((end.max(now), Timer::Total(task)));
        }
        let event = self.waiters.get(&task).and_then(|waiter| waiter.record.event.as_ref());
        if event.is_some_and(|(key, _)| key.starts_with(RUN_ENDED)) {
            // That run may have ended meanwhile: the task checks for itself.
            return self.resume_waiting(task, now, commands);
        }
        self.wait_on(task, now, commands);
    }
}
