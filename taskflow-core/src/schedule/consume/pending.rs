//! Events that are pending, and records of those that become no runs.

use super::step::{EventSituation, PendingEvent};
use crate::schedule::step::{SlotFate, SlotRecord};

/// The events of an asset after its cursor, in ascending order.
pub(super) fn pending<'a>(situation: &EventSituation<'a>, asset: &str, cursor: i64) -> &'a [PendingEvent] {
    let events = situation.pending.get(asset).map_or(&[][..], Vec::as_slice);
    &events[events.partition_point(|event| event.number <= cursor)..]
}

/// A record of some events of an asset.
pub(super) fn record(asset: &str, events: &[PendingEvent], fate: SlotFate, reason: &str) -> Option<SlotRecord> {
    let ([first, ..], [.., last]) = (events, events) else { return None };
    let which = match events {
        [only] => format!("event {} of `{asset}`", only.number),
        _ => format!("events {} to {} of `{asset}`", first.number, last.number),
    };
    let reason = format!("{which}: {reason}");
    let (earliest, latest) = (events.iter().map(|event| event.at).min(), events.iter().map(|event| event.at).max());
    Some(SlotRecord {
        first: earliest.unwrap_or(first.at),
        last: latest.unwrap_or(last.at),
        count: events.len() as u64,
        fate,
        reason,
    })
}
