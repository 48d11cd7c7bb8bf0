//! Runs and their tasks.

use axum::http::{HeaderName, HeaderValue, header};

use super::document::document;
use super::paging::{Page, linked, no_place};
use crate::ops::{self, RunCount, RunList, RunStatus, RunSummaryDocument, TaskStatus};
use crate::run::{RunState, RunType};
use crate::server::call::Call;
use crate::server::permit::{View, ViewValues};
use crate::server::problem::Problem;
use crate::server::routes::Answer;
use crate::server::streams;
use crate::store::{RunCursor, RunFilter, RunOrder};

/// How many runs a list has.
const TOTAL_COUNT: HeaderName = HeaderName::from_static("total-count");
/// Whether it may have more than that.
const TOTAL_COUNT_MORE: HeaderName = HeaderName::from_static("total-count-more");

/// A page of runs. The header `Link` leads to the next page.
pub(in crate::server) async fn list(call: Call) -> Answer {
    let after = match call.text("after") {
        Some(text) => Some(RunCursor::decode(text).ok_or_else(no_place)?),
        None => None,
    };
    let filter = RunFilter { after, limit: Some(call.limit()), ..listed(&call)? };
    let filter = call.state.runs(filter).await?;
    // Many runs are looked at for these.
    let _turn = match filter.is_unindexed() {
        true => Some(call.state.turn(call.state.principal()).await?),
        false => None,
    };
    let list = ops::list_runs(&call.state.journal, &filter).await?;
    let count = match call.switch("count") {
        true => count(&call, &filter, &list).await?,
        false => None,
    };
    let page = document(&call, &list.runs.iter().map(RunSummaryDocument::of).collect::<Vec<_>>());
    let mut response = linked(&call, page, "after", list.next.map(RunCursor::encode))?;
    if let Some(RunCount { count, more }) = count {
        // The document is a list, which has no place for them.
        response.headers_mut().insert(TOTAL_COUNT, HeaderValue::from(count));
        if more {
            response.headers_mut().insert(TOTAL_COUNT_MORE, HeaderValue::from_static("true"));
        }
    }
    Ok(response)
}

/// How many runs the whole list has, as the page of runs says. `None` if they would have to be
/// looked at once more to count them.
async fn count(call: &Call, filter: &RunFilter, list: &RunList) -> Result<Option<RunCount>, Problem> {
    match (list.more, filter.after) {
        (false, None) => Ok(Some(RunCount { count: list.runs.len() as u64, more: false })),
        _ if filter.is_unindexed() => Ok(None),
        _ => Ok(Some(ops::count_runs(&call.state.journal, filter).await?)),
    }
}

/// The runs that a request for a list selects, in its order.
pub(super) fn listed(call: &Call) -> Result<RunFilter, Problem> {
    let order = match call.text("order") {
        Some("logical_date") => RunOrder::LogicalDate,
        _ => RunOrder::Created,
    };
    Ok(RunFilter {
        logical_since: call.time("logical_since"),
        logical_before: call.time("logical_before"),
        requested_by: call.text("by").map(str::to_owned),
        params: call.run_params(),
        order,
        ..filter_of(call)?
    })
}

/// The runs that the fields about DAGs, states, types and times of creation select.
pub(super) fn filter_of(call: &Call) -> Result<RunFilter, Problem> {
    Ok(RunFilter {
        dag: call.text("dag").map(str::to_owned),
        states: chosen(call, "state", &RunState::ALL, RunState::name)?,
        run_types: chosen(call, "run_type", &RunType::ALL, RunType::name)?,
        since: call.time("since"),
        before: call.time("before"),
        ..RunFilter::default()
    })
}

/// The values whose names a parameter has.
pub(super) fn chosen<T: Copy>(
    call: &Call,
    name: &str,
    all: &[T],
    name_of: fn(T) -> &'static str,
) -> Result<Vec<T>, Problem> {
    let find = |text: String| {
        let found = all.iter().copied().find(|&value| name_of(value) == text);
        found.ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|&value| name_of(value)).collect();
            let near = crate::base::did_you_mean(&text, names.iter().copied());
            Problem::bad_request(format!("`{text}` is not one of {}{near}", names.join(", "))).at(name)
        })
    };
    call.texts(name).unwrap_or_default().into_iter().map(find).collect()
}

/// With `wait`, once the run has ended, or after that time. Whoever loses the right to it meanwhile
/// is answered at once, as somebody who asks without it.
pub(in crate::server) async fn run(mut call: Call) -> Answer {
    let mut permit = call.run::<View>().await?;
    if let Some(most) = call.span("wait") {
        let word = permit.word();
        tokio::select! {
            waited = call.state.ends.wait(&call.state.journal, &word, most) => waited?,
            () = streams::end_of_rights(&call.state) => {}
        }
        call.state = call.state.renewed().await?;
        permit = call.run::<View>().await?;
    }
    let history = permit.history(&call.state).await?;
    let visible = call.state.visible().await?;
    let triggered = visible.triggered(ops::triggered_runs(&call.state.journal, &history).await?);
    let events = ops::emitted_by(&call.state.journal, &history).await?;
    let wait = ops::queue_wait(&call.state.journal, call.state.home.path(), &call.state.dags, &history).await?;
    let status = RunStatus::of(&history).with_triggered(triggered).with_events(events);
    document(&call, &status.with_queue_wait(wait.map(|wait| wait.seen_by(|dag| visible.has(dag)))))
}

pub(in crate::server) async fn tasks(call: Call) -> Answer {
    let history = call.run::<View>().await?.history(&call.state).await?;
    let mut tasks = RunStatus::of(&history).tasks;
    // In the order of the graph, which no name tells: the page begins behind the task.
    if let Some(after) = call.text("after") {
        let last = tasks.iter().position(|task| task.id == after).ok_or_else(no_place)?;
        tasks.drain(..=last);
    }
    let page = Page::first(tasks, call.size("limit").unwrap_or(usize::MAX), |task| task.id.clone());
    linked(&call, document(&call, &page.entries), "after", page.next)
}

pub(in crate::server) async fn task(call: Call) -> Answer {
    let task = call.task()?;
    let history = call.run::<View>().await?.history(&call.state).await?;
    let place = history.place(task.as_str())?;
    document(&call, &TaskStatus::of(&history.tasks[place], history.number))
}

pub(in crate::server) async fn explain(call: Call) -> Answer {
    let history = call.run::<View>().await?.history(&call.state).await?;
    document(&call, &history.explain_open())
}

pub(in crate::server) async fn explain_task(call: Call) -> Answer {
    let task = call.task()?;
    let history = call.run::<View>().await?.history(&call.state).await?;
    let place = history.place(task.as_str())?;
    document(&call, &history.explain_at(place))
}

pub(in crate::server) async fn lineage(call: Call) -> Answer {
    let permit = call.run::<View>().await?;
    let visible = call.state.visible().await?;
    let mut lineage = ops::lineage(&call.state.journal, &permit.word()).await?;
    lineage.behind.retain(|run| visible.has(&run.dag_id));
    lineage.ahead.retain(|run| visible.has(&run.dag_id));
    document(&call, &lineage)
}

pub(in crate::server) async fn values(call: Call) -> Answer {
    let history = call.run::<ViewValues>().await?.history(&call.state).await?;
    if let Some(size) = call.size("preview") {
        let previews = ops::value_previews(&call.state.journal, &history, size, call.size("limit")).await;
        return kept_private(document(&call, &previews));
    }
    kept_private(document(&call, &ops::values(&call.state.journal, &history).await?))
}

pub(in crate::server) async fn value(call: Call) -> Answer {
    let task = call.task()?;
    let history = call.run::<ViewValues>().await?.history(&call.state).await?;
    history.place(task.as_str())?;
    if let Some(size) = call.size("preview") {
        let preview = ops::value_preview(&call.state.journal, &history, task.as_str(), size).await?;
        return kept_private(document(&call, &preview));
    }
    kept_private(document(&call, &ops::value(&call.state.journal, &history, task.as_str()).await?))
}

/// Values are not kept by caches, and never shown as a page.
fn kept_private(answer: Answer) -> Answer {
    let mut response = answer?;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    Ok(response)
}
