//! Resuming runs.

use serde_json::json;

use super::audit::{Action, Trail, changed};
use super::error::OpsError;
use crate::engine::RunRequest;
use crate::journal::{AdoptedRun, Journal, RunSummary};
use crate::run::{Durability, RunState};
use crate::store::{RunFilter, RunOrder};

/// The interrupted runs, in the order in which to resume them: a run before those that its tasks
/// have triggered. A task that waits for a triggered run resumes that run, so it may be interrupted
/// no more when its turn has come.
///
/// # Errors
///
/// When the store cannot be read, or no run is interrupted.
pub async fn interrupted(journal: &Journal) -> Result<Vec<RunSummary>, OpsError> {
    let states = vec![RunState::Interrupted];
    let mut found = journal.runs(&RunFilter { states, order: RunOrder::Number, ..RunFilter::default() }).await?;
    // A task can only trigger a run after its own has been created.
    found.reverse();
    if found.is_empty() { Err(OpsError::NoneInterrupted) } else { Ok(found) }
}

/// Claims a run that has not ended and returns the request for the rest of it: see
/// [`Journal::resume`]. The run continues with [`RunRequest::start`]; until then the request holds
/// the claim.
///
/// A resumed run is stored already, so [`Durability::Ephemeral`] means [`Durability::Strict`] here.
///
/// # Errors
///
/// When there is no such run, it has ended, another process runs it, or the DAG has changed so that
/// a stored value does not fit.
pub async fn resume(journal: &Journal, run: &str, durability: Durability) -> Result<RunRequest<()>, OpsError> {
    let trail = Trail::of_run(journal, Action::Resume, run, "").await;
    changed(trail.journal(), json!({}), json!({ "state": RunState::Running }));
    let resumed = trail.journal().resume(run).await.map_err(OpsError::from);
    let resumed = resumed.map(|request| request.durability(stored(durability)));
    trail.end_with_start(resumed).await
}

/// As [`resume`], for a service: a task with which several processes have died fails, so that the
/// run ends and its callbacks tell of it. With `backfill`, the run counts among those of backfills.
///
/// # Errors
///
/// As [`resume`].
pub(crate) async fn resume_unattended(
    journal: &Journal,
    run: &str,
    durability: Durability,
    backfill: bool,
) -> Result<RunRequest<()>, OpsError> {
    Ok(journal.resume_unattended(run, backfill).await?.durability(stored(durability)))
}

/// Continues a run that is claimed already.
pub(super) async fn resume_adopted(adopted: AdoptedRun, durability: Durability) -> Result<RunRequest<()>, OpsError> {
    Ok(adopted.resume().await?.durability(stored(durability)))
}

/// A resumed run is stored already, whatever new runs are.
fn stored(durability: Durability) -> Durability {
    match durability {
        Durability::Ephemeral => Durability::Strict,
        durability => durability,
    }
}
