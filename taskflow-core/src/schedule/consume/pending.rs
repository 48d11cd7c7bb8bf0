//! Events that are pending, and records of those that become no runs.

use std::collections::{BTreeMap, BTreeSet};

use super::state::ConsumerState;
use super::step::{EventSituation, PendingEvent};
use crate::schedule::decision::{SlotFate, SlotRecord};

/// The events of an asset after its cursor, in ascending order.
pub(super) fn pending<'a>(situation: &EventSituation<'a>, asset: &str, cursor: i64) -> &'a [PendingEvent] {
    let events = situation.pending.get(asset).map_or(&[][..], Vec::as_slice);
    &events[events.partition_point(|event| event.number <= cursor)..]
}

/// The pending events of each asset, if some after its cursor are decided.
pub(super) fn undecided(
    state: &ConsumerState,
    situation: &EventSituation<'_>,
) -> Option<BTreeMap<String, Vec<PendingEvent>>> {
    if state.decided.is_empty() {
        return None;
    }
    let undecided = |(asset, events): (&String, &Vec<PendingEvent>)| {
        let events = events.iter().filter(|event| !state.has_decided(asset, event.number));
        (asset.clone(), events.copied().collect())
    };
    Some(situation.pending.iter().map(undecided).collect())
}

/// Decides the events of groups that were passed over or taken.
pub(super) fn move_cursors(
    state: &mut ConsumerState,
    all: &BTreeMap<String, Vec<PendingEvent>>,
    passed: &BTreeMap<String, BTreeSet<i64>>,
) {
    let none = BTreeSet::new();
    let assets: BTreeSet<String> = passed.keys().chain(state.decided.keys()).cloned().collect();
    for asset in assets {
        let events = all.get(&asset).map_or(&[][..], Vec::as_slice);
        let cursor = state.cursor(&asset).unwrap_or(i64::MAX);
        let after = &events[events.partition_point(|event| event.number <= cursor)..];
        state.decide(&asset, after, passed.get(&asset).unwrap_or(&none));
    }
}

/// Whether a record with this reason is about events, not about slots. The reason of such a record
/// begins with the events.
pub(crate) fn is_of_events(reason: &str) -> bool {
    let number = reason.strip_prefix("event ").or_else(|| reason.strip_prefix("events "));
    number.is_some_and(|number| number.starts_with(|first: char| first.is_ascii_digit()))
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
