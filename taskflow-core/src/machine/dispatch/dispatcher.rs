//! The dispatcher: the ready tasks of all runs, and the limits they share.

use std::collections::{HashSet, VecDeque};

use smallvec::SmallVec;

use super::bucket::Reserved;
use super::lane::Lane;
use super::pool::{self, Pool, PoolTooSmall};
use super::queue::RunQueue;
use super::run_key::RunKey;
use crate::dag::{Layout, Plan};
use crate::run::TaskIndex;

#[derive(Debug)]
pub(crate) struct Dispatcher {
    pub(super) runs: Vec<Option<RunQueue>>,
    /// Runs with ready tasks, in the order of their turns.
    pub(super) turns: VecDeque<RunKey>,
    pub(super) pools: Vec<Pool>,
    active: usize,
    limit: usize,
    /// Ready tasks for worker threads, in all runs.
    ready_sync: usize,
    /// Ready tasks for the runtime, in all runs.
    ready_runtime: usize,
    serial: i64,
}

impl Dispatcher {
    pub(crate) fn new(limit: usize, pools: impl IntoIterator<Item = (String, u32)>) -> Self {
        let pools = pools.into_iter().map(|(name, slots)| Pool::new(name, slots)).collect();
        Dispatcher {
            runs: Vec::new(),
            turns: VecDeque::new(),
            pools,
            active: 0,
            limit,
            ready_sync: 0,
            ready_runtime: 0,
            serial: 0,
        }
    }

    /// Adds a run; `away` is whether its tasks run on executors. Pools that are not declared have
    /// no limit: freezing has refused them.
    pub(crate) fn add_run(&mut self, plan: &Plan, limit: usize, away: bool) -> RunKey {
        let run = RunQueue::new(plan, limit, away, &self.pools);
        let free = self.runs.iter().position(Option::is_none).unwrap_or(self.runs.len());
        if free == self.runs.len() {
            self.runs.push(None);
        }
        self.runs[free] = Some(run);
        RunKey(free as u32)
    }

    /// One of these tasks may have killed earlier processes. Until each of them has run and
    /// returned its slots, or has ended without them, the run has one running task at a time, these
    /// first: the one that kills this process is known then. Called before tasks are queued.
    pub(crate) fn suspect(&mut self, key: RunKey, tasks: HashSet<TaskIndex>) {
        if let Some(run) = &mut self.runs[key.0 as usize] {
            run.suspects = tasks;
        }
    }

    /// A task has ended, with or without having run.
    pub(crate) fn settled(&mut self, key: RunKey, task: TaskIndex) {
        if let Some(run) = &mut self.runs[key.0 as usize] {
            run.clears(task);
        }
    }

    /// Removes a run and returns its slots.
    pub(crate) fn remove_run(&mut self, key: RunKey) {
        self.clear(key);
        if let Some(run) = self.runs[key.0 as usize].take() {
            self.active -= run.active;
        }
        self.turns.retain(|&turn| turn != key);
    }

    /// Drops the ready tasks of a run.
    pub(crate) fn clear(&mut self, key: RunKey) {
        if let Some(run) = &mut self.runs[key.0 as usize] {
            self.ready_sync -= run.ready_sync;
            self.ready_runtime -= run.ready - run.ready_sync;
            run.ready = 0;
            run.ready_sync = 0;
            for bucket in &mut run.buckets {
                bucket.queue.clear();
                bucket.overtaken = 0;
            }
            self.end_reservations(key);
        }
    }

    /// Queues a ready task; `next` puts it before those in the queue, unless it is in a pool.
    #[inline]
    pub(crate) fn push(&mut self, key: RunKey, layout: &Layout, task: TaskIndex, next: bool) {
        let Some(run) = &mut self.runs[key.0 as usize] else { return };
        self.serial += 1;
        let place = run.bucket_index(layout.plan(), layout.node(task));
        let is_suspect = run.is_suspect(task);
        let bucket = &mut run.buckets[place];
        if is_suspect || (next && bucket.pool.is_none()) {
            bucket.queue.push_front((-self.serial, task));
        } else {
            bucket.queue.push_back((self.serial, task));
        }
        let lane = bucket.lane;
        self.queued(key, lane, 1);
    }

    /// Queues ready tasks, in this order. `next` puts the first before those in the queue, unless
    /// it is in a pool.
    pub(crate) fn push_all(
        &mut self,
        key: RunKey,
        layout: &Layout,
        mut tasks: impl Iterator<Item = TaskIndex>,
        next: bool,
    ) {
        if next && let Some(first) = tasks.next() {
            self.push(key, layout, first, true);
        }
        let run = self.runs[key.0 as usize].as_mut();
        let Some(run) = run.filter(|run| run.buckets.len() == 1 && run.suspects.is_empty()) else {
            return tasks.for_each(|task| self.push(key, layout, task, false));
        };
        let (bucket, mut serial) = (&mut run.buckets[0], self.serial);
        bucket.queue.reserve(tasks.size_hint().1.unwrap_or(0));
        for task in tasks {
            serial += 1;
            bucket.queue.push_back((serial, task));
        }
        let (lane, count) = (bucket.lane, (serial - self.serial) as usize);
        self.serial = serial;
        self.queued(key, lane, count);
    }

    /// Counts tasks that were queued.
    #[inline]
    fn queued(&mut self, key: RunKey, lane: Lane, count: usize) {
        let Some(run) = &mut self.runs[key.0 as usize] else { return };
        run.ready += count;
        match lane {
            Lane::Sync => {
                run.ready_sync += count;
                self.ready_sync += count;
            }
            Lane::Runtime => self.ready_runtime += count,
        }
        if count > 0 && !run.in_turn {
            run.in_turn = true;
            self.turns.push_back(key);
        }
    }

    /// The task whose turn it is, with its slots taken. `rivals` is how many tasks of the other
    /// lane could start now: where slots are scarce, those with a better claim to one are not
    /// overtaken.
    pub(crate) fn pop(&mut self, lane: Lane, rivals: usize) -> Option<(RunKey, TaskIndex)> {
        let Some((turn, bucket)) = self.peek(lane, rivals) else {
            if self.turns.len() > 1 {
                self.drop_idle_turns();
            }
            return None;
        };
        let key = self.turns[turn];
        let task = self.take(key, bucket)?;
        // Its turn is over. A single run keeps its place, empty or not: `push` and `peek` check its
        // counts.
        if self.turns.len() > 1 {
            self.turns.remove(turn);
            let run = self.runs[key.0 as usize].as_mut()?;
            run.in_turn = run.ready > 0;
            if run.in_turn {
                self.turns.push_back(key);
            }
        }
        Some((key, task))
    }

    /// Other tasks of this run, out of turn, for a worker that takes several at once: until there
    /// is none, or `take` returns `false`.
    #[inline]
    pub(crate) fn pop_while(&mut self, key: RunKey, lane: Lane, mut take: impl FnMut(TaskIndex) -> bool) {
        if !self.pop_unlimited(key, lane, &mut take) {
            self.pop_limited(key, lane, &mut take);
        }
    }

    /// As [`pop_while`](Dispatcher::pop_while), for any run.
    fn pop_limited(&mut self, key: RunKey, lane: Lane, take: &mut dyn FnMut(TaskIndex) -> bool) {
        while let Some(bucket) = self.best(key, lane, usize::MAX, &Reserved::default())
            && let Some(task) = self.take(key, bucket)
            && take(task)
        {}
    }

    /// As [`pop_while`](Dispatcher::pop_while), for a run whose tasks are all in one bucket,
    /// without a pool or a group with a limit: then nothing but its number holds a task back, and
    /// they are counted together. `false`, without an effect, for other runs.
    #[inline]
    fn pop_unlimited(&mut self, key: RunKey, lane: Lane, take: &mut impl FnMut(TaskIndex) -> bool) -> bool {
        let Some(run) = self.runs[key.0 as usize].as_mut() else { return false };
        let [bucket] = &mut run.buckets[..] else { return false };
        if !run.is_unlimited || !run.suspects.is_empty() || bucket.lane != lane {
            return false;
        }
        let room = self.limit.saturating_sub(self.active).min(run.limit.saturating_sub(run.active));
        let mut taken = 0;
        while taken < room
            && let Some((_, task)) = bucket.queue.pop_front()
        {
            taken += 1;
            if !take(task) {
                break;
            }
        }
        run.ready -= taken;
        run.active += taken;
        self.active += taken;
        match lane {
            Lane::Sync => {
                run.ready_sync -= taken;
                self.ready_sync -= taken;
            }
            Lane::Runtime => self.ready_runtime -= taken,
        }
        true
    }

    /// Whether a worker thread would get a task now.
    pub(crate) fn has_sync(&self) -> bool {
        self.peek(Lane::Sync, usize::MAX).is_some()
    }

    /// The position among the turns and the bucket of the next task.
    fn peek(&self, lane: Lane, rivals: usize) -> Option<(usize, usize)> {
        let ready = match lane {
            Lane::Sync => self.ready_sync,
            Lane::Runtime => self.ready_runtime,
        };
        if ready == 0 || self.active >= self.limit {
            return None;
        }
        let mut reserved = Reserved::default();
        for (turn, &key) in self.turns.iter().enumerate() {
            if let Some(bucket) = self.best(key, lane, rivals, &reserved) {
                return Some((turn, bucket));
            }
            // A run with an earlier turn has the better claim, on the other lane as well.
            let scarce = self.limit != usize::MAX || !self.pools.is_empty();
            if scarce
                && reserved.tasks < rivals
                && let Some(bucket) = self.best(key, lane.other(), 0, &reserved)
                && let Some(run) = &self.runs[key.0 as usize]
            {
                reserved.add(&run.buckets[bucket], 1);
            }
        }
        None
    }

    /// The bucket of this run whose head is next on this lane.
    fn best(&self, key: RunKey, lane: Lane, rivals: usize, reserved: &Reserved) -> Option<usize> {
        let run = self.runs[key.0 as usize].as_ref()?;
        if run.ready == 0 {
            return None;
        }
        if let [bucket] = &run.buckets[..] {
            // Most plans have one bucket.
            let room = self.active + reserved.tasks < self.limit && run.active < run.limit();
            return (room && bucket.lane == lane && run.lets(bucket, &[]) && self.fits(key, 0, bucket, reserved))
                .then_some(0);
        }
        self.best_of_several(key, run, lane, rivals, reserved)
    }

    fn best_of_several(
        &self,
        key: RunKey,
        run: &RunQueue,
        lane: Lane,
        rivals: usize,
        reserved: &Reserved,
    ) -> Option<usize> {
        let filled = (0..run.buckets.len()).filter(|&bucket| !run.buckets[bucket].queue.is_empty());
        let mut order: SmallVec<[usize; 8]> = filled.collect();
        if order.len() > 1 {
            order.sort_by_key(|&bucket| run.buckets[bucket].claim());
        }
        let mut reserved = reserved.clone();
        let mut of_run = 0;
        // The places under limits of groups that are kept for tasks that pools are reserved for.
        let mut kept: SmallVec<[u32; 2]> = SmallVec::new();
        for (position, &place) in order.iter().enumerate() {
            let bucket = &run.buckets[place];
            if self.active + reserved.tasks >= self.limit || run.active + of_run >= run.limit() {
                return None;
            }
            if !run.lets(bucket, &kept) {
                continue;
            }
            if !self.fits(key, place, bucket, &reserved) {
                if self.has_reservation(key, place, bucket) {
                    of_run += 1;
                    kept.extend_from_slice(&bucket.limits);
                }
                continue;
            }
            if bucket.lane == lane {
                return Some(place);
            }
            let scarce = self.limit != usize::MAX || run.limit() != usize::MAX || bucket.pool.is_some();
            if scarce && reserved.tasks < rivals {
                // Its tasks with a higher priority or a longer wait than the next candidate of this
                // lane.
                let mut others = order[position + 1..].iter().map(|&other| &run.buckets[other]);
                let candidate = others.find(|other| other.lane == lane);
                let ahead = candidate.map_or(0, |candidate| bucket.ahead_of(candidate)).min(rivals - reserved.tasks);
                of_run += ahead;
                reserved.add(bucket, ahead);
            }
        }
        None
    }

    /// Removes the head of a bucket and takes its slots.
    fn take(&mut self, key: RunKey, place: usize) -> Option<TaskIndex> {
        if let Some(pool) = self.runs[key.0 as usize].as_ref()?.buckets[place].pool {
            self.take_slots(pool, key, place);
        }
        let run = self.runs[key.0 as usize].as_mut()?;
        let bucket = &mut run.buckets[place];
        let (_, task) = bucket.queue.pop_front()?;
        run.ready -= 1;
        run.active += 1;
        bucket.limits.iter().for_each(|&limit| run.limits[limit as usize].0 += 1);
        self.active += 1;
        match bucket.lane {
            Lane::Sync => {
                run.ready_sync -= 1;
                self.ready_sync -= 1;
            }
            Lane::Runtime => self.ready_runtime -= 1,
        }
        Some(task)
    }

    /// Whether `next` can take the slot of `ended` at once because no other ready task can have a
    /// better claim: both are for workers and in no pool, and nothing else is ready.
    #[inline(always)]
    pub(crate) fn hand_over(&self, key: RunKey, layout: &Layout, ended: TaskIndex, next: TaskIndex) -> bool {
        let Some(run) = &self.runs[key.0 as usize] else { return false };
        if self.ready_sync + self.ready_runtime > 0 || !run.suspects.is_empty() {
            return false;
        }
        match &run.buckets[..] {
            [bucket] if run.is_unlimited => bucket.lane == Lane::Sync,
            _ => run.is_free(layout, next) && run.is_free(layout, ended),
        }
    }

    /// Returns the slots of a task.
    #[inline]
    pub(crate) fn release(&mut self, key: RunKey, layout: &Layout, task: TaskIndex) {
        let Some(run) = &mut self.runs[key.0 as usize] else { return };
        run.active -= 1;
        self.active -= 1;
        run.clears(task);
        if !run.is_unlimited {
            self.release_limits(key, layout, task);
        }
    }

    /// Whether it makes no difference which task of a run returns its slots.
    pub(crate) fn has_equal_slots(&self, key: RunKey) -> bool {
        self.runs[key.0 as usize].as_ref().is_some_and(|run| run.is_unlimited && run.suspects.is_empty())
    }

    /// Returns the slots of so many tasks of a run with equal slots.
    pub(crate) fn release_count(&mut self, key: RunKey, count: usize) {
        let Some(run) = &mut self.runs[key.0 as usize] else { return };
        run.active -= count;
        self.active -= count;
    }

    /// Returns the slots of a task in its pool and in the limits of groups.
    fn release_limits(&mut self, key: RunKey, layout: &Layout, task: TaskIndex) {
        let Some(run) = &mut self.runs[key.0 as usize] else { return };
        let place = run.bucket_index(layout.plan(), layout.node(task));
        let bucket = &run.buckets[place];
        if let Some(pool) = bucket.pool {
            self.pools[pool].release(bucket.slots);
        }
        bucket.limits.iter().for_each(|&limit| run.limits[limit as usize].0 -= 1);
    }

    /// Runs without ready tasks lose their turn.
    fn drop_idle_turns(&mut self) {
        let runs = &mut self.runs;
        self.turns.retain(|key| {
            let Some(run) = &mut runs[key.0 as usize] else { return false };
            run.in_turn = run.ready > 0;
            run.in_turn
        });
    }

    /// The number of ready tasks of a run for worker threads.
    pub(crate) fn ready_sync_of(&self, key: RunKey) -> usize {
        self.runs[key.0 as usize].as_ref().map_or(0, |run| run.ready_sync)
    }

    /// Checks that no task needs more slots than its pool has.
    pub(crate) fn check_pools(&self, plan: &Plan) -> Result<(), PoolTooSmall> {
        pool::check(&self.pools, plan)
    }
}
