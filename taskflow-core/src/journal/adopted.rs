//! A run that this process has claimed, with its history: what every edit and every resume works
//! on.
//!
//! 1. The run is claimed. A run with a live owner is refused. The claim raises the token, which
//!    fences the former owner.
//! 2. The history is folded once, after the claim: nobody else can store anything in between. If
//!    the run is to be resumed, its pending callbacks are found in the same fold.
//! 3. Each edit is one more segment. The edit is folded into the same history, so edits and a
//!    resume can follow each other.
//! 4. Dropping the run releases it. Resuming passes the ownership on to the run.

use std::sync::Arc;

use super::deliveries::CallbackFold;
use super::edit::reason_by;
use super::error::JournalError;
use super::graph::Graph;
use super::history::RunHistory;
use super::journal::Journal;
use super::resume::{Deadly, dag_of};
use super::rollup::Rollup;
use super::segment::{self, Buffer};
use crate::base::Timestamp;
use crate::dag::Plan;
use crate::run::{Entry, RunState, RunType, Stored};
use crate::store::{Append, AppendTarget, Appended, Claim, RequestKind, RunGuard, RunRow, RunUpdate, Segment, worker};

/// A run that this process owns until it is dropped or resumed.
#[derive(Debug)]
pub(crate) struct AdoptedRun {
    pub(super) journal: Journal,
    pub(super) history: RunHistory,
    pub(super) guard: RunGuard,
    /// Its callback notifications, if it was adopted to be resumed.
    pub(super) callbacks: Option<CallbackFold>,
    /// The time of edits, if it is not that of the clock: in simulated runs.
    pub(super) at: Option<Timestamp>,
    /// Whether a backfill runs it: then it counts among the runs of backfills.
    pub(crate) is_backfill: bool,
    /// The tasks that fail instead of being called again.
    pub(super) failing: Option<Deadly>,
}

impl Journal {
    /// Claims a run and reads its history; the word names the run as for [`Journal::find`].
    ///
    /// # Errors
    ///
    /// When there is no such run, a process owns it, or what is stored of it is damaged.
    pub(crate) async fn adopt(&self, run: &str) -> Result<AdoptedRun, JournalError> {
        let row = self.row(run).await?;
        self.adopt_row(&row, None).await
    }

    /// As [`Journal::adopt`], for a run that is resumed after it is edited: the callbacks that are
    /// pending are found in the same fold.
    ///
    /// # Errors
    ///
    /// As [`Journal::adopt`].
    pub(crate) async fn adopt_to_resume(&self, run: &str) -> Result<AdoptedRun, JournalError> {
        let row = self.row(run).await?;
        // Resuming reports why there is no graph.
        let plan = dag_of(&row.info).ok().and_then(|dag| dag.plan().ok());
        self.adopt_row(&row, plan.as_ref()).await
    }

    /// `plan` is the graph that the run is resumed with, if it is.
    pub(super) async fn adopt_row(&self, row: &RunRow, plan: Option<&Arc<Plan>>) -> Result<AdoptedRun, JournalError> {
        let run = || row.info.run_id.clone();
        match self.inner.store.claim(row.number, &worker()).await? {
            Claim::Claimed(row, guard) => {
                let mut callbacks = plan.and_then(|plan| CallbackFold::new(plan, &row.info));
                // A run that has not started has the graph of this program unless that has changed.
                let known = plan.filter(|plan| row.state == RunState::Queued && plan.hash() == row.graph);
                let known = known.map(|plan| (row.graph.clone(), Arc::new(Graph::of(plan))));
                let history = self.history_with(*row, callbacks.as_mut(), known.into_iter().collect()).await?;
                let is_backfill = history.info.run_type == RunType::Backfill;
                Ok(AdoptedRun {
                    journal: self.clone(),
                    history,
                    guard,
                    callbacks,
                    at: None,
                    is_backfill,
                    failing: None,
                })
            }
            Claim::Held { by } => Err(JournalError::Live { run: run(), by }),
            Claim::Unknown => Err(JournalError::UnknownRun { run: run() }),
            Claim::Refused(error) => Err(JournalError::RunLock { run: run(), error }),
        }
    }
}

impl AdoptedRun {
    /// What is known of the run, edits included.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the command `mark` asks"))]
    pub(crate) fn history(&self) -> &RunHistory {
        &self.history
    }

    /// The journal that the run was adopted from.
    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The number of the run in its store.
    pub(super) fn number(&self) -> i64 {
        self.history.number
    }

    /// The token of this owner.
    pub(super) fn token(&self) -> u64 {
        self.history.row.token
    }

    /// The state after an edit: a run that has ended is open again, and a queued one still waits
    /// for a process.
    pub(super) fn edited_state(&self) -> RunState {
        if self.history.row.state == RunState::Queued { RunState::Queued } else { RunState::Running }
    }

    /// Stores entries as one segment, with the state that the run has from then on.
    pub(super) async fn append(
        &mut self,
        entries: Vec<(Entry, Option<Stored>)>,
        state: RunState,
    ) -> Result<(), JournalError> {
        let run = self.history.info.run_id.clone();
        let now = self.at.unwrap_or_else(|| self.journal.now());
        let mut buffer = Buffer::default();
        for (entry, value) in entries {
            buffer.push(now, entry, value);
        }
        let damaged = |what: String| JournalError::DamagedRun { run: run.clone(), what };
        let entries = segment::read(&buffer.events).map_err(|damage| damaged(damage.to_string()))?;
        let number = self.history.segments + 1;
        let ended = state.is_terminal().then_some(now);
        let append = Append {
            run: AppendTarget::Existing { run: self.number(), token: self.token() },
            segment: Some(Segment { number, events: buffer.events, data: buffer.data }),
            update: Some(RunUpdate { state, ended, counts: Vec::new(), graph: None }),
            events: Vec::new(),
            audit: self.journal.audit_row().map(Box::new),
        };
        match self.journal.inner.store.append(&[append]).await?.first() {
            Some(Appended::Stored(_)) => self.journal.audit_stored(),
            _ => return Err(JournalError::Taken { run }),
        }
        for (at, entry) in entries {
            let no_graph = |hash: &str| Err(format!("an edit names the graph {hash}"));
            if let Some(callbacks) = &mut self.callbacks {
                callbacks.observe(&self.history, at, &entry);
            }
            self.history.apply(number, at, entry, no_graph).map_err(damaged)?;
        }
        (self.history.row.state, self.history.row.ended) = (state, ended);
        if state.is_terminal() {
            // Without it, the first reader makes it.
            let rollup = Rollup::of(&self.history).row(&self.history);
            let _ = self.journal.inner.store.put_rollups(&[rollup]).await;
        }
        Ok(())
    }

    /// Ends the run early, right after its start, if its last owner was asked to cancel it and died
    /// before it did, or if the run that waited for it has ended. Otherwise the run could end in
    /// another way before its next owner looks for requests.
    pub(super) async fn heed_cancellation(&mut self) -> Result<(), JournalError> {
        // A queued run has done nothing that could end before the request is heard.
        if self.history.row.state == RunState::Queued || self.history.halted().is_some() {
            return Ok(());
        }
        let requests = self.journal.inner.store.requests(&[self.number()]).await?.into_iter();
        let mut cancellations = requests.filter(|(_, request)| request.what == RequestKind::Cancel);
        let mut reason = cancellations.next().map(|(_, request)| reason_by(&request.reason, &request.by));
        if reason.is_none() && self.is_orphaned().await? {
            reason = Some("the run that waited for this one has ended".to_owned());
        }
        if reason.is_some() {
            (self.history.halt_reason, self.history.halts_as) = (reason, RunState::Cancelled);
        }
        Ok(())
    }

    /// Whether a task waited for the run, and its own run has ended.
    async fn is_orphaned(&self) -> Result<bool, JournalError> {
        let history = &self.history;
        let Some(by) = history.info.triggered_by.as_ref().filter(|by| by.waits) else { return Ok(false) };
        let waited = self.journal.inner.store.run_by_id(&by.run_id).await?;
        let sessions = history.sessions.iter().map(|session| session.at);
        let last = sessions.chain(history.edits.iter().map(|edit| edit.at)).max();
        // Whoever has resumed or edited it since wants it to go on by itself.
        Ok(waited.and_then(|run| run.ended).is_some_and(|ended| last.is_none_or(|last| last <= ended)))
    }

    /// Removes requests to cancel that the last owner did not carry out: an edit overrides them.
    pub(super) async fn drop_cancellations(&self) -> Result<(), JournalError> {
        let store = &self.journal.inner.store;
        let requests = store.requests(&[self.number()]).await?.into_iter();
        let ids: Vec<i64> =
            requests.filter(|(_, request)| request.what == RequestKind::Cancel).map(|(id, _)| id).collect();
        if !ids.is_empty() {
            store.acknowledge(&ids).await?;
        }
        Ok(())
    }
}
