//! The processes of an attempt: an attempt that is over waits for their end.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::AttemptControl;

/// The processes of an attempt. Most attempts have none.
#[derive(Default)]
pub(super) struct Processes(Mutex<Option<Box<State>>>);

#[derive(Default)]
struct State {
    /// How many groups of processes exist.
    count: u32,
    /// The attempt is over: it starts no more.
    closed: bool,
    /// Called when the last one is gone.
    gone: Option<Box<dyn FnOnce() + Send>>,
}

/// Held by a group of processes of an attempt until every process of it is gone.
pub(crate) struct ProcessHold(Arc<AttemptControl>);

impl AttemptControl {
    /// For a group of processes that is about to start. `None` if the attempt is over: it must not
    /// start then.
    pub(crate) fn hold(self: &Arc<Self>) -> Option<ProcessHold> {
        let mut processes = self.processes.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = processes.get_or_insert_default();
        if state.closed {
            return None;
        }
        state.count += 1;
        drop(processes);
        Some(ProcessHold(Arc::clone(self)))
    }

    /// The attempt is over. If it has processes, returns `true` and calls `gone` when the last one
    /// is gone, on any thread.
    pub(crate) fn when_processes_end(&self, gone: impl FnOnce() + Send + 'static) -> bool {
        let mut processes = self.processes.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = processes.get_or_insert_default();
        state.closed = true;
        let lingers = state.count > 0;
        if lingers {
            state.gone = Some(Box::new(gone));
        }
        lingers
    }
}

impl Drop for ProcessHold {
    fn drop(&mut self) {
        let mut processes = self.0.processes.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(state) = processes.as_mut() else { return };
        state.count -= 1;
        let gone = if state.count == 0 { state.gone.take() } else { None };
        drop(processes);
        if let Some(gone) = gone {
            gone();
        }
    }
}

impl fmt::Debug for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Processes")
    }
}

impl fmt::Debug for ProcessHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProcessHold")
    }
}
