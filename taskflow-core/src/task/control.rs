//! State shared by the engine and a running attempt.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::Interrupt;
use super::processes::Processes;

/// State shared by the engine and a running attempt.
///
/// There may be a million of them at once, so it is small: a channel would be larger than
/// everything else.
#[derive(Debug, Default)]
pub(crate) struct AttemptControl {
    cancelled: AtomicBool,
    /// Notified when the flag above is set.
    cancelled_notify: Notify,
    done: AtomicU64,
    total: AtomicU64,
    /// The interrupts the task requested; it may return one of them or none.
    interrupts: Mutex<Vec<Interrupt>>,
    future: Mutex<FutureHandle>,
    pub(super) processes: Processes,
    /// How many jobs this call of the function has run on a cluster.
    #[cfg(feature = "spark")]
    jobs: AtomicU64,
}

/// How to drop the future of an async attempt. The abort may be requested before the future is
/// spawned.
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
        self.cancelled_notify.notify_waiters();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// Sets how to drop the future of the attempt; drops it at once if an abort was already
    /// requested.
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

    /// Stores the reported progress.
    pub(crate) fn report(&self, done: u64, total: u64) {
        self.total.store(total, Ordering::Relaxed);
        self.done.store(done, Ordering::Relaxed);
    }

    /// Waits until the attempt should end. Cancel safe.
    pub(crate) async fn cancelled(&self) {
        // Create this before the check: it receives notifications from its creation on, polled or
        // not.
        let notified = self.cancelled_notify.notified();
        if !self.is_cancelled() {
            notified.await;
        }
    }

    /// The last reported steps, `(done, total)`.
    pub(crate) fn progress(&self) -> Option<(u64, u64)> {
        let total = self.total.load(Ordering::Relaxed);
        (total > 0).then(|| (self.done.load(Ordering::Relaxed), total))
    }

    /// Stores an interrupt that the task requested.
    pub(super) fn remember(&self, interrupt: Interrupt) {
        self.interrupts.lock().unwrap_or_else(PoisonError::into_inner).push(interrupt);
    }

    /// The requested interrupt that the task returned, found by its text in the error chain.
    ///
    /// Error types that box their source (`anyhow`) hide its type, so the text is compared.
    pub(crate) fn interrupt_in(&self, chain: &[String]) -> Option<Interrupt> {
        let asked = self.interrupts.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().find(|interrupt| chain.iter().any(|words| words == interrupt.reason())).cloned()
    }
}
