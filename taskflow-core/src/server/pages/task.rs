//! A task of a run: why it is in its state, its attempts, what it returned.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Html;
use sha2::{Digest, Sha256};

use super::action::Action;
use super::attempt_pair::{PairRow, side_by_side, texts};
use super::command::Program;
use super::escape::{Sentence, html};
use super::failures::message;
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::reply::{Asked, Page, asked, request};
use super::run::Command;
use super::times::{Moment, took_for};
use super::{address, release};
use crate::base::text::bounded;
use crate::journal::{RunHistory, TaskHistory};
use crate::log::LogRecord;
use crate::ops::accounts::Right;
use crate::ops::{self, OpsError, Reason};
use crate::run::{RunState, TaskState};
use crate::server::auth::Visitor;
use crate::server::keys::{RunKey, TaskKey};
use crate::server::permit::{Permit, View};

/// The most bytes of a value that are shown.
const VALUE: usize = 4_000;
/// How many inputs are shown, and how many characters of each; and of how many attempts the logs
/// are read.
const INPUTS: usize = 50;
const INPUT: usize = 300;
const LOGS: usize = 10;

#[derive(Debug, Template)]
#[template(path = "task.html")]
struct TaskPage {
    frame: Frame,
    id: String,
    label: String,
    run: i64,
    mark: Mark,
    since: Option<Moment>,
    why: Vec<Sentence>,
    question: String,
    message: String,
    causes: Vec<String>,
    location: String,
    attempts: Vec<AttemptRow>,
    /// The address that shows the logs of the last two attempts side by side, or empty.
    compare_href: String,
    pair: Option<Pair>,
    inputs: Vec<InputRow>,
    doc: String,
    code: String,
    commands: Vec<Command>,
    ty: String,
    value: String,
    pushed: Vec<(String, String)>,
    links: Vec<TaskLink>,
    elements: String,
    history_href: String,
    actions: Vec<Action>,
}

#[derive(Debug)]
struct AttemptRow {
    number: u32,
    mark: Mark,
    href: String,
    started: Moment,
    took: String,
    worker: String,
    build: String,
    log: String,
    message: String,
}

/// The logs of two attempts.
#[derive(Debug)]
struct Pair {
    left: u32,
    right: u32,
    rows: Vec<PairRow>,
}

/// A value that a task takes.
#[derive(Debug)]
struct InputRow {
    task: String,
    href: String,
    ty: String,
    preview: String,
    /// The beginning of the hash of its stored bytes.
    hash: String,
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
        why = vec![match (known.marked, known.attempts.len()) {
            (true, _) => "it was marked as failed".to_owned(),
            (_, 1) => "its only attempt failed, and it is not retried".to_owned(),
            (_, all) => format!("its last attempt of {all} failed, and it is not retried"),
        }];
    }
    let (dag, may_read) = (&*history.info.dag_id, state.may(Right::ViewValues, &history.info.dag_id));
    let logs = match state.may(Right::ViewLogs, dag) {
        true => attempt_logs(&state, &history.info.run_id, known).await,
        false => BTreeMap::new(),
    };
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
        build: history.sessions.get(attempt.session).map(|session| short(&session.build)).unwrap_or_default(),
        log: logs.get(&attempt.number).map(|records| counted(records.len())).unwrap_or_default(),
        message: message(attempt.failure.as_ref()).lines().next().unwrap_or_default().to_owned(),
    });
    let attempts: Vec<AttemptRow> = attempts.collect();
    let pair = pair(asked(&query, "compare"), &logs);
    let compare_href = match &*known.attempts {
        [.., before, last] if state.may(Right::ViewLogs, dag) => {
            let numbers = format!("{},{}", before.number, last.number);
            address::with(&address::task(number, &known.id), &[("compare", &numbers)]) + "#compare"
        }
        _ => String::new(),
    };
    let inputs = match may_read {
        true => inputs(&state, &history, place).await,
        false => Vec::new(),
    };
    let def = state.dags.iter().find(|dag| dag.id == history.info.dag_id).and_then(|dag| {
        let plan = dag.plan().ok()?;
        let node = plan.find(crate::dag::node_id_of(&known.id))?;
        Some((plan.def(node), plan.node(node).location()))
    });
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
        why: why.iter().map(|why| Sentence::new(why)).collect(),
        message: message(known.failure.as_ref().filter(|_| known.state != TaskState::Skipped)),
        causes: reason
            .iter()
            .flat_map(|reason| reason.causes.iter().map(|cause| bounded(cause, VALUE).into_owned()))
            .collect(),
        location: reason.and_then(|reason| reason.location).unwrap_or_default(),
        attempts,
        compare_href,
        pair,
        inputs,
        doc: def.map(|(def, _)| def.doc.trim().to_owned()).unwrap_or_default(),
        code: def.map(|(_, location)| location.to_string()).unwrap_or_default(),
        ty: history.type_at(place).to_owned(),
        value,
        pushed: known.pushed.iter().map(|pushed| (pushed.key.clone(), pushed.ty.clone())).collect(),
        links: links.collect(),
        elements: match elements {
            0 => String::new(),
            _ => address::with(&address::run(number), &[("q", &format!("{}[", known.id))]) + "#tasks",
        },
        history_href: address::task_of_dag(&history.info.dag_id, &super::failures::base_id(&known.id)),
        actions: actions(&state, &history, known),
    })))
}

/// The logs of the attempts of a task, by their numbers; those that cannot be read are left out.
async fn attempt_logs(state: &Visitor, run: &str, task: &TaskHistory) -> BTreeMap<u32, Vec<LogRecord>> {
    let numbers: Vec<u32> = task.attempts.iter().rev().take(LOGS).map(|attempt| attempt.number).collect();
    let (home, run, task) = (state.home.clone(), run.to_owned(), task.id.to_string());
    let read = move || {
        let logs = home.logs();
        let of = |number: u32| Some((number, logs.read(&run, &task, number).ok()?.records));
        numbers.into_iter().filter_map(of).collect()
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_default()
}

/// `1 line`, `12 lines`
fn counted(records: usize) -> String {
    if records == 1 { "1 record".to_owned() } else { format!("{records} records") }
}

/// The logs of the two attempts that an address names: `1,2`.
fn pair(numbers: &str, logs: &BTreeMap<u32, Vec<LogRecord>>) -> Option<Pair> {
    let (left, right) = numbers.split_once(',')?;
    let (left, right) = (left.trim().parse().ok()?, right.trim().parse().ok()?);
    let rows = side_by_side(&texts(logs.get(&left)?), &texts(logs.get(&right)?));
    Some(Pair { left, right, rows })
}

/// The values that a task takes, with the tasks that returned them.
async fn inputs(state: &Visitor, history: &RunHistory, place: usize) -> Vec<InputRow> {
    let mut rows = Vec::new();
    for place in history.inputs_of(place).into_iter().take(INPUTS) {
        let upstream = &history.tasks[place];
        let value = match upstream.has_value() {
            true => state.journal.value(history, &upstream.id).await.ok().flatten(),
            false => None,
        };
        rows.push(InputRow {
            task: upstream.id.to_string(),
            href: address::task(history.number, &upstream.id),
            ty: history.type_at(place).to_owned(),
            preview: value.as_ref().map_or_else(|| "no value".to_owned(), |value| value.preview(INPUT)),
            hash: value.map(|value| hash(&value.bytes)).unwrap_or_default(),
        });
    }
    rows
}

/// The beginning of the hash of a stored value: equal values have the same.
fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

fn short(build: &str) -> String {
    build.get(..12).unwrap_or(build).to_owned()
}

/// What the visitor may do with the task: send what it waits for, and once its run has ended or
/// stopped, clear and mark it.
fn actions(state: &Visitor, history: &RunHistory, task: &TaskHistory) -> Vec<Action> {
    let dag = &*history.info.dag_id;
    let is_known = state.dags.iter().any(|known| known.id == dag);
    if !is_known || state.options.read_only {
        return Vec::new();
    }
    let wait = release::action_of(state.principal(), history, task).filter(|_| state.may(Right::Operate, dag));
    if matches!(history.state, RunState::Running | RunState::Queued) {
        return wait.into_iter().collect();
    }
    let form = |verb: &str| address::with(&format!("{}/{verb}", address::run(history.number)), &[("tasks", &task.id)]);
    let has_run = task.state != TaskState::None || !task.attempts.is_empty();
    let clear = (has_run && state.may(Right::Operate, dag)).then(|| Action::form("Clear…", form("clear")));
    let mark = state.may(Right::Mark, dag).then(|| Action::form("Mark…", form("mark")));
    wait.into_iter().chain(clear).chain(mark).collect()
}

fn commands(history: &RunHistory, task: &TaskHistory, program: &Program) -> Vec<Command> {
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
