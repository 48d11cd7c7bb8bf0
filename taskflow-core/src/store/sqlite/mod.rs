//! The store in a SQLite file.
//!
//! - `connection`: one connection that writes, one that reads. `error`: SQLite's errors in words
//!   that help.
//! - `schema`: the tables, and their migrations. `store`: the traits of a store, each function of
//!   which is an operation.
//! - `append`, `claim`, `admit`, `read`, `count`, `segments`, `data`, `requests`, `pools`,
//!   `deliveries`, `schedules`, `events`, `audit`, `rollups`, `accounts`, `changes`, `upkeep`: the
//!   operations.
//!   `run_locks`: files by which `claim` and `read` know who owns a run, `process_lock`: whether
//!   the owner is alive. `examine`: what is wrong with a file that cannot be opened. `presence`:
//!   whether the file is still in its place. `lock_holder`: who has locked it.
//!   `rests`: how others write while something large is deleted.
//! - `chains`, `row_checksums`: the [checksums](super::checksum) of segments and of the rows of
//!   runs.
//!
//! The file is in WAL mode: a read never waits for a write, and sees the last commit. Several
//! processes can have the file open; a write waits up to ten seconds for the write of another
//! process, and then fails with [`StoreError::Busy`]. The writer of runs tries again.

mod accounts;
mod admit;
mod append;
mod audit;
mod backfills;
mod chains;
#[cfg_attr(not(feature = "server"), allow(dead_code, reason = "only a server has streams"))]
mod changes;
mod claim;
mod connection;
mod count;
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
mod rests;
mod rollups;
mod row_checksums;
mod run_locks;
mod schedules;
mod schema;
mod script;
mod segments;
mod store;
#[cfg(test)]
mod tests;
mod upkeep;

#[cfg(test)]
pub(crate) use connection::be_impatient;
pub(crate) use schema::SCHEMA;
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
use self::schema::Found;

use super::error::StoreError;
use super::sync_mode::SyncMode;
use crate::base::{failpoint, private};

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
