//! The slots of a schedule, and what became of them.

use super::marks::Mark;
use super::times::{Clock, Moment, took_for};
use crate::ops::{NextSlots, PastSlots};
use crate::schedule::Note;

/// A slot to come.
#[derive(Debug)]
pub(crate) struct NextRow {
    pub(crate) at: Moment,
    /// `30 Jan 06:00 KST to 31 Jan 06:00 KST`; empty without intervals.
    pub(crate) about: String,
    pub(crate) deadline: Option<Moment>,
}

/// Slots that passed, or an entry in the history of a schedule.
#[derive(Debug)]
pub(crate) struct SlotRow {
    pub(crate) mark: Option<Mark>,
    pub(crate) at: Moment,
    /// `3 slots missed`, `paused by kim`.
    pub(crate) what: String,
    pub(crate) reason: String,
}

pub(crate) fn next_rows(next: &NextSlots, clock: &Clock) -> Vec<NextRow> {
    let row = |slot: &crate::ops::NextSlot| NextRow {
        at: clock.at(slot.at),
        about: slot
            .interval
            .map(|interval| format!("{} to {}", clock.at(interval.start).text, clock.at(interval.end).text))
            .unwrap_or_default(),
        deadline: slot.deadline.map(|deadline| clock.at(deadline)),
    };
    next.slots.iter().map(row).collect()
}

/// What became of slots. Runs are left out: the grid has them.
pub(crate) fn slot_rows(slots: &[PastSlots], clock: &Clock) -> Vec<SlotRow> {
    let without_run = slots.iter().filter(|slot| slot.run.is_none());
    let row = |slot: &PastSlots| {
        let (what, reason) = what_and_why(slot, clock);
        let mark = slot.note.is_none().then(|| Mark::of_slot(&slot.fate));
        SlotRow { mark, at: clock.at(slot.last), what, reason }
    };
    without_run.map(row).collect()
}

/// What became of slots without a run, or what the entry in the history says; and why.
pub(super) fn what_and_why(slot: &PastSlots, clock: &Clock) -> (String, String) {
    let what = match (&slot.note, slot.count) {
        (Some(note), _) => note_words(note),
        (None, 1) => slot.fate.clone(),
        (None, count) => format!("{count} slots {}, from {}", slot.fate, clock.at(slot.first).text),
    };
    let why = match &slot.note {
        Some(Note::Paused(pause)) => pause.reason.clone(),
        Some(Note::Unpaused { reason, .. } | Note::Reset { reason, .. }) => reason.clone(),
        Some(Note::DeadlineMissed(missed)) => missed.reason.clone(),
        _ => slot.reason.clone(),
    };
    (what, why)
}

fn note_words(note: &Note) -> String {
    match note {
        Note::TimetableChanged { .. } => "the timetable changed".to_owned(),
        Note::ZoneRulesChanged { zone } => format!("the rules of the time zone {zone} changed"),
        Note::ClockWentBack { by } => format!("the clock went back by {}", took_for(*by)),
        Note::FallsBehind { .. } => "fell behind its schedule".to_owned(),
        Note::Paused(pause) => format!("paused by {}", pause.by),
        Note::PauseEnded(_) => "the pause ended".to_owned(),
        Note::Unpaused { by, .. } => format!("unpaused by {by}"),
        Note::DeadlineMissed(_) => "missed its deadline".to_owned(),
        Note::Reset { by, .. } => format!("reset by {by}"),
    }
}
