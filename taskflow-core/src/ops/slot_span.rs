//! The slots of a DAG in a span of time, past and to come, and the calendar of a month.
//!
//! A record of several slots, such as those that passed during a pause, becomes one entry for each
//! slot: the timetable is a pure function, which names them. A timetable that has changed since
//! names others; then the record stays one entry.

use std::collections::HashSet;

use serde::Serialize;

use super::error::OpsError;
use super::schedules::{asking, schedule_of, stored_state};
use super::slots::past_slots;
use crate::base::schema::Schema;
use crate::base::{Date, ErrorKind, Interval, Timestamp};
use crate::dag::DagDef;
use crate::journal::Journal;
use crate::run::RunType;
use crate::schedule::{Pause, Recurrence, Schedule, Zone};
use crate::store::{RunFilter, RunOrder};

/// How many records of slots are read.
const RECORDS: u32 = 2_000;

/// The slots of a DAG from a point in time to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Schema)]
#[non_exhaustive]
pub struct SlotSpan {
    /// The DAG.
    pub dag_id: String,
    /// The time zone of the schedule.
    pub timezone: String,
    /// The slots, in ascending order.
    pub slots: Vec<SlotStatus>,
    /// Whether slots were left out, because there are too many.
    pub more: bool,
}

/// A slot, and what became of it. Or the run of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Schema)]
#[non_exhaustive]
pub struct SlotStatus {
    /// The slot; of several, the last.
    pub at: Timestamp,
    /// How many slots they are: more than one if the timetable does not name them any more.
    pub count: u64,
    /// The run, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
    /// How the run came about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_type: Option<RunType>,
    /// The state of the run, or what became of the slot: `missed`, `skipped`, `paused`,
    /// `superseded`, `failed`, `waiting`; `coming` if it has yet to pass.
    pub fate: String,
    /// Why there is no run.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The data interval of a slot to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
}

/// The slots of a DAG in `from <= slot < to`, at most `limit` of them, past and to come. The runs
/// of events count as slots.
///
/// # Errors
///
/// When the DAG has no schedule and no events, or the store cannot be read.
pub async fn slots_between(
    journal: &Journal,
    dag: &DagDef,
    from: Timestamp,
    to: Timestamp,
    limit: usize,
) -> Result<SlotSpan, OpsError> {
    let now = journal.now();
    let filter = RunFilter {
        dag: Some(dag.id.to_owned()),
        run_types: vec![RunType::Scheduled, RunType::Backfill, RunType::Event],
        logical_since: Some(from),
        logical_before: Some(to),
        order: RunOrder::LogicalDate,
        limit: Some(u32::try_from(limit).unwrap_or(u32::MAX)),
        ..RunFilter::default()
    };
    let runs = journal.runs(&filter).await?;
    let mut slots: Vec<SlotStatus> = runs.iter().map(|run| status_of_run(run.info.logical_date, run)).collect();
    slots.extend(slots_without_runs(journal, dag, from, to, limit).await?);
    if let Some(schedule) = schedule_of_any(dag)? {
        let state = stored_state(journal, dag).await?.map(|(state, _)| state);
        let first_seen = state.as_ref().map_or(now, |state| state.first_seen);
        let after = state.as_ref().map_or(now, |state| now.max(state.noticed)).max(just_before(from));
        let coming = asking(|| {
            let first = schedule.after(after, first_seen);
            let all = std::iter::successors(first, |slot| schedule.after(slot.at, first_seen));
            all.take_while(|slot| slot.at < to).take(limit + 1).collect::<Vec<_>>()
        })?;
        let (fate, reason) = ("coming".to_owned(), String::new());
        slots.extend(coming.into_iter().map(|slot| SlotStatus {
            at: slot.at,
            count: 1,
            run: None,
            run_type: None,
            fate: fate.clone(),
            reason: reason.clone(),
            interval: slot.interval,
        }));
    }
    slots.sort_by_key(|slot| (slot.at, slot.run));
    let more = slots.len() > limit || runs.len() >= limit;
    slots.truncate(limit);
    let timezone = dag.options.timezone.unwrap_or("UTC").to_owned();
    Ok(SlotSpan { dag_id: dag.id.to_owned(), timezone, slots, more })
}

fn status_of_run(at: Timestamp, run: &crate::journal::RunSummary) -> SlotStatus {
    SlotStatus {
        at,
        count: 1,
        run: Some(run.number),
        run_type: Some(run.info.run_type),
        fate: run.state.to_string(),
        reason: String::new(),
        interval: None,
    }
}

/// The slots in `from <= slot < to` that passed or wait and have no run, the latest `limit` of
/// them, in ascending order. A DAG without a schedule has none.
///
/// # Errors
///
/// When the store cannot be read.
pub(crate) async fn slots_without_runs(
    journal: &Journal,
    dag: &DagDef,
    from: Timestamp,
    to: Timestamp,
    limit: usize,
) -> Result<Vec<SlotStatus>, OpsError> {
    let past = match past_slots(journal, dag, RECORDS).await {
        Ok(past) => past,
        Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Damaged) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let schedule = schedule_of_any(dag)?;
    let first_seen = stored_state(journal, dag).await?.map_or(from, |(state, _)| state.first_seen);
    // A backfill has run some of those that had no run.
    let has_run: HashSet<Timestamp> = past.iter().filter(|slot| slot.run.is_some()).map(|slot| slot.last).collect();
    let mut slots: Vec<SlotStatus> = Vec::new();
    let overlapping = past
        .into_iter()
        .filter(|slot| slot.run.is_none() && slot.note.is_none() && slot.last >= from && slot.first < to);
    for of in overlapping {
        let status = |at, count| SlotStatus {
            at,
            count,
            run: None,
            run_type: None,
            fate: of.fate.clone(),
            reason: of.reason.clone(),
            interval: None,
        };
        let wanted = usize::try_from(of.count).unwrap_or(usize::MAX);
        let named = match &schedule {
            Some(schedule) if wanted > 1 => asking(|| {
                // From the end, because a span may be long and few are wanted.
                let last = schedule.before(of.last, first_seen);
                let all = std::iter::successors(last, |slot| schedule.before(just_before(slot.at), first_seen));
                let all = all.take_while(|slot| slot.at >= of.first);
                all.skip_while(|slot| slot.at >= to).map(|slot| slot.at).take(limit.min(wanted) + 1).collect::<Vec<_>>()
            })
            .unwrap_or_default(),
            _ => Vec::new(),
        };
        // A timetable that names others has changed since.
        let fits = named.first() == Some(&of.last) || (of.last >= to && !named.is_empty());
        match wanted > 1 && fits && (named.len() == wanted || named.len() > limit || of.last >= to) {
            true => slots.extend(named.into_iter().filter(|&at| at >= from && at < to).map(|at| status(at, 1))),
            false if of.last < to => slots.push(status(of.last, of.count)),
            false => {}
        }
        if slots.len() > limit {
            break;
        }
    }
    slots.retain(|slot| slot.count > 1 || !has_run.contains(&slot.at));
    slots.sort_by_key(|slot| slot.at);
    slots.drain(..slots.len().saturating_sub(limit));
    Ok(slots)
}

/// The schedule of a DAG, also of one with events.
pub(super) fn schedule_of_any(dag: &DagDef) -> Result<Option<Schedule>, OpsError> {
    Ok(match dag.consumer()? {
        Some(consumer) => consumer.schedule,
        None => schedule_of(dag).ok(),
    })
}

/// The data intervals of the last slots of a DAG that have passed, the newest first.
///
/// # Errors
///
/// When the schedule is not valid, or the store cannot be read.
pub async fn past_intervals(journal: &Journal, dag: &DagDef, count: usize) -> Result<Vec<Interval>, OpsError> {
    let Some(schedule) = schedule_of_any(dag)? else { return Ok(Vec::new()) };
    let now = journal.now();
    let first_seen = stored_state(journal, dag).await?.map_or(now, |(state, _)| state.first_seen);
    asking(|| {
        let last = schedule.before(now, first_seen);
        let all = std::iter::successors(last, |slot| schedule.before(just_before(slot.at), first_seen));
        all.take(count).filter_map(|slot| slot.interval).collect()
    })
}

pub(super) fn just_before(moment: Timestamp) -> Timestamp {
    Timestamp::from_nanos(moment.as_nanos().saturating_sub(1))
}

/// A month of the slots of a DAG, by day of its time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CalendarMonth {
    /// The DAG.
    pub dag_id: String,
    /// The time zone of the days.
    pub timezone: String,
    /// Its days, in order.
    pub days: Vec<CalendarDay>,
    /// Whether slots were left out, because there are too many.
    pub more: bool,
}

/// A day of a calendar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CalendarDay {
    /// The day.
    pub day: Date,
    /// Its slots, in ascending order.
    pub slots: Vec<SlotStatus>,
    /// Why it has no slots, or other ones than usual: a holiday, the start or the end of the
    /// schedule, a pause.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What the clocks do on this day, if they change: `23 h: clocks go forward at 02:00 by 1 h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_change: Option<String>,
}

/// The calendar of a DAG for the month that contains a day.
///
/// # Errors
///
/// When the DAG has no schedule and no events, or the store cannot be read.
pub async fn calendar(journal: &Journal, dag: &DagDef, month: Date) -> Result<CalendarMonth, OpsError> {
    const SLOTS: usize = 3_000;

    let zone = dag.options.timezone().unwrap_or(Zone::UTC);
    let first = Date::new(month.year(), month.month(), 1).unwrap_or(month);
    // By their numbers: the last day of the calendar is its own successor, without an end.
    let days: Vec<Date> = (1..=31).filter_map(|day| Date::new(first.year(), first.month(), day)).collect();
    let start = |day: Date| {
        // The zone may have skipped the day.
        std::iter::successors(Some(day), |day| Some(day.tomorrow())).take(3).find_map(|day| zone.start_of(day))
    };
    let (from, to) = match (start(first), days.last().and_then(|last| start(last.tomorrow()))) {
        (Some(from), Some(to)) => (from, to),
        _ => (first.midnight_utc(), first.midnight_utc()),
    };
    let SlotSpan { dag_id, timezone, slots, more } = slots_between(journal, dag, from, to, SLOTS).await?;
    let schedule = schedule_of_any(dag)?;
    let pause = stored_state(journal, dag).await?.and_then(|(state, _)| state.pause);
    let mut slots = slots.into_iter().peekable();
    let mut all = Vec::with_capacity(days.len());
    for day in days {
        let mut of_day = Vec::new();
        while let Some(slot) = slots.next_if(|slot| zone.day_of(slot.at) <= day) {
            of_day.push(slot);
        }
        let span = (start(day).unwrap_or(from), start(day.tomorrow()).unwrap_or(to));
        let notes = match &schedule {
            Some(schedule) => notes(schedule, day, span, &of_day, pause.as_ref(), &zone)?,
            None => Vec::new(),
        };
        all.push(CalendarDay { day, slots: of_day, notes, clock_change: clock_change(&zone, day, span) });
    }
    Ok(CalendarMonth { dag_id, timezone, days: all, more })
}

/// Why a day has no slots, or other ones than usual.
fn notes(
    schedule: &Schedule,
    day: Date,
    (from, to): (Timestamp, Timestamp),
    slots: &[SlotStatus],
    pause: Option<&Pause>,
    zone: &Zone,
) -> Result<Vec<String>, OpsError> {
    let mut notes = Vec::new();
    if let Some(start) = schedule.start.filter(|&start| start >= to || (slots.is_empty() && start > from)) {
        notes.push(format!("before the schedule starts, {}", zone.format(start)));
        return Ok(notes);
    }
    if let Some(end) = schedule.end.filter(|&end| end < from || (slots.is_empty() && end < to)) {
        notes.push(format!("after the schedule ended, {}", zone.format(end)));
        return Ok(notes);
    }
    if let Recurrence::Timetable(timetable) = &schedule.recurrence {
        notes.extend(asking(|| timetable.exception_on(day))?);
    }
    let coming = slots.iter().any(|slot| slot.fate == "coming");
    if let Some(pause) = pause.filter(|pause| coming && pause.until.is_none_or(|until| until > from)) {
        let until = pause.until.map(|until| format!(" until {}", zone.format(until))).unwrap_or_default();
        let reason = if pause.reason.is_empty() { String::new() } else { format!(": {}", pause.reason) };
        notes.push(format!("paused by {}{until}{reason}", pause.by));
    }
    Ok(notes)
}

/// What clocks do on a day, if they change.
fn clock_change(zone: &Zone, day: Date, (from, to): (Timestamp, Timestamp)) -> Option<String> {
    if zone.start_of(day).is_none() {
        return Some("clocks skip this day".to_owned());
    }
    let change = zone.changes(from, to).into_iter().next()?;
    let length = i64::try_from(to.since(from).as_secs()).unwrap_or(0);
    let words = |seconds: i64| match (seconds / 3_600, seconds / 60 % 60) {
        (hours, 0) => format!("{hours} h"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes:02} min"),
    };
    let by = length - 86_400;
    // Rules may change without the clocks.
    let direction = match by {
        0 => return None,
        ..0 => "forward",
        _ => "back",
    };
    let before = zone.format(just_before(change));
    let time = before.split(' ').nth(1).unwrap_or_default();
    let time = time.get(..5).unwrap_or_default();
    Some(format!("{} long: clocks go {direction} by {} after {time}", words(length), words(by.abs())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_on_which_clocks_change_say_so() {
        let change = |zone: &str, (year, month, day)| {
            let (zone, day) = (Zone::named(zone).unwrap(), Date::new(year, month, day).unwrap());
            let span = (zone.start_of(day).unwrap(), zone.start_of(day.tomorrow()).unwrap());
            clock_change(&zone, day, span)
        };
        let berlin = |day| change("Europe/Berlin", day);
        assert_eq!(berlin((2026, 3, 29)).as_deref(), Some("23 h long: clocks go forward by 1 h after 01:59"));
        assert_eq!(berlin((2026, 10, 25)).as_deref(), Some("25 h long: clocks go back by 1 h after 02:59"));
        assert_eq!(berlin((2026, 3, 28)), None);
        let howe = change("Australia/Lord_Howe", (2026, 4, 5));
        assert_eq!(howe.as_deref(), Some("24 h 30 min long: clocks go back by 30 min after 01:59"));
    }
}
