//! The home page: what needs a person, what runs, what comes next.

use askama::Template;
use axum::response::Html;

use super::command::Program;
use super::dag_list::{SeenDags, recent};
use super::escape::html;
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::needs::{Need, late, needs};
use super::reply::{Page, request};
use super::strip::typical;
use super::times::{Clock, Moment, took, took_for};
use super::{address, counts};
use crate::journal::{Journal, RunSummary};
use crate::ops::accounts::Right;
use crate::ops::{self, DagStatus, OpsError};
use crate::run::RunState;
use crate::server::api::approvals::latest_deliveries;
use crate::server::auth::Visitor;
use crate::store::RunFilter;

/// How many runs that are active are shown, and how many slots.
const SHOWN: u32 = 12;
/// How many of the things that need a person are shown.
const NEEDS: usize = 50;
/// How many notifications that were not delivered are shown.
const DELIVERIES: u32 = 5;

#[derive(Debug, Template)]
#[template(path = "home.html")]
struct HomePage {
    frame: Frame,
    /// The most urgent of those that there are.
    needs: Vec<Need>,
    all_needs: usize,
    active: Vec<ActiveRun>,
    more_active: bool,
    next: Vec<Upcoming>,
    dags: usize,
    runs: bool,
    /// The commands that make the first run.
    first: [String; 3],
}

/// A run that is queued or running.
#[derive(Debug)]
struct ActiveRun {
    mark: Mark,
    number: i64,
    href: String,
    dag: String,
    about: Moment,
    /// `3 of 8 tasks`.
    progress: String,
    /// The same, from 0 to 100.
    percent: usize,
    elapsed: String,
    /// `usually 2 m 10 s`, or how much later it is.
    usual: String,
    is_late: bool,
}

/// A slot to come.
#[derive(Debug)]
struct Upcoming {
    dag: String,
    dag_href: String,
    schedule: String,
    at: Moment,
}

pub(super) async fn show(state: Visitor) -> Page {
    let as_of = state.streams.place();
    let request = request(None);
    let program = Program::of(&state.home);
    let seen = SeenDags::of(&state).await?;
    let dags = &seen.dags;
    // Nobody is needed where the last run succeeded and none is active.
    let is_calm = |dag: &&DagStatus| {
        !seen.is_active(dag) && dag.last_run.as_ref().is_none_or(|run| run.state == RunState::Success)
    };
    let recent = recent(&state, dags.iter().filter(|dag| !is_calm(dag))).await?;
    let mut needs = needs(&state.journal, state.principal(), dags, &recent, &program, &request.clock).await?;
    let deadlines = match request.counts.deadlines {
        0 => None,
        _ => counts::seen_deadlines(&state).await,
    };
    // The page of deadlines says why they cannot be read.
    let deliveries = latest_deliveries(&state, DELIVERIES).await.unwrap_or_default();
    needs.extend(late(deadlines.as_ref(), &deliveries, &program, &request.clock));
    needs.sort_by_key(|need| need.mark.urgency());
    let all_needs = needs.len();
    needs.truncate(NEEDS);
    let is_gone = |dag: &str| dags.iter().any(|known| known.is_gone && known.dag_id == dag);
    for need in &mut needs {
        if state.options.read_only || is_gone(&need.dag) || !state.may(Right::Operate, &need.dag) {
            need.action = None;
        }
    }
    let filter =
        RunFilter { states: vec![RunState::Running, RunState::Queued], limit: Some(SHOWN), ..RunFilter::default() };
    let list = ops::list_runs(&state.journal, &state.visible().await?.runs(filter)).await?;
    let mut active = Vec::new();
    for run in &list.runs {
        let usual = recent.get(&run.info.dag_id).and_then(|runs| typical(runs));
        active.push(active_run(&state.journal, run, usual, &request.clock).await?);
    }
    let first = dags.iter().find(|dag| !dag.is_gone).map_or("DAG", |dag| &dag.dag_id);
    let first = [program.line(&["list"]), program.line(&["show", first]), program.line(&["run", first])];
    let mut frame =
        Frame::new(&request, Place::Home, "Home", vec![Crumb::here("Home")]).live("runs,dags,backfills", as_of);
    if !needs.is_empty() {
        frame.title = format!("({all_needs}) {}", frame.title);
    }
    Ok(Html(html(&HomePage {
        frame,
        needs,
        all_needs,
        active,
        more_active: list.more,
        next: upcoming(dags, &request.clock),
        dags: dags.iter().filter(|dag| !dag.is_gone).count(),
        runs: dags.iter().any(|dag| dag.last_run.is_some()),
        first,
    })))
}

async fn active_run(
    journal: &Journal,
    run: &RunSummary,
    usual: Option<u64>,
    clock: &Clock,
) -> Result<ActiveRun, OpsError> {
    let (mut done, mut tasks, mut started) = (0, run.tasks as usize, run.created);
    if run.state == RunState::Running {
        let rollup = journal.rollup(run.number).await?;
        done = rollup.all_states().iter().filter(|state| state.is_terminal()).count();
        tasks = rollup.len();
        started = rollup.started().unwrap_or(started);
    }
    let elapsed = clock.since(started);
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    // A short run is not late because it took twice its three milliseconds.
    let is_late = usual.is_some_and(|usual| millis > usual.saturating_mul(2) && millis > usual + 10_000);
    Ok(ActiveRun {
        mark: Mark::of(run.state.name()),
        number: run.number,
        href: address::run(run.number),
        dag: run.info.dag_id.clone(),
        about: clock.at(run.info.logical_date),
        progress: format!("{done} of {tasks} tasks"),
        percent: done * 100 / tasks.max(1),
        elapsed: took_for(elapsed),
        usual: usual.map(|usual| format!("usually {}", took(usual))).unwrap_or_default(),
        is_late,
    })
}

/// The next slots of all DAGs, the earliest first.
fn upcoming(dags: &[DagStatus], clock: &Clock) -> Vec<Upcoming> {
    let mut slots: Vec<_> =
        dags.iter().filter(|dag| dag.pause.is_none()).filter_map(|dag| Some((dag.next?, dag))).collect();
    slots.sort_by_key(|&(at, _)| at);
    let shown = slots.into_iter().take(SHOWN as usize).map(|(at, dag)| Upcoming {
        dag: dag.dag_id.clone(),
        dag_href: address::dag(&dag.dag_id),
        schedule: dag.schedule.clone().unwrap_or_default(),
        at: clock.at(at),
    });
    shown.collect()
}
