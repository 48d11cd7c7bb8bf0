//! The builder of a parameter, and the ranges that it takes.

use std::fmt;
use std::ops::RangeBounds;
use std::sync::Arc;

use super::ParamDef;
use crate::asset::{Event, EventBinding, EventOptions, EventSource, Partition, TakesEvents};
use crate::dag::text;
use crate::run::RunInfo;
use crate::task::RunOf;
use crate::value::{AnyValue, TypeInfo, Value};

/// Builds a [`ParamDef`] of type `T`; what `#[param(..)]` expands to.
#[derive(Debug)]
pub struct Param<T> {
    def: ParamDef,
    // Stored here so that only `new` requires `Value`, and a type without it is reported only once.
    erase: fn(T) -> AnyValue,
}

impl<T: Value> Param<T> {
    /// A required parameter.
    pub fn new(name: &'static str) -> Self {
        let def = ParamDef {
            name,
            ty: TypeInfo::of_value::<T>(),
            help: "",
            default_text: None,
            range_text: None,
            choices: &[],
            pattern: None,
            event: None,
            default: None,
            default_is_from_run: false,
            in_range: None,
            parse: |texts| text::parse::<T>(texts).map(AnyValue::new),
        };
        Param { def, erase: AnyValue::new }
    }
}

impl<T: 'static> Param<T> {
    /// What it is for.
    #[must_use]
    pub fn help(mut self, help: &'static str) -> Self {
        self.def.help = help;
        self
    }

    /// A default that does not depend on the run; `text` is how it is written.
    #[must_use]
    pub fn default(mut self, text: &'static str, default: fn() -> T) -> Self {
        self.def.default_text = Some(text);
        let erase = self.erase;
        self.def.default = Some(Arc::new(move |_| Ok(erase(default()))));
        self
    }

    /// A default written as text, read as the command line reads it.
    #[must_use]
    pub fn default_text(mut self, text: &'static str) -> Self {
        self.def.default_text = Some(text);
        let parse = self.def.parse;
        self.def.default = Some(Arc::new(move |_| parse(&[text])));
        self
    }

    /// The default of a list, each element written as text and read as the command line reads it;
    /// `text` is how the list is written.
    #[must_use]
    pub fn default_list(mut self, text: &'static str, elements: &'static [&'static str]) -> Self {
        self.def.default_text = Some(text);
        let parse = self.def.parse;
        self.def.default = Some(Arc::new(move |_| parse(elements)));
        self
    }

    /// A default taken from the run; `text` is how it is written.
    #[must_use]
    pub fn default_from(mut self, text: &'static str, default: fn(&RunInfo) -> T) -> Self {
        self.def.default_text = Some(text);
        self.def.default_is_from_run = true;
        let erase = self.erase;
        self.def.default = Some(Arc::new(move |run| Ok(erase(default(run)))));
        self
    }

    /// As [`default_from`](Param::default_from), for a DAG with this kind of schedule.
    #[must_use]
    pub fn default_of_run<S: 'static>(mut self, text: &'static str, default: fn(&RunOf<'_, S>) -> T) -> Self {
        self.def.default_text = Some(text);
        self.def.default_is_from_run = true;
        let erase = self.erase;
        self.def.default = Some(Arc::new(move |run| Ok(erase(default(&RunOf::new(run))))));
        self
    }

    /// The values allowed; `text` is how the range is written.
    #[must_use]
    pub fn range(mut self, text: &'static str, range: impl RangeOf<T>) -> Self {
        self.def.range_text = Some(text);
        self.def.in_range = Some(Arc::new(move |value| value.downcast_ref::<T>().is_some_and(|v| range.allows(v))));
        self
    }

    /// The only values allowed, each as the command line would read it.
    #[must_use]
    pub fn choices(mut self, choices: &'static [&'static str]) -> Self {
        self.def.choices = choices;
        self
    }

    /// The regular expression (syntax of the `regex-lite` crate) that its text must match.
    #[must_use]
    pub fn pattern(mut self, pattern: &'static str) -> Self {
        self.def.pattern = Some(pattern);
        self
    }

    /// Takes the events of an asset. Text is the payload as JSON, for a run that is started by
    /// hand.
    #[must_use]
    pub fn events<S: EventSource>(mut self, source: &S, options: EventOptions) -> Self
    where
        T: TakesEvents<S::Payload, S::Partition>,
    {
        self.def.event = Some(EventBinding::of::<T, S>(source, options));
        self.def.parse = |texts| {
            let events = texts.iter().map(|text| by_hand::<S::Payload, S::Partition>(text));
            let events: Vec<_> = events.collect::<Result<_, _>>()?;
            let count = events.len();
            let value = T::of_events(events).ok_or_else(|| match T::period() {
                Some(_) => format!("it takes one event of each part of a period, and these are {count}"),
                None => format!("it takes one event, not {count}"),
            })?;
            Ok(AnyValue::new(value))
        };
        if !T::is_required() {
            self.def.default = Some(Arc::new(|_| {
                let absent = T::of_events(Vec::new()).ok_or("an optional event parameter is absent without events")?;
                Ok(AnyValue::new(absent))
            }));
        }
        self
    }

    /// Takes the events of one key in a run.
    pub(crate) fn key_of<E, P, K>(mut self, key: impl Fn(&Event<E, P>) -> K + Send + Sync + 'static) -> Self
    where
        E: Value,
        P: Partition,
        K: fmt::Display,
    {
        self.def.event = self.def.event.map(|binding| binding.by_key(key));
        self
    }

    /// The parameter without its type.
    pub fn erase(self) -> ParamDef {
        self.def
    }
}

/// Reads an event that is not stored: its payload or, for an asset with partitions, an object with
/// the partition and the payload.
fn by_hand<T: Value, P: Partition>(text: &str) -> Result<Event<T, P>, String> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct ByHand<T, P> {
        partition: P,
        value: T,
    }

    if P::NAME.is_none() {
        let partition = P::from_key(None).map_err(|error| error.to_string())?;
        return Ok(Event::of_partition(partition, text::parse::<T>(&[text])?));
    }
    let ByHand { partition, value } = serde_json::from_str(text).map_err(|error| {
        format!("write `last`, `@` and the number of an event, or {{\"partition\": .., \"value\": ..}} ({error})")
    })?;
    Ok(Event::of_partition(partition, value))
}

/// A range of values of type `T`: `1..`, `0..=600`, `-1.0..1.0`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no range of `{T}`",
    label = "not a range of `{T}`",
    note = "both ends of the range of a parameter have the type of the parameter, and values of that type have an order: \
            `{T}: PartialOrd`"
)]
pub trait RangeOf<T>: Send + Sync + 'static {
    /// Whether the value lies in the range.
    fn allows(&self, value: &T) -> bool;
}

#[diagnostic::do_not_recommend]
impl<T: PartialOrd, R: RangeBounds<T> + Send + Sync + 'static> RangeOf<T> for R {
    fn allows(&self, value: &T) -> bool {
        self.contains(value)
    }
}

/// For fuzzing: reads a text as events that are not stored.
#[cfg(feature = "server")]
pub(super) fn read_any(given: &str) {
    let _ = (by_hand::<u64, ()>(given).is_ok(), by_hand::<String, crate::asset::Day>(given).is_ok());
}
