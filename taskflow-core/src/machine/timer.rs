//! What a run waits for by the clock.

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Retry(u32),
    Wait(u32),
    /// The element of the task begins.
    Begin(u32),
    /// The tasks of this group may run again.
    Unit(u32),
    Attempt {
        task: u32,
        attempt: u32,
    },
    Run,
    Grace,
    Deadline,
    TryAgain,
}
