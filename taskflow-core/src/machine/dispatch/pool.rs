//! Pools: slots that the tasks of all runs share.

use super::dispatcher::Dispatcher;
use crate::dag::Plan;

#[derive(Debug)]
pub(super) struct Pool {
    pub(super) name: String,
    /// How many slots tasks may take now. Fewer than `size` while other processes hold the rest.
    pub(super) slots: u32,
    pub(super) taken: u32,
    /// How many slots the pool has.
    pub(super) size: u32,
    /// How many of the slots go to other processes as soon as tasks end.
    pub(super) owed: u32,
}

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
    /// How the pools that tasks of runs are in are used.
    pub(crate) fn pool_uses(&self) -> Vec<PoolUse> {
        let mut uses: Vec<Option<PoolUse>> = vec![None; self.pools.len()];
        for bucket in self.runs.iter().flatten().flat_map(|run| &run.buckets) {
            let Some(place) = bucket.pool else { continue };
            let Pool { name, slots, taken, size, .. } = &self.pools[place];
            let new =
                || PoolUse { name: name.clone(), size: *size, slots: *slots, taken: *taken, ready: 0, largest: 0 };
            let pool = uses[place].get_or_insert_with(new);
            let ready = u32::try_from(bucket.queue.len()).unwrap_or(u32::MAX);
            if ready > 0 {
                pool.ready = pool.ready.saturating_add(ready.saturating_mul(bucket.slots));
                pool.largest = pool.largest.max(bucket.slots);
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

impl Pool {
    pub(super) fn new(name: String, slots: u32) -> Self {
        Pool { name, slots, taken: 0, size: slots, owed: 0 }
    }

    /// Returns the slots of a task.
    pub(super) fn release(&mut self, slots: u32) {
        self.taken -= slots;
        if self.owed > 0 {
            let gives = self.owed.min(slots);
            self.owed -= gives;
            self.slots -= gives;
        }
    }
}

/// A task needs more slots than its pool has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoolTooSmall {
    /// The id of the task.
    pub(crate) task: String,
    pub(crate) pool: String,
    /// The slots the task needs.
    pub(crate) wanted: u32,
    /// The slots the pool has.
    pub(crate) slots: u32,
}

/// Checks that no task needs more slots than its pool has.
pub(super) fn check(pools: &[Pool], plan: &Plan) -> Result<(), PoolTooSmall> {
    for (set, options) in plan.option_sets().iter().enumerate() {
        let Some(name) = options.pool else { continue };
        let too_small = |pool: &&Pool| pool.name == name && pool.size < options.pool_slots;
        let Some(pool) = pools.iter().find(too_small) else { continue };
        let task = plan.node_indices().find(|&node| plan.options_index(node) == set);
        let task = task.map_or_else(String::new, |node| plan.node(node).id().to_owned());
        let (wanted, slots) = (options.pool_slots, pool.size);
        return Err(PoolTooSmall { task, pool: name.to_owned(), wanted, slots });
    }
    Ok(())
}
