//! The runs that a run has triggered.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::error::OpsError;
use crate::base::schema::Schema;
use crate::journal::{Journal, RunHistory, RunSummary};
use crate::run::{RunState, RunType};
use crate::store::RunFilter;

/// A run that a task of another run has triggered, with those that it has triggered itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct TriggeredRun {
    /// The task that triggered it.
    pub task_id: String,
    /// The number of the run.
    pub number: i64,
    /// Its id.
    pub run_id: String,
    /// Its DAG.
    pub dag_id: String,
    /// Its state.
    pub state: RunState,
    /// The runs that it has triggered.
    pub triggered: Vec<TriggeredRun>,
}

/// The most triggered runs that a document or a page has.
const MOST: usize = 500;

/// The first of the runs, those that a run has triggered before those that they have triggered in
/// turn, and how many are left off.
pub(crate) fn bounded(mut runs: Vec<TriggeredRun>) -> (Vec<TriggeredRun>, usize) {
    let mut room = MOST;
    let left_off = leave_off(&mut runs, &mut room);
    (runs, left_off)
}

fn leave_off(runs: &mut Vec<TriggeredRun>, room: &mut usize) -> usize {
    let over = runs.split_off((*room).min(runs.len()));
    *room -= runs.len();
    count(&over) + runs.iter_mut().map(|run| leave_off(&mut run.triggered, room)).sum::<usize>()
}

fn count(runs: &[TriggeredRun]) -> usize {
    runs.iter().map(|run| 1 + count(&run.triggered)).sum()
}

/// The runs that a run has triggered, in the order of their numbers.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn triggered_runs(journal: &Journal, history: &RunHistory) -> Result<Vec<TriggeredRun>, OpsError> {
    let filter =
        RunFilter { run_types: vec![RunType::Triggered], since: Some(history.created), ..RunFilter::default() };
    let mut by_parent: HashMap<String, Vec<RunSummary>> = HashMap::new();
    for run in journal.runs(&filter).await? {
        if let Some(parent) = &run.info.triggered_by {
            by_parent.entry(parent.run_id.clone()).or_default().push(run);
        }
    }
    Ok(below(&history.info.run_id, &mut by_parent))
}

fn below(run: &str, by_parent: &mut HashMap<String, Vec<RunSummary>>) -> Vec<TriggeredRun> {
    let mut runs = by_parent.remove(run).unwrap_or_default();
    runs.sort_by_key(|run| run.number);
    let document = |run: RunSummary| TriggeredRun {
        task_id: run.info.triggered_by.map(|parent| parent.task_id).unwrap_or_default(),
        number: run.number,
        triggered: below(&run.info.run_id, by_parent),
        run_id: run.info.run_id,
        dag_id: run.info.dag_id,
        state: run.state,
    };
    runs.into_iter().map(document).collect()
}
