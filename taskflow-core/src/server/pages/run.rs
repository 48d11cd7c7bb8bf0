//! The page of a run: what went wrong, its tasks on a time axis, its graph.

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::action::Action;
use super::audit::AuditSection;
use super::command::Program;
use super::critical_path::CriticalPath;
use super::dag_list::Filter;
use super::escape::{Sentence, html};
use super::failures::Failures;
use super::frame::{Crumb, Frame, Place};
use super::graph::{Graph, GraphOf, states};
use super::marks::Mark;
use super::reply::{Asked, Page, PageProblem, asked, request};
use super::run_facts::{Event, Fact, events, facts};
use super::run_links::RunLinks;
use super::run_tabs::tabs;
use super::run_tasks::{TaskRow, rows, total};
use super::timeline::{Axis, Tick};
use super::times::took_for;
use super::{address, again, release};
use crate::journal::RunHistory;
use crate::ops::accounts::Right;
use crate::ops::{self, OpsError, TriggeredRun};
use crate::run::{RunState, TaskState};
use crate::server::auth::{Principal, Visitor};
use crate::server::keys::RunKey;
use crate::server::permit::{Permit, View};

/// How many tasks a page shows.
const TASKS: usize = 200;

#[derive(Debug, Template)]
#[template(path = "run.html")]
struct RunPage {
    frame: Frame,
    number: i64,
    mark: Mark,
    dag: String,
    heading: String,
    /// `3 m 10 s`, with `so far` while it is running.
    took: String,
    facts: Vec<Fact>,
    /// Whether something went wrong, or waits for a person.
    is_wrong: bool,
    /// The reason why it ended early.
    halted: String,
    failures: Failures,
    /// What to do, and the line to copy.
    commands: Vec<Command>,
    waits: Vec<Wait>,
    axis: Vec<Tick>,
    chips: Vec<Filter>,
    rows: Vec<TaskRow>,
    /// What of the tasks is not shown: `and 2793 others, 41 s together`.
    rest: String,
    /// Whether the tasks that took longest come first, and the address with the other order.
    longest: bool,
    order_href: String,
    tabs: Vec<Filter>,
    shown: String,
    previous: String,
    next: String,
    text: String,
    state: String,
    graph: Option<Graph>,
    triggered: Vec<Triggered>,
    /// How many of these runs are not shown.
    more_triggered: usize,
    events: Vec<Event>,
    /// How many events of assets are not among them.
    more_events: u32,
    actions: Vec<Action>,
    audit: AuditSection,
}

/// A line to copy.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) what: String,
    pub(crate) line: String,
}

/// A task that has not ended, and why.
#[derive(Debug)]
struct Wait {
    mark: Mark,
    task: String,
    href: String,
    why: Sentence,
    /// What can be sent to it.
    action: Option<Action>,
}

#[derive(Debug)]
struct Triggered {
    mark: Mark,
    number: i64,
    href: String,
    dag: String,
    task: String,
}

pub(super) async fn show(state: Visitor, Path(run): Path<String>, Query(query): Asked) -> Page {
    let as_of = state.streams.place();
    let permit = Permit::<View, _>::of_run(&state, &RunKey::parse(run)?).await?;
    let history = permit.history(&state).await?;
    let request = request(history.info.timezone_name());
    let program = Program::of(&state.home);
    let clock = request.clock.clone();
    let (text, chosen) = (asked(&query, "q").to_owned(), asked(&query, "state").to_owned());
    let first = asked(&query, "from").parse::<usize>().unwrap_or(0);
    let triggered = ops::triggered_runs(&state.journal, &history).await?;
    let audit = AuditSection::of_run(&state, &history.info.dag_id, permit.run_id(), history.number, &clock).await?;
    let (triggered, more_triggered) = ops::bounded_triggered(state.visible().await?.triggered(triggered));
    let emitted = ops::emitted_by(&state.journal, &history).await?;
    let parent = match &history.info.triggered_by {
        Some(by) => RunLinks::of(&state).to(&by.run_id).await,
        None => String::new(),
    };
    let home = state.home.clone();
    let may = |right| state.may(right, &history.info.dag_id) && !state.options.read_only;
    let (may_operate, may_mark) = (may(Right::Operate), may(Right::Mark));
    let repeat = again::address_of(&state, &history.info.dag_id, history.number);
    let def = state.dags.iter().copied().find(|dag| dag.id == history.info.dag_id);
    let is_known = def.is_some();
    let similar = match history.state {
        RunState::Failed => ops::similar_failures(&state.journal, &history).await?,
        _ => Vec::new(),
    };
    let longest = asked(&query, "order") == "longest";
    let parts = tabs(&state, &history, "Tasks");
    // Reads logs.
    let page = move || {
        let operator = (may_operate && is_known).then(|| state.principal());
        let (number, mark) = (history.number, Mark::of(history.state.name()));
        let here = address::run(number);
        let failures = Failures::of(&history, &home, &clock).seen_in(&similar);
        let critical = CriticalPath::of(&history);
        let axis = Axis::of(&history, &clock);
        let wanted = |task: &&crate::journal::TaskHistory| {
            (chosen.is_empty() || task.state.name() == chosen)
                && (text.is_empty() || task.id.to_lowercase().contains(&text.to_lowercase()))
        };
        let in_order = history.in_order().map(|place| &history.tasks[place]);
        let mut matching: Vec<_> = in_order.filter(wanted).collect();
        if longest {
            matching.sort_by_cached_key(|task| std::cmp::Reverse(total(task, &clock)));
        }
        let order = if longest { "longest" } else { "" };
        // An address can name any place.
        let first = first.min(matching.len());
        let last = (first + TASKS).min(matching.len());
        let page_of = |from: usize| {
            let from = if from == 0 { String::new() } else { from.to_string() };
            address::with(&here, &[("state", &chosen), ("q", &text), ("order", order), ("from", &from)]) + "#tasks"
        };
        let other = if longest { "" } else { "longest" };
        let rest = || matching[last..].iter().map(|task| total(task, &clock)).sum();
        let path = vec![
            Crumb::link("DAGs", "/dags"),
            Crumb::link(history.info.dag_id.clone(), address::dag(&history.info.dag_id)),
            Crumb::here(format!("Run {number}")),
        ];
        let title = format!("{} · run {number}", history.info.dag_id);
        let is_ended = history.state.is_terminal();
        let elapsed = match (history.started(), history.ended) {
            (Some(started), Some(ended)) => took_for(ended.since(started)),
            (Some(started), None) if history.state == RunState::Running => {
                format!("{} so far", took_for(clock.since(started)))
            }
            _ => String::new(),
        };
        let page = RunPage {
            number,
            mark,
            dag: history.info.dag_id.clone(),
            heading: clock.at(history.info.logical_date).text,
            took: elapsed,
            facts: facts(&history, &parent, &clock),
            is_wrong: matches!(history.state, RunState::Failed | RunState::Cancelled | RunState::Interrupted),
            halted: history.halt_reason.clone().unwrap_or_default(),
            commands: commands(&history, &failures, &program),
            failures,
            waits: if is_ended { Vec::new() } else { waits(&history, operator) },
            axis: axis.ticks.clone(),
            chips: chips(&history, &here, &chosen, &text),
            rows: rows(&matching[first..last], number, &axis, &critical, &clock),
            rest: match matching.len().saturating_sub(last) {
                0 => String::new(),
                left => format!("and {left} others, {} together", took_for(rest())),
            },
            longest,
            order_href: address::with(&here, &[("state", &chosen), ("q", &text), ("order", other)]) + "#tasks",
            tabs: parts,
            shown: match matching.len() {
                0 => "no tasks".to_owned(),
                all if all > TASKS => format!("{}–{last} of {all} tasks", first + 1),
                1 => "1 task".to_owned(),
                all => format!("{all} tasks"),
            },
            previous: if first > 0 { page_of(first.saturating_sub(TASKS)) } else { String::new() },
            next: if last < matching.len() { page_of(last) } else { String::new() },
            text: text.clone(),
            state: chosen.clone(),
            graph: def.and_then(|def| def.plan().ok()).map(|plan| {
                let words = format!("The graph of {} with the states of run {number}", history.info.dag_id);
                let of = GraphOf { base: &request.base, here: here.clone(), words };
                Graph::of(&plan, Some(&history), of)
            }),
            triggered: below(triggered),
            more_triggered,
            events: events(&history, &emitted.events, &clock),
            more_events: emitted.more,
            audit,
            actions: match is_known {
                true => actions(&history, may_operate, may_mark, repeat),
                false => Vec::new(),
            },
            frame: Frame::new(&request, Place::Runs, title, path).with_sign(mark).live(format!("run:{number}"), as_of),
        };
        html(&page)
    };
    let failed = |_| crate::server::problem::Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the page failed");
    Ok(Html(tokio::task::spawn_blocking(page).await.map_err(failed)?))
}

/// What to do about the state of the run.
fn commands(history: &RunHistory, failures: &Failures, program: &Program) -> Vec<Command> {
    let number = history.number.to_string();
    let mut commands = Vec::new();
    let mut add = |what: &str, words: &[&str]| {
        commands.push(Command { what: what.to_owned(), line: program.line(words) });
    };
    match history.state {
        RunState::Failed if failures.groups.is_empty() => add("Run it again", &["clear", &number]),
        RunState::Failed => {
            add("Run the failed tasks and what follows them again", &["retry", &number]);
            add("Read the whole log", &["logs", &number, &failures.groups[0].task]);
        }
        RunState::Interrupted => add("Continue it where it stopped", &["resume", &number]),
        RunState::Cancelled => add("Run what was cancelled", &["clear", &number]),
        _ => {}
    }
    commands
}

/// The tasks that hold up a run, those that others wait for first, with what somebody can send to
/// them, if they may operate the DAG.
fn waits(history: &RunHistory, operator: Option<&Principal>) -> Vec<Wait> {
    const SHOWN: usize = 8;
    let mut open = history.explain_open();
    open.retain(|task| !task.state.is_terminal() && task.state != TaskState::None);
    open.sort_by_key(|task| Mark::of(task.state.name()).urgency());
    let shown = open.into_iter().take(SHOWN).map(|task| Wait {
        mark: Mark::of(task.state.name()),
        href: address::task(history.number, &task.task),
        why: Sentence::new(&task.why.join("; ")),
        action: operator.and_then(|operator| release::action_of(operator, history, history.task(&task.task)?)),
        task: task.task,
    });
    shown.collect()
}

/// How many tasks are in which state, the most urgent first.
fn chips(history: &RunHistory, here: &str, chosen: &str, text: &str) -> Vec<Filter> {
    let mut counts = history.counts();
    counts.sort_by_key(|(state, _)| Mark::of(state.name()).urgency());
    let all = Filter {
        words: "All".to_owned(),
        count: Some(history.tasks.len()),
        href: address::with(here, &[("q", text)]) + "#tasks",
        is_chosen: chosen.is_empty(),
    };
    let states = counts.into_iter().map(|(state, count)| Filter {
        words: Mark::of(state.name()).words.to_owned(),
        count: Some(count as usize),
        href: address::with(here, &[("state", state.name()), ("q", text)]) + "#tasks",
        is_chosen: state.name() == chosen,
    });
    std::iter::once(all).chain(states).collect()
}

fn below(runs: Vec<TriggeredRun>) -> Vec<Triggered> {
    let mut all = Vec::new();
    for run in runs {
        all.push(Triggered {
            mark: Mark::of(run.state.name()),
            number: run.number,
            href: address::run(run.number),
            dag: run.dag_id,
            task: run.task_id,
        });
        all.extend(below(run.triggered));
    }
    all
}

/// `repeat` is the address of the form that starts a run with the same parameters, or empty.
fn actions(history: &RunHistory, may_operate: bool, may_mark: bool, repeat: String) -> Vec<Action> {
    /// The most tasks that the form begins with.
    const NAMED: usize = 20;

    let here = address::run(history.number);
    let failed: Vec<&str> =
        history.tasks.iter().filter(|task| task.state == TaskState::Failed).map(|task| &*task.id).collect();
    let clear = || Action::form("Clear…", format!("{here}/clear"));
    let cancel = || Action::form("Cancel…", format!("{here}/cancel"));
    let mut actions = match history.state {
        _ if !may_operate => Vec::new(),
        RunState::Failed => {
            let retry = (!failed.is_empty()).then(|| Action::direct("Retry failed", format!("{here}/retry")));
            retry.into_iter().chain([clear()]).collect()
        }
        RunState::Interrupted => vec![Action::direct("Resume", format!("{here}/resume")), cancel()],
        RunState::Success | RunState::Cancelled => vec![clear()],
        RunState::Running | RunState::Queued => vec![cancel()],
    };
    if may_mark && !matches!(history.state, RunState::Running | RunState::Queued) {
        let tasks = if failed.len() > NAMED { String::new() } else { failed.join(" ") };
        actions.push(Action::form("Mark…", address::with(&format!("{here}/mark"), &[("tasks", &tasks)])));
    }
    if !repeat.is_empty() {
        actions.push(Action::form("Run again…", repeat));
    }
    actions
}

/// The graph of a run with the states of its tasks, as an image.
pub(super) async fn graph(state: Visitor, Path(run): Path<String>) -> Result<Response, PageProblem> {
    let history = Permit::<View, _>::of_run(&state, &RunKey::parse(run)?).await?.history(&state).await?;
    let missing = || super::reply::not_found("The program does not have the DAG of this run any more");
    let dag = state.dags.iter().find(|dag| dag.id == history.info.dag_id).ok_or_else(missing)?;
    let plan = dag.plan().map_err(OpsError::from)?;
    let view = crate::render::View::of(&plan);
    let states = states(&view, &history);
    let options = crate::render::SvgOptions::default().states(&states).without_params();
    Ok(svg(crate::render::svg(&view, &options)))
}

/// An image.
pub(super) fn svg(image: String) -> Response {
    ([(header::CONTENT_TYPE, "image/svg+xml")], image).into_response()
}
