//! Releasing an event: what tasks wait for with [`TaskContext::wait_for`](crate::task::TaskContext::wait_for).

use serde::Serialize;

use super::edit::Note;
use super::error::JournalError;
use super::journal::Journal;
use crate::base::Timestamp;
use crate::run::{Entry, RunState};
use crate::store::{Request, RequestKind};

/// What came of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Released {
    /// The process that runs the run was told.
    Told {
        /// That process, `host:process`.
        worker: String,
    },
    /// Nobody runs the run: it is in its history, and [`resume`](Journal::resume) goes on with it.
    Kept,
}

impl Journal {
    /// Says that an event has come in a run: tasks that wait for `key` go on with `value`, and so does every task that will
    /// wait for it later. A second event with the same key takes the place of the first.
    ///
    /// # Errors
    ///
    /// When there is no such run, it has ended, the value cannot be written as JSON, or the store cannot be written.
    pub async fn release<T: Serialize>(
        &self,
        run: &str,
        key: &str,
        value: &T,
        note: &Note,
    ) -> Result<Released, JournalError> {
        let row = self.row(run).await?;
        let run = row.info.run_id.clone();
        let nothing = |reason: String| JournalError::Nothing { run: run.clone(), reason };
        if row.state != RunState::Running {
            return Err(nothing(format!("it has ended ({}), and nothing in it waits", row.state)));
        }
        let value = serde_json::to_value(value)
            .map_err(|error| nothing(format!("the value of the event `{key}` cannot be written as JSON: {error}")))?;
        if let Some(plan) = super::resume::dag_of(&row.info).ok().and_then(|dag| dag.plan().ok()) {
            let refused = |reason| JournalError::Answer { run: run.clone(), key: key.to_owned(), reason };
            crate::approval::check(&plan, key, &value).map_err(refused)?;
        }
        let value = value.to_string();
        if let Some(worker) = self.inner.run_locks.holder(&run) {
            let Note { by, reason } = note.clone();
            let what = RequestKind::Release { key: key.to_owned(), value };
            self.inner.store.ask(&Request { run: row.number, what, by, reason, at: Timestamp::now() }).await?;
            return Ok(Released::Told { worker });
        }
        let claim = self.claim(&run)?;
        let history = self.history_of(self.row(&run).await?).await?;
        let Note { by, reason } = note.clone();
        let entry = Entry::Happened { key: key.to_owned(), value, by, reason };
        self.amend(&history, vec![(entry, None)], RunState::Running).await?;
        drop(claim);
        Ok(Released::Kept)
    }
}
