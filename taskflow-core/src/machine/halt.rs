//! The early end of a run: after a cancellation, a failure under `fail_fast`, a failure of the
//! store.

use std::sync::Arc;

use super::cells::Halted;
use super::command::Command;
use super::core::Core;
use super::timer::Timer;
use crate::base::{Failure, Timestamp};
use crate::dag::Layout;
use crate::run::{Entry, RunState, TaskIndex, TaskState, Transition};

impl Core {
    /// Ends the run early: tasks that have not started take `transition`.
    pub(super) fn halt(
        &mut self,
        graph: &Layout,
        reason: String,
        state: RunState,
        transition: Transition,
        now: Timestamp,
        commands: &mut Vec<Command>,
    ) {
        if self.halted.is_some() || self.state != RunState::Running {
            return;
        }
        self.plain = false;
        let shared = Arc::new(match transition {
            Transition::Skip => Failure::Skipped { reason: reason.clone() },
            _ => Failure::Cancelled { reason: reason.clone() },
        });
        if self.settings.recorded {
            self.entries.push((now, Entry::Halted { reason: reason.clone(), state }));
        }
        self.halted = Some(Halted { reason, state });
        commands.push(Command::Halt);
        self.timers.insert((now + self.settings.grace, Timer::Grace));
        for task in self.tasks.indices() {
            match self.tasks[task].state {
                state if state.is_terminal() || state == TaskState::Running => {}
                // The command to halt has made the driver drop it.
                TaskState::Scheduled if self.is_spared(graph, task) => commands.push(Command::Ready(task)),
                _ if self.is_spared(graph, task) => {}
                _ => {
                    self.failures.insert(task, Arc::clone(&shared));
                    if transition == Transition::Skip {
                        self.skipped_by_halt.insert(task);
                    }
                    self.settle(graph, task, transition, now, commands);
                }
            }
        }
    }

    /// Whether an early end spares the task: it is a teardown, and its result can be recorded.
    pub(super) fn is_spared(&self, graph: &Layout, task: TaskIndex) -> bool {
        let interrupted = self.halted.as_ref().is_some_and(|halted| halted.state == RunState::Interrupted);
        !interrupted && !graph.plan().teardowns().is_empty() && graph.options(task).teardown.is_some()
    }
}
