//! How many tasks run at once: workers and limits.

use taskflow::engine::{Event, TaskState};
use taskflow::prelude::*;
use taskflow_tests::common::{self, Gate, Meter, finish, live, reference, state_of, states};

use crate::support::{build, count, engine, kinds, many, start, with_limit, workers};

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
