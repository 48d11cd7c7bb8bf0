//! Requests to the owners of runs.

use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::audit::AuditOf;
use super::read::{Question, get, numbers, word};
use super::script::Script;
use crate::base::Timestamp;
use crate::store::audit_rows::AuditRow;
use crate::store::checksum::{Checksum, of_columns};
use crate::store::error::StoreError;
use crate::store::rows::{Appended, Request, RequestKind};

pub(super) async fn ask(store: &SqliteStore, request: &Request, audit: Option<&AuditRow>) -> Result<bool, StoreError> {
    store.hit("store.ask")?;
    let mut guard = store.writer.acquire().await?;
    let asked = async {
        let mut script = Script::new();
        script.sql += "BEGIN IMMEDIATE; \
             INSERT INTO requests (run, what, by, reason, at, checksum) SELECT number, ?, ?, ?, ?, ? FROM runs \
             WHERE number = ? AND state NOT IN ('success', 'failed', 'cancelled') RETURNING 0, run;";
        let (what, at) = (name(&request.what)?, request.at.as_nanos());
        let checksum = checksum(request.run, &what, &request.by, &request.reason, at);
        for text in [&what, &request.by, &request.reason] {
            script.give(text)?;
        }
        script.give(at)?;
        script.give(checksum)?;
        script.give(request.run)?;
        if let Some(audit) = audit {
            script.audit(audit, AuditOf::LastStatement)?;
        }
        script.sql += "COMMIT";
        let mut answers = [Appended::Fenced];
        script.send_and_note(guard.connection(), &mut answers).await?;
        Ok(answers[0] != Appended::Fenced)
    };
    let is_stored = asked.await.map_err(|error: sqlx::Error| guard.explain(&error))?;
    guard.release();
    Ok(is_stored)
}

pub(super) async fn requests(store: &SqliteStore, runs: &[i64]) -> Result<Vec<(i64, Request)>, StoreError> {
    let sql = "SELECT number, run, what, by, reason, at, checksum FROM requests \
               WHERE run IN (SELECT value FROM json_each(?)) ORDER BY number";
    let rows = Question::new(sql).give(numbers(runs)).ask(store).await?;
    let request = |row: &SqliteRow| {
        let number: i64 = get(store, row, 0, || "a request".to_owned())?;
        let place = || format!("request {number}");
        let text: String = get(store, row, 2, place)?;
        let damaged = |error: String| store.damaged(format!("{}: {error}", place()));
        let what: RequestKind = match text.starts_with('{') {
            true => serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?,
            false => word(&text).map_err(|error| damaged(error.to_string()))?,
        };
        let (run, by, reason): (i64, String, String) =
            (get(store, row, 1, place)?, get(store, row, 3, place)?, get(store, row, 4, place)?);
        let at: i64 = get(store, row, 5, place)?;
        let stored: Option<Checksum> = get(store, row, 6, place)?;
        if stored.is_some_and(|stored| stored != checksum(run, &text, &by, &reason, at)) {
            return Err(damaged("its checksum does not match".to_owned()));
        }
        let at = Timestamp::from_nanos(at);
        Ok((number, Request { run, what, by, reason, at }))
    };
    rows.iter().map(request).collect()
}

pub(super) async fn acknowledge(store: &SqliteStore, ids: &[i64]) -> Result<(), StoreError> {
    let mut guard = store.writer.acquire().await?;
    let query = sqlx::query("DELETE FROM requests WHERE number IN (SELECT value FROM json_each(?))");
    let query = query.bind(numbers(ids));
    query.execute(guard.connection()).await.map_err(|error| guard.explain(&error))?;
    guard.release();
    Ok(())
}

fn checksum(run: i64, what: &str, by: &str, reason: &str, at: i64) -> Checksum {
    let (run, at) = (run.to_be_bytes(), at.to_be_bytes());
    of_columns("request", &[&run, what.as_bytes(), by.as_bytes(), reason.as_bytes(), &at])
}

/// How a kind of request is stored: its name or, with fields, its JSON.
fn name(value: &impl serde::Serialize) -> sqlx::Result<String> {
    let json = serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))?;
    Ok(json.trim_matches('"').to_owned())
}
