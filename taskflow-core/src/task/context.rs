//! The context of an attempt, for the task that runs in it.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

#[cfg(unix)]
use super::ProcessHold;
use super::host::{AttemptHost, DetachedHost};
use super::{Abort, AttemptControl, Interrupt, WaitState};
use crate::base::{Interval, Timestamp};
use crate::config::{Config, ConfigError, Connection, Secret};
use crate::run::RunInfo;

/// The context of an attempt: identifies it, reports progress and ends it early.
///
/// A parameter `ctx: &TaskContext` receives it; it is not an input of the task. Cheap to clone.
#[derive(Clone)]
pub struct TaskContext {
    identity: Arc<Identity>,
    control: Arc<AttemptControl>,
}

/// Identifies an attempt.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) run: Arc<RunInfo>,
    pub(crate) task_id: String,
    pub(crate) attempt: u32,
    pub(crate) max_attempts: u32,
    /// How many times the task was cleared.
    pub(crate) generation: u32,
    /// Only for tasks that can wait.
    pub(crate) wait_state: Option<WaitState>,
    /// `None` to use the configuration of the process.
    pub(crate) config: Option<Config>,
    pub(crate) around: Arc<dyn AttemptHost>,
}

impl TaskContext {
    /// For a group of processes that the attempt is about to start; `None` if the attempt is over.
    #[cfg(unix)]
    pub(crate) fn hold(&self) -> Option<ProcessHold> {
        self.control.hold()
    }

    pub(crate) fn new(identity: Identity, control: Arc<AttemptControl>) -> Self {
        TaskContext { identity: Arc::new(identity), control }
    }

    /// Creates a context outside any run, to call a task in a unit test:
    /// `f::call(&TaskContext::detached("f"), ..)`.
    pub fn detached(task_id: &str) -> Self {
        let run = Arc::new(RunInfo::manual("detached", Timestamp::now()));
        let identity = Identity {
            run,
            task_id: task_id.to_owned(),
            attempt: 1,
            max_attempts: 1,
            generation: 0,
            wait_state: None,
            config: None,
            around: Arc::new(DetachedHost::new(task_id)),
        };
        TaskContext::new(identity, Arc::default())
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Access to the run.
    pub(crate) fn host(&self) -> &Arc<dyn AttemptHost> {
        &self.identity.around
    }

    /// The number of the next job that this call of the function runs on a cluster, from 0.
    #[cfg(feature = "spark")]
    pub(crate) fn next_job(&self) -> u64 {
        self.control.next_job()
    }

    /// When the function was called, for a task that can wait; otherwise the present time.
    pub(crate) fn now(&self) -> Timestamp {
        self.identity.wait_state.as_ref().map_or_else(Timestamp::now, |wait_state| wait_state.now)
    }

    /// A copy with another configuration, for unit tests of tasks that read variables, connections
    /// or secrets.
    ///
    /// ```
    /// use taskflow::config::Config;
    /// use taskflow::prelude::*;
    ///
    /// #[task]
    /// fn is_late(ctx: &TaskContext, minutes: u32) -> Result<bool> {
    ///     Ok(minutes > ctx.variable::<u32>("late_after")?)
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let config = Config::builder().variable("late_after", 15).build()?;
    /// let context = TaskContext::detached("is_late").with_config(&config);
    /// assert!(is_late::call(&context, 20)?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_config(&self, config: &Config) -> Self {
        let identity = Identity { config: Some(config.clone()), ..(*self.identity).clone() };
        TaskContext::new(identity, Arc::clone(&self.control))
    }

    /// Returns the configuration of the engine, or else that of the process, which is read on first
    /// use.
    ///
    /// # Errors
    ///
    /// If the configuration of the process is invalid.
    pub fn config(&self) -> Result<Config, ConfigError> {
        self.identity.config.clone().map_or_else(Config::global, Ok)
    }

    /// Returns a variable of the configuration as a `T`; see [`Config::variable`].
    ///
    /// # Errors
    ///
    /// If it is not set or not a `T`, and like [`TaskContext::config`].
    pub fn variable<T: DeserializeOwned>(&self, name: &str) -> Result<T, ConfigError> {
        self.config()?.variable(name)
    }

    /// Returns a variable of the configuration, or `default` if it is not set.
    ///
    /// # Errors
    ///
    /// If it is not a `T`, and like [`TaskContext::config`].
    pub fn variable_or<T: DeserializeOwned>(&self, name: &str, default: T) -> Result<T, ConfigError> {
        self.config()?.variable_or(name, default)
    }

    /// Returns a connection of the configuration, with its secrets.
    ///
    /// # Errors
    ///
    /// If it is not set or one of its secrets cannot be read, and like [`TaskContext::config`].
    pub fn connection(&self, name: &str) -> Result<Connection, ConfigError> {
        self.config()?.connection(name)
    }

    /// Returns a secret of the configuration. If it is stored in a file, the file is read now.
    ///
    /// # Errors
    ///
    /// If it is not set or cannot be read, and like [`TaskContext::config`].
    pub fn secret(&self, name: &str) -> Result<Secret, ConfigError> {
        self.config()?.secret(name)
    }

    /// The run.
    pub fn run(&self) -> &RunInfo {
        &self.identity.run
    }

    /// The id of the run.
    pub fn run_id(&self) -> &str {
        &self.identity.run.run_id
    }

    /// The id of the DAG.
    pub fn dag_id(&self) -> &str {
        &self.identity.run.dag_id
    }

    /// The id of the task in its DAG.
    pub fn task_id(&self) -> &str {
        &self.identity.task_id
    }

    /// The indices of the element that this task instance processes, counted from 0, outermost list
    /// first. Airflow's `map_index`; empty outside of every [`each`](crate::dag::Output::each).
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// #[task]
    /// fn days() -> Vec<u32> { vec![30, 31] }
    ///
    /// #[task]
    /// fn place(ctx: &TaskContext, _day: u32) -> Vec<u32> { ctx.map_index() }
    ///
    /// #[dag]
    /// fn places() -> Vec<Vec<u32>> {
    ///     days().each(|day| place(day)).collect()
    /// }
    /// # assert_eq!(places::run().wait().unwrap().result().unwrap(), &[[0], [1]]);
    /// ```
    pub fn map_index(&self) -> Vec<u32> {
        let places = self.identity.task_id.split('[').skip(1);
        // Taskflow itself wrote the numbers in an id.
        places.filter_map(|place| place.strip_suffix(']')?.parse().ok()).collect()
    }

    /// The number of this attempt, counted from 1: Airflow's `try_number`.
    pub fn attempt(&self) -> u32 {
        self.identity.attempt
    }

    /// A key for external effects that must happen once. It is the same in every attempt of the
    /// task in this run, also after a crash. It changes when the task is cleared and when its group
    /// or run is retried, because the effect is meant to happen again then.
    ///
    /// Tasks run *at least* once: a process can die after a task has done its work and before the
    /// result is stored. Use this key for an upsert or as the idempotency key of an API.
    pub fn idempotency_key(&self) -> String {
        let Identity { run, task_id, generation, .. } = &*self.identity;
        match generation {
            0 => format!("{}/{task_id}", run.run_id),
            cleared => format!("{}/{task_id}/{cleared}", run.run_id),
        }
    }

    /// The most attempts possible: `retries` plus one, and one more for each attempt lost in a
    /// crash.
    pub fn max_attempts(&self) -> u32 {
        self.identity.max_attempts
    }

    /// The logical date of the run.
    pub fn logical_date(&self) -> Timestamp {
        self.identity.run.logical_date
    }

    /// Returns the data interval of the run: `ctx.data_interval()?`.
    ///
    /// In a DAG with a schedule it can also be the default of a parameter, `#[param(default = |run|
    /// run.data_interval())]`; in a DAG without one, that is a compile error.
    ///
    /// # Errors
    ///
    /// If the DAG has no schedule with intervals, or the run has no interval. A task that returns
    /// this error fails without a retry.
    pub fn data_interval(&self) -> Result<Interval, Interrupt> {
        self.identity.run.data_interval().ok_or_else(|| {
            let dag = self.dag_id();
            self.fail(format!(
                "the runs of `{dag}` have no data interval, because it has no schedule with intervals: write \
                 `#[dag(schedule = \"@daily\")]`, or use `ctx.logical_date()`"
            ))
        })
    }

    /// Reports that `done` of `total` steps are complete; displayed while the task runs.
    pub fn progress(&self, done: u64, total: u64) {
        self.control.report(done, total);
    }

    /// Ends the attempt as skipped: `return Err(ctx.skip("nothing landed"))?;`
    ///
    /// The task becomes `skipped` without a retry; `Option<T>` parameters downstream receive
    /// `None`. The task must return the error, directly or as the source of another error. If the
    /// task has an error type of its own, give that a variant `#[from] Interrupt`, or use
    /// [`skip_with`](TaskContext::skip_with).
    #[must_use = "return it: `return Err(ctx.skip(..))?;`"]
    pub fn skip(&self, reason: impl fmt::Display) -> Interrupt {
        self.interrupt(Abort::Skip, reason.to_string())
    }

    /// Ends the attempt as failed, without a retry: `return Err(ctx.fail("the table is gone"))?;`
    #[must_use = "return it: `return Err(ctx.fail(..))?;`"]
    pub fn fail(&self, reason: impl fmt::Display) -> Interrupt {
        self.interrupt(Abort::Fail, reason.to_string())
    }

    /// As [`skip`](TaskContext::skip), with an error of any type: `return
    /// Err(ctx.skip_with(LoadError::NothingLanded));`
    ///
    /// The message of the error is the reason. Use it if the task returns an error type into which
    /// an [`Interrupt`] cannot be converted. A type with a variant `#[from] Interrupt` can be used
    /// with [`skip`](TaskContext::skip) and `?`.
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// #[derive(Debug)]
    /// enum LoadError { NothingLanded }
    /// # impl std::fmt::Display for LoadError {
    /// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("nothing landed") }
    /// # }
    /// # impl std::error::Error for LoadError {}
    ///
    /// #[task]
    /// fn load(files: u32, ctx: &TaskContext) -> Result<u32, LoadError> {
    ///     match files {
    ///         0 => Err(ctx.skip_with(LoadError::NothingLanded)),
    ///         files => Ok(files),
    ///     }
    /// }
    /// # #[dag] fn daily() -> u32 { load(0) }
    /// # let report = daily::run().wait().unwrap();
    /// # assert_eq!(report.task("load").unwrap().state(), taskflow::TaskState::Skipped);
    /// ```
    #[must_use = "return it: `return Err(ctx.skip_with(error));`"]
    pub fn skip_with<E: fmt::Display>(&self, error: E) -> E {
        let _ = self.skip(&error);
        error
    }

    /// As [`fail`](TaskContext::fail), with an error of any type: the attempt fails with it and
    /// without a retry. See [`skip_with`](TaskContext::skip_with).
    #[must_use = "return it: `return Err(ctx.fail_with(error));`"]
    pub fn fail_with<E: fmt::Display>(&self, error: E) -> E {
        let _ = self.fail(&error);
        error
    }

    fn interrupt(&self, kind: Abort, reason: String) -> Interrupt {
        self.remember(Interrupt::new(kind, reason, None))
    }

    pub(super) fn remember(&self, interrupt: Interrupt) -> Interrupt {
        self.control.remember(interrupt.clone());
        interrupt
    }

    /// Whether the attempt should end, because its run was cancelled or its timeout has passed. For
    /// loops in sync tasks.
    pub fn is_cancelled(&self) -> bool {
        self.control.is_cancelled()
    }

    /// Waits until the attempt should end. Cancel safe.
    ///
    /// After this returns, an async task with a context has the grace period of the run to finish;
    /// one without a context is dropped at its next `await`.
    pub async fn cancelled(&self) {
        self.control.cancelled().await;
    }
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskContext")
            .field("run_id", &self.run_id())
            .field("task_id", &self.task_id())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}
