//! What tells a reader that others have changed something.

use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::read::{Question, get};
use crate::store::change_rows::{RunHead, Subject, TableVersion};
use crate::store::error::StoreError;

/// Reads no table: SQLite compares a number in the memory that the processes share.
pub(super) async fn data_version(store: &SqliteStore) -> Result<Option<i64>, StoreError> {
    let rows = Question::new("PRAGMA data_version").ask(store).await?;
    rows.first().map(|row| get(store, row, 0, || "the version of the data".to_owned())).transpose()
}

pub(super) async fn run_heads(store: &SqliteStore, after: i64, also: &[i64]) -> Result<Vec<RunHead>, StoreError> {
    // Each part of the union is one search in an index.
    let mut question = Question::new(
        "SELECT runs.number, dag_id, state, token, coalesce(heads.last, 0), \
         EXISTS (SELECT 1 FROM admissions WHERE run = runs.number AND admissions.token = runs.token AND NOT admitted) \
         FROM runs LEFT JOIN heads ON heads.run = runs.number WHERE runs.number IN (\
         SELECT number FROM runs WHERE state IN ('queued', 'running') UNION SELECT number FROM runs WHERE number > ?",
    )
    .give(after);
    if !also.is_empty() {
        let numbers: Vec<String> = also.iter().map(i64::to_string).collect();
        question = question.with(&format!(" UNION SELECT number FROM runs WHERE number IN ({})", numbers.join(", ")));
    }
    let rows = question.with(")").ask(store).await?;
    let what = || "what a run has stored".to_owned();
    let head = |row: &SqliteRow| {
        Ok(RunHead {
            number: get(store, row, 0, what)?,
            dag: get(store, row, 1, what)?,
            state: get(store, row, 2, what)?,
            token: get(store, row, 3, what)?,
            segment: get(store, row, 4, what)?,
            waits: get(store, row, 5, what)?,
        })
    };
    rows.iter().map(head).collect()
}

/// Backfills that have ended do not change any more; a retry is another one.
const TABLES: &str = "SELECT 0, dag, version FROM schedules \
    UNION ALL SELECT 1, dag, version FROM slot_deadlines \
    UNION ALL SELECT 2, dag, version FROM consumers \
    UNION ALL SELECT 3, CAST(number AS TEXT), version FROM (SELECT number, version FROM backfills ORDER BY number DESC LIMIT 1000) \
    UNION ALL SELECT 4, pool, sum(held) * 1000003 + sum(claimed) * 1009 + count(*) FROM pool_leases GROUP BY pool \
    UNION ALL SELECT 5, '', coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)";

pub(super) async fn table_versions(store: &SqliteStore) -> Result<Vec<TableVersion>, StoreError> {
    let rows = Question::new(TABLES).ask(store).await?;
    let what = || "the versions of schedules".to_owned();
    let version = |row: &SqliteRow| {
        let subject: i64 = get(store, row, 0, what)?;
        let subject = match subject {
            0 => Subject::Schedule,
            1 => Subject::SlotDeadlines,
            2 => Subject::Consumer,
            3 => Subject::Backfill,
            4 => Subject::Pool,
            _ => Subject::Events,
        };
        Ok(TableVersion { subject, id: get(store, row, 1, what)?, version: get(store, row, 2, what)? })
    };
    rows.iter().map(version).collect()
}
