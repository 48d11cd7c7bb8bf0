//! Running the failed tasks of a run again.

use super::audit::{Action, Trail};
use super::clear::{Cleared, Rerun, clear_adopted};
use super::error::OpsError;
use super::preview::{token, with_states};
use super::resume::resume_adopted;
use crate::journal::{Journal, JournalError, Note, RunHistory, TaskFilter, word_of, would_clear};
use crate::run::Durability;

/// What the token of a preview says of the tasks.
const RETRY: &str = "retry";

/// Reports which tasks [`retry`] would clear, with a token for [`retry_previewed`]. Changes
/// nothing, and works for a running run too.
///
/// # Errors
///
/// With [`OpsError::NothingFailed`] when no task has failed, and when there is no such run.
pub async fn preview_retry(journal: &Journal, run: &str) -> Result<Cleared, OpsError> {
    let history = journal.history(run).await?;
    let tasks = would_retry(&history)?;
    if tasks.is_empty() {
        return Err(OpsError::NothingFailed { number: history.number, state: history.state });
    }
    let (number, token) = (history.number, Some(token(&history, RETRY, &tasks)));
    Ok(Cleared { number, run_id: history.info.run_id, tasks, dry_run: true, token })
}

/// Clears exactly the tasks that a preview has shown, and returns the request that runs them: as
/// [`retry`].
///
/// # Errors
///
/// With [`OpsError::RetryChanged`] when other tasks have failed, or one of those to clear has
/// changed since the preview; otherwise as [`retry`].
pub async fn retry_previewed(
    journal: &Journal,
    run: &str,
    token: &str,
    note: &Note,
    durability: Durability,
) -> Result<Rerun, OpsError> {
    let trail = Trail::of_run(journal, Action::Retry, run, &note.reason).await.with_token(Some(token));
    let rerun = retry_run(trail.journal(), run, Some(token), note, durability).await;
    trail.end(rerun).await
}

/// Clears the failed tasks of a run and everything downstream of them, and returns the request that
/// runs them.
///
/// # Errors
///
/// With [`OpsError::NothingFailed`] when no task has failed, otherwise as
/// [`clear_and_run`](super::clear_and_run).
pub async fn retry(journal: &Journal, run: &str, note: &Note, durability: Durability) -> Result<Rerun, OpsError> {
    let trail = Trail::of_run(journal, Action::Retry, run, &note.reason).await;
    let rerun = retry_run(trail.journal(), run, None, note, durability).await;
    trail.end(rerun).await
}

async fn retry_run(
    journal: &Journal,
    run: &str,
    token: Option<&str>,
    note: &Note,
    durability: Durability,
) -> Result<Rerun, OpsError> {
    let found = journal.find(run).await?;
    let mut adopted = journal.adopt_to_resume(&word_of(found.number)).await?;
    let (history, tasks) = (adopted.history(), would_retry(adopted.history())?);
    if token.is_some_and(|token| self::token(history, RETRY, &tasks) != token) {
        return Err(OpsError::RetryChanged { number: found.number, now: with_states(history, &tasks) });
    }
    if tasks.is_empty() {
        return Err(OpsError::NothingFailed { number: found.number, state: found.state });
    }
    let cleared = clear_adopted(&mut adopted, &failed(), note).await?;
    Ok(Rerun { cleared, request: resume_adopted(adopted, durability).await? })
}

fn failed() -> TaskFilter {
    TaskFilter::all().failed().downstream()
}

/// The failed tasks and everything downstream of them; none if no task has failed.
fn would_retry(history: &RunHistory) -> Result<Vec<String>, OpsError> {
    match would_clear(history, &failed()) {
        Err(JournalError::Nothing { .. }) => Ok(Vec::new()),
        tasks => Ok(tasks?),
    }
}
