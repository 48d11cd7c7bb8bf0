//! Reserved pools: how often a task that needs several slots can be overtaken.

use super::bucket::{Bucket, Reserved};
use super::dispatcher::Dispatcher;
use super::pool::Pool;
use super::queue::RunQueue;
use super::run_key::RunKey;

impl Dispatcher {
    /// Whether the pool of a bucket has slots for its head, apart from those to which others have a
    /// better claim.
    pub(super) fn fits(&self, key: RunKey, place: usize, bucket: &Bucket, reserved: &Reserved) -> bool {
        bucket.pool.is_none_or(|pool| {
            let &Pool { slots, taken, reserved_for, .. } = &self.pools[pool];
            let taken = u64::from(taken) + reserved.slots(pool);
            let is_open = reserved_for.is_none_or(|holder| holder == (key, place) || bucket.slots == 0);
            is_open && taken + u64::from(bucket.slots) <= u64::from(slots)
        })
    }

    /// Whether the pool of a bucket is reserved for its head.
    pub(super) fn has_reservation(&self, key: RunKey, place: usize, bucket: &Bucket) -> bool {
        bucket.pool.is_some_and(|pool| self.pools[pool].reserved_for == Some((key, place)))
    }

    /// Takes the slots of the head of a bucket, which starts. Counts them for those it overtakes.
    pub(super) fn take_slots(&mut self, pool: usize, key: RunKey, place: usize) {
        let Some(bucket) = self.runs[key.0 as usize].as_mut().map(|run| &mut run.buckets[place]) else { return };
        let (slots, claim) = (bucket.slots, bucket.claim());
        bucket.overtaken = 0;
        let own = &mut self.pools[pool];
        let free = own.slots - own.taken;
        own.taken += slots;
        if own.reserved_for == Some((key, place)) {
            own.reserved_for = None;
        } else {
            for &other in &self.turns {
                let Some(run) = &mut self.runs[other.0 as usize] else { continue };
                for place in 0..run.buckets.len() {
                    let waits = other != key || run.buckets[place].claim() < claim;
                    if waits && run.lacks_slots(place, pool, free) {
                        run.buckets[place].overtaken += u64::from(slots);
                    }
                }
            }
        }
        self.reserve(pool);
    }

    /// Reserves a pool for the task that was overtaken most, if it was overtaken too often.
    fn reserve(&mut self, pool: usize) {
        let Pool { size, reserved_for, .. } = &mut self.pools[pool];
        if reserved_for.is_some() {
            return;
        }
        let mut most = u64::from(*size);
        for &key in &self.turns {
            let Some(run) = &self.runs[key.0 as usize] else { continue };
            for (place, bucket) in run.buckets.iter().enumerate() {
                let waits = bucket.pool == Some(pool) && !bucket.queue.is_empty();
                if waits && bucket.overtaken >= most {
                    most = bucket.overtaken + 1;
                    *reserved_for = Some((key, place));
                }
            }
        }
    }

    /// Ends the reservations for tasks of a run, whose ready tasks are dropped.
    pub(super) fn end_reservations(&mut self, key: RunKey) {
        for pool in 0..self.pools.len() {
            if self.pools[pool].reserved_for.is_some_and(|(holder, _)| holder == key) {
                self.pools[pool].reserved_for = None;
                self.reserve(pool);
            }
        }
    }
}

impl RunQueue {
    /// Whether the head of a bucket could start but for the slots of its pool.
    fn lacks_slots(&self, place: usize, pool: usize, free: u32) -> bool {
        let bucket = &self.buckets[place];
        let is_short = bucket.pool == Some(pool) && bucket.slots > free && !bucket.queue.is_empty();
        is_short && self.active < self.limit && self.lets(bucket, &[])
    }
}
