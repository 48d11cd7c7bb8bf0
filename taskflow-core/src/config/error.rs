//! Errors of configurations and of access to them.

use std::fmt;
use std::path::PathBuf;

use super::name::in_environment;
use super::origin::Origin;
use crate::base::ErrorKind;

/// Why a configuration cannot be read or does not contain a value. No message shows a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {} cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        reason: String,
    },
    /// The configuration has mistakes; all of them are listed.
    #[error("{}", list(mistakes))]
    Invalid {
        /// At least one.
        mistakes: Vec<Mistake>,
    },
    /// There is no value with this name.
    #[error("there is no {kind} `{name}`{}; it can be set {}", .near.as_ref().map(|near| format!(" (there is `{near}`)")).unwrap_or_default(), kind.places(name))]
    Missing {
        /// The kind of the value.
        kind: ItemKind,
        /// Its name.
        name: String,
        /// The most similar existing name.
        near: Option<String>,
    },
    /// A value has the wrong type.
    #[error("{what} ({origin}) is not a valid {wanted}: {reason}")]
    WrongType {
        /// The description of the value: ``the variable `late_after` ``.
        what: String,
        /// Where it is defined.
        origin: Origin,
        /// The requested type.
        wanted: String,
        /// The reason.
        reason: String,
    },
    /// A connection does not have this extra.
    #[error("the connection `{connection}` has no extra `{key}`{}", .near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    NoExtra {
        /// The connection.
        connection: String,
        /// The requested extra.
        key: String,
        /// The most similar existing extra.
        near: Option<String>,
    },
    /// A secret cannot be read.
    #[error("{what} ({origin}) cannot be read: {reason}")]
    Secret {
        /// The description of the secret: ``the secret `token` ``, ``the password of the connection
        /// `warehouse` ``.
        what: String,
        /// Where it is defined.
        origin: Origin,
        /// The reason.
        reason: String,
    },
}

impl ConfigError {
    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            ConfigError::Unreadable { .. } | ConfigError::Invalid { .. } | ConfigError::WrongType { .. } => {
                ErrorKind::Invalid
            }
            ConfigError::Missing { .. } | ConfigError::NoExtra { .. } | ConfigError::Secret { .. } => {
                ErrorKind::NotFound
            }
        }
    }
}

/// An invalid entry of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mistake {
    /// Where it is.
    pub origin: Origin,
    /// What is wrong, and what would be valid.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

fn list(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(Mistake::to_string).collect::<Vec<_>>().join("\n")
}

/// The kinds of values that tasks request from a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ItemKind {
    /// A variable.
    Variable,
    /// A connection.
    Connection,
    /// A secret.
    Secret,
}

impl ItemKind {
    /// The prefix of its environment variables.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            ItemKind::Variable => "TASKFLOW_VAR_",
            ItemKind::Connection => "TASKFLOW_CONN_",
            ItemKind::Secret => "TASKFLOW_SECRET_",
        }
    }

    /// Where a value can be set.
    fn places(self, name: &str) -> String {
        let table = match self {
            ItemKind::Variable => "variables",
            ItemKind::Connection => "connections",
            ItemKind::Secret => "secrets",
        };
        let variable = format!("{}{}", self.prefix(), in_environment(name));
        let file = match self {
            ItemKind::Secret => format!(" (or {variable}_FILE)"),
            ItemKind::Variable | ItemKind::Connection => String::new(),
        };
        format!(
            "below [{table}] in taskflow.toml, as {variable}{file} in the environment, or by the program with \
             `Config::builder().{self}(\"{name}\", ..)`"
        )
    }
}

impl fmt::Display for ItemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ItemKind::Variable => "variable",
            ItemKind::Connection => "connection",
            ItemKind::Secret => "secret",
        })
    }
}
