//! What a store takes and returns of schedules.

use super::audit_rows::AuditRow;
use super::error::StoreError;
use super::rows::{Appended, NewGraph, NewRun};
use crate::base::Timestamp;

/// The stored state of the schedule of a DAG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScheduleRow {
    /// The DAG.
    pub(crate) dag: String,
    /// Raised by each step: from 1.
    pub(crate) version: i64,
    /// The state, as JSON.
    pub(crate) state: String,
    /// When it was stored.
    pub(crate) updated: Timestamp,
}

/// A row that cannot be read, because it is damaged. It hides no other row.
#[derive(Clone, Debug)]
pub(crate) struct DamagedRow {
    /// The DAG.
    pub(crate) dag: String,
    /// Its version as stored, to replace it with the next one.
    pub(crate) version: i64,
    /// What is wrong.
    pub(crate) error: StoreError,
}

/// What a step of a schedule stores, all of it or nothing.
#[derive(Clone, Debug)]
pub(crate) struct ScheduleStep {
    /// The new row. Its version is one more than the one that the step began with.
    pub(crate) row: ScheduleRow,
    /// Slots that became no runs.
    pub(crate) slots: Vec<SlotRow>,
    /// What is noted in the history of the schedule.
    pub(crate) notes: Vec<NoteRow>,
    /// Runs, which must be queued: they have no owner.
    pub(crate) runs: Vec<NewRun>,
    /// The ids of those that must be new: if one exists, nothing of the step is stored.
    pub(crate) fresh: Vec<String>,
    /// The graphs of the runs.
    pub(crate) graphs: Vec<NewGraph>,
    /// The row of the audit trail, if a person makes the step.
    pub(crate) audit: Option<AuditRow>,
}

/// An entry in the history of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoteRow {
    pub(crate) dag: String,
    pub(crate) at: Timestamp,
    /// The entry, as JSON.
    pub(crate) note: String,
}

/// Slots that became no runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlotRow {
    pub(crate) dag: String,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) count: u64,
    /// The name of their fate.
    pub(crate) fate: String,
    pub(crate) reason: String,
    /// When that was decided.
    pub(crate) decided: Timestamp,
}

/// The outcome of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stepped {
    /// It is stored, with one answer for each run.
    Stored(Vec<Appended>),
    /// Another process has stored a step since, or a run that must be new: nothing is stored.
    Conflict,
}
