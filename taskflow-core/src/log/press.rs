//! Holding back the output of a child process.
//!
//! A task never waits for its log, but whoever reads the pipe of a child can: the child then waits
//! for its pipe, and no line of it is lost. [`pressing`] emits records and finds out whether the
//! log of their attempt cannot keep up; the returned [`Pressure`] waits until it can.

use std::cell::RefCell;
use std::sync::Arc;

use super::attempt::Attempt;
use super::queue::Queue;

thread_local! {
    static PRESSED: RefCell<Option<Pressure>> = const { RefCell::new(None) };
}

/// The log of an attempt that cannot keep up.
#[derive(Debug)]
pub(crate) struct Pressure {
    queue: Arc<Queue>,
    attempt: Arc<Attempt>,
}

impl Pressure {
    /// Waits until the log has caught up. Cancel safe.
    pub(crate) async fn wait(self) {
        self.queue.room(&self.attempt).await;
    }
}

/// Emits records with `emit`; returns what to wait for before the next ones.
pub(crate) fn pressing<R>(emit: impl FnOnce() -> R) -> (R, Option<Pressure>) {
    PRESSED.set(None);
    let emitted = emit();
    (emitted, PRESSED.take())
}

/// The queue of the attempt is filling up: the thread that has emitted the record may wait.
pub(super) fn press(queue: &Arc<Queue>, attempt: &Arc<Attempt>) {
    PRESSED.set(Some(Pressure { queue: Arc::clone(queue), attempt: Arc::clone(attempt) }));
}
