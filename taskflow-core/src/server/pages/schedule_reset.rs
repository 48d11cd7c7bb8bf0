//! The form that lets the schedule of a DAG continue from now.

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::HeaderMap;

use super::address;
use super::changes::{dag_form, dag_of};
use super::command::Program;
use super::form::{FormPage, Sent, Values, done};
use super::reply::{Page, request};
use crate::dag::DagDef;
use crate::ops::{self, OpsError};
use crate::server::acting::Acting;
use crate::server::auth::Visitor;
use crate::server::problem::Problem;

/// The address of the form.
pub(super) fn address_of(dag: &str) -> String {
    format!("{}/reset-schedule", address::dag(dag))
}

/// The form, with what is known about the schedule.
async fn form(state: &Visitor, dag: &'static DagDef) -> Result<FormPage, Problem> {
    if dag.options.schedule.is_none() {
        return Err(OpsError::NoSchedule { dag: dag.id.to_owned() }.into());
    }
    let (clock, now) = (request(dag.options.timezone).clock, state.journal.now());
    let found = match state.journal.schedules().await?.remove(dag.id) {
        // That of a DAG with event parameters is stored with its events.
        _ if !matches!(dag.consumer(), Ok(None)) => String::new(),
        Some(Ok(stored)) if stored.state.clock > now => format!(
            " Its slots were last decided when the clock said {}. From {} on they are decided again.",
            clock.at(stored.state.clock).text,
            clock.at(now).text
        ),
        Some(Err(_)) => " Its stored state cannot be read. It is made again from its runs and its history: the slots \
                         since then passed while no service ran."
            .to_owned(),
        Some(Ok(_)) | None => " It is not ahead of the clock: there is nothing to reset, unless its deadlines are \
                               ahead or damaged."
            .to_owned(),
    };
    let mut page = dag_form(state, dag, "Reset schedule");
    page.heading = format!("Reset the schedule of {}", dag.id);
    page.lead = format!(
        "The schedule continues from now. This helps after the clock of the machine was ahead: until that time \
         comes, no slot would run. Runs stay as they are.{found}"
    );
    (page.action, page.back, page.is_danger) = (address_of(dag.id), format!("{}/slots", address::dag(dag.id)), true);
    page.command = Program::of(&state.home).line(&["reset-schedule", dag.id]);
    Ok(page)
}

pub(super) async fn ask(state: Visitor, Path(dag): Path<String>) -> Page {
    Ok(form(&state, dag_of(&state, dag)?).await?.html())
}

pub(super) async fn send(
    state: Visitor,
    Acting(service): Acting,
    Path(dag): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Sent {
    let (dag, values) = (dag_of(&state, dag)?, Values::of(&headers, &body)?);
    match ops::reset_schedule(&service, dag, &values.note()).await {
        Ok(_) => done(&state, &format!("{}/slots", address::dag(dag.id))),
        Err(error) => form(&state, dag).await?.with(&values).refused(error),
    }
}
