//! Deletions in pieces, between which others write, and what one leaves that fails or is
//! interrupted.

use std::path::Path;

use sqlx::{Connection, Row};

use super::super::SqliteStore;
use super::support::{edit, filled, open, place, raw};
use crate::base::Timestamp;
use crate::run::{RunState, Stored};
use crate::store::conformance::{known, new, ok, plain, segment, update};
use crate::store::event_rows::NewEvent;
use crate::store::rows::Appended;
use crate::store::traits::{AuditStore, EventStore, GraphStore, Maintenance, RunStore, SegmentStore};
use crate::value::FileRef;

#[tokio::test]
async fn vacuuming_shrinks_the_file() {
    let (_dir, path) = place();
    filled(&path).await;
    let store = open(&path).await;
    ok(&store, &[known(1, 1, None, Some(update(RunState::Success)))]).await;
    assert_eq!(store.delete(&[1], None).await.unwrap(), [1]);
    let (before, after) = store.vacuum().await.unwrap();
    assert!(after * 3 < before, "{before} {after}");
    assert_eq!(store.check().await.unwrap(), [""; 0]);
}

/// Fills the audit trail with rows whose times are their numbers.
async fn filled_trail(path: &Path, rows: i64) {
    open(path).await.close().await.unwrap();
    let mut connection = raw(path).await;
    let fill = "WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ?) \
                INSERT INTO audit (at, actor, via, action, dag, run_id, reason, before, after, outcome, error, checksum) \
                SELECT n, 'ann', 'cli', 'clear', 'etl', 'run ' || n, '', '{}', '{}', 'applied', '', 0 FROM counted";
    sqlx::query(fill).bind(rows).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// How many rows of the audit trail are left, and the number of the first of them.
async fn left_of_trail(path: &Path) -> (i64, i64) {
    let mut connection = raw(path).await;
    let left = sqlx::query("SELECT count(*), min(number) FROM audit").fetch_one(&mut connection).await.unwrap();
    (left.try_get(0).unwrap(), left.try_get(1).unwrap())
}

/// Threat 28. Whoever wants to write waits for one piece of the deletion, and not for all five.
/// What is dropped between two pieces leaves the row that says who wanted it.
#[tokio::test]
async fn others_write_between_the_pieces_of_a_deletion_which_can_be_interrupted_there() {
    let (_dir, path) = place();
    filled_trail(&path, 9_000).await;
    let store = open(&path).await;
    let row = |actor: &str| crate::store::conformance::audit::row(actor, 9_500);
    let (deletes, writes, before) = (row("deletes"), row("writes"), Timestamp::from_nanos(8_001));
    tokio::select! {
        biased;
        deleted = store.delete_audit(before, Some(&deletes)) => panic!("the row waited for all of it: {deleted:?}"),
        written = store.record_audit(&writes) => written.unwrap(),
    }
    // The oldest are gone.
    assert_eq!(left_of_trail(&path).await, (7_002, 2_001));
    let mut connection = raw(&path).await;
    let actors =
        sqlx::query("SELECT group_concat(actor) FROM (SELECT actor FROM audit WHERE number > 9000 ORDER BY number)");
    assert_eq!(actors.fetch_one(&mut connection).await.unwrap().get::<String, _>(0), "deletes,writes");
    assert_eq!(store.delete_audit(before, Some(&row("goes on"))).await.unwrap(), 6_000);
    assert_eq!(left_of_trail(&path).await, (1_003, 8_001));
    assert_eq!(store.delete_audit(before, Some(&row("finds none"))).await.unwrap(), 0);
    assert_eq!(left_of_trail(&path).await, (1_003, 8_001));
}

#[tokio::test]
async fn rows_that_are_stored_while_others_are_deleted_stay_whatever_their_time_is() {
    let (_dir, path) = place();
    filled_trail(&path, 9_000).await;
    let store = open(&path).await;
    let row = |actor: &str| crate::store::conformance::audit::row(actor, 5);
    let (deletes, writes) = (row("deletes"), row("writes"));
    let before = Timestamp::from_nanos(8_001);
    let (deleted, written) = tokio::join!(store.delete_audit(before, Some(&deletes)), store.record_audit(&writes));
    written.unwrap();
    assert_eq!(deleted.unwrap(), 8_000);
    assert_eq!(left_of_trail(&path).await, (1_002, 8_001));
}

/// The third piece of a deletion cannot be written: whoever has asked knows that its row is in the
/// audit trail. It had the error, and the row was stored a second time with that.
#[tokio::test]
async fn a_deletion_that_fails_in_between_counts_the_rows_of_the_trail_that_are_gone() {
    let (_dir, path) = place();
    filled_trail(&path, 9_000).await;
    edit(
        &path,
        "CREATE TRIGGER stop BEFORE DELETE ON audit WHEN OLD.number > 5000 BEGIN SELECT RAISE(ABORT, 'it fails'); END",
    )
    .await;
    let store = open(&path).await;
    let (deletes, before) = (crate::store::conformance::audit::row("deletes", 9_500), Timestamp::from_nanos(8_001));
    assert_eq!(store.delete_audit(before, Some(&deletes)).await.unwrap(), 4_000);
    assert!(store.delete_audit(before, None).await.is_err());
    edit(&path, "DROP TRIGGER stop").await;
    assert_eq!(store.delete_audit(before, None).await.unwrap(), 4_000);
    // The row about the deletion is the only new one.
    assert_eq!(left_of_trail(&path).await, (1_001, 8_001));
}

/// Ten segments of a megabyte: more than a transaction deletes.
async fn with_a_large_run(path: &Path) -> SqliteStore {
    let store = open(path).await;
    store.put_graph("graph-1", b"snapshot").await.unwrap();
    ok(&store, &[new("large", 10), new("small", 20)]).await;
    for number in 2..12 {
        let mut large = segment(number);
        large.data = vec![7; 1 << 20];
        ok(&store, &[known(1, 1, Some(large), None)]).await;
    }
    ok(&store, &[known(1, 1, None, Some(update(RunState::Success)))]).await;
    store
}

/// How many segments of run 1 are in the file.
async fn left_of_run(path: &Path) -> i64 {
    let mut connection = raw(path).await;
    let left = sqlx::query("SELECT count(*) FROM segments WHERE id >> 32 = 1").fetch_one(&mut connection).await;
    left.unwrap().get(0)
}

/// A prune of a large run: whoever wants to write waits for one piece of it. What is dropped
/// between two pieces leaves a store without the run and without damage, and the next deletion goes
/// on.
#[tokio::test]
async fn others_write_between_the_pieces_of_a_large_run_and_the_next_deletion_goes_on() {
    let (_dir, path) = place();
    let store = with_a_large_run(&path).await;
    let batch = [plain(2, 1, 2)];
    tokio::select! {
        biased;
        deleted = store.delete(&[1], None) => panic!("the segment waited for all of it: {deleted:?}"),
        stored = store.append(&batch) => assert_eq!(stored.unwrap(), [Appended::Stored(2)]),
    }
    // The first five have more than 4 MiB.
    assert_eq!(left_of_run(&path).await, 6);
    assert_eq!(store.run(1).await.unwrap(), None);
    assert!(store.segments(1, 0).await.unwrap().is_empty());
    assert_eq!(store.check().await.unwrap(), [""; 0]);
    assert_eq!(store.delete(&[], None).await.unwrap(), [0; 0]);
    assert_eq!(left_of_run(&path).await, 0);
    assert_eq!(store.segments(2, 0).await.unwrap().len(), 2);
    assert_eq!(store.check().await.unwrap(), [""; 0]);
}

/// The second piece of a deletion cannot be written: whoever has asked knows what is gone, and that
/// its row is in the audit trail.
#[tokio::test]
async fn a_deletion_that_fails_in_between_names_the_runs_that_are_gone() {
    let (_dir, path) = place();
    with_a_large_run(&path).await.close().await.unwrap();
    edit(
        &path,
        "CREATE TRIGGER stop BEFORE DELETE ON segments WHEN OLD.id & 4294967295 > 8 \
         BEGIN SELECT RAISE(ABORT, 'it fails'); END",
    )
    .await;
    let store = open(&path).await;
    let row = crate::store::conformance::audit::row("deletes", 5);
    assert_eq!(store.delete(&[1], Some(&row)).await.unwrap(), [1]);
    assert_eq!(store.left_files().await.unwrap(), ["large"]);
    assert!(store.delete(&[], None).await.is_err());
    edit(&path, "DROP TRIGGER stop").await;
    assert_eq!(store.delete(&[], None).await.unwrap(), [0; 0]);
    assert_eq!(left_of_run(&path).await, 0);
    let mut connection = raw(&path).await;
    let rows = sqlx::query("SELECT count(*) FROM audit").fetch_one(&mut connection).await.unwrap();
    assert_eq!(rows.get::<i64, _>(0), 1);
}

/// The second piece of a deletion of events cannot be written: whoever has asked knows how many are
/// gone, and the store which payloads they have left.
#[tokio::test]
async fn a_deletion_of_events_that_fails_in_between_says_how_many_are_gone() {
    let (_dir, path) = place();
    let store = open(&path).await;
    let event = |number: u64| NewEvent {
        asset: "a".to_owned(),
        partition: None,
        key: None,
        ty: "u64".to_owned(),
        value: Stored::File(FileRef::of(&number.to_be_bytes())),
        emitted: Timestamp::EPOCH,
        run: None,
        task: None,
        by: "ann".to_owned(),
        on_change: false,
    };
    let events: Vec<NewEvent> = (1..=600).map(event).collect();
    store.emit(&events, None, None).await.unwrap();
    store.close().await.unwrap();
    edit(
        &path,
        "CREATE TRIGGER stop BEFORE DELETE ON events WHEN OLD.number > 500 BEGIN SELECT RAISE(ABORT, 'it fails'); END",
    )
    .await;
    let store = open(&path).await;
    let numbers: Vec<i64> = (1..=600).collect();
    assert_eq!(store.delete_events(&numbers, None).await.unwrap(), 500);
    assert!(store.delete_events(&numbers, None).await.is_err());
    assert_eq!(store.left_payloads().await.unwrap().len(), 500);
    edit(&path, "DROP TRIGGER stop").await;
    assert_eq!(store.delete_events(&numbers, None).await.unwrap(), 100);
    assert_eq!(store.left_payloads().await.unwrap().len(), 600);
}

/// Rows that no deletion has written: a stored run, and numbers that no run can have, one of which
/// is that of run 2 but for its upper bits.
#[tokio::test]
async fn a_damaged_list_of_deletions_deletes_nothing_of_a_stored_run() {
    let (_dir, path) = place();
    filled(&path).await;
    edit(&path, "INSERT INTO deletions VALUES (1), (4294967298), (-1), (0), (9223372036854775807)").await;
    let store = open(&path).await;
    assert_eq!(store.delete(&[], None).await.unwrap(), [0; 0]);
    assert_eq!((store.segments(1, 0).await.unwrap().len(), store.segments(2, 0).await.unwrap().len()), (99, 99));
    assert_eq!(store.check().await.unwrap(), [""; 0]);
    let mut connection = raw(&path).await;
    let left = sqlx::query("SELECT count(*) FROM deletions").fetch_one(&mut connection).await.unwrap();
    assert_eq!(left.get::<i64, _>(0), 0);
}
