//! The executors that a run uses.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;

use crate::config::Config;
use crate::run::RunInfo;
use crate::task::{Executor, Session};

/// Opened by the first attempt that needs them, and closed when the run has ended.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<Vec<(Executor, Arc<dyn Session>)>>);

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, Vec<(Executor, Arc<dyn Session>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// That of an executor.
    pub(super) fn of(&self, executor: Executor, run: &Arc<RunInfo>, config: Option<&Config>) -> Arc<dyn Session> {
        let mut open = self.lock();
        if let Some((_, session)) = open.iter().find(|(known, _)| *known == executor) {
            return Arc::clone(session);
        }
        let session = executor.open(run, config);
        open.push((executor, Arc::clone(&session)));
        session
    }

    /// Closes them all, and calls `then` when that is done: at once when there are none.
    pub(super) fn close_and(&self, runtime: Option<&Handle>, then: impl FnOnce() + Send + 'static) {
        let open = std::mem::take(&mut *self.lock());
        let then = Finally(Some(then));
        let (Some(runtime), false) = (runtime, open.is_empty()) else { return };
        runtime.spawn(async move {
            let then = then;
            for (_, session) in open {
                session.close().await;
            }
            drop(then);
        });
    }
}

/// Is called when it is dropped, which a runtime that is shut down does at once.
struct Finally<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for Finally<F> {
    fn drop(&mut self) {
        if let Some(then) = self.0.take() {
            then();
        }
    }
}
