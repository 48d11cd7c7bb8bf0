//! Ending a run early, whichever process runs it.
//!
//! A run that a process runs is cancelled by that process, which ends the jobs that its tasks have
//! on clusters. For a run that no process runs, this operation ends the jobs: their tasks have
//! stored what is needed to find them, and an [`OnKillResolver`] of the feature that started a job
//! knows how to end it. It cancels the runs that its tasks have triggered and wait for as well.
//! Jobs and runs of teardowns that are still to run are left alone.

use std::collections::HashSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::audit::{Action, Trail, changed};
use super::error::OpsError;
use super::preview::{few, token, with_states};
use crate::base::schema::Schema;
use crate::config::Config;
use crate::journal::{Cancellation, Journal, JournalError, Note, RunHistory, RunSummary, word_of, would_cancel};
use crate::run::{RunState, RunType, TaskState};
use crate::store::{RunFilter, RunRow};
use crate::task::{OnKillResolver, UnattendedWork};

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
    /// The numbers of the runs that its tasks waited for and that were cancelled with it, if no
    /// process was running the run. A process cancels them itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggered: Vec<i64>,
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
    /// Nobody has asked the system to end it, in a preview.
    Open,
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

/// What [`cancel_previewed`] ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct CancelPreview {
    /// The number of the run.
    pub number: i64,
    /// The id of the run.
    #[serde(skip)]
    pub run_id: String,
    /// The state that it is in.
    pub state: RunState,
    /// The process that runs it and would be asked to end it, `host:process`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// The ids of the tasks that would end early or not run at all, in the order of the graph.
    pub tasks: Vec<String>,
    /// Those of them that are running.
    pub running: Vec<String>,
    /// Teardowns of what the run has set up, which run nevertheless: by the process that runs the
    /// run, or by [`resume`](super::resume()).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teardowns: Vec<String>,
    /// The jobs of its tasks on clusters, which would be ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<ExternalJob>,
    /// The numbers of the runs that its tasks wait for, which would be cancelled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggered: Vec<i64>,
    /// That nothing was changed.
    pub dry_run: bool,
    /// For [`cancel_previewed`], which then ends exactly this.
    pub token: String,
}

impl CancelPreview {
    /// Of a run that this process runs, if it is one of them.
    fn of(history: &RunHistory, worker: Option<&str>, config: Option<&Config>) -> Result<Self, OpsError> {
        if history.state.is_terminal() {
            return Err(OpsError::Ended { number: history.number, state: history.state });
        }
        let (tasks, teardowns) = would_cancel(history);
        let is_running = |id: &&String| history.task(id).is_some_and(|task| task.state == TaskState::Running);
        let jobs = jobs(history, &teardowns, config).map(|(job, _)| job).collect();
        let open: Vec<String> = tasks.iter().chain(&teardowns).cloned().collect();
        Ok(CancelPreview {
            number: history.number,
            run_id: history.info.run_id.clone(),
            state: history.state,
            worker: worker.map(str::to_owned),
            running: tasks.iter().filter(is_running).cloned().collect(),
            token: token(history, &format!("cancel {}", worker.unwrap_or_default()), &open),
            tasks,
            teardowns,
            jobs,
            triggered: Vec::new(),
            dry_run: true,
        })
    }

    /// Checks that it is what another preview with this token has shown.
    fn check(&self, history: &RunHistory, token: &str) -> Result<(), OpsError> {
        if self.token == token {
            return Ok(());
        }
        let whose = match &self.worker {
            Some(worker) => format!("process {worker} runs it"),
            None => "no process runs it".to_owned(),
        };
        let tasks = match &*with_states(history, &self.tasks) {
            [] => "it has no open tasks".to_owned(),
            tasks => format!("its open tasks are {}", few(tasks)),
        };
        Err(OpsError::CancelChanged { number: self.number, now: format!("{whose}, and {tasks}") })
    }
}

/// Reports what [`cancel`] would end. Changes nothing.
///
/// # Errors
///
/// As [`cancel`].
pub async fn preview_cancel(journal: &Journal, run: &str, config: Option<&Config>) -> Result<CancelPreview, OpsError> {
    let history = journal.history(run).await?;
    let preview = CancelPreview::of(&history, history.row.live_owner(), config)?;
    let triggered = awaited(journal, &history, &preview.teardowns).await?.into_iter().map(|run| run.number).collect();
    Ok(CancelPreview { triggered, ..preview })
}

/// Cancels a run if cancelling it ends exactly what a preview has shown, without waiting for a
/// process that runs it: as [`cancel`].
///
/// A process that runs the run goes on meanwhile: a task that starts or ends between the check and
/// the request is not seen. A run without a process is claimed before the check.
///
/// # Errors
///
/// With [`OpsError::CancelChanged`] when the run has ended, another process runs it, or other tasks
/// are open than the preview has shown, or in other states; otherwise as [`cancel`].
pub async fn cancel_previewed(
    journal: &Journal,
    run: &str,
    token: &str,
    note: &Note,
    config: Option<&Config>,
) -> Result<CancelledRun, OpsError> {
    let trail = Trail::of_run(journal, Action::Cancel, run, &note.reason).await.with_token(Some(token));
    let cancelled = async {
        let run = trail.journal().row(run).await?;
        once_as_previewed(trail.journal(), &run, token, note, config).await
    };
    let cancelled = cancelled.await;
    trail.end(cancelled).await
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

/// Cancels a run and waits until it has ended; with the token of a preview, only what that has
/// shown. If a process runs it, `requested` is called once that process was asked to end it.
///
/// Dropping the future ends the waiting and leaves the request in place.
///
/// # Errors
///
/// As [`cancel`], and with a token as [`cancel_previewed`].
pub async fn cancel_and_wait(
    journal: &Journal,
    run: &str,
    token: Option<&str>,
    note: &Note,
    config: Option<&Config>,
    requested: impl FnOnce(&CancelledRun) + Send,
) -> Result<CancelledRun, OpsError> {
    let trail = Trail::of_run(journal, Action::Cancel, run, &note.reason).await.with_token(token);
    let cancelled = until_ended(trail.journal(), run, token, note, config, requested).await;
    trail.end(cancelled).await
}

async fn until_ended(
    journal: &Journal,
    run: &str,
    mut token: Option<&str>,
    note: &Note,
    config: Option<&Config>,
    requested: impl FnOnce(&CancelledRun) + Send,
) -> Result<CancelledRun, OpsError> {
    let mut run = journal.row(run).await?;
    let mut requested = Some(requested);
    loop {
        // What was agreed to is asked for once. The rest is the same end of the same run.
        let step = match token.take() {
            Some(token) => Step::Cancelled(once_as_previewed(journal, &run, token, note, config).await?),
            None => once(journal, &run, note, config).await?,
        };
        let cancelled = match step {
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
            RunState::Interrupted => run = journal.row(&word_of(run.number)).await?,
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
    let (teardowns, jobs, triggered) = (Vec::new(), Vec::new(), Vec::new());
    CancelledRun { number, run_id, state, worker: None, teardowns, jobs, triggered }
}

async fn once(journal: &Journal, run: &RunRow, note: &Note, config: Option<&Config>) -> Result<Step, OpsError> {
    changed(journal, json!({}), json!({ "state": RunState::Cancelled }));
    step(journal, run, journal.cancel(run, note).await?, note, config).await
}

async fn step(
    journal: &Journal,
    run: &RunRow,
    cancellation: Cancellation,
    note: &Note,
    config: Option<&Config>,
) -> Result<Step, OpsError> {
    Ok(match cancellation {
        Cancellation::Ended(state) => Step::Ended(state),
        Cancellation::Requested { worker } => {
            Step::Cancelled(CancelledRun { worker: Some(worker), ..answer(run, RunState::Running) })
        }
        Cancellation::Cancelled { history } => {
            let mut cancelled = answer(run, RunState::Cancelled);
            cancelled.end_work(journal, &history, note, config).await?;
            Step::Cancelled(cancelled)
        }
        Cancellation::LeavesTeardowns { tasks, history } => {
            let mut cancelled = CancelledRun { teardowns: tasks, ..answer(run, RunState::Running) };
            cancelled.end_work(journal, &history, note, config).await?;
            Step::Cancelled(cancelled)
        }
    })
}

impl CancelledRun {
    /// Ends what the tasks of the run wait for, except its teardowns: their jobs, and the runs that
    /// they have triggered.
    async fn end_work(
        &mut self,
        journal: &Journal,
        history: &RunHistory,
        note: &Note,
        config: Option<&Config>,
    ) -> Result<(), OpsError> {
        self.jobs = end_jobs(history, &self.teardowns, config).await;
        let reason = format!("run {}, which waits for it, is cancelled", history.number);
        let note = Note { by: note.by.clone(), reason };
        let mut outcome = Ok(());
        for run in awaited(journal, history, &self.teardowns).await? {
            let run = journal.row(&word_of(run.number)).await?;
            // It may wait for a run in turn.
            match Box::pin(once(journal, &run, &note, config)).await {
                Ok(Step::Cancelled(cancelled)) => {
                    self.triggered.push(cancelled.number);
                    self.triggered.extend(cancelled.triggered);
                    self.jobs.extend(cancelled.jobs);
                }
                Ok(Step::Ended(_)) => {}
                // The others are cancelled all the same.
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }
}

/// The runs that tasks of a run have triggered, and wait for, except those of `teardowns`. In the
/// order of their numbers.
async fn awaited(journal: &Journal, history: &RunHistory, teardowns: &[String]) -> Result<Vec<RunSummary>, OpsError> {
    let (run_types, since) = (vec![RunType::Triggered], Some(history.created));
    let mut runs = journal.runs(&RunFilter { run_types, since, ..RunFilter::default() }).await?;
    let is_awaited = |run: &RunSummary| {
        let by = run.info.triggered_by.as_ref();
        let is_of_run = by.is_some_and(|by| by.waits && by.run_id == history.info.run_id);
        is_of_run && !run.state.is_terminal() && by.is_some_and(|by| !teardowns.contains(&by.task_id))
    };
    runs.retain(is_awaited);
    runs.sort_by_key(|run| run.number);
    Ok(runs)
}

/// Cancels a run that no process runs, as [`cancel`]. One that a process has claimed since, or that
/// somebody has deleted, is left alone.
pub(super) async fn cancel_unowned(
    journal: &Journal,
    number: i64,
    note: &Note,
    config: Option<&Config>,
) -> Result<(), OpsError> {
    let adopted = match journal.adopt(&word_of(number)).await {
        Err(JournalError::Live { .. } | JournalError::UnknownRun { .. } | JournalError::PrunedRun { .. }) => {
            return Ok(());
        }
        adopted => adopted?,
    };
    let row = adopted.history().row.clone();
    step(journal, &row, adopted.cancel(note).await?, note, config).await?;
    Ok(())
}

/// One attempt to cancel a run, if it is as the preview has shown it.
async fn once_as_previewed(
    journal: &Journal,
    run: &RunRow,
    token: &str,
    note: &Note,
    config: Option<&Config>,
) -> Result<CancelledRun, OpsError> {
    let check = |history: &RunHistory, worker: Option<&str>| match CancelPreview::of(history, worker, config) {
        Err(OpsError::Ended { number, state }) => Err(ended_since(number, state)),
        preview => preview?.check(history, token),
    };
    let mut step = None;
    if !run.state.is_terminal() && run.live_owner().is_none() {
        match journal.adopt(&word_of(run.number)).await {
            // A process has claimed it since.
            Err(JournalError::Live { .. }) => {}
            adopted => {
                let adopted = adopted?;
                check(adopted.history(), None)?;
                changed(journal, json!({}), json!({ "state": RunState::Cancelled }));
                let cancellation = adopted.cancel(note).await?;
                step = Some(self::step(journal, run, cancellation, note, config).await?);
            }
        }
    }
    let step = match step {
        Some(step) => step,
        None => {
            let history = journal.history(&word_of(run.number)).await?;
            check(&history, history.row.live_owner())?;
            once(journal, run, note, config).await?
        }
    };
    match step {
        Step::Ended(state) => Err(ended_since(run.number, state)),
        Step::Cancelled(cancelled) => Ok(cancelled),
    }
}

fn ended_since(number: i64, state: RunState) -> OpsError {
    OpsError::CancelChanged { number, now: format!("it has ended (state: {state})") }
}

/// Ends the jobs of the tasks of a run, except those of `teardowns`.
async fn end_jobs(history: &RunHistory, teardowns: &[String], config: Option<&Config>) -> Vec<ExternalJob> {
    let mut ended_jobs = Vec::new();
    let open: Vec<_> = jobs(history, teardowns, config).collect();
    for (shown, job) in open {
        let ended = tokio::task::spawn_blocking(move || job.end()).await;
        let state = match ended {
            Ok(Ok(true)) => ExternalJobState::Ended,
            Ok(Ok(false)) => ExternalJobState::Unconfirmed,
            Ok(Err(error)) => ExternalJobState::Unreachable { reason: error.to_string() },
            Err(error) => ExternalJobState::Unreachable { reason: error.to_string() },
        };
        ended_jobs.push(ExternalJob { state, ..shown });
    }
    ended_jobs
}

/// The jobs of the tasks of a run, except those of `teardowns`.
fn jobs<'h>(
    history: &'h RunHistory,
    teardowns: &'h [String],
    config: Option<&'h Config>,
) -> impl Iterator<Item = (ExternalJob, Box<dyn UnattendedWork>)> + 'h {
    let teardowns: HashSet<&str> = teardowns.iter().map(String::as_str).collect();
    let tasks = history.tasks.iter().filter(move |task| !teardowns.contains(&*task.id));
    tasks.flat_map(move |task| {
        let jobs = task.task_state.iter().filter_map(move |(key, text)| OnKillResolver::job(key, text, config));
        jobs.map(|job| {
            let (task, system, id) = (task.id.to_string(), job.system().to_owned(), job.to_string());
            (ExternalJob { task, system, job: id, state: ExternalJobState::Open }, job)
        })
    })
}

/// Waits until the process that runs the run has ended it, or has died.
async fn ended(journal: &Journal, run: &RunRow) -> Result<RunState, OpsError> {
    loop {
        tokio::time::sleep(INTERVAL).await;
        match journal.find(&word_of(run.number)).await?.state {
            RunState::Running | RunState::Queued => {}
            state => return Ok(state),
        }
    }
}
