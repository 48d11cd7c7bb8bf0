//! Who owns a run: what a row says of it, and what the owner holds.

use std::fmt;

use super::rows::RunRow;
use crate::run::RunState;

/// Whether somebody owns a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Liveness {
    /// Nobody owns the run, and nobody has to: it is queued or has ended.
    #[default]
    Unowned,
    /// The owner is alive.
    Alive,
    /// The run has not ended and its owner is gone.
    Dead,
}

impl Liveness {
    /// That of a run which is stored in this state.
    pub(super) fn of(owned: bool, stored: RunState) -> Self {
        match (owned, stored) {
            (true, _) => Liveness::Alive,
            (false, RunState::Running) => Liveness::Dead,
            (false, _) => Liveness::Unowned,
        }
    }
}

/// The outcome of [`RunStore::claim`](super::traits::RunStore::claim).
#[derive(Debug)]
pub(crate) enum Claim {
    /// This process owns the run. The row holds the new token.
    Claimed(Box<RunRow>, RunGuard),
    /// Another owner is alive: a process, as `host:pid`.
    Held {
        /// The process.
        by: String,
    },
    /// There is no such run.
    Unknown,
    /// The system refuses the lock that would prove the ownership.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "a store in memory has no locks"))]
    Refused(std::io::Error),
}

/// The ownership of a run. Dropping it releases the run; it never blocks for long.
pub(crate) struct RunGuard {
    release: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl RunGuard {
    /// A guard that calls `release` when it is dropped.
    pub(crate) fn new(release: impl FnOnce() + Send + Sync + 'static) -> Self {
        RunGuard { release: Some(Box::new(release)) }
    }
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        if let Some(release) = self.release.take() {
            release();
        }
    }
}

impl fmt::Debug for RunGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunGuard")
    }
}
