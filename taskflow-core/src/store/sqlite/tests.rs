//! What is particular to a file: opening, several users, damage.

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use tempfile::TempDir;

use super::SqliteStore;
use crate::base::Timestamp;
use crate::run::{RunState, RunType, Stored};
use crate::store::admission::{Admission, AdmissionRequest};
use crate::store::audit_rows::AuditFilter;
use crate::store::backfill_rows::{BackfillChange, BackfillRow};
use crate::store::conformance::{claim, known, new, ok, plain, segment, update};
use crate::store::error::StoreError;
use crate::store::event_rows::NewEvent;
use crate::store::ownership::{Claim, Liveness};
use crate::store::pool_leases::PoolDemand;
use crate::store::rows::{Appended, RunCursor, RunFilter, RunOrder};
use crate::store::schedule_rows::{NoteRow, ScheduleRow, ScheduleStep, SlotRow};
use crate::store::sync_mode::SyncMode;
use crate::store::traits::{
    AuditStore, BackfillStore, EventStore, GraphStore, Maintenance, Outbox, PoolStore, RequestStore, RunStore,
    ScheduleStore, SegmentStore,
};
use crate::value::FileRef;

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("runs.db");
    (dir, path)
}

async fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, SyncMode::Normal).await.unwrap()
}

async fn raw(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true).foreign_keys(false);
    options.connect().await.unwrap()
}

/// Edits a store by hand.
async fn edit(path: &Path, sql: &'static str) {
    let mut connection = raw(path).await;
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// A store with two runs of many segments, closed again.
async fn filled(path: &Path) {
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

/// Opens a store and reads all of it: the first error. Must come to an end in any case.
async fn read_all(path: &Path) -> Result<(), StoreError> {
    let store = SqliteStore::open(path, SyncMode::Normal).await?;
    for row in store.runs(&RunFilter::default()).await? {
        store.params(row.number).await?;
        for segment in store.segments(row.number, 0).await? {
            store.data(row.number, segment.number, 0..1).await?;
        }
        store.graph(&row.graph).await?;
    }
    store.find("a", 10).await?;
    store.requests(&[1, 2]).await?;
    Ok(())
}

#[tokio::test]
async fn stored_data_survives_closing() {
    let (_dir, path) = place();
    filled(&path).await;
    let store = open(&path).await;
    assert_eq!(store.segments(1, 0).await.unwrap().len(), 99);
    assert_eq!(store.find("b", 1).await.unwrap()[0].number, 2);
    assert_eq!(store.check().await.unwrap(), [""; 0]);
    ok(&store, &[plain(1, 1, 100)]).await;
}

#[tokio::test]
async fn closing_leaves_one_file() {
    let (dir, path) = place();
    filled(&path).await;
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["runs.db"]);
}

#[tokio::test]
async fn opening_an_existing_store_creates_none() {
    let (dir, path) = place();
    assert!(SqliteStore::open_existing(&path, SyncMode::Normal).await.unwrap().is_none());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    filled(&path).await;
    let store = SqliteStore::open_existing(&path, SyncMode::Normal).await.unwrap().unwrap();
    assert_eq!(store.runs(&RunFilter::default()).await.unwrap().len(), 2);
    ok(&store, &[plain(1, 1, 100)]).await;
}

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
    let checksum = super::row_checksums::owner("other", 1);
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
async fn concurrent_calls_can_create_a_store() {
    let (_dir, path) = place();
    let openings: Vec<_> = (0..8)
        .map(|at| {
            let path = path.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    let store = SqliteStore::open(&path, SyncMode::Full).await.unwrap();
                    ok(&store, &[new(&format!("run-{at}"), 1)]).await;
                });
            })
        })
        .collect();
    for opening in openings {
        opening.join().unwrap();
    }
    assert_eq!(open(&path).await.runs(&RunFilter::default()).await.unwrap().len(), 8);
}

#[tokio::test]
async fn an_empty_file_becomes_a_store() {
    let (_dir, path) = place();
    std::fs::write(&path, b"").unwrap();
    assert!(SqliteStore::open_existing(&path, SyncMode::Normal).await.unwrap().is_none());
    ok(&open(&path).await, &[new("a", 10)]).await;
}

#[tokio::test]
async fn a_file_that_is_not_a_store_is_rejected() {
    let (dir, path) = place();
    std::fs::write(&path, "dear diary, ".repeat(1000)).unwrap();
    let place = path.display();
    let expected = format!(
        "cannot open the store {place}: the file is not a SQLite database, or its beginning was overwritten or cut off; restore a \
         backup or move the file away; `db check` lists the damage"
    );
    assert_eq!(SqliteStore::open(&path, SyncMode::Normal).await.unwrap_err().to_string(), expected);
    assert_eq!(SqliteStore::open_existing(&path, SyncMode::Normal).await.unwrap_err().to_string(), expected);

    let error = SqliteStore::open(dir.path(), SyncMode::Normal).await.unwrap_err().to_string();
    assert!(error.ends_with("it is a directory; name a file in it"), "{error}");
    let missing = dir.path().join("nowhere").join("runs.db");
    let error = SqliteStore::open(&missing, SyncMode::Normal).await.unwrap_err().to_string();
    let nowhere = dir.path().join("nowhere");
    assert!(error.ends_with(&format!("there is no directory {}; create it first", nowhere.display())), "{error}");
    let below_a_file = path.join("runs.db");
    let error = SqliteStore::open(&below_a_file, SyncMode::Normal).await.unwrap_err().to_string();
    assert!(error.ends_with(&format!("{place} is not a directory")), "{error}");
}

#[tokio::test]
async fn a_foreign_database_is_not_modified() {
    let (_dir, path) = place();
    edit(&path, "CREATE TABLE _sqlx_migrations (version INTEGER); CREATE TABLE runs (id INTEGER)").await;
    let error = SqliteStore::open(&path, SyncMode::Normal).await.unwrap_err().to_string();
    assert!(error.ends_with("it is a SQLite database, but not one of taskflow; name another file"), "{error}");
}

#[tokio::test]
async fn a_store_of_a_later_version_is_not_modified() {
    let (_dir, path) = place();
    filled(&path).await;
    edit(
        &path,
        "INSERT INTO taskflow_migrations (version, description, success, checksum, execution_time) \
         VALUES (1000, 'later', true, x'00', 0)",
    )
    .await;
    for error in [
        SqliteStore::open(&path, SyncMode::Normal).await.unwrap_err(),
        SqliteStore::open_existing(&path, SyncMode::Normal).await.unwrap_err(),
    ] {
        let StoreError::TooNew { found: 1000, known, .. } = error else { panic!("{error}") };
        assert_eq!(known, super::schema::latest());
    }
}

#[tokio::test]
async fn a_different_schema_is_rejected() {
    let (_dir, path) = place();
    filled(&path).await;
    edit(&path, "UPDATE taskflow_migrations SET checksum = x'00'").await;
    let error = SqliteStore::open(&path, SyncMode::Normal).await.unwrap_err().to_string();
    assert!(error.contains("its schema 1 is not the schema 1 of this build"), "{error}");
}

#[tokio::test]
async fn a_truncated_file_is_an_error() {
    let (_dir, path) = place();
    filled(&path).await;
    let size = std::fs::metadata(&path).unwrap().len();
    for part in [2, 3, 10, 40] {
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(size / part / 512 * 512 + 100).unwrap();
        let error = read_all(&path).await.unwrap_err().to_string();
        assert!(error.contains("`db check` lists the damage"), "{error}");
    }
}

#[tokio::test]
async fn corrupt_bytes_are_an_error_or_confined_to_values() {
    let (_dir, path) = place();
    filled(&path).await;
    let sound = std::fs::read(&path).unwrap();
    let mut found = 0;
    for page in 0..sound.len() / 4096 {
        let mut bytes = sound.clone();
        for (at, byte) in bytes[page * 4096..(page + 1) * 4096].iter_mut().enumerate() {
            *byte = (at * 31 + page * 17) as u8;
        }
        std::fs::write(&path, &bytes).unwrap();
        if let Err(error) = read_all(&path).await {
            found += 1;
            assert!(error.to_string().contains("; "), "{error}");
        }
    }
    assert!(found > 5, "{found}");
    let mut bytes = sound;
    let (from, to) = (bytes.len() / 2, bytes.len() / 5 * 4);
    bytes[from..to].fill(0xA5);
    std::fs::write(&path, &bytes).unwrap();
    let error = read_all(&path).await.unwrap_err().to_string();
    assert!(error.contains("`db check` lists the damage"), "{error}");
    let store = open(&path).await;
    assert!(!store.check().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_missing_table_is_named() {
    let (_dir, path) = place();
    filled(&path).await;
    edit(&path, "DROP TABLE segments").await;
    let error = open(&path).await.segments(1, 0).await.unwrap_err().to_string();
    assert!(error.contains("its tables are not those of a taskflow store (no such table: segments)"), "{error}");
}

#[tokio::test]
async fn an_invalid_row_is_named() {
    let edits: [(&str, &str); 6] = [
        ("UPDATE runs SET info = '{}' WHERE number = 2", "run 2, column `info`: missing field `dag_id`"),
        (
            "UPDATE runs SET counts = '[[\"lost\", 1]]' WHERE number = 2",
            "run 2, column `counts`: unknown variant `lost`",
        ),
        ("UPDATE runs SET state = 'lost' WHERE number = 2", "run 2, column `state`: unknown variant `lost`"),
        ("UPDATE runs SET token = -1 WHERE number = 2", "run 2, column `token`: -1 is not a token"),
        (
            "UPDATE runs SET tasks = 99999999999 WHERE number = 2",
            "column `tasks`: 99999999999 is not a number of tasks",
        ),
        ("UPDATE runs SET owner = CAST(x'ff' AS TEXT) WHERE number = 2", "run 2: "),
    ];
    for (sql, expected) in edits {
        let (_dir, path) = place();
        filled(&path).await;
        edit(&path, sql).await;
        let store = open(&path).await;
        let error = store.run(2).await.unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(store.runs(&RunFilter::default()).await.is_err());
        assert!(store.run(1).await.is_ok());
    }
}

#[tokio::test]
async fn a_check_reports_inconsistent_rows() {
    let (_dir, path) = place();
    filled(&path).await;
    edit(
        &path,
        "DELETE FROM segments WHERE id = (1 << 32) + 5; INSERT INTO segments (id, events, data) VALUES ((9 << 32) + 1, x'', x''); \
         DELETE FROM graphs; UPDATE runs SET info = 'no' WHERE number = 2; UPDATE runs SET state = 'lost' WHERE number = 1;
         INSERT INTO requests (run, what, by, reason, at) VALUES (9, 'cancel', '', '', 0)",
    )
    .await;
    let findings = open(&path).await.check().await.unwrap();
    let expected = [
        "segment 1 belongs to run 9, which does not exist",
        "run 1 has a segment 6 but not the one before",
        "run 1 has the graph graph-1, whose snapshot is missing",
        "run 2 has the graph graph-1, whose snapshot is missing",
        "run 2, column `info`: not valid JSON",
        "run 1, column `state`: `lost` is not a state",
        "request 1 is for run 9, which does not exist",
        "run 1, column `state`: unknown variant `lost`, expected one of `running`, `success`, `failed`, `cancelled`, \
         `interrupted`, `queued`",
        "run 1: segment 5 is missing",
        "run 2, column `info`: expected ident at line 1 column 2",
    ];
    assert_eq!(findings, expected);
}

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

#[cfg(unix)]
#[tokio::test]
async fn a_read_only_store_is_reported() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, path) = place();
    filled(&path).await;
    let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(dir.path(), 0o500);
    if std::fs::write(dir.path().join("probe"), b"").is_ok() {
        // The superuser may write everywhere.
        return mode(dir.path(), 0o700);
    }
    let new_one = SqliteStore::open(&dir.path().join("new.db"), SyncMode::Normal).await.unwrap_err().to_string();
    let existing = SqliteStore::open(&path, SyncMode::Normal).await.unwrap_err().to_string();
    mode(dir.path(), 0o700);
    assert!(new_one.contains("change the permissions or name another store"), "{new_one}");
    assert!(existing.contains("change the permissions"), "{existing}");
}

/// The statements that must be fast however many runs there are search nothing but an
/// index.
#[tokio::test]
async fn no_query_scans_all_runs() {
    let (_dir, path) = place();
    filled(&path).await;
    let mut connection = raw(&path).await;
    let filters = [
        RunFilter { limit: Some(10), ..Default::default() },
        RunFilter { dag: Some("etl".to_owned()), states: vec![RunState::Failed], ..Default::default() },
        RunFilter { states: vec![RunState::Failed, RunState::Running], ..Default::default() },
        RunFilter { since: Some(Timestamp::EPOCH), ..Default::default() },
        RunFilter { order: RunOrder::LogicalDate, limit: Some(10), ..Default::default() },
        RunFilter { order: RunOrder::LogicalDate, dag: Some("etl".to_owned()), ..Default::default() },
        RunFilter { logical_since: Some(Timestamp::EPOCH), order: RunOrder::LogicalDate, ..Default::default() },
    ];
    let mut questions: Vec<String> = filters.iter().map(|filter| super::read::filtered(filter).text()).collect();
    questions.extend([true, false].map(|beginning| super::read::searched("a", beginning, 10).text()));
    questions.push(super::read::last_of(&["etl"], 10).text());
    questions.push(super::backfills::SLOT_RUNS.to_owned());
    for question in questions {
        let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {question}")));
        for row in plan.fetch_all(&mut connection).await.unwrap() {
            let step: String = row.try_get("detail").unwrap();
            assert!(!step.starts_with("SCAN runs") || step.contains("COVERING INDEX"), "{question}: {step}");
        }
    }
}

/// Each payload that deleted events have left is searched for among those of all other events.
#[tokio::test]
async fn the_file_of_an_event_is_found_in_an_index() {
    let (_dir, path) = place();
    open(&path).await.close().await.unwrap();
    let mut connection = raw(&path).await;
    let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", super::events::LEFT_PAYLOADS)));
    let steps = plan.fetch_all(&mut connection).await.unwrap();
    let steps: Vec<String> = steps.iter().map(|row| row.try_get("detail").unwrap()).collect();
    let searched = |step: &String| step.starts_with("SEARCH events") && step.contains("events_by_file");
    assert!(steps.iter().any(searched), "{steps:?}");
    assert!(!steps.iter().any(|step| step.starts_with("SCAN events")), "{steps:?}");
}

/// A page far behind the first one is found, and not counted to.
#[tokio::test]
async fn a_page_of_runs_begins_in_an_index() {
    let (_dir, path) = place();
    filled(&path).await;
    let mut connection = raw(&path).await;
    for order in [RunOrder::Created, RunOrder::LogicalDate, RunOrder::Number] {
        let after = Some(RunCursor::of(order, Timestamp::EPOCH, Timestamp::EPOCH, 7));
        let question = super::read::filtered(&RunFilter { order, after, limit: Some(10), ..Default::default() }).text();
        let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {question}")));
        let steps = plan.fetch_all(&mut connection).await.unwrap();
        let steps: Vec<String> = steps.iter().map(|row| row.try_get("detail").unwrap()).collect();
        let begins = |step: &String| step.starts_with("SEARCH runs USING") && step.contains("<?)");
        assert!(steps.iter().any(begins), "{question}: {steps:?}");
    }
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
    let rows = super::claim::with_liveness(&store, vec![row]).await.unwrap();
    assert_eq!((rows[0].state, rows[0].present_state()), (RunState::Success, RunState::Success));
}

#[tokio::test]
async fn a_store_of_schema_2_is_migrated() {
    let (_dir, path) = place();
    let mut connection = raw(&path).await;
    for sql in [include_str!("migrations/0001_runs.sql"), include_str!("migrations/0002_deliveries.sql")] {
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    }
    let info = r#"{"dag_id":"etl","run_id":"a","logical_date":"2026-01-01T00:00:00Z","trigger":"dag","interval":null}"#;
    let rows = format!(
        "INSERT INTO runs VALUES (1, 'a', 'etl', 'g', 'running', 'dag', 5, 10, NULL, 'b', 'host:1', 1, 3, '{info}', '[]', x'');
         INSERT INTO runs VALUES (2, 'b', 'etl', 'g', 'failed', 'manual', 5, 10, 20, 'b', 'host:1', 1, 3, '{info}', '[]', x'');
         INSERT INTO owing VALUES ('a');
         INSERT INTO deliveries VALUES ('a', 'key', 'it failed', 'mail', 7, 1, NULL, NULL);
         INSERT INTO requests (run, what, by, reason, at) VALUES (1, 'cancel', 'ann', '', 0), (2, 'cancel', 'bob', '', 0)"
    );
    sqlx::raw_sql(AssertSqlSafe(rows)).execute(&mut connection).await.unwrap();
    super::schema::record(&mut connection, 2).await.unwrap();
    connection.close().await.unwrap();

    let store = open(&path).await;
    let triggered = RunFilter { run_types: vec![RunType::Triggered], ..Default::default() };
    let rows = store.runs(&triggered).await.unwrap();
    assert_eq!(rows.iter().map(|row| (row.number, row.info.run_type)).collect::<Vec<_>>(), [(1, RunType::Triggered)]);
    assert_eq!(store.outbox_pending().await.unwrap(), ["a"]);
    assert_eq!(store.deliveries("a").await.unwrap()[0].notification, "it failed");
    let requests = store.requests(&[1, 2]).await.unwrap();
    assert_eq!(requests.iter().map(|(_, request)| &*request.by).collect::<Vec<_>>(), ["ann"]);
    let (row, _guard) = claim(&store, 1, "host:2").await;
    assert_eq!(row.token, 2);
}

#[tokio::test]
async fn a_store_without_checksums_gets_them_as_it_is_written() {
    let (_dir, path) = place();
    let mut connection = raw(&path).await;
    let migrations = [
        include_str!("migrations/0001_runs.sql"),
        include_str!("migrations/0002_deliveries.sql"),
        include_str!("migrations/0003_outbox.sql"),
    ];
    for sql in migrations {
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    }
    let info =
        r#"{"dag_id":"etl","run_id":"a","logical_date":"2026-01-01T00:00:00Z","trigger":"manual","interval":null}"#;
    let rows = format!(
        "INSERT INTO runs VALUES (1, 'a', 'etl', 'g', 'running', 'manual', 5, 10, NULL, 'b', 'host:1', 1, 3, '{info}', '[]', x'01');
         INSERT INTO segments VALUES ((1 << 32) + 1, x'01', x'02'), ((1 << 32) + 2, x'03', x'04');
         INSERT INTO graphs VALUES ('g', x'05')"
    );
    sqlx::raw_sql(AssertSqlSafe(rows)).execute(&mut connection).await.unwrap();
    super::schema::record(&mut connection, 3).await.unwrap();
    connection.close().await.unwrap();

    let store = open(&path).await;
    assert_eq!(store.segments(1, 0).await.unwrap().len(), 2);
    assert_eq!(store.data(1, 2, 0..1).await.unwrap(), Some(vec![4]));
    assert_eq!((store.params(1).await.unwrap(), store.graph("g").await.unwrap()), (Some(vec![1]), Some(vec![5])));
    assert_eq!(store.check().await.unwrap(), [""; 0]);
    let (row, guard) = claim(&store, 1, "host:2").await;
    ok(&store, &[known(1, row.token, Some(segment(3)), None), plain(1, row.token, 4)]).await;
    ok(&store, &[new("b", 20)]).await;
    let findings = store.check().await.unwrap();
    assert_eq!(findings, ["run 2 has the graph graph-1, whose snapshot is missing"]);
    drop(guard);
    store.close().await.unwrap();

    let damages = [
        (
            "UPDATE segments SET events = x'00' WHERE id = (1 << 32) + 4",
            "run 1: the checksum of segment 4 does not match",
        ),
        ("UPDATE segments SET checksum = NULL WHERE id = (1 << 32) + 4", "run 1: segment 4 has no checksum"),
        ("DELETE FROM segments WHERE id = (1 << 32) + 4", "run 1: its end is missing: it has 3 of 4 segments"),
    ];
    let sound = std::fs::read(&path).unwrap();
    for (sql, expected) in damages {
        edit(&path, sql).await;
        let error = open(&path).await.segments(1, 0).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        std::fs::write(&path, &sound).unwrap();
    }
    // A run that was begun with checksums has all of them.
    edit(&path, "UPDATE runs SET checksum_info = NULL WHERE number = 2").await;
    let error = open(&path).await.run(2).await.unwrap_err().to_string();
    assert!(error.contains("run 2: its description has no checksum"), "{error}");
}

#[tokio::test]
async fn a_store_of_schema_4_gets_the_limits_of_its_processes() {
    let (_dir, path) = place();
    let mut connection = raw(&path).await;
    let migrations = [
        include_str!("migrations/0001_runs.sql"),
        include_str!("migrations/0002_deliveries.sql"),
        include_str!("migrations/0003_outbox.sql"),
    ];
    for sql in migrations {
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    }
    let info = |run_id: &str| {
        format!(
            r#"{{"dag_id":"etl","run_id":"{run_id}","logical_date":"2026-01-01T00:00:00Z","run_type":"manual","interval":null}}"#
        )
    };
    for (number, run_id) in [(1, "a"), (2, "b")] {
        let row = format!(
            "INSERT INTO runs VALUES ({number}, '{run_id}', 'etl', 'g', 'running', 'manual', 5, 10, NULL, 'b', 'host:1', 1, 3, \
             '{}', '[]', x'01')",
            info(run_id)
        );
        sqlx::raw_sql(AssertSqlSafe(row)).execute(&mut connection).await.unwrap();
    }
    sqlx::raw_sql(include_str!("migrations/0004_checksums.sql")).execute(&mut connection).await.unwrap();
    super::schema::record(&mut connection, 4).await.unwrap();
    connection.close().await.unwrap();

    let store = open(&path).await;
    assert_eq!(store.run(1).await.unwrap().unwrap().present_state(), RunState::Interrupted);
    let (one, _one_guard) = claim(&store, 1, "host:2").await;
    let (two, _two_guard) = claim(&store, 2, "host:2").await;
    let admit = async |run, token| {
        store
            .admit(&AdmissionRequest {
                run,
                token,
                limit: 1,
                ancestors: Vec::new(),
                is_backfill: false,
                is_first: false,
            })
            .await
            .unwrap()
    };
    assert_eq!(admit(1, one.token).await, Admission::Admitted);
    assert_eq!(admit(2, two.token).await, Admission::Waits { active: vec![1], ahead: vec![] });
    assert_eq!(store.run(2).await.unwrap().unwrap().present_state(), RunState::Queued);
    assert!(store.hold_pools("pools").await.unwrap().is_some());
    let demand = PoolDemand { pool: "p".to_owned(), size: 4, held: 0, taken: 0, wanted: 1, largest: 1 };
    assert_eq!(store.lease_pools("pools", &[demand]).await.unwrap()[0].held, 4);
    assert!(store.schedules().await.unwrap().is_empty());
}

#[tokio::test]
async fn only_lazy_writes_do_without_the_disk() {
    async fn synchronous(mut guard: super::connection::ConnectionGuard<'_>) -> i64 {
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
async fn a_damaged_schedule_is_noticed() {
    let (_dir, path) = place();
    let store = open(&path).await;
    let row = ScheduleRow { dag: "etl".to_owned(), version: 1, state: "{}".to_owned(), updated: Timestamp::EPOCH };
    let at = Timestamp::EPOCH;
    let (fate, reason) = ("missed".to_owned(), String::new());
    let slot = SlotRow { dag: "etl".to_owned(), first: at, last: at, count: 1, fate, reason, decided: at };
    let note = NoteRow { dag: "etl".to_owned(), at, note: "{}".to_owned() };
    let (runs, fresh, graphs) = (Vec::new(), Vec::new(), Vec::new());
    let step = ScheduleStep { row, slots: vec![slot], notes: vec![note], runs, fresh, graphs, audit: None };
    let deadlines = ScheduleStep { slots: Vec::new(), notes: Vec::new(), ..step.clone() };
    store.step_schedules(&[step]).await.unwrap();
    store.step_slot_deadlines(&[deadlines]).await.unwrap();
    store.close().await.unwrap();
    edit(
        &path,
        "UPDATE schedules SET state = '{\"noticed\":1}'; UPDATE slots SET count = 2; \
                 UPDATE schedule_notes SET note = '[]'; UPDATE slot_deadlines SET version = 2",
    )
    .await;
    let store = open(&path).await;
    let error = store.schedule("etl").await.unwrap_err().to_string();
    assert!(error.contains("the schedule of `etl`: its checksum does not match"), "{error}");
    assert!(store.slots("etl", 5).await.is_err() && store.schedule_notes("etl", 5).await.is_err());
    let schedules = store.schedules().await.unwrap();
    let damaged = schedules[0].as_ref().unwrap_err();
    assert_eq!((&*damaged.dag, damaged.version), ("etl", 1));
    let error = store.slot_deadlines().await.unwrap().remove(0).unwrap_err().error.to_string();
    assert!(error.contains("the deadlines of `etl`: its checksum does not match"), "{error}");
    let found = store.check().await.unwrap();
    assert_eq!(found.len(), 4, "{found:?}");
}

#[tokio::test]
async fn a_damaged_backfill_is_noticed() {
    let (_dir, path) = place();
    let store = open(&path).await;
    let (dag, plan, updated) = ("etl".to_owned(), "{}".to_owned(), Timestamp::EPOCH);
    let row = BackfillRow { number: 0, dag, version: 1, is_open: true, plan, updated };
    let change = BackfillChange { row, runs: Vec::new(), graphs: Vec::new(), beside: None, audit: None };
    store.change_backfill(&change).await.unwrap();
    store.change_backfill(&change).await.unwrap();
    store.close().await.unwrap();
    edit(&path, "UPDATE backfills SET open = 0 WHERE number = 2").await;
    let store = open(&path).await;
    assert_eq!(store.open_backfills().await.unwrap().len(), 1);
    let error = store.backfill(2).await.unwrap_err().to_string();
    assert!(error.contains("backfill 2: its checksum does not match"), "{error}");
    assert_eq!(store.check().await.unwrap(), ["backfill 2: its checksum does not match"]);
}

#[tokio::test]
async fn the_runs_of_slots_are_compared_with_their_checksums() {
    let (_dir, path) = place();
    filled(&path).await;
    let all = [(Timestamp::EPOCH, Timestamp::from_nanos(i64::MAX))];
    let found = async |store: &SqliteStore| store.slot_runs("etl", &all).await;
    let store = open(&path).await;
    assert!(!found(&store).await.unwrap().is_empty());
    store.close().await.unwrap();
    edit(&path, "UPDATE runs SET state = 'failed' WHERE number = 1").await;
    let store = open(&path).await;
    let error = found(&store).await.unwrap_err().to_string();
    assert!(error.contains("run 1: the checksum of its state does not match"), "{error}");
}

/// However many rows the trail has, a page reads only its own.
#[tokio::test]
async fn no_page_of_the_audit_trail_scans_all_rows() {
    let (_dir, path) = place();
    filled(&path).await;
    let mut connection = raw(&path).await;
    // The planner decides by the shape of the data.
    let rows = "WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 100000) \
                INSERT INTO audit (at, actor, via, action, dag, run_id, reason, before, after, outcome, error, checksum) \
                SELECT n, 'ann', 'cli', 'clear', 'dag ' || (n % 10), 'run ' || n, '', '{}', '{}', 'applied', '', 0 \
                FROM counted";
    sqlx::query(rows).execute(&mut connection).await.unwrap();
    let text = |text: &str| Some(text.to_owned());
    let page = || AuditFilter { limit: Some(50), ..AuditFilter::default() };
    for filter in [
        page(),
        AuditFilter { below: Some(50_000), ..page() },
        AuditFilter { dag: text("dag 3"), ..page() },
        AuditFilter { dag: text("dag 3"), below: Some(50_000), ..page() },
        AuditFilter { run_id: text("run 77"), ..page() },
        AuditFilter { actor: text("ann"), below: Some(50_000), ..page() },
        AuditFilter { action: text("clear"), ..page() },
        AuditFilter { actor: text("nobody"), ..page() },
        AuditFilter { actor: text("ann"), action: text("mark"), ..page() },
        AuditFilter { actor: text("ann"), dag: text("dag 3"), below: Some(50_000), ..page() },
        AuditFilter { action: text("clear"), dag: text("dag 3"), run_id: text("run 77"), ..page() },
        AuditFilter { since: Some(Timestamp::from_nanos(90_000)), ..page() },
        AuditFilter { since: Some(Timestamp::from_nanos(90_000)), actor: text("ann"), ..page() },
        AuditFilter { until: Some(Timestamp::from_nanos(10_000)), ..page() },
        AuditFilter { until: Some(Timestamp::from_nanos(10_000)), dag: text("dag 3"), below: Some(50_000), ..page() },
    ] {
        let mut plan = Vec::new();
        let question = super::audit::selected(&filter).text();
        let steps = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {question}")));
        for row in steps.fetch_all(&mut connection).await.unwrap() {
            plan.push(row.try_get::<String, _>("detail").unwrap());
        }
        // What selects the fewest rows comes first.
        let by = [("run", &filter.run_id), ("dag", &filter.dag), ("actor", &filter.actor), ("action", &filter.action)];
        let index = by.into_iter().find(|(_, text)| text.is_some()).map(|(by, _)| format!("audit_by_{by} "));
        match &index {
            Some(index) => assert!(plan.iter().any(|step| step.contains(index)), "{question}: {plan:?}"),
            // A walk along the numbers is no scan: it ends with the page.
            None => plan.retain(|step| step != "SCAN audit"),
        }
        assert!(!plan.iter().any(|step| step.starts_with("SCAN")), "{question}: {plan:?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{question}: {plan:?}");
    }
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

/// Whoever wants to write waits for one piece of the deletion, and not for all of it. What is
/// dropped between two pieces leaves the row that says who wanted it.
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

/// Deleting a piece of a run must not take longer the more runs there are.
#[tokio::test]
async fn a_piece_of_a_deletion_searches_the_segments_of_its_runs_only() {
    let (_dir, path) = place();
    filled(&path).await;
    let mut connection = raw(&path).await;
    let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", super::upkeep::some_segments())));
    for row in plan.fetch_all(&mut connection).await.unwrap() {
        let step: String = row.try_get("detail").unwrap();
        assert!(!step.starts_with("SCAN segments") && !step.starts_with("SCAN runs"), "{step}");
    }
}

#[tokio::test]
async fn rows_of_the_audit_trail_never_change_and_damage_is_noticed() {
    let (_dir, path) = place();
    let store = open(&path).await;
    for actor in ["ann", "bob"] {
        store.record_audit(&crate::store::conformance::audit::row(actor, 5)).await.unwrap();
    }
    store.close().await.unwrap();
    let mut connection = raw(&path).await;
    let changed = sqlx::query("UPDATE audit SET actor = 'eve'").execute(&mut connection).await;
    assert!(changed.unwrap_err().to_string().contains("never changes"));
    edit(&path, "DROP TRIGGER audit_is_append_only; UPDATE audit SET actor = 'eve' WHERE number = 2").await;
    let store = open(&path).await;
    let error = store.audit(&AuditFilter::default()).await.unwrap_err().to_string();
    assert!(error.contains("audit row 2: its checksum does not match"), "{error}");
    let lost = "the trigger audit_is_append_only is not the one of this schema";
    assert_eq!(store.check().await.unwrap(), [lost, "audit row 2: its checksum does not match"]);
}
