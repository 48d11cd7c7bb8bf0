//! What a driver reports to the machine.

use std::sync::Arc;
use std::time::Duration;

use crate::base::{Failure, Timestamp};
use crate::run::RunState;
use crate::task::Wait;

/// What happened outside.
#[derive(Debug)]
pub(crate) enum Input {
    /// The run begins.
    Start,
    /// A ready task got its slot and its worker.
    Started { task: u32 },
    /// An attempt came to its end; `started` is when it really began.
    Finished { task: u32, attempt: u32, started: Timestamp, outcome: Outcome },
    /// Time has passed.
    TimeReached,
    /// Somebody wants the run to end.
    Cancel { reason: String },
    /// Somebody says that an event has come; its value is JSON.
    Release { key: String, value: Arc<str>, by: String, reason: String },
    /// The run ends early as what is said: it cannot go on for a reason of its host, or it was ending early before
    /// it was interrupted.
    Halt { reason: String, state: RunState },
}

/// How an attempt ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Success,
    /// As a success, of a list whose elements have these names.
    Labelled(Arc<[String]>),
    /// An expand node has succeeded, and its list is so long.
    Expanded {
        count: u32,
        labels: Option<Arc<[String]>>,
    },
    Skipped(String),
    Failed(Box<Failure>),
    /// It failed, and says how long to wait before another attempt, if there is one.
    FailedFor(Box<(Failure, Duration)>),
    /// Not ended at all: it is called again when what it waits for is there.
    Waits(Box<Wait>),
}

impl Outcome {
    /// How it failed, if it did.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match self {
            Outcome::Failed(failure) => Some(failure),
            Outcome::FailedFor(failed) => Some(&failed.0),
            Outcome::Success
            | Outcome::Labelled(_)
            | Outcome::Expanded { .. }
            | Outcome::Skipped(_)
            | Outcome::Waits(_) => None,
        }
    }
}
