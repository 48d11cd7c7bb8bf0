//! What follows from each step of a run: entries for the recorder, notifications, events; and what
//! is held back until the entries before it are stored.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use super::attempt::StartPermit;
use super::live_follower::ChangedTasks;
use super::observer::{Streams, Subscription};
use super::recorder::Attached;
use super::run::Run;
use crate::base::Timestamp;
use crate::callback::PendingCallback;
use crate::dag::NodeIndex;
use crate::machine::{Command, Input};
use crate::run::{Emission, RunState, Stored, TaskIndex, TaskState};

/// A run that has not started.
#[derive(Debug)]
pub(super) struct Unstarted {
    /// Why and how it ends once it starts, if it was ending early when it was interrupted.
    pub(super) halted: Option<(String, RunState)>,
}

/// What waits until the entries before it are stored.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// The number of the last entry recorded.
    pub(crate) recorded: u64,
    /// The number of the last entry stored.
    pub(crate) stored: u64,
    /// Ready tasks, each with the entry it waits for.
    pub(crate) ready: VecDeque<(u64, TaskIndex)>,
    /// Tasks that may have killed an earlier process: the start of their next attempt is stored
    /// before it is called.
    pub(super) in_flight: HashSet<TaskIndex>,
    /// Of those, the ones that may have killed several: passed on to the dispatcher when the run
    /// begins.
    pub(crate) suspects: HashSet<TaskIndex>,
    /// Attempts that are to be called, each with the entry of its start.
    pub(super) starts: VecDeque<(u64, StartPermit)>,
    /// Whether the next entries are waited for.
    pub(super) urgent: bool,
    /// The end of the run: the entry it waits for.
    pub(crate) end: Option<u64>,
    /// Notifications, each with the entry that it follows from.
    pub(crate) pending: VecDeque<(u64, PendingCallback)>,
    /// Attempts that wait until their task state is stored.
    pub(super) task_states: VecDeque<(u64, oneshot::Sender<()>)>,
    /// Set until the run starts: it may have to wait for its admission.
    pub(super) unstarted: Option<Unstarted>,
    /// The result of the DAG as it is stored: an event, if the run ends in success.
    pub(super) result: Option<Stored>,
    /// No further entry can be stored, and nothing waits for it.
    pub(crate) given_up: bool,
}

impl Run {
    pub(super) fn step_with(
        &mut self,
        input: Input,
        mut attached: Attached,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        self.machine.step(input, now, commands);
        self.values.grow(self.machine.layout());
        let result = self.take_result(commands);
        // Most DAGs have no callbacks.
        let pending = if self.callback_projection.is_some() { self.project_callbacks() } else { Vec::new() };
        if let Some(recorder) = &self.shared.recorder {
            let tasks_wait = recorder.is_strict() && !self.machine.drains();
            let entries = self.machine.entries();
            if self.held.given_up {
                entries.clear();
            } else if !entries.is_empty() {
                let waits = |command: &Command| match command {
                    Command::Ready(_) => tasks_wait,
                    Command::Ended(_) => true,
                    _ => false,
                };
                attached.emissions.extend(result);
                let start_waits = std::mem::take(&mut self.held.urgent);
                let urgent = start_waits || commands.iter().any(waits);
                self.held.recorded = recorder.record(entries, attached, urgent);
                if start_waits {
                    recorder.hurry();
                }
                self.held.pending.extend(pending.into_iter().map(|pending| (self.held.recorded, pending)));
            }
        } else if !pending.is_empty() {
            pending.into_iter().for_each(|pending| self.send(pending));
        }
        if !self.observers.is_empty() {
            self.publish();
        }
    }

    /// The event of the result of the DAG, if the run has ended in success and has one.
    fn take_result(&mut self, commands: &[Command]) -> Option<Emission> {
        let has_succeeded = |command: &Command| matches!(command, Command::Ended(RunState::Success));
        if self.held.result.is_none() || !commands.iter().any(has_succeeded) {
            return None;
        }
        let value = self.held.result.take()?;
        // The task may have run again, without a value.
        let task = self.shared.plan.result()?.as_task().map(NodeIndex::task);
        let is_current = task.is_none_or(|task| self.machine.task_state(task) == TaskState::Success);
        is_current.then(|| self.shared.result_emission(value))
    }

    /// Whether anything outside the run depends on its steps: a journal, callbacks or observers.
    pub(super) fn is_reported(&self) -> bool {
        self.shared.recorder.is_some() || self.callback_projection.is_some() || !self.observers.is_empty()
    }

    fn publish(&mut self) {
        self.observers.publish(self.machine.take_events());
        if self.observers.is_empty() {
            self.machine.set_observed(false);
        }
    }

    /// Adds a subscription to the events of the run.
    pub(super) fn subscribe(&mut self, started: Option<Streams>, capacity: usize) -> Option<Subscription> {
        let view = self.view();
        self.machine.set_observed(true);
        self.observers.subscribe(started, capacity, view)
    }

    /// Adds the tasks that change from now on to a list.
    pub(super) fn watch(&mut self, changed: Arc<Mutex<ChangedTasks>>) {
        self.machine.set_observed(true);
        self.observers.watch(changed);
    }

    /// The number of the last entry, over all processes of the run; 0 without a journal.
    pub(super) fn last_entry(&self) -> u64 {
        if self.shared.recorder.is_some() { self.entries_before + self.held.recorded } else { 0 }
    }

    /// The notifications that follow from the entries of this step. Without a journal, the entries
    /// exist for these only.
    fn project_callbacks(&mut self) -> Vec<PendingCallback> {
        let Some(callback_projection) = &mut self.callback_projection else { return Vec::new() };
        let entries = std::mem::take(self.machine.entries());
        let layout = self.machine.layout();
        let pending =
            entries.iter().filter_map(|(at, entry)| callback_projection.observe(*at, entry, layout)).collect();
        if self.shared.recorder.is_some() {
            *self.machine.entries() = entries;
        }
        pending
    }

    /// Passes a notification to the callback dispatcher.
    pub(crate) fn send(&mut self, pending: PendingCallback) {
        match &self.shared.callback_dispatcher {
            Some(callback_dispatcher) => callback_dispatcher.send(pending),
            None => self.outbox.push(pending),
        }
    }

    /// The entries up to this one are stored: releases notifications and attempts that waited.
    pub(crate) fn send_stored(&mut self, entry: u64) {
        while let Some(&(waits_for, _)) = self.held.pending.front()
            && waits_for <= entry
        {
            let pending = self.held.pending.pop_front();
            pending.into_iter().for_each(|(_, pending)| self.send(pending));
        }
        while let Some(&(waits_for, _)) = self.held.task_states.front()
            && waits_for <= entry
        {
            let Some((_, stored)) = self.held.task_states.pop_front() else { break };
            // The attempt may be over.
            let _ = stored.send(());
        }
    }

    /// Whether an attempt of this task is called only when its start is stored: the task may have
    /// killed an earlier process, and if it does so again, the history has its name.
    pub(super) fn keeps_start(&self, task: TaskIndex) -> bool {
        !self.held.in_flight.is_empty() && !self.held.given_up && self.held.in_flight.contains(&task)
    }

    /// Keeps an attempt that has started until its start is stored.
    pub(super) fn keep_start(&mut self, permit: StartPermit) {
        self.held.in_flight.remove(&permit.task);
        self.held.starts.push_back((self.held.recorded, permit));
    }

    /// Whether an input from outside still changes it. One that has ended only waits, until its
    /// last entry is stored and the processes of its attempts are gone; if it was drained, the next
    /// owner is to hear the input.
    pub(super) fn listens(&self) -> bool {
        self.held.end.is_none() && !self.held.given_up
    }

    /// Whether a ready task has to wait until the entries before it are stored.
    pub(crate) fn holds(&self) -> bool {
        !self.held.given_up && self.shared.recorder.as_ref().is_some_and(|recorder| recorder.is_strict())
    }
}
