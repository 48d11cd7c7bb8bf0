//! What happens to running attempts when their run is cancelled.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use taskflow::engine::{RunState, TaskState};
use taskflow::journal::Journal;
use taskflow::prelude::*;
use taskflow_tests::common::{Gate, Meter, eventually, failure_of, finish, live, state_of, states};

use super::support::{after, build, fine};
use crate::support::{OpensWhenDropped, workers};

#[test]
fn a_running_async_task_without_a_context_is_dropped() {
    static STARTED: Gate = Gate::new();
    static DROPPED: Gate = Gate::new();
    #[task]
    async fn waits() {
        let _guard = OpensWhenDropped(&DROPPED);
        STARTED.open();
        std::future::pending::<()>().await;
    }
    let handle = build(|| after(waits())).run().grace(Duration::MAX).start().expect("the graph is sound");
    STARTED.pass();
    handle.control().cancel("enough");
    let report = finish(handle);
    DROPPED.pass();
    assert_eq!(states(&report), "waits=cancelled after=cancelled");
    assert_eq!(report.state(), RunState::Cancelled);
    assert_eq!(report.halt_reason(), Some("enough"));
    assert_eq!(failure_of(&report, "waits"), "cancelled: enough");
    assert_eq!(failure_of(&report, "after"), "cancelled: enough");
}

#[test]
fn a_running_async_task_with_a_context_can_clean_up() {
    static STARTED: Gate = Gate::new();
    static CLEANED_UP: AtomicUsize = AtomicUsize::new(0);
    #[task]
    async fn gives_up(ctx: &TaskContext) -> Result<u32> {
        STARTED.open();
        ctx.cancelled().await;
        tokio::task::yield_now().await;
        CLEANED_UP.fetch_add(1, Ordering::SeqCst);
        Err("I was told to stop")?
    }
    #[task]
    async fn finishes(ctx: &TaskContext) -> u32 {
        ctx.cancelled().await;
        tokio::task::yield_now().await;
        CLEANED_UP.fetch_add(1, Ordering::SeqCst);
        5
    }
    let dag = build(|| {
        gives_up();
        finishes()
    });
    let handle = dag.run().grace(Duration::MAX).start().expect("the graph is sound");
    STARTED.pass();
    handle.control().cancel("enough");
    let report = finish(handle);
    assert_eq!(CLEANED_UP.load(Ordering::SeqCst), 2);
    assert_eq!(state_of(&report, "gives_up"), TaskState::Cancelled);
    assert_eq!(failure_of(&report, "gives_up"), "cancelled: enough", "stopping when asked is no failure of its own");
    assert_eq!(state_of(&report, "finishes"), TaskState::Success, "what was finished in time counts");
    assert_eq!(report.state(), RunState::Cancelled);
}

#[test]
fn sync_and_blocking_tasks_can_observe_a_cancellation() {
    static STARTED: Meter = Meter::new();
    #[task]
    fn in_sync(ctx: &TaskContext) -> Result<()> {
        let _ = STARTED.enter();
        while !ctx.is_cancelled() {
            std::thread::yield_now();
        }
        Err("stopped")?
    }
    #[task(blocking)]
    fn in_blocking(ctx: &TaskContext) -> Result<()> {
        let _ = STARTED.enter();
        while !ctx.is_cancelled() {
            std::thread::yield_now();
        }
        Err("stopped")?
    }
    let dag = build(|| {
        in_sync();
        in_blocking()
    });
    let handle = dag.run().grace(Duration::MAX).start().expect("the graph is sound");
    STARTED.wait_for(2);
    handle.control().cancel("enough");
    assert_eq!(states(&finish(handle)), "in_sync=cancelled in_blocking=cancelled");
}

#[test]
fn a_task_that_does_not_stop_is_abandoned_after_the_grace_time() {
    static STARTED: Meter = Meter::new();
    static RELEASE: Gate = Gate::new();
    static DROPPED: Gate = Gate::new();
    #[task]
    fn stuck() {
        let _ = STARTED.enter();
        RELEASE.pass();
    }
    #[task(blocking)]
    fn stuck_blocking() {
        let _ = STARTED.enter();
        RELEASE.pass();
    }
    #[task]
    async fn deaf(_ctx: &TaskContext) {
        let _guard = OpensWhenDropped(&DROPPED);
        let _ = STARTED.enter();
        std::future::pending::<()>().await;
    }
    let engine = workers(1);
    let dag = build(|| {
        stuck();
        stuck_blocking();
        deaf()
    });
    let request = dag.run().engine(&engine).grace(Duration::from_millis(20));
    let handle = request.start().expect("the graph is sound");
    STARTED.wait_for(3);
    handle.control().cancel("enough");
    let report = finish(handle);
    DROPPED.pass();
    assert_eq!(states(&report), "stuck=cancelled stuck_blocking=cancelled deaf=cancelled");
    assert_eq!(failure_of(&report, "stuck"), "cancelled: enough");
    // The only worker is still stuck, and has been replaced.
    assert_eq!(live(build(fine).run().engine(&engine)).result(), Some(&1));
    RELEASE.open();
}

#[test]
fn a_task_that_ends_within_the_grace_time_keeps_its_outcome() {
    static STARTED: Meter = Meter::new();
    static RELEASE: Gate = Gate::new();
    #[task]
    fn succeeds() -> u32 {
        let _ = STARTED.enter();
        RELEASE.pass();
        5
    }
    #[task(blocking, retries = 5)]
    fn fails() -> Result<u32> {
        let _ = STARTED.enter();
        RELEASE.pass();
        Err("unlucky")?
    }
    #[task(blocking)]
    fn skips(ctx: &TaskContext) -> Result<u32> {
        let _ = STARTED.enter();
        RELEASE.pass();
        Err(ctx.skip("nothing to do"))?
    }
    #[task]
    fn takes(_number: u32) {}
    let dag = build(|| {
        takes(succeeds());
        takes(skips());
        takes(fails())
    });
    let handle = dag.run().grace(Duration::MAX).start().expect("the graph is sound");
    STARTED.wait_for(3);
    handle.control().cancel("enough");
    RELEASE.open();
    let report = finish(handle);
    assert_eq!(
        states(&report),
        "succeeds=success takes=cancelled skips=skipped takes_2=cancelled fails=cancelled takes_3=cancelled"
    );
    assert_eq!(report.task("fails").map(|task| task.attempt_count()), Some(1), "no retry follows");
}

/// A8: an async task without a context is dropped; its attempt has lasted until then.
#[tokio::test]
async fn an_attempt_that_is_dropped_has_the_time_that_it_took() -> Result<(), taskflow::BoxError> {
    #[task]
    async fn pending() {
        std::future::pending::<()>().await;
    }

    let journal = Journal::in_memory()?;
    let handle = build(|| pending()).run().journal(&journal).start()?;
    let control = handle.control();
    eventually("the task runs", || !control.running().is_empty());
    let running = Timestamp::now();
    eventually("time passes", || Timestamp::now().since(running) > Duration::from_millis(5));
    control.cancel("enough");
    let report = handle.await;
    let attempt = report.task("pending").expect("it is there").attempts().remove(0);
    let took = attempt.ended.since(attempt.started);
    assert!(took >= Duration::from_millis(5), "{took:?}");
    let history = journal.history("last").await?;
    let stored = &history.task("pending").expect("it is there").attempts[0];
    assert_eq!((stored.started, stored.ended), (attempt.started, Some(attempt.ended)));
    Ok(())
}
