//! The form that sets the state of tasks of a run by hand.
//!
//! As the form that clears tasks, it carries out what it has shown: the preview has a token, and if
//! other tasks would be marked when the form is sent, or one of them has changed, the form shows
//! what would be marked now.

use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::http::HeaderMap;

use super::address;
use super::changes::{hand_over, run_form, stops, words};
use super::command::Program;
use super::form::{Field, FormPage, Input, Sent, Values, done, wrong, wrong_fields};
use super::marks::Mark;
use super::preview::Preview;
use super::problem::sentence;
use super::reply::{Asked, Page};
use crate::journal::{JournalError, RunHistory, RunSummary, TaskFilter};
use crate::ops::{self, MarkPreview, OpsError};
use crate::run::TaskState;
use crate::server::acting::Acting;
use crate::server::auth::Visitor;
use crate::server::keys::RunKey;
use crate::server::permit::{Mark as MarkRight, Permit};
use crate::server::problem::Problem;

type MarkPermit = Permit<MarkRight, RunSummary>;

/// What the form asks for.
struct Choice {
    tasks: String,
    state: TaskState,
    /// What the tasks returned, as it was typed.
    value: String,
}

impl Choice {
    fn of(values: &Values) -> Choice {
        let state = match values.get("state") {
            "failed" => TaskState::Failed,
            "skipped" => TaskState::Skipped,
            _ => TaskState::Success,
        };
        Choice { tasks: words(values.get("tasks")), state, value: values.get("value").to_owned() }
    }

    fn filter(&self) -> TaskFilter {
        TaskFilter::tasks(self.tasks.lines())
    }

    fn mark(&self) -> Result<ops::Mark, serde_json::Error> {
        let value = if self.value.is_empty() { None } else { Some(serde_json::from_str(&self.value)?) };
        Ok(ops::Mark { state: self.state, value })
    }
}

fn fields() -> Vec<Field> {
    let tasks = Field::line("tasks", "Tasks", "The ids of tasks and groups, separated by spaces.");
    let states = [("success", "Success"), ("failed", "Failed"), ("skipped", "Skipped")];
    let value =
        "What the tasks returned, as JSON. Needed for a success if other tasks take the value and there is none.";
    let reason = Field::line("reason", "Reason", "Stored in the history, and in the audit trail.");
    vec![
        Field { is_required: true, ..tasks },
        Field::choice("state", "Set to", &states),
        Field { input: Input::Lines, ty: "JSON".to_owned(), ..Field::line("value", "Value", value) },
        Field { is_required: true, ..reason },
    ]
}

/// The form with the tasks that would be marked now, and the token of this preview. Says at the
/// fields what is wrong with them.
async fn form(state: &Visitor, permit: &MarkPermit, values: &Values) -> Result<FormPage, Problem> {
    let run = permit.run();
    let choice = Choice::of(values);
    let mut page = run_form(state, run, "Mark");
    page.lead = "These tasks get another state without running. Their attempts stay in the history.".to_owned();
    page.button = "Mark tasks".to_owned();
    page.preview = Some(Preview::default());
    page.fields = fields();
    page = page.with(values);
    let number = run.number.to_string();
    let mut line = vec!["mark", choice.state.name(), &number];
    line.extend(choice.tasks.lines());
    if !choice.value.is_empty() {
        line.extend(["--value", &choice.value]);
    }
    page.command = Program::of(&state.home).line(&line);
    if choice.tasks.is_empty() {
        page.command.clear();
        return Ok(page);
    }
    let history = permit.history(state).await?;
    let mark = match choice.mark() {
        Ok(mark) => mark,
        Err(error) => {
            wrong(&mut page.fields, "value", format!("This is not JSON: {error}."));
            return Ok(page);
        }
    };
    match ops::preview_mark(&state.journal, &permit.word(), &choice.filter(), &mark).await {
        Ok(preview) => show(&mut page, run, &history, preview),
        Err(error) => refuse(&mut page, error)?,
    }
    Ok(page)
}

fn show(page: &mut FormPage, run: &RunSummary, history: &RunHistory, preview: MarkPreview) {
    let to = Mark::of(preview.state.name()).words;
    page.button = match preview.tasks.len() {
        1 => format!("Mark 1 task as {to}"),
        count => format!("Mark {count} tasks as {to}"),
    };
    let follows = match &*preview.undecided {
        [] if preview.ends => "No task is left to run: the run ends.".to_owned(),
        [] => "Resume, on the page of the run, runs what is left.".to_owned(),
        [task] => {
            format!("{task} did not run because of these. Resume, on the page of the run, decides about it anew.")
        }
        [first, others @ ..] => format!(
            "{first} and {} other {} did not run because of these. Resume, on the page of the run, decides about them \
             anew.",
            others.len(),
            if others.len() == 1 { "task" } else { "tasks" },
        ),
    };
    page.preview = Some(Preview::of(history, &preview.tasks, to).note(stops(run)).note(follows));
    page.hidden = vec![("token", preview.token)];
}

/// Says at its field why a form is refused, or above all of them.
fn refuse(page: &mut FormPage, error: OpsError) -> Result<(), Problem> {
    let (field, why) = match &error {
        OpsError::Journal(JournalError::UnknownTask { .. }) => ("tasks", sentence(&error.to_string())),
        OpsError::Journal(JournalError::MissingValue { task, ty, .. }) => {
            ("value", format!("Other tasks take the value of {task}, which has none: give a {ty} as JSON."))
        }
        // The form says which run it is about.
        OpsError::Journal(JournalError::InvalidValue { task, reason, .. }) => ("value", format!("{task}: {reason}.")),
        OpsError::ValueWithoutSuccess { .. } => ("value", sentence(&error.to_string())),
        _ => {
            (_, page.error) = super::form::refusal(error.into())?;
            return Ok(());
        }
    };
    wrong(&mut page.fields, field, why);
    Ok(())
}

async fn permit_of(state: &Visitor, run: String) -> Result<MarkPermit, Problem> {
    Permit::of_run(state, &RunKey::parse(run)?).await
}

pub(super) async fn ask(state: Visitor, Path(run): Path<String>, Query(query): Asked) -> Page {
    let permit = permit_of(&state, run).await?;
    Ok(form(&state, &permit, &Values::asked(&query)).await?.html())
}

pub(super) async fn send(
    state: Visitor,
    Acting(service): Acting,
    Path(run): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Sent {
    let (permit, values) = (permit_of(&state, run).await?, Values::of(&headers, &body)?);
    let choice = Choice::of(&values);
    let mut page = form(&state, &permit, &values).await?;
    if choice.tasks.is_empty() {
        wrong(&mut page.fields, "tasks", "Name at least one task.");
    }
    if values.get("reason").is_empty() {
        wrong(&mut page.fields, "reason", "Say why: whoever reads the history did not see it happen.");
    }
    if let Some(problem) = wrong_fields(&page.fields) {
        return page.refused(problem);
    }
    // A value that is not JSON is wrong at its field.
    let Ok(mark) = choice.mark() else { return page.refused(Problem::invalid("the value is not JSON")) };
    let (filter, token, durability) = (choice.filter(), values.get("token"), state.durability());
    match ops::mark_previewed(&service, &permit.word(), &filter, &mark, token, &values.note(), durability).await {
        Ok(mut marked) => match marked.request.take() {
            // Nothing is left to run: the service ends the run.
            Some(request) => hand_over(&state, permit.run(), request),
            None => done(&state, &address::run(permit.run().number)),
        },
        // The new preview shows what has changed.
        Err(error) => page.refused(error),
    }
}
