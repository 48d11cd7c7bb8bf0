//! What a backfill would do.
//!
//! A preview and the start of a backfill are one computation: both decide every slot with the
//! functions that carry the backfill out. A preview returns a token, which names its time and a
//! checksum of the request and of everything that it decided. A start with the token repeats the
//! computation for that time, and is refused if the request or the outcome differs.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::OpsError;
use super::schedules::schedule_of;
use super::takes_interval::takes_interval;
use crate::base::Timestamp;
use crate::base::schema::Schema;
use crate::dag::DagDef;
use crate::journal::{Journal, StoredBackfill};
use crate::schedule::{
    BackfillError, BackfillFate, BackfillOrder, BackfillPlan, BackfillRequest, BackfillScope, FutureSlots, LeftAlone,
    Schedule, SharedSlots, SlotRange, SlotRuns,
};

/// How many slots are decided at a time, which bounds the memory of a preview.
const WINDOW: usize = 10_000;
/// How many slots a preview names one by one.
const NAMED: usize = 10_000;

/// What a backfill would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct BackfillPreview {
    /// The DAG.
    pub dag_id: String,
    /// Its schedule in words.
    pub schedule: String,
    /// The time zone of the schedule.
    pub timezone: String,
    /// The ranges, without the future.
    pub ranges: Vec<SlotRange>,
    /// Which slots are run.
    pub scope: BackfillScope,
    /// The order.
    pub order: BackfillOrder,
    /// How many of its runs may be active at once.
    pub limit: u32,
    /// Whether one run covers all slots.
    pub as_one_run: bool,
    /// How many slots it has, and what becomes of them.
    #[serde(flatten)]
    pub totals: BackfillTotals,
    /// The slots by what becomes of them.
    pub fates: Vec<BackfillFateCount>,
    /// The first slots, and what becomes of each: `new`, `reprocessed` or `left_alone`. Documents
    /// do not have them.
    #[serde(skip)]
    pub first_slots: Vec<(Timestamp, &'static str)>,
    /// Slots that lie in the future, and are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub future: Option<FutureSlots>,
    /// Other backfills with pending slots in common: then it cannot be started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overlaps: Vec<BackfillOverlap>,
    /// For [`start_backfill`](super::start_backfill), which then starts exactly this.
    pub token: String,
}

/// How many slots a backfill has, and what becomes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct BackfillTotals {
    /// All slots.
    pub slots: u64,
    /// Slots that become new runs.
    pub new: u64,
    /// Slots whose runs are reprocessed.
    pub reprocessed: u64,
    /// Slots that are left alone.
    pub left_alone: u64,
}

impl fmt::Display for BackfillTotals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BackfillTotals { new, reprocessed, left_alone, .. } = self;
        write!(f, "{new} new, {reprocessed} reprocessed and {left_alone} left alone")
    }
}

/// The slots of a backfill that share their fate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct BackfillFateCount {
    /// `new`, `reprocessed` or `left_alone`.
    pub fate: Cow<'static, str>,
    /// Why they are left alone, or how they are reprocessed.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub reason: Cow<'static, str>,
    /// How many they are.
    pub count: u64,
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
}

/// Another backfill with pending slots in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct BackfillOverlap {
    /// Its number.
    pub backfill: i64,
    /// The slots.
    #[serde(flatten)]
    pub shared: SharedSlots,
}

/// Reports what a backfill of a DAG would do now. Changes nothing.
///
/// The limit is at most the `max_active_runs` that the DAG declares.
///
/// # Errors
///
/// When the DAG has no schedule or its schedule does not allow the backfill, or the store cannot be
/// read.
pub async fn preview_backfill(
    journal: Option<&Journal>,
    dag: &'static DagDef,
    request: &BackfillRequest,
) -> Result<BackfillPreview, OpsError> {
    let now = journal.map_or_else(Timestamp::now, Journal::now);
    let survey = Survey::of(journal, dag, request, now).await?;
    let others = match journal {
        Some(journal) => open_beside(journal, dag.id, 0).await?,
        None => Vec::new(),
    };
    Ok(survey.preview(dag, &others))
}

/// A plan that is not started, and what becomes of its slots.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) schedule: Schedule,
    pub(super) plan: BackfillPlan,
    pub(super) totals: BackfillTotals,
    pub(super) token: Token,
    fates: Vec<BackfillFateCount>,
    first_slots: Vec<(Timestamp, &'static str)>,
    future: Option<FutureSlots>,
}

impl Survey {
    /// Decides all slots of a request. `now` ends the past.
    pub(super) async fn of(
        journal: Option<&Journal>,
        dag: &'static DagDef,
        request: &BackfillRequest,
        now: Timestamp,
    ) -> Result<Self, OpsError> {
        let schedule = schedule_of(dag)?;
        let refused = |source| OpsError::Backfill { dag: dag.id.to_owned(), source };
        let mut request = request.clone();
        request.limit = limited(dag, request.limit);
        let (plan, future) = BackfillPlan::new(&schedule, request, now).map_err(refused)?;
        if plan.request.as_one_run && !takes_interval(dag, now)? {
            return Err(refused(BackfillError::IntervalNotTaken));
        }
        let mut hash = Sha256::new();
        hash.update(serde_json::to_vec(&(dag.id, &plan.request)).unwrap_or_default());
        let mut fates: Vec<BackfillFateCount> = Vec::new();
        let mut first_slots = Vec::new();
        // What becomes of a slot does not depend on the order.
        let mut walk = plan.clone();
        walk.request.order = BackfillOrder::Oldest;
        while !walk.pending.is_empty() {
            let window = walk.window(&schedule, WINDOW);
            let runs = match journal {
                Some(journal) => journal.runs_of_slots(dag.id, &window.ranges()).await?,
                None => SlotRuns::new(),
            };
            for (at, fate) in walk.survey(&window, &runs) {
                let (name, reason) = named(fate);
                hash.update(at.as_nanos().to_be_bytes());
                hash.update(name);
                if first_slots.len() < NAMED {
                    first_slots.push((at, name));
                }
                match fates.iter_mut().find(|found| (&*found.fate, &*found.reason) == (name, reason)) {
                    Some(found) => (found.count, found.last) = (found.count + 1, at),
                    None => fates.push(BackfillFateCount {
                        fate: name.into(),
                        reason: reason.into(),
                        count: 1,
                        first: at,
                        last: at,
                    }),
                }
            }
        }
        let counts = &walk.counts;
        let totals = BackfillTotals {
            slots: counts.decided(),
            new: counts.new,
            reprocessed: counts.again,
            left_alone: counts.left.values().sum(),
        };
        let digest = hash.finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        let token = Token { at: now, totals, hash: u64::from_be_bytes(first) };
        Ok(Survey { schedule, plan: plan.counted(totals.slots), totals, token, fates, first_slots, future })
    }

    /// Why no slot would be run.
    pub(super) fn left(&self) -> String {
        let reasons = self.fates.iter().map(|fate| match fate.count {
            1 => format!("the slot {} {}", fate.first, fate.reason),
            count => format!("{count} slots: each {}", fate.reason),
        });
        reasons.collect::<Vec<_>>().join("; ")
    }

    pub(super) fn preview(self, dag: &DagDef, others: &[StoredBackfill]) -> BackfillPreview {
        let overlap = |other: &StoredBackfill| {
            let shared = self.plan.overlap(&other.plan, &self.schedule)?;
            Some(BackfillOverlap { backfill: other.number, shared })
        };
        let overlaps = others.iter().filter_map(overlap).collect();
        let BackfillRequest { ranges, scope, order, limit, as_one_run, .. } = self.plan.request;
        BackfillPreview {
            dag_id: dag.id.to_owned(),
            schedule: self.schedule.recurrence.describe(),
            timezone: dag.options.timezone.unwrap_or("UTC").to_owned(),
            ranges,
            scope,
            order,
            limit,
            as_one_run,
            totals: self.totals,
            fates: self.fates,
            first_slots: self.first_slots,
            future: self.future,
            overlaps,
            token: self.token.to_string(),
        }
    }
}

/// A limit within the `max_active_runs` that the DAG declares.
pub(super) fn limited(dag: &DagDef, limit: u32) -> u32 {
    dag.options.max_active_runs.map_or(limit, |declared| limit.min(declared))
}

/// The open plans of a DAG but one, by number.
pub(super) async fn open_beside(journal: &Journal, dag: &str, number: i64) -> Result<Vec<StoredBackfill>, OpsError> {
    let mut beside = Vec::new();
    for other in journal.open_backfills().await? {
        match other {
            Ok(other) if other.dag == dag && other.number != number => beside.push(other),
            // Which slots it has is not known.
            Err(damaged) if damaged.dag == dag => return Err(damaged.error.into()),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(beside)
}

fn named(fate: BackfillFate) -> (&'static str, &'static str) {
    match fate {
        BackfillFate::New => ("new", ""),
        BackfillFate::Again => ("reprocessed", "its run is cleared"),
        BackfillFate::Sibling => ("reprocessed", "with other parameters, as a run beside the one it has"),
        BackfillFate::Left(
            reason @ (LeftAlone::HasRun | LeftAlone::InFlight | LeftAlone::NotFailed | LeftAlone::NoRun),
        ) => ("left_alone", reason.describe()),
    }
}

/// The token of a preview: its time, its totals and a checksum of its decisions, in hexadecimal
/// digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) at: Timestamp,
    pub(super) totals: BackfillTotals,
    hash: u64,
}

impl Token {
    pub(super) fn read(text: &str) -> Result<Self, OpsError> {
        let invalid = || OpsError::InvalidToken { token: text.to_owned() };
        let numbers = text.split('.').map(|part| u64::from_str_radix(part, 16));
        let numbers: Vec<u64> = numbers.collect::<Result<_, _>>().map_err(|_| invalid())?;
        let [at, new, reprocessed, left_alone, hash] = numbers[..] else { return Err(invalid()) };
        let slots = new.checked_add(reprocessed).and_then(|slots| slots.checked_add(left_alone)).ok_or_else(invalid)?;
        let totals = BackfillTotals { slots, new, reprocessed, left_alone };
        Ok(Token { at: Timestamp::from_nanos(at.cast_signed()), totals, hash })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BackfillTotals { new, reprocessed, left_alone, .. } = self.totals;
        let at = self.at.as_nanos().cast_unsigned();
        write!(f, "{at:x}.{new:x}.{reprocessed:x}.{left_alone:x}.{:016x}", self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written() {
        let totals = BackfillTotals { slots: 30, new: 17, reprocessed: 3, left_alone: 10 };
        let token = Token { at: Timestamp::from_nanos(1_772_000_000_123_456_789), totals, hash: 7 };
        assert_eq!(Token::read(&token.to_string()).unwrap(), token);
        for text in ["", "1", "1.2.3.4", "1.2.3.4.5.6", "1.2.3.4.x", "1.-2.3.4.5", "1.ffffffffffffffff.1.1.1"] {
            assert!(matches!(Token::read(text), Err(OpsError::InvalidToken { .. })), "{text}");
        }
    }
}
