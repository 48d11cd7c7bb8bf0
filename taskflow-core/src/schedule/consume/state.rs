//! What is stored of a consumer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::consumer::Consumer;
use super::step::PendingEvent;
use crate::base::Timestamp;
use crate::schedule::slot::Slot;
use crate::schedule::state::{Pause, ScheduleState};

/// What is stored of a consumer: which events are decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerState {
    /// When a service first saw the DAG.
    pub first_seen: Timestamp,
    /// For each asset that the DAG consumes, the last event that is decided.
    pub cursors: BTreeMap<String, i64>,
    /// By asset, what is decided after the cursor: a run of a key or a period takes events before
    /// others that wait. The events of the asset from the first to the last number of each pair.
    #[serde(default)]
    pub decided: BTreeMap<String, Vec<(i64, i64)>>,
    /// The last run of each key or period that may be active, by its last event.
    #[serde(default)]
    pub busy: BTreeMap<String, i64>,
    /// The periods that have had their run; of many, the last ones.
    #[serde(default)]
    pub complete: BTreeSet<String>,
    /// Failed runs up to this logical date have paused the DAG already.
    #[serde(default)]
    pub failures_until: Option<Timestamp>,
    /// The state of the schedule, if the DAG has one. A pause of the DAG is not in it; one of the
    /// schedule alone is, because its timetable panicked.
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
        let pause = || Pause::of_new_dag(now);
        let pause = paused.then(|| schedule.as_mut().and_then(|schedule| schedule.pause.take()).unwrap_or_else(pause));
        let cursors = consumer.assets().into_iter().map(|asset| (asset, last_event)).collect();
        ConsumerState {
            first_seen: now,
            cursors,
            decided: BTreeMap::new(),
            busy: BTreeMap::new(),
            complete: BTreeSet::new(),
            failures_until: None,
            schedule,
            open: Vec::new(),
            pause,
        }
    }

    /// The state of a DAG whose timetable panicked: its schedule is paused, and its events are not.
    /// The pause is `None` if the schedule is paused already, and the state as before. A DAG
    /// without a state can be `paused` as a whole.
    pub fn after_panic(
        consumer: &Consumer,
        state: Option<Self>,
        (last_event, paused): (i64, bool),
        panic: &str,
        now: Timestamp,
    ) -> (Self, Option<Pause>) {
        // The timetable is not asked for its first slot.
        let new = || {
            let consumer = Consumer { schedule: None, ..consumer.clone() };
            ConsumerState::first_seen(&consumer, now, last_event, paused)
        };
        let state = state.unwrap_or_else(new);
        let (schedule, pause) = ScheduleState::after_panic(state.schedule.clone(), panic, now);
        (ConsumerState { schedule: Some(schedule), ..state }, pause)
    }

    /// By how much a clock is behind the last step of the schedule: see
    /// [`ScheduleState::clock_is_behind`].
    pub fn clock_is_behind(&self, now: Timestamp) -> Option<Duration> {
        self.schedule.as_ref()?.clock_is_behind(now)
    }

    /// The same consumer with its schedule as [`ScheduleState::reset`] has it, and without open
    /// slots after this time. Events stay as they are. `None` if there is no schedule, or it is not
    /// ahead of this time.
    pub fn reset(&self, now: Timestamp) -> Option<Self> {
        let schedule = self.schedule.as_ref()?.reset(now)?;
        let mut state = ConsumerState { schedule: Some(schedule), ..self.clone() };
        state.open.retain(|slot| slot.at <= now);
        state.failures_until = state.failures_until.filter(|&until| until <= now);
        Some(state)
    }

    /// Whether it is paused at this time: see [`ScheduleState::is_paused`].
    pub fn is_paused(&self, now: Timestamp) -> bool {
        self.pause.as_ref().is_some_and(|pause| !pause.is_over(now))
    }

    /// The cursor of an asset.
    pub fn cursor(&self, asset: &str) -> Option<i64> {
        self.cursors.get(asset).copied()
    }

    /// Whether an event of an asset is decided, and not pending.
    pub fn has_decided(&self, asset: &str, number: i64) -> bool {
        let after = self.decided.get(asset).map_or(&[][..], Vec::as_slice);
        self.cursor(asset).is_none_or(|cursor| number <= cursor)
            || after.iter().any(|&(first, last)| (first..=last).contains(&number))
    }

    /// Decides events of an asset, and moves its cursor. `events` are all after the cursor.
    pub(super) fn decide(&mut self, asset: &str, events: &[PendingEvent], passed: &BTreeSet<i64>) {
        let mut ranges: Vec<(i64, i64)> = Vec::new();
        let mut cursor = self.cursor(asset);
        // Whether the event before is decided, too.
        let mut follows = true;
        for event in events {
            let is_decided = passed.contains(&event.number) || self.has_decided(asset, event.number);
            match ranges.last_mut() {
                _ if !is_decided => {}
                None if follows => cursor = Some(event.number),
                Some((_, last)) if follows => *last = event.number,
                _ => ranges.push((event.number, event.number)),
            }
            follows = is_decided;
        }
        if let Some(cursor) = cursor {
            self.cursors.insert(asset.to_owned(), cursor);
        }
        if ranges.is_empty() {
            self.decided.remove(asset);
        } else {
            self.decided.insert(asset.to_owned(), ranges);
        }
    }

    /// The lowest cursor: every pending event has a higher number.
    pub fn lowest_cursor(&self) -> Option<i64> {
        self.cursors.values().copied().min()
    }
}
