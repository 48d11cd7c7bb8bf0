//! What people do to stored runs: clearing and marking tasks, cancelling runs.
//!
//! A run that somebody runs is not edited; cancelling it is left as a request for the process that has it. Every other run
//! is claimed first, its token is raised, and the edit is one more segment: nothing of what was is ever changed, and every
//! attempt stays in the history.

use std::collections::HashSet;

use super::error::JournalError;
use super::history::RunHistory;
use super::journal::Journal;
use super::scopes::{set_up, with_scopes};
use super::segment::Buffer;
use super::task_filter::TaskFilter;
use crate::base::Timestamp;
use crate::run::{Entry, RunState, Stored, TaskState, ValueRef};
use crate::store::{Append, AppendTarget, Appended, Request, RequestKind, RunUpdate, Segment, worker};

/// Who does something to a run, and why: it stands in the history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// Who.
    pub by: String,
    /// Why; may be empty.
    pub reason: String,
}

impl Note {
    /// By the user of the operating system.
    pub fn by_user(reason: impl Into<String>) -> Self {
        let by = std::env::var("USER").or_else(|_| std::env::var("USERNAME")).unwrap_or_default();
        Note { by, reason: reason.into() }
    }
}

/// What came of a wish to cancel a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cancellation {
    /// The process that runs it was asked, and will end it within its grace time.
    Asked {
        /// That process, `host:process`.
        worker: String,
    },
    /// Nobody was running it: it is cancelled.
    Done,
    /// Nobody was running it: it is cancelled, but for teardowns of what it has set up. Its [`resume`](Journal::resume) runs
    /// them and nothing else.
    LeavesTeardowns {
        /// Their ids.
        tasks: Vec<String>,
    },
    /// It had ended before.
    Over(RunState),
}

impl Journal {
    /// Lets tasks of a run that nobody runs run again, with the [`resume`](Journal::resume) of the run. Gives their ids.
    ///
    /// Their attempts stay in the history and are counted on, but do not count against the retries. Downstream tasks that
    /// have run are not run again unless they are picked, too.
    ///
    /// # Errors
    ///
    /// When somebody runs the run, it has no such task, or none of the picked tasks has run or ended.
    pub async fn clear(&self, run: &str, pick: &TaskFilter, note: &Note) -> Result<Vec<String>, JournalError> {
        let run = self.row(run).await?.info.run_id;
        let claim = self.claim(&run)?;
        let history = self.history_of(self.row(&run).await?).await?;
        let tasks = to_clear(&history, pick)?;
        let ids = tasks.iter().map(|&task| history.id(task).to_owned()).collect();
        let Note { by, reason } = note.clone();
        let tasks = history.numbers_of(&tasks);
        self.amend(&history, vec![(Entry::Cleared { tasks, by, reason }, None)], RunState::Running).await?;
        drop(claim);
        Ok(ids)
    }

    /// What [`Journal::clear`] would clear. Changes nothing, and answers for a run under way as well.
    ///
    /// # Errors
    ///
    /// When it has no such task, or none of the picked tasks has run or ended.
    pub async fn would_clear(&self, run: &str, pick: &TaskFilter) -> Result<Vec<String>, JournalError> {
        let history = self.history(run).await?;
        let tasks = to_clear(&history, pick)?;
        Ok(tasks.into_iter().map(|task| history.id(task).to_owned()).collect())
    }

    /// Says what became of tasks of a run that nobody runs: `success`, `failed` or `skipped`. Gives their ids.
    ///
    /// What followed from their states before is decided anew by the [`resume`](Journal::resume) of the run. A task that is
    /// marked as a success needs a value if others take it: the one it returned before, or `value`, which must fit its type.
    ///
    /// # Errors
    ///
    /// When somebody runs the run, it has no such task, the state is none of the three, or a value is missing or does not fit.
    pub async fn mark(
        &self,
        run: &str,
        pick: &TaskFilter,
        state: TaskState,
        value: Option<&serde_json::Value>,
        note: &Note,
    ) -> Result<Vec<String>, JournalError> {
        let run = self.row(run).await?.info.run_id;
        let nothing = |reason: String| JournalError::Nothing { run: run.clone(), reason };
        if !matches!(state, TaskState::Success | TaskState::Failed | TaskState::Skipped) {
            return Err(nothing(format!("a task cannot be marked as {state}, only as success, failed or skipped")));
        }
        let claim = self.claim(&run)?;
        let history = self.history_of(self.row(&run).await?).await?;
        let tasks = pick.of(&history)?;
        if tasks.is_empty() {
            return Err(nothing("no task of it is meant".to_owned()));
        }
        let value = match value {
            Some(value) => Some(encode(&history, &tasks, value)?),
            None => None,
        };
        if state == TaskState::Success && value.is_none() {
            let inputs = history.shape.nodes.iter().flat_map(|node| &node.inputs);
            let taken: HashSet<u32> =
                inputs.filter(|(_, edge)| !edge.is_without_value()).map(|&(upstream, _)| upstream).collect();
            let taken = |task: &&u32| {
                let taken = taken.contains(task);
                let unit = history.shape.kind(**task).output == "()";
                !history.tasks[**task as usize].has_value() && !unit && (taken || history.shape.result == Some(**task))
            };
            if let Some(&task) = tasks.iter().find(taken) {
                return Err(nothing(format!(
                    "others take the value of `{}`, a {}, and it has none: give one as JSON with the mark",
                    history.id(task),
                    history.shape.kind(task).output
                )));
            }
        }
        let ids = tasks.iter().map(|&task| history.id(task).to_owned()).collect();
        let Note { by, reason } = note.clone();
        let unit = || Stored::Inline(vec![0xc0]);
        let value = value.or_else(|| {
            let units = tasks.iter().all(|&task| history.shape.kind(task).output == "()");
            (state == TaskState::Success && units).then(unit)
        });
        let tasks = history.numbers_of(&tasks);
        let entry = Entry::Marked { tasks, state, by, reason, value: ValueRef::Nowhere };
        self.amend(&history, vec![(entry, value)], RunState::Running).await?;
        drop(claim);
        Ok(ids)
    }

    /// Ends a run early: what has not started becomes `cancelled`, what runs is asked to stop.
    ///
    /// Of a run that nobody runs, jobs on a cluster go on; the command `cancel` ends those as well.
    ///
    /// # Errors
    ///
    /// When there is no such run, or the store cannot be written.
    pub async fn cancel(&self, run: &str, note: &Note) -> Result<Cancellation, JournalError> {
        let row = self.row(run).await?;
        let run = row.info.run_id.clone();
        if row.state != RunState::Running {
            return Ok(Cancellation::Over(row.state));
        }
        if let Some(worker) = self.inner.run_locks.holder(&run) {
            let Note { by, reason } = note.clone();
            let reason = if reason.is_empty() { "cancelled".to_owned() } else { reason };
            let request = Request { run: row.number, what: RequestKind::Cancel, by, reason, at: Timestamp::now() };
            self.inner.store.ask(&request).await?;
            return Ok(Cancellation::Asked { worker });
        }
        let claim = self.claim(&run)?;
        let history = self.history_of(self.row(&run).await?).await?;
        if history.row.state != RunState::Running {
            return Ok(Cancellation::Over(history.row.state));
        }
        let state = RunState::Cancelled;
        let reason = said(if note.reason.is_empty() { "cancelled" } else { &note.reason }, &note.by);
        let mut entries = vec![(Entry::Halted { reason, state }, None)];
        let left: Vec<u32> = set_up(&history);
        for (task, known) in (0..history.shape.nodes.len() as u32).zip(&history.tasks) {
            if !known.state.is_terminal() && !left.contains(&task) {
                let attempt = known.attempts.last().map_or(0, |attempt| attempt.number);
                let number = history.numbers_of(&[task]).into_iter();
                entries.extend(number.map(|task| (Entry::Cancelled { task, attempt, took: 0 }, None)));
            }
        }
        if !left.is_empty() {
            self.amend(&history, entries, RunState::Running).await?;
            let tasks = left.into_iter().map(|task| history.id(task).to_owned()).collect();
            return Ok(Cancellation::LeavesTeardowns { tasks });
        }
        entries.push((Entry::Ended { state }, None));
        self.amend(&history, entries, state).await?;
        drop(claim);
        Ok(Cancellation::Done)
    }

    /// Appends entries to a run that was claimed.
    pub(super) async fn amend(
        &self,
        history: &RunHistory,
        entries: Vec<(Entry, Option<Stored>)>,
        state: RunState,
    ) -> Result<(), JournalError> {
        let run = &history.info.run_id;
        let taken = || JournalError::Taken { run: run.clone() };
        let store = &self.inner.store;
        let token = store.adopt(history.number, history.row.token, &worker()).await?.ok_or_else(taken)?;
        let now = Timestamp::now();
        let mut buffer = Buffer::default();
        for (entry, value) in entries {
            buffer.push(now, entry, value);
        }
        let ended = (state != RunState::Running).then_some(now);
        let update = RunUpdate { state, ended, counts: Vec::new(), graph: None };
        let append = Append {
            run: AppendTarget::Existing { run: history.number, token },
            segment: Some(Segment { number: history.segments + 1, events: buffer.events, data: buffer.data }),
            update: Some(update),
        };
        match store.append(&[append]).await?.first() {
            Some(Appended::Stored(_)) => Ok(()),
            _ => Err(taken()),
        }
    }
}

fn to_clear(history: &RunHistory, pick: &TaskFilter) -> Result<Vec<u32>, JournalError> {
    let picked: HashSet<u32> = with_scopes(&history.shape, pick.of(history)?).into_iter().collect();
    let mut tasks: Vec<u32> = history.in_order().into_iter().map(|place| place as u32).collect();
    tasks.retain(|&task| {
        let known = &history.tasks[task as usize];
        let has_run = known.state != TaskState::None || !known.attempts.is_empty();
        picked.contains(&task) && has_run && known.state != TaskState::Removed
    });
    if tasks.is_empty() {
        let reason = "no task of it is to be cleared: those that are meant have not run".to_owned();
        return Err(JournalError::Nothing { run: history.info.run_id.clone(), reason });
    }
    Ok(tasks)
}

/// A value for tasks of one type, from JSON.
fn encode(history: &RunHistory, tasks: &[u32], value: &serde_json::Value) -> Result<Stored, JournalError> {
    let plan = super::resume::dag_of(&history.info)?.plan()?;
    let mut stored = None;
    for &task in tasks {
        let id = history.id(task);
        let failed = |reason: String| JournalError::InvalidValue {
            run: history.info.run_id.clone(),
            task: id.to_owned(),
            reason,
        };
        let node = plan.find(id).ok_or_else(|| failed("the task is not in this program any more".to_owned()))?;
        let ty = plan.def(node).output;
        let value = ty.from_json(value).map_err(|error| failed(format!("the JSON is no {}: {error}", ty.short())))?;
        stored = Some(ty.encode(&value).map_err(failed)?);
    }
    Ok(Stored::Inline(stored.unwrap_or_default()))
}

/// A reason, and target it is.
pub(super) fn said(reason: &str, by: &str) -> String {
    if by.is_empty() { reason.to_owned() } else { format!("{reason} (by {by})") }
}
