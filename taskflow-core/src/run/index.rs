//! The numbers of task instances.

use crate::base::index::index_type;

index_type! {
    /// A task instance of a run.
    ///
    /// Task instances outside every `each` have the numbers of their nodes in the plan; those of
    /// elements have higher ones, in the order in which their lists were expanded. A number is
    /// valid for one run in one process: a process that resumes the run numbers elements anew.
    pub struct TaskIndex;
}
