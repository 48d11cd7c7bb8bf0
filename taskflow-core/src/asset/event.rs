//! The types of event parameters: what a run of a DAG receives of the events of an asset.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::partition::Partition;
use super::period::PeriodRules;
use crate::base::Timestamp;
use crate::schedule::Takes;
use crate::value::Value;

/// An event of an asset. As the parameter of a DAG: one run for each event, in order.
///
/// It dereferences to the payload.
///
/// ```
/// use taskflow::asset::Event;
///
/// let event = Event::new(vec![1, 2, 3]);
/// assert_eq!(event.len(), 3);
/// assert_eq!(event.number, 0, "it is not stored");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize, P: Serialize", deserialize = "T: Deserialize<'de>, P: Deserialize<'de>"))]
#[non_exhaustive]
pub struct Event<T, P = ()> {
    /// Later events have higher numbers. 0 for an event that is not stored.
    pub number: i64,
    /// When it was emitted.
    pub at: Timestamp,
    /// The part of the asset that was updated.
    pub partition: P,
    /// The payload.
    pub value: T,
    /// The id of the run that emitted it, if one did.
    pub run: Option<String>,
    /// The id of the task instance that emitted it; `None` for the result of a run.
    pub task: Option<String>,
}

impl<T> Event<T> {
    /// An event that is not stored, for a run that is started by hand and for tests.
    pub fn new(value: T) -> Self {
        Event::of_partition((), value)
    }
}

impl<T, P> Event<T, P> {
    /// As [`Event::new`], of a partition.
    pub fn of_partition(partition: P, value: T) -> Self {
        Event { number: 0, at: Timestamp::now(), partition, value, run: None, task: None }
    }
}

impl<T, P> Deref for Event<T, P> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Events of an asset, oldest first. As the parameter of a DAG: a run takes all that are pending,
/// at most `max`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize, P: Serialize", deserialize = "T: Deserialize<'de>, P: Deserialize<'de>"))]
pub struct Events<T, P = ()>(Vec<Event<T, P>>);

impl<T, P> Events<T, P> {
    /// The payloads, oldest first.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|event| &event.value)
    }
}

impl<T> Events<T> {
    /// Events that are not stored, for a run that is started by hand and for tests.
    pub fn new(values: impl IntoIterator<Item = T>) -> Self {
        values.into_iter().map(Event::new).collect()
    }
}

impl<T, P> Default for Events<T, P> {
    fn default() -> Self {
        Events(Vec::new())
    }
}

impl<T, P> Deref for Events<T, P> {
    type Target = [Event<T, P>];

    fn deref(&self) -> &[Event<T, P>] {
        &self.0
    }
}

impl<T, P> FromIterator<Event<T, P>> for Events<T, P> {
    fn from_iter<I: IntoIterator<Item = Event<T, P>>>(events: I) -> Self {
        Events(events.into_iter().collect())
    }
}

impl<T, P> IntoIterator for Events<T, P> {
    type Item = Event<T, P>;
    type IntoIter = std::vec::IntoIter<Event<T, P>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T, P> IntoIterator for &'a Events<T, P> {
    type Item = &'a Event<T, P>;
    type IntoIter = std::slice::Iter<'a, Event<T, P>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// The newest pending event of an asset. As the parameter of a DAG: older pending events are
/// superseded.
///
/// It dereferences to the event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize, P: Serialize", deserialize = "T: Deserialize<'de>, P: Deserialize<'de>"))]
pub struct Latest<T, P = ()>(pub Event<T, P>);

impl<T> Latest<T> {
    /// An event that is not stored, for a run that is started by hand and for tests.
    pub fn new(value: T) -> Self {
        Latest(Event::new(value))
    }
}

impl<T, P> Deref for Latest<T, P> {
    type Target = Event<T, P>;

    fn deref(&self) -> &Event<T, P> {
        &self.0
    }
}

/// The newest event that an asset has, if it has one. As the parameter of a DAG: it starts no run
/// and consumes nothing.
///
/// It dereferences to an `Option`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize, P: Serialize", deserialize = "T: Deserialize<'de>, P: Deserialize<'de>"))]
pub struct Seen<T, P = ()>(pub Option<Event<T, P>>);

impl<T> Seen<T> {
    /// An event that is not stored, for a run that is started by hand and for tests.
    pub fn new(value: T) -> Self {
        Seen(Some(Event::new(value)))
    }
}

impl<T, P> Default for Seen<T, P> {
    fn default() -> Self {
        Seen(None)
    }
}

impl<T, P> Deref for Seen<T, P> {
    type Target = Option<Event<T, P>>;

    fn deref(&self) -> &Option<Event<T, P>> {
        &self.0
    }
}

/// A type of parameter that takes the events of an asset with the payload `T` and the partition
/// `P`.
///
/// | type | a run starts when | it receives | what is consumed |
/// |---|---|---|---|
/// | [`Event`] | one event is pending | it | it |
/// | [`Events`] | at least one is pending | all pending, at most `max` | those |
/// | [`Latest`] | at least one is pending | the newest | all up to it |
/// | [`Complete`](super::Complete) | each part of a period has an event, or as many as `at_least` or `all_but` ask for | the newest of each part | those of the period |
/// | `Option` of the first three | it does not wait; if all are optional, any one starts a run | what is there | that |
/// | [`Seen`] | it never starts one | the newest event, consumed or not | nothing |
#[diagnostic::on_unimplemented(
    message = "a parameter of the type `{Self}` does not take the events of this asset",
    label = "its events have the payload `{T}` and the partition `{P}`",
    note = "write `Event<{T}, {P}>`, `Events<..>`, `Latest<..>` or `Seen<..>`, or an `Option` of the first three; the \
            partition `()` may be left out",
    note = "`Complete<Month, {T}>` takes the events of an asset with the partition `Day`; a `Day` consists of `Hour`s, a \
            `Week` of `Day`s, and a `Year` of `Month`s"
)]
pub trait TakesEvents<T, P>: Value + Sized {
    /// Which of the pending events a run takes. `max` is the limit of [`Events`].
    #[doc(hidden)]
    fn takes(max: usize) -> Takes;

    /// The rules of its periods, if it waits for whole ones.
    #[doc(hidden)]
    fn period() -> Option<PeriodRules> {
        None
    }

    /// Whether a run needs something from the parameter.
    #[doc(hidden)]
    fn is_required() -> bool {
        true
    }

    /// The value for these events. `None` if they are not what [`takes`](TakesEvents::takes) asks
    /// for.
    #[doc(hidden)]
    fn of_events(events: Vec<Event<T, P>>) -> Option<Self>;
}

/// The only event.
fn only<T, P>(events: Vec<Event<T, P>>) -> Option<Event<T, P>> {
    let mut events = events.into_iter();
    events.next().filter(|_| events.len() == 0)
}

impl<T: Value, P: Partition> TakesEvents<T, P> for Event<T, P> {
    fn takes(_: usize) -> Takes {
        Takes::One
    }

    fn of_events(events: Vec<Event<T, P>>) -> Option<Self> {
        only(events)
    }
}

impl<T: Value, P: Partition> TakesEvents<T, P> for Events<T, P> {
    fn takes(max: usize) -> Takes {
        Takes::All { max }
    }

    fn of_events(events: Vec<Event<T, P>>) -> Option<Self> {
        (!events.is_empty()).then_some(Events(events))
    }
}

impl<T: Value, P: Partition> TakesEvents<T, P> for Latest<T, P> {
    fn takes(_: usize) -> Takes {
        Takes::Newest
    }

    fn of_events(events: Vec<Event<T, P>>) -> Option<Self> {
        only(events).map(Latest)
    }
}

impl<T: Value, P: Partition> TakesEvents<T, P> for Seen<T, P> {
    fn takes(_: usize) -> Takes {
        Takes::Seen
    }

    fn is_required() -> bool {
        false
    }

    fn of_events(events: Vec<Event<T, P>>) -> Option<Self> {
        match events.is_empty() {
            true => Some(Seen(None)),
            false => only(events).map(|event| Seen(Some(event))),
        }
    }
}

macro_rules! optional {
    ($($of:ident)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<T: Value, P: Partition> TakesEvents<T, P> for Option<$of<T, P>> {
            fn takes(max: usize) -> Takes {
                $of::<T, P>::takes(max)
            }

            fn is_required() -> bool {
                false
            }

            fn of_events(events: Vec<Event<T, P>>) -> Option<Self> {
                match events.is_empty() {
                    true => Some(None),
                    false => $of::of_events(events).map(Some),
                }
            }
        }
    )*};
}

optional!(Event Events Latest);

/// Something that has events: an [`Asset`](super::Asset), or the results of a DAG.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an asset",
    label = "not an asset",
    note = "write an asset that `asset!` declares, or the name of a `#[dag]` function, whose results are events"
)]
pub trait EventSource {
    /// The payload of its events.
    type Payload: Value;
    /// The type of its partitions; `()` without.
    type Partition: Partition;

    /// The name of the asset.
    fn asset(&self) -> String;
}

impl<T: Value, P: Partition> EventSource for super::Asset<T, P> {
    type Payload = T;
    type Partition = P;

    fn asset(&self) -> String {
        self.name().to_owned()
    }
}

impl<S: EventSource + ?Sized> EventSource for &S {
    type Payload = S::Payload;
    type Partition = S::Partition;

    fn asset(&self) -> String {
        (**self).asset()
    }
}

impl<T: fmt::Display, P> fmt::Display for Event<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}
