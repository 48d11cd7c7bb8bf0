//! How long tasks wait for a store that another process has locked, if they write to it by
//! themselves: a task that resumes or retries the run that it has triggered claims that run, as a
//! verb does, and one that triggers a run that was deleted forgets the files of the deleted one.
//!
//! 1. It waits as its run would ([`store_wait`](super::store_wait)): for at most an hour, and not
//!    if the journal is being closed.
//! 2. A task that is asked to end waits no longer.
//! 3. Each write is repeated alone, because the ones before it are stored.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::JournalError;
use super::journal::Journal;
use super::store_wait::{PATIENCE, announce};
use crate::store::StoreError;
use crate::task::TaskContext;

/// The store has waited for the lock itself before it says that it is locked.
const PAUSE: Duration = Duration::from_millis(100);

/// The wait of a task for one write.
pub(super) struct TaskWait<'a> {
    journal: &'a Journal,
    task: &'a TaskContext,
    /// When the store has refused first.
    since: Option<Instant>,
    /// What this wait has said.
    said: Option<Arc<str>>,
}

impl<'a> TaskWait<'a> {
    pub(super) fn of(journal: &'a Journal, task: &'a TaskContext) -> Self {
        TaskWait { journal, task, since: None, said: None }
    }

    /// Returns after a pause if the write that has failed with this error is to be repeated.
    ///
    /// # Errors
    ///
    /// With the error, if it is not.
    pub(super) async fn after(&mut self, error: JournalError) -> Result<(), JournalError> {
        let JournalError::Store(StoreError::Busy { place, holder, .. }) = &error else { return Err(error) };
        let queue = &self.journal.inner.queue;
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= PATIENCE || queue.is_closing() || self.task.is_cancelled() {
            return Err(error);
        }
        if queue.store_wait().is_none() {
            self.said = Some(announce(queue, place, holder.as_deref(), PATIENCE));
        }
        // The runtime of the task need not have a clock.
        let Ok(runtime) = self.journal.inner.runtime.start() else { return Err(error) };
        let _ = runtime.spawn(async { tokio::time::sleep(PAUSE).await }).await;
        Ok(())
    }
}

impl Drop for TaskWait<'_> {
    fn drop(&mut self) {
        if let Some(said) = &self.said {
            self.journal.inner.queue.end_store_wait(said);
        }
    }
}
