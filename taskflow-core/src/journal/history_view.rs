//! The view of a stored run, and what one entry changes of it.

use std::collections::HashMap;
use std::sync::Arc;

use super::history::RunHistory;
use super::task_history::{TaskHistory, WaitHistory};
use crate::base::Failure;
use crate::run::{Entry, RunView, TaskIndex, TaskState, TaskView};

/// The tasks that an entry is going to change.
pub(super) enum Touched {
    /// These numbers.
    Numbers(Vec<TaskIndex>),
    /// Those whose state is not the one in this list any more: a process takes the run.
    States(HashMap<Arc<str>, TaskState>),
    /// The list of an expand node: the node, and the tasks from this place and this number on.
    Elements { expand: TaskIndex, from: usize, numbers: usize },
}

impl RunHistory {
    /// The state of the run as data: what [`RunControl::view`](crate::engine::RunControl::view)
    /// returns of a live run at the same entry.
    pub fn view(&self) -> RunView {
        let numbers = self.numbers.by_place();
        let number = |place: u32| match &numbers {
            Some(numbers) => numbers.get(&place).copied(),
            None => (place < self.shape.nodes.len() as u32).then_some(TaskIndex::new(place)),
        };
        let mut gone: Vec<&TaskHistory> = self.gone.values().collect();
        gone.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        let gone = gone.into_iter().map(|task| task.view(None, || task.because("")));
        RunView {
            info: self.info.clone(),
            state: self.state,
            halt_reason: self.halt_reason.clone(),
            started: self.started(),
            ended: self.ended,
            entry: self.entries,
            tasks: (0..self.tasks.len() as u32)
                .map(|place| self.view_of(place as usize, number(place)))
                .chain(gone)
                .collect(),
        }
    }

    /// What `entry` is going to change.
    pub(super) fn before(&self, entry: &Entry) -> Touched {
        let numbers = match entry {
            Entry::Session(_) => {
                return Touched::States(self.tasks.iter().map(|task| (Arc::clone(&task.id), task.state)).collect());
            }
            &Entry::Expanded { task, .. } => {
                let (from, numbers) = (self.shape.nodes.len(), self.numbers.len());
                return Touched::Elements { expand: task, from, numbers };
            }
            Entry::Removed { task }
            | Entry::Scheduled { task }
            | Entry::Started { task, .. }
            | Entry::Succeeded { task, .. }
            | Entry::Failed { task, .. }
            | Entry::Skipped { task, .. }
            | Entry::UpstreamFailed { task, .. }
            | Entry::Cancelled { task, .. }
            | Entry::Waiting { task, .. }
            | Entry::Labelled { task, .. }
            | Entry::Linked { task, .. }
            | Entry::Pushed { task, .. }
            | Entry::TaskStateSet { task, .. } => vec![*task],
            Entry::Cleared { tasks, .. }
            | Entry::Marked { tasks, .. }
            | Entry::Regrouped { tasks, .. }
            | Entry::Reopened { tasks }
            | Entry::Again { tasks, .. } => tasks.clone(),
            Entry::Halted { .. }
            | Entry::Ended { .. }
            | Entry::Released { .. }
            | Entry::Happened { .. }
            | Entry::DeadlineMissed { .. }
            | Entry::TaskDeadlineMissed { .. }
            | Entry::LeftOut { .. }
            | Entry::TriedAgain { .. } => Vec::new(),
        };
        Touched::Numbers(numbers)
    }

    /// The tasks that an entry changed, as they are now.
    pub(super) fn changed_since(&self, touched: Touched) -> Vec<TaskView> {
        let numbered = |number: TaskIndex| {
            let place = self.numbers.place(number).filter(|&place| place < self.tasks.len())?;
            Some(self.view_of(place, Some(number)))
        };
        match touched {
            Touched::Numbers(numbers) => numbers.into_iter().filter_map(numbered).collect(),
            Touched::Elements { expand, from, numbers } => {
                // A list that is expanded again has elements with places.
                let is_new = |number: &TaskIndex| self.numbers.place(*number).is_some_and(|place| place >= from);
                let elements = self.numbers.from(numbers).filter(is_new).filter_map(numbered);
                numbered(expand).into_iter().chain(elements).collect()
            }
            Touched::States(before) => {
                let view = self.view();
                view.tasks.into_iter().filter(|task| before.get(&*task.id) != Some(&task.state)).collect()
            }
        }
    }
}

impl RunHistory {
    fn view_of(&self, place: usize, number: Option<TaskIndex>) -> TaskView {
        self.tasks[place].view(number, || self.because(place))
    }
}

impl TaskHistory {
    fn view(&self, number: Option<TaskIndex>, because: impl FnOnce() -> Option<Arc<Failure>>) -> TaskView {
        let state = self.state;
        let attempt = self.attempts.last();
        let is_terminal = state.is_terminal();
        let failure = || self.failure.clone().or_else(because);
        let waits = matches!(state, TaskState::Deferred | TaskState::UpForReschedule);
        let waits_for = self.waits_for.as_ref().filter(|_| waits);
        TaskView {
            id: self.id.to_string(),
            number,
            label: self.label.as_deref().map(str::to_owned),
            state,
            attempt: attempt.map_or(0, |attempt| attempt.number),
            started: attempt.map(|attempt| attempt.started),
            ended: self.since.filter(|_| is_terminal && state != TaskState::Removed),
            retry_at: self.retry_at.filter(|_| state == TaskState::UpForRetry),
            failure: if is_terminal || state == TaskState::UpForRetry { failure() } else { None },
            waits_for: waits_for.map(WaitHistory::view),
            progress: None,
        }
    }
}
