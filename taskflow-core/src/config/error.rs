//! What can be wrong with a configuration, and with what is asked of it.

use std::fmt;
use std::path::PathBuf;

use super::name::in_environment;
use super::origin::Origin;
use crate::base::ErrorKind;

/// Why there is no configuration, or not what was asked of it. No message shows a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {} cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: String,
    },
    /// What is given has mistakes; all of them are listed.
    #[error("{}", list(mistakes))]
    Invalid {
        /// At least one.
        mistakes: Vec<Mistake>,
    },
    /// Nothing of that name is given anywhere.
    #[error("there is no {kind} `{name}`{}; it can be given {}", .near.as_ref().map(|near| format!(" (there is `{near}`)")).unwrap_or_default(), kind.places(name))]
    Missing {
        /// What was asked for.
        kind: ItemKind,
        /// Its name.
        name: String,
        /// The nearest name that is given.
        near: Option<String>,
    },
    /// A value is not of the type that was asked for.
    #[error("{what} ({origin}) is no {wanted}: {reason}")]
    WrongType {
        /// What was asked for: ``the variable `late_after` ``.
        what: String,
        /// Where it is given.
        origin: Origin,
        /// The type.
        wanted: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A connection has no such extra.
    #[error("the connection `{connection}` has no extra `{key}`{}", .near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    NoExtra {
        /// The connection.
        connection: String,
        /// What was asked for.
        key: String,
        /// The nearest that it has.
        near: Option<String>,
    },
    /// A secret is not where it should be.
    #[error("{what} ({origin}) is not there: {reason}")]
    Secret {
        /// Which secret: ``the secret `token` ``, ``the password of the connection `warehouse` ``.
        what: String,
        /// Where its place is given.
        origin: Origin,
        /// What is wrong.
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

/// Something that is given and cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mistake {
    /// Where it stands.
    pub origin: Origin,
    /// What is wrong, and what would be right.
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

/// What tasks ask a configuration for.
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
    /// How environment variables for it begin.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            ItemKind::Variable => "TASKFLOW_VAR_",
            ItemKind::Connection => "TASKFLOW_CONN_",
            ItemKind::Secret => "TASKFLOW_SECRET_",
        }
    }

    /// The places where one can be given.
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
