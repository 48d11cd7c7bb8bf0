//! Requests for runs.

mod error;
mod prepare;

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::oneshot;

pub use error::RunError;
pub(super) use prepare::Prepared;
use prepare::final_params;

use super::children::Children;
use super::clock::Clock;
use super::engine::Engine;
use super::handle::{FutureState, RunFuture, RunHandle};
use super::needs;
use super::notes::Notes;
use super::observer::{Observer, Observers};
use super::recorder::Recorder;
use super::recorder_error::RecorderError;
use super::report::RunReport;
use super::run::Run;
use super::run_shared::RunShared;
use super::sessions::Sessions;
use crate::base::{Quietly, Timestamp};
use crate::callback::{CallbackDispatcher, PendingCallback};
use crate::dag::{BuildErrors, Dag, DagDef, Params, Plan, Selection};
use crate::run::{Durability, GraphChanges, Restored, RunInfo};
use crate::task::Scratch;
use crate::value::{AnyValue, Value};

/// A requested run: set its options, then await it to run it.
///
/// ```
/// # use taskflow::prelude::*;
/// # #[task] fn summarise(month: u32) -> u32 { month }
/// # #[dag] fn delays(month: u32) -> u32 { summarise(month) }
/// # async fn example() -> Result<()> {
/// let report = delays::run(7).fail_fast(true).await?;
/// # assert_eq!(report.result(), Some(&7)); Ok(())
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
/// ```
///
/// `start()` returns a handle to follow and cancel the run; `wait()` runs it from sync code.
#[must_use = "a run starts when it is awaited, or with `start()` or `wait()`"]
pub struct RunRequest<T> {
    plan: Result<Arc<Plan>, BuildErrors>,
    params: Params,
    /// The parameters to take from their defaults, instead of from `params`.
    defaults: Vec<usize>,
    engine: Option<Engine>,
    selection: Option<Selection>,
    fail_fast: Option<bool>,
    grace: Option<Duration>,
    logical_date: Option<Timestamp>,
    info: Option<RunInfo>,
    seed: Option<u64>,
    observers: Vec<Box<dyn Observer>>,
    open_recorder: Option<OpenRecorder>,
    durability: Durability,
    restored: Option<Restored>,
    pending_callbacks: Vec<PendingCallback>,
    graph_changes: GraphChanges,
    in_process: bool,
    without_callbacks: bool,
    result: PhantomData<fn() -> T>,
}

/// Opens the journal of a run that is about to start.
pub(crate) type OpenRecorder = Box<dyn FnOnce(&RunStart<'_>) -> Result<Arc<dyn Recorder>, RecorderError> + Send>;

/// The run that a journal is opened for.
pub(crate) struct RunStart<'a> {
    pub(crate) plan: &'a Arc<Plan>,
    pub(crate) info: &'a RunInfo,
    pub(crate) params: &'a [AnyValue],
    pub(crate) durability: Durability,
    /// When it starts or resumes.
    pub(crate) at: Timestamp,
}

impl<T: Value> Dag<T> {
    /// A run of this graph.
    pub fn run(&self) -> RunRequest<T> {
        RunRequest::new(Ok(Arc::clone(self.plan())), Params::default())
    }
}

impl<T> RunRequest<T> {
    fn new(plan: Result<Arc<Plan>, BuildErrors>, params: Params) -> Self {
        RunRequest {
            plan,
            params,
            defaults: Vec::new(),
            engine: None,
            selection: None,
            fail_fast: None,
            grace: None,
            logical_date: None,
            info: None,
            seed: None,
            observers: Vec::new(),
            open_recorder: None,
            durability: Durability::default(),
            restored: None,
            pending_callbacks: Vec::new(),
            graph_changes: GraphChanges::default(),
            in_process: false,
            without_callbacks: false,
            result: PhantomData,
        }
    }

    pub(crate) fn of(def: &'static DagDef, params: Params) -> Self {
        RunRequest::new(def.plan(), params)
    }

    /// A request with some values; the others are the defaults for the run.
    pub(crate) fn of_some(def: &'static DagDef, values: Vec<Option<AnyValue>>) -> Self {
        let defaults = values.iter().enumerate().filter(|(_, value)| value.is_none()).map(|(place, _)| place).collect();
        let values = values.into_iter().map(|value| value.unwrap_or_else(|| AnyValue::new(()))).collect();
        RunRequest { defaults, ..RunRequest::of(def, Params::of(values)) }
    }

    /// The engine to run on. Default: [`Engine::global`].
    pub fn engine(mut self, engine: &Engine) -> Self {
        self.engine = Some(engine.clone());
        self
    }

    /// Runs a part of the graph only; the rest is `removed` from the run.
    pub fn select(mut self, selection: Selection) -> Self {
        self.selection = Some(selection);
        self
    }

    /// Whether the first failed task ends the run: running tasks are cancelled, others skipped.
    /// Default: the option of the DAG.
    pub fn fail_fast(mut self, fail_fast: bool) -> Self {
        self.fail_fast = Some(fail_fast);
        self
    }

    /// How long running tasks may take to stop after a cancellation. Default: 10 seconds.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// The logical date of the run. Default: now.
    pub fn logical_date(mut self, logical_date: Timestamp) -> Self {
        self.logical_date = Some(logical_date);
        self
    }

    /// The seed of everything random about the run: the jitter of retries. Default: taken from its
    /// id.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Adds an observer of every transition: a closure `|event: &Event|`, or a type that implements
    /// [`Observer`]. To observe a run that has started, use [`RunControl::subscribe`].
    ///
    /// [`RunControl::subscribe`]: super::RunControl::subscribe
    pub fn observe(mut self, observer: impl Observer) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// What must be stored before the run continues. It has no effect without a journal. Default:
    /// [`Durability::Strict`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Whether to run all tasks in this process: also those with a process of their own
    /// (`isolation = "process"`), then without their memory limits, and those on executors. For
    /// debuggers, and for programs whose `main` is not taskflow's, such as tests. Default: no.
    pub fn in_process(mut self, in_process: bool) -> Self {
        self.in_process = in_process;
        self
    }

    /// Whether to call no callbacks, neither of this run nor of the runs that it triggers. Default:
    /// no.
    pub(crate) fn without_callbacks(mut self, without_callbacks: bool) -> Self {
        self.without_callbacks = without_callbacks;
        self
    }

    /// Sets the journal to open when the run starts.
    pub(crate) fn recorded(mut self, open_recorder: OpenRecorder) -> Self {
        self.open_recorder = Some(open_recorder);
        self
    }

    /// Checks everything, then starts the run. The run continues if the handle is dropped.
    ///
    /// # Errors
    ///
    /// If the graph or a parameter is invalid, the configuration lacks a connection or secret that
    /// a task declares, or a thread cannot be started. Nothing has started then.
    pub fn start(self) -> Result<RunHandle<T>, RunError> {
        let engine = self.engine.clone().unwrap_or_else(|| Engine::global().clone());
        let durability = self.durability;
        let prepared = self.prepare()?;
        engine.check_pools(&prepared.plan)?;
        needs::check(&prepared.machine, engine.config())?;
        let (plan, info, params) = (&prepared.plan, &*prepared.info, &*prepared.params);
        let at = Timestamp::now();
        let recorder = match prepared.open_recorder {
            Some(open) => Some(open(&RunStart { plan, info, params, durability, at }).map_err(RunError::Journal)?),
            None => None,
        };
        let wants = prepared.plan.has_callbacks() && !prepared.without_callbacks;
        let delivery_log = || recorder.as_ref().map(|recorder| recorder.delivery_log());
        let callback_dispatcher = if wants { Some(CallbackDispatcher::start(delivery_log())?) } else { None };
        let needs_runtime = prepared.plan.needs_runtime(!prepared.in_process);
        let has_products = prepared.plan.defs().iter().any(|def| def.produces.is_some());
        let shared = Arc::new(RunShared {
            plan: prepared.plan,
            info: prepared.info,
            params: Quietly(prepared.params.clone()),
            clock: Clock::start(),
            runtime: if needs_runtime { Some(engine.runtime()?) } else { None },
            recorder,
            in_process: prepared.in_process,
            without_callbacks: prepared.without_callbacks,
            config: engine.config().cloned(),
            callback_dispatcher,
            has_products,
            notes: Notes::default(),
            scratch: Scratch::default(),
            engine_ref: OnceLock::new(),
            children: Children::default(),
            sessions: Sessions::default(),
        });
        let (sender, finished) = oneshot::channel();
        let limit = shared.plan.options().max_active_tasks.map_or(usize::MAX, |limit| limit as usize);
        let mut run = Run::new(Arc::clone(&shared), prepared.machine, prepared.params);
        let halted = prepared.restored.as_ref().and_then(|restored| restored.halted.clone());
        run.take_up(prepared.restored.unwrap_or_default(), prepared.pending_callbacks);
        run.finish = Some(sender);
        run.engine = Some(engine.clone());
        run.observers = Observers::start(prepared.observers)?;
        let key = engine.shared().begin(run, limit, halted);
        Ok(RunHandle { engine, key, shared, finished, cancel_on_drop: false, result: PhantomData })
    }

    /// Runs it and blocks the thread until it has ended.
    ///
    /// # Errors
    ///
    /// Those of [`RunRequest::start`]. A failed run is a report, not an error.
    ///
    /// # Panics
    ///
    /// Inside async code, where blocking is not allowed: await the request there.
    pub fn wait(self) -> Result<RunReport<T>, RunError>
    where
        T: Value,
    {
        Ok(self.start()?.wait())
    }
}

impl<T> RunRequest<T> {
    /// The values that the parameters of this run would have.
    pub(super) fn params_of(&self, plan: &Plan, info: &RunInfo) -> Result<Vec<AnyValue>, RunError> {
        final_params(plan, &self.params, &self.defaults, &plan.options().complete(info.clone()))
    }

    /// A request for a run whose identity exists already, because the defaults of its parameters
    /// were computed from it, or because it is resumed. The type of its result need not be known:
    /// [`RunHandle::finished`] returns the untyped value.
    pub(crate) fn of_plan(plan: Arc<Plan>, info: RunInfo, params: Params) -> Self {
        RunRequest { info: Some(info), ..RunRequest::new(Ok(plan), params) }
    }

    /// How the graph differs from the one that the run was last run with, if the run is resumed.
    pub fn graph_changes(&self) -> &GraphChanges {
        &self.graph_changes
    }

    pub(crate) fn with_graph_changes(self, graph_changes: GraphChanges) -> Self {
        RunRequest { graph_changes, ..self }
    }

    /// The graph, the run and its parameters, of a request that was made with
    /// [`RunRequest::of_plan`].
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the command line is what uses it"))]
    pub(crate) fn known(&self) -> Option<(&Arc<Plan>, &RunInfo, &Params)> {
        Some((self.plan.as_ref().ok()?, self.info.as_ref()?, &self.params))
    }

    /// The graph, the run and its parameters, after every check of [`RunRequest::start`] that needs
    /// no engine.
    pub(crate) fn checked(self) -> Result<CheckedRun, RunError> {
        let prepared = self.prepare()?;
        Ok((prepared.plan, prepared.info, prepared.params))
    }

    /// The graph and the values of the parameters; `None` for defaults.
    #[cfg(feature = "testing")]
    pub(crate) fn into_parts(self) -> (Result<Arc<Plan>, BuildErrors>, Vec<Option<AnyValue>>) {
        let value = |(place, value): (usize, &AnyValue)| (!self.defaults.contains(&place)).then(|| value.clone());
        (self.plan, self.params.values().iter().enumerate().map(value).collect())
    }

    /// The graph.
    pub(super) fn plan(&self) -> Result<Arc<Plan>, BuildErrors> {
        self.plan.clone()
    }

    /// The logical date that was set.
    pub(super) fn asked_date(&self) -> Option<Timestamp> {
        self.logical_date
    }

    /// Turns it into a run that is triggered by a task of another run.
    pub(super) fn triggered(mut self, info: RunInfo, open_recorder: Option<OpenRecorder>) -> Self {
        self.info = Some(info);
        self.open_recorder = self.open_recorder.or(open_recorder);
        self
    }

    /// The same with another type of the result, which must be that of the DAG.
    pub(super) fn retyped<U>(self) -> RunRequest<U> {
        let RunRequest {
            plan,
            params,
            defaults,
            engine,
            selection,
            fail_fast,
            grace,
            logical_date,
            info,
            seed,
            observers,
            open_recorder,
            durability,
            restored,
            pending_callbacks,
            graph_changes,
            in_process,
            without_callbacks,
            result: _,
        } = self;
        RunRequest {
            plan,
            params,
            defaults,
            engine,
            selection,
            fail_fast,
            grace,
            logical_date,
            info,
            seed,
            observers,
            open_recorder,
            durability,
            restored,
            pending_callbacks,
            graph_changes,
            in_process,
            without_callbacks,
            result: PhantomData,
        }
    }

    /// Delivers callbacks that an earlier process of the run did not deliver.
    pub(crate) fn pending_callbacks(mut self, pending: Vec<PendingCallback>) -> Self {
        self.pending_callbacks = pending;
        self
    }

    /// Starts from the restored state of an earlier session of the run.
    pub(crate) fn restored(mut self, restored: Restored) -> Self {
        self.restored = Some(restored);
        self
    }
}

/// The graph, the run and its parameters.
type CheckedRun = (Arc<Plan>, Arc<RunInfo>, Vec<AnyValue>);

impl<T: Value> IntoFuture for RunRequest<T> {
    type Output = Result<RunReport<T>, RunError>;
    type IntoFuture = RunFuture<T>;

    /// The run starts with the first poll. Dropping the future cancels the run.
    fn into_future(self) -> RunFuture<T> {
        RunFuture { state: FutureState::Asked(Box::new(self)) }
    }
}

impl<T> fmt::Debug for RunRequest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunRequest").field("plan", &self.plan).finish_non_exhaustive()
    }
}
