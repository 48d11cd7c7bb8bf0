//! Typed parameters of a DAG.

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeBounds;
use std::sync::Arc;

use super::text;
use crate::asset::{Event, EventBinding, EventOptions, EventSource, Partition, TakesEvents};
use crate::base::{ErrorKind, Timestamp, catch};
use crate::run::RunInfo;
use crate::schedule::Takes;
use crate::task::RunOf;
use crate::value::{AnyValue, TypeInfo, Value};

type DefaultFn = Arc<dyn Fn(&RunInfo) -> Result<AnyValue, String> + Send + Sync>;
type ParseFn = fn(&[&str]) -> Result<AnyValue, String>;
type CheckFn = Arc<dyn Fn(&AnyValue) -> bool + Send + Sync>;

/// A parameter of a DAG with its type erased: how to parse it, which values are allowed, and its
/// default.
#[derive(Clone)]
pub struct ParamDef {
    /// Its name; on the command line `late_after_min` is `--late-after-min`.
    pub name: &'static str,
    /// Its type.
    pub ty: TypeInfo,
    /// What it is for; may be empty.
    pub help: &'static str,
    /// The source code of the default, if there is one.
    pub default_text: Option<&'static str>,
    /// The source code of the allowed range.
    pub range_text: Option<&'static str>,
    /// The allowed values, as text; empty if there is no such list.
    pub choices: &'static [&'static str],
    /// The regular expression its text must match.
    pub pattern: Option<&'static str>,
    /// The asset whose events it takes, if it is an event parameter.
    pub event: Option<EventBinding>,
    default: Option<DefaultFn>,
    /// Whether the default depends on the run.
    default_is_from_run: bool,
    in_range: Option<CheckFn>,
    parse: ParseFn,
}

/// The default of a parameter, for display.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamDefault<'p> {
    /// The same value for every run.
    Value(serde_json::Value),
    /// Taken from the run: the expression as it is written, without `|run|`.
    FromRun(&'p str),
}

impl fmt::Display for ParamDefault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParamDefault::Value(serde_json::Value::String(text)) => f.write_str(text),
            ParamDefault::Value(json) => write!(f, "{json}"),
            ParamDefault::FromRun(text) => f.write_str(text),
        }
    }
}

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
            parse: |texts| text::parse::<T>(texts).map(|value| Arc::new(value) as AnyValue),
        };
        Param { def, erase: |value| Arc::new(value) }
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
            Ok(Arc::new(value) as AnyValue)
        };
        if !T::is_required() {
            self.def.default = Some(Arc::new(|_| {
                let absent = T::of_events(Vec::new()).ok_or("an optional event parameter is absent without events")?;
                Ok(Arc::new(absent) as AnyValue)
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

impl ParamDef {
    /// Reads a value from text and checks it. See [`ParamDef::parse_all`].
    ///
    /// # Errors
    ///
    /// When the text is no value of the type or a value that is not allowed.
    pub fn parse(&self, text: &str) -> Result<AnyValue, ParamError> {
        self.parse_all(&[text])
    }

    /// Reads a value from the texts of a flag, one for each time that it was given, and checks it.
    ///
    /// A text is read as JSON where the type represents it (numbers, lists, any JSON), and as a
    /// string otherwise. A list takes its elements from several texts, or the whole from one.
    ///
    /// # Errors
    ///
    /// When the texts are no value of the type or a value that is not allowed.
    pub fn parse_all(&self, texts: &[&str]) -> Result<AnyValue, ParamError> {
        let given = || texts.join(" ");
        let value = (self.parse)(texts).map_err(|message| self.error(Some(&given()), self.no_value(&message)))?;
        self.check(&value)?;
        Ok(value)
    }

    /// Whether the type is a list or a set, so that its flag may be given several times.
    pub fn is_list(&self) -> bool {
        if let Some(event) = &self.event {
            return matches!(event.takes, Takes::All { .. });
        }
        text::is_list(self.ty.path())
    }

    /// The default for a run. `None` when the parameter has none.
    ///
    /// # Errors
    ///
    /// If the default is not allowed.
    pub fn default_for(&self, run: &RunInfo) -> Option<Result<AnyValue, ParamError>> {
        self.default.as_ref().map(|default| {
            let value = default(run).map_err(|message| self.error(self.default_text, self.no_value(&message)))?;
            self.check(&value)?;
            Ok(value)
        })
    }

    /// The default for a run.
    ///
    /// # Errors
    ///
    /// If there is none, or it is not allowed.
    pub(crate) fn value_of_default(&self, run: &RunInfo) -> Result<AnyValue, ParamError> {
        let missing = || Err(self.error(None, "has no default and was not set".to_owned()));
        self.default_for(run).unwrap_or_else(missing)
    }

    /// The default for display, if there is one: its value, unless it depends on the run.
    pub fn default_view(&self) -> Option<ParamDefault<'_>> {
        let text = self.default_text?;
        if self.default_is_from_run {
            let body = text.strip_prefix('|').and_then(|closure| closure.split_once('|'));
            return Some(ParamDefault::FromRun(body.map_or(text, |(_, body)| body.trim())));
        }
        // The expression is user code, and JSON cannot represent every value.
        let value = catch(|| self.default.as_ref()?(&RunInfo::manual("", Timestamp::EPOCH)).ok());
        let json = value.ok().flatten().and_then(|value| self.ty.readable_json(&value).ok());
        Some(ParamDefault::Value(json.map_or_else(|| text.into(), |(json, _)| json)))
    }

    /// Whether a run can start without a value for it.
    pub fn has_default(&self) -> bool {
        self.default.is_some()
    }

    /// Checks that the value is in the range, is one of the choices and matches the pattern.
    ///
    /// # Errors
    ///
    /// The first check that fails.
    pub fn check(&self, value: &AnyValue) -> Result<(), ParamError> {
        if let (Some(range), Some(in_range)) = (self.range_text, &self.in_range)
            && !in_range(value)
        {
            return Err(self.error(Some(&self.text(value)), format!("is not in the range {range}")));
        }
        if !self.choices.is_empty() {
            let parsed = self.choices.iter().filter_map(|choice| (self.parse)(&[choice]).ok());
            let allowed: Vec<_> = parsed.filter_map(|choice| self.parts(&choice)).flatten().collect();
            let is_allowed = self.parts(value).is_some_and(|parts| parts.iter().all(|part| allowed.contains(part)));
            if !is_allowed {
                return Err(self.error(Some(&self.text(value)), format!("is not one of {}", self.choices.join(", "))));
            }
        }
        if let Some(pattern) = self.pattern {
            let regex = regex_lite::Regex::new(pattern)
                .map_err(|error| self.error(None, format!("has an invalid pattern: {error}")))?;
            let texts = match self.parts(value) {
                Some(parts) => parts.into_iter().map(plain).collect(),
                None => vec![self.text(value)],
            };
            if let Some(text) = texts.iter().find(|text| !regex.is_match(text)) {
                return Err(self.error(Some(text), format!("does not match the pattern {pattern}")));
            }
        }
        Ok(())
    }

    /// The JSON form of a value of this parameter.
    ///
    /// # Errors
    ///
    /// If JSON cannot represent it.
    pub fn json(&self, value: &AnyValue) -> Result<serde_json::Value, String> {
        self.ty.json(value)
    }

    /// What choices and patterns apply to: the elements of a list, or the whole value.
    fn parts(&self, value: &AnyValue) -> Option<Vec<serde_json::Value>> {
        match self.json(value).ok()? {
            serde_json::Value::Array(elements) if self.is_list() => Some(elements),
            json => Some(vec![json]),
        }
    }

    /// The mistakes in the definition of the parameter: its choices, its pattern, a constant
    /// default.
    pub(super) fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        for choice in self.choices {
            if let Err(message) = (self.parse)(&[choice]) {
                mistakes.push(format!("the choice `{choice}` is not a valid {}: {message}", self.ty.short()));
            }
        }
        if let Some(pattern) = self.pattern
            && let Err(error) = regex_lite::Regex::new(pattern)
        {
            mistakes.push(format!("the pattern `{pattern}` is not a valid regular expression: {error}"));
        }
        if let Some(EventBinding { takes, options: EventOptions { max: Some(_), .. }, .. }) = &self.event
            && !matches!(takes, Takes::All { .. })
        {
            mistakes.push(format!("`max` limits how many events `Events` takes, and its type is {}", self.ty.short()));
        }
        // A default computed from the run may be allowed for some runs only; it is checked at each
        // start.
        if !self.default_is_from_run && mistakes.is_empty() {
            let run = RunInfo::manual("", Timestamp::EPOCH);
            if let Some(Err(error)) = self.default_for(&run) {
                mistakes.push(match error.given {
                    Some(given) => format!("the default `{given}` {}", error.message),
                    None => format!("the parameter {}", error.message),
                });
            }
        }
        mistakes
    }

    fn text(&self, value: &AnyValue) -> String {
        self.json(value).map_or_else(|message| format!("<{message}>"), plain)
    }

    /// Why a text is not a valid value, from the error of the deserializer.
    fn no_value(&self, message: &str) -> String {
        let ty = self.ty.short();
        // "invalid type: string "x", expected u32" adds nothing, unless the expected type is not
        // written as plain text.
        match message.strip_prefix("invalid type: string ") {
            Some(rest) if [" a sequence", " a map", " struct ", " a tuple"].iter().any(|form| rest.contains(form)) => {
                format!("is not a valid {ty}; write it as JSON")
            }
            Some(_) => format!("is not a valid {ty}"),
            None => format!("is not a valid {ty}: {message}"),
        }
    }

    fn error(&self, given: Option<&str>, message: String) -> ParamError {
        ParamError { param: self.name, given: given.map(str::to_owned), message }
    }
}

impl fmt::Debug for ParamDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParamDef")
            .field("name", &self.name)
            .field("ty", &self.ty)
            .field("default", &self.default_text)
            .field("range", &self.range_text)
            .field("choices", &self.choices)
            .field("pattern", &self.pattern)
            .field("event", &self.event)
            .finish_non_exhaustive()
    }
}

/// The values of a DAG's parameters, in their order.
#[derive(Clone, Default)]
pub struct Params(Vec<AnyValue>);

impl Params {
    /// Adds the value of the next parameter.
    #[must_use]
    pub fn with<T: Value>(mut self, value: T) -> Self {
        self.0.push(Arc::new(value));
        self
    }

    pub(crate) fn push(&mut self, value: AnyValue) {
        self.0.push(value);
    }

    /// The values for a run: those that are known by the names of their parameters, those parsed
    /// from the texts that `given` returns, or else the default.
    ///
    /// # Errors
    ///
    /// All values that are not allowed, and all parameters with neither a text nor a default.
    pub(crate) fn from_text<'a>(
        defs: &[ParamDef],
        run: &RunInfo,
        known: &HashMap<&'static str, AnyValue>,
        given: impl Fn(&ParamDef) -> Option<Vec<&'a str>>,
    ) -> Result<Self, Vec<ParamError>> {
        let value = |def: &ParamDef| match (known.get(def.name), given(def)) {
            (Some(value), _) => Ok(value.clone()),
            (None, Some(texts)) => def.parse_all(&texts),
            (None, None) => def.value_of_default(run),
        };
        let (mut values, mut errors) = (Vec::with_capacity(defs.len()), Vec::new());
        for def in defs {
            match value(def) {
                Ok(value) => values.push(value),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(Params(values)) } else { Err(errors) }
    }

    /// These values, in the order of the parameters.
    pub(crate) fn of(values: Vec<AnyValue>) -> Self {
        Params(values)
    }

    /// The values.
    pub fn values(&self) -> &[AnyValue] {
        &self.0
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Params({})", self.0.len())
    }
}

/// An invalid value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamError {
    /// The parameter.
    pub param: &'static str,
    /// The value, as text.
    pub given: Option<String>,
    /// What is wrong, as a predicate of the value (of the parameter, if there is no value): `is not
    /// in the range 0..=600`.
    pub message: String,
}

impl fmt::Display for ParamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.given {
            Some(given) => write!(f, "parameter `{}`: `{given}` {}", self.param, self.message),
            None => write!(f, "parameter `{}` {}", self.param, self.message),
        }
    }
}

impl std::error::Error for ParamError {}

impl ParamError {
    /// The class of the error: always [`ErrorKind::Invalid`].
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

/// A string without its quotes, anything else as JSON.
fn plain(json: serde_json::Value) -> String {
    match json {
        serde_json::Value::String(text) => text,
        json => json.to_string(),
    }
}
