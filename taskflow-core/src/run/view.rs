//! The state of a run as data: the same shape for a run that is live, that is over and that is
//! stored.

use std::sync::Arc;

use serde::Serialize;

use super::index::TaskIndex;
use super::info::RunInfo;
use super::state::{RunState, TaskState};
use super::wait_view::WaitView;
use crate::base::{Failure, Timestamp};

/// The state of a run at one moment.
///
/// [`RunControl::view`](crate::engine::RunControl::view) reads it from a live run,
/// [`RunReport::view`](crate::engine::RunReport::view) from one that has ended, and
/// [`RunHistory::view`](crate::journal::RunHistory::view) from a stored one. A live run and its
/// history agree at the same [`entry`](RunView::entry).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RunView {
    /// Its id, its DAG, its logical date and what started it.
    #[serde(flatten)]
    pub info: RunInfo,
    /// The state of the run.
    pub state: RunState,
    /// Why the run ends early, if it does.
    pub halt_reason: Option<String>,
    /// When it started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// The number of the last journal entry that the view includes, counted from 1 over all
    /// processes of the run; 0 for a run without a journal.
    pub entry: u64,
    /// The task instances in the order of the graph, followed by those of elements.
    pub tasks: Vec<TaskView>,
}

/// The state of a task instance at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TaskView {
    /// Its id.
    pub id: String,
    /// The number that [events](crate::run::Event) name it by. A process that resumes the run
    /// numbers the elements of lists anew. `None` for a task that the present graph does not have.
    pub number: Option<TaskIndex>,
    /// The label of its element, if its list is labelled. In nested lists the label of the outer
    /// element comes first: `seoul / 2013-03`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Its state.
    pub state: TaskState,
    /// The present attempt, or the last one, counted from 1; 0 before the first.
    pub attempt: u32,
    /// When this attempt started.
    pub started: Option<Timestamp>,
    /// When the task reached its terminal state.
    pub ended: Option<Timestamp>,
    /// When the next attempt is due, while it is `up_for_retry`.
    pub retry_at: Option<Timestamp>,
    /// Why it did not succeed, while it is in a terminal state or `up_for_retry`.
    pub failure: Option<Arc<Failure>>,
    /// What it waits for, while it is `deferred` or `up_for_reschedule`.
    pub waits_for: Option<WaitView>,
    /// The steps completed and the total, if the running attempt reports them. Not stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<(u64, u64)>,
}

/// The label of an element with that of an element inside it.
pub(crate) fn within(outer: &str, inner: Option<&str>) -> String {
    match inner {
        Some(inner) => format!("{outer} / {inner}"),
        None => outer.to_owned(),
    }
}

impl RunView {
    /// The task instance with this id. Takes time in proportion to the number of tasks.
    pub fn task(&self, id: &str) -> Option<&TaskView> {
        self.tasks.iter().find(|task| task.id == id)
    }
}
