//! The questions that tasks ask people now.

use askama::Template;
use axum::response::Html;

use super::address;
use super::escape::{Sentence, html};
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::reply::{Page, request};
use super::times::Moment;
use crate::base::text::bounded;
use crate::ops::accounts::Right;
use crate::server::api::approvals::seen_approvals;
use crate::server::auth::Visitor;

/// The most bytes of a question in the list.
const QUESTION: usize = 400;

#[derive(Debug, Template)]
#[template(path = "approval_list.html")]
struct ApprovalListPage {
    frame: Frame,
    rows: Vec<ApprovalRow>,
}

#[derive(Debug)]
struct ApprovalRow {
    mark: Mark,
    question: String,
    href: String,
    dag: String,
    dag_href: String,
    run: i64,
    run_href: String,
    task: String,
    about: Moment,
    since: Moment,
    /// What happens first without an answer, and when.
    deadline: Option<(Moment, String)>,
    /// Who may answer, unless it is everybody who may operate the DAG.
    who: Option<Sentence>,
    /// Whether the visitor may.
    may_answer: bool,
}

pub(super) async fn show(state: Visitor) -> Page {
    let as_of = state.streams.place();
    let request = request(None);
    let clock = &request.clock;
    let rows = seen_approvals(&state).await?.into_iter().map(|asked| ApprovalRow {
        mark: Mark::of("deferred"),
        who: (!asked.respondents.is_everybody()).then(|| Sentence::new(&asked.respondents.in_words())),
        may_answer: !state.options.read_only
            && state.may(Right::Operate, &asked.dag_id)
            && state.principal().may_answer(&asked.respondents, &asked.requested_by),
        question: bounded(asked.question.trim(), QUESTION).into_owned(),
        href: address::approval(asked.number, &asked.task),
        dag_href: address::dag(&asked.dag_id),
        dag: asked.dag_id,
        run: asked.number,
        run_href: address::run(asked.number),
        task: asked.task,
        about: clock.at(asked.logical_date),
        since: clock.at(asked.since),
        deadline: asked.deadlines.into_iter().next().map(|deadline| (clock.at(deadline.at), deadline.then)),
    });
    let rows: Vec<ApprovalRow> = rows.collect();
    let path = vec![Crumb::here("Approvals")];
    let mut frame = Frame::new(&request, Place::Approvals, "Approvals", path).live("runs", as_of);
    if !rows.is_empty() {
        frame.title = format!("({}) {}", rows.len(), frame.title);
    }
    Ok(Html(html(&ApprovalListPage { frame, rows })))
}
