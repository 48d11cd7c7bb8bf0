//! Deleting one run.

use std::slice;

use super::audit::{Action, Trail};
use super::error::OpsError;
use super::upkeep::Pruned;
use crate::journal::{Journal, word_of};

/// Deletes a run that has ended, with its values, logs and artifacts, and files that earlier prunes
/// have left. Events that it has emitted stay, and so does what the audit trail has of it.
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
    let run = journal.find(run).await?;
    if !run.state.is_terminal() {
        return Err(OpsError::NotEnded { number: run.number, state: run.state });
    }
    journal.note_pruned(slice::from_ref(&run));
    let mut pruned = Pruned { pruned: 0, events: 0, audit: 0 };
    let deleted = journal.delete_runs(slice::from_ref(&run), &mut pruned.pruned).await;
    if pruned.pruned == 0 {
        deleted?;
        // The store keeps a run that somebody has continued. One that is gone was deleted by
        // somebody else.
        let state = journal.find(&word_of(run.number)).await?.state;
        return Err(OpsError::NotEnded { number: run.number, state });
    }
    match deleted.and(journal.delete_left_files().await) {
        Ok(()) => Ok(pruned),
        Err(error) => Err(OpsError::PrunedInPart { pruned, error: Box::new(error.into()) }),
    }
}
