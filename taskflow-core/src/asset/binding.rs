//! An event parameter without its types: what it takes, and how its value is made of stored events.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use super::event::{Event, EventSource, TakesEvents};
use super::partition::Partition;
use super::period::PeriodRules;
use crate::base::{Timestamp, catch};
use crate::schedule::{EventGroup, EventInput, OnUpdate, PartsNeeded, Takes};
use crate::value::{AnyValue, TypeInfo, Value};

/// How many events a run takes if `max` is not set: enough for any batch, and a bound on what a run
/// stores.
pub(crate) const MAX_EVENTS: u32 = 10_000;

/// The options of `#[event(..)]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventOptions {
    /// Events that are older than this do not count.
    pub max_age: Option<Duration>,
    /// How long the asset must have been without a new event before its events count.
    pub settle: Option<Duration>,
    /// At most so many events in a run.
    pub max: Option<u32>,
    /// The source code of the function that returns the key of an event. A run takes the events of
    /// one key.
    pub key: Option<&'static str>,
    /// What an event of a period does that has had its run.
    pub on_update: Option<OnUpdate>,
    /// A run of a period starts when so many parts have an event.
    pub at_least: Option<u32>,
    /// A run of a period starts when all parts but so many have an event.
    pub all_but: Option<u32>,
}

impl EventOptions {
    /// No option is set.
    pub const NONE: EventOptions = EventOptions {
        max_age: None,
        settle: None,
        max: None,
        key: None,
        on_update: None,
        at_least: None,
        all_but: None,
    };

    /// How many parts of a period must have an event.
    fn parts(&self) -> PartsNeeded {
        match (self.at_least, self.all_but) {
            (Some(least), _) => PartsNeeded::AtLeast(least),
            (None, Some(missing)) => PartsNeeded::AllBut(missing),
            (None, None) => PartsNeeded::All,
        }
    }
}

/// What an event parameter is bound to.
#[derive(Clone)]
pub struct EventBinding {
    /// The name of the asset.
    pub asset: String,
    /// The type of the payload.
    pub payload: TypeInfo,
    /// The name of the type of its partitions; `None` for an asset without.
    pub partition: Option<&'static str>,
    /// Which of the pending events a run takes.
    pub takes: Takes,
    /// Whether a run needs something from it.
    pub required: bool,
    /// The options.
    pub options: EventOptions,
    grouping: Option<Grouping>,
    assemble: fn(Vec<RawEvent>) -> Result<AnyValue, String>,
}

/// How the events are grouped: a run takes those of one group.
#[derive(Clone)]
enum Grouping {
    /// By the key of an event.
    Key(Arc<dyn Fn(RawEvent) -> Result<String, String> + Send + Sync>),
    /// By the period that its partition is a part of.
    Period(PeriodRules),
}

/// A stored event, before its payload is decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawEvent {
    pub(crate) number: i64,
    pub(crate) at: Timestamp,
    pub(crate) partition: Option<String>,
    /// The type of the payload when it was stored, without modules.
    pub(crate) ty: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) run: Option<String>,
    pub(crate) task: Option<String>,
}

impl EventBinding {
    /// Binds a parameter of the type `V` to a source.
    pub(crate) fn of<V, S>(source: &S, options: EventOptions) -> Self
    where
        S: EventSource,
        V: TakesEvents<S::Payload, S::Partition>,
    {
        EventBinding {
            asset: source.asset(),
            payload: TypeInfo::of_value::<S::Payload>(),
            partition: S::Partition::NAME,
            takes: V::takes(options.max.unwrap_or(MAX_EVENTS) as usize),
            required: V::is_required(),
            options,
            grouping: V::period().map(Grouping::Period),
            assemble: assemble::<V, S::Payload, S::Partition>,
        }
    }

    /// The same binding, for runs that take the events of one key.
    pub(crate) fn by_key<T, P, K>(self, key: impl Fn(&Event<T, P>) -> K + Send + Sync + 'static) -> Self
    where
        T: Value,
        P: Partition,
        K: fmt::Display,
    {
        let key = move |raw: RawEvent| {
            let event = event_of::<T, P>(raw)?;
            // The function is code of the user.
            let key = catch(AssertUnwindSafe(|| key(&event).to_string()));
            key.map_err(|crash| format!("the `key` of event {} {crash}; it is an event", event.number))
        };
        EventBinding { grouping: Some(Grouping::Key(Arc::new(key))), ..self }
    }

    /// Whether a run takes the events of one group.
    pub(crate) fn is_grouped(&self) -> bool {
        self.grouping.is_some()
    }

    /// Whether the group of an event follows from its payload.
    pub(crate) fn is_grouped_by_payload(&self) -> bool {
        matches!(self.grouping, Some(Grouping::Key(_)))
    }

    /// The group of an event.
    ///
    /// # Errors
    ///
    /// As [`EventBinding::value`], and when the function of the user panics.
    pub(crate) fn group(&self, event: RawEvent) -> Result<EventGroup, String> {
        let number = event.number;
        let group = match &self.grouping {
            Some(Grouping::Key(key)) => {
                self.check_type(&event)?;
                key(event).map(|key| EventGroup { key, part: None })
            }
            Some(Grouping::Period(rules)) => match (rules.of)(event.partition.as_deref()) {
                Ok((key, part)) => Ok(EventGroup { key, part: Some(part) }),
                Err(error) => Err(format!("the partition of event {number} is not valid ({error}); it is an event")),
            },
            None => Err(format!("event {number} has no group; it is an event")),
        };
        group.map_err(|reason| format!("{reason} of `{}`", self.asset))
    }

    /// The parts of a period; none of a key.
    pub(crate) fn parts(&self, period: &str) -> Result<Vec<String>, String> {
        match &self.grouping {
            Some(Grouping::Period(rules)) => (rules.parts)(period),
            Some(Grouping::Key(_)) | None => Ok(Vec::new()),
        }
    }

    /// What the pure function needs to know of the parameter.
    pub(crate) fn input(&self, param: &str) -> EventInput {
        let mut input = EventInput::new(param, &self.asset, self.takes);
        input.required = self.required;
        input.max_age = self.options.max_age;
        input.settle = self.options.settle;
        input.by_key = self.is_grouped_by_payload();
        input.parts = self.options.parts();
        input.on_update = self.options.on_update.unwrap_or_default();
        input
    }

    /// The value of the parameter for these events.
    ///
    /// # Errors
    ///
    /// When an event has another type of payload or partition, or cannot be decoded: which event,
    /// and both types. When they are not as many as the parameter takes.
    pub(crate) fn value(&self, events: Vec<RawEvent>) -> Result<AnyValue, String> {
        events.iter().try_for_each(|event| self.check_type(event))?;
        self.check_parts(&events)?;
        (self.assemble)(events).map_err(|reason| format!("{reason} of `{}`", self.asset))
    }

    /// Checks that they are as many parts of a period as are needed.
    fn check_parts(&self, events: &[RawEvent]) -> Result<(), String> {
        let (Some(Grouping::Period(_)), Some(first)) = (&self.grouping, events.first()) else { return Ok(()) };
        let period = self.group(first.clone())?.key;
        let parts = self.parts(&period)?.len();
        let (count, needed) = (events.len(), self.options.parts().of(parts));
        if count >= needed {
            return Ok(());
        }
        let asset = &self.asset;
        Err(format!("{count} of the {parts} parts of {period} are events of `{asset}`, and {needed} are needed"))
    }

    fn check_type(&self, event: &RawEvent) -> Result<(), String> {
        let payload = self.payload.short();
        if event.ty == payload {
            return Ok(());
        }
        Err(format!(
            "event {} of `{}` has a payload of the type `{}`, and `{payload}` is expected",
            event.number, self.asset, event.ty
        ))
    }
}

fn assemble<V, T, P>(raw: Vec<RawEvent>) -> Result<AnyValue, String>
where
    T: Value,
    P: Partition,
    V: TakesEvents<T, P>,
{
    let events = raw.into_iter().map(event_of::<T, P>).collect::<Result<Vec<_>, _>>()?;
    let count = events.len();
    let value = V::of_events(events).ok_or_else(|| format!("the parameter does not take {count} events"))?;
    Ok(AnyValue::new(value))
}

fn event_of<T: Value, P: Partition>(raw: RawEvent) -> Result<Event<T, P>, String> {
    let RawEvent { number, at, partition, bytes, run, task, .. } = raw;
    let payload = TypeInfo::of_value::<T>();
    let decoded = payload.decode(&bytes).map_err(|error| {
        format!("the payload of event {number} is not a valid `{}` ({error}); it is an event", payload.short())
    })?;
    let value = Arc::into_inner(crate::value::into_shared::<T>(decoded)).ok_or("a decoded payload is shared")?;
    let partition = P::from_key(partition.as_deref())
        .map_err(|error| format!("the partition of event {number} is not valid ({error}); it is an event"))?;
    let event = Event { number, run, task, ..Event::of_partition(partition, value) };
    Ok(Event { at, ..event })
}

impl fmt::Debug for EventBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBinding")
            .field("asset", &self.asset)
            .field("payload", &self.payload)
            .field("takes", &self.takes)
            .field("required", &self.required)
            .finish_non_exhaustive()
    }
}
