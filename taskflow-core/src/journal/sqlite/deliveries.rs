//! What callbacks were told, in a SQLite file.

use sqlx::sqlite::SqliteRow;
use sqlx::{Connection as _, Row as _};

use super::SqliteStore;
use crate::engine::Tried;
use crate::journal::StoreError;
use crate::time::Timestamp;

pub(super) async fn owe(store: &SqliteStore, run_id: &str) -> Result<(), StoreError> {
    let mut lease = store.writer.lease().await?;
    let query = sqlx::query("INSERT OR IGNORE INTO owing (run_id) VALUES (?)").bind(run_id);
    query.execute(lease.connection()).await.map_err(|error| lease.explain(&error))?;
    lease.keep();
    Ok(())
}

pub(super) async fn owing(store: &SqliteStore) -> Result<Vec<String>, StoreError> {
    let mut lease = store.reader.lease().await?;
    let read = async {
        let rows = sqlx::query("SELECT run_id FROM owing ORDER BY run_id").fetch_all(lease.connection()).await?;
        rows.iter().map(|row| row.try_get(0)).collect::<sqlx::Result<Vec<String>>>()
    };
    let runs = read.await.map_err(|error| lease.explain(&error))?;
    lease.keep();
    Ok(runs)
}

pub(super) async fn settle(store: &SqliteStore, run_id: &str) -> Result<(), StoreError> {
    let mut lease = store.writer.lease().await?;
    // A run that goes on meanwhile may have more to tell.
    let sql = "DELETE FROM owing WHERE run_id = ?1 \
               AND NOT EXISTS (SELECT 1 FROM runs WHERE run_id = ?1 AND state = 'running')";
    let query = sqlx::query(sql).bind(run_id);
    query.execute(lease.connection()).await.map_err(|error| lease.explain(&error))?;
    lease.keep();
    Ok(())
}

pub(super) async fn note(store: &SqliteStore, run_id: &str, tried: &[Tried]) -> Result<(), StoreError> {
    store.hit("store.note")?;
    let mut lease = store.writer.lease().await?;
    let noted = async {
        let mut transaction = lease.connection().begin_with("BEGIN IMMEDIATE").await?;
        for tried in tried {
            let sql = "INSERT OR REPLACE INTO deliveries (run_id, key, notice, callback, at, attempts, error, next) \
                       SELECT run_id, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM runs WHERE run_id = ?1";
            let query = sqlx::query(sql).bind(run_id).bind(&tried.key).bind(&tried.notice).bind(&tried.callback);
            let query = query.bind(tried.at.as_nanos()).bind(i64::from(tried.attempts)).bind(&tried.error);
            query.bind(tried.next.map(Timestamp::as_nanos)).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    };
    noted.await.map_err(|error| lease.explain(&error))?;
    lease.keep();
    store.hit("store.noted")?;
    Ok(())
}

pub(super) async fn deliveries(store: &SqliteStore, run_id: &str) -> Result<Vec<Tried>, StoreError> {
    let mut lease = store.reader.lease().await?;
    let read = async {
        let sql =
            "SELECT key, notice, callback, at, attempts, error, next FROM deliveries WHERE run_id = ? ORDER BY at, key";
        let rows = sqlx::query(sql).bind(run_id).fetch_all(lease.connection()).await?;
        rows.iter().map(tried).collect::<sqlx::Result<Vec<Tried>>>()
    };
    let tried = read.await.map_err(|error| lease.explain(&error))?;
    lease.keep();
    Ok(tried)
}

fn tried(row: &SqliteRow) -> sqlx::Result<Tried> {
    Ok(Tried {
        key: row.try_get(0)?,
        notice: row.try_get(1)?,
        callback: row.try_get(2)?,
        at: Timestamp::from_nanos(row.try_get(3)?),
        attempts: u32::try_from(row.try_get::<i64, _>(4)?).unwrap_or(u32::MAX),
        error: row.try_get(5)?,
        next: row.try_get::<Option<i64>, _>(6)?.map(Timestamp::from_nanos),
    })
}
