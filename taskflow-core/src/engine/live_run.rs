//! Reading a live run.
//!
//! Showing a run must not slow it down, so nothing is collected for readers while it runs: a reader
//! reads the state machine under the lock of the engine, and decides how often.

use std::collections::HashMap;
use std::sync::Arc;

use super::handle::RunningTask;
use super::report::TaskReport;
use super::run::Run;
use crate::base::Timestamp;
use crate::dag::Plan;
use crate::machine::Machine;
use crate::run::{RunInfo, RunState, RunView, TaskIndex, TaskState, TaskView, WaitView};

/// A live run, borrowed under the lock of the engine.
#[derive(Clone, Copy)]
pub(crate) struct LiveRun<'a> {
    run: &'a Run,
}

/// `load[3] (2013-03)`
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only the command line uses it"))]
fn labelled_id(task: &TaskReport<'_>) -> String {
    match task.label() {
        Some(label) => format!("{} ({label})", task.id()),
        None => task.id().into_owned(),
    }
}

#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only the command line uses all of it"))]
impl<'a> LiveRun<'a> {
    pub(super) fn new(run: &'a Run) -> Self {
        LiveRun { run }
    }

    /// The time of the run's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.run.shared.clock.now()
    }

    /// The task instances, in the order of the plan.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = TaskReport<'a>> + use<'a> {
        let machine = &self.run.machine;
        machine.layout().tasks().map(move |task| TaskReport::new(machine, task))
    }

    /// One task instance.
    pub(crate) fn task(&self, task: TaskIndex) -> TaskReport<'a> {
        TaskReport::new(&self.run.machine, task)
    }

    /// A running task instance.
    pub(crate) fn running(&self, task: TaskIndex) -> RunningTask {
        RunningTask {
            task,
            id: labelled_id(&self.task(task)),
            attempt: self.run.machine.attempt(task),
            started: self.run.machine.times(task).0,
            progress: self.progress(task),
        }
    }

    fn progress(&self, task: TaskIndex) -> Option<(u64, u64)> {
        self.run.attempts.get(&task).and_then(|control| control.progress())
    }

    /// Whether the run is being ended early.
    pub(crate) fn is_halted(&self) -> bool {
        self.run.machine.halt_reason().is_some()
    }

    /// The retry of the whole run that is pending, and when it is due.
    pub(crate) fn run_retry(&self) -> Option<(u32, Timestamp)> {
        self.run.machine.run_retry()
    }

    /// The pending retries of tasks with their times, the earliest first.
    pub(crate) fn retries(&self) -> impl Iterator<Item = (Timestamp, TaskIndex)> + use<'a> {
        self.run.machine.retries()
    }

    /// What a task that holds no slot waits for: a time, the key of an event.
    pub(crate) fn wait(&self, task: TaskIndex) -> (Option<Timestamp>, Option<&'a str>) {
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

    /// A copy of the present state.
    pub(crate) fn view(&self) -> RunView {
        let mut view = view(&self.run.machine, &self.run.shared.info, self.run.last_entry());
        for task in view.tasks.iter_mut().filter(|task| task.state == TaskState::Running) {
            task.progress = task.number.and_then(|task| self.progress(task));
        }
        view
    }
}

/// The state of a run as data, without the progress of running attempts.
pub(super) fn view(machine: &Machine, info: &RunInfo, entry: u64) -> RunView {
    let (started, ended) = machine.run_times();
    let due: HashMap<TaskIndex, Timestamp> = machine.retries().map(|(due, task)| (task, due)).collect();
    let task = |number: TaskIndex| {
        let state = machine.task_state(number);
        let attempt = machine.attempt(number);
        let (started, ended) = machine.times(number);
        let failure = match state {
            TaskState::UpForRetry => machine.retried(number).last().and_then(|record| record.failure.clone()),
            state if state.is_terminal() => machine.failure(number),
            _ => None,
        };
        let waits = matches!(state, TaskState::Deferred | TaskState::UpForReschedule).then(|| machine.wait(number));
        TaskView {
            id: machine.layout().id(number).into_owned(),
            number: Some(number),
            label: machine.label(number).map(str::to_owned),
            state,
            attempt,
            started: (attempt > 0).then_some(started),
            ended: (state.is_terminal() && state != TaskState::Removed).then_some(ended),
            retry_at: due.get(&number).copied(),
            failure,
            waits_for: waits.map(|(until, event)| WaitView { until, event: event.map(str::to_owned) }),
            progress: None,
        }
    };
    RunView {
        info: info.clone(),
        state: machine.state(),
        halt_reason: machine.halt_reason().map(str::to_owned),
        started: (started != Timestamp::EPOCH).then_some(started),
        ended: (machine.state() != RunState::Running).then_some(ended),
        entry,
        tasks: machine.layout().tasks().map(task).collect(),
    }
}
