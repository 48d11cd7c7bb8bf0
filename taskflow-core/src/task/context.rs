//! What a task may know about the attempt it is in, and say about it.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::host::{AttemptHost, DetachedHost};
use super::{Abort, AttemptControl, Interrupt, WaitState};
use crate::base::{Interval, Timestamp};
use crate::config::{Config, ConfigError, Connection, Secret};
use crate::run::RunInfo;

/// The attempt a task is in: who it is, how to report progress, how to end early.
///
/// A parameter `ctx: &TaskContext` receives it; it is not an input of the task. Cheap to clone.
#[derive(Clone)]
pub struct TaskContext {
    identity: Arc<Identity>,
    control: Arc<AttemptControl>,
}

/// Who an attempt is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) run: Arc<RunInfo>,
    pub(crate) task_id: String,
    pub(crate) attempt: u32,
    pub(crate) max_attempts: u32,
    /// How often the task was cleared.
    pub(crate) generation: u32,
    /// Of a task that may wait.
    pub(crate) wait_state: Option<WaitState>,
    /// Missing where that of the process is meant.
    pub(crate) config: Option<Config>,
    pub(crate) around: Arc<dyn AttemptHost>,
}

impl TaskContext {
    pub(crate) fn new(identity: Identity, control: Arc<AttemptControl>) -> Self {
        TaskContext { identity: Arc::new(identity), control }
    }

    /// A context outside any run, for calling a task in a unit test: `f::call(&TaskContext::detached("f"), ..)`.
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

    /// What it can reach of its run.
    pub(crate) fn host(&self) -> &Arc<dyn AttemptHost> {
        &self.identity.around
    }

    /// The number of the next job that this call of the function runs on a cluster, from 0.
    #[cfg(feature = "spark")]
    pub(crate) fn next_job(&self) -> u64 {
        self.control.next_job()
    }

    /// When the function was called, of one that may wait; else the present time.
    pub(crate) fn now(&self) -> Timestamp {
        self.identity.wait_state.as_ref().map_or_else(Timestamp::now, |wait_state| wait_state.now)
    }

    /// The same with another configuration: for a unit test of a task that asks for variables, connections or secrets.
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

    /// The configuration: that of the engine, else that of the process, which is read when it is asked for first.
    ///
    /// # Errors
    ///
    /// When the configuration of the process has mistakes.
    pub fn config(&self) -> Result<Config, ConfigError> {
        self.identity.config.clone().map_or_else(Config::global, Ok)
    }

    /// A variable of the configuration, in the type that is wanted; see [`Config::variable`].
    ///
    /// # Errors
    ///
    /// When it is not given or of another type, and as [`TaskContext::config`].
    pub fn variable<T: DeserializeOwned>(&self, name: &str) -> Result<T, ConfigError> {
        self.config()?.variable(name)
    }

    /// A variable of the configuration, or what is taken where it is not given.
    ///
    /// # Errors
    ///
    /// When it is of another type, and as [`TaskContext::config`].
    pub fn variable_or<T: DeserializeOwned>(&self, name: &str, default: T) -> Result<T, ConfigError> {
        self.config()?.variable_or(name, default)
    }

    /// A connection of the configuration, with its secrets.
    ///
    /// # Errors
    ///
    /// When it is not given or a secret of it is not where it should be, and as [`TaskContext::config`].
    pub fn connection(&self, name: &str) -> Result<Connection, ConfigError> {
        self.config()?.connection(name)
    }

    /// A secret of the configuration. A file that holds it is read now.
    ///
    /// # Errors
    ///
    /// When it is not given or not where it should be, and as [`TaskContext::config`].
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

    /// Which element of a list the task is for: its place in each of the lists that it is in, counted from 0, the outermost first.
    /// Airflow's `map_index`; empty outside of every [`each`](crate::dag::Output::each).
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
        // The numbers of an id are ours.
        places.filter_map(|place| place.strip_suffix(']')?.parse().ok()).collect()
    }

    /// Which attempt this is, counted from 1: Airflow's `try_number`.
    pub fn attempt(&self) -> u32 {
        self.identity.attempt
    }

    /// A key under which an effect outside can be made once: the same in every attempt of the task in this run, also after a
    /// crash; another one after the task was cleared, and when its group or its run is tried again, because then it is meant to
    /// happen again.
    ///
    /// Tasks run *at least* once: a process can die after a task has done its work and before that was stored. What must
    /// not happen twice is done under this key, as an upsert or as the idempotency key of an API.
    pub fn idempotency_key(&self) -> String {
        let Identity { run, task_id, generation, .. } = &*self.identity;
        match generation {
            0 => format!("{}/{task_id}", run.run_id),
            cleared => format!("{}/{task_id}/{cleared}", run.run_id),
        }
    }

    /// How many attempts there may be: one more than `retries`, and one more for each that was lost in a crash.
    pub fn max_attempts(&self) -> u32 {
        self.identity.max_attempts
    }

    /// The point in time the run is about.
    pub fn logical_date(&self) -> Timestamp {
        self.identity.run.logical_date
    }

    /// The span of time whose data the run is about: `ctx.data_interval()?`.
    ///
    /// In a DAG with a schedule it can also be the default of a parameter, `#[param(default = |run| run.data_interval())]`; that a
    /// DAG without one asks for it is a compile error there.
    ///
    /// # Errors
    ///
    /// In a run of a DAG whose schedule has no intervals, or that has none. A task that returns this error fails for good.
    pub fn data_interval(&self) -> Result<Interval, Interrupt> {
        self.identity.run.data_interval().ok_or_else(|| {
            let dag = self.dag_id();
            self.fail(format!(
                "the runs of `{dag}` have no data interval, because it has no schedule with intervals: write \
                 `#[dag(schedule = \"@daily\")]`, or use `ctx.logical_date()`"
            ))
        })
    }

    /// Reports that `done` of `total` steps are made; shown while the task runs.
    pub fn progress(&self, done: u64, total: u64) {
        self.control.report(done, total);
    }

    /// Ends the attempt as skipped: `return Err(ctx.skip("nothing landed"))?;`
    ///
    /// The task becomes `skipped`, without a retry; `Option<T>` parameters downstream receive `None`. The error must
    /// be what the task returns, alone or as a source of it.
    #[must_use = "return it: `return Err(ctx.skip(..))?;`"]
    pub fn skip(&self, reason: impl fmt::Display) -> Interrupt {
        self.interrupt(Abort::Skip, reason.to_string())
    }

    /// Ends the attempt as failed, without a retry: `return Err(ctx.fail("the table is gone"))?;`
    #[must_use = "return it: `return Err(ctx.fail(..))?;`"]
    pub fn fail(&self, reason: impl fmt::Display) -> Interrupt {
        self.interrupt(Abort::Fail, reason.to_string())
    }

    fn interrupt(&self, kind: Abort, reason: String) -> Interrupt {
        self.remember(Interrupt::new(kind, reason, None))
    }

    pub(super) fn remember(&self, interrupt: Interrupt) -> Interrupt {
        self.control.remember(interrupt.clone());
        interrupt
    }

    /// Whether the attempt should end: its run was cancelled or its time is up. For the loops of sync tasks.
    pub fn is_cancelled(&self) -> bool {
        self.control.is_cancelled()
    }

    /// Waits until the attempt should end. Cancel safe.
    ///
    /// An async task with a context has the grace time of the run to come to its end after this returns; one without a
    /// context is dropped at its next `await`.
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
