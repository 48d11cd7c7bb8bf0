//! The API, `/api/v1`. Each handler calls one operation and returns the document that the command
//! line prints with `--output json`.

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use super::ServerState;
use super::keys::{DagKey, RunKey, TaskKey};
use super::permit::Permit;
use super::problem::{self, Problem};
use crate::journal::JournalError;
use crate::ops::{self, OpsError, RunStatus, TaskStatus};
use crate::render::{Format, render};

type Answer = Result<Response, Problem>;

pub(super) fn routes() -> Router<ServerState> {
    Router::new()
        .route("/health/live", get(live))
        .route("/version", get(version))
        .route("/dags", get(dags))
        .route("/dags/{dag}/graph", get(graph))
        .route("/runs/{run}", get(run))
        .route("/runs/{run}/tasks", get(tasks))
        .route("/runs/{run}/tasks/{task}", get(task))
        .route("/runs/{run}/explain", get(explain))
        .route("/assets", get(assets))
        .method_not_allowed_fallback(problem::no_method)
}

/// The document as the command line prints it.
fn document(document: &impl Serialize) -> Answer {
    let failed = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the document is not JSON");
    let text = serde_json::to_string_pretty(document).map_err(failed)?;
    Ok(json(text + "\n"))
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// No route has parameters yet: a query that would be ignored is refused.
fn no_query(RawQuery(query): &RawQuery) -> Result<(), Problem> {
    match query.as_deref() {
        None | Some("") => Ok(()),
        Some(_) => Err(Problem::bad_request("this address has no query parameters").next("leave out the query")),
    }
}

async fn live(query: RawQuery) -> Answer {
    no_query(&query)?;
    Ok(json("{\"live\": true}\n".to_owned()))
}

async fn version(query: RawQuery) -> Answer {
    no_query(&query)?;
    document(&serde_json::json!({ "api": 1, "taskflow": env!("CARGO_PKG_VERSION") }))
}

async fn dags(State(state): State<ServerState>, query: RawQuery) -> Answer {
    no_query(&query)?;
    document(&ops::dags(Some(&state.journal), &state.dags).await?)
}

async fn graph(State(state): State<ServerState>, Path(dag): Path<String>, query: RawQuery) -> Answer {
    no_query(&query)?;
    let key = DagKey::parse(dag)?;
    let unknown = || Problem::new(StatusCode::NOT_FOUND, format!("there is no DAG `{}`", key.as_str()));
    let dag = state.dags.iter().find(|dag| dag.id == key.as_str()).ok_or_else(unknown)?;
    let plan = dag.plan().map_err(OpsError::from)?;
    Ok(json(render(&plan, Format::Json)))
}

async fn run(State(state): State<ServerState>, Path(run): Path<String>, query: RawQuery) -> Answer {
    no_query(&query)?;
    let permit = Permit::view_run(&state, &RunKey::parse(run)?).await?;
    let history = permit.history(&state).await?;
    let triggered = ops::triggered_runs(&state.journal, &history).await?;
    let events = ops::emitted_by(&state.journal, &history).await?;
    document(&RunStatus::of(&history).with_triggered(triggered).with_events(events))
}

async fn tasks(State(state): State<ServerState>, Path(run): Path<String>, query: RawQuery) -> Answer {
    no_query(&query)?;
    let permit = Permit::view_run(&state, &RunKey::parse(run)?).await?;
    document(&RunStatus::of(&permit.history(&state).await?).tasks)
}

async fn task(State(state): State<ServerState>, Path((run, task)): Path<(String, String)>, query: RawQuery) -> Answer {
    no_query(&query)?;
    let (run, task) = (RunKey::parse(run)?, TaskKey::parse(task)?);
    let history = Permit::view_run(&state, &run).await?.history(&state).await?;
    let place = history.place(task.as_str()).map_err(|error: JournalError| OpsError::from(error))?;
    document(&TaskStatus::of(&history.tasks[place], history.number))
}

async fn explain(State(state): State<ServerState>, Path(run): Path<String>, query: RawQuery) -> Answer {
    no_query(&query)?;
    let permit = Permit::view_run(&state, &RunKey::parse(run)?).await?;
    document(&permit.history(&state).await?.explain_open())
}

async fn assets(State(state): State<ServerState>, query: RawQuery) -> Answer {
    no_query(&query)?;
    document(&ops::assets(Some(&state.journal)).await?)
}
