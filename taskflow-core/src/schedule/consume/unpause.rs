//! Ending a pause.

use std::collections::{BTreeMap, BTreeSet};

use super::consumer::{Consumer, Takes};
use super::pending::{move_cursors, pending, record, undecided};
use super::state::ConsumerState;
use super::step::{EventGroups, EventSituation, PendingEvent};
use crate::base::Timestamp;
use crate::schedule::decision::{Decision, SlotFate, SlotRecord};
use crate::schedule::note::Note;
use crate::schedule::policy::{Catchup, Unpause};
use crate::schedule::state::ScheduleState;
use crate::schedule::step::{begin_changed, end_pause, pass_over, unpause_noted};

/// All events but the newest, or but the newest of each key and each part of a period.
fn but_newest(events: &[PendingEvent], groups: Option<&EventGroups>) -> Vec<PendingEvent> {
    let group = |event: &PendingEvent| {
        let group = groups.and_then(|groups| groups.events.get(&event.number));
        group.map(|group| (&group.key, &group.part))
    };
    let mut newer = BTreeSet::new();
    let mut older: Vec<PendingEvent> =
        events.iter().rev().filter(|event| !newer.insert(group(event))).copied().collect();
    older.reverse();
    older
}

/// Begins with a schedule that was edited: see [`begin_changed`]. A pause of the DAG is one of the
/// schedule: its slots are those of the timetable that ends it. A schedule that is paused alone
/// stays as it is.
pub(crate) fn begin_changed_slots(
    consumer: &Consumer,
    state: &ConsumerState,
    now: Timestamp,
) -> (ConsumerState, Vec<SlotRecord>, Vec<Note>) {
    let (mut state, mut decisions) = (state.clone(), Vec::new());
    if let (Some(schedule), Some(slots)) = (&consumer.schedule, &mut state.schedule)
        && slots.pause.is_none()
    {
        let paused = ScheduleState { pause: state.pause.clone(), ..slots.clone() };
        let (begun, made) = begin_changed(schedule, &paused, now);
        (*slots, decisions) = (ScheduleState { pause: None, ..begun }, made);
    }
    let (records, notes) = Decision::records_and_notes(decisions);
    (state, records, notes)
}

/// The state with the cursor of its schedule at now, if no slot has passed since the last decision:
/// see [`pass_over`]. A schedule that is paused alone stays as it is.
pub(crate) fn pass_over_slots(consumer: &Consumer, state: &ConsumerState, now: Timestamp) -> ConsumerState {
    let mut state = state.clone();
    if let (Some(schedule), Some(slots)) = (&consumer.schedule, &mut state.schedule)
        && slots.pause.is_none()
    {
        *slots = pass_over(schedule, slots, now);
    }
    state
}

/// Ends a pause of a consumer whose time has come, as the next step would: the slots up to its end
/// are recorded as paused, the events stay pending, and it is noted. Changes nothing if there is no
/// such pause.
pub(crate) fn end_consumer_pause(
    consumer: &Consumer,
    state: &ConsumerState,
    now: Timestamp,
) -> (ConsumerState, Vec<SlotRecord>, Vec<Note>) {
    let mut state = state.clone();
    let (mut records, mut notes) = (Vec::new(), Vec::new());
    let Some(pause) = state.pause.take_if(|pause| pause.is_over(now)) else { return (state, records, notes) };
    match (&consumer.schedule, &state.schedule) {
        // The timetable of a schedule that is paused alone panics.
        (Some(schedule), Some(before)) if before.pause.is_none() => {
            let paused = ScheduleState { pause: Some(pause), ..before.clone() };
            let (slots, decisions) = end_pause(schedule, &paused, now);
            state.schedule = Some(slots);
            (records, notes) = Decision::records_and_notes(decisions);
        }
        _ => notes.push(Note::PauseEnded(pause)),
    }
    (state, records, notes)
}

/// Ends a pause: `which` decides what happens to the events of the pause, and `catchup` what
/// happens to its slots, as in [`unpause`](crate::schedule::unpause()).
pub fn unpause_consumer(
    consumer: &Consumer,
    state: &ConsumerState,
    situation: &EventSituation<'_>,
    which: Unpause,
    catchup: Catchup,
) -> (ConsumerState, Vec<SlotRecord>) {
    let (state, records, _) = unpause_consumer_noted(consumer, state, situation, which, catchup);
    (state, records)
}

/// As [`unpause_consumer`], with what is to be noted.
pub(crate) fn unpause_consumer_noted(
    consumer: &Consumer,
    state: &ConsumerState,
    situation: &EventSituation<'_>,
    which: Unpause,
    catchup: Catchup,
) -> (ConsumerState, Vec<SlotRecord>, Vec<Note>) {
    let mut state = state.clone();
    let (mut records, mut notes) = (Vec::new(), Vec::new());
    let of_schedule = state.schedule.as_mut().and_then(|schedule| schedule.pause.take());
    let pause = state.pause.take();
    // The events were served while the schedule alone was paused.
    let (which, since) = pause.as_ref().map_or((Unpause::All, situation.now), |pause| (which, pause.since));
    let Some(pause) = of_schedule.or(pause) else { return (state, records, notes) };
    let reason = match which {
        Unpause::All => "",
        Unpause::Newest => "a later event took its place, because the DAG was unpaused with the newest one",
        Unpause::Skip => "the DAG was unpaused without the events of the pause",
    };
    let undecided = undecided(&state, situation);
    let mut passed: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for input in consumer.consuming() {
        let Some(cursor) = state.cursor(&input.asset) else { continue };
        let left = EventSituation { pending: undecided.as_ref().unwrap_or(situation.pending), ..situation.clone() };
        let events = pending(&left, &input.asset, cursor);
        let (gone, fate) = match which {
            Unpause::All => continue,
            Unpause::Newest => (but_newest(events, situation.groups.get(&input.asset)), SlotFate::Superseded),
            // The parts of a period that were there before belong to the rest of it.
            Unpause::Skip if input.takes == Takes::Period => {
                (events.iter().filter(|event| event.at >= since).copied().collect(), SlotFate::Skipped)
            }
            Unpause::Skip => (events.to_vec(), SlotFate::Skipped),
        };
        records.extend(record(&input.asset, &gone, fate, reason));
        passed.entry(input.asset.clone()).or_default().extend(gone.iter().map(|event| event.number));
    }
    move_cursors(&mut state, situation.pending, &passed);
    if let (Some(schedule), Some(slots)) = (&consumer.schedule, &state.schedule) {
        let paused = ScheduleState { pause: Some(pause), ..slots.clone() };
        let (slots, of_slots, of_timetable) = unpause_noted(schedule, &paused, situation.now, catchup);
        state.schedule = Some(slots);
        records.extend(of_slots);
        notes.extend(of_timetable);
    }
    (state, records, notes)
}
