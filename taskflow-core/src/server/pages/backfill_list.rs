//! The backfills of a home, and what all pages about them share.

use askama::Template;
use axum::extract::Path;
use axum::response::Html;

use super::address;
use super::backfill_form::has_slots;
use super::command::Program;
use super::dag::{Tab, find, tabs};
use super::escape::html;
use super::failures::some;
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::reply::{Page, request};
use super::times::{Clock, Moment};
use crate::ops::accounts::Right;
use crate::ops::{self, BackfillStatus};
use crate::server::auth::Visitor;
use crate::server::keys::DagKey;

/// How many backfills the list has.
const BACKFILLS: u32 = 100;

#[derive(Debug, Template)]
#[template(path = "backfill_list.html")]
struct BackfillListPage {
    frame: Frame,
    heading: String,
    /// The views of the DAG, if the list is that of one.
    tabs: Vec<Tab>,
    /// The form that starts one, for those who may.
    start: String,
    rows: Vec<BackfillRow>,
    command: String,
}

/// A backfill in short.
#[derive(Debug)]
pub(super) struct BackfillRow {
    pub(super) mark: Mark,
    pub(super) number: i64,
    pub(super) href: String,
    pub(super) dag: String,
    pub(super) phase: &'static str,
    /// From which slot to which.
    pub(super) span: String,
    pub(super) parts: Vec<Part>,
    pub(super) progress: String,
    pub(super) updated: Moment,
}

/// A part of the bar of progress, in thousandths.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) class: &'static str,
    pub(super) x: u64,
    pub(super) width: u64,
}

pub(super) async fn list(state: Visitor) -> Page {
    let as_of = state.streams.place();
    let request = request(None);
    let visible = state.visible().await?;
    let limit = visible.has_all().then_some(BACKFILLS);
    let mut backfills = ops::list_backfills(&state.journal, None, None, limit).await?;
    backfills.retain(|backfill| visible.has(&backfill.dag_id));
    backfills.truncate(BACKFILLS as usize);
    let rows = backfills.iter().map(|backfill| row(backfill, &request.clock)).collect();
    let frame =
        Frame::new(&request, Place::Backfills, "Backfills", vec![Crumb::here("Backfills")]).live("backfills", as_of);
    let command = Program::of(&state.home).line(&["backfill", "DAG", "2026-01-01/2026-01-31"]);
    let heading = "Backfills".to_owned();
    Ok(Html(html(&BackfillListPage { frame, heading, tabs: Vec::new(), start: String::new(), rows, command })))
}

/// Those of one DAG.
pub(super) async fn of_dag(state: Visitor, Path(dag): Path<String>) -> Page {
    let as_of = state.streams.place();
    let (status, def) = find(&state, &DagKey::parse(dag)?).await?;
    let (id, request) = (status.dag_id, request(status.timezone.as_deref()));
    let backfills = ops::list_backfills(&state.journal, Some(&id), None, Some(BACKFILLS)).await?;
    let path = vec![Crumb::link("DAGs", "/dags"), Crumb::link(id.clone(), address::dag(&id)), Crumb::here("Backfills")];
    let frame = Frame::new(&request, Place::Dags, format!("Backfills · {id}"), path);
    let may_start = def.is_some_and(has_slots) && !state.options.read_only && state.may(Right::Operate, &id);
    Ok(Html(html(&BackfillListPage {
        frame: frame.live("backfills", as_of),
        tabs: tabs(&id, def, "backfills"),
        start: if may_start { address::dag(&id) + "/backfill" } else { String::new() },
        rows: backfills.iter().map(|backfill| row(backfill, &request.clock)).collect(),
        command: Program::of(&state.home).line(&["backfill", &id, "2026-01-01/2026-01-31"]),
        heading: id,
    })))
}

pub(super) fn row(backfill: &BackfillStatus, clock: &Clock) -> BackfillRow {
    let counts = &backfill.counts;
    let left: u64 = counts.left.values().sum();
    let mark = match backfill.phase.name() {
        "active" => "running",
        "paused" => "deferred",
        "cancelled" => "cancelled",
        _ if counts.failed > 0 => "failed",
        _ => "success",
    };
    let parts = parts(
        backfill.slots,
        &[
            ("ok", counts.success),
            ("bad", counts.failed),
            ("other", counts.cancelled + counts.dropped + left),
            ("run", backfill.active.len() as u64),
        ],
    );
    let failed = if counts.failed > 0 { format!(", {} failed", counts.failed) } else { String::new() };
    BackfillRow {
        mark: Mark::of(mark),
        number: backfill.number,
        href: address::backfill(backfill.number),
        dag: backfill.dag_id.clone(),
        phase: backfill.phase.name(),
        span: span(backfill, clock),
        parts,
        progress: format!(
            "{} of {} slots{failed}",
            backfill.slots - backfill.pending.min(backfill.slots),
            backfill.slots
        ),
        updated: clock.at(backfill.updated),
    }
}

/// The parts of a bar: how many of a whole have a class each.
pub(super) fn parts(whole: u64, of: &[(&'static str, u64)]) -> Vec<Part> {
    let (mut parts, mut x) = (Vec::new(), 0);
    for &(class, count) in of.iter().filter(|(_, count)| *count > 0) {
        let width = (count.saturating_mul(1000) / whole.max(1)).clamp(4, 1000);
        parts.push(Part { class, x, width });
        x += width;
    }
    parts
}

/// The ranges of a backfill.
pub(super) fn span(backfill: &BackfillStatus, clock: &Clock) -> String {
    let ranges = backfill.ranges.iter().map(|range| match range.from == range.to {
        true => clock.at(range.from).text,
        false => format!("{} to {}", clock.at(range.from).text, clock.at(range.to).text),
    });
    some(&ranges.collect::<Vec<_>>())
}
