//! One step of a run: an input and its consequences.

use std::sync::Arc;

use super::command::Command;
use super::core::Core;
use super::input::Input;
use super::timer::Timer;
use crate::base::{Failure, Timestamp};
use crate::dag::Layout;
use crate::run::{Entry, Event, RunState, TaskIndex, TaskState, Transition};

impl Core {
    pub(super) fn step(&mut self, graph: &Layout, input: Input, now: Timestamp, commands: &mut Vec<Command>) {
        let now = self.advance(now);
        self.task_deadlines(graph, now);
        match input {
            Input::Start => self.start(graph, now, commands),
            Input::Started { task } => return self.task_started(graph, task, now),
            Input::Finished { task, attempt, started, outcome } => {
                if self.is_running(task, attempt) {
                    // A continued attempt keeps its first start.
                    if self.waiters.is_empty() || !self.waiters.contains_key(&task) {
                        let cell = &mut self.tasks[task];
                        cell.started = cell.started.max(started);
                    }
                    self.finished(graph, task, outcome, now, commands);
                }
            }
            Input::TimeReached => self.time_reached(graph, now, commands),
            Input::Cancel { reason } => {
                self.halt(graph, reason, RunState::Cancelled, Transition::Cancel, now, commands);
            }
            Input::Event { key, value, by, reason } => self.receive_event(key, (value, by, reason), now, commands),
            Input::Drain { reason } => self.drain(reason, now, commands),
            Input::Halt { reason, state } => self.halt(graph, reason, state, Transition::Cancel, now, commands),
        }
        self.propagate(graph, now, commands);
        // Most steps create no elements.
        if !self.unbound.is_empty() || !self.late.is_empty() {
            self.join_elements(graph, now, commands);
        }
        self.judge_groups(graph, now, commands);
        if self.open == 0 && self.state == RunState::Running && !self.is_tried_again(graph, now) {
            self.end(now, commands);
        } else if self.is_drained() {
            self.end_drained(now, commands);
        }
    }

    /// The time of a step. Threads read the clock at different moments; in a run, time never goes
    /// back.
    #[inline]
    pub(super) fn advance(&mut self, now: Timestamp) -> Timestamp {
        self.latest = now.max(self.latest);
        self.latest
    }

    /// Schedules tasks of new elements, and propagates to them what ended outside before.
    fn join_elements(&mut self, graph: &Layout, now: Timestamp, commands: &mut Vec<Command>) {
        for task in std::mem::take(&mut self.unbound) {
            if self.halted.is_none() && self.tasks[task].state == TaskState::None {
                self.ready(graph, task, now, commands);
            }
        }
        for (upstream, join) in std::mem::take(&mut self.late) {
            let state = self.tasks[upstream].state;
            self.update_join(graph, join, upstream, state, now, commands);
            self.propagate(graph, now, commands);
        }
    }

    fn start(&mut self, graph: &Layout, now: Timestamp, commands: &mut Vec<Command>) {
        self.started = self.past.started.unwrap_or(now);
        if !graph.plan().units().is_empty() {
            self.count_open_tasks(graph);
        }
        if let Some(timeout) = self.settings.timeout {
            // A resumed run gets its whole time again.
            self.timers.insert((now + timeout, Timer::Run));
        }
        self.set_deadlines(graph, now);
        if self.settings.recorded && self.past.started.is_none() {
            let removed = graph.tasks().filter(|&task| self.tasks[task].state == TaskState::Removed);
            self.entries.extend(removed.map(|task| (now, Entry::Removed { task })));
            self.note_left_out(graph, now);
        }
        if self.settings.recorded {
            let lists = std::mem::take(&mut self.past.expansions).into_iter();
            self.entries.extend(lists.map(|(task, count)| (now, Entry::Expanded { task, count })));
        }
        self.note_reopened(now);
        // In order, because the first success decides an `AnyOf`.
        for task in std::mem::take(&mut self.past.ended) {
            self.pending_ends.push(task);
            self.propagate(graph, now, commands);
        }
        for task in self.tasks.indices() {
            let cell = &self.tasks[task];
            if cell.undecided == 0 && cell.state == TaskState::None {
                self.ready(graph, task, now, commands);
            }
        }
    }

    /// Records which nodes inside an `each` take no part. They have no tasks yet.
    fn note_left_out(&mut self, graph: &Layout, now: Timestamp) {
        let (plan, Some(selection)) = (graph.plan(), &self.selection) else { return };
        let nodes = plan.node_indices().filter(|&node| plan.is_mapped(node) && !selection.contains(node));
        let nodes: Vec<String> = nodes.map(|node| plan.node(node).id().to_owned()).collect();
        if !nodes.is_empty() {
            self.entries.push((now, Entry::LeftOut { nodes }));
        }
    }

    /// Reports tasks of a resumed run that had ended and run again.
    fn note_reopened(&mut self, now: Timestamp) {
        let reopened = std::mem::take(&mut self.past.reopened);
        if reopened.is_empty() {
            return;
        }
        if self.settings.observed {
            self.events.extend(reopened.iter().map(|&(task, from)| {
                let attempt = self.tasks[task].attempt;
                Event::Task { at: now, task, attempt, from, to: TaskState::None }
            }));
        }
        if self.settings.recorded {
            let tasks = reopened.into_iter().map(|(task, _)| task).collect();
            self.entries.push((now, Entry::Reopened { tasks }));
        }
    }

    /// Schedules a task whose joins all let it run, or resumes the wait it had in an earlier
    /// session.
    pub(super) fn ready(&mut self, graph: &Layout, task: TaskIndex, now: Timestamp, commands: &mut Vec<Command>) {
        if !graph.plan().mappings().is_empty() && self.is_held_back(graph, task, now) {
            return;
        }
        if !graph.plan().units().is_empty() && self.group_waits(graph, task, now) {
            return;
        }
        // Even a lookup in an empty map hashes the key.
        let retry = if self.past.retries.is_empty() { None } else { self.past.retries.remove(&task) };
        if !self.past.waits.is_empty()
            && let Some(poke) = self.past.waits.remove(&task)
        {
            return self.restore_wait(graph, task, poke, now, commands);
        }
        match retry {
            Some(due) if due > now && self.passed_limit(graph, task, now).is_none() => {
                self.tasks[task].state = TaskState::UpForRetry;
                self.timers.insert((due, Timer::Retry(task)));
            }
            _ => self.schedule(graph, task, now, commands),
        }
    }

    fn time_reached(&mut self, graph: &Layout, now: Timestamp, commands: &mut Vec<Command>) {
        while let Some(&(due, timer)) = self.timers.first()
            && due <= now
        {
            self.timers.pop_first();
            match timer {
                Timer::Retry(task) if self.tasks[task].state == TaskState::UpForRetry => {
                    self.schedule(graph, task, now, commands);
                }
                Timer::Wait(task) => self.wait_is_over(task, due, now, commands),
                Timer::Begin(task) if self.tasks[task].state == TaskState::None => {
                    self.ready(graph, task, now, commands);
                }
                // Their tasks have ended, or go on. Deadlines of tasks are judged before the input.
                Timer::Retry(_) | Timer::Begin(_) | Timer::TaskDeadline(_) => {}
                Timer::Group(group) => self.group_is_due(graph, group, now, commands),
                Timer::Attempt { task, attempt } => {
                    let cell = &self.tasks[task];
                    if cell.state == TaskState::Running
                        && cell.attempt == attempt
                        && let Some(limit) = graph.options(task).timeout
                        && self.is_limit_of_call(task, limit, due)
                    {
                        commands.push(Command::Abandon(task));
                        self.attempt_failed(graph, task, Failure::TimedOut { limit }, None, now, commands);
                    }
                }
                Timer::Total(task) => self.attempts_end(graph, task, now, commands),
                Timer::Deadline => self.deadline_missed(due, now),
                Timer::TryAgain => self.tries_again = self.run_retry.is_some() && self.halted.is_none(),
                Timer::Run => {
                    let limit = self.settings.timeout.unwrap_or_default();
                    let reason = format!("the run took longer than its timeout of {limit:?}");
                    self.halt(graph, reason, RunState::Failed, Transition::Cancel, now, commands);
                }
                Timer::Grace if self.draining.is_some() => self.cut_off(now, commands),
                Timer::Grace => {
                    let reason = self.halted.as_ref().map(|halted| halted.reason.clone()).unwrap_or_default();
                    for task in self.tasks.indices() {
                        if self.tasks[task].state == TaskState::Running && !self.is_spared(graph, task) {
                            commands.push(Command::Abandon(task));
                            self.failures.insert(task, Arc::new(Failure::Cancelled { reason: reason.clone() }));
                            self.settle(graph, task, Transition::Cancel, now, commands);
                        }
                    }
                }
            }
        }
    }
}
