//! A change to several runs, for the API and for the forms of the pages.
//!
//! 1. Each run is permitted and previewed alone: a run that does not allow the change does not hold
//!    up the others.
//! 2. A token stands for all previews, those of refused runs among them. Whoever has seen other
//!    previews has another token.
//! 3. Each run is changed as its preview has shown. A run that has changed since is refused.

use axum::http::StatusCode;

use super::ServerState;
use super::api::digest;
use super::auth::Visitor;
use super::keys::RunKey;
use super::permit::{Mark, Operate, Permit};
use super::problem::Problem;
use crate::engine::RunRequest;
use crate::journal::{Journal, JournalError, Note, RunSummary, TaskFilter};
use crate::ops::{self, OpsError};
use crate::run::RunState;

/// The permit for changing a run.
pub(super) type RunPermit = Permit<Operate, RunSummary>;

/// What is done with each run.
#[derive(Clone, Debug)]
pub(super) enum RunChange {
    Cancel,
    /// Clears the failed tasks and what follows them.
    Retry,
    Clear(TaskFilter),
    Mark(TaskFilter, ops::Mark),
}

/// What a change would do to a run.
pub(super) struct Planned {
    pub(super) permit: RunPermit,
    /// The tasks that would be cleared, marked or ended.
    pub(super) tasks: Vec<String>,
    token: String,
}

/// Why a run is not changed.
pub(super) struct Refusal {
    pub(super) detail: String,
    /// Whether there is nothing to do, because the run is as the change would make it.
    pub(super) is_unchanged: bool,
}

impl<E: Into<Problem>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Refusal { detail: error.into().shown().detail.clone(), is_unchanged: false }
    }
}

/// An error of an operation, where having nothing to do is no refusal.
fn refusal(error: OpsError) -> Refusal {
    let is_unchanged = matches!(
        error,
        OpsError::Ended { .. } | OpsError::NothingFailed { .. } | OpsError::Journal(JournalError::Nothing { .. })
    );
    Refusal { is_unchanged, ..Refusal::from(error) }
}

impl RunChange {
    async fn permit(&self, visitor: &Visitor, run: &str) -> Result<RunPermit, Problem> {
        let key = RunKey::parse(run.to_owned())?;
        if matches!(self, RunChange::Mark(..)) {
            Permit::<Mark, _>::of_run(visitor, &key).await?;
        }
        Permit::of_run(visitor, &key).await
    }

    /// What would happen to a run.
    pub(super) async fn preview(&self, visitor: &Visitor, run: &str) -> Result<Planned, Refusal> {
        let permit = self.permit(visitor, run).await?;
        let is_live = permit.run().state == RunState::Running && permit.run().is_owned;
        if is_live && matches!(self, RunChange::Retry | RunChange::Clear(_)) {
            let number = permit.run().number;
            let detail = format!("run {number} is running; wait for its end, or cancel it first");
            return Err(Problem::invalid(detail).into());
        }
        let (journal, run) = (&visitor.journal, permit.word());
        let (token, tasks) = match self {
            RunChange::Cancel => {
                let preview = ops::preview_cancel(journal, &run, Some(visitor.home.config())).await.map_err(refusal)?;
                (preview.token, preview.tasks)
            }
            RunChange::Retry => {
                let preview = ops::preview_retry(journal, &run).await.map_err(refusal)?;
                (preview.token.unwrap_or_default(), preview.tasks)
            }
            RunChange::Clear(filter) => {
                let preview = ops::preview_clear(journal, &run, filter).await.map_err(refusal)?;
                (preview.token, preview.tasks)
            }
            RunChange::Mark(filter, mark) => {
                let preview = ops::preview_mark(journal, &run, filter, mark).await.map_err(refusal)?;
                (preview.token, preview.tasks)
            }
        };
        Ok(Planned { permit, tasks, token })
    }

    /// Changes a run as its preview has shown. Returns the tasks that were cleared or marked.
    pub(super) async fn apply_planned(
        &self,
        visitor: &Visitor,
        service: &Journal,
        planned: &Planned,
        note: &Note,
    ) -> Result<Vec<String>, Refusal> {
        self.change(visitor, service, &planned.permit, Some(&planned.token), note).await
    }

    /// Changes a run, whatever it is like now. Returns the tasks that were cleared or marked.
    pub(super) async fn apply(
        &self,
        visitor: &Visitor,
        service: &Journal,
        run: &str,
        note: &Note,
    ) -> Result<Vec<String>, Refusal> {
        let permit = self.permit(visitor, run).await?;
        self.change(visitor, service, &permit, None, note).await
    }

    async fn change(
        &self,
        visitor: &Visitor,
        service: &Journal,
        permit: &RunPermit,
        token: Option<&str>,
        note: &Note,
    ) -> Result<Vec<String>, Refusal> {
        let (run, durability) = (permit.word(), visitor.durability());
        let rerun = match (self, token) {
            (RunChange::Cancel, token) => {
                let config = Some(visitor.home.config());
                match token {
                    Some(token) => ops::cancel_previewed(service, &run, token, note, config).await,
                    None => ops::cancel(service, &run, note, config).await,
                }
                .map_err(refusal)?;
                return Ok(Vec::new());
            }
            (RunChange::Mark(filter, mark), token) => {
                let marked = match token {
                    Some(token) => ops::mark_previewed(service, &run, filter, mark, token, note, durability).await,
                    None => ops::mark(service, &run, filter, mark, note, durability).await,
                };
                let mut marked = marked.map_err(refusal)?;
                if let Some(request) = marked.request.take() {
                    visitor.hand_over(permit.run(), request)?;
                }
                return Ok(marked.tasks);
            }
            (RunChange::Retry, Some(token)) => ops::retry_previewed(service, &run, token, note, durability).await,
            (RunChange::Retry, None) => ops::retry(service, &run, note, durability).await,
            (RunChange::Clear(filter), Some(token)) => {
                ops::clear_previewed(service, &run, filter, token, note, durability).await
            }
            (RunChange::Clear(filter), None) => ops::clear_and_run(service, &run, filter, note, durability).await,
        };
        let rerun = rerun.map_err(refusal)?;
        visitor.hand_over(permit.run(), rerun.request)?;
        Ok(rerun.cleared.tasks)
    }
}

impl ServerState {
    /// Hands a run that is to go on to the service.
    pub(super) fn hand_over(&self, run: &RunSummary, request: RunRequest<()>) -> Result<(), Problem> {
        if self.handle.run(run.clone(), request) {
            return Ok(());
        }
        let detail = "the service has ended; the next one runs the tasks";
        Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail))
    }
}

/// A checksum of what several runs were previewed with.
pub(super) fn token(previews: &[Result<Planned, Refusal>]) -> String {
    let line = |preview: &Result<Planned, Refusal>| match preview {
        Ok(Planned { permit, token, .. }) => format!("{} {token}\n", permit.run_id()),
        Err(_) => "-\n".to_owned(),
    };
    digest(previews.iter().map(line).collect::<String>().as_bytes(), 8)
}
