//! A task of a DAG in its last runs.

use askama::Template;
use axum::extract::Path;
use axum::response::Html;

use super::address;
use super::dag::find;
use super::escape::html;
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::reply::{Page, not_found, request};
use super::times::{Moment, took};
use crate::server::auth::Visitor;
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
    attempts: u8,
    took: String,
    /// The width of its bar, from 0 to 100.
    percent: u64,
    message: String,
}

pub(super) async fn show(state: Visitor, Path((dag, task)): Path<(String, String)>) -> Page {
    let as_of = state.streams.place();
    let (dag, task) = (DagKey::parse(dag)?, TaskKey::parse(task)?);
    let (status, def) = find(&state, &dag).await?;
    let request = request(status.timezone.as_deref());
    let filter = RunFilter { dag: Some(status.dag_id.clone()), limit: Some(RUNS), ..RunFilter::default() };
    let (mut rows, mut times) = (Vec::new(), Vec::new());
    let runs = state.journal.runs(&filter).await?;
    let rollups = state.journal.rollups(&runs.iter().map(|run| run.number).collect::<Vec<_>>()).await?;
    for run in runs {
        let Some(rollup) = rollups.get(&run.number) else { continue };
        let Some(node) = rollup.node(task.as_str()) else { continue };
        // Of a list, the elements that need attention.
        let mut found: Vec<usize> = node.tasks.clone().collect();
        found.sort_by_key(|&at| Mark::of(rollup.task(at).state.name()).urgency());
        for at in found.into_iter().take(ELEMENTS) {
            let known = rollup.task(at);
            let millis = known.took.map(u64::from);
            let id = rollup.id_of(at);
            let of = rollup.failures().iter().find(|failure| failure.tasks.contains(&(at as u32)));
            times.push(millis.unwrap_or(0));
            rows.push(TaskRunRow {
                mark: Mark::of(known.state.name()),
                run: run.number,
                run_href: address::run(run.number),
                about: request.clock.at(run.info.logical_date),
                href: address::task(run.number, &id),
                id,
                attempts: known.attempts,
                took: millis.map(took).unwrap_or_default(),
                percent: 0,
                message: of.map(|failure| failure.message_of(at).to_owned()).unwrap_or_default(),
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
