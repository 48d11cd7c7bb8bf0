//! What changes runs and DAGs. The service is woken after each change; runs that continue are
//! handed to it.

use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;

use super::document::{changed, digest, document};
use super::params::values;
use crate::base::Interval;
use crate::base::schema::Schema;
use crate::dag::DagDef;
use crate::journal::{JournalError, TaskFilter, unusable_id};
use crate::ops::{self, CancelPreview, CancelledRun, MarkPreview, NewAssetEvent, OpsError, RunSummaryDocument};
use crate::run::{RunInfo, TaskState};
use crate::schedule::{Catchup, Unpause};
use crate::server::auth::AssetRights;
use crate::server::call::Call;
use crate::server::permit::{Mark, Operate};
use crate::server::problem::Problem;
use crate::server::routes::Answer;
use crate::server::run_changes::RunPermit;

pub(in crate::server) async fn pause(call: Call) -> Answer {
    let dag = call.dag::<Operate>()?.dag();
    let paused = ops::pause(&call.service, dag, &call.note(), call.time("until")).await?;
    changed(StatusCode::OK, &paused)
}

pub(in crate::server) async fn unpause(call: Call) -> Answer {
    let dag = call.dag::<Operate>()?.dag();
    // The table of routes has checked the names.
    let catchup = call.text("catchup").and_then(|name| name.parse().ok()).unwrap_or(Catchup::None);
    let events = call.text("events").and_then(|name| name.parse().ok()).unwrap_or(Unpause::All);
    changed(StatusCode::OK, &ops::unpause(&call.service, dag, &call.note(), catchup, events).await?)
}

/// Queues a run. With an `Idempotency-Key`, the id of the run follows from the key: a repeated
/// request finds the run that the first one has made, also after a restart.
pub(in crate::server) async fn trigger(call: Call) -> Answer {
    let dag = call.dag::<Operate>()?.dag();
    let key = match call.headers.get("idempotency-key") {
        Some(_) if call.text("run_id").is_some() => {
            return Err(Problem::invalid("a request has an Idempotency-Key or a `run_id`, not both").at("run_id"));
        }
        Some(key) => Some(IdempotencyKey::new(&call, dag, key)?),
        None => None,
    };
    // Requests with keys follow one another: two with the same key and different bodies would find
    // no run, and make one each.
    let _turn = match &key {
        Some(_) => Some(call.state.keys.lock().await),
        None => None,
    };
    if let Some(key) = &key
        && let Some(replayed) = key.replay(&call).await?
    {
        return Ok(replayed);
    }
    let date = call.time("logical_date");
    let mut draft = match (call.time("interval_start"), call.time("interval_end")) {
        (Some(start), Some(end)) => ops::draft_of_interval(dag, Interval { start, end }, date)?,
        (None, None) => ops::draft(dag, date)?,
        _ => return Err(Problem::invalid("an interval has a start and an end").at("interval_start")),
    };
    let id = key.as_ref().map(IdempotencyKey::run_id).or(call.text("run_id").map(str::to_owned));
    if let Some(id) = id {
        // The same ids that an address can name.
        crate::server::keys::RunKey::parse(id.clone()).map_err(|problem| problem.at("run_id"))?;
        // The id of a key is made here.
        if key.is_none()
            && let Some(reserved) = RunInfo::reserved_part(&id)
        {
            let detail = format!("run ids with `{reserved}` are reserved for those that taskflow makes");
            return Err(Problem::invalid(detail).at("run_id").next("choose another id"));
        }
        if let Some(reason) = unusable_id(&id) {
            return Err(Problem::invalid(reason).at("run_id").next("choose another id"));
        }
        draft = draft.run_id(id);
    }
    let params = values(&call, draft.plan().params(), draft.info()).await?;
    match (ops::trigger(draft.params(params), &call.service).await, &key) {
        (Ok(run), _) => changed(StatusCode::CREATED, &RunSummaryDocument::of(&run)),
        // Another request with the key was faster.
        (Err(OpsError::Journal(JournalError::Nothing { .. })), Some(key)) => {
            let replayed = key.replay(&call).await?;
            replayed.ok_or_else(|| Problem::new(StatusCode::CONFLICT, "the run of this key was just deleted"))
        }
        (Err(error), _) => Err(error.into()),
    }
}

/// The key of a request to start a run, with a checksum of what it asks for.
struct IdempotencyKey {
    dag: &'static str,
    key: String,
    request: String,
}

impl IdempotencyKey {
    fn new(call: &Call, dag: &'static DagDef, key: &HeaderValue) -> Result<Self, Problem> {
        let is_valid = |key: &&str| (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        let key = key.to_str().ok().filter(is_valid).ok_or_else(|| {
            Problem::bad_request("an Idempotency-Key has 1 to 255 visible ASCII characters").at("Idempotency-Key")
        })?;
        let request = serde_json::to_vec(call.args()).unwrap_or_default();
        Ok(IdempotencyKey { dag: dag.id, key: digest(key.as_bytes(), 12), request: digest(&request, 6) })
    }

    /// What the ids of all runs with this key begin with.
    fn prefix(&self) -> String {
        format!("manual__{}__key_{}_", self.dag, self.key)
    }

    fn run_id(&self) -> String {
        self.prefix() + &self.request
    }

    /// The run that an earlier request with the key has made.
    async fn replay(&self, call: &Call) -> Result<Option<Response>, Problem> {
        let run = match call.service.find(&self.prefix()).await {
            Ok(run) => run,
            Err(JournalError::UnknownRun { .. }) => return Ok(None),
            Err(JournalError::AmbiguousRun { .. }) => return Err(Self::reused()),
            Err(error) => return Err(error.into()),
        };
        if run.info.run_id != self.run_id() || run.info.dag_id != self.dag {
            return Err(Self::reused());
        }
        let mut response = changed(StatusCode::OK, &RunSummaryDocument::of(&run))?;
        response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
        Ok(Some(response))
    }

    fn reused() -> Problem {
        let problem = Problem::invalid("another request with this Idempotency-Key asked for something else");
        problem.at("Idempotency-Key").next("use a new key for a new run")
    }
}

/// A run that was cancelled, or that would be.
///
/// The preview is a kind of the same document: a client that knows no previews reads the document
/// as before.
#[derive(Serialize, Schema)]
#[serde(untagged)]
#[schema(name = "CancelledRun")]
pub(in crate::server) enum Cancelled {
    Now(CancelledRun),
    Preview(CancelPreview),
}

/// The tasks of a run that were marked, or that would be. The preview is a kind of the same
/// document.
#[derive(Serialize, Schema)]
#[serde(untagged)]
#[schema(name = "Marked")]
#[allow(clippy::large_enum_variant, reason = "there is one for an answer")]
pub(in crate::server) enum Marked {
    Now(ops::Marked),
    Preview(MarkPreview),
}

/// With `dry_run`, the preview. With the token of a preview in `If-Match`, exactly that.
pub(in crate::server) async fn cancel(call: Call) -> Answer {
    let permit = call.run::<Operate>().await?;
    let (run, note, config) = (permit.word(), call.note(), Some(call.state.home.config()));
    if call.switch("dry_run") {
        let preview = ops::preview_cancel(&call.state.journal, &run, config).await?;
        return document(&call, &Cancelled::Preview(preview));
    }
    let cancelled = match call.token() {
        Some(token) => ops::cancel_previewed(&call.service, &run, token, &note, config).await?,
        None => ops::cancel(&call.service, &run, &note, config).await?,
    };
    changed(StatusCode::OK, &Cancelled::Now(cancelled))
}

pub(in crate::server) async fn resume(call: Call) -> Answer {
    let permit: RunPermit = call.run().await?;
    let request = ops::resume(&call.service, &permit.word(), call.state.durability()).await?;
    call.state.hand_over(permit.run(), request)?;
    changed(StatusCode::ACCEPTED, &RunSummaryDocument::of(permit.run()))
}

/// With `dry_run`, the preview. With the token of a preview in `If-Match`, exactly that.
pub(in crate::server) async fn retry(call: Call) -> Answer {
    let permit: RunPermit = call.run().await?;
    let (service, run, note) = (&call.service, permit.word(), call.note());
    if call.switch("dry_run") {
        return document(&call, &ops::preview_retry(&call.state.journal, &run).await?);
    }
    let durability = call.state.durability();
    let rerun = match call.token() {
        Some(token) => ops::retry_previewed(service, &run, token, &note, durability).await?,
        None => ops::retry(service, &run, &note, durability).await?,
    };
    call.state.hand_over(permit.run(), rerun.request)?;
    changed(StatusCode::ACCEPTED, &rerun.cleared)
}

/// With `dry_run`, the preview. With the token of a preview in `If-Match`, exactly that.
pub(in crate::server) async fn clear(call: Call) -> Answer {
    let permit: RunPermit = call.run().await?;
    let (run, filter, note) = (permit.word(), tasks_of(&call), call.note());
    if call.switch("dry_run") {
        return document(&call, &ops::preview_clear(&call.state.journal, &run, &filter).await?);
    }
    let (service, durability) = (&call.service, call.state.durability());
    if call.value("run") == Some(&false.into()) {
        if call.token().is_some() {
            return Err(Problem::invalid("`run: false` cannot be combined with the token of a preview").at("run"));
        }
        return changed(StatusCode::OK, &ops::clear(service, &run, &filter, &note).await?);
    }
    let rerun = match call.token() {
        Some(token) => ops::clear_previewed(service, &run, &filter, token, &note, durability).await?,
        None => ops::clear_and_run(service, &run, &filter, &note, durability).await?,
    };
    call.state.hand_over(permit.run(), rerun.request)?;
    changed(StatusCode::ACCEPTED, &rerun.cleared)
}

/// The tasks that a request selects.
pub(super) fn tasks_of(call: &Call) -> TaskFilter {
    let mut filter = call.texts("tasks").map_or_else(TaskFilter::all, TaskFilter::tasks);
    if call.switch("failed") {
        filter = filter.failed();
    }
    if call.switch("upstream") {
        filter = filter.upstream();
    }
    if call.switch("downstream") {
        filter = filter.downstream();
    }
    filter
}

/// With `dry_run`, the preview. With the token of a preview in `If-Match`, exactly that.
pub(in crate::server) async fn mark(call: Call) -> Answer {
    let run = call.run::<Mark>().await?.word();
    let (filter, mark, note) = (tasks_of(&call), mark_of(&call), call.note());
    if call.switch("dry_run") {
        let preview = ops::preview_mark(&call.state.journal, &run, &filter, &mark).await?;
        return document(&call, &Marked::Preview(preview));
    }
    let (service, durability) = (&call.service, call.state.durability());
    let mut marked = match call.token() {
        Some(token) => ops::mark_previewed(service, &run, &filter, &mark, token, &note, durability).await?,
        None => ops::mark(service, &run, &filter, &mark, &note, durability).await?,
    };
    if let Some(request) = marked.request.take() {
        // Nothing is left to run: the service ends the run.
        let permit: RunPermit = call.run().await?;
        call.state.hand_over(permit.run(), request)?;
    }
    changed(StatusCode::OK, &Marked::Now(marked))
}

/// The state that a request sets.
pub(super) fn mark_of(call: &Call) -> ops::Mark {
    let state = match call.text("as").or(call.text("state")) {
        Some("success") => TaskState::Success,
        Some("failed") => TaskState::Failed,
        _ => TaskState::Skipped,
    };
    ops::Mark { state, value: call.value("value").cloned() }
}

pub(in crate::server) async fn reset_schedule(call: Call) -> Answer {
    let dag = call.dag::<Operate>()?.dag();
    changed(StatusCode::OK, &ops::reset_schedule(&call.service, dag, &call.note()).await?)
}

pub(in crate::server) async fn release(call: Call) -> Answer {
    let permit = call.run::<Operate>().await?;
    let key = call.text("key").unwrap_or_default();
    let value = call.value("value").cloned().unwrap_or_default();
    let sent = ops::send_event(&call.service, &permit.word(), key, &value, &call.note()).await?;
    changed(StatusCode::OK, &sent)
}

pub(in crate::server) async fn emit(call: Call) -> Answer {
    let mut event = NewAssetEvent::new(call.value("payload").cloned().unwrap_or_default());
    event.partition = call.text("partition").map(str::to_owned);
    event.key = match (call.text("key"), call.header("idempotency-key")) {
        (Some(key), Some(header)) if key != header => {
            return Err(Problem::invalid("`key` is not the Idempotency-Key; give one of the two").at("key"));
        }
        (key, header) => key.or(header).map(str::to_owned),
    };
    let asset = call.text("asset").unwrap_or_default();
    AssetRights::of(&call.state).check_emit(asset)?;
    let emitted = ops::emit(&call.service, asset, event, &call.note()).await?;
    if emitted.is_new {
        return changed(StatusCode::CREATED, &emitted);
    }
    let mut response = changed(StatusCode::OK, &emitted)?;
    response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    Ok(response)
}
