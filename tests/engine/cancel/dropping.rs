//! Futures, handles and engines that are dropped, and runtimes that are shut down.

use std::sync::atomic::{AtomicBool, Ordering};

use taskflow::DagOptions;
use taskflow::engine::{Event, RunState, TaskState};
use taskflow::prelude::*;
use taskflow_tests::common::{Gate, Log, Meter, failure_of, finish, in_a_separate_process, states};

use super::support::{after, build, fine};
use crate::support::{OpensWhenDropped, workers};

#[test]
fn dropping_the_future_of_a_run_cancels_it() {
    static STARTED: Gate = Gate::new();
    static LOOKING: Gate = Gate::new();
    static DROPPED: Gate = Gate::new();
    static SEEN_BY_SYNC: Gate = Gate::new();
    #[task]
    async fn waits() {
        let _guard = OpensWhenDropped(&DROPPED);
        STARTED.open();
        std::future::pending::<()>().await;
    }
    #[task]
    fn looks(ctx: &TaskContext) {
        LOOKING.open();
        while !ctx.is_cancelled() {
            std::thread::yield_now();
        }
        SEEN_BY_SYNC.open();
    }
    let log = Log::default();
    let dag = build(|| {
        looks();
        after(waits())
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("there are threads to be had");
    runtime.block_on(async {
        tokio::select! {
            report = async { dag.run().observe(log.observer()).await } => panic!("it ended: {:?}", report.map(|r| states(&r))),
            () = async { STARTED.pass_async().await; LOOKING.pass_async().await } => {}
        }
    });
    DROPPED.pass();
    SEEN_BY_SYNC.pass();
}

#[test]
fn dropping_a_future_that_was_never_polled_starts_nothing() {
    static RAN: AtomicBool = AtomicBool::new(false);
    #[task]
    fn runs() {
        RAN.store(true, Ordering::SeqCst);
    }
    drop(build(runs).run());
    drop(build(runs).run().into_future());
    assert!(!RAN.load(Ordering::SeqCst));
}

#[test]
fn dropping_the_handle_of_a_run_does_not_stop_it() {
    static RELEASE: Gate = Gate::new();
    static ENDED: Gate = Gate::new();
    #[task]
    fn waits() -> u32 {
        RELEASE.pass();
        1
    }
    #[task]
    fn next(number: u32) -> u32 {
        number + 1
    }
    let handle = build(|| next(waits()))
        .run()
        .observe(|event: &Event| {
            if let Event::Run { to: RunState::Success, .. } = event {
                ENDED.open();
            }
        })
        .start()
        .expect("the graph is sound");
    drop(handle);
    RELEASE.open();
    ENDED.pass();
}

/// "The threads end when the last handle and the last run are gone."
#[test]
fn dropping_the_engine_and_the_handle_does_not_stop_the_run() {
    static STARTED: Meter = Meter::new();
    static RELEASE: Gate = Gate::new();
    static ENDED: Gate = Gate::new();
    #[task]
    fn waits() -> u32 {
        let _ = STARTED.enter();
        RELEASE.pass();
        1
    }
    #[task]
    async fn waits_in_async() -> u32 {
        let _ = STARTED.enter();
        RELEASE.pass_async().await;
        1
    }
    #[task]
    fn next(a: u32, b: u32) -> u32 {
        a + b
    }
    let engine = workers(1);
    let handle = build(|| next(waits(), waits_in_async()))
        .run()
        .engine(&engine)
        .observe(|event: &Event| {
            if let Event::Run { to: RunState::Success, .. } = event {
                ENDED.open();
            }
        })
        .start()
        .expect("the graph is sound");
    STARTED.wait_for(2);
    drop(handle);
    drop(engine);
    RELEASE.open();
    ENDED.pass();
}

#[test]
fn a_run_can_be_awaited_in_a_single_threaded_runtime() {
    #[task]
    async fn double(number: u32) -> u32 {
        tokio::task::yield_now().await;
        number * 2
    }
    #[task(blocking)]
    fn add(a: u32, b: u32) -> u32 {
        a + b
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("there are threads");
    let dag = build(|| add(double(fine()), double(fine())));
    let report = runtime.block_on(async { dag.run().await });
    assert_eq!(report.expect("the graph is sound").result(), Some(&4));
    // The handle of a started run can be awaited, too.
    let report = runtime.block_on(async { dag.run().start().expect("the graph is sound").await });
    assert_eq!(report.result(), Some(&4));
}

#[test]
fn a_run_ends_when_its_runtime_is_shut_down() {
    static STARTED: Gate = Gate::new();
    #[task]
    async fn waits() {
        STARTED.open();
        std::future::pending::<()>().await;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("there are threads to be had");
    let handle = {
        let _inside = runtime.enter();
        build(|| after(waits())).run().start().expect("the graph is sound")
    };
    STARTED.pass();
    runtime.shutdown_background();
    let report = finish(handle);
    assert_eq!(states(&report), "waits=failed after=upstream_failed");
    assert!(failure_of(&report, "waits").contains("runtime"), "{}", failure_of(&report, "waits"));
}

/// A task after another cannot start either; each must be told in turn, however many there are.
#[test]
fn many_tasks_end_when_their_runtime_is_shut_down() {
    in_a_separate_process(
        "cancel::dropping::many_tasks_end_when_their_runtime_is_shut_down",
        start_many_tasks_after_the_runtime_is_gone,
    );
}

fn start_many_tasks_after_the_runtime_is_gone() {
    static STARTED: Gate = Gate::new();
    static GONE: Gate = Gate::new();
    #[task]
    fn waits_for_the_shutdown() {
        STARTED.open();
        GONE.pass();
    }
    #[task]
    async fn cannot_start(_before: ()) {}
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("there are threads to be had");
    let mut options = DagOptions::NONE;
    options.max_active_tasks = Some(1);
    let dag = Dag::build_with("gone", options, || {
        let first = waits_for_the_shutdown();
        (0..20_000).map(|_| cannot_start(first)).collect::<Vec<_>>()[0]
    });
    let handle = {
        let _inside = runtime.enter();
        dag.expect("the graph is sound").run().start().expect("the graph is sound")
    };
    STARTED.pass();
    runtime.shutdown_background();
    GONE.open();
    let report = finish(handle);
    assert_eq!(report.tasks().filter(|task| task.state() == TaskState::Failed).count(), 20_000);
}
