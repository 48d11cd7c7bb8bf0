//! The output of a command.

use serde::{Deserialize, Serialize};

/// The output of a successful command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CommandOutput {
    /// The last nonblank line of stdout, cut after 1 MiB; empty if there is none. Of lines that
    /// replace each other (`\r`), as those of a progress bar, the last one counts.
    pub last_line: String,
    /// All of stdout, if it was [captured](super::Command::capture). Invalid UTF-8 is replaced.
    pub stdout: Option<String>,
}
