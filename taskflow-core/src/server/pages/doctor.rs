//! What keeps the home from working.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Html;

use super::escape::{Sentence, html};
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::reply::{Page, request};
use crate::ops::accounts::Right;
use crate::ops::{self, Severity};
use crate::server::auth::Visitor;
use crate::server::problem::Problem;

/// The mark of what is no problem, and good to know.
const NOTICE: Mark = Mark { family: "wait", glyph: "dash", words: "notice", hollow: false };

#[derive(Debug, Template)]
#[template(path = "doctor.html")]
struct DoctorPage {
    frame: Frame,
    problems: usize,
    rows: Vec<FindingRow>,
}

#[derive(Debug)]
struct FindingRow {
    mark: Mark,
    message: Sentence,
    next: Option<Sentence>,
}

pub(super) async fn show(state: Visitor) -> Page {
    // It names files of this machine.
    state.check_everywhere(Right::Admin)?;
    let request = request(None);
    // The checks read files and may ask timetables: not on a thread that answers.
    let runtime = tokio::runtime::Handle::current();
    let examine = move || runtime.block_on(ops::doctor(&state.home, &state.dags));
    let failed = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the checks have failed");
    let diagnosis = tokio::task::spawn_blocking(examine).await.map_err(failed)?;
    let mut findings = diagnosis.findings;
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let rows = findings.iter().map(|finding| FindingRow {
        mark: match finding.severity {
            Severity::Ok => Mark::of("success"),
            Severity::Notice => NOTICE,
            Severity::Problem => Mark::of("failed"),
        },
        message: Sentence::new(&finding.message),
        next: finding.next_step.as_deref().map(Sentence::new),
    });
    Ok(Html(html(&DoctorPage {
        frame: Frame::new(&request, Place::Doctor, "Doctor", vec![Crumb::here("Doctor")]),
        problems: findings.iter().filter(|finding| finding.severity == Severity::Problem).count(),
        rows: rows.collect(),
    })))
}
