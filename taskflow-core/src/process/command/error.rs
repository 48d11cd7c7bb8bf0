//! Why a command did not succeed.

use std::error::Error;
use std::fmt;

/// Why a command did not succeed. A task that returns it, in whatever error type, is failed or skipped by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandError {
    message: String,
    exit_code: Option<i32>,
    said: Option<Said>,
}

impl CommandError {
    pub(super) fn new(message: String) -> Self {
        CommandError { message, exit_code: None, said: None }
    }

    #[cfg(unix)]
    pub(super) fn ended(message: String, exit_code: Option<i32>, last: impl IntoIterator<Item = String>) -> Self {
        let said = last.into_iter().collect::<Vec<_>>().join("\n");
        CommandError { message, exit_code, said: (!said.is_empty()).then_some(Said(said)) }
    }

    /// The exit code, if it ended with one.
    pub fn exit_code(&self) -> Option<i32> {
        self.exit_code
    }

    /// The last lines that it wrote to stderr.
    pub fn stderr(&self) -> Option<&str> {
        self.said.as_ref().map(|said| said.0.as_str())
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for CommandError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.said.as_ref().map(|said| said as _)
    }
}

/// The last lines on stderr, as the cause.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said(String);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Said {}
