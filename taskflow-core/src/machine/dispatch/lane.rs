//! Lanes: worker threads and the runtime.

use crate::task::Kind;

/// The kind of thread a task runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// For a worker thread.
    Sync,
    /// For the runtime: async and blocking tasks.
    Runtime,
}

impl Lane {
    pub(super) fn other(self) -> Self {
        match self {
            Lane::Sync => Lane::Runtime,
            Lane::Runtime => Lane::Sync,
        }
    }

    pub(super) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Sync => Lane::Sync,
            Kind::Async | Kind::Blocking => Lane::Runtime,
        }
    }
}
