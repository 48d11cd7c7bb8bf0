//! Why a command did not succeed.

use std::error::Error;
use std::fmt;

/// Why a command did not succeed. A task that returns it, also inside another error type, fails or
/// is skipped accordingly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandError {
    message: String,
    exit_code: Option<i32>,
    stderr: Option<Stderr>,
}

impl CommandError {
    pub(super) fn new(message: String) -> Self {
        CommandError { message, exit_code: None, stderr: None }
    }

    #[cfg(unix)]
    pub(super) fn ended(message: String, exit_code: Option<i32>, last: impl IntoIterator<Item = String>) -> Self {
        let stderr = last.into_iter().collect::<Vec<_>>().join("\n");
        CommandError { message, exit_code, stderr: (!stderr.is_empty()).then_some(Stderr(stderr)) }
    }

    /// The exit code, if the command exited.
    pub fn exit_code(&self) -> Option<i32> {
        self.exit_code
    }

    /// The last lines of stderr.
    pub fn stderr(&self) -> Option<&str> {
        self.stderr.as_ref().map(|stderr| stderr.0.as_str())
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for CommandError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.stderr.as_ref().map(|stderr| stderr as _)
    }
}

/// The last lines of stderr, as the source of the error.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stderr(String);

impl fmt::Display for Stderr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Stderr {}
