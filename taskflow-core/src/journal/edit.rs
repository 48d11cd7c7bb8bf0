//! Edits of stored runs: clearing and marking tasks, cancelling runs.
//!
//! A run with a live owner is not edited; cancelling it leaves a request for its owner. Every other
//! run is [adopted](super::adopted) first, and the edit is one more segment: no stored entry ever
//! changes, and every attempt stays in the history.

use std::collections::HashSet;

use super::adopted::AdoptedRun;
use super::error::JournalError;
use super::history::RunHistory;
use super::journal::Journal;
use super::scopes::{set_up, with_scopes};
use super::task_filter::TaskFilter;
use super::task_history::TaskHistory;
use crate::base::account;
use crate::dag::node_id_of;
use crate::engine::RunRequest;
use crate::log::Redactor;
use crate::run::{Entry, RunState, Stored, TaskIndex, TaskState, ValueRef};
use crate::store::{Request, RequestKind, RunRow};

/// Who edits a run, and why. Both are part of the history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// Who.
    pub by: String,
    /// Why; may be empty.
    pub reason: String,
}

impl Note {
    /// A note by the account that the process runs as. [Secrets](crate::log::mask) in the reason
    /// are masked: whoever sees the run is shown it.
    pub fn by_user(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Note { by: account(), reason: Redactor::current().text(&reason).into_owned() }
    }

    /// The note, by the account of the process if it does not say by whom.
    pub(super) fn signed(&self) -> Note {
        let Note { by, reason } = self.clone();
        Note { by: if by.trim().is_empty() { account() } else { by }, reason }
    }
}

/// The outcome of [`Journal::cancel`].
#[derive(Debug)]
pub(crate) enum Cancellation {
    /// A process owns the run. It was asked to cancel it, and will do so within the grace time of
    /// the run.
    Requested {
        /// That process, `host:pid`.
        worker: String,
    },
    /// No process owned the run. It is cancelled.
    Cancelled {
        /// The run with its cancellation.
        history: Box<RunHistory>,
    },
    /// No process owned the run. It is cancelled except for the teardowns of what it has set up:
    /// [`resume`](Journal::resume) runs these and nothing else.
    LeavesTeardowns {
        /// The ids of the teardowns.
        tasks: Vec<String>,
        /// The run with its cancellation.
        history: Box<RunHistory>,
    },
    /// The run had ended before.
    Ended(RunState),
}

impl Journal {
    /// Clears tasks of a run that no process owns, so that [`resume`](Journal::resume) runs them
    /// again. Returns their ids.
    ///
    /// Their attempts stay in the history, and attempt numbers continue, but earlier attempts do
    /// not count as retries. Downstream tasks that have run are not run again unless the filter
    /// selects them, too.
    ///
    /// # Errors
    ///
    /// When a process owns the run, it has no such task, or none of the selected tasks has run or
    /// ended.
    pub async fn clear(&self, run: &str, pick: &TaskFilter, note: &Note) -> Result<Vec<String>, JournalError> {
        self.adopt(run).await?.clear(pick, note).await
    }

    /// Clears tasks of a run and resumes it, with one claim: no other process can take the run in
    /// between. Returns the ids of the cleared tasks and the request to resume.
    ///
    /// # Errors
    ///
    /// As [`Journal::clear`] and [`Journal::resume`]. When resuming fails, the tasks stay cleared.
    pub async fn clear_and_resume(
        &self,
        run: &str,
        pick: &TaskFilter,
        note: &Note,
    ) -> Result<(Vec<String>, RunRequest<()>), JournalError> {
        let mut adopted = self.adopt_to_resume(run).await?;
        let cleared = adopted.clear(pick, note).await?;
        Ok((cleared, adopted.resume().await?))
    }

    /// The tasks that [`Journal::clear`] would clear. Changes nothing, and works for a run with an
    /// owner, too.
    ///
    /// # Errors
    ///
    /// When it has no such task, or none of the selected tasks has run or ended.
    pub async fn would_clear(&self, run: &str, pick: &TaskFilter) -> Result<Vec<String>, JournalError> {
        would_clear(&self.history(run).await?, pick)
    }

    /// Sets the state of tasks of a run that no process owns to `success`, `failed` or `skipped`.
    /// Returns their ids.
    ///
    /// [`resume`](Journal::resume) decides anew what follows from their states. A task that is
    /// marked as a success needs a value if others take it: the one it returned before, or `value`,
    /// which must fit its type.
    ///
    /// # Errors
    ///
    /// When a process owns the run, it has no such task, the state is none of the three, or a value
    /// is missing or does not fit.
    pub async fn mark(
        &self,
        run: &str,
        pick: &TaskFilter,
        state: TaskState,
        value: Option<&serde_json::Value>,
        note: &Note,
    ) -> Result<Vec<String>, JournalError> {
        self.adopt(run).await?.mark(pick, state, value, note).await
    }

    /// Cancels a run: what has not started becomes `cancelled`, what runs is asked to stop.
    ///
    /// Leaves the jobs on a cluster of a run that no process owns alone: `ops::cancel` ends those,
    /// and is what callers outside of this crate use.
    pub(crate) async fn cancel(&self, row: &RunRow, note: &Note) -> Result<Cancellation, JournalError> {
        if row.state.is_terminal() {
            return Ok(Cancellation::Ended(row.state));
        }
        if let Some(worker) = row.live_owner() {
            return self.ask_to_cancel(row, worker.to_owned(), note).await;
        }
        match self.adopt_row(row, None).await {
            // A process has claimed it since.
            Err(JournalError::Live { by, .. }) => self.ask_to_cancel(row, by, note).await,
            adopted => adopted?.cancel(note).await,
        }
    }

    async fn ask_to_cancel(&self, row: &RunRow, worker: String, note: &Note) -> Result<Cancellation, JournalError> {
        let Note { by, reason } = note.clone();
        let reason = if reason.is_empty() { "cancelled".to_owned() } else { reason };
        let request = Request { run: row.number, what: RequestKind::Cancel, by, reason, at: self.now() };
        if self.inner.store.ask(&request, self.audit_row().as_ref()).await? {
            self.audit_stored();
        }
        Ok(Cancellation::Requested { worker })
    }
}

impl AdoptedRun {
    /// As [`Journal::clear`].
    pub(crate) async fn clear(&mut self, pick: &TaskFilter, note: &Note) -> Result<Vec<String>, JournalError> {
        let ids = self.store_clear(pick, note).await?;
        self.drop_cancellations().await?;
        Ok(ids)
    }

    /// The first write of [`AdoptedRun::clear`]; the other is [`AdoptedRun::drop_cancellations`].
    pub(super) async fn store_clear(&mut self, pick: &TaskFilter, note: &Note) -> Result<Vec<String>, JournalError> {
        let tasks = to_clear(&self.history, pick)?;
        let ids = tasks.iter().map(|&task| self.history.id(task).to_owned()).collect();
        let Note { by, reason } = note.clone();
        let tasks = self.history.numbers_of(&tasks);
        self.append(vec![(Entry::Cleared { tasks, by, reason }, None)], self.edited_state()).await?;
        Ok(ids)
    }

    /// As [`Journal::would_clear`].
    pub(crate) fn would_clear(&self, pick: &TaskFilter) -> Result<Vec<String>, JournalError> {
        would_clear(&self.history, pick)
    }

    /// The ids of the tasks that a filter selects, in the order of the graph.
    pub(crate) fn selected(&self, pick: &TaskFilter) -> Result<Vec<String>, JournalError> {
        Ok(pick.of(&self.history)?.into_iter().map(|task| self.history.id(task).to_owned()).collect())
    }

    /// As [`Journal::mark`].
    pub(crate) async fn mark(
        &mut self,
        pick: &TaskFilter,
        state: TaskState,
        value: Option<&serde_json::Value>,
        note: &Note,
    ) -> Result<Vec<String>, JournalError> {
        let history = &self.history;
        let (tasks, value) = to_mark(history, pick, state, value)?;
        let ids = tasks.iter().map(|&task| history.id(task).to_owned()).collect();
        let Note { by, reason } = note.clone();
        let unit = || Stored::Inline(vec![0xc0]);
        let value = value.or_else(|| {
            let units = tasks.iter().all(|&task| history.shape.kind(task).output == "()");
            (state == TaskState::Success && units).then(unit)
        });
        let tasks = history.numbers_of(&tasks);
        let entry = Entry::Marked { tasks, state, by, reason, value: ValueRef::Nowhere };
        self.append(vec![(entry, value)], self.edited_state()).await?;
        self.drop_cancellations().await?;
        Ok(ids)
    }

    /// As [`Journal::cancel`].
    pub(crate) async fn cancel(mut self, note: &Note) -> Result<Cancellation, JournalError> {
        if self.history.row.state.is_terminal() {
            return Ok(Cancellation::Ended(self.history.row.state));
        }
        let state = RunState::Cancelled;
        let reason = reason_by(if note.reason.is_empty() { "cancelled" } else { &note.reason }, &note.by);
        let mut entries = vec![(Entry::Halted { reason, state }, None)];
        let history = &self.history;
        let (ends, left) = to_cancel(history);
        let numbers = history.numbers.by_place();
        let number = |task: u32| match &numbers {
            Some(numbers) => numbers.get(&task).copied(),
            None => Some(TaskIndex::new(task)),
        };
        for task in ends {
            let attempt = history.tasks[task as usize].attempts.last().map_or(0, |attempt| attempt.number);
            entries.extend(number(task).map(|task| (Entry::Cancelled { task, attempt, took: 0 }, None)));
        }
        if !left.is_empty() {
            let tasks = left.into_iter().map(|task| history.id(task).to_owned()).collect();
            self.append(entries, RunState::Running).await?;
            // An earlier request to cancel must not stop the teardowns when they run.
            self.drop_cancellations().await?;
            return Ok(Cancellation::LeavesTeardowns { tasks, history: Box::new(self.history) });
        }
        entries.push((Entry::Ended { state }, None));
        self.append(entries, state).await?;
        Ok(Cancellation::Cancelled { history: Box::new(self.history) })
    }
}

/// The tasks that cancelling a run would end or not start, and the teardowns that would still run,
/// in the order of the graph. Changes nothing.
pub(crate) fn would_cancel(history: &RunHistory) -> (Vec<String>, Vec<String>) {
    let (ends, left) = to_cancel(history);
    let ids = |places: Vec<u32>| {
        let places: HashSet<u32> = places.into_iter().collect();
        let in_order = history.in_order().map(|place| place as u32).filter(|place| places.contains(place));
        in_order.map(|place| history.id(place).to_owned()).collect()
    };
    (ids(ends), ids(left))
}

/// The open tasks that end with the run, and the teardowns that are left to run.
fn to_cancel(history: &RunHistory) -> (Vec<u32>, Vec<u32>) {
    let mut left = set_up(history);
    left.sort_unstable();
    let is_left: HashSet<u32> = left.iter().copied().collect();
    let tasks = (0..history.shape.nodes.len() as u32).zip(&history.tasks);
    let is_open = |(task, known): &(u32, &TaskHistory)| !known.state.is_terminal() && !is_left.contains(task);
    let ends = tasks.filter(is_open).map(|(task, _)| task).collect();
    (ends, left)
}

/// The tasks that a mark would change, in the order of the graph. Changes nothing.
pub(crate) fn would_mark(
    history: &RunHistory,
    pick: &TaskFilter,
    state: TaskState,
    value: Option<&serde_json::Value>,
) -> Result<Vec<String>, JournalError> {
    let (tasks, _) = to_mark(history, pick, state, value)?;
    Ok(tasks.into_iter().map(|task| history.id(task).to_owned()).collect())
}

/// The tasks to mark, and the value that they get.
fn to_mark(
    history: &RunHistory,
    pick: &TaskFilter,
    state: TaskState,
    value: Option<&serde_json::Value>,
) -> Result<(Vec<u32>, Option<Stored>), JournalError> {
    let run = || history.info.run_id.clone();
    let refused = |reason: String| JournalError::Nothing { run: run(), reason };
    if !matches!(state, TaskState::Success | TaskState::Failed | TaskState::Skipped) {
        return Err(refused(format!("a task cannot be marked as {state}, only as success, failed or skipped")));
    }
    let tasks = pick.of(history)?;
    if tasks.is_empty() {
        return Err(refused("no task is selected".to_owned()));
    }
    let value = match value {
        Some(value) => Some(encode(history, &tasks, value)?),
        None => None,
    };
    if state == TaskState::Success && value.is_none() {
        // Also what only elements take that do not exist yet.
        let drawn = history.drawn();
        let inputs = drawn.nodes.iter().flat_map(|node| node.inputs.iter());
        let taken = inputs.filter(|(_, edge)| !edge.is_without_value()).map(|&(upstream, _)| upstream);
        let taken: HashSet<&str> = taken.map(|upstream| &*drawn.nodes[upstream as usize].id).collect();
        let taken = |task: &&u32| {
            let taken = taken.contains(node_id_of(history.id(**task)));
            let unit = history.shape.kind(**task).output == "()";
            !history.tasks[**task as usize].has_value() && !unit && (taken || history.shape.result == Some(**task))
        };
        if let Some(&task) = tasks.iter().find(taken) {
            let (task, ty) = (history.id(task).to_owned(), history.shape.kind(task).output.clone());
            return Err(JournalError::MissingValue { run: run(), task, ty });
        }
    }
    Ok((tasks, value))
}

pub(crate) fn would_clear(history: &RunHistory, pick: &TaskFilter) -> Result<Vec<String>, JournalError> {
    let tasks = to_clear(history, pick)?;
    Ok(tasks.into_iter().map(|task| history.id(task).to_owned()).collect())
}

fn to_clear(history: &RunHistory, pick: &TaskFilter) -> Result<Vec<u32>, JournalError> {
    let picked: HashSet<u32> = with_scopes(&history.shape, pick.of(history)?).into_iter().collect();
    let can_be_cleared = |task: &u32| {
        let known = &history.tasks[*task as usize];
        let has_run = known.state != TaskState::None || !known.attempts.is_empty();
        picked.contains(task) && has_run && known.state != TaskState::Removed
    };
    let tasks: Vec<u32> = history.in_order().map(|place| place as u32).filter(can_be_cleared).collect();
    if tasks.is_empty() {
        let reason = "there is nothing to clear: the selected tasks have not run".to_owned();
        return Err(JournalError::Nothing { run: history.info.run_id.clone(), reason });
    }
    Ok(tasks)
}

/// A value for tasks of one type, from JSON.
fn encode(history: &RunHistory, tasks: &[u32], value: &serde_json::Value) -> Result<Stored, JournalError> {
    let plan = super::resume::dag_of(&history.info)?.plan()?;
    let nodes = plan.by_id();
    let mut stored = None;
    for &task in tasks {
        let id = history.id(task);
        let failed = |reason: String| JournalError::InvalidValue {
            run: history.info.run_id.clone(),
            task: id.to_owned(),
            reason,
        };
        // The plan has the template of an element.
        let node = nodes.get(node_id_of(id));
        let &node = node.ok_or_else(|| failed("this program no longer has the task".to_owned()))?;
        if plan.place(node).expands.is_some() {
            return Err(failed("it passes on a list; mark the task that returns the list".to_owned()));
        }
        let ty = plan.def(node).output;
        let value =
            ty.from_json(value).map_err(|error| failed(format!("the JSON is not a valid {}: {error}", ty.short())))?;
        stored = Some(ty.encode(&value).map_err(failed)?);
    }
    Ok(Stored::Inline(stored.unwrap_or_default()))
}

/// A reason with its author.
pub(super) fn reason_by(reason: &str, by: &str) -> String {
    if by.is_empty() { reason.to_owned() } else { format!("{reason} (by {by})") }
}
