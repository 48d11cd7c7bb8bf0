//! Running the failed tasks of a run again.

use super::clear::{Rerun, clear};
use super::error::OpsError;
use super::resume::resume;
use crate::journal::{Journal, JournalError, Note, TaskFilter};
use crate::run::Durability;

/// Clears the failed tasks of a run and everything downstream of them, and returns the request that runs them.
///
/// # Errors
///
/// With [`OpsError::NothingFailed`] when no task has failed, otherwise as
/// [`clear_and_run`](super::clear_and_run).
pub async fn retry(journal: &Journal, run: &str, note: &Note, durability: Durability) -> Result<Rerun, OpsError> {
    let found = journal.find(run).await?;
    let failed = TaskFilter::all().failed().downstream();
    let cleared = match clear(journal, &found.info.run_id, &failed, note).await {
        Err(OpsError::Journal(JournalError::Nothing { .. })) => {
            return Err(OpsError::NothingFailed { number: found.number, state: found.state });
        }
        cleared => cleared?,
    };
    let request = resume(journal, Some(&cleared.run_id), durability).await?;
    Ok(Rerun { cleared, request })
}
