//! Damages every part of a small store, one after the other.
//!
//! A store never answers with something that was not stored: it refuses. If a key is damaged, a row
//! may not be found any more; then the answer lacks that row, and a check names the damage. The
//! journal refuses a run whose graph or value is not found.

use std::fmt::Debug;
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::{SqliteStore, examine};
use crate::base::Timestamp;
use crate::callback::DeliveryAttempt;
use crate::run::{RunState, Stored};
use crate::store::account_rows::{AccountKind, AccountRow, AccountStore};
use crate::store::admission::{Admission, AdmissionRequest};
use crate::store::backfill_rows::{BackfillChange, BackfillRow, Changed};
use crate::store::conformance::audit::row as audit_row;
use crate::store::conformance::damage::{Damaged, Part};
use crate::store::conformance::{claim, known, new, ok, plain, segment, update};
use crate::store::error::StoreError;
use crate::store::event_rows::{NewEvent, WatchCursor};
use crate::store::pool_leases::PoolDemand;
use crate::store::rollup_rows::RollupRow;
use crate::store::rows::{Request, RequestKind, RunFilter, RunUpdate};
use crate::store::schedule_rows::{NoteRow, ScheduleRow, ScheduleStep, SlotRow};
use crate::store::sync_mode::SyncMode;
use crate::store::traits::{
    AuditStore, GraphStore, Maintenance, Outbox, PoolStore, RequestStore, RollupStore, RunStore, SegmentStore, Store,
};
use crate::value::FileRef;

/// A file for the cases of the conformance suite.
pub(in crate::store) struct DamagedFile(tempfile::TempDir);

impl Default for DamagedFile {
    fn default() -> Self {
        DamagedFile(tempfile::tempdir().unwrap())
    }
}

impl Damaged for DamagedFile {
    async fn open(&self) -> Box<dyn Store> {
        Box::new(SqliteStore::open(&self.0.path().join("runs.db"), SyncMode::Normal).await.unwrap())
    }

    async fn damage(&self, part: Part) {
        let sql = match part {
            Part::Entries => "UPDATE segments SET events = x'0103' WHERE id = (1 << 32) + 2".to_owned(),
            Part::Data => "UPDATE segments SET data = zeroblob(length(data)) WHERE id = (1 << 32) + 2".to_owned(),
            Part::Segment(number) => format!("DELETE FROM segments WHERE id = (1 << 32) + {number}"),
            Part::State => "UPDATE runs SET state = 'failed' WHERE number = 1".to_owned(),
            Part::Dag => "UPDATE runs SET dag_id = 'other' WHERE number = 1".to_owned(),
            Part::Token => "UPDATE runs SET token = 7 WHERE number = 1".to_owned(),
            Part::Params => "UPDATE runs SET params = x'00' WHERE number = 1".to_owned(),
            // The trigger would remove what is known of the run elsewhere.
            Part::Run => "DROP TRIGGER run_without_head; DELETE FROM runs WHERE number = 1; \
                 CREATE TRIGGER run_without_head AFTER DELETE ON runs BEGIN \
                 DELETE FROM heads WHERE run = OLD.number; END"
                .to_owned(),
            Part::Graph => "UPDATE graphs SET snapshot = x'00'".to_owned(),
        };
        let options = SqliteConnectOptions::new().filename(self.0.path().join("runs.db")).foreign_keys(false);
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// How many bytes are changed at once.
const RANGE: usize = 32;

/// What no check can find damaged, with the reason: a column of a table, or all of it (`*`).
/// `docs/durability.md` names those that users know of.
const UNCHECKED: &[(&str, &str, &str)] = &[
    ("admissions", "*", "living processes tell each other; it means nothing once they have ended"),
    ("pool_leases", "*", "living processes tell each other; it means nothing once they have ended"),
    ("deletions", "*", "what it names is deleted only if no run has it; usually it is empty"),
    ("left_files", "*", "the files of what it names are deleted only if no such run has started; usually it is empty"),
    ("left_payloads", "*", "what it names is deleted only if no event has it; usually it is empty"),
    ("accounts", "used", "written with every request; it only says when a session expires"),
    ("audit", "run", "only the store knows the number of a new run; the id, which is checked, says which run it is"),
    ("sqlite_sequence", "*", "the numbers of deleted rows are known nowhere else; those of others are compared"),
    ("heads", "last", "that of run 0, in a store that was written before there were checksums; others are compared"),
    ("taskflow_migrations", "description", "for people; the version and its checksum are compared"),
    ("taskflow_migrations", "installed_on", "for people"),
    ("taskflow_migrations", "execution_time", "for people"),
    ("taskflow_migrations", "success", "for people"),
];

/// A store with something of everything: one run has ended, one was claimed again, one is queued.
async fn filled(path: &Path) {
    let store = SqliteStore::open(path, SyncMode::Normal).await.unwrap();
    for graph in ["graph-1", "graph-2"] {
        store.put_graph(graph, b"the snapshot of a graph").await.unwrap();
    }
    ok(&store, &[new("first", 10), new("second", 20), new("third", 30)]).await;
    for number in 2..6 {
        ok(&store, &[plain(1, 1, number), plain(2, 1, number), known(3, 1, Some(segment(number)), None)]).await;
    }
    ok(&store, &[known(1, 1, Some(segment(6)), Some(update(RunState::Success)))]).await;
    let (_, owned) = claim(&store, 2, "host:2").await;
    // An older graph, and a run that was admitted.
    let other_graph = RunUpdate { graph: Some(("graph-2".to_owned(), 4)), ..update(RunState::Running) };
    ok(&store, &[known(2, 2, Some(segment(6)), Some(other_graph))]).await;
    let ancestors = Vec::new();
    let admission = AdmissionRequest { run: 2, token: 2, limit: 3, ancestors, is_backfill: false, is_first: false };
    assert_eq!(store.admit(&admission).await.unwrap(), Admission::Admitted);
    drop(owned);
    let (by, reason) = ("ann".to_owned(), "wrong day".to_owned());
    store
        .ask(&Request { run: 2, what: RequestKind::Cancel, by, reason, at: Timestamp::from_nanos(7) }, None)
        .await
        .unwrap();
    store.outbox_add("second").await.unwrap();
    let attempt = DeliveryAttempt {
        key: "key".to_owned(),
        notification: "it has failed".to_owned(),
        callback: "mail".to_owned(),
        at: Timestamp::from_nanos(8),
        attempts: 2,
        error: Some("no".to_owned()),
        next: Some(Timestamp::from_nanos(9)),
    };
    store.record_deliveries("second", &[attempt]).await.unwrap();
    let labels = b"labels".to_vec();
    store.put_rollups(&[RollupRow { run: 1, segments: 6, body: b"a body".to_vec(), labels }]).await.unwrap();
    let _holder = store.hold_pools("host:1:1").await.unwrap();
    let demand = PoolDemand { pool: "dwh".to_owned(), size: 4, held: 0, taken: 0, wanted: 2, largest: 1 };
    store.lease_pools("host:1:1", &[demand]).await.unwrap();
    schedules_are_filled(&store).await;
    events_are_filled(&store).await;
    for (kind, secret, owner) in [
        (AccountKind::User, None, ""),
        (AccountKind::Session, Some("a digest"), "kim"),
        (AccountKind::Token, None, "kim"),
    ] {
        let (name, secret, state) = ("kim".to_owned(), secret.map(str::to_owned), "{\"role\":\"viewer\"}".to_owned());
        let used = Timestamp::from_nanos(1);
        let row = AccountRow { kind, name, secret, owner: owner.to_owned(), state, used };
        assert!(store.add_account(&row, Some(&audit_row("kim", 3))).await.unwrap());
    }
    store.record_audit(&audit_row("ann", 4)).await.unwrap();
    store.close().await.unwrap();
}

/// Schedules, consumers and deadlines, their records and their runs, and a backfill.
async fn schedules_are_filled(store: &dyn Store) {
    let at = Timestamp::from_nanos(11);
    let step = |dag: &str, version: i64| {
        let dag = dag.to_owned();
        let row = ScheduleRow { dag: dag.clone(), version, state: "{\"noticed\":5}".to_owned(), updated: at };
        let (fate, reason) = ("missed".to_owned(), "no service was running".to_owned());
        let slot = SlotRow { dag: dag.clone(), first: at, last: at, count: 1, fate, reason, decided: at };
        let note = NoteRow { dag, at, note: "{\"paused\":\"by ann\"}".to_owned() };
        let (slots, notes) = (vec![slot], vec![note]);
        ScheduleStep { row, slots, notes, runs: Vec::new(), fresh: Vec::new(), graphs: Vec::new(), audit: None }
    };
    for version in [1, 2] {
        store.step_schedules(&[step("daily", version), step("hourly", version)]).await.unwrap();
        store.step_consumers(&[step("eager", version)]).await.unwrap();
        store.step_slot_deadlines(&[step("daily", version)]).await.unwrap();
    }
    for _ in 0..2 {
        let (dag, plan) = ("daily".to_owned(), "{\"slots\":7}".to_owned());
        let row = BackfillRow { number: 0, dag, version: 1, is_open: true, plan, updated: at };
        let change = BackfillChange { row, runs: Vec::new(), graphs: Vec::new(), beside: None, audit: None };
        assert!(matches!(store.change_backfill(&change).await.unwrap(), Changed::Stored(_)));
    }
}

/// Events with and without everything that they can have, and a cursor.
async fn events_are_filled(store: &dyn Store) {
    let event = |asset: &str, value| NewEvent {
        asset: asset.to_owned(),
        partition: None,
        key: None,
        ty: "u64".to_owned(),
        value,
        emitted: Timestamp::from_nanos(5),
        run: None,
        task: None,
        by: "ann".to_owned(),
        on_change: false,
    };
    let whole = NewEvent {
        partition: Some("2026-02-03".to_owned()),
        key: Some("a key".to_owned()),
        run: Some("first".to_owned()),
        task: Some("load".to_owned()),
        ..event("orders", Stored::Inline(b"a payload".to_vec()))
    };
    let file = event("rates", Stored::File(FileRef::of(b"a large payload")));
    let (source, cursor) = ("files".to_owned(), "\"a place\"".to_owned());
    let cursor = WatchCursor { source, cursor, updated: Timestamp::from_nanos(6) };
    store.emit(&[whole, file], Some(&cursor), None).await.unwrap();
}

/// A question, and what a store answers: the rows.
type Answer = (String, Result<Vec<String>, StoreError>);

/// What a store answers to every question.
async fn answers(path: &Path) -> Result<Vec<Answer>, StoreError> {
    fn answer_of<T: Debug>(answer: Result<impl IntoIterator<Item = T>, StoreError>) -> Result<Vec<String>, StoreError> {
        answer.map(|rows| rows.into_iter().map(|row| format!("{row:?}")).collect())
    }

    let store = SqliteStore::open_existing(path, SyncMode::Normal).await?;
    let Some(store) = store else { return Ok(Vec::new()) };
    let mut answers = vec![
        ("runs".to_owned(), answer_of(store.runs(&RunFilter::default()).await)),
        ("outbox".to_owned(), answer_of(store.outbox_pending().await)),
        ("requests".to_owned(), answer_of(store.requests(&[1, 2, 3]).await)),
        ("graph".to_owned(), answer_of(store.graph("graph-1").await)),
    ];
    for (number, id) in [(1, "first"), (2, "second"), (3, "third")] {
        answers.push((format!("run {number}"), answer_of(store.run(number).await)));
        answers.push((format!("run {id}"), answer_of(store.run_by_id(id).await)));
        answers.push((format!("find {id}"), answer_of(store.find(id, 5).await)));
        answers.push((format!("params of {number}"), answer_of(store.params(number).await)));
        answers.push((format!("deliveries of {id}"), answer_of(store.deliveries(id).await)));
        answers.push((format!("segments of {number}"), answer_of(store.segments(number, 1).await)));
        answers.push((format!("last segment of {number}"), answer_of(store.segments(number, 5).await)));
        for segment in 1..=6 {
            let data = store.data(number, segment, 0..2).await;
            answers.push((format!("data of {number}, {segment}"), answer_of(data)));
        }
    }
    Ok(answers)
}

/// The columns of each table of a sound store that a check has to find damaged.
async fn checked_columns(path: &Path) -> Vec<(String, Vec<String>)> {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let names: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
    let mut tables = Vec::new();
    for table in names {
        let sql = AssertSqlSafe(format!("SELECT name FROM pragma_table_info('{table}')"));
        let mut columns: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
        let is_unchecked =
            |column: &str| UNCHECKED.iter().any(|(of, unchecked, _)| *of == table && ["*", column].contains(unchecked));
        columns.retain(|column| !is_unchecked(column));
        if !columns.is_empty() {
            tables.push((table, columns));
        }
    }
    tables.push(("sqlite_schema".to_owned(), ["type", "name", "tbl_name", "sql"].map(str::to_owned).into()));
    connection.close().await.unwrap();
    tables
}

/// Everything in these columns, a line for each row; or why it cannot be read.
async fn dump(path: &Path, tables: &[(String, Vec<String>)]) -> Result<Vec<(String, Vec<String>)>, String> {
    let read = async {
        let mut connection = SqliteConnectOptions::new().filename(path).connect().await?;
        let mut dump = Vec::with_capacity(tables.len());
        for (table, columns) in tables {
            let columns: Vec<String> = columns.iter().map(|column| format!("quote(\"{column}\")")).collect();
            // The bytes: damaged text may not be UTF-8.
            let sql = format!("SELECT CAST({} AS BLOB) FROM {table} NOT INDEXED", columns.join(" || ' ' || "));
            let rows: Vec<Vec<u8>> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut connection).await?;
            let mut rows: Vec<String> = rows.iter().map(|row| row.escape_ascii().to_string()).collect();
            rows.sort_unstable();
            dump.push((table.clone(), rows));
        }
        connection.close().await?;
        Ok::<_, sqlx::Error>(dump)
    };
    read.await.map_err(|error| error.to_string())
}

/// The rows that one dump has and the other one lacks.
fn changed(expected: &[(String, Vec<String>)], found: &[(String, Vec<String>)]) -> Option<String> {
    expected.iter().zip(found).find(|(expected, found)| expected != found).map(|((table, expected), (_, found))| {
        let only = |these: &[String], those: &[String]| -> Vec<String> {
            these.iter().filter(|row| !those.contains(row)).cloned().collect()
        };
        format!("{table}: {:?} became {:?}", only(expected, found), only(found, expected))
    })
}

/// B5: every byte range of a small store is changed, one at a time.
#[tokio::test]
async fn damage_that_changes_an_answer_is_refused_and_named_by_a_check() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("runs.db");
    filled(&path).await;
    let sound = std::fs::read(&path).unwrap();
    let expected = answers(&path).await.unwrap();
    assert!(expected.iter().all(|(_, answer)| answer.is_ok()), "{expected:?}");
    let tables = checked_columns(&path).await;
    let whole = dump(&path, &tables).await.unwrap();
    let empty: Vec<&String> = whole.iter().filter(|(_, rows)| rows.is_empty()).map(|(table, _)| table).collect();
    assert!(empty.is_empty(), "nothing is stored in {empty:?}");
    let store = SqliteStore::open_existing(&path, SyncMode::Normal).await.unwrap().unwrap();
    assert_eq!(store.check().await.unwrap(), [""; 0]);
    store.close().await.unwrap();
    let (mut wrong, mut refused, mut lacking) = (Vec::new(), 0, 0);
    for from in (0..sound.len()).step_by(RANGE) {
        // Free space: pages are mostly empty.
        if sound[from..(from + RANGE).min(sound.len())].iter().all(|&byte| byte == 0) {
            continue;
        }
        let mut bytes = sound.clone();
        bytes[from..(from + RANGE).min(sound.len())].iter_mut().for_each(|byte| *byte ^= 0x25);
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(dir.path().join(format!("runs.db{suffix}")));
        }
        std::fs::write(&path, &bytes).unwrap();
        let place = format!("byte {from} (page {}, {})", from / 4096 + 1, from % 4096);
        let dumped = dump(&path, &tables).await;
        let findings = match SqliteStore::open_existing(&path, SyncMode::Normal).await {
            Ok(Some(store)) => match store.check().await {
                Ok(findings) => findings,
                Err(error) => vec![error.to_string()],
            },
            Ok(None) => vec!["no store".to_owned()],
            Err(error) => [vec![error.to_string()], examine(&path).await].concat(),
        };
        let is_named = !findings.is_empty();
        match dumped {
            Ok(dumped) if !is_named => wrong.extend(changed(&whole, &dumped).map(|what| format!("{place}: {what}"))),
            Err(error) if !is_named => wrong.push(format!("{place}: {error}")),
            _ => {}
        }
        let answers = answers(&path).await;
        refused +=
            usize::from(answers.as_ref().map_or(true, |answers| answers.iter().any(|(_, answer)| answer.is_err())));
        let Ok(answers) = answers else { continue };
        if answers.is_empty() {
            wrong.push(format!("byte {from}: there is no store any more"));
        }
        for ((question, expected), (_, answer)) in expected.iter().zip(&answers) {
            let expected = expected.as_ref().unwrap();
            match answer {
                Ok(answer) if answer == expected => {}
                Ok(answer) if is_named && answer.iter().all(|row| expected.contains(row)) => lacking += 1,
                Err(_) if is_named => {}
                answer => wrong.push(format!("{place}: {question}: {answer:?}; a check finds {findings:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong answers:\n{}", wrong.len(), wrong.join("\n"));
    assert!(refused > 50 && lacking < refused, "{refused} {lacking}");
}
