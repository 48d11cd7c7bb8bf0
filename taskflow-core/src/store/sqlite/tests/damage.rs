//! Damaged files and rows: each is noticed and named.

use std::path::Path;

use super::super::SqliteStore;
use super::support::{edit, filled, open, place, raw};
use crate::base::Timestamp;
use crate::run::RunState;
use crate::store::audit_rows::AuditFilter;
use crate::store::backfill_rows::{BackfillChange, BackfillRow};
use crate::store::conformance::{known, new, ok, update};
use crate::store::error::StoreError;
use crate::store::rows::RunFilter;
use crate::store::schedule_rows::{NoteRow, ScheduleRow, ScheduleStep, SlotRow};
use crate::store::sync_mode::SyncMode;
use crate::store::traits::{
    AuditStore, BackfillStore, GraphStore, Maintenance, RequestStore, RunStore, ScheduleStore, SegmentStore,
};

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

/// A run is deleted, and a later one has its id, as when a backfill fills its slot again. The row
/// of the deleted run, which keeps its number, was called damaged.
#[tokio::test]
async fn a_row_of_a_deleted_run_whose_id_a_later_one_has_is_no_damage() {
    let (_dir, path) = place();
    let store = open(&path).await;
    store.put_graph("graph-1", b"snapshot").await.unwrap();
    ok(&store, &[new("b", 10), new("a", 20)]).await;
    ok(&store, &[known(2, 1, None, Some(update(RunState::Success)))]).await;
    store.record_audit(&crate::store::conformance::audit::row("ann", 5)).await.unwrap();
    assert_eq!(store.audit(&AuditFilter::default()).await.unwrap()[0].run, Some(2));
    assert_eq!(store.delete(&[2], None).await.unwrap(), [2]);
    assert_eq!(ok(&store, &[new("a", 30)]).await, [3]);
    assert_eq!(store.check().await.unwrap(), [""; 0]);
    store.close().await.unwrap();
    // The number of another run, and one that no run with this id can have had.
    for damage in [
        "DROP TRIGGER IF EXISTS audit_is_append_only; UPDATE audit SET run = 1",
        "DROP TRIGGER IF EXISTS audit_is_append_only; UPDATE audit SET run = 9",
    ] {
        edit(&path, damage).await;
        let store = open(&path).await;
        let found = store.check().await.unwrap();
        let expected = "audit row 1: the number of its run is not the one of its id";
        assert!(found.iter().any(|finding| finding == expected), "{damage}: {found:?}");
        store.close().await.unwrap();
    }
}
