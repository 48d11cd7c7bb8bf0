//! What happens to the file of a store from outside: it is removed, locked, or left half made.

use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use super::SqliteStore;
use crate::base::Timestamp;
use crate::callback::DeliveryAttempt;
use crate::run::RunState;
use crate::store::conformance::{known, new, ok, plain, segment, update};
use crate::store::error::StoreError;
use crate::store::rows::{Append, Appended};
use crate::store::sync_mode::SyncMode;
use crate::store::traits::{Maintenance, Outbox, RunStore};

async fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, SyncMode::Normal).await.unwrap()
}

async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap()
}

async fn execute(connection: &mut SqliteConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

/// B4: the state of a process that was killed while it created a store: a transaction that has
/// reached the file in part, and the journal that undoes it.
#[tokio::test]
async fn a_store_whose_creation_was_interrupted_counts_as_none() {
    let dir = tempfile::tempdir().unwrap();
    let (path, copy) = (dir.path().join("first.db"), dir.path().join("runs.db"));
    let mut connection = raw(&path).await;
    let sql = "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN; CREATE TABLE runs (data BLOB); \
               INSERT INTO runs SELECT randomblob(4000) FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9));";
    execute(&mut connection, sql).await;
    assert!(std::fs::metadata(&path).unwrap().len() > 0, "nothing has reached the file");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(dir.path().join("first.db-journal"), dir.path().join("runs.db-journal")).unwrap();
    let found = SqliteStore::open_existing(&copy, SyncMode::Normal).await.unwrap();
    assert!(found.is_none());
    let store = open(&copy).await;
    assert_eq!(ok(&store, &[new("a", 10)]).await, [1]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_run_does_not_end_in_a_store_that_was_removed() {
    for removed in ["", "runs.db", "runs.db-wal"] {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home");
        std::fs::create_dir(&home).unwrap();
        let store = open(&home.join("runs.db")).await;
        ok(&store, &[new("a", 10)]).await;
        match removed {
            "" => std::fs::remove_dir_all(&home).unwrap(),
            file => std::fs::remove_file(home.join(file)).unwrap(),
        }
        let end = known(1, 1, Some(segment(2)), Some(update(RunState::Success)));
        let error = store.append(&[end]).await.unwrap_err();
        assert!(matches!(error, StoreError::Write { .. }), "{error:?}");
        assert!(error.to_string().contains("was removed or replaced while it was in use"), "{removed}: {error}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_run_does_not_end_in_a_store_that_was_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (path, other) = (dir.path().join("runs.db"), dir.path().join("other.db"));
    open(&other).await.close().await.unwrap();
    let store = open(&path).await;
    ok(&store, &[new("a", 10)]).await;
    std::fs::rename(&other, &path).unwrap();
    let end = known(1, 1, Some(segment(2)), Some(update(RunState::Success)));
    assert!(store.append(&[end]).await.is_err());
}

/// B2: `rm taskflow.db` between two runs.
#[tokio::test]
async fn an_empty_store_beside_values_is_an_error() {
    for length in [None, Some(0)] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("runs.db");
        if length.is_some() {
            std::fs::write(&path, "").unwrap();
        }
        std::fs::create_dir(dir.path().join("values")).unwrap();
        assert!(SqliteStore::open_existing(&path, SyncMode::Normal).await.unwrap().is_none());
        std::fs::create_dir(dir.path().join("values/run")).unwrap();
        for error in [
            SqliteStore::open_existing(&path, SyncMode::Normal).await.unwrap_err(),
            SqliteStore::open(&path, SyncMode::Normal).await.unwrap_err(),
        ] {
            assert!(error.to_string().contains("has no runs, but there are values of runs in"), "{error}");
        }
    }
}

/// B3: another program has the lock of the file.
#[tokio::test]
async fn who_has_locked_a_store_is_named() {
    super::connection::be_impatient();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("runs.db");
    let store = open(&path).await;
    ok(&store, &[new("a", 10)]).await;
    let mut other = raw(&path).await;
    execute(&mut other, "BEGIN IMMEDIATE; UPDATE runs SET owner = 'other'").await;
    let error = store.append(&[plain(1, 1, 2)]).await.unwrap_err().to_string();
    assert!(error.contains("locked"), "{error}");
    if cfg!(target_os = "linux") {
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
    }
    execute(&mut other, "ROLLBACK").await;
    ok(&store, &[plain(1, 1, 2)]).await;
}

/// Polls a future of a store, and asserts before each poll that another process could write: what
/// drives the future may be busy for any time.
async fn without_a_lock<T>(path: &Path, future: impl Future<Output = T>) -> T {
    let mut other = SqliteConnectOptions::new().filename(path).busy_timeout(PATIENCE).connect().await.unwrap();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(done) = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await {
            return done;
        }
        execute(&mut other, "BEGIN IMMEDIATE; ROLLBACK").await;
    }
}

/// How long a writer may have the lock.
const PATIENCE: Duration = Duration::from_secs(20);

/// B3: a transaction of several calls kept the lock of the file as long as nothing drove the future
/// between two of them, as in a runtime that a task blocks.
#[tokio::test]
async fn no_lock_is_kept_while_nothing_drives_a_writer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("runs.db");
    let store = open(&path).await;
    ok(&store, &[new("a", 10), new("b", 11), new("c", 12)]).await;
    let end = |run| known(run, 1, Some(segment(2)), Some(update(RunState::Success)));
    let answers = without_a_lock(&path, store.append(&[end(1), end(2), new("d", 13)])).await.unwrap();
    assert_eq!(answers.len(), 3);
    // More rows than sqlx buffers by default.
    let many: Vec<Append> = (0..120).map(|number| new(&format!("many {number}"), 20)).collect();
    let answers = without_a_lock(&path, store.append(&many)).await.unwrap();
    assert!(answers.len() == 120 && answers.iter().all(|answer| matches!(answer, Appended::Stored(_))), "{answers:?}");
    let attempts = ["k", "l", "m"].map(|key| DeliveryAttempt {
        key: key.to_owned(),
        notification: "{}".to_owned(),
        callback: "log".to_owned(),
        at: Timestamp::from_nanos(5),
        attempts: 1,
        error: None,
        next: None,
    });
    without_a_lock(&path, store.record_deliveries("a", &attempts)).await.unwrap();
    assert_eq!(store.deliveries("a").await.unwrap(), attempts);
    // Runs that have not ended stay.
    assert_eq!(without_a_lock(&path, store.delete(&[1, 2, 3, 99], None)).await.unwrap().len(), 2);
    assert_eq!(store.run_by_id("a").await.unwrap(), None);
    assert!(store.deliveries("a").await.unwrap().is_empty());
    assert!(store.run_by_id("c").await.unwrap().is_some());
    // The runs of this test have no graph.
    let findings = store.check().await.unwrap();
    assert!(findings.iter().all(|finding| finding.ends_with("whose snapshot is missing")), "{findings:?}");
}

/// A connection waits for the lock, and again for each of its first statements: it must not repeat
/// all of that many times.
#[tokio::test]
async fn opening_a_locked_store_ends() {
    super::connection::be_impatient();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("runs.db");
    let mut other = raw(&path).await;
    execute(&mut other, "CREATE TABLE runs (number INTEGER); BEGIN EXCLUSIVE").await;
    let attempts = super::connection::attempts();
    let error = SqliteStore::open(&path, SyncMode::Normal).await.unwrap_err().to_string();
    assert!(error.contains("locked"), "{error}");
    assert!(super::connection::attempts() - attempts < 5, "{}", super::connection::attempts() - attempts);
    other.close().await.unwrap();
}
