//! Errors: why an attempt failed ([`Failure`]), and the class of an error ([`ErrorKind`]).

mod crash;
mod kind;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::crash::Crash;
pub(crate) use self::crash::SignalName;
pub use self::kind::ErrorKind;
use super::text::bounded;

/// The error type of tasks. `anyhow`, `eyre` and `thiserror` types, `String` and `&str` convert
/// into it.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// `Result` with [`BoxError`] as its default error, so that `?` accepts every error in a task.
pub type Result<T, E = BoxError> = std::result::Result<T, E>;

/// Why a task instance did not succeed.
///
/// A parameter of type `Result<T, Failure>` receives it instead of the value. The report of a run
/// holds one for every task that did not succeed. It can be serialized: causes are stored as text,
/// outermost first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Failure {
    /// The task returned `Err`.
    Error {
        /// The messages of the error and its sources, outermost first; never empty.
        chain: Vec<String>,
        /// Whether a retry could help; `false` after
        /// [`TaskContext::fail`](crate::task::TaskContext::fail).
        retryable: bool,
    },
    /// The task panicked.
    Panic {
        /// The payload of the panic, if it was text.
        message: String,
        /// `file:line:column` of the panic, if known.
        location: Option<String>,
    },
    /// An attempt ran longer than the `timeout` of its task.
    TimedOut {
        /// The limit.
        limit: Duration,
    },
    /// The attempt or its run was cancelled.
    Cancelled {
        /// Who or what cancelled it.
        reason: String,
    },
    /// The task was skipped, by itself or because an upstream was. Only `Result<T, Failure>`
    /// parameters receive it.
    Skipped {
        /// The reason given, or the upstream that was skipped.
        reason: String,
    },
    /// The task never started because an upstream failed. Only `Result<T, Failure>` parameters and
    /// reports contain it.
    UpstreamFailed {
        /// The id of the failed upstream.
        task: String,
    },
    /// The process that ran the attempt ended before the attempt did.
    Lost {
        /// The process, as `host:process`.
        worker: String,
    },
    /// A sensor reached its timeout without finding what it waits for.
    NothingFound {
        /// The timeout of the sensor.
        limit: Duration,
        /// How many times it poked.
        pokes: u32,
    },
    /// The attempts of the task took longer together than its `total_timeout`.
    OutOfTime {
        /// The limit.
        limit: Duration,
        /// How many attempts it had within this time.
        attempts: u32,
    },
    /// The task runs in a process of its own (`isolation = "process"`), and that process ended
    /// without a result.
    Crashed {
        /// Why it ended.
        crash: Crash,
        /// The last lines it wrote to stderr, at most five.
        stderr: Vec<String>,
    },
}

impl Failure {
    /// Converts an error returned by a task.
    pub fn from_error(error: &(dyn Error + 'static)) -> Self {
        let mut chain = vec![error.to_string()];
        let mut source = error.source();
        while let Some(cause) = source {
            chain.push(cause.to_string());
            source = cause.source();
        }
        Failure::Error { chain, retryable: true }
    }

    /// Cuts messages that are too long to store and to show, with a note about the rest.
    pub(crate) fn bound(&mut self) {
        /// More causes are counted.
        const CAUSES: usize = 32;
        match self {
            Failure::Error { chain, .. } => {
                let more = chain.len().saturating_sub(CAUSES);
                if more > 0 {
                    chain.truncate(CAUSES);
                    chain.push(format!("… ({more} more causes)"));
                }
                chain.iter_mut().for_each(bound_message);
            }
            Failure::Panic { message, .. } => bound_message(message),
            Failure::Skipped { reason } | Failure::Cancelled { reason } => bound_message(reason),
            Failure::Crashed { stderr, .. } => stderr.iter_mut().for_each(bound_message),
            Failure::TimedOut { .. }
            | Failure::OutOfTime { .. }
            | Failure::NothingFound { .. }
            | Failure::UpstreamFailed { .. }
            | Failure::Lost { .. } => {}
        }
    }

    /// Whether the task was skipped rather than failed.
    pub fn is_skip(&self) -> bool {
        matches!(self, Failure::Skipped { .. })
    }

    /// Whether another attempt could succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Failure::Error { retryable, .. } => *retryable,
            // Out of time: not within this limit, but a retry of the group or the run sets a new
            // one.
            Failure::Panic { .. }
            | Failure::TimedOut { .. }
            | Failure::OutOfTime { .. }
            | Failure::Lost { .. }
            | Failure::Crashed { .. } => true,
            Failure::Cancelled { .. }
            | Failure::Skipped { .. }
            | Failure::UpstreamFailed { .. }
            | Failure::NothingFound { .. } => false,
        }
    }

    /// A short name for tables and logs: `error`, `panic`, `timeout`, `cancelled`, `skipped`,
    /// `upstream_failed`, `lost`, `nothing_found`, `out_of_time`, `crashed`.
    pub fn kind(&self) -> &'static str {
        match self {
            Failure::Error { .. } => "error",
            Failure::Panic { .. } => "panic",
            Failure::TimedOut { .. } => "timeout",
            Failure::Cancelled { .. } => "cancelled",
            Failure::Skipped { .. } => "skipped",
            Failure::UpstreamFailed { .. } => "upstream_failed",
            Failure::Lost { .. } => "lost",
            Failure::Crashed { .. } => "crashed",
            Failure::NothingFound { .. } => "nothing_found",
            Failure::OutOfTime { .. } => "out_of_time",
        }
    }

    /// The messages after the first, outermost first; for a crash, the last lines of stderr.
    pub fn causes(&self) -> &[String] {
        match self {
            Failure::Error { chain, .. } => chain.get(1..).unwrap_or_default(),
            Failure::Crashed { stderr, .. } => stderr,
            _ => &[],
        }
    }
}

/// Cuts a message that is longer than 64 KiB.
pub(crate) fn bound_message(message: &mut String) {
    const LONGEST: usize = 64 << 10;
    if let Cow::Owned(cut) = bounded(message, LONGEST) {
        *message = cut;
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Error { chain, .. } => f.write_str(chain.first().map_or("unknown error", String::as_str)),
            Failure::Panic { message, location: Some(at) } => write!(f, "panicked at {at}: {message}"),
            Failure::Panic { message, location: None } => write!(f, "panicked: {message}"),
            Failure::TimedOut { limit } => write!(f, "timed out after {limit:?}"),
            Failure::Cancelled { reason } => write!(f, "cancelled: {reason}"),
            Failure::Skipped { reason } => write!(f, "skipped: {reason}"),
            Failure::UpstreamFailed { task } => write!(f, "upstream task `{task}` failed"),
            Failure::NothingFound { limit, pokes: 1 } => write!(f, "found nothing within {limit:?}, in one poke"),
            Failure::NothingFound { limit, pokes } => write!(f, "found nothing within {limit:?}, in {pokes} pokes"),
            Failure::OutOfTime { limit, attempts: 1 } => write!(f, "took longer than {limit:?} in all, in one attempt"),
            Failure::OutOfTime { limit, attempts } => {
                write!(f, "took longer than {limit:?} in all, in {attempts} attempts")
            }
            Failure::Lost { worker } => write!(f, "the process that ran it ended before it did ({worker})"),
            Failure::Crashed { crash, .. } => write!(f, "{crash}"),
        }
    }
}

impl Error for Failure {}
