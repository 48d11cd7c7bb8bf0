//! What one place gives: the file, with what the environment and the program put over it.

use serde_json::Value;

use super::error::{ConfigError, Mistake};
use super::name::Named;
use super::origin::{Given, Origin};
use super::setting::Datum;
use super::settings::Settings;
use super::source::Source;
use super::spec::Spec;

/// Everything that is given, by what it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer {
    pub(super) settings: Settings,
    pub(super) pools: Named<Given<u32>>,
    pub(super) variables: Named<Given<Variable>>,
    pub(super) connections: Named<Given<Spec>>,
    pub(super) secrets: Named<Given<Source>>,
}

/// A variable as it is given.
#[derive(Clone, Debug)]
pub(super) enum Variable {
    /// With a type.
    Value(Value),
    /// As a text of the environment, which may be JSON.
    Text(String),
}

/// The mistakes that were found on the way; all of them are told at once.
#[derive(Debug, Default)]
pub(super) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    pub(super) fn add(&mut self, origin: &Origin, message: impl Into<String>) {
        self.0.push(Mistake { origin: origin.clone(), message: message.into() });
    }

    /// The value, or nothing and one mistake more.
    pub(super) fn keep<T>(&mut self, origin: &Origin, read: Result<T, String>) -> Option<T> {
        read.map_err(|message| self.add(origin, message)).ok()
    }

    /// Those of the file come first, from top to bottom: a table does not give its keys in their order.
    pub(super) fn into_result(self) -> Result<(), ConfigError> {
        let Mistakes(mut mistakes) = self;
        mistakes.sort_by_key(|mistake| match mistake.origin {
            Origin::File { line, .. } => line,
            Origin::Environment { .. } | Origin::Code => usize::MAX,
        });
        if mistakes.is_empty() { Ok(()) } else { Err(ConfigError::Invalid { mistakes }) }
    }
}

/// How many slots a pool has.
pub(super) fn slots(name: &str, value: &Value) -> Result<u32, String> {
    let slots = value.as_u64().and_then(|slots| u32::try_from(slots).ok());
    slots.ok_or_else(|| format!("the pool `{name}` has {value} slots, and must have a number of them"))
}

impl Settings {
    /// Takes a setting, or notes what is wrong with it.
    pub(super) fn take(
        &mut self,
        setting: &'static super::setting::Setting,
        origin: Origin,
        read: Result<Datum, String>,
        mistakes: &mut Mistakes,
    ) {
        if let Some(datum) = mistakes.keep(&origin, read) {
            self.set(setting, Given::new(datum, origin));
        }
    }
}
