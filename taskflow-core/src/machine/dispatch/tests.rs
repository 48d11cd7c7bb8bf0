use std::sync::Arc;
use std::time::Duration;

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
