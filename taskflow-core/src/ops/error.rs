//! Why an operation was not carried out.

use std::path::PathBuf;

use crate::base::{BoxError, ErrorKind, Interval};
use crate::config::ConfigError;
use crate::dag::{BuildErrors, ParamError, ScheduleError, SelectionError};
use crate::engine::{RunError, UnknownPool};
use crate::journal::JournalError;
use crate::run::{RunState, TaskState};

/// Why an operation was not carried out. Unless the variant says otherwise, nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpsError {
    /// The journal refused it, or cannot be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The run could not be started.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The configuration has mistakes, or lacks something.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The graph of the DAG has mistakes.
    #[error(transparent)]
    Build(#[from] BuildErrors),
    /// A parameter of the DAG does not accept its value.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// The DAG has no such task.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// The configuration sets the size of a pool that the program does not declare.
    #[error("[pools] of the configuration: {0}")]
    Pool(#[source] UnknownPool),
    /// The home holds no runs yet.
    #[error("no runs yet in {}", home.display())]
    NoHome {
        /// The directory.
        home: PathBuf,
    },
    /// The home cannot be created or written.
    #[error("{source}")]
    NotWritable {
        /// The directory.
        home: PathBuf,
        /// What the store or the operating system reports.
        source: BoxError,
    },
    /// An option of the schedule of the DAG is not valid.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The DAG has no schedule.
    #[error("the DAG `{dag}` has no schedule; `run {dag}` starts it")]
    NoSchedule {
        /// The DAG.
        dag: String,
    },
    /// The runs of the DAG have no data intervals.
    #[error("runs of `{dag}` have no data interval, because its schedule has no intervals; leave it out")]
    NoIntervals {
        /// The DAG.
        dag: String,
    },
    /// A data interval does not end after its start.
    #[error("the interval {interval} is empty: its end must be later than its start")]
    EmptyInterval {
        /// The interval.
        interval: Interval,
    },
    /// The DAG is paused already.
    #[error("the DAG `{dag}` is already paused, by {by}; `unpause {dag}` ends that")]
    Paused {
        /// The DAG.
        dag: String,
        /// Who paused it.
        by: String,
    },
    /// The DAG is not paused.
    #[error("the DAG `{dag}` is not paused")]
    NotPaused {
        /// The DAG.
        dag: String,
    },
    /// The schedule of the DAG is not ahead of the clock.
    #[error("the schedule of `{dag}` is not ahead of the clock: there is nothing to reset")]
    NotAhead {
        /// The DAG.
        dag: String,
    },
    /// Another process serves the home.
    #[error("{by} already serves this home; a home has one `serve`")]
    Served {
        /// The process, `host:process`.
        by: String,
    },
    /// There is no interrupted run to resume.
    #[error("there is no interrupted run to resume; `runs` lists all runs, `retry` runs failed tasks again")]
    NoneInterrupted,
    /// The run has no failed task.
    #[error("run {number} has no failed task{}", nothing_failed(*number, *state))]
    NothingFailed {
        /// The number of the run.
        number: i64,
        /// Its state.
        state: RunState,
    },
    /// The run has ended before.
    #[error("run {number} has already ended (state: {state})")]
    Ended {
        /// The number of the run.
        number: i64,
        /// Its state.
        state: RunState,
    },
    /// Only a task that is marked as a success can have a value.
    #[error("only a task marked as success can have a value; the state is {state}")]
    ValueWithoutSuccess {
        /// The state that the task was to be marked with.
        state: TaskState,
    },
    /// The task returned nothing, because it did not succeed.
    #[error("task `{task}` of run {number} has no value (state: {state})")]
    NoValue {
        /// The number of the run.
        number: i64,
        /// The task.
        task: String,
        /// Its state.
        state: TaskState,
    },
    /// The stored value of a task cannot be decoded.
    #[error(
        "the value of task `{task}` of run {number} is damaged: {reason}; `clear {number} {task}` computes it again"
    )]
    DamagedValue {
        /// The number of the run.
        number: i64,
        /// The task.
        task: String,
        /// What is wrong.
        reason: String,
    },
    /// What a replayed task returned cannot be shown as JSON.
    #[error("the value of task `{task}` cannot be shown: {reason}")]
    NotJson {
        /// The task.
        task: String,
        /// Why.
        reason: String,
    },
}

impl OpsError {
    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            OpsError::Journal(error) => error.kind(),
            OpsError::Run(error) => error.kind(),
            OpsError::Config(error) => error.kind(),
            OpsError::Build(errors) => errors.kind(),
            OpsError::Param(error) => error.kind(),
            OpsError::Selection(error) => error.kind(),
            OpsError::Pool(error) => error.kind(),
            OpsError::NoHome { .. } | OpsError::NoValue { .. } | OpsError::NoneInterrupted => ErrorKind::NotFound,
            OpsError::NothingFailed { .. }
            | OpsError::Ended { .. }
            | OpsError::Paused { .. }
            | OpsError::NotPaused { .. }
            | OpsError::NotAhead { .. }
            | OpsError::Served { .. } => ErrorKind::Conflict,
            OpsError::ValueWithoutSuccess { .. }
            | OpsError::Schedule(_)
            | OpsError::NoSchedule { .. }
            | OpsError::NoIntervals { .. }
            | OpsError::EmptyInterval { .. } => ErrorKind::Invalid,
            OpsError::NotWritable { .. } => ErrorKind::Unavailable,
            OpsError::DamagedValue { .. } | OpsError::NotJson { .. } => ErrorKind::Damaged,
        }
    }
}

/// What to do about a run without failed tasks.
fn nothing_failed(number: i64, state: RunState) -> String {
    match state {
        RunState::Interrupted => format!("; `resume {number}` continues it"),
        state => format!(" (state: {state}); `clear {number} TASK` runs any task again"),
    }
}
