//! The same change to several runs, named or selected by a filter, with an answer for each.
//!
//! A run that does not allow the change does not hold up the others. With `dry_run`, the answer
//! shows what would happen to each, and a token of all of them: with it in `If-Match`, exactly that
//! is done, or nothing.

use axum::http::StatusCode;
use serde::Serialize;

use super::document::{changed, document};
use super::{changes, runs};
use crate::base::schema::Schema;
use crate::journal::{RunSummary, unusable_id};
use crate::ops;
use crate::server::call::Call;
use crate::server::keys::RunKey;
use crate::server::problem::Problem;
use crate::server::routes::Answer;
use crate::server::run_changes::{Refusal, RunChange, token};
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

impl Outcomes {
    fn add(&mut self, run: String, done: Result<Vec<String>, Refusal>) {
        let item = match done {
            Ok(tasks) => Item { run, outcome: Outcome::Applied, tasks, detail: None },
            Err(Refusal { is_unchanged, detail }) => {
                let outcome = if is_unchanged { Outcome::Unchanged } else { Outcome::Refused };
                Item { run, outcome, tasks: Vec::new(), detail: Some(detail) }
            }
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
            Ok(list.runs.into_iter().rev().map(name_of).collect())
        }
    }
}

/// How a run that a filter has selected is named: by its id, unless that names another run, as the
/// ids of old runs can, or cannot stand in an address.
fn name_of(run: RunSummary) -> String {
    let id = &run.info.run_id;
    match unusable_id(id).is_some() || RunKey::parse(id.clone()).is_err() {
        true => run.number.to_string(),
        false => run.info.run_id,
    }
}

pub(in crate::server) async fn cancel(call: Call) -> Answer {
    answer(&call, &RunChange::Cancel, StatusCode::OK).await
}

pub(in crate::server) async fn mark(call: Call) -> Answer {
    answer(&call, &RunChange::Mark(changes::tasks_of(&call), changes::mark_of(&call)), StatusCode::OK).await
}

/// The service runs what was cleared.
pub(in crate::server) async fn clear(call: Call) -> Answer {
    answer(&call, &RunChange::Clear(changes::tasks_of(&call)), StatusCode::ACCEPTED).await
}

async fn answer(call: &Call, change: &RunChange, status: StatusCode) -> Answer {
    let (runs, note) = (chosen(call).await?, call.note());
    let (is_dry_run, known) = (call.switch("dry_run"), call.token());
    if !is_dry_run && known.is_none() {
        let mut outcomes = Outcomes::default();
        for run in runs {
            let done = change.apply(&call.state, &call.service, &run, &note).await;
            outcomes.add(run, done);
        }
        return changed(status, &outcomes);
    }
    let mut previews = Vec::with_capacity(runs.len());
    for run in &runs {
        previews.push(change.preview(&call.state, run).await);
    }
    let token = token(&previews);
    let previews = runs.into_iter().zip(previews);
    if is_dry_run {
        let mut outcomes = Outcomes { token: Some(token), ..Outcomes::default() };
        previews.for_each(|(run, preview)| outcomes.add(run, preview.map(|planned| planned.tasks)));
        return document(call, &outcomes);
    }
    if known.is_some_and(|known| known != token) {
        let problem = Problem::new(StatusCode::PRECONDITION_FAILED, "the runs have changed since the preview");
        return Err(problem.next("preview it again"));
    }
    let mut outcomes = Outcomes::default();
    for (run, preview) in previews {
        let done = match preview {
            Ok(planned) => change.apply_planned(&call.state, &call.service, &planned, &note).await,
            Err(refusal) => Err(refusal),
        };
        outcomes.add(run, done);
    }
    changed(status, &outcomes)
}
