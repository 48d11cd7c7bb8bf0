//! What a backfill is asked to do, and when that is refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::plan::{BackfillCounts, BackfillPhase, BackfillPlan};
use super::slots::{FutureSlots, after, before, first_in, future_of};
use crate::base::Timestamp;
use crate::base::schema::Schema;
use crate::schedule::policy::{BackfillOrder, BackfillScope};
use crate::schedule::spec::{Recurrence, Schedule, just_before};
use crate::schedule::state::Span;

/// What a backfill is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackfillRequest {
    /// The slots: those in any of these ranges.
    pub ranges: Vec<SlotRange>,
    /// The order of the slots.
    pub order: BackfillOrder,
    /// Seeds the random order.
    pub seed: u64,
    /// Which of the slots are run.
    pub scope: BackfillScope,
    /// How many of its runs may be active at once. At least 1.
    pub limit: u32,
    /// Whether one run covers the whole range.
    pub as_one_run: bool,
    /// The texts of the parameters that were given, by name. All others have their defaults.
    pub params: BTreeMap<String, Vec<String>>,
}

impl Default for BackfillRequest {
    fn default() -> Self {
        BackfillRequest {
            ranges: Vec::new(),
            order: BackfillOrder::Oldest,
            seed: 0,
            scope: BackfillScope::Missing,
            limit: 1,
            as_one_run: false,
            params: BTreeMap::new(),
        }
    }
}

/// A range of slots. Both ends are inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
pub struct SlotRange {
    /// No slot before this time.
    pub from: Timestamp,
    /// No slot after this time.
    pub to: Timestamp,
}

impl SlotRange {
    /// The range of one slot.
    pub fn slot(at: Timestamp) -> Self {
        SlotRange { from: at, to: at }
    }

    pub(super) fn span(self) -> Span {
        Span::new(just_before(self.from), self.to)
    }
}

/// A request cannot be a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackfillError {
    /// The schedule has no slots in the past that could be computed.
    #[error("a schedule that is due {0} has no slots to backfill")]
    NoTimetable(String),
    /// The end of a range lies before its start.
    #[error("the range ends at {to}, before it starts at {from}")]
    EmptyRange {
        /// The start.
        from: Timestamp,
        /// The end.
        to: Timestamp,
    },
    /// A time that was given is no slot.
    #[error("{at} is not a slot{}", nearest(*before, *after))]
    NotASlot {
        /// The time.
        at: Timestamp,
        /// The last slot before it.
        before: Option<Timestamp>,
        /// The first slot after it.
        after: Option<Timestamp>,
    },
    /// No slot of the schedule lies in the ranges, or all of them lie in the future.
    #[error("no slot of the schedule lies in that range{}", first_future(*.future))]
    NoSlots {
        /// The first slot of the range, which lies in the future.
        future: Option<Timestamp>,
    },
    /// Runs that depend on the run before can only run in order.
    #[error("the order `{0}` does not go with `after_previous`: each run needs the success of the one before it")]
    AfterPrevious(BackfillOrder),
    /// One run for a range needs a data interval.
    #[error("the slots have no data intervals, so one run cannot cover a range of them")]
    WithoutIntervals,
    /// One run for a range needs something that takes the data interval of the run. It would do the
    /// work of the last slot otherwise.
    #[error(
        "nothing in it takes the data interval, so one run for a range would only do the work of the last slot; \
         give it a parameter such as `#[param(default = |run| run.data_interval())] span: Interval`, or make a run for \
         each slot"
    )]
    IntervalNotTaken,
    /// One run covers one range.
    #[error("one run can cover one range, not several")]
    SeveralRanges,
    /// The limit is 0.
    #[error("a limit of 0 would never start a run; `pause` does that")]
    NoLimit,
    /// The new end is not later than the present one.
    #[error("the backfill already ends at {0}")]
    NotLater(Timestamp),
    /// A plan that is one run, or in random order, has its slots from the beginning.
    #[error("{0} cannot be extended; start another one for the later slots")]
    NotExtensible(&'static str),
}

fn nearest(before: Option<Timestamp>, after: Option<Timestamp>) -> String {
    let near: Vec<String> = before.into_iter().chain(after).map(|slot| slot.to_string()).collect();
    if near.is_empty() { String::new() } else { format!("; the nearest are {}", near.join(" and ")) }
}

fn first_future(future: Option<Timestamp>) -> String {
    future.map(|first| format!(" before now; the first one comes at {first}")).unwrap_or_default()
}

impl BackfillPlan {
    /// The plan of a request. Slots after `now` are no part of it; a slot at `now` is, because its
    /// interval is complete. The caller has yet to tell it [how many slots it has](Self::counted).
    ///
    /// # Errors
    ///
    /// When the schedule does not allow the request, or no slot is left.
    pub fn new(
        schedule: &Schedule,
        request: BackfillRequest,
        now: Timestamp,
    ) -> Result<(Self, Option<FutureSlots>), BackfillError> {
        if !matches!(schedule.recurrence, Recurrence::Timetable(_)) {
            return Err(BackfillError::NoTimetable(schedule.recurrence.describe()));
        }
        if request.limit == 0 {
            return Err(BackfillError::NoLimit);
        }
        if schedule.after_previous && request.order != BackfillOrder::Oldest {
            return Err(BackfillError::AfterPrevious(request.order));
        }
        let asked = in_order(schedule, &request.ranges)?;
        if request.as_one_run && asked.len() != 1 {
            return Err(BackfillError::SeveralRanges);
        }
        let future = future_of(schedule, &asked, now);
        let ranges: Vec<SlotRange> = asked
            .into_iter()
            .filter(|range| range.from <= now)
            .map(|range| SlotRange { to: range.to.min(now), ..range })
            .collect();
        let pending: Vec<Span> = ranges.iter().map(|range| range.span()).collect();
        let first = pending.iter().find_map(|&span| first_in(schedule, span));
        let Some(first) = first else {
            return Err(BackfillError::NoSlots { future: future.map(|future| future.first) });
        };
        if request.as_one_run && first.interval.is_none() {
            return Err(BackfillError::WithoutIntervals);
        }
        let plan = BackfillPlan {
            history: Vec::new(),
            requested_by: Vec::new(),
            request: BackfillRequest { ranges, ..request },
            phase: BackfillPhase::Active,
            total: 0,
            pending,
            shuffle: None,
            active: Vec::new(),
            counts: BackfillCounts::default(),
            failed: Vec::new(),
            failed_since: 0,
            trouble: None,
            fingerprint: schedule.recurrence.fingerprint(),
        };
        Ok((plan, future))
    }
}

/// The ranges in ascending order, merged where they meet.
fn in_order(schedule: &Schedule, ranges: &[SlotRange]) -> Result<Vec<SlotRange>, BackfillError> {
    for &SlotRange { from, to } in ranges {
        if from > to {
            return Err(BackfillError::EmptyRange { from, to });
        }
        if from == to && before(schedule, to).is_none_or(|slot| slot.at != to) {
            let (before, after) = (before(schedule, to), after(schedule, to));
            let (before, after) = (before.map(|slot| slot.at), after.map(|slot| slot.at));
            return Err(BackfillError::NotASlot { at: to, before, after });
        }
    }
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable_by_key(|range| range.from);
    let mut merged: Vec<SlotRange> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match merged.last_mut() {
            Some(last) if range.from <= last.to => last.to = last.to.max(range.to),
            _ => merged.push(range),
        }
    }
    Ok(merged)
}
