//! What became of the slots of a DAG, and when: the runs of its schedule, its events and its
//! backfills, why slots have none, and the history of the schedule between them.

use serde::{Deserialize, Serialize};

use super::error::OpsError;
use super::schedules::{asking, schedule_of, stored_state};
use super::situation::{PendingWaits, waits};
use crate::base::schema::Schema;
use crate::base::{ErrorKind, Timestamp, did_you_mean};
use crate::dag::DagDef;
use crate::journal::{Journal, RunSummary};
use crate::run::{RunState, RunType};
use crate::schedule::{Note, Overlap, Recurrence, Schedule, ScheduleState, SlotFate, SlotRecord, Span, Waits};
use crate::store::{RunFilter, RunOrder};

/// What slots that wait and entries in the history of the schedule are called.
pub(super) const WAITING: &str = "waiting";
const NOTE: &str = "note";
/// How many records and notes are searched for those that a query selects.
const SEARCHED: u32 = 2_000;

/// A slot that passed: a run, or a record of why there is none. Or an entry in the history of the
/// schedule between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct PastSlots {
    /// The first slot.
    pub first: Timestamp,
    /// The last slot: the same if it is one slot.
    pub last: Timestamp,
    /// How many slots they are; 0 for a note.
    pub count: u64,
    /// The run, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
    /// How the run came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_type: Option<RunType>,
    /// The state of the run, or what became of the slots: `missed`, `skipped`, `paused`,
    /// `superseded`, `expired`, `failed`; `waiting` for slots that wait; `note`.
    pub fate: String,
    /// Why there is no run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The entry in the history of the schedule, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
    /// When its run was due, stored, started and over.
    #[serde(flatten)]
    pub times: SlotTimes,
}

/// From a slot to the end of its run. How late a run is follows from two of the times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct SlotTimes {
    /// When the schedule is to start the run: the slot, or later with `spread`. Other runs than
    /// those of a schedule are due at no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// When the run was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// When a process began to run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

impl PastSlots {
    fn new(first: Timestamp, last: Timestamp, count: u64, fate: &str) -> Self {
        let (fate, reason) = (fate.to_owned(), String::new());
        PastSlots {
            first,
            last,
            count,
            run: None,
            run_type: None,
            fate,
            reason,
            note: None,
            times: SlotTimes::default(),
        }
    }

    fn of_run(run: &RunSummary, schedule: Option<&Schedule>) -> Self {
        let at = run.info.logical_date;
        let due = schedule.filter(|_| run.info.run_type == RunType::Scheduled).map(|schedule| at + schedule.offset);
        PastSlots {
            run: Some(run.number),
            run_type: Some(run.info.run_type),
            times: SlotTimes { due, created: Some(run.created), started: None, ended: run.ended },
            ..PastSlots::new(at, at, 1, run.state.name())
        }
    }
}

impl From<SlotRecord> for PastSlots {
    fn from(record: SlotRecord) -> Self {
        let SlotRecord { first, last, count, fate, reason } = record;
        PastSlots { reason, ..PastSlots::new(first, last, count, fate.name()) }
    }
}

/// Selects slots that passed. The default selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotQuery {
    /// Only with one of these [fates](PastSlots::fate).
    pub fates: Vec<String>,
    /// Only before this time.
    pub before: Option<Timestamp>,
    /// At most this many; all if `None`.
    pub limit: Option<u32>,
}

impl SlotQuery {
    /// Every fate that a slot can have.
    pub fn known_fates() -> Vec<&'static str> {
        let mut all: Vec<&str> = RunState::ALL.iter().map(|state| state.name()).collect();
        all.extend(SlotFate::ALL.iter().map(|fate| fate.name()).filter(|fate| *fate != RunState::Failed.name()));
        all.extend([WAITING, NOTE]);
        all
    }

    /// The fate with this name.
    ///
    /// # Errors
    ///
    /// What the fates are, if it is none of them.
    pub fn fate(name: &str) -> Result<String, String> {
        let known = SlotQuery::known_fates();
        match known.contains(&name) {
            true => Ok(name.to_owned()),
            false => {
                let near = did_you_mean(name, known.iter().copied());
                Err(format!("`{name}` is not what becomes of a slot{near}; it is one of {}", known.join(", ")))
            }
        }
    }

    fn selects(&self, slot: &PastSlots) -> bool {
        let is_of_fates = self.fates.is_empty() || self.fates.contains(&slot.fate);
        is_of_fates && self.before.is_none_or(|before| slot.last < before)
    }
}

/// The last slots of a DAG, the events that it consumed and the history of its schedule, the latest
/// first, with the times when their runs started.
///
/// # Errors
///
/// When the DAG has no schedule and no events, or the store cannot be read.
pub async fn slots(journal: &Journal, dag: &DagDef, query: &SlotQuery) -> Result<Vec<PastSlots>, OpsError> {
    let mut slots = selected(journal, dag, query).await?;
    let runs: Vec<i64> = slots.iter().filter_map(|slot| slot.run).collect();
    let rollups = journal.rollups(&runs).await?;
    for slot in &mut slots {
        slot.times.started = slot.run.and_then(|run| rollups.get(&run)?.started());
    }
    Ok(slots)
}

/// As [`slots`], without the times when their runs started: at most `limit` runs, records and
/// notes.
///
/// # Errors
///
/// When the DAG has no schedule and no events, or the store cannot be read.
pub async fn past_slots(journal: &Journal, dag: &DagDef, limit: u32) -> Result<Vec<PastSlots>, OpsError> {
    selected(journal, dag, &SlotQuery { limit: Some(limit), ..SlotQuery::default() }).await
}

async fn selected(journal: &Journal, dag: &DagDef, query: &SlotQuery) -> Result<Vec<PastSlots>, OpsError> {
    let schedule = match dag.consumer()? {
        Some(consumer) => consumer.schedule,
        None => Some(schedule_of(dag)?),
    };
    let limit = query.limit.unwrap_or(u32::MAX);
    let states: Vec<RunState> =
        RunState::ALL.into_iter().filter(|state| query.fates.iter().any(|fate| fate == state.name())).collect();
    let mut slots: Vec<PastSlots> = Vec::new();
    if query.fates.is_empty() || !states.is_empty() {
        let filter = RunFilter {
            dag: Some(dag.id.to_owned()),
            states,
            run_types: vec![RunType::Scheduled, RunType::Backfill, RunType::Event],
            logical_before: query.before,
            order: RunOrder::LogicalDate,
            limit: Some(limit),
            ..RunFilter::default()
        };
        slots.extend(journal.runs(&filter).await?.iter().map(|run| PastSlots::of_run(run, schedule.as_ref())));
    }
    // The store has no filter for them.
    let searched = if query.fates.is_empty() && query.before.is_none() { limit } else { SEARCHED.max(limit) };
    let records = journal.slot_records(dag.id, searched).await?.into_iter().map(|record| PastSlots {
        reason: record.reason,
        ..PastSlots::new(record.first, record.last, record.count, &record.fate)
    });
    slots.extend(records);
    let notes = journal.schedule_notes(dag.id, searched).await?.into_iter();
    slots.extend(notes.map(|(at, note)| PastSlots { note: Some(note), ..PastSlots::new(at, at, 0, NOTE) }));
    if let (Some(schedule), Some((state, open))) = (schedule, stored_state(journal, dag).await?) {
        // A timetable that panics is found out below.
        if let Ok(Some(edited)) = asking(|| schedule.replaces(&state).map(str::to_owned)) {
            slots.extend(of_old(&edited, &schedule, &state));
        } else {
            slots.extend(asking(|| out_of_bounds(&schedule, &state)).unwrap_or_default());
            match waits(journal, dag.id, &schedule, &state, journal.now()).await {
                Ok(waits) => slots.extend(asking(|| waiting(&schedule, &state, &waits)).unwrap_or_default()),
                Err(OpsError::Journal(error)) if error.kind() != ErrorKind::Damaged => return Err(error.into()),
                // A timetable that panics, or a run that is damaged, hides no other run.
                Err(_) => {}
            }
        }
        slots.extend(open.iter().map(|slot| PastSlots {
            reason: "its events are not there yet".to_owned(),
            ..PastSlots::new(slot.at, slot.at, 1, WAITING)
        }));
    }
    slots.retain(|slot| query.selects(slot));
    slots.sort_by_key(|slot| std::cmp::Reverse(slot.last));
    slots.truncate(limit as usize);
    Ok(slots)
}

/// Why slots wait, with the next step if a service may not take it.
fn why(PendingWaits { waits, interrupted }: &PendingWaits, overlap: Overlap) -> String {
    match (waits, interrupted) {
        (Some(Waits::Paused), _) => "the DAG is paused".to_owned(),
        (Some(Waits::ForRoom { active: 1 }), _) => "a run is active".to_owned(),
        (Some(Waits::ForRoom { active }), _) => format!("{active} runs are active"),
        (Some(Waits::ForPrevious { run }), None) => format!("the run {run} has not succeeded"),
        (Some(Waits::ForPrevious { run }), Some(number)) => {
            format!("the run {run} was interrupted; if no service resumes it, `resume {number}`")
        }
        (None, Some(number)) if overlap == Overlap::Skip => {
            format!("run {number} was interrupted; the slot is skipped if that goes on first")
        }
        (None, Some(number)) => format!(
            "run {number} was interrupted and goes on first; if no service resumes it, `resume {number}` or `cancel \
             {number}`"
        ),
        (None, None) => "it starts when a service is running".to_owned(),
    }
}

/// The slots that wait, as one entry a span.
fn waiting(schedule: &Schedule, state: &ScheduleState, waits: &PendingWaits) -> Vec<PastSlots> {
    let why = why(waits, schedule.overlap);
    state.pending.iter().filter_map(|&span| waiting_in(span, schedule, state, &why)).collect()
}

/// The slots that wait in a span, if it has any.
fn waiting_in(span: Span, schedule: &Schedule, state: &ScheduleState, why: &str) -> Option<PastSlots> {
    let first = schedule.after(span.after, state.first_seen)?;
    let slots = std::iter::successors(Some(first), |slot| schedule.after(slot.at, state.first_seen));
    let slots: Vec<Timestamp> = slots.map(|slot| slot.at).take_while(|&at| at <= span.until).collect();
    let (first, last) = (*slots.first()?, *slots.last()?);
    let times = SlotTimes { due: Some(first + schedule.offset), ..SlotTimes::default() };
    Some(PastSlots { reason: why.to_owned(), times, ..PastSlots::new(first, last, slots.len() as u64, WAITING) })
}

/// The slots that wait of the timetable with this fingerprint, which the schedule has replaced: the
/// next step records them. If the fingerprint does not tell what they are, the first of each span.
fn of_old(fingerprint: &str, schedule: &Schedule, state: &ScheduleState) -> Vec<PastSlots> {
    const WHY: &str = "the timetable was edited; the slot is superseded when a service is running";

    let (start, end) = state.bounds.unwrap_or((schedule.start, schedule.end));
    let old = Schedule::of_fingerprint(fingerprint);
    let old = old.map(|old| Schedule { start, end, offset: schedule.offset, ..old });
    let spans = state.pending.iter().filter_map(|&span| {
        let slots = old.as_ref().and_then(|old| waiting_in(span, old, state, WHY));
        let is_old = |slots: &PastSlots| span.first.is_none_or(|first| slots.first == first);
        slots.filter(is_old).or_else(|| {
            let first = span.first?;
            let times = SlotTimes { due: Some(first + schedule.offset), ..SlotTimes::default() };
            Some(PastSlots { reason: WHY.to_owned(), times, ..PastSlots::new(first, first, 1, WAITING) })
        })
    });
    spans.collect()
}

/// The slots that wait outside of `start` and `end`, which were edited: the next step records them.
fn out_of_bounds(schedule: &Schedule, state: &ScheduleState) -> Vec<PastSlots> {
    const WHY: &str = "`start` or `end` was edited; the slot is superseded when a service is running";

    if matches!(schedule.recurrence, Recurrence::Once) {
        // The slot is at the start, wherever that is now.
        let is_gone = |span: &&Span| waiting_in(**span, schedule, state, WHY).is_none();
        let gone = state.pending.iter().filter(is_gone).filter_map(|span| span.first);
        let entry = |at| PastSlots { reason: WHY.to_owned(), ..PastSlots::new(at, at, 1, WAITING) };
        return gone.map(entry).collect();
    }
    let unbounded = schedule.unbounded();
    let spans = schedule.leaves_waiting(state).into_iter();
    spans.filter_map(|span| waiting_in(span, &unbounded, state, WHY)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_selects_by_fate_and_time() {
        let at = |seconds: i64| Timestamp::from_nanos(seconds * 1_000_000_000);
        let slot = PastSlots::new(at(1), at(5), 3, "missed");
        let fates = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let query = |names: &[&str], before| SlotQuery { fates: fates(names), before, limit: None };
        assert!(SlotQuery::default().selects(&slot) && query(&["success", "missed"], None).selects(&slot));
        assert!(!query(&["success"], None).selects(&slot));
        assert!(query(&[], Some(at(6))).selects(&slot) && !query(&[], Some(at(5))).selects(&slot));
    }

    #[test]
    fn an_unknown_fate_names_the_nearest() {
        assert_eq!(SlotQuery::fate("missed"), Ok("missed".to_owned()));
        let error = SlotQuery::fate("mised").unwrap_err();
        assert!(error.contains("did you mean `missed`?") && error.contains("waiting"), "{error}");
        let known = SlotQuery::known_fates();
        assert_eq!(known.iter().filter(|fate| **fate == "failed").count(), 1, "runs and slots share it");
    }
}
