//! Restores a machine that continues an interrupted run.

use std::sync::Arc;

use super::cells::{TaskCell, Waiter};
use super::core::Core;
use super::joins::Recipients;
use super::machine::Machine;
use crate::dag::NodeIndex;
use crate::run::{Restored, RestoredState, TaskIndex, TaskState};

impl Machine {
    /// Leaves the elements of an expand node out: its list is expanded again.
    fn retire(&mut self, expand: TaskIndex) {
        for task in self.layout.retire(expand) {
            let cell = &mut self.core.tasks[task];
            self.core.open -= u32::from(!cell.state.is_terminal());
            *cell = TaskCell { state: TaskState::Removed, ..TaskCell::default() };
        }
    }

    /// Puts tasks into the states in which the run was interrupted. Called before `Start`.
    pub(crate) fn restore(&mut self, restored: &Restored) {
        self.core.plain = false;
        self.core.past.expansions.clone_from(&restored.expansions);
        self.core.past.outdated = restored.outdated.iter().copied().collect();
        self.core.past.reopened.clone_from(&restored.reopened);
        for &(expand, count) in &restored.expansions {
            self.retire(expand);
            if let Some(block) = self.layout.expand(expand, count) {
                self.core.grow(&self.layout, &block);
            }
        }
        restored.retired.iter().for_each(|&expand| self.retire(expand));
        // Only now, because elements that are retired have the same ids.
        self.core.past.later = restored.later.iter().map(|(id, known)| (id.clone(), known.clone())).collect();
        self.core.labels.clone_from(&restored.labels);
        self.core.past.group_retries.clone_from(&restored.units);
        // `Start` propagates all ends.
        self.core.late.clear();
        self.core.unbound.clear();
        for (key, payload) in &restored.events {
            self.core.event_count += 1;
            Arc::make_mut(&mut self.core.external).insert(key.clone(), (self.core.event_count, payload.clone()));
        }
        (self.core.run_retries, self.core.run_retry) = (restored.run_retries, restored.run_retry);
        (self.core.past.queued, self.core.past.past_deadline) = (restored.queued, restored.past_deadline);
        self.core.past.judged = restored.judged;
        self.core.past.deadly = restored.deadly.iter().copied().collect();
        self.core.past.ends_early = restored.halted.is_some();
        (self.core.past.was_over, self.core.past.missed) =
            (restored.was_over, restored.missed.iter().map(|task| NodeIndex::new(task.as_u32())).collect());
        let Core { tasks, past, failures, skipped_by_halt, retried, open, waiters, .. } = &mut self.core;
        past.started = restored.started;
        for known in &restored.tasks {
            let task = known.task;
            let Some(cell) = tasks.get_mut(task) else { continue };
            (cell.attempt, cell.started, cell.ended) = (known.attempts, known.started, known.ended);
            if known.uncounted_attempts > 0 {
                past.uncounted_attempts.insert(task, known.uncounted_attempts);
            }
            if known.earlier_attempts > 0 {
                past.earlier_attempts.insert(task, known.earlier_attempts);
            }
            if known.rounds > 0 {
                past.rounds.insert(task, known.rounds);
            }
            if known.events_seen > 0 {
                past.events_seen.insert(task, known.events_seen);
            }
            if !known.retried.is_empty() {
                retried.insert(task, known.retried.clone());
            }
            if let Some(record) = &known.wait {
                let waits = matches!(known.state, RestoredState::Waits { .. });
                waiters.insert(task, Waiter { record: (**record).clone(), waits, called: known.started });
            }
            let state = match &known.state {
                RestoredState::Success(_) => TaskState::Success,
                RestoredState::Skipped { reason, by_halt } => {
                    failures.insert(task, Arc::clone(reason));
                    if *by_halt {
                        skipped_by_halt.insert(task);
                    }
                    TaskState::Skipped
                }
                RestoredState::Failed(failure) => {
                    failures.insert(task, Arc::clone(failure));
                    TaskState::Failed
                }
                RestoredState::Cancelled(failure) => {
                    failures.insert(task, Arc::clone(failure));
                    TaskState::Cancelled
                }
                RestoredState::Because { state, cause } => {
                    cell.cause = *cause;
                    *state
                }
                RestoredState::Retry(due) => {
                    past.retries.insert(task, *due);
                    continue;
                }
                RestoredState::Waits { poke } => {
                    past.waits.insert(task, *poke);
                    continue;
                }
                RestoredState::Open => continue,
            };
            if cell.state != TaskState::Removed {
                cell.state = state;
                *open -= 1;
                past.ended.push(task);
            }
        }
        // The elements are there before `Start` propagates the ends of their lists. An older end
        // outside a list can end some of them, which must not count as the end of the list.
        for &(expand, _) in &restored.expansions {
            let is_expanded = self.core.tasks.get(expand).is_some_and(|cell| cell.state == TaskState::Success);
            // A list that was expanded again is there each time.
            if is_expanded && self.core.past.awaited.insert(expand) {
                self.core.await_elements(&self.layout, expand, Recipients::All);
            }
        }
        for place in 0..self.core.past.ended.len() {
            let task = self.core.past.ended[place];
            // Its group is judged when the group is over.
            if !self.keeps_inputs(task) {
                self.core.judge_leaf(&self.layout, task);
            }
        }
    }
}
