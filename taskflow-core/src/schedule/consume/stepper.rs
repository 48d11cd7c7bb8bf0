//! The parts that every step has: cursors, the pause, events that are too old, runs, records.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::consumer::{Consumer, EventInput};
use super::pending::{pending, record};
use super::state::ConsumerState;
use super::step::{ConsumerDecision, EventRun, EventSituation, PendingEvent};
use super::unpause::{begin_changed_slots, pass_over_slots};
use crate::base::Timestamp;
use crate::schedule::decision::{SlotFate, SlotRecord};
use crate::schedule::note::Note;
use crate::schedule::slot::Slot;
use crate::schedule::state::{Pause, ScheduleState};

/// A step that is being made.
pub(super) struct Stepper<'a> {
    pub(super) consumer: &'a Consumer,
    pub(super) situation: &'a EventSituation<'a>,
    pub(super) state: ConsumerState,
    /// By asset, what is decided of the events of groups.
    pub(super) passed: BTreeMap<String, BTreeSet<i64>>,
    pub(super) decisions: Vec<ConsumerDecision>,
    /// The pause that has ended with this step.
    pub(super) ended: Option<Pause>,
    pub(super) wake: Option<Timestamp>,
    pub(super) room: u32,
    pub(super) schedule_changed: bool,
}

impl<'a> Stepper<'a> {
    /// Gives each consumed asset a cursor, and drops those of others.
    pub(super) fn fit_cursors(&mut self) {
        let assets = self.consumer.assets();
        self.state.cursors.retain(|asset, _| assets.contains(asset));
        for asset in assets {
            self.state.cursors.entry(asset).or_insert(self.situation.last_event);
        }
        match (&self.consumer.schedule, &self.state.schedule) {
            (Some(schedule), None) => {
                self.state.schedule = Some(ScheduleState::first_seen(schedule, self.situation.now, false));
                self.schedule_changed = true;
            }
            (None, Some(_)) => {
                self.state.schedule = None;
                let open = std::mem::take(&mut self.state.open);
                self.record_slots(open, SlotFate::Skipped, "the DAG has no schedule any more");
                self.schedule_changed = true;
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// Pauses the DAG if too many runs in a row have failed.
    pub(super) fn pause_after_failures(&mut self) {
        let Some(limit) = self.consumer.pause_after_failures.filter(|_| self.state.pause.is_none()) else { return };
        let (failures, now) = (&self.situation.failures, self.situation.now);
        if let Some((pause, last)) = Pause::after_failures(limit, self.state.failures_until, failures, now) {
            self.begin_edited();
            self.state = pass_over_slots(self.consumer, &self.state, now);
            self.state.failures_until = Some(last);
            self.state.pause = Some(pause.clone());
            self.decisions.push(ConsumerDecision::Note(Note::Paused(pause)));
        }
    }

    /// Begins with a schedule that was edited, of a DAG that is paused or about to be. Otherwise
    /// the step of the schedule does.
    fn begin_edited(&mut self) {
        let (state, records, notes) = begin_changed_slots(self.consumer, &self.state, self.situation.now);
        self.decisions.extend(records.into_iter().map(ConsumerDecision::Record));
        self.decisions.extend(notes.into_iter().map(ConsumerDecision::Note));
        self.schedule_changed |= state.schedule != self.state.schedule;
        self.state = state;
    }

    /// Ends a pause whose time has come.
    pub(super) fn is_paused(&mut self) -> bool {
        let Some(pause) = self.state.pause.take() else { return false };
        if !pause.is_over(self.situation.now) {
            self.wake_at(pause.until);
            self.state.pause = Some(pause);
            self.begin_edited();
            return true;
        }
        match self.consumer.schedule {
            // The step of the schedule notes it, with the slots of the pause.
            Some(_) => self.ended = Some(pause),
            None => self.decisions.push(ConsumerDecision::Note(Note::PauseEnded(pause))),
        }
        false
    }

    /// Passes over the oldest events of each input that are too old.
    pub(super) fn expire(&mut self) {
        for input in self.consumer.consuming() {
            let Some(max_age) = input.max_age else { continue };
            let events = self.pending(input);
            let old = events.iter().take_while(|event| self.is_old(input, event)).count();
            if old > 0 {
                self.pass(input, &events[..old]);
                self.record_events(input, &events[..old], SlotFate::Expired);
            }
            let next = events.get(old).map(|event| event.at + max_age + Duration::from_nanos(1));
            self.wake_at(next);
        }
    }

    /// Starts a run, and moves the cursors over what it takes. `groups` are the events of its key
    /// or period, by input.
    pub(super) fn start(
        &mut self,
        slot: Option<Slot>,
        key: Option<&str>,
        again: bool,
        taken: &[Vec<i64>],
        groups: &[&[PendingEvent]],
    ) {
        let mut at = slot.map(|slot| slot.at);
        for (place, (input, taken)) in self.consumer.inputs.iter().zip(taken).enumerate() {
            let Some(&last) = taken.last() else { continue };
            let (mut superseded, mut expired) = (Vec::new(), Vec::new());
            let mut left = taken.iter().peekable();
            let events = match groups.get(place) {
                Some(&group) if input.is_grouped() => group,
                _ => self.pending(input),
            };
            let until = events.partition_point(|event| event.number <= last);
            for event in &events[..until] {
                if left.next_if_eq(&&event.number).is_some() {
                    if slot.is_none() {
                        at = at.max(Some(event.at));
                    }
                } else if self.is_old(input, event) {
                    expired.push(*event);
                } else {
                    superseded.push(*event);
                }
            }
            self.record_events(input, &expired, SlotFate::Expired);
            self.record_events(input, &superseded, SlotFate::Superseded);
            self.pass(input, &events[..until]);
        }
        self.room = self.room.saturating_sub(1);
        let at = at.unwrap_or(self.situation.now);
        let (taken, key) = (taken.to_vec(), key.map(str::to_owned));
        self.decisions.push(ConsumerDecision::Start(EventRun { slot, at, taken, key, again }));
    }

    /// Decides pending events of an input: all up to the last of them, or those of a group.
    pub(super) fn pass(&mut self, input: &EventInput, events: &[PendingEvent]) {
        let Some(last) = events.last() else { return };
        if input.is_grouped() {
            let passed = self.passed.entry(input.asset.clone()).or_default();
            passed.extend(events.iter().map(|event| event.number));
        } else {
            self.state.cursors.insert(input.asset.clone(), last.number);
        }
    }

    pub(super) fn pending(&self, input: &EventInput) -> &'a [PendingEvent] {
        let cursor = self.state.cursors.get(&input.asset).copied().unwrap_or(i64::MAX);
        pending(self.situation, &input.asset, cursor)
    }

    pub(super) fn is_old(&self, input: &EventInput, event: &PendingEvent) -> bool {
        input.max_age.is_some_and(|max_age| event.at + max_age < self.situation.now)
    }

    pub(super) fn record_events(&mut self, input: &EventInput, events: &[PendingEvent], fate: SlotFate) {
        let reason = match fate {
            SlotFate::Expired => "older than `max_age`",
            _ => "a later event took its place",
        };
        self.decisions.extend(record(&input.asset, events, fate, reason).map(ConsumerDecision::Record));
    }

    pub(super) fn record_slots(&mut self, slots: Vec<Slot>, fate: SlotFate, reason: &str) {
        for Slot { at, .. } in slots {
            let record = SlotRecord { first: at, last: at, count: 1, fate, reason: reason.to_owned() };
            self.decisions.push(ConsumerDecision::Record(record));
        }
    }

    pub(super) fn wake_at(&mut self, at: Option<Timestamp>) {
        self.wake = self.wake.into_iter().chain(at).min();
    }
}
