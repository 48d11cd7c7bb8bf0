//! The forms that pause DAGs, and cancel, clear, retry and resume runs.

use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::http::HeaderMap;

use super::address;
use super::command::Program;
use super::form::{Field, FormPage, Sent, Values, done};
use super::frame::{Crumb, Frame, Place};
use super::preview::Preview;
use super::reply::{Asked, Page, asked, request};
use crate::dag::DagDef;
use crate::engine::RunRequest;
use crate::journal::{RunHistory, RunSummary, TaskFilter};
use crate::ops::{self, CancelPreview, ExternalJob};
use crate::run::RunState;
use crate::schedule::{Catchup, Unpause};
use crate::server::acting::Acting;
use crate::server::auth::Visitor;
use crate::server::keys::{DagKey, RunKey};
use crate::server::permit::{Operate, Permit};
use crate::server::problem::Problem;
use crate::server::run_changes::RunPermit;

pub(super) async fn run_of(state: &Visitor, run: String) -> Result<RunPermit, Problem> {
    Permit::of_run(state, &RunKey::parse(run)?).await
}

pub(super) fn dag_of(state: &Visitor, dag: String) -> Result<&'static DagDef, Problem> {
    Ok(Permit::<Operate, _>::of_dag(state, &DagKey::parse(dag)?)?.dag())
}

fn reason() -> Field {
    Field::line("reason", "Reason", "Stored in the history.")
}

pub(super) fn dag_form(state: &Visitor, dag: &'static DagDef, verb: &'static str) -> FormPage {
    let (here, request) = (address::dag(dag.id), request(dag.options.timezone));
    let path = vec![Crumb::link("DAGs", "/dags"), Crumb::link(dag.id, here.clone()), Crumb::here(verb)];
    let name = verb.to_lowercase();
    FormPage {
        frame: Frame::new(&request, Place::Dags, format!("{verb} {}", dag.id), path),
        heading: format!("{verb} {}", dag.id),
        lead: String::new(),
        error: String::new(),
        fields: vec![reason()],
        hidden: Vec::new(),
        preview: None,
        button: verb.to_owned(),
        is_danger: false,
        action: format!("{here}/{name}"),
        back: here,
        command: Program::of(&state.home).line(&[&name, dag.id]),
    }
}

/// What a pause means.
pub(super) const PAUSED: &str = "Schedules and events start no run until the pause ends. Runs that are active go on, runs \
                                 can be started by hand, and events stay pending.";

fn pause_form(state: &Visitor, dag: &'static DagDef) -> FormPage {
    FormPage { lead: PAUSED.to_owned(), ..dag_form(state, dag, "Pause") }
}

/// What becomes of the slots that passed during a pause.
pub(super) fn catchup_field() -> Field {
    Field::choice(
        "catchup",
        "Slots that passed during the pause",
        &[("none", "Run none of them"), ("last", "Run the last one"), ("all", "Run all of them")],
    )
}

/// What becomes of the events that came during a pause.
pub(super) fn pending_field() -> Field {
    Field::choice(
        "events",
        "Events that are pending",
        &[("all", "Consume all of them"), ("newest", "Consume the newest of each asset"), ("skip", "Skip them")],
    )
}

fn unpause_form(state: &Visitor, dag: &'static DagDef) -> FormPage {
    let mut page = dag_form(state, dag, "Unpause");
    page.fields.extend(dag.options.schedule.is_some().then(catchup_field));
    page.fields.extend(matches!(dag.consumer(), Ok(Some(_))).then(pending_field));
    page
}

pub(super) async fn ask_pause(state: Visitor, Path(dag): Path<String>) -> Page {
    Ok(pause_form(&state, dag_of(&state, dag)?).html())
}

pub(super) async fn pause(
    state: Visitor,
    Acting(service): Acting,
    Path(dag): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Sent {
    let (dag, values) = (dag_of(&state, dag)?, Values::of(&headers, &body)?);
    match ops::pause(&service, dag, &values.note(), None).await {
        Ok(_) => done(&state, &address::dag(dag.id)),
        Err(error) => pause_form(&state, dag).with(&values).refused(error),
    }
}

pub(super) async fn ask_unpause(state: Visitor, Path(dag): Path<String>) -> Page {
    Ok(unpause_form(&state, dag_of(&state, dag)?).html())
}

pub(super) async fn unpause(
    state: Visitor,
    Acting(service): Acting,
    Path(dag): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Sent {
    let (dag, values) = (dag_of(&state, dag)?, Values::of(&headers, &body)?);
    let catchup = values.get("catchup").parse().unwrap_or(Catchup::None);
    let events = values.get("events").parse().unwrap_or(Unpause::All);
    match ops::unpause(&service, dag, &values.note(), catchup, events).await {
        Ok(_) => done(&state, &address::dag(dag.id)),
        Err(error) => unpause_form(&state, dag).with(&values).refused(error),
    }
}

pub(super) fn run_form(state: &Visitor, run: &RunSummary, verb: &'static str) -> FormPage {
    let (here, request) = (address::run(run.number), request(run.info.timezone_name()));
    let (number, name) = (run.number.to_string(), verb.to_lowercase());
    let path = vec![
        Crumb::link(run.info.dag_id.clone(), address::dag(&run.info.dag_id)),
        Crumb::link(format!("Run {number}"), here.clone()),
        Crumb::here(verb),
    ];
    FormPage {
        frame: Frame::new(&request, Place::Runs, format!("{verb} run {number}"), path),
        heading: format!("{verb} run {number} of {}", run.info.dag_id),
        lead: String::new(),
        error: String::new(),
        fields: vec![reason()],
        hidden: Vec::new(),
        preview: None,
        button: format!("{verb} run {number}"),
        is_danger: false,
        action: format!("{here}/{name}"),
        back: here,
        command: Program::of(&state.home).line(&[&name, &number]),
    }
}

/// The form with what would end now. It has no token: whatever starts until it is sent is cancelled
/// too.
async fn cancel_form(state: &Visitor, permit: &RunPermit) -> Result<FormPage, Problem> {
    let lead = "Tasks that are running are asked to end, and their jobs on clusters are ended. What has ended stays as \
                it is; what is cancelled can be cleared later.";
    let mut page = run_form(state, permit.run(), "Cancel");
    (page.lead, page.is_danger, page.preview) = (lead.to_owned(), true, Some(Preview::default()));
    match ops::preview_cancel(&state.journal, &permit.word(), Some(state.home.config())).await {
        Ok(preview) => page.preview = Some(ends(&permit.history(state).await?, &preview)),
        Err(error) => page.error = super::problem::sentence(&Problem::from(error).shown().detail),
    }
    Ok(page)
}

/// What ends with a run: its tasks, their jobs, and the runs that they wait for.
fn ends(history: &RunHistory, preview: &CancelPreview) -> Preview {
    let CancelPreview { worker, tasks, teardowns, jobs, triggered, .. } = preview;
    // Few teardowns stand before many tasks, of which not all are shown.
    let mut shown = Preview::of(history, &[&teardowns[..], &tasks[..]].concat(), "cancelled");
    let runs = if worker.is_some() { "runs all the same" } else { "runs when the run is resumed" };
    for task in shown.affected.iter_mut().filter(|task| teardowns.contains(&task.id)) {
        task.to = runs.into();
    }
    let named: Vec<String> =
        jobs.iter().map(|ExternalJob { task, system, job, .. }| format!("{job} of {task} on {system}")).collect();
    match &named[..] {
        [] => {}
        [job] => shown = shown.note(format!("A job is ended: {job}.")),
        jobs => shown = shown.note(format!("{} jobs are ended: {}.", jobs.len(), listed(jobs))),
    }
    let numbers: Vec<String> = triggered.iter().map(i64::to_string).collect();
    match &numbers[..] {
        [] => shown,
        [run] => shown.note(format!("Run {run}, which a task waits for, is cancelled as well.")),
        runs => shown.note(format!("Runs {}, which tasks wait for, are cancelled as well.", listed(runs))),
    }
}

/// `7, 8, 9`, or the first ten of more.
fn listed(all: &[String]) -> String {
    const NAMED: usize = 10;

    match all.len().saturating_sub(NAMED) {
        0 => all.join(", "),
        more => format!("{} and {more} more", all[..NAMED].join(", ")),
    }
}

pub(super) async fn ask_cancel(state: Visitor, Path(run): Path<String>) -> Page {
    Ok(cancel_form(&state, &run_of(&state, run).await?).await?.html())
}

pub(super) async fn cancel(
    state: Visitor,
    Acting(service): Acting,
    Path(run): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Sent {
    let (permit, values) = (run_of(&state, run).await?, Values::of(&headers, &body)?);
    match ops::cancel(&service, &permit.word(), &values.note(), Some(state.home.config())).await {
        Ok(_) => done(&state, &address::run(permit.run().number)),
        Err(error) => cancel_form(&state, &permit).await?.with(&values).refused(error),
    }
}

/// The tasks that a form of clear is about.
fn filter(tasks: &str, which: &str) -> TaskFilter {
    let names: Vec<String> = tasks.lines().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let filter = if names.is_empty() { TaskFilter::all() } else { TaskFilter::tasks(names) };
    match which {
        "failed" => filter.failed().downstream(),
        "only" => filter,
        _ => filter.downstream(),
    }
}

/// The form with the tasks that would be cleared now, and the token of this preview.
async fn clear_form(state: &Visitor, permit: &RunPermit, tasks: &str, which: &str) -> Result<FormPage, Problem> {
    let run = permit.run();
    let mut page = run_form(state, run, "Clear");
    let which_field = Field::choice(
        "which",
        "Which",
        &[
            ("downstream", "These and everything downstream"),
            ("only", "Only these"),
            ("failed", "Only failed ones and what follows them"),
        ],
    );
    let mut names = Field::line("tasks", "Tasks", "Their ids, separated by spaces. Without one, all tasks.");
    (names.value, names.placeholder) = (tasks.replace('\n', " "), "all".to_owned());
    page.fields.splice(0..0, [names, Field { value: which.to_owned(), ..which_field }]);
    page.preview = Some(Preview::default());
    let history = permit.history(state).await?;
    match ops::preview_clear(&state.journal, &permit.word(), &filter(tasks, which)).await {
        Ok(preview) => {
            page.button = match preview.tasks.len() {
                1 => "Clear 1 task".to_owned(),
                count => format!("Clear {count} tasks"),
            };
            page.preview = Some(Preview::of(&history, &preview.tasks, "runs again").note(stops(run)));
            page.hidden = vec![("token", preview.token)];
        }
        Err(error) => page.error = super::problem::sentence(&Problem::from(error).shown().detail),
    }
    let words = clear_words(run.number, tasks, which);
    page.command = Program::of(&state.home).line(&words.iter().map(String::as_str).collect::<Vec<_>>());
    page.lead = "These tasks run again, in this run. Their earlier attempts stay in the history.".to_owned();
    Ok(page)
}

/// What a form about the tasks of a run stops.
pub(super) fn stops(run: &RunSummary) -> &'static str {
    match run.state {
        RunState::Running => "The run is running and is not stopped: wait for its end, or cancel it first.",
        _ => "Nothing stops: no task of the run is running.",
    }
}

/// The verb that clears the same.
fn clear_words(run: i64, tasks: &str, which: &str) -> Vec<String> {
    let tasks: Vec<&str> = tasks.lines().collect();
    let number = run.to_string();
    let flags: &[&str] = match which {
        "failed" => &["--failed", "--downstream"],
        "only" => &[],
        // All tasks have nothing downstream of them.
        _ if tasks.is_empty() => &[],
        _ => &["--downstream"],
    };
    let words = ["clear", &number].into_iter().chain(tasks).chain(flags.iter().copied());
    words.map(str::to_owned).collect()
}

pub(super) fn words(tasks: &str) -> String {
    tasks.split_whitespace().collect::<Vec<_>>().join("\n")
}

pub(super) async fn ask_clear(state: Visitor, Path(run): Path<String>, Query(query): Asked) -> Page {
    let permit = run_of(&state, run).await?;
    let page = clear_form(&state, &permit, &words(asked(&query, "tasks")), asked(&query, "which")).await?;
    Ok(page.html())
}

pub(super) async fn clear(
    state: Visitor,
    Acting(service): Acting,
    Path(run): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Sent {
    let (permit, values) = (run_of(&state, run).await?, Values::of(&headers, &body)?);
    let (tasks, which) = (words(values.get("tasks")), values.get("which").to_owned());
    let filter = filter(&tasks, &which);
    let token = values.get("token");
    let rerun =
        ops::clear_previewed(&service, &permit.word(), &filter, token, &values.note(), state.durability()).await;
    match rerun {
        Ok(rerun) => hand_over(&state, permit.run(), rerun.request),
        // The new preview shows what has changed.
        Err(error) => clear_form(&state, &permit, &tasks, &which).await?.with(&values).refused(error),
    }
}

/// A button, without a form of its own: it can be undone by cancelling the run.
pub(super) async fn retry(state: Visitor, Acting(service): Acting, Path(run): Path<String>) -> Sent {
    let permit = run_of(&state, run).await?;
    let note = crate::server::auth::note_of_current("");
    let rerun = ops::retry(&service, &permit.word(), &note, state.durability()).await?;
    hand_over(&state, permit.run(), rerun.request)
}

pub(super) async fn resume(state: Visitor, Acting(service): Acting, Path(run): Path<String>) -> Sent {
    let permit = run_of(&state, run).await?;
    let request = ops::resume(&service, &permit.word(), state.durability()).await?;
    hand_over(&state, permit.run(), request)
}

/// Hands a run to the service.
pub(super) fn hand_over(state: &Visitor, run: &RunSummary, request: RunRequest<()>) -> Sent {
    state.hand_over(run, request)?;
    done(state, &address::run(run.number))
}

#[cfg(test)]
mod tests {
    use super::clear_words;

    #[test]
    fn the_command_of_the_form_clears_what_the_form_clears() {
        let line = |tasks, which| clear_words(12, tasks, which).join(" ");
        assert_eq!(line("", ""), "clear 12");
        assert_eq!(line("", "failed"), "clear 12 --failed --downstream");
        assert_eq!(line("load\nreport", "downstream"), "clear 12 load report --downstream");
        assert_eq!(line("load", "only"), "clear 12 load");
    }
}
