use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{Dispatcher, Lane, PoolTooSmall, RunKey};
use crate::dag::{Dag, DagBuilder, Group, Layout, Output, PoolDef, PoolEntry, add_task};
use crate::run::TaskIndex;
use crate::task::{Kind, TaskDef};

const POOL: &str = "dispatcher_tests";

inventory::submit! { PoolEntry(PoolDef { name: POOL, slots: 4 }) }

/// A dispatcher with the layouts of its runs.
struct Runs {
    dispatcher: Dispatcher,
    runs: Vec<(RunKey, Layout)>,
}

impl Runs {
    fn new(limit: usize, pool_slots: u32) -> Self {
        Runs { dispatcher: Dispatcher::new(limit, [(POOL.to_owned(), pool_slots)]), runs: Vec::new() }
    }

    /// Adds a run whose tasks are all ready.
    fn add(&mut self, limit: usize, draw: impl FnOnce(&DagBuilder)) -> usize {
        let layout = layout(draw);
        let key = self.dispatcher.add_run(layout.plan(), limit, false);
        for task in layout.tasks() {
            self.dispatcher.push(key, &layout, task, false);
        }
        self.runs.push((key, layout));
        self.runs.len() - 1
    }

    /// Adds a run whose tasks are all ready; the places of some are known by their letters.
    fn add_with_suspects<const N: usize>(&mut self, suspects: [&str; N], draw: impl FnOnce(&DagBuilder)) -> usize {
        let layout = layout(draw);
        let key = self.dispatcher.add_run(layout.plan(), usize::MAX, false);
        let place = |id: &str| TaskIndex::new(u32::from(id.as_bytes()[0] - b'a'));
        self.dispatcher.suspect(key, suspects.map(place).into());
        for task in layout.tasks() {
            self.dispatcher.push(key, &layout, task, false);
        }
        self.runs.push((key, layout));
        self.runs.len() - 1
    }

    /// The ids of all tasks that may start now, in order.
    fn pop_all(&mut self) -> Vec<String> {
        let popped = std::iter::from_fn(|| self.dispatcher.pop(Lane::Sync, 0)).collect::<Vec<_>>();
        let layout = |key| &self.runs.iter().find(|(known, _)| *known == key).unwrap().1;
        popped.into_iter().map(|(key, task)| layout(key).id(task).into_owned()).collect()
    }

    fn release(&mut self, run: usize, id: &str) {
        let (key, layout) = &self.runs[run];
        let task = layout.tasks().find(|&task| layout.id(task) == id).unwrap();
        self.dispatcher.release(*key, layout, task);
    }
}

fn layout(draw: impl FnOnce(&DagBuilder)) -> Layout {
    Layout::new(Arc::clone(Dag::draw("test", draw).unwrap().plan()))
}

fn tasks<const N: usize>(dag: &DagBuilder, ids: [&str; N]) -> [Output<()>; N] {
    ids.map(|id| dag.add(id, |_| Ok(())))
}

fn three(dag: &DagBuilder) {
    tasks(dag, ["a", "b", "c"]);
}

#[test]
fn tasks_of_equal_priority_start_in_the_order_they_became_ready() {
    let mut runs = Runs::new(usize::MAX, 4);
    runs.add(usize::MAX, three);
    assert_eq!(runs.pop_all(), ["a", "b", "c"]);
}

#[test]
fn suspects_start_first_and_one_task_at_a_time_until_they_have_returned() {
    let mut runs = Runs::new(usize::MAX, 4);
    let run = runs.add_with_suspects(["b", "c"], |dag| {
        tasks(dag, ["a", "b", "c", "d", "e"]);
    });
    // The last one in the queue comes first.
    assert_eq!(runs.pop_all(), ["c"]);
    runs.release(run, "c");
    assert_eq!(runs.pop_all(), ["b"]);
    runs.release(run, "b");
    assert_eq!(runs.pop_all(), ["a", "d", "e"]);
}

#[test]
fn a_suspect_that_ends_without_a_slot_holds_up_nothing() {
    let mut runs = Runs::new(usize::MAX, 4);
    let run = runs.add_with_suspects(["c"], |dag| {
        tasks(dag, ["a", "b"]);
    });
    assert_eq!(runs.pop_all(), ["a"]);
    let (key, _) = &runs.runs[run];
    runs.dispatcher.settled(*key, TaskIndex::new(2));
    assert_eq!(runs.pop_all(), ["b"]);
}

#[test]
fn the_highest_priority_starts_first() {
    let mut runs = Runs::new(usize::MAX, 4);
    runs.add(usize::MAX, |dag| {
        dag.add("low", |_| Ok(())).priority(-1);
        dag.add("middle", |_| Ok(()));
        dag.add("high", |_| Ok(())).priority(5);
    });
    assert_eq!(runs.pop_all(), ["high", "middle", "low"]);
}

/// F1: turns are counted where no thread can lose its core.
#[test]
fn runs_take_turns_whatever_their_priorities() {
    let mut runs = Runs::new(usize::MAX, 4);
    runs.add(usize::MAX, three);
    runs.add(usize::MAX, |dag| {
        for task in tasks(dag, ["x", "y"]) {
            task.priority(9);
        }
    });
    assert_eq!(runs.pop_all(), ["a", "x", "b", "y", "c"]);
}

#[test]
fn the_limit_of_the_engine_delays_tasks() {
    let mut runs = Runs::new(2, 4);
    let run = runs.add(usize::MAX, three);
    assert_eq!(runs.pop_all(), ["a", "b"]);
    runs.release(run, "a");
    assert_eq!(runs.pop_all(), ["c"]);
}

#[test]
fn the_limit_of_a_run_delays_only_its_own_tasks() {
    let mut runs = Runs::new(usize::MAX, 4);
    let run = runs.add(1, three);
    runs.add(usize::MAX, |dag| {
        tasks(dag, ["x", "y"]);
    });
    assert_eq!(runs.pop_all(), ["a", "x", "y"]);
    runs.release(run, "a");
    assert_eq!(runs.pop_all(), ["b"]);
}

#[test]
fn the_limit_of_a_group_delays_only_its_own_tasks() {
    let mut runs = Runs::new(usize::MAX, 4);
    let run = runs.add(usize::MAX, |dag| {
        Group::new("g").concurrency(1).draw(|| three(dag));
        dag.add("d", |_| Ok(()));
    });
    assert_eq!(runs.pop_all(), ["g.a", "d"]);
    runs.release(run, "g.a");
    assert_eq!(runs.pop_all(), ["g.b"]);
}

#[test]
fn a_task_that_does_not_fit_its_pool_delays_no_other_task() {
    let mut runs = Runs::new(usize::MAX, 4);
    let run = runs.add(usize::MAX, |dag| {
        dag.add("three", |_| Ok(())).pool(POOL).pool_slots(3).priority(2);
        dag.add("two", |_| Ok(())).pool(POOL).pool_slots(2).priority(1);
        dag.add("one", |_| Ok(())).pool(POOL);
        dag.add("none", |_| Ok(())).priority(-1);
    });
    assert_eq!(runs.pop_all(), ["three", "one", "none"]);
    runs.release(run, "three");
    assert_eq!(runs.pop_all(), ["two"]);
}

#[test]
fn a_pool_is_shared_by_all_runs() {
    let mut runs = Runs::new(usize::MAX, 1);
    let first = runs.add(usize::MAX, |dag| {
        dag.add("a", |_| Ok(())).pool(POOL);
    });
    runs.add(usize::MAX, |dag| {
        dag.add("b", |_| Ok(())).pool(POOL);
    });
    assert_eq!(runs.pop_all(), ["a"]);
    runs.release(first, "a");
    assert_eq!(runs.pop_all(), ["b"]);
}

#[test]
fn a_task_that_needs_more_slots_than_its_pool_has_is_reported() {
    let layout = layout(|dag| {
        dag.add("wide", |_| Ok(())).pool(POOL).pool_slots(3).timeout(Duration::from_secs(1));
    });
    let dispatcher = Dispatcher::new(usize::MAX, [(POOL.to_owned(), 2)]);
    let (task, pool) = ("wide".to_owned(), POOL.to_owned());
    assert_eq!(dispatcher.check_pools(layout.plan()), Err(PoolTooSmall { task, pool, wanted: 3, slots: 2 }));
}

#[test]
fn worker_threads_do_not_take_blocking_tasks() {
    static BLOCKING: TaskDef = TaskDef { id: "wait", module: "tests", kind: Kind::Blocking, ..TaskDef::OWN };

    let mut runs = Runs::new(usize::MAX, 4);
    runs.add(usize::MAX, |_| {
        add_task::<(), 0>(&BLOCKING, []);
    });
    assert!(!runs.dispatcher.has_sync());
    assert!(runs.dispatcher.pop(Lane::Sync, 0).is_none());
    assert!(runs.dispatcher.pop(Lane::Runtime, 0).is_some());
}

#[test]
fn removing_a_run_frees_its_slots() {
    let mut runs = Runs::new(2, 4);
    let run = runs.add(usize::MAX, three);
    assert_eq!(runs.pop_all(), ["a", "b"]);
    runs.dispatcher.remove_run(runs.runs[run].0);
    runs.add(usize::MAX, three);
    assert_eq!(runs.pop_all(), ["a", "b"]);
}

#[test]
fn a_task_pushed_to_the_front_starts_before_waiting_tasks() {
    let mut runs = Runs::new(usize::MAX, 4);
    runs.add(usize::MAX, three);
    let (key, layout) = &runs.runs[0];
    runs.dispatcher.clear(*key);
    for (task, next) in layout.tasks().zip([false, false, true]) {
        runs.dispatcher.push(*key, layout, task, next);
    }
    assert_eq!(runs.pop_all(), ["c", "a", "b"]);
}

/// The tasks of a pool that start when one task ends after the other, oldest first, and one more
/// small task becomes ready each time.
fn starts_beside_a_supply(wide: impl FnOnce(&DagBuilder), supply: usize) -> Vec<String> {
    let small: Vec<String> = (0..supply).map(|number| format!("small{number:03}")).collect();
    let layout = layout(|dag| {
        wide(dag);
        for id in &small {
            dag.add(id, |_| Ok(())).pool(POOL);
        }
    });
    let mut dispatcher = Dispatcher::new(usize::MAX, [(POOL.to_owned(), 4)]);
    let key = dispatcher.add_run(layout.plan(), usize::MAX, false);
    let is_small = |task: &TaskIndex| layout.id(*task).starts_with("small");
    let (supply, wide): (Vec<_>, Vec<_>) = layout.tasks().partition(is_small);
    let mut supply = VecDeque::from(supply);
    // Three small tasks run when the wide ones become ready.
    let mut running: VecDeque<_> = supply.drain(..3).collect();
    running.iter().for_each(|&task| dispatcher.push(key, &layout, task, false));
    running.iter().for_each(|_| assert!(dispatcher.pop(Lane::Sync, 0).is_some()));
    wide.iter().for_each(|&task| dispatcher.push(key, &layout, task, false));
    let mut started = Vec::new();
    while let Some(ended) = running.pop_front() {
        // What follows in a chain of tasks goes before those that wait, outside of pools.
        supply.pop_front().into_iter().for_each(|task| dispatcher.push(key, &layout, task, true));
        dispatcher.release(key, &layout, ended);
        while let Some((_, task)) = dispatcher.pop(Lane::Sync, 0) {
            started.push(layout.id(task).into_owned());
            running.push_back(task);
        }
    }
    started
}

#[test]
fn small_tasks_overtake_a_large_one_by_as_many_slots_as_its_pool_has() {
    for priority in [0, 1000] {
        let started = starts_beside_a_supply(
            |dag| {
                dag.add("wide", |_| Ok(())).pool(POOL).pool_slots(4).priority(priority);
            },
            123,
        );
        assert_eq!(started.iter().position(|id| id == "wide"), Some(4), "{started:?}");
        assert_eq!(started.len(), 121, "{started:?}");
    }
}

/// Two runs and a pool of 4 slots: while `a` needs all of them, `b` has small tasks.
#[test]
fn a_pool_is_reserved_across_runs_and_until_the_ready_tasks_of_the_run_are_dropped() {
    let mut runs = Runs::new(usize::MAX, 4);
    let small = runs.add(usize::MAX, |dag| {
        for number in 0..20 {
            dag.add(&format!("b{number:02}"), |_| Ok(())).pool(POOL);
        }
    });
    assert_eq!(runs.pop_all(), ["b00", "b01", "b02", "b03"]);
    let large = runs.add(usize::MAX, |dag| {
        dag.add("a", |_| Ok(())).pool(POOL).pool_slots(4);
    });
    for (ended, next) in [("b00", "b04"), ("b01", "b05"), ("b02", "b06"), ("b03", "b07")] {
        runs.release(small, ended);
        assert_eq!(runs.pop_all(), [next]);
    }
    runs.release(small, "b04");
    assert!(runs.pop_all().is_empty());
    assert!(!runs.dispatcher.has_sync());
    runs.dispatcher.clear(runs.runs[large].0);
    assert_eq!(runs.pop_all(), ["b08"]);
}

/// While a pool drains for a task, no later task takes the last place under another limit of it.
#[test]
fn a_task_with_a_reserved_pool_keeps_its_place_under_other_limits() {
    for (limit, group) in [(1, 9), (9, 1)] {
        let mut runs = Runs::new(usize::MAX, 2);
        let small = runs.add(usize::MAX, |dag| {
            for task in tasks(dag, ["a", "b", "c", "d", "e", "f"]) {
                task.pool(POOL);
            }
        });
        assert_eq!(runs.pop_all(), ["a", "b"]);
        let large = runs.add(limit, |dag| {
            Group::new("g").concurrency(group).draw(|| {
                dag.add("wide", |_| Ok(())).pool(POOL).pool_slots(2);
                tasks(dag, ["x", "y"]);
            });
        });
        let (key, layout) = &runs.runs[large];
        let all: Vec<TaskIndex> = layout.tasks().collect();
        runs.dispatcher.clear(*key);
        runs.dispatcher.push(*key, layout, all[0], false);
        for (ended, next) in [("a", "c"), ("b", "d")] {
            runs.release(small, ended);
            assert_eq!(runs.pop_all(), [next]);
        }
        let (key, layout) = &runs.runs[large];
        all[1..].iter().for_each(|&task| runs.dispatcher.push(*key, layout, task, false));
        assert!(runs.pop_all().is_empty());
        runs.release(small, "c");
        assert!(runs.pop_all().is_empty());
        runs.release(small, "d");
        assert_eq!(runs.pop_all(), ["g.wide"]);
        runs.release(large, "g.wide");
        assert!(runs.pop_all().contains(&"g.x".to_owned()));
    }
}

const OTHER_POOL: &str = "dispatcher_tests_too";

inventory::submit! { PoolEntry(PoolDef { name: OTHER_POOL, slots: 3 }) }

const POOLS: [(&str, u32); 2] = [(POOL, 4), (OTHER_POOL, 3)];

#[derive(Clone, Debug)]
struct Drawn {
    /// The place of its pool in `POOLS`.
    pool: Option<usize>,
    slots: u32,
    priority: i32,
    /// Whether it is in the group, which has a limit.
    grouped: bool,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let pool = prop::option::weighted(0.9, 0..POOLS.len());
    (pool, 1..=4_u32, 0..3, prop::bool::weighted(0.3)).prop_map(|(pool, slots, priority, grouped)| {
        let slots = pool.map_or(1, |pool| slots.min(POOLS[pool].1));
        Drawn { pool, slots, priority, grouped }
    })
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    run: usize,
    group: u32,
}

/// A run, and what the reference counts for it.
struct Drawing {
    key: RunKey,
    layout: Layout,
    limits: Limits,
    drawn: Vec<Drawn>,
    /// Tasks that are not ready yet.
    to_come: VecDeque<usize>,
    active: usize,
    active_in_group: u32,
}

impl Drawing {
    fn new(dispatcher: &mut Dispatcher, drawn: Vec<Drawn>, limits: Limits) -> Self {
        let add = |dag: &DagBuilder, grouped: bool| {
            for (place, task) in drawn.iter().enumerate().filter(|(_, task)| task.grouped == grouped) {
                let added = dag.add(&format!("t{place}"), |_| Ok(())).priority(task.priority);
                if let Some(pool) = task.pool {
                    added.pool(POOLS[pool].0).pool_slots(task.slots);
                }
            }
        };
        let layout = layout(|dag| {
            add(dag, false);
            Group::new("g").concurrency(limits.group).draw(|| add(dag, true));
        });
        let key = dispatcher.add_run(layout.plan(), limits.run, false);
        let to_come = (0..drawn.len()).collect();
        Drawing { key, layout, limits, drawn, to_come, active: 0, active_in_group: 0 }
    }

    fn task(&self, place: usize) -> TaskIndex {
        let id = if self.drawn[place].grouped { format!("g.t{place}") } else { format!("t{place}") };
        self.layout.tasks().find(|&task| self.layout.id(task) == *id).unwrap()
    }

    fn started(&mut self, place: usize) {
        self.active += 1;
        self.active_in_group += u32::from(self.drawn[place].grouped);
    }

    fn ended(&mut self, place: usize) {
        self.active -= 1;
        self.active_in_group -= u32::from(self.drawn[place].grouped);
    }

    /// Whether its limits, other than pools, allow the task.
    fn lets(&self, place: usize) -> bool {
        self.active < self.limits.run && (!self.drawn[place].grouped || self.active_in_group < self.limits.group)
    }
}

/// A ready task.
struct Waiting {
    run: usize,
    place: usize,
    serial: usize,
    /// How many tasks have overtaken it, and how many may.
    overtaken: u32,
    most: u32,
}

/// Some runs, the dispatcher, and the rules of its module stated once more.
struct Reference {
    dispatcher: Dispatcher,
    runs: Vec<Drawing>,
    waiting: Vec<Waiting>,
    running: Vec<(usize, usize)>,
    taken: [u32; POOLS.len()],
    serial: usize,
}

impl Reference {
    /// The next task of a run becomes ready.
    fn push(&mut self, run: usize, next: bool) {
        let Some(place) = self.runs[run].to_come.pop_front() else { return };
        let drawing = &self.runs[run];
        let drawn = &drawing.drawn[place];
        let bucket = |it: &Drawn| (it.pool, it.slots, it.priority, it.grouped);
        let is_like_it = |other: &&Waiting| other.run == run && bucket(&drawing.drawn[other.place]) == bucket(drawn);
        let before = self.waiting.iter().filter(is_like_it).count() as u32;
        let most = drawn.pool.map_or(u32::MAX, |pool| POOLS[pool].1 * (before + 1));
        self.serial += 1;
        self.waiting.push(Waiting { run, place, serial: self.serial, overtaken: 0, most });
        self.dispatcher.push(drawing.key, &drawing.layout, drawing.task(place), next);
    }

    /// Starts what can start.
    fn start(&mut self) {
        loop {
            let reserved = self.dispatcher.pools.iter().map(|pool| pool.reserved_for).collect::<Vec<_>>();
            let Some((key, task)) = self.dispatcher.pop(Lane::Sync, usize::MAX) else { break };
            let run = self.runs.iter().position(|run| run.key == key).unwrap();
            let is_it = |it: &Waiting| it.run == run && self.runs[run].task(it.place) == task;
            let started = self.waiting.iter().position(is_it).expect("a ready task");
            let started = self.waiting.remove(started);
            let drawn = self.runs[run].drawn[started.place].clone();
            assert!(self.runs[run].lets(started.place), "a limit holds");
            if let Some(pool) = drawn.pool {
                let free = POOLS[pool].1 - self.taken[pool];
                assert!(drawn.slots <= free, "the slots are free");
                self.taken[pool] += drawn.slots;
                match reserved[pool] {
                    Some((holder, _)) => assert_eq!(holder, key, "no other task starts in a reserved pool"),
                    None => self.count_overtaken(pool, free, run, &started),
                }
            }
            self.runs[run].started(started.place);
            self.running.push((run, started.place));
        }
    }

    fn count_overtaken(&mut self, pool: usize, free: u32, run: usize, started: &Waiting) {
        let priority = self.runs[run].drawn[started.place].priority;
        for other in &mut self.waiting {
            let drawing = &self.runs[other.run];
            let drawn = &drawing.drawn[other.place];
            let lacks_slots = drawn.pool == Some(pool) && drawn.slots > free && drawing.lets(other.place);
            let comes_before = other.run == run
                && (priority > drawn.priority || priority == drawn.priority && started.serial < other.serial);
            if lacks_slots && !comes_before {
                other.overtaken += 1;
                assert!(other.overtaken <= other.most, "overtaken {} times: {drawn:?}", other.overtaken);
            }
        }
    }

    fn end(&mut self, running: usize) {
        let (run, place) = self.running.remove(running);
        let drawing = &mut self.runs[run];
        if let Drawn { pool: Some(pool), slots, .. } = drawing.drawn[place] {
            self.taken[pool] -= slots;
        }
        drawing.ended(place);
        self.dispatcher.release(drawing.key, &drawing.layout, drawing.task(place));
    }
}

proptest! {
    /// No ready task is overtaken more often than the module says, and all of them start, whatever
    /// the pools, priorities, runs and limits of the others.
    #[test]
    fn no_task_is_overtaken_more_often_than_the_bound(
        runs in vec((vec(drawn(), 1..40), 1..6_usize, 1..3_u32), 1..4),
        steps in vec((any::<Index>(), any::<bool>(), any::<bool>()), 1..200),
    ) {
        let pools = POOLS.map(|(name, slots)| (name.to_owned(), slots));
        let mut dispatcher = Dispatcher::new(usize::MAX, pools);
        let runs = runs.into_iter().map(|(drawn, run, group)| {
            Drawing::new(&mut dispatcher, drawn, Limits { run, group })
        });
        let runs: Vec<Drawing> = runs.collect();
        let mut reference =
            Reference { dispatcher, runs, waiting: Vec::new(), running: Vec::new(), taken: [0; 2], serial: 0 };
        for (which, ends, next) in steps {
            if ends && !reference.running.is_empty() {
                reference.end(which.index(reference.running.len()));
            } else {
                reference.push(which.index(reference.runs.len()), next);
            }
            reference.start();
        }
        for run in 0..reference.runs.len() {
            while !reference.runs[run].to_come.is_empty() {
                reference.push(run, false);
            }
        }
        reference.start();
        while !reference.running.is_empty() {
            reference.end(0);
            reference.start();
        }
        prop_assert!(reference.waiting.is_empty(), "{} tasks never start", reference.waiting.len());
    }
}

#[test]
fn a_pool_that_is_shared_shrinks_as_tasks_end() {
    let mut runs = Runs::new(usize::MAX, 4);
    let run = runs.add(usize::MAX, |dag| {
        for task in tasks(dag, ["a", "b", "c", "d", "e", "f"]) {
            task.pool(POOL);
        }
    });
    runs.dispatcher.close_pools();
    assert_eq!(runs.pop_all(), [""; 0]);
    runs.dispatcher.set_pool(POOL, 3, 1);
    // One of the three goes to others at once.
    assert_eq!(runs.pop_all(), ["a", "b"]);
    runs.dispatcher.set_pool(POOL, 2, 1);
    let used = runs.dispatcher.pool_uses();
    assert_eq!((used[0].size, used[0].slots, used[0].taken, used[0].ready, used[0].largest), (4, 2, 2, 4, 1));
    runs.release(run, "a");
    assert_eq!(runs.pop_all(), [""; 0]);
    runs.release(run, "b");
    assert_eq!(runs.pop_all(), ["c"]);
    runs.dispatcher.open_pools();
    assert_eq!(runs.pop_all(), ["d", "e", "f"]);
}

/// An engine that went on with tasks in other pools kept the slots of this one, and another process
/// waited for them without end.
#[test]
fn the_slots_that_are_left_of_a_run_that_has_ended_are_listed() {
    let mut runs = Runs::new(usize::MAX, 4);
    let run = runs.add(usize::MAX, |dag| {
        for task in tasks(dag, ["a"]) {
            task.pool(POOL);
        }
    });
    runs.dispatcher.close_pools();
    runs.dispatcher.set_pool(POOL, 3, 0);
    assert_eq!(runs.pop_all(), ["a"]);
    runs.release(run, "a");
    runs.dispatcher.remove_run(runs.runs[run].0);
    assert!(!runs.dispatcher.has_pool_tasks());
    let used = runs.dispatcher.pool_uses();
    assert_eq!((used[0].slots, used[0].taken, used[0].ready), (3, 0, 0));
    runs.dispatcher.set_pool(POOL, 0, 0);
    assert_eq!(runs.dispatcher.pool_uses(), []);
}
