//! Deadlines: those to come and whether they will be met, those that were missed and who was told,
//! and the notifications that could not be delivered.

use askama::Template;
use axum::response::Html;

use super::address;
use super::escape::html;
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::reply::{Page, request};
use super::times::{Clock, Moment, took, took_for};
use crate::base::text::bounded;
use crate::ops::{self, DueDeadline, FailedDelivery, MissedSlotDeadline};
use crate::server::api::approvals::seen_deliveries;
use crate::server::auth::Visitor;

/// How many deliveries are shown, and the most bytes of an error.
const DELIVERIES: u32 = 50;
const ERROR: usize = 300;

#[derive(Debug, Template)]
#[template(path = "deadline_list.html")]
struct DeadlineListPage {
    frame: Frame,
    due: Vec<DueRow>,
    missed: Vec<MissedRow>,
    deliveries: Vec<DeliveryRow>,
    /// Whether any DAG has a deadline.
    has_any: bool,
}

#[derive(Debug)]
struct DueRow {
    mark: Mark,
    /// `likely`, `unlikely`, `no run yet`.
    outlook: &'static str,
    dag: String,
    href: String,
    rule: String,
    slot: Moment,
    due: Moment,
    expected: Option<Moment>,
    /// `usually 2 m 10 s, of 20 runs`.
    usual: String,
    standing: String,
    run_href: String,
}

#[derive(Debug)]
struct MissedRow {
    dag: String,
    href: String,
    /// `1 slot`, `3 slots`.
    slots: String,
    last: Moment,
    due: Moment,
    /// How long after the deadline the service noticed it.
    reason: String,
    run: Option<i64>,
    run_href: String,
    notified: Notified,
}

/// Who was notified of a missed deadline.
#[derive(Debug)]
struct Notified {
    mark: Option<Mark>,
    words: String,
    error: String,
}

#[derive(Debug)]
struct DeliveryRow {
    mark: Mark,
    dag: String,
    run: i64,
    href: String,
    notification: String,
    callback: String,
    attempts: String,
    at: Moment,
    next: String,
    error: String,
}

pub(super) async fn show(state: Visitor) -> Page {
    let as_of = state.streams.place();
    let request = request(None);
    let clock = &request.clock;
    let dags = state.seen_dags();
    let list = ops::deadlines(&state.journal, &dags).await?;
    let deliveries = seen_deliveries(&state, DELIVERIES).await?;
    let path = vec![Crumb::here("Deadlines")];
    Ok(Html(html(&DeadlineListPage {
        frame: Frame::new(&request, Place::Deadlines, "Deadlines", path).live("runs,dags", as_of),
        has_any: dags.iter().any(|dag| dag.options.deadline.is_some()),
        due: list.due.iter().map(|due| due_row(due, clock)).collect(),
        missed: list.missed.iter().map(|missed| missed_row(missed, clock)).collect(),
        deliveries: deliveries.iter().map(|delivery| delivery_row(delivery, clock)).collect(),
    })))
}

fn due_row(due: &DueDeadline, clock: &Clock) -> DueRow {
    let (mark, outlook) = match due.is_likely {
        Some(true) => ("success", "likely met"),
        Some(false) => ("upstream_failed", "unlikely to be met"),
        None => ("none", "no run has succeeded yet"),
    };
    let usual = due.usual_seconds.map(|seconds| {
        let runs = if due.of_runs == 1 { "the last run".to_owned() } else { format!("{} runs", due.of_runs) };
        format!("median of {runs}: {}", took((seconds * 1_000.0) as u64))
    });
    DueRow {
        mark: Mark::of(mark),
        outlook,
        dag: due.dag_id.clone(),
        href: address::dag(&due.dag_id),
        rule: due.rule.clone(),
        slot: clock.at(due.slot),
        due: clock.at(due.deadline),
        expected: due.expected.map(|expected| clock.at(expected)),
        usual: usual.unwrap_or_default(),
        standing: due.standing.clone(),
        run_href: due.run.map(address::run).unwrap_or_default(),
    }
}

fn missed_row(row: &MissedSlotDeadline, clock: &Clock) -> MissedRow {
    let missed = &row.missed;
    MissedRow {
        dag: row.dag_id.clone(),
        href: address::dag(&row.dag_id),
        slots: if missed.count > 1 { format!("{} slots, the last", missed.count) } else { String::new() },
        last: clock.at(missed.last),
        due: clock.at(missed.deadline),
        reason: missed.reason.clone(),
        run: missed.run,
        run_href: missed.run.map(address::run).unwrap_or_default(),
        notified: notified(row, clock),
    }
}

fn notified(row: &MissedSlotDeadline, clock: &Clock) -> Notified {
    let missed = &row.missed;
    let Some(callback) = &row.callback else {
        let words = "nobody: the DAG has no on_deadline_missed".to_owned();
        return Notified { mark: None, words, error: String::new() };
    };
    if row.is_told {
        let late = took_for(missed.noticed.since(missed.deadline));
        let words = format!("{callback}, noticed after {late}");
        return Notified { mark: Some(Mark::of("success")), words, error: String::new() };
    }
    let tries = match missed.attempts {
        0 => "not yet".to_owned(),
        1 => "1 try failed".to_owned(),
        tries => format!("{tries} tries failed"),
    };
    let next = missed.retry_at.map(|at| format!(", next {}", clock.at(at).relative)).unwrap_or_default();
    let mark = Mark::of(if missed.attempts == 0 { "queued" } else { "up_for_retry" });
    let error = bounded(missed.error.as_deref().unwrap_or_default(), ERROR).into_owned();
    Notified { mark: Some(mark), words: format!("{callback}: {tries}{next}"), error }
}

fn delivery_row(row: &FailedDelivery, clock: &Clock) -> DeliveryRow {
    let delivery = &row.delivery;
    DeliveryRow {
        mark: Mark::of(if delivery.next.is_some() { "up_for_retry" } else { "failed" }),
        dag: row.dag_id.clone(),
        run: row.number,
        href: address::run(row.number),
        notification: delivery.notification.clone(),
        callback: delivery.callback.clone(),
        attempts: if delivery.attempts == 1 { "1 try".to_owned() } else { format!("{} tries", delivery.attempts) },
        at: clock.at(delivery.at),
        next: match delivery.next {
            Some(next) => format!("next {}", clock.at(next).relative),
            None => "given up".to_owned(),
        },
        error: bounded(delivery.error.as_deref().unwrap_or_default(), ERROR).into_owned(),
    }
}
