//! Leases of slots of pools: see [`pool_leases`](crate::store::pool_leases).

use std::collections::HashSet;

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection, Sqlite, Transaction};

use super::SqliteStore;
use super::claim::lock;
use super::read::{Question, get};
use super::run_locks::blocking;
use crate::store::error::StoreError;
use crate::store::ownership::RunGuard;
use crate::store::pool_leases::{Lease, PoolDemand, PoolGrant, decide};

const LEASES: &str = "SELECT pool, holder, held, claimed, ticket FROM pool_leases";

pub(super) async fn hold(store: &SqliteStore, holder: &str) -> Result<Option<RunGuard>, StoreError> {
    let Some(guard) = store.locks.reserve(holder) else { return Ok(None) };
    let locked = lock(store, vec![holder.to_owned()]).await.map_err(|error| StoreError::Write {
        place: store.path.display().to_string(),
        reason: format!("the lock file of its pools cannot be written: {error}"),
    })?;
    Ok((!locked.contains(&false)).then_some(guard))
}

pub(super) async fn lease(
    store: &SqliteStore,
    holder: &str,
    demands: &[PoolDemand],
) -> Result<Vec<PoolGrant>, StoreError> {
    store.hit("store.lease")?;
    // Usually nothing changes, and then it does not take the lock for writing.
    let rows = Question::new(LEASES).ask(store).await?;
    let leases = Leases::read(store, &rows, holder).await?;
    let decided = leases.decide(holder, demands);
    if decided.iter().all(|(own, lease, _)| own == lease) {
        return Ok(decided.into_iter().map(|(.., grant)| grant).collect());
    }
    let mut guard = store.writer.acquire().await?;
    let grants = write(store, guard.connection(), holder, demands).await?;
    let grants = grants.map_err(|error| guard.explain(&error))?;
    guard.release();
    Ok(grants)
}

/// Decides under the lock for writing, and stores the decision.
async fn write(
    store: &SqliteStore,
    connection: &mut SqliteConnection,
    holder: &str,
    demands: &[PoolDemand],
) -> Result<sqlx::Result<Vec<PoolGrant>>, StoreError> {
    let mut transaction = match connection.begin_with("BEGIN IMMEDIATE").await {
        Ok(transaction) => transaction,
        Err(error) => return Ok(Err(error)),
    };
    let rows = match sqlx::query(LEASES).fetch_all(&mut *transaction).await {
        Ok(rows) => rows,
        Err(error) => return Ok(Err(error)),
    };
    let leases = Leases::read(store, &rows, holder).await?;
    let decided = leases.decide(holder, demands);
    let stored = async {
        for dead in &leases.dead {
            sqlx::query("DELETE FROM pool_leases WHERE holder = ?").bind(dead).execute(&mut *transaction).await?;
        }
        for (demand, &(own, lease, _)) in demands.iter().zip(&decided) {
            if own != lease {
                store_lease(&mut transaction, &demand.pool, holder, lease).await?;
            }
        }
        transaction.commit().await
    };
    let stored = stored.await;
    if stored.is_ok() && !leases.dead.is_empty() {
        let (locks, dead) = (store.locks.clone(), leases.dead.clone());
        // The names of holders are unique.
        let _ = blocking(move || dead.iter().for_each(|holder| locks.forget(holder))).await;
    }
    Ok(stored.map(|()| decided.into_iter().map(|(.., grant)| grant).collect()))
}

async fn store_lease(
    transaction: &mut Transaction<'_, Sqlite>,
    pool: &str,
    holder: &str,
    lease: Lease,
) -> sqlx::Result<()> {
    if lease == Lease::default() {
        let query = sqlx::query("DELETE FROM pool_leases WHERE pool = ? AND holder = ?").bind(pool).bind(holder);
        return query.execute(&mut **transaction).await.map(drop);
    }
    let sql = "INSERT INTO pool_leases (pool, holder, held, claimed, ticket) VALUES (?, ?, ?, ?, ?) \
               ON CONFLICT (pool, holder) DO UPDATE SET held = excluded.held, claimed = excluded.claimed, \
               ticket = excluded.ticket";
    let query = sqlx::query(sql).bind(pool).bind(holder).bind(i64::from(lease.held));
    query.bind(i64::from(lease.claimed)).bind(lease.ticket).execute(&mut **transaction).await.map(drop)
}

/// The leases in a store.
struct Leases {
    /// Those of living holders, with their pools and holders.
    alive: Vec<(String, String, Lease)>,
    /// Holders that are gone.
    dead: Vec<String>,
    next_ticket: i64,
}

impl Leases {
    async fn read(store: &SqliteStore, rows: &[SqliteRow], holder: &str) -> Result<Self, StoreError> {
        let place = || "a lease of a pool".to_owned();
        let mut leases = Vec::with_capacity(rows.len());
        for row in rows {
            let (held, claimed): (u32, u32) = (get(store, row, 2, place)?, get(store, row, 3, place)?);
            let lease = Lease { held, claimed, ticket: get(store, row, 4, place)? };
            leases.push((get::<String>(store, row, 0, place)?, get::<String>(store, row, 1, place)?, lease));
        }
        let next_ticket = leases.iter().map(|(.., lease)| lease.ticket).max().unwrap_or(0) + 1;
        let holders: HashSet<String> =
            leases.iter().map(|(_, of, _)| of.clone()).filter(|of| of.as_str() != holder).collect();
        let locks = store.locks.clone();
        let gone = move || holders.into_iter().filter(|of| locks.holder(of).is_none()).collect::<Vec<String>>();
        let dead = blocking(gone).await.map_err(|error| store.damaged(format!("lock files: {error}")))?;
        leases.retain(|(_, of, _)| !dead.contains(of));
        Ok(Leases { alive: leases, dead, next_ticket })
    }

    /// For each demand: the lease so far, the new one, and the answer.
    fn decide(&self, holder: &str, demands: &[PoolDemand]) -> Vec<(Lease, Lease, PoolGrant)> {
        let mut next_ticket = self.next_ticket;
        let decide_one = |demand: &PoolDemand| {
            let of_pool = self.alive.iter().filter(|(pool, ..)| *pool == demand.pool);
            let (own, others): (Vec<_>, Vec<_>) = of_pool.partition(|(_, of, _)| of == holder);
            let own = own.first().map_or_else(Lease::default, |(.., lease)| *lease);
            let others: Vec<Lease> = others.into_iter().map(|(.., lease)| *lease).collect();
            let (lease, grant) = decide(demand, own, &others, next_ticket);
            next_ticket += 1;
            (own, lease, grant)
        };
        demands.iter().map(decide_one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sync_mode::SyncMode;
    use crate::store::traits::PoolStore;

    fn demand(pool: &str, held: u32, taken: u32, wanted: u32) -> PoolDemand {
        PoolDemand { pool: pool.to_owned(), size: 4, held, taken, wanted, largest: u32::from(wanted > taken) }
    }

    async fn held(store: &SqliteStore, holder: &str, demand: PoolDemand) -> (u32, u32) {
        let grants = store.lease_pools(holder, &[demand]).await.unwrap();
        (grants[0].held, grants[0].owed)
    }

    /// Two stores on one file stand for two processes.
    #[tokio::test]
    async fn two_processes_share_a_pool_and_the_death_of_one_frees_its_slots() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("runs.db");
        let one = SqliteStore::open(&path, SyncMode::Normal).await.unwrap();
        let other = SqliteStore::open(&path, SyncMode::Normal).await.unwrap();
        let guard = one.hold_pools("one").await.unwrap();
        assert!(guard.is_some() && one.hold_pools("one").await.unwrap().is_none());
        assert!(other.hold_pools("one").await.unwrap().is_none());
        let _other_guard = other.hold_pools("other").await.unwrap();

        assert_eq!(held(&one, "one", demand("a", 0, 0, 9)).await, (4, 0));
        assert_eq!(held(&other, "other", demand("a", 0, 0, 9)).await, (0, 0));
        assert_eq!(held(&other, "other", demand("b", 0, 0, 9)).await, (4, 0));
        // All slots are taken: two of them are given up as tasks end.
        assert_eq!(held(&one, "one", demand("a", 4, 4, 9)).await, (4, 2));
        assert_eq!(held(&other, "other", demand("a", 0, 0, 9)).await, (0, 0));
        assert_eq!(held(&one, "one", demand("a", 3, 3, 9)).await, (3, 1));
        assert_eq!(held(&other, "other", demand("a", 0, 0, 9)).await, (1, 0));
        // The process dies.
        drop(guard);
        assert_eq!(held(&other, "other", demand("a", 1, 1, 9)).await, (4, 0));
        let rows = Question::new(LEASES).ask(&other).await.unwrap();
        assert_eq!(rows.len(), 2);
    }

    #[tokio::test]
    async fn a_lease_that_does_not_change_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("runs.db");
        let store = SqliteStore::open(&path, SyncMode::Normal).await.unwrap();
        let _guard = store.hold_pools("one").await.unwrap();
        assert_eq!(held(&store, "one", demand("a", 0, 0, 9)).await, (4, 0));
        // Another connection holds the lock for writing.
        let other = SqliteStore::open(&path, SyncMode::Normal).await.unwrap();
        let mut writer = other.writer.acquire().await.unwrap();
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(writer.connection()).await.unwrap();
        assert_eq!(held(&store, "one", demand("a", 4, 3, 9)).await, (4, 0));
        sqlx::raw_sql("ROLLBACK").execute(writer.connection()).await.unwrap();
        writer.release();
    }
}
