//! The two connections of a store: one that writes and one that reads.
//!
//! A connection leaves its slot while it is used, and returns only in a known state. When a
//! statement fails, or the future that waits for it is dropped, the connection is closed, which
//! rolls back its transaction and releases its locks. The next use opens another connection.
//!
//! A write is one call, which SQLite executes on the thread of the connection whether or not
//! anything drives the future that waits for it. So no process keeps the lock of the file while it
//! is busy with something else. (Steps of schedules and admissions take two calls, because they
//! depend on what they find; a script longer than 100 kB takes several, and so does the migration
//! of an older schema.)
//!
//! A commit of the connection for writing waits until the disk has it, if the store was opened so.
//! Some writes need not wait, because nothing depends on them before a later commit, which does:
//! [`ConnectionSlot::acquire_lazily`]. The write-ahead log is in order: whatever survives a loss of
//! power has everything before it.
//!
//! There is no pool, because a pool leaves tasks in the runtime that opened it, and a store is used
//! from several.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use tokio::sync::{Mutex, MutexGuard};

use super::error::{BUSY, Doing, code, explain};
use super::run_locks::blocking;
use crate::store::error::StoreError;
use crate::store::sync_mode::SyncMode;

/// How long a statement waits for another process.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(not(test))]
fn patience() -> Duration {
    PATIENCE
}

/// That of the tests of this thread. Only those that wait in vain have less: on a busy machine,
/// others need all of it.
#[cfg(test)]
fn patience() -> Duration {
    if IS_IMPATIENT.get() { Duration::from_millis(500) } else { PATIENCE }
}

/// Lets the stores that this thread opens wait for half a second only.
#[cfg(test)]
pub(crate) fn be_impatient() {
    IS_IMPATIENT.set(true);
}

#[cfg(test)]
thread_local! {
    static IS_IMPATIENT: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    static ATTEMPTS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// How often this thread has tried to open a connection.
#[cfg(test)]
pub(super) fn attempts() -> usize {
    ATTEMPTS.get()
}

/// A connection that is opened on demand and used by one caller at a time.
pub(super) struct ConnectionSlot {
    path: PathBuf,
    doing: Doing,
    options: SqliteConnectOptions,
    sync: SyncMode,
    state: Mutex<Connection>,
}

enum Connection {
    Empty,
    /// With what its commits survive at present.
    Open(SqliteConnection, SyncMode),
    Closed,
}

/// A connection in use.
pub(super) struct ConnectionGuard<'a> {
    slot: &'a ConnectionSlot,
    state: MutexGuard<'a, Connection>,
    connection: SqliteConnection,
    sync: SyncMode,
}

impl ConnectionSlot {
    /// The connection for writing. With `create`, it creates the file.
    pub(super) fn writer(path: &Path, file: &Path, sync: SyncMode, create: bool) -> Self {
        let synchronous = match sync {
            SyncMode::Full => SqliteSynchronous::Full,
            SyncMode::Normal => SqliteSynchronous::Normal,
        };
        let (doing, state) = (Doing::Write, Mutex::new(Connection::Empty));
        let options = options(file)
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            // A checkpoint every 16 MiB: often enough for readers, which search the log, and
            // rarely enough that most pages reach the file once for many writes.
            .pragma("wal_autocheckpoint", "4000")
            .pragma("journal_size_limit", "33554432")
            .pragma("cache_size", "-8000")
            // As many as a statement can return: SQLite stops in the middle of a transaction when
            // its rows are not taken.
            .row_buffer_size(8_192);
        ConnectionSlot { path: path.to_owned(), doing, options, sync, state }
    }

    /// The connection for reading.
    pub(super) fn reader(path: &Path, file: &Path) -> Self {
        let options = options(file).read_only(true).pragma("cache_size", "-16000");
        let (doing, sync, state) = (Doing::Read, SyncMode::Normal, Mutex::new(Connection::Empty));
        ConnectionSlot { path: path.to_owned(), doing, options, sync, state }
    }

    /// The connection, opened if necessary.
    pub(super) async fn acquire(&self) -> Result<ConnectionGuard<'_>, StoreError> {
        self.acquire_with(self.sync).await
    }

    /// The connection, for a write that need not survive a loss of power.
    pub(super) async fn acquire_lazily(&self) -> Result<ConnectionGuard<'_>, StoreError> {
        self.acquire_with(SyncMode::Normal).await
    }

    async fn acquire_with(&self, sync: SyncMode) -> Result<ConnectionGuard<'_>, StoreError> {
        let mut state = self.state.lock().await;
        let (connection, present) = match std::mem::replace(&mut *state, Connection::Empty) {
            Connection::Open(connection, present) => (connection, present),
            Connection::Empty => (self.connect().await?, self.sync),
            Connection::Closed => {
                *state = Connection::Closed;
                return Err(self.closed());
            }
        };
        let mut guard = ConnectionGuard { slot: self, state, connection, sync };
        if present != sync {
            let sql = match sync {
                SyncMode::Full => "PRAGMA synchronous = FULL",
                SyncMode::Normal => "PRAGMA synchronous = NORMAL",
            };
            sqlx::query(sql).execute(&mut guard.connection).await.map_err(|error| guard.explain(&error))?;
        }
        Ok(guard)
    }

    async fn connect(&self) -> Result<SqliteConnection, StoreError> {
        let pause = Duration::from_millis(5);
        let mut left = patience();
        loop {
            let begun = Instant::now();
            #[cfg(test)]
            ATTEMPTS.set(ATTEMPTS.get() + 1);
            match self.options.connect().await {
                Ok(connection) => return Ok(connection),
                // Only one process can turn a new file into one with a write-ahead log, and SQLite
                // does not wait for it. The runtime need not have a clock.
                Err(error) if code(&error) == Some(BUSY) && !left.is_zero() => {
                    // The attempt has waited as well.
                    left = left.saturating_sub(pause + begun.elapsed());
                    let _ = blocking(move || std::thread::sleep(pause)).await;
                }
                Err(error) => return Err(explain(&self.path, Doing::Open, &error)),
            }
        }
    }

    /// Closes the slot. Returns the connection if it was open.
    pub(super) async fn close(&self) -> Option<SqliteConnection> {
        match std::mem::replace(&mut *self.state.lock().await, Connection::Closed) {
            Connection::Open(connection, _) => Some(connection),
            Connection::Empty | Connection::Closed => None,
        }
    }

    fn closed(&self) -> StoreError {
        let (place, reason) = (self.path.display().to_string(), "it was closed".to_owned());
        match self.doing {
            Doing::Write => StoreError::Write { place, reason },
            Doing::Open | Doing::Read => StoreError::Read { place, reason },
        }
    }
}

impl ConnectionGuard<'_> {
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Puts the connection back. No transaction may be open.
    pub(super) fn release(mut self) {
        *self.state = Connection::Open(self.connection, self.sync);
    }

    /// Explains an error of this connection.
    pub(super) fn explain(&self, error: &sqlx::Error) -> StoreError {
        explain(&self.slot.path, self.slot.doing, error)
    }
}

impl fmt::Debug for ConnectionSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionSlot({:?}, {})", self.doing, self.path.display())
    }
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(patience())
        // Batches write and delete related rows together, so checking keys would only cost time.
        .foreign_keys(false)
        .disable_statement_logging()
}
