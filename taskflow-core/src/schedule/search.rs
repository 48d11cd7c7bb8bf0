//! Searches for slots: a step asks for the same few again and again.

use std::cell::Cell;

use super::decision::{SlotFate, SlotRecord};
use super::slot::Slot;
use super::spec::Schedule;
use super::state::Span;
use crate::base::Timestamp;

/// The slots of a schedule, with the last searches.
pub(super) struct SlotSearch<'a> {
    schedule: &'a Schedule,
    /// When a service first saw the DAG.
    first_seen: Timestamp,
    found: Cell<[Option<Found>; 2]>,
}

/// The first slot after a point in time: also that after any later one before the slot.
#[derive(Clone, Copy)]
struct Found {
    after: Timestamp,
    slot: Option<Slot>,
}

impl Found {
    fn answers(&self, moment: Timestamp) -> bool {
        self.after <= moment && self.slot.is_none_or(|slot| moment < slot.at)
    }
}

impl<'a> SlotSearch<'a> {
    pub(super) fn new(schedule: &'a Schedule, first_seen: Timestamp) -> Self {
        SlotSearch { schedule, first_seen, found: Cell::default() }
    }

    /// The first slot of a span.
    pub(super) fn first_in(&self, span: Span) -> Option<Slot> {
        if span.after >= span.until {
            return None;
        }
        self.after(span.after).filter(|slot| slot.at <= span.until)
    }

    /// How many slots wait in some spans, at most `most`, and the first of them. Spans that
    /// `catchup_window` does not bound do not count.
    pub(super) fn count_waiting(&self, spans: &[Span], most: u64) -> (u64, Option<Timestamp>) {
        self.count_in(spans.iter().filter(|span| !span.unbounded), most)
    }

    /// How many slots are in some spans, at most `most`, and the first of them.
    pub(super) fn count_in<'s>(
        &self,
        spans: impl IntoIterator<Item = &'s Span>,
        most: u64,
    ) -> (u64, Option<Timestamp>) {
        let (mut count, mut earliest) = (0, None);
        for span in spans {
            let mut slot = self.first_in(*span);
            while let Some(Slot { at, .. }) = slot.filter(|_| count < most) {
                count += 1;
                earliest = earliest.or(Some(at));
                slot = self.first_in(Span::new(at, span.until));
            }
        }
        (count, earliest)
    }

    /// Records of the slots of some spans: one, unless other slots lie between them.
    pub(super) fn records(&self, spans: &[Span], fate: SlotFate, reason: &str) -> Vec<SlotRecord> {
        let (mut records, mut record): (_, Option<SlotRecord>) = (Vec::new(), None);
        for &span in spans {
            let mut slot = self.first_in(span);
            if let (Some(last), Some(first)) = (record.as_ref().map(|record| record.last), slot)
                && self.after(last).is_some_and(|next| next.at < first.at)
            {
                records.extend(record.take());
            }
            while let Some(Slot { at, .. }) = slot {
                let reason = || reason.to_owned();
                let record =
                    record.get_or_insert_with(|| SlotRecord { first: at, last: at, count: 0, fate, reason: reason() });
                record.last = at;
                record.count += 1;
                slot = self.first_in(Span::new(at, span.until));
            }
        }
        records.extend(record);
        records
    }

    /// The first slot after a moment.
    pub(super) fn after(&self, moment: Timestamp) -> Option<Slot> {
        let [last, one_before] = self.found.get();
        if let Some(found) = [last, one_before].into_iter().flatten().find(|found| found.answers(moment)) {
            return found.slot;
        }
        let slot = self.schedule.after(moment, self.first_seen);
        self.found.set([Some(Found { after: moment, slot }), last]);
        slot
    }

    /// The last slot at or before a moment.
    pub(super) fn before(&self, moment: Timestamp) -> Option<Slot> {
        self.schedule.before(moment, self.first_seen)
    }
}
