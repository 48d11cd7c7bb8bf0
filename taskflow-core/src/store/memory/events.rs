//! Events in memory.

use std::collections::{BTreeMap, HashSet};

use super::{Data, MemoryStore};
use crate::run::Stored;
use crate::store::audit_rows::AuditRow;
use crate::store::event_rows::{Emitted, EventFilter, EventProgress, EventRow, NewEvent, WatchCursor};
use crate::store::schedule_rows::{DamagedRow, ScheduleRow, ScheduleStep, Stepped};
use crate::store::traits::{EventStore, StoreFuture};
use crate::value::FileRef;

impl EventStore for MemoryStore {
    fn emit<'a>(
        &'a self,
        events: &'a [NewEvent],
        cursor: Option<&'a WatchCursor>,
        audit: Option<&'a AuditRow>,
    ) -> StoreFuture<'a, Vec<Emitted>> {
        self.with(|data| {
            if let Some(cursor) = cursor {
                data.watch_cursors.insert(cursor.source.clone(), cursor.clone());
            }
            let emitted: Vec<Emitted> = events.iter().map(|event| data.emit(event)).collect();
            let is_stored = emitted.iter().any(|emitted| matches!(emitted, Emitted::Stored(_)));
            data.audit(audit.filter(|_| is_stored));
            emitted
        })
    }

    fn watch_cursor<'a>(&'a self, source: &'a str) -> StoreFuture<'a, Option<WatchCursor>> {
        self.with(|data| data.watch_cursors.get(source).cloned())
    }

    fn events<'a>(&'a self, filter: &'a EventFilter) -> StoreFuture<'a, Vec<EventRow>> {
        self.with(|data| {
            let limit = filter.limit.map_or(usize::MAX, |limit| limit as usize);
            let row = |event: &EventRow| EventRow {
                value: event.value.clone().filter(|_| filter.with_values),
                ..event.clone()
            };
            let wanted = |event: &&EventRow| filter.allows(event);
            let place = |number: i64| data.events.partition_point(|event| event.number < number);
            let first = filter.after.map_or(0, |after| place(after.saturating_add(1)));
            let end = filter.before.map_or(data.events.len(), place).max(first);
            let events = data.events[first..end].iter();
            match filter.newest_first {
                true => events.rev().filter(wanted).take(limit).map(row).collect(),
                false => events.filter(wanted).take(limit).map(row).collect(),
            }
        })
    }

    fn count_matching_events<'a>(&'a self, filter: &'a EventFilter) -> StoreFuture<'a, u64> {
        self.with(|data| data.events.iter().filter(|event| filter.allows(event)).count() as u64)
    }

    fn count_events(&self, after: i64, until: i64) -> StoreFuture<'_, Vec<(String, u64)>> {
        self.with(|data| {
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            for event in data.events.iter().filter(|event| event.number > after && event.number <= until) {
                *counts.entry(event.asset.clone()).or_default() += 1;
            }
            counts.into_iter().collect()
        })
    }

    fn last_event(&self) -> StoreFuture<'_, i64> {
        self.with(|data| data.last_event)
    }

    fn event_progress(&self) -> StoreFuture<'_, EventProgress> {
        self.with(|data| {
            let steps = data.consumers.values().map(|row| row.version).sum();
            EventProgress { steps, last_event: data.last_event }
        })
    }

    fn consumers(&self) -> StoreFuture<'_, Vec<Result<ScheduleRow, DamagedRow>>> {
        self.with(|data| data.consumers.values().cloned().map(Ok).collect())
    }

    fn step_consumers<'a>(&'a self, steps: &'a [ScheduleStep]) -> StoreFuture<'a, Vec<Stepped>> {
        self.with(|data| steps.iter().map(|step| data.step(step, |data| &mut data.consumers)).collect())
    }
}

impl Data {
    pub(super) fn delete_events(&mut self, numbers: &[i64]) -> u64 {
        let (gone, left): (Vec<EventRow>, Vec<EventRow>) =
            std::mem::take(&mut self.events).into_iter().partition(|event| numbers.contains(&event.number));
        self.events = left;
        let files = gone.iter().filter(is_file).map(|event| (event.content.sha256, event.content));
        self.left_payloads.extend(files);
        gone.len() as u64
    }

    /// The payloads of deleted events that no event has.
    pub(super) fn left_payloads(&self) -> Vec<FileRef> {
        let used: HashSet<[u8; 32]> = self.events.iter().filter(is_file).map(|event| event.content.sha256).collect();
        self.left_payloads.values().filter(|file| !used.contains(&file.sha256)).copied().collect()
    }

    pub(super) fn emit(&mut self, new: &NewEvent) -> Emitted {
        let with_key = |event: &&EventRow| event.asset == new.asset && event.key == new.key;
        if new.key.is_some()
            && let Some(known) = self.events.iter().find(with_key)
        {
            return Emitted::Known(known.number);
        }
        let content = new.content();
        let alike = |event: &&EventRow| event.asset == new.asset && event.partition == new.partition;
        if new.on_change
            && let Some(last) = self.events.iter().rev().find(alike)
            && last.content.sha256 == content.sha256
        {
            return Emitted::Unchanged(last.number);
        }
        self.last_event += 1;
        self.events.push(EventRow {
            number: self.last_event,
            asset: new.asset.clone(),
            partition: new.partition.clone(),
            key: new.key.clone(),
            ty: new.ty.clone(),
            content,
            value: Some(new.value.clone()),
            emitted: new.emitted,
            run: new.run.clone(),
            task: new.task.clone(),
            by: new.by.clone(),
        });
        Emitted::Stored(self.last_event)
    }
}

/// Whether the payload of an event is in a file.
fn is_file(event: &&EventRow) -> bool {
    matches!(event.value, Some(Stored::File(_)))
}
