//! Putting a configuration together.
//!
//! 1. The file is read, or the text that stands for it.
//! 2. The environment is put over it, name by name.
//! 3. What the program says is put over both.
//!
//! Mistakes are collected on the way and told together.

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

/// Makes a [`Config`] out of what it is told. Nothing is read that was not named: not the environment, no file.
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
    /// What the program says, in the order in which it does.
    said: Vec<Said>,
}

/// One thing that the program says. A value that has no JSON form is told when the configuration is made.
#[derive(Clone, Debug)]
enum Said {
    Variable(String, Result<serde_json::Value, String>),
    Connection(String, Hidden),
    Secret(String, Source),
}

/// A text that may hold a password.
#[derive(Clone)]
struct Hidden(String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl ConfigBuilder {
    /// Gives a variable a value. It wins over every other place.
    pub fn variable(mut self, name: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).map_err(|error| error.to_string());
        self.said.push(Said::Variable(name.to_owned(), value));
        self
    }

    /// Gives a connection as a URI, or as a JSON object with the fields of the table form. It wins over every other place.
    pub fn connection(mut self, name: &str, text: &str) -> Self {
        self.said.push(Said::Connection(name.to_owned(), Hidden(text.to_owned())));
        self
    }

    /// Gives a secret. It wins over every other place.
    pub fn secret(mut self, name: &str, text: &str) -> Self {
        self.said.push(Said::Secret(name.to_owned(), Source::literal(text)));
        self
    }

    /// A text with the form of `taskflow.toml`, in the place of the file. It may hold secrets.
    pub fn toml(mut self, text: &str) -> Self {
        self.text = Some(text.to_owned());
        self
    }

    /// The file, which must be there, whatever it is called.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.place.file = Some(path.into());
        self
    }

    /// Looks for the file: where `TASKFLOW_CONFIG` of the environment says, else `taskflow.toml` in this directory, else in the
    /// home below it. It is no mistake if there is none.
    pub fn search(mut self, directory: impl Into<PathBuf>) -> Self {
        self.place.directory = Some(directory.into());
        self
    }

    /// The home to look for the file in. Default: `TASKFLOW_HOME` of the environment, or `.taskflow`.
    pub fn home(mut self, home: impl Into<PathBuf>) -> Self {
        self.place.home = Some(home.into());
        self
    }

    /// The variables of the environment; none are there without this.
    pub fn environment<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.environment = Environment::of(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// The environment of this process, and the file that belongs to its current directory.
    pub fn process(self) -> Self {
        self.environment(std::env::vars_os()).search("")
    }

    /// The file that would be read, without reading it.
    pub fn path(&self) -> Option<PathBuf> {
        self.place.find(&self.environment)
    }

    /// Reads everything.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, and when anything that is given cannot be understood; all mistakes are listed.
    pub fn build(self) -> Result<Config, ConfigError> {
        let ConfigBuilder { text, place, environment, said } = self;
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
        for said in said {
            apply(said, &mut layer, &mut mistakes);
        }
        mistakes.into_result()?;
        Ok(Config::new(Arc::new(Inner { environment, path, layer })))
    }
}

fn apply(said: Said, layer: &mut Layer, mistakes: &mut Mistakes) {
    let origin = Origin::Code;
    match said {
        Said::Variable(name, Ok(value)) => {
            hidden::register(&value, Redactor::is_secret_name(&name));
            layer.variables.set(&name, Given::new(Variable::Value(value), origin));
        }
        Said::Variable(name, Err(reason)) => {
            mistakes.add(&origin, format!("the variable `{name}` has no JSON form: {reason}"));
        }
        Said::Connection(name, Hidden(text)) => match Spec::of_text(&text, &origin) {
            Ok(spec) => layer.connections.set(&name, Given::new(spec, origin)),
            Err(reasons) => {
                reasons.iter().for_each(|reason| mistakes.add(&origin, format!("the connection `{name}`: {reason}")));
            }
        },
        Said::Secret(name, source) => layer.secrets.set(&name, Given::new(source, origin)),
    }
}
