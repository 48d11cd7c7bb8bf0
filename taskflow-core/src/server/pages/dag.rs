//! The page of a DAG: its last runs as a grid, its graph, its schedule, its parameters.

use askama::Template;
use axum::extract::Path;
use axum::response::{Html, Response};

use super::action::Action;
use super::audit::AuditSection;
use super::backfill_form::has_slots;
use super::command::Program;
use super::condition::{Needs, needs};
use super::escape::html;
use super::frame::{Crumb, Frame, Place};
use super::graph::{Graph, GraphOf};
use super::grid::{Choice, Grid, GridOf, grid};
use super::grid_page::present_tasks;
use super::reply::{Page, PageProblem, not_found, request};
use super::run::svg;
use super::run_facts::Fact;
use super::slots::{NextRow, SlotRow, next_rows, slot_rows};
use super::strip::typical;
use super::times::took;
use super::{address, schedule_reset};
use crate::base::{ErrorKind, Timestamp, nearest};
use crate::dag::DagDef;
use crate::ops::accounts::Right;
use crate::ops::{self, DagStatus, OpsError};
use crate::render::View;
use crate::server::auth::Visitor;
use crate::server::keys::DagKey;
use crate::server::permit::{self, Permit};
use crate::store::RunFilter;

/// How many runs the grid has, how many slots to come, and how many that passed.
const RUNS: u32 = 25;
/// How many of the rows of the grid the page has: all are a page of their own.
const ROWS: usize = 60;
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
    needs: Option<Needs>,
    /// Why its schedule, its events or its graph cannot be used.
    error: String,
    pause: String,
    tabs: Vec<Tab>,
    grid: Grid,
    first: String,
    graph: Option<Graph>,
    next: Vec<NextRow>,
    slots: Vec<SlotRow>,
    params: Vec<ParamRow>,
    actions: Vec<Action>,
    runs_href: String,
    audit: AuditSection,
}

#[derive(Debug)]
struct ParamRow {
    name: String,
    ty: String,
    default: String,
    limits: String,
    help: String,
}

/// A link to a view of a DAG.
#[derive(Debug)]
pub(super) struct Tab {
    pub(super) words: &'static str,
    pub(super) href: String,
    pub(super) is_here: bool,
}

/// The views of a DAG. `here` is the end of the address of this one.
pub(super) fn tabs(dag: &str, def: Option<&'static DagDef>, here: &str) -> Vec<Tab> {
    let is_served = def
        .is_some_and(|def| def.options.schedule.is_some() || def.consumer().is_ok_and(|consumer| consumer.is_some()));
    let can_backfill = def.is_some_and(has_slots);
    let all = [
        ("", "Overview"),
        ("grid", "Grid"),
        ("graph", "Graph"),
        ("slots", "Slots"),
        ("durations", "Durations"),
        ("calendar", "Calendar"),
        ("backfills", "Backfills"),
        ("versions", "Versions"),
    ];
    let all = all.into_iter().filter(|&(name, _)| match name {
        "slots" | "calendar" => is_served,
        "backfills" => can_backfill,
        _ => true,
    });
    let tab = |(name, words): (&str, &'static str)| Tab {
        words,
        href: if name.is_empty() { address::dag(dag) } else { format!("{}/{name}", address::dag(dag)) },
        is_here: name == here,
    };
    all.map(tab).collect()
}

/// The status of a DAG, and the DAG itself if the program has it.
pub(super) async fn find(state: &Visitor, key: &DagKey) -> Result<(DagStatus, Option<&'static DagDef>), PageProblem> {
    let is_seen = |dag: &str| state.may(Right::View, dag);
    let def = state.dags.iter().copied().find(|dag| dag.id == key.as_str() && is_seen(dag.id));
    let mut all = match def {
        Some(def) => ops::dags(Some(&state.journal), &[def]).await?,
        None => ops::dags(Some(&state.journal), &state.dags).await?,
    };
    all.retain(|dag| is_seen(&dag.dag_id));
    if let Some(status) = all.iter().find(|dag| dag.dag_id == key.as_str()) {
        return Ok((status.clone(), def));
    }
    if is_seen(key.as_str())
        && let Some(pruned) = ops::pruned_dag(&state.journal, key.as_str()).await?
    {
        return Err(pruned.into());
    }
    let near = nearest(key.as_str(), all.iter().map(|dag| &*dag.dag_id));
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Err(not_found(format!("There is no DAG `{}`{hint}", key.as_str())))
}

pub(super) async fn show(state: Visitor, Path(dag): Path<String>) -> Page {
    let as_of = state.streams.place();
    let (status, def) = find(&state, &DagKey::parse(dag)?).await?;
    let request = request(status.timezone.as_deref());
    let (clock, journal) = (&request.clock, &state.journal);
    let filter = RunFilter { dag: Some(status.dag_id.clone()), limit: Some(RUNS), ..RunFilter::default() };
    let runs = journal.runs(&filter).await?;
    let (mut error, mut params) = (status.error.clone().unwrap_or_default(), Vec::new());
    let (mut next, mut slots) = (Vec::new(), Vec::new());
    let mut graph = None;
    if let Some(def) = def {
        match def.plan() {
            Ok(plan) => {
                let view = View::of(&plan);
                params = view.params.iter().map(param_row).collect();
                let words = format!("The graph of {}", def.id);
                let of = GraphOf { base: &request.base, here: address::dag(def.id), words };
                graph = Some(Graph::of(&plan, None, of));
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
    let choice = Choice { columns: RUNS as usize, ..Choice::default() };
    let mut grid =
        grid(GridOf { journal, dag: &status.dag_id, def, tasks: &present_tasks(def) }, &choice, clock).await?;
    grid.rows.truncate(ROWS);
    for row in grid.rows.iter_mut().filter(|row| row.group.is_some()) {
        row.href = address::with(&(address::dag(&status.dag_id) + "/grid"), &[("open", &row.id)]);
    }
    let pause = status.pause.as_ref().map(|pause| {
        let until = pause.until.map(|until| format!(", until {}", clock.at(until).text)).unwrap_or_default();
        let reason = if pause.reason.is_empty() { String::new() } else { format!(": {}", pause.reason) };
        format!("Paused by {} since {}{until}{reason}", pause.by, clock.at(pause.since).text)
    });
    let path = vec![Crumb::link("DAGs", "/dags"), Crumb::here(status.dag_id.clone())];
    let mut frame = Frame::new(&request, Place::Dags, status.dag_id.clone(), path);
    frame = frame.live(format!("dag:{}", status.dag_id), as_of);
    if let Some(run) = runs.first() {
        frame = frame.with_sign(super::marks::Mark::of(run.state.name()));
    }
    let usual = typical(&runs).map(took).unwrap_or_default();
    let may_change = state.may(Right::Operate, &status.dag_id) && !state.options.read_only;
    let mut past = slot_rows(&slots, clock);
    past.truncate(SHOWN);
    let audit = AuditSection::of_dag(&state, &status.dag_id, clock).await?;
    Ok(Html(html(&DagPage {
        frame,
        audit,
        doc: def.map(|def| def.doc.trim().to_owned()).unwrap_or_default(),
        facts: facts(&status, usual, next.first()),
        needs: status.condition.as_ref().map(|condition| needs(condition, clock)),
        error,
        pause: pause.unwrap_or_default(),
        first: Program::of(&state.home).line(&["run", &status.dag_id]),
        graph,
        actions: def.filter(|_| may_change).map(|def| actions(&status, def)).unwrap_or_default(),
        runs_href: address::with("/runs", &[("dag", &status.dag_id)]),
        tabs: tabs(&status.dag_id, def, ""),
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

fn actions(status: &DagStatus, def: &DagDef) -> Vec<Action> {
    let here = address::dag(&status.dag_id);
    let mut actions = vec![Action::form("Trigger…", format!("{here}/trigger"))];
    if has_slots(def) {
        actions.push(Action::form("Backfill…", format!("{here}/backfill")));
    }
    if status.pause.is_some() {
        actions.push(Action::form("Unpause…", format!("{here}/unpause")));
    } else if status.schedule.is_some() || !status.consumes.is_empty() {
        actions.push(Action::form("Pause…", format!("{here}/pause")));
    }
    // Its state may be damaged: then it has no page of slots.
    if status.error.is_some() && def.options.schedule.is_some() {
        actions.push(Action::form("Reset schedule…", schedule_reset::address_of(&status.dag_id)));
    }
    actions
}

/// The graph of a DAG, as an image.
pub(super) async fn graph(state: Visitor, Path(dag): Path<String>) -> Result<Response, PageProblem> {
    let def = Permit::<permit::View, _>::of_dag(&state, &DagKey::parse(dag)?)?.dag();
    let plan = def.plan().map_err(OpsError::from)?;
    Ok(svg(crate::render::render(&plan, crate::render::Format::Svg)))
}
