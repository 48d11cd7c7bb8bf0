//! Pools that the engine shares with other processes: it may use some of their slots, and the
//! journal says how many.

use super::dispatcher::Dispatcher;
use super::pool::Pool;

/// How a pool is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoolUse {
    pub(crate) name: String,
    pub(crate) size: u32,
    pub(crate) slots: u32,
    pub(crate) taken: u32,
    /// How many slots ready tasks want.
    pub(crate) ready: u32,
    /// The slots of the largest ready task.
    pub(crate) largest: u32,
}

impl Dispatcher {
    /// Whether a task of a run is in a pool.
    pub(crate) fn has_pool_tasks(&self) -> bool {
        self.runs.iter().flatten().flat_map(|run| &run.buckets).any(|bucket| bucket.pool.is_some())
    }

    /// How the pools are used that tasks of runs are in, and those that have slots left from runs
    /// that have ended: others may want them.
    pub(crate) fn pool_uses(&self) -> Vec<PoolUse> {
        let unused = |Pool { name, slots, taken, size, .. }: &Pool| PoolUse {
            name: name.clone(),
            size: *size,
            slots: *slots,
            taken: *taken,
            ready: 0,
            largest: 0,
        };
        let mut uses: Vec<Option<PoolUse>> = vec![None; self.pools.len()];
        for bucket in self.runs.iter().flatten().flat_map(|run| &run.buckets) {
            let Some(place) = bucket.pool else { continue };
            let pool = uses[place].get_or_insert_with(|| unused(&self.pools[place]));
            let ready = u32::try_from(bucket.queue.len()).unwrap_or(u32::MAX);
            if ready > 0 {
                pool.ready = pool.ready.saturating_add(ready.saturating_mul(bucket.slots));
                pool.largest = pool.largest.max(bucket.slots);
            }
        }
        for (pool, used) in self.pools.iter().zip(&mut uses) {
            if used.is_none() && pool.slots > 0 {
                *used = Some(unused(pool));
            }
        }
        uses.into_iter().flatten().collect()
    }

    /// Sets how many slots of a pool tasks may take, and how many of these go to other processes.
    /// Running tasks keep theirs.
    pub(crate) fn set_pool(&mut self, name: &str, slots: u32, owed: u32) {
        if let Some(pool) = self.pools.iter_mut().find(|pool| pool.name == name) {
            let idle = owed.min(slots.saturating_sub(pool.taken));
            (pool.slots, pool.owed) = ((slots - idle).max(pool.taken), owed - idle);
        }
    }

    /// Keeps tasks from starting in pools until [`Dispatcher::set_pool`].
    pub(crate) fn close_pools(&mut self) {
        self.pools.iter_mut().for_each(|pool| (pool.slots, pool.owed) = (pool.taken, 0));
    }

    /// Returns all pools to this engine.
    pub(crate) fn open_pools(&mut self) {
        self.pools.iter_mut().for_each(|pool| (pool.slots, pool.owed) = (pool.size.max(pool.taken), 0));
    }
}
