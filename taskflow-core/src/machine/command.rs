//! What the machine asks of its driver.

use crate::run::RunState;

/// What the driver is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// The task may start when there is room.
    Ready(u32),
    /// The task will not run (again): its inputs can go.
    Settled(u32),
    /// The task has ended and runs again: what it gave is nothing any more.
    Forget(u32),
    /// The attempt that runs is over for the machine: stop it if possible, ignore what it gives.
    Abandon(u32),
    /// Nothing more will start: forget ready tasks, ask running ones to stop.
    Halt,
    /// The run is over.
    Ended(RunState),
}
