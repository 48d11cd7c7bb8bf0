//! Deleting one run.

use std::slice;

use super::audit::{Action, Trail};
use super::error::OpsError;
use super::upkeep::Pruned;
use crate::journal::{Journal, word_of};

/// How often it is tried again for a run that somebody has continued, and that has ended again.
const AGAIN: usize = 3;

/// Deletes a run that has ended, with its values, logs and artifacts, and notifications of it that
/// are not delivered yet. Files that its process still has stay: see [`Pruned::files_left`]. Events
/// that it has emitted stay, and so does what the audit trail has of it.
///
/// # Errors
///
/// With [`OpsError::NotEnded`] when the run has not ended, or somebody has continued it meanwhile;
/// when there is no such run, the store cannot be written, or files cannot be removed. If the run
/// was deleted all the same, [`OpsError::PrunedInPart`] says so.
pub async fn prune_run(journal: &Journal, run: &str) -> Result<Pruned, OpsError> {
    let trail = Trail::of_run(journal, Action::DbPrune, run, "").await;
    let pruned = prune_one(trail.journal(), run).await;
    trail.end(pruned).await
}

async fn prune_one(journal: &Journal, run: &str) -> Result<Pruned, OpsError> {
    let mut run = journal.find(run).await?;
    let mut pruned = Pruned::default();
    let mut again = 0..=AGAIN;
    let deleted = loop {
        if !run.state.is_terminal() || again.next().is_none() {
            return Err(OpsError::NotEnded { number: run.number, state: run.state });
        }
        journal.note_pruned(slice::from_ref(&run));
        let deleted = journal.delete_runs(slice::from_ref(&run), &mut pruned.pruned).await;
        if pruned.pruned > 0 {
            break deleted;
        }
        deleted?;
        // The store keeps a run that somebody has continued. It may have ended again by now. One
        // that is gone was deleted by somebody else.
        run = journal.find(&word_of(run.number)).await?;
    };
    match deleted.and(journal.delete_left_files_of(&run.info.run_id).await) {
        Ok(files_left) => Ok(Pruned { files_left, ..pruned }),
        Err(error) => Err(OpsError::PrunedInPart { pruned, error: Box::new(error.into()) }),
    }
}
