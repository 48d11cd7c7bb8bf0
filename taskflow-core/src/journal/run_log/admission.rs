//! The admission that a run waits for, because its DAG has a limit of active runs.
//!
//! 1. Until the store admits the run, the log keeps its entries: nothing of it is stored.
//! 2. The writer asks the store with an [`AdmissionState`], and tells the log who is ahead.
//! 3. Once it is admitted, its session begins at that time. A run that has ended meanwhile needs no
//!    admission.

use super::RunLog;
use crate::base::Timestamp;
use crate::engine::Commits;
use crate::journal::segment::Buffer;
use crate::run::{AdmissionWait, Entry};
use crate::store::{AppendTarget, AuditRow};

/// The admission that a run waits for.
pub(super) struct AwaitedAdmission {
    pub(super) wait: AdmissionWait,
    /// The first entry of the session: it has the time of the admission.
    pub(super) session: Entry,
    /// The runs that wait for this one, once the writer has looked for them.
    pub(super) ancestors: Option<Vec<i64>>,
    /// Whether the store knows that the run waits.
    pub(super) has_asked: bool,
    /// Whether the run counts in the share of backfills.
    pub(super) is_backfill: bool,
}

/// What the writer asks the store for an admission with.
pub(in crate::journal) struct AdmissionState {
    pub(in crate::journal) target: AppendTarget,
    pub(in crate::journal) dag_id: String,
    pub(in crate::journal) limit: u32,
    pub(in crate::journal) ancestors: Option<Vec<i64>>,
    pub(in crate::journal) has_asked: bool,
    pub(in crate::journal) is_backfill: bool,
    pub(in crate::journal) audit: Option<Box<AuditRow>>,
}

impl RunLog {
    /// Whether nothing of the run is stored yet because it waits for its admission. A run that has
    /// ended meanwhile needs none.
    pub(in crate::journal) fn awaits_admission(&self) -> bool {
        let mut state = self.lock();
        let ends = state.update.as_ref().is_some_and(|update| update.state.is_terminal());
        if ends || state.given_up {
            state.admission = None;
        }
        let awaits = state.admission.is_some();
        state.queued &= !awaits;
        awaits
    }

    /// What to ask the store with, if the run waits for its admission.
    pub(in crate::journal) fn admission(&self) -> Option<AdmissionState> {
        if !self.awaits_admission() {
            return None;
        }
        let state = self.lock();
        let awaited = state.admission.as_ref()?;
        Some(AdmissionState {
            target: state.target.clone(),
            dag_id: awaited.wait.dag_id.clone(),
            limit: awaited.wait.limit,
            ancestors: awaited.ancestors.clone(),
            has_asked: awaited.has_asked,
            is_backfill: awaited.is_backfill,
            audit: state.audit_row(),
        })
    }

    /// The runs that wait for this one.
    pub(in crate::journal) fn set_ancestors(&self, ancestors: Vec<i64>) {
        if let Some(awaited) = &mut self.lock().admission {
            awaited.ancestors = Some(ancestors);
        }
    }

    /// The store has not admitted the run.
    pub(in crate::journal) fn keep_waiting(&self, active: Vec<i64>, ahead: Vec<i64>) {
        if let Some(awaited) = &mut self.lock().admission {
            (awaited.wait.active, awaited.wait.ahead, awaited.has_asked) = (active, ahead, true);
        }
    }

    /// The store has admitted the run. Returns where to report it.
    pub(in crate::journal) fn admitted(&self, at: Timestamp) -> Option<Commits> {
        let mut state = self.lock();
        let awaited = state.admission.take()?;
        if state.recorded == 1 {
            state.buffer = Buffer::default();
            state.buffer.push(at, awaited.session, None);
        }
        state.commits.clone()
    }
}
