//! What the engine tells a journal, and what it waits for.
//!
//! The protocol between a run and its [`Recorder`]:
//!
//! 1. Every change of a run is an [`Entry`]. Under the lock of the hub, in the order of the state machine, they are handed
//!    to the recorder, which takes a note and returns at once with the number of the last one.
//! 2. What an entry makes possible waits for it: under [`Durability::Strict`] a ready task is dispatched when everything
//!    before it is stored, and under every durability a run is over when its last entry is. A start is told and waited for by
//!    nobody.
//! 3. The recorder says [`Commits::stored`] from a thread of its own, or [`Commits::failed`] once and for all: then nothing
//!    more starts, what runs is asked to stop, and the run is `interrupted`. What was stored before can be resumed.
//! 4. A recorder that cannot keep up says so ([`Commits::set_congested`]), and the engine starts nothing until it has.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use super::archive::Archive;
use super::effects::Effects;
use super::engine_state::Shared;
use super::run::RunShared;
use crate::base::{Failure, Timestamp};
use crate::callback::DeliveryLog;
use crate::machine::{Input, RunKey};
use crate::run::{Encoded, Entry, Stored};
use crate::value::{AnyValue, TypeInfo};

/// Takes what happens to one run.
pub(crate) trait Recorder: Send + Sync + fmt::Debug {
    /// Says where news about storing go. Called once, before anything else.
    fn attach(&self, commits: Commits);

    /// Takes entries, in order, and empties the list; `value` belongs to the success or the pushed value among them. The number of the last
    /// entry. `urgent` says that something waits for it. Called under the lock of the engine: must not wait.
    fn record(&self, entries: &mut Vec<(Timestamp, Entry)>, value: Option<Stored>, urgent: bool) -> u64;

    /// Writes a value down. Called by the thread that has produced it; `task` is the id of the task.
    ///
    /// # Errors
    ///
    /// Why the value cannot be stored: that is a failure of the task that produced it.
    fn encode(&self, task: &str, ty: TypeInfo, value: &AnyValue) -> Result<Encoded, Failure>;

    /// Puts a large value into a file: this waits for the disk.
    ///
    /// # Errors
    ///
    /// As [`Recorder::encode`].
    fn spill(&self, task: &str, bytes: &[u8]) -> Result<Stored, Failure>;

    /// The engine has let go of the run: nothing of it runs any more.
    fn over(&self);

    /// Whether a ready task has to wait until everything before it is stored.
    fn is_strict(&self) -> bool;

    /// How often the task was cleared.
    fn generation(&self, task: &str) -> u32;

    /// The number that the run is stored under, as soon as it is.
    fn number(&self) -> Option<i64>;

    /// Where is noted what callbacks were told.
    fn delivery_log(&self) -> Arc<dyn DeliveryLog>;

    /// The directory for files of the run, if there is one. It need not be there yet.
    fn artifacts(&self) -> Option<PathBuf>;

    /// The journal, for a look at its other runs.
    fn archive(&self) -> Option<Arc<dyn Archive>>;
}

/// Tells the engine what was stored.
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

    /// Everything up to this entry is stored.
    pub(crate) fn stored(&self, entry: u64) {
        let (Some(shared), Some(of)) = (self.shared.upgrade(), self.run.upgrade()) else { return };
        let mut effects = Effects::default();
        let mut hub = shared.lock();
        hub.stored(self.key, &of, entry, &mut effects);
        shared.leave(hub, &mut effects);
        effects.carry_out(&shared);
    }

    /// Nothing more can be stored.
    pub(crate) fn failed(&self, reason: &str) {
        let (Some(shared), Some(of)) = (self.shared.upgrade(), self.run.upgrade()) else { return };
        let mut effects = Effects::default();
        let mut hub = shared.lock();
        hub.cannot_store(self.key, &of, reason, &mut effects);
        shared.leave(hub, &mut effects);
        effects.carry_out(&shared);
    }

    /// Somebody outside wants the run to end.
    pub(crate) fn cancel(&self, reason: &str) {
        let (Some(shared), Some(of)) = (self.shared.upgrade(), self.run.upgrade()) else { return };
        shared.tell(self.key, &of.info.run_id, Input::Cancel { reason: reason.to_owned() });
    }

    /// Somebody outside says that an event has come.
    pub(crate) fn release(&self, key: String, value: Arc<str>, by: String, reason: String) {
        let (Some(shared), Some(of)) = (self.shared.upgrade(), self.run.upgrade()) else { return };
        shared.tell(self.key, &of.info.run_id, Input::Release { key, value, by, reason });
    }

    /// Whether too much waits to be stored.
    pub(crate) fn set_congested(&self, congested: bool) {
        let Some(shared) = self.shared.upgrade() else { return };
        let mut effects = Effects::default();
        let mut hub = shared.lock();
        hub.congested = congested;
        shared.leave(hub, &mut effects);
        effects.carry_out(&shared);
    }
}

impl fmt::Debug for Commits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commits({:?})", self.key)
    }
}
