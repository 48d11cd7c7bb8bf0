//! The events of a run, for observers.

use serde::Serialize;

use super::index::TaskIndex;
use super::state::{RunState, TaskState};
use crate::base::Timestamp;

/// One transition of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A task instance went from one state to another.
    Task {
        /// When.
        at: Timestamp,
        /// Its number in the run. Tasks outside every `each` have the index of their node in the
        /// plan; those of elements have higher ones
        /// ([`RunReport::numbered`](crate::engine::RunReport::numbered)).
        task: TaskIndex,
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
    /// The run failed and is retried as a whole: its failed tasks, and those that did not run
    /// because of them.
    RunRetry {
        /// When it failed.
        at: Timestamp,
        /// Which retry it will be, counted from 1.
        retry: u32,
        /// When the retry is due.
        due: Timestamp,
    },
    /// A task missed its deadline.
    TaskDeadlineMissed {
        /// When the engine noticed it.
        at: Timestamp,
        /// The index of its node in the plan; inside an `each`, it stands for all elements.
        task: TaskIndex,
        /// The deadline.
        deadline: Timestamp,
    },
    /// The run missed its deadline. It continues.
    DeadlineMissed {
        /// When the engine noticed it.
        at: Timestamp,
        /// The deadline.
        deadline: Timestamp,
    },
}
