//! A task of a run: why it is in its state, its attempts, what it returned.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Html;

use super::address;
use super::command::Program;
use super::escape::html;
use super::failures::message;
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::reply::{Asked, Page, request};
use super::run::Command;
use super::times::{Moment, took_for};
use crate::base::text::bounded;
use crate::ops::accounts::Right;
use crate::ops::{self, OpsError, Reason};
use crate::run::TaskState;
use crate::server::auth::Visitor;
use crate::server::keys::{RunKey, TaskKey};
use crate::server::permit::{Permit, View};

/// The most bytes of a value that are shown.
const VALUE: usize = 4_000;

#[derive(Debug, Template)]
#[template(path = "task.html")]
struct TaskPage {
    frame: Frame,
    id: String,
    label: String,
    run: i64,
    mark: Mark,
    since: Option<Moment>,
    why: Vec<String>,
    question: String,
    message: String,
    causes: Vec<String>,
    location: String,
    attempts: Vec<AttemptRow>,
    commands: Vec<Command>,
    ty: String,
    value: String,
    pushed: Vec<(String, String)>,
    links: Vec<TaskLink>,
    elements: String,
    history_href: String,
}

#[derive(Debug)]
struct AttemptRow {
    number: u32,
    mark: Mark,
    href: String,
    started: Moment,
    took: String,
    worker: String,
    message: String,
}

/// A link that a task has left. Only addresses of the web are links.
#[derive(Debug)]
struct TaskLink {
    name: String,
    url: String,
    is_web: bool,
}

pub(super) async fn show(state: Visitor, Path((run, task)): Path<(String, String)>, Query(query): Asked) -> Page {
    let as_of = state.streams.place();
    let (run, task) = (RunKey::parse(run)?, TaskKey::parse(task)?);
    let permit = Permit::<View, _>::of_run(&state, &run).await?;
    if ops::is_mapped(&state.journal, permit.run(), task.as_str()).await? {
        return super::mapped::show(&state, permit.run(), task.as_str(), &query).await;
    }
    let history = permit.history(&state).await?;
    let place = history.place(task.as_str()).map_err(OpsError::from)?;
    let known = &history.tasks[place];
    let request = request(history.info.timezone_name());
    let clock = &request.clock;
    let (number, mark) = (history.number, Mark::of(known.state.name()));
    let mut why = history.explain_at(place).why;
    let reason = known.failure.as_deref().map(Reason::of);
    // The message is shown on its own.
    if known.state == TaskState::Failed {
        why.truncate(0);
    }
    let attempts = known.attempts.iter().rev().map(|attempt| AttemptRow {
        number: attempt.number,
        mark: Mark::of(attempt.state.name()),
        href: address::log(number, &known.id, attempt.number),
        started: clock.at(attempt.started),
        took: match attempt.ended {
            Some(ended) => took_for(ended.since(attempt.started)),
            None => format!("{} so far", took_for(clock.since(attempt.started))),
        },
        worker: history.sessions.get(attempt.session).map(|session| session.worker.clone()).unwrap_or_default(),
        message: message(attempt.failure.as_ref()).lines().next().unwrap_or_default().to_owned(),
    });
    let attempts: Vec<AttemptRow> = attempts.collect();
    let may_read = state.may(Right::ViewValues, &history.info.dag_id);
    let value = match known.has_value() {
        true if !may_read => "You do not have the right `view_values` for this DAG.".to_owned(),
        // A damaged value does not take the page away.
        true => ops::value(&state.journal, &history, &known.id).await.map_or_else(|error| error.to_string(), pretty),
        false => String::new(),
    };
    let links = known.links.iter().map(|link| TaskLink {
        name: link.name.clone(),
        url: link.url.clone(),
        is_web: link.url.starts_with("https://") || link.url.starts_with("http://"),
    });
    let elements = history.tasks.iter().filter(|task| task.id.starts_with(&format!("{}[", known.id))).count();
    let path = vec![
        Crumb::link(history.info.dag_id.clone(), address::dag(&history.info.dag_id)),
        Crumb::link(format!("Run {number}"), address::run(number)),
        Crumb::here(known.id.to_string()),
    ];
    let title = format!("{} · run {number}", known.id);
    let wait = known.waits_for.as_ref();
    Ok(Html(html(&TaskPage {
        frame: Frame::new(&request, Place::Runs, title, path).with_sign(mark).live(format!("run:{number}"), as_of),
        id: known.id.to_string(),
        label: known.label.as_deref().unwrap_or_default().to_owned(),
        run: number,
        mark,
        since: known.since.map(|since| clock.at(since)),
        question: wait.and_then(|wait| wait.question.clone()).unwrap_or_default(),
        commands: commands(&history, known, &Program::of(&state.home)),
        why,
        message: message(known.failure.as_ref().filter(|_| known.state != TaskState::Skipped)),
        causes: reason
            .iter()
            .flat_map(|reason| reason.causes.iter().map(|cause| bounded(cause, VALUE).into_owned()))
            .collect(),
        location: reason.and_then(|reason| reason.location).unwrap_or_default(),
        attempts,
        ty: history.type_at(place).to_owned(),
        value,
        pushed: known.pushed.iter().map(|pushed| (pushed.key.clone(), pushed.ty.clone())).collect(),
        links: links.collect(),
        elements: match elements {
            0 => String::new(),
            _ => address::with(&address::run(number), &[("q", &format!("{}[", known.id))]) + "#tasks",
        },
        history_href: address::task_of_dag(&history.info.dag_id, &super::failures::base_id(&known.id)),
    })))
}

fn commands(
    history: &crate::journal::RunHistory,
    task: &crate::journal::TaskHistory,
    program: &Program,
) -> Vec<Command> {
    let number = history.number.to_string();
    let command = |what: &str, words: &[&str]| Command { what: what.to_owned(), line: program.line(words) };
    if let Some(answer) = task.waits_for.as_ref().and_then(|wait| wait.view().command(history.number)) {
        let words: Vec<&str> = answer.iter().map(String::as_str).collect();
        return vec![command("Send what it waits for", &words)];
    }
    match task.state {
        TaskState::Failed => vec![
            command("Run it and what follows it again", &["clear", &number, &task.id, "--downstream"]),
            command("Run it alone, without storing anything", &["replay", &number, &task.id]),
        ],
        _ => Vec::new(),
    }
}

fn pretty(value: serde_json::Value) -> String {
    let text = match value {
        serde_json::Value::String(text) => text,
        value => serde_json::to_string_pretty(&value).unwrap_or_default(),
    };
    bounded(&text, VALUE).into_owned()
}
