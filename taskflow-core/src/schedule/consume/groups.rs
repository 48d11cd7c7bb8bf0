//! Events in groups: a run is about one key, or one period.

use std::collections::BTreeMap;

use super::consumer::{EventInput, PartsNeeded, Takes};
use super::events::Offer;
use super::pending::record;
use super::step::{ConsumerDecision, EventGroups, EventSituation, EventWaits, PendingEvent, PendingPeriod};
use super::stepper::Stepper;
use crate::schedule::decision::SlotFate;
use crate::schedule::policy::OnUpdate;

/// How many periods are remembered that have had their run. An update of an earlier one waits for
/// the other parts, as if the period had had none.
const REMEMBERED: usize = 1000;

/// The pending events of an input, by key or period, in ascending order.
type Index<'a> = BTreeMap<&'a str, Vec<PendingEvent>>;

impl<'a> Stepper<'a> {
    /// Starts the runs of keys and periods, while there is room. Those with the oldest events come
    /// first; one that waits holds up no other.
    pub(super) fn groups(&mut self) -> Option<EventWaits> {
        let running = self.situation.running;
        self.state.busy.retain(|_, last| running.contains(last));
        let inputs = &self.consumer.inputs;
        let index: Vec<Index<'a>> = inputs.iter().map(|input| self.index(input)).collect();
        let mut first: BTreeMap<&str, i64> = BTreeMap::new();
        for (&key, events) in index.iter().flatten() {
            let oldest = events.first().map_or(i64::MAX, |event| event.number);
            first.entry(key).and_modify(|number| *number = oldest.min(*number)).or_insert(oldest);
        }
        let mut keys: Vec<&str> = first.keys().copied().collect();
        keys.sort_by_key(|key| first[key]);
        let mut waits = None;
        for key in keys {
            if let Some(missing) = self.group(key, &index) {
                waits.get_or_insert(missing);
            }
        }
        let assets = inputs.iter().filter(|input| input.is_grouped()).map(|input| input.asset.clone());
        waits.or_else(|| Some(EventWaits::ForEvents { assets: assets.collect() }))
    }

    /// Starts the run of a key or a period. Returns what it waits for.
    fn group(&mut self, key: &str, index: &[Index<'a>]) -> Option<EventWaits> {
        let again = self.state.complete.contains(key);
        if again && !self.is_rerun(key, index) {
            return None;
        }
        if self.state.busy.contains_key(key) {
            return Some(EventWaits::ForKey { key: key.to_owned() });
        }
        let offers = match self.offers_of(key, index, again) {
            Ok(offers) => offers,
            Err(waits) => return Some(waits),
        };
        if self.room == 0 {
            return Some(EventWaits::ForRoom { active: self.situation.active.max(self.consumer.max_active_runs) });
        }
        let groups = index.iter().map(|groups| groups.get(key).map_or(&[][..], Vec::as_slice));
        self.start(None, Some(key), again, &offers, &groups.collect::<Vec<_>>());
        let last = offers.iter().flatten().copied().max();
        self.state.busy.extend(last.map(|last| (key.to_owned(), last)));
        if self.consumer.inputs.iter().any(|input| input.takes == Takes::Period) {
            self.state.complete.insert(key.to_owned());
            if self.state.complete.len() > REMEMBERED {
                self.state.complete.pop_first();
            }
        }
        None
    }

    /// Whether updates of a period that has had its run start another one. Records the others.
    fn is_rerun(&mut self, key: &str, index: &[Index<'a>]) -> bool {
        let mut rerun = false;
        for (input, groups) in self.consumer.inputs.iter().zip(index) {
            let Some(events) = groups.get(key).filter(|_| input.takes == Takes::Period) else { continue };
            if input.on_update == OnUpdate::Rerun {
                rerun = true;
                continue;
            }
            let reason = format!("an update of {key}, which has had its run");
            self.pass(input, events);
            self.decisions
                .extend(record(&input.asset, events, SlotFate::Skipped, &reason).map(ConsumerDecision::Record));
        }
        rerun
    }

    /// What each input has for the run of a key or a period.
    fn offers_of(&mut self, key: &str, index: &[Index<'a>], again: bool) -> Result<Vec<Vec<i64>>, EventWaits> {
        let mut offers = Vec::with_capacity(index.len());
        for (input, groups) in self.consumer.inputs.iter().zip(index) {
            let offer = match input.is_grouped() {
                true => self.offer_of(input, key, groups.get(key).map_or(&[][..], Vec::as_slice), again)?,
                false => self.offer(input, None),
            };
            offers.push(match offer {
                Offer::Events(taken) => taken,
                Offer::Nothing if input.required && !again => {
                    return Err(EventWaits::ForEvents { assets: vec![input.asset.clone()] });
                }
                Offer::Nothing => Vec::new(),
                Offer::Unsettled(until) => {
                    self.wake_at(Some(until));
                    if input.required {
                        return Err(EventWaits::ForSettling { asset: input.asset.clone(), until });
                    }
                    Vec::new()
                }
            });
        }
        Ok(offers)
    }

    fn offer_of(
        &self,
        input: &EventInput,
        key: &str,
        events: &[PendingEvent],
        again: bool,
    ) -> Result<Offer, EventWaits> {
        let max = match input.takes {
            Takes::All { max } => max.max(1),
            Takes::One | Takes::Newest | Takes::Period | Takes::Seen => usize::MAX,
        };
        let numbers = |events: &[PendingEvent]| events.iter().map(|event| event.number).collect::<Vec<i64>>();
        let taken = match input.takes {
            Takes::One => numbers(&events[..events.len().min(1)]),
            Takes::All { .. } => numbers(&events[..events.len().min(max)]),
            Takes::Newest => numbers(&events[events.len().saturating_sub(1)..]),
            Takes::Period => {
                let groups = self.situation.groups.get(&input.asset);
                let (newest, period) = pending_period(groups, key, events, input.parts);
                if !period.is_enough() && !again {
                    return Err(EventWaits::ForParts { asset: input.asset.clone(), period });
                }
                newest
            }
            Takes::Seen => Vec::new(),
        };
        if let (Some(settle), Some(newest)) = (input.settle, events.last())
            && events.len() < max
            && self.situation.now < newest.at + settle
        {
            return Ok(Offer::Unsettled(newest.at + settle));
        }
        Ok(if taken.is_empty() { Offer::Nothing } else { Offer::Events(taken) })
    }

    /// The pending events of an input with groups; nothing for another one.
    fn index(&self, input: &EventInput) -> Index<'a> {
        let mut index = Index::new();
        if !input.is_grouped() {
            return index;
        }
        let passed = self.passed.get(&input.asset);
        for event in self.pending(input).iter().filter(|event| passed.is_none_or(|all| !all.contains(&event.number))) {
            if let Some(key) = key_of(self.situation, &input.asset, event) {
                index.entry(key).or_default().push(*event);
            }
        }
        index
    }
}

fn key_of<'a>(situation: &EventSituation<'a>, asset: &str, event: &PendingEvent) -> Option<&'a str> {
    Some(&situation.groups.get(asset)?.events.get(&event.number)?.key)
}

/// The newest of some events of a period for each of its parts, in ascending order, and the parts
/// that have none.
fn pending_period(
    groups: Option<&EventGroups>,
    key: &str,
    events: &[PendingEvent],
    needed: PartsNeeded,
) -> (Vec<i64>, PendingPeriod) {
    let mut newest: BTreeMap<&str, i64> = BTreeMap::new();
    for event in events {
        let part = groups.and_then(|groups| groups.events.get(&event.number)?.part.as_deref());
        newest.extend(part.map(|part| (part, event.number)));
    }
    let parts = groups.and_then(|groups| groups.parts.get(key)).map_or(&[][..], Vec::as_slice);
    let missing: Vec<String> = parts.iter().filter(|part| !newest.contains_key(part.as_str())).cloned().collect();
    let mut numbers: Vec<i64> = newest.into_values().collect();
    numbers.sort_unstable();
    let (present, needed) = (parts.len() - missing.len(), needed.of(parts.len()));
    (numbers, PendingPeriod { period: key.to_owned(), present, needed, missing })
}

impl PendingPeriod {
    /// Whether its run can start.
    fn is_enough(&self) -> bool {
        self.present >= self.needed
    }
}

impl EventGroups {
    /// The periods of these events of which more parts are needed, in order.
    pub fn pending_periods(&self, events: &[PendingEvent], needed: PartsNeeded) -> Vec<PendingPeriod> {
        let mut by_period: BTreeMap<&str, Vec<PendingEvent>> = BTreeMap::new();
        for event in events {
            if let Some(group) = self.events.get(&event.number) {
                by_period.entry(&group.key).or_default().push(*event);
            }
        }
        let periods = by_period.into_iter().filter(|(key, _)| self.parts.contains_key(*key));
        let periods = periods.map(|(key, events)| pending_period(Some(self), key, &events, needed).1);
        periods.filter(|period| !period.is_enough()).collect()
    }
}
