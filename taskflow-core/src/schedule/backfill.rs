//! Backfills: plans that run past slots of a schedule, and the step that decides what becomes of
//! each slot.
//!
//! # Protocol
//!
//! 1. [`BackfillPlan::new`] checks a request and cuts its ranges at the present time. Slots that
//!    nobody has decided lie in the spans of `pending`. A plan stores no list of slots: the
//!    timetable computes them again, so a plan over years of minutes is as small as one over a day.
//! 2. [`BackfillPlan::window`] returns the next slots in the order of the plan. The caller looks up
//!    the runs that these slots have.
//! 3. [`BackfillPlan::step`] first notes which runs of the plan have ended, and then decides the
//!    slots of the window, one after the other, until there is no room for another run.
//!    [`BackfillPlan::survey`] decides them without looking for room: a preview.
//! 4. The caller stores the new plan and the new runs in one transaction. A crash before that
//!    repeats the step; a crash afterwards loses nothing, because the plan lists the slots whose
//!    runs are active.
//! 5. A run that is to be reprocessed is cleared after the plan is stored. Until its time of ending
//!    differs from the stored one, each step asks for that again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::backfill_order::Shuffle;
use super::policy::{BackfillOrder, BackfillScope};
use super::slot::Slot;
use super::spec::{Recurrence, Schedule, just_before};
use super::state::Span;
use crate::base::{Interval, Timestamp};

/// A plan pauses itself when so many of its runs have failed since somebody last resumed it.
pub const MAX_FAILURES: u32 = 1_000;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

    fn span(self) -> Span {
        Span::new(just_before(self.from), self.to)
    }
}

/// A backfill that was started: what it was asked to do, and how far it got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillPlan {
    /// What people did with it, oldest first: somebody started it.
    pub history: Vec<BackfillAction>,
    /// What it was asked to do. Its ranges are in order, disjoint, and end at the latest when the
    /// plan was made.
    pub request: BackfillRequest,
    /// Whether it is carried out.
    pub phase: BackfillPhase,
    /// How many slots it has.
    pub total: u64,
    /// Spans whose slots are not decided yet, oldest first.
    pub pending: Vec<Span>,
    /// The place in a random order.
    pub shuffle: Option<Shuffle>,
    /// The slots whose runs are active.
    pub active: Vec<ActiveSlot>,
    /// What became of the slots that are decided.
    pub counts: BackfillCounts,
    /// The slots whose runs have failed, or could not be made.
    pub failed: Vec<Timestamp>,
    /// How many runs failed since the plan was last started or resumed.
    pub failed_since: u32,
    /// Why the last run could not be made.
    #[serde(default)]
    pub trouble: Option<String>,
    /// The timetable that the slots are computed with.
    pub fingerprint: String,
}

/// Something that somebody did with a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillAction {
    /// When.
    pub at: Timestamp,
    /// What: `started`, `paused`, `limit set to 4`.
    pub what: String,
    /// Who.
    pub by: String,
    /// Why; may be empty.
    pub reason: String,
}

/// Whether a plan is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum BackfillPhase {
    /// A service carries it out.
    Active,
    /// No run of it starts.
    Paused {
        /// Who paused it.
        by: String,
        /// Why; may be empty.
        reason: String,
        /// Since when.
        since: Timestamp,
    },
    /// Its pending slots were dropped. Runs that were active may still be.
    Cancelled {
        /// Who cancelled it.
        by: String,
        /// Why; may be empty.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// All its slots are decided, and all its runs have ended.
    Done {
        /// When.
        at: Timestamp,
    },
}

impl BackfillPhase {
    /// The name in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            BackfillPhase::Active => "active",
            BackfillPhase::Paused { .. } => "paused",
            BackfillPhase::Cancelled { .. } => "cancelled",
            BackfillPhase::Done { .. } => "done",
        }
    }
}

/// A slot whose run is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveSlot {
    /// The slot.
    pub at: Timestamp,
    /// Which run of the slot it is.
    pub run: ActiveRun,
}

/// Which run of a slot a plan has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActiveRun {
    /// The run of the slot, which is new.
    New,
    /// The run of the slot, which is cleared and runs again.
    Again {
        /// When it had ended before. As long as it still has, it is not cleared yet.
        ended: Option<Timestamp>,
    },
    /// A run beside that of the slot, with other parameters.
    Sibling,
    /// The run of the whole range.
    Whole {
        /// The range.
        interval: Interval,
    },
}

/// What became of the slots that are decided. The counts of slots are `new`, `again`, `left` and
/// `dropped`; the others count ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackfillCounts {
    /// They became new runs.
    pub new: u64,
    /// Their runs were reprocessed.
    pub again: u64,
    /// They were left alone.
    pub left: BTreeMap<LeftAlone, u64>,
    /// They were pending when the plan was cancelled.
    pub dropped: u64,
    /// Runs that succeeded.
    pub success: u64,
    /// Runs that failed, or could not be made.
    pub failed: u64,
    /// Runs that were cancelled, or deleted before their end was noted.
    pub cancelled: u64,
}

impl BackfillCounts {
    /// How many slots are decided.
    pub fn decided(&self) -> u64 {
        self.new + self.again + self.left.values().sum::<u64>() + self.dropped
    }

    fn take(&mut self, fate: BackfillFate) {
        match fate {
            BackfillFate::New => self.new += 1,
            BackfillFate::Again | BackfillFate::Sibling => self.again += 1,
            BackfillFate::Left(reason) => *self.left.entry(reason).or_default() += 1,
        }
    }
}

/// What becomes of a slot of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BackfillFate {
    /// It becomes a run.
    New,
    /// Its run is cleared and runs again.
    Again,
    /// A run with the parameters of the plan is made beside the one that it has.
    Sibling,
    /// It is left alone.
    Left(LeftAlone),
}

/// Why a slot is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftAlone {
    /// It has a run, and only missing ones are run.
    HasRun,
    /// Its run is queued, running or interrupted.
    InFlight,
    /// Its run has not failed, and only failed ones are run.
    NotFailed,
    /// It has no run, and only failed ones are run.
    NoRun,
}

impl LeftAlone {
    /// The reason in words, after "is left alone:".
    pub const fn describe(self) -> &'static str {
        match self {
            LeftAlone::HasRun => "has a run",
            LeftAlone::InFlight => "its run has not ended",
            LeftAlone::NotFailed => "its run has not failed",
            LeftAlone::NoRun => "has no run",
        }
    }
}

/// The run that a slot has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotRun {
    /// Its state.
    pub state: SlotRunState,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// The state of the run of a slot, as far as a plan distinguishes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlotRunState {
    /// It is queued, running or interrupted.
    InFlight,
    /// It succeeded.
    Success,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// Runs by slot.
pub type SlotRuns = BTreeMap<Timestamp, SlotRun>;

/// The next slots of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackfillWindow {
    slots: Vec<Placed>,
    /// Whether no slots of the plan follow these.
    is_last: bool,
}

/// A slot, and where it is from: its span, or its place in a random order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Placed {
    slot: Slot,
    cell: u64,
}

impl BackfillWindow {
    /// The slots, in the order of the plan.
    pub fn slots(&self) -> impl ExactSizeIterator<Item = Slot> {
        self.slots.iter().map(|placed| placed.slot)
    }

    /// Disjoint ranges that contain the slots: where their runs are to be looked for.
    pub fn ranges(&self) -> Vec<SlotRange> {
        let groups = self.slots.chunk_by(|one, next| one.cell == next.cell);
        let ranges = groups.filter_map(|group| {
            let (first, last) = (group.first()?.slot.at, group.last()?.slot.at);
            Some(SlotRange { from: first.min(last), to: first.max(last) })
        });
        ranges.collect()
    }
}

/// What a step needs to know beside the plan.
#[derive(Clone, Copy, Debug)]
pub struct BackfillSituation<'a> {
    /// The time.
    pub now: Timestamp,
    /// How many runs of the plan may start, whatever its own limit is.
    pub room: u32,
    /// The runs that the slots of the window have.
    pub runs: &'a SlotRuns,
    /// The runs of the active slots of the plan.
    pub own: &'a SlotRuns,
}

/// What a step decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackfillStep {
    /// The new plan.
    pub plan: BackfillPlan,
    /// What to do, in order.
    pub decisions: Vec<BackfillDecision>,
    /// Why the next slot is not decided.
    pub waits: Option<BackfillWaits>,
}

/// What to do for a slot of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackfillDecision {
    /// The slot becomes a run. With `sibling`, one beside the run that the slot has.
    Start {
        /// The slot; for a plan that is one run, its last slot with the interval of the range.
        slot: Slot,
        /// Which run it is.
        run: ActiveRun,
    },
    /// The run of the slot is cleared, once the plan is stored.
    Clear {
        /// The slot.
        at: Timestamp,
    },
    /// The run of the slot has ended.
    Ended {
        /// The slot.
        at: Timestamp,
        /// How.
        state: SlotRunState,
    },
}

/// Why the next slot of a plan is not decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackfillWaits {
    /// As many runs are active as may be.
    ForRoom,
    /// The run of this slot has to succeed before: `after_previous`.
    ForPrevious(Timestamp),
    /// Nothing: the next window decides more slots.
    ForWindow,
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
    NoIntervals,
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

/// The slots of a request that lie in the future, and are no part of its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FutureSlots {
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
}

/// Slots that two plans share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SharedSlots {
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
    /// How many they are.
    pub count: u64,
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
            return Err(BackfillError::NoIntervals);
        }
        let plan = BackfillPlan {
            history: Vec::new(),
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

    /// The plan, which has so many slots.
    #[must_use]
    pub fn counted(mut self, total: u64) -> Self {
        self.total = total;
        if self.request.order == BackfillOrder::Random && !self.request.as_one_run {
            self.shuffle = Some(Shuffle::new(self.request.seed, total));
        }
        self
    }

    /// How many slots are not decided.
    pub fn remaining(&self) -> u64 {
        self.total.saturating_sub(self.counts.decided())
    }

    /// Whether there may be something left to do: slots to decide, or runs to wait for.
    pub fn is_open(&self) -> bool {
        !self.active.is_empty() || matches!(self.phase, BackfillPhase::Active | BackfillPhase::Paused { .. })
    }

    /// Its next slots, at most `count`.
    pub fn window(&self, schedule: &Schedule, count: usize) -> BackfillWindow {
        let mut slots = Vec::new();
        match (&self.shuffle, self.request.order) {
            (Some(shuffle), _) => {
                for (cell, spans) in shuffle.cells(&self.pending) {
                    let found = spans.into_iter().flat_map(|span| slots_in(schedule, span));
                    slots.extend(found.map(|slot| Placed { slot, cell }).take(count - slots.len()));
                    if slots.len() >= count {
                        break;
                    }
                }
            }
            (None, BackfillOrder::Newest) => {
                let found = (0_u64..)
                    .zip(self.pending.iter().rev())
                    .flat_map(|(cell, &span)| slots_back(schedule, span).map(move |slot| Placed { slot, cell }));
                slots.extend(found.take(count));
            }
            (None, BackfillOrder::Oldest | BackfillOrder::Random) => {
                let found = (0_u64..)
                    .zip(&self.pending)
                    .flat_map(|(cell, &span)| slots_in(schedule, span).map(move |slot| Placed { slot, cell }));
                slots.extend(found.take(count));
            }
        }
        BackfillWindow { is_last: slots.len() < count, slots }
    }

    /// Decides all slots of a window as a step with enough room would. Returns them in order.
    ///
    /// Only the counts and the place of the plan change: no slot becomes active.
    pub fn survey(&mut self, window: &BackfillWindow, runs: &SlotRuns) -> Vec<(Timestamp, BackfillFate)> {
        let fates = window.slots.iter().map(|&placed| {
            let fate = self.fate(runs.get(&placed.slot.at));
            self.take(placed, fate);
            (placed.slot.at, fate)
        });
        let fates = fates.collect();
        self.end_of(window);
        fates
    }

    /// Decides what happens to the plan now: notes which of its runs have ended, then starts runs
    /// for the slots of a window, while there is room.
    pub fn step(
        mut self,
        schedule: &Schedule,
        window: &BackfillWindow,
        situation: &BackfillSituation<'_>,
    ) -> BackfillStep {
        let mut decisions = Vec::new();
        let mut waits = self.note_ends(schedule, situation, &mut decisions);
        self.note_trouble(schedule, situation.now);
        if self.phase == BackfillPhase::Active && waits.is_none() {
            waits = match self.request.as_one_run {
                true => self.start_whole(schedule, situation, &mut decisions),
                false => self.start(schedule, window, situation, &mut decisions),
            };
        }
        if self.phase == BackfillPhase::Active && self.pending.is_empty() && self.active.is_empty() {
            self.phase = BackfillPhase::Done { at: situation.now };
        }
        BackfillStep { plan: self, decisions, waits }
    }

    /// Removes the runs that have ended from the active ones. With `after_previous`, a run that did
    /// not succeed stays, and the plan waits for it.
    fn note_ends(
        &mut self,
        schedule: &Schedule,
        situation: &BackfillSituation<'_>,
        decisions: &mut Vec<BackfillDecision>,
    ) -> Option<BackfillWaits> {
        let mut waits = None;
        let is_cancelled = matches!(self.phase, BackfillPhase::Cancelled { .. });
        for active in std::mem::take(&mut self.active) {
            let at = active.at;
            let run = situation.own.get(&at);
            let state = run.map_or(SlotRunState::Cancelled, |run| run.state);
            match (state, active.run, run) {
                (SlotRunState::InFlight, ..) => self.active.push(active),
                (_, ActiveRun::Again { ended }, Some(run)) if run.ended == ended => {
                    decisions.push(BackfillDecision::Clear { at });
                    self.active.push(active);
                }
                (SlotRunState::Failed | SlotRunState::Cancelled, _, Some(_))
                    if schedule.after_previous && !is_cancelled =>
                {
                    self.active.push(active);
                    waits = Some(BackfillWaits::ForPrevious(at));
                }
                _ => {
                    self.note_end(at, state);
                    decisions.push(BackfillDecision::Ended { at, state });
                }
            }
        }
        waits
    }

    fn note_end(&mut self, at: Timestamp, state: SlotRunState) {
        match state {
            SlotRunState::InFlight => {}
            SlotRunState::Success => self.counts.success += 1,
            SlotRunState::Cancelled => self.counts.cancelled += 1,
            SlotRunState::Failed => {
                self.counts.failed += 1;
                self.failed_since += 1;
                self.failed.push(at);
            }
        }
    }

    /// Notes that the run of a slot, which a step decided to start or to clear, could not be made or
    /// cleared. With `after_previous` the plan is paused, because the next run would need it.
    pub fn note_not_made(&mut self, schedule: &Schedule, at: Timestamp, reason: String, now: Timestamp) {
        self.active.retain(|active| active.at != at);
        self.note_end(at, SlotRunState::Failed);
        if matches!(self.phase, BackfillPhase::Done { .. }) {
            self.phase = BackfillPhase::Active;
        }
        if schedule.after_previous && self.phase == BackfillPhase::Active {
            let reason = format!("the run of the slot {at} could not be made: {reason}");
            self.phase = BackfillPhase::Paused { by: "the service".to_owned(), reason, since: now };
        }
        self.trouble = Some(reason);
    }

    /// Pauses a plan that should not go on by itself.
    fn note_trouble(&mut self, schedule: &Schedule, now: Timestamp) {
        let fingerprint = schedule.recurrence.fingerprint();
        let reason = if self.fingerprint != fingerprint {
            format!("the timetable has changed from `{}` to `{fingerprint}`", self.fingerprint)
        } else if self.failed_since >= MAX_FAILURES {
            format!("{} of its runs have failed", self.failed_since)
        } else {
            return;
        };
        if self.phase == BackfillPhase::Active {
            self.phase = BackfillPhase::Paused { by: "the service".to_owned(), reason, since: now };
        }
    }

    fn start(
        &mut self,
        schedule: &Schedule,
        window: &BackfillWindow,
        situation: &BackfillSituation<'_>,
        decisions: &mut Vec<BackfillDecision>,
    ) -> Option<BackfillWaits> {
        let mut room = self.room(schedule, situation);
        for &placed in &window.slots {
            let slot = placed.slot;
            let run = situation.runs.get(&slot.at);
            let fate = self.fate(run);
            let active = match fate {
                BackfillFate::Left(_) => {
                    // The next slot would depend on this one.
                    if schedule.after_previous && run.is_some_and(|run| run.state != SlotRunState::Success) {
                        return Some(BackfillWaits::ForPrevious(slot.at));
                    }
                    self.take(placed, fate);
                    continue;
                }
                BackfillFate::New => ActiveRun::New,
                BackfillFate::Again => ActiveRun::Again { ended: run.and_then(|run| run.ended) },
                BackfillFate::Sibling => ActiveRun::Sibling,
            };
            if room == 0 {
                return Some(BackfillWaits::ForRoom);
            }
            room -= 1;
            self.take(placed, fate);
            self.active.push(ActiveSlot { at: slot.at, run: active });
            decisions.push(match active {
                ActiveRun::Again { .. } => BackfillDecision::Clear { at: slot.at },
                run => BackfillDecision::Start { slot, run },
            });
        }
        self.end_of(window);
        (!self.pending.is_empty()).then_some(BackfillWaits::ForWindow)
    }

    fn start_whole(
        &mut self,
        schedule: &Schedule,
        situation: &BackfillSituation<'_>,
        decisions: &mut Vec<BackfillDecision>,
    ) -> Option<BackfillWaits> {
        let (first, last) = self.pending.first().and_then(|&span| ends_of(schedule, span))?;
        if self.room(schedule, situation) == 0 {
            return Some(BackfillWaits::ForRoom);
        }
        let start = first.interval.map_or(first.at, |interval| interval.start);
        let interval = Interval { start, end: last.interval.map_or(last.at, |interval| interval.end) };
        let run = ActiveRun::Whole { interval };
        self.counts.new = self.total;
        self.pending.clear();
        self.active.push(ActiveSlot { at: last.at, run });
        decisions.push(BackfillDecision::Start { slot: Slot { at: last.at, interval: Some(interval) }, run });
        None
    }

    /// How many runs may start.
    fn room(&self, schedule: &Schedule, situation: &BackfillSituation<'_>) -> u32 {
        let active = u32::try_from(self.active.len()).unwrap_or(u32::MAX);
        let limit = if schedule.after_previous { 1 } else { self.request.limit };
        limit.saturating_sub(active).min(situation.room)
    }

    /// What becomes of a slot with this run.
    fn fate(&self, run: Option<&SlotRun>) -> BackfillFate {
        let scope = self.request.scope;
        if self.request.as_one_run {
            return BackfillFate::New;
        }
        let Some(run) = run else {
            return match scope {
                BackfillScope::Failed => BackfillFate::Left(LeftAlone::NoRun),
                BackfillScope::Missing | BackfillScope::All => BackfillFate::New,
            };
        };
        match (run.state, scope) {
            (SlotRunState::InFlight, _) => BackfillFate::Left(LeftAlone::InFlight),
            (_, BackfillScope::Missing) => BackfillFate::Left(LeftAlone::HasRun),
            (SlotRunState::Success | SlotRunState::Cancelled, BackfillScope::Failed) => {
                BackfillFate::Left(LeftAlone::NotFailed)
            }
            _ if self.request.params.is_empty() => BackfillFate::Again,
            _ => BackfillFate::Sibling,
        }
    }

    /// Counts a slot and moves past it.
    fn take(&mut self, Placed { slot: Slot { at, .. }, cell }: Placed, fate: BackfillFate) {
        self.counts.take(fate);
        if let Some(shuffle) = &mut self.shuffle {
            shuffle.advance(cell, at);
            return;
        }
        match self.request.order {
            BackfillOrder::Newest => {
                self.pending.retain(|span| span.after < at);
                if let Some(last) = self.pending.last_mut() {
                    last.until = just_before(at);
                }
            }
            BackfillOrder::Oldest | BackfillOrder::Random => {
                // Most slots lie in the first span.
                if self.pending.first().is_some_and(|span| span.until < at) {
                    self.pending.retain(|span| span.until >= at);
                }
                if let Some(first) = self.pending.first_mut() {
                    first.after = at;
                }
            }
        }
    }

    /// All slots of a window are decided.
    fn end_of(&mut self, window: &BackfillWindow) {
        if window.is_last {
            self.pending.clear();
            self.shuffle = None;
        }
    }

    /// Slots that are pending in both plans.
    pub fn overlap(&self, other: &BackfillPlan, schedule: &Schedule) -> Option<SharedSlots> {
        let mut shared: Option<SharedSlots> = None;
        for one in &self.pending {
            for two in &other.pending {
                let span = Span::new(one.after.max(two.after), one.until.min(two.until));
                for Slot { at, .. } in slots_in(schedule, span) {
                    let shared = shared.get_or_insert(SharedSlots { first: at, last: at, count: 0 });
                    (shared.last, shared.count) = (at, shared.count + 1);
                }
            }
        }
        shared
    }

    /// Adds the slots up to a later end. Returns the plan, how many slots that adds, and those that
    /// lie in the future.
    ///
    /// # Errors
    ///
    /// When the end is not later, no slot lies between, or such a plan cannot be extended.
    pub fn extend(
        mut self,
        schedule: &Schedule,
        to: Timestamp,
        now: Timestamp,
    ) -> Result<(Self, u64, Option<FutureSlots>), BackfillError> {
        if self.request.as_one_run {
            return Err(BackfillError::NotExtensible("a backfill that is one run"));
        }
        if self.request.order == BackfillOrder::Random {
            return Err(BackfillError::NotExtensible("a backfill in random order"));
        }
        let end = self.request.ranges.last().map_or(now, |range| range.to);
        if to <= end {
            return Err(BackfillError::NotLater(end));
        }
        let future = future_of(schedule, &[SlotRange { from: end, to }], now);
        let added = Span::new(end, to.min(now));
        let count = slots_in(schedule, added).count() as u64;
        if count == 0 {
            return Err(BackfillError::NoSlots { future: future.map(|future| future.first) });
        }
        if let Some(last) = self.request.ranges.last_mut() {
            last.to = added.until;
        }
        self.pending.push(added);
        self.total += count;
        if matches!(self.phase, BackfillPhase::Done { .. }) {
            self.phase = BackfillPhase::Active;
        }
        Ok((self, count, future))
    }

    /// Drops the pending slots. Active runs go on.
    pub fn cancel(&mut self, by: String, reason: String, at: Timestamp) {
        self.counts.dropped += self.remaining();
        self.pending.clear();
        self.shuffle = None;
        self.phase = BackfillPhase::Cancelled { by, reason, at };
    }

    /// Continues a paused plan, with the timetable that the schedule has now.
    pub fn resume(&mut self, schedule: &Schedule) {
        self.phase = BackfillPhase::Active;
        self.failed_since = 0;
        let fingerprint = schedule.recurrence.fingerprint();
        if self.fingerprint != fingerprint {
            self.fingerprint = fingerprint;
            let pending = self.pending.iter().flat_map(|&span| slots_in(schedule, span)).count() as u64;
            // A random order visits its cells, whichever slots they have now.
            self.total = self.counts.decided() + pending;
        }
    }
}

/// The ranges in ascending order, merged where they meet.
fn in_order(schedule: &Schedule, ranges: &[SlotRange]) -> Result<Vec<SlotRange>, BackfillError> {
    for &SlotRange { from, to } in ranges {
        if from > to {
            return Err(BackfillError::EmptyRange { from, to });
        }
        if from == to && !before(schedule, to).is_some_and(|slot| slot.at == to) {
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

/// The slots of ranges that lie in the future.
fn future_of(schedule: &Schedule, ranges: &[SlotRange], now: Timestamp) -> Option<FutureSlots> {
    let spans = ranges.iter().map(|range| Span::new(just_before(range.from).max(now), range.to));
    let ends: Vec<(Slot, Slot)> = spans.filter_map(|span| ends_of(schedule, span)).collect();
    Some(FutureSlots { first: ends.first()?.0.at, last: ends.last()?.1.at })
}

/// The first and the last slot of a span.
fn ends_of(schedule: &Schedule, span: Span) -> Option<(Slot, Slot)> {
    let first = first_in(schedule, span)?;
    let last = before(schedule, span.until).filter(|slot| slot.at >= first.at);
    Some((first, last.unwrap_or(first)))
}

fn first_in(schedule: &Schedule, span: Span) -> Option<Slot> {
    if span.after >= span.until {
        return None;
    }
    after(schedule, span.after).filter(|slot| slot.at <= span.until)
}

/// The slots of a span in ascending order.
fn slots_in(schedule: &Schedule, span: Span) -> impl Iterator<Item = Slot> + '_ {
    let next = move |after: Timestamp| first_in(schedule, Span::new(after, span.until));
    std::iter::successors(next(span.after), move |slot| next(slot.at))
}

/// The slots of a span in descending order.
fn slots_back(schedule: &Schedule, span: Span) -> impl Iterator<Item = Slot> + '_ {
    let last = move |until: Timestamp| before(schedule, until).filter(|slot| slot.at > span.after);
    std::iter::successors(last(span.until), move |slot| last(just_before(slot.at)))
}

/// Only `@once`, which has no plans, needs to know when the DAG was first seen.
fn after(schedule: &Schedule, moment: Timestamp) -> Option<Slot> {
    schedule.after(moment, Timestamp::EPOCH)
}

fn before(schedule: &Schedule, moment: Timestamp) -> Option<Slot> {
    schedule.before(moment, Timestamp::EPOCH)
}
