//! A task of a DAG in its last runs.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Html;

use super::address;
use super::dag::find;
use super::escape::html;
use super::failures::{base_id, message};
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::reply::{Page, not_found, request};
use super::times::{Moment, took};
use crate::server::ServerState;
use crate::server::keys::{DagKey, TaskKey};
use crate::store::RunFilter;

/// How many runs are looked at, and how many elements of a list in each.
const RUNS: u32 = 25;
const ELEMENTS: usize = 3;

#[derive(Debug, Template)]
#[template(path = "task_runs.html")]
struct TaskRunsPage {
    frame: Frame,
    dag: String,
    task: String,
    doc: String,
    kind: String,
    output: String,
    location: String,
    rows: Vec<TaskRunRow>,
}

#[derive(Debug)]
struct TaskRunRow {
    mark: Mark,
    run: i64,
    run_href: String,
    about: Moment,
    id: String,
    href: String,
    attempts: usize,
    took: String,
    /// The width of its bar, from 0 to 100.
    percent: u64,
    message: String,
}

pub(super) async fn show(State(state): State<ServerState>, Path((dag, task)): Path<(String, String)>) -> Page {
    let as_of = state.streams.place();
    let (dag, task) = (DagKey::parse(dag)?, TaskKey::parse(task)?);
    let (status, def) = find(&state, &dag).await?;
    let request = request(status.timezone);
    let filter = RunFilter { dag: Some(status.dag_id.clone()), limit: Some(RUNS), ..RunFilter::default() };
    let (mut rows, mut times) = (Vec::new(), Vec::new());
    for run in state.journal.runs(&filter).await? {
        let history = state.journal.history(&run.info.run_id).await?;
        let mut found: Vec<_> = history.tasks.iter().filter(|known| base_id(&known.id) == task.as_str()).collect();
        // Of a list, the elements that need attention.
        found.sort_by_key(|known| Mark::of(known.state.name()).urgency());
        for known in found.into_iter().take(ELEMENTS) {
            let last = known.attempts.last();
            let millis = last.and_then(|attempt| Some(attempt.ended?.since(attempt.started).as_millis()));
            let millis = millis.and_then(|millis| u64::try_from(millis).ok());
            times.push(millis.unwrap_or(0));
            rows.push(TaskRunRow {
                mark: Mark::of(known.state.name()),
                run: run.number,
                run_href: address::run(run.number),
                about: request.clock.at(run.info.logical_date),
                id: known.id.to_string(),
                href: address::task(run.number, &known.id),
                attempts: known.attempts.len(),
                took: millis.map(took).unwrap_or_default(),
                percent: 0,
                message: message(known.failure.as_ref()).lines().next().unwrap_or_default().to_owned(),
            });
        }
    }
    let longest = times.iter().copied().max().unwrap_or(0).max(1);
    for (row, millis) in rows.iter_mut().zip(times) {
        row.percent = millis * 100 / longest;
    }
    let plan = def.and_then(|def| def.plan().ok());
    let view = plan.as_deref().map(crate::render::View::of);
    let node = view.as_ref().and_then(|view| view.nodes.iter().find(|node| node.id == task.as_str()));
    if node.is_none() && rows.is_empty() {
        return Err(not_found(format!("The DAG `{}` has no task `{}`", dag.as_str(), task.as_str())));
    }
    let location = plan.as_deref().and_then(|plan| Some(plan.node(plan.find(task.as_str())?).location().to_string()));
    let path = vec![
        Crumb::link("DAGs", "/dags"),
        Crumb::link(status.dag_id.clone(), address::dag(&status.dag_id)),
        Crumb::here(task.as_str()),
    ];
    let title = format!("{} · {}", task.as_str(), status.dag_id);
    Ok(Html(html(&TaskRunsPage {
        frame: Frame::new(&request, Place::Dags, title, path).live(format!("dag:{}", status.dag_id), as_of),
        dag: status.dag_id,
        task: task.as_str().to_owned(),
        doc: node.map(|node| node.description.trim().to_owned()).unwrap_or_default(),
        kind: node.map(|node| node.kind.to_owned()).unwrap_or_default(),
        output: node.map(|node| node.output.clone()).unwrap_or_default(),
        location: location.unwrap_or_default(),
        rows,
    })))
}
