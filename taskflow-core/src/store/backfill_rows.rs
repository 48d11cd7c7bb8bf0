//! What a store takes and returns of backfills.

use super::audit_rows::AuditRow;
use super::rows::{NewGraph, NewRun};
use crate::base::Timestamp;
use crate::run::RunState;

/// The stored plan of a backfill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BackfillRow {
    /// Its number: counted from 1. 0 until it is stored.
    pub(crate) number: i64,
    /// The DAG.
    pub(crate) dag: String,
    /// Raised by each change: from 1.
    pub(crate) version: i64,
    /// Whether there may be something left to do.
    pub(crate) is_open: bool,
    /// The plan, as JSON.
    pub(crate) plan: String,
    /// When it was stored.
    pub(crate) updated: Timestamp,
}

/// A change of a plan, stored whole or not at all.
#[derive(Clone, Debug)]
pub(crate) struct BackfillChange {
    /// The new row. Its version is one more than the one that the change began with.
    pub(crate) row: BackfillRow,
    /// Runs, which must be queued: they have no owner.
    pub(crate) runs: Vec<NewRun>,
    /// The graphs of the runs.
    pub(crate) graphs: Vec<NewGraph>,
    /// The numbers and versions of the other open plans of the DAG, in ascending order, if the
    /// change depends on them.
    pub(crate) beside: Option<Vec<(i64, i64)>>,
    /// The row of the audit trail, if a person makes the change.
    pub(crate) audit: Option<AuditRow>,
}

/// The outcome of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// It is stored, under this number.
    Stored(i64),
    /// Nothing is stored: another process has changed the plan or one beside it, or the id of one
    /// of the runs exists.
    Conflict,
}

/// A run, as far as backfills look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlotRunRow {
    pub(crate) number: i64,
    pub(crate) run_id: String,
    pub(crate) logical_date: Timestamp,
    /// As stored: an interrupted run is running.
    pub(crate) state: RunState,
    pub(crate) ended: Option<Timestamp>,
}
