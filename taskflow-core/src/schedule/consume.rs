//! The one function that decides which events of assets become runs of a DAG.
//!
//! It is to events what [`step`](super::step()) is to slots: it reads no clock and no store, and
//! the service, the tests and the question why a run has not started use the same one.
//!
//! # Protocol
//!
//! 1. Events have numbers that only grow. A consumer has a cursor for each asset that it consumes:
//!    the events up to it are decided, and the events after it are pending. The cursors of a DAG
//!    that is new, and of an asset that is new to the DAG, begin at the last event.
//! 2. While the DAG is paused nothing is decided, and its events stay pending.
//! 3. Pending events that are older than `max_age` expire, with a record.
//! 4. With a schedule, a slot that may start becomes an open slot. It becomes a run when the events
//!    are there, or expires, with a record, after `wait`.
//! 5. Otherwise a run starts when each required input has what it takes, or when any input has
//!    something if none is required. A run takes from every input, and moves the cursors over what
//!    it takes. Events that an input passes over are superseded, with a record.
//! 6. The caller stores the new state, the records and the runs in one transaction. A crash before
//!    that repeats the step; the id of a run derives from its slot, or from the last event that it
//!    consumes, so that no second process can make a run twice.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::note::Note;
use super::policy::{Catchup, Combine};
use super::slot::Slot;
use super::spec::Schedule;
use super::state::{Pause, ScheduleState};
use super::step::{Decision, Situation, SlotFate, SlotRecord, Waits, step, unpause};
use crate::base::Timestamp;

/// What a DAG consumes, and when that starts a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Consumer {
    /// The event parameters of the DAG, in order. No two of them consume the same asset.
    pub inputs: Vec<EventInput>,
    /// The schedule, if the DAG has one as well.
    pub schedule: Option<Schedule>,
    /// Whether a slot of the schedule and the events start a run only together.
    pub combine: Combine,
    /// How long a slot waits for events. Without it, a slot waits until they are there.
    pub wait: Option<Duration>,
    /// How many runs may be active at once. At least 1.
    pub max_active_runs: u32,
}

impl Consumer {
    /// A consumer without a schedule, with one active run at a time.
    pub fn new(inputs: Vec<EventInput>) -> Self {
        Consumer { inputs, schedule: None, combine: Combine::And, wait: None, max_active_runs: 1 }
    }

    /// The assets that its inputs consume, without duplicates.
    pub fn assets(&self) -> Vec<String> {
        let mut assets: Vec<String> = self.consuming().map(|input| input.asset.clone()).collect();
        assets.sort();
        assets.dedup();
        assets
    }

    /// Why nothing can start a run of it, or its inputs contradict each other.
    pub fn mistake(&self) -> Option<String> {
        let mut assets: Vec<&EventInput> = Vec::new();
        for input in self.consuming() {
            if let Some(other) = assets.iter().find(|other| other.asset == input.asset) {
                return Some(format!(
                    "its parameters `{}` and `{}` both consume the asset `{}`; a DAG consumes an event once",
                    other.param, input.param, input.asset
                ));
            }
            assets.push(input);
        }
        if self.schedule.is_none() && assets.is_empty() {
            return Some(
                "nothing starts its runs: `Seen` only looks at events; add a schedule or a parameter that consumes events"
                    .to_owned(),
            );
        }
        if self.schedule.is_some()
            && self.combine == Combine::Or
            && let Some(input) = self.consuming().find(|input| input.required)
        {
            return Some(format!(
                "with `events = \"or\"` a slot starts a run without events, so the parameter `{0}` must be able to be \
                 without one; write `Option<..>` as its type",
                input.param
            ));
        }
        None
    }

    /// Whether each run needs a slot of the schedule.
    fn starts_with_slots(&self) -> bool {
        self.schedule.is_some() && self.combine == Combine::And
    }

    fn consuming(&self) -> impl Iterator<Item = &EventInput> {
        self.inputs.iter().filter(|input| input.takes != Takes::Seen)
    }
}

/// An event parameter of a DAG.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventInput {
    /// The parameter.
    pub param: String,
    /// The asset.
    pub asset: String,
    /// Which of the pending events a run takes.
    pub takes: Takes,
    /// Whether a run needs something from it.
    pub required: bool,
    /// Events that are older than this do not count.
    pub max_age: Option<Duration>,
    /// How long the asset must have been without a new event before its events count.
    pub settle: Option<Duration>,
}

impl EventInput {
    /// A required input without limits.
    pub fn new(param: &str, asset: &str, takes: Takes) -> Self {
        let (param, asset) = (param.to_owned(), asset.to_owned());
        EventInput { param, asset, takes, required: takes != Takes::Seen, max_age: None, settle: None }
    }
}

/// Which of the pending events a run takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Takes {
    /// The oldest: one run for each event.
    One,
    /// All, the oldest first, but not more than this. At least 1.
    All {
        /// The limit.
        max: usize,
    },
    /// The newest. Older ones are superseded.
    Newest,
    /// Looks at the newest event, consumed or not. It consumes nothing and starts nothing.
    Seen,
}

/// What is stored of a consumer: which events are decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerState {
    /// When a service first saw the DAG.
    pub first_seen: Timestamp,
    /// For each asset that the DAG consumes, the last event that is decided.
    pub cursors: BTreeMap<String, i64>,
    /// The state of the schedule, if the DAG has one. A pause is not in it.
    #[serde(default)]
    pub schedule: Option<ScheduleState>,
    /// Slots that wait for events, oldest first.
    #[serde(default)]
    pub open: Vec<Slot>,
    /// Who paused the DAG.
    pub pause: Option<Pause>,
}

impl ConsumerState {
    /// The state of a DAG that no service has seen before. `last_event` is the number of the last
    /// event of any asset. `paused`: until somebody unpauses it.
    pub fn first_seen(consumer: &Consumer, now: Timestamp, last_event: i64, paused: bool) -> Self {
        let mut schedule = consumer.schedule.as_ref().map(|schedule| ScheduleState::first_seen(schedule, now, paused));
        let pause = || Pause {
            by: "the option `paused`".to_owned(),
            reason: "the DAG is new".to_owned(),
            since: now,
            until: None,
        };
        let pause = paused.then(|| schedule.as_mut().and_then(|schedule| schedule.pause.take()).unwrap_or_else(pause));
        let cursors = consumer.assets().into_iter().map(|asset| (asset, last_event)).collect();
        ConsumerState { first_seen: now, cursors, schedule, open: Vec::new(), pause }
    }

    /// The cursor of an asset.
    pub fn cursor(&self, asset: &str) -> Option<i64> {
        self.cursors.get(asset).copied()
    }

    /// The lowest cursor: every pending event has a higher number.
    pub fn lowest_cursor(&self) -> Option<i64> {
        self.cursors.values().copied().min()
    }
}

/// An event that may be pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingEvent {
    /// Later events have higher numbers.
    pub number: i64,
    /// When it was emitted.
    pub at: Timestamp,
}

/// What [`consume`] needs to know beside the state.
#[derive(Clone, Debug)]
pub struct EventSituation<'a> {
    /// The time.
    pub now: Timestamp,
    /// How many runs of the schedule and of events are queued or running.
    pub active: u32,
    /// The run of the slot before, if it did not succeed.
    pub unsuccessful: Option<String>,
    /// The number of the last event of any asset.
    pub last_event: i64,
    /// By asset, its events after the cursor, in ascending order. Earlier ones are ignored.
    pub pending: &'a BTreeMap<String, Vec<PendingEvent>>,
}

/// What [`consume`] decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerStep {
    /// The new state.
    pub state: ConsumerState,
    /// In order.
    pub decisions: Vec<ConsumerDecision>,
    /// When to step again, unless an event is emitted, a run ends or somebody acts before.
    pub wake: Option<Timestamp>,
    /// What the next run waits for.
    pub waits: Option<EventWaits>,
    schedule_changed: bool,
}

impl ConsumerStep {
    /// Whether there is something to store.
    pub fn is_to_be_stored(&self, before: Option<&ConsumerState>) -> bool {
        let decided = |state: &ConsumerState| (state.cursors.clone(), state.open.clone(), state.pause.clone());
        !self.decisions.is_empty()
            || self.schedule_changed
            || before.is_none_or(|before| decided(before) != decided(&self.state))
    }
}

/// A decision about events and slots.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConsumerDecision {
    /// A run starts.
    Start(EventRun),
    /// Events or slots that become no runs.
    Record(SlotRecord),
    /// The active runs of the DAG are cancelled, to make room.
    CancelActive,
    /// Something to note in the history of the DAG.
    Note(Note),
}

/// A run that events start.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventRun {
    /// The slot that the run is about, if a slot starts it.
    pub slot: Option<Slot>,
    /// When the last of its events was emitted, or the slot was due: its logical date.
    pub at: Timestamp,
    /// What each input takes, in their order: numbers of events, in ascending order. Nothing from
    /// an optional input without events, and from one that only looks.
    pub taken: Vec<Vec<i64>>,
}

impl EventRun {
    /// The last event that the run consumes.
    pub fn last_event(&self) -> Option<i64> {
        self.taken.iter().flatten().copied().max()
    }
}

/// What the next run of a consumer waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventWaits {
    /// As many runs are active as may be.
    ForRoom {
        /// The active runs.
        active: u32,
    },
    /// The run of the slot before has not succeeded.
    ForPrevious {
        /// The id of the run.
        run: String,
    },
    /// Events of these assets.
    ForEvents {
        /// The assets.
        assets: Vec<String>,
    },
    /// The asset to be without a new event for a while.
    ForSettling {
        /// The asset.
        asset: String,
        /// Until then, if no event comes.
        until: Timestamp,
    },
    /// The next slot of the schedule.
    ForSlot,
    /// The DAG is paused.
    Paused,
}

/// What happens to the events that were emitted during a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unpause {
    /// They are consumed, as if there had been no pause.
    All,
    /// The newest of each asset is consumed; the others are superseded.
    Newest,
    /// None of them is consumed.
    Skip,
}

/// Decides which runs start now. `None` as the state is a DAG that no service has seen before.
pub fn consume(consumer: &Consumer, state: Option<&ConsumerState>, situation: &EventSituation<'_>) -> ConsumerStep {
    let EventSituation { now, last_event, .. } = *situation;
    let state = state.cloned().unwrap_or_else(|| ConsumerState::first_seen(consumer, now, last_event, false));
    let mut stepper = Stepper {
        consumer,
        situation,
        state,
        decisions: Vec::new(),
        ended: None,
        wake: None,
        room: consumer.max_active_runs.saturating_sub(situation.active),
        schedule_changed: false,
    };
    stepper.fit_cursors();
    let waits = if stepper.is_paused() {
        Some(EventWaits::Paused)
    } else {
        stepper.expire();
        let waits = stepper.slots();
        match consumer.starts_with_slots() {
            true => waits.or(Some(EventWaits::ForSlot)),
            false => stepper.events().or(waits),
        }
    };
    let Stepper { state, decisions, wake, schedule_changed, .. } = stepper;
    ConsumerStep { state, decisions, wake, waits, schedule_changed }
}

/// Ends a pause: `which` decides what happens to the events of the pause, and `catchup` what
/// happens to its slots, as in [`unpause`](super::unpause()).
pub fn unpause_consumer(
    consumer: &Consumer,
    state: &ConsumerState,
    situation: &EventSituation<'_>,
    which: Unpause,
    catchup: Catchup,
) -> (ConsumerState, Vec<SlotRecord>) {
    let mut state = state.clone();
    let mut records = Vec::new();
    let Some(pause) = state.pause.take() else { return (state, records) };
    let reason = match which {
        Unpause::All => "",
        Unpause::Newest => "a later event took its place, because the DAG was unpaused with the newest one",
        Unpause::Skip => "the DAG was unpaused without the events of the pause",
    };
    for (asset, cursor) in &mut state.cursors {
        let events = pending(situation, asset, *cursor);
        let (passed, fate) = match which {
            Unpause::All => continue,
            Unpause::Newest => (&events[..events.len().saturating_sub(1)], SlotFate::Superseded),
            Unpause::Skip => (events, SlotFate::Skipped),
        };
        *cursor = passed.last().map_or(*cursor, |event| event.number);
        records.extend(record(asset, passed, fate, reason));
    }
    if let (Some(schedule), Some(slots)) = (&consumer.schedule, &state.schedule) {
        let paused = ScheduleState { pause: Some(pause), ..slots.clone() };
        let (slots, of_slots) = unpause(schedule, &paused, situation.now, catchup);
        state.schedule = Some(slots);
        records.extend(of_slots);
    }
    (state, records)
}

/// The events of an asset after its cursor, in ascending order.
fn pending<'a>(situation: &EventSituation<'a>, asset: &str, cursor: i64) -> &'a [PendingEvent] {
    let events = situation.pending.get(asset).map_or(&[][..], Vec::as_slice);
    &events[events.partition_point(|event| event.number <= cursor)..]
}

/// A record of some events of an asset.
fn record(asset: &str, events: &[PendingEvent], fate: SlotFate, reason: &str) -> Option<SlotRecord> {
    let ([first, ..], [.., last]) = (events, events) else { return None };
    let which = match events {
        [only] => format!("event {} of `{asset}`", only.number),
        _ => format!("events {} to {} of `{asset}`", first.number, last.number),
    };
    let reason = format!("{which}: {reason}");
    let (earliest, latest) = (events.iter().map(|event| event.at).min(), events.iter().map(|event| event.at).max());
    Some(SlotRecord {
        first: earliest.unwrap_or(first.at),
        last: latest.unwrap_or(last.at),
        count: events.len() as u64,
        fate,
        reason,
    })
}

/// What an input has for a run.
enum Offer {
    /// These events, in ascending order.
    Events(Vec<i64>),
    /// Nothing.
    Nothing,
    /// Events that count from then on, unless a new one is emitted.
    Unsettled(Timestamp),
}

struct Stepper<'a> {
    consumer: &'a Consumer,
    situation: &'a EventSituation<'a>,
    state: ConsumerState,
    decisions: Vec<ConsumerDecision>,
    /// The pause that has ended with this step.
    ended: Option<Pause>,
    wake: Option<Timestamp>,
    room: u32,
    schedule_changed: bool,
}

impl<'a> Stepper<'a> {
    /// Gives each consumed asset a cursor, and drops those of others.
    fn fit_cursors(&mut self) {
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

    /// Ends a pause whose time has come.
    fn is_paused(&mut self) -> bool {
        let Some(pause) = self.state.pause.take() else { return false };
        if pause.until.is_none_or(|until| until > self.situation.now) {
            self.wake_at(pause.until);
            self.state.pause = Some(pause);
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
    fn expire(&mut self) {
        for input in self.consumer.consuming() {
            let Some(max_age) = input.max_age else { continue };
            let events = self.pending(input);
            let old = events.iter().take_while(|event| self.is_old(input, event)).count();
            if let Some(last) = events[..old].last() {
                self.state.cursors.insert(input.asset.clone(), last.number);
                self.record_events(input, &events[..old], SlotFate::Expired);
            }
            let next = events.get(old).map(|event| event.at + max_age + Duration::from_nanos(1));
            self.wake_at(next);
        }
    }

    /// Steps the schedule, and starts the runs of slots.
    fn slots(&mut self) -> Option<EventWaits> {
        let (Some(schedule), Some(before)) = (&self.consumer.schedule, self.state.schedule.take()) else { return None };
        let before = ScheduleState { pause: self.ended.take(), ..before };
        let EventSituation { now, active, ref unsuccessful, .. } = *self.situation;
        let situation = Situation {
            now,
            active: active + self.state.open.len() as u32,
            unsuccessful: unsuccessful.clone(),
            failures: Vec::new(),
        };
        let stepped = step(schedule, Some(&before), &situation);
        self.schedule_changed |= stepped.is_to_be_stored(Some(&before));
        self.wake_at(stepped.wake);
        for decision in stepped.decisions {
            match decision {
                Decision::Start { slot, .. } => self.state.open.push(slot),
                Decision::Record(record) => self.decisions.push(ConsumerDecision::Record(record)),
                Decision::Note(note) => self.decisions.push(ConsumerDecision::Note(note)),
                Decision::CancelActive => {
                    let open = std::mem::take(&mut self.state.open);
                    if !open.is_empty() {
                        self.record_slots(open, SlotFate::Superseded, "a later slot took its place");
                        self.wake_at(Some(now));
                    }
                    if active > 0 {
                        self.decisions.push(ConsumerDecision::CancelActive);
                    }
                }
            }
        }
        self.state.schedule = Some(stepped.state);
        self.start_open().or(stepped.waits.map(|waits| match waits {
            Waits::ForRoom { active } => EventWaits::ForRoom { active },
            Waits::ForPrevious { run } => EventWaits::ForPrevious { run },
            Waits::Paused => EventWaits::Paused,
        }))
    }

    /// Starts the open slots that have their events, oldest first. Those whose events did not come
    /// within `wait` expire.
    fn start_open(&mut self) -> Option<EventWaits> {
        let offset = self.consumer.schedule.as_ref().map_or(Duration::ZERO, |schedule| schedule.offset);
        while let Some(&slot) = self.state.open.first() {
            let end = self.consumer.wait.map(|wait| slot.at + offset + wait);
            match self.offers(end) {
                Ok(offers) => {
                    self.state.open.remove(0);
                    self.start(Some(slot), &offers);
                }
                Err(waits) if end.is_none_or(|end| self.situation.now < end) => {
                    self.wake_at(end);
                    return Some(waits);
                }
                Err(waits) => {
                    self.state.open.remove(0);
                    let missing = match waits {
                        EventWaits::ForEvents { assets } => format!("no event of `{}`", assets.join("` and `")),
                        EventWaits::ForSettling { asset, .. } => format!("`{asset}` did not settle"),
                        _ => "no events".to_owned(),
                    };
                    self.record_slots(vec![slot], SlotFate::Expired, &format!("{missing} within `wait`"));
                }
            }
        }
        None
    }

    /// Starts the runs of events alone, while there is room.
    fn events(&mut self) -> Option<EventWaits> {
        loop {
            let offers = match self.offers(None) {
                Ok(offers) if offers.iter().any(|offer| !offer.is_empty()) => offers,
                Ok(_) => return self.waits_for_any(),
                Err(waits) => return Some(waits),
            };
            if self.room == 0 {
                return Some(EventWaits::ForRoom { active: self.situation.active.max(self.consumer.max_active_runs) });
            }
            self.start(None, &offers);
        }
    }

    /// What a consumer waits for whose inputs are all optional.
    fn waits_for_any(&self) -> Option<EventWaits> {
        let unsettled = self.consumer.consuming().find_map(|input| match self.offer(input, None) {
            Offer::Unsettled(until) => Some(EventWaits::ForSettling { asset: input.asset.clone(), until }),
            Offer::Events(_) | Offer::Nothing => None,
        });
        Some(unsettled.unwrap_or_else(|| EventWaits::ForEvents { assets: self.consumer.assets() }))
    }

    /// What each input has for a run, with the events that were emitted until `end`; or what a
    /// required one lacks.
    fn offers(&mut self, end: Option<Timestamp>) -> Result<Vec<Vec<i64>>, EventWaits> {
        let mut offers = Vec::with_capacity(self.consumer.inputs.len());
        let (mut missing, mut settling) = (Vec::new(), None);
        for input in &self.consumer.inputs {
            let mut taken = Vec::new();
            match self.offer(input, end) {
                Offer::Events(events) => taken = events,
                Offer::Nothing if input.required => missing.push(input.asset.clone()),
                Offer::Nothing => {}
                Offer::Unsettled(until) => {
                    self.wake_at(Some(until));
                    if input.required {
                        settling = Some(EventWaits::ForSettling { asset: input.asset.clone(), until });
                    }
                }
            }
            offers.push(taken);
        }
        match (missing.is_empty(), settling) {
            (true, None) => Ok(offers),
            (true, Some(settling)) => Err(settling),
            (false, _) => Err(EventWaits::ForEvents { assets: missing }),
        }
    }

    fn offer(&self, input: &EventInput, end: Option<Timestamp>) -> Offer {
        let in_time = |event: &&PendingEvent| end.is_none_or(|end| event.at <= end) && !self.is_old(input, event);
        let pending = self.pending(input);
        let mut events = pending.iter().filter(in_time);
        let full = match input.takes {
            Takes::All { max } => events.clone().nth(max.max(1) - 1).is_some(),
            Takes::One | Takes::Newest | Takes::Seen => false,
        };
        if let Some(settle) = input.settle
            && !full
            && let Some(newest) = pending.last()
            && self.situation.now < newest.at + settle
        {
            return Offer::Unsettled(newest.at + settle);
        }
        let taken: Vec<i64> = match input.takes {
            Takes::One => events.next().into_iter().map(|event| event.number).collect(),
            Takes::All { max } => events.take(max.max(1)).map(|event| event.number).collect(),
            Takes::Newest => events.next_back().into_iter().map(|event| event.number).collect(),
            Takes::Seen => Vec::new(),
        };
        if taken.is_empty() { Offer::Nothing } else { Offer::Events(taken) }
    }

    /// Starts a run, and moves the cursors over what it takes.
    fn start(&mut self, slot: Option<Slot>, taken: &[Vec<i64>]) {
        let mut at = slot.map(|slot| slot.at);
        for (input, taken) in self.consumer.inputs.iter().zip(taken) {
            let Some(&last) = taken.last() else { continue };
            let (mut superseded, mut expired) = (Vec::new(), Vec::new());
            let mut left = taken.iter().peekable();
            for event in self.pending(input).iter().take_while(|event| event.number <= last) {
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
            self.state.cursors.insert(input.asset.clone(), last);
        }
        self.room = self.room.saturating_sub(1);
        let at = at.unwrap_or(self.situation.now);
        self.decisions.push(ConsumerDecision::Start(EventRun { slot, at, taken: taken.to_vec() }));
    }

    fn pending(&self, input: &EventInput) -> &'a [PendingEvent] {
        let cursor = self.state.cursors.get(&input.asset).copied().unwrap_or(i64::MAX);
        pending(self.situation, &input.asset, cursor)
    }

    fn is_old(&self, input: &EventInput, event: &PendingEvent) -> bool {
        input.max_age.is_some_and(|max_age| event.at + max_age < self.situation.now)
    }

    fn record_events(&mut self, input: &EventInput, events: &[PendingEvent], fate: SlotFate) {
        let reason = match fate {
            SlotFate::Expired => "older than `max_age`",
            _ => "a later event took its place",
        };
        self.decisions.extend(record(&input.asset, events, fate, reason).map(ConsumerDecision::Record));
    }

    fn record_slots(&mut self, slots: Vec<Slot>, fate: SlotFate, reason: &str) {
        for Slot { at, .. } in slots {
            let record = SlotRecord { first: at, last: at, count: 1, fate, reason: reason.to_owned() };
            self.decisions.push(ConsumerDecision::Record(record));
        }
    }

    fn wake_at(&mut self, at: Option<Timestamp>) {
        self.wake = self.wake.into_iter().chain(at).min();
    }
}
