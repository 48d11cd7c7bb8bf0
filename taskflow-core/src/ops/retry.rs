//! Running the failed tasks of a run again.

use super::audit::{Action, Trail};
use super::clear::{Rerun, clear_adopted};
use super::error::OpsError;
use super::resume::resume_adopted;
use crate::journal::{Journal, JournalError, Note, TaskFilter};
use crate::run::Durability;

/// Clears the failed tasks of a run and everything downstream of them, and returns the request that
/// runs them.
///
/// # Errors
///
/// With [`OpsError::NothingFailed`] when no task has failed, otherwise as
/// [`clear_and_run`](super::clear_and_run).
pub async fn retry(journal: &Journal, run: &str, note: &Note, durability: Durability) -> Result<Rerun, OpsError> {
    let trail = Trail::of_run(journal, Action::Retry, run, &note.reason).await;
    let rerun = retry_run(trail.journal(), run, note, durability).await;
    trail.end(rerun).await
}

async fn retry_run(journal: &Journal, run: &str, note: &Note, durability: Durability) -> Result<Rerun, OpsError> {
    let found = journal.find(run).await?;
    let failed = TaskFilter::all().failed().downstream();
    let mut adopted = journal.adopt_to_resume(&found.info.run_id).await?;
    let cleared = match clear_adopted(&mut adopted, &failed, note).await {
        Err(OpsError::Journal(JournalError::Nothing { .. })) => {
            return Err(OpsError::NothingFailed { number: found.number, state: found.state });
        }
        cleared => cleared?,
    };
    Ok(Rerun { cleared, request: resume_adopted(adopted, durability).await? })
}
