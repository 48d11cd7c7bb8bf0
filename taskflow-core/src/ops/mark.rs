//! Setting the state of tasks.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::audit::{Action, Trail};
use super::error::OpsError;
use super::preview::{token, with_states};
use super::resume::resume_adopted;
use super::tasks_changed::tasks_changed;
use crate::base::schema::Schema;
use crate::engine::RunRequest;
use crate::journal::{Journal, JournalError, Note, RunHistory, TaskFilter, TaskHistory, would_clear, would_mark};
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

/// What [`mark_previewed`] changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct MarkPreview {
    /// The number of the run.
    pub number: i64,
    /// The id of the run.
    #[serde(skip)]
    pub run_id: String,
    /// The ids of the tasks, in the order of the graph.
    pub tasks: Vec<String>,
    /// The state that they would be set to.
    pub state: TaskState,
    /// The tasks downstream whose states followed from the earlier states of these:
    /// [`resume`](super::resume()) decides about them anew.
    pub undecided: Vec<String>,
    /// Whether no task is left to run, so that the run ends.
    pub ends: bool,
    /// That nothing was changed.
    pub dry_run: bool,
    /// For [`mark_previewed`], which then marks exactly this.
    pub token: String,
}

/// Reports what [`mark`] would change. Changes nothing, and works for a running run too.
///
/// # Errors
///
/// As [`mark`], except that the run may be running.
pub async fn preview_mark(
    journal: &Journal,
    run: &str,
    filter: &TaskFilter,
    mark: &Mark,
) -> Result<MarkPreview, OpsError> {
    check(mark)?;
    MarkPreview::of(&journal.history(run).await?, filter, mark)
}

impl MarkPreview {
    fn of(history: &RunHistory, filter: &TaskFilter, Mark { state, value }: &Mark) -> Result<Self, OpsError> {
        let tasks = would_mark(history, filter, *state, value.as_ref())?;
        let undecided = undecided(history, &tasks)?;
        let of_marked: HashSet<&str> = tasks.iter().map(String::as_str).collect();
        let is_open = |task: &TaskHistory| !task.state.is_terminal() && !of_marked.contains(&*task.id);
        let ends = undecided.is_empty() && !history.tasks.iter().any(is_open);
        Ok(MarkPreview {
            number: history.number,
            run_id: history.info.run_id.clone(),
            ends,
            undecided,
            dry_run: true,
            token: token(history, &becomes(*state, value.as_ref()), &tasks),
            state: *state,
            tasks,
        })
    }
}

/// Marks exactly the tasks that a preview has shown, as [`mark`].
///
/// # Errors
///
/// With [`OpsError::MarkChanged`] when other tasks would be marked, or one of them has changed
/// since the preview; otherwise as [`mark`].
pub async fn mark_previewed(
    journal: &Journal,
    run: &str,
    filter: &TaskFilter,
    mark: &Mark,
    token: &str,
    note: &Note,
    durability: Durability,
) -> Result<Marked, OpsError> {
    let trail = Trail::of_run(journal, Action::Mark, run, &note.reason).await.with_token(Some(token));
    let marked = mark_tasks(trail.journal(), run, filter, mark, Some(token), note, durability).await;
    trail.end(marked).await
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
    let marked = mark_tasks(trail.journal(), run, filter, mark, None, note, durability).await;
    trail.end(marked).await
}

async fn mark_tasks(
    journal: &Journal,
    run: &str,
    filter: &TaskFilter,
    mark: &Mark,
    token: Option<&str>,
    note: &Note,
    durability: Durability,
) -> Result<Marked, OpsError> {
    let Mark { state, value } = mark;
    check(mark)?;
    let mut adopted = journal.adopt(run).await?;
    // First, so that the trail names the tasks also when the mark is refused.
    tasks_changed(&adopted, || adopted.selected(filter), state.name());
    let preview = MarkPreview::of(adopted.history(), filter, mark)?;
    if token.is_some_and(|token| preview.token != token) {
        let now = with_states(adopted.history(), &preview.tasks);
        return Err(OpsError::MarkChanged { number: preview.number, now });
    }
    let tasks = adopted.mark(filter, *state, value.as_ref(), note).await?;
    let request = if preview.ends { Some(resume_adopted(adopted, durability).await?) } else { None };
    let MarkPreview { number, run_id, state, .. } = preview;
    Ok(Marked { number, run_id, tasks, state, request })
}

/// What becomes of the tasks, for the token: the state, and the value if one is given. No state has
/// a space in its name.
fn becomes(state: TaskState, value: Option<&serde_json::Value>) -> String {
    match value {
        Some(value) => format!("{} {value}", state.name()),
        None => state.name().to_owned(),
    }
}

fn check(mark: &Mark) -> Result<(), OpsError> {
    match mark {
        Mark { state, value: Some(_) } if *state != TaskState::Success => {
            Err(OpsError::ValueWithoutSuccess { state: *state })
        }
        _ => Ok(()),
    }
}

/// The tasks downstream whose states followed from the earlier states of the marked tasks: those
/// that neither ran nor were marked.
fn undecided(history: &RunHistory, marked: &[String]) -> Result<Vec<String>, OpsError> {
    let of_marked: HashSet<&str> = marked.iter().map(String::as_str).collect();
    let mut downstream = match would_clear(history, &TaskFilter::tasks(marked.to_vec()).downstream()) {
        // Nothing of it has run.
        Err(JournalError::Nothing { .. }) => Vec::new(),
        downstream => downstream?,
    };
    let derived = |id: &str| history.task(id).is_some_and(|task| task.cause.is_some() && !task.marked);
    downstream.retain(|id| derived(id) && !of_marked.contains(&**id));
    Ok(downstream)
}
