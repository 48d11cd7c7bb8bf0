//! Draining: the process is asked to leave, and the run is to continue in another one.
//!
//! 1. Nothing more starts: the driver ignores `Ready` from here on. The states of waiting tasks
//!    stay as they are, and so do those of teardowns: the process that resumes the run continues
//!    inside the scope.
//! 2. Running attempts have the grace time. What ends in it, and what follows from it, is recorded
//!    as ever. The error of an attempt that was asked to stop is not a failure of the task: it runs
//!    again when the run is resumed, and so does an attempt that the grace time cuts off. Neither
//!    counts against the retries.
//! 3. When no attempt runs any more the run is `interrupted`, without an entry that says so: in the
//!    journal it looks like a run whose process has died. If no task is left open, the run has
//!    ended as usual.
//! 4. A run that was ending early when it was asked to drain continues to end when it is resumed.

use super::cells::Draining;
use super::command::Command;
use super::core::Core;
use super::timer::Timer;
use crate::base::Timestamp;
use crate::run::{Event, RunState, TaskState, Transition};

impl Core {
    /// Nothing more starts; the run is interrupted when no attempt runs any more.
    pub(super) fn drain(&mut self, reason: String, now: Timestamp, commands: &mut Vec<Command>) {
        if self.draining.is_some() || self.state != RunState::Running {
            return;
        }
        self.plain = false;
        let running = self.tasks.indices().filter(|&task| self.tasks[task].state == TaskState::Running).collect();
        self.draining = Some(Draining { reason, running });
        // Time limits of attempts still apply.
        self.timers.retain(|(_, timer)| matches!(timer, Timer::Attempt { .. }));
        self.timers.insert((now + self.settings.grace, Timer::Grace));
        commands.push(Command::Halt);
    }

    /// Whether the run drains and no attempt runs any more.
    pub(super) fn is_drained(&mut self) -> bool {
        let Some(draining) = &mut self.draining else { return false };
        while let Some(&task) = draining.running.last()
            && self.tasks[task].state != TaskState::Running
        {
            draining.running.pop();
        }
        draining.running.is_empty() && self.state == RunState::Running
    }

    /// The grace time is over: ends the attempts that still run.
    pub(super) fn cut_off(&mut self, now: Timestamp, commands: &mut Vec<Command>) {
        for task in self.tasks.indices() {
            if self.tasks[task].state == TaskState::Running {
                commands.push(Command::Abandon(task));
                self.apply(task, Transition::Interrupt, now);
            }
        }
    }

    /// The run is interrupted.
    pub(super) fn end_drained(&mut self, now: Timestamp, commands: &mut Vec<Command>) {
        self.state = RunState::Interrupted;
        self.ended = now;
        self.timers.clear();
        if self.settings.observed {
            self.events.push(Event::Run { at: now, to: self.state });
        }
        commands.push(Command::Ended(self.state));
    }
}
