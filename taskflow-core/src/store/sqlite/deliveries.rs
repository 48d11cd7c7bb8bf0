//! The outbox of callbacks, and what was delivered.

use sqlx::sqlite::SqliteRow;
use sqlx::{Connection as _, Row as _};

use super::SqliteStore;
use crate::base::Timestamp;
use crate::callback::DeliveryAttempt;
use crate::store::traits::StoreError;

pub(super) async fn outbox_add(store: &SqliteStore, run_id: &str) -> Result<(), StoreError> {
    let mut guard = store.writer.acquire().await?;
    let query = sqlx::query("INSERT OR IGNORE INTO outbox (run_id) VALUES (?)").bind(run_id);
    query.execute(guard.connection()).await.map_err(|error| guard.explain(&error))?;
    guard.release();
    Ok(())
}

pub(super) async fn outbox_pending(store: &SqliteStore) -> Result<Vec<String>, StoreError> {
    let mut guard = store.reader.acquire().await?;
    let read = async {
        let rows = sqlx::query("SELECT run_id FROM outbox ORDER BY run_id").fetch_all(guard.connection()).await?;
        rows.iter().map(|row| row.try_get(0)).collect::<sqlx::Result<Vec<String>>>()
    };
    let runs = read.await.map_err(|error| guard.explain(&error))?;
    guard.release();
    Ok(runs)
}

pub(super) async fn outbox_done(store: &SqliteStore, run_id: &str) -> Result<(), StoreError> {
    let mut guard = store.writer.acquire().await?;
    // Until a run has ended it may have more to deliver.
    let sql = "DELETE FROM outbox WHERE run_id = ?1 \
               AND NOT EXISTS (SELECT 1 FROM runs WHERE run_id = ?1 AND state IN ('queued', 'running'))";
    let query = sqlx::query(sql).bind(run_id);
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
    let recorded = async {
        let mut transaction = guard.connection().begin_with("BEGIN IMMEDIATE").await?;
        for attempt in attempts {
            let sql = "INSERT OR REPLACE INTO deliveries (run_id, key, notification, callback, at, attempts, error, next) \
                       SELECT run_id, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM runs WHERE run_id = ?1";
            let query =
                sqlx::query(sql).bind(run_id).bind(&attempt.key).bind(&attempt.notification).bind(&attempt.callback);
            let query = query.bind(attempt.at.as_nanos()).bind(i64::from(attempt.attempts)).bind(&attempt.error);
            query.bind(attempt.next.map(Timestamp::as_nanos)).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    };
    recorded.await.map_err(|error| guard.explain(&error))?;
    guard.release();
    store.hit("store.noted")?;
    Ok(())
}

pub(super) async fn deliveries(store: &SqliteStore, run_id: &str) -> Result<Vec<DeliveryAttempt>, StoreError> {
    let mut guard = store.reader.acquire().await?;
    let read = async {
        let sql = "SELECT key, notification, callback, at, attempts, error, next FROM deliveries WHERE run_id = ? ORDER BY at, key";
        let rows = sqlx::query(sql).bind(run_id).fetch_all(guard.connection()).await?;
        rows.iter().map(attempt).collect::<sqlx::Result<Vec<DeliveryAttempt>>>()
    };
    let attempts = read.await.map_err(|error| guard.explain(&error))?;
    guard.release();
    Ok(attempts)
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
