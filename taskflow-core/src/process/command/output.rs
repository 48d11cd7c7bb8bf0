//! The output of a command.

use serde::{Deserialize, Serialize};

/// The output of a successful command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CommandOutput {
    /// The last nonblank line of stdout, cut after 16 KiB; empty if there is none.
    pub last_line: String,
    /// All of stdout, if it was [captured](super::Command::capture). Invalid UTF-8 is replaced.
    pub stdout: Option<String>,
}
