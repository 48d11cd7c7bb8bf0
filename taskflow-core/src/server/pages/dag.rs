//! The page of a DAG: its last runs as a grid, its graph, its schedule, its parameters.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{Html, Response};

use super::address;
use super::command::Program;
use super::escape::html;
use super::frame::{Crumb, Frame, Place};
use super::grid::{Grid, grid};
use super::reply::{Page, PageProblem, not_found, request};
use super::run::{Action, svg};
use super::run_facts::Fact;
use super::slots::{NextRow, SlotRow, next_rows, slot_rows};
use super::strip::typical;
use super::times::took;
use crate::base::{ErrorKind, Timestamp, nearest};
use crate::dag::DagDef;
use crate::ops::{self, DagStatus, OpsError};
use crate::render::View;
use crate::server::ServerState;
use crate::server::keys::DagKey;
use crate::store::RunFilter;

/// How many runs the grid has, how many slots to come, and how many that passed.
const RUNS: u32 = 25;
const NEXT: usize = 5;
const PAST: u32 = 40;
const SHOWN: usize = 12;

#[derive(Debug, Template)]
#[template(path = "dag.html")]
struct DagPage {
    frame: Frame,
    id: String,
    doc: String,
    facts: Vec<Fact>,
    /// Why its schedule, its events or its graph cannot be used.
    error: String,
    pause: String,
    grid: Grid,
    first: String,
    graph: String,
    next: Vec<NextRow>,
    slots: Vec<SlotRow>,
    params: Vec<ParamRow>,
    actions: Vec<Action>,
    runs_href: String,
    versions_href: String,
}

#[derive(Debug)]
struct ParamRow {
    name: String,
    ty: String,
    default: String,
    limits: String,
    help: String,
}

/// The status of a DAG, and the DAG itself if the program has it.
pub(super) async fn find(
    state: &ServerState,
    key: &DagKey,
) -> Result<(DagStatus, Option<&'static DagDef>), PageProblem> {
    let def = state.dags.iter().copied().find(|dag| dag.id == key.as_str());
    let all = match def {
        Some(def) => ops::dags(Some(&state.journal), &[def]).await?,
        None => ops::dags(Some(&state.journal), &state.dags).await?,
    };
    if let Some(status) = all.iter().find(|dag| dag.dag_id == key.as_str()) {
        return Ok((status.clone(), def));
    }
    let near = nearest(key.as_str(), all.iter().map(|dag| &*dag.dag_id));
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Err(not_found(format!("There is no DAG `{}`{hint}", key.as_str())))
}

pub(super) async fn show(State(state): State<ServerState>, Path(dag): Path<String>) -> Page {
    let (status, def) = find(&state, &DagKey::parse(dag)?).await?;
    let request = request(status.timezone);
    let (clock, journal) = (&request.clock, &state.journal);
    let filter = RunFilter { dag: Some(status.dag_id.clone()), limit: Some(RUNS), ..RunFilter::default() };
    let runs = journal.runs(&filter).await?;
    let (mut error, mut tasks, mut params) = (status.error.clone().unwrap_or_default(), Vec::new(), Vec::new());
    let (mut next, mut slots) = (Vec::new(), Vec::new());
    let mut has_graph = false;
    if let Some(def) = def {
        match def.plan() {
            Ok(plan) => {
                let view = View::of(&plan);
                tasks = view.nodes.iter().map(|node| node.id.to_owned()).collect();
                params = view.params.iter().map(param_row).collect();
                has_graph = true;
            }
            Err(errors) => error = errors.to_string(),
        }
        if def.options.schedule.is_some() {
            next = match ops::next_slots(Some(journal), def, Timestamp::now(), NEXT).await {
                Ok(found) => next_rows(&found, clock),
                Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Damaged) => Vec::new(),
                Err(error) => return Err(error.into()),
            };
        }
        slots = match ops::past_slots(journal, def, PAST).await {
            Ok(slots) => slots,
            // It has no schedule and no events.
            Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Damaged) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
    }
    let mut grid = grid(journal, &runs, &slots, &tasks, clock).await?;
    for row in &mut grid.rows {
        row.href = address::task_of_dag(&status.dag_id, &row.id);
    }
    let pause = status.pause.as_ref().map(|pause| {
        let until = pause.until.map(|until| format!(", until {}", clock.at(until).text)).unwrap_or_default();
        let reason = if pause.reason.is_empty() { String::new() } else { format!(": {}", pause.reason) };
        format!("Paused by {} since {}{until}{reason}", pause.by, clock.at(pause.since).text)
    });
    let path = vec![Crumb::link("DAGs", "/dags"), Crumb::here(status.dag_id.clone())];
    let mut frame = Frame::new(&request, Place::Dags, status.dag_id.clone(), path);
    if let Some(run) = runs.first() {
        frame = frame.with_sign(super::marks::Mark::of(run.state.name()));
    }
    let usual = typical(&runs).map(took).unwrap_or_default();
    let mut past = slot_rows(&slots, clock);
    past.truncate(SHOWN);
    Ok(Html(html(&DagPage {
        frame,
        doc: def.map(|def| def.doc.trim().to_owned()).unwrap_or_default(),
        facts: facts(&status, usual, next.first()),
        error,
        pause: pause.unwrap_or_default(),
        first: Program::of(&state.home).line(&["run", &status.dag_id]),
        graph: if has_graph { address::dag(&status.dag_id) + "/graph.svg" } else { String::new() },
        actions: if state.options.read_only || def.is_none() { Vec::new() } else { actions(&status) },
        runs_href: address::with("/runs", &[("dag", &status.dag_id)]),
        versions_href: address::dag(&status.dag_id) + "/versions",
        id: status.dag_id,
        grid,
        next,
        slots: past,
        params,
    })))
}

fn facts(status: &DagStatus, usual: String, next: Option<&NextRow>) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(schedule) = &status.schedule {
        facts.push(Fact::new("Schedule", schedule.clone()));
    }
    if !status.consumes.is_empty() {
        let pending = match status.pending_events.unwrap_or(0) {
            1 => "1 event pending".to_owned(),
            pending => format!("{pending} events pending"),
        };
        let fact = Fact::new("Starts on events of", status.consumes.join(", ")).hint(pending);
        facts.push(match &*status.consumes {
            [asset] => fact.to(address::asset(asset)),
            _ => fact.to("/assets".to_owned()),
        });
    }
    if let Some(waits) = &status.waits_for {
        facts.push(Fact::new("The next run waits for", waits.clone()));
    }
    if let Some(next) = next.filter(|_| status.pause.is_none()) {
        facts.push(Fact::new("Next run", next.at.text.clone()).hint(next.at.relative.clone()));
    }
    if !usual.is_empty() {
        facts.push(Fact::new("Usual time", usual));
    }
    if status.is_gone {
        facts.push(Fact::new("Removed", "not in this program any more"));
    }
    facts
}

fn param_row(param: &crate::render::ParamView<'_>) -> ParamRow {
    let mut limits = Vec::new();
    limits.extend(param.range.map(|range| format!("in {range}")));
    if !param.choices.is_empty() {
        limits.push(format!("one of {}", param.choices.join(", ")));
    }
    limits.extend(param.pattern.map(|pattern| format!("matches {pattern}")));
    ParamRow {
        name: param.name.to_owned(),
        ty: param.ty.clone(),
        default: param.default_text().unwrap_or_else(|| if param.required { "required" } else { "" }.to_owned()),
        limits: limits.join(", "),
        help: param.help.trim().to_owned(),
    }
}

fn actions(status: &DagStatus) -> Vec<Action> {
    let here = address::dag(&status.dag_id);
    let mut actions = vec![Action::form("Trigger…", format!("{here}/trigger"))];
    if status.pause.is_some() {
        actions.push(Action::form("Unpause…", format!("{here}/unpause")));
    } else if status.schedule.is_some() || !status.consumes.is_empty() {
        actions.push(Action::form("Pause…", format!("{here}/pause")));
    }
    actions
}

/// The graph of a DAG, as an image.
pub(super) async fn graph(State(state): State<ServerState>, Path(dag): Path<String>) -> Result<Response, PageProblem> {
    let key = DagKey::parse(dag)?;
    let missing = || not_found(format!("There is no DAG `{}`", key.as_str()));
    let def = state.dags.iter().find(|dag| dag.id == key.as_str()).ok_or_else(missing)?;
    let plan = def.plan().map_err(OpsError::from)?;
    Ok(svg(crate::render::render(&plan, crate::render::Format::Svg)))
}
