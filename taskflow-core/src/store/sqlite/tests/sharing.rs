//! Several users of one file, which own runs of it, and the writes that fail, are dropped, or do
//! not wait for the disk.

use sqlx::AssertSqlSafe;

use super::super::SqliteStore;
use super::support::{edit, open, place, raw};
use crate::run::RunState;
use crate::store::conformance::{claim, known, new, ok, plain, segment, update};
use crate::store::ownership::{Claim, Liveness};
use crate::store::rows::{Appended, RunFilter};
use crate::store::sync_mode::SyncMode;
use crate::store::traits::{Outbox, RunStore, SegmentStore};

#[tokio::test]
async fn two_writers_share_a_file() {
    let (_dir, path) = place();
    let (one, two) = (open(&path).await, open(&path).await);
    assert_eq!(ok(&one, &[new("a", 10)]).await, [1]);
    assert_eq!(ok(&two, &[new("b", 20)]).await, [2]);
    let write = async |store: &SqliteStore, run| {
        for number in 2..60 {
            let end = (number % 7 == 0).then(|| update(RunState::Running));
            ok(store, &[known(run, 1, Some(segment(number)), end)]).await;
        }
    };
    tokio::join!(write(&one, 1), write(&two, 2));
    assert_eq!(one.segments(2, 0).await.unwrap().len(), 59);
    let (row, _guard) = claim(&two, 1, "host:2").await;
    assert_eq!(row.token, 2);
    assert_eq!(one.append(&[plain(1, 1, 60)]).await.unwrap(), [Appended::Fenced]);
}

#[tokio::test]
async fn reading_does_not_wait_for_a_writer() {
    let (_dir, path) = place();
    let store = open(&path).await;
    ok(&store, &[new("a", 10)]).await;
    let mut other = raw(&path).await;
    let checksum = super::super::row_checksums::owner("other", 1);
    let sql = format!("BEGIN IMMEDIATE; UPDATE runs SET owner = 'other', checksum_owner = {checksum}");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut other).await.unwrap();
    assert_eq!(store.run(1).await.unwrap().unwrap().owner, "host:1");
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    assert_eq!(store.run(1).await.unwrap().unwrap().owner, "other");
}

#[tokio::test]
async fn a_failing_batch_stores_nothing_and_the_next_one_is_stored() {
    let (_dir, path) = place();
    let store = open(&path).await;
    ok(&store, &[new("a", 10)]).await;
    edit(&path, "CREATE TRIGGER no BEFORE UPDATE ON runs BEGIN SELECT raise(ABORT, 'not today'); END").await;
    let batch = [new("b", 20), plain(1, 1, 2), known(1, 1, Some(segment(3)), Some(update(RunState::Failed)))];
    let error = store.append(&batch).await.unwrap_err().to_string();
    assert_eq!(error, format!("cannot write to the store {}: not today", path.display()));
    assert_eq!(store.runs(&RunFilter::default()).await.unwrap().len(), 1);
    assert_eq!(store.segments(1, 0).await.unwrap().len(), 1);
    edit(&path, "DROP TRIGGER no").await;
    ok(&store, &batch).await;
}

#[tokio::test]
async fn a_dropped_call_leaves_no_lock() {
    let (_dir, path) = place();
    let (store, other) = (open(&path).await, open(&path).await);
    let runs: Vec<_> = (0..500).map(|at| new(&format!("run-{at}"), at)).collect();
    for _ in 0..20 {
        let append = store.append(&runs);
        tokio::select! { biased; _ = append => break, () = tokio::task::yield_now() => {} }
    }
    ok(&other, &[new("b", 20)]).await;
    ok(&store, &[new("c", 20)]).await;
    let stored = store.runs(&RunFilter::default()).await.unwrap().len();
    assert!(stored == 2 || stored == 502, "{stored}");
}

#[tokio::test]
async fn only_lazy_writes_do_without_the_disk() {
    async fn synchronous(mut guard: super::super::connection::ConnectionGuard<'_>) -> i64 {
        let mode = sqlx::query_scalar("PRAGMA synchronous").fetch_one(guard.connection()).await.unwrap();
        guard.release();
        mode
    }

    let (_dir, path) = place();
    let store = SqliteStore::open(&path, SyncMode::Full).await.unwrap();
    let writer = &store.writer;
    assert_eq!(synchronous(writer.acquire().await.unwrap()).await, 2);
    for _ in 0..2 {
        assert_eq!(synchronous(writer.acquire_lazily().await.unwrap()).await, 1);
        assert_eq!(synchronous(writer.acquire().await.unwrap()).await, 2);
    }
    let normal = open(&path).await;
    assert_eq!(synchronous(normal.writer.acquire().await.unwrap()).await, 1);
    assert_eq!(synchronous(normal.writer.acquire_lazily().await.unwrap()).await, 1);
}

#[tokio::test]
async fn another_process_owns_a_run_while_it_holds_the_lock() {
    let (_dir, path) = place();
    // Two stores on one file stand for two processes.
    let (one, two) = (open(&path).await, open(&path).await);
    let guard = one.reserve("a").unwrap();
    ok(&one, &[new("a", 10)]).await;
    assert_eq!(two.run(1).await.unwrap().unwrap().liveness, Liveness::Alive);
    assert!(matches!(two.claim(1, "host:2").await.unwrap(), Claim::Held { .. }));
    assert!(two.claim_deliveries("a").await.unwrap().is_none());
    let refused = two.reserve("a").unwrap();
    assert_eq!(two.append(&[new("a", 10), new("b", 20)]).await.unwrap()[0], Appended::Taken);
    assert_eq!(two.run_by_id("b").await.unwrap().unwrap().liveness, Liveness::Dead);
    drop(refused);
    drop(guard);
    assert_eq!(two.run(1).await.unwrap().unwrap().liveness, Liveness::Dead);
    let (row, _guard) = claim(&two, 1, "host:2").await;
    assert_eq!((row.token, row.liveness), (2, Liveness::Alive));
    assert_eq!(one.run(1).await.unwrap().unwrap().live_owner(), Some("host:2"));
}

/// A prune deletes the files of a run, and another process begins one with the same id.
#[tokio::test]
async fn no_process_begins_a_run_whose_id_another_one_holds() {
    let (_dir, path) = place();
    let (one, two) = (open(&path).await, open(&path).await);
    let held = one.hold_id("a").await.unwrap().unwrap();
    assert!(two.hold_id("a").await.unwrap().is_none());
    let refused = two.reserve("a").unwrap();
    assert_eq!(two.append(&[new("a", 10)]).await.unwrap(), [Appended::Taken]);
    drop((held, refused));
    let _guard = two.reserve("a").unwrap();
    ok(&two, &[new("a", 10)]).await;
}

#[tokio::test]
async fn a_run_that_ends_while_its_row_is_read_is_not_interrupted() {
    let (_dir, path) = place();
    let store = open(&path).await;
    ok(&store, &[new("a", 10)]).await;
    let row = store.run(1).await.unwrap().unwrap();
    ok(&store, &[known(1, 1, None, Some(update(RunState::Success)))]).await;
    let rows = super::super::claim::with_liveness(&store, vec![row]).await.unwrap();
    assert_eq!((rows[0].state, rows[0].present_state()), (RunState::Success, RunState::Success));
}
