//! The runs that tasks of a run have triggered and wait for, as long as both are in this process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::archive::EndedRun;
use super::handle::RunControl;
use crate::panics::drop_quietly;
use crate::task::EarlyEnd;

/// Those of one run, by their ids; and what its tasks wait for outside, by a key of theirs.
#[derive(Default)]
pub(crate) struct Children(Mutex<HashMap<String, Child>>, Mutex<HashMap<String, EarlyEnd>>);

/// A run that a task waits for.
#[derive(Clone, Debug)]
pub(super) enum Child {
    Running(RunControl),
    Ended(EndedRun),
}

impl std::fmt::Debug for Children {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Children").field(&self.0).finish_non_exhaustive()
    }
}

impl Children {
    pub(super) fn get(&self, run_id: &str) -> Option<Child> {
        self.lock().get(run_id).cloned()
    }

    pub(super) fn put(&self, run_id: &str, child: Child) {
        let before = self.lock().insert(run_id.to_owned(), child);
        drop(before);
    }

    /// Takes down how something that a task waits for outside is ended; without that, that it need not be.
    pub(super) fn put_outside(&self, key: &str, end: Option<EarlyEnd>) {
        let mut outside = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match end {
            Some(end) => outside.insert(key.to_owned(), end),
            None => outside.remove(key),
        };
        drop(outside);
        drop(before);
    }

    /// Ends those that run: nobody waits for them any more. Not under the lock of the engine.
    pub(super) fn cancel(&self, reason: &str) {
        let outside = std::mem::take(&mut *self.1.lock().unwrap_or_else(PoisonError::into_inner));
        outside.values().for_each(|end| end());
        let running: Vec<RunControl> = self
            .lock()
            .values()
            .filter_map(|child| match child {
                Child::Running(control) => Some(control.clone()),
                Child::Ended(_) => None,
            })
            .collect();
        running.iter().for_each(|control| control.cancel(reason));
    }

    /// The run is over. Not under the lock of the engine, because results are dropped.
    pub(super) fn clear(&self) {
        let all = std::mem::take(&mut *self.lock());
        let outside = std::mem::take(&mut *self.1.lock().unwrap_or_else(PoisonError::into_inner));
        drop_quietly((all, outside));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Child>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
