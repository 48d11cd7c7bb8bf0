//! The slots of spans of time.

use serde::{Deserialize, Serialize};

use super::request::SlotRange;
use crate::base::Timestamp;
use crate::base::schema::Schema;
use crate::schedule::slot::Slot;
use crate::schedule::spec::{Schedule, just_before};
use crate::schedule::state::Span;

/// The slots of a request that lie in the future, and are no part of its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct FutureSlots {
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
}

/// The slots of ranges that lie in the future.
pub(super) fn future_of(schedule: &Schedule, ranges: &[SlotRange], now: Timestamp) -> Option<FutureSlots> {
    let spans = ranges.iter().map(|range| Span::new(just_before(range.from).max(now), range.to));
    let ends: Vec<(Slot, Slot)> = spans.filter_map(|span| ends_of(schedule, span)).collect();
    Some(FutureSlots { first: ends.first()?.0.at, last: ends.last()?.1.at })
}

/// The first and the last slot of a span.
pub(super) fn ends_of(schedule: &Schedule, span: Span) -> Option<(Slot, Slot)> {
    let first = first_in(schedule, span)?;
    let last = before(schedule, span.until).filter(|slot| slot.at >= first.at);
    Some((first, last.unwrap_or(first)))
}

pub(super) fn first_in(schedule: &Schedule, span: Span) -> Option<Slot> {
    if span.after >= span.until {
        return None;
    }
    after(schedule, span.after).filter(|slot| slot.at <= span.until)
}

/// The slots of a span in ascending order.
pub(super) fn slots_in(schedule: &Schedule, span: Span) -> impl Iterator<Item = Slot> + '_ {
    let next = move |after: Timestamp| first_in(schedule, Span::new(after, span.until));
    std::iter::successors(next(span.after), move |slot| next(slot.at))
}

/// The slots of a span in descending order.
pub(super) fn slots_back(schedule: &Schedule, span: Span) -> impl Iterator<Item = Slot> + '_ {
    let last = move |until: Timestamp| before(schedule, until).filter(|slot| slot.at > span.after);
    std::iter::successors(last(span.until), move |slot| last(just_before(slot.at)))
}

/// Only `@once`, which has no plans, needs to know when the DAG was first seen.
pub(super) fn after(schedule: &Schedule, moment: Timestamp) -> Option<Slot> {
    schedule.after(moment, Timestamp::EPOCH)
}

pub(super) fn before(schedule: &Schedule, moment: Timestamp) -> Option<Slot> {
    schedule.before(moment, Timestamp::EPOCH)
}
