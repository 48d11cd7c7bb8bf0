//! The next slots of a plan, in its order.

use super::fate::{BackfillFate, SlotRuns};
use super::plan::BackfillPlan;
use super::request::SlotRange;
use super::slots::{slots_back, slots_in};
use crate::base::Timestamp;
use crate::schedule::policy::BackfillOrder;
use crate::schedule::slot::Slot;
use crate::schedule::spec::{Schedule, just_before};

/// The next slots of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackfillWindow {
    pub(super) slots: Vec<Placed>,
    /// Whether no slots of the plan follow these.
    is_last: bool,
}

/// A slot, and where it is from: its span, or its place in a random order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) slot: Slot,
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

impl BackfillPlan {
    /// Its slots in ascending order, decided or not: at most `count`, from the first on.
    pub fn slots(&self, schedule: &Schedule, count: usize) -> Vec<Timestamp> {
        let all = self.request.ranges.iter().flat_map(|range| slots_in(schedule, range.span()));
        all.take(count).map(|slot| slot.at).collect()
    }

    /// Whether a slot has yet to be decided. A plan in random order does not record which slots it
    /// has come by: there, a slot without a run is taken for one.
    pub fn is_pending(&self, slot: Timestamp, has_run: bool) -> bool {
        match self.shuffle {
            Some(_) => !has_run && self.remaining() > 0,
            None => self.pending.iter().any(|span| span.after < slot && slot <= span.until),
        }
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

    /// Counts a slot and moves past it.
    pub(super) fn take(&mut self, Placed { slot: Slot { at, .. }, cell }: Placed, fate: BackfillFate) {
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
    pub(super) fn end_of(&mut self, window: &BackfillWindow) {
        if window.is_last {
            self.pending.clear();
            self.shuffle = None;
        }
    }
}
