//! The part of a run that its threads share without the lock of the engine.

use std::sync::{Arc, OnceLock, Weak};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::children::Children;
use super::clock::Clock;
use super::engine::{Engine, WeakEngine};
use super::engine_state::Shared;
use super::notes::Notes;
use super::recorder::Recorder;
use super::sessions::Sessions;
use crate::base::Quietly;
use crate::callback::CallbackDispatcher;
use crate::config::Config;
use crate::dag::{NodeIndex, Plan};
use crate::machine::{Input, RunKey};
use crate::run::{RunInfo, TaskIndex};
use crate::task::{Executor, Scratch};
use crate::value::AnyValue;

/// What every thread that works for a run needs.
#[derive(Debug)]
pub(crate) struct RunShared {
    pub(crate) plan: Arc<Plan>,
    pub(crate) info: Arc<RunInfo>,
    /// For tasks that read a parameter by name.
    pub(crate) params: Quietly<AnyValue>,
    pub(crate) clock: Clock,
    /// The runtime of its async and blocking tasks; `None` for plans without such tasks.
    pub(crate) runtime: Option<Handle>,
    /// The journal, if the run has one.
    pub(crate) recorder: Option<Arc<dyn Recorder>>,
    /// Whether isolated tasks and tasks on executors run in this process.
    pub(crate) in_process: bool,
    /// Whether callbacks are not called, also those of the runs that it triggers.
    pub(crate) without_callbacks: bool,
    /// The variables, connections and secrets of its tasks; without it, those of the process.
    pub(crate) config: Option<Config>,
    /// Delivers notifications to its callbacks. Simulated runs have none.
    pub(crate) callback_dispatcher: Option<CallbackDispatcher>,
    /// Links, XComs and task state of running attempts.
    pub(crate) notes: Notes,
    /// Whether values of tasks are events of assets.
    pub(crate) has_products: bool,
    /// The directory for files of a run without a journal directory.
    pub(crate) scratch: Scratch,
    /// Its engine; not set for a simulated run.
    pub(crate) engine_ref: OnceLock<EngineRef>,
    /// The runs that its tasks have triggered and wait for.
    pub(crate) children: Children,
    /// The executors that its attempts have used.
    pub(crate) sessions: Sessions,
}

/// The engine of a run, and the key of the run in it.
#[derive(Clone)]
pub(crate) struct EngineRef {
    pub(crate) state: Weak<Shared>,
    pub(crate) key: RunKey,
    /// Weak, so that leftovers of a run do not keep the engine alive.
    pub(crate) engine: WeakEngine,
}

impl RunShared {
    /// Notifies the engine of a new link.
    pub(crate) fn look_at_links(&self) {
        let Some((state, key)) = self.place() else { return };
        state.take_links(key, &self.info.run_id);
    }

    /// Records task state of an attempt and waits until it is stored. Returns whether it is.
    pub(crate) async fn store_task_state(&self, task: TaskIndex, attempt: u32) -> bool {
        // A simulated run records it as soon as the function yields.
        let Some((state, key)) = self.place() else { return self.engine_ref.get().is_none() };
        let (sender, stored) = oneshot::channel();
        state.store_task_state(key, &self.info.run_id, (task, attempt), sender);
        drop(state);
        stored.await.is_ok()
    }

    /// The executor of a node, if it does not run in this process.
    pub(crate) fn executor(&self, node: NodeIndex) -> Option<Executor> {
        self.plan.executor(node, !self.in_process)
    }

    /// Ends the runs that it waits for, because it ends early. Not under the lock of the engine.
    pub(crate) fn end_children(&self) {
        self.children.cancel(&format!("`{}`, which waits for this run, was stopped", self.info.run_id));
    }

    /// Sends an input to the run, unless it is over.
    pub(crate) fn send(&self, input: Input) {
        let Some((state, key)) = self.place() else { return };
        state.send(key, &self.info.run_id, input);
    }

    /// Whether the process is asked to leave.
    pub(crate) fn drains(&self) -> bool {
        self.place().is_some_and(|(state, _)| state.drains())
    }

    /// Its engine, while the run is live.
    pub(crate) fn engine(&self) -> Option<Engine> {
        self.engine_ref.get()?.engine.upgrade()
    }

    fn place(&self) -> Option<(Arc<Shared>, RunKey)> {
        let engine_ref = self.engine_ref.get()?;
        Some((engine_ref.state.upgrade()?, engine_ref.key))
    }
}

impl std::fmt::Debug for EngineRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EngineRef({:?})", self.key)
    }
}
