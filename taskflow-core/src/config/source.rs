//! How a secret is defined: literally, or by a reference.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::environment::Environment;
use super::error::ConfigError;
use super::origin::Origin;
use super::secret::Secret;

/// Where the text of a secret is stored. It is resolved when the secret is requested, so that
/// unused secrets may be missing, and one in a file may change while the program runs.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Literal(Secret),
    Environment(String),
    File(PathBuf),
}

impl Source {
    pub(super) fn literal(text: &str) -> Self {
        Source::Literal(Secret::new(text))
    }

    /// `{ env = "NAME" }` or `{ file = "PATH" }`; `None` for other tables.
    pub(super) fn of_table(table: &Map<String, Value>, origin: &Origin) -> Option<Self> {
        let mut entries = table.iter();
        let (Some((key, Value::String(text))), None) = (entries.next(), entries.next()) else { return None };
        match &**key {
            "env" => Some(Source::Environment(text.clone())),
            "file" => Some(Source::File(origin.directory().join(text))),
            _ => None,
        }
    }

    /// Resolves the secret. `what` describes it in errors.
    pub(super) fn resolve(
        &self,
        environment: &Environment,
        what: impl Fn() -> String,
        origin: &Origin,
    ) -> Result<Secret, ConfigError> {
        let missing = |reason: String| ConfigError::Secret { what: what(), origin: origin.clone(), reason };
        match self {
            Source::Literal(secret) => Ok(secret.clone()),
            Source::Environment(variable) => match environment.get(variable).map(|value| value.to_str()) {
                Some(Some(text)) => Ok(Secret::new(text)),
                Some(None) => Err(missing(format!("the environment variable {variable} is not UTF-8"))),
                None => Err(missing(format!("the environment variable {variable} is not set"))),
            },
            Source::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => {
                    // Remove the newline that editors and `echo` append.
                    let text = text.strip_suffix('\n').unwrap_or(&text);
                    Ok(Secret::new(text.strip_suffix('\r').unwrap_or(text)))
                }
                Err(error) => Err(missing(format!("the file {} cannot be read: {error}", path.display()))),
            },
        }
    }
}

impl fmt::Display for Source {
    /// `***`, `*** (from PGPASSWORD)`, `*** (from /run/secrets/x)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Literal(_) => f.write_str("***"),
            Source::Environment(variable) => write!(f, "*** (from {variable})"),
            Source::File(path) => write!(f, "*** (from {})", path.display()),
        }
    }
}
