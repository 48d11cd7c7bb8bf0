//! Resuming a run.

use super::error::OpsError;
use crate::engine::RunRequest;
use crate::journal::{AdoptedRun, Journal};
use crate::run::{Durability, RunState};
use crate::store::RunFilter;

/// Claims a run that has not ended and returns the request for the rest of it: see
/// [`Journal::resume`]. Without a name it is the newest interrupted run. The run continues with
/// [`RunRequest::start`]; until then the request holds the claim.
///
/// A resumed run is stored already, so [`Durability::Ephemeral`] means [`Durability::Strict`] here.
///
/// # Errors
///
/// When there is no such run, it has ended, another process runs it, or the DAG has changed so that
/// a stored value does not fit.
pub async fn resume(journal: &Journal, run: Option<&str>, durability: Durability) -> Result<RunRequest<()>, OpsError> {
    let request = match run {
        Some(run) => journal.resume(run).await?,
        None => {
            let interrupted = RunFilter { states: vec![RunState::Interrupted], limit: Some(1), ..RunFilter::default() };
            let found = journal.runs(&interrupted).await?;
            let newest = found.first().ok_or(OpsError::NoneInterrupted)?;
            journal.resume(&newest.info.run_id).await?
        }
    };
    Ok(request.durability(stored(durability)))
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
