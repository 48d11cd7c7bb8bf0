//! Ending a run early, whichever process runs it.
//!
//! A run that a process runs is cancelled by that process, which ends the jobs that its tasks have
//! on clusters. For a run that no process runs, this operation ends the jobs: their tasks have
//! stored what is needed to find them, and an [`OnKillResolver`] of the feature that started a job
//! knows how to end it. Jobs of teardowns that are still to run are left alone.

use std::collections::HashSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::audit::{Action, Trail, changed};
use super::error::OpsError;
use crate::base::schema::Schema;
use crate::config::Config;
use crate::journal::{Cancellation, Journal, Note, RunHistory};
use crate::run::RunState;
use crate::store::RunRow;
use crate::task::OnKillResolver;

/// Between two checks whether the run has ended.
const INTERVAL: Duration = Duration::from_millis(50);

/// A run that was cancelled, or that will be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct CancelledRun {
    /// The number of the run.
    pub number: i64,
    /// The id of the run.
    #[serde(skip)]
    pub run_id: String,
    /// Its state: `cancelled`; `running` if the process that runs it was asked to end it, or if
    /// teardowns are still to run; another one if the run ended before it could be cancelled.
    pub state: RunState,
    /// The process that runs it and was asked to end it, `host:process`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// Teardowns of what the run has set up, which [`resume`](super::resume()) runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teardowns: Vec<String>,
    /// The jobs of its tasks on clusters, if no process was running the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<ExternalJob>,
}

/// A job that a task has submitted to another system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct ExternalJob {
    /// The task.
    pub task: String,
    /// The system, such as `Spark`.
    pub system: String,
    /// The id of the job there, or how it can be found.
    pub job: String,
    /// Whether it has ended.
    #[serde(flatten)]
    pub state: ExternalJobState,
}

/// Whether a job in another system has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExternalJobState {
    /// The system confirms that it has ended.
    Ended,
    /// The system was asked to end it and has not confirmed it.
    Unconfirmed,
    /// The system cannot be reached: the job is still running.
    Unreachable {
        /// Why.
        reason: String,
    },
}

/// Cancels a run, without waiting for a process that runs it. Connections to clusters are those of
/// `config`, or of the process.
///
/// # Errors
///
/// With [`OpsError::Ended`] when the run has ended before, and when there is no such run or the
/// store cannot be written.
pub async fn cancel(
    journal: &Journal,
    run: &str,
    note: &Note,
    config: Option<&Config>,
) -> Result<CancelledRun, OpsError> {
    let trail = Trail::of_run(journal, Action::Cancel, run, &note.reason).await;
    let cancelled = async {
        let run = trail.journal().row(run).await?;
        match once(trail.journal(), &run, note, config).await? {
            Step::Ended(state) => Err(OpsError::Ended { number: run.number, state }),
            Step::Cancelled(cancelled) => Ok(cancelled),
        }
    };
    let cancelled = cancelled.await;
    trail.end(cancelled).await
}

/// Cancels a run and waits until it has ended. If a process runs it, `requested` is called once
/// that process was asked to end it.
///
/// Dropping the future ends the waiting and leaves the request in place.
///
/// # Errors
///
/// As [`cancel`].
pub async fn cancel_and_wait(
    journal: &Journal,
    run: &str,
    note: &Note,
    config: Option<&Config>,
    requested: impl FnOnce(&CancelledRun) + Send,
) -> Result<CancelledRun, OpsError> {
    let trail = Trail::of_run(journal, Action::Cancel, run, &note.reason).await;
    let cancelled = until_ended(trail.journal(), run, note, config, requested).await;
    trail.end(cancelled).await
}

async fn until_ended(
    journal: &Journal,
    run: &str,
    note: &Note,
    config: Option<&Config>,
    requested: impl FnOnce(&CancelledRun) + Send,
) -> Result<CancelledRun, OpsError> {
    let mut run = journal.row(run).await?;
    let mut requested = Some(requested);
    loop {
        let cancelled = match once(journal, &run, note, config).await? {
            Step::Ended(state) if requested.is_none() => return Ok(answer(&run, state)),
            Step::Ended(state) => return Err(OpsError::Ended { number: run.number, state }),
            Step::Cancelled(cancelled) => cancelled,
        };
        if cancelled.worker.is_none() {
            return Ok(cancelled);
        }
        if let Some(requested) = requested.take() {
            requested(&cancelled);
        }
        match ended(journal, &run).await? {
            // The process died before it could end the run.
            RunState::Interrupted => run = journal.row(&run.info.run_id).await?,
            state => return Ok(answer(&run, state)),
        }
    }
}

/// How one attempt to cancel a run ended.
enum Step {
    /// The run had ended.
    Ended(RunState),
    Cancelled(CancelledRun),
}

fn answer(run: &RunRow, state: RunState) -> CancelledRun {
    let (number, run_id) = (run.number, run.info.run_id.clone());
    CancelledRun { number, run_id, state, worker: None, teardowns: Vec::new(), jobs: Vec::new() }
}

async fn once(journal: &Journal, run: &RunRow, note: &Note, config: Option<&Config>) -> Result<Step, OpsError> {
    changed(journal, json!({}), json!({ "state": RunState::Cancelled }));
    Ok(match journal.cancel(run, note).await? {
        Cancellation::Ended(state) => Step::Ended(state),
        Cancellation::Requested { worker } => {
            Step::Cancelled(CancelledRun { worker: Some(worker), ..answer(run, RunState::Running) })
        }
        Cancellation::Cancelled { history } => {
            let jobs = end_jobs(&history, &[], config).await;
            Step::Cancelled(CancelledRun { jobs, ..answer(run, RunState::Cancelled) })
        }
        Cancellation::LeavesTeardowns { tasks, history } => {
            let jobs = end_jobs(&history, &tasks, config).await;
            Step::Cancelled(CancelledRun { jobs, teardowns: tasks, ..answer(run, RunState::Running) })
        }
    })
}

/// Ends the jobs of the tasks of a run, except those of `teardowns`.
pub(super) async fn end_jobs(history: &RunHistory, teardowns: &[String], config: Option<&Config>) -> Vec<ExternalJob> {
    let mut jobs = Vec::new();
    let teardowns: HashSet<&str> = teardowns.iter().map(String::as_str).collect();
    for task in history.tasks.iter().filter(|task| !teardowns.contains(&*task.id)) {
        for (key, text) in &task.task_state {
            let Some(job) = OnKillResolver::job(key, text, config) else { continue };
            let (system, id) = (job.system().to_owned(), job.to_string());
            let ended = tokio::task::spawn_blocking(move || job.end()).await;
            let state = match ended {
                Ok(Ok(true)) => ExternalJobState::Ended,
                Ok(Ok(false)) => ExternalJobState::Unconfirmed,
                Ok(Err(error)) => ExternalJobState::Unreachable { reason: error.to_string() },
                Err(error) => ExternalJobState::Unreachable { reason: error.to_string() },
            };
            jobs.push(ExternalJob { task: task.id.to_string(), system, job: id, state });
        }
    }
    jobs
}

/// Waits until the process that runs the run has ended it, or has died.
async fn ended(journal: &Journal, run: &RunRow) -> Result<RunState, OpsError> {
    loop {
        tokio::time::sleep(INTERVAL).await;
        match journal.find(&run.info.run_id).await?.state {
            RunState::Running | RunState::Queued => {}
            state => return Ok(state),
        }
    }
}
