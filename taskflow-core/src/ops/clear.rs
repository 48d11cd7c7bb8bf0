//! Clearing tasks, so that they run again.

use std::fmt;

use serde::Serialize;

use super::error::OpsError;
use super::resume::resume_adopted;
use crate::engine::RunRequest;
use crate::journal::{AdoptedRun, Journal, JournalError, Note, TaskFilter};
use crate::run::Durability;

/// The tasks of a run that were cleared, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
    let tasks = journal.would_clear(&found.info.run_id, filter).await?;
    Ok(Cleared { number: found.number, run_id: found.info.run_id, tasks, dry_run: true })
}

/// Clears tasks of a run that is not running; [`resume`](super::resume()) runs them. Their earlier
/// attempts stay in the history.
///
/// # Errors
///
/// As [`would_clear`], and when the run is running.
pub async fn clear(journal: &Journal, run: &str, filter: &TaskFilter, note: &Note) -> Result<Cleared, OpsError> {
    clear_adopted(&mut journal.adopt(run).await?, filter, note).await
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
    let mut adopted = journal.adopt_to_resume(run).await?;
    let cleared = clear_adopted(&mut adopted, filter, note).await?;
    Ok(Rerun { cleared, request: resume_adopted(adopted, durability).await? })
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
    let tasks = adopted.clear(filter, note).await?;
    let history = adopted.history();
    Ok(Cleared { number: history.number, run_id: history.info.run_id.clone(), tasks, dry_run: false })
}
