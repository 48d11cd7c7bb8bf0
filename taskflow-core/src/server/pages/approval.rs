//! A question that a task asks people: what it is about, and the form that answers it.
//!
//! The page has an address for messages. Opening it changes nothing: an answer is sent with POST.

use askama::Template;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse};

use super::address;
use super::command::Program;
use super::escape::{Sentence, html};
use super::form::{Sent, Values, done};
use super::frame::{Crumb, Frame, Place};
use super::problem::sentence;
use super::reply::{Page, request};
use super::run_facts::Fact;
use super::times::Moment;
use crate::ops::accounts::Right;
use crate::ops::{self, AnswerForm, Approval};
use crate::server::acting::Acting;
use crate::server::api::approvals::hide_values;
use crate::server::auth::Visitor;
use crate::server::keys::{RunKey, TaskKey};
use crate::server::permit::{Operate, Permit, View};
use crate::server::problem::Problem;

#[derive(Debug, Template)]
#[template(path = "approval.html")]
struct ApprovalPage {
    frame: Frame,
    question: String,
    task: String,
    task_href: String,
    since: Moment,
    facts: Vec<Fact>,
    /// Who may answer.
    who: Sentence,
    about: Vec<Input>,
    deadlines: Vec<(Moment, String)>,
    /// Where the answer is sent; empty where there is no form, which `closed` says why.
    action: String,
    closed: &'static str,
    /// How it is answered.
    buttons: Vec<Button>,
    choices: Vec<String>,
    /// The type of the field, if the answer is typed in.
    ty: String,
    input: &'static str,
    help: String,
    typed: String,
    reason: String,
    error: String,
    command: String,
}

/// A value that the question is about.
#[derive(Debug)]
struct Input {
    task: String,
    href: String,
    ty: String,
    preview: String,
}

/// An answer as a button.
#[derive(Debug)]
struct Button {
    words: &'static str,
    value: &'static str,
    class: &'static str,
}

pub(super) async fn show(state: Visitor, Path((run, task)): Path<(String, String)>) -> Page {
    let as_of = state.streams.place();
    let (run, task) = (RunKey::parse(run)?, TaskKey::parse(task)?);
    let permit = Permit::<View, _>::of_run(&state, &run).await?;
    let mut approval = ops::approval(&state.journal, &state.dags, &permit.word(), task.as_str()).await?;
    hide_values(&state, &mut approval);
    let mut page = ApprovalPage::of(&state, &approval);
    page.frame = page.frame.live(format!("run:{}", approval.number), as_of);
    Ok(Html(html(&page)))
}

pub(super) async fn answer(
    state: Visitor,
    Acting(service): Acting,
    Path((run, task)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Sent {
    let (run, task) = (RunKey::parse(run)?, TaskKey::parse(task)?);
    let permit = Permit::<Operate, _>::of_run(&state, &run).await?;
    let values = Values::of(&headers, &body)?;
    let mut approval = ops::approval(&state.journal, &state.dags, &permit.word(), task.as_str()).await?;
    hide_values(&state, &mut approval);
    let refused = |problem: Problem| {
        let shown = problem.shown();
        let status = StatusCode::from_u16(shown.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
        let mut page = ApprovalPage::of(&state, &approval);
        page.error = sentence(&shown.detail);
        (page.typed, page.reason) = (values.get("answer").to_owned(), values.get("reason").to_owned());
        (status, Html(html(&page))).into_response()
    };
    // A field for other answers counts if something was typed into it.
    let text = Some(values.get("other")).filter(|text| !text.is_empty()).unwrap_or(values.get("answer"));
    let value = match approval.form.read(text) {
        Ok(value) => value,
        Err(error) => return Ok(refused(Problem::invalid(error))),
    };
    match ops::send_event(&service, &permit.word(), &approval.key, &value, &values.note()).await {
        Ok(_) => {
            state.counts.forget().await;
            done(&state, &address::task(approval.number, &approval.task))
        }
        Err(error) => Ok(refused(error.into())),
    }
}

impl ApprovalPage {
    fn of(state: &Visitor, approval: &Approval) -> ApprovalPage {
        let dag = state.dags.iter().find(|dag| dag.id == approval.dag_id);
        let request = request(dag.and_then(|dag| dag.options.timezone));
        let clock = &request.clock;
        let (number, task) = (approval.number, &approval.task);
        let program = Program::of(&state.home);
        let (mut buttons, mut choices, mut input, mut help) = (Vec::new(), Vec::new(), "", String::new());
        match &approval.form {
            // The answers of `approve`.
            AnswerForm::Choice { choices, .. } if choices == &["approved", "rejected"] => {
                buttons.push(Button { words: "Approve", value: "approved", class: "primary" });
                buttons.push(Button { words: "Reject", value: "rejected", class: "danger" });
                help = "A rejection skips the task, and what follows it.".to_owned();
            }
            AnswerForm::Choice { choices: known, has_others } => {
                choices.clone_from(known);
                if *has_others {
                    input = "json";
                    help = format!("Or another {}, as JSON.", approval.answer);
                }
            }
            AnswerForm::Switch => {
                buttons.push(Button { words: "Yes", value: "true", class: "primary" });
                buttons.push(Button { words: "No", value: "false", class: "" });
            }
            AnswerForm::Text => input = "text",
            AnswerForm::Number => input = "number",
            AnswerForm::Json => (input, help) = ("json", format!("A {} as JSON.", approval.answer)),
        }
        let may_read = state.may(Right::ViewValues, &approval.dag_id);
        let hidden =
            if may_read { "it cannot be read" } else { "You do not have the right `view_values` for this DAG." };
        let about = approval.about.iter().map(|input| Input {
            task: input.task.clone(),
            href: address::task(number, &input.task),
            ty: input.ty.clone(),
            preview: input.preview.clone().unwrap_or_else(|| hidden.to_owned()),
        });
        let value = match &approval.form {
            AnswerForm::Choice { choices, .. } => format!("\"{}\"", choices[0]),
            AnswerForm::Switch => "true".to_owned(),
            AnswerForm::Text => "\"text\"".to_owned(),
            AnswerForm::Number => "1".to_owned(),
            AnswerForm::Json => format!("<{}>", approval.answer),
        };
        let closed = match state.may(Right::Operate, &approval.dag_id) {
            false => "You do not have the right `operate` for this DAG.",
            true if !state.principal().may_answer(&approval.respondents, &approval.requested_by) => {
                "You are not one of those who may answer."
            }
            true if state.options.read_only => "This server is read-only. Answer on the command line.",
            true => "",
        };
        let path = vec![Crumb::link("Approvals", "/approvals"), Crumb::here(format!("{task} of run {number}"))];
        ApprovalPage {
            frame: Frame::new(&request, Place::Approvals, format!("{task} asks · run {number}"), path),
            question: approval.question.trim().to_owned(),
            task: task.clone(),
            task_href: address::task(number, task),
            since: clock.at(approval.since),
            facts: vec![
                Fact::new("DAG", approval.dag_id.clone()).to(address::dag(&approval.dag_id)),
                Fact::new("Run", number.to_string()).to(address::run(number)).hint(approval.state.name()),
                Fact::new("Logical date", clock.at(approval.logical_date).text),
                Fact::new("Task", task.clone()).to(address::task(number, task)),
            ],
            who: Sentence::new(&capital(&approval.respondents.in_words())),
            about: about.collect(),
            deadlines: approval.deadlines.iter().map(|at| (clock.at(at.at), sentence(&at.then))).collect(),
            action: match closed.is_empty() {
                true => format!("{}/answer", address::approval(number, task)),
                false => String::new(),
            },
            closed,
            buttons,
            choices,
            ty: approval.answer.clone(),
            input,
            help,
            typed: String::new(),
            reason: String::new(),
            error: String::new(),
            command: program.line(&["release", &number.to_string(), &approval.key, "--value", &value]),
        }
    }
}

/// With a capital letter at the beginning.
fn capital(words: &str) -> String {
    let mut letters = words.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    first + letters.as_str()
}
