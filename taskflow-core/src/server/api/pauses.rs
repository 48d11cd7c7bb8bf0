//! Pausing several DAGs at once, with an answer for each.

use axum::http::StatusCode;
use serde::Serialize;

use super::document::changed;
use crate::base::schema::Schema;
use crate::dag::DagDef;
use crate::ops::accounts::Right;
use crate::ops::{self, OpsError};
use crate::schedule::{Catchup, Unpause};
use crate::server::call::Call;
use crate::server::permit::Operate;
use crate::server::problem::Problem;
use crate::server::routes::Answer;

/// What became of a DAG.
#[derive(Debug, Serialize, Schema)]
#[schema(name = "BulkPause")]
pub(in crate::server) struct Item<T> {
    dag_id: &'static str,
    /// `applied`, `unchanged` if it was in that state, or `refused`.
    outcome: &'static str,
    /// The document that the change of one DAG returns.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(as = "serde_json::Value")]
    answer: Option<T>,
    /// Why it was not changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// The DAGs of the request: those that are named, those with a tag, or all with a schedule.
fn chosen(call: &Call) -> Result<Vec<&'static DagDef>, Problem> {
    // What somebody may not see does not exist for them.
    let all = call.state.dags.iter().copied().filter(|dag| call.state.may(Right::View, dag.id));
    let permitted = |dag: &'static DagDef| Ok(call.dag_named::<Operate>(dag.id)?.dag());
    match (call.texts("dags"), call.text("tag"), call.switch("all")) {
        (Some(dags), None, false) => dags.iter().map(|dag| Ok(call.dag_named::<Operate>(dag)?.dag())).collect(),
        (None, Some(tag), false) => {
            let tagged = all.filter(|dag| dag.options.tags.contains(&tag)).map(permitted);
            let tagged = tagged.collect::<Result<Vec<_>, _>>()?;
            match tagged.is_empty() {
                true => Err(Problem::not_found(format!("no DAG has the tag `{tag}`")).at("tag")),
                false => Ok(tagged),
            }
        }
        (None, None, true) => all.filter(|dag| dag.options.schedule.is_some()).map(permitted).collect(),
        _ => {
            let problem = Problem::invalid("a request about several DAGs has one of `dags`, `tag` and `all`");
            Err(problem.next("name the DAGs, give a tag, or send `\"all\": true`"))
        }
    }
}

/// The answer about a DAG.
fn item<T>(dag_id: &'static str, done: Result<T, OpsError>) -> Item<T> {
    let error = match done {
        Ok(answer) => return Item { dag_id, outcome: "applied", answer: Some(answer), detail: None },
        Err(error) => error,
    };
    let outcome = match error {
        OpsError::Paused { .. } | OpsError::NotPaused { .. } => "unchanged",
        _ => "refused",
    };
    Item { dag_id, outcome, answer: None, detail: Some(Problem::from(error).shown().detail.clone()) }
}

pub(in crate::server) async fn pause(call: Call) -> Answer {
    let (note, until, mut items) = (call.note(), call.time("until"), Vec::new());
    for dag in chosen(&call)? {
        items.push(item(dag.id, ops::pause(&call.service, dag, &note, until).await));
    }
    changed(StatusCode::OK, &items)
}

pub(in crate::server) async fn unpause(call: Call) -> Answer {
    let (note, mut items) = (call.note(), Vec::new());
    // The table of routes has checked the names.
    let catchup = call.text("catchup").and_then(|name| name.parse().ok()).unwrap_or(Catchup::None);
    let events = call.text("events").and_then(|name| name.parse().ok()).unwrap_or(Unpause::All);
    for dag in chosen(&call)? {
        items.push(item(dag.id, ops::unpause(&call.service, dag, &note, catchup, events).await));
    }
    changed(StatusCode::OK, &items)
}
