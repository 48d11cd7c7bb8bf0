//! The progress of a run: what a reader that follows it needs, in little space for a run of any
//! size.

use std::collections::BTreeMap;

use super::index::TaskIndex;
use super::state::TaskState;
use super::view::TaskView;
use crate::base::Timestamp;

/// How many task instances are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TaskCounts([usize; TaskState::ALL.len()]);

/// A run at one moment: its tasks by state, and the view of each active one.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunProgress {
    /// The time of the run's clock.
    pub(crate) now: Timestamp,
    /// When the run started.
    pub(crate) started: Timestamp,
    /// Whether the run is being ended early.
    pub(crate) is_halted: bool,
    /// The run has failed and is retried: the number of the retry, and when it is due.
    pub(crate) run_retry: Option<(u32, Timestamp)>,
    pub(crate) counts: TaskCounts,
    /// The tasks that run, wait or will be retried, by their numbers.
    pub(crate) active: BTreeMap<TaskIndex, ActiveTask>,
}

/// A task that runs, waits or will be retried.
#[derive(Clone, Debug)]
pub(crate) struct ActiveTask {
    pub(crate) view: TaskView,
    /// How many attempts it may have.
    pub(crate) max_attempts: u32,
}

impl TaskCounts {
    pub(crate) fn add(&mut self, state: TaskState) {
        self.0[state as usize] += 1;
    }

    pub(crate) fn remove(&mut self, state: TaskState) {
        self.0[state as usize] -= 1;
    }

    pub(crate) fn of(&self, state: TaskState) -> usize {
        self.0[state as usize]
    }

    /// The tasks that take part in the run.
    pub(crate) fn total(&self) -> usize {
        self.0.iter().sum::<usize>() - self.of(TaskState::Removed)
    }

    /// The tasks in a terminal state.
    pub(crate) fn done(&self) -> usize {
        let done = TaskState::ALL.into_iter().filter(|state| state.is_terminal() && *state != TaskState::Removed);
        done.map(|state| self.of(state)).sum()
    }
}
