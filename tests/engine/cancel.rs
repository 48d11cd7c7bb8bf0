//! Ending a run early: by request, by dropping its future, by `fail_fast`.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use taskflow::DagOptions;
use taskflow::engine::{Engine, Event, RunControl, RunState, TaskState};
use taskflow::journal::Journal;
use taskflow::prelude::*;
use taskflow_tests::common::{self, Gate, Log, Meter, failure_of, finish, live, locked, reference, state_of, states};

fn build<T: taskflow::Value>(body: impl FnOnce() -> Output<T>) -> Dag<T> {
    Dag::build("cancel", body).expect("the graph is sound")
}

fn engine(workers: usize) -> Engine {
    let workers = NonZeroUsize::new(workers).expect("not zero");
    Engine::builder().workers(workers).build().expect("no pool is named")
}

/// Opens its gate when it is dropped.
struct OpensWhenDropped(&'static Gate);

impl Drop for OpensWhenDropped {
    fn drop(&mut self) {
        self.0.open();
    }
}

#[task]
fn after(_value: ()) {}

#[task]
fn fine() -> u32 {
    1
}

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
    let engine = engine(1);
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

#[test]
fn a_task_between_two_attempts_is_cancelled_at_once() {
    static FAILED: Gate = Gate::new();
    #[task(retries = 3, retry_delay = "1h")]
    fn fails() -> Result<()> {
        Err("again")?
    }
    let handle = build(|| after(fails()))
        .run()
        .observe(|event: &Event| {
            if let Event::Task { to: TaskState::UpForRetry, .. } = event {
                FAILED.open();
            }
        })
        .start()
        .expect("the graph is sound");
    FAILED.pass();
    handle.control().cancel("enough");
    let report = finish(handle);
    assert_eq!(states(&report), "fails=cancelled after=cancelled");
    let attempts = report.task("fails").expect("there is such a task").attempts();
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].failure.as_ref().map(ToString::to_string).as_deref(), Some("again"));
}

#[test]
fn tasks_that_wait_for_a_worker_are_cancelled_without_running() {
    static STARTED: Gate = Gate::new();
    static RELEASE: Gate = Gate::new();
    static RAN: AtomicUsize = AtomicUsize::new(0);
    #[task]
    fn holds_the_worker() {
        STARTED.open();
        RELEASE.pass();
    }
    #[task]
    fn counts() {
        RAN.fetch_add(1, Ordering::SeqCst);
    }
    let dag = build(|| {
        for _ in 0..1000 {
            counts();
        }
        holds_the_worker().priority(1)
    });
    let handle = dag.run().engine(&engine(1)).grace(Duration::MAX).start().expect("the graph is sound");
    STARTED.pass();
    handle.control().cancel("enough");
    RELEASE.open();
    let report = finish(handle);
    assert_eq!(RAN.load(Ordering::SeqCst), 0);
    assert_eq!(report.tasks().filter(|task| task.state() == TaskState::Cancelled).count(), 1000);
    assert_eq!(state_of(&report, "holds_the_worker"), TaskState::Success);
}

/// Among many short tasks, where workers take several at once: whatever ran has succeeded, whatever
/// did not is cancelled, and nothing is in between.
#[test]
fn cancelling_amid_many_short_tasks_leaves_none_unfinished() {
    static RAN: Mutex<Vec<AtomicBool>> = Mutex::new(Vec::new());
    static CONTROL: Mutex<Option<RunControl>> = Mutex::new(None);
    const TASKS: usize = 5000;
    #[task]
    fn short(number: u32) {
        locked(&RAN)[number as usize].store(true, Ordering::SeqCst);
        if number == 1000
            && let Some(control) = &*locked(&CONTROL)
        {
            control.cancel("from inside");
        }
    }
    let dag = build(|| (0..TASKS as u32).map(short).collect::<Vec<_>>()[0]);
    for workers in [1, 2, 4] {
        *locked(&RAN) = (0..TASKS).map(|_| AtomicBool::new(false)).collect();
        // The cancelling task must find the handle there.
        let mut control = locked(&CONTROL);
        let handle = dag.run().engine(&engine(workers)).start().expect("the graph is sound");
        *control = Some(handle.control());
        drop(control);
        let report = finish(handle);
        assert_eq!(report.state(), RunState::Cancelled);
        let ran = locked(&RAN);
        for (task, ran) in report.tasks().zip(&*ran) {
            let expected = if ran.load(Ordering::SeqCst) { TaskState::Success } else { TaskState::Cancelled };
            assert_eq!(task.state(), expected, "{task:?}");
        }
        assert!(ran[1000].load(Ordering::SeqCst));
    }
}

#[test]
fn the_first_reason_for_cancelling_is_kept() {
    static STARTED: Gate = Gate::new();
    #[task]
    async fn waits(ctx: &TaskContext) {
        STARTED.open();
        ctx.cancelled().await;
    }
    let handle = build(waits).run().start().expect("the graph is sound");
    STARTED.pass();
    handle.control().cancel("first");
    handle.control().cancel("second");
    assert_eq!(finish(handle).halt_reason(), Some("first"));
}

#[test]
fn cancelling_a_finished_run_does_nothing() {
    static ENDED: Gate = Gate::new();
    static STARTED: Gate = Gate::new();
    static RELEASE: Gate = Gate::new();
    #[task]
    fn holds() {
        STARTED.open();
        RELEASE.pass();
    }
    let engine = engine(1);
    let over = build(fine)
        .run()
        .engine(&engine)
        .observe(|event: &Event| {
            if let Event::Run { .. } = event {
                ENDED.open();
            }
        })
        .start()
        .expect("the graph is sound");
    ENDED.pass();
    // Another run may have taken its place by now.
    let other = build(holds).run().engine(&engine).start().expect("the graph is sound");
    STARTED.pass();
    over.control().cancel("too late");
    assert!(over.control().running().is_empty());
    RELEASE.open();
    assert!(finish(over).is_success());
    assert!(finish(other).is_success());
}

#[test]
fn cancelling_one_run_does_not_affect_the_others() {
    static STARTED: Meter = Meter::new();
    static RELEASE: Gate = Gate::new();
    #[task]
    async fn waits(number: u32) -> u32 {
        let _ = STARTED.enter();
        RELEASE.pass_async().await;
        number
    }
    let dag = build(|| waits(5));
    let engine = engine(2);
    let handles: Vec<_> = (0..5).map(|_| dag.run().engine(&engine).start().expect("the graph is sound")).collect();
    STARTED.wait_for(5);
    handles[2].control().cancel("only this one");
    RELEASE.open();
    for (number, handle) in handles.into_iter().enumerate() {
        let expected = if number == 2 { RunState::Cancelled } else { RunState::Success };
        assert_eq!(finish(handle).state(), expected);
    }
}

#[test]
fn a_task_can_cancel_its_own_run() {
    static CONTROL: Mutex<Option<RunControl>> = Mutex::new(None);
    #[task]
    fn stops_everything() {
        if let Some(control) = &*locked(&CONTROL) {
            control.cancel("stopped by a task");
        }
    }
    let mut control = locked(&CONTROL);
    let handle = build(|| after(stops_everything())).run().start().expect("the graph is sound");
    *control = Some(handle.control());
    drop(control);
    let report = finish(handle);
    assert_eq!(states(&report), "stops_everything=success after=cancelled");
    assert_eq!(report.halt_reason(), Some("stopped by a task"));
}

#[test]
fn running_tasks_can_be_inspected() {
    static STARTED: Meter = Meter::new();
    static RELEASE: Gate = Gate::new();
    #[task(retries = 1, retry_delay = "0s")]
    fn works(ctx: &TaskContext) -> Result<()> {
        if ctx.attempt() == 1 {
            Err("the second attempt is looked at")?;
        }
        ctx.progress(3, 10);
        let _ = STARTED.enter();
        RELEASE.pass();
        Ok(())
    }
    #[task(blocking)]
    fn says_nothing() {
        let _ = STARTED.enter();
        RELEASE.pass();
    }
    let dag = build(|| {
        after(works());
        says_nothing()
    });
    let handle = dag.run().start().expect("the graph is sound");
    STARTED.wait_for(2);
    let running: Vec<_> =
        handle.control().running().into_iter().map(|task| (task.task.as_u32(), task.attempt, task.progress)).collect();
    RELEASE.open();
    assert_eq!(running, [(0, 2, Some((3, 10))), (2, 1, None)]);
    assert_eq!(handle.plan().len(), 3);
    assert!(finish(handle).is_success());
}

// Dropping.

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
    let engine = engine(1);
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
    common::in_a_separate_process(
        "cancel::many_tasks_end_when_their_runtime_is_shut_down",
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

// fail_fast.

#[task(retries = 2, retry_delay = "0s")]
fn fails() -> Result<u32> {
    Err("broken")?
}

#[test]
fn with_fail_fast_the_first_failure_ends_the_run() {
    static STARTED: Gate = Gate::new();
    static AWAITS_ITS_RETRY: Gate = Gate::new();
    static DROPPED: Gate = Gate::new();
    #[task]
    async fn running() {
        let _guard = OpensWhenDropped(&DROPPED);
        STARTED.open();
        std::future::pending::<()>().await;
    }
    #[task(retries = 1, retry_delay = "1h")]
    fn waiting_for_a_retry() -> Result<()> {
        Err("later")?
    }
    // Not before the run knows of the other failure: a task that fails after the end of the run is
    // cancelled.
    #[task(retries = 2, retry_delay = "0s")]
    fn fails_after_the_others() -> Result<u32> {
        STARTED.pass();
        AWAITS_ITS_RETRY.pass();
        Err("broken")?
    }
    #[task]
    fn needs(number: u32) -> u32 {
        number
    }
    let dag = build(|| {
        after(running());
        waiting_for_a_retry();
        needs(fails_after_the_others())
    });
    // The second sync task waits for the first, so there is a worker for each.
    let request = dag.run().engine(&engine(2)).fail_fast(true).grace(Duration::MAX).observe(|event: &Event| {
        if let Event::Task { to: TaskState::UpForRetry, .. } = event {
            AWAITS_ITS_RETRY.open();
        }
    });
    let report = live(request);
    DROPPED.pass();
    assert_eq!(state_of(&report, "running"), TaskState::Cancelled);
    assert_eq!(state_of(&report, "after"), TaskState::Skipped);
    assert_eq!(state_of(&report, "waiting_for_a_retry"), TaskState::Skipped);
    assert_eq!(state_of(&report, "fails_after_the_others"), TaskState::Failed);
    assert_eq!(report.task("fails_after_the_others").map(|task| task.attempt_count()), Some(3), "retries come first");
    assert_eq!(state_of(&report, "needs"), TaskState::Skipped);
    assert_eq!(report.state(), RunState::Failed);
    assert_eq!(report.halt_reason(), Some("`fails_after_the_others` failed, and the run fails fast"));
    let error = report.into_result().expect_err("it failed");
    assert_eq!(error.task.as_deref(), Some("fails_after_the_others"));
}

#[test]
fn fail_fast_is_an_option_of_the_dag_and_of_the_run() {
    let mut options = DagOptions::NONE;
    options.fail_fast = true;
    let draw = || {
        let failed = fails();
        fine().after(failed).trigger_rule(TriggerRule::AllDone)
    };
    let fast = Dag::build_with("fast", options, draw).expect("the graph is sound");
    let slow = build(draw);
    for (report, expected) in [
        (reference(fast.run()), "fails=failed fine=skipped"),
        (reference(fast.run().fail_fast(false)), "fails=failed fine=success"),
        (reference(slow.run()), "fails=failed fine=success"),
        (reference(slow.run().fail_fast(true)), "fails=failed fine=skipped"),
        (live(fast.run()), "fails=failed fine=skipped"),
        (live(fast.run().fail_fast(false)), "fails=failed fine=success"),
    ] {
        assert_eq!(states(&report), expected);
    }
}

#[test]
fn a_skip_does_not_end_a_fail_fast_run() {
    #[task]
    fn skips(ctx: &TaskContext) -> Result<u32> {
        Err(ctx.skip("nothing today"))?
    }
    let dag = build(|| {
        let skipped = skips();
        fine().after(skipped).trigger_rule(TriggerRule::AllSkipped)
    });
    for report in [reference(dag.run().fail_fast(true)), live(dag.run().fail_fast(true))] {
        assert_eq!(states(&report), "skips=skipped fine=success");
        assert_eq!(report.state(), RunState::Success);
    }
}

#[test]
fn without_fail_fast_everything_that_can_run_runs() {
    #[task]
    fn needs(_number: u32) {}
    let dag = build(|| {
        needs(fails());
        for _ in 0..10 {
            needs(fine());
        }
        fine()
    });
    let report = live(dag.run());
    let count = |state| report.tasks().filter(|task| task.state() == state).count();
    assert_eq!([TaskState::Failed, TaskState::UpstreamFailed, TaskState::Success].map(count), [1, 1, 21]);
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
    common::eventually("the task runs", || !control.running().is_empty());
    let running = Timestamp::now();
    common::eventually("time passes", || Timestamp::now().since(running) > Duration::from_millis(5));
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
