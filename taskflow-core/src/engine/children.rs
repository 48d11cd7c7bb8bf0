//! The runs that tasks of a run have triggered and wait for, as long as both are in this process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::archive::EndedRun;
use super::handle::RunControl;
use crate::panics::drop_quietly;

/// Those of one run, by their ids.
#[derive(Debug, Default)]
pub(crate) struct Children(Mutex<HashMap<String, Child>>);

/// A run that a task waits for.
#[derive(Clone, Debug)]
pub(super) enum Child {
    Running(RunControl),
    Ended(EndedRun),
}

impl Children {
    pub(super) fn get(&self, run_id: &str) -> Option<Child> {
        self.lock().get(run_id).cloned()
    }

    pub(super) fn put(&self, run_id: &str, child: Child) {
        let before = self.lock().insert(run_id.to_owned(), child);
        drop(before);
    }

    /// Ends those that run: nobody waits for them any more. Not under the lock of the engine.
    pub(super) fn cancel(&self, reason: &str) {
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
        drop_quietly(all);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Child>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
