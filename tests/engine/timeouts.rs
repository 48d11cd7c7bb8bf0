//! Time limits of attempts and of runs. Tasks that must exceed a limit here wait for something that
//! happens only afterwards.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use taskflow::engine::{Engine, Event, RunState, TaskState};
use taskflow::prelude::*;
use taskflow::{DagOptions, Interval, RunInfo};
use taskflow_tests::common::{Gate, Meter, PATIENCE, failure_of, finish, live, reference, state_of, states};

use crate::support::{OpensWhenDropped, workers};

taskflow::pool!("single", slots = 1);

/// Short, because tests wait for it to pass.
const LIMIT: Duration = Duration::from_millis(30);
/// Never reached.
const AGES: Duration = Duration::from_secs(3600);

/// Calls a test with a longer limit as long as it returns `None`: the machine was so busy that the
/// limit passed before the test had come to what it is about.
fn with_enough_time<R>(mut test: impl FnMut(Duration) -> Option<R>) -> R {
    let limits = std::iter::successors(Some(LIMIT), |limit| Some(*limit * 4)).take(7);
    limits.into_iter().find_map(&mut test).expect("a limit of two minutes is long enough")
}

fn build<T: taskflow::Value>(body: impl FnOnce() -> Output<T>) -> Dag<T> {
    Dag::build("timeouts", body).expect("the graph is sound")
}

#[task]
fn fine() -> u32 {
    1
}

/// A worker goes on with the only task that its last one made ready, without a look at what else
/// there is: nobody knew of the limit of that task, so a stuck one held up its run for ever.
#[test]
fn the_limit_of_a_task_holds_that_a_worker_goes_on_with() {
    #[task]
    fn looks(ctx: &TaskContext) -> Result<()> {
        let start = std::time::Instant::now();
        while !ctx.is_cancelled() {
            if start.elapsed() > PATIENCE {
                Err("nobody has cancelled it")?;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
    #[task(timeout = "1h")]
    fn follows(ctx: &TaskContext) -> Result<()> {
        looks::call(ctx)
    }
    #[task(total_timeout = "1h")]
    fn follows_in_all(ctx: &TaskContext) -> Result<()> {
        looks::call(ctx)
    }
    let in_time = build(|| {
        let follows = follows().timeout(LIMIT);
        let _ = fine() >> follows;
        follows
    });
    let in_time_in_all = build(|| {
        let follows = follows_in_all().total_timeout(LIMIT);
        let _ = fine() >> follows;
        follows
    });
    let limited = [(in_time, "follows", "timeout"), (in_time_in_all, "follows_in_all", "out_of_time")];
    for (dag, id, kind) in limited {
        let report = live(dag.run().engine(&workers(1)));
        assert_eq!(state_of(&report, id), TaskState::Failed, "{id}");
        assert_eq!(report.task(id).and_then(|task| task.failure()).map(|failure| failure.kind()), Some(kind), "{id}");
    }
}

/// E10: a limit over all attempts together. The attempt that runs at the limit is dropped.
#[test]
fn the_limit_over_all_attempts_ends_a_task_that_keeps_failing() {
    static DROPPED: Gate = Gate::new();
    #[task(retries = 1000, retry_delay = "1ms", timeout = "1h", total_timeout = "1h")]
    async fn fails_then_hangs(ctx: &TaskContext) -> Result<()> {
        if ctx.attempt() < 3 {
            Err("not yet")?;
        }
        let _guard = OpensWhenDropped(&DROPPED);
        std::future::pending().await
    }
    let report = live(build(|| fails_then_hangs().timeout(AGES).total_timeout(10 * LIMIT)).run());
    let task = report.task("fails_then_hangs").expect("it is in the graph");
    assert_eq!(task.state(), TaskState::Failed);
    let failure = task.failure().expect("it has failed");
    assert_eq!(failure.kind(), "out_of_time");
    if task.attempts().len() == 3 {
        // Else the machine was too busy to reach the third attempt in time.
        DROPPED.pass();
        assert_eq!(failure.to_string(), "took longer than 300ms in all, in 3 attempts");
    }
}

/// Options of tasks come from three places; a sensor has its own limit.
#[test]
fn a_limit_over_all_attempts_is_an_option_like_others() {
    #[task(total_timeout = "5m")]
    fn limited() {}
    #[sensor]
    fn looks() -> Option<u32> {
        Some(1)
    }
    #[dag(default(total_timeout = "2h"))]
    fn options() {
        limited();
        limited().total_timeout(Duration::from_secs(7));
        let plain = fine();
        plain >> [looks(), looks().total_timeout(Duration::from_secs(60))];
    }
    let plan = options::def().plan().expect("the graph is sound");
    let of = |id: &str| {
        let options = plan.node_options(plan.find(id).expect("it is there"));
        (options.total_timeout, options.sensor.map(|sensor| sensor.timeout))
    };
    let week = Duration::from_secs(7 * 24 * 3600);
    assert_eq!(of("limited"), (Some(Duration::from_secs(300)), None));
    assert_eq!(of("limited_2"), (Some(Duration::from_secs(7)), None));
    assert_eq!(of("fine"), (Some(Duration::from_secs(7200)), None));
    assert_eq!(of("looks"), (None, Some(week)));
    assert_eq!(of("looks_2"), (None, Some(Duration::from_secs(60))));
    let picture = taskflow::render::render(&plan, taskflow::render::Format::Tree);
    assert!(picture.contains("total_timeout 5m"), "{picture}");
}

#[test]
fn an_async_task_that_times_out_is_dropped() {
    static BEGUN: Gate = Gate::new();
    static DROPPED: Gate = Gate::new();
    #[task]
    async fn waits_forever() {
        let _guard = OpensWhenDropped(&DROPPED);
        BEGUN.open();
        std::future::pending::<()>().await;
    }
    with_enough_time(|limit| {
        let report = live(build(|| waits_forever().timeout(limit)).run());
        assert_eq!(states(&report), "waits_forever=failed");
        let failure = report.task("waits_forever").and_then(|task| task.failure());
        assert_eq!(failure.as_deref(), Some(&Failure::TimedOut { limit }));
        assert_eq!(failure_of(&report, "waits_forever"), format!("timed out after {limit:?}"));
        assert_eq!(report.state(), RunState::Failed);
        BEGUN.is_open().then(|| DROPPED.pass())
    });
}

#[test]
fn an_async_task_with_a_context_is_cancelled_and_dropped() {
    static BEGUN: Gate = Gate::new();
    static TOLD: Gate = Gate::new();
    static DROPPED: Gate = Gate::new();
    #[task]
    async fn waits_forever(ctx: &TaskContext) {
        let _guard = OpensWhenDropped(&DROPPED);
        BEGUN.open();
        let ctx = ctx.clone();
        tokio::spawn(async move {
            ctx.cancelled().await;
            TOLD.open();
        });
        std::future::pending::<()>().await;
    }
    with_enough_time(|limit| {
        let report = live(build(|| waits_forever().timeout(limit)).run());
        assert_eq!(failure_of(&report, "waits_forever"), format!("timed out after {limit:?}"));
        BEGUN.is_open().then(|| {
            TOLD.pass();
            DROPPED.pass();
        })
    });
}

#[test]
fn a_sync_task_can_observe_its_timeout_and_its_value_is_rejected() {
    static RETURNED: Gate = Gate::new();
    #[task]
    fn looks(ctx: &TaskContext) -> u32 {
        let _guard = OpensWhenDropped(&RETURNED);
        while !ctx.is_cancelled() {
            std::thread::yield_now();
        }
        5
    }
    #[task(blocking)]
    fn looks_blocking(ctx: &TaskContext) -> u32 {
        while !ctx.is_cancelled() {
            std::thread::yield_now();
        }
        5
    }
    #[task]
    fn takes(outcomes: Vec<Result<u32, Failure>>) -> Vec<String> {
        // Both have returned their five by now.
        RETURNED.pass();
        outcomes.into_iter().map(|outcome| outcome.map_or_else(|f| f.kind().to_owned(), |n| n.to_string())).collect()
    }
    let dag = build(|| takes([looks().timeout(LIMIT), looks_blocking().timeout(LIMIT)]));
    let report = live(dag.run());
    assert_eq!(report.result().map(Vec::as_slice), Some(&["timeout".to_owned(), "timeout".to_owned()][..]));
}

/// The thread cannot be stopped; another one takes its place, so that one worker is still one
/// worker.
#[test]
fn a_stuck_worker_is_replaced() {
    static RELEASE: Gate = Gate::new();
    static RETURNED: Meter = Meter::new();
    #[task]
    fn stuck() -> u32 {
        RELEASE.pass();
        let _ = RETURNED.enter();
        5
    }
    let engine = workers(1);
    let dag = build(|| {
        for _ in 0..3 {
            stuck().timeout(LIMIT).priority(1);
        }
        fine()
    });
    let report = live(dag.run().engine(&engine));
    assert_eq!(report.result(), Some(&1), "it ran on a replacement");
    assert_eq!(report.tasks().filter(|task| task.state() == TaskState::Failed).count(), 3);
    assert_eq!(RETURNED.entered(), 0, "all three are still stuck");

    RELEASE.open();
    RETURNED.wait_for(3);
    for _ in 0..20 {
        assert_eq!(live(build(fine).run().engine(&engine)).result(), Some(&1), "the engine goes on");
    }
}

#[test]
fn a_stale_result_does_not_replace_a_later_one() {
    // One of each for each limit that is tried.
    static FIRST_MAY_RETURN: [Gate; 7] = [const { Gate::new() }; 7];
    static FIRST_RETURNS: [Gate; 7] = [const { Gate::new() }; 7];
    #[task(retries = 1, retry_delay = "0s")]
    fn late(trial: usize, ctx: &TaskContext) -> String {
        if ctx.attempt() == 1 {
            FIRST_MAY_RETURN[trial].pass();
            let _guard = OpensWhenDropped(&FIRST_RETURNS[trial]);
            return "first".to_owned();
        }
        FIRST_MAY_RETURN[trial].open();
        FIRST_RETURNS[trial].pass();
        "second".to_owned()
    }
    // Downstream waits so that the run is still there when the stale result comes.
    #[task]
    fn takes(value: String) -> String {
        value
    }
    let mut trials = 0..;
    with_enough_time(|limit| {
        let trial = trials.next()?;
        let report = live(build(|| takes(late(trial).timeout(limit))).run().engine(&workers(2)));
        let attempts = report.task("late").expect("there is such a task").attempts();
        let failures: Vec<_> =
            attempts.iter().map(|attempt| attempt.failure.as_ref().map(|failure| failure.kind())).collect();
        if failures == [Some("timeout"); 2] {
            return None;
        }
        assert_eq!(failures, [Some("timeout"), None]);
        assert_eq!(report.result().map(String::as_str), Some("second"));
        Some(())
    });
}

#[test]
fn a_timeout_is_retried() {
    static ATTEMPTS: AtomicU32 = AtomicU32::new(0);
    #[task(retries = 2, retry_delay = "0s")]
    async fn third_time() -> u32 {
        if ATTEMPTS.fetch_add(1, Ordering::SeqCst) < 2 {
            std::future::pending::<()>().await;
        }
        7
    }
    with_enough_time(|limit| {
        ATTEMPTS.store(0, Ordering::SeqCst);
        let report = live(build(|| third_time().timeout(limit)).run());
        let task = report.task("third_time").expect("there is such a task");
        assert_eq!(task.attempt_count(), 3);
        // An attempt that was not called in time, or was not answered in time.
        if task.state() == TaskState::Failed && task.failure().is_some_and(|failure| failure.kind() == "timeout") {
            return None;
        }
        assert_eq!(report.result(), Some(&7));
        Some(())
    });
}

#[test]
fn every_attempt_has_its_own_timeout() {
    #[task(retries = 2, retry_delay = "0s")]
    async fn never() {
        std::future::pending::<()>().await;
    }
    let report = live(build(|| never().timeout(LIMIT)).run());
    let task = report.task("never").expect("there is such a task");
    assert_eq!((task.state(), task.attempt_count()), (TaskState::Failed, 3));
    for attempt in task.attempts() {
        assert_eq!(attempt.failure.as_deref(), Some(&Failure::TimedOut { limit: LIMIT }));
        assert!(attempt.ended.since(attempt.started) >= LIMIT, "attempt {} had its whole time", attempt.number);
    }
}

#[test]
fn a_timeout_that_is_not_reached_changes_nothing() {
    #[task]
    async fn fine_async() -> u32 {
        tokio::task::yield_now().await;
        2
    }
    #[task(blocking)]
    fn fine_blocking() -> u32 {
        3
    }
    let dag = build(|| {
        fine_async().timeout(AGES);
        fine_blocking().timeout(AGES);
        fine().timeout(AGES)
    });
    let report = live(dag.run());
    assert!(report.is_success() && report.duration() < AGES, "the run does not wait for the limits");
    assert!(reference(dag.run()).is_success());
}

/// The reference driver has one thread, so nothing can enforce a timeout while a task runs.
#[test]
fn timeouts_do_not_apply_on_the_reference_driver() {
    let report = reference(build(|| fine().timeout(Duration::from_nanos(1))).run());
    assert_eq!(report.result(), Some(&1));
}

#[test]
fn a_timeout_frees_the_slots() {
    static RELEASE: Gate = Gate::new();
    static SECOND_RAN: Gate = Gate::new();
    #[task]
    fn stuck() {
        RELEASE.pass();
    }
    #[task]
    fn second() {
        SECOND_RAN.open();
    }
    let one_task = Engine::builder().workers(NonZeroUsize::MIN).max_active_tasks(NonZeroUsize::MIN).build();
    for (engine, pool) in [(one_task.expect("no pool is named"), false), (workers(2), true)] {
        let dag = build(|| {
            let (first, second) = (stuck().timeout(LIMIT).priority(1), second());
            if pool {
                first.pool("single");
                second.pool("single");
            }
            first
        });
        let report = live(dag.run().engine(&engine));
        assert_eq!(states(&report), "stuck=failed second=success");
    }
    RELEASE.open();
}

#[test]
fn a_timeout_of_one_task_does_not_affect_the_others() {
    static TIMED_OUT: Gate = Gate::new();
    #[task]
    async fn never() {
        std::future::pending::<()>().await;
    }
    #[task]
    async fn outlives() -> u32 {
        TIMED_OUT.pass_async().await;
        1
    }
    #[task(blocking)]
    fn outlives_blocking(ctx: &TaskContext) -> bool {
        TIMED_OUT.pass();
        ctx.is_cancelled()
    }
    #[task]
    fn both(number: u32, cancelled: bool) -> (u32, bool) {
        (number, cancelled)
    }
    let dag = build(|| {
        never().timeout(LIMIT);
        both(outlives().timeout(AGES), outlives_blocking())
    });
    let request = dag.run().observe(|event: &Event| {
        if let Event::Task { to: TaskState::Failed, .. } = event {
            TIMED_OUT.open();
        }
    });
    assert_eq!(live(request).result(), Some(&(1, false)));
}

// The time limit of a run.

fn with_run_limit<T: taskflow::Value>(limit: Duration, body: impl FnOnce() -> Output<T>) -> Dag<T> {
    let mut options = DagOptions::NONE;
    options.timeout = Some(limit);
    Dag::build_with("limited", options, body).expect("the graph is sound")
}

#[test]
fn a_run_that_times_out_fails_and_cancels_its_unfinished_tasks() {
    static BEGUN: Gate = Gate::new();
    static DROPPED: Gate = Gate::new();
    #[task]
    async fn never() -> u32 {
        let _guard = OpensWhenDropped(&DROPPED);
        BEGUN.open();
        std::future::pending().await
    }
    #[task]
    fn needs(number: u32) -> u32 {
        number
    }
    with_enough_time(|limit| {
        let report = live(with_run_limit(limit, || needs(never())).run());
        assert_eq!(report.state(), RunState::Failed);
        assert_eq!(states(&report), "never=cancelled needs=cancelled");
        let reason = format!("the run took longer than its timeout of {limit:?}");
        assert_eq!(report.halt_reason(), Some(&*reason));
        let error = report.into_result().expect_err("it failed");
        assert!(error.to_string().ends_with(&format!("ended as failed: {reason}")), "{error}");
        BEGUN.is_open().then(|| DROPPED.pass())
    });
}

#[test]
fn the_timeout_of_a_run_includes_retry_delays() {
    #[task(retries = 5, retry_delay = "1h")]
    fn fails() -> Result<u32> {
        Err("again")?
    }
    #[task]
    fn needs(number: u32) -> u32 {
        number
    }
    let report = reference(with_run_limit(Duration::from_secs(9000), || needs(fails())).run());
    assert_eq!(states(&report), "fails=cancelled needs=cancelled");
    assert_eq!(report.task("fails").map(|task| task.attempt_count()), Some(3), "at 0, 1 and 2 hours");
    assert_eq!(report.duration(), Duration::from_secs(9000));
    assert_eq!(report.state(), RunState::Failed);
}

#[test]
fn a_run_that_ends_in_time_is_not_affected_by_its_timeout() {
    let report = live(with_run_limit(AGES, fine).run());
    assert!(report.is_success());
    assert_eq!(report.halt_reason(), None);
    assert!(reference(with_run_limit(AGES, fine).run()).is_success());
}

#[test]
fn the_timeout_of_one_run_does_not_end_another() {
    static RELEASE: Gate = Gate::new();
    #[task]
    async fn waits() -> u32 {
        RELEASE.pass_async().await;
        1
    }
    let engine = workers(1);
    let free = build(waits).run().engine(&engine).start().expect("the graph is sound");
    let limited = live(with_run_limit(LIMIT, waits).run().engine(&engine));
    assert_eq!(state_of(&limited, "waits"), TaskState::Cancelled);
    RELEASE.open();
    assert_eq!(finish(free).result(), Some(&1));
}

#[test]
fn a_manual_run_has_the_last_complete_interval_before_its_logical_date() {
    // 2023-11-14T22:13:20Z
    let now = Timestamp::from_nanos(1_700_000_000_000_000_000);
    let mut options = DagOptions::NONE;
    options.schedule = Some(taskflow::schedule::ScheduleSource::Text("@daily"));
    let report = reference(Dag::build_with("daily", options, fine).unwrap().run().logical_date(now));
    let run: &RunInfo = report.run();
    let time = |text: &str| text.parse().expect("a day");
    let interval = Interval { start: time("2023-11-13"), end: time("2023-11-14") };
    assert_eq!((run.logical_date, run.data_interval()), (now, Some(interval)));
}
