//! Pools: which tasks take slots, and which wait for them.
#![allow(clippy::needless_pass_by_value, reason = "tasks take what their parameters say")]

use taskflow::engine::{Engine, Event, RunReport, TaskState};
use taskflow::prelude::*;
use taskflow_tests::common::{self, Gate, Meter, finish, live, patiently, reference};

use crate::support::{build, count, engine, kinds, start, workers};

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
