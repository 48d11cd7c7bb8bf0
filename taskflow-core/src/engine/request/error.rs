//! Why a run does not start.

use crate::base::ErrorKind;
use crate::dag::{BuildErrors, ParamError};
use crate::engine::needs::MissingConfig;
use crate::engine::recorder_error::RecorderError;
use crate::machine;

/// Why a run did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The graph has mistakes.
    #[error(transparent)]
    Build(#[from] BuildErrors),
    /// A parameter has an invalid value.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// The number of values is not the number of parameters.
    #[error("DAG `{dag}` has {expected} parameters, but {given} values were given")]
    ParamCount {
        /// The DAG.
        dag: String,
        /// Its parameters.
        expected: usize,
        /// The values.
        given: usize,
    },
    /// A task needs more slots than its pool has in this engine, so it could never run.
    #[error("task `{task}` needs {wanted} slots of the pool `{pool}`, which has only {slots} in this engine")]
    PoolTooSmall {
        /// The task.
        task: String,
        /// The pool.
        pool: String,
        /// The slots that the task needs.
        wanted: u32,
        /// The slots of the pool.
        slots: u32,
    },
    /// Tasks declare connections or secrets that are not available.
    #[error("{}", missing.iter().map(MissingConfig::to_string).collect::<Vec<_>>().join("\n"))]
    Config {
        /// At least one.
        missing: Vec<MissingConfig>,
    },
    /// The run cannot be stored.
    #[error("the run cannot be stored: {0}")]
    Journal(RecorderError),
    /// A thread or a runtime could not be started.
    #[error("cannot start the run: {0}")]
    System(#[from] std::io::Error),
}

impl From<machine::PoolTooSmall> for RunError {
    fn from(error: machine::PoolTooSmall) -> Self {
        let machine::PoolTooSmall { task, pool, wanted, slots } = error;
        RunError::PoolTooSmall { task, pool, wanted, slots }
    }
}

impl RunError {
    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            RunError::Build(errors) => errors.kind(),
            RunError::Param(error) => error.kind(),
            RunError::ParamCount { .. } | RunError::PoolTooSmall { .. } => ErrorKind::Invalid,
            RunError::Config { missing } => MissingConfig::kind(missing),
            RunError::Journal(error) => error.kind(),
            RunError::System(_) => ErrorKind::Unavailable,
        }
    }
}
