//! What runs concurrently and in which order: workers, limits, pools, priorities, turns of runs;
//! and that no task waits needlessly.

#![allow(clippy::needless_pass_by_value, reason = "tasks take what their parameters say")]

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use taskflow::engine::{Engine, EngineBuilder, Event, RunHandle, RunReport, TaskState};
use taskflow::prelude::*;
use taskflow::{DagOptions, Value};
use taskflow_tests::common::{
    self, Gate, Meter, eventually, finish, live, locked, patiently, reference, state_of, states,
};

taskflow::pool!("three", slots = 3);
taskflow::pool!("one", slots = 1);

fn build<T: Value>(body: impl FnOnce() -> Output<T>) -> Dag<T> {
    Dag::build("limits", body).expect("the graph is sound")
}

fn with_limit<T: Value>(tasks: u32, body: impl FnOnce() -> Output<T>) -> Dag<T> {
    let mut options = DagOptions::NONE;
    options.max_active_tasks = Some(tasks);
    Dag::build_with("limited", options, body).expect("the graph is sound")
}

fn count(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).expect("not zero")
}

fn engine(configure: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Engine {
    configure(Engine::builder()).build().expect("the pools are declared")
}

fn workers(number: usize) -> Engine {
    engine(|engine| engine.workers(count(number)))
}

fn start<T: Value>(dag: &Dag<T>, engine: &Engine) -> RunHandle<T> {
    dag.run().engine(engine).start().expect("the graph is sound")
}

/// Calls a task `count` times and returns the last output.
fn many<T>(times: usize, mut task: impl FnMut() -> Output<T>) -> Output<T> {
    let all: Vec<Output<T>> = (0..times).map(|_| task()).collect();
    all[times - 1]
}

// How many at once.

/// Three tasks that wait for each other need three workers, and a hundred never use more.
#[test]
fn as_many_sync_tasks_run_at_once_as_there_are_workers() {
    static INSIDE: Meter = Meter::new();
    #[task]
    fn waits_for_two_others() {
        let _inside = INSIDE.enter();
        INSIDE.wait_for(3);
    }
    let report = live(build(|| many(100, waits_for_two_others)).run().engine(&workers(3)));
    assert!(report.is_success());
    assert_eq!(INSIDE.peak(), 3);
}

#[test]
fn one_worker_runs_one_sync_task_after_the_other() {
    static INSIDE: Meter = Meter::new();
    #[task]
    fn alone() {
        let _inside = INSIDE.enter();
        std::thread::yield_now();
    }
    for _ in 0..5 {
        live(build(|| many(200, alone)).run().engine(&workers(1)));
    }
    assert_eq!(INSIDE.peak(), 1);
}

#[test]
fn async_and_blocking_tasks_occupy_no_worker() {
    static ASYNC: Meter = Meter::new();
    static BLOCKING: Meter = Meter::new();
    static ALL_THERE: Gate = Gate::new();
    #[task]
    async fn waits_in_async() {
        let _ = ASYNC.enter();
        ALL_THERE.pass_async().await;
    }
    #[task(blocking)]
    fn waits_blocking() {
        let _ = BLOCKING.enter();
        ALL_THERE.pass();
    }
    #[task]
    fn opens() {
        ASYNC.wait_for(10_000);
        BLOCKING.wait_for(100);
        ALL_THERE.open();
    }
    let dag = build(|| {
        many(10_000, waits_in_async);
        many(100, waits_blocking);
        opens()
    });
    let report = live(dag.run().engine(&workers(1)));
    assert!(report.is_success());
}

/// A task of each kind, which counts itself and waits until `expected` were inside at least once.
macro_rules! kinds {
    ($meter:ident, $expected:expr) => {
        static $meter: Meter = Meter::new();
        #[task]
        fn sync() {
            let _inside = $meter.enter();
            $meter.wait_for($expected);
        }
        #[task]
        async fn later() {
            let _inside = $meter.enter();
            while $meter.entered() < $expected {
                tokio::task::yield_now().await;
            }
        }
        #[task(blocking)]
        fn blocking() {
            let _inside = $meter.enter();
            $meter.wait_for($expected);
        }
    };
}

#[test]
fn the_limit_of_the_engine_counts_tasks_of_every_kind_in_every_run() {
    kinds!(INSIDE, 3);
    let engine = engine(|engine| engine.workers(count(4)).max_active_tasks(count(3)));
    let dag = build(|| {
        many(30, sync);
        many(30, later);
        many(30, blocking)
    });
    let handles: Vec<_> = (0..3).map(|_| start(&dag, &engine)).collect();
    assert!(handles.into_iter().all(|handle| finish(handle).is_success()));
    assert_eq!(INSIDE.peak(), 3);
}

#[test]
fn the_limit_of_a_dag_counts_the_tasks_of_one_run() {
    kinds!(INSIDE, 4);
    let dag = with_limit(2, || {
        many(20, sync);
        many(20, later);
        many(20, blocking)
    });
    let engine = workers(8);
    // Four can only be inside together when each of two runs has its two.
    let (one, other) = (start(&dag, &engine), start(&dag, &engine));
    assert!(finish(one).is_success() && finish(other).is_success());
    assert_eq!(INSIDE.peak(), 4);
}

#[test]
fn a_limit_of_one_runs_one_task_at_a_time() {
    static INSIDE: Meter = Meter::new();
    #[task]
    async fn later() {
        let _inside = INSIDE.enter();
        tokio::task::yield_now().await;
    }
    #[task]
    fn sync() {
        let _inside = INSIDE.enter();
    }
    let dag = with_limit(1, || {
        many(200, later);
        many(200, sync)
    });
    assert!(live(dag.run().engine(&workers(4))).is_success());
    assert_eq!(INSIDE.peak(), 1);
}

// Pools.

#[test]
fn the_slots_of_a_pool_are_shared_by_all_runs() {
    kinds!(INSIDE, 3);
    let dag = build(|| {
        for _ in 0..20 {
            sync().pool("three");
            later().pool("three");
            blocking().pool("three");
        }
        sync().pool("three")
    });
    let engine = workers(8);
    let handles: Vec<_> = (0..3).map(|_| start(&dag, &engine)).collect();
    assert!(handles.into_iter().all(|handle| finish(handle).is_success()));
    assert_eq!(INSIDE.peak(), 3);
}

#[test]
fn a_task_can_take_several_slots() {
    static TAKEN: Meter = Meter::new();
    #[task]
    async fn takes(slots: usize) {
        let _inside = TAKEN.enter_with(slots);
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
    }
    #[task(pool = "three", pool_slots = 3)]
    fn takes_all() {
        let _inside = TAKEN.enter_with(3);
    }
    let dag = build(|| {
        for round in 0..60 {
            let slots = round % 3 + 1;
            takes(slots as usize).pool("three").pool_slots(slots);
            takes_all();
        }
        takes_all()
    });
    assert!(live(dag.run().engine(&workers(4))).is_success());
    assert!(TAKEN.peak() <= 3, "{} slots were taken at once", TAKEN.peak());
}

#[test]
fn two_tasks_that_fit_a_pool_run_at_once() {
    kinds!(INSIDE, 2);
    let dag = build(|| {
        blocking().pool("three").pool_slots(1);
        later().pool("three").pool_slots(2)
    });
    assert!(live(dag.run().engine(&workers(1))).is_success());
    assert_eq!(INSIDE.peak(), 2);
    let _ = sync::def();
}

#[test]
fn tasks_outside_a_pool_do_not_wait_for_it() {
    static OUTSIDE_RAN: Gate = Gate::new();
    #[task]
    fn inside() {
        OUTSIDE_RAN.pass();
    }
    #[task]
    fn outside() {
        OUTSIDE_RAN.open();
    }
    let dag = build(|| {
        for _ in 0..5 {
            inside().pool("one").priority(10);
        }
        outside()
    });
    assert!(live(dag.run().engine(&workers(2))).is_success());
}

/// "A task that needs more slots than are free does not hold back others that fit."
#[test]
fn a_task_that_does_not_fit_does_not_delay_one_that_does() {
    static SMALL_RAN: Gate = Gate::new();
    #[task]
    fn first() {
        SMALL_RAN.pass();
    }
    #[task]
    fn large() {}
    #[task]
    fn small() {
        SMALL_RAN.open();
    }
    let dag = build(|| {
        first().pool("three").pool_slots(2).priority(2);
        large().pool("three").pool_slots(3).priority(1);
        small().pool("three")
    });
    assert!(live(dag.run().engine(&workers(2))).is_success());
}

/// B14: a task that needs all slots of a pool, with priority 1000, beside three chains of tasks
/// that need one each: it was the 86th of 126 to start. Siblings: with the priority of the chains,
/// chains of async tasks, and the reference driver.
#[test]
fn small_tasks_overtake_a_large_one_at_most_as_often_as_its_pool_has_slots() {
    #[task(pool = "three")]
    fn small() {
        std::thread::yield_now();
    }
    #[task(pool = "three")]
    async fn small_later() {
        tokio::task::yield_now().await;
    }
    #[task(pool = "three", pool_slots = 3)]
    fn large() {}
    for (priority, is_async) in [(1000, false), (0, false), (1000, true), (0, true)] {
        let next = || if is_async { small_later() } else { small() };
        let dag = build(|| {
            let mut ends: Vec<Output<()>> = (0..3).map(|_| next()).collect();
            for length in 1..42 {
                ends = ends.into_iter().map(|end| next().after(end)).collect();
                if length == 5 {
                    large().id("large").priority(priority).after(ends[0]);
                }
            }
            ends[0]
        });
        let check = |report: &RunReport<()>, log: &common::Log, most: u32| {
            let mut overtaken = None;
            for event in log.events() {
                let Event::Task { task, to, .. } = event else { continue };
                let is_large = report.numbered(task).is_some_and(|task| task.id() == "large");
                match to {
                    TaskState::Scheduled if is_large => overtaken = Some(0),
                    TaskState::Running if is_large => break,
                    TaskState::Running => overtaken = overtaken.map(|count| count + 1),
                    _ => {}
                }
            }
            assert!(overtaken.is_some_and(|count| count <= most), "overtaken {overtaken:?} times");
        };
        let log = common::Log::default();
        check(&reference(dag.run().observe(log.observer())), &log, 3);
        // Each of the other two workers may have taken a task before the large one was ready, and
        // report afterwards that it runs.
        let log = common::Log::default();
        check(&live(dag.run().engine(&workers(3)).observe(log.observer())), &log, 3 + 2);
    }
}

#[test]
fn an_engine_can_override_the_slots_of_a_pool() {
    kinds!(INSIDE, 5);
    let engine = engine(|engine| engine.workers(count(8)).pool("three", 5));
    let dag = build(|| {
        for _ in 0..20 {
            sync().pool("three");
        }
        later();
        blocking();
        sync().pool("three")
    });
    // Outside the pool are two more.
    assert!(live(dag.run().engine(&engine)).is_success());
    assert!(INSIDE.peak() >= 4 && INSIDE.peak() <= 7, "{}", INSIDE.peak());
}

#[test]
fn an_engine_rejects_an_undeclared_pool() {
    let error = Engine::builder().pool("thre", 5).build().map(|_| ()).expect_err("it is misspelt");
    assert_eq!(
        error.to_string(),
        "the pool `thre` is not declared; declare it with `taskflow::pool!(\"thre\", slots = ..);`"
    );
}

#[test]
fn a_run_that_needs_more_slots_than_exist_is_rejected() {
    #[task]
    fn takes_three() {}
    let engine = engine(|engine| engine.pool("three", 2));
    let dag = build(|| takes_three().pool("three").pool_slots(3));
    let handle = match dag.run().engine(&engine).start() {
        Err(error) => return assert!(error.to_string().contains("`three`"), "{error}"),
        Ok(handle) => handle,
    };
    let control = handle.control();
    let report = patiently(move || handle.wait());
    control.cancel("it would wait for ever");
    panic!("it was started, and ended as {:?}", report.map(|report| report.state()));
}

#[test]
fn a_task_frees_its_slots_after_every_outcome() {
    #[task(pool = "one", retries = 1, retry_delay = "0s")]
    fn ends(how: u32, ctx: &TaskContext) -> Result<()> {
        match how % 4 {
            0 => Ok(()),
            1 => Err("no")?,
            2 => panic!("no"),
            _ => Err(ctx.skip("no"))?,
        }
    }
    #[task(pool = "one")]
    async fn ends_later(how: u32) -> Result<()> {
        if how.is_multiple_of(2) { Ok(()) } else { Err("no")? }
    }
    let dag = build(|| {
        for how in 0..40 {
            ends_later(how);
            ends(how);
        }
        ends(0)
    });
    for _ in 0..5 {
        let report = live(dag.run().engine(&workers(2)));
        assert!(report.tasks().all(|task| task.state().is_terminal()));
    }
}

// What goes first.

static ORDERS: Mutex<Vec<(String, i32)>> = Mutex::new(Vec::new());

/// Notes that it ran, under the name of its test.
#[task]
fn note(test: &str, number: i32) {
    locked(&ORDERS).push((test.to_owned(), number));
}

#[task]
async fn note_later(test: &str, number: i32) {
    locked(&ORDERS).push((test.to_owned(), number));
}

/// What was noted under this name since the last look.
fn noted(test: &str) -> Vec<i32> {
    let mut orders = locked(&ORDERS);
    let (mine, others) = orders.drain(..).partition(|(of, _)| of == test);
    *orders = others;
    let mine: Vec<(String, i32)> = mine;
    mine.into_iter().map(|(_, number)| number).collect()
}

#[test]
fn the_highest_priority_starts_first() {
    static RELEASE: Gate = Gate::new();
    #[task]
    fn holds_the_worker() {
        RELEASE.pass();
    }
    let priorities = [0, 5, -3, i32::MAX, 7, 5, i32::MIN, 0];
    let dag = build(|| {
        let first = holds_the_worker().priority(i32::MAX);
        for priority in priorities {
            note("priority", priority).priority(priority).after(first);
        }
        first
    });
    let expected = [i32::MAX, 7, 5, 5, 0, 0, -3, i32::MIN];
    RELEASE.open();
    reference(dag.run());
    assert_eq!(noted("priority"), expected);
    live(dag.run().engine(&workers(1)));
    assert_eq!(noted("priority"), expected);
}

#[test]
fn among_equal_priorities_the_longest_ready_task_starts_first() {
    let dag = build(|| many(20, || note("fifo", 1)));
    reference(dag.run());
    assert_eq!(noted("fifo").len(), 20);
    let dag = build(|| {
        let tasks: Vec<_> = (0..100).map(|number| note("order", number)).collect();
        tasks[0]
    });
    let expected: Vec<i32> = (0..100).collect();
    reference(dag.run());
    assert_eq!(noted("order"), expected);
    live(dag.run().engine(&workers(1)));
    assert_eq!(noted("order"), expected);
}

/// "limits and priorities hold"
#[test]
fn priorities_apply_across_kinds_of_tasks_on_the_reference_driver() {
    let dag = build(|| {
        note("kinds", 1).priority(1);
        note_later("kinds", 3).priority(3);
        note("kinds", 2).priority(2);
        note_later("kinds", 0)
    });
    reference(dag.run());
    assert_eq!(noted("kinds"), [3, 2, 1, 0]);
}

#[test]
fn priorities_apply_across_kinds_of_tasks_under_a_limit() {
    static RELEASE: Gate = Gate::new();
    #[task]
    fn holds_the_slot() {
        RELEASE.pass();
    }
    let engine = engine(|engine| engine.workers(count(1)).max_active_tasks(count(1)));
    let dag = build(|| {
        let first = holds_the_slot();
        note("limited", 1).priority(1).after(first);
        note_later("limited", 3).priority(3).after(first);
        note("limited", 2).priority(2).after(first);
        note_later("limited", 0).after(first)
    });
    let handle = start(&dag, &engine);
    RELEASE.open();
    finish(handle);
    assert_eq!(noted("limited"), [3, 2, 1, 0]);
}

/// A pool of one slot, and both kinds waiting for it.
#[test]
fn priorities_apply_across_kinds_of_tasks_in_a_pool() {
    static RELEASE: Gate = Gate::new();
    #[task(pool = "one")]
    fn holds_the_slot() {
        RELEASE.pass();
    }
    let dag = build(|| {
        let first = holds_the_slot();
        note("pooled", 1).pool("one").priority(1).after(first);
        note_later("pooled", 3).pool("one").priority(3).after(first);
        note("pooled", 2).pool("one").priority(2).after(first);
        note_later("pooled", 0).pool("one").after(first)
    });
    let handle = start(&dag, &workers(2));
    RELEASE.open();
    finish(handle);
    assert_eq!(noted("pooled"), [3, 2, 1, 0]);
}

// Turns of runs.

/// The tasks of a large run: enough that a worker can lose its core for a while.
const LARGE: usize = 100_000;

/// F1: a large run is under way when a small one starts, also beside programs that keep all cores
/// busy; the small one does not wait for its end.
fn assert_fair(engine: &Engine, large: &Dag<()>, small: &Dag<()>, seen: &AtomicUsize, started: &Gate, release: &Gate) {
    let large = start(large, engine);
    started.pass();
    let small = start(small, engine);
    release.open();
    assert!(finish(small).is_success());
    let before = seen.load(Ordering::SeqCst);
    assert!(before < LARGE / 2, "the small run had to wait for {before} tasks of the large one");
    assert!(finish(large).is_success());
}

macro_rules! fair {
    ($name:ident, $engine:expr, large: $large:ident, small: $small:ident) => {
        #[test]
        fn $name() {
            static RAN: AtomicUsize = AtomicUsize::new(0);
            // How many tasks of the large run had run when the last task of the small one ran.
            static SEEN: AtomicUsize = AtomicUsize::new(usize::MAX);
            static STARTED: Gate = Gate::new();
            static RELEASE: Gate = Gate::new();
            #[task]
            fn first() {
                STARTED.open();
                RELEASE.pass();
            }
            #[task]
            fn sync() {
                RAN.fetch_add(1, Ordering::SeqCst);
            }
            #[task]
            async fn later() {
                RAN.fetch_add(1, Ordering::SeqCst);
            }
            #[task]
            fn small_sync(_before: Option<()>) {
                SEEN.store(RAN.load(Ordering::SeqCst), Ordering::SeqCst);
            }
            #[task]
            async fn small_later(_before: Option<()>) {
                SEEN.store(RAN.load(Ordering::SeqCst), Ordering::SeqCst);
            }
            let _ = (sync::def(), later::def(), small_sync::def(), small_later::def());
            let large = build(|| {
                let first = first();
                for _ in 0..LARGE {
                    $large().after(first);
                }
                first
            });
            let small = build(|| $small($small($small(None))));
            assert_fair(&$engine, &large, &small, &SEEN, &STARTED, &RELEASE);
        }
    };
}

fair!(a_large_run_does_not_hold_back_a_small_one_on_one_worker, workers(1), large: sync, small: small_sync);
fair!(a_large_run_does_not_hold_back_a_small_one_on_two_workers, workers(2), large: sync, small: small_sync);
fair!(a_large_run_does_not_hold_back_an_async_one, workers(1), large: sync, small: small_later);
fair!(
    a_large_async_run_does_not_hold_back_a_small_one_under_a_limit,
    engine(|engine| engine.workers(count(1)).max_active_tasks(count(1))),
    large: later,
    small: small_later
);
fair!(
    a_large_async_run_does_not_hold_back_a_sync_one_under_a_limit,
    engine(|engine| engine.workers(count(1)).max_active_tasks(count(1))),
    large: later,
    small: small_sync
);
fair!(
    a_large_run_does_not_hold_back_an_async_one_under_a_limit,
    engine(|engine| engine.workers(count(1)).max_active_tasks(count(1))),
    large: sync,
    small: small_later
);

#[test]
fn many_concurrent_runs_all_finish() {
    #[task]
    fn number(n: u64) -> u64 {
        n
    }
    #[task]
    async fn double(n: u64) -> u64 {
        tokio::task::yield_now().await;
        n * 2
    }
    #[task(blocking)]
    fn sum(numbers: &[u64]) -> u64 {
        numbers.iter().sum()
    }
    let dags: Vec<Dag<u64>> =
        (1..=50u64).map(|size| build(|| sum((0..size).map(|n| double(number(n))).collect::<Vec<_>>()))).collect();
    for workers_and_limit in [(1, None), (2, Some(3)), (4, None)] {
        let (number, limit) = workers_and_limit;
        let engine = engine(|engine| {
            let engine = engine.workers(count(number));
            limit.map_or(engine.clone(), |limit| engine.max_active_tasks(count(limit)))
        });
        let handles: Vec<_> = dags.iter().map(|dag| start(dag, &engine)).collect();
        for (size, handle) in (1u64..).zip(handles) {
            assert_eq!(finish(handle).result(), Some(&(size * (size - 1))));
        }
    }
}

// Nobody starves.

#[test]
fn busy_workers_do_not_stall_timers_and_async_tasks() {
    static BUSY: Meter = Meter::new();
    static RELEASE: Gate = Gate::new();
    #[task]
    fn busy() {
        let _ = BUSY.enter();
        RELEASE.pass();
    }
    #[task(retries = 1, retry_delay = "1ms")]
    async fn sleeps(ctx: &TaskContext) -> Result<u32> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if ctx.attempt() == 1 { Err("again")? } else { Ok(1) }
    }
    #[task]
    async fn goes_on(number: u32) -> u32 {
        number + 1
    }
    #[task(blocking)]
    fn opens(_number: u32) {
        BUSY.wait_for(2);
        RELEASE.open();
    }
    let dag = build(|| {
        many(2, busy);
        opens(goes_on(sleeps()))
    });
    assert!(live(dag.run().engine(&workers(2))).is_success());
}

#[test]
fn busy_blocking_tasks_do_not_stall_the_others() {
    static BUSY: Meter = Meter::new();
    static RELEASE: Gate = Gate::new();
    #[task(blocking)]
    fn busy() {
        let _ = BUSY.enter();
        RELEASE.pass();
    }
    #[task]
    fn sync() -> u32 {
        BUSY.wait_for(50);
        1
    }
    #[task]
    async fn later(number: u32) -> u32 {
        number + 1
    }
    #[task]
    fn opens(_number: u32) {
        RELEASE.open();
    }
    let dag = build(|| {
        many(50, busy);
        opens(later(sync()))
    });
    assert!(live(dag.run().engine(&workers(1))).is_success());
}

#[test]
fn a_task_that_waits_for_a_retry_frees_its_worker() {
    static LAST: Gate = Gate::new();
    #[task(retries = 1, retry_delay = "1ms")]
    fn fails_once(ctx: &TaskContext) -> Result<()> {
        if ctx.attempt() == 1 {
            Err("again")?;
        }
        LAST.open();
        Ok(())
    }
    #[task(blocking)]
    fn waits() {
        LAST.pass();
    }
    let dag = build(|| {
        many(50, fails_once);
        waits()
    });
    assert!(live(dag.run().engine(&workers(1))).is_success());
}

// Workers take several short tasks at once. None of these may be hidden behind one that turns out
// long.

/// Runs many short tasks, so that they have proven short; then `tail` of the same kind, of which
/// the one at `place` waits for the last.
#[test]
fn a_long_task_does_not_delay_short_ones_queued_behind_it() {
    static GATES: [Gate; 12] = [const { Gate::new() }; 12];
    #[task]
    fn step(waits: Option<usize>, opens: Option<usize>) {
        if let Some(gate) = waits {
            GATES[gate].pass();
        }
        if let Some(gate) = opens {
            GATES[gate].open();
        }
    }
    #[task]
    fn join() {}

    for (gate, (tail, place)) in [
        (2, 0),
        (3, 0),
        (3, 1),
        (10, 0),
        (10, 5),
        (10, 8),
        (60, 0),
        (60, 30),
        (200, 0),
        (200, 100),
        (200, 190),
        (200, 198),
    ]
    .into_iter()
    .enumerate()
    {
        let dag = build(|| {
            let proven: Vec<_> = (0..500).map(|_| step(None, None)).collect();
            let join = join().after(proven);
            for position in 0..tail {
                let waits = (position == place).then_some(gate);
                let opens = (position == tail - 1).then_some(gate);
                step(waits, opens).after(join);
            }
            join
        });
        let report = live(dag.run().engine(&workers(2)));
        assert!(report.is_success(), "with the long task at {place} of {tail}");
    }
}

/// The same with results: what has ended before the long task began must be known to those who
/// depend on it.
#[test]
fn a_long_task_does_not_delay_the_downstreams_of_short_ones() {
    static GATES: [Gate; 6] = [const { Gate::new() }; 6];
    #[task]
    fn step(waits: Option<usize>) -> u32 {
        if let Some(gate) = waits {
            GATES[gate].pass();
        }
        1
    }
    #[task]
    fn join() {}
    #[task]
    fn opens(gate: usize, _steps: Vec<u32>) {
        GATES[gate].open();
    }
    for (gate, (tail, place)) in [(2, 1), (5, 4), (10, 5), (60, 59), (60, 20), (200, 199)].into_iter().enumerate() {
        let dag = build(|| {
            let proven: Vec<_> = (0..500).map(|_| step(None)).collect();
            let join = join().after(proven);
            let mut short = Vec::new();
            for position in 0..tail {
                if position == place {
                    step(Some(gate)).after(join);
                } else {
                    short.push(step(None).after(join));
                }
            }
            opens(gate, short)
        });
        let report = live(dag.run().engine(&workers(2)));
        assert!(report.is_success(), "with the long task at {place} of {tail}");
    }
}

/// The worker that is free is not the one that took the tasks: it comes from another run.
#[test]
fn a_long_task_does_not_delay_those_behind_it_when_another_run_ends() {
    static OTHER: Gate = Gate::new();
    static OTHER_STARTED: Gate = Gate::new();
    static LAST: Gate = Gate::new();
    #[task]
    fn other() {
        OTHER_STARTED.open();
        OTHER.pass();
    }
    #[task]
    fn step(number: u32) {
        match number {
            1 => {
                OTHER.open();
                LAST.pass();
            }
            2 => LAST.open(),
            _ => {}
        }
    }
    #[task]
    fn join() {}
    let engine = workers(2);
    let busy = start(&build(other), &engine);
    OTHER_STARTED.pass();
    let dag = build(|| {
        let proven: Vec<_> = (0..500).map(|_| step(0)).collect();
        let join = join().after(proven);
        step(1).after(join);
        for _ in 0..20 {
            step(0).after(join);
        }
        step(2).after(join)
    });
    assert!(finish(start(&dag, &engine)).is_success());
    assert!(finish(busy).is_success());
}

/// Long tasks all over a wide graph of short ones, each waiting for the next long one but the last:
/// they all run at once only if nothing blocks them, and with as many workers as long tasks
/// nothing may.
#[test]
fn several_long_tasks_run_on_several_workers() {
    static LONG: Meter = Meter::new();
    #[task]
    fn step(long: bool) {
        if long {
            let _inside = LONG.enter();
            LONG.wait_for(4);
        }
    }
    #[task]
    fn join() {}
    let dag = build(|| {
        let proven: Vec<_> = (0..500).map(|_| step(false)).collect();
        let join = join().after(proven);
        for position in 0..400 {
            step(position % 100 == 50).after(join);
        }
        join
    });
    assert!(live(dag.run().engine(&workers(4))).is_success());
    assert_eq!(LONG.peak(), 4);
}

/// Small runs one after the other, in which whoever comes last must wake whoever sleeps.
#[test]
fn no_wake_up_is_lost_in_many_small_runs() {
    #[task]
    fn sync(n: u32) -> u32 {
        n + 1
    }
    #[task]
    async fn later(n: u32) -> u32 {
        n + 1
    }
    #[task(blocking)]
    fn blocking(n: u32) -> u32 {
        n + 1
    }
    #[task]
    fn sum(numbers: &[u32]) -> u32 {
        numbers.iter().sum()
    }
    let dag = build(|| {
        let first = sync(0);
        sum([sync(later(first)), later(blocking(first)), blocking(sync(first)), sync(sync(first))])
    });
    for number in [1, 2, 4] {
        let engine = workers(number);
        for _ in 0..200 {
            assert_eq!(live(dag.run().engine(&engine)).result(), Some(&12));
        }
    }
}

/// Several threads start runs on one engine while it goes to sleep and wakes.
#[test]
fn runs_can_be_started_from_many_threads_at_once() {
    #[task]
    fn sync(n: u32) -> u32 {
        n + 1
    }
    #[task]
    async fn later(n: u32) -> u32 {
        n + 1
    }
    let engine = workers(2);
    let ended = patiently(move || {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4u32)
                .map(|thread| {
                    let engine = &engine;
                    scope.spawn(move || {
                        let dag = build(|| later(sync(sync(later(thread)))));
                        (0..100).filter(|_| start(&dag, engine).wait().result() == Some(&(thread + 4))).count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum::<usize>()
        })
    });
    assert_eq!(ended, Some(400));
}

#[test]
fn the_global_engine_serves_runs_that_name_no_other() {
    #[task]
    fn one() -> u32 {
        1
    }
    let dag = build(one);
    assert_eq!(live(dag.run()).result(), Some(&1));
    assert_eq!(live(dag.run().engine(Engine::global())).result(), Some(&1));
}

/// Limits are kept on the reference driver as well, where nothing runs at once.
#[test]
fn limits_never_block_the_reference_driver() {
    #[task]
    fn sync() {}
    #[task]
    async fn later() {}
    let dag = with_limit(1, || {
        for _ in 0..10 {
            sync().pool("one");
            later().pool("three").pool_slots(3);
        }
        sync()
    });
    let report = reference(dag.run());
    assert!(report.tasks().all(|task| task.state() == TaskState::Success), "{}", states(&report));
    assert_eq!(state_of(&report, "sync"), TaskState::Success);
}

/// How the observer sees it: at no time more running than the limit of the DAG allows.
#[test]
fn events_show_no_more_running_than_the_limit() {
    #[task]
    fn sync() {}
    #[task]
    async fn later() {
        tokio::task::yield_now().await;
    }
    let dag = with_limit(3, || {
        many(300, sync);
        many(300, later)
    });
    let log = common::Log::default();
    live(dag.run().engine(&workers(4)).observe(log.observer()));
    let (mut running, mut peak) = (0, 0);
    for event in log.events() {
        if let Event::Task { from, to, .. } = event {
            running += i32::from(to == TaskState::Running) - i32::from(from == TaskState::Running);
            peak = peak.max(running);
        }
    }
    assert_eq!((running, peak), (0, 3));
}

/// "Threads are started when there is work for them .. the threads end when the last handle and the
/// last run are gone."
#[test]
#[cfg(target_os = "linux")]
fn the_threads_of_an_engine_end_with_it() {
    common::in_a_separate_process("limits::the_threads_of_an_engine_end_with_it", || {
        fn threads() -> usize {
            let tasks = std::fs::read_dir("/proc/self/task").expect("Linux lists the threads of a process");
            let names = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
            // The kernel cuts names to fifteen bytes.
            names.filter(|name| name.starts_with("taskflow-")).count()
        }
        static BOTH: Meter = Meter::new();
        #[task]
        fn sync() {
            let _inside = BOTH.enter();
            BOTH.wait_for(2);
        }
        #[task(retries = 1, retry_delay = "1ms")]
        async fn later(ctx: &TaskContext) -> Result<()> {
            if ctx.attempt() == 1 { Err("again")? } else { Ok(()) }
        }
        let engine = workers(2);
        assert_eq!(threads(), 0, "none before there is work");
        let dag = build(|| {
            many(2, sync);
            later()
        });
        assert!(live(dag.run().engine(&engine)).is_success());
        assert!(threads() >= 2);
        drop(engine);
        eventually("the threads are gone", || threads() == 0);
    });
}
