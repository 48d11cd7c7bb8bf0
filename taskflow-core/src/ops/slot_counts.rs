//! How many slots of a DAG have passed lately, and how many of them have no run.

use std::collections::{BTreeMap, BTreeSet};

use super::error::OpsError;
use super::schedules::{asking, stored_state};
use super::slot_span::{just_before, schedule_of_any};
use super::slots::{PastSlots, WAITING, past_slots};
use crate::base::{ErrorKind, Timestamp};
use crate::dag::DagDef;
use crate::journal::Journal;
use crate::run::RunType;
use crate::schedule::{Schedule, SlotFate, is_of_events};

/// How many runs, records and notes are read.
const READ: u32 = 2_000;

/// The slots of a DAG that have passed since a point in time, in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlotCounts {
    /// Since when: later than asked if there are too many slots since then.
    pub(crate) since: Timestamp,
    /// All slots, with and without a run. 0 for a DAG that has event parameters only.
    pub(crate) slots: u64,
    /// Those without a run by their fates, also those that wait.
    pub(crate) without_run: BTreeMap<String, u64>,
    /// Why the latest of them has no run, of those that neither wait nor have failed.
    pub(crate) reason: String,
}

impl SlotCounts {
    /// How many slots without a run have this fate.
    pub(crate) fn of(&self, fate: &str) -> u64 {
        self.without_run.get(fate).copied().unwrap_or(0)
    }
}

/// Counts the slots of a DAG since a point in time, at most the last 2,000 runs and records. Events
/// that became no runs are counted if the DAG has no schedule.
///
/// # Errors
///
/// When the store cannot be read.
pub(crate) async fn slot_counts(journal: &Journal, dag: &DagDef, since: Timestamp) -> Result<SlotCounts, OpsError> {
    let mut counts = SlotCounts { since, slots: 0, without_run: BTreeMap::new(), reason: String::new() };
    let past = match past_slots(journal, dag, READ).await {
        Ok(past) => past,
        Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Damaged) => return Ok(counts),
        Err(error) => return Err(error),
    };
    let oldest = past.last().filter(|_| past.len() >= READ as usize).map(|oldest| oldest.last);
    let since = oldest.map_or(since, |oldest| oldest.max(since));
    counts.since = since;
    let schedule = schedule_of_any(dag)?;
    let first_seen = stored_state(journal, dag).await?.map_or(since, |(state, _)| state.first_seen);
    let is_of_slot = |slot: &&PastSlots| matches!(slot.run_type, Some(RunType::Scheduled | RunType::Backfill));
    let lately = past.iter().filter(|slot| slot.last >= since);
    let runs: BTreeSet<Timestamp> = lately.clone().filter(is_of_slot).map(|slot| slot.last).collect();
    counts.slots = runs.len() as u64;
    for of in lately.filter(|slot| slot.run.is_none() && slot.note.is_none()) {
        if schedule.is_some() && is_of_events(&of.reason) {
            continue;
        }
        // A backfill has run some of those that had no run.
        let filled = runs.range(of.first.max(since).min(of.last)..=of.last).count() as u64;
        let count = count_since(of, since, schedule.as_ref(), first_seen).saturating_sub(filled);
        if count > 0 {
            counts.slots += count;
            *counts.without_run.entry(of.fate.clone()).or_default() += count;
            if counts.reason.is_empty() && of.fate != WAITING && of.fate != SlotFate::Failed.name() {
                counts.reason.clone_from(&of.reason);
            }
        }
    }
    if schedule.is_none() {
        counts.slots = 0;
    }
    Ok(counts)
}

/// How many of the slots of a record are not before a point in time, at which the last one is or
/// after it. All of them if no timetable names them.
fn count_since(of: &PastSlots, since: Timestamp, schedule: Option<&Schedule>, first_seen: Timestamp) -> u64 {
    let Some(schedule) = schedule.filter(|_| of.first < since && of.count > 1) else { return of.count };
    let named = asking(|| {
        let last = schedule.before(of.last, first_seen);
        let all = std::iter::successors(last, |slot| schedule.before(just_before(slot.at), first_seen));
        all.take_while(|slot| slot.at >= since).zip(0..of.count).count() as u64
    });
    named.map_or(of.count, |named| named.max(1))
}
