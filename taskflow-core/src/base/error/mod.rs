//! Errors: why an attempt failed ([`Failure`]), and the class of an error ([`ErrorKind`]).

mod crash;
mod kind;

use std::error::Error;
use std::fmt;
use std::time::Duration;

pub use self::crash::Crash;
pub(crate) use self::crash::SignalName;
pub use self::kind::ErrorKind;
use serde::{Deserialize, Serialize};

/// Any error a task may return: `anyhow`, `eyre`, `thiserror` types, `String` and `&str` all convert into it.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// `Result` with [`BoxError`] as its default error, so that `?` works on every error in a task.
pub type Result<T, E = BoxError> = std::result::Result<T, E>;

/// Why a task instance did not succeed.
///
/// A parameter of type `Result<T, Failure>` receives it in place of the value; the report of a run holds it for every
/// task that has one. It can be stored: causes are kept as text, outermost first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Failure {
    /// The task returned `Err`.
    Error {
        /// The messages of the error and of its sources, outermost first; never empty.
        chain: Vec<String>,
        /// Whether a retry could help; `false` after [`TaskContext::fail`](crate::task::TaskContext::fail).
        retryable: bool,
    },
    /// The task panicked.
    Panic {
        /// The payload of the panic, when it was text.
        message: String,
        /// `file:line:column` of the panic, when known.
        location: Option<String>,
    },
    /// An attempt ran longer than the `timeout` of its task.
    TimedOut {
        /// The limit.
        limit: Duration,
    },
    /// The attempt or its run was cancelled.
    Cancelled {
        /// By whom or by what.
        reason: String,
    },
    /// The task was skipped: by itself, or because an upstream was. Seen only by `Result<T, Failure>` parameters.
    Skipped {
        /// The reason given, or the upstream that was skipped.
        reason: String,
    },
    /// The task never started because an upstream failed. Seen only by `Result<T, Failure>` parameters and reports.
    UpstreamFailed {
        /// The id of the upstream that decided it.
        task: String,
    },
    /// The process that ran the attempt ended before the attempt did.
    Lost {
        /// Which process, `host:process`.
        worker: String,
    },
    /// A sensor did not find what it looks for.
    NothingFound {
        /// How long it looked.
        limit: Duration,
        /// How often.
        pokes: u32,
    },
    /// The task has a process of its own (`isolation = "process"`), and that ended without an answer.
    Crashed {
        /// What ended it.
        crash: Crash,
        /// The last lines that it wrote to stderr, five at the most.
        stderr: Vec<String>,
    },
}

impl Failure {
    /// The failure that an error returned by a task stands for.
    pub fn from_error(error: &(dyn Error + 'static)) -> Self {
        let mut chain = vec![error.to_string()];
        let mut source = error.source();
        while let Some(cause) = source {
            chain.push(cause.to_string());
            source = cause.source();
        }
        Failure::Error { chain, retryable: true }
    }

    /// Whether the task was skipped rather than failed.
    pub fn is_skip(&self) -> bool {
        matches!(self, Failure::Skipped { .. })
    }

    /// Whether another attempt could end differently.
    pub fn is_retryable(&self) -> bool {
        match self {
            Failure::Error { retryable, .. } => *retryable,
            Failure::Panic { .. } | Failure::TimedOut { .. } | Failure::Lost { .. } | Failure::Crashed { .. } => true,
            Failure::Cancelled { .. }
            | Failure::Skipped { .. }
            | Failure::UpstreamFailed { .. }
            | Failure::NothingFound { .. } => false,
        }
    }

    /// One word for tables and logs: `error`, `panic`, `timeout`, `cancelled`, `skipped`, `upstream_failed`, `lost`,
    /// `nothing_found`, `crashed`.
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
        }
    }

    /// The messages below the first, outermost first; of a crash what the process said last.
    pub fn causes(&self) -> &[String] {
        match self {
            Failure::Error { chain, .. } => chain.get(1..).unwrap_or_default(),
            Failure::Crashed { stderr, .. } => stderr,
            _ => &[],
        }
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
            Failure::Lost { worker } => write!(f, "the process that ran it ended before it did ({worker})"),
            Failure::Crashed { crash, .. } => write!(f, "{crash}"),
        }
    }
}

impl Error for Failure {}
