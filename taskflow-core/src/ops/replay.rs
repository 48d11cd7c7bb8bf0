//! Running one task of a stored run again, for a debugger.

use std::time::Duration;

use serde::Serialize;

use super::error::OpsError;
use super::reason::Reason;
use crate::base::Failure;
use crate::journal::Journal;
use crate::run::TaskState;

/// How a replayed task ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Replayed {
    /// The id of the task.
    pub task: String,
    /// Its state: `success`, `failed` or `skipped`; another one if it did not run with these
    /// inputs.
    pub state: TaskState,
    /// What it returned, as JSON.
    pub value: Option<serde_json::Value>,
    /// Why it did not succeed, as a document.
    #[serde(rename = "failure")]
    pub reason: Option<Reason>,
    /// Why it did not succeed.
    #[serde(skip)]
    pub failure: Option<Failure>,
    /// How long it ran.
    #[serde(skip)]
    pub duration: Duration,
}

/// Runs a task of a stored run in this process, once, with the inputs that it had. Nothing is
/// stored, and no callback is called. With `isolated`, a task that has a process of its own gets
/// one here too: see [`Journal::replay_isolated`].
///
/// An async task needs a runtime with I/O and time.
///
/// # Errors
///
/// When there is no such run or task, the program does not have its DAG, or one of its inputs is
/// not stored.
pub async fn replay(journal: &Journal, run: &str, task: &str, isolated: bool) -> Result<Replayed, OpsError> {
    let replayed = match isolated {
        true => journal.replay_isolated(run, task).await?,
        false => journal.replay(run, task).await?,
    };
    let known = replayed.report.task(task);
    let not_json = |reason| OpsError::NotJson { task: task.to_owned(), reason };
    let value = replayed.value.map(|value| value.json().map_err(not_json)).transpose()?;
    let failure = known.and_then(|known| known.failure()).map(|failure| failure.as_ref().clone());
    Ok(Replayed {
        task: task.to_owned(),
        state: known.map_or(TaskState::None, |known| known.state()),
        value,
        reason: failure.as_ref().map(Reason::of),
        failure,
        duration: known.map(|known| known.duration()).unwrap_or_default(),
    })
}
