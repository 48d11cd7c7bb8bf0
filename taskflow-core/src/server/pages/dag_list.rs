//! The list of DAGs, by pages: a program may have a thousand.

use std::collections::{BTreeSet, HashMap, HashSet};

use askama::Template;
use axum::extract::Query;
use axum::response::Html;

use super::address;
use super::escape::html;
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::reply::{Asked, Page, asked, request};
use super::strip::{self, Strip, typical};
use super::times::{Clock, Moment, took};
use crate::journal::RunSummary;
use crate::ops::accounts::Right;
use crate::ops::{self, DagStatus, OpsError};
use crate::run::RunType;
use crate::server::auth::Visitor;

/// How many DAGs a page has.
const DAGS: usize = 100;

#[derive(Debug, Template)]
#[template(path = "dag_list.html")]
struct DagListPage {
    frame: Frame,
    rows: Vec<DagRow>,
    /// What is shown, with the number of DAGs: all, failed, running, paused.
    filters: Vec<Filter>,
    text: String,
    show: String,
    is_filtered: bool,
    /// Whether DAGs can be selected, to pause them.
    can_change: bool,
    /// `101 to 200 of 1000 DAGs`; empty if one page has them all.
    pages: String,
    previous: String,
    next: String,
}

/// A choice of what is shown.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) words: String,
    pub(crate) count: Option<usize>,
    pub(crate) href: String,
    pub(crate) is_chosen: bool,
}

#[derive(Debug)]
struct DagRow {
    id: String,
    can_select: bool,
    href: String,
    /// The schedule in words, or what its runs wait for.
    schedule: String,
    next: Option<Moment>,
    /// `paused by kim`, `3 events pending`, `removed from the program`.
    note: String,
    note_class: &'static str,
    strip: Strip,
    /// The address of all its runs.
    runs: String,
    last: Option<LastRow>,
    usual: String,
}

#[derive(Debug)]
struct LastRow {
    mark: Mark,
    href: String,
    at: Moment,
}

/// The choices: the name in the address, and words.
const CHOICES: [(&str, &str); 5] =
    [("", "All"), ("failed", "Last run failed"), ("active", "Active"), ("paused", "Paused"), ("gone", "Removed")];

/// Whether a schedule or events start its runs: others cannot be paused, nor can those that the
/// program does not have any more.
pub(super) fn starts_by_itself(dag: &DagStatus) -> bool {
    !dag.is_gone && (dag.schedule.is_some() || !dag.consumes.is_empty())
}

/// Which DAGs a list has.
#[derive(Clone, Copy, Debug)]
pub(super) struct DagFilter<'q> {
    /// What is in their ids.
    pub(super) text: &'q str,
    /// One of the choices.
    pub(super) show: &'q str,
}

impl DagFilter<'_> {
    /// Whether it leaves no DAG out.
    pub(super) fn is_all(&self) -> bool {
        self.text.is_empty() && self.show.is_empty()
    }
}

/// The DAGs that the visitor may see, and which of them have a run that is queued or running.
pub(super) struct SeenDags {
    pub(super) dags: Vec<DagStatus>,
    active: BTreeSet<String>,
}

impl SeenDags {
    pub(super) async fn of(state: &Visitor) -> Result<SeenDags, OpsError> {
        let mut dags = ops::dags(Some(&state.journal), &state.dags).await?;
        dags.retain(|dag| state.may(Right::View, &dag.dag_id));
        let active = ops::active_runs(&state.journal, None, &RunType::ALL, &HashSet::new()).await?;
        Ok(SeenDags { dags, active: active.into_keys().collect() })
    }

    pub(super) fn is_active(&self, dag: &DagStatus) -> bool {
        self.active.contains(&dag.dag_id)
    }

    /// Whether a list with this filter has the DAG.
    pub(super) fn shows(&self, filter: &DagFilter<'_>, dag: &DagStatus) -> bool {
        self.has(filter.show, dag) && dag.dag_id.to_lowercase().contains(&filter.text.to_lowercase())
    }

    fn has(&self, choice: &str, dag: &DagStatus) -> bool {
        let family = || dag.last_run.as_ref().map(|run| Mark::of(run.state.name()).family);
        match choice {
            "" => true,
            "failed" => matches!(family(), Some("bad" | "blocked")),
            "active" => self.is_active(dag),
            "paused" => dag.pause.is_some(),
            "gone" => dag.is_gone,
            _ => false,
        }
    }
}

/// The last runs of some DAGs, the newest first.
pub(super) async fn recent(
    state: &Visitor,
    dags: impl Iterator<Item = &DagStatus>,
) -> Result<HashMap<String, Vec<RunSummary>>, OpsError> {
    let with_runs: Vec<&str> = dags.filter(|dag| dag.last_run.is_some()).map(|dag| &*dag.dag_id).collect();
    Ok(state.journal.last_runs_of(&with_runs, strip::RUNS).await?)
}

pub(super) async fn show(state: Visitor, Query(query): Asked) -> Page {
    let as_of = state.streams.place();
    let request = request(None);
    let (text, show, after) = (asked(&query, "q"), asked(&query, "show"), asked(&query, "after"));
    let seen = SeenDags::of(&state).await?;
    let filters = CHOICES.iter().map(|&(choice, words)| Filter {
        words: words.to_owned(),
        count: Some(seen.dags.iter().filter(|dag| seen.has(choice, dag)).count()),
        href: address::with("/dags", &[("show", choice), ("q", text)]),
        is_chosen: choice == show,
    });
    let filters =
        filters.filter(|filter| filter.is_chosen || filter.words == "All" || filter.count != Some(0)).collect();
    let filter = DagFilter { text, show };
    let is_shown = |dag: &&DagStatus| seen.shows(&filter, dag);
    let shown: Vec<&DagStatus> = seen.dags.iter().filter(is_shown).collect();
    // The DAG may have left the filter: its place is that among all.
    let passed = seen.dags.iter().position(|dag| dag.dag_id == after).map_or(0, |place| place + 1);
    let first = Some(seen.dags[..passed].iter().filter(is_shown).count()).filter(|&first| first < shown.len());
    let first = first.unwrap_or(0);
    let last = (first + DAGS).min(shown.len());
    let of_page = &shown[first..last];
    let runs = recent(&state, of_page.iter().copied()).await?;
    let may_pause =
        |dag: &DagStatus| !state.options.read_only && starts_by_itself(dag) && state.may(Right::Operate, &dag.dag_id);
    let rows = of_page.iter().map(|dag| DagRow {
        can_select: may_pause(dag),
        ..row(dag, runs.get(&dag.dag_id).map_or(&[], Vec::as_slice), &request.clock)
    });
    let rows: Vec<DagRow> = rows.collect();
    // The page after a number of DAGs.
    let page = |passed: usize| {
        let after = passed.checked_sub(1).map_or("", |last| &*shown[last].dag_id);
        address::with("/dags", &[("show", show), ("q", text), ("after", after)])
    };
    let pages = match shown.len() {
        all if all > DAGS => format!("{} to {last} of {all} DAGs", first + 1),
        _ => String::new(),
    };
    let (previous, next) = (
        if first > 0 { page(first.saturating_sub(DAGS)) } else { String::new() },
        if last < shown.len() { page(last) } else { String::new() },
    );
    let path = vec![Crumb::here("DAGs")];
    Ok(Html(html(&DagListPage {
        frame: Frame::new(&request, Place::Dags, "DAGs", path).live("runs,dags", as_of),
        can_change: rows.iter().any(|row| row.can_select),
        rows,
        filters,
        text: text.to_owned(),
        show: show.to_owned(),
        is_filtered: !filter.is_all(),
        pages,
        previous,
        next,
    })))
}

fn row(dag: &DagStatus, runs: &[RunSummary], clock: &Clock) -> DagRow {
    let (note, note_class) = match (&dag.error, &dag.pause, dag.pending_events) {
        (Some(error), ..) => (error.clone(), "bad-text"),
        (None, Some(pause), _) if pause.reason.is_empty() => (format!("Paused by {}", pause.by), "soft"),
        (None, Some(pause), _) => (format!("Paused by {}: {}", pause.by, pause.reason), "soft"),
        (None, None, Some(1)) => ("1 event pending".to_owned(), "soft"),
        (None, None, Some(events)) if events > 0 => (format!("{events} events pending"), "soft"),
        _ if dag.is_gone => ("Not in this program any more".to_owned(), "soft"),
        _ => (String::new(), "soft"),
    };
    let schedule = match (&dag.schedule, dag.consumes.as_slice()) {
        (Some(schedule), _) => schedule.clone(),
        (None, []) => String::new(),
        (None, assets) => format!("on events of {}", assets.join(", ")),
    };
    DagRow {
        id: dag.dag_id.clone(),
        can_select: false,
        href: address::dag(&dag.dag_id),
        schedule,
        next: dag.next.filter(|_| dag.pause.is_none()).map(|next| clock.at(next)),
        note,
        note_class,
        strip: Strip::of(runs, clock),
        runs: address::with("/runs", &[("dag", &dag.dag_id)]),
        last: runs.first().map(|run| LastRow {
            mark: Mark::of(run.state.name()),
            href: address::run(run.number),
            at: clock.at(run.ended.unwrap_or(run.created)),
        }),
        usual: typical(runs).map(took).unwrap_or_default(),
    }
}
