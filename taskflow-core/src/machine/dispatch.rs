//! Which ready task goes next.
//!
//! The dispatcher holds the ready tasks of every run in the process, and the limits they share: tasks at once in the
//! engine, tasks at once in a run, slots of pools. Like the state machine it is pure.
//!
//! - Ready tasks that no limit can tell apart (same pool, same slots, same priority, same kind of thread) queue in one
//!   *bucket*. Work that a limit holds back is therefore never looked through: a look at the head of its bucket is
//!   enough.
//! - Within a run the highest priority goes first, then the longest ready. A task that needs more slots than are free
//!   does not hold back others that fit.
//! - Runs take turns, whatever the number of their tasks; priorities count within a run.

use std::collections::{HashMap, VecDeque};

use smallvec::SmallVec;

use crate::dag::{Layout, Plan};
use crate::engine::RunError;
use crate::task::Kind;

/// A run in this engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RunKey(pub(crate) u32);

/// Which kinds of tasks are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// For a worker thread.
    Sync,
    /// For the runtime: async and blocking tasks.
    Runtime,
}

impl Lane {
    fn other(self) -> Self {
        match self {
            Lane::Sync => Lane::Runtime,
            Lane::Runtime => Lane::Sync,
        }
    }

    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Sync => Lane::Sync,
            Kind::Async | Kind::Blocking => Lane::Runtime,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Dispatcher {
    runs: Vec<Option<RunQueue>>,
    /// Runs with ready tasks, in the order of their turns.
    turns: VecDeque<RunKey>,
    pools: Vec<Pool>,
    active: usize,
    limit: usize,
    /// Ready tasks for worker threads, in all runs.
    ready_sync: usize,
    /// Ready tasks for the runtime, in all runs.
    ready_runtime: usize,
    serial: i64,
}

#[derive(Debug)]
struct Pool {
    name: String,
    slots: u32,
    taken: u32,
}

#[derive(Debug)]
struct RunQueue {
    buckets: Vec<Bucket>,
    /// The bucket of each (option set, task definition).
    bucket_of: Vec<u32>,
    /// The bucket of each node that is under limits of a part of the graph.
    bucket_in: HashMap<u32, u32>,
    /// How many tasks of such parts run, and how many may.
    limits: Vec<(u32, u32)>,
    defs: usize,
    active: usize,
    limit: usize,
    ready: usize,
    ready_sync: usize,
    in_turn: bool,
}

/// Sorted by priority, highest first.
#[derive(Debug)]
struct Bucket {
    priority: i32,
    lane: Lane,
    pool: Option<usize>,
    slots: u32,
    /// The limits of the parts of the graph that its tasks are in.
    limits: SmallVec<[u32; 2]>,
    /// (rank, task): among buckets of one priority the lowest rank at a head goes first.
    queue: VecDeque<(i64, u32)>,
}

/// Slots that others have a better claim to than the task that is asked about.
#[derive(Clone, Debug, Default)]
struct Reserved {
    tasks: usize,
    pools: SmallVec<[(usize, u64); 2]>,
}

impl Reserved {
    fn add(&mut self, bucket: &Bucket, tasks: usize) {
        self.tasks += tasks;
        if let Some(pool) = bucket.pool {
            self.pools.push((pool, u64::from(bucket.slots).saturating_mul(tasks as u64)));
        }
    }

    fn slots(&self, pool: usize) -> u64 {
        self.pools.iter().filter(|(reserved, _)| *reserved == pool).map(|(_, slots)| slots).sum()
    }
}

impl Bucket {
    /// Its head's claim: a higher priority first, then who has waited longer.
    fn claim(&self) -> (std::cmp::Reverse<i32>, i64) {
        (std::cmp::Reverse(self.priority), self.queue.front().map_or(i64::MAX, |&(rank, _)| rank))
    }

    /// How many of its tasks have a better claim than the head of `other`.
    fn ahead_of(&self, other: &Bucket) -> usize {
        if self.priority != other.priority {
            return if self.priority > other.priority { self.queue.len() } else { 0 };
        }
        let rank = other.claim().1;
        self.queue.partition_point(|&(own, _)| own < rank)
    }
}

impl RunQueue {
    fn bucket_index(&self, plan: &Plan, node: u32) -> usize {
        if !self.bucket_in.is_empty()
            && let Some(&bucket) = self.bucket_in.get(&node)
        {
            return bucket as usize;
        }
        self.bucket_of[plan.options_index(node) * self.defs + plan.def_index(node)] as usize
    }
}

impl RunQueue {
    /// Whether the parts of the graph that its tasks are in have room for one more.
    fn lets(&self, bucket: &Bucket) -> bool {
        bucket.limits.iter().all(|&limit| {
            let (active, limit) = self.limits[limit as usize];
            active < limit
        })
    }
}

impl Dispatcher {
    pub(crate) fn new(limit: usize, pools: impl IntoIterator<Item = (String, u32)>) -> Self {
        let pools = pools.into_iter().map(|(name, slots)| Pool { name, slots, taken: 0 }).collect();
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

    /// Makes room for a run; `away` says whether its tasks run on executors. A pool that the plan names and nobody declared has no
    /// limit: freezing has refused it.
    pub(crate) fn add_run(&mut self, plan: &Plan, limit: usize, away: bool) -> RunKey {
        let (defs, has_limits) = (plan.defs().len(), plan.limits().next().is_some());
        let mut buckets: Vec<Bucket> = Vec::new();
        let mut bucket_of = vec![u32::MAX; plan.option_sets().len() * defs];
        let mut bucket_in: HashMap<u32, u32> = HashMap::new();
        for node in 0..plan.len() as u32 {
            let slot = plan.options_index(node) * defs + plan.def_index(node);
            let limits: SmallVec<[u32; 2]> = if has_limits { plan.limits_of(node).collect() } else { SmallVec::new() };
            if bucket_of[slot] != u32::MAX && limits.is_empty() {
                continue;
            }
            let options = plan.node_options(node);
            let lane = Lane::of(plan.lane(node, away));
            let pool = options.pool.and_then(|name| self.pools.iter().position(|pool| pool.name == name));
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
                buckets.push(Bucket { priority, lane, pool, slots, limits, queue });
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

        let run = RunQueue {
            buckets,
            bucket_of,
            bucket_in,
            limits: plan.limits().map(|limit| (0, limit)).collect(),
            defs,
            active: 0,
            limit,
            ready: 0,
            ready_sync: 0,
            in_turn: false,
        };
        let free = self.runs.iter().position(Option::is_none).unwrap_or(self.runs.len());
        if free == self.runs.len() {
            self.runs.push(None);
        }
        self.runs[free] = Some(run);
        RunKey(free as u32)
    }

    /// Forgets a run; what it still holds is given back.
    pub(crate) fn remove_run(&mut self, key: RunKey) {
        self.clear(key);
        if let Some(run) = self.runs[key.0 as usize].take() {
            self.active -= run.active;
        }
        self.turns.retain(|&turn| turn != key);
    }

    /// Forgets the ready tasks of a run.
    pub(crate) fn clear(&mut self, key: RunKey) {
        if let Some(run) = &mut self.runs[key.0 as usize] {
            self.ready_sync -= run.ready_sync;
            self.ready_runtime -= run.ready - run.ready_sync;
            run.ready = 0;
            run.ready_sync = 0;
            for bucket in &mut run.buckets {
                bucket.queue.clear();
            }
        }
    }

    /// Queues a ready task; `next` puts it before those that wait already.
    pub(crate) fn push(&mut self, key: RunKey, layout: &Layout, task: u32, next: bool) {
        let Some(run) = &mut self.runs[key.0 as usize] else { return };
        self.serial += 1;
        let place = run.bucket_index(layout.plan(), layout.node(task));
        let bucket = &mut run.buckets[place];
        if next {
            bucket.queue.push_front((-self.serial, task));
        } else {
            bucket.queue.push_back((self.serial, task));
        }
        run.ready += 1;
        if bucket.lane == Lane::Sync {
            run.ready_sync += 1;
            self.ready_sync += 1;
        } else {
            self.ready_runtime += 1;
        }
        if !run.in_turn {
            run.in_turn = true;
            self.turns.push_back(key);
        }
    }

    /// The task whose turn it is, with its slots taken. `rivals` says how many tasks of the other lane could start now:
    /// where slots are scarce, those with a better claim to one are not overtaken.
    pub(crate) fn pop(&mut self, lane: Lane, rivals: usize) -> Option<(RunKey, u32)> {
        let Some((turn, bucket)) = self.peek(lane, rivals) else {
            if self.turns.len() > 1 {
                self.drop_idle_turns();
            }
            return None;
        };
        let key = self.turns[turn];
        let task = self.take(key, bucket)?;
        // Its turn is over. A lone run keeps its place, empty or not: `push` and `peek` look at its counts.
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

    /// Another task of this run, out of turn: for a worker that takes several at once.
    pub(crate) fn pop_from(&mut self, key: RunKey, lane: Lane) -> Option<u32> {
        let bucket = self.best(key, lane, usize::MAX, &Reserved::default())?;
        self.take(key, bucket)
    }

    /// Whether a worker thread asking now would get something.
    pub(crate) fn has_sync(&self) -> bool {
        self.peek(Lane::Sync, usize::MAX).is_some()
    }

    /// The place among the turns, and the bucket, of the task that goes next.
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
            // A run whose turn comes earlier has the better claim, on the other lane as well.
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

    /// The bucket of this run whose head goes next on this lane.
    fn best(&self, key: RunKey, lane: Lane, rivals: usize, reserved: &Reserved) -> Option<usize> {
        let run = self.runs[key.0 as usize].as_ref()?;
        if run.ready == 0 {
            return None;
        }
        if let [bucket] = &run.buckets[..] {
            // Most plans: nothing to compare.
            let room = self.active + reserved.tasks < self.limit && run.active < run.limit;
            return (room && bucket.lane == lane && run.lets(bucket) && self.fits(bucket, reserved)).then_some(0);
        }
        let filled = (0..run.buckets.len()).filter(|&bucket| !run.buckets[bucket].queue.is_empty());
        let mut order: SmallVec<[usize; 8]> = filled.collect();
        if order.len() > 1 {
            order.sort_by_key(|&bucket| run.buckets[bucket].claim());
        }
        let mut reserved = reserved.clone();
        let mut of_run = 0;
        for (position, &place) in order.iter().enumerate() {
            let bucket = &run.buckets[place];
            if self.active + reserved.tasks >= self.limit || run.active + of_run >= run.limit {
                return None;
            }
            if !run.lets(bucket) || !self.fits(bucket, &reserved) {
                continue;
            }
            if bucket.lane == lane {
                return Some(place);
            }
            let scarce = self.limit != usize::MAX || run.limit != usize::MAX || bucket.pool.is_some();
            if scarce && reserved.tasks < rivals {
                // Those of its tasks that matter more than the next candidate of this lane, or have waited longer.
                let mut others = order[position + 1..].iter().map(|&other| &run.buckets[other]);
                let candidate = others.find(|other| other.lane == lane);
                let ahead = candidate.map_or(0, |candidate| bucket.ahead_of(candidate)).min(rivals - reserved.tasks);
                of_run += ahead;
                reserved.add(bucket, ahead);
            }
        }
        None
    }

    fn fits(&self, bucket: &Bucket, reserved: &Reserved) -> bool {
        bucket.pool.is_none_or(|pool| {
            let taken = u64::from(self.pools[pool].taken) + reserved.slots(pool);
            taken + u64::from(bucket.slots) <= u64::from(self.pools[pool].slots)
        })
    }

    /// The head of a bucket, with its slots taken.
    fn take(&mut self, key: RunKey, bucket: usize) -> Option<u32> {
        let run = self.runs[key.0 as usize].as_mut()?;
        let bucket = &mut run.buckets[bucket];
        let (_, task) = bucket.queue.pop_front()?;
        if let Some(pool) = bucket.pool {
            self.pools[pool].taken += bucket.slots;
        }
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

    /// Lets `next` have the place of `ended` at once, where no other ready task could have a better claim to it: both
    /// are for workers and in no pool, and nothing else is ready.
    pub(crate) fn hand_over(&self, key: RunKey, layout: &Layout, ended: u32, next: u32) -> bool {
        let Some(run) = &self.runs[key.0 as usize] else { return false };
        let free = |task| {
            let bucket = &run.buckets[run.bucket_index(layout.plan(), layout.node(task))];
            bucket.lane == Lane::Sync && bucket.pool.is_none() && bucket.limits.is_empty()
        };
        self.ready_sync + self.ready_runtime == 0 && free(ended) && free(next)
    }

    /// Gives the slots of a task back.
    pub(crate) fn release(&mut self, key: RunKey, layout: &Layout, task: u32) {
        let Some(run) = &mut self.runs[key.0 as usize] else { return };
        let place = run.bucket_index(layout.plan(), layout.node(task));
        let bucket = &run.buckets[place];
        if let Some(pool) = bucket.pool {
            self.pools[pool].taken -= bucket.slots;
        }
        bucket.limits.iter().for_each(|&limit| run.limits[limit as usize].0 -= 1);
        run.active -= 1;
        self.active -= 1;
    }

    /// Runs whose queues ran empty or were cleared lose their turn.
    fn drop_idle_turns(&mut self) {
        let runs = &mut self.runs;
        self.turns.retain(|key| {
            let Some(run) = &mut runs[key.0 as usize] else { return false };
            run.in_turn = run.ready > 0;
            run.in_turn
        });
    }

    /// Ready tasks for worker threads, in one run.
    pub(crate) fn ready_sync_of(&self, key: RunKey) -> usize {
        self.runs[key.0 as usize].as_ref().map_or(0, |run| run.ready_sync)
    }

    /// Whether every task of the plan can have its slots.
    pub(crate) fn check_pools(&self, plan: &Plan) -> Result<(), RunError> {
        for (set, options) in plan.option_sets().iter().enumerate() {
            let Some(name) = options.pool else { continue };
            let too_small = |pool: &&Pool| pool.name == name && pool.slots < options.pool_slots;
            let Some(pool) = self.pools.iter().find(too_small) else { continue };
            let task = (0..plan.len() as u32).find(|&task| plan.options_index(task) == set);
            let task = task.map_or_else(String::new, |task| plan.nodes()[task as usize].id().to_owned());
            let (wanted, slots) = (options.pool_slots, pool.slots);
            return Err(RunError::PoolTooSmall { task, pool: name.to_owned(), wanted, slots });
        }
        Ok(())
    }
}
