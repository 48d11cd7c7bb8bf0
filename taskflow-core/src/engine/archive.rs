//! The other runs in the journal of a run, as its tasks see them.
//!
//! The journal is a later room: it is behind a trait here, which a [`Recorder`](super::recorder::Recorder) leads to.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use super::live_host::LiveHost;
use super::recorder_error::RecorderError;
use super::request::{OpenRecorder, RunRequest};
use crate::base::Timestamp;
use crate::dag::Plan;
use crate::run::{RunInfo, RunState, TaskState};
use crate::task::TaskContext;
use crate::value::AnyValue;

/// A future of a query to the journal.
pub(crate) type ArchiveFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, RecorderError>> + Send + 'a>>;

/// The journal that a run is kept in.
pub(crate) trait Archive: Send + Sync + fmt::Debug {
    /// The run with this id.
    fn find<'a>(&'a self, run_id: &'a str) -> ArchiveFuture<'a, Option<PastRun>>;

    /// The run of a DAG that was asked for last, of those about this time if one is said.
    fn latest<'a>(&'a self, dag: &'a str, date: Option<Timestamp>) -> ArchiveFuture<'a, Option<PastRun>>;

    /// The successful run of a DAG with the latest logical date before this one.
    fn success_before<'a>(&'a self, dag: &'a str, date: Timestamp) -> ArchiveFuture<'a, Option<PastRun>>;

    /// How a run has ended, with its result if `plan` says what that is.
    fn end<'a>(&'a self, run_id: &'a str, plan: &'a Plan) -> ArchiveFuture<'a, EndedRun>;

    /// The state of a task of a run; nothing if it has no such task.
    fn task<'a>(&'a self, run_id: &'a str, task: &'a str) -> ArchiveFuture<'a, Option<TaskState>>;

    /// The value that a task of a run has returned: its type, without modules, and its stored form.
    fn value<'a>(&'a self, run_id: &'a str, task: &'a str) -> ArchiveFuture<'a, Option<(String, Vec<u8>)>>;

    /// Goes on with a run that nobody runs.
    fn resume<'a>(&'a self, run_id: &'a str, plan: &'a Arc<Plan>) -> ArchiveFuture<'a, RunRequest<()>>;

    /// Keeps another run in the same journal.
    fn open_recorder(&self) -> OpenRecorder;
}

impl TaskContext {
    /// The journal of the run that the task is in; none outside of a run, or in one that is not kept.
    pub(crate) fn archive(&self) -> Option<Arc<dyn Archive>> {
        let around: &dyn Any = &**self.host();
        around.downcast_ref::<LiveHost>()?.run.recorder.as_ref()?.archive()
    }
}

/// A run in the journal.
#[derive(Clone, Debug)]
pub(crate) struct PastRun {
    pub(crate) info: RunInfo,
    pub(crate) state: RunState,
}

/// How a run has ended.
#[derive(Clone)]
pub(crate) struct EndedRun {
    pub(crate) state: RunState,
    /// What its DAG returns.
    pub(crate) result: Option<AnyValue>,
    /// Why it did not end well, or has no result.
    pub(crate) why: String,
}

impl fmt::Debug for EndedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndedRun({}, {})", self.state, self.why)
    }
}
