//! The same change to several runs, named or selected by a filter, with an answer for each.
//!
//! A run that does not allow the change does not hold up the others. With `dry_run`, the answer
//! shows what would happen to each, and a token of all of them: with it in `If-Match`, exactly that
//! is done, or nothing.

use axum::http::StatusCode;
use serde::Serialize;

use super::changes::{self, RunPermit};
use super::document::{changed, digest, document};
use super::runs;
use crate::base::schema::Schema;
use crate::journal::JournalError;
use crate::ops::{self, OpsError};
use crate::server::call::Call;
use crate::server::permit::Mark;
use crate::server::problem::Problem;
use crate::server::routes::Answer;
use crate::store::RunFilter;

/// The most runs of a request.
const MOST: usize = 1_000;

/// What became of several runs.
#[derive(Debug, Default, Serialize, Schema)]
#[schema(name = "BulkOutcomes")]
pub(in crate::server) struct Outcomes {
    /// For `If-Match`, in a preview.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    applied: usize,
    unchanged: usize,
    refused: usize,
    runs: Vec<Item>,
}

/// What became of a run.
#[derive(Debug, Serialize, Schema)]
#[schema(name = "BulkRun")]
struct Item {
    /// As it was named; its id, if a filter selected it.
    run: String,
    outcome: Outcome,
    /// The tasks that were cleared or marked; in a preview of the end, those that would end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tasks: Vec<String>,
    /// Why it was not changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "snake_case")]
#[schema(name = "BulkOutcome")]
enum Outcome {
    /// It was changed; in a preview, it would be.
    Applied,
    /// There was nothing to change.
    Unchanged,
    /// It does not exist, or its state does not allow the change.
    Refused,
}

/// Why a run was not changed.
struct Refusal {
    outcome: Outcome,
    detail: String,
}

impl<E: Into<Problem>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Refusal { outcome: Outcome::Refused, detail: error.into().shown().detail.clone() }
    }
}

/// An error of an operation, where having nothing to do is no refusal.
fn refusal(error: OpsError) -> Refusal {
    let has_nothing_to_do = matches!(
        error,
        OpsError::Ended { .. } | OpsError::NothingFailed { .. } | OpsError::Journal(JournalError::Nothing { .. })
    );
    let refusal = Refusal::from(error);
    if has_nothing_to_do { Refusal { outcome: Outcome::Unchanged, ..refusal } } else { refusal }
}

impl Outcomes {
    fn add(&mut self, run: String, done: Result<Vec<String>, Refusal>) {
        let item = match done {
            Ok(tasks) => Item { run, outcome: Outcome::Applied, tasks, detail: None },
            Err(Refusal { outcome, detail }) => Item { run, outcome, tasks: Vec::new(), detail: Some(detail) },
        };
        match item.outcome {
            Outcome::Applied => self.applied += 1,
            Outcome::Unchanged => self.unchanged += 1,
            Outcome::Refused => self.refused += 1,
        }
        self.runs.push(item);
    }
}

/// The names of the runs of the request, the oldest of a filter first.
async fn chosen(call: &Call) -> Result<Vec<String>, Problem> {
    let filter = runs::filter_of(call)?;
    let is_filtered = filter != RunFilter::default();
    let too_many = |count: &str| {
        Problem::invalid(format!("{count} runs are more than the {MOST} of one request")).next("narrow the filter")
    };
    match call.texts("runs") {
        Some(_) if is_filtered => Err(Problem::invalid("name `runs` or filter them, not both").at("runs")),
        Some(runs) if runs.len() > MOST => Err(too_many(&runs.len().to_string())),
        Some(runs) => Ok(runs),
        None if !is_filtered => {
            let problem = Problem::invalid("a request about several runs names them, or has a filter").at("runs");
            Err(problem.next("give `runs`, or one of `dag`, `state`, `run_type`, `since` and `before`"))
        }
        None => {
            let filter = RunFilter { limit: u32::try_from(MOST).ok(), ..filter };
            let filter = call.state.visible().await?.runs(filter);
            let list = ops::list_runs(&call.state.journal, &filter).await?;
            if list.more {
                return Err(too_many("these"));
            }
            Ok(list.runs.into_iter().rev().map(|run| run.info.run_id).collect())
        }
    }
}

/// A change to several runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Cancel,
    Clear,
    Mark,
}

/// What a change would do to a run.
struct Preview {
    run_id: String,
    token: String,
    tasks: Vec<String>,
}

pub(in crate::server) async fn cancel(call: Call) -> Answer {
    Change::Cancel.answer(&call).await
}

pub(in crate::server) async fn mark(call: Call) -> Answer {
    Change::Mark.answer(&call).await
}

pub(in crate::server) async fn clear(call: Call) -> Answer {
    Change::Clear.answer(&call).await
}

impl Change {
    async fn answer(self, call: &Call) -> Answer {
        let runs = chosen(call).await?;
        let (is_dry_run, known) = (call.switch("dry_run"), call.token());
        if !is_dry_run && known.is_none() {
            let mut outcomes = Outcomes::default();
            for run in runs {
                let done = self.apply(call, &run, None).await;
                outcomes.add(run, done);
            }
            return changed(self.status(), &outcomes);
        }
        let mut previews = Vec::with_capacity(runs.len());
        for run in &runs {
            previews.push(self.preview(call, run).await);
        }
        let token = token(&previews);
        let previews = runs.into_iter().zip(previews);
        if is_dry_run {
            let mut outcomes = Outcomes { token: Some(token), ..Outcomes::default() };
            previews.for_each(|(run, preview)| outcomes.add(run, preview.map(|preview| preview.tasks)));
            return document(call, &outcomes);
        }
        if known.is_some_and(|known| known != token) {
            let problem = Problem::new(StatusCode::PRECONDITION_FAILED, "the runs have changed since the preview");
            return Err(problem.next("preview it again"));
        }
        // What was shown is what there is. A run that changes in this moment is refused.
        let mut outcomes = Outcomes::default();
        for (run, preview) in previews {
            let done = match preview {
                Ok(preview) => self.apply(call, &preview.run_id, Some(&preview.token)).await,
                Err(refusal) => Err(refusal),
            };
            outcomes.add(run, done);
        }
        changed(self.status(), &outcomes)
    }

    /// The service runs what was cleared.
    fn status(self) -> StatusCode {
        if self == Change::Clear { StatusCode::ACCEPTED } else { StatusCode::OK }
    }

    async fn permit(self, call: &Call, run: &str) -> Result<RunPermit, Problem> {
        if self == Change::Mark {
            call.run_named::<Mark>(run).await?;
        }
        call.run_named(run).await
    }

    async fn preview(self, call: &Call, run: &str) -> Result<Preview, Refusal> {
        let (journal, filter) = (&call.state.journal, changes::tasks_of(call));
        let permit = self.permit(call, run).await?;
        let (run_id, token, tasks) = match self {
            Change::Cancel => {
                let config = Some(call.state.home.config());
                let preview = ops::preview_cancel(journal, permit.run_id(), config).await.map_err(refusal)?;
                (preview.run_id, preview.token, preview.tasks)
            }
            Change::Clear => {
                let preview = ops::preview_clear(journal, permit.run_id(), &filter).await.map_err(refusal)?;
                (preview.run_id, preview.token, preview.tasks)
            }
            Change::Mark => {
                let mark = changes::mark_of(call);
                let preview = ops::preview_mark(journal, permit.run_id(), &filter, &mark).await.map_err(refusal)?;
                (preview.run_id, preview.token, preview.tasks)
            }
        };
        Ok(Preview { run_id, token, tasks })
    }

    /// Changes a run; with the token of a preview, as that has shown. Returns the tasks that were
    /// cleared or marked.
    async fn apply(self, call: &Call, run: &str, token: Option<&str>) -> Result<Vec<String>, Refusal> {
        let (service, durability) = (&call.service, call.state.durability());
        let (filter, note) = (changes::tasks_of(call), call.note());
        let permit = self.permit(call, run).await?;
        let run_id = permit.run_id();
        match self {
            Change::Cancel => {
                let config = Some(call.state.home.config());
                let cancelled = match token {
                    Some(token) => ops::cancel_previewed(service, run_id, token, &note, config).await,
                    None => ops::cancel(service, run_id, &note, config).await,
                };
                cancelled.map_err(refusal)?;
                Ok(Vec::new())
            }
            Change::Clear => {
                let rerun = match token {
                    Some(token) => ops::clear_previewed(service, run_id, &filter, token, &note, durability).await,
                    None => ops::clear_and_run(service, run_id, &filter, &note, durability).await,
                };
                let rerun = rerun.map_err(refusal)?;
                changes::hand_over(call, &permit, rerun.request)?;
                Ok(rerun.cleared.tasks)
            }
            Change::Mark => {
                let mark = changes::mark_of(call);
                let marked = match token {
                    Some(token) => ops::mark_previewed(service, run_id, &filter, &mark, token, &note, durability).await,
                    None => ops::mark(service, run_id, &filter, &mark, &note, durability).await,
                };
                let mut marked = marked.map_err(refusal)?;
                if let Some(request) = marked.request.take() {
                    changes::hand_over(call, &permit, request)?;
                }
                Ok(marked.tasks)
            }
        }
    }
}

/// A checksum of the previews.
fn token(previews: &[Result<Preview, Refusal>]) -> String {
    let mut all = Vec::new();
    for preview in previews {
        match preview {
            Ok(Preview { run_id, token, .. }) => all.extend_from_slice(format!("{run_id} {token}\n").as_bytes()),
            Err(_) => all.extend_from_slice(b"-\n"),
        }
    }
    digest(&all, 8)
}
