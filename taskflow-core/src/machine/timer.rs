//! The timers of a run.

use crate::dag::{GroupIndex, NodeIndex};
use crate::run::TaskIndex;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Retry(TaskIndex),
    Wait(TaskIndex),
    /// The element of the task may begin.
    Begin(TaskIndex),
    /// The retry of this group is due.
    Group(GroupIndex),
    Attempt {
        task: TaskIndex,
        attempt: u32,
    },
    /// The time of the task over all its attempts is over.
    Total(TaskIndex),
    Run,
    Grace,
    Deadline,
    TaskDeadline(NodeIndex),
    TryAgain,
}
