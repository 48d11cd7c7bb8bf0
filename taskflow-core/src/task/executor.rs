//! Executors: run attempts outside of the process of the engine.
//!
//! The engine only knows these two traits, because their implementations belong to later layers:
//!
//! 1. A run opens an executor when its first attempt starts, and holds the [`Session`] until the
//!    run has ended.
//! 2. To the engine, such an attempt is an async one that can be asked to end: a future that
//!    resolves to its [`Outcome`]. Dropping the future abandons the attempt.
//! 3. When the run has ended, its sessions are closed before it is reported: nothing they started
//!    outlives the run.

use std::fmt;
use std::sync::Arc;

use super::AttemptControl;
use super::call::Outcome;
use super::context::Identity;
use super::def::TaskDef;
use super::invoke::{BoxFuture, Inputs};
use crate::config::Config;
use crate::run::RunInfo;

/// Runs attempts of tasks outside of this process, for `.on(..)` and `#[task(executor = ..)]`.
///
/// Created from its description: with the feature `spark`, a `taskflow::spark::Executors`.
#[derive(Clone, Copy)]
pub struct Executor(&'static dyn ExecutorBackend);

/// The implementation of an [`Executor`].
pub(crate) trait ExecutorBackend: fmt::Debug + Send + Sync {
    /// A short name: `spark`.
    fn kind(&self) -> &'static str;

    /// Its location, for display.
    fn place(&self) -> String;

    /// Whether its attempts run in the process of the engine instead.
    fn is_off(&self) -> bool;

    /// Prepares for the attempts of a run. Starts nothing yet.
    fn open(&'static self, run: &Arc<RunInfo>, config: Option<&Config>) -> Arc<dyn Session>;
}

/// An executor within one run.
pub(crate) trait Session: fmt::Debug + Send + Sync {
    /// Runs one attempt. Called on a tokio runtime, in the span of the attempt.
    fn run(self: Arc<Self>, task: ExecutorTask) -> BoxFuture<Outcome>;

    /// Ends what it has started and waits for the end. No attempt follows.
    fn close(self: Arc<Self>) -> BoxFuture<()>;
}

/// An attempt for an executor.
#[cfg_attr(not(feature = "spark"), allow(dead_code, reason = "the executors that there are belong to features"))]
pub(crate) struct ExecutorTask {
    pub(crate) def: &'static TaskDef,
    pub(crate) inputs: Inputs,
    pub(crate) identity: Identity,
    pub(crate) control: Arc<AttemptControl>,
}

impl Executor {
    #[cfg_attr(not(feature = "spark"), allow(dead_code, reason = "the executors that there are belong to features"))]
    pub(crate) const fn new(what: &'static dyn ExecutorBackend) -> Self {
        Executor(what)
    }

    /// The kind of executor: `spark`.
    pub fn kind(self) -> &'static str {
        self.0.kind()
    }

    /// Whether its attempts run in the process of the engine instead: `TASKFLOW_SPARK=off`.
    pub fn is_off(self) -> bool {
        self.0.is_off()
    }

    pub(crate) fn open(self, run: &Arc<RunInfo>, config: Option<&Config>) -> Arc<dyn Session> {
        self.0.open(run, config)
    }
}

/// Two executors are equal if they were created from the same description.
impl PartialEq for Executor {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(self.0, other.0)
    }
}

impl Eq for Executor {}

impl fmt::Display for Executor {
    /// `spark (spark://host:7077)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.kind(), self.0.place())
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Executor({self})")
    }
}
