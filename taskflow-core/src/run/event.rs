//! What observers of a run see.

use serde::Serialize;

use super::state::{RunState, TaskState};
use crate::base::Timestamp;

/// One transition, in the order in which they happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A task instance went from one state to another.
    Task {
        /// When.
        at: Timestamp,
        /// Its number in the run. Tasks outside every `each` have the index of their node in the plan; those of elements
        /// have higher ones ([`RunReport::numbered`](crate::engine::RunReport::numbered)).
        task: u32,
        /// The attempt it is in, or was in last; 0 before the first.
        attempt: u32,
        /// The state before.
        from: TaskState,
        /// The state after.
        to: TaskState,
    },
    /// The run went from `running` to its end.
    Run {
        /// When.
        at: Timestamp,
        /// How it ended.
        to: RunState,
    },
    /// The run has failed, and is tried again as a whole: its failed tasks, and what did not run because of them.
    RunRetry {
        /// When it failed.
        at: Timestamp,
        /// Which retry it will be, counted from 1.
        retry: u32,
        /// When it is tried again.
        due: Timestamp,
    },
    /// The run was not over at its deadline. It goes on.
    DeadlineMissed {
        /// When that was noticed.
        at: Timestamp,
        /// The deadline.
        deadline: Timestamp,
    },
}
