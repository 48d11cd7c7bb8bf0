//! The view of a live run, and of one that has ended.

use super::run::Run;
use crate::base::Timestamp;
use crate::machine::Machine;
use crate::run::{QUESTION, RunInfo, RunState, RunView, TaskIndex, TaskState, TaskView, WaitView};

impl Run {
    /// A copy of the present state.
    pub(super) fn view(&self) -> RunView {
        let mut view = run_view(&self.machine, &self.shared.info, self.last_entry());
        view.tasks.iter_mut().for_each(|task| self.complete(task));
        view
    }

    /// Adds to the view of a task what the machine does not know: the progress of its running
    /// attempt, and its question.
    pub(super) fn complete(&self, task: &mut TaskView) {
        if task.state == TaskState::Running {
            task.progress = task.number.and_then(|task| self.progress(task));
        }
        if let Some(waits) = &mut task.waits_for {
            let kept = self.shared.notes.own(&task.id, QUESTION);
            *waits = WaitView::new((waits.until, waits.event.take()), waits.pokes, kept.as_deref());
        }
    }

    /// The progress that the running attempt of a task has reported.
    pub(super) fn progress(&self, task: TaskIndex) -> Option<(u64, u64)> {
        self.attempts.get(&task).and_then(|control| control.progress())
    }
}

/// The state of a run as data, without what [`Run::complete`] adds.
pub(super) fn run_view(machine: &Machine, info: &RunInfo, entry: u64) -> RunView {
    let (started, ended) = machine.run_times();
    RunView {
        info: info.clone(),
        state: machine.state(),
        halt_reason: machine.halt_reason().map(str::to_owned),
        started: (started != Timestamp::EPOCH).then_some(started),
        ended: (machine.state() != RunState::Running).then_some(ended),
        entry,
        tasks: machine.layout().tasks().map(|task| task_view(machine, task)).collect(),
    }
}

/// The state of a task instance as data, without what [`Run::complete`] adds.
pub(super) fn task_view(machine: &Machine, number: TaskIndex) -> TaskView {
    let state = machine.task_state(number);
    let attempt = machine.attempt(number);
    let (started, ended) = machine.times(number);
    let retried = || machine.retried(number).last();
    let failure = match state {
        TaskState::UpForRetry => retried().and_then(|record| record.failure.clone()),
        state if state.is_terminal() => machine.failure(number),
        _ => None,
    };
    let waits =
        matches!(state, TaskState::Deferred | TaskState::UpForReschedule).then(|| machine.wait(number)).flatten();
    let waits_for = waits.map(|record| {
        let event = record.event.as_ref().map(|(key, _)| key.clone());
        let pokes = (state == TaskState::UpForReschedule).then_some(record.count);
        WaitView::new((record.until, event), pokes, None)
    });
    TaskView {
        id: machine.layout().id(number).into_owned(),
        number: Some(number),
        label: machine.label(number),
        state,
        attempt,
        started: (attempt > 0).then_some(started),
        ended: (state.is_terminal() && state != TaskState::Removed).then_some(ended),
        retry_at: if state == TaskState::UpForRetry { machine.retry_due(number) } else { None },
        failure,
        waits_for,
        progress: None,
    }
}
