//! Schedules in memory.

use super::{Data, MemoryStore, States};
use crate::base::Timestamp;
use crate::store::rows::{Append, AppendTarget};
use crate::store::schedule_rows::{DamagedRow, NoteRow, ScheduleRow, ScheduleStep, SlotRow, Stepped};
use crate::store::traits::{ScheduleStore, StoreFuture};

impl ScheduleStore for MemoryStore {
    fn schedule_steps(&self) -> StoreFuture<'_, i64> {
        self.with(|data| data.schedules.values().map(|row| row.version).sum())
    }

    fn schedules(&self) -> StoreFuture<'_, Vec<Result<ScheduleRow, DamagedRow>>> {
        self.with(|data| data.schedules.values().cloned().map(Ok).collect())
    }

    fn schedule<'a>(&'a self, dag: &'a str) -> StoreFuture<'a, Option<ScheduleRow>> {
        self.with(|data| data.schedules.get(dag).cloned())
    }

    fn step_schedules<'a>(&'a self, steps: &'a [ScheduleStep]) -> StoreFuture<'a, Vec<Stepped>> {
        self.with(|data| steps.iter().map(|step| data.step(step, |data| &mut data.schedules)).collect())
    }

    fn slot_deadlines(&self) -> StoreFuture<'_, Vec<Result<ScheduleRow, DamagedRow>>> {
        self.with(|data| data.slot_deadlines.values().cloned().map(Ok).collect())
    }

    fn step_slot_deadlines<'a>(&'a self, steps: &'a [ScheduleStep]) -> StoreFuture<'a, Vec<Stepped>> {
        self.with(|data| steps.iter().map(|step| data.step(step, |data| &mut data.slot_deadlines)).collect())
    }

    fn slots<'a>(&'a self, dag: &'a str, limit: u32) -> StoreFuture<'a, Vec<SlotRow>> {
        self.with(|data| {
            let slots = data.slots.get(dag).map_or(&[][..], Vec::as_slice);
            slots.iter().rev().take(limit as usize).cloned().collect()
        })
    }

    fn schedule_notes<'a>(&'a self, dag: &'a str, limit: u32) -> StoreFuture<'a, Vec<NoteRow>> {
        self.with(|data| {
            let mut notes: Vec<NoteRow> = data.notes.iter().rev().filter(|note| note.dag == dag).cloned().collect();
            notes.sort_by_key(|note| std::cmp::Reverse(note.at));
            notes.truncate(limit as usize);
            notes
        })
    }

    fn schedule_notes_from<'a>(
        &'a self,
        dag: &'a str,
        from: Timestamp,
        skipped: u32,
        limit: u32,
    ) -> StoreFuture<'a, Vec<NoteRow>> {
        self.with(|data| {
            let mut notes: Vec<&NoteRow> =
                data.notes.iter().filter(|note| note.dag == dag && note.at >= from).collect();
            notes.sort_by_key(|note| note.at);
            notes.into_iter().skip(skipped as usize).take(limit as usize).cloned().collect()
        })
    }
}

impl Data {
    /// Stores a step in one of the tables of states.
    pub(super) fn step(&mut self, step: &ScheduleStep, table: fn(&mut Data) -> &mut States) -> Stepped {
        let version = table(self).get(&step.row.dag).map_or(0, |row| row.version);
        if version + 1 != step.row.version || step.fresh.iter().any(|run_id| self.by_id.contains_key(run_id)) {
            return Stepped::Conflict;
        }
        table(self).insert(step.row.dag.clone(), step.row.clone());
        for slot in &step.slots {
            let slots = self.slots.entry(slot.dag.clone()).or_default();
            let place = slots.partition_point(|other| other.last < slot.last);
            slots.insert(place, slot.clone());
        }
        self.notes.extend(step.notes.iter().cloned());
        self.put_graphs(&step.graphs);
        let runs = step.runs.iter().map(|run| {
            let run = AppendTarget::New(Box::new(run.clone()));
            self.append(&Append { run, segment: None, update: None, events: Vec::new(), audit: None })
        });
        let runs = runs.collect();
        self.audit(step.audit.as_ref());
        Stepped::Stored(runs)
    }
}
