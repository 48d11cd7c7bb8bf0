//! The deadlines of slots in the store: how far they are judged, and what was missed.

use std::collections::HashMap;

use super::error::JournalError;
use super::journal::Journal;
use super::schedules::{DamagedSchedule, damaged};
use crate::base::Timestamp;
use crate::schedule::{DeadlineState, Note};
use crate::store::{DamagedRow, NoteRow, ScheduleRow, ScheduleStep, Stepped};

/// The stored deadlines of a DAG, and the version to change them from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredDeadlines {
    pub(crate) state: DeadlineState,
    pub(crate) version: i64,
}

impl Journal {
    /// The deadlines of all DAGs that a service has judged, by DAG. Those of one DAG that are
    /// damaged hide no others.
    pub(crate) async fn slot_deadlines(
        &self,
    ) -> Result<HashMap<String, Result<StoredDeadlines, DamagedSchedule>>, JournalError> {
        let rows = self.inner.store.slot_deadlines().await?;
        let stored = |row: Result<ScheduleRow, DamagedRow>| match row {
            Ok(ScheduleRow { dag, version, state, .. }) => {
                let state = serde_json::from_str(&state).map_err(|error| damaged(&dag, &error));
                let state = state.map_err(|error| DamagedSchedule { version, error });
                (dag, state.map(|state| StoredDeadlines { state, version }))
            }
            Err(DamagedRow { dag, version, error }) => (dag, Err(DamagedSchedule { version, error: error.into() })),
        };
        Ok(rows.into_iter().map(stored).collect())
    }

    /// Stores the deadlines of a DAG, with notes in the history of its schedule. `false` if another
    /// process has changed them since this version: then nothing is stored.
    pub(crate) async fn store_slot_deadlines(
        &self,
        dag: &str,
        version: i64,
        state: &DeadlineState,
        notes: &[Note],
        now: Timestamp,
    ) -> Result<bool, JournalError> {
        let json = |value: serde_json::Result<String>| value.map_err(|error| damaged(dag, &error));
        let state = json(serde_json::to_string(state))?;
        let note = |note: &Note| {
            let note = json(serde_json::to_string(note))?;
            Ok(NoteRow { dag: dag.to_owned(), at: now, note })
        };
        let notes = notes.iter().map(note).collect::<Result<Vec<NoteRow>, JournalError>>()?;
        let row = ScheduleRow { dag: dag.to_owned(), version: version + 1, state, updated: now };
        let step = ScheduleStep {
            row,
            slots: Vec::new(),
            notes,
            runs: Vec::new(),
            fresh: Vec::new(),
            graphs: Vec::new(),
            audit: self.audit_row(),
        };
        let stepped = self.inner.store.step_slot_deadlines(&[step]).await?;
        let is_stored = stepped.iter().all(|stepped| *stepped != Stepped::Conflict);
        if is_stored {
            self.audit_stored();
        }
        Ok(is_stored)
    }
}
