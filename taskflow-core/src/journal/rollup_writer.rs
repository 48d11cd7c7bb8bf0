//! The thread that writes the rollups of runs that have ended.
//!
//! 1. The writer of the journal names the runs whose ends it has stored. The first of them starts
//!    the thread.
//! 2. The thread waits for [`PAUSE`], so that many short runs are few transactions. Then it reads
//!    the entries of these runs and stores their rollups, some at a time. It ends when nothing is
//!    left.
//! 3. A journal that is closed waits until the thread has stored what it has read, and leaves the
//!    other runs: a program that ends does not read its runs again.
//! 4. What is left, what cannot be read or stored, and runs with more than [`TASKS`] tasks, which
//!    would take memory from the runs of this process, are left to whoever reads the rollup first
//!    ([`rollups`](super::rollups)).

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::error::JournalError;
use super::follow::RunFollower;
use super::rollup::Rollup;
use crate::store::{RollupRow, Store};

const PAUSE: Duration = Duration::from_millis(200);
const TASKS: u32 = 200_000;
/// How many rollups are stored at once.
const AT_ONCE: usize = 16;

/// Writes the rollups of runs that have ended.
pub(super) struct RollupWriter {
    store: Arc<dyn Store>,
    /// Of the runtime of the store.
    handle: tokio::runtime::Handle,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Notified when `closes` is set, and when the thread ends.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    ended: Vec<i64>,
    /// Whether there is a thread.
    works: bool,
    /// Whether the journal is being closed.
    closes: bool,
}

/// Says that the thread has ended, also if it panics.
struct Worker(Arc<Shared>);

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.lock().works = false;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The runs to read next; `None` if the thread ends.
    fn next(&self) -> Option<Vec<i64>> {
        let state = self.changed.wait_timeout_while(self.lock(), PAUSE, |state| !state.closes);
        let mut state = state.unwrap_or_else(PoisonError::into_inner).0;
        if state.closes {
            state.ended.clear();
        }
        let some = state.ended.len().min(AT_ONCE);
        let some: Vec<i64> = state.ended.drain(..some).collect();
        // Under the lock: a run that is added later starts another thread.
        state.works = !some.is_empty();
        state.works.then_some(some)
    }
}

impl RollupWriter {
    pub(super) fn new(store: Arc<dyn Store>, handle: tokio::runtime::Handle) -> Self {
        RollupWriter { store, handle, shared: Arc::default() }
    }

    /// Adds runs whose ends are stored.
    pub(super) fn ended(&self, runs: impl IntoIterator<Item = i64>) {
        let mut state = self.shared.lock();
        state.ended.extend(runs);
        if state.works || state.ended.is_empty() {
            return;
        }
        let (store, handle, shared) = (Arc::clone(&self.store), self.handle.clone(), Arc::clone(&self.shared));
        let work = move || {
            let worker = Worker(shared);
            while let Some(runs) = worker.0.next() {
                let rollups: Vec<RollupRow> =
                    runs.iter().filter_map(|&run| handle.block_on(rollup(&store, run)).ok().flatten()).collect();
                let _ = handle.block_on(store.put_rollups(&rollups));
            }
        };
        match std::thread::Builder::new().name("taskflow-rollups".to_owned()).spawn(work) {
            Ok(_) => state.works = true,
            Err(_) => state.ended.clear(),
        }
    }

    /// Waits until the thread has stored what it has read.
    pub(super) fn close(&self) {
        let mut state = self.shared.lock();
        state.closes = true;
        self.shared.changed.notify_all();
        let waited = self.shared.changed.wait_while(state, |state| state.works);
        waited.unwrap_or_else(PoisonError::into_inner).closes = false;
    }
}

/// The rollup of a run, if it is to be stored.
async fn rollup(store: &Arc<dyn Store>, run: i64) -> Result<Option<RollupRow>, JournalError> {
    let Some(row) = store.run(run).await? else { return Ok(None) };
    // It may have been resumed.
    if row.tasks > TASKS || !row.state.is_terminal() {
        return Ok(None);
    }
    let mut follower = RunFollower::new(store, row, 0).await?;
    follower.read(|_, _, _| {}, false).await?;
    let history = follower.history();
    Ok(Some(Rollup::of(history).row(history)))
}
