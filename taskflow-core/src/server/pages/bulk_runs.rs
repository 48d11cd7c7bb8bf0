//! The forms that clear and cancel several runs: those that are selected in the list of runs, or
//! all that its filter matches.
//!
//! 1. The list sends the numbers of the selected runs, or its filter. A filter is read once: the
//!    form names the runs that it matched then.
//! 2. The form shows what becomes of each run, and why others are left alone.
//! 3. What is cleared is what the form has shown. It has a token of the previews of all runs: if
//!    one of them has changed, the form shows what would be cleared now, and nothing is done. A
//!    run that has ended before it could be cancelled is no reason for that.
//! 4. A run that refuses the change does not hold up the others. Then the form is shown again, with
//!    what was done and why the rest was not.

use std::collections::HashSet;

use axum::body::Bytes;
use axum::extract::RawQuery;
use axum::http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};

use super::command::Program;
use super::form::{Field, FormPage, Sent, Values, done, refusal};
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::preview::{Affected, Preview};
use super::problem::sentence;
use super::reply::{Page, request};
use super::run_list::Listed;
use crate::journal::{RunSummary, TaskFilter};
use crate::ops::{self, ClearPreview, OpsError};
use crate::run::RunState;
use crate::server::acting::Acting;
use crate::server::auth::Visitor;
use crate::server::keys::RunKey;
use crate::server::permit::{Operate, Permit};
use crate::server::problem::Problem;
use crate::store::RunFilter;

/// The most runs of a form: their numbers fit into an address.
const MOST: usize = 500;
/// For how many runs the form has the lines of the command line.
const LINES: usize = 10;

type RunPermit = Permit<Operate, RunSummary>;

/// What is done with the runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// Clears their failed tasks, and what follows these.
    Retry,
    /// Clears all of their tasks.
    Clear,
    Cancel,
}

impl Change {
    /// What a form that clears runs asks for.
    fn of_clear(values: &Values) -> Change {
        if values.get("which") == "all" { Change::Clear } else { Change::Retry }
    }

    fn verb(self) -> &'static str {
        match self {
            Change::Retry => "Retry",
            Change::Clear => "Clear",
            Change::Cancel => "Cancel",
        }
    }

    fn lead(self) -> &'static str {
        match self {
            Change::Retry | Change::Clear => {
                "These tasks run again, in their runs. Their earlier attempts stay in the history."
            }
            Change::Cancel => {
                "Tasks that are running are asked to end, and their jobs on clusters are ended. What has ended stays \
                 as it is; what is cancelled can be cleared later."
            }
        }
    }

    fn filter(self) -> TaskFilter {
        match self {
            Change::Retry => TaskFilter::all().failed().downstream(),
            Change::Clear | Change::Cancel => TaskFilter::all(),
        }
    }

    /// The verb of the command line that does it to one run.
    fn line(self, run: &str) -> Vec<&str> {
        match self {
            Change::Retry => vec!["retry", run],
            Change::Clear => vec!["clear", run],
            Change::Cancel => vec!["cancel", run],
        }
    }
}

/// The runs that a form is about, the newest first.
async fn chosen(state: &Visitor, values: &Values) -> Result<Vec<String>, Problem> {
    let too_many = || Problem::invalid(format!("more than {MOST} runs are chosen; narrow the filter of the list"));
    if values.get("of") != "all" {
        let mut known = HashSet::new();
        let runs: Vec<String> =
            values.words("run").filter(|run| known.insert(*run)).map(str::to_owned).take(MOST + 1).collect();
        return match runs.len() {
            0 => Err(Problem::invalid("no run is selected; select some in the list of runs")),
            1..=MOST => Ok(runs),
            _ => Err(too_many()),
        };
    }
    let listed = listed(values);
    if listed.is_all() {
        return Err(Problem::invalid("the list has no filter; show runs of a DAG, of a type or in a state first"));
    }
    let filter = RunFilter { limit: u32::try_from(MOST).ok(), ..listed.filter() };
    let list = ops::list_runs(&state.journal, &state.visible().await?.runs(filter)).await?;
    match (list.more, list.runs.is_empty()) {
        (true, _) => Err(too_many()),
        (false, true) => Err(Problem::invalid("no run matches the filter any more")),
        (false, false) => Ok(list.runs.iter().map(|run| run.number.to_string()).collect()),
    }
}

fn listed(values: &Values) -> Listed<'_> {
    Listed { dag: values.get("dag"), state: values.get("state"), run_type: values.get("type") }
}

async fn permit(state: &Visitor, run: &str) -> Result<RunPermit, Problem> {
    Permit::of_run(state, &RunKey::parse(run.to_owned())?).await
}

/// What would be cleared in a run.
async fn preview(state: &Visitor, run: &str, filter: &TaskFilter) -> Result<(RunPermit, ClearPreview), Problem> {
    let permit = permit(state, run).await?;
    if permit.run().state == RunState::Running {
        return Err(Problem::invalid(format!("run {run} is running; wait for its end, or cancel it first")));
    }
    let preview = ops::preview_clear(&state.journal, permit.run_id(), filter).await?;
    Ok((permit, preview))
}

/// What would happen to some runs.
#[derive(Default)]
struct Plan {
    /// Those that change, with what is cleared in them.
    runs: Vec<(RunPermit, Option<ClearPreview>)>,
    /// Why others stay as they are.
    left_alone: Vec<String>,
}

impl Plan {
    async fn of(state: &Visitor, change: Change, runs: &[String]) -> Plan {
        let (mut plan, filter) = (Plan::default(), change.filter());
        for run in runs {
            let planned = match change {
                Change::Retry | Change::Clear => {
                    preview(state, run, &filter).await.map(|(permit, preview)| (permit, Some(preview)))
                }
                Change::Cancel => permit(state, run).await.and_then(|permit| match permit.run().state {
                    ended if ended.is_terminal() => {
                        Err(Problem::invalid(format!("run {run} has ended: {}", Mark::of(ended.name()).words)))
                    }
                    _ => Ok((permit, None)),
                }),
            };
            match planned {
                Ok(planned) => plan.runs.push(planned),
                Err(problem) => plan.left_alone.push(sentence(&problem.shown().detail)),
            }
        }
        plan
    }

    /// A checksum of what is cleared.
    fn token(&self) -> String {
        let mut hash = Sha256::new();
        for (permit, preview) in &self.runs {
            let token = preview.as_ref().map_or("", |preview| &preview.token);
            hash.update(format!("{} {token}\n", permit.run().number));
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    fn affected(&self) -> Vec<Affected> {
        let affected = self.runs.iter().map(|(permit, preview)| {
            let run = permit.run();
            let (cleared, all) = (preview.as_ref().map(|preview| preview.tasks.len()), tasks(run.tasks as usize));
            let to = match cleared {
                None => "cancelled".into(),
                Some(1) => format!("1 of {all} runs again").into(),
                Some(cleared) => format!("{cleared} of {all} run again").into(),
            };
            Affected { id: format!("{}, run {}", run.info.dag_id, run.number), from: Mark::of(run.state.name()), to }
        });
        affected.collect()
    }

    /// `Cancel 2 runs`, `Clear 12 tasks of 3 runs`; empty if there is nothing to do.
    fn button(&self, change: Change) -> String {
        let (verb, runs) = (change.verb(), runs(self.runs.len()));
        let cleared = self.runs.iter().filter_map(|(_, preview)| preview.as_ref()).map(|preview| preview.tasks.len());
        match (self.runs.is_empty(), cleared.sum::<usize>()) {
            (true, _) => String::new(),
            (false, 0) => format!("{verb} {runs}"),
            (false, cleared) => format!("{verb} {} of {runs}", tasks(cleared)),
        }
    }
}

fn tasks(count: usize) -> String {
    if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") }
}

fn runs(count: usize) -> String {
    if count == 1 { "1 run".to_owned() } else { format!("{count} runs") }
}

/// The form with what would happen now.
fn form(state: &Visitor, change: Change, values: &Values, runs: &[String], plan: &Plan) -> FormPage {
    let (request, verb) = (request(None), change.verb());
    let heading = format!("{verb} {}", self::runs(runs.len()));
    let which = Field::choice(
        "which",
        "Which tasks",
        &[("failed", "Only failed ones and what follows them"), ("all", "All tasks")],
    );
    let reason = Field::line("reason", "Reason", "Stored in the history of each run.");
    let mut fields = vec![reason.with(values)];
    if change != Change::Cancel {
        fields.insert(0, which.with(values));
    }
    let listed = listed(values);
    let mut hidden = vec![("run", runs.join(" ")), ("dag", listed.dag.to_owned())];
    hidden.extend([("state", listed.state.to_owned()), ("type", listed.run_type.to_owned())]);
    if change != Change::Cancel {
        hidden.push(("token", plan.token()));
    }
    let program = Program::of(&state.home);
    let lines = plan.runs.iter().map(|(permit, _)| program.line(&change.line(&permit.run().number.to_string())));
    let lines: Vec<String> = if plan.runs.len() > LINES { Vec::new() } else { lines.collect() };
    let name = if change == Change::Cancel { "cancel" } else { "clear" };
    FormPage {
        frame: Frame::new(
            &request,
            Place::Runs,
            heading.clone(),
            vec![Crumb::link("Runs", listed.address("")), Crumb::here(verb)],
        ),
        heading,
        lead: change.lead().to_owned(),
        error: String::new(),
        fields,
        hidden,
        preview: Some(Preview::of_several(plan.affected(), &plan.left_alone)),
        button: plan.button(change),
        is_danger: change == Change::Cancel,
        action: format!("/runs:{name}"),
        back: listed.address(""),
        command: lines.join("\n"),
    }
}

async fn show(state: &Visitor, change: Change, query: Option<String>) -> Page {
    let values = Values::of_query(query.as_deref())?;
    let (runs, error) = match chosen(state, &values).await {
        Ok(runs) => (runs, String::new()),
        Err(problem) => (Vec::new(), refusal(problem)?.1),
    };
    let plan = Plan::of(state, change, &runs).await;
    Ok(FormPage { error, ..form(state, change, &values, &runs, &plan) }.html())
}

pub(super) async fn ask_clear(state: Visitor, RawQuery(query): RawQuery) -> Page {
    let change = Change::of_clear(&Values::of_query(query.as_deref())?);
    show(&state, change, query).await
}

pub(super) async fn ask_cancel(state: Visitor, RawQuery(query): RawQuery) -> Page {
    show(&state, Change::Cancel, query).await
}

/// What became of the runs of a form.
#[derive(Default)]
struct Outcome {
    done: usize,
    /// Why others were not changed.
    refused: Vec<String>,
}

impl Outcome {
    fn add(&mut self, done: Result<(), Problem>) {
        match done {
            Ok(()) => self.done += 1,
            Err(problem) => self.refused.push(sentence(&problem.shown().detail)),
        }
    }

    /// Leads to the runs, in whichever state they are now; if some have refused the change, to the
    /// form with what would happen now.
    async fn shown(self, state: &Visitor, change: Change, values: &Values, of: &[String]) -> Sent {
        let Some(first) = self.refused.first() else {
            return done(state, &Listed { state: "", ..listed(values) }.address(""));
        };
        state.handle.wake();
        let others = match self.refused.len() - 1 {
            0 => String::new(),
            others => format!(" {} refused, too.", if others == 1 { "1 other".to_owned() } else { runs(others) }),
        };
        let changed = format!("{} of {} changed.", self.done, runs(self.done + self.refused.len()));
        let plan = Plan::of(state, change, of).await;
        let problem = Problem::new(StatusCode::CONFLICT, format!("{changed} {first}{others}"));
        form(state, change, values, of, &plan).refused(problem)
    }
}

pub(super) async fn clear(state: Visitor, Acting(service): Acting, headers: HeaderMap, body: Bytes) -> Sent {
    let values = Values::of(&headers, &body)?;
    let (change, runs) = (Change::of_clear(&values), chosen(&state, &values).await);
    let runs = match runs {
        Ok(runs) => runs,
        Err(problem) => return form(&state, change, &values, &[], &Plan::default()).refused(problem),
    };
    let plan = Plan::of(&state, change, &runs).await;
    if plan.token() != values.get("token") || plan.runs.is_empty() {
        let detail = "the runs have changed since the preview, which now shows what would be cleared";
        let problem = Problem::new(StatusCode::PRECONDITION_FAILED, detail);
        return form(&state, change, &values, &runs, &plan).refused(problem);
    }
    let (filter, mut outcome) = (change.filter(), Outcome::default());
    for (permit, preview) in &plan.runs {
        let token = preview.as_ref().map_or("", |preview| &preview.token);
        let cleared = async {
            let (run, note) = (permit.run_id(), values.note());
            let rerun = ops::clear_previewed(&service, run, &filter, token, &note, state.durability()).await?;
            match state.handle.run(permit.run().clone(), rerun.request) {
                true => Ok(()),
                false => Err(Problem::invalid("the service has ended; the next one runs the tasks")),
            }
        };
        outcome.add(cleared.await);
    }
    outcome.shown(&state, change, &values, &runs).await
}

pub(super) async fn cancel(state: Visitor, Acting(service): Acting, headers: HeaderMap, body: Bytes) -> Sent {
    let values = Values::of(&headers, &body)?;
    let runs = match chosen(&state, &values).await {
        Ok(runs) => runs,
        Err(problem) => return form(&state, Change::Cancel, &values, &[], &Plan::default()).refused(problem),
    };
    let (config, mut outcome) = (Some(state.home.config()), Outcome::default());
    for run in &runs {
        let cancelled = async {
            let permit = permit(&state, run).await?;
            match ops::cancel(&service, permit.run_id(), &values.note(), config).await {
                // It was faster.
                Ok(_) | Err(OpsError::Ended { .. }) => Ok(()),
                Err(error) => Err(error.into()),
            }
        };
        outcome.add(cancelled.await);
    }
    outcome.shown(&state, Change::Cancel, &values, &runs).await
}
