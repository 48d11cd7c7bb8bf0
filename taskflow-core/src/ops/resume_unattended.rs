//! Resuming runs where nobody waits for a refusal.

use super::actor::{Actor, Via};
use super::audit::acting_as;
use super::error::OpsError;
use super::mark::{Mark, mark};
use super::resume::resume_for;
use crate::base::account;
use crate::engine::RunRequest;
use crate::journal::{Journal, JournalError, Note, TaskFilter};
use crate::run::{Durability, TaskState};

/// As [`resume`](super::resume()), for a service: a task with which several processes have died
/// fails. The run goes on and ends, its callbacks tell of it, and what waits for its place starts.
/// With `backfill`, the run counts among those of backfills.
///
/// # Errors
///
/// As [`resume`](super::resume()).
pub(crate) async fn resume_unattended(
    journal: &Journal,
    run: &str,
    durability: Durability,
    backfill: bool,
) -> Result<RunRequest<()>, OpsError> {
    let (tasks, deaths) = match resume_for(journal, run, durability, backfill).await {
        Err(OpsError::Journal(JournalError::Deadly { tasks, deaths, .. })) => (tasks, deaths),
        resumed => return resumed,
    };
    let service = Actor { name: account(), via: Via::Service };
    let reason = format!("its process has died {deaths} times while it ran");
    let note = Note { by: "the service".to_owned(), reason };
    let failed = Mark { state: TaskState::Failed, value: None };
    let marked =
        mark(&acting_as(journal, &service), run, &TaskFilter::tasks(tasks), &failed, &note, durability).await?;
    match marked.request {
        Some(request) => Ok(request),
        None => resume_for(journal, run, durability, backfill).await,
    }
}
