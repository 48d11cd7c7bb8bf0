//! Where attempts run, if not in the process of the engine.
//!
//! The engine knows executors by these two traits alone, because what is behind them comes in rooms after its own:
//!
//! 1. A run opens an executor when the first attempt for it starts, and keeps the [`Session`] until the run has ended.
//! 2. To the engine such an attempt is an async one that can be told to end: a future that ends with its [`Outcome`]. Dropping
//!    the future gives the attempt up.
//! 3. When the run has ended its sessions are closed, and only then it is reported: what they have started does not outlive it.

use std::fmt;
use std::sync::Arc;

use super::AttemptControl;
use super::call::Outcome;
use super::context::Identity;
use super::def::TaskDef;
use super::invoke::{BoxFuture, Inputs};
use crate::config::Config;
use crate::run::RunInfo;

/// A place outside this process where attempts of tasks run, for `.on(..)` and `#[task(executor = ..)]`.
///
/// Made of what describes it: with the feature `spark` of a `taskflow::spark::Executors`.
#[derive(Clone, Copy)]
pub struct Executor(&'static dyn ExecutorBackend);

/// What is behind an [`Executor`].
pub(crate) trait ExecutorBackend: fmt::Debug + Send + Sync {
    /// One word: `spark`.
    fn kind(&self) -> &'static str;

    /// Where it is, for people.
    fn place(&self) -> String;

    /// Whether its attempts run in the process of the engine all the same.
    fn is_off(&self) -> bool;

    /// Gets ready for the attempts of a run. Nothing is started yet.
    fn open(&'static self, run: &Arc<RunInfo>, config: Option<&Config>) -> Arc<dyn Session>;
}

/// An executor, as one run uses it.
pub(crate) trait Session: fmt::Debug + Send + Sync {
    /// Runs one attempt. On a tokio runtime, in the span of the attempt.
    fn run(self: Arc<Self>, errand: ExecutorTask) -> BoxFuture<Outcome>;

    /// Ends what it has started, and waits for that. No attempt comes after this.
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

    /// What kind of executor it is: `spark`.
    pub fn kind(self) -> &'static str {
        self.0.kind()
    }

    /// Whether its attempts run in the process of the engine all the same: `TASKFLOW_SPARK=off`.
    pub fn is_off(self) -> bool {
        self.0.is_off()
    }

    pub(crate) fn open(self, run: &Arc<RunInfo>, config: Option<&Config>) -> Arc<dyn Session> {
        self.0.open(run, config)
    }
}

/// Two executors are one if they were made of the same description.
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
