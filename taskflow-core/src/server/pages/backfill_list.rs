//! Backfills.

use askama::Template;
use axum::extract::Path;
use axum::response::Html;

use super::address;
use super::command::Program;
use super::escape::html;
use super::failures::some;
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::reply::{Page, not_found, request};
use super::run_facts::{Event, Fact};
use super::times::{Clock, Moment};
use crate::ops::{self, BackfillStatus};
use crate::server::auth::Visitor;
use crate::server::permit::{Permit, View};

/// How many backfills the list has.
const BACKFILLS: u32 = 100;

#[derive(Debug, Template)]
#[template(path = "backfill_list.html")]
struct BackfillListPage {
    frame: Frame,
    rows: Vec<BackfillRow>,
    command: String,
}

#[derive(Debug)]
struct BackfillRow {
    mark: Mark,
    number: i64,
    href: String,
    dag: String,
    phase: &'static str,
    /// From which slot to which.
    span: String,
    parts: Vec<Part>,
    progress: String,
    updated: Moment,
}

/// A part of the bar of progress, in thousandths.
#[derive(Debug)]
struct Part {
    class: &'static str,
    x: u64,
    width: u64,
}

pub(super) async fn list(state: Visitor) -> Page {
    let as_of = state.streams.place();
    let request = request(None);
    let visible = state.visible().await?;
    let limit = visible.has_all().then_some(BACKFILLS);
    let mut backfills = ops::list_backfills(&state.journal, None, limit).await?;
    backfills.retain(|backfill| visible.has(&backfill.dag_id));
    backfills.truncate(BACKFILLS as usize);
    let rows = backfills.iter().map(|backfill| row(backfill, &request.clock)).collect();
    let frame =
        Frame::new(&request, Place::Backfills, "Backfills", vec![Crumb::here("Backfills")]).live("backfills", as_of);
    let command = Program::of(&state.home).line(&["backfill", "DAG", "2026-01-01/2026-01-31"]);
    Ok(Html(html(&BackfillListPage { frame, rows, command })))
}

#[derive(Debug, Template)]
#[template(path = "backfill.html")]
struct BackfillPage {
    frame: Frame,
    row: BackfillRow,
    trouble: String,
    facts: Vec<Fact>,
    active: Vec<Crumb>,
    failed: String,
    retry: String,
    events: Vec<Event>,
}

pub(super) async fn show(state: Visitor, Path(number): Path<String>) -> Page {
    let as_of = state.streams.place();
    let missing = || not_found(format!("There is no backfill `{number}`"));
    let parsed = number.parse::<i64>().map_err(|_| missing())?;
    let backfill = Permit::<View, _>::of_backfill(&state, parsed).await?.backfill();
    let request = request(Some(backfill.timezone));
    let clock = &request.clock;
    let active = backfill.active.iter().map(|run| {
        let words =
            format!("{}{}", clock.at(run.slot).text, if run.blocks { ", which has to succeed first" } else { "" });
        match run.number {
            Some(number) => Crumb::link(words, address::run(number)),
            None => Crumb::link(words, address::with("/runs", &[("dag", &backfill.dag_id)])),
        }
    });
    let active = active.collect();
    let failed: Vec<String> = backfill.failed.iter().map(|slot| clock.at(*slot).text).collect();
    let events = backfill.history.iter().map(|action| {
        let at = clock.at(action.at);
        let what = format!("{} by {}", action.what, action.by);
        Event { at: at.text, relative: at.full, iso: at.iso, what, detail: action.reason.clone() }
    });
    let path = vec![Crumb::link("Backfills", "/backfills"), Crumb::here(format!("Backfill {parsed}"))];
    let title = format!("Backfill {parsed} · {}", backfill.dag_id);
    Ok(Html(html(&BackfillPage {
        frame: Frame::new(&request, Place::Backfills, title, path).live("backfills,runs", as_of),
        row: row(&backfill, clock),
        trouble: backfill.trouble.clone().unwrap_or_default(),
        facts: facts(&backfill),
        active,
        failed: some(&failed),
        retry: Program::of(&state.home).line(&["backfills", "retry", &number]),
        events: events.collect(),
    })))
}

fn facts(backfill: &BackfillStatus) -> Vec<Fact> {
    let mut facts = vec![
        Fact::new("DAG", backfill.dag_id.clone()).to(address::dag(&backfill.dag_id)),
        Fact::new("Slots", backfill.slots.to_string()).hint(format!("{} not decided", backfill.pending)),
        Fact::new("At once", backfill.limit.to_string()),
        Fact::new("Succeeded", backfill.counts.success.to_string()),
        Fact::new("Failed", backfill.counts.failed.to_string()),
    ];
    for (why, count) in &backfill.counts.left {
        facts.push(Fact::new("Left alone", count.to_string()).hint(why.describe()));
    }
    let params = backfill.params.iter().map(|(name, texts)| format!("{name}={}", texts.join(",")));
    let params: Vec<String> = params.collect();
    if !params.is_empty() {
        facts.push(Fact::new("Parameters", params.join(" ")));
    }
    facts
}

fn row(backfill: &BackfillStatus, clock: &Clock) -> BackfillRow {
    let counts = &backfill.counts;
    let left: u64 = counts.left.values().sum();
    let mark = match backfill.phase.name() {
        "active" => "running",
        "paused" => "deferred",
        "cancelled" => "cancelled",
        _ if counts.failed > 0 => "failed",
        _ => "success",
    };
    let (mut parts, mut x) = (Vec::new(), 0);
    let whole = backfill.slots.max(1);
    let of = [
        ("ok", counts.success),
        ("bad", counts.failed),
        ("other", counts.cancelled + counts.dropped + left),
        ("run", backfill.active.len() as u64),
    ];
    for (class, count) in of.into_iter().filter(|(_, count)| *count > 0) {
        let width = (count * 1000 / whole).clamp(4, 1000);
        parts.push(Part { class, x, width });
        x += width;
    }
    let ranges = backfill.ranges.iter().map(|range| match range.from == range.to {
        true => clock.at(range.from).text,
        false => format!("{} to {}", clock.at(range.from).text, clock.at(range.to).text),
    });
    let ranges: Vec<String> = ranges.collect();
    let failed = if counts.failed > 0 { format!(", {} failed", counts.failed) } else { String::new() };
    BackfillRow {
        mark: Mark::of(mark),
        number: backfill.number,
        href: address::backfill(backfill.number),
        dag: backfill.dag_id.clone(),
        phase: backfill.phase.name(),
        span: some(&ranges),
        parts,
        progress: format!(
            "{} of {} slots{failed}",
            backfill.slots - backfill.pending.min(backfill.slots),
            backfill.slots
        ),
        updated: clock.at(backfill.updated),
    }
}
