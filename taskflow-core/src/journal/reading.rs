//! Reads stored runs: lists them, finds one, folds its history.

use std::collections::HashMap;
use std::sync::Arc;

use super::deliveries::CallbackFold;
use super::error::JournalError;
use super::follow::RunFollower;
use super::graph::Graph;
use super::history::RunHistory;
use super::journal::Journal;
use crate::base::Timestamp;
use crate::run::{Entry, RunInfo, RunState, RunType};
use crate::store::{RunCursor, RunFilter, RunOrder, RunRow};

impl Journal {
    /// The runs that match the filter, in its order. Does not read their tasks.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, JournalError> {
        match filter.params.is_empty() {
            true => self.summaries(filter).await,
            false => self.runs_with_params(filter).await,
        }
    }

    /// The runs that match the filter, whatever its parameters, in its order.
    pub(super) async fn summaries(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, JournalError> {
        let rows = self.inner.store.runs(filter).await?;
        Ok(rows.into_iter().map(RunSummary::of).collect())
    }

    /// How many runs match the filter, whatever its parameters, place, order and limit, and whether
    /// there may be more: counting ends at `most` runs, or before.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub(crate) async fn count_runs(&self, filter: &RunFilter, most: u32) -> Result<(u64, bool), JournalError> {
        Ok(self.inner.store.count_runs(filter, most).await?)
    }

    /// The run with this number, this id, or a part of an id that no other run has; `last` is the
    /// newest run that no task of another run has triggered. A number is never taken as a part of
    /// an id, and `#5` is always the number.
    ///
    /// # Errors
    ///
    /// When no run or several runs match, or the store cannot be read. A run that was pruned is
    /// [`JournalError::PrunedRun`].
    pub async fn find(&self, word: &str) -> Result<RunSummary, JournalError> {
        Ok(RunSummary::of(self.row(word).await?))
    }

    /// The run with this id, if it is in the store.
    pub(crate) async fn run_info(&self, run_id: &str) -> Result<Option<RunInfo>, JournalError> {
        Ok(self.inner.store.run_by_id(run_id).await?.map(|row| row.info))
    }

    /// The run with exactly this id.
    ///
    /// # Errors
    ///
    /// When there is none, or the store cannot be read.
    pub(crate) async fn row_with_id(&self, run_id: &str) -> Result<RunRow, JournalError> {
        match self.inner.store.run_by_id(run_id).await? {
            Some(row) => Ok(row),
            None => {
                let pruned = self.pruned_run_with_id(run_id).await?;
                Err(pruned.unwrap_or_else(|| JournalError::UnknownRun { run: run_id.to_owned() }))
            }
        }
    }

    /// The same without what only the journal needs.
    ///
    /// # Errors
    ///
    /// As [`Journal::row_with_id`].
    pub(crate) async fn find_id(&self, run_id: &str) -> Result<RunSummary, JournalError> {
        Ok(RunSummary::of(self.row_with_id(run_id).await?))
    }

    /// The runs with these ids, by their ids. An id that no run has is left out.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub(crate) async fn find_ids(&self, run_ids: &[String]) -> Result<HashMap<String, RunSummary>, JournalError> {
        let rows = self.inner.store.runs_by_id(run_ids).await?;
        Ok(rows.into_iter().map(|row| (row.info.run_id.clone(), RunSummary::of(row))).collect())
    }

    /// Whether the process that owned a run died, rather than released it.
    pub(crate) async fn owner_died(&self, run_id: &str) -> Result<bool, JournalError> {
        Ok(self.inner.store.owner_died(run_id).await?)
    }

    /// Whether a task waits for the run that it has triggered, and resumes it with its own. It does
    /// so until its own run has ended.
    pub(crate) async fn is_resumed_by_its_task(&self, info: &RunInfo) -> Result<bool, JournalError> {
        let Some(by) = info.triggered_by.as_ref().filter(|by| by.waits) else { return Ok(false) };
        let waiting = self.inner.store.run_by_id(&by.run_id).await?;
        Ok(waiting.is_some_and(|run| !run.state.is_terminal()))
    }

    pub(crate) async fn row(&self, word: &str) -> Result<RunRow, JournalError> {
        let store = &self.inner.store;
        let unknown = || JournalError::UnknownRun { run: word.to_owned() };
        // Every id contains it.
        if word.trim().is_empty() {
            return Err(unknown());
        }
        if word == "last" {
            let run_types = [RunType::Manual, RunType::Scheduled, RunType::Backfill, RunType::Event].to_vec();
            let newest = RunFilter { run_types, order: RunOrder::Number, limit: Some(1), ..RunFilter::default() };
            return store.runs(&newest).await?.into_iter().next().ok_or(JournalError::NoRuns);
        }
        let number = word.strip_prefix('#').unwrap_or(word).parse::<i64>().ok();
        if let Some(number) = number
            && let Some(row) = store.run(number).await?
        {
            return Ok(row);
        }
        let can_be_id = number.is_none() || !word.starts_with('#');
        if can_be_id && let Some(row) = store.run_by_id(word).await? {
            return Ok(row);
        }
        if let Some(number) = number {
            // Digits are in every id: `20` must not match the runs of 2026.
            return Err(self.pruned_run(word, number).await?.unwrap_or_else(unknown));
        }
        let mut found = store.find(word, 6).await?;
        match found.len() {
            0 => Err(self.pruned_run_with_id(word).await?.unwrap_or_else(unknown)),
            1 => Ok(found.remove(0)),
            _ => {
                let runs = found.into_iter().map(|row| row.info.run_id).collect();
                Err(JournalError::AmbiguousRun { run: word.to_owned(), runs })
            }
        }
    }

    /// The history of a run; `run` names it as for [`Journal::find`].
    ///
    /// # Errors
    ///
    /// As [`Journal::find`], and when what is stored of the run is damaged.
    pub async fn history(&self, run: &str) -> Result<RunHistory, JournalError> {
        let row = self.row(run).await?;
        self.history_of(row).await
    }

    pub(super) async fn history_of(&self, row: RunRow) -> Result<RunHistory, JournalError> {
        self.history_with(row, None, HashMap::new()).await
    }

    /// As [`Journal::history_of`]. The callbacks see each entry in the same pass. The `graphs` that
    /// are known by their hashes are not read.
    pub(super) async fn history_with(
        &self,
        row: RunRow,
        mut callbacks: Option<&mut CallbackFold>,
        graphs: HashMap<String, Arc<Graph>>,
    ) -> Result<RunHistory, JournalError> {
        let mut follower = RunFollower::with_graphs(&self.inner.store, row, 0, graphs).await?;
        let each = |history: &RunHistory, at, entry: &Entry| {
            if let Some(callbacks) = &mut callbacks {
                callbacks.observe(history, at, entry);
            }
        };
        follower.read(each, false).await?;
        let mut history = follower.into_history();
        let tried = self.inner.store.deliveries(&history.info.run_id).await?;
        history.deliveries = tried.into_iter().map(super::Delivery::from).collect();
        Ok(history)
    }
}

/// A stored run without its tasks.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct RunSummary {
    /// The number of the run in its store, counted from 1.
    pub number: i64,
    /// Its identity.
    #[serde(flatten)]
    pub info: RunInfo,
    /// Its state; see [`RunHistory::state`].
    pub state: RunState,
    /// The structural hash of its graph.
    pub graph: String,
    /// The build of the program that created it.
    pub build: String,
    /// The last process that owned it, `host:pid`; empty until one has.
    pub worker: String,
    /// Whether that process owns it now.
    #[serde(skip)]
    pub(crate) is_owned: bool,
    /// The number of tasks in its graph.
    pub tasks: u32,
    /// When it was created.
    pub created: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// The number of tasks in each state; empty until it has ended.
    pub counts: Vec<(crate::run::TaskState, u32)>,
}

impl RunSummary {
    pub(super) fn of(row: RunRow) -> Self {
        let state = row.present_state();
        let is_owned = row.live_owner().is_some();
        let RunRow { number, info, graph, build, owner, tasks, created, ended, counts, .. } = row;
        RunSummary { number, info, state, graph, build, worker: owner, is_owned, tasks, created, ended, counts }
    }

    /// The place of the run in an order: with [`RunFilter::after`] it leads to the runs that
    /// follow.
    pub fn cursor(&self, order: RunOrder) -> RunCursor {
        RunCursor::of(order, self.created, self.info.logical_date, self.number)
    }
}
