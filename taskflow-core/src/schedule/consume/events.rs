//! What the inputs of a consumer have for a run.

use super::consumer::{EventInput, Takes};
use super::step::{EventWaits, PendingEvent};
use super::stepper::Stepper;
use crate::base::Timestamp;

/// What an input has for a run.
pub(super) enum Offer {
    /// These events, in ascending order.
    Events(Vec<i64>),
    /// Nothing.
    Nothing,
    /// Events that count from then on, unless a new one is emitted.
    Unsettled(Timestamp),
}

impl Stepper<'_> {
    /// Starts the runs of events alone, while there is room.
    pub(super) fn events(&mut self) -> Option<EventWaits> {
        loop {
            let offers = match self.offers(None) {
                Ok(offers) if offers.iter().any(|offer| !offer.is_empty()) => offers,
                Ok(_) => return self.waits_for_any(),
                Err(waits) => return Some(waits),
            };
            if self.room == 0 {
                return Some(EventWaits::ForRoom { active: self.situation.active.max(self.consumer.max_active_runs) });
            }
            self.start(None, None, false, &offers, &[]);
        }
    }

    /// What a consumer waits for whose inputs are all optional.
    fn waits_for_any(&self) -> Option<EventWaits> {
        let unsettled = self.consumer.consuming().find_map(|input| match self.offer(input, None) {
            Offer::Unsettled(until) => Some(EventWaits::ForSettling { asset: input.asset.clone(), until }),
            Offer::Events(_) | Offer::Nothing => None,
        });
        Some(unsettled.unwrap_or_else(|| EventWaits::ForEvents { assets: self.consumer.assets() }))
    }

    /// What each input has for a run, with the events that were emitted until `end`; or what a
    /// required one lacks.
    pub(super) fn offers(&mut self, end: Option<Timestamp>) -> Result<Vec<Vec<i64>>, EventWaits> {
        let mut offers = Vec::with_capacity(self.consumer.inputs.len());
        let (mut missing, mut settling) = (Vec::new(), None);
        for input in &self.consumer.inputs {
            let mut taken = Vec::new();
            match self.offer(input, end) {
                Offer::Events(events) => taken = events,
                Offer::Nothing if input.required => missing.push(input.asset.clone()),
                Offer::Nothing => {}
                Offer::Unsettled(until) => {
                    self.wake_at(Some(until).filter(|&until| until > self.situation.now));
                    if input.required {
                        settling = Some(EventWaits::ForSettling { asset: input.asset.clone(), until });
                    }
                }
            }
            offers.push(taken);
        }
        match (missing.is_empty(), settling) {
            (true, None) => Ok(offers),
            (true, Some(settling)) => Err(settling),
            (false, _) => Err(EventWaits::ForEvents { assets: missing }),
        }
    }

    pub(super) fn offer(&self, input: &EventInput, end: Option<Timestamp>) -> Offer {
        let in_time = |event: &&PendingEvent| end.is_none_or(|end| event.at <= end) && !self.is_old(input, event);
        let pending = self.pending(input);
        let mut events = pending.iter().filter(in_time);
        let full = match input.takes {
            Takes::All { max } => events.clone().nth(max.max(1) - 1).is_some(),
            Takes::One | Takes::Newest | Takes::Period | Takes::Seen => false,
        };
        // The service may have been down over the end of `wait`: an event after it is none that the
        // run could take, and what had not settled by then has not settled in time.
        let newest = pending.iter().rfind(|event| end.is_none_or(|end| event.at <= end));
        let by = end.map_or(self.situation.now, |end| self.situation.now.min(end));
        if let Some(settle) = input.settle
            && !full
            && let Some(newest) = newest
            && by < newest.at + settle
        {
            return Offer::Unsettled(newest.at + settle);
        }
        let taken: Vec<i64> = match input.takes {
            Takes::One => events.next().into_iter().map(|event| event.number).collect(),
            Takes::All { max } => events.take(max.max(1)).map(|event| event.number).collect(),
            Takes::Newest => events.next_back().into_iter().map(|event| event.number).collect(),
            // Those of a period are offered by the period.
            Takes::Period | Takes::Seen => Vec::new(),
        };
        if taken.is_empty() { Offer::Nothing } else { Offer::Events(taken) }
    }
}
