//! The deadlines of a run and of its tasks.
//!
//! 1. The deadline of a run that belongs to its slot is not the concern of the machine: the service
//!    judges it, because a slot has it without a run as well.
//! 2. A task has missed its deadline if one of its task instances has not succeeded by then, or if
//!    the list that it has an instance for each element of is not there yet. All elements together
//!    miss it once. Instances that were skipped, and those whose failure a callback reports, do not
//!    count.
//! 3. A deadline that passed while no process ran the run is missed when it is resumed. A run that
//!    was over, and of which tasks were cleared, keeps the deadlines that are still to come.
//! 4. A deadline that passed before the run was retried was judged then. The tasks that run again
//!    with the run do not miss it: they had met it, or it was reported.

use super::core::Core;
use super::timer::Timer;
use crate::base::Timestamp;
use crate::dag::{Layout, NodeIndex};
use crate::run::{Entry, Event, TaskIndex, TaskState};
use crate::task::{Deadline, DeadlineTimes};

impl Core {
    /// Sets the timers of the deadlines, or reports those that have passed as missed.
    pub(super) fn set_deadlines(&mut self, graph: &Layout, now: Timestamp) {
        let plan = graph.plan();
        if let Some(deadline) = plan.options().deadline
            && deadline.of_slot().is_none()
            && !self.past.past_deadline
            && let Some(due) = self.due(deadline)
        {
            if due > now {
                self.timers.insert((due, Timer::Deadline));
            } else if !self.past.was_over {
                self.deadline_missed(due, now);
            }
        }
        if !plan.has_task_deadlines() {
            return;
        }
        let takes_part = |node| self.selection.as_ref().is_none_or(|selection| selection.contains(node));
        let is_judged = |due: Timestamp| self.past.judged.is_some_and(|judged| due <= judged);
        let counts = |due: &Timestamp| !is_judged(*due) && (*due > now || !self.past.was_over);
        let timed: Vec<(NodeIndex, Timestamp)> = plan
            .node_indices()
            .filter(|&node| takes_part(node) && !self.past.missed.contains(&node))
            .filter_map(|node| Some((node, plan.node_options(node).deadline?)))
            .filter_map(|(node, deadline)| Some((node, self.due(deadline).filter(counts)?)))
            .collect();
        self.timers.extend(timed.into_iter().map(|(node, due)| (due, Timer::TaskDeadline(node))));
        self.next_task_deadline();
        self.task_deadlines(graph, now);
    }

    /// When a deadline is due; `None` if the run has no such deadline.
    fn due(&self, deadline: Deadline) -> Option<Timestamp> {
        deadline.due(&DeadlineTimes {
            logical_date: (!self.settings.is_backfill).then_some(self.settings.logical_date),
            slot: self.settings.slot,
            queued: self.past.queued.unwrap_or(self.started),
            started: self.started,
            zone: &self.settings.zone,
        })
    }

    /// The deadline has come, and the run is not over.
    pub(super) fn deadline_missed(&mut self, due: Timestamp, now: Timestamp) {
        self.past.past_deadline = true;
        if self.settings.recorded {
            self.entries.push((now, Entry::DeadlineMissed { due: due.as_nanos() }));
        }
        if self.settings.observed {
            self.events.push(Event::DeadlineMissed { at: now, deadline: due });
        }
    }

    /// Judges the deadlines of tasks that have passed. Called before each input that may end a
    /// task: what ends now is late.
    pub(super) fn task_deadlines(&mut self, graph: &Layout, now: Timestamp) {
        if self.task_deadline.is_none_or(|due| due > now) {
            return;
        }
        let of_task = |&(due, timer): &(Timestamp, Timer)| match timer {
            Timer::TaskDeadline(node) => Some((due, node)),
            _ => None,
        };
        let passed: Vec<(Timestamp, NodeIndex)> =
            self.timers.iter().take_while(|(due, _)| *due <= now).filter_map(of_task).collect();
        for (due, node) in passed {
            self.timers.remove(&(due, Timer::TaskDeadline(node)));
            self.judge_task_deadline(graph, node, due, now);
        }
        self.next_task_deadline();
    }

    fn next_task_deadline(&mut self) {
        let of_task = |(_, timer): &&(Timestamp, Timer)| matches!(timer, Timer::TaskDeadline(_));
        self.task_deadline = self.timers.iter().find(of_task).map(|&(due, _)| due);
    }

    fn judge_task_deadline(&mut self, graph: &Layout, node: NodeIndex, due: Timestamp, now: Timestamp) {
        let Some(open) = self.late_instances(graph, node) else { return };
        self.past.missed.insert(node);
        if self.settings.recorded {
            let task = graph.plan().node(node).id().to_owned();
            self.entries.push((now, Entry::TaskDeadlineMissed { task, due: due.as_nanos(), open }));
        }
        if self.settings.observed {
            let task = TaskIndex::new(node.as_u32());
            self.events.push(Event::TaskDeadlineMissed { at: now, task, deadline: due });
        }
    }

    /// How many instances of a node have not succeeded, if that misses its deadline; 0 if it has
    /// none yet.
    fn late_instances(&self, graph: &Layout, node: NodeIndex) -> Option<u32> {
        let plan = graph.plan();
        let Some(mapping) = plan.place(node).mapping else {
            return self.is_late(graph, graph.task(node, None)?).then_some(1);
        };
        let elements = graph.elements(mapping, None);
        let instances = elements.into_iter().filter_map(|at| graph.task(node, Some(at)));
        let late = instances.filter(|&task| self.is_late(graph, task)).count() as u32;
        // Lists that are still to be expanded.
        let lists = std::iter::successors(Some(mapping), |&mapping| plan.mapping(mapping).parent);
        let is_to_come = lists.into_iter().any(|mapping| {
            let (expand, parent) = (plan.mapping(mapping).expand, plan.mapping(mapping).parent);
            match parent {
                None => graph.task(expand, None).is_some_and(|task| self.is_late(graph, task)),
                Some(parent) => {
                    let tasks = graph.elements(parent, None).into_iter().filter_map(|at| graph.task(expand, Some(at)));
                    tasks.into_iter().any(|task| self.is_late(graph, task))
                }
            }
        });
        (late > 0 || is_to_come).then_some(late)
    }

    /// Whether a task instance has not succeeded, and nothing else reports it.
    fn is_late(&self, graph: &Layout, task: TaskIndex) -> bool {
        let mut task = task;
        // The cause of a cause: a chain is no longer than the graph.
        for _ in 0..self.tasks.len() {
            let cell = &self.tasks[task];
            match cell.state {
                TaskState::Success | TaskState::Skipped | TaskState::Removed | TaskState::Cancelled => return false,
                TaskState::Failed => return graph.options(task).callbacks.on_failure.is_none(),
                TaskState::UpstreamFailed if cell.cause != task => task = cell.cause,
                _ => return true,
            }
        }
        true
    }
}
