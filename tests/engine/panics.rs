//! A panic ends an attempt, not the process, not the worker, not the run.

#![allow(clippy::needless_pass_by_value, reason = "tasks take what their parameters say")]

use std::error::Error;
use std::fmt;
use std::panic::{panic_any, resume_unwind};

use serde::{Deserialize, Serialize};
use taskflow::engine::{Engine, RunReport, RunState, TaskState};
use taskflow::prelude::*;
use taskflow_tests::common::{both, failure_of, live, on_both_drivers, reference, state_of, states};

fn build<T: taskflow::Value>(body: impl FnOnce() -> Output<T>) -> Dag<T> {
    Dag::build("panics", body).expect("the graph is sound")
}

/// An engine with one worker, where a worker that died would be missed.
fn one_worker() -> Engine {
    Engine::builder().workers(1.try_into().expect("not zero")).build().expect("no pool is named")
}

/// The message of the panic and its place as `file:line`.
#[track_caller]
fn panic_in<T>(report: &RunReport<T>, id: &str) -> (String, Option<String>) {
    let failure = report.task(id).and_then(|task| task.failure());
    let Some(Failure::Panic { message, location }) = failure.as_deref() else { panic!("`{id}`: {failure:?}") };
    let without_column = |place: &String| place.rsplit_once(':').map(|(place, _)| place.to_owned());
    (message.clone(), location.as_ref().and_then(without_column))
}

#[task]
fn fine() -> u32 {
    1
}

const SYNC: u32 = line!() + 3;
#[task]
fn panics_sync() -> u32 {
    panic!("in sync {}", 1 + 1)
}

const BLOCKING: u32 = line!() + 3;
#[task(blocking)]
fn panics_blocking() -> u32 {
    panic!("in blocking")
}

const BEFORE: u32 = line!() + 4;
#[task]
#[allow(clippy::diverging_sub_expression, unreachable_code, reason = "it panics before it waits")]
async fn panics_before_an_await() -> u32 {
    panic!("before an await");
    tokio::task::yield_now().await;
}

const AFTER: u32 = line!() + 4;
#[task]
async fn panics_after_an_await() -> u32 {
    tokio::task::yield_now().await;
    panic!("after an await")
}

const HELPER: u32 = line!() + 2;
fn helper() -> u32 {
    "x".parse().expect("nothing here")
}

#[task]
fn panics_in_a_helper() -> u32 {
    helper()
}

#[test]
fn a_panic_is_a_failure_with_its_message_and_location() {
    let dag = build(|| {
        panics_sync();
        panics_blocking();
        panics_before_an_await();
        panics_after_an_await();
        panics_in_a_helper();
        fine()
    });
    on_both_drivers(&dag, |report| {
        for (id, message, line) in [
            ("panics_sync", "in sync 2", SYNC),
            ("panics_blocking", "in blocking", BLOCKING),
            ("panics_before_an_await", "before an await", BEFORE),
            ("panics_after_an_await", "after an await", AFTER),
            ("panics_in_a_helper", "nothing here: ParseIntError { kind: InvalidDigit }", HELPER),
        ] {
            assert_eq!(panic_in(report, id), (message.to_owned(), Some(format!("{}:{line}", file!()))));
            assert_eq!(state_of(report, id), TaskState::Failed);
            let text = failure_of(report, id);
            assert!(text.starts_with("panicked at tests/engine/panics.rs:") && text.ends_with(message), "{text}");
        }
        assert_eq!(report.result(), Some(&1), "other tasks go on");
    });
}

#[test]
fn a_panic_without_a_message_is_a_failure() {
    #[task]
    fn number() -> u32 {
        panic_any(5u8)
    }
    #[task]
    fn owned_text() -> u32 {
        panic_any("owned".to_owned())
    }
    #[task]
    fn without_a_place() -> u32 {
        resume_unwind(Box::new("resumed"))
    }
    let dag = build(|| {
        number();
        owned_text();
        without_a_place()
    });
    on_both_drivers(&dag, |report| {
        assert_eq!(panic_in(report, "number").0, "the panic payload is not text");
        assert_eq!(panic_in(report, "owned_text").0, "owned");
        assert_eq!(panic_in(report, "without_a_place"), ("resumed".to_owned(), None), "no hook is called for it");
        assert_eq!(failure_of(report, "without_a_place"), "panicked: resumed");
    });
}

#[test]
fn the_engine_survives_a_hundred_panics() {
    let engine = one_worker();
    let dag = build(|| {
        for _ in 0..100 {
            panics_sync();
        }
        fine()
    });
    for _ in 0..3 {
        let report = live(dag.run().engine(&engine));
        assert_eq!(report.result(), Some(&1));
        assert_eq!(report.tasks().filter(|task| task.state() == TaskState::Failed).count(), 100);
        assert_eq!(report.state(), RunState::Failed);
    }
}

#[test]
fn a_panic_fails_its_downstreams_except_those_that_handle_it() {
    #[task]
    fn needs(_number: u32) {}
    #[task]
    fn handles(number: Result<u32, Failure>) -> String {
        number.expect_err("it panicked").kind().to_owned()
    }
    let dag = build(|| {
        let up = panics_sync();
        needs(up);
        handles(up)
    });
    on_both_drivers(&dag, |report| {
        assert_eq!(states(report), "panics_sync=failed needs=upstream_failed handles=success");
        assert_eq!(report.result().map(String::as_str), Some("panic"));
    });
}

/// A value that panics when it is cloned.
#[derive(Debug, Serialize, Deserialize)]
struct Unclonable(u32);

impl Clone for Unclonable {
    fn clone(&self) -> Self {
        panic!("I cannot be cloned")
    }
}

#[test]
fn a_panicking_clone_fails_the_task_that_needs_the_copy() {
    #[task]
    fn unclonable() -> Unclonable {
        Unclonable(1)
    }
    #[task]
    fn by_value(value: Unclonable) -> u32 {
        value.0
    }
    #[task]
    async fn by_value_later(value: Unclonable) -> u32 {
        value.0
    }
    #[task]
    fn in_a_list(values: Vec<Unclonable>) -> u32 {
        values[0].0
    }
    #[task]
    fn by_reference(value: &Unclonable) -> u32 {
        value.0
    }
    let dag = build(|| {
        // The result of the run holds a handle too, so none of these can have it by move.
        let value = unclonable();
        by_value(value);
        by_value_later(value);
        in_a_list([value]);
        by_reference(value);
        value
    });
    on_both_drivers(&dag, |report| {
        assert_eq!(
            states(report),
            "unclonable=success by_value=failed by_value_later=failed in_a_list=failed by_reference=success"
        );
        for id in ["by_value", "by_value_later", "in_a_list"] {
            assert_eq!(panic_in(report, id).0, "I cannot be cloned");
        }
    });
}

/// An error that panics instead of saying what is wrong.
#[derive(Debug)]
struct Speechless;

impl fmt::Display for Speechless {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("I have no words")
    }
}

impl Error for Speechless {}

/// An error whose destructor panics.
#[derive(Debug)]
struct Explosive;

impl fmt::Display for Explosive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("about to explode")
    }
}

impl Error for Explosive {}

impl Drop for Explosive {
    fn drop(&mut self) {
        // Not a second time while the first one unwinds: that would abort the process.
        if !std::thread::panicking() {
            panic!("the error exploded");
        }
    }
}

macro_rules! tasks_that_return {
    ($error:expr => $sync:ident, $asynchronous:ident, $blocking:ident) => {
        #[task]
        fn $sync() -> Result<u32> {
            Err($error)?
        }
        #[task]
        async fn $asynchronous() -> Result<u32> {
            tokio::task::yield_now().await;
            Err($error)?
        }
        #[task(blocking)]
        fn $blocking() -> Result<u32> {
            Err($error)?
        }
    };
}

tasks_that_return!(Speechless => speechless_sync, speechless_async, speechless_blocking);
tasks_that_return!(Explosive => explosive_sync, explosive_async, explosive_blocking);

/// Whatever the error does, the attempt failed by itself: it was neither cancelled nor lost.
#[track_caller]
fn assert_failed<T>(report: &RunReport<T>, id: &str) {
    let task = report.task(id).expect("there is such a task");
    assert_eq!(task.state(), TaskState::Failed);
    let failure = task.failure().expect("it failed");
    assert!(matches!(&*failure, Failure::Error { .. } | Failure::Panic { .. }), "`{id}`: {failure:?}");
}

#[test]
fn an_error_that_panics_in_display_fails_a_sync_task() {
    let engine = one_worker();
    let report = live(build(|| speechless_sync()).run().engine(&engine));
    assert_failed(&report, "speechless_sync");
    assert_eq!(live(build(fine).run().engine(&engine)).result(), Some(&1), "the worker lives");
}

#[test]
fn an_error_that_panics_in_display_fails_async_and_blocking_tasks() {
    let report = live(
        build(|| {
            speechless_async();
            speechless_blocking()
        })
        .run(),
    );
    assert_failed(&report, "speechless_async");
    assert_failed(&report, "speechless_blocking");
}

#[test]
fn an_error_that_panics_in_display_does_not_stop_the_reference_driver() {
    let report = reference(build(|| speechless_sync()).run());
    assert_failed(&report, "speechless_sync");
}

#[test]
fn an_error_that_panics_in_drop_fails_a_sync_task() {
    let engine = one_worker();
    let report = live(build(|| explosive_sync()).run().engine(&engine));
    assert_failed(&report, "explosive_sync");
    assert_eq!(live(build(fine).run().engine(&engine)).result(), Some(&1), "the worker lives");
}

#[test]
fn an_error_that_panics_in_drop_fails_async_and_blocking_tasks() {
    let report = live(
        build(|| {
            explosive_async();
            explosive_blocking()
        })
        .run(),
    );
    assert_failed(&report, "explosive_async");
    assert_failed(&report, "explosive_blocking");
}

/// The payload of a panic is a value of the user's, too.
struct ExplosivePayload;

impl Drop for ExplosivePayload {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("the payload exploded");
        }
    }
}

#[test]
fn a_panic_payload_that_panics_in_drop_is_one_failure() {
    #[task]
    fn explodes() -> u32 {
        panic_any(ExplosivePayload)
    }
    let engine = one_worker();
    let report = live(build(explodes).run().engine(&engine));
    assert_failed(&report, "explodes");
    assert_eq!(live(build(fine).run().engine(&engine)).result(), Some(&1), "the worker lives");
}

#[test]
fn a_panicking_observer_does_not_stop_the_run() {
    let dag = build(|| {
        panics_sync();
        fine()
    });
    let report = live(dag.run().observe(|_: &taskflow::engine::Event| panic!("the observer panicked")));
    assert_eq!(report.result(), Some(&1));
}

/// A task that runs a DAG of its own on the reference driver: the panic inside stays inside.
#[test]
fn a_panic_in_a_run_inside_a_task_does_not_fail_the_task() {
    #[task]
    fn outer() -> String {
        let report = build(panics_sync).run().run_sequentially().expect("the graph is sound");
        failure_of(&report, "panics_sync")
    }
    #[task]
    fn outer_that_panics() -> String {
        let report = build(panics_sync).run().run_sequentially().expect("the graph is sound");
        assert_eq!(states(&report), "panics_sync=failed");
        resume_unwind(Box::new("outer"))
    }
    let dag = build(|| {
        outer_that_panics();
        outer()
    });
    both(
        || dag.run(),
        |report| {
            let inner = report.result().map_or("", String::as_str);
            assert!(inner.ends_with("in sync 2"), "{inner}");
            assert_eq!(
                panic_in(report, "outer_that_panics"),
                ("outer".to_owned(), None),
                "not the place of the inner one"
            );
        },
    );
}

#[test]
fn a_panic_caught_by_the_task_is_not_reported() {
    #[task]
    fn catches() -> u32 {
        std::panic::catch_unwind(|| panic!("caught")).map_or(7, |()| 0)
    }
    on_both_drivers(&build(catches), |report| assert_eq!(report.result(), Some(&7)));
}
