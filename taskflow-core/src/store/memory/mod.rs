//! The store in memory: for runs that need not survive, and as the reference for the other stores.

mod accounts;
mod append;
mod audit;
mod backfills;
mod deliveries;
mod events;
mod requests;
mod rollups;
mod runs;
mod schedules;
mod segments;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::Timestamp;
use crate::callback::DeliveryAttempt;
use crate::run::RunState;
use crate::store::account_rows::{AccountKind, AccountRow};
use crate::store::admission::Ticket;
use crate::store::audit_rows::AuditRow;
use crate::store::backfill_rows::BackfillRow;
use crate::store::error::StoreError;
use crate::store::event_rows::{EventRow, WatchCursor};
use crate::store::ownership::{Liveness, RunGuard};
use crate::store::rollup_rows::RollupRow;
use crate::store::rows::{Request, RunRow, Segment, present_state};
use crate::store::schedule_rows::{NoteRow, ScheduleRow, SlotRow};
use crate::store::traits::{ChangeStore, PoolStore, StoreFuture, store_future};
use crate::value::FileRef;

/// Runs in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryStore {
    data: Mutex<Data>,
    owned: Owned,
    /// After how many more operations it fails.
    #[cfg(feature = "testing")]
    fails_after: Mutex<Option<u64>>,
    /// How often entries of runs were read.
    #[cfg(test)]
    pub(crate) reads: std::sync::atomic::AtomicUsize,
}

/// The ids that this process has reserved. A store in memory has no other processes.
#[derive(Clone, Debug, Default)]
struct Owned(Arc<Mutex<HashSet<String>>>);

impl Owned {
    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reserve(&self, name: String) -> Option<RunGuard> {
        let is_new = self.lock().insert(name.clone());
        let owned = self.clone();
        is_new.then(|| {
            RunGuard::new(move || {
                owned.lock().remove(&name);
            })
        })
    }

    /// The row, with what is known of its owner.
    fn row(&self, run: &Run) -> RunRow {
        let mut row = run.row.clone();
        row.set_owned(self.owns(run));
        row.waits = run.waits();
        row
    }

    /// The present state of a run, as that of its row.
    fn state(&self, run: &Run) -> RunState {
        present_state(run.row.state, Liveness::of(self.owns(run), run.row.state), run.waits())
    }

    fn owns(&self, run: &Run) -> bool {
        self.lock().contains(&run.row.info.run_id)
    }
}

/// Rows by DAG.
type States = BTreeMap<String, ScheduleRow>;

#[derive(Debug, Default)]
struct Data {
    runs: BTreeMap<i64, Run>,
    by_id: HashMap<String, i64>,
    /// The runs of each DAG, by logical date.
    by_date: HashMap<String, BTreeSet<(Timestamp, i64)>>,
    /// The runs that have not ended.
    open: BTreeSet<i64>,
    /// The last numbers of runs, tickets, requests, events and audit rows: no number is used again.
    last_run: i64,
    last_ticket: i64,
    last_request: i64,
    last_event: i64,
    last_audit: i64,
    graphs: HashMap<String, Vec<u8>>,
    requests: BTreeMap<i64, Request>,
    outbox: BTreeSet<String>,
    /// The ids of deleted runs whose files may still be there.
    left_files: BTreeSet<String>,
    /// The payloads in files of deleted events, by their hashes. Other events may have some.
    left_payloads: BTreeMap<[u8; 32], FileRef>,
    schedules: States,
    /// The records of each DAG, by their last slots.
    slots: HashMap<String, Vec<SlotRow>>,
    slot_deadlines: States,
    backfills: BTreeMap<i64, BackfillRow>,
    /// By their numbers.
    events: Vec<EventRow>,
    consumers: States,
    /// By source.
    watch_cursors: BTreeMap<String, WatchCursor>,
    notes: Vec<NoteRow>,
    /// By their numbers.
    audit: Vec<AuditRow>,
    /// By run.
    rollups: BTreeMap<i64, RollupRow>,
    accounts: BTreeMap<(AccountKind, String), AccountRow>,
    /// The last attempt of each notification, by run and key.
    deliveries: BTreeMap<(String, String), DeliveryAttempt>,
    closed: bool,
}

#[derive(Debug)]
struct Run {
    row: RunRow,
    params: Vec<u8>,
    segments: Vec<Segment>,
    /// The token and the ticket of the last request for its admission.
    admission: Option<(u64, Ticket)>,
    /// Its graphs before the present one: its older entries number tasks by them.
    former: BTreeSet<String>,
}

impl MemoryStore {
    /// Sets after how many more operations it fails; `None`: never. Returns how many were left.
    #[cfg(feature = "testing")]
    pub(crate) fn fail_after(&self, operations: Option<u64>) -> Option<u64> {
        std::mem::replace(&mut self.fails_after.lock().unwrap_or_else(PoisonError::into_inner), operations)
    }

    /// Whether every operation fails.
    #[cfg(feature = "testing")]
    pub(crate) fn is_failing(&self) -> bool {
        *self.fails_after.lock().unwrap_or_else(PoisonError::into_inner) == Some(0)
    }

    /// Counts an operation.
    #[cfg(feature = "testing")]
    fn count(&self) -> Result<(), StoreError> {
        match &mut *self.fails_after.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some(0) => {
                let reason = "it fails, because the test wants it".to_owned();
                Err(StoreError::Read { place: "in memory".to_owned(), reason })
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    /// The data, if the store is open.
    fn data(&self) -> Result<MutexGuard<'_, Data>, StoreError> {
        #[cfg(feature = "testing")]
        self.count()?;
        // Nothing panics under the lock halfway through a change.
        let data = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        if data.closed {
            return Err(StoreError::Read { place: "in memory".to_owned(), reason: "it was closed".to_owned() });
        }
        Ok(data)
    }

    fn with<'a, T: Send + 'a>(&'a self, ask: impl FnOnce(&mut Data) -> T) -> StoreFuture<'a, T> {
        let answer = self.data().map(|mut data| ask(&mut data));
        store_future(std::future::ready(answer))
    }
}

impl PoolStore for MemoryStore {}

impl ChangeStore for MemoryStore {}
