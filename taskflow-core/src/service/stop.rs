//! The request to stop a service. A turn looks at it between its parts, and the service during a
//! turn.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

/// The request. All who look at it are polled in the task of the service, so none misses its waker.
pub(super) struct Stop<'a, F>(Mutex<Asks<'a, F>>);

struct Asks<'a, F> {
    /// Returns the reason, once.
    asks: Pin<&'a mut F>,
    /// The reason, once somebody has asked.
    reason: Option<String>,
}

impl<'a, F: Future<Output = String>> Stop<'a, F> {
    /// `asks` returns the reason, once.
    pub(super) fn new(asks: Pin<&'a mut F>) -> Self {
        Stop(Mutex::new(Asks { asks, reason: None }))
    }

    fn lock(&self) -> MutexGuard<'_, Asks<'a, F>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut guard = self.lock();
        let Asks { asks, reason } = &mut *guard;
        if reason.is_none()
            && let Poll::Ready(asked) = asks.as_mut().poll(context)
        {
            *reason = Some(asked);
        }
        if reason.is_some() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether somebody has asked, without waiting for it.
    pub(super) async fn is_asked(&self) -> bool {
        poll_fn(|context| Poll::Ready(self.poll(context).is_ready())).await
    }

    /// Waits until somebody asks. Cancel safe.
    pub(super) async fn asked(&self) {
        poll_fn(|context| self.poll(context)).await;
    }

    /// The reason that somebody has given.
    pub(super) fn reason(&self) -> String {
        self.lock().reason.clone().unwrap_or_default()
    }
}
