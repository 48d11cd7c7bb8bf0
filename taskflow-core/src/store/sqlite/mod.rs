//! The store in a SQLite file.
//!
//! - `connection`: one connection that writes, one that reads. `error`: SQLite's errors in words
//!   that help.
//! - `schema`: the tables, and their migrations.
//! - `append`, `claim`, `admit`, `read`, `segments`, `data`, `requests`, `pools`, `deliveries`,
//!   `schedules`, `events`, `accounts`, `upkeep`: the operations. `run_locks`: files by which
//!   `claim` and `read` know who owns a run, `process_lock`: whether the owner is alive. `examine`:
//!   what is wrong with a file that cannot be opened. `presence`: whether the file is still in its
//!   place. `lock_holder`: who has locked it.
//! - `chains`, `row_checksums`: the [checksums](super::checksum) of segments and of the rows of
//!   runs.
//!
//! The file is in WAL mode: a read never waits for a write, and sees the last commit. Several
//! processes can have the file open; a write waits up to ten seconds for the write of another
//! process.

mod accounts;
mod admit;
mod append;
mod backfills;
mod chains;
mod claim;
mod connection;
#[cfg(test)]
mod damage;
mod data;
mod deliveries;
mod error;
mod events;
mod examine;
#[cfg(test)]
mod file_tests;
mod lock_holder;
mod pools;
mod presence;
mod process_lock;
mod read;
mod requests;
mod row_checksums;
mod run_locks;
mod schedules;
mod schema;
mod segments;
#[cfg(test)]
mod tests;
mod upkeep;

use std::ops::Range;
use std::path::{Path, PathBuf};

use self::chains::Chains;
use self::connection::ConnectionSlot;
#[cfg(test)]
pub(super) use self::damage::DamagedFile;
use self::data::DataCache;
use self::error::{cannot_open, stopped};
pub(crate) use self::examine::examine;
use self::presence::{Presence, has_values, with_suffix};
use self::run_locks::RunLocks;
use self::schedules::Table;
use self::schema::Found;

use super::account_rows::{AccountKind, AccountRow, AccountStore};
use super::admission::{Admission, AdmissionRequest};
use super::backfill_rows::{BackfillChange, BackfillRow, Changed, SlotRunRow};
use super::event_rows::{DeletedEvents, Emitted, EventFilter, EventProgress, EventRow, NewEvent, WatchCursor};
use super::ownership::{Claim, RunGuard};
use super::pool_leases::{PoolDemand, PoolGrant};
use super::rows::{Append, Appended, Request, RunFilter, RunRow, SegmentRow};
use super::schedule_rows::{DamagedRow, NoteRow, ScheduleRow, ScheduleStep, SlotRow, Stepped};
use super::sync_mode::SyncMode;
use super::traits::{
    BackfillStore, EventStore, GraphStore, Maintenance, Outbox, PoolStore, RequestStore, RunStore, ScheduleStore,
    SegmentStore, StoreError, StoreFuture, store_future,
};
use crate::base::{Timestamp, failpoint, private};
use crate::callback::DeliveryAttempt;

/// Runs in a SQLite file.
#[derive(Debug)]
pub(crate) struct SqliteStore {
    /// As it was named: for messages.
    path: PathBuf,
    writer: ConnectionSlot,
    reader: ConnectionSlot,
    locks: RunLocks,
    chains: Chains,
    data: DataCache,
    presence: Presence,
}

impl SqliteStore {
    /// Opens a store, and creates it if it is not there.
    ///
    /// # Errors
    ///
    /// Why that cannot be, with what can be done about it.
    pub(crate) async fn open(path: &Path, sync: SyncMode) -> Result<Self, StoreError> {
        let store = SqliteStore::at(path, sync, true)?;
        // SQLite would create it with the permissions of the umask; its log files get those of this
        // file. An existing file is not opened: closing it would release the locks of this process.
        // If this fails, SQLite reports why.
        let _ = private::options().write(true).create_new(true).open(path);
        let mut guard = store.writer.acquire().await?;
        let found = schema::read(path, guard.connection()).await?;
        if found == Found::Nothing {
            store.check_beginning()?;
        }
        if found != Found::Current {
            schema::migrate(path, guard.connection()).await?;
        }
        guard.release();
        Ok(store)
    }

    /// Opens a store if there is one, and leaves everything as it is if there is none. Nothing is
    /// written before the first write, so a file that can only be read will do.
    ///
    /// # Errors
    ///
    /// Why it cannot be opened, with what can be done about it.
    pub(crate) async fn open_existing(path: &Path, sync: SyncMode) -> Result<Option<Self>, StoreError> {
        match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                SqliteStore::at(path, sync, false)?.check_beginning()?;
                return Ok(None);
            }
            // SQLite would say no more than that it cannot open it.
            Err(_) => return Err(StoreError::Open { place: path.display().to_string(), reason: cannot_open(path) }),
            Ok(_) => {}
        }
        let store = SqliteStore::at(path, sync, false)?;
        let found = match store.found(&store.reader).await {
            // A process was killed within a transaction before the file had a write-ahead log. Only
            // a connection that can write rolls it back.
            Err(_) if with_suffix(&store.presence.file, "-journal").exists() => store.found(&store.writer).await?,
            found => found?,
        };
        match found {
            // An empty file, or one that another process is about to fill.
            Found::Nothing => {
                store.check_beginning()?;
                return Ok(None);
            }
            Found::Older => {
                let mut guard = store.writer.acquire().await?;
                schema::migrate(path, guard.connection()).await?;
                guard.release();
            }
            Found::Current => {}
        }
        Ok(Some(store))
    }

    /// What is in the file, by one of the connections.
    async fn found(&self, slot: &ConnectionSlot) -> Result<Found, StoreError> {
        let mut guard = slot.acquire().await?;
        let found = schema::read(&self.path, guard.connection()).await?;
        guard.release();
        Ok(found)
    }

    /// Refuses to begin a store beside the values of another one, which must have been lost.
    fn check_beginning(&self) -> Result<(), StoreError> {
        if !has_values(&self.presence.file) {
            return Ok(());
        }
        let values = self.path.with_file_name("values");
        let reason = format!(
            "it is missing or has no runs, but there are values of runs in {}: the store was lost; restore a backup, or \
             remove that directory to begin anew",
            values.display()
        );
        Err(StoreError::Open { place: self.path.display().to_string(), reason })
    }

    fn at(path: &Path, sync: SyncMode, create: bool) -> Result<Self, StoreError> {
        let open = |reason: String| StoreError::Open { place: path.display().to_string(), reason };
        if path.is_dir() {
            return Err(open(cannot_open(path)));
        }
        // SQLite takes a file without a whole page for an empty one, and would write over what is
        // left of it.
        if std::fs::metadata(path).is_ok_and(|file| (1..512).contains(&file.len())) {
            return Err(open(error::NO_DATABASE.to_owned()));
        }
        // A connection may be opened again after the program has changed its directory. And a
        // relative path could look like an address to SQLite.
        let file = std::path::absolute(path).map_err(|error| open(error.to_string()))?;
        if file.to_str().is_none() {
            return Err(open("SQLite takes paths in UTF-8 only; name another file".to_owned()));
        }
        let (writer, reader) = (ConnectionSlot::writer(path, &file, sync, create), ConnectionSlot::reader(path, &file));
        let locks = RunLocks::in_directory(file.with_file_name("live"));
        let (chains, data, presence) = (Chains::default(), DataCache::default(), Presence::new(path, &file));
        Ok(SqliteStore { path: path.to_owned(), writer, reader, locks, chains, data, presence })
    }

    fn damaged(&self, what: String) -> StoreError {
        StoreError::Damaged { place: self.path.display().to_string(), what }
    }

    fn hit(&self, name: &'static str) -> Result<(), StoreError> {
        failpoint::hit(name).map_err(|error| stopped(&self.path, &error))
    }

    /// How many bytes its files take.
    fn size(&self) -> u64 {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        size(&self.path) + size(Path::new(&log))
    }
}

/// The id of a segment, if there can be such a run.
fn segment_id(run: i64, number: u32) -> Option<i64> {
    let possible = (1..1 << 31).contains(&run);
    possible.then(|| (run << 32) | i64::from(number))
}

impl RunStore for SqliteStore {
    fn append<'a>(&'a self, batch: &'a [Append]) -> StoreFuture<'a, Vec<Appended>> {
        store_future(append::append(self, batch))
    }

    fn reserve(&self, run_id: &str) -> Option<RunGuard> {
        self.locks.reserve(run_id)
    }

    fn claim<'a>(&'a self, run: i64, owner: &'a str) -> StoreFuture<'a, Claim> {
        store_future(claim::claim(self, run, owner))
    }

    fn owner_died<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, bool> {
        store_future(claim::owner_died(self, run_id))
    }

    fn admit<'a>(&'a self, request: &'a AdmissionRequest) -> StoreFuture<'a, Admission> {
        store_future(admit::admit(self, request))
    }

    fn run(&self, run: i64) -> StoreFuture<'_, Option<RunRow>> {
        store_future(read::run(self, run))
    }

    fn run_by_id<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Option<RunRow>> {
        store_future(read::run_by_id(self, run_id))
    }

    fn find<'a>(&'a self, text: &'a str, limit: u32) -> StoreFuture<'a, Vec<RunRow>> {
        store_future(read::find(self, text, limit))
    }

    fn runs<'a>(&'a self, filter: &'a RunFilter) -> StoreFuture<'a, Vec<RunRow>> {
        store_future(read::filter(self, filter))
    }

    fn last_runs(&self) -> StoreFuture<'_, Vec<RunRow>> {
        store_future(read::last_runs(self))
    }

    fn params(&self, run: i64) -> StoreFuture<'_, Option<Vec<u8>>> {
        store_future(read::params(self, run))
    }
}

impl SegmentStore for SqliteStore {
    fn segments(&self, run: i64, from: u32) -> StoreFuture<'_, Vec<SegmentRow>> {
        store_future(segments::segments(self, run, from))
    }

    fn data(&self, run: i64, segment: u32, range: Range<u32>) -> StoreFuture<'_, Option<Vec<u8>>> {
        store_future(data::data(self, run, segment, range))
    }
}

impl GraphStore for SqliteStore {
    fn put_graph<'a>(&'a self, hash: &'a str, snapshot: &'a [u8]) -> StoreFuture<'a, ()> {
        store_future(append::put_graph(self, hash, snapshot))
    }

    fn graph<'a>(&'a self, hash: &'a str) -> StoreFuture<'a, Option<Vec<u8>>> {
        store_future(read::graph(self, hash))
    }
}

impl RequestStore for SqliteStore {
    fn ask<'a>(&'a self, request: &'a Request) -> StoreFuture<'a, ()> {
        store_future(requests::ask(self, request))
    }

    fn requests<'a>(&'a self, runs: &'a [i64]) -> StoreFuture<'a, Vec<(i64, Request)>> {
        store_future(requests::requests(self, runs))
    }

    fn acknowledge<'a>(&'a self, ids: &'a [i64]) -> StoreFuture<'a, ()> {
        store_future(requests::acknowledge(self, ids))
    }
}

impl PoolStore for SqliteStore {
    fn shares_pools(&self) -> bool {
        true
    }

    fn hold_pools<'a>(&'a self, holder: &'a str) -> StoreFuture<'a, Option<RunGuard>> {
        store_future(pools::hold(self, holder))
    }

    fn lease_pools<'a>(&'a self, holder: &'a str, demands: &'a [PoolDemand]) -> StoreFuture<'a, Vec<PoolGrant>> {
        store_future(pools::lease(self, holder, demands))
    }
}

impl ScheduleStore for SqliteStore {
    fn schedule_steps(&self) -> StoreFuture<'_, i64> {
        store_future(schedules::steps(self))
    }

    fn schedules(&self) -> StoreFuture<'_, Vec<Result<ScheduleRow, DamagedRow>>> {
        store_future(schedules::states(self, Table::Schedules))
    }

    fn schedule<'a>(&'a self, dag: &'a str) -> StoreFuture<'a, Option<ScheduleRow>> {
        store_future(schedules::schedule(self, dag))
    }

    fn step_schedules<'a>(&'a self, steps: &'a [ScheduleStep]) -> StoreFuture<'a, Vec<Stepped>> {
        store_future(schedules::step(self, Table::Schedules, steps))
    }

    fn slot_deadlines(&self) -> StoreFuture<'_, Vec<Result<ScheduleRow, DamagedRow>>> {
        store_future(schedules::states(self, Table::SlotDeadlines))
    }

    fn step_slot_deadlines<'a>(&'a self, steps: &'a [ScheduleStep]) -> StoreFuture<'a, Vec<Stepped>> {
        store_future(schedules::step(self, Table::SlotDeadlines, steps))
    }

    fn slots<'a>(&'a self, dag: &'a str, limit: u32) -> StoreFuture<'a, Vec<SlotRow>> {
        store_future(schedules::slots(self, dag, limit))
    }

    fn schedule_notes<'a>(&'a self, dag: &'a str, limit: u32) -> StoreFuture<'a, Vec<NoteRow>> {
        store_future(schedules::notes(self, dag, limit))
    }

    fn schedule_notes_from<'a>(
        &'a self,
        dag: &'a str,
        from: Timestamp,
        skipped: u32,
        limit: u32,
    ) -> StoreFuture<'a, Vec<NoteRow>> {
        store_future(schedules::notes_from(self, dag, from, (skipped, limit)))
    }
}

impl BackfillStore for SqliteStore {
    fn open_backfills(&self) -> StoreFuture<'_, Vec<BackfillRow>> {
        store_future(backfills::open(self))
    }

    fn backfills<'a>(&'a self, dag: Option<&'a str>, limit: Option<u32>) -> StoreFuture<'a, Vec<BackfillRow>> {
        store_future(backfills::latest(self, dag, limit))
    }

    fn backfill(&self, number: i64) -> StoreFuture<'_, Option<BackfillRow>> {
        store_future(backfills::one(self, number))
    }

    fn change_backfill<'a>(&'a self, change: &'a BackfillChange) -> StoreFuture<'a, Changed> {
        store_future(backfills::change(self, change))
    }

    fn slot_runs<'a>(&'a self, dag: &'a str, ranges: &'a [(Timestamp, Timestamp)]) -> StoreFuture<'a, Vec<SlotRunRow>> {
        store_future(backfills::slot_runs(self, dag, ranges))
    }
}

impl EventStore for SqliteStore {
    fn emit<'a>(&'a self, events: &'a [NewEvent], cursor: Option<&'a WatchCursor>) -> StoreFuture<'a, Vec<Emitted>> {
        store_future(events::emit(self, events, cursor))
    }

    fn watch_cursor<'a>(&'a self, source: &'a str) -> StoreFuture<'a, Option<WatchCursor>> {
        store_future(events::watch_cursor(self, source))
    }

    fn events<'a>(&'a self, filter: &'a EventFilter) -> StoreFuture<'a, Vec<EventRow>> {
        store_future(events::events(self, filter))
    }

    fn last_event(&self) -> StoreFuture<'_, i64> {
        store_future(events::last(self))
    }

    fn event_progress(&self) -> StoreFuture<'_, EventProgress> {
        store_future(events::progress(self))
    }

    fn consumers(&self) -> StoreFuture<'_, Vec<Result<ScheduleRow, DamagedRow>>> {
        store_future(schedules::states(self, Table::Consumers))
    }

    fn step_consumers<'a>(&'a self, steps: &'a [ScheduleStep]) -> StoreFuture<'a, Vec<Stepped>> {
        store_future(schedules::step(self, Table::Consumers, steps))
    }
}

impl AccountStore for SqliteStore {
    fn accounts(&self, kind: AccountKind) -> StoreFuture<'_, Vec<AccountRow>> {
        store_future(accounts::all(self, kind))
    }

    fn account<'a>(&'a self, kind: AccountKind, name: &'a str) -> StoreFuture<'a, Option<AccountRow>> {
        store_future(accounts::of_name(self, kind, name))
    }

    fn account_of_secret<'a>(&'a self, kind: AccountKind, secret: &'a str) -> StoreFuture<'a, Option<AccountRow>> {
        store_future(accounts::of_secret(self, kind, secret))
    }

    fn add_account<'a>(&'a self, row: &'a AccountRow) -> StoreFuture<'a, bool> {
        store_future(accounts::add(self, row))
    }

    fn change_account<'a>(&'a self, from: &'a AccountRow, state: &'a str) -> StoreFuture<'a, bool> {
        store_future(accounts::change(self, from, state))
    }

    fn use_account<'a>(&'a self, kind: AccountKind, name: &'a str, at: Timestamp) -> StoreFuture<'a, ()> {
        store_future(accounts::used(self, kind, name, at))
    }

    fn remove_account<'a>(&'a self, kind: AccountKind, name: &'a str) -> StoreFuture<'a, bool> {
        store_future(accounts::remove(self, kind, name))
    }

    fn remove_accounts_of<'a>(&'a self, kind: AccountKind, owner: &'a str) -> StoreFuture<'a, u64> {
        store_future(accounts::remove_of(self, kind, owner))
    }

    fn remove_unused(&self, kind: AccountKind, since: Timestamp) -> StoreFuture<'_, u64> {
        store_future(accounts::remove_unused(self, kind, since))
    }
}

impl Outbox for SqliteStore {
    fn outbox_add<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, ()> {
        store_future(deliveries::outbox_add(self, run_id))
    }

    fn outbox_pending(&self) -> StoreFuture<'_, Vec<String>> {
        store_future(deliveries::outbox_pending(self))
    }

    fn outbox_done<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, ()> {
        store_future(deliveries::outbox_done(self, run_id))
    }

    fn claim_deliveries<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Option<RunGuard>> {
        store_future(claim::claim_deliveries(self, run_id))
    }

    fn record_deliveries<'a>(&'a self, run_id: &'a str, attempts: &'a [DeliveryAttempt]) -> StoreFuture<'a, ()> {
        store_future(deliveries::record_deliveries(self, run_id, attempts))
    }

    fn deliveries<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Vec<DeliveryAttempt>> {
        store_future(deliveries::deliveries(self, run_id))
    }
}

impl Maintenance for SqliteStore {
    fn delete<'a>(&'a self, runs: &'a [i64]) -> StoreFuture<'a, u64> {
        store_future(upkeep::delete(self, runs))
    }

    fn delete_events<'a>(&'a self, numbers: &'a [i64]) -> StoreFuture<'a, DeletedEvents> {
        store_future(events::delete(self, numbers))
    }

    fn vacuum(&self) -> StoreFuture<'_, (u64, u64)> {
        store_future(upkeep::vacuum(self))
    }

    fn quick_check(&self) -> StoreFuture<'_, Vec<String>> {
        store_future(upkeep::quick_check(self))
    }

    fn check(&self) -> StoreFuture<'_, Vec<String>> {
        store_future(upkeep::check(self))
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        store_future(upkeep::close(self))
    }
}
