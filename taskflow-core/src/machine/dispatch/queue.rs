//! The ready tasks of one run.

use std::collections::{HashMap, HashSet, VecDeque};

use smallvec::SmallVec;

use super::bucket::Bucket;
use super::lane::Lane;
use super::pool::Pool;
use crate::dag::{Layout, NodeIndex, Plan};
use crate::run::TaskIndex;

#[derive(Debug)]
pub(super) struct RunQueue {
    pub(super) buckets: Vec<Bucket>,
    /// Whether none of its tasks is in a pool, or in a group or mapping with a limit.
    pub(super) is_unlimited: bool,
    /// The bucket of each (option set, task definition).
    pub(super) bucket_of: Vec<u32>,
    /// The bucket of each node under the limit of a group or mapping.
    pub(super) bucket_in: HashMap<NodeIndex, u32>,
    /// The running tasks under each such limit, and the limit.
    pub(super) limits: Vec<(u32, u32)>,
    pub(super) defs: usize,
    pub(super) active: usize,
    pub(super) limit: usize,
    /// While there are such tasks, the run has one running task at a time, these first.
    pub(super) suspects: HashSet<TaskIndex>,
    pub(super) ready: usize,
    pub(super) ready_sync: usize,
    pub(super) in_turn: bool,
}

impl RunQueue {
    /// The empty queue of a run; `away` is whether its tasks run on executors. Pools that are not
    /// declared have no limit: freezing has refused them.
    pub(super) fn new(plan: &Plan, limit: usize, away: bool, pools: &[Pool]) -> Self {
        let (defs, has_limits) = (plan.defs().len(), plan.limits().next().is_some());
        let mut buckets: Vec<Bucket> = Vec::new();
        let mut bucket_of = vec![u32::MAX; plan.option_sets().len() * defs];
        let mut bucket_in: HashMap<NodeIndex, u32> = HashMap::new();
        let all = plan.node_indices().filter(|_| has_limits);
        let kinds = plan.kinds().iter().copied().filter(|_| !has_limits);
        for node in all.chain(kinds) {
            let slot = plan.options_index(node) * defs + plan.def_index(node);
            let limits: SmallVec<[u32; 2]> = if has_limits { plan.limits_of(node).collect() } else { SmallVec::new() };
            if bucket_of[slot] != u32::MAX && limits.is_empty() {
                continue;
            }
            let options = plan.node_options(node);
            let lane = Lane::of(plan.lane(node, away));
            let pool = options.pool.and_then(|name| pools.iter().position(|pool| pool.name == name));
            let slots = options.pool_slots;
            let same = |bucket: &Bucket| {
                bucket.priority == options.priority
                    && bucket.lane == lane
                    && bucket.pool == pool
                    && bucket.limits == limits
                    && (pool.is_none() || bucket.slots == slots)
            };
            let position = buckets.iter().position(same).unwrap_or_else(|| {
                let (priority, limits, queue) = (options.priority, limits.clone(), VecDeque::new());
                buckets.push(Bucket { priority, lane, pool, slots, limits, queue, overtaken: 0 });
                buckets.len() - 1
            });
            if limits.is_empty() {
                bucket_of[slot] = position as u32;
            } else {
                bucket_in.insert(node, position as u32);
            }
        }
        let mut order: Vec<usize> = (0..buckets.len()).collect();
        order.sort_by_key(|&bucket| std::cmp::Reverse(buckets[bucket].priority));
        let mut place = vec![0; order.len()];
        for (new, &old) in order.iter().enumerate() {
            place[old] = new as u32;
        }
        for bucket in bucket_of.iter_mut().filter(|bucket| **bucket != u32::MAX) {
            *bucket = place[*bucket as usize];
        }
        bucket_in.values_mut().for_each(|bucket| *bucket = place[*bucket as usize]);
        buckets.sort_by_key(|bucket| std::cmp::Reverse(bucket.priority));

        RunQueue {
            is_unlimited: buckets.iter().all(|bucket| bucket.pool.is_none() && bucket.limits.is_empty()),
            buckets,
            bucket_of,
            bucket_in,
            limits: plan.limits().map(|limit| (0, limit)).collect(),
            defs,
            active: 0,
            limit,
            suspects: HashSet::new(),
            ready: 0,
            ready_sync: 0,
            in_turn: false,
        }
    }

    /// How many of its tasks may run at once.
    pub(super) fn limit(&self) -> usize {
        if self.suspects.is_empty() { self.limit } else { 1 }
    }

    /// Whether the task may have killed earlier processes.
    #[inline]
    pub(super) fn is_suspect(&self, task: TaskIndex) -> bool {
        // A lookup in an empty set would hash the task.
        !self.suspects.is_empty() && self.suspects.contains(&task)
    }

    /// The task is over for now: it has not killed the process.
    #[inline]
    pub(super) fn clears(&mut self, task: TaskIndex) {
        if !self.suspects.is_empty() {
            self.suspects.remove(&task);
        }
    }

    /// Whether a task is for workers, and nothing but the number of running tasks limits it.
    #[inline(never)]
    pub(super) fn is_free(&self, layout: &Layout, task: TaskIndex) -> bool {
        let bucket = &self.buckets[self.bucket_index(layout.plan(), layout.node(task))];
        bucket.lane == Lane::Sync && (self.is_unlimited || (bucket.pool.is_none() && bucket.limits.is_empty()))
    }

    #[inline]
    pub(super) fn bucket_index(&self, plan: &Plan, node: NodeIndex) -> usize {
        // Most plans have one bucket.
        if self.buckets.len() == 1 { 0 } else { self.bucket_index_of_several(plan, node) }
    }

    fn bucket_index_of_several(&self, plan: &Plan, node: NodeIndex) -> usize {
        if !self.bucket_in.is_empty()
            && let Some(&bucket) = self.bucket_in.get(&node)
        {
            return bucket as usize;
        }
        self.bucket_of[plan.options_index(node) * self.defs + plan.def_index(node)] as usize
    }

    /// Whether the limits of groups and mappings allow another task, apart from places that are
    /// kept for others.
    pub(super) fn lets(&self, bucket: &Bucket, kept: &[u32]) -> bool {
        bucket.limits.iter().all(|&place| {
            let (active, limit) = self.limits[place as usize];
            let kept = kept.iter().filter(|&&other| other == place).count() as u32;
            active.saturating_add(kept) < limit
        })
    }
}
