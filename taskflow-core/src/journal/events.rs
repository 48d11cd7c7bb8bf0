//! The events of assets in the store, and what DAGs have consumed of them.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::enqueue::QueuedRun;
use super::error::JournalError;
use super::journal::Journal;
use super::schedules::{StepOutcome, note_rows};
use crate::base::Timestamp;
use crate::run::Stored;
use crate::schedule::{ConsumerState, Note, SlotRecord};
use crate::store::{
    DamagedRow, Emitted, EventFilter, EventProgress, EventRow, NewEvent, ScheduleRow, StoreError, WatchCursor,
};
use crate::value::ValueFileError;

/// Where large payloads are, beside the values of runs: events outlive the runs that emitted them.
/// Only the result of a run stays with the values of the run.
pub(super) const PAYLOADS: &str = "(events)";

/// An event without its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventHead {
    /// Later events have higher numbers. A number is never used again.
    pub(crate) number: i64,
    pub(crate) asset: String,
    /// The stored form of the partition.
    pub(crate) partition: Option<String>,
    pub(crate) emitted: Timestamp,
}

/// A stored event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredEvent {
    pub(crate) head: EventHead,
    pub(crate) key: Option<String>,
    /// The type of the payload, without modules.
    pub(crate) ty: String,
    /// The stored form of the payload.
    pub(crate) bytes: Vec<u8>,
    /// The id of the run that emitted it.
    pub(crate) run: Option<String>,
    /// The id of the task instance that emitted it.
    pub(crate) task: Option<String>,
    /// Who emitted it, if no run did.
    pub(crate) by: String,
}

/// What a DAG has consumed, and the version to step it from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredConsumer {
    pub(crate) state: ConsumerState,
    pub(crate) version: i64,
}

/// A step of a consumer, to be stored with the runs that it starts.
#[derive(Debug)]
pub(crate) struct NewConsumption {
    pub(crate) dag: String,
    /// The version that the step began with: 0 for a DAG that is new.
    pub(crate) version: i64,
    /// The state as JSON.
    pub(crate) state: String,
    pub(crate) records: Vec<SlotRecord>,
    pub(crate) notes: Vec<Note>,
    pub(crate) runs: Vec<QueuedRun>,
}

impl NewConsumption {
    /// A step of a consumer with this state.
    pub(crate) fn new(
        dag: String,
        version: i64,
        state: &ConsumerState,
        records: Vec<SlotRecord>,
        notes: Vec<Note>,
        runs: Vec<QueuedRun>,
    ) -> Result<Self, JournalError> {
        let state = serde_json::to_string(state).map_err(|error| damaged(&dag, &error))?;
        Ok(NewConsumption { dag, version, state, records, notes, runs })
    }
}

impl Journal {
    /// Stores events in one transaction, after their large payloads. Returns one answer for each
    /// event, in order. The events of tasks are stored with the success of their tasks.
    pub(crate) async fn emit(&self, events: Vec<NewEvent>) -> Result<Vec<Emitted>, JournalError> {
        self.store_events(events, None).await
    }

    /// Stores events of a source outside, as [`Journal::emit`], together with the cursor of the
    /// source after them.
    pub(crate) async fn emit_watched(
        &self,
        events: Vec<NewEvent>,
        source: &str,
        cursor: &str,
    ) -> Result<Vec<Emitted>, JournalError> {
        let (source, cursor) = (source.to_owned(), cursor.to_owned());
        self.store_events(events, Some(WatchCursor { source, cursor, updated: self.now() })).await
    }

    async fn store_events(
        &self,
        mut events: Vec<NewEvent>,
        cursor: Option<WatchCursor>,
    ) -> Result<Vec<Emitted>, JournalError> {
        for event in &mut events {
            self.spill(event).await?;
        }
        let emitted = self.inner.store.emit(&events, cursor.as_ref(), self.audit_row().as_ref()).await?;
        if emitted.iter().any(|emitted| matches!(emitted, Emitted::Stored(_))) {
            self.audit_stored();
            self.inner.queue.announce_events();
        }
        Ok(emitted)
    }

    /// The last cursor of a source outside.
    pub(crate) async fn watch_cursor(&self, source: &str) -> Result<Option<String>, JournalError> {
        Ok(self.inner.store.watch_cursor(source).await?.map(|cursor| cursor.cursor))
    }

    /// Moves a large payload to a file.
    async fn spill(&self, event: &mut NewEvent) -> Result<(), JournalError> {
        let Some(blobs) = &self.inner.blobs else { return Ok(()) };
        let bytes = match &mut event.value {
            Stored::Inline(bytes) if bytes.len() > self.inner.inline_limit => std::mem::take(bytes),
            _ => return Ok(()),
        };
        let (blobs, asset) = (Arc::clone(blobs), event.asset.clone());
        let written = tokio::task::spawn_blocking(move || blobs.put_shared(PAYLOADS, &bytes)).await;
        let failed = |reason: String| JournalError::Event { asset, reason };
        let file = written.map_err(|error| failed(error.to_string()))?;
        let failed = |error: std::io::Error| JournalError::Event {
            asset: event.asset.clone(),
            reason: format!("its payload cannot be written: {error}"),
        };
        event.value = Stored::File(file.map_err(failed)?);
        Ok(())
    }

    /// At most `limit` events of these assets with a number above `after`, in ascending order.
    pub(crate) async fn pending(
        &self,
        assets: &[String],
        after: i64,
        limit: u32,
    ) -> Result<Vec<EventHead>, JournalError> {
        if assets.is_empty() {
            return Ok(Vec::new());
        }
        let (assets, after, limit) = (assets.to_vec(), Some(after), Some(limit));
        let filter = EventFilter { assets, after, limit, ..EventFilter::default() };
        Ok(self.inner.store.events(&filter).await?.into_iter().map(EventHead::from).collect())
    }

    /// The events that match a filter.
    pub(crate) async fn event_rows(&self, filter: &EventFilter) -> Result<Vec<EventRow>, JournalError> {
        Ok(self.inner.store.events(filter).await?)
    }

    /// How many events match the conditions of a filter, whatever its limit.
    pub(crate) async fn count_matching_events(&self, filter: &EventFilter) -> Result<u64, JournalError> {
        Ok(self.inner.store.count_matching_events(filter).await?)
    }

    /// The event with this number.
    pub(crate) async fn event(&self, number: i64) -> Result<Option<StoredEvent>, JournalError> {
        let filter = EventFilter { with_values: true, ..EventFilter::number(number) };
        let Some(row) = self.inner.store.events(&filter).await?.pop() else { return Ok(None) };
        let bytes = self.payload(&row).await?;
        let EventRow { key, ty, run, task, by, .. } = row.clone();
        Ok(Some(StoredEvent { head: row.into(), key, ty, bytes, run, task, by }))
    }

    /// These events of an asset, in ascending order, with their payloads. Those that are not in the
    /// store any more are left out.
    pub(crate) async fn events_of(&self, asset: &str, numbers: &[i64]) -> Result<Vec<StoredEvent>, JournalError> {
        let ([first, ..], [.., last]) = (numbers, numbers) else { return Ok(Vec::new()) };
        let filter = EventFilter {
            assets: vec![asset.to_owned()],
            after: Some(first - 1),
            before: Some(last + 1),
            with_values: true,
            ..EventFilter::default()
        };
        let mut events = Vec::with_capacity(numbers.len());
        for row in self.inner.store.events(&filter).await? {
            if numbers.binary_search(&row.number).is_ok() {
                let bytes = self.payload(&row).await?;
                let EventRow { key, ty, run, task, by, .. } = row.clone();
                events.push(StoredEvent { head: row.into(), key, ty, bytes, run, task, by });
            }
        }
        Ok(events)
    }

    /// The newest event of an asset, if it has one.
    pub(crate) async fn newest_event(&self, asset: &str) -> Result<Option<StoredEvent>, JournalError> {
        self.newest(EventFilter { assets: vec![asset.to_owned()], ..EventFilter::default() }).await
    }

    /// The newest event of a partition of an asset, up to the event with the number `last`.
    pub(crate) async fn newest_event_of(
        &self,
        asset: &str,
        partition: &str,
        last: i64,
    ) -> Result<Option<StoredEvent>, JournalError> {
        let (assets, partition) = (vec![asset.to_owned()], Some(partition.to_owned()));
        self.newest(EventFilter { assets, partition, before: Some(last.saturating_add(1)), ..EventFilter::default() })
            .await
    }

    async fn newest(&self, filter: EventFilter) -> Result<Option<StoredEvent>, JournalError> {
        let filter = EventFilter { newest_first: true, limit: Some(1), ..filter };
        match self.inner.store.events(&filter).await?.pop() {
            Some(row) => self.event(row.number).await,
            None => Ok(None),
        }
    }

    /// The payload of an event that was read with its value.
    async fn payload(&self, row: &EventRow) -> Result<Vec<u8>, JournalError> {
        let failed = |reason: String| JournalError::Payload { number: row.number, reason };
        match &row.value {
            Some(Stored::Inline(bytes)) => Ok(bytes.clone()),
            Some(Stored::File(file)) => {
                let blobs = self.inner.blobs.clone();
                let blobs = blobs.ok_or_else(|| failed("it is in a file, and this journal has no files".to_owned()))?;
                let (file, run) = (*file, row.run.clone());
                // The result of a run is in a file of the run.
                let read = tokio::task::spawn_blocking(move || match (blobs.get(PAYLOADS, &file), run) {
                    (Err(ValueFileError::Missing { .. }), Some(run)) => blobs.get(&run, &file),
                    (read, _) => read,
                });
                let read = read.await.map_err(|error| failed(error.to_string()))?;
                read.map_err(|error| failed(error.to_string()))
            }
            None => Err(failed("it was read without its payload".to_owned())),
        }
    }

    /// Looks for damage of the payloads that are in files. Each finding is a sentence.
    pub(super) async fn check_payloads(&self) -> Result<Vec<String>, JournalError> {
        /// How many events are read at once.
        const ROWS: u32 = 100;

        let mut findings = Vec::new();
        let mut filter = EventFilter { limit: Some(ROWS), with_values: true, ..EventFilter::default() };
        loop {
            // The check of the store names the row that cannot be read.
            let Ok(rows) = self.inner.store.events(&filter).await else { return Ok(findings) };
            for row in rows.iter().filter(|row| matches!(row.value, Some(Stored::File(_)))) {
                if let Err(error) = self.payload(row).await
                    && !self.has_lost_its_run(row).await
                {
                    findings.push(error.to_string());
                }
            }
            match rows.last() {
                Some(last) if rows.len() == ROWS as usize => filter.after = Some(last.number),
                _ => return Ok(findings),
            }
        }
    }

    /// Whether the event is the result of a run that was deleted, with the file of its payload.
    async fn has_lost_its_run(&self, row: &EventRow) -> bool {
        match &row.run {
            Some(run) if row.asset.starts_with("dag:") => matches!(self.inner.store.run_by_id(run).await, Ok(None)),
            _ => false,
        }
    }

    /// The number of the last event; 0 before the first. A new consumer begins after it.
    pub(crate) async fn last_event(&self) -> Result<i64, JournalError> {
        Ok(self.inner.store.last_event().await?)
    }

    /// How many events with numbers above `after` and up to `until` are stored, by asset.
    #[cfg(feature = "server")]
    pub(crate) async fn count_events(&self, after: i64, until: i64) -> Result<Vec<(String, u64)>, JournalError> {
        Ok(self.inner.store.count_events(after, until).await?)
    }

    /// How far events and consumers are. Both numbers only grow, so that equal ones mean that no
    /// process has stored anything.
    pub(crate) async fn event_progress(&self) -> Result<EventProgress, JournalError> {
        Ok(self.inner.store.event_progress().await?)
    }

    /// What the DAGs with events have consumed, by DAG. One that is damaged hides no other.
    pub(crate) async fn consumers(
        &self,
    ) -> Result<HashMap<String, Result<StoredConsumer, JournalError>>, JournalError> {
        let rows = self.inner.store.consumers().await?;
        let stored = |row: Result<ScheduleRow, DamagedRow>| match row {
            Ok(ScheduleRow { dag, version, state, .. }) => {
                let state = serde_json::from_str(&state).map_err(|error| damaged(&dag, &error));
                (dag, state.map(|state| StoredConsumer { state, version }))
            }
            Err(DamagedRow { dag, error, .. }) => (dag, Err(error.into())),
        };
        Ok(rows.into_iter().map(stored).collect())
    }

    /// What a DAG with events has consumed.
    pub(crate) async fn consumer(&self, dag: &str) -> Result<Option<StoredConsumer>, JournalError> {
        self.consumers().await?.remove(dag).transpose()
    }

    /// Stores steps of different consumers in one transaction, with the runs that they start; each
    /// of them whole, or as a conflict.
    pub(crate) async fn store_consumptions(
        &self,
        steps: Vec<NewConsumption>,
        now: Timestamp,
    ) -> Result<Vec<StepOutcome>, JournalError> {
        let mut rows = Vec::with_capacity(steps.len());
        for NewConsumption { dag, version, state, records, notes, runs } in steps {
            let notes = note_rows(&dag, notes, now)?;
            rows.push((ScheduleRow { dag, version: version + 1, state, updated: now }, records, notes, runs));
        }
        // A run that exists would not get the events that the step takes for it.
        let prepared = super::schedules::Prepared::of(rows, now).with_new_slots();
        prepared.store(self, |store, rows| store.step_consumers(rows)).await
    }

    /// Changes whenever this process has stored events, in a run or by itself. Whoever follows
    /// events waits for it, and looks regularly for the events of other processes.
    pub(crate) fn events_stored(&self) -> watch::Receiver<u64> {
        self.inner.queue.events_stored()
    }
}

impl From<EventRow> for EventHead {
    fn from(row: EventRow) -> Self {
        let EventRow { number, asset, partition, emitted, .. } = row;
        EventHead { number, asset, partition, emitted }
    }
}

fn damaged(dag: &str, error: &serde_json::Error) -> JournalError {
    let what = format!("the consumer of `{dag}`: {error}");
    JournalError::Store(StoreError::Damaged { place: "of this home".to_owned(), what })
}
