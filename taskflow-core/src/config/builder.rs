//! Builds a configuration.
//!
//! 1. The file, or the text that replaces it, is read.
//! 2. The environment overrides it, name by name.
//! 3. The values set by the program override both.
//!
//! Mistakes are collected and reported together.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::config::{Config, Inner};
use super::document::Document;
use super::environment::Environment;
use super::error::ConfigError;
use super::layer::{Layer, Mistakes, Variable};
use super::origin::{Given, Origin};
use super::place::Place;
use super::source::Source;
use super::spec::Spec;
use super::{hidden, overrides};
use crate::log::Redactor;

/// Builds a [`Config`]. Only the given sources are read: no environment and no file by default.
///
/// ```
/// use taskflow::config::Config;
///
/// let config = Config::builder()
///     .toml("[variables]\nlate_after = 15\nregion = 'asia'")
///     .environment([("TASKFLOW_VAR_REGION", "europe")])
///     .variable("late_after", 20)
///     .build()?;
/// assert_eq!(config.variable::<u32>("late_after")?, 20);
/// assert_eq!(config.variable::<String>("region")?, "europe");
/// # Ok::<(), taskflow::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "`build()` makes the configuration"]
pub struct ConfigBuilder {
    text: Option<String>,
    place: Place,
    environment: Environment,
    /// The values set by the program, in order.
    overrides: Vec<Override>,
}

/// A value set by the program. A value without a JSON form is reported by `build`.
#[derive(Clone, Debug)]
enum Override {
    Variable(String, Result<serde_json::Value, String>),
    Connection(String, Hidden),
    Secret(String, Source),
}

/// A text that may contain a password.
#[derive(Clone)]
struct Hidden(String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl ConfigBuilder {
    /// Sets a variable. Overrides all other sources.
    pub fn variable(mut self, name: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).map_err(|error| error.to_string());
        self.overrides.push(Override::Variable(name.to_owned(), value));
        self
    }

    /// Sets a connection from a URI, or a JSON object with the fields of the table form. Overrides
    /// all other sources.
    pub fn connection(mut self, name: &str, text: &str) -> Self {
        self.overrides.push(Override::Connection(name.to_owned(), Hidden(text.to_owned())));
        self
    }

    /// Sets a secret. Overrides all other sources.
    pub fn secret(mut self, name: &str, text: &str) -> Self {
        self.overrides.push(Override::Secret(name.to_owned(), Source::literal(text)));
        self
    }

    /// Uses a text in the format of `taskflow.toml` instead of the file. It may contain secrets.
    pub fn toml(mut self, text: &str) -> Self {
        self.text = Some(text.to_owned());
        self
    }

    /// Reads this file, which must exist.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.place.file = Some(path.into());
        self
    }

    /// Searches for the file: at `TASKFLOW_CONFIG` of the environment, or else `taskflow.toml` in
    /// this directory, or else in the home below it. A missing file is fine.
    pub fn search(mut self, directory: impl Into<PathBuf>) -> Self {
        self.place.directory = Some(directory.into());
        self
    }

    /// The home to search for the file. Default: `TASKFLOW_HOME` of the environment, or
    /// `.taskflow`.
    pub fn home(mut self, home: impl Into<PathBuf>) -> Self {
        self.place.home = Some(home.into());
        self
    }

    /// Sets the environment variables; without this there are none.
    pub fn environment<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.environment = Environment::of(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Uses the environment of this process and the file for its current directory.
    pub fn process(self) -> Self {
        self.environment(std::env::vars_os()).search("")
    }

    /// Returns the file that would be read, without reading it.
    pub fn path(&self) -> Option<PathBuf> {
        self.place.find(&self.environment)
    }

    /// Builds the configuration.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or if any value is invalid; all mistakes are listed.
    pub fn build(self) -> Result<Config, ConfigError> {
        let ConfigBuilder { text, place, environment, overrides } = self;
        let mut mistakes = Mistakes::default();
        let mut path = None;
        let mut layer = match text {
            Some(text) => Document { text: &text, path: None, open_to_others: None }.read(&mut mistakes),
            None => match place.read(&environment)? {
                Some(file) => {
                    path = Some(file.path.clone());
                    let open_to_others = file.open_to_others;
                    Document { text: &file.text, path: Some(file.path), open_to_others }.read(&mut mistakes)
                }
                None => Layer::default(),
            },
        };
        overrides::apply(&environment, &mut layer, &mut mistakes);
        for item in overrides {
            apply(item, &mut layer, &mut mistakes);
        }
        mistakes.into_result()?;
        Ok(Config::new(Arc::new(Inner { environment, path, layer })))
    }
}

fn apply(item: Override, layer: &mut Layer, mistakes: &mut Mistakes) {
    let origin = Origin::Code;
    match item {
        Override::Variable(name, Ok(value)) => {
            hidden::register(&value, Redactor::is_secret_name(&name));
            layer.variables.set(&name, Given::new(Variable::Value(value), origin));
        }
        Override::Variable(name, Err(reason)) => {
            mistakes.add(&origin, format!("the variable `{name}` cannot be written as JSON: {reason}"));
        }
        Override::Connection(name, Hidden(text)) => match Spec::of_text(&text, &origin) {
            Ok(spec) => layer.connections.set(&name, Given::new(spec, origin)),
            Err(reasons) => {
                reasons.iter().for_each(|reason| mistakes.add(&origin, format!("the connection `{name}`: {reason}")));
            }
        },
        Override::Secret(name, source) => layer.secrets.set(&name, Given::new(source, origin)),
    }
}
