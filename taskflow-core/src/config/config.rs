//! The configuration of a program: asking it for things.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;

use super::builder::ConfigBuilder;
use super::connection::Connection;
use super::entry::{self, Entry};
use super::environment::Environment;
use super::error::{ConfigError, ItemKind};
use super::layer::{Layer, Variable};
use super::name::Named;
use super::secret::Secret;
use super::settings::Settings;
use super::{overrides, typed};
use crate::base::{did_you_mean, nearest};
use crate::log::Redactor;

/// Variables, connections, secrets and settings, from the program, the environment and `taskflow.toml`.
///
/// Cheap to clone. It does not change; only the files and environment variables that secrets refer to are looked at when a
/// secret is asked for.
///
/// ```
/// use taskflow::config::Config;
///
/// let config = Config::from_toml(r#"
///     [variables]
///     late_after = 15
///
///     [secrets]
///     token = "correct horse"
/// "#)?;
/// assert_eq!(config.variable::<u32>("late_after")?, 15);
/// assert_eq!(config.secret("token")?.expose(), "correct horse");
/// # Ok::<(), taskflow::config::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Config {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) environment: Environment,
    pub(super) path: Option<std::path::PathBuf>,
    pub(super) layer: Layer,
}

/// The configuration of the process.
static GLOBAL: OnceLock<Result<Config, ConfigError>> = OnceLock::new();

/// Making one.
impl Config {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Config { inner }
    }

    /// One that is put together by hand.
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder::default()
    }

    /// One that is a text with the form of `taskflow.toml` and nothing else: for tests.
    ///
    /// # Errors
    ///
    /// When the text has mistakes; all are listed.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        Config::builder().toml(text).build()
    }

    /// That of the process: the environment, and the file that `TASKFLOW_CONFIG` names, else `taskflow.toml` in the current
    /// directory, else in the home. In a program of [`taskflow::main!`](https://docs.rs/taskflow) the flag `--config` counts,
    /// too.
    ///
    /// It is read when it is asked for first, and stays as it was then. Runs use it whose engine has no other.
    ///
    /// # Errors
    ///
    /// As [`ConfigBuilder::build`], the same each time.
    pub fn global() -> Result<Self, ConfigError> {
        GLOBAL.get_or_init(|| Config::builder().process().build()).clone()
    }

    /// Makes it that of the process, unless there is one already.
    #[cfg(feature = "cli")]
    pub(crate) fn install(&self) {
        // A task that asked before cannot have been started by the command line.
        let _ = GLOBAL.set(Ok(self.clone()));
    }
}

/// Asking it.
impl Config {
    /// A variable, in the type that is wanted. One from the environment is read as JSON if that gives this type, else it is
    /// a text.
    ///
    /// # Errors
    ///
    /// When it is not given, or of another type.
    pub fn variable<T: DeserializeOwned>(&self, name: &str) -> Result<T, ConfigError> {
        let variables = &self.inner.layer.variables;
        let given = variables.get(name).ok_or_else(|| missing(ItemKind::Variable, name, variables))?;
        let read = match &given.value {
            Variable::Value(value) => serde_json::from_value(value.clone()).map_err(|error| error.to_string()),
            Variable::Text(text) => typed::read_text(text),
        };
        read.map_err(|reason| ConfigError::WrongType {
            what: format!("the variable `{name}`"),
            origin: given.origin.clone(),
            wanted: typed::name::<T>(),
            reason: if Redactor::is_secret_name(name) { "its value is not shown".to_owned() } else { reason },
        })
    }

    /// A variable, or what is taken where it is not given.
    ///
    /// # Errors
    ///
    /// When it is of another type.
    pub fn variable_or<T: DeserializeOwned>(&self, name: &str, default: T) -> Result<T, ConfigError> {
        match self.inner.layer.variables.get(name) {
            Some(_) => self.variable(name),
            None => Ok(default),
        }
    }

    /// A connection, with its secrets.
    ///
    /// # Errors
    ///
    /// When it is not given, or a secret of it is not where it should be.
    pub fn connection(&self, name: &str) -> Result<Connection, ConfigError> {
        let connections = &self.inner.layer.connections;
        let given = connections.get(name).ok_or_else(|| missing(ItemKind::Connection, name, connections))?;
        given.value.resolve(name, &self.inner.environment, &given.origin)
    }

    /// A secret. A file that holds it is read now.
    ///
    /// # Errors
    ///
    /// When it is not given, or not where it should be.
    pub fn secret(&self, name: &str) -> Result<Secret, ConfigError> {
        let secrets = &self.inner.layer.secrets;
        let given = secrets.get(name).ok_or_else(|| missing(ItemKind::Secret, name, secrets))?;
        given.value.resolve(&self.inner.environment, || format!("the secret `{name}`"), &given.origin)
    }

    /// The settings of the command line.
    pub fn settings(&self) -> &Settings {
        &self.inner.layer.settings
    }

    /// The pools that get another number of slots.
    pub fn pools(&self) -> impl Iterator<Item = (&str, u32)> {
        self.inner.layer.pools.iter().map(|(name, slots)| (name, slots.value))
    }

    /// The file that was read.
    pub fn path(&self) -> Option<&Path> {
        self.inner.path.as_deref()
    }

    /// Everything there is, with where it comes from and without secrets: what `config show` tells.
    pub fn entries(&self) -> Vec<Entry> {
        entry::entries(&self.inner.layer)
    }

    /// What is wrong with variables of the environment that begin with `TASKFLOW_` and mean nothing.
    pub fn doubts(&self) -> Vec<String> {
        let unknown = overrides::unknown(&self.inner.environment).into_iter();
        unknown.map(|name| format!("{name} means nothing{}", did_you_mean(&name, overrides::known()))).collect()
    }

    /// Keeps every secret that can be had out of what this process prints, also those that it does not ask for: it may show
    /// what another process stored.
    #[cfg(feature = "cli")]
    pub(crate) fn mask_secrets(&self) {
        // A secret that cannot be had here cannot be recognised here; asking for it says why.
        for name in self.inner.layer.secrets.names() {
            let _ = self.secret(name);
        }
        for name in self.inner.layer.connections.names() {
            let _ = self.connection(name);
        }
    }
}

fn missing<T>(kind: ItemKind, name: &str, there: &Named<T>) -> ConfigError {
    ConfigError::Missing { kind, name: name.to_owned(), near: nearest(name, there.names()).map(str::to_owned) }
}

impl fmt::Debug for Config {
    /// Does not show what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("path", &self.inner.path).finish_non_exhaustive()
    }
}
