//! The step: notes which runs of a plan have ended, and decides its next slots.

use super::fate::{BackfillFate, SlotRunState, SlotRuns};
use super::plan::{ActiveRun, ActiveSlot, BackfillPhase, BackfillPlan};
use super::slots::ends_of;
use super::window::BackfillWindow;
use crate::base::{Interval, Timestamp};
use crate::schedule::slot::Slot;
use crate::schedule::spec::Schedule;

/// A plan pauses itself when so many of its runs have failed since somebody last resumed it.
pub const MAX_FAILURES: u32 = 1_000;

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

impl BackfillPlan {
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

    /// Notes that the run of a slot, which a step decided to start or to clear, could not be made
    /// or cleared. With `after_previous` the plan is paused, because the next run would need it.
    pub fn note_not_made(&mut self, schedule: &Schedule, at: Timestamp, reason: String, now: Timestamp) {
        self.active.retain(|active| active.at != at);
        self.note_end(at, SlotRunState::Failed);
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
}
