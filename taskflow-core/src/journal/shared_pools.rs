//! Keeps the leases of the engines whose runs a journal records: see
//! [`PoolDemand`](crate::store::PoolDemand).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::queue::Queue;
use super::run_log::RunLog;
use super::store_wait::{Round, StoreWait, Turn};
use super::writer::stopped;
use crate::base::Timestamp;
use crate::engine::Commits;
use crate::machine::PoolUse;
use crate::store::{PoolDemand, RunGuard, Store, worker};

/// The interval of adjusting leases.
const INTERVAL: Duration = Duration::from_millis(250);
/// The same while somebody waits for slots.
const CONTENDED_INTERVAL: Duration = Duration::from_millis(25);

/// The leases of the engines of one journal.
pub(super) struct SharedPools {
    engines: Vec<LeasedEngine>,
    /// Whether an engine of a live run still shares its pools in another store.
    waits_for_engine: bool,
    /// Whether engines wait for a store that another process has locked.
    is_refused: bool,
    adjusted: Instant,
}

/// An engine that holds slots of pools.
struct LeasedEngine {
    commits: Commits,
    /// Its name in the store.
    holder: String,
    /// Dropped when no run of the engine uses pools any more.
    _guard: RunGuard,
    is_contended: bool,
}

impl SharedPools {
    pub(super) fn new() -> Self {
        SharedPools { engines: Vec::new(), waits_for_engine: false, is_refused: false, adjusted: Instant::now() }
    }

    /// How long the leases may stay as they are; `None` if there is nothing to lease.
    pub(super) fn until_due(&self) -> Option<Duration> {
        let is_contended = self.engines.iter().any(|engine| engine.is_contended);
        let interval = if is_contended { CONTENDED_INTERVAL } else { INTERVAL };
        (!self.engines.is_empty() || self.waits_for_engine).then(|| interval.saturating_sub(self.adjusted.elapsed()))
    }

    /// Adjusts what the engines of live runs hold. If another process has locked the store, it
    /// stays as it is.
    pub(super) fn adjust(
        &mut self,
        store: &dyn Store,
        handle: &tokio::runtime::Handle,
        wait: &mut StoreWait,
        queue: &Queue,
        live: &[Arc<RunLog>],
    ) {
        let store_id = queue.store_id();
        self.adjusted = Instant::now();
        let runs: Vec<(&Arc<RunLog>, Commits)> =
            live.iter().filter(|log| log.shares_pools()).filter_map(|log| Some((log, log.commits()?))).collect();
        let is_of = |commits: &Commits, engine: &LeasedEngine| commits.engine() == engine.commits.engine();
        self.engines.retain(|engine| {
            let is_used = runs.iter().any(|(_, commits)| is_of(commits, engine));
            is_used || !engine.commits.open_pools(false)
        });
        self.waits_for_engine = false;
        for (log, commits) in &runs {
            if self.engines.iter().any(|engine| is_of(commits, engine)) {
                continue;
            }
            // An engine shares its pools in one store.
            if !commits.share_pools(store_id) {
                self.waits_for_engine = true;
                continue;
            }
            let holder = unique_name();
            match handle.block_on(store.hold_pools(&holder)) {
                Ok(Some(guard)) => {
                    let commits = commits.clone();
                    self.engines.push(LeasedEngine { commits, holder, _guard: guard, is_contended: false });
                }
                Ok(None) => log.give_up("another process holds slots of pools for this run"),
                Err(error) => log.give_up(&stopped(&error)),
            }
        }
        let mut round = Round::default();
        for engine in &mut self.engines {
            let Some(uses) = engine.commits.pool_uses(store_id) else { continue };
            let id = Some(engine.commits.engine());
            let mut turn = round.turn(id);
            if turn == Turn::Asks {
                let demands: Vec<PoolDemand> = uses.into_iter().map(demand).collect();
                match handle.block_on(store.lease_pools(&engine.holder, &demands)) {
                    Ok(grants) => {
                        engine.is_contended = grants.iter().any(|grant| grant.is_contended);
                        let pools = demands.iter().zip(&grants);
                        engine.commits.set_pools(pools.map(|(of, grant)| (&*of.pool, grant.held, grant.owed)));
                    }
                    Err(error) => turn = round.refused(wait, queue, id, &error),
                }
            }
            if let Turn::GivesUp(reason) = turn {
                let of_engine = runs.iter().filter(|(_, commits)| is_of(commits, engine));
                of_engine.for_each(|(log, _)| log.give_up(&reason));
            }
        }
        self.is_refused = round.end(wait, queue, self.is_refused);
    }
}

impl Drop for SharedPools {
    fn drop(&mut self) {
        self.engines.iter().for_each(|engine| {
            engine.commits.open_pools(true);
        });
    }
}

/// A name that no other holder has had.
fn unique_name() -> String {
    static SERIAL: AtomicU64 = AtomicU64::new(1);

    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    format!("pools__{}_{}_{serial}", worker(), Timestamp::now().as_nanos())
}

fn demand(pool: PoolUse) -> PoolDemand {
    let PoolUse { name, size, slots, taken, ready, largest } = pool;
    PoolDemand { pool: name, size, held: slots, taken, wanted: taken.saturating_add(ready), largest }
}
