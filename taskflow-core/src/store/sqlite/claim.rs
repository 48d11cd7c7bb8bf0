//! Claiming runs: the file of the owner first, then the token.

use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::read::{COLUMNS, rows_of, run_row};
use super::row_checksums;
use super::run_locks::blocking;
use crate::run::RunState;
use crate::store::error::StoreError;
use crate::store::ownership::{Claim, Liveness, RunGuard};
use crate::store::rows::{Append, AppendTarget, RunRow};

pub(super) async fn claim(store: &SqliteStore, run: i64, owner: &str) -> Result<Claim, StoreError> {
    let Some(row) = super::read::run(store, run).await? else { return Ok(Claim::Unknown) };
    let (run_id, mut token) = (row.info.run_id, row.token);
    let Some(guard) = store.locks.reserve(&run_id) else {
        return Ok(Claim::Held { by: crate::store::identity::worker() });
    };
    match lock(store, vec![run_id.clone()]).await {
        Ok(locked) if locked.contains(&false) => {
            drop(guard);
            let holder = holder(store, &run_id).await.filter(|holder| !holder.is_empty());
            return Ok(Claim::Held { by: holder.unwrap_or_else(|| "another process".to_owned()) });
        }
        Ok(_) => {}
        Err(error) => return Ok(Claim::Refused(error)),
    }
    store.hit("store.adopt")?;
    let mut connection = store.writer.acquire_lazily().await?;
    let sql = format!(
        "UPDATE runs SET token = ?1, owner = ?2, checksum_owner = ?3 WHERE number = ?4 AND token = ?1 - 1 RETURNING {COLUMNS}"
    );
    let rows: Vec<SqliteRow> = loop {
        let next = token.cast_signed().saturating_add(1);
        let query = sqlx::query(sqlx::AssertSqlSafe(&*sql)).bind(next).bind(owner);
        let query = query.bind(row_checksums::owner(owner, next)).bind(run);
        let rows = query.fetch_all(connection.connection()).await.map_err(|error| connection.explain(&error))?;
        if !rows.is_empty() {
            break rows;
        }
        // Another process had it, and has released it, before the lock was ours; or it was deleted.
        match super::read::run(store, run).await? {
            Some(row) if row.token != token => token = row.token,
            _ => break rows,
        }
    };
    connection.release();
    store.hit("store.adopted")?;
    let Some(row) = rows.first() else { return Ok(Claim::Unknown) };
    let row = RunRow { liveness: Liveness::Alive, ..run_row(store, row)? };
    Ok(Claim::Claimed(Box::new(row), guard))
}

pub(super) async fn hold_id(store: &SqliteStore, run_id: &str) -> Result<Option<RunGuard>, StoreError> {
    let Some(guard) = store.locks.reserve(run_id) else { return Ok(None) };
    // Without a lock it is left to whoever can take one.
    let locked = lock(store, vec![run_id.to_owned()]).await.is_ok_and(|locked| !locked.contains(&false));
    Ok(locked.then_some(guard))
}

pub(super) async fn claim_deliveries(store: &SqliteStore, run_id: &str) -> Result<Option<RunGuard>, StoreError> {
    if holder(store, run_id).await.is_some() {
        return Ok(None);
    }
    let name = format!("{run_id}.notifications");
    let Some(guard) = store.locks.reserve(&name) else { return Ok(None) };
    // Without a lock the callbacks are left to whoever can take one.
    let locked = lock(store, vec![name]).await.is_ok_and(|locked| !locked.contains(&false));
    Ok(locked.then_some(guard))
}

/// Locks the new runs in a batch that this process has reserved. Returns the indices of those that
/// another process owns.
pub(super) async fn lock_new(store: &SqliteStore, batch: &[Append]) -> std::io::Result<Vec<usize>> {
    let new = batch.iter().enumerate().filter_map(|(index, part)| match &part.run {
        AppendTarget::New(run) if store.locks.is_ours(&run.info.run_id) => Some((index, run.info.run_id.clone())),
        _ => None,
    });
    let (indices, names): (Vec<usize>, Vec<String>) = new.unzip();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let locked = lock(store, names).await?;
    Ok(indices.into_iter().zip(locked).filter(|&(_, locked)| !locked).map(|(index, _)| index).collect())
}

pub(super) async fn lock(store: &SqliteStore, names: Vec<String>) -> std::io::Result<Vec<bool>> {
    let locks = store.locks.clone();
    blocking(move || names.iter().map(|name| locks.lock(name)).collect::<std::io::Result<Vec<bool>>>()).await?
}

async fn holder(store: &SqliteStore, name: &str) -> Option<String> {
    let (locks, name) = (store.locks.clone(), name.to_owned());
    blocking(move || locks.holder(&name)).await.ok().flatten()
}

/// Whether the owner of a run died: it has left its file.
pub(super) async fn owner_died(store: &SqliteStore, run_id: &str) -> Result<bool, StoreError> {
    let (locks, name) = (store.locks.clone(), run_id.to_owned());
    Ok(blocking(move || locks.is_left_behind(&name)).await.unwrap_or(false))
}

/// Adds to the rows whether somebody owns their runs.
pub(super) async fn with_liveness(store: &SqliteStore, mut rows: Vec<RunRow>) -> Result<Vec<RunRow>, StoreError> {
    let mut unknown = Vec::new();
    for (index, row) in rows.iter_mut().enumerate() {
        let ours = store.locks.is_ours(&row.info.run_id);
        row.set_owned(ours);
        if !ours && !row.state.is_terminal() {
            unknown.push((index, row.info.run_id.clone()));
        }
    }
    if unknown.is_empty() {
        return Ok(rows);
    }
    let locks = store.locks.clone();
    let held = move || {
        let held = unknown.into_iter().filter(|(_, run_id)| locks.holder(run_id).is_some());
        held.map(|(index, _)| index).collect::<Vec<usize>>()
    };
    for index in blocking(held).await.unwrap_or_default() {
        rows[index].set_owned(true);
    }
    let dead: Vec<i64> = rows.iter().filter(|row| row.liveness == Liveness::Dead).map(|row| row.number).collect();
    if dead.is_empty() {
        return Ok(rows);
    }
    // An owner may have ended and released its run after the row was read. The run is dead only if
    // the row still says so.
    for now in rows_of(store, &dead).await? {
        let Some(row) = rows.iter_mut().find(|row| row.number == now.number) else { continue };
        if now.token != row.token || now.state != row.state {
            let claimed = now.state == RunState::Running;
            *row = now;
            row.set_owned(claimed);
        }
    }
    Ok(rows)
}
