//! Holding back the output of a child process.
//!
//! A task never waits for its log, but whoever reads the pipe of a child can: the child then waits
//! for its pipe, and no line of it is lost. [`with_backpressure`] emits records and finds out
//! whether the log of their attempt cannot keep up; the returned [`Backpressure`] waits until it
//! can.

use std::cell::RefCell;
use std::sync::Arc;

use super::attempt::Attempt;
use super::queue::Queue;

thread_local! {
    static FULL: RefCell<Option<Backpressure>> = const { RefCell::new(None) };
}

/// The log of an attempt that cannot keep up.
#[derive(Debug)]
pub(crate) struct Backpressure {
    queue: Arc<Queue>,
    attempt: Arc<Attempt>,
}

impl Backpressure {
    /// Waits until the log has caught up. Cancel safe.
    pub(crate) async fn wait(self) {
        self.queue.room(&self.attempt).await;
    }
}

/// Emits records with `emit`; returns what to wait for before the next ones.
pub(crate) fn with_backpressure<R>(emit: impl FnOnce() -> R) -> (R, Option<Backpressure>) {
    FULL.set(None);
    let emitted = emit();
    (emitted, FULL.take())
}

/// The queue of the attempt is filling up: the thread that has emitted the record may wait.
pub(super) fn notice(queue: &Arc<Queue>, attempt: &Arc<Attempt>) {
    FULL.set(Some(Backpressure { queue: Arc::clone(queue), attempt: Arc::clone(attempt) }));
}
