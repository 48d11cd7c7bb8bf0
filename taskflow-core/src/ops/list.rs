//! Listing runs.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::OpsError;
use crate::base::Timestamp;
use crate::base::schema::Schema;
use crate::journal::{Journal, RunSummary};
use crate::run::{RunState, RunType};
use crate::store::RunFilter;

/// Runs, newest first.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RunList {
    /// At most as many as the filter allows.
    pub runs: Vec<RunSummary>,
    /// Whether older runs match the filter too.
    pub more: bool,
}

/// Lists the runs that match a filter, newest first.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn list_runs(journal: &Journal, filter: &RunFilter) -> Result<RunList, OpsError> {
    // Reading one more than the limit shows whether there are more.
    let limit = filter.limit.map(|limit| limit.saturating_add(1));
    let mut runs = journal.runs(&RunFilter { limit, ..filter.clone() }).await?;
    let most = filter.limit.map_or(usize::MAX, |limit| limit as usize);
    let more = runs.len() > most;
    runs.truncate(most);
    Ok(RunList { runs, more })
}

/// A run in a list, as JSON documents have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct RunSummaryDocument {
    /// The number of the run.
    pub number: i64,
    /// Its id.
    pub run_id: String,
    /// Its DAG.
    pub dag_id: String,
    /// Its state.
    pub state: RunState,
    /// What started it.
    pub run_type: RunType,
    /// Its logical date.
    pub logical_date: Timestamp,
    /// When it was created.
    pub created: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How many tasks its graph has.
    pub tasks: u32,
    /// How many tasks are in which state; empty until the run has ended.
    #[schema(as = "std::collections::BTreeMap<String, u32>")]
    pub counts: Map<String, Value>,
    /// The process that ran it last, `host:process`.
    pub worker: String,
    /// The build of the program that started it.
    pub build: String,
    /// The structural hash of its graph.
    pub version: String,
}

impl RunSummaryDocument {
    /// The document of a run.
    pub fn of(run: &RunSummary) -> Self {
        RunSummaryDocument {
            number: run.number,
            run_id: run.info.run_id.clone(),
            dag_id: run.info.dag_id.clone(),
            state: run.state,
            run_type: run.info.run_type,
            logical_date: run.info.logical_date,
            created: run.created,
            ended: run.ended,
            tasks: run.tasks,
            counts: run.counts.iter().map(|(state, count)| (state.name().to_owned(), (*count).into())).collect(),
            worker: run.worker.clone(),
            build: run.build.clone(),
            version: run.graph.clone(),
        }
    }
}
