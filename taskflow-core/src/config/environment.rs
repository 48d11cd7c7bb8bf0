//! The environment variables, read once: a configuration does not change while a program runs.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

use super::error::ItemKind;

/// A snapshot of environment variables.
#[derive(Clone, Default)]
pub(super) struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// A snapshot of these variables. Names that are not Unicode are ignored.
    pub(super) fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let named = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        Environment(variables.into_iter().filter_map(named).collect())
    }

    /// The value of a variable.
    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(name).map(OsString::as_os_str)
    }

    /// The value of a variable that is not empty: scripts use `NAME=` to unset a variable.
    pub(super) fn get_nonempty(&self, name: &str) -> Option<&OsStr> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// The variables with this prefix: the rest of the name, and the value.
    pub(super) fn starting_with<'e>(&'e self, prefix: &'e str) -> impl Iterator<Item = (&'e str, &'e OsStr)> {
        self.0.iter().filter_map(move |(name, value)| {
            let rest = name.strip_prefix(prefix).filter(|rest| !rest.is_empty())?;
            Some((rest, value.as_os_str()))
        })
    }
}

/// The names of the variables of this process that contain secrets: all of `TASKFLOW_SECRET_*` and
/// `TASKFLOW_CONN_*`.
pub(crate) fn secret_variables() -> impl Iterator<Item = OsString> {
    let prefixes = [ItemKind::Secret, ItemKind::Connection].map(|kind| kind.prefix().as_bytes());
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(move |name| prefixes.iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix)))
}

impl fmt::Debug for Environment {
    /// Hides the values, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Environment").field(&format_args!("{} variables", self.0.len())).finish()
    }
}
