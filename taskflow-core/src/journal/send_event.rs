//! Sends events to runs: what tasks wait for with
//! [`TaskContext::wait_for`](crate::task::TaskContext::wait_for).

use serde::Serialize;

use super::adopted::AdoptedRun;
use super::edit::Note;
use super::error::JournalError;
use super::journal::Journal;
use crate::run::Entry;
use crate::store::{Request, RequestKind, RunRow};

/// The outcome of [`Journal::send_event`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventDelivery {
    /// A process owns the run. It was asked to deliver the event.
    Requested {
        /// That process, `host:pid`.
        worker: String,
    },
    /// No process owns the run. The event is in its history, and [`resume`](Journal::resume)
    /// delivers it.
    Stored,
}

impl Journal {
    /// Sends an event to a run: tasks that wait for `key` continue with `value`, and so does every
    /// task that waits for it later. A second event with the same key replaces the first.
    ///
    /// # Errors
    ///
    /// When there is no such run, it has ended, the value has no JSON form, or the store
    /// cannot be written.
    pub async fn send_event<T: Serialize>(
        &self,
        run: &str,
        key: &str,
        value: &T,
        note: &Note,
    ) -> Result<EventDelivery, JournalError> {
        let row = self.row(run).await?;
        let run = row.info.run_id.clone();
        let nothing = |reason: String| JournalError::Nothing { run: run.clone(), reason };
        if row.state.is_terminal() {
            return Err(nothing(format!("it has ended ({}), so no task waits for events", row.state)));
        }
        let value = serde_json::to_value(value)
            .map_err(|error| nothing(format!("the value of the event `{key}` cannot be written as JSON: {error}")))?;
        if let Some(plan) = super::resume::dag_of(&row.info).ok().and_then(|dag| dag.plan().ok()) {
            let refused = |reason| JournalError::Answer { run: run.clone(), key: key.to_owned(), reason };
            crate::approval::check(&plan, key, &value).map_err(refused)?;
        }
        let value = value.to_string();
        if let Some(worker) = row.live_owner() {
            return self.request_event(&row, worker.to_owned(), key, value, note).await;
        }
        match self.adopt_row(&row, None).await {
            // A process has claimed it since.
            Err(JournalError::Live { by, .. }) => self.request_event(&row, by, key, value, note).await,
            adopted => adopted?.store_event(key, value, note).await,
        }
    }

    async fn request_event(
        &self,
        row: &RunRow,
        worker: String,
        key: &str,
        value: String,
        note: &Note,
    ) -> Result<EventDelivery, JournalError> {
        let Note { by, reason } = note.signed();
        let what = RequestKind::Event { key: key.to_owned(), value };
        let request = Request { run: row.number, what, by, reason, at: self.now() };
        if self.inner.store.ask(&request, self.audit_row().as_ref()).await? {
            self.audit_stored();
        }
        Ok(EventDelivery::Requested { worker })
    }
}

impl AdoptedRun {
    /// Stores an event, whose value is JSON.
    async fn store_event(mut self, key: &str, value: String, note: &Note) -> Result<EventDelivery, JournalError> {
        let Note { by, reason } = note.signed();
        let entry = Entry::Happened { key: key.to_owned(), value, by, reason };
        let state = self.history.row.state;
        self.append(vec![(entry, None)], state).await?;
        Ok(EventDelivery::Stored)
    }
}
