//! The forms that pause, resume, limit, extend, retry and cancel a backfill.

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::HeaderMap;

use super::address;
use super::backfill::number_of;
use super::command::Program;
use super::form::{Field, FormPage, Sent, Values, done, wrong, wrong_fields};
use super::frame::{Crumb, Frame, Place};
use super::reply::{Page, PageProblem, request};
use crate::base::Timestamp;
use crate::dag::DagDef;
use crate::ops::{self, BackfillStatus, OpsError};
use crate::server::acting::Acting;
use crate::server::auth::Visitor;
use crate::server::permit::{Operate, Permit};
use crate::server::problem::Problem;

/// What can be done with a backfill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Pause,
    Resume,
    Limit,
    Extend,
    Retry,
    Cancel,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Verb::Pause => "pause",
            Verb::Resume => "resume",
            Verb::Limit => "limit",
            Verb::Extend => "extend",
            Verb::Retry => "retry",
            Verb::Cancel => "cancel",
        }
    }

    /// What it is called, and what the button says.
    fn words(self) -> [&'static str; 2] {
        match self {
            Verb::Pause => ["Pause", "Pause"],
            Verb::Resume => ["Resume", "Resume"],
            Verb::Limit => ["Change the limit of", "Change the limit"],
            Verb::Extend => ["Extend", "Extend"],
            Verb::Retry => ["Retry the failed slots of", "Retry"],
            Verb::Cancel => ["Cancel", "Cancel"],
        }
    }

    fn lead(self) -> &'static str {
        match self {
            Verb::Pause => "None of its runs starts until it is resumed. Runs that are active go on.",
            Verb::Resume => "It goes on where it was paused, with the timetable that the DAG has now.",
            Verb::Limit => "Runs that are active go on, also if they are more than the new limit.",
            Verb::Extend => "The slots up to a later end are run as the others are. Slots in the future are left out.",
            Verb::Retry => {
                "Another backfill with the same parameters and limit runs the slots that have failed and have not \
                 succeeded since."
            }
            Verb::Cancel => "Its pending slots are dropped. This cannot be undone: start another one for them.",
        }
    }

    fn field(self, backfill: &BackfillStatus, dag: &DagDef) -> Option<Field> {
        match self {
            Verb::Limit => {
                let most = dag.options.max_active_runs;
                let most = most.map(|most| format!("At most {most}: the DAG allows no more runs at once."));
                let mut field = Field::line("limit", "Runs at once", &most.unwrap_or_default());
                (field.value, field.is_required) = (backfill.limit.to_string(), true);
                Some(field)
            }
            Verb::Extend => {
                let mut field = Field::line("to", "Last slot", "A day, or the time of a slot; inclusive.");
                (field.placeholder, field.is_required) = ("2026-01-31".to_owned(), true);
                Some(field)
            }
            Verb::Cancel => {
                let active = match backfill.active.len() {
                    1 => "Cancel the active run, too".to_owned(),
                    active => format!("Cancel the {active} active runs, too"),
                };
                let mut field =
                    Field::choice("running", "Runs that are active", &[("", "Let them go on"), ("true", &active)]);
                if matches!(backfill.phase, crate::schedule::BackfillPhase::Cancelled { .. }) {
                    field.value = "true".to_owned();
                }
                (!backfill.active.is_empty()).then_some(field)
            }
            Verb::Pause | Verb::Resume | Verb::Retry => None,
        }
    }
}

/// The backfill of an address, for those who may change it, and its DAG.
async fn backfill_of(state: &Visitor, number: &str) -> Result<(BackfillStatus, &'static DagDef), PageProblem> {
    let backfill = Permit::<Operate, _>::of_backfill(state, number_of(number)?).await?.backfill();
    let dag = state.dags.iter().copied().find(|dag| dag.id == backfill.dag_id);
    let foreign = || OpsError::ForeignBackfill { number: backfill.number, dag: backfill.dag_id.clone() };
    let dag = dag.ok_or_else(foreign)?;
    Ok((backfill, dag))
}

fn form(state: &Visitor, backfill: &BackfillStatus, dag: &DagDef, verb: Verb) -> FormPage {
    let (number, here) = (backfill.number.to_string(), address::backfill(backfill.number));
    let [words, button] = verb.words();
    let path = vec![
        Crumb::link("Backfills", "/backfills"),
        Crumb::link(format!("Backfill {number}"), here.clone()),
        Crumb::here(button),
    ];
    let mut fields: Vec<Field> = verb.field(backfill, dag).into_iter().collect();
    fields.push(Field::line("reason", "Reason", "Stored in the history."));
    let mut line = vec!["backfills", verb.name(), &number];
    match verb {
        Verb::Limit => line.push("N"),
        Verb::Extend => line.push("2026-01-31"),
        _ => {}
    }
    FormPage {
        frame: Frame::new(
            &request(Some(backfill.timezone)),
            Place::Backfills,
            format!("{words} backfill {number}"),
            path,
        ),
        heading: format!("{words} backfill {number}"),
        lead: verb.lead().to_owned(),
        error: String::new(),
        fields,
        hidden: Vec::new(),
        preview: None,
        button: format!("{button}{}", if matches!(verb, Verb::Limit | Verb::Retry) { "" } else { " backfill" }),
        is_danger: verb == Verb::Cancel,
        action: format!("{here}/{}", verb.name()),
        back: here,
        command: Program::of(&state.home).line(&line),
    }
}

async fn ask(state: Visitor, number: &str, verb: Verb) -> Page {
    let (backfill, dag) = backfill_of(&state, number).await?;
    Ok(form(&state, &backfill, dag, verb).html())
}

/// What the fields of a form say: the limit and the end, where the form asks for them.
struct Asked {
    limit: u32,
    to: Timestamp,
}

/// Reads the fields; those that are wrong say so.
fn read(page: &mut FormPage, dag: &DagDef, values: &Values, verb: Verb) -> Result<Asked, Problem> {
    let mut asked = Asked { limit: 1, to: Timestamp::EPOCH };
    match verb {
        Verb::Limit => match limit(values.get("limit")) {
            Ok(limit) => asked.limit = limit,
            Err(error) => wrong(&mut page.fields, "limit", error),
        },
        Verb::Extend => match dag.options.slot_range(values.get("to")) {
            Ok(range) => asked.to = range.to,
            Err(error) => wrong(&mut page.fields, "to", error.to_string()),
        },
        Verb::Pause | Verb::Resume | Verb::Retry | Verb::Cancel => {}
    }
    wrong_fields(&page.fields).map_or(Ok(asked), Err)
}

/// How many runs may be active at once.
pub(super) fn limit(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(0) | Err(_) if text.is_empty() => Err("a number of runs is needed, 1 or more".to_owned()),
        Ok(0) | Err(_) => Err(format!("`{text}` is not a number of runs, 1 or more")),
        Ok(limit) => Ok(limit),
    }
}

async fn send(
    state: Visitor,
    Acting(service): Acting,
    number: &str,
    headers: &HeaderMap,
    body: &Bytes,
    verb: Verb,
) -> Sent {
    let (backfill, dag) = backfill_of(&state, number).await?;
    let values = Values::of(headers, body)?;
    let mut page = form(&state, &backfill, dag, verb).with(&values);
    let asked = match read(&mut page, dag, &values, verb) {
        Ok(asked) => asked,
        Err(problem) => return page.refused(problem),
    };
    let (number, note) = (backfill.number, values.note());
    let changed = match verb {
        Verb::Pause => ops::pause_backfill(&service, number, &note).await,
        Verb::Resume => ops::resume_backfill(&service, number, &note).await,
        Verb::Limit => ops::limit_backfill(&service, number, asked.limit, &note).await,
        Verb::Extend => ops::extend_backfill(&service, number, asked.to, &note).await.map(|extended| extended.status),
        Verb::Retry => ops::retry_backfill(&service, number, &note).await.map(|started| started.status),
        Verb::Cancel => {
            let config = Some(state.home.config());
            let runs_too = !values.get("running").is_empty();
            ops::cancel_backfill(&service, number, runs_too, &note, config).await.map(|cancelled| cancelled.status)
        }
    };
    match changed {
        Ok(status) => done(&state, &address::backfill(status.number)),
        Err(error) => {
            if verb == Verb::Extend && matches!(error, OpsError::Backfill { .. }) {
                wrong(&mut page.fields, "to", error.to_string());
            }
            page.refused(error)
        }
    }
}

macro_rules! forms {
    ($($ask:ident $send:ident $verb:ident)*) => {
        $(
            pub(super) async fn $ask(state: Visitor, Path(number): Path<String>) -> Page {
                ask(state, &number, Verb::$verb).await
            }

            pub(super) async fn $send(
                state: Visitor,
                acting: Acting,
                Path(number): Path<String>,
                headers: HeaderMap,
                body: Bytes,
            ) -> Sent {
                send(state, acting, &number, &headers, &body, Verb::$verb).await
            }
        )*
    };
}

forms! {
    ask_pause pause Pause
    ask_resume resume Resume
    ask_limit set_limit Limit
    ask_extend extend Extend
    ask_retry retry Retry
    ask_cancel cancel Cancel
}
