//! The configuration of a program.

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
#[cfg(feature = "server")]
use super::{origin::Origin, webhook::Webhook};
use super::{overrides, typed};
use crate::base::{did_you_mean, nearest};
use crate::log::Redactor;

/// Variables, connections, secrets and settings, from the program, the environment and
/// `taskflow.toml`.
///
/// Cheap to clone and immutable. Only the files and environment variables that secrets refer to are
/// read when a secret is requested.
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

/// Construction.
impl Config {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Config { inner }
    }

    /// Creates a builder.
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder::default()
    }

    /// Creates a configuration from a text in the format of `taskflow.toml` only: for tests.
    ///
    /// # Errors
    ///
    /// If the text has mistakes; all are listed.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        Config::builder().toml(text).build()
    }

    /// The configuration of the process: the environment, and the file at `TASKFLOW_CONFIG`, or
    /// else `taskflow.toml` in the current directory, or else in the home. In a program of
    /// [`taskflow::main!`](https://docs.rs/taskflow), `--config` also applies.
    ///
    /// It is read on first use and does not change afterwards. Runs use it unless their engine has
    /// another one.
    ///
    /// # Errors
    ///
    /// Like [`ConfigBuilder::build`], the same each time.
    pub fn global() -> Result<Self, ConfigError> {
        GLOBAL.get_or_init(|| Config::builder().process().build()).clone()
    }

    /// Makes this the configuration of the process, unless there already is one.
    #[cfg(feature = "cli")]
    pub(crate) fn install(&self) {
        // A task that has already used it cannot have been started by the command line.
        let _ = GLOBAL.set(Ok(self.clone()));
    }
}

/// Access.
impl Config {
    /// Returns a variable as a `T`. A value from the environment is parsed as JSON if that results
    /// in a `T`; otherwise it is a text.
    ///
    /// # Errors
    ///
    /// If it is not set, or not a `T`.
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

    /// Returns a variable, or `default` if it is not set.
    ///
    /// # Errors
    ///
    /// If it is not a `T`.
    pub fn variable_or<T: DeserializeOwned>(&self, name: &str, default: T) -> Result<T, ConfigError> {
        match self.inner.layer.variables.get(name) {
            Some(_) => self.variable(name),
            None => Ok(default),
        }
    }

    /// Returns a connection, with its secrets.
    ///
    /// # Errors
    ///
    /// If it is not set, or one of its secrets cannot be read.
    pub fn connection(&self, name: &str) -> Result<Connection, ConfigError> {
        let connections = &self.inner.layer.connections;
        let given = connections.get(name).ok_or_else(|| missing(ItemKind::Connection, name, connections))?;
        given.value.resolve(name, &self.inner.environment, &given.origin)
    }

    /// Returns a secret. If it is stored in a file, the file is read now.
    ///
    /// # Errors
    ///
    /// If it is not set or cannot be read.
    pub fn secret(&self, name: &str) -> Result<Secret, ConfigError> {
        let secrets = &self.inner.layer.secrets;
        let given = secrets.get(name).ok_or_else(|| missing(ItemKind::Secret, name, secrets))?;
        given.value.resolve(&self.inner.environment, || format!("the secret `{name}`"), &given.origin)
    }

    /// The webhook with this name, and the name as it is written.
    #[cfg(feature = "server")]
    pub(crate) fn webhook(&self, name: &str) -> Option<(&str, &Webhook)> {
        let webhooks = &self.inner.layer.webhooks;
        Some((webhooks.written(name)?, &webhooks.get(name)?.value))
    }

    /// All webhooks, with where they are defined.
    #[cfg(feature = "server")]
    pub(crate) fn webhooks(&self) -> impl Iterator<Item = (&str, &Webhook, &Origin)> {
        self.inner.layer.webhooks.iter().map(|(name, given)| (name, &given.value, &given.origin))
    }

    /// The secret that the deliveries of a webhook are signed with. If it is stored in a file, the
    /// file is read now.
    ///
    /// # Errors
    ///
    /// If it is not set or cannot be read. What `secret` says is not shown: it may be the secret
    /// itself, by mistake.
    #[cfg(feature = "server")]
    pub(crate) fn webhook_secret(&self, webhook: &Webhook) -> Result<Secret, String> {
        match self.inner.layer.secrets.get(&webhook.secret) {
            Some(_) => self.secret(&webhook.secret).map_err(|error| error.to_string()),
            None => Err("`secret` is not the name of a secret; define it in [secrets] of taskflow.toml, or as \
                         TASKFLOW_SECRET_<NAME> (or TASKFLOW_SECRET_<NAME>_FILE) in the environment"
                .to_owned()),
        }
    }

    /// The settings of the command line.
    pub fn settings(&self) -> &Settings {
        &self.inner.layer.settings
    }

    /// The pools whose number of slots is overridden.
    pub fn pools(&self) -> impl Iterator<Item = (&str, u32)> {
        self.inner.layer.pools.iter().map(|(name, slots)| (name, slots.value))
    }

    /// The file that was read.
    pub fn path(&self) -> Option<&Path> {
        self.inner.path.as_deref()
    }

    /// All entries with their origins and without secrets, as displayed by `config show`.
    pub fn entries(&self) -> Vec<Entry> {
        entry::entries(&self.inner.layer)
    }

    /// Describes environment variables that begin with `TASKFLOW_` but have no meaning.
    pub fn doubts(&self) -> Vec<String> {
        let unknown = overrides::unknown(&self.inner.environment).into_iter();
        unknown
            .map(|name| format!("{name} is not a variable of taskflow{}", did_you_mean(&name, overrides::known())))
            .collect()
    }

    /// Masks every available secret in the output of this process, including unused ones: it may
    /// display what another process stored.
    #[cfg(feature = "cli")]
    pub(crate) fn mask_secrets(&self) {
        // A secret that is not available here cannot be recognised; requesting it reports why.
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
    /// Hides the content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("path", &self.inner.path).finish_non_exhaustive()
    }
}
