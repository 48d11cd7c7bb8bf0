//! Deletes old events that nobody needs any more.
//!
//! An event is deleted if it is older than the retention and every consumer in the store has
//! decided about it, also those of DAGs that the program no longer has. The newest event of each
//! asset stays: `Seen` looks at it, and `on_change` compares with it. What is decided never becomes
//! pending again, and a consumer that is new begins after the last event, so that events can be
//! emitted and consumed meanwhile.
//!
//! A large payload is in a file, which several events can have. The store notes it with the
//! deletion of an event, and the file is deleted once no event has it and nobody has used it for
//! [`IN_USE`]: by this prune or a later one, also if one is interrupted in between.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

use super::error::JournalError;
use super::events::PAYLOADS;
use super::journal::Journal;
use crate::base::{Timestamp, hex};
use crate::schedule::ConsumerState;
use crate::store::{EventFilter, EventRow};

/// How many events are read at once.
const BATCH: u32 = 10_000;

/// Longer than it takes from writing a payload to storing its event, which may wait an hour for a
/// store that another process has locked. The payload of an event that is younger stays for the
/// next prune.
const IN_USE: Duration = Duration::from_secs(2 * 60 * 60);

impl Journal {
    /// How many events [`Journal::prune_events`] would delete.
    ///
    /// # Errors
    ///
    /// As [`Journal::prune_events`].
    pub(crate) async fn would_prune_events(&self, before: Timestamp) -> Result<u64, JournalError> {
        Ok(self.old_events(before).await?.len() as u64)
    }

    /// Deletes events from before a time that every consumer has decided about, but for the newest
    /// of each asset, and adds to `gone` how many, also if it fails. Whoever calls it
    /// calls [`delete_left_payloads`](Journal::delete_left_payloads) afterwards.
    ///
    /// The key of a deleted event can be used again.
    ///
    /// # Errors
    ///
    /// When the state of a consumer is damaged: then nobody knows what is pending for it. When the
    /// store cannot be written.
    pub(crate) async fn prune_events(&self, before: Timestamp, gone: &mut u64) -> Result<(), JournalError> {
        let old = self.old_events(before).await?;
        let mut left = old.len() as u64;
        // Until nothing more is deleted: an error may have ended a deletion early.
        while left > 0 {
            let deleted = self.inner.store.delete_events(&old, self.audit_row().as_ref()).await?;
            if deleted == 0 {
                // Another prune has deleted the rest.
                break;
            }
            self.audit_stored();
            *gone += deleted;
            left = left.saturating_sub(deleted);
        }
        Ok(())
    }

    /// Deletes the files of payloads that deleted events had, that no event has now, and that
    /// nobody has used lately.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or written, or a file cannot be removed. That of one payload
    /// does not keep the others.
    pub(crate) async fn delete_left_payloads(&self) -> Result<(), JournalError> {
        let store = &self.inner.store;
        // An event that is stored after the store was asked has used its payload since then.
        let used_before = SystemTime::now() - IN_USE;
        let mut left = store.left_payloads().await?;
        if left.is_empty() {
            return Ok(());
        }
        let Some(blobs) = self.inner.blobs.clone() else { return Ok(store.forget_payloads(&left).await?) };
        let removed = tokio::task::spawn_blocking(move || {
            let mut outcome: std::io::Result<()> = Ok(());
            left.retain(|file| match blobs.remove_unused(PAYLOADS, file, used_before) {
                Ok(is_gone) => is_gone,
                Err(error) => {
                    let payload = hex(&file.sha256);
                    let reason = format!("the payload {payload} of an event: {error}; the next `db prune` tries again");
                    if outcome.is_ok() {
                        outcome = Err(std::io::Error::new(error.kind(), reason));
                    }
                    false
                }
            });
            (left, outcome)
        });
        let (gone, outcome) = removed.await.map_err(|error| JournalError::Files(std::io::Error::other(error)))?;
        if !gone.is_empty() {
            store.forget_payloads(&gone).await?;
        }
        outcome.map_err(JournalError::Files)
    }

    /// The numbers of the events from before a time that can be deleted, in ascending order.
    async fn old_events(&self, before: Timestamp) -> Result<Vec<i64>, JournalError> {
        let mut consumers: Vec<ConsumerState> = Vec::new();
        for stored in self.consumers().await?.into_values() {
            consumers.push(stored?.state);
        }
        let is_pending = |event: &EventRow| {
            let consuming = consumers.iter().filter(|state| state.cursor(&event.asset).is_some());
            consuming.into_iter().any(|state| !state.has_decided(&event.asset, event.number))
        };
        let mut old: Vec<EventRow> = Vec::new();
        let mut after = 0;
        loop {
            let filter = EventFilter {
                after: Some(after),
                emitted_before: Some(before),
                limit: Some(BATCH),
                ..EventFilter::default()
            };
            let rows = self.inner.store.events(&filter).await?;
            let is_last = rows.len() < BATCH as usize;
            after = rows.last().map_or(after, |row| row.number);
            old.extend(rows.into_iter().filter(|event| !is_pending(event)));
            if is_last {
                break;
            }
        }
        let assets: HashSet<&str> = old.iter().map(|event| &*event.asset).collect();
        let mut newest: HashMap<&str, i64> = HashMap::new();
        for asset in assets {
            let filter = EventFilter {
                assets: vec![asset.to_owned()],
                newest_first: true,
                limit: Some(1),
                ..EventFilter::default()
            };
            newest.extend(self.inner.store.events(&filter).await?.first().map(|event| (asset, event.number)));
        }
        let is_kept = |event: &&EventRow| newest.get(&*event.asset) == Some(&event.number);
        Ok(old.iter().filter(|event| !is_kept(event)).map(|event| event.number).collect())
    }
}
