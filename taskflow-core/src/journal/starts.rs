//! How long the tasks of a run were ready before they started.

use std::time::Duration;

use super::error::JournalError;
use super::follow::RunFollower;
use super::journal::Journal;
use super::run_history::RunHistory;
use crate::base::Timestamp;
use crate::run::{Entry, TaskState};

/// The start of an attempt that was ready before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start<'h> {
    /// The pool that the task is in.
    pub(crate) pool: Option<&'h str>,
    /// When it started.
    pub(crate) at: Timestamp,
    /// How long it was ready: it waited for a slot of its pool, for a worker, or for a limit.
    pub(crate) waited: Duration,
}

impl Journal {
    /// As [`Journal::history`] without deliveries. Shows each start in the same pass: the history
    /// forgets how long a task was ready once it runs.
    ///
    /// # Errors
    ///
    /// As [`Journal::history`].
    pub(crate) async fn history_with_starts(
        &self,
        run: &str,
        mut each: impl FnMut(Start<'_>) + Send,
    ) -> Result<RunHistory, JournalError> {
        let mut follower = RunFollower::new(&self.inner.store, self.row(run).await?, 0).await?;
        let read = |history: &RunHistory, at: Timestamp, entry: &Entry| {
            let Entry::Started { task, .. } = entry else { return };
            let Some(place) = history.numbers.place(*task) else { return };
            let ready = history.tasks.get(place).filter(|task| task.state == TaskState::Scheduled);
            if let Some(since) = ready.and_then(|task| task.since) {
                each(Start { pool: history.pool_at(place).map(|(pool, _)| pool), at, waited: at.since(since) });
            }
        };
        follower.read(read, false).await?;
        Ok(follower.into_history())
    }
}
