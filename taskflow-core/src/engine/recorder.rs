//! The interface between a run and its journal.
//!
//! The protocol between a run and its [`Recorder`]:
//!
//! 1. Every change of a run is an [`Entry`]. The engine passes entries to the recorder under its
//!    lock, in the order of the state machine. The recorder buffers them and returns the number of
//!    the last one.
//! 2. What follows from an entry waits for it. Under [`Durability::Strict`] a ready task is
//!    dispatched when all entries before it are stored. Under every durability a run is over when
//!    its last entry is stored. Nothing waits for the entry of a start.
//! 3. The recorder calls [`Commits::stored`] from a thread of its own, or [`Commits::failed`] once:
//!    then nothing more starts, running attempts are asked to stop, and the run is `interrupted`.
//!    It can be resumed from what was stored before. The engine wakes that thread with
//!    [`Recorder::hurry`] after it has released its lock. A worker that has no other task lends its
//!    own thread instead, with [`Recorder::store_here`]: in a strict chain, whose tasks wait for
//!    each other's entries, no other thread is woken then.
//! 4. A run with `max_active_runs` may have to wait before it starts: see [`Recorder::waits`]. It
//!    begins with [`Commits::admitted`]. Until then nothing that it records is stored, unless the
//!    run has ended.
//! 5. The engine may have to share its pools with other processes of the store: see
//!    [`Recorder::pools_of`]. Its tasks then start in pools as [`Commits::set_pools`] allows.
//! 6. A recorder that cannot keep up calls [`Commits::set_congested`], and the engine starts
//!    nothing until it has caught up.
//!
//! [`Durability::Strict`]: crate::run::Durability::Strict

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use super::archive::Archive;
use super::effects::Effects;
use super::engine_state::Shared;
use super::run_shared::RunShared;
use crate::base::{Failure, Timestamp};
use crate::callback::DeliveryLog;
use crate::machine::{Input, PoolUse, RunKey};
use crate::run::{AdmissionWait, Emission, Encoded, Entry, Stored};
use crate::value::{AnyValue, TypeInfo};

/// Receives the entries of one run.
pub(crate) trait Recorder: Send + Sync + fmt::Debug {
    /// Sets where to report what is stored. Called once, before anything else.
    fn attach(&self, commits: Commits);

    /// Takes entries in order, empties the list, and returns the number of the last entry. What is
    /// attached is stored together with them. `urgent` means that something waits for the entries:
    /// [`Recorder::hurry`] or [`Recorder::store_here`] follows. Called under the lock of the
    /// engine: must not wait.
    fn record(&self, entries: &mut Vec<(Timestamp, Entry)>, attached: Attached, urgent: bool) -> u64;

    /// Has the urgent entries stored as soon as possible. Does not wait.
    fn hurry(&self);

    /// Stores the urgent entries on this thread, which belongs to a worker of this engine, and
    /// reports them. Leaves them to the recorder's own thread if that is at work. Waits for the
    /// store; not called under a lock.
    fn store_here(&self, engine: usize);

    /// Encodes a value. Called by the thread that has produced it; `task` is the id of the task.
    ///
    /// # Errors
    ///
    /// Why the value cannot be stored: that is a failure of the task that produced it.
    fn encode(&self, task: &str, ty: TypeInfo, value: &AnyValue) -> Result<Encoded, Failure>;

    /// Writes a large value to a file. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// As [`Recorder::encode`].
    fn spill(&self, task: &str, bytes: &[u8]) -> Result<Stored, Failure>;

    /// Writes the large payload of an event to a file, which outlives the run. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// As [`Recorder::encode`].
    fn spill_payload(&self, event: &str, bytes: &[u8]) -> Result<Stored, Failure>;

    /// What the run waits for before it may start, if it does.
    fn waits(&self) -> Option<AdmissionWait>;

    /// What to say while the store is locked by another process, and what is recorded waits for it.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the command line is what uses it"))]
    fn store_wait(&self) -> Option<Arc<str>>;

    /// The store that the pools of the run are shared in, if processes share them and the run uses
    /// any. An engine shares its pools in one store, the first that it records such a run in.
    fn pools_of(&self) -> Option<usize>;

    /// The run is over in this engine: nothing of it runs any more.
    fn over(&self);

    /// Whether a ready task has to wait until everything before it is stored.
    fn is_strict(&self) -> bool;

    /// How often the task was cleared.
    fn generation(&self, task: &str) -> u32;

    /// The number of the run in the store, once it is stored.
    fn number(&self) -> Option<i64>;

    /// The log of callback deliveries.
    fn delivery_log(&self) -> Arc<dyn DeliveryLog>;

    /// The directory for files of the run, if there is one. It may not exist yet.
    fn artifacts(&self) -> Option<PathBuf>;

    /// The journal, for reading its other runs.
    fn archive(&self) -> Option<Arc<dyn Archive>>;
}

/// What is stored with entries.
#[derive(Debug, Default)]
pub(crate) struct Attached {
    /// The value of the success or of the XCom among the entries; there is at most one.
    pub(crate) value: Option<Stored>,
    /// Events, if the entries include the success of a task or the end of the run.
    pub(crate) emissions: Vec<Emission>,
}

impl From<Option<Stored>> for Attached {
    fn from(value: Option<Stored>) -> Self {
        Attached { value, emissions: Vec::new() }
    }
}

/// Reports to the engine what was stored.
#[derive(Clone)]
pub(crate) struct Commits {
    shared: Weak<Shared>,
    key: RunKey,
    run: Weak<RunShared>,
}

impl Commits {
    pub(super) fn new(shared: &Arc<Shared>, key: RunKey, run: &Arc<RunShared>) -> Self {
        Commits { shared: Arc::downgrade(shared), key, run: Arc::downgrade(run) }
    }

    /// Everything up to this entry is stored. `worker_of`: the engine whose worker this thread is,
    /// and looks for tasks next.
    pub(crate) fn stored(&self, entry: u64, worker_of: Option<usize>) {
        let (Some(shared), Some(of)) = (self.shared.upgrade(), self.run.upgrade()) else { return };
        let mut effects = Effects::default();
        let mut state = shared.lock();
        state.stored(self.key, &of, entry, &mut effects);
        if worker_of == Some(engine_id(&shared)) {
            // It takes a task before it wakes others for the rest.
            state.launch(&mut effects);
            drop(state);
        } else {
            shared.leave(state, &mut effects);
        }
        effects.carry_out(&shared);
    }

    /// The run may start.
    pub(crate) fn admitted(&self) {
        let (Some(shared), Some(of)) = (self.shared.upgrade(), self.run.upgrade()) else { return };
        let mut effects = Effects::default();
        let mut state = shared.lock();
        if state.run(self.key).is_some_and(|run| Arc::ptr_eq(&run.shared, &of)) {
            state.start(self.key, of.clock.now(), &mut effects);
        }
        shared.leave(state, &mut effects);
        effects.carry_out(&shared);
    }

    /// A number for the engine.
    pub(crate) fn engine(&self) -> usize {
        self.shared.as_ptr() as usize
    }

    /// How the engine uses its pools, if it shares them in this store.
    pub(crate) fn pool_uses(&self, store: usize) -> Option<Vec<PoolUse>> {
        let shared = self.shared.upgrade()?;
        let state = shared.lock();
        (state.pools_of == Some(store)).then(|| state.dispatcher.pool_uses())
    }

    /// Sets, by name, how many slots of its pools the engine has, and how many of these it gives up
    /// as tasks end.
    pub(crate) fn set_pools<'a>(&self, pools: impl Iterator<Item = (&'a str, u32, u32)>) {
        let Some(shared) = self.shared.upgrade() else { return };
        let mut effects = Effects::default();
        let mut state = shared.lock();
        pools.for_each(|(name, slots, owed)| state.dispatcher.set_pool(name, slots, owed));
        shared.leave(state, &mut effects);
        effects.carry_out(&shared);
    }

    /// Shares the pools of the engine in this store, unless it shares them in another one. Returns
    /// whether it does.
    pub(crate) fn share_pools(&self, store: usize) -> bool {
        self.shared.upgrade().is_some_and(|shared| shared.lock().share_pools(store))
    }

    /// Ends the sharing of the pools of the engine; if it is not to be `forced`, only if no run
    /// uses them. Returns whether it has ended.
    pub(crate) fn open_pools(&self, forced: bool) -> bool {
        let Some(shared) = self.shared.upgrade() else { return true };
        let mut effects = Effects::default();
        let mut state = shared.lock();
        let ends = forced || !state.dispatcher.has_pool_tasks();
        if ends {
            state.pools_of = None;
            state.dispatcher.open_pools();
        }
        shared.leave(state, &mut effects);
        effects.carry_out(&shared);
        ends
    }

    /// No further entry can be stored.
    pub(crate) fn failed(&self, reason: &str) {
        let (Some(shared), Some(of)) = (self.shared.upgrade(), self.run.upgrade()) else { return };
        let mut effects = Effects::default();
        let mut state = shared.lock();
        state.cannot_store(self.key, &of, reason, &mut effects);
        shared.leave(state, &mut effects);
        effects.carry_out(&shared);
    }

    /// Whether the engine was asked to leave, and the run has ended but for its last entries, which
    /// are not stored yet.
    pub(crate) fn only_waits(&self) -> bool {
        let (Some(shared), Some(of)) = (self.shared.upgrade(), self.run.upgrade()) else { return false };
        let mut state = shared.lock();
        let leaves = state.draining.is_some();
        let run = state.run(self.key).filter(|run| leaves && Arc::ptr_eq(&run.shared, &of));
        run.is_some_and(|run| !run.held.given_up && run.held.end.is_some_and(|end| end > run.held.stored))
    }

    /// Another process asked for the end of the run. Returns whether the run has heard it.
    pub(crate) fn cancel(&self, reason: &str) -> bool {
        let (Some(shared), Some(of)) = (self.shared.upgrade(), self.run.upgrade()) else { return false };
        shared.send(self.key, &of.info.run_id, Input::Cancel { reason: reason.to_owned() })
    }

    /// Another process sent an event. Returns whether the run has heard it.
    pub(crate) fn send_event(&self, key: String, value: Arc<str>, by: String, reason: String) -> bool {
        let (Some(shared), Some(of)) = (self.shared.upgrade(), self.run.upgrade()) else { return false };
        shared.send(self.key, &of.info.run_id, Input::Event { key, value, by, reason })
    }

    /// Sets whether too much waits to be stored.
    pub(crate) fn set_congested(&self, congested: bool) {
        let Some(shared) = self.shared.upgrade() else { return };
        let mut effects = Effects::default();
        let mut state = shared.lock();
        state.congested = congested;
        shared.leave(state, &mut effects);
        effects.carry_out(&shared);
    }
}

/// A number for an engine, for as long as it lives.
pub(super) fn engine_id(shared: &Arc<Shared>) -> usize {
    Arc::as_ptr(shared) as usize
}

impl fmt::Debug for Commits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commits({:?})", self.key)
    }
}
