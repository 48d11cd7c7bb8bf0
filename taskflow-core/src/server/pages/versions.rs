//! The versions of a DAG: which runs had which graph, and what changed.

use askama::Template;
use axum::extract::Path;
use axum::response::Html;

use super::address;
use super::dag::{Tab, find, tabs};
use super::escape::html;
use super::frame::{Crumb, Frame, Place};
use super::reply::{Page, request};
use super::times::{Clock, Moment};
use crate::ops::{self, DagVersion};
use crate::server::auth::Visitor;
use crate::server::keys::DagKey;

/// How many changes of a version are shown.
const CHANGES: usize = 200;

#[derive(Debug, Template)]
#[template(path = "versions.html")]
struct VersionsPage {
    frame: Frame,
    id: String,
    tabs: Vec<Tab>,
    rows: Vec<VersionRow>,
}

#[derive(Debug)]
struct VersionRow {
    hash: String,
    is_present: bool,
    tasks: String,
    /// `12 runs`.
    runs: String,
    first: Option<(i64, String)>,
    last: Option<(i64, String)>,
    since: Option<Moment>,
    until: Option<Moment>,
    builds: String,
    changes: Vec<Change>,
    more: usize,
}

/// A line of a difference.
#[derive(Debug)]
struct Change {
    class: &'static str,
    text: String,
}

pub(super) async fn show(state: Visitor, Path(dag): Path<String>) -> Page {
    let as_of = state.streams.place();
    let (status, def) = find(&state, &DagKey::parse(dag)?).await?;
    let request = request(status.timezone.as_deref());
    let versions = ops::versions(&state.journal, &status.dag_id, def).await?;
    let path = vec![
        Crumb::link("DAGs", "/dags"),
        Crumb::link(status.dag_id.clone(), address::dag(&status.dag_id)),
        Crumb::here("Versions"),
    ];
    let title = format!("Versions of {}", status.dag_id);
    Ok(Html(html(&VersionsPage {
        frame: Frame::new(&request, Place::Dags, title, path).live(format!("dag:{}", status.dag_id), as_of),
        rows: versions.iter().map(|version| row(version, &request.clock)).collect(),
        tabs: tabs(&status.dag_id, def, "versions"),
        id: status.dag_id,
    })))
}

fn row(version: &DagVersion, clock: &Clock) -> VersionRow {
    let link = |run: i64| (run, address::run(run));
    let class = |line: &str| match line.chars().next() {
        Some('+') => "added",
        Some('-') => "gone",
        _ => "changed",
    };
    let shown = version.changes.iter().take(CHANGES);
    let builds: Vec<&str> = version.builds.iter().map(|build| build.get(..12).unwrap_or(build)).collect();
    VersionRow {
        hash: version.graph.get(..12).unwrap_or(&version.graph).to_owned(),
        is_present: version.is_present,
        tasks: match version.tasks {
            Some(1) => "1 task".to_owned(),
            Some(tasks) => format!("{tasks} tasks"),
            None => String::new(),
        },
        runs: match version.runs {
            0 => "no run yet".to_owned(),
            1 => "1 run".to_owned(),
            runs => format!("{runs} runs"),
        },
        first: version.first_run.map(link),
        last: version.last_run.filter(|_| version.runs > 1).map(link),
        since: version.since.map(|at| clock.at(at)),
        until: version.until.filter(|_| version.runs > 1).map(|at| clock.at(at)),
        builds: builds.join(", "),
        changes: shown.map(|line| Change { class: class(line), text: line.clone() }).collect(),
        more: version.changes.len().saturating_sub(CHANGES),
    }
}
