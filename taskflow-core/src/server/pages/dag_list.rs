//! The list of DAGs.

use askama::Template;
use axum::extract::Query;
use axum::response::Html;

use super::address;
use super::escape::html;
use super::frame::{Crumb, Frame, Place};
use super::home::{Recent, recent};
use super::marks::Mark;
use super::reply::{Asked, Page, asked, request};
use super::strip::{Strip, typical};
use super::times::{Clock, Moment, took};
use crate::server::auth::Visitor;

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
    href: String,
    /// The schedule in words, or what its runs wait for.
    schedule: String,
    next: Option<Moment>,
    /// `paused by kim`, `3 events pending`, `removed from the program`.
    note: String,
    note_class: &'static str,
    strip: Strip,
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

fn is_in(choice: &str, of: &Recent) -> bool {
    match choice {
        "" => true,
        "failed" => of.runs.first().is_some_and(|run| matches!(Mark::of(run.state.name()).family, "bad" | "blocked")),
        "active" => of.runs.iter().any(|run| matches!(run.state.name(), "running" | "queued")),
        "paused" => of.dag.pause.is_some(),
        "gone" => of.dag.is_gone,
        _ => false,
    }
}

pub(super) async fn show(state: Visitor, Query(query): Asked) -> Page {
    let as_of = state.streams.place();
    let request = request(None);
    let (text, show) = (asked(&query, "q"), asked(&query, "show"));
    let all = recent(&state).await?;
    let filters = CHOICES.iter().map(|&(choice, words)| Filter {
        words: words.to_owned(),
        count: Some(all.iter().filter(|of| is_in(choice, of)).count()),
        href: address::with("/dags", &[("show", choice), ("q", text)]),
        is_chosen: choice == show,
    });
    let filters =
        filters.filter(|filter| filter.is_chosen || filter.words == "All" || filter.count != Some(0)).collect();
    let is_shown = |of: &&Recent| is_in(show, of) && of.dag.dag_id.to_lowercase().contains(&text.to_lowercase());
    let rows = all.iter().filter(is_shown).map(|of| row(of, &request.clock)).collect();
    let path = vec![Crumb::here("DAGs")];
    Ok(Html(html(&DagListPage {
        frame: Frame::new(&request, Place::Dags, "DAGs", path).live("runs,dags", as_of),
        rows,
        filters,
        text: text.to_owned(),
        show: show.to_owned(),
        is_filtered: !(text.is_empty() && show.is_empty()),
    })))
}

fn row(Recent { dag, runs }: &Recent, clock: &Clock) -> DagRow {
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
        href: address::dag(&dag.dag_id),
        schedule,
        next: dag.next.filter(|_| dag.pause.is_none()).map(|next| clock.at(next)),
        note,
        note_class,
        strip: Strip::of(runs, clock),
        last: runs.first().map(|run| LastRow {
            mark: Mark::of(run.state.name()),
            href: address::run(run.number),
            at: clock.at(run.ended.unwrap_or(run.created)),
        }),
        usual: typical(runs).map(took).unwrap_or_default(),
    }
}
