//! The questions that tasks ask people, and what they are about.

use std::time::Duration;

use serde::Serialize;

use super::answer_form::AnswerForm;
use super::error::OpsError;
use crate::approval::asks;
use crate::base::Timestamp;
use crate::base::schema::Schema;
use crate::dag::{DagDef, node_id_of};
use crate::journal::{Journal, RunHistory, RunSummary, TaskHistory, word_of};
use crate::run::{QuestionRespondents, RunInfo, RunState, RunType};
use crate::store::RunFilter;
use crate::task::DeadlineTimes;

/// How many characters of a value are shown.
const PREVIEW: usize = 2_000;

/// A question that a task asks people. It is answered with [`send_event`](super::send_event()).
#[derive(Clone, Debug, PartialEq, Serialize, Schema)]
#[non_exhaustive]
pub struct Approval {
    /// The number of the run.
    pub number: i64,
    /// The id of the run.
    pub run_id: String,
    /// The DAG.
    pub dag_id: String,
    /// The logical date of the run.
    pub logical_date: Timestamp,
    /// The state of the run: the task of an interrupted run goes on when that is resumed.
    pub state: RunState,
    /// The task.
    pub task: String,
    /// The key of the event that answers.
    pub key: String,
    /// The question.
    pub question: String,
    /// The type of the answer, without modules.
    pub answer: String,
    /// What the answer looks like; JSON where the program no longer has the task.
    pub form: AnswerForm,
    /// Who may answer.
    #[serde(flatten)]
    pub respondents: QuestionRespondents,
    /// Who has asked for the run.
    #[serde(skip)]
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the pages of the server"))]
    pub(crate) requested_by: Vec<String>,
    /// The values that the question is about: those that the task takes.
    pub about: Vec<ApprovalInput>,
    /// Since when it waits.
    pub since: Timestamp,
    /// What happens without an answer, the earliest first. Empty if it waits for ever.
    pub deadlines: Vec<AnswerDeadline>,
}

/// A value that a question is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Schema)]
#[non_exhaustive]
pub struct ApprovalInput {
    /// The task that returned it.
    pub task: String,
    /// Its type, without modules.
    #[serde(rename = "type")]
    pub ty: String,
    /// Its beginning as JSON, with secrets masked; nothing if the value cannot be read.
    pub preview: Option<String>,
}

/// A point in time at which something happens if nobody has answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Schema)]
#[non_exhaustive]
pub struct AnswerDeadline {
    /// When.
    pub at: Timestamp,
    /// What happens then, in words.
    pub then: String,
}

/// The questions that tasks ask now, the oldest first. `dags` are the DAGs of the program: only
/// runs of those that can ask are read, and runs of DAGs that it no longer has.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn approvals(journal: &Journal, dags: &[&'static DagDef]) -> Result<Vec<Approval>, OpsError> {
    let mut all = Vec::new();
    for (run, dag) in asking_runs(journal, dags).await? {
        let history = journal.history(&word_of(run.number)).await?;
        for task in questions(&history) {
            all.push(document(journal, &history, task, dag).await?);
        }
    }
    let place = |approval: &Approval| (approval.since, approval.number, approval.task.clone());
    all.sort_by_cached_key(place);
    Ok(all)
}

/// The question that a task of a run asks now.
///
/// # Errors
///
/// With [`OpsError::NoQuestion`] when it asks none, when the run has no such task, or the store
/// cannot be read.
pub async fn approval(
    journal: &Journal,
    dags: &[&'static DagDef],
    run: &str,
    task: &str,
) -> Result<Approval, OpsError> {
    let history = journal.history(run).await?;
    let known = &history.tasks[history.place(task)?];
    let dag = dags.iter().find(|dag| dag.id == history.info.dag_id).copied();
    match questions(&history).any(|asking| asking.id == known.id) {
        true => document(journal, &history, known, dag).await,
        false => Err(OpsError::NoQuestion { number: history.number, task: task.to_owned(), state: known.state }),
    }
}

/// The runs that may ask something.
async fn asking_runs(
    journal: &Journal,
    dags: &[&'static DagDef],
) -> Result<Vec<(RunSummary, Option<&'static DagDef>)>, OpsError> {
    let states = vec![RunState::Running, RunState::Interrupted];
    let runs = journal.runs(&RunFilter { states, ..RunFilter::default() }).await?;
    let with_dag = runs.into_iter().map(|run| {
        let dag = dags.iter().find(|dag| dag.id == run.info.dag_id).copied();
        (run, dag)
    });
    Ok(with_dag.filter(|(_, dag)| dag.is_none_or(can_ask)).collect())
}

/// Whether a DAG has a task that asks people.
fn can_ask(dag: &'static DagDef) -> bool {
    dag.plan().is_ok_and(|plan| plan.defs().iter().any(|def| asks(def)))
}

/// The tasks of a run that ask something now.
fn questions(history: &RunHistory) -> impl Iterator<Item = &TaskHistory> {
    let asks = |task: &&TaskHistory| task.waits_for.as_ref().is_some_and(|wait| wait.question.is_some());
    history.tasks.iter().filter(move |task| !history.state.is_terminal() && asks(task))
}

async fn document(
    journal: &Journal,
    history: &RunHistory,
    task: &TaskHistory,
    dag: Option<&'static DagDef>,
) -> Result<Approval, OpsError> {
    // The callers have picked a task that waits.
    let wait = task.waits_for.as_ref();
    let key = wait.and_then(|wait| wait.event.clone()).unwrap_or_default();
    let plan = dag.and_then(|dag| dag.plan().ok());
    let info = &history.info;
    Ok(Approval {
        number: history.number,
        run_id: info.run_id.clone(),
        dag_id: info.dag_id.clone(),
        logical_date: info.logical_date,
        state: history.state,
        task: task.id.to_string(),
        question: wait.and_then(|wait| wait.question.clone()).unwrap_or_default(),
        answer: wait.and_then(|wait| wait.answer.clone()).unwrap_or_default(),
        respondents: wait.map(|wait| wait.respondents.clone()).unwrap_or_default(),
        requested_by: info.requested_by.clone(),
        form: plan.map_or(AnswerForm::Json, |plan| AnswerForm::of(&plan, &key)),
        key,
        about: about(journal, history, &task.id).await?,
        since: wait.map_or(history.created, |wait| wait.since),
        deadlines: dag.map(|dag| deadlines(history, task, dag)).unwrap_or_default(),
    })
}

/// The values that a task takes.
async fn about(journal: &Journal, history: &RunHistory, task: &str) -> Result<Vec<ApprovalInput>, OpsError> {
    let mut inputs = Vec::new();
    for place in history.inputs_of(history.place(task)?) {
        let upstream = &history.tasks[place];
        if !upstream.has_value() {
            continue;
        }
        // A value that cannot be read hides no question.
        let value = journal.value(history, &upstream.id).await.ok().flatten();
        inputs.push(ApprovalInput {
            task: upstream.id.to_string(),
            ty: history.type_at(place).to_owned(),
            preview: value.map(|value| value.preview(PREVIEW)),
        });
    }
    Ok(inputs)
}

/// What happens without an answer.
fn deadlines(history: &RunHistory, task: &TaskHistory, dag: &'static DagDef) -> Vec<AnswerDeadline> {
    let mut all = Vec::new();
    if let Some(until) = task.waits_for.as_ref().and_then(|wait| wait.until) {
        all.push(AnswerDeadline { at: until, then: "the task goes on without an answer".to_owned() });
    }
    let started = history.started().unwrap_or(history.created);
    if let Some(timeout) = dag.options.timeout.filter(|timeout| *timeout > Duration::ZERO) {
        all.push(AnswerDeadline { at: started + timeout, then: "the run times out, and fails".to_owned() });
    }
    let Ok(zone) = dag.options.timezone() else { return all };
    let info = &history.info;
    let times = DeadlineTimes {
        logical_date: (info.run_type != RunType::Backfill).then_some(info.logical_date),
        slot: (info.run_id == RunInfo::id_of_slot(&info.dag_id, info.logical_date)).then_some(info.logical_date),
        queued: history.created,
        started,
        zone: &zone,
    };
    let plan = dag.plan().ok();
    let node = plan.as_ref().and_then(|plan| plan.find(node_id_of(&task.id)).map(|node| plan.node_options(node)));
    let of_task = node.and_then(|options| Some((options.deadline?, options.callbacks, "the task")));
    let of_run = dag.options.deadline.map(|deadline| (deadline, dag.options.callbacks, "the run"));
    for (deadline, callbacks, whose) in of_task.into_iter().chain(of_run) {
        let Some(at) = deadline.due(&times) else { continue };
        let notified = match callbacks.on_deadline_missed {
            Some(callback) => format!(", and {} is notified", callback.name()),
            None => String::new(),
        };
        all.push(AnswerDeadline { at, then: format!("{whose} misses its deadline{notified}; it still waits") });
    }
    all.sort_by_key(|deadline| deadline.at);
    all
}
