//! Clearing tasks, so that they run again.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::audit::{Action, Trail};
use super::error::OpsError;
use super::preview::{token, with_states};
use super::resume::resume_adopted;
use super::tasks_changed::tasks_changed;
use crate::base::schema::Schema;
use crate::engine::RunRequest;
use crate::journal::{self, AdoptedRun, Journal, JournalError, Note, TaskFilter, word_of};
use crate::run::Durability;

/// The tasks of a run that were cleared, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct Cleared {
    /// The number of the run.
    pub number: i64,
    /// The id of the run.
    #[serde(skip)]
    pub run_id: String,
    /// The ids of the tasks, in the order of the graph.
    pub tasks: Vec<String>,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// For [`retry_previewed`](super::retry_previewed), which then clears exactly this; in a
    /// preview of [`retry`](super::retry()).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// What the token of a preview says of the tasks.
const CLEAR: &str = "clear";

/// What [`clear_previewed`] clears.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct ClearPreview {
    /// The number of the run.
    pub number: i64,
    /// The id of the run.
    #[serde(skip)]
    pub run_id: String,
    /// The ids of the tasks, in the order of the graph.
    pub tasks: Vec<String>,
    /// That nothing was changed.
    pub dry_run: bool,
    /// For [`clear_previewed`], which then clears exactly this.
    pub token: String,
}

/// A run whose tasks were cleared, and the request that runs them.
#[non_exhaustive]
pub struct Rerun {
    /// What was cleared.
    pub cleared: Cleared,
    /// Continues the run.
    pub request: RunRequest<()>,
}

impl fmt::Debug for Rerun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rerun").field("cleared", &self.cleared).finish_non_exhaustive()
    }
}

/// Reports which tasks [`clear`] would clear. Changes nothing, and works for a running run too.
///
/// # Errors
///
/// When there is no such run or task, or none of the tasks has run.
pub async fn would_clear(journal: &Journal, run: &str, filter: &TaskFilter) -> Result<Cleared, OpsError> {
    let found = journal.find(run).await?;
    let tasks = journal.would_clear(&word_of(found.number), filter).await?;
    Ok(Cleared { number: found.number, run_id: found.info.run_id, tasks, dry_run: true, token: None })
}

/// As [`would_clear`], with a token for [`clear_previewed`].
///
/// # Errors
///
/// As [`would_clear`].
pub async fn preview_clear(journal: &Journal, run: &str, filter: &TaskFilter) -> Result<ClearPreview, OpsError> {
    let history = journal.history(run).await?;
    let tasks = journal::would_clear(&history, filter)?;
    let (number, token) = (history.number, token(&history, CLEAR, &tasks));
    Ok(ClearPreview { number, run_id: history.info.run_id, tasks, dry_run: true, token })
}

/// Clears exactly the tasks that a preview has shown, and returns the request that runs them: as
/// [`clear_and_run`].
///
/// # Errors
///
/// With [`OpsError::ClearChanged`] when other tasks would be cleared, or one of them has changed
/// since the preview; otherwise as [`clear_and_run`].
pub async fn clear_previewed(
    journal: &Journal,
    run: &str,
    filter: &TaskFilter,
    token: &str,
    note: &Note,
    durability: Durability,
) -> Result<Rerun, OpsError> {
    let trail = Trail::of_run(journal, Action::Clear, run, &note.reason).await.with_token(Some(token));
    let cleared = clear_as_previewed(trail.journal(), run, filter, token, note, durability).await;
    trail.end(cleared).await
}

async fn clear_as_previewed(
    journal: &Journal,
    run: &str,
    filter: &TaskFilter,
    token: &str,
    note: &Note,
    durability: Durability,
) -> Result<Rerun, OpsError> {
    let mut adopted = journal.adopt_to_resume(run).await?;
    let (history, tasks) = (adopted.history(), adopted.would_clear(filter)?);
    if self::token(history, CLEAR, &tasks) != token {
        return Err(OpsError::ClearChanged { number: history.number, now: with_states(history, &tasks) });
    }
    let cleared = clear_adopted(&mut adopted, filter, note).await?;
    Ok(Rerun { cleared, request: resume_adopted(adopted, durability).await? })
}

/// Clears tasks of a run that is not running; [`resume`](super::resume()) runs them. Their earlier
/// attempts stay in the history.
///
/// # Errors
///
/// As [`would_clear`], and when the run is running.
pub async fn clear(journal: &Journal, run: &str, filter: &TaskFilter, note: &Note) -> Result<Cleared, OpsError> {
    let trail = Trail::of_run(journal, Action::Clear, run, &note.reason).await;
    let cleared = async { clear_adopted(&mut trail.journal().adopt(run).await?, filter, note).await };
    let cleared = cleared.await;
    trail.end(cleared).await
}

/// Clears tasks of a run and returns the request that runs them. The run is claimed once: no other
/// process can take it in between.
///
/// # Errors
///
/// As [`clear`] and [`resume`](super::resume()). When resuming fails, the tasks stay cleared.
pub async fn clear_and_run(
    journal: &Journal,
    run: &str,
    filter: &TaskFilter,
    note: &Note,
    durability: Durability,
) -> Result<Rerun, OpsError> {
    let trail = Trail::of_run(journal, Action::Clear, run, &note.reason).await;
    let rerun = async {
        let mut adopted = trail.journal().adopt_to_resume(run).await?;
        let cleared = clear_adopted(&mut adopted, filter, note).await?;
        Ok(Rerun { cleared, request: resume_adopted(adopted, durability).await? })
    };
    let rerun = rerun.await;
    trail.end(rerun).await
}

/// Clears a run that a backfill reprocesses, and returns the request that runs it: with `failed`,
/// its failed tasks and everything downstream of them, otherwise all of it.
pub(crate) async fn reprocess(
    journal: &Journal,
    run: &str,
    failed: bool,
    note: &Note,
    durability: Durability,
) -> Result<Rerun, OpsError> {
    let mut adopted = journal.adopt_to_resume(run).await?;
    adopted.is_backfill = true;
    let filter = if failed { TaskFilter::all().failed().downstream() } else { TaskFilter::all() };
    let cleared = match clear_adopted(&mut adopted, &filter, note).await {
        // A run can fail without a failed task.
        Err(OpsError::Journal(JournalError::Nothing { .. })) if failed => {
            clear_adopted(&mut adopted, &TaskFilter::all(), note).await?
        }
        cleared => cleared?,
    };
    Ok(Rerun { cleared, request: resume_adopted(adopted, durability).await? })
}

pub(super) async fn clear_adopted(
    adopted: &mut AdoptedRun,
    filter: &TaskFilter,
    note: &Note,
) -> Result<Cleared, OpsError> {
    tasks_changed(adopted, || adopted.would_clear(filter), "none");
    let tasks = adopted.clear(filter, note).await?;
    let history = adopted.history();
    let (number, run_id) = (history.number, history.info.run_id.clone());
    Ok(Cleared { number, run_id, tasks, dry_run: false, token: None })
}
