//! Buckets: queues of ready tasks that no limit distinguishes.

use std::cmp::Reverse;
use std::collections::VecDeque;

use smallvec::SmallVec;

use super::lane::Lane;
use crate::run::TaskIndex;

/// Sorted by priority, highest first.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) priority: i32,
    pub(super) lane: Lane,
    pub(super) pool: Option<usize>,
    pub(super) slots: u32,
    /// The limits of the groups and mappings that its tasks are in.
    pub(super) limits: SmallVec<[u32; 2]>,
    /// (rank, task): among buckets of one priority, the head with the lowest rank goes first.
    pub(super) queue: VecDeque<(i64, TaskIndex)>,
    /// The slots of its pool that other tasks have taken by overtaking its head.
    pub(super) overtaken: u64,
}

/// A place in the order of the tasks of a run: the higher priority first, then the longer wait.
pub(super) type Claim = (Reverse<i32>, i64);

impl Bucket {
    /// The claim of its head.
    pub(super) fn claim(&self) -> Claim {
        (Reverse(self.priority), self.queue.front().map_or(i64::MAX, |&(rank, _)| rank))
    }

    /// The number of its tasks with a better claim than the head of `other`.
    pub(super) fn ahead_of(&self, other: &Bucket) -> usize {
        if self.priority != other.priority {
            return if self.priority > other.priority { self.queue.len() } else { 0 };
        }
        let rank = other.claim().1;
        self.queue.partition_point(|&(own, _)| own < rank)
    }
}

/// Slots to which other tasks have a better claim.
#[derive(Clone, Debug, Default)]
pub(super) struct Reserved {
    pub(super) tasks: usize,
    pub(super) pools: SmallVec<[(usize, u64); 2]>,
}

impl Reserved {
    pub(super) fn add(&mut self, bucket: &Bucket, tasks: usize) {
        self.tasks += tasks;
        if let Some(pool) = bucket.pool {
            self.pools.push((pool, u64::from(bucket.slots).saturating_mul(tasks as u64)));
        }
    }

    pub(super) fn slots(&self, pool: usize) -> u64 {
        self.pools.iter().filter(|(reserved, _)| *reserved == pool).map(|(_, slots)| slots).sum()
    }
}
