//! The end of a task, and the end of the run.

use super::command::Command;
use super::core::Core;
use super::timer::Timer;
use crate::base::Timestamp;
use crate::dag::{Layout, NodeIndex, Plan, Teardown};
use crate::run::{Entry, Event, RunState, TaskIndex, TaskState, Transition};

impl Core {
    /// Puts a task into a final state, whose consequences are then propagated.
    #[inline(never)]
    pub(super) fn settle(
        &mut self,
        graph: &Layout,
        task: TaskIndex,
        transition: Transition,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        if !self.apply(task, transition, now) {
            return;
        }
        let cell = &mut self.tasks[task];
        cell.ended = now;
        self.open -= 1;
        self.pending_ends.push(task);
        if !graph.plan().units().is_empty() && self.is_withheld(graph, task) {
            return;
        }
        commands.push(Command::Settled(task));
        self.judge_leaf(graph, task);
    }

    /// Notes the failure of a task that nothing depends on: it decides the state of the run.
    #[inline]
    pub(super) fn judge_leaf(&mut self, graph: &Layout, task: TaskIndex) {
        let state = self.tasks[task].state;
        let bad = matches!(state, TaskState::Failed | TaskState::UpstreamFailed | TaskState::Cancelled);
        if bad && self.is_leaf(graph.plan(), graph.node(task)) {
            self.failed_leaf = true;
        }
    }

    fn is_leaf(&self, plan: &Plan, node: NodeIndex) -> bool {
        match plan.node_options(node).teardown {
            Some(Teardown::Quiet) => return false,
            Some(Teardown::FailsRun) => return true,
            None => {}
        }
        // A teardown handles no failure.
        let takes_part = |node| {
            self.selection.as_ref().is_none_or(|selection| selection.contains(node))
                && plan.node_options(node).teardown.is_none()
        };
        let waiting = plan.place(node).expands.map_or(&[][..], |mapping| &plan.mapping(mapping).collectors);
        let below = plan.successors(node).iter().chain(waiting.iter().map(|(_, join)| join));
        !below.into_iter().any(|&join| takes_part(plan.join(join).node))
    }

    /// How the run ends, now that no task is open.
    pub(super) fn verdict(&self) -> RunState {
        match &self.halted {
            Some(halted) => halted.state,
            None if self.failed_leaf => RunState::Failed,
            None => RunState::Success,
        }
    }

    #[inline(never)]
    pub(super) fn end(&mut self, now: Timestamp, commands: &mut Vec<Command>) {
        let deadline = self.timers.iter().find(|(_, timer)| *timer == Timer::Deadline);
        if let Some(&(due, _)) = deadline.filter(|&&(due, _)| due <= now) {
            // It has passed since the last step.
            self.deadline_missed(due, now);
        }
        self.state = self.verdict();
        self.ended = now;
        self.timers.clear();
        if self.settings.observed {
            self.events.push(Event::Run { at: now, to: self.state });
        }
        if self.settings.recorded {
            self.entries.push((now, Entry::Ended { state: self.state }));
        }
        commands.push(Command::Ended(self.state));
    }
}
