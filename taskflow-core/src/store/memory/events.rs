//! Events in memory.

use super::{Data, MemoryStore};
use crate::store::event_rows::{Emitted, EventFilter, EventRow, NewEvent, WatchCursor};
use crate::store::schedule_rows::{ScheduleRow, ScheduleStep, Stepped};
use crate::store::traits::{EventStore, StoreFuture};

impl EventStore for MemoryStore {
    fn emit<'a>(&'a self, events: &'a [NewEvent], cursor: Option<&'a WatchCursor>) -> StoreFuture<'a, Vec<Emitted>> {
        self.with(|data| {
            if let Some(cursor) = cursor {
                data.watch_cursors.insert(cursor.source.clone(), cursor.clone());
            }
            events.iter().map(|event| data.emit(event)).collect()
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

    fn last_event(&self) -> StoreFuture<'_, i64> {
        self.with(|data| data.last_event)
    }

    fn consumers(&self) -> StoreFuture<'_, Vec<ScheduleRow>> {
        self.with(|data| data.consumers.values().cloned().collect())
    }

    fn step_consumers<'a>(&'a self, steps: &'a [ScheduleStep]) -> StoreFuture<'a, Vec<Stepped>> {
        self.with(|data| steps.iter().map(|step| data.step(step, |data| &mut data.consumers)).collect())
    }
}

impl Data {
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
