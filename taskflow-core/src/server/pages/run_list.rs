//! The runs of all DAGs.

use askama::Template;
use axum::extract::Query;
use axum::response::Html;

use super::address;
use super::dag_list::Filter;
use super::escape::html;
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::reply::{Asked, Page, asked, request};
use super::times::{Clock, Moment, took_for};
use crate::journal::RunSummary;
use crate::ops;
use crate::ops::accounts::Right;
use crate::run::{RunState, RunType, TaskState};
use crate::server::auth::Visitor;
use crate::server::keys::RunKey;
use crate::server::permit::{Permit, View};
use crate::store::{RunFilter, RunOrder};

/// How many runs a page has.
const RUNS: u32 = 50;

#[derive(Debug, Template)]
#[template(path = "run_list.html")]
struct RunListPage {
    frame: Frame,
    rows: Vec<RunRow>,
    filters: Vec<Filter>,
    types: Vec<(&'static str, bool)>,
    dags: Vec<&'static str>,
    dag: String,
    state: String,
    is_filtered: bool,
    first: String,
    next: String,
}

#[derive(Debug)]
struct RunRow {
    mark: Mark,
    number: i64,
    href: String,
    dag: String,
    about: Moment,
    run_type: &'static str,
    created: Moment,
    took: String,
    /// `8 tasks`, or how many did not succeed.
    tasks: String,
}

/// The states as filters: what still changes, what needs attention, what is done.
const STATES: [RunState; 6] = [
    RunState::Running,
    RunState::Queued,
    RunState::Failed,
    RunState::Interrupted,
    RunState::Cancelled,
    RunState::Success,
];

pub(super) async fn show(state: Visitor, Query(query): Asked) -> Page {
    let as_of = state.streams.place();
    let request = request(None);
    let (dag, chosen, run_type) = (asked(&query, "dag"), asked(&query, "state"), asked(&query, "type"));
    let after = match asked(&query, "after") {
        "" => None,
        // The place of a run that was pruned meanwhile is not known.
        run => Some(
            Permit::<View, _>::of_run(&state, &RunKey::parse(run.to_owned())?).await?.run().cursor(RunOrder::Number),
        ),
    };
    let filter = RunFilter {
        dag: (!dag.is_empty()).then(|| dag.to_owned()),
        states: STATES.into_iter().filter(|state| state.name() == chosen).collect(),
        run_types: RunType::ALL.into_iter().filter(|known| known.name() == run_type).collect(),
        order: RunOrder::Number,
        after,
        limit: Some(RUNS),
        ..RunFilter::default()
    };
    let list = ops::list_runs(&state.journal, &state.visible().await?.runs(filter)).await?;
    let at = |state: &str, after: &str| {
        address::with("/runs", &[("state", state), ("dag", dag), ("type", run_type), ("after", after)])
    };
    let all = Filter { words: "All".to_owned(), count: None, href: at("", ""), is_chosen: chosen.is_empty() };
    let states = STATES.iter().map(|state| Filter {
        words: Mark::of(state.name()).words.to_owned(),
        count: None,
        href: at(state.name(), ""),
        is_chosen: state.name() == chosen,
    });
    let next = list.runs.last().filter(|_| list.more).map(|run| at(chosen, &run.number.to_string()));
    let path = vec![Crumb::here("Runs")];
    Ok(Html(html(&RunListPage {
        frame: Frame::new(&request, Place::Runs, "Runs", path).live("runs", as_of),
        rows: list.runs.iter().map(|run| row(run, &request.clock)).collect(),
        filters: std::iter::once(all).chain(states).collect(),
        types: RunType::ALL.iter().map(|known| (known.name(), known.name() == run_type)).collect(),
        dags: state.dags.iter().map(|dag| dag.id).filter(|dag| state.may(Right::View, dag)).collect(),
        dag: dag.to_owned(),
        state: chosen.to_owned(),
        is_filtered: !(dag.is_empty() && chosen.is_empty() && run_type.is_empty()),
        first: if after.is_some() { at(chosen, "") } else { String::new() },
        next: next.unwrap_or_default(),
    })))
}

fn row(run: &RunSummary, clock: &Clock) -> RunRow {
    let is_plain = run.state == RunState::Success || run.counts.is_empty();
    let counts = run.counts.iter().filter(|(state, _)| *state != TaskState::Success);
    let counts = counts.map(|(state, count)| format!("{count} {}", Mark::of(state.name()).words));
    let tasks = if run.tasks == 1 { "1 task".to_owned() } else { format!("{} tasks", run.tasks) };
    RunRow {
        mark: Mark::of(run.state.name()),
        number: run.number,
        href: address::run(run.number),
        dag: run.info.dag_id.clone(),
        about: clock.at(run.info.logical_date),
        run_type: run.info.run_type.name(),
        created: clock.at(run.created),
        took: match run.ended {
            Some(ended) => took_for(ended.since(run.created)),
            None if run.state == RunState::Running => took_for(clock.since(run.created)),
            None => String::new(),
        },
        tasks: if is_plain { tasks } else { counts.collect::<Vec<_>>().join(", ") },
    }
}
