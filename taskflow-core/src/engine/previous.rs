//! The previous successful run of the same DAG, as a task sees it.

use std::fmt;
use std::sync::Arc;

use super::archive::{Archive, ArchiveFuture, PastRun};
use super::recorder_error::RecorderError;
use crate::base::ErrorKind;
use crate::run::RunInfo;
use crate::task::TaskContext;
use crate::value::{TypeInfo, Value, into_owned};

/// An earlier run of the same DAG: see [`TaskContext::previous_success`].
#[derive(Clone)]
pub struct PreviousRun {
    info: RunInfo,
    archive: Arc<dyn Archive>,
}

/// Why an earlier run, or a value of it, cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreviousError {
    /// The journal cannot be read.
    #[error("earlier runs cannot be read: {source}")]
    Journal {
        /// Why.
        source: RecorderError,
    },
    /// The task has no value in that run.
    #[error("task `{task}` of the run `{run_id}` has no value")]
    NoValue {
        /// The run.
        run_id: String,
        /// The task.
        task: String,
    },
    /// The value is of another type.
    #[error("the value of task `{task}` of the run `{run_id}` is a `{stored}`, but was requested as a `{wanted}`")]
    Type {
        /// The run.
        run_id: String,
        /// The task.
        task: String,
        /// The type it has, without modules.
        stored: String,
        /// The type that is asked for, without modules.
        wanted: String,
    },
}

impl TaskContext {
    /// The successful run of the same DAG with the latest logical date before that of this run,
    /// like Airflow's `prev_data_interval_start_success`. `None` if the journal has no such run, or
    /// the run has no journal.
    ///
    /// Reads the journal and blocks the thread meanwhile.
    ///
    /// ```
    /// use taskflow::prelude::*;
    ///
    /// #[task]
    /// fn read_until() -> Timestamp {
    ///     Timestamp::now()
    /// }
    ///
    /// /// Reads what has come since the last run that succeeded.
    /// #[task(blocking)]
    /// fn read(ctx: &TaskContext, until: Timestamp) -> Result<String> {
    ///     Ok(match ctx.previous_success()? {
    ///         Some(previous) => format!("from {} to {until}", previous.value::<Timestamp>("read_until")?),
    ///         None => format!("all until {until}"),
    ///     })
    /// }
    /// # #[dag] fn reading() -> String { read(read_until()) }
    /// # assert!(reading::run().wait().unwrap().result().unwrap().starts_with("all until"));
    /// ```
    ///
    /// # Errors
    ///
    /// If the journal cannot be read.
    pub fn previous_success(&self) -> Result<Option<PreviousRun>, PreviousError> {
        let Some(archive) = self.archive() else { return Ok(None) };
        let found: Option<PastRun> = wait(archive.success_before(self.dag_id(), self.logical_date()))?;
        Ok(found.map(|found| PreviousRun { info: found.info, archive }))
    }
}

impl PreviousRun {
    /// The identity of the run, such as its [`logical_date`](RunInfo::logical_date).
    pub fn run(&self) -> &RunInfo {
        &self.info
    }

    /// The value that one of its tasks returned. Reads the journal and blocks the thread meanwhile.
    ///
    /// # Errors
    ///
    /// If there is no such task, it has no value or one of another type, or the journal cannot be
    /// read.
    pub fn value<T: Value + Clone>(&self, task: &str) -> Result<T, PreviousError> {
        let (run_id, of) = (self.info.run_id.clone(), task.to_owned());
        let Some((stored, bytes)) = wait(self.archive.value(&run_id, task))? else {
            return Err(PreviousError::NoValue { run_id, task: of });
        };
        let ty = TypeInfo::of_value::<T>();
        if stored != ty.short() {
            return Err(PreviousError::Type { run_id, task: of, stored, wanted: ty.short() });
        }
        let value = ty.decode(&bytes).map(into_owned);
        value.map_err(|reason| PreviousError::Journal { source: RecorderError::new(ErrorKind::Damaged, reason) })
    }
}

impl fmt::Debug for PreviousRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PreviousRun({})", self.info.run_id)
    }
}

/// Waits for the journal on another thread, because a thread of a runtime must not block on a
/// future.
fn wait<T: Send>(look: ArchiveFuture<'_, T>) -> Result<T, PreviousError> {
    let unavailable = |error: std::io::Error| RecorderError::new(ErrorKind::Unavailable, error);
    let panicked = || RecorderError::new(ErrorKind::Unavailable, "the journal has panicked");
    let looked = std::thread::scope(|scope| {
        let looking = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(unavailable)?.block_on(look)
        };
        let thread = std::thread::Builder::new().name("taskflow-look".to_owned()).spawn_scoped(scope, looking);
        let thread = thread.map_err(unavailable)?;
        thread.join().unwrap_or_else(|_| Err(panicked()))
    });
    looked.map_err(|source| PreviousError::Journal { source })
}
