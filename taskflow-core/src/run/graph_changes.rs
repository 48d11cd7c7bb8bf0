//! What differs between two graphs of a DAG.

use serde::Serialize;

/// The differences between the graph that a run was last run with and that of this program, by ids
/// of tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GraphChanges {
    /// The tasks that are new, in the order of the graph. They run.
    pub new: Vec<String>,
    /// The tasks that the program no longer has. They become `removed`.
    pub gone: Vec<String>,
    /// Functions whose calls are numbered (`step`, `step_2`, ..) and of which there are now more or
    /// fewer calls: a task of that name may be another call than before.
    pub renumbered: Vec<String>,
}

impl GraphChanges {
    /// Whether the ids of all tasks are the same.
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.gone.is_empty()
    }
}
