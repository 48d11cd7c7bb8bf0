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
use crate::run::RunState;
use crate::store::conformance::damage::{Damaged, Part};
use crate::store::conformance::{claim, known, new, ok, plain, segment, update};
use crate::store::rows::{Request, RequestKind, RunFilter};
use crate::store::sync_mode::SyncMode;
use crate::store::traits::{GraphStore, Maintenance, Outbox, RequestStore, RunStore, SegmentStore, Store, StoreError};

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

/// A store with something of everything: one run has ended, one was claimed again, one is queued.
async fn filled(path: &Path) {
    let store = SqliteStore::open(path, SyncMode::Normal).await.unwrap();
    store.put_graph("graph-1", b"the snapshot of a graph").await.unwrap();
    ok(&store, &[new("first", 10), new("second", 20), new("third", 30)]).await;
    for number in 2..6 {
        ok(&store, &[plain(1, 1, number), plain(2, 1, number), known(3, 1, Some(segment(number)), None)]).await;
    }
    ok(&store, &[known(1, 1, Some(segment(6)), Some(update(RunState::Success)))]).await;
    drop(claim(&store, 2, "host:2").await);
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
    store.close().await.unwrap();
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

/// B5: every byte range of a small store is changed, one at a time.
#[tokio::test]
async fn damage_that_changes_an_answer_is_refused_and_named_by_a_check() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("runs.db");
    filled(&path).await;
    let sound = std::fs::read(&path).unwrap();
    let expected = answers(&path).await.unwrap();
    assert!(expected.iter().all(|(_, answer)| answer.is_ok()), "{expected:?}");
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
        let findings = match SqliteStore::open_existing(&path, SyncMode::Normal).await {
            Ok(Some(store)) => match store.check().await {
                Ok(findings) => findings,
                Err(error) => vec![error.to_string()],
            },
            Ok(None) => vec!["no store".to_owned()],
            Err(error) => [vec![error.to_string()], examine(&path).await].concat(),
        };
        let answers = answers(&path).await;
        refused +=
            usize::from(answers.as_ref().map_or(true, |answers| answers.iter().any(|(_, answer)| answer.is_err())));
        let Ok(answers) = answers else { continue };
        if answers.is_empty() {
            wrong.push(format!("byte {from}: there is no store any more"));
        }
        let place = format!("byte {from} (page {}, {})", from / 4096 + 1, from % 4096);
        for ((question, expected), (_, answer)) in expected.iter().zip(&answers) {
            let expected = expected.as_ref().unwrap();
            let is_named = !findings.is_empty();
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
