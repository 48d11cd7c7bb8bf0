//! The values of a configuration: the file, with overrides from the environment and the program.

use serde_json::Value;

use super::error::{ConfigError, Mistake};
use super::name::Named;
use super::origin::{Given, Origin};
use super::setting::Datum;
use super::settings::Settings;
use super::source::Source;
use super::spec::Spec;
use super::webhook::Webhook;

/// All values, by kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer {
    pub(super) settings: Settings,
    pub(super) pools: Named<Given<u32>>,
    pub(super) variables: Named<Given<Variable>>,
    pub(super) connections: Named<Given<Spec>>,
    pub(super) secrets: Named<Given<Source>>,
    pub(super) webhooks: Named<Given<Webhook>>,
}

/// The value of a variable.
#[derive(Clone, Debug)]
pub(super) enum Variable {
    /// A typed value.
    Value(Value),
    /// A text of the environment, which may be JSON.
    Text(String),
}

/// The mistakes found so far, to be reported together.
#[derive(Debug, Default)]
pub(super) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    pub(super) fn add(&mut self, origin: &Origin, message: impl Into<String>) {
        self.0.push(Mistake { origin: origin.clone(), message: message.into() });
    }

    /// Returns the value, or `None` after recording the mistake.
    pub(super) fn ok<T>(&mut self, origin: &Origin, read: Result<T, String>) -> Option<T> {
        read.map_err(|message| self.add(origin, message)).ok()
    }

    /// Sorts the mistakes by line, those of the file first: a table does not preserve the order of
    /// its keys.
    pub(super) fn into_result(self) -> Result<(), ConfigError> {
        let Mistakes(mut mistakes) = self;
        mistakes.sort_by_key(|mistake| match mistake.origin {
            Origin::File { line, .. } => line,
            Origin::Environment { .. } | Origin::Code => usize::MAX,
        });
        if mistakes.is_empty() { Ok(()) } else { Err(ConfigError::Invalid { mistakes }) }
    }
}

/// Parses the number of slots of a pool.
pub(super) fn slots(name: &str, value: &Value) -> Result<u32, String> {
    let slots = value.as_u64().and_then(|slots| u32::try_from(slots).ok());
    slots.ok_or_else(|| {
        format!("the number of slots of the pool `{name}` must be an integer from 0 to 4294967295; it is {value}")
    })
}

impl Settings {
    /// Sets a setting, or records a mistake.
    pub(super) fn take(
        &mut self,
        setting: &'static super::setting::Setting,
        origin: Origin,
        read: Result<Datum, String>,
        mistakes: &mut Mistakes,
    ) {
        if let Some(datum) = mistakes.ok(&origin, read) {
            self.set(setting, Given::new(datum, origin));
        }
    }
}
