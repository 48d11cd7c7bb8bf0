//! A look at a run under way, for whoever shows it.
//!
//! Showing a run must not slow it down, so nothing is collected for it while it runs: a look reads what the machine
//! knows, under the lock of the engine. Whoever looks decides how often.

use std::sync::Arc;

use super::handle::RunningTask;
use super::report::TaskReport;
use super::run::Run;
use crate::base::Timestamp;
use crate::dag::Plan;

/// A run as it is in this moment.
#[derive(Clone, Copy)]
pub(crate) struct RunView<'a> {
    run: &'a Run,
}

/// `load[3] (2013-03)`
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the command line is what uses it"))]
fn named(task: &TaskReport<'_>) -> String {
    match task.label() {
        Some(label) => format!("{} ({label})", task.id()),
        None => task.id().into_owned(),
    }
}

#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the command line is what uses it"))]
impl<'a> RunView<'a> {
    pub(super) fn at(run: &'a Run) -> Self {
        RunView { run }
    }

    /// The time of the run's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.run.shared.clock.now()
    }

    /// The task instances, in the order of the plan, with what is known of them so far.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = TaskReport<'a>> + use<'a> {
        let machine = &self.run.machine;
        machine.layout().tasks().map(move |task| TaskReport::new(machine, task))
    }

    /// One task instance.
    pub(crate) fn task(&self, task: u32) -> TaskReport<'a> {
        TaskReport::new(&self.run.machine, task)
    }

    /// What is known of a task that runs.
    pub(crate) fn running(&self, task: u32) -> RunningTask {
        RunningTask {
            task,
            id: named(&self.task(task)),
            attempt: self.run.machine.attempt(task),
            started: self.run.machine.times(task).0,
            progress: self.run.attempts.get(&task).and_then(|control| control.progress()),
        }
    }

    /// Whether the run is being ended early.
    pub(crate) fn is_halted(&self) -> bool {
        self.run.machine.halt_reason().is_some()
    }

    /// Which retry of the whole run is waited for, and when it is due.
    pub(crate) fn run_retry(&self) -> Option<(u32, Timestamp)> {
        self.run.machine.run_retry()
    }

    /// The retries that are waited for, with their times, the next one first.
    pub(crate) fn retries(&self) -> impl Iterator<Item = (Timestamp, u32)> + use<'a> {
        self.run.machine.retries()
    }

    /// What a task that holds nothing waits for: a time, the key of an event.
    pub(crate) fn wait(&self, task: u32) -> (Option<Timestamp>, Option<&'a str>) {
        self.run.machine.wait(task)
    }

    /// The graph.
    pub(crate) fn plan(&self) -> &'a Arc<Plan> {
        &self.run.shared.plan
    }

    /// When the run began.
    pub(crate) fn started(&self) -> Timestamp {
        self.run.machine.run_times().0
    }
}
