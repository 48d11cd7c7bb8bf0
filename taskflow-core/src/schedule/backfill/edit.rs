//! What people do with a plan.

use serde::{Deserialize, Serialize};

use super::plan::{BackfillPhase, BackfillPlan};
use super::request::{BackfillError, SlotRange};
use super::slots::{FutureSlots, future_of, slots_in};
use crate::base::Timestamp;
use crate::base::schema::Schema;
use crate::schedule::policy::BackfillOrder;
use crate::schedule::slot::Slot;
use crate::schedule::spec::Schedule;
use crate::schedule::state::Span;

/// Slots that two plans share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct SharedSlots {
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
    /// How many they are.
    pub count: u64,
}

impl BackfillPlan {
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
            let slots = |spans: Vec<Span>| spans.into_iter().flat_map(|span| slots_in(schedule, span)).count() as u64;
            // A random order visits the cells that are left, whichever slots they have now.
            let pending: u64 = match &self.shuffle {
                Some(shuffle) => shuffle.cells(&self.pending).map(|(_, spans)| slots(spans)).sum(),
                None => slots(self.pending.clone()),
            };
            self.total = self.counts.decided() + pending;
        }
    }
}
