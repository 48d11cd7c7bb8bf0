//! How long the runs of a DAG took, or one of its tasks in them: a picture and a table.
//!
//! A dot is a run; the line is the median of the last twenty runs up to it, and the band reaches up
//! to the 95th percentile. Only runs that succeeded count for both.

use std::fmt::Write as _;

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Html;

use super::address;
use super::dag::{Tab, find, tabs};
use super::escape::html;
use super::frame::{Crumb, Frame, Place};
use super::grid::{GridRuns, runs_until};
use super::marks::Mark;
use super::reply::{Asked, Page, asked, request};
use super::times::{Clock, Moment, took};
use crate::journal::{Rollup, RunSummary};
use crate::run::TaskState;
use crate::server::auth::Visitor;
use crate::server::keys::{DagKey, TaskKey};
use crate::task::DeadlineReference;

/// How many runs are shown, and of how many the median is.
const RUNS: usize = 100;
const WINDOW: usize = 20;
/// The size of the picture.
const WIDTH: u64 = 1_000;
const HEIGHT: u64 = 220;

#[derive(Debug, Template)]
#[template(path = "durations.html")]
struct DurationsPage {
    frame: Frame,
    id: String,
    tabs: Vec<Tab>,
    task: String,
    here: String,
    dots: Vec<Dot>,
    band: String,
    median: String,
    /// Where the graph changed.
    changes: Vec<u64>,
    /// The height of the deadline, if all of them are after the same time.
    deadline: Option<(u64, String)>,
    ticks: Vec<(u64, String)>,
    rows: Vec<DurationRow>,
    from: String,
    to: String,
}

/// A run in the picture.
#[derive(Debug)]
struct Dot {
    x: u64,
    y: u64,
    family: &'static str,
    href: String,
    title: String,
}

#[derive(Debug)]
struct DurationRow {
    mark: Mark,
    run: i64,
    href: String,
    about: Moment,
    took: String,
    waited: String,
    median: String,
    p95: String,
    note: &'static str,
}

/// A run with its duration, in milliseconds.
struct Taken<'a> {
    run: &'a RunSummary,
    state: &'static str,
    millis: Option<u64>,
    /// The median and the 95th percentile of the last runs up to it.
    usual: Option<(u64, u64)>,
    is_changed: bool,
}

pub(super) async fn show(state: Visitor, Path(dag): Path<String>, Query(query): Asked) -> Page {
    let (status, def) = find(&state, &DagKey::parse(dag)?).await?;
    let request = request(status.timezone.as_deref());
    let clock = &request.clock;
    let task = match asked(&query, "task") {
        "" => None,
        task => Some(TaskKey::parse(task.to_owned())?),
    };
    let GridRuns { runs, rollups } = runs_until(&state.journal, &status.dag_id, RUNS, None).await?;
    let mut taken: Vec<Taken<'_>> = Vec::with_capacity(runs.len());
    for run in runs.iter().rev() {
        let of_task = task.as_ref().map(|task| duration_of(rollups.get(&run.number).map(|rollup| &**rollup), task));
        let (state, millis) = match of_task {
            Some(None) => continue,
            Some(Some(known)) => known,
            None => (run.state.name(), run.ended.map(|ended| millis(ended.since(run.created)))),
        };
        let is_changed = taken.last().is_some_and(|last| last.run.graph != run.graph);
        taken.push(Taken { run, state, millis, usual: None, is_changed });
        let last = taken.len();
        let usual = usual(&taken[last.saturating_sub(WINDOW)..]);
        taken[last - 1].usual = usual;
    }
    let deadline = match &task {
        Some(_) => None,
        None => def.and_then(|def| def.options.deadline).filter(|deadline| is_duration(deadline.reference)),
    };
    let deadline = deadline.map(|deadline| millis(deadline.after));
    let most = taken.iter().filter_map(|taken| taken.millis).chain(deadline).max().unwrap_or(1).max(1);
    let count = taken.len().max(1) as u64;
    let x = |at: usize| (2 * at as u64 + 1) * WIDTH / (2 * count);
    let y = |millis: u64| HEIGHT - millis * (HEIGHT - 12) / most;
    let id = status.dag_id;
    let here = address::dag(&id) + "/durations";
    let path = vec![Crumb::link("DAGs", "/dags"), Crumb::link(id.clone(), address::dag(&id)), Crumb::here("Durations")];
    let dot = |(at, of): (usize, &Taken<'_>)| {
        let millis = of.millis?;
        let mark = Mark::of(of.state);
        let about = clock.at(of.run.info.logical_date).text;
        Some(Dot {
            x: x(at),
            y: y(millis),
            family: mark.family,
            href: address::run(of.run.number),
            title: format!("Run {}, {about}: {}, {}", of.run.number, mark.words, took(millis)),
        })
    };
    let usual_points = || taken.iter().enumerate().filter_map(|(at, of)| Some((x(at), of.usual?)));
    let mut band = String::new();
    let upper = usual_points().map(|(x, (_, p95))| (x, y(p95)));
    let lower: Vec<(u64, u64)> = usual_points().map(|(x, (median, _))| (x, y(median))).collect();
    for (x, y) in upper.chain(lower.iter().rev().copied()) {
        // Writing to a string does not fail.
        let _ = write!(band, "{x},{y} ");
    }
    let median: Vec<String> = lower.iter().map(|(x, y)| format!("{x},{y}")).collect();
    Ok(Html(html(&DurationsPage {
        frame: Frame::new(&request, Place::Dags, format!("Durations · {id}"), path),
        tabs: tabs(&id, def, "durations"),
        task: task.as_ref().map(|task| task.as_str().to_owned()).unwrap_or_default(),
        here,
        dots: taken.iter().enumerate().filter_map(dot).collect(),
        band,
        median: median.join(" "),
        changes: taken
            .iter()
            .enumerate()
            .filter(|(_, of)| of.is_changed)
            .map(|(at, _)| x(at) - WIDTH / (2 * count))
            .collect(),
        deadline: deadline.map(|millis| (y(millis), took(millis))),
        ticks: ticks(most).into_iter().map(|millis| (y(millis), took(millis))).collect(),
        from: taken.first().map(|of| clock.at(of.run.info.logical_date).text).unwrap_or_default(),
        to: taken.last().map(|of| clock.at(of.run.info.logical_date).text).unwrap_or_default(),
        rows: taken
            .iter()
            .rev()
            .map(|of| row(of, rollups.get(&of.run.number).map(|rollup| &**rollup), clock))
            .collect(),
        id,
    })))
}

/// Whether a deadline is about as long after the beginning of each run. One that is a time of day,
/// or after the logical date, is another duration in each.
fn is_duration(reference: DeadlineReference) -> bool {
    matches!(reference, DeadlineReference::Queued | DeadlineReference::Started | DeadlineReference::Slot)
}

impl Dot {
    /// Where it is, as an attribute of SVG.
    fn percent(&self) -> String {
        format!("{}.{}%", self.x / 10, self.x % 10)
    }

    /// A failure is larger, so that it is seen without its colour.
    fn radius(&self) -> u8 {
        if matches!(self.family, "bad" | "blocked") { 5 } else { 4 }
    }
}

fn row(of: &Taken<'_>, rollup: Option<&Rollup>, clock: &Clock) -> DurationRow {
    let waited = rollup.and_then(Rollup::started).map(|started| millis(started.since(of.run.created)));
    DurationRow {
        mark: Mark::of(of.state),
        run: of.run.number,
        href: address::run(of.run.number),
        about: clock.at(of.run.info.logical_date),
        took: of.millis.map(took).unwrap_or_default(),
        waited: waited.filter(|&waited| waited >= 1_000).map(took).unwrap_or_default(),
        median: of.usual.map(|(median, _)| took(median)).unwrap_or_default(),
        p95: of.usual.map(|(_, p95)| took(p95)).unwrap_or_default(),
        note: if of.is_changed { "the graph changed" } else { "" },
    }
}

/// The state and the duration of a task in a run: of the elements of a list, the longest.
fn duration_of(rollup: Option<&Rollup>, task: &TaskKey) -> Option<(&'static str, Option<u64>)> {
    let rollup = rollup?;
    let node = rollup.node(task.as_str())?;
    let states = rollup.states(node).iter();
    let worst = states.min_by_key(|state| Mark::of(state.name()).urgency()).copied().unwrap_or(TaskState::None);
    let millis = node.tasks.clone().filter_map(|at| rollup.task(at).took).max();
    Some((worst.name(), millis.map(u64::from)))
}

/// The median and the 95th percentile of the runs that succeeded.
fn usual(last: &[Taken<'_>]) -> Option<(u64, u64)> {
    let mut all: Vec<u64> = last.iter().filter(|of| of.state == "success").filter_map(|of| of.millis).collect();
    all.sort_unstable();
    let percentile = |percent: usize| all.get((all.len() * percent).div_ceil(100).max(1) - 1).copied();
    Some((percentile(50)?, percentile(95)?))
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Up to four round durations.
fn ticks(most: u64) -> Vec<u64> {
    const STEPS: [u64; 22] = [
        1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000,
        1_800_000, 3_600_000, 7_200_000, 21_600_000,
    ];
    let step = STEPS.into_iter().find(|step| most / step <= 4).unwrap_or(most.div_ceil(4));
    (1..=most / step).map(|at| at * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks(118_000), [30_000, 60_000, 90_000]);
        for most in [1, 7, 900, 61_000, 900_000_000] {
            assert!((1..=5).contains(&ticks(most).len()), "{most}: {:?}", ticks(most));
        }
    }
}
