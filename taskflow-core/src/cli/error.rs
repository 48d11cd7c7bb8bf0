//! Errors and exit codes.

use std::fmt;
use std::io;
use std::process::ExitCode;

use super::terminal::Terminal;
use crate::base::ErrorKind;
use crate::base::text::is_unsafe;
use crate::config::ConfigError;
use crate::engine::RunError;
use crate::journal::JournalError;
use crate::ops::OpsError;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Success,
    /// A run failed, a graph has mistakes, or an operation could not be carried out.
    Failure,
    /// Invalid usage, or the DAG, run or task does not exist or does not allow the operation.
    Usage,
    /// Ended by SIGINT: 128 + 2, as in a shell.
    Interrupted,
    /// Ended by SIGTERM: 128 + 15.
    Terminated,
    /// Ended by SIGHUP: 128 + 1.
    HungUp,
}

impl Exit {
    pub(super) const fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
            Exit::HungUp => 129,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// Why a verb failed.
#[derive(Debug)]
pub(super) enum CliError {
    /// Invalid usage, or `--help` or `--version`.
    Clap(clap::Error),
    /// Exit code 2; each message is a sentence.
    Usage(Vec<String>),
    /// Exit code 2: the state of a DAG, a run or a backfill does not allow it.
    Conflict(String),
    /// Exit code 1.
    Failure(String),
}

impl Exit {
    /// The exit code of an error that another layer reports.
    pub(super) fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Invalid => Exit::Usage,
            ErrorKind::Unavailable | ErrorKind::Damaged => Exit::Failure,
        }
    }
}

impl CliError {
    /// An error of another layer; its kind decides the exit code.
    pub(super) fn of(kind: ErrorKind, error: &dyn fmt::Display) -> Self {
        match Exit::of(kind) {
            _ if kind == ErrorKind::Conflict => CliError::Conflict(error.to_string()),
            Exit::Usage => CliError::usage(error.to_string()),
            _ => CliError::Failure(error.to_string()),
        }
    }

    pub(super) fn usage(message: impl Into<String>) -> Self {
        CliError::Usage(vec![message.into()])
    }

    /// The sentences, in one line.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "of one of several runs or DAGs"))]
    pub(super) fn text(&self) -> String {
        match self {
            CliError::Clap(error) => error.to_string(),
            CliError::Usage(messages) => messages.join("; "),
            CliError::Conflict(message) | CliError::Failure(message) => message.clone(),
        }
    }

    /// Prints it to stderr (help and version to stdout).
    pub(super) fn report(&self, terminal: &Terminal) -> Exit {
        match self {
            CliError::Clap(error) => {
                // The message repeats arguments, which may contain anything.
                if error.to_string().contains(is_unsafe) {
                    terminal.note_block(error.to_string().trim_end());
                } else {
                    // It fails only when the reader is gone.
                    let _ = error.print();
                }
                if error.use_stderr() { Exit::Usage } else { Exit::Success }
            }
            CliError::Usage(messages) => {
                messages.iter().for_each(|message| terminal.error(message));
                Exit::Usage
            }
            CliError::Conflict(message) => {
                terminal.error(message);
                Exit::Usage
            }
            CliError::Failure(message) => {
                terminal.error(message);
                Exit::Failure
            }
        }
    }
}

impl From<OpsError> for CliError {
    fn from(error: OpsError) -> Self {
        match error {
            OpsError::Config(error) => error.into(),
            error => CliError::of(error.kind(), &error),
        }
    }
}

/// Each mistake in a configuration is printed as its own error.
impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Invalid { mistakes } => CliError::Usage(mistakes.iter().map(ToString::to_string).collect()),
            error => CliError::of(error.kind(), &error),
        }
    }
}

impl From<RunError> for CliError {
    fn from(error: RunError) -> Self {
        OpsError::from(error).into()
    }
}

impl From<JournalError> for CliError {
    fn from(error: JournalError) -> Self {
        OpsError::from(error).into()
    }
}

impl From<clap::Error> for CliError {
    fn from(error: clap::Error) -> Self {
        CliError::Clap(error)
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        CliError::Failure(format!("cannot write to stdout: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_follows_from_the_kind() {
        let codes = ErrorKind::ALL.map(|kind| (kind.name(), Exit::of(kind).code()));
        let expected = [("not_found", 2), ("conflict", 2), ("invalid", 2), ("unavailable", 1), ("damaged", 1)];
        assert_eq!(codes, expected);
    }
}
