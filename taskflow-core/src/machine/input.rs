//! What a driver reports to the machine.

use std::sync::Arc;
use std::time::Duration;

use crate::base::{Failure, Timestamp};
use crate::run::RunState;
use crate::task::Wait;

/// An input of the machine.
#[derive(Debug)]
pub(crate) enum Input {
    /// The run starts.
    Start,
    /// A ready task has its slot and its worker.
    Started { task: u32 },
    /// An attempt ended; `started` is when its function was called.
    Finished { task: u32, attempt: u32, started: Timestamp, outcome: Outcome },
    /// Time has passed.
    TimeReached,
    /// A request to end the run.
    Cancel { reason: String },
    /// An event has been sent; its value is JSON.
    Release { key: String, value: Arc<str>, by: String, reason: String },
    /// The run ends early in `state`: its host cannot continue it, or it was ending early before it
    /// was interrupted.
    Halt { reason: String, state: RunState },
}

/// How an attempt ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Success,
    /// The success of a task whose list has elements with these labels.
    Labelled(Arc<[String]>),
    /// An expand node succeeded; its list has `count` elements.
    Expanded {
        count: u32,
        labels: Option<Arc<[String]>>,
    },
    Skipped(String),
    Failed(Box<Failure>),
    /// A failure with the wait before the next attempt, if there is one.
    FailedFor(Box<(Failure, Duration)>),
    /// Not over: the task is called again when what it waits for is there.
    Waits(Box<Wait>),
}

impl Outcome {
    /// The failure, if it failed.
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
