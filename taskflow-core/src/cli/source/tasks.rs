//! The tasks of a run. A run can have a million of them, so a document is made only of those that
//! are shown.

use super::reads::{Place, Run};
use crate::ops::{RunStatus, TaskStatus};
use crate::run::TaskState;

/// What every task of a run is known by.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct KnownTask<'r> {
    pub(in crate::cli) id: &'r str,
    pub(in crate::cli) label: Option<&'r str>,
    pub(in crate::cli) state: TaskState,
    /// Where its document is: see [`Run::task`].
    pub(in crate::cli) place: usize,
}

impl Run<'_> {
    /// All tasks, in the order of the graph; elements in the place of their node.
    pub(in crate::cli) fn tasks(&self) -> Box<dyn Iterator<Item = KnownTask<'_>> + '_> {
        match &self.place {
            Place::Here(history) => Box::new(history.in_order().map(|place| {
                let task = &history.tasks[place];
                KnownTask { id: &task.id, label: task.label.as_deref(), state: task.state, place }
            })),
            Place::There(_, tasks) => Box::new(tasks.iter().enumerate().map(|(place, task)| KnownTask {
                id: &task.id,
                label: task.label.as_deref(),
                state: task.state,
                place,
            })),
        }
    }

    /// The document of the task at this place.
    pub(in crate::cli) fn task(&self, place: usize) -> TaskStatus {
        match &self.place {
            Place::Here(history) => TaskStatus::of(&history.tasks[place], history.number),
            Place::There(_, tasks) => tasks[place].clone(),
        }
    }

    /// The document of the run with all tasks.
    pub(in crate::cli) fn whole(self) -> RunStatus {
        match self.place {
            Place::Here(history) => self.status.with_tasks(&history),
            Place::There(_, tasks) => RunStatus { tasks, ..self.status },
        }
    }
}
