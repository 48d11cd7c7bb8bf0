//! The same change to several runs, named or selected by a filter, with an answer for each.
//!
//! A run that does not allow the change does not hold up the others. With `dry_run`, clearing
//! shows what would happen to each, and a token of all of them: with it in `If-Match`, exactly that
//! is cleared, or nothing.

use axum::http::StatusCode;
use serde::Serialize;

use super::changes::{self, RunPermit};
use super::document::{changed, digest, document};
use super::runs;
use crate::base::schema::Schema;
use crate::journal::JournalError;
use crate::ops::{self, ClearPreview, OpsError};
use crate::server::call::Call;
use crate::server::permit::{Mark, Operate};
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
    /// The tasks that were cleared or marked.
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

pub(in crate::server) async fn cancel(call: Call) -> Answer {
    let (note, config) = (call.note(), Some(call.state.home.config()));
    let mut outcomes = Outcomes::default();
    for run in chosen(&call).await? {
        let done = async {
            let permit = call.run_named::<Operate>(&run).await?;
            ops::cancel(&call.service, permit.run_id(), &note, config).await.map_err(refusal)?;
            Ok(Vec::new())
        };
        let done = done.await;
        outcomes.add(run, done);
    }
    changed(StatusCode::OK, &outcomes)
}

pub(in crate::server) async fn mark(call: Call) -> Answer {
    let (mark, filter, note) = (changes::mark_of(&call), changes::tasks_of(&call), call.note());
    let mut outcomes = Outcomes::default();
    for run in chosen(&call).await? {
        let done = async {
            call.run_named::<Mark>(&run).await?;
            let permit: RunPermit = call.run_named(&run).await?;
            let (service, durability) = (&call.service, call.state.durability());
            let marked = ops::mark(service, permit.run_id(), &filter, &mark, &note, durability).await;
            let mut marked = marked.map_err(refusal)?;
            if let Some(request) = marked.request.take() {
                changes::hand_over(&call, &permit, request)?;
            }
            Ok(marked.tasks)
        };
        let done = done.await;
        outcomes.add(run, done);
    }
    changed(StatusCode::OK, &outcomes)
}

pub(in crate::server) async fn clear(call: Call) -> Answer {
    let runs = chosen(&call).await?;
    if call.switch("dry_run") || call.token().is_some() {
        let mut previews = Vec::with_capacity(runs.len());
        for run in &runs {
            previews.push(preview(&call, run).await);
        }
        let token = token(&previews);
        match call.token() {
            // What was shown is what there is.
            Some(known) if known == token && !call.switch("dry_run") => return apply(&call, runs, previews).await,
            Some(_) if !call.switch("dry_run") => {
                let problem = Problem::new(StatusCode::PRECONDITION_FAILED, "the runs have changed since the preview");
                return Err(problem.next("preview it again"));
            }
            _ => {}
        }
        let mut outcomes = Outcomes { token: Some(token), ..Outcomes::default() };
        for (run, preview) in runs.into_iter().zip(previews) {
            outcomes.add(run, preview.map(|preview| preview.tasks));
        }
        return document(&call, &outcomes);
    }
    let (filter, note) = (changes::tasks_of(&call), call.note());
    let mut outcomes = Outcomes::default();
    for run in runs {
        let done = async {
            let permit: RunPermit = call.run_named(&run).await?;
            let (service, durability) = (&call.service, call.state.durability());
            let rerun = ops::clear_and_run(service, permit.run_id(), &filter, &note, durability).await;
            let rerun = rerun.map_err(refusal)?;
            changes::hand_over(&call, &permit, rerun.request)?;
            Ok(rerun.cleared.tasks)
        };
        let done = done.await;
        outcomes.add(run, done);
    }
    changed(StatusCode::ACCEPTED, &outcomes)
}

async fn preview(call: &Call, run: &str) -> Result<ClearPreview, Refusal> {
    let permit: RunPermit = call.run_named(run).await?;
    ops::preview_clear(&call.state.journal, permit.run_id(), &changes::tasks_of(call)).await.map_err(refusal)
}

/// Clears what the previews show. A run that changes in this moment is refused.
async fn apply(call: &Call, runs: Vec<String>, previews: Vec<Result<ClearPreview, Refusal>>) -> Answer {
    let (filter, note) = (changes::tasks_of(call), call.note());
    let mut outcomes = Outcomes::default();
    for (run, preview) in runs.into_iter().zip(previews) {
        let done = async {
            let preview = preview?;
            let permit: RunPermit = call.run_named(&run).await?;
            let (service, durability) = (&call.service, call.state.durability());
            let rerun = ops::clear_previewed(service, &preview.run_id, &filter, &preview.token, &note, durability);
            let rerun = rerun.await.map_err(refusal)?;
            changes::hand_over(call, &permit, rerun.request)?;
            Ok(rerun.cleared.tasks)
        };
        let done = done.await;
        outcomes.add(run, done);
    }
    changed(StatusCode::ACCEPTED, &outcomes)
}

/// A checksum of the previews.
fn token(previews: &[Result<ClearPreview, Refusal>]) -> String {
    let mut all = Vec::new();
    for preview in previews {
        match preview {
            Ok(preview) => all.extend_from_slice(format!("{} {}\n", preview.number, preview.token).as_bytes()),
            Err(_) => all.extend_from_slice(b"-\n"),
        }
    }
    digest(&all, 8)
}
