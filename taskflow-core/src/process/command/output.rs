//! What a command gives.

use serde::{Deserialize, Serialize};

/// What a command that succeeded has left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CommandOutput {
    /// The last line on stdout that is not blank, cut after 16 KiB; empty if there is none.
    pub last_line: String,
    /// All of stdout, if it was [captured](super::Command::capture). Bytes that are no UTF-8 are replaced.
    pub stdout: Option<String>,
}
