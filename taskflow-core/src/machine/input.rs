//! What a driver reports to the machine.

use std::sync::Arc;

use crate::base::Timestamp;
use crate::run::{RunState, TaskIndex};
use crate::task::Outcome;

/// An input of the machine.
#[derive(Debug)]
pub(crate) enum Input {
    /// The run starts.
    Start,
    /// A ready task has its slot and its worker.
    Started { task: TaskIndex },
    /// An attempt ended; `started` is when its function was called. The success of an expand node
    /// has the elements of its list.
    Finished { task: TaskIndex, attempt: u32, started: Timestamp, outcome: Outcome<Option<Box<Elements>>> },
    /// Time has passed.
    TimeReached,
    /// A request to end the run.
    Cancel { reason: String },
    /// An event has been sent; its value is JSON.
    Event { key: String, value: Arc<str>, by: String, reason: String },
    /// The process is asked to leave: the run is to be interrupted.
    Drain { reason: String },
    /// The run ends early in `state`: its host cannot continue it, or it was ending early before it
    /// was interrupted.
    Halt { reason: String, state: RunState },
}

/// The list of an expand node.
#[derive(Debug)]
pub(crate) struct Elements {
    pub(crate) count: u32,
    /// The labels of the elements, if the list is labelled.
    pub(crate) labels: Option<Arc<[String]>>,
}
