//! The timers of a run.

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Retry(u32),
    Wait(u32),
    /// The element of the task may begin.
    Begin(u32),
    /// The retry of this group is due.
    Group(u32),
    Attempt {
        task: u32,
        attempt: u32,
    },
    Run,
    Grace,
    Deadline,
    TryAgain,
}
