//! Ways to end: exit codes and refusals.

use std::io;
use std::process::ExitCode;

use super::terminal::Terminal;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Success,
    /// A run failed, or a graph has mistakes.
    Failure,
    /// What was asked for does not exist or is not allowed. Nothing was started.
    Usage,
    /// By SIGINT: 128 + 2, as a shell has it.
    Interrupted,
    /// By SIGTERM: 128 + 15.
    Terminated,
}

impl Exit {
    pub(super) const fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// Why a verb did not do what it was asked.
#[derive(Debug)]
pub(super) enum CliError {
    /// The words were not understood, or were `--help` or `--version`.
    Clap(clap::Error),
    /// Refusals, each a sentence.
    Usage(Vec<String>),
    /// It could not be done.
    Failure(String),
}

impl CliError {
    pub(super) fn usage(refusal: impl Into<String>) -> Self {
        CliError::Usage(vec![refusal.into()])
    }

    /// Says it on stderr (help and version: on stdout).
    pub(super) fn report(&self, terminal: &Terminal) -> Exit {
        match self {
            CliError::Clap(error) => {
                // It fails only where nobody reads any more.
                let _ = error.print();
                if error.use_stderr() { Exit::Usage } else { Exit::Success }
            }
            CliError::Usage(refusals) => {
                refusals.iter().for_each(|refusal| terminal.error(refusal));
                Exit::Usage
            }
            CliError::Failure(message) => {
                terminal.error(message);
                Exit::Failure
            }
        }
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
