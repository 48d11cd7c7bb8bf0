//! Which earlier runs of a DAG failed with the same messages.

use std::collections::BTreeMap;

use serde::Serialize;

use super::error::OpsError;
use crate::journal::{Journal, RunHistory, normalised, word_of};
use crate::run::{RunState, TaskState};
use crate::store::{RunFilter, RunOrder};

/// How many earlier runs are looked at.
const RUNS: u32 = 50;

/// A message of a failure, and the earlier runs that failed with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SimilarFailures {
    /// The message, with numbers as `#`.
    pub message: String,
    /// The numbers of the runs, the latest first.
    pub runs: Vec<i64>,
    /// How many earlier runs were looked at.
    pub of_runs: usize,
}

/// The messages of the failed tasks of a run, with those of the 50 runs of its DAG before it that
/// failed likewise. Messages are the same if they differ in numbers only.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn similar_failures(journal: &Journal, history: &RunHistory) -> Result<Vec<SimilarFailures>, OpsError> {
    let mut runs: BTreeMap<String, Vec<i64>> = messages(history).map(|message| (message, Vec::new())).collect();
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let filter = RunFilter {
        dag: Some(history.info.dag_id.clone()),
        before: Some(history.created),
        order: RunOrder::Created,
        limit: Some(RUNS),
        ..RunFilter::default()
    };
    let earlier = journal.runs(&filter).await?;
    for run in earlier.iter().filter(|run| run.state == RunState::Failed && run.number != history.number) {
        let other = journal.history(&word_of(run.number)).await?;
        for message in messages(&other) {
            if let Some(runs) = runs.get_mut(&message)
                && runs.last() != Some(&run.number)
            {
                runs.push(run.number);
            }
        }
    }
    let of_runs = earlier.len();
    Ok(runs.into_iter().map(|(message, runs)| SimilarFailures { message, runs, of_runs }).collect())
}

fn messages(history: &RunHistory) -> impl Iterator<Item = String> {
    let failed = history.tasks.iter().filter(|task| task.state == TaskState::Failed);
    failed.filter_map(|task| task.failure.as_ref()).map(|failure| normalised(&failure.to_string()))
}
