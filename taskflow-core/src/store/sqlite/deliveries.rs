//! The outbox of callbacks, and what was delivered.

use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, Row as _};

use super::SqliteStore;
use super::error::{Doing, explain};
use super::read::get;
use super::script::Script;
use crate::base::Timestamp;
use crate::callback::DeliveryAttempt;
use crate::store::checksum::{Checksum, of_columns};
use crate::store::error::StoreError;
use crate::store::rows::DeliveryPlace;

impl Script {
    /// Follows the statement that stores a new run or its segment: marks the run if that did.
    /// Changes a row if, and only if, it did, as whatever comes next expects.
    pub(super) fn outbox_mark(&mut self, run_id: &str) -> sqlx::Result<()> {
        self.sql += "INSERT INTO outbox (run_id, checksum) SELECT ?, ? WHERE changes() = 1 \
                     ON CONFLICT (run_id) DO UPDATE SET checksum = excluded.checksum;";
        self.give(run_id)?;
        self.give(of_columns("outbox", &[run_id.as_bytes()]))
    }
}

pub(super) async fn outbox_add(store: &SqliteStore, run_id: &str) -> Result<(), StoreError> {
    let mut guard = store.writer.acquire().await?;
    let query = sqlx::query("INSERT OR IGNORE INTO outbox (run_id, checksum) VALUES (?, ?)");
    let query = query.bind(run_id).bind(of_columns("outbox", &[run_id.as_bytes()]));
    query.execute(guard.connection()).await.map_err(|error| guard.explain(&error))?;
    guard.release();
    Ok(())
}

pub(super) async fn outbox_pending(store: &SqliteStore) -> Result<Vec<String>, StoreError> {
    let mut guard = store.reader.acquire().await?;
    let rows = sqlx::query("SELECT run_id, checksum FROM outbox ORDER BY run_id").fetch_all(guard.connection()).await;
    let rows = rows.map_err(|error| guard.explain(&error))?;
    guard.release();
    let run_id = |row: &SqliteRow| {
        let run_id: String = get(store, row, 0, || "the outbox".to_owned())?;
        let stored: Option<Checksum> = get(store, row, 1, || "the outbox".to_owned())?;
        match stored.is_some_and(|stored| stored != of_columns("outbox", &[run_id.as_bytes()])) {
            true => Err(store.damaged(format!("the outbox: the checksum of `{run_id}` does not match"))),
            false => Ok(run_id),
        }
    };
    rows.iter().map(run_id).collect()
}

pub(super) async fn outbox_done(store: &SqliteStore, run_id: &str, token: Option<u64>) -> Result<(), StoreError> {
    let mut guard = store.writer.acquire().await?;
    // Until a run has ended it may have more to deliver.
    let sql = "DELETE FROM outbox WHERE run_id = ?1 AND NOT EXISTS (\
               SELECT 1 FROM runs WHERE run_id = ?1 AND (state IN ('queued', 'running') OR token IS NOT ?2))";
    let query = sqlx::query(sql).bind(run_id).bind(token.map(u64::cast_signed));
    query.execute(guard.connection()).await.map_err(|error| guard.explain(&error))?;
    guard.release();
    Ok(())
}

pub(super) async fn record_deliveries(
    store: &SqliteStore,
    run_id: &str,
    attempts: &[DeliveryAttempt],
) -> Result<(), StoreError> {
    store.hit("store.note")?;
    let mut guard = store.writer.acquire().await?;
    let recorded = record(guard.connection(), run_id, attempts);
    recorded.await.map_err(|error| guard.explain(&error))?;
    guard.release();
    store.hit("store.noted")?;
    Ok(())
}

/// All of them in one call: between two calls of a transaction, the lock of the file would be kept
/// as long as nothing drives this future.
async fn record(connection: &mut SqliteConnection, run_id: &str, attempts: &[DeliveryAttempt]) -> sqlx::Result<()> {
    let mut sql = "BEGIN IMMEDIATE;".to_owned();
    let mut arguments = SqliteArguments::default();
    for attempt in attempts {
        sql += "INSERT OR REPLACE INTO deliveries (run_id, key, notification, callback, at, attempts, error, next, checksum) \
                SELECT run_id, ?, ?, ?, ?, ?, ?, ?, ? FROM runs WHERE run_id = ? AND NOT EXISTS (SELECT 1 \
                FROM deliveries AS known WHERE known.run_id = runs.run_id AND known.key = ? AND known.error IS NULL);";
        let DeliveryAttempt { key, notification, callback, at, attempts, error, next } = attempt;
        let given = [
            arguments.add(key),
            arguments.add(notification),
            arguments.add(callback),
            arguments.add(at.as_nanos()),
            arguments.add(i64::from(*attempts)),
            arguments.add(error),
            arguments.add(next.map(Timestamp::as_nanos)),
            arguments.add(checksum(run_id, attempt)),
            arguments.add(run_id),
            arguments.add(key),
        ];
        given.into_iter().collect::<Result<(), _>>().map_err(sqlx::Error::Encode)?;
    }
    sql += "COMMIT";
    sqlx::query_with(AssertSqlSafe(sql), arguments).persistent(false).execute(connection).await?;
    Ok(())
}

pub(super) async fn deliveries(store: &SqliteStore, run_id: &str) -> Result<Vec<DeliveryAttempt>, StoreError> {
    let mut guard = store.reader.acquire().await?;
    let sql = "SELECT key, notification, callback, at, attempts, error, next, checksum FROM deliveries \
               WHERE run_id = ? ORDER BY at, key";
    let rows = sqlx::query(sql).bind(run_id).fetch_all(guard.connection()).await;
    let rows = rows.map_err(|error| guard.explain(&error))?;
    guard.release();
    rows.iter().map(|row| whole(store, run_id, row)).collect()
}

pub(super) async fn failed(
    store: &SqliteStore,
    after: Option<&DeliveryPlace>,
    limit: u32,
) -> Result<Vec<(String, DeliveryAttempt)>, StoreError> {
    // Nothing was tried at the end of time.
    let (at, key, run_id) = after.map_or((i64::MAX, "", ""), |place| (place.0.as_nanos(), &place.1, &place.2));
    let mut guard = store.reader.acquire().await?;
    let sql = "SELECT key, notification, callback, at, attempts, error, next, checksum, run_id FROM deliveries \
               WHERE error IS NOT NULL AND (at, key, run_id) < (?, ?, ?) \
               ORDER BY at DESC, key DESC, run_id DESC LIMIT ?";
    let query = sqlx::query(sql).bind(at).bind(key).bind(run_id).bind(i64::from(limit));
    let rows = query.fetch_all(guard.connection()).await;
    let rows = rows.map_err(|error| guard.explain(&error))?;
    guard.release();
    let of_run = |row: &SqliteRow| {
        let run_id: String = get(store, row, 8, || "a delivery".to_owned())?;
        let attempt = whole(store, &run_id, row)?;
        Ok((run_id, attempt))
    };
    rows.iter().map(of_run).collect()
}

/// The delivery in a row, with the checksum that it was stored with.
fn whole(store: &SqliteStore, run_id: &str, row: &SqliteRow) -> Result<DeliveryAttempt, StoreError> {
    let place = || format!("a delivery of run `{run_id}`");
    let attempt = attempt(row).map_err(|error| explain(&store.path, Doing::Read, &error))?;
    let stored: Option<Checksum> = get(store, row, 7, place)?;
    match stored.is_some_and(|stored| stored != checksum(run_id, &attempt)) {
        true => Err(store.damaged(format!("{}: its checksum does not match", place()))),
        false => Ok(attempt),
    }
}

fn checksum(run_id: &str, attempt: &DeliveryAttempt) -> Checksum {
    let DeliveryAttempt { key, notification, callback, at, attempts, error, next } = attempt;
    let (at, attempts) = (at.as_nanos().to_be_bytes(), attempts.to_be_bytes());
    let next = next.map(|next| next.as_nanos().to_be_bytes());
    let texts = [run_id, key, notification, callback].map(str::as_bytes);
    let (error, next) = (error.as_deref().unwrap_or_default().as_bytes(), next.as_ref().map_or(&[][..], |next| next));
    of_columns("delivery", &[&texts[..], &[&at, &attempts, error, next]].concat())
}

fn attempt(row: &SqliteRow) -> sqlx::Result<DeliveryAttempt> {
    Ok(DeliveryAttempt {
        key: row.try_get(0)?,
        notification: row.try_get(1)?,
        callback: row.try_get(2)?,
        at: Timestamp::from_nanos(row.try_get(3)?),
        attempts: u32::try_from(row.try_get::<i64, _>(4)?).unwrap_or(u32::MAX),
        error: row.try_get(5)?,
        next: row.try_get::<Option<i64>, _>(6)?.map(Timestamp::from_nanos),
    })
}
