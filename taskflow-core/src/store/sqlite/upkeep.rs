//! Deletes runs, vacuums, and looks for damage.

use std::time::Instant;

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Connection, Row};

use super::SqliteStore;
use super::audit::AuditOf;
use super::error::{CORRUPT, Doing, NOT_A_DATABASE, code, explain};
use super::read::{Question, get};
use super::rests::Rests;
use super::script::{Script, json};
use crate::store::audit_rows::AuditRow;
use crate::store::error::StoreError;

/// How many runs a transaction deletes, so that others can write in between.
const AT_ONCE: usize = 20;

/// How much of their segments it deletes: until this many bytes are reached, and at most this many
/// rows. A segment is a row.
const BYTES: i64 = 4 << 20;
const ROWS: i64 = 2_000;

/// The limit of findings of a kind.
const FINDINGS: i64 = 100;

/// Deletes runs in pieces.
///
/// 1. A transaction deletes the rows of some runs, and their segments up to [`BYTES`] and [`ROWS`].
///    From then on the runs are gone for whoever reads. What is left of their segments is known by
///    their numbers in `deletions`.
/// 2. Further transactions delete the rest, as much at a time. Others write in between: see
///    [`Rests`].
///
/// If it ends in between, the next deletion goes on, also one of no runs.
pub(super) async fn delete(
    store: &SqliteStore,
    runs: &[i64],
    audit: Option<&AuditRow>,
) -> Result<Vec<i64>, StoreError> {
    let (mut deleted, mut rests) = (Vec::new(), Rests::default());
    // A piece that deletes runs finds what else is left. Without runs there is mostly nothing,
    // which is read rather than written.
    let mut is_left = runs.is_empty() && {
        let rows = Question::new("SELECT EXISTS (SELECT 1 FROM deletions)").ask(store).await?;
        rows.first().map_or(Ok(false), |row| get(store, row, 0, || "a deletion".to_owned()))?
    };
    let mut chunks = runs.chunks(AT_ONCE);
    loop {
        let runs: &[i64] = match is_left {
            true => &[],
            false => match chunks.next() {
                Some(runs) => runs,
                None => return Ok(deleted),
            },
        };
        let audit = audit.filter(|_| deleted.is_empty());
        let some = match delete_piece(store, runs, audit, &mut rests).await {
            Ok(some) => some,
            // The caller has to know of them. The next call goes on, or has the error.
            Err(_) if !deleted.is_empty() => return Ok(deleted),
            Err(error) => return Err(error),
        };
        deleted.extend(some.runs);
        is_left = some.is_left;
    }
}

/// Deletes in one transaction, after a rest.
async fn delete_piece(
    store: &SqliteStore,
    runs: &[i64],
    audit: Option<&AuditRow>,
    rests: &mut Rests,
) -> Result<Deleted, StoreError> {
    rests.before().await;
    store.hit("store.delete")?;
    let mut guard = store.writer.acquire().await?;
    let begun = Instant::now();
    let some = delete_some(guard.connection(), runs, audit).await;
    let some = some.map_err(|error| guard.explain(&error))?;
    guard.release();
    rests.after(begun);
    Ok(some)
}

/// What a transaction has deleted.
struct Deleted {
    runs: Vec<i64>,
    /// Whether segments of deleted runs are left.
    is_left: bool,
}

/// Deletes in one call: between two calls of a transaction, the lock of the file would be kept as
/// long as nothing drives this future.
async fn delete_some(
    connection: &mut SqliteConnection,
    runs: &[i64],
    audit: Option<&AuditRow>,
) -> sqlx::Result<Deleted> {
    let mut script = Script::new();
    if runs.is_empty() {
        script.sql += "BEGIN IMMEDIATE;";
    } else {
        script.delete_runs(connection, runs, audit).await?;
    }
    script.sql += &some_segments();
    script.sql += &format!(
        "DELETE FROM deletions WHERE NOT ({IS_GONE}) OR NOT EXISTS (SELECT 1 FROM segments WHERE {IS_OF_RUN}); \
         SELECT EXISTS (SELECT 1 FROM deletions); COMMIT"
    );
    let mut rows = script.send(connection).await?;
    let is_left = rows.pop().map_or(Ok(false), |row| row.try_get(0))?;
    Ok(Deleted { runs: rows.iter().map(|row| row.try_get(0)).collect::<sqlx::Result<_>>()?, is_left })
}

/// That a row of `deletions` is what it should be. It has no checksum: whatever is in it, no
/// segment of a stored run is deleted.
const IS_GONE: &str = "deletions.run BETWEEN 1 AND 2147483647 \
                       AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.number = deletions.run)";

/// That a segment is of the run of a row of `deletions`.
const IS_OF_RUN: &str = "segments.id BETWEEN (deletions.run << 32) AND (deletions.run << 32) + 4294967295";

/// The statement that deletes some of the segments that are left, at least one.
pub(super) fn some_segments() -> String {
    // SQLite knows the length of a blob without reading it.
    format!(
        "DELETE FROM segments WHERE id IN (SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY id) - size AS earlier FROM (\
         SELECT segments.id AS id, length(segments.events) + length(segments.data) AS size \
         FROM deletions CROSS JOIN segments ON {IS_OF_RUN} WHERE {IS_GONE} LIMIT {ROWS})) WHERE earlier < {BYTES});"
    )
}

impl Script {
    /// Begins a transaction that deletes those of some runs that have ended, with everything but
    /// their segments. It returns their numbers.
    async fn delete_runs(
        &mut self,
        connection: &mut SqliteConnection,
        runs: &[i64],
        audit: Option<&AuditRow>,
    ) -> sqlx::Result<()> {
        let all = format!("[{}]", runs.iter().map(i64::to_string).collect::<Vec<_>>().join(","));
        // A run that has ended keeps its graphs, so they are known before the transaction. Those
        // that another run has by then stay.
        let named = "SELECT json_group_array(graph) FROM (\
                     SELECT graph FROM runs WHERE number IN (SELECT value FROM json_each(?1)) \
                     UNION SELECT graph FROM former_graphs WHERE run IN (SELECT value FROM json_each(?1)))";
        let graphs: String = sqlx::query_scalar(named).bind(&all).fetch_one(connection).await?;

        let ended = "FROM runs WHERE number IN (SELECT value FROM json_each(?)) AND state NOT IN ('queued', 'running')";
        self.sql += "BEGIN IMMEDIATE;";
        for (table, column) in [
            ("outbox", "run_id"),
            ("deliveries", "run_id"),
            ("requests", "number"),
            ("admissions", "number"),
            ("former_graphs", "number"),
        ] {
            let own = if column == "number" { "run" } else { column };
            self.sql += &format!("DELETE FROM {table} WHERE {own} IN (SELECT {column} {ended});");
            self.give(&all)?;
        }
        self.sql += &format!("INSERT OR IGNORE INTO deletions SELECT number {ended};");
        self.give(&all)?;
        self.sql += &format!("INSERT OR IGNORE INTO left_files SELECT run_id {ended};");
        self.give(&all)?;
        self.sql += &format!("DELETE {ended} RETURNING number;");
        self.give(&all)?;
        if let Some(audit) = audit {
            self.audit(audit, AuditOf::LastStatement)?;
        }
        self.sql += "DELETE FROM graphs WHERE hash IN (SELECT value FROM json_each(?)) \
                AND NOT EXISTS (SELECT 1 FROM runs WHERE graph = hash) \
                AND NOT EXISTS (SELECT 1 FROM former_graphs WHERE graph = hash);";
        self.give(&graphs)
    }
}

pub(super) async fn left_files(store: &SqliteStore) -> Result<Vec<String>, StoreError> {
    let rows = Question::new("SELECT run_id FROM left_files ORDER BY run_id").ask(store).await?;
    rows.iter().map(|row| get(store, row, 0, || "the files of a deleted run".to_owned())).collect()
}

pub(super) async fn has_left_files(store: &SqliteStore, run_id: &str) -> Result<bool, StoreError> {
    let rows = Question::new("SELECT 1 FROM left_files WHERE run_id = ?").give(run_id).ask(store).await?;
    Ok(!rows.is_empty())
}

pub(super) async fn forget_files(store: &SqliteStore, run_ids: &[String]) -> Result<(), StoreError> {
    let ids = json(&run_ids).map_err(|error| explain(&store.path, Doing::Write, &error))?;
    let mut guard = store.writer.acquire().await?;
    let query = sqlx::query("DELETE FROM left_files WHERE run_id IN (SELECT value FROM json_each(?))").bind(ids);
    query.execute(guard.connection()).await.map_err(|error| guard.explain(&error))?;
    guard.release();
    Ok(())
}

pub(super) async fn vacuum(store: &SqliteStore) -> Result<(u64, u64), StoreError> {
    let mut guard = store.writer.acquire().await?;
    let before = store.size();
    // VACUUM writes to the write-ahead log: only the second checkpoint shrinks the file.
    let sql = "PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE)";
    sqlx::raw_sql(sql).execute(guard.connection()).await.map_err(|error| guard.explain(&error))?;
    guard.release();
    Ok((before, store.size()))
}

/// Queries for damage in the tables. Each row is a sentence.
const QUESTIONS: &[&str] = &[
    "SELECT 'segment ' || (id & 4294967295) || ' belongs to run ' || (id >> 32) || ', which does not exist' \
     FROM segments WHERE NOT EXISTS (SELECT 1 FROM runs WHERE number = id >> 32) \
     AND NOT EXISTS (SELECT 1 FROM deletions WHERE run = id >> 32)",
    "SELECT 'run ' || (id >> 32) || ' has a segment ' || (id & 4294967295) || ' but not the one before' \
     FROM segments AS this WHERE id & 4294967295 <> 1 \
     AND NOT EXISTS (SELECT 1 FROM segments AS other WHERE other.id = this.id - 1) \
     AND NOT EXISTS (SELECT 1 FROM deletions WHERE run = this.id >> 32)",
    "SELECT 'run ' || number || ' has the graph ' || graph || ', whose snapshot is missing' \
     FROM runs WHERE NOT EXISTS (SELECT 1 FROM graphs WHERE hash = graph)",
    "SELECT 'run ' || number || ', column `info`: not valid JSON' FROM runs WHERE NOT json_valid(info)",
    "SELECT 'run ' || number || ', column `counts`: not valid JSON' FROM runs WHERE NOT json_valid(counts)",
    "SELECT 'run ' || number || ', column `state`: `' || state || '` is not a state' FROM runs \
     WHERE state NOT IN ('queued', 'running', 'success', 'failed', 'cancelled', 'interrupted')",
    "SELECT 'run ' || number || ', column `token`: ' || token || ' is not a token' FROM runs WHERE token < (state <> 'queued')",
    "SELECT 'request ' || requests.number || ' is for run ' || run || ', which does not exist' \
     FROM requests WHERE NOT EXISTS (SELECT 1 FROM runs WHERE number = run)",
    "SELECT 'the record of the last segment of run ' || run || ' is of a run that does not exist' \
     FROM heads WHERE run <> 0 AND NOT EXISTS (SELECT 1 FROM runs WHERE number = run)",
    "SELECT 'the record of the last run without checksums is damaged' \
     WHERE NOT EXISTS (SELECT 1 FROM heads WHERE run = 0 AND checksum = 0 AND last >= 0)",
    // A run that was deleted may have had the same id, and an earlier number.
    "SELECT 'audit row ' || audit.number || ': the number of its run is not the one of its id' \
     FROM audit JOIN runs ON runs.run_id = audit.run_id WHERE audit.run <> runs.number \
     AND (audit.run > runs.number OR EXISTS (SELECT 1 FROM runs AS other WHERE other.number = audit.run))",
    // SQLite takes the next number from there, so that none is used twice.
    "SELECT 'the record of the last number in ' || name || ' is damaged' FROM (\
     SELECT 'runs' AS name, max(number) AS last FROM runs UNION ALL SELECT 'requests', max(number) FROM requests \
     UNION ALL SELECT 'events', max(number) FROM events UNION ALL SELECT 'audit', max(number) FROM audit) AS used \
     WHERE last > coalesce((SELECT max(seq) FROM sqlite_sequence WHERE sqlite_sequence.name = used.name), 0)",
];

/// Looks for damage of the file, without comparing indexes and contents.
pub(super) async fn quick_check(store: &SqliteStore) -> Result<Vec<String>, StoreError> {
    let mut guard = store.reader.acquire().await?;
    let pages = sqlx::query("PRAGMA quick_check(10)").fetch_all(guard.connection()).await;
    let found = sentences(store, pages)?;
    guard.release();
    Ok(found.into_iter().filter(|finding| finding != "ok").collect())
}

pub(super) async fn check(store: &SqliteStore) -> Result<Vec<String>, StoreError> {
    let mut findings = Vec::new();
    let mut guard = store.reader.acquire().await?;
    // A check reads everything once, so a cache would only fill up.
    let _ = sqlx::query("PRAGMA cache_size = -1000").execute(guard.connection()).await;
    let pages = sqlx::query("PRAGMA integrity_check(100)").fetch_all(guard.connection()).await;
    findings.extend(sentences(store, pages)?.into_iter().filter(|finding| finding != "ok"));
    match super::schema::check(guard.connection()).await {
        Ok(sentences) => findings.extend(sentences),
        // The check of the pages names it.
        Err(error) if matches!(code(&error), Some(CORRUPT | NOT_A_DATABASE)) => {}
        Err(error) => return Err(explain(&store.path, Doing::Read, &error)),
    }
    for question in QUESTIONS {
        let query = sqlx::query(AssertSqlSafe(format!("{question} LIMIT {FINDINGS}")));
        findings.extend(sentences(store, query.fetch_all(guard.connection()).await)?);
    }
    guard.release();
    findings.dedup();
    findings.extend(checksums(store).await?);
    for checked in [
        super::schedules::check(store, &mut findings).await,
        super::backfills::check(store, &mut findings).await,
        super::events::check(store, &mut findings).await,
        super::audit::check(store, &mut findings).await,
        super::rollups::check(store, &mut findings).await,
        super::accounts::check(store, &mut findings).await,
    ] {
        match checked {
            // The check of the pages names what SQLite cannot read.
            Err(StoreError::Read { .. }) if !findings.is_empty() => {}
            checked => checked?,
        }
    }
    Ok(findings)
}

/// Compares everything with its checksum.
async fn checksums(store: &SqliteStore) -> Result<Vec<String>, StoreError> {
    let mut findings = Vec::new();
    store.data.clear();
    let mut take = |result: Result<(), StoreError>| match result {
        Err(StoreError::Damaged { what, .. }) => {
            findings.push(what);
            Ok(())
        }
        // SQLite has noticed it.
        Err(error @ StoreError::Read { .. }) => {
            findings.push(error.to_string());
            Ok(())
        }
        result => result,
    };
    let numbers = async |sql: &'static str| match Question::new(sql).ask(store).await {
        Ok(rows) => Ok(rows),
        // The check of the pages names it.
        Err(StoreError::Read { .. } | StoreError::Damaged { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    for row in numbers("SELECT number FROM runs NOT INDEXED UNION SELECT id >> 32 FROM segments").await? {
        let run: i64 = get(store, &row, 0, || "a run".to_owned())?;
        take(super::read::run(store, run).await.map(drop))?;
        take(super::read::params(store, run).await.map(drop))?;
        let mut from = 1;
        loop {
            let segments = match super::segments::segments(store, run, from).await {
                Ok(segments) => segments,
                damaged => {
                    take(damaged.map(drop))?;
                    break;
                }
            };
            for segment in &segments {
                take(super::data::data(store, run, segment.number, 0..0).await.map(drop))?;
            }
            match segments.last() {
                Some(last) => from = last.number + 1,
                None => break,
            }
        }
    }
    take(super::deliveries::outbox_pending(store).await.map(drop))?;
    for row in numbers("SELECT DISTINCT run FROM requests").await? {
        let run: i64 = get(store, &row, 0, || "a request".to_owned())?;
        take(super::requests::requests(store, &[run]).await.map(drop))?;
    }
    for row in numbers("SELECT DISTINCT run_id FROM deliveries").await? {
        let run_id: String = get(store, &row, 0, || "a delivery".to_owned())?;
        take(super::deliveries::deliveries(store, &run_id).await.map(drop))?;
    }
    for row in numbers("SELECT hash FROM graphs NOT INDEXED").await? {
        let hash: String = get(store, &row, 0, || "a graph".to_owned())?;
        take(super::read::graph(store, &hash).await.map(drop))?;
    }
    Ok(findings)
}

/// The sentences of a query. A damaged file is a finding, too.
fn sentences(store: &SqliteStore, answer: sqlx::Result<Vec<SqliteRow>>) -> Result<Vec<String>, StoreError> {
    let rows = match answer {
        Ok(rows) => rows,
        Err(error) if matches!(code(&error), Some(CORRUPT | NOT_A_DATABASE)) => {
            return Ok(vec![explain(&store.path, Doing::Read, &error).to_string()]);
        }
        Err(error) => return Err(explain(&store.path, Doing::Read, &error)),
    };
    let sentence = |row: &SqliteRow| row.try_get(0).unwrap_or_else(|error| format!("a row cannot be read: {error}"));
    Ok(rows.iter().map(sentence).collect())
}

/// Moves the write-ahead log into the file unless somebody reads, and closes both connections.
pub(super) async fn close(store: &SqliteStore) -> Result<(), StoreError> {
    if let Some(connection) = store.reader.close().await {
        connection.close().await.map_err(|error| explain(&store.path, Doing::Read, &error))?;
    }
    let Some(mut connection) = store.writer.close().await else { return Ok(()) };
    let failed = |error: sqlx::Error| explain(&store.path, Doing::Write, &error);
    // A process that reads can keep the checkpoint from completing. The next process to close
    // completes it.
    let sql = "PRAGMA busy_timeout = 100; PRAGMA wal_checkpoint(TRUNCATE)";
    sqlx::raw_sql(sql).execute(&mut connection).await.map_err(failed)?;
    connection.close().await.map_err(failed)
}
