//! The forms that pause and unpause several DAGs with one reason: those that are selected in the
//! list of DAGs, or all that its filter matches.
//!
//! A DAG that is paused already, or that somebody may not pause, does not hold up the others. If
//! one refuses the change, the form is shown again, with what was done and why the rest was not.

use std::collections::BTreeSet;

use axum::body::Bytes;
use axum::extract::RawQuery;
use axum::http::{HeaderMap, StatusCode};

use super::address;
use super::changes::{PAUSED, catchup_field, pending_field};
use super::command::Program;
use super::dag_list::{DagFilter, SeenDags, starts_by_itself};
use super::form::{Field, FormPage, Sent, Values, done, refusal};
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::preview::{Affected, Preview};
use super::problem::sentence;
use super::reply::{Page, request};
use crate::dag::DagDef;
use crate::ops::{self, OpsError};
use crate::schedule::{Catchup, Unpause};
use crate::server::acting::Acting;
use crate::server::auth::Visitor;
use crate::server::keys::DagKey;
use crate::server::permit::{Operate, Permit};
use crate::server::problem::Problem;

/// The most DAGs of a form: their ids fit into an address.
const MOST: usize = 100;
/// For how many DAGs the form has the lines of the command line.
const LINES: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Pause,
    Unpause,
}

impl Change {
    fn verb(self) -> &'static str {
        match self {
            Change::Pause => "Pause",
            Change::Unpause => "Unpause",
        }
    }
}

fn filter(values: &Values) -> DagFilter<'_> {
    DagFilter { text: values.get("q"), show: values.get("show") }
}

/// The list that the form was reached from.
fn back(values: &Values) -> String {
    let DagFilter { text, show } = filter(values);
    address::with("/dags", &[("show", show), ("q", text)])
}

/// The ids of the DAGs that a form is about.
async fn chosen(state: &Visitor, values: &Values) -> Result<Vec<String>, Problem> {
    let ids: BTreeSet<String> = match values.get("of") {
        "all" if filter(values).is_all() => {
            return Err(Problem::invalid("the list has no filter; find the DAGs first"));
        }
        "all" => {
            let seen = SeenDags::of(state).await?;
            let shown = seen.dags.iter().filter(|dag| starts_by_itself(dag) && seen.shows(&filter(values), dag));
            shown.map(|dag| dag.dag_id.clone()).collect()
        }
        _ => values.words("dag").map(str::to_owned).collect(),
    };
    match ids.len() {
        0 => Err(Problem::invalid("no DAG is selected; select some in the list of DAGs")),
        1..=MOST => Ok(ids.into_iter().collect()),
        _ => Err(Problem::invalid(format!("more than {MOST} DAGs are chosen; narrow the filter of the list"))),
    }
}

fn permitted(state: &Visitor, dag: &str) -> Result<&'static DagDef, Problem> {
    Ok(Permit::<Operate, _>::of_dag(state, &DagKey::parse(dag.to_owned())?)?.dag())
}

/// What would happen to some DAGs.
#[derive(Default)]
struct Plan {
    dags: Vec<&'static DagDef>,
    /// Why others stay as they are.
    left_alone: Vec<String>,
}

impl Plan {
    async fn of(state: &Visitor, change: Change, ids: &[String]) -> Result<Plan, Problem> {
        let (mut plan, seen) = (Plan::default(), SeenDags::of(state).await?);
        for id in ids {
            let dag = match permitted(state, id) {
                Ok(dag) => dag,
                Err(problem) => {
                    plan.left_alone.push(sentence(&problem.shown().detail));
                    continue;
                }
            };
            let status = seen.dags.iter().find(|seen| seen.dag_id == *id);
            match (change, status.and_then(|status| status.pause.as_ref())) {
                _ if !status.is_some_and(starts_by_itself) => {
                    plan.left_alone.push(format!("{id} has no schedule, and no events start it."));
                }
                (Change::Pause, Some(pause)) => plan.left_alone.push(format!("{id} is paused by {}.", pause.by)),
                (Change::Unpause, None) => plan.left_alone.push(format!("{id} is not paused.")),
                _ => plan.dags.push(dag),
            }
        }
        Ok(plan)
    }

    fn affected(&self, change: Change) -> Vec<Affected> {
        let paused = Mark::of_slot("paused");
        let active = Mark { words: "not paused", ..Mark::of_slot("waiting") };
        let (from, to) = if change == Change::Pause { (active, paused) } else { (paused, active) };
        let affected = self.dags.iter().map(|dag| Affected { id: dag.id.to_owned(), from, to: to.words.into() });
        affected.collect()
    }
}

fn form(state: &Visitor, change: Change, values: &Values, ids: &[String], plan: &Plan) -> FormPage {
    let (request, verb) = (request(None), change.verb());
    let count = |count| if count == 1 { "1 DAG".to_owned() } else { format!("{count} DAGs") };
    let heading = format!("{verb} {}", count(ids.len()));
    let mut fields = vec![Field::line("reason", "Reason", "Stored in the history of each DAG.")];
    if change == Change::Unpause {
        fields.extend(plan.dags.iter().any(|dag| dag.options.schedule.is_some()).then(catchup_field));
        fields.extend(plan.dags.iter().any(|dag| matches!(dag.consumer(), Ok(Some(_)))).then(pending_field));
    }
    let name = verb.to_lowercase();
    let program = Program::of(&state.home);
    let lines = plan.dags.iter().map(|dag| program.line(&[&name, dag.id]));
    let lines: Vec<String> = if plan.dags.len() > LINES { Vec::new() } else { lines.collect() };
    let DagFilter { text, show } = filter(values);
    FormPage {
        frame: Frame::new(
            &request,
            Place::Dags,
            heading.clone(),
            vec![Crumb::link("DAGs", back(values)), Crumb::here(verb)],
        ),
        heading,
        lead: if change == Change::Pause { PAUSED.to_owned() } else { String::new() },
        error: String::new(),
        fields: fields.into_iter().map(|field| field.with(values)).collect(),
        hidden: vec![("dag", ids.join(" ")), ("q", text.to_owned()), ("show", show.to_owned())],
        preview: Some(Preview::of_several(plan.affected(change), &plan.left_alone)),
        button: if plan.dags.is_empty() { String::new() } else { format!("{verb} {}", count(plan.dags.len())) },
        is_danger: false,
        action: format!("/dags:{name}"),
        back: back(values),
        command: lines.join("\n"),
    }
}

async fn show(state: &Visitor, change: Change, query: Option<String>) -> Page {
    let values = Values::of_query(query.as_deref())?;
    let (ids, error) = match chosen(state, &values).await {
        Ok(ids) => (ids, String::new()),
        Err(problem) => (Vec::new(), refusal(problem)?.1),
    };
    let plan = Plan::of(state, change, &ids).await?;
    Ok(FormPage { error, ..form(state, change, &values, &ids, &plan) }.html())
}

pub(super) async fn ask_pause(state: Visitor, RawQuery(query): RawQuery) -> Page {
    show(&state, Change::Pause, query).await
}

pub(super) async fn ask_unpause(state: Visitor, RawQuery(query): RawQuery) -> Page {
    show(&state, Change::Unpause, query).await
}

async fn send(state: Visitor, service: crate::journal::Journal, change: Change, values: Values) -> Sent {
    let ids = match chosen(&state, &values).await {
        Ok(ids) => ids,
        Err(problem) => return form(&state, change, &values, &[], &Plan::default()).refused(problem),
    };
    let (note, mut refused) = (values.note(), Vec::new());
    let catchup = values.get("catchup").parse().unwrap_or(Catchup::None);
    let events = values.get("events").parse().unwrap_or(Unpause::All);
    for id in &ids {
        let changed = async {
            let dag = permitted(&state, id)?;
            let changed = match change {
                Change::Pause => ops::pause(&service, dag, &note, None).await.map(drop),
                Change::Unpause => ops::unpause(&service, dag, &note, catchup, events).await.map(drop),
            };
            match changed {
                // Somebody was faster.
                Ok(()) | Err(OpsError::Paused { .. } | OpsError::NotPaused { .. }) => Ok(()),
                Err(error) => Err(Problem::from(error)),
            }
        };
        refused.extend(changed.await.err().map(|problem| sentence(&problem.shown().detail)));
    }
    if refused.is_empty() {
        return done(&state, &back(&values));
    }
    state.handle.wake();
    let done = ids.len() - refused.len();
    let detail = format!("{done} of {} DAGs changed. {}", ids.len(), refused.join(" "));
    let plan = Plan::of(&state, change, &ids).await?;
    form(&state, change, &values, &ids, &plan).refused(Problem::new(StatusCode::CONFLICT, detail))
}

pub(super) async fn pause(state: Visitor, Acting(service): Acting, headers: HeaderMap, body: Bytes) -> Sent {
    let values = Values::of(&headers, &body)?;
    send(state, service, Change::Pause, values).await
}

pub(super) async fn unpause(state: Visitor, Acting(service): Acting, headers: HeaderMap, body: Bytes) -> Sent {
    let values = Values::of(&headers, &body)?;
    send(state, service, Change::Unpause, values).await
}
