//! Applies the script and the faults to a simulated run, and records what happens.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::event_log::EventLog;
use super::faults::{Faults, SentEvent};
use super::invariants;
use super::script::Script;
use super::session::SimOptions;
use crate::base::Timestamp;
use crate::callback::PendingCallback;
use crate::dag::{node_id_of, path_of};
use crate::engine::{Interference, Part, SimHooks, Starting, Values};
use crate::journal::{JournalError, ManualJournal, TaskFilter};
use crate::machine::Machine;
use crate::run::{Emission, Event, TaskIndex, TaskState};
use crate::store::Append;
use crate::task::Notification;
use crate::value::AnyValue;

/// The simulation hooks of a run, across all of its sessions.
pub(super) struct TestWorld {
    pub(super) script: Script,
    pub(super) faults: Faults,
    /// Without it, nothing is random.
    pub(super) rng: Option<fastrand::Rng>,
    pub(super) journal: Option<ManualJournal>,
    pub(super) log: EventLog,
    pub(super) values: HashMap<String, AnyValue>,
    /// The notifications that callbacks received.
    pub(super) notifications: Vec<Notification>,
    /// The events that tasks emitted, whether they were stored or not.
    emissions: Vec<Emission>,
    /// By task, the number and the start of each attempt that was called, stored or not.
    pub(super) called: HashMap<String, Vec<(u32, Timestamp)>>,
    /// Tasks whose success is stored: they must not run again.
    pub(super) succeeded: HashSet<String>,
    /// Violated invariants.
    pub(super) broken: Vec<String>,
    pub(super) steps: u64,
    /// Whether tasks were cleared or marked after the run had ended.
    pub(super) is_edited: bool,
    /// Whether the clock was set during a session.
    pub(super) clock_was_set: bool,
    pub(super) start: Timestamp,
    /// What the run has stored, and when: the test of a service stores it at that time.
    pub(super) later: Option<Vec<(Timestamp, Append)>>,
    /// The time of the last step.
    now: Timestamp,
    /// The entries stored by earlier sessions.
    pub(super) stored_before: u64,
    /// The entries stored by all sessions.
    stored: u64,
    commits: u64,
    transitions: u64,
}

impl TestWorld {
    pub(super) fn new(script: Script, faults: Faults, seed: Option<u64>, start: Timestamp, is_stored: bool) -> Self {
        let journal = (is_stored || faults.need_a_journal()).then(ManualJournal::new);
        TestWorld {
            script,
            faults,
            rng: seed.map(fastrand::Rng::with_seed),
            journal,
            log: EventLog::new(start),
            values: HashMap::new(),
            notifications: Vec::new(),
            emissions: Vec::new(),
            called: HashMap::new(),
            succeeded: HashSet::new(),
            broken: Vec::new(),
            steps: 0,
            is_edited: false,
            clock_was_set: false,
            start,
            later: None,
            now: start,
            stored_before: 0,
            stored: 0,
            commits: 0,
            transitions: 0,
        }
    }

    /// Marks sent events that are not among the stored ones to be sent again.
    pub(super) fn resend_lost_events<V>(&mut self, events: &[(String, V)]) {
        for event in self.faults.events.iter_mut().filter(|event| event.is_sent) {
            event.is_sent = events.iter().any(|(key, _)| *key == event.key);
        }
    }

    /// The elements of a list that is expanded run, whatever became of those that had their ids.
    fn renew_elements(&mut self, machine: &Machine, task: TaskIndex) {
        let (layout, plan) = (machine.layout(), machine.plan());
        let Some(mapping) = plan.place(layout.node(task)).expands else { return };
        let path = path_of(&layout.id(task));
        let is_element = |id: &String| {
            let node = plan.find(node_id_of(id)).and_then(|node| plan.place(node).mapping);
            plan.is_within(node, Some(mapping)) && path_of(id).starts_with(&path)
        };
        self.succeeded.retain(|id| !id.ends_with(']') || !is_element(id));
    }

    /// Clears or marks random tasks of the run, which has ended, if the faults want it. Returns
    /// whether it did.
    pub(super) fn edit(&mut self, options: &SimOptions, now: Timestamp) -> Result<bool, JournalError> {
        let (Some(journal), Some(rng)) = (&self.journal, &mut self.rng) else { return Ok(false) };
        let run_id = &options.info.run_id;
        // What has been sent is not sent again, and cleared tasks would wait for it.
        while self.faults.edits > 0 && self.faults.events.is_empty() {
            self.faults.edits -= 1;
            let Some(history) = journal.history(run_id)? else { break };
            let Some(task) = rng.choice(&history.tasks) else { break };
            let filter = TaskFilter::tasks([&*task.id]);
            let filter = if rng.bool() { filter.downstream() } else { filter };
            let state =
                rng.choice([None, None, Some(TaskState::Success), Some(TaskState::Failed), Some(TaskState::Skipped)]);
            // Not every task can be cleared, or marked as a success without a value.
            let Ok(edited) = journal.edit(run_id, now, &filter, state.flatten()) else { continue };
            self.log.note(
                now,
                &format!("edited ({}): {}", state.flatten().map_or("cleared", TaskState::name), edited.join(", ")),
            );
            self.succeeded.retain(|task| !edited.contains(task));
            self.is_edited = true;
            return Ok(true);
        }
        Ok(false)
    }

    /// The events of the run: those that are stored, if it has a journal.
    pub(super) fn events(&mut self) -> Vec<Emission> {
        match &self.journal {
            Some(journal) => journal.emissions(),
            None => std::mem::take(&mut self.emissions),
        }
    }

    /// Ends a session, after its process has died or has abandoned the run: whatever is not stored
    /// is lost.
    pub(super) fn end_session(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.lose("the process has died");
        }
        self.stored_before = self.stored;
    }
}

/// Removes the first of the sorted numbers if it is reached, and returns whether it was.
fn is_reached(marks: &mut Vec<u64>, reached: u64) -> bool {
    let is_due = marks.first().is_some_and(|&mark| mark <= reached);
    if is_due {
        marks.remove(0);
    }
    is_due
}

impl SimHooks for TestWorld {
    fn choose(&mut self, count: usize) -> usize {
        match &mut self.rng {
            Some(rng) if count > 1 => rng.usize(..count),
            _ => 0,
        }
    }

    fn behaviour(&mut self, attempt: &Starting<'_>) -> Part {
        self.script.behaviour(attempt)
    }

    fn on_begin(&mut self, machine: &Machine, now: Timestamp) {
        // The clock of the process in which it began may have been ahead.
        let layout = machine.layout();
        for task in layout.tasks().filter(|&task| machine.wait(task).is_some()) {
            let called = self.called.entry(layout.id(task).into_owned()).or_default();
            called.push((machine.attempt(task), machine.times(task).0));
        }
        self.broken.extend(invariants::of_waits(machine, now));
    }

    fn on_start(&mut self, machine: &Machine, values: &Values, task: TaskIndex) {
        self.renew_elements(machine, task);
        let called = self.called.entry(machine.layout().id(task).into_owned()).or_default();
        called.push((machine.attempt(task), machine.times(task).0));
        self.broken.extend(invariants::of_limits(machine, task));
        self.broken.extend(invariants::of_scopes(machine, task));
        self.broken.extend(invariants::of_lists(machine, values, task, &self.values));
    }

    fn interfere(&mut self, now: Timestamp) -> Option<Interference> {
        self.steps += 1;
        self.now = now;
        if is_reached(&mut self.faults.crash_at_steps, self.steps - 1)
            || is_reached(&mut self.faults.crash_after, self.stored)
        {
            return Some(Interference::Crash);
        }
        if self.faults.cancel_after.is_some_and(|after| after <= self.transitions) {
            self.faults.cancel_after = None;
            return Some(Interference::Cancel("cancelled by the test".to_owned()));
        }
        if let Some(&(after, by)) = self.faults.clock_jumps.first()
            && self.start + after <= now
        {
            self.faults.clock_jumps.remove(0);
            self.clock_was_set = true;
            return Some(Interference::Jump(by));
        }
        let start = self.start;
        let is_due = |event: &&mut SentEvent| !event.is_sent && start + event.after <= now;
        let event = self.faults.events.iter_mut().find(is_due)?;
        event.is_sent = true;
        Some(Interference::Event(event.key.clone(), Arc::clone(&event.value)))
    }

    fn interferes_at(&self) -> Option<Timestamp> {
        let jump = self.faults.clock_jumps.first().map(|&(after, _)| after);
        let events = self.faults.events.iter().filter(|event| !event.is_sent).map(|event| event.after);
        events.chain(jump).min().map(|after| self.start + after)
    }

    fn on_event(&mut self, event: &Event, task: &str) {
        self.transitions += 1;
        if let Event::Task { to: TaskState::Running, .. } = event
            && self.succeeded.contains(task)
        {
            self.broken.push(format!("`{task}` runs again, although its success is stored"));
        }
        if let Event::Task { to: TaskState::None, .. } = event {
            // It runs again with its group.
            self.succeeded.remove(task);
        }
        self.log.on_event(event, task);
    }

    fn on_value(&mut self, task: &str, value: &AnyValue) {
        self.values.insert(task.to_owned(), AnyValue::clone(value));
    }

    fn on_emit(&mut self, emission: Emission) {
        self.emissions.push(emission);
    }

    fn delivers_at_once(&self) -> bool {
        self.rng.is_none()
    }

    fn deliver(&mut self, now: Timestamp, pending: PendingCallback) {
        if let Some(journal) = &self.journal
            && let Err(error) = journal.note(&pending.notification.run.run_id, &pending.as_delivered(now))
        {
            self.broken.push(format!("the delivery of a notification cannot be stored: {error}"));
        }
        self.log.note(now, &format!("notified: {}", pending.notification));
        self.notifications.push(pending.notification);
    }

    fn stores_at_once(&self) -> bool {
        // If nothing is random, or entries are counted.
        self.rng.is_none() || !self.faults.crash_after.is_empty()
    }

    fn take_batch(&mut self) -> Duration {
        if let Some(journal) = &mut self.journal {
            journal.take();
        }
        match &mut self.rng {
            Some(rng) if self.faults.random => self.faults.slow_store.mul_f64(rng.f64()),
            _ => self.faults.slow_store,
        }
    }

    fn store_batch(&mut self) -> Result<(), String> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        self.commits += 1;
        if let Some(later) = &mut self.later {
            let now = self.now;
            for mut part in journal.put_later()? {
                // The clock that emissions are made with is that of the machine.
                part.events.iter_mut().for_each(|event| event.emitted = now);
                later.push((now, part));
            }
            return Ok(());
        }
        if self.faults.failing_store == Some(self.commits) {
            let reason = "the journal cannot be written (a fault of the test)";
            journal.lose(reason);
            return Err(reason.to_owned());
        }
        self.stored = self.stored_before + journal.put()?;
        Ok(())
    }
}
