//! Whether a run waits for the disk.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What must be stored before a run continues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Durability {
    /// A success is stored before a task that depends on it starts: whatever happens, no task sees
    /// a result that is lost later.
    #[default]
    Strict,
    /// Everything is stored, soon, and nobody waits for it: after a crash the last moments may be
    /// missing, and tasks that ran in them run again, also when others have seen their results.
    Relaxed,
    /// Nothing is stored.
    Ephemeral,
}

impl Durability {
    /// `strict`, `relaxed` or `ephemeral`.
    pub const fn name(self) -> &'static str {
        match self {
            Durability::Strict => "strict",
            Durability::Relaxed => "relaxed",
            Durability::Ephemeral => "ephemeral",
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Durability {
    pub(crate) fn is_strict(self) -> bool {
        self == Durability::Strict
    }
}
