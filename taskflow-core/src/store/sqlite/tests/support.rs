//! What the tests of a store in a file share: a place for one, one with runs in it, and SQL beside
//! the store.

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;

use super::super::SqliteStore;
use crate::store::conformance::{known, new, ok, plain, segment};
use crate::store::sync_mode::SyncMode;
use crate::store::traits::{GraphStore, Maintenance};

pub(super) fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("runs.db");
    (dir, path)
}

pub(super) async fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, SyncMode::Normal).await.unwrap()
}

pub(super) async fn raw(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true).foreign_keys(false);
    options.connect().await.unwrap()
}

/// Edits a store by hand.
pub(super) async fn edit(path: &Path, sql: &'static str) {
    let mut connection = raw(path).await;
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// A store with two runs of many segments, closed again.
pub(super) async fn filled(path: &Path) {
    let store = open(path).await;
    store.put_graph("graph-1", b"snapshot").await.unwrap();
    ok(&store, &[new("a", 10), new("b", 20)]).await;
    for number in 2..100 {
        let mut large = segment(number);
        large.data = vec![7; 5000];
        ok(&store, &[plain(2, 1, number), known(1, 1, Some(large), None)]).await;
    }
    store.close().await.unwrap();
}
