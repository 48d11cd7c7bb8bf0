//! The columns of a grid: a slot or a run each, by time.
//!
//! A slot without a run has a hollow mark and its reason. Beside a schedule, runs that are not of a
//! slot are narrow and have a sign on top.

use super::address;
use super::marks::Mark;
use super::times::{Clock, took_for};
use crate::base::Timestamp;
use crate::journal::RunSummary;
use crate::ops::SlotStatus;
use crate::run::{RunState, RunType};

/// How many columns the name of a day takes.
const DAY: usize = 3;

/// A run, or a slot without one.
#[derive(Debug)]
pub(crate) struct Column {
    /// The logical date of the run, or the slot.
    pub(crate) at: Timestamp,
    pub(crate) mark: Mark,
    /// An address below the base path; empty for a slot.
    pub(crate) href: String,
    pub(crate) title: String,
    /// The day, where it differs from that of the column before.
    pub(crate) day: String,
    /// The height of the bar of its duration, from 0 to 24.
    pub(crate) height: u128,
    /// How the run came about, if it is not the run of a slot: `by hand`.
    pub(crate) kind: &'static str,
    /// Whether its graph differs from that of the run before.
    pub(crate) is_changed: bool,
}

impl Column {
    /// The shape of the sign on top.
    pub(crate) fn sign(&self) -> &'static str {
        match self.kind {
            "by hand" => "M1 1h6L4 6z",
            "by events" => "M5 0 1 4h3L3 7l4-4H4z",
            "backfill" => "M4 1 1 3.5 4 6zM8 1 5 3.5 8 6z",
            _ => "M1 3h3V1l3 2.5L4 6V4H1z",
        }
    }
}

/// The columns, at most `most` of the latest, and the run of each.
pub(super) fn columns<'r>(
    runs: &'r [RunSummary],
    slots: &[SlotStatus],
    is_scheduled: bool,
    most: usize,
    clock: &Clock,
) -> (Vec<Column>, Vec<Option<&'r RunSummary>>) {
    let mut places: Vec<(Timestamp, Option<&RunSummary>, Option<&SlotStatus>)> =
        runs.iter().map(|run| (run.info.logical_date, Some(run), None)).collect();
    places.extend(slots.iter().map(|slot| (slot.at, None, Some(slot))));
    places.sort_by_key(|&(at, run, _)| (at, run.map(|run| run.number)));
    places.drain(..places.len().saturating_sub(most));
    let longest = runs.iter().filter_map(|run| Some(run.ended?.since(run.created).as_millis())).max();
    let mut columns: Vec<Column> = Vec::with_capacity(places.len());
    let mut order = Vec::with_capacity(places.len());
    let mut day = String::new();
    // The name of a day is as wide as some columns.
    let mut free = 0;
    let mut graph: Option<&str> = None;
    for (at, run, slot) in places {
        let mut column = match (run, slot) {
            (Some(run), _) => of_run(run, longest.unwrap_or(1), is_scheduled, clock),
            (None, Some(slot)) => of_slot(slot, clock),
            (None, None) => continue,
        };
        if let Some(run) = run {
            column.is_changed = graph.replace(&run.graph).is_some_and(|before| before != run.graph);
        }
        let of = at.to_jiff().to_zoned(clock.zone.clone()).strftime("%-d %b").to_string();
        if of != day && columns.len() >= free {
            column.day.clone_from(&of);
            (day, free) = (of, columns.len() + DAY);
        }
        columns.push(column);
        order.push(run);
    }
    (columns, order)
}

fn of_run(run: &RunSummary, longest: u128, is_scheduled: bool, clock: &Clock) -> Column {
    let date = clock.at(run.info.logical_date);
    let mark = Mark::of(run.state.name());
    let took = run.ended.map(|ended| ended.since(run.created));
    let words = took.map(|took| format!(", {}", took_for(took))).unwrap_or_default();
    let height = match (took, run.state) {
        (Some(took), _) => 3 + took.as_millis() * 21 / longest.max(1),
        (None, RunState::Running) => 24,
        (None, _) => 3,
    };
    let kind = match run.info.run_type {
        _ if !is_scheduled => "",
        RunType::Scheduled => "",
        RunType::Backfill => "backfill",
        RunType::Manual => "by hand",
        RunType::Event => "by events",
        RunType::Triggered => "by a task",
    };
    let how = if kind.is_empty() { String::new() } else { format!(", {kind}") };
    Column {
        at: run.info.logical_date,
        mark,
        href: address::run(run.number),
        title: format!("Run {}, {}{how}: {}{words}", run.number, date.text, mark.words),
        day: String::new(),
        height: height.min(24),
        kind,
        is_changed: false,
    }
}

fn of_slot(slot: &SlotStatus, clock: &Clock) -> Column {
    let at = clock.at(slot.at).text;
    let span = if slot.count > 1 { format!("{} slots up to {at}", slot.count) } else { at };
    let reason = if slot.reason.is_empty() { String::new() } else { format!(": {}", slot.reason) };
    Column {
        at: slot.at,
        mark: Mark::of_slot(&slot.fate),
        href: String::new(),
        title: format!("{span}, {}{reason}", slot.fate),
        day: String::new(),
        height: 0,
        kind: "",
        is_changed: false,
    }
}
