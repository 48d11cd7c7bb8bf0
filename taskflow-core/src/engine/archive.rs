//! The other runs in the journal of a run, for its tasks.
//!
//! The journal is a layer above the engine, so it is behind a trait here, which a
//! [`Recorder`](super::recorder::Recorder) returns.

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

/// The journal of a run.
pub(crate) trait Archive: Send + Sync + fmt::Debug {
    /// The run with this id.
    fn find<'a>(&'a self, run_id: &'a str) -> ArchiveFuture<'a, Option<PastRun>>;

    /// The run of a DAG that was requested last; with a date, of the runs with this logical date.
    fn latest<'a>(&'a self, dag: &'a str, date: Option<Timestamp>) -> ArchiveFuture<'a, Option<PastRun>>;

    /// Notes that a task waits for this run: if it is queued, the service starts it although as
    /// many runs are active as may be.
    fn awaits(&self, run: &PastRun);

    /// The successful run of a DAG with the latest logical date before this one.
    fn success_before<'a>(&'a self, dag: &'a str, date: Timestamp) -> ArchiveFuture<'a, Option<PastRun>>;

    /// How a run has ended, with the result that `plan` defines.
    fn end<'a>(&'a self, run_id: &'a str, plan: &'a Plan) -> ArchiveFuture<'a, EndedRun>;

    /// The state of a task of a run; `None` without such a task.
    fn task<'a>(&'a self, run_id: &'a str, task: &'a str) -> ArchiveFuture<'a, Option<TaskState>>;

    /// The value of a task of a run: its type, without modules, and its stored form.
    fn value<'a>(&'a self, run_id: &'a str, task: &'a str) -> ArchiveFuture<'a, Option<(String, Vec<u8>)>>;

    /// Deletes the files that a deleted run with this id has left: a run with it is about to begin.
    /// Waits as [`Archive::resume`].
    fn make_room<'a>(&'a self, run_id: &'a str, task: &'a TaskContext) -> ArchiveFuture<'a, ()>;

    /// Resumes an interrupted run for a task, which waits for the store as its own run would. A
    /// task with which several processes have died fails, and the run ends.
    fn resume<'a>(
        &'a self,
        run_id: &'a str,
        plan: &'a Arc<Plan>,
        task: &'a TaskContext,
    ) -> ArchiveFuture<'a, RunRequest<()>>;

    /// Clears the failed tasks of a run that has failed, and what is downstream of them, and
    /// resumes it; waits as [`Archive::resume`]. `None` if the run has other parameters than these,
    /// or no failed task.
    fn retry<'a>(
        &'a self,
        run_id: &'a str,
        plan: &'a Arc<Plan>,
        params: &'a [AnyValue],
        by: &'a str,
        task: &'a TaskContext,
    ) -> ArchiveFuture<'a, Option<RunRequest<()>>>;

    /// Records another run in the same journal.
    fn open_recorder(&self) -> OpenRecorder;
}

impl TaskContext {
    /// The journal of the run of this task; `None` outside of a run, or without a journal.
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
    /// The result of its DAG.
    pub(crate) result: Option<AnyValue>,
    /// Why it did not succeed, or has no result.
    pub(crate) why: String,
}

impl fmt::Debug for EndedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndedRun({}, {})", self.state, self.why)
    }
}
