//! The event parameter that waits for all parts of a period.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::event::{Event, Events, TakesEvents};
use super::period::{Period, PeriodRules};
use crate::schedule::Takes;
use crate::value::Value;

/// One event for each part of a period, in the order of the parts. As the parameter of a DAG: a run
/// starts when each part has an event.
///
/// `Complete<Month, Loaded>` takes the events of an `Asset<Loaded, Day>`: February 2028 needs 29.
/// If a part has several events, the newest counts. There is one run for each period; an event that
/// comes later is recorded or, with `#[event(ASSET, on_update = "rerun")]`, starts another run of
/// the period.
///
/// With `#[event(ASSET, at_least = 25)]` or `#[event(ASSET, all_but = 2)]` fewer parts are enough,
/// and [`Complete::missing`] returns the others.
///
/// It dereferences to [`Events`].
///
/// ```
/// use taskflow::asset::{Complete, Day, Month};
///
/// let month: Month = "2028-02".parse()?;
/// let rows = Complete::new(month, |day: &Day| u64::from(day.date().day().unsigned_abs()));
/// assert_eq!((rows.len(), rows.values().sum::<u64>()), (29, 435));
/// assert_eq!(rows.get(&"2028-02-03".parse()?).map(|event| event.value), Some(3));
/// # Ok::<(), taskflow::asset::PartitionError>(())
/// ```
#[derive(Serialize, Deserialize)]
// A period is a value, and so are its parts.
#[serde(bound(serialize = "T: Serialize", deserialize = "T: Deserialize<'de>"))]
pub struct Complete<P: Period, T> {
    period: P,
    events: Events<T, P::Part>,
}

impl<P: Period, T> Complete<P, T> {
    /// A period with events that are not stored, for a run that is started by hand and for tests.
    /// `value` returns the payload of a part.
    pub fn new(period: P, mut value: impl FnMut(&P::Part) -> T) -> Self {
        let parts = period.parts().into_iter();
        let events = parts.map(|part| (value(&part), part)).map(|(value, part)| Event::of_partition(part, value));
        let events = events.collect();
        Complete { period, events }
    }

    /// As [`Complete::new`], without the parts for which `value` returns `None`.
    ///
    /// ```
    /// use taskflow::asset::{Complete, Day, Month};
    ///
    /// let month: Month = "2028-02".parse()?;
    /// let worked = |day: &Day| (day.date().day() != 3).then_some(8);
    /// let hours = Complete::partial(month, worked);
    /// assert_eq!((hours.len(), hours.missing()), (28, vec!["2028-02-03".parse()?]));
    /// # Ok::<(), taskflow::asset::PartitionError>(())
    /// ```
    pub fn partial(period: P, mut value: impl FnMut(&P::Part) -> Option<T>) -> Self {
        let parts = period.parts().into_iter();
        let events = parts.filter_map(|part| Some((value(&part)?, part)));
        let events = events.map(|(value, part)| Event::of_partition(part, value));
        let events = events.collect();
        Complete { period, events }
    }

    /// The period.
    pub fn period(&self) -> &P {
        &self.period
    }

    /// The parts without an event, in order. None, unless fewer parts are enough.
    pub fn missing(&self) -> Vec<P::Part> {
        let mut parts = self.period.parts();
        parts.retain(|part| self.get(part).is_none());
        parts
    }

    /// The event of a part.
    pub fn get(&self, part: &P::Part) -> Option<&Event<T, P::Part>> {
        self.events.iter().find(|event| event.partition == *part)
    }
}

impl<P: Period, T> Deref for Complete<P, T> {
    type Target = Events<T, P::Part>;

    fn deref(&self) -> &Events<T, P::Part> {
        &self.events
    }
}

impl<'a, P: Period, T> IntoIterator for &'a Complete<P, T> {
    type Item = &'a Event<T, P::Part>;
    type IntoIter = std::slice::Iter<'a, Event<T, P::Part>>;

    fn into_iter(self) -> Self::IntoIter {
        self.events.iter()
    }
}

impl<P: Period, T: Clone> Clone for Complete<P, T> {
    fn clone(&self) -> Self {
        Complete { period: self.period.clone(), events: self.events.clone() }
    }
}

impl<P: Period, T: PartialEq> PartialEq for Complete<P, T> {
    fn eq(&self, other: &Self) -> bool {
        self.period == other.period && self.events == other.events
    }
}

impl<P: Period, T: fmt::Debug> fmt::Debug for Complete<P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Complete").field("period", &self.period).field("events", &self.events).finish()
    }
}

impl<P: Period, T: Value> TakesEvents<T, P::Part> for Complete<P, T> {
    fn takes(_: usize) -> Takes {
        Takes::Period
    }

    fn period() -> Option<PeriodRules> {
        Some(PeriodRules::of::<P>())
    }

    fn of_events(mut events: Vec<Event<T, P::Part>>) -> Option<Self> {
        let period = P::containing(&events.first()?.partition);
        events.sort_by(|one, other| one.partition.cmp(&other.partition));
        // One of each part, and of no other period; how many are needed is up to the caller.
        let parts = period.parts();
        let mut parts = parts.iter();
        let are_parts = events.iter().all(|event| parts.any(|part| *part == event.partition));
        are_parts.then(|| Complete { period, events: events.into_iter().collect() })
    }
}
