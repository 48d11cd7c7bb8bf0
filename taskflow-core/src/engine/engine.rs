//! The engine: threads, limits and pools that any number of runs share.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock, Weak};

use super::engine_state::Shared;
use super::request::RunError;
use crate::base::ErrorKind;
use crate::config::Config;
use crate::dag::{Plan, Registry};
use crate::machine::Dispatcher;

/// Runs DAGs.
///
/// An engine has worker threads for sync tasks, uses a tokio runtime for async and blocking ones,
/// and holds the limits that its runs share. Threads are started when there is work for them. Cheap
/// to clone; the threads end when the last handle and the last run are gone.
///
/// [`Engine::global`] serves every run that does not name another one.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    config: Option<Config>,
    runtime: OnceLock<tokio::runtime::Runtime>,
}

impl Engine {
    /// An engine with settings of its own.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// The engine of the process: a worker thread for each core, no limit on tasks at once, the
    /// declared pools.
    pub fn global() -> &'static Engine {
        static GLOBAL: OnceLock<Engine> = OnceLock::new();
        // The defaults name no pool, and an unknown pool is all that a builder refuses.
        GLOBAL.get_or_init(|| Engine::builder().build().expect("the default settings are valid"))
    }

    /// The configuration that tasks get, if it is not that of the process.
    pub(super) fn config(&self) -> Option<&Config> {
        self.inner.config.as_ref()
    }

    /// How many runs it has that are not over.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the command line is what uses it"))]
    pub(crate) fn run_count(&self) -> usize {
        self.inner.shared.lock().run_keys().count()
    }

    /// Lets the process leave without losing work: no task starts any more, in no run; running
    /// attempts are asked to stop and have the grace time of their run. Each run is then
    /// [interrupted](crate::run::RunState::Interrupted), and `resume` continues it in another
    /// process. A run without a journal cannot be resumed: it is cancelled. Runs that are started
    /// later are interrupted at once.
    ///
    /// Attempts that stop on request or are cut off run again, and do not count against the
    /// retries. Jobs on clusters and triggered runs of other processes go on. Teardowns run when
    /// the run is resumed and its work is done.
    pub fn drain(&self, reason: &str) {
        self.inner.shared.drain(reason);
    }

    /// One warning for each async task that has blocked its thread.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the command line is what uses it"))]
    pub(crate) fn blocking_warnings(&self) -> Vec<String> {
        self.inner.shared.blocking().iter().filter(|task| task.is_reported).map(ToString::to_string).collect()
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    /// Whether every task of the plan can have its slots.
    pub(super) fn check_pools(&self, plan: &Plan) -> Result<(), RunError> {
        Ok(self.inner.shared.lock().dispatcher.check_pools(plan)?)
    }

    /// The runtime of the caller, or one of the engine's own for callers that have none.
    pub(super) fn runtime(&self) -> std::io::Result<tokio::runtime::Handle> {
        if let Ok(handle) = tokio::runtime::Handle::try_current() {
            return Ok(handle);
        }
        if let Some(runtime) = self.inner.runtime.get() {
            return Ok(runtime.handle().clone());
        }
        let workers = self.inner.shared.workers;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .thread_name("taskflow-runtime")
            .enable_all()
            .build()?;
        Ok(self.inner.runtime.get_or_init(|| runtime).handle().clone())
    }
}

/// An engine that may be gone.
#[derive(Clone)]
pub(super) struct WeakEngine(Weak<Inner>);

impl Engine {
    pub(super) fn downgrade(&self) -> WeakEngine {
        WeakEngine(Arc::downgrade(&self.inner))
    }
}

impl WeakEngine {
    pub(super) fn upgrade(&self) -> Option<Engine> {
        Some(Engine { inner: self.0.upgrade()? })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.lock().shutdown = true;
        self.shared.work.notify_all();
        self.shared.tick.notify_all();
        if let Some(runtime) = self.runtime.take() {
            // Dropping a runtime waits, which is not allowed inside another one.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("workers", &self.inner.shared.workers).finish_non_exhaustive()
    }
}

/// The settings of an [`Engine`].
#[derive(Clone, Debug, Default)]
pub struct EngineBuilder {
    workers: Option<NonZeroUsize>,
    max_active_tasks: Option<NonZeroUsize>,
    pools: Vec<(String, u32)>,
    config: Option<Config>,
}

impl EngineBuilder {
    /// What tasks get with [`TaskContext::variable`](crate::task::TaskContext::variable),
    /// [`connection`](crate::task::TaskContext::connection) and
    /// [`secret`](crate::task::TaskContext::secret). Its settings are for the command line and
    /// change nothing here. Default: the configuration of the process, [`Config::global`], which is
    /// read when a task asks for the first time.
    #[must_use]
    pub fn config(mut self, config: &Config) -> Self {
        self.config = Some(config.clone());
        self
    }

    /// How many threads run sync tasks. Default: one a core.
    #[must_use]
    pub fn workers(mut self, workers: NonZeroUsize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// How many tasks of any kind run at once, in all runs together: Airflow's `parallelism`.
    /// Default: no limit beyond the number of workers for sync tasks.
    #[must_use]
    pub fn max_active_tasks(mut self, tasks: NonZeroUsize) -> Self {
        self.max_active_tasks = Some(tasks);
        self
    }

    /// Gives a declared pool another number of slots.
    #[must_use]
    pub fn pool(mut self, name: &str, slots: u32) -> Self {
        self.pools.push((name.to_owned(), slots));
        self
    }

    /// The engine.
    ///
    /// # Errors
    ///
    /// When a pool was named that no `taskflow::pool!` declares.
    pub fn build(self) -> Result<Engine, UnknownPool> {
        let mut pools: Vec<(String, u32)> =
            Registry::pools().into_iter().map(|pool| (pool.name.to_owned(), pool.slots)).collect();
        for (name, slots) in self.pools {
            match pools.iter_mut().find(|(declared, _)| *declared == name) {
                Some(pool) => pool.1 = slots,
                None => return Err(UnknownPool { name }),
            }
        }
        crate::base::install_hook();
        #[cfg(unix)]
        crate::process::raise_descriptor_limit();
        let limit = self.max_active_tasks.map_or(usize::MAX, NonZeroUsize::get);
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let workers = self.workers.unwrap_or(cores).get().min(limit);
        let shared = Arc::new(Shared::new(Dispatcher::new(limit, pools), workers));
        Ok(Engine { inner: Arc::new(Inner { shared, config: self.config, runtime: OnceLock::new() }) })
    }
}

/// A pool that was never declared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pool `{name}` is not declared; declare it with `taskflow::pool!(\"{name}\", slots = ..);`")]
pub struct UnknownPool {
    name: String,
}

impl UnknownPool {
    /// The class of the error: always [`ErrorKind::Invalid`].
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}
