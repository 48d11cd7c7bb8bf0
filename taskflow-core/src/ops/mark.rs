//! Setting the state of tasks.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::audit::{Action, Trail};
use super::error::OpsError;
use super::resume::resume_adopted;
use super::tasks_changed::tasks_changed;
use crate::base::schema::Schema;
use crate::engine::RunRequest;
use crate::journal::{AdoptedRun, Journal, Note, TaskFilter};
use crate::run::{Durability, TaskState};

/// The state that tasks are set to.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// `success`, `failed` or `skipped`.
    pub state: TaskState,
    /// What the tasks returned, for [`TaskState::Success`]. Without it they keep the value that
    /// they returned before.
    pub value: Option<serde_json::Value>,
}

/// The tasks of a run that were marked.
#[derive(Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct Marked {
    /// The number of the run.
    pub number: i64,
    /// The id of the run.
    #[serde(skip)]
    pub run_id: String,
    /// The ids of the tasks, in the order of the graph.
    pub tasks: Vec<String>,
    /// The state that they were set to.
    pub state: TaskState,
    /// Ends the run, if no task is left to run. Otherwise [`resume`](super::resume()) runs what is
    /// left.
    #[serde(skip)]
    pub request: Option<RunRequest<()>>,
}

impl fmt::Debug for Marked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Marked { number, run_id, tasks, state, request: _ } = self;
        let mut shown = f.debug_struct("Marked");
        shown.field("number", number).field("run_id", run_id).field("tasks", tasks).field("state", state);
        shown.finish_non_exhaustive()
    }
}

/// Sets the state of tasks of a run that is not running: see [`Journal::mark`]. If no task is left
/// to run, the answer holds the request that ends the run.
///
/// # Errors
///
/// When there is no such run or task, the run is running, the state is not one of the three, or a
/// value is missing or does not have the type of the task.
pub async fn mark(
    journal: &Journal,
    run: &str,
    filter: &TaskFilter,
    mark: &Mark,
    note: &Note,
    durability: Durability,
) -> Result<Marked, OpsError> {
    let trail = Trail::of_run(journal, Action::Mark, run, &note.reason).await;
    let marked = mark_tasks(trail.journal(), run, filter, mark, note, durability).await;
    trail.end(marked).await
}

async fn mark_tasks(
    journal: &Journal,
    run: &str,
    filter: &TaskFilter,
    mark: &Mark,
    note: &Note,
    durability: Durability,
) -> Result<Marked, OpsError> {
    let Mark { state, value } = mark;
    if value.is_some() && *state != TaskState::Success {
        return Err(OpsError::ValueWithoutSuccess { state: *state });
    }
    let mut adopted = journal.adopt(run).await?;
    tasks_changed(&adopted, || adopted.selected(filter), state.name());
    let tasks = adopted.mark(filter, *state, value.as_ref(), note).await?;
    let (number, run_id) = (adopted.history().number, adopted.history().info.run_id.clone());
    let request = match is_settled(&adopted, &tasks)? {
        true => Some(resume_adopted(adopted, durability).await?),
        false => None,
    };
    Ok(Marked { number, run_id, tasks, state: *state, request })
}

/// Whether no task is left to run, so that the run only has to be ended.
fn is_settled(adopted: &AdoptedRun, marked: &[String]) -> Result<bool, OpsError> {
    let history = adopted.history();
    if history.tasks.iter().any(|task| !task.state.is_terminal()) {
        return Ok(false);
    }
    // The states downstream followed from the earlier states of the marked tasks, unless those
    // tasks ran or were marked.
    let downstream = TaskFilter::tasks(marked.to_vec()).downstream();
    let downstream = adopted.would_clear(&downstream)?;
    let derived = |id: &String| history.task(id).is_some_and(|task| task.cause.is_some() && !task.marked);
    Ok(!downstream.iter().any(derived))
}
