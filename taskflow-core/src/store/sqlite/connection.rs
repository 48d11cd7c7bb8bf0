//! The two connections of a store: one that writes and one that reads.
//!
//! A connection is taken out of its slot for as long as it is used, and put back only in a known state. When a statement
//! fails, or the future that waits for it is dropped, the connection goes with it: closing rolls back what was open and
//! gives back every lock. The next use opens another.
//!
//! There is no pool, because a pool leaves tasks in the runtime that opened it, and a store is used from several.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use tokio::sync::{Mutex, MutexGuard};

use super::error::{BUSY, Doing, code, explain};
use crate::store::sync_mode::SyncMode;
use crate::store::traits::StoreError;

/// How long a statement waits for another process.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection, where it comes from, and who may use it.
pub(super) struct ConnectionSlot {
    path: PathBuf,
    doing: Doing,
    options: SqliteConnectOptions,
    state: Mutex<Connection>,
}

enum Connection {
    Empty,
    Open(SqliteConnection),
    Closed,
}

/// A connection in use.
pub(super) struct ConnectionGuard<'a> {
    slot: &'a ConnectionSlot,
    state: MutexGuard<'a, Connection>,
    connection: SqliteConnection,
}

impl ConnectionSlot {
    /// The one that writes. With `create`, it makes the file.
    pub(super) fn writer(path: &Path, file: &Path, sync: SyncMode, create: bool) -> Self {
        let synchronous = match sync {
            SyncMode::Full => SqliteSynchronous::Full,
            SyncMode::Normal => SqliteSynchronous::Normal,
        };
        let options = options(file)
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            // A checkpoint every 16 MiB: often enough for readers, which look through the log, and rarely enough that
            // most of what is written to one page between two checkpoints reaches the file once.
            .pragma("wal_autocheckpoint", "4000")
            .pragma("journal_size_limit", "33554432")
            .pragma("cache_size", "-8000");
        ConnectionSlot { path: path.to_owned(), doing: Doing::Write, options, state: Mutex::new(Connection::Empty) }
    }

    /// The one that reads.
    pub(super) fn reader(path: &Path, file: &Path) -> Self {
        let options = options(file).read_only(true).pragma("cache_size", "-16000");
        ConnectionSlot { path: path.to_owned(), doing: Doing::Read, options, state: Mutex::new(Connection::Empty) }
    }

    /// The connection, opened if it is not.
    pub(super) async fn acquire(&self) -> Result<ConnectionGuard<'_>, StoreError> {
        let mut state = self.state.lock().await;
        let connection = match std::mem::replace(&mut *state, Connection::Empty) {
            Connection::Open(connection) => connection,
            Connection::Empty => self.connect().await?,
            Connection::Closed => {
                *state = Connection::Closed;
                return Err(self.closed());
            }
        };
        Ok(ConnectionGuard { slot: self, state, connection })
    }

    async fn connect(&self) -> Result<SqliteConnection, StoreError> {
        let pause = Duration::from_millis(5);
        let mut left = PATIENCE;
        loop {
            match self.options.connect().await {
                Ok(connection) => return Ok(connection),
                // Only one process can turn a new file into one with a write-ahead log, and SQLite does not wait for it.
                // The pause blocks the thread because the runtime need not have a clock.
                Err(error) if code(&error) == Some(BUSY) && !left.is_zero() => {
                    left = left.saturating_sub(pause);
                    std::thread::sleep(pause);
                }
                Err(error) => return Err(explain(&self.path, Doing::Open, &error)),
            }
        }
    }

    /// Takes the connection away for good. The first time it is what was open.
    pub(super) async fn close(&self) -> Option<SqliteConnection> {
        match std::mem::replace(&mut *self.state.lock().await, Connection::Closed) {
            Connection::Open(connection) => Some(connection),
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

    /// Puts the connection back: no transaction is open.
    pub(super) fn release(mut self) {
        *self.state = Connection::Open(self.connection);
    }

    /// What went wrong with it.
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
        .busy_timeout(PATIENCE)
        // What belongs together is written and deleted together: there is nothing to look up at every insert.
        .foreign_keys(false)
        .disable_statement_logging()
}
