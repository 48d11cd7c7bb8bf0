//! An event parameter without its types: what it takes, and how its value is made of stored events.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::event::{Event, EventSource, TakesEvents};
use super::partition::Partition;
use crate::base::Timestamp;
use crate::schedule::{EventInput, Takes};
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
}

impl EventOptions {
    /// No option is set.
    pub const NONE: EventOptions = EventOptions { max_age: None, settle: None, max: None };
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
    assemble: fn(Vec<RawEvent>) -> Result<AnyValue, String>,
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
            assemble: assemble::<V, S::Payload, S::Partition>,
        }
    }

    /// What the pure function needs to know of the parameter.
    pub(crate) fn input(&self, param: &str) -> EventInput {
        let mut input = EventInput::new(param, &self.asset, self.takes);
        input.required = self.required;
        input.max_age = self.options.max_age;
        input.settle = self.options.settle;
        input
    }

    /// The value of the parameter for these events.
    ///
    /// # Errors
    ///
    /// When an event has another type of payload or partition, or cannot be decoded: which event,
    /// and both types. When they are not as many as the parameter takes.
    pub(crate) fn value(&self, events: Vec<RawEvent>) -> Result<AnyValue, String> {
        let payload = self.payload.short();
        if let Some(event) = events.iter().find(|event| event.ty != payload) {
            return Err(format!(
                "event {} of `{}` has a payload of the type `{}`, and `{payload}` is expected",
                event.number, self.asset, event.ty
            ));
        }
        (self.assemble)(events).map_err(|reason| format!("{reason} of `{}`", self.asset))
    }
}

fn assemble<V, T, P>(raw: Vec<RawEvent>) -> Result<AnyValue, String>
where
    T: Value,
    P: Partition,
    V: TakesEvents<T, P>,
{
    let payload = TypeInfo::of_value::<T>();
    let mut events = Vec::with_capacity(raw.len());
    for RawEvent { number, at, partition, bytes, run, task, .. } in raw {
        let decoded = payload.decode(&bytes).map_err(|error| {
            format!("the payload of event {number} is not a valid `{}` ({error}); it is an event", payload.short())
        })?;
        let value = Arc::into_inner(crate::value::into_shared::<T>(decoded)).ok_or("a decoded payload is shared")?;
        let partition = P::from_key(partition.as_deref())
            .map_err(|error| format!("the partition of event {number} is not valid ({error}); it is an event"))?;
        let event = Event { number, run, task, ..Event::of_partition(partition, value) };
        events.push(Event { at, ..event });
    }
    let count = events.len();
    let value = V::of_events(events).ok_or_else(|| format!("the parameter does not take {count} events"))?;
    Ok(Arc::new(value))
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
