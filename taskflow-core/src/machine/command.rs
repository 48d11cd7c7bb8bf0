//! What the machine asks of its driver.

use crate::run::{RunState, TaskIndex};

/// A command to the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// The task may start when a slot is free.
    Ready(TaskIndex),
    /// The task will not run again: its inputs can be dropped.
    Settled(TaskIndex),
    /// Discard the value of the task: it will run again.
    Forget(TaskIndex),
    /// The running attempt is over for the machine: stop it if possible, and ignore its result.
    Abandon(TaskIndex),
    /// Kill what a task has running outside the process.
    EndWork(TaskIndex),
    /// Nothing more starts: drop the ready tasks, and ask the running ones to stop.
    Halt,
    /// The run is over.
    Ended(RunState),
}

impl Command {
    /// The task that may start.
    #[inline]
    pub(crate) fn ready(self) -> Option<TaskIndex> {
        match self {
            Command::Ready(task) => Some(task),
            _ => None,
        }
    }
}
