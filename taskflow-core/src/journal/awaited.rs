//! The queued runs that tasks of this process wait for.
//!
//! 1. A task that finds that the run it waits for is queued notes the id of that run here. It does
//!    so each time it looks.
//! 2. The service takes these ids in each turn of its queue, and starts the runs even if as many
//!    runs are active as may be: the task would otherwise wait for a run that waits for the place
//!    of its own run.
//!
//! An id that is noted in vain, because the task has stopped waiting, does no harm: the run starts
//! earlier than its turn.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::journal::Journal;

/// The ids of these runs.
#[derive(Debug, Default)]
pub(super) struct AwaitedRuns(Mutex<HashSet<String>>);

impl AwaitedRuns {
    fn locked(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal {
    /// Notes that a task of this process waits for a run that is queued.
    pub(super) fn note_awaited(&self, run_id: &str) {
        self.inner.awaited.locked().insert(run_id.to_owned());
    }

    /// The ids of the queued runs that tasks have waited for since the last call.
    pub(crate) fn take_awaited(&self) -> HashSet<String> {
        std::mem::take(&mut self.inner.awaited.locked())
    }
}
