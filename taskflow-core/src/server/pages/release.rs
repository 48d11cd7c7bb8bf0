//! The form that sends an event to a run, for tasks that wait for one.
//!
//! The type that a task takes is known only of questions, which have [a form](super::approval) of
//! their own. Any other value is JSON.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::http::HeaderMap;
use axum::response::IntoResponse;

use super::action::Action;
use super::address;
use super::changes::{run_form, run_of};
use super::command::Program;
use super::failures::some;
use super::form::{Field, FormPage, Input, Sent, Values, below, done, wrong, wrong_fields};
use super::preview::Preview;
use super::reply::Asked;
use crate::journal::{RunHistory, TaskHistory};
use crate::ops;
use crate::server::acting::Acting;
use crate::server::auth::{Principal, Visitor};
use crate::server::problem::Problem;
use crate::server::run_changes::RunPermit;

/// The key of the event that a task waits for; `None` if it waits for no event, or for the end of a
/// run.
fn key_of(task: &TaskHistory) -> Option<&str> {
    let wait = task.waits_for.as_ref()?;
    wait.event.as_deref().filter(|_| wait.view().run().is_none())
}

fn is_asking(task: &TaskHistory) -> bool {
    task.waits_for.as_ref().is_some_and(|wait| wait.question.is_some())
}

/// What somebody can send to a task that waits: the answer to its question, if they may answer, or
/// its event. They need the right to operate the DAG besides.
pub(super) fn action_of(principal: &Principal, history: &RunHistory, task: &TaskHistory) -> Option<Action> {
    let key = key_of(task).filter(|_| !history.state.is_terminal())?;
    if is_asking(task) && !principal.may_answer(&task.waits_for.as_ref()?.respondents, &history.info.requested_by) {
        return None;
    }
    Some(match is_asking(task) {
        true => Action::form("Answer…", address::approval(history.number, &task.id)),
        false => {
            let form = format!("{}/release", address::run(history.number));
            Action::form("Send the event…", address::with(&form, &[("key", key)]))
        }
    })
}

/// The value as it was typed.
fn value(values: &Values) -> Result<serde_json::Value, serde_json::Error> {
    match values.get("value") {
        "" => Ok(serde_json::Value::Null),
        text => serde_json::from_str(text),
    }
}

/// The form, with the tasks that wait for the event.
fn form(state: &Visitor, permit: &RunPermit, history: &RunHistory, values: &Values) -> FormPage {
    let mut waiting: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for task in &history.tasks {
        if let Some(key) = key_of(task) {
            waiting.entry(key).or_default().push(task.id.to_string());
        }
    }
    // The only event that is waited for is the one that is meant.
    let only = waiting.keys().next().filter(|_| waiting.len() == 1).copied().unwrap_or_default();
    let chosen = if values.has("key") { values.get("key") } else { only };
    let known = waiting.iter().map(|(key, tasks)| ((*key).to_owned(), format!("awaited by {}", some(tasks))));
    let mut key = Field::line("key", "Event", "The key of the event.");
    (key.is_required, key.value, key.input) = (true, chosen.to_owned(), Input::Suggested(known.collect()));
    let what = Field::line("value", "Value", "What the task goes on with. Without one, null.");
    let what = Field { input: Input::Lines, ty: "JSON".to_owned(), ..what }.with(values);
    let reason = Field::line("reason", "Reason", "Stored in the audit trail.").with(values);

    let number = permit.run().number.to_string();
    let mut page = run_form(state, permit.run(), "Release");
    page.heading = format!("Send an event to run {number} of {}", history.info.dag_id);
    page.lead = "Tasks that wait for the event go on with the value, now or when they come to wait for it.".to_owned();
    page.button = "Send the event".to_owned();
    page.fields = vec![key, what, reason];
    page.preview = Some(match waiting.get(chosen) {
        Some(tasks) => Preview::default().note(format!("{} goes on.", some(tasks))),
        None if chosen.is_empty() => Preview::default(),
        None => Preview::default().note(format!("No task waits for {chosen} now: the run keeps the event.")),
    });
    let mut line = vec!["release", &number, chosen];
    if !values.get("value").is_empty() {
        line.extend(["--value", values.get("value")]);
    }
    page.command = if chosen.is_empty() { String::new() } else { Program::of(&state.home).line(&line) };
    if history.state.is_terminal() {
        page.error = format!("Run {number} has ended ({}): no task waits for events.", history.state);
        page.preview = Some(Preview::default());
    }
    if let Err(error) = value(values) {
        wrong(&mut page.fields, "value", format!("This is not JSON: {error}."));
    }
    page
}

pub(super) async fn ask(state: Visitor, Path(run): Path<String>, Query(query): Asked) -> Sent {
    let (permit, values) = (run_of(&state, run).await?, Values::asked(&query));
    let history = permit.history(&state).await?;
    let asks = |task: &&TaskHistory| is_asking(task) && key_of(task) == Some(values.get("key"));
    if let Some(task) = history.tasks.iter().find(asks) {
        // Its form has the type of the answer.
        return Ok(below(&address::approval(history.number, &task.id)).into_response());
    }
    Ok(form(&state, &permit, &history, &values).html().into_response())
}

pub(super) async fn send(
    state: Visitor,
    Acting(service): Acting,
    Path(run): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Sent {
    let (permit, values) = (run_of(&state, run).await?, Values::of(&headers, &body)?);
    let mut page = form(&state, &permit, &permit.history(&state).await?, &values);
    if values.get("key").is_empty() {
        wrong(&mut page.fields, "key", "Say which event.");
    }
    if let Some(problem) = wrong_fields(&page.fields) {
        return page.refused(problem);
    }
    let value = value(&values).map_err(|error| Problem::invalid(format!("the value is not JSON: {error}")))?;
    match ops::send_event(&service, &permit.word(), values.get("key"), &value, &values.note()).await {
        Ok(_) => {
            // It may have answered a question.
            state.counts.forget().await;
            done(&state, &address::run(permit.run().number))
        }
        Err(error) => page.refused(error),
    }
}
