//! When a failed attempt is retried. The reference driver has virtual time, so that hours of
//! waiting pass at once.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::time::Duration;

use proptest::prelude::*;
use taskflow::engine::{Engine, Event, RunReport, TaskIndex, TaskState};
use taskflow::prelude::*;
use taskflow::{Retry, RetryPolicy};
use taskflow_tests::common::{self, Gate, Log, failure_of, finish, live, on_both_drivers, reference, states};

/// Succeeds with the attempt of this number, and returns the number.
#[task]
fn succeeds_with(attempt: u32, ctx: &TaskContext) -> Result<u32> {
    if ctx.attempt() < attempt { Err(format!("attempt {} failed", ctx.attempt()))? } else { Ok(ctx.attempt()) }
}

#[task]
async fn succeeds_later_with(attempt: u32, ctx: &TaskContext) -> Result<u32> {
    tokio::task::yield_now().await;
    if ctx.attempt() < attempt { Err(format!("attempt {} failed", ctx.attempt()))? } else { Ok(ctx.attempt()) }
}

#[task(blocking)]
fn succeeds_blocking_with(attempt: u32, ctx: &TaskContext) -> Result<u32> {
    if ctx.attempt() < attempt { Err(format!("attempt {} failed", ctx.attempt()))? } else { Ok(ctx.attempt()) }
}

#[task]
fn nothing() {}

fn build<T: taskflow::Value>(body: impl FnOnce() -> Output<T>) -> Dag<T> {
    Dag::build("retries", body).expect("the graph is sound")
}

/// The waits between the attempts of the only task.
fn waits<T>(report: &RunReport<T>) -> Vec<Duration> {
    let attempts = report.tasks().next().expect("there is a task").attempts();
    attempts.windows(2).map(|pair| pair[1].started.since(pair[0].ended)).collect()
}

#[test]
fn a_failed_task_is_not_retried_by_default() {
    on_both_drivers(&build(|| succeeds_with(2)), |report| {
        let task = report.task("succeeds_with").expect("there is such a task");
        assert_eq!((task.state(), task.attempt_count()), (TaskState::Failed, 1));
        assert_eq!(failure_of(report, "succeeds_with"), "attempt 1 failed");
    });
}

#[test]
fn a_task_is_retried_until_it_succeeds() {
    for attempt in 1..=4 {
        let dag = build(|| succeeds_with(attempt).retries(3).retry_delay(Duration::from_millis(1)));
        on_both_drivers(&dag, |report| {
            assert_eq!(report.result(), Some(&attempt));
            let attempts = report.task("succeeds_with").expect("there is such a task").attempts();
            let numbers: Vec<u32> = attempts.iter().map(|attempt| attempt.number).collect();
            assert_eq!(numbers, (1..=attempt).collect::<Vec<_>>());
            let failures: Vec<_> =
                attempts.iter().map(|attempt| attempt.failure.as_ref().map(ToString::to_string)).collect();
            let mut expected: Vec<_> = (1..attempt).map(|number| Some(format!("attempt {number} failed"))).collect();
            expected.push(None);
            assert_eq!(failures, expected);
        });
    }
}

#[test]
fn a_task_that_never_succeeds_has_one_attempt_more_than_retries() {
    for retries in [0, 1, 2, 7] {
        let dag = build(|| succeeds_with(100).retries(retries).retry_delay(Duration::ZERO));
        on_both_drivers(&dag, |report| {
            let task = report.task("succeeds_with").expect("there is such a task");
            assert_eq!((task.state(), task.attempt_count()), (TaskState::Failed, retries + 1));
            assert_eq!(failure_of(report, "succeeds_with"), format!("attempt {} failed", retries + 1));
            assert_eq!(task.attempts().len() as u32, retries + 1);
        });
    }
}

#[test]
fn tasks_of_every_kind_are_retried() {
    let dag = build(|| {
        [succeeds_with(3), succeeds_later_with(3), succeeds_blocking_with(3)]
            .map(|task| task.retries(2).retry_delay(Duration::from_millis(1)))[0]
    });
    on_both_drivers(&dag, |report| {
        assert!(
            report.tasks().all(|task| task.attempt_count() == 3 && task.state() == TaskState::Success),
            "{report:?}"
        );
    });
}

#[test]
fn the_context_has_the_attempt_and_the_maximum() {
    #[task(retries = 3, retry_delay = "0s")]
    fn knows(ctx: &TaskContext) -> Result<(u32, u32)> {
        if ctx.attempt() < 3 { Err("not yet")? } else { Ok((ctx.attempt(), ctx.max_attempts())) }
    }
    on_both_drivers(&build(knows), |report| assert_eq!(report.result(), Some(&(3, 4))));
}

#[test]
fn a_retried_task_passes_through_up_for_retry() {
    let dag = build(|| succeeds_with(3).retries(2).retry_delay(Duration::ZERO));
    let (one, other) = (Log::default(), Log::default());
    reference(dag.run().observe(one.observer()));
    live(dag.run().observe(other.observer()));
    for log in [one, other] {
        assert_eq!(
            log.of_task(TaskIndex::new(0)),
            "none>scheduled scheduled>running running>up_for_retry up_for_retry>scheduled scheduled>running \
             running>up_for_retry up_for_retry>scheduled scheduled>running running>success"
        );
        let numbers: Vec<u32> = log
            .events()
            .iter()
            .filter_map(|event| match event {
                Event::Task { attempt, .. } => Some(*attempt),
                _ => None,
            })
            .collect();
        assert_eq!(numbers, [0, 1, 1, 1, 2, 2, 2, 3, 3]);
    }
}

#[test]
fn downstreams_wait_for_the_last_attempt() {
    #[task]
    fn takes(attempt: Result<u32, Failure>) -> u32 {
        attempt.unwrap_or(0)
    }
    let dag = build(|| {
        let up = succeeds_with(3).retries(2).retry_delay(Duration::ZERO);
        nothing().id("ordered").after(up);
        takes(up)
    });
    on_both_drivers(&dag, |report| {
        assert_eq!(report.result(), Some(&3));
        assert_eq!(states(report), "succeeds_with=success ordered=success takes=success");
    });
}

#[test]
fn a_panic_is_retried() {
    #[task(retries = 1, retry_delay = "0s")]
    fn panics_once(ctx: &TaskContext) -> u32 {
        assert!(ctx.attempt() > 1, "the first attempt always panics");
        ctx.attempt()
    }
    on_both_drivers(&build(panics_once), |report| assert_eq!(report.result(), Some(&2)));
}

#[test]
fn every_attempt_gets_unchanged_inputs() {
    #[task]
    fn list() -> Vec<u32> {
        vec![1, 2, 3]
    }
    #[task(retries = 3, retry_delay = "0s")]
    fn eats(mut taken: Vec<u32>, borrowed: &[u32], several: Vec<Vec<u32>>, ctx: &TaskContext) -> Result<usize> {
        let length = taken.len() + borrowed.len() + several.concat().len();
        taken.clear();
        drop(several);
        if ctx.attempt() < 4 { Err("again")? } else { Ok(length) }
    }
    let dag = build(|| {
        let list = list();
        eats(list, list, [list, list])
    });
    on_both_drivers(&dag, |report| assert_eq!(report.result(), Some(&12)));
}

// The wait.

#[test]
fn a_retry_starts_after_the_retry_delay() {
    let dag = build(|| succeeds_with(4).retries(3).retry_delay(Duration::from_secs(7200)));
    let report = reference(dag.run());
    assert_eq!(waits(&report), [Duration::from_secs(7200); 3]);
    assert!(report.duration() >= Duration::from_secs(3 * 7200), "in virtual time it took hours");
}

#[test]
fn the_default_retry_delay_is_ten_seconds() {
    let report = reference(build(|| succeeds_with(2).retries(1)).run());
    assert_eq!(waits(&report), [Duration::from_secs(10)]);
}

#[test]
fn the_retry_delay_has_an_upper_bound() {
    let day = Duration::from_secs(24 * 60 * 60);
    let report = reference(build(|| succeeds_with(2).retries(1).retry_delay(day * 7)).run());
    assert_eq!(waits(&report), [day], "the default is Airflow's");

    let dag = build(|| succeeds_with(2).retries(1).retry_delay(day * 7).max_retry_delay(Duration::from_secs(60)));
    assert_eq!(waits(&reference(dag.run())), [Duration::from_secs(60)]);
}

#[test]
fn the_exponential_delay_grows_to_its_bound_with_jitter() {
    let dag = build(|| {
        succeeds_with(100)
            .retries(12)
            .retry_delay(Duration::from_secs(1))
            .backoff(Backoff::Exponential { factor: 2.0 })
            .max_retry_delay(Duration::from_secs(600))
    });
    for seed in 0..50 {
        let waits = waits(&reference(dag.run().seed(seed)));
        assert_eq!(waits.len(), 12);
        for (retry, wait) in waits.into_iter().enumerate() {
            let step = Duration::from_secs(600.min(1 << retry));
            assert!((step / 2..=step).contains(&wait), "wait {retry} with seed {seed} is {wait:?}");
        }
    }
}

#[test]
fn delays_depend_only_on_the_seed_and_the_task() {
    let dag = build(|| {
        let tasks = [succeeds_with(100).id("a"), succeeds_with(100).id("b")];
        tasks.map(|task| task.retries(5).backoff(Backoff::Exponential { factor: 1.5 }))[0]
    });
    let waits = |seed: u64| {
        let report = reference(dag.run().seed(seed));
        let of_task = |task: taskflow::engine::TaskReport<'_>| {
            task.attempts().windows(2).map(|pair| pair[1].started.since(pair[0].ended)).collect::<Vec<_>>()
        };
        report.tasks().map(of_task).collect::<Vec<_>>()
    };
    assert_eq!(waits(1), waits(1));
    assert_ne!(waits(1), waits(2));
    let both = waits(1);
    assert_ne!(both[0], both[1], "tasks that failed together must not come back together");
}

#[test]
fn waiting_for_a_retry_takes_no_slot() {
    static OTHER_RAN: Gate = Gate::new();
    #[task]
    fn other() {
        OTHER_RAN.open();
    }
    let engine = Engine::builder().max_active_tasks(NonZeroUsize::MIN).build().expect("no pool is named");
    let dag = build(|| {
        let waiting = succeeds_with(2).retries(1).retry_delay(Duration::from_secs(3600)).priority(10);
        other();
        waiting
    });
    let handle = dag.run().engine(&engine).start().expect("the graph is sound");
    OTHER_RAN.pass();
    handle.control().cancel("it would take an hour");
    let report = finish(handle);
    assert_eq!(states(&report), "succeeds_with=cancelled other=success");
    assert_eq!(report.task("succeeds_with").map(|task| task.attempt_count()), Some(1));
}

/// Several waits end at different times, and each task comes back when its own is over.
#[test]
fn retries_start_in_the_order_of_their_times() {
    let log = Log::default();
    let dag = build(|| {
        let tasks = [30, 10, 20].map(|seconds| {
            succeeds_with(2).id(format!("after-{seconds}")).retries(1).retry_delay(Duration::from_secs(seconds))
        });
        tasks[0]
    });
    let report = reference(dag.run().observe(log.observer()));
    let mut ended: Vec<_> = report.tasks().map(|task| (task.ended(), task.id().into_owned())).collect();
    ended.sort();
    assert_eq!(ended.into_iter().map(|(_, id)| id).collect::<Vec<_>>(), ["after-10", "after-20", "after-30"]);
}

#[test]
fn a_task_can_have_a_thousand_retries() {
    let dag = build(|| succeeds_with(1001).retries(1000).retry_delay(Duration::ZERO));
    on_both_drivers(&dag, |report| assert_eq!(report.result(), Some(&1001)));
}

// The policy, as a function.

fn exponential(delay: Duration, factor: f64, max_delay: Duration) -> RetryPolicy {
    RetryPolicy { retries: 0, delay, backoff: Backoff::Exponential { factor }, max_delay }
}

fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0..=u64::MAX, 0..1_000_000_000u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos)),
        (0..100_000u64).prop_map(Duration::from_millis),
        Just(Duration::ZERO),
        Just(Duration::MAX),
    ]
}

fn any_factor() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        0.5..10.0,
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(f64::MAX),
        Just(0.0),
        Just(-1.0),
    ]
}

fn any_attempt() -> impl Strategy<Value = u32> {
    prop_oneof![0..20u32, any::<u32>(), Just(u32::MAX)]
}

proptest! {
    #![proptest_config(common::cases(256))]

    #[test]
    fn no_delay_exceeds_its_bound_for_any_arguments(
        delay in any_duration(), factor in any_factor(), max_delay in any_duration(), attempt in any_attempt(), seed: u64,
    ) {
        let policy = exponential(delay, factor, max_delay);
        prop_assert!(policy.delay_after(attempt, seed) <= max_delay);
        let constant = RetryPolicy { backoff: Backoff::Constant, ..policy };
        prop_assert_eq!(constant.delay_after(attempt, seed), delay.min(max_delay));
    }

    #[test]
    fn the_delay_is_a_function_of_its_arguments(
        delay in any_duration(), factor in any_factor(), max_delay in any_duration(), attempt in any_attempt(), seed: u64,
    ) {
        let policy = exponential(delay, factor, max_delay);
        prop_assert_eq!(policy.delay_after(attempt, seed), policy.delay_after(attempt, seed));
    }

    #[test]
    fn the_delay_lies_between_half_and_all_of_its_step(
        millis in 1..100_000u64, factor in 1.0..8.0f64, max_millis in 1..10_000_000u64, attempt in 1..40u32, seed: u64,
    ) {
        let policy = exponential(Duration::from_millis(millis), factor, Duration::from_millis(max_millis));
        let step = (millis as f64 * factor.powi(attempt as i32 - 1)).min(max_millis as f64) / 1e3;
        let wait = policy.delay_after(attempt, seed).as_secs_f64();
        // The last digits of floating point, and whole nanoseconds.
        let slack = step * 1e-9 + 2e-9;
        prop_assert!(wait >= step / 2.0 - slack && wait <= step + slack, "{wait} is not within {step}");
    }

    #[test]
    fn a_higher_bound_never_shortens_the_delay(
        delay in any_duration(), factor in 1.0..8.0f64, one in any_duration(), other in any_duration(),
        attempt in any_attempt(), seed: u64,
    ) {
        let (low, high) = (one.min(other), one.max(other));
        let wait = |max_delay| exponential(delay, factor, max_delay).delay_after(attempt, seed);
        prop_assert!(wait(low) <= wait(high));
    }

    #[test]
    fn the_delay_stays_between_half_and_all_of_its_bound(attempt in 64..u32::MAX, seed: u64) {
        let bound = Duration::from_secs(600);
        let wait = exponential(Duration::from_secs(1), 2.0, bound).delay_after(attempt, seed);
        prop_assert!((bound / 2..=bound).contains(&wait), "{wait:?}");
    }

    #[test]
    fn a_factor_below_one_counts_as_one(
        factor in prop_oneof![-10.0..1.0f64, Just(f64::NAN), Just(f64::NEG_INFINITY)], attempt in any_attempt(), seed: u64,
    ) {
        let wait = |factor| exponential(Duration::from_secs(8), factor, Duration::from_secs(60)).delay_after(attempt, seed);
        prop_assert_eq!(wait(factor), wait(1.0));
    }

    #[test]
    fn a_delay_of_zero_does_not_grow(factor in any_factor(), attempt in any_attempt(), seed: u64) {
        let policy = exponential(Duration::ZERO, factor, Duration::from_secs(60));
        prop_assert_eq!(policy.delay_after(attempt, seed), Duration::ZERO);
    }
}

#[test]
fn the_jitter_spreads_tasks_that_failed_together() {
    let policy = exponential(Duration::from_secs(60), 2.0, Duration::from_secs(600));
    let waits: Vec<Duration> = (0..1000).map(|seed| policy.delay_after(1, seed)).collect();
    let different: BTreeSet<_> = waits.iter().collect();
    assert!(different.len() > 990, "{} different waits", different.len());
    // Every tenth of the range is used.
    for tenth in 0..10 {
        let from = Duration::from_secs(30 + 3 * tenth);
        let inside = waits.iter().filter(|wait| (from..from + Duration::from_secs(3)).contains(*wait)).count();
        assert!((50..=200).contains(&inside), "{inside} of 1000 in the tenth from {from:?}");
    }
}

#[derive(Debug)]
enum Trouble {
    Busy { seconds: u64 },
    Timeout,
    NotAllowed,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Trouble {}

fn judge(trouble: &Trouble) -> Retry {
    match trouble {
        Trouble::Busy { seconds } => Retry::After(Duration::from_secs(*seconds)),
        Trouble::Timeout => Retry::AsUsual,
        Trouble::NotAllowed => Retry::Never,
    }
}

/// Is in trouble of one kind after another.
#[task(retries = 5, retry_delay = "1m", retry_on = judge)]
fn troubled(ctx: &TaskContext) -> Result<u32, Trouble> {
    match ctx.attempt() {
        1 => Err(Trouble::Busy { seconds: 7200 }),
        2 => Err(Trouble::Timeout),
        3 => Err(Trouble::Busy { seconds: 0 }),
        _ => Err(Trouble::NotAllowed),
    }
}

#[test]
fn an_error_decides_whether_and_when_it_is_retried() {
    let report = reference(build(|| troubled()).run());
    let expected = [Duration::from_secs(7200), Duration::from_secs(60), Duration::ZERO];
    assert_eq!(waits(&report), expected);
    let task = report.task("troubled").unwrap();
    assert_eq!((task.state(), task.attempt_count()), (TaskState::Failed, 4));
    assert_eq!(failure_of(&report, "troubled"), "NotAllowed");
}

/// Its errors are judged by a closure; what it asks for itself is not an error.
#[task(retries = 2, retry_delay = "0s", retry_on = |error: &taskflow::BoxError| !error.to_string().contains("fatal"))]
async fn judged(first: String, ctx: &TaskContext) -> Result<u32> {
    match &*first {
        "skip" => Err(ctx.skip("fatal, or so it seems"))?,
        _ if ctx.attempt() == 1 => Err(first)?,
        _ => Ok(ctx.attempt()),
    }
}

#[test]
fn retry_on_is_called_for_errors_but_not_for_skips() {
    on_both_drivers(&build(|| judged("fatal")), |report| {
        assert_eq!(report.task("judged").unwrap().attempt_count(), 1);
        assert_eq!(failure_of(report, "judged"), "fatal");
    });
    on_both_drivers(&build(|| judged("passing")), |report| assert_eq!(report.result(), Some(&2)));
    on_both_drivers(&build(|| judged("skip")), |report| {
        assert_eq!(report.task("judged").unwrap().state(), TaskState::Skipped);
    });
}
