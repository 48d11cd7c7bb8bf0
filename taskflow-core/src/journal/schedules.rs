//! The schedules of DAGs in the store: their states, the slots that became no runs, their
//! histories, and new runs.

use std::collections::HashMap;
use std::sync::Arc;

use super::enqueue::QueuedRun;
use super::error::JournalError;
use super::graph::Graph;
use super::journal::Journal;
use super::reading::RunSummary;
use crate::base::Timestamp;
use crate::run::RunType;
use crate::schedule::{Note, ScheduleState, SlotRecord};
use crate::store::{
    Appended, DamagedRow, NewGraph, NewRun, NoteRow, ScheduleRow, ScheduleStep, SlotRow, Stepped, Store, StoreError,
    StoreFuture,
};

/// The stored state of a schedule, and the version to step it from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredSchedule {
    pub(crate) state: ScheduleState,
    pub(crate) version: i64,
}

/// A schedule whose state cannot be read.
#[derive(Debug)]
pub(crate) struct DamagedSchedule {
    /// The version to replace it from.
    pub(crate) version: i64,
    pub(crate) error: JournalError,
}

/// A step of the schedule of a DAG, to be stored.
#[derive(Debug)]
pub(crate) struct NewStep {
    pub(crate) dag: String,
    /// The version that the step began with: 0 for a DAG that is new.
    pub(crate) version: i64,
    pub(crate) state: ScheduleState,
    pub(crate) records: Vec<SlotRecord>,
    pub(crate) notes: Vec<Note>,
    pub(crate) runs: Vec<QueuedRun>,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StepOutcome {
    /// It is stored, with its runs. `None` is a run that existed already.
    Stored(Vec<Option<i64>>),
    /// Another process was faster, with a step or with the run of a slot that takes events: nothing
    /// of it is stored.
    Conflict,
}

impl Journal {
    /// How many steps of schedules were ever stored, by any process.
    pub(crate) async fn schedule_steps(&self) -> Result<i64, JournalError> {
        Ok(self.inner.store.schedule_steps().await?)
    }

    /// The schedules of all DAGs that a service has seen. One that is damaged hides no other.
    pub(crate) async fn schedules(
        &self,
    ) -> Result<HashMap<String, Result<StoredSchedule, DamagedSchedule>>, JournalError> {
        let rows = self.inner.store.schedules().await?;
        let stored = |row: Result<ScheduleRow, DamagedRow>| match row {
            Ok(row) => {
                let schedule = stored(&row).map_err(|error| DamagedSchedule { version: row.version, error });
                (row.dag, schedule)
            }
            Err(DamagedRow { dag, version, error }) => (dag, Err(DamagedSchedule { version, error: error.into() })),
        };
        Ok(rows.into_iter().map(stored).collect())
    }

    /// The schedule of a DAG.
    pub(crate) async fn schedule(&self, dag: &str) -> Result<Option<StoredSchedule>, JournalError> {
        self.inner.store.schedule(dag).await?.as_ref().map(stored).transpose()
    }

    /// At most `limit` records of slots of a DAG that became no runs, the latest first.
    pub(crate) async fn slot_records(&self, dag: &str, limit: u32) -> Result<Vec<SlotRow>, JournalError> {
        Ok(self.inner.store.slots(dag, limit).await?)
    }

    /// At most `limit` entries in the history of the schedule of a DAG with their times, the latest
    /// first.
    pub(crate) async fn schedule_notes(&self, dag: &str, limit: u32) -> Result<Vec<(Timestamp, Note)>, JournalError> {
        noted(dag, self.inner.store.schedule_notes(dag, limit).await?)
    }

    /// At most `limit` entries in the history of the schedule of a DAG from a time on with their
    /// times, the earliest first, without the first `skipped` of them.
    pub(crate) async fn schedule_notes_from(
        &self,
        dag: &str,
        from: Timestamp,
        skipped: u32,
        limit: u32,
    ) -> Result<Vec<(Timestamp, Note)>, JournalError> {
        noted(dag, self.inner.store.schedule_notes_from(dag, from, skipped, limit).await?)
    }

    /// The run of each DAG that was created last.
    pub(crate) async fn last_runs(&self) -> Result<Vec<RunSummary>, JournalError> {
        Ok(self.inner.store.last_runs().await?.into_iter().map(RunSummary::of).collect())
    }

    /// At most `each` runs of each of these DAGs that were created last, the latest first. A DAG
    /// without runs is left out.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "only the pages ask for them"))]
    pub(crate) async fn last_runs_of(
        &self,
        dags: &[&str],
        each: u32,
    ) -> Result<HashMap<String, Vec<RunSummary>>, JournalError> {
        let mut runs: HashMap<String, Vec<RunSummary>> = HashMap::new();
        for run in self.inner.store.last_runs_of(dags, each).await?.into_iter().map(RunSummary::of) {
            runs.entry(run.info.dag_id.clone()).or_default().push(run);
        }
        Ok(runs)
    }

    /// Stores steps of different DAGs in one transaction; each of them whole, or as a conflict.
    pub(crate) async fn store_steps(
        &self,
        steps: Vec<NewStep>,
        now: Timestamp,
    ) -> Result<Vec<StepOutcome>, JournalError> {
        let mut prepared = Vec::with_capacity(steps.len());
        for NewStep { dag, version, state, records, notes, runs } in steps {
            let state = serde_json::to_string(&state).map_err(|error| damaged(&dag, &error))?;
            let notes = note_rows(&dag, notes, now)?;
            prepared.push((ScheduleRow { dag, version: version + 1, state, updated: now }, records, notes, runs));
        }
        Prepared::of(prepared, now).store(self, |store, rows| store.step_schedules(rows)).await
    }
}

/// Steps as the store takes them.
pub(super) struct Prepared(Vec<ScheduleStep>);

impl Prepared {
    /// Steps: the new row of each, the slots that became no runs, the notes, and the runs.
    pub(super) fn of(
        steps: impl IntoIterator<Item = (ScheduleRow, Vec<SlotRecord>, Vec<NoteRow>, Vec<QueuedRun>)>,
        now: Timestamp,
    ) -> Self {
        let rows = steps.into_iter().map(|(row, records, notes, runs)| {
            let (runs, graphs) = with_graphs(runs);
            let slots = records.into_iter().map(|record| slot_row(&row.dag, record, now)).collect();
            ScheduleStep { row, slots, notes, runs, fresh: Vec::new(), graphs, audit: None }
        });
        Prepared(rows.collect())
    }

    /// The same steps, each of which is a conflict if the run of one of its slots exists.
    pub(super) fn with_new_slots(mut self) -> Self {
        for step in &mut self.0 {
            let of_slots = step.runs.iter().filter(|run| run.info.run_type == RunType::Scheduled);
            step.fresh = of_slots.map(|run| run.info.run_id.clone()).collect();
        }
        self
    }

    /// Stores the steps.
    pub(super) async fn store(
        mut self,
        journal: &Journal,
        step: impl for<'a> FnOnce(&'a dyn Store, &'a [ScheduleStep]) -> StoreFuture<'a, Vec<Stepped>>,
    ) -> Result<Vec<StepOutcome>, JournalError> {
        // Who acts steps one schedule.
        if let Some(step) = self.0.first_mut() {
            step.audit = journal.audit_row();
        }
        let outcomes = step(&*journal.inner.store, &self.0).await?;
        if let Some(Stepped::Stored(_)) = outcomes.first() {
            journal.audit_stored();
        }
        let number = |appended: Appended| match appended {
            Appended::Stored(number) => Some(number),
            Appended::Fenced | Appended::Taken => None,
        };
        let outcome = |stepped: Stepped| match stepped {
            Stepped::Stored(runs) => StepOutcome::Stored(runs.into_iter().map(number).collect()),
            Stepped::Conflict => StepOutcome::Conflict,
        };
        Ok(outcomes.into_iter().map(outcome).collect())
    }
}

/// The entries in the history of the schedule of a DAG, as they are stored.
pub(super) fn note_rows(dag: &str, notes: Vec<Note>, at: Timestamp) -> Result<Vec<NoteRow>, JournalError> {
    let row = |note: Note| match serde_json::to_string(&note) {
        Ok(note) => Ok(NoteRow { dag: dag.to_owned(), at, note }),
        Err(error) => Err(damaged(dag, &error)),
    };
    notes.into_iter().map(row).collect()
}

/// Entries in the history of the schedule of a DAG, with their times.
fn noted(dag: &str, rows: Vec<NoteRow>) -> Result<Vec<(Timestamp, Note)>, JournalError> {
    let note = |row: NoteRow| match serde_json::from_str(&row.note) {
        Ok(note) => Ok((row.at, note)),
        Err(error) => Err(damaged(dag, &error)),
    };
    rows.into_iter().map(note).collect()
}

/// Runs, and their graphs, each once.
pub(super) fn with_graphs(runs: Vec<QueuedRun>) -> (Vec<NewRun>, Vec<NewGraph>) {
    let (mut rows, mut graphs): (_, Vec<NewGraph>) = (Vec::with_capacity(runs.len()), Vec::new());
    for QueuedRun { plan, new } in runs {
        if !graphs.iter().any(|graph| graph.hash == new.graph) {
            let hash = new.graph.clone();
            graphs.push(NewGraph { hash, encode: Arc::new(move || Graph::of(&plan).encode()) });
        }
        rows.push(new);
    }
    (rows, graphs)
}

fn slot_row(dag: &str, record: SlotRecord, decided: Timestamp) -> SlotRow {
    let SlotRecord { first, last, count, fate, reason } = record;
    SlotRow { dag: dag.to_owned(), first, last, count, fate: fate.name().to_owned(), reason, decided }
}

fn stored(row: &ScheduleRow) -> Result<StoredSchedule, JournalError> {
    let state = serde_json::from_str(&row.state).map_err(|error| damaged(&row.dag, &error))?;
    Ok(StoredSchedule { state, version: row.version })
}

pub(super) fn damaged(dag: &str, error: &serde_json::Error) -> JournalError {
    let what = format!("the schedule of `{dag}`: {error}");
    JournalError::Store(StoreError::Damaged { place: "of this home".to_owned(), what })
}
