//! The test kit, used like in the tests of a program with DAGs.
#![allow(clippy::needless_pass_by_value, reason = "tasks take their inputs in every way")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use taskflow::engine::{RunState, TaskState};
use taskflow::prelude::*;
use taskflow::testing::{Test, TestError, check_dags, explore};
use taskflow_tests::common::panic_of;

const HOUR: Duration = Duration::from_secs(3600);

taskflow::pool!("kit", slots = 2);

#[task(retries = 3, retry_delay = "1h", backoff = "exponential", pool = "kit")]
fn extract(day: Date, region: &str) -> Result<Vec<u32>> {
    Err(format!("there is no network for {day} in {region}"))?
}

#[task]
fn clean(rows: &[u32]) -> Vec<u32> {
    rows.iter().copied().filter(|row| *row > 0).collect()
}

#[task(retries = 2, retry_delay = "30m", timeout = "2h")]
fn load(rows: Vec<u32>) -> usize {
    rows.len()
}

#[task]
fn audit(rows: Option<Vec<u32>>) -> bool {
    rows.is_some()
}

/// What most programs have.
#[dag(schedule = "@daily")]
fn nightly(
    #[param(default = |run| run.data_interval().start_date())] day: Date,
    #[param(default = "eu", choices = ["eu", "us"])] region: String,
) -> usize {
    let rows = clean(extract(day, region));
    audit(rows);
    load(rows)
}

fn stubbed() -> Test<usize> {
    Test::new(nightly {}).stub(extract {}, |_: Date, _: String| Ok(vec![3, 0, 4]))
}

#[test]
fn a_stub_replaces_one_task_and_the_rest_runs() {
    let outcome = stubbed().run();
    outcome
        .assert_success()
        .assert_state("clean", TaskState::Success)
        .assert_attempts("load", 1)
        .assert_order(&["extract", "clean", "load"]);
    assert_eq!(outcome.result(), &2);
    assert_eq!(outcome.value::<Vec<u32>>("clean"), &[3, 4]);
    assert_eq!(outcome.elapsed(), Duration::ZERO);
}

#[test]
fn a_stub_receives_the_inputs_of_its_task() {
    let outcome = Test::new(nightly {})
        .param("day", Date::new(2026, 2, 3).expect("a day"))
        .param_text("region", "us")
        .stub(extract {}, |day: Date, region: String| {
            assert_eq!((day.to_string().as_str(), region.as_str()), ("2026-02-03", "us"));
            Ok(vec![1])
        })
        .run();
    outcome.assert_success();
}

#[test]
fn defaults_are_taken_from_the_run() {
    let outcome = Test::new(nightly {})
        .logical_date("2026-03-04T05:06:07Z".parse().expect("a time"))
        .stub(extract {}, |day: Date, _: String| Ok(vec![day.day() as u32]))
        .run();
    // The last complete interval is the day before.
    assert_eq!(outcome.value::<Vec<u32>>("clean"), &[3]);
}

#[test]
fn all_parameters_at_once_are_checked_by_the_compiler() {
    let day = Date::new(2026, 1, 31).expect("a day");
    let test = Test::new(nightly::run(day, "us".to_owned()));
    let outcome = test.stub(extract {}, |_: Date, region: String| Ok(vec![region.len() as u32])).run();
    assert_eq!(outcome.value::<Vec<u32>>("extract"), &[2]);
}

#[test]
fn hours_of_retries_take_no_time() {
    let outcome = stubbed().fail_times(extract {}, 3, "away").fail_times("load", 1, "locked").run();
    outcome.assert_success().assert_attempts("extract", 4).assert_attempts("load", 2);
    let waited = outcome.elapsed();
    // Between half and the whole of 1, 2 and 4 hours, and half an hour.
    assert!((4 * HOUR..=8 * HOUR).contains(&waited), "{waited:?}");
}

#[test]
fn a_task_that_fails_too_often_fails_the_run() {
    let outcome = stubbed().always_fails(load {}, "the database is gone").run();
    outcome
        .assert_run(RunState::Failed)
        .assert_attempts("load", 3)
        .assert_failure("load", "the database is gone")
        .assert_state("audit", TaskState::Success);
    assert_eq!(outcome.elapsed(), HOUR);
}

#[test]
fn a_test_can_make_a_task_panic_or_skip() {
    let outcome = stubbed().skips(clean {}, "nothing new").run();
    outcome.assert_success().assert_state("load", TaskState::Skipped);
    assert!(!outcome.value::<bool>("audit"));
    let outcome = stubbed().panics(clean {}, "index out of bounds").run();
    outcome.assert_run(RunState::Failed).assert_failure("clean", "index out of bounds");
    outcome.assert_state("load", TaskState::UpstreamFailed);
}

#[test]
fn timeouts_use_virtual_time() {
    let outcome = stubbed().takes(load {}, 3 * HOUR).run();
    outcome.assert_run(RunState::Failed).assert_attempts("load", 3).assert_failure("load", "timed out after 7200s");
    assert_eq!(outcome.elapsed(), 7 * HOUR);
    let outcome = stubbed().takes(load {}, HOUR).run();
    outcome.assert_success().assert_attempts("load", 1);
    assert_eq!(outcome.elapsed(), HOUR);
}

#[task(timeout = "1m", retries = 1, retry_delay = "10s")]
async fn poll(every: u64, times: u64) -> Result<u64> {
    for _ in 0..times {
        tokio::time::sleep(Duration::from_secs(every)).await;
    }
    Ok(every * times)
}

#[task]
fn sum(parts: Vec<u64>) -> u64 {
    parts.into_iter().sum()
}

#[dag]
fn polls(times: u64) -> u64 {
    sum([poll(10, times), poll(7, times), poll(1, 1)])
}

#[test]
fn async_tasks_wait_concurrently_on_the_virtual_clock() {
    let outcome = Test::new(polls::run(4)).run();
    assert_eq!(outcome.result(), &69);
    assert_eq!(outcome.elapsed(), Duration::from_secs(40));
    let outcome = Test::new(polls::run(8)).run();
    // Eight times ten seconds are more than a minute, twice.
    outcome.assert_run(RunState::Failed).assert_attempts("poll", 2).assert_failure("poll", "timed out after 60s");
    assert_eq!(outcome.elapsed(), Duration::from_secs(130));
}

#[test]
fn the_event_log_is_deterministic() {
    let test = || stubbed().fail_times(load {}, 1, "locked").takes(clean {}, Duration::from_millis(1500)).workers(1);
    let log = test().run().event_log();
    assert_eq!(log, test().run().event_log());
    insta::assert_snapshot!(log, @"
    +0s       extract  none -> scheduled
    +0s       extract  scheduled -> running #1
    +0s       extract  running -> success #1
    +0s       clean    none -> scheduled
    +0s       clean    scheduled -> running #1
    +1.5s     clean    running -> success #1
    +1.5s     audit    none -> scheduled
    +1.5s     load     none -> scheduled
    +1.5s     audit    scheduled -> running #1
    +1.5s     audit    running -> success #1
    +1.5s     load     scheduled -> running #1
    +1.5s     load     running -> up_for_retry #1
    +1801.5s  load     up_for_retry -> scheduled #1
    +1801.5s  load     scheduled -> running #2
    +1801.5s  load     running -> success #2
    +1801.5s  the run ends: success
    ");
}

#[test]
fn after_a_crash_stored_tasks_do_not_run_again() {
    static CLEANED: AtomicU32 = AtomicU32::new(0);
    let outcome = stubbed()
        .stub(clean {}, |rows: Vec<u32>| {
            CLEANED.fetch_add(1, Ordering::Relaxed);
            Ok(rows)
        })
        .workers(1)
        // session, scheduled, running, success, scheduled, running, success
        .crash_after(7)
        .run();
    outcome.assert_success();
    assert!(outcome.event_log().contains("the process dies"), "{}", outcome.event_log());
    assert_eq!(CLEANED.load(Ordering::Relaxed), 1);
}

#[test]
fn a_crash_during_an_attempt_loses_it() {
    let outcome = stubbed().takes(load {}, HOUR).crash_after(12).run();
    outcome.assert_success().assert_attempts("load", 2);
}

#[task(retries = 3, retry_delay = "25s", total_timeout = "60s")]
fn limited() -> u32 {
    1
}

/// Two attempts of 20 s with 25 s between them are over after 65 s. The limit counted from the
/// attempt after the crash, so the run succeeded if its process died in one.
#[test]
fn a_crash_does_not_renew_the_limit_over_all_attempts() {
    let dag = Dag::build("crashes_within_a_limit", limited).expect("the graph is sound");
    // session, scheduled, running, up_for_retry, scheduled, running
    for entries in 1..=6 {
        let test = Test::new(&dag).takes(limited {}, Duration::from_secs(20)).fail_times(limited {}, 1, "not yet");
        let outcome = test.crash_after(entries).run();
        outcome.assert_run(RunState::Failed);
        assert!(outcome.event_log().contains("the process dies"), "{}", outcome.event_log());
        assert_eq!(outcome.elapsed(), Duration::from_secs(60), "after {entries} entries");
        let failure = outcome.report().task("limited").and_then(|task| task.failure());
        assert_eq!(failure.map(|failure| failure.kind()), Some("out_of_time"), "after {entries} entries");
    }
}

#[test]
fn a_lost_worker_is_detected_by_the_timeout() {
    let outcome = stubbed().lost_worker(load {}).run();
    outcome.assert_success().assert_attempts("load", 2);
    assert_eq!(outcome.elapsed(), 2 * HOUR + HOUR / 2);
    let error = stubbed().lost_worker("clean").try_run().expect_err("nothing ends it");
    assert!(matches!(&error, TestError::Stuck { tasks, .. } if tasks == &["clean"]), "{error}");
}

#[test]
fn a_slow_store_delays_downstream_tasks() {
    let outcome = stubbed().slow_store(Duration::from_secs(1)).run();
    outcome.assert_success();
    assert!(outcome.elapsed() >= Duration::from_secs(3), "{:?}", outcome.elapsed());
}

#[test]
fn a_store_failure_interrupts_the_run_which_resumes_later() {
    for commit in 1..6 {
        let outcome = stubbed().failing_store(commit).run();
        outcome.assert_success();
        assert!(outcome.event_log().contains("cannot be written"), "{}", outcome.event_log());
    }
}

#[test]
fn a_clock_that_jumps_makes_retries_due() {
    let outcome = stubbed().always_fails(load {}, "no").clock_jump(HOUR / 4, 7 * 3600).run();
    outcome.assert_attempts("load", 3);
    assert_eq!(outcome.elapsed(), 7 * HOUR + HOUR / 4 + HOUR / 2);
    stubbed().fail_times(load {}, 2, "no").clock_jump(HOUR / 4, -7 * 3600).run().assert_success();
}

#[test]
fn a_test_can_cancel_a_run_at_any_point() {
    for after in 0..9 {
        let outcome = stubbed().cancel_after(after).run();
        outcome.assert_run(RunState::Cancelled);
    }
    stubbed().cancel_after(1000).run().assert_success();
}

#[test]
fn the_reason_for_a_cancellation_survives_a_crash() {
    let outcome = stubbed().takes(load {}, HOUR).cancel_after(10).crash_after(14).run();
    outcome.assert_run(RunState::Cancelled);
    for task in outcome.report().tasks().filter(|task| task.state() == TaskState::Cancelled) {
        assert!(
            task.failure().is_some_and(|failure| failure.to_string().contains("cancelled by the test")),
            "{task:?}"
        );
    }
}

#[task]
fn numbers(n: u32) -> Vec<u32> {
    (0..n).collect()
}

#[task(retries = 1)]
fn double(n: u32) -> u32 {
    2 * n
}

#[dag]
fn mapped(n: u32) -> Vec<u32> {
    numbers(n).each(|n| double(n)).collect()
}

#[test]
fn the_elements_of_lists_are_selected_by_id() {
    let outcome = Test::new(mapped::run(3))
        .fail_times("double[1]", 1, "once")
        .stub_node("double[2]", double {}, |n: u32| Ok(n + 100))
        .run();
    outcome.assert_success().assert_attempts("double[1]", 2).assert_attempts("double[0]", 1);
    assert_eq!(outcome.result(), &[0, 2, 102]);
}

#[test]
fn exploring_a_correct_dag_finds_nothing() {
    explore(0..60, stubbed);
    explore(0..60, || Test::new(mapped::run(4)).fail_times(double {}, 1, "once"));
    explore(0..60, || Test::new(polls::run(4)).fail_times("poll", 1, "once"));
}

static CALLS: AtomicU32 = AtomicU32::new(0);

#[task]
fn counts() -> u32 {
    CALLS.fetch_add(1, Ordering::Relaxed)
}

#[dag]
fn impure() -> u32 {
    counts()
}

#[task(deferrable)]
fn ask(ctx: &TaskContext) -> Result<u32> {
    Ok(ctx.wait_for("answer")?)
}

#[dag]
fn asked() -> u32 {
    double(ask())
}

#[test]
fn a_test_can_send_an_event() {
    let outcome = Test::new(asked {}).send_event_after(3 * HOUR, "answer", 21).run();
    assert_eq!((outcome.result(), outcome.elapsed()), (&42, 3 * HOUR));
    explore(0..20, || Test::new(asked {}).send_event("answer", 1));
}

#[test]
fn exploring_reports_the_seed_of_a_failure() {
    let (message, _) = panic_of(|| explore(7..9, || Test::new(impure {})));
    assert!(message.starts_with("with the seed 7: the result is"), "{message}");
    assert!(message.contains("TASKFLOW_SEED=7 cargo test kit::exploring_reports_the_seed_of_a_failure"), "{message}");
}

#[test]
fn the_same_seed_makes_the_same_run() {
    let test = |seed| Test::new(mapped::run(6)).fail_times(double {}, 1, "once").seed(seed).run().event_log();
    assert_eq!(test(5), test(5));
    assert_ne!(test(5), test(6));
}

#[test]
fn a_test_that_names_something_missing_lists_what_exists() {
    let error = Test::new(nightly {})
        .param("dya", 1_u32)
        .param("region", 1_u32)
        .fail_times("laod", 1, "x")
        .skips(poll {}, "x")
        .try_run()
        .expect_err("four mistakes");
    insta::assert_snapshot!(error, @"
    the test does not match the DAG:
    - the DAG `nightly` has no parameter `dya`; its parameters are `day: Date`, `region: String`
    - the parameter `region` of `nightly` is a String, not a u32; its parameters are `day: Date`, `region: String`
    - the DAG `nightly` has no task `laod`; did you mean `load`?
    - the DAG `nightly` does not call the task `poll`
    ");
    let error = Test::new(mapped {}).try_run().expect_err("a parameter is missing");
    insta::assert_snapshot!(error, @r#"
    the test does not match the DAG:
    - the parameter `n` of `mapped`, a u32, has no default: set it with `.param("n", ..)`
    "#);
}

#[test]
fn a_failed_assertion_shows_what_happened() {
    let outcome = stubbed().fail_times(load {}, 5, "locked").run();
    let (message, place) = panic_of(|| outcome.assert_success());
    assert!(place.contains("testing/kit.rs"), "{place}");
    insta::assert_snapshot!(message, @"
    the run is failed, not success
    run of `nightly`: failed after 3600s
      extract  success          1 attempts
      clean    success          1 attempts
      audit    success          1 attempts
      load     failed           3 attempts  locked
    ");
    let (message, place) = panic_of(|| outcome.value::<u32>("clean"));
    assert!(place.contains("testing/kit.rs"), "{place}");
    assert!(message.starts_with("the value of `clean` is a Vec<u32>, not a u32"), "{message}");
    let (message, _) = panic_of(|| outcome.assert_order(&["load", "clean"]));
    assert!(message.starts_with("`load` did not end before `clean` started"), "{message}");
    let (message, place) = panic_of(|| outcome.assert_attempts("laod", 1));
    assert!(message.starts_with("there is no task `laod`"), "{message}");
    assert!(place.contains("testing/kit.rs"), "{place}");
    let (message, place) = panic_of(|| *outcome.result());
    assert!(message.starts_with("the run has no result"), "{message}");
    assert!(place.contains("testing/kit.rs"), "{place}");
    let (message, place) = panic_of(|| stubbed().fail_times("laod", 1, "locked").run());
    assert!(message.contains("has no task `laod`"), "{message}");
    assert!(place.contains("testing/kit.rs"), "{place}");
}

/// E8: `not_yet` for a sensor, alone and with a stub, and for a task that is no sensor.
#[test]
fn a_test_decides_when_a_sensor_finds_something() {
    #[sensor(poke_interval = "1h", timeout = "4h")]
    fn landed() -> Option<u32> {
        None
    }
    #[dag]
    fn waits_for_it(#[param(default = 7)] file: u32) -> u32 {
        let _ = file;
        landed()
    }
    let test = || Test::new(waits_for_it {}).stub(landed {}, || Ok(7));
    let outcome = test().not_yet(landed {}, 3).run();
    assert_eq!((outcome.result(), outcome.elapsed()), (&7, 3 * HOUR));
    assert_eq!(test().run().elapsed(), Duration::ZERO);
    test().not_yet("landed", 9).run().assert_state("landed", TaskState::Failed);
    let error = stubbed().not_yet(load {}, 1).try_run().unwrap_err().to_string();
    assert!(error.contains("`load` is not a sensor"), "{error}");
}

#[test]
fn a_graph_built_at_run_time_can_be_tested() -> Result<()> {
    let dag = Dag::build("late", || sum([poll(1, 1), poll(2, 2)]))?;
    assert_eq!(Test::new(&dag).run().result(), &5);
    Ok(())
}

#[test]
fn every_dag_of_the_program_is_valid() {
    check_dags();
}

#[task(retries = 3, retry_delay = "10s")]
fn flaky() {}

#[sensor(poke_interval = "10s", timeout = "1m")]
fn never() -> Option<()> {
    None
}

/// A14: the process dies, and the clock of the next one is up to an hour behind.
#[test]
fn no_wait_outlasts_its_delay_when_the_clock_was_set_back() {
    let dag = Dag::build("waits", || flaky() >> never()).expect("no mistake");
    explore(0..300, || Test::new(&dag).fail_times(flaky {}, 2, "not yet"));
}
