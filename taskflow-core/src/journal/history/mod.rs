//! The history of a run, built from its entries.
//!
//! The history is a pure function of the entries, the same for a run that is over, live or
//! interrupted. It agrees with the report and the view of the engine.

mod takeover;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use super::graph::Graph;
pub(super) use super::run_history::RunHistory;
use super::run_history::{Edit, MissedDeadline, MissedTaskDeadline, RetriedGroup, RunRetry};
use super::steps;
use super::task_history::{Place, TaskHistory};
use crate::base::{Failure, Timestamp};
use crate::run::{Entry, EventPayload, RunState, TaskIndex, TaskState};

impl RunHistory {
    /// The task with this number.
    fn numbered(&mut self, number: TaskIndex) -> Option<&mut TaskHistory> {
        self.numbers.place(number).and_then(|place| self.tasks.get_mut(place))
    }

    /// A task may run, so the retry delay of each group around it is over.
    fn group_begins(&mut self, task: TaskIndex) {
        if self.groups.is_empty() {
            return;
        }
        let place = self.numbers.place(task);
        let group = place.and_then(|place| self.shape.nodes.get(place)?.group);
        for id in self.shape.groups_around(group) {
            if let Some(retried) = self.groups.get_mut(id) {
                retried.has_begun = true;
            }
        }
    }

    /// Applies the next entry. `graph` returns the snapshot of a graph that a new session uses.
    ///
    /// # Errors
    ///
    /// Why the entry is invalid after the ones before it. The history is not to be used then.
    pub(crate) fn apply(
        &mut self,
        segment: u32,
        at: Timestamp,
        entry: Entry,
        graph: impl FnOnce(&str) -> Result<Arc<Graph>, String>,
    ) -> Result<(), String> {
        self.segments = self.segments.max(segment);
        if let Entry::Session(session) = &entry
            && session.graph != self.shape.hash
        {
            // With other edges, what follows from other tasks is decided anew. Elements are among
            // the tasks only as long as the graph stays.
            self.edited = true;
            self.leave_off(at);
            self.reshape(&graph(&session.graph)?);
        } else if matches!(entry, Entry::Session(_)) && self.edited {
            // After an edit, elements that have yet to come back run again.
            let behind = self.shape.nodes.len();
            self.tasks[behind..].iter_mut().chain(self.gone.values_mut()).for_each(TaskHistory::leave_for_good);
        }
        self.entries += 1;
        steps::count(1);
        self.running = OnceLock::new();
        self.take(at, segment, entry).ok_or_else(|| format!("segment {segment} names a task that does not exist"))
    }

    fn take(&mut self, at: Timestamp, segment: u32, entry: Entry) -> Option<()> {
        let session = self.sessions.len().saturating_sub(1);
        if self.began.is_none() && self.sessions.len() == 1 {
            self.began = Some(at);
        }
        match entry {
            Entry::Session(session) => self.begin(at, *session),
            Entry::Expanded { task, count } => self.expanded(at, task, count)?,
            Entry::Labelled { task, labels } => self.labelled(task, labels)?,
            Entry::Regrouped { group, retry, due, tasks, .. } => {
                let events = self.events.len() as u64;
                for task in tasks {
                    self.numbered(task)?.again(events);
                }
                let due = Timestamp::from_nanos(due);
                self.groups.insert(group, RetriedGroup { retry, due, has_begun: false });
            }
            Entry::Removed { task } => {
                let task = self.numbered(task)?;
                task.settle(at, TaskState::Removed);
                let id = Arc::clone(&task.id);
                self.left_out.insert(id);
            }
            Entry::LeftOut { nodes } => self.left_out.extend(nodes.into_iter().map(Arc::from)),
            Entry::Scheduled { task } => {
                self.group_begins(task);
                let task = self.numbered(task)?;
                if task.state == TaskState::Running {
                    task.interrupt(at);
                }
                task.settle(at, TaskState::Scheduled);
            }
            Entry::Started { task, attempt: number } => {
                self.group_begins(task);
                let entry = in_a_task(self.entries);
                let task = self.numbered(task)?;
                task.start(at, number, session);
                task.last_start = entry;
            }
            Entry::Reopened { tasks } => {
                let events = self.events.len() as u64;
                for task in tasks {
                    self.numbered(task)?.again(events);
                }
            }
            Entry::Waiting { task, took, poke, record, .. } => self.numbered(task)?.wait(at, took, poke, *record),
            Entry::Released { key, value, by } => self.happened(at, key, &value, &by, ""),
            Entry::Happened { key, value, by, reason } => self.happened(at, key, &value, &by, &reason),
            Entry::DeadlineMissed { due } => {
                let (deadline, reason) = (Timestamp::from_nanos(due), String::new());
                self.missed_deadline = Some(MissedDeadline { deadline, noticed: at, reason });
            }
            Entry::TaskDeadlineMissed { task, due, open } => {
                let deadline = Timestamp::from_nanos(due);
                self.missed_task_deadlines.push(MissedTaskDeadline { task, deadline, noticed: at, open });
            }
            Entry::TriedAgain { retry, due } => {
                self.run_ends += 1;
                self.halt_reason = None;
                let due = Timestamp::from_nanos(due);
                self.run_retries.push(RunRetry { number: retry, failed: at, due, started: None });
            }
            Entry::Again { tasks, .. } => {
                let events = self.events.len() as u64;
                for task in tasks {
                    self.numbered(task)?.again(events);
                }
                // The retries of groups count anew.
                self.groups.clear();
                if let Some(retry) = self.run_retries.last_mut() {
                    retry.started = Some(at);
                }
            }
            Entry::Linked { task, name, url, .. } => self.numbered(task)?.link(name, url),
            Entry::TaskStateSet { task, key, text } => {
                self.numbered(task)?.details().task_state.insert(key, text);
            }
            Entry::Pushed { task, key, ty, value, .. } => {
                self.numbered(task)?.push(key, ty, Place::of(segment, &value));
            }
            Entry::Succeeded { task, took, value, .. } => {
                let end = self.next_end();
                let entry = in_a_task(self.entries);
                let list = self.list_of(task);
                let task = self.numbered(task)?;
                task.last_success = entry;
                if list.is_some() || task.list.is_some() {
                    task.details().list = list;
                }
                task.began(at, took);
                task.close(at, TaskState::Success, None);
                task.settle(at, TaskState::Success);
                task.decided_itself();
                (task.failure, task.order) = (None, end);
                task.value = Place::of(segment, &value);
            }
            Entry::Failed { task, took, failure, retry, .. } => {
                let end = self.next_end();
                let task = self.numbered(task)?;
                task.began(at, took);
                let state = if retry.is_some() { TaskState::UpForRetry } else { TaskState::Failed };
                task.close(at, state, Some(Arc::clone(&failure)));
                task.settle(at, state);
                if let Some(retry) = retry {
                    task.details().retry_at = Some(Timestamp::from_nanos(retry));
                }
                (task.failure, task.order) = (Some(failure), end);
            }
            Entry::Skipped { task, took, reason, cause, .. } => {
                let end = self.next_end();
                let cause = cause.map(|cause| (self.id_of(cause), self.state_of(cause)));
                let is_halted = self.halt_reason.is_some();
                let task = self.numbered(task)?;
                let by_halt = is_halted && cause.is_none() && task.state != TaskState::Running;
                task.began(at, took);
                task.close(at, TaskState::Skipped, reason.clone());
                task.settle(at, TaskState::Skipped);
                if by_halt {
                    task.details().by_halt = true;
                }
                (task.failure, task.order) = (reason, end);
                match cause {
                    Some((cause, state)) => task.decided_by(cause, state),
                    None => task.decided_itself(),
                }
            }
            Entry::UpstreamFailed { task, cause } => {
                let end = self.next_end();
                let (cause, cause_state) = (self.id_of(cause), self.state_of(cause));
                let task = self.numbered(task)?;
                task.settle(at, TaskState::UpstreamFailed);
                task.decided_by(cause, cause_state);
                task.order = end;
            }
            Entry::Cancelled { task, took, .. } => {
                let end = self.next_end();
                let reason = self.halt_reason.clone().unwrap_or_default();
                let failure = Some(Arc::new(Failure::Cancelled { reason }));
                let task = self.numbered(task)?;
                task.began(at, took);
                task.close(at, TaskState::Cancelled, failure.clone());
                task.settle(at, TaskState::Cancelled);
                (task.failure, task.order) = (failure, end);
            }
            Entry::Halted { reason, state } => (self.halt_reason, self.halts_as) = (Some(reason), state),
            Entry::Ended { state } => {
                self.run_ends += 1;
                (self.state, self.ended) = (state, Some(at));
            }
            Entry::Cleared { tasks, by, reason } => {
                let events = self.events.len() as u64;
                for &task in &tasks {
                    self.numbered(task)?.reset(events);
                }
                self.edit(at, &tasks, None, by, reason);
            }
            Entry::Marked { tasks, state, by, reason, value } => {
                let place = Place::of(segment, &value);
                let why = if reason.is_empty() { format!("marked as {state}") } else { reason.clone() };
                let why = super::edit::reason_by(&why, &by);
                let entry = in_a_task(self.entries);
                for &number in &tasks {
                    let end = self.next_end();
                    let task = self.numbered(number)?;
                    task.settle(at, state);
                    // As if it had run: who marks a teardown has torn down by hand.
                    task.last_start = entry;
                    if state == TaskState::Success {
                        task.last_success = entry;
                    }
                    task.decided_itself();
                    (task.marked, task.order) = (true, end);
                    task.failure = match state {
                        TaskState::Success => None,
                        TaskState::Skipped => Some(Arc::new(Failure::Skipped { reason: why.clone() })),
                        _ => Some(Arc::new(Failure::Error { chain: vec![why.clone()], retryable: false })),
                    };
                    if place.is_some() || state != TaskState::Success {
                        task.value.clone_from(&place);
                    }
                }
                self.edit(at, &tasks, Some(state), by, reason);
            }
        }
        Some(())
    }

    fn edit(&mut self, at: Timestamp, tasks: &[TaskIndex], marked: Option<TaskState>, by: String, reason: String) {
        let tasks = tasks.iter().map(|&task| self.id_of(task)).collect();
        self.edits.push(Edit { at, tasks, marked, by, reason });
        self.retries_before_edit = self.run_retries.len();
        (self.edited, self.state, self.ended, self.halt_reason) = (true, RunState::Running, None, None);
    }

    fn happened(&mut self, at: Timestamp, key: String, value: &str, by: &str, reason: &str) {
        let (value, by, reason) = (Arc::from(value), Arc::from(by), Arc::from(reason));
        self.events.push((key, EventPayload { value, by, reason, at }));
    }

    /// The position of the next end of a task.
    fn next_end(&mut self) -> u32 {
        self.ends += 1;
        in_a_task(self.ends)
    }
}

/// A number of entries, as a task has it: as many as can be read are fewer than four billion.
fn in_a_task(entries: u64) -> u32 {
    u32::try_from(entries).unwrap_or(u32::MAX)
}
