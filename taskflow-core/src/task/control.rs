//! What the engine and a running attempt share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::Interrupt;

/// What the engine and a running attempt share.
///
/// There may be a million of them at once, so it is small: a channel would take more than all the rest.
#[derive(Debug, Default)]
pub(crate) struct AttemptControl {
    cancelled: AtomicBool,
    /// Rings when that becomes true.
    bell: Notify,
    done: AtomicU64,
    total: AtomicU64,
    /// Those the task asked for; it may return one of them, or none.
    interrupts: Mutex<Vec<Interrupt>>,
    future: Mutex<FutureHandle>,
    /// How many jobs this call of the function has run on a cluster.
    #[cfg(feature = "spark")]
    jobs: AtomicU64,
}

/// How to drop the future of an async attempt. Being aborted may come before being spawned.
#[derive(Debug, Default)]
enum FutureHandle {
    #[default]
    Unknown,
    Running(AbortHandle),
    Aborted,
}

impl AttemptControl {
    /// The number of the next job that this call of the function runs on a cluster, from 0.
    #[cfg(feature = "spark")]
    pub(crate) fn next_job(&self) -> u64 {
        self.jobs.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        self.bell.notify_waiters();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// Says how the future of the attempt can be dropped; drops it at once if that was asked for already.
    pub(crate) fn set_abort(&self, handle: AbortHandle) {
        let mut future = self.future.lock().unwrap_or_else(PoisonError::into_inner);
        match *future {
            FutureHandle::Aborted => handle.abort(),
            FutureHandle::Unknown | FutureHandle::Running(_) => *future = FutureHandle::Running(handle),
        }
    }

    /// Drops the future of the attempt at its next await.
    pub(crate) fn abort(&self) {
        let mut future = self.future.lock().unwrap_or_else(PoisonError::into_inner);
        if let FutureHandle::Running(handle) = std::mem::replace(&mut *future, FutureHandle::Aborted) {
            handle.abort();
        }
    }

    /// Takes down how many steps are made.
    pub(crate) fn report(&self, done: u64, total: u64) {
        self.total.store(total, Ordering::Relaxed);
        self.done.store(done, Ordering::Relaxed);
    }

    /// Waits until the attempt should end. Cancel safe.
    pub(crate) async fn cancelled(&self) {
        // Before the look: it hears a bell that rings after it was made, polled or not.
        let rings = self.bell.notified();
        if !self.is_cancelled() {
            rings.await;
        }
    }

    /// The last reported steps, `(done, total)`.
    pub(crate) fn progress(&self) -> Option<(u64, u64)> {
        let total = self.total.load(Ordering::Relaxed);
        (total > 0).then(|| (self.done.load(Ordering::Relaxed), total))
    }

    /// Takes down an interrupt that the task asks for.
    pub(super) fn remember(&self, interrupt: Interrupt) {
        self.interrupts.lock().unwrap_or_else(PoisonError::into_inner).push(interrupt);
    }

    /// The interrupt that the task returned: one it asked for, whose words are those of an error in the chain.
    ///
    /// Error types that box their source (`anyhow`) hide its type, so it is recognised by its text.
    pub(crate) fn interrupt_in(&self, chain: &[String]) -> Option<Interrupt> {
        let asked = self.interrupts.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().find(|interrupt| chain.iter().any(|words| words == interrupt.reason())).cloned()
    }
}
