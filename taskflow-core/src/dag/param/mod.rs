//! Typed parameters of a DAG.

mod builder;
mod error;
mod values;

use std::fmt;
use std::sync::Arc;

pub use builder::{Param, RangeOf};
pub use error::ParamError;
pub use values::Params;

use super::text;
use crate::asset::{EventBinding, EventOptions};
use crate::base::{Timestamp, catch};
use crate::run::RunInfo;
use crate::schedule::Takes;
use crate::value::{AnyValue, TypeInfo};

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
    pub(in crate::dag) fn mistakes(&self) -> Vec<String> {
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
        if let Some(EventBinding { takes, options: EventOptions { at_least, all_but, .. }, .. }) = &self.event
            && (at_least.is_some() || all_but.is_some())
            && *takes != Takes::Period
        {
            let ty = self.ty.short();
            mistakes
                .push(format!("`at_least` and `all_but` are about the parts of a `Complete`, and its type is {ty}"));
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

/// A string without its quotes, anything else as JSON.
fn plain(json: serde_json::Value) -> String {
    match json {
        serde_json::Value::String(text) => text,
        json => json.to_string(),
    }
}

/// For fuzzing: reads a text as the values of parameters.
#[cfg(feature = "server")]
pub(super) fn read_any(given: &str) {
    text::read_any(given);
    builder::read_any(given);
}
