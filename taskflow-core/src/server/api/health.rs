//! The server and the service themselves.

use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use tokio::runtime::Handle;

use super::document::{changed, document, tagged};
use crate::base::Timestamp;
use crate::base::schema::Schema;
use crate::ops;
use crate::ops::accounts::Right;
use crate::server::base_path;
use crate::server::call::Call;
use crate::server::openapi::openapi;
use crate::server::problem::Problem;
use crate::server::routes::Answer;

/// A service that has not looked for work for this long is stuck.
const STUCK: std::time::Duration = std::time::Duration::from_secs(60);

/// That the server answers.
#[derive(Debug, Serialize, Schema)]
pub(in crate::server) struct Liveness {
    live: bool,
}

/// The versions.
#[derive(Debug, Serialize, Schema)]
pub(in crate::server) struct Versions {
    /// That of the API, which is in its addresses.
    api: u32,
    /// That of taskflow.
    taskflow: &'static str,
}

pub(in crate::server) async fn live(_call: Call) -> Answer {
    changed(StatusCode::OK, &Liveness { live: true })
}

/// Whether the service works.
#[derive(Debug, Serialize, Schema)]
pub(in crate::server) struct Readiness {
    ready: bool,
    /// Why not.
    reasons: Vec<String>,
    /// How many seconds ago the service looked for work.
    last_turn_seconds: Option<f64>,
}

pub(in crate::server) async fn ready(call: Call) -> Answer {
    let state = &call.state;
    let mut reasons = Vec::new();
    if state.is_draining() {
        reasons.push("the service is about to end".to_owned());
    }
    let age = state.handle.last_turn().map(|turn| Timestamp::now().since(turn));
    match age {
        None => reasons.push("the service is starting".to_owned()),
        Some(age) if age > STUCK => {
            reasons.push(format!("the service has not looked for work for {} seconds", age.as_secs()));
        }
        Some(_) => {}
    }
    if state.metrics.is_in_trouble() {
        reasons.push("the store cannot be read or written; the log of the service says why".to_owned());
    }
    let is_ready = reasons.is_empty();
    let is_known = state.principal().actor().is_some();
    if !is_known {
        // Whoever is not known learns no more than a balancer needs.
        reasons.clear();
    }
    let ready = Readiness {
        ready: is_ready,
        reasons,
        last_turn_seconds: age.filter(|_| is_known).map(|age| age.as_millis() as f64 / 1_000.0),
    };
    let status = if ready.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    changed(status, &ready)
}

pub(in crate::server) async fn metrics(call: Call) -> Answer {
    // They name all DAGs.
    call.state.check_everywhere(Right::View)?;
    let text = call.state.metrics.expose(&call.state).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

pub(in crate::server) async fn version(call: Call) -> Answer {
    document(&call, &Versions { api: 1, taskflow: env!("CARGO_PKG_VERSION") })
}

pub(in crate::server) async fn openapi_document(call: Call) -> Answer {
    Ok(tagged(&call.headers, "application/json", openapi(&base_path::current()).into_bytes()))
}

pub(in crate::server) async fn doctor(call: Call) -> Answer {
    // It names files of this machine.
    call.state.check_everywhere(Right::Admin)?;
    // It asks timetables, which are code of the user, and reads files.
    let (home, dags, runtime) = (call.state.home.clone(), call.state.dags.clone(), Handle::current());
    let diagnosis = tokio::task::spawn_blocking(move || runtime.block_on(ops::doctor(&home, &dags))).await;
    document(&call, &diagnosis.map_err(|error| Problem::internal(&error))?)
}
