//! The forms that clear and cancel several runs: those that are selected in the list of runs, or
//! all that its filter matches.
//!
//! 1. The list sends the numbers of the selected runs, or its filter. A filter is read once: the
//!    form names the runs that it matched then.
//! 2. The form shows what becomes of each run, and why others are left alone.
//! 3. What is cleared is what the form has shown. It has the [token] of all previews: if one of
//!    them has changed, the form shows what would be cleared now, and nothing is done. Tasks of a
//!    run that is live start and end all the time, so cancelling has no token, and a run that has
//!    ended before it could be cancelled is no refusal.
//! 4. A run that refuses the change does not hold up the others. Then the form is shown again, with
//!    what was done and why the rest was not.

use std::collections::HashSet;

use axum::body::Bytes;
use axum::extract::RawQuery;
use axum::http::{HeaderMap, StatusCode};

use super::command::Program;
use super::form::{Field, FormPage, Sent, Values, done, refusal};
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::preview::{Affected, Preview};
use super::problem::sentence;
use super::reply::{Page, request};
use super::run_list::{Listed, TIMES};
use crate::journal::TaskFilter;
use crate::ops;
use crate::server::acting::Acting;
use crate::server::auth::Visitor;
use crate::server::problem::Problem;
use crate::server::run_changes::{Planned, Refusal, RunChange, token};
use crate::store::RunFilter;

/// The most runs of a form: their numbers fit into an address.
const MOST: usize = 500;
/// For how many runs the form has the lines of the command line.
const LINES: usize = 10;

/// What a form that clears runs asks for.
fn cleared(values: &Values) -> RunChange {
    if values.get("which") == "all" { RunChange::Clear(TaskFilter::all()) } else { RunChange::Retry }
}

/// The verb of the button, and of the command line that does it to one run.
fn verb(change: &RunChange) -> &'static str {
    match change {
        RunChange::Cancel => "Cancel",
        RunChange::Retry => "Retry",
        RunChange::Clear(_) | RunChange::Mark(..) => "Clear",
    }
}

fn lead(change: &RunChange) -> &'static str {
    match change {
        RunChange::Cancel => {
            "Tasks that are running are asked to end, and their jobs on clusters are ended. What has ended stays as it \
             is; what is cancelled can be cleared later."
        }
        _ => "These tasks run again, in their runs. Their earlier attempts stay in the history.",
    }
}

fn cancels(change: &RunChange) -> bool {
    matches!(change, RunChange::Cancel)
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
    if let Some(mistake) = listed.mistake() {
        return Err(Problem::invalid(mistake));
    }
    if listed.is_all() {
        return Err(Problem::invalid(
            "the list has no filter; show runs of a DAG, of a type, of a time, of somebody, with a parameter or in a \
             state first",
        ));
    }
    let filter = RunFilter { limit: u32::try_from(MOST).ok(), ..listed.filter() };
    let list = ops::list_runs(&state.journal, &state.runs(filter).await?).await?;
    if list.more && list.runs.len() < MOST {
        // Those that were not looked at may match.
        return Err(Problem::invalid(
            "only the 10,000 newest runs were searched, and older ones may match; choose a DAG or dates as well",
        ));
    }
    match (list.more, list.runs.is_empty()) {
        (true, _) => Err(too_many()),
        (false, true) => Err(Problem::invalid("no run matches the filter any more")),
        (false, false) => Ok(list.runs.iter().map(|run| run.number.to_string()).collect()),
    }
}

fn listed(values: &Values) -> Listed<'_> {
    Listed {
        dag: values.get("dag"),
        state: values.get("state"),
        run_type: values.get("type"),
        by: values.get("by"),
        param: values.get("param"),
        times: TIMES.map(|name| values.get(name)),
    }
}

/// What would happen to some runs.
#[derive(Default)]
struct Plan(Vec<Result<Planned, Refusal>>);

impl Plan {
    async fn of(state: &Visitor, change: &RunChange, runs: &[String]) -> Plan {
        let mut plan = Plan::default();
        for run in runs {
            plan.0.push(change.preview(state, run).await);
        }
        plan
    }

    /// The runs that change.
    fn runs(&self) -> impl Iterator<Item = &Planned> {
        self.0.iter().flatten()
    }

    fn preview(&self, change: &RunChange) -> Preview {
        let affected = self.runs().map(|planned| {
            let (run, cleared) = (planned.permit.run(), planned.tasks.len());
            let all = tasks(run.tasks as usize);
            let to = match cleared {
                _ if cancels(change) => "cancelled".into(),
                1 => format!("1 of {all} runs again").into(),
                cleared => format!("{cleared} of {all} run again").into(),
            };
            Affected { id: format!("{}, run {}", run.info.dag_id, run.number), from: Mark::of(run.state.name()), to }
        });
        let left_alone = self.0.iter().filter_map(|planned| Some(sentence(&planned.as_ref().err()?.detail)));
        Preview::of_several(affected.collect(), &left_alone.collect::<Vec<_>>())
    }

    /// `Cancel 2 runs`, `Clear 12 tasks of 3 runs`; empty if there is nothing to do.
    fn button(&self, change: &RunChange) -> String {
        let (verb, count) = (verb(change), self.runs().count());
        match count {
            0 => String::new(),
            count if cancels(change) => format!("{verb} {}", runs(count)),
            count => {
                let cleared = self.runs().map(|planned| planned.tasks.len()).sum();
                format!("{verb} {} of {}", tasks(cleared), runs(count))
            }
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
fn form(state: &Visitor, change: &RunChange, values: &Values, runs: &[String], plan: &Plan) -> FormPage {
    let (request, verb) = (request(None), verb(change));
    let heading = format!("{verb} {}", self::runs(runs.len()));
    let which = Field::choice(
        "which",
        "Which tasks",
        &[("failed", "Only failed ones and what follows them"), ("all", "All tasks")],
    );
    let reason = Field::line("reason", "Reason", "Stored in the history of each run.");
    let mut fields = vec![reason.with(values)];
    let listed = listed(values);
    let mut hidden = vec![("run", runs.join(" ")), ("dag", listed.dag.to_owned())];
    hidden.extend([("state", listed.state.to_owned()), ("type", listed.run_type.to_owned())]);
    hidden.extend([("by", listed.by.to_owned()), ("param", listed.param.to_owned())]);
    hidden.extend(TIMES.into_iter().zip(listed.times.map(str::to_owned)));
    let mut name = "cancel";
    if !cancels(change) {
        fields.insert(0, which.with(values));
        hidden.push(("token", token(&plan.0)));
        name = "clear";
    }
    let program = Program::of(&state.home);
    let word = verb.to_lowercase();
    let lines = plan.runs().map(|planned| program.line(&[&word, &planned.permit.run().number.to_string()]));
    let mut lines: Vec<String> = lines.take(LINES + 1).collect();
    if lines.len() > LINES {
        lines.clear();
    }
    FormPage {
        frame: Frame::new(
            &request,
            Place::Runs,
            heading.clone(),
            vec![Crumb::link("Runs", listed.address("")), Crumb::here(verb)],
        ),
        heading,
        lead: lead(change).to_owned(),
        error: String::new(),
        fields,
        hidden,
        preview: Some(plan.preview(change)),
        button: plan.button(change),
        is_danger: cancels(change),
        action: format!("/runs:{name}"),
        back: listed.address(""),
        command: lines.join("\n"),
    }
}

async fn show(state: &Visitor, change: RunChange, values: &Values) -> Page {
    let (runs, error) = match chosen(state, values).await {
        Ok(runs) => (runs, String::new()),
        Err(problem) => (Vec::new(), refusal(problem)?.1),
    };
    let plan = Plan::of(state, &change, &runs).await;
    Ok(FormPage { error, ..form(state, &change, values, &runs, &plan) }.html())
}

pub(super) async fn ask_clear(state: Visitor, RawQuery(query): RawQuery) -> Page {
    let values = Values::of_query(query.as_deref())?;
    show(&state, cleared(&values), &values).await
}

pub(super) async fn ask_cancel(state: Visitor, RawQuery(query): RawQuery) -> Page {
    show(&state, RunChange::Cancel, &Values::of_query(query.as_deref())?).await
}

/// Leads to the runs, in whichever state they are now; if some have refused the change, to the form
/// with what would happen now.
async fn shown(
    state: &Visitor,
    change: &RunChange,
    values: &Values,
    of: &[String],
    outcomes: Vec<Result<Vec<String>, Refusal>>,
) -> Sent {
    let count = outcomes.len();
    let refused: Vec<Refusal> =
        outcomes.into_iter().filter_map(Result::err).filter(|refusal| !refusal.is_unchanged).collect();
    let Some(first) = refused.first() else {
        return done(state, &Listed { state: "", ..listed(values) }.address(""));
    };
    state.handle.wake();
    let others = match refused.len() - 1 {
        0 => String::new(),
        1 => " 1 other refused, too.".to_owned(),
        others => format!(" {} refused, too.", runs(others)),
    };
    let changed = format!("{} of {} changed.", count - refused.len(), runs(count));
    let plan = Plan::of(state, change, of).await;
    let problem = Problem::new(StatusCode::CONFLICT, format!("{changed} {}{others}", sentence(&first.detail)));
    form(state, change, values, of, &plan).refused(problem)
}

pub(super) async fn clear(state: Visitor, Acting(service): Acting, headers: HeaderMap, body: Bytes) -> Sent {
    let values = Values::of(&headers, &body)?;
    let change = cleared(&values);
    let runs = match chosen(&state, &values).await {
        Ok(runs) => runs,
        Err(problem) => return form(&state, &change, &values, &[], &Plan::default()).refused(problem),
    };
    let plan = Plan::of(&state, &change, &runs).await;
    if token(&plan.0) != values.get("token") || plan.runs().next().is_none() {
        let detail = "the runs have changed since the preview, which now shows what would be cleared";
        let problem = Problem::new(StatusCode::PRECONDITION_FAILED, detail);
        return form(&state, &change, &values, &runs, &plan).refused(problem);
    }
    let (note, mut outcomes) = (values.note(), Vec::new());
    for planned in plan.runs() {
        outcomes.push(change.apply_planned(&state, &service, planned, &note).await);
    }
    shown(&state, &change, &values, &runs, outcomes).await
}

pub(super) async fn cancel(state: Visitor, Acting(service): Acting, headers: HeaderMap, body: Bytes) -> Sent {
    let (values, change) = (Values::of(&headers, &body)?, RunChange::Cancel);
    let runs = match chosen(&state, &values).await {
        Ok(runs) => runs,
        Err(problem) => return form(&state, &change, &values, &[], &Plan::default()).refused(problem),
    };
    let (note, mut outcomes) = (values.note(), Vec::new());
    for run in &runs {
        outcomes.push(change.apply(&state, &service, run, &note).await);
    }
    shown(&state, &change, &values, &runs, outcomes).await
}
