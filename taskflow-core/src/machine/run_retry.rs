//! Retries of whole runs.
//!
//! 1. When no task is left open and the run would fail, it waits instead if it has a retry left:
//!    `TriedAgain` is recorded with the time. A cancellation ends the wait and the run.
//! 2. When the retry is due, the tasks that failed and those that did not run because of them are
//!    open again, and with work of a scope its setup and its teardown. Where such a setup returns
//!    the list of elements that run again, it is another list then: the expand node is open again,
//!    and its elements are left out until it has ended. Other successes stay. `Again` is recorded
//!    with the numbers of the tasks, which do not change.
//! 3. The machine rebuilds itself from its own state, as for a run that is resumed, and starts.

use std::collections::HashSet;
use std::sync::Arc;

use super::command::Command;
use super::core::Core;
use super::input::Input;
use super::machine::Machine;
use super::timer::Timer;
use crate::base::Timestamp;
use crate::base::index::indices;
use crate::dag::Layout;
use crate::run::{AttemptRecord, Entry, Event, Restored, RestoredState, RestoredTask, RunState, TaskIndex, TaskState};

impl Core {
    /// Whether the run waits for a retry instead of ending. Schedules the retry if the run has
    /// failed and has one left. Called when no task is open.
    pub(super) fn is_tried_again(&mut self, graph: &Layout, now: Timestamp) -> bool {
        let waits = self.tries_again || self.run_retry.is_some();
        if waits && self.halted.is_none() {
            if let Some((_, due)) = self.run_retry {
                // The same timer each time, unless the run has just been resumed.
                self.timers.insert((due, Timer::TryAgain));
                // The wait does not count against the time limit of the run.
                self.timers.retain(|&(_, timer)| timer != Timer::Run);
            }
            return true;
        }
        let options = graph.plan().options();
        let retry = self.run_retries + 1;
        if waits || self.verdict() != RunState::Failed || retry > options.retries.unwrap_or(0) {
            return false;
        }
        let due = now + options.wait_before_retry();
        if self.settings.recorded {
            self.entries.push((now, Entry::TriedAgain { retry, due: due.as_nanos() }));
        }
        if self.settings.observed {
            self.events.push(Event::RunRetry { at: now, retry, due });
        }
        self.halted = None;
        self.run_retry = Some((retry, due));
        self.timers.retain(|&(_, timer)| matches!(timer, Timer::Deadline | Timer::TaskDeadline(_)));
        self.timers.insert((due, Timer::TryAgain));
        true
    }

    /// How many of these tasks are in which state.
    pub(super) fn states_of(&self, tasks: &[TaskIndex]) -> Vec<(TaskState, u32)> {
        let mut states: Vec<(TaskState, u32)> = Vec::new();
        for &task in tasks {
            let state = self.tasks[task].state;
            match states.iter_mut().find(|(known, _)| *known == state) {
                Some((_, count)) => *count += 1,
                None => states.push((state, 1)),
            }
        }
        states
    }

    /// Whether the task runs again in a retry of the run: it failed, or did not run because of a
    /// failure.
    fn is_to_run_again(&self, task: TaskIndex) -> bool {
        let cell = &self.tasks[task];
        match cell.state {
            TaskState::Failed | TaskState::UpstreamFailed | TaskState::Cancelled => true,
            // Skipped because of a failed task, or because the run failed fast.
            TaskState::Skipped => match self.failures.get(&task) {
                None => self.tasks[cell.cause].state.is_failure(),
                Some(_) => self.skipped_by_halt.contains(&task),
            },
            _ => false,
        }
    }
}

impl TaskState {
    fn is_failure(self) -> bool {
        matches!(self, TaskState::Failed | TaskState::UpstreamFailed | TaskState::Cancelled)
    }
}

impl Machine {
    /// Starts again, with the failed tasks open.
    pub(super) fn try_again(&mut self, now: Timestamp, commands: &mut Vec<Command>) {
        let core = &self.core;
        let now = now.max(core.latest);
        let tasks: Vec<TaskIndex> = self.layout.tasks().filter(|&task| core.is_to_run_again(task)).collect();
        let mut tasks = self.with_scopes(tasks);
        let mut lists = self.changed_lists(&tasks);
        // An expand node of a teardown is open again, and its elements are those of a list to come.
        lists.extend(tasks.iter().copied().filter(|&task| self.layout.block_of(task).is_some()));
        lists.sort_unstable();
        lists.dedup();
        let elements: Vec<TaskIndex> = match &lists[..] {
            [] => Vec::new(),
            lists => {
                self.layout.tasks().filter(|&task| self.lists_around(task).any(|list| lists.contains(&list))).collect()
            }
        };
        tasks.retain(|task| elements.binary_search(task).is_err());
        tasks.extend(lists.iter().filter(|list| elements.binary_search(list).is_err()));
        tasks.sort_unstable();
        tasks.dedup();
        let mut all: Vec<TaskIndex> = tasks.iter().chain(&elements).copied().collect();
        all.sort_unstable();
        commands.extend(all.iter().map(|&task| Command::Forget(task)));
        let were = core.states_of(&all);
        let mut restored = self.as_restored(&all);
        if !elements.is_empty() {
            let (later, known): (Vec<RestoredTask>, _) =
                restored.tasks.into_iter().partition(|known| elements.binary_search(&known.task).is_ok());
            let later = later.into_iter().filter(|known| known.attempts > 0);
            restored.later.extend(later.map(|known| (self.layout.id(known.task).into_owned(), known)));
            restored.tasks = known;
        }
        // What is not expanded again now may have to be in the next retry.
        let is_again = |task: TaskIndex| all.binary_search(&task).is_ok();
        let kept = self.layout.expansions().into_iter().map(|(list, _)| list).filter(|&list| !is_again(list));
        let is_outdated = |list: &TaskIndex| {
            core.past.outdated.contains(list) || self.layout.source_of_list(*list).is_some_and(is_again)
        };
        restored.outdated = kept.filter(is_outdated).collect();
        restored.retired = self.layout.retired().into_iter().chain(lists).collect();
        restored.judged = Some(now);
        restored.run_retries = core.run_retry.map_or(core.run_retries, |(retry, _)| retry);
        let plan = Arc::clone(self.layout.plan());
        let mut next = Machine::new(plan, core.selection.as_ref(), core.settings.clone());
        next.restore(&restored);
        // This session has recorded them, and their numbers do not change.
        next.core.past.expansions.clear();
        next.core.latest = core.latest;
        next.core.winners = core.winners.clone();
        next.core.external = Arc::clone(&core.external);
        next.core.event_count = core.event_count;
        let (mut entries, mut events) = (std::mem::take(&mut self.core.entries), std::mem::take(&mut self.core.events));
        if self.core.settings.observed {
            events.extend(all.iter().map(|&task| {
                let cell = &self.core.tasks[task];
                Event::Task { at: now, task, attempt: cell.attempt, from: cell.state, to: TaskState::None }
            }));
        }
        if self.core.settings.recorded {
            entries.push((now, Entry::Again { tasks, were }));
        }
        (next.core.entries, next.core.events) = (entries, events);
        *self = next;
        self.step(Input::Start, now, commands);
    }

    /// These tasks, and the setups and teardowns of the scopes they are in: what was torn down is
    /// needed again.
    fn with_scopes(&self, mut tasks: Vec<TaskIndex>) -> Vec<TaskIndex> {
        let scopes = self.layout.plan().scopes_by_node();
        if scopes.is_empty() {
            return tasks;
        }
        let mut seen: HashSet<TaskIndex> = tasks.iter().copied().collect();
        let mut place = 0;
        while let Some(&task) = tasks.get(place) {
            place += 1;
            let (node, at) = (self.layout.node(task), self.layout.at(task));
            for scope in scopes.get(&node).into_iter().flatten() {
                for node in std::iter::once(scope.setup).chain(indices(scope.teardown.clone())) {
                    let other = self.layout.task(node, at).filter(|&other| seen.insert(other));
                    let takes_part = |&other: &TaskIndex| self.task_state(other) != TaskState::Removed;
                    tasks.extend(other.filter(takes_part));
                }
            }
        }
        tasks.sort_unstable();
        tasks
    }

    /// The expand nodes with elements among these tasks whose upstream is among them, too, or has
    /// another list by now.
    fn changed_lists(&self, tasks: &[TaskIndex]) -> Vec<TaskIndex> {
        if self.layout.plan().scopes().is_empty() && self.core.past.outdated.is_empty() {
            return Vec::new();
        }
        let is_open = |task: TaskIndex| tasks.binary_search(&task).is_ok();
        let around = tasks.iter().flat_map(|&task| self.lists_around(task));
        let is_changed = |&list: &TaskIndex| {
            let is_outdated = self.core.past.outdated.contains(&list);
            !is_open(list) && (is_outdated || self.layout.source_of_list(list).is_some_and(is_open))
        };
        let mut lists: Vec<TaskIndex> = around.filter(is_changed).collect();
        lists.sort_unstable();
        lists.dedup();
        lists
    }

    /// The expand nodes of the lists that a task is in, the innermost first.
    fn lists_around(&self, task: TaskIndex) -> impl Iterator<Item = TaskIndex> + '_ {
        let around = std::iter::successors(self.layout.at(task), |&at| self.layout.around(at));
        around.map(|at| self.layout.expand_at(at))
    }

    /// The state of the run, with these tasks open.
    fn as_restored(&self, again: &[TaskIndex]) -> Restored {
        let core = &self.core;
        let mut tasks: Vec<RestoredTask> = Vec::new();
        for task in self.layout.tasks() {
            let cell = &core.tasks[task];
            if cell.state == TaskState::Removed {
                continue;
            }
            let is_open = again.binary_search(&task).is_ok();
            let failure = core.failures.get(&task);
            let state = match cell.state {
                _ if is_open => RestoredState::Open,
                TaskState::Success => RestoredState::Success(None),
                state => match failure.filter(|_| state == TaskState::Skipped) {
                    Some(failure) => {
                        let by_halt = core.skipped_by_halt.contains(&task);
                        RestoredState::Skipped { reason: Arc::clone(failure), by_halt }
                    }
                    None => RestoredState::Because { state, cause: cell.cause },
                },
            };
            let mut retried = self.retried(task).to_vec();
            if is_open && cell.attempt as usize > retried.len() {
                let (started, ended) = (cell.started, cell.ended);
                let due = core.run_retry.map(|(_, due)| due);
                retried.push(AttemptRecord { started, ended, failure: failure.cloned(), due });
            }
            tasks.push(RestoredTask {
                task,
                state,
                attempts: cell.attempt,
                // Attempts before the retry of the run do not count.
                uncounted_attempts: if is_open { cell.attempt } else { core.uncounted_attempts(task) },
                earlier_attempts: if is_open { cell.attempt } else { core.earlier_attempts(task) },
                rounds: core.past.rounds.get(&task).copied().unwrap_or(0) + u32::from(is_open && cell.attempt > 0),
                started: cell.started,
                ended: cell.ended,
                retried,
                wait: core.waiters.get(&task).filter(|_| !is_open).map(|waiter| Box::new(waiter.record.clone())),
                // Earlier events are not for it: it waits for new ones.
                events_seen: if is_open && cell.attempt > 0 {
                    core.event_count
                } else {
                    core.past.events_seen.get(&task).copied().unwrap_or(0)
                },
            });
        }
        // In the order of their ends, but elements after the list that they are elements of,
        // wherever the clocks of their processes stood.
        let ended = |task: TaskIndex| core.tasks[task].ended;
        let since = |task: TaskIndex| self.lists_around(task).map(ended).fold(ended(task), Ord::max);
        tasks.sort_by_key(|task| (since(task.task), task.task));
        Restored {
            started: Some(core.started),
            tasks,
            expansions: self.layout.expansions(),
            queued: core.past.queued,
            past_deadline: core.past.past_deadline,
            was_over: core.past.was_over,
            missed: core.past.missed.iter().map(|node| TaskIndex::new(node.as_u32())).collect(),
            labels: core.labels.clone(),
            later: core.past.later.clone(),
            ..Restored::default()
        }
    }
}
