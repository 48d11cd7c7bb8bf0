//! Pools: slots that the tasks of all runs share.

use super::run_key::RunKey;
use crate::dag::Plan;

#[derive(Debug)]
pub(super) struct Pool {
    pub(super) name: String,
    /// How many slots tasks may take now. Fewer than `size` while other processes hold the rest.
    pub(super) slots: u32,
    pub(super) taken: u32,
    /// The bucket whose first task the pool is reserved for.
    pub(super) reserved_for: Option<(RunKey, usize)>,
    /// How many slots the pool has.
    pub(super) size: u32,
    /// How many of the slots go to other processes as soon as tasks end.
    pub(super) owed: u32,
}

impl Pool {
    pub(super) fn new(name: String, slots: u32) -> Self {
        Pool { name, slots, taken: 0, reserved_for: None, size: slots, owed: 0 }
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
