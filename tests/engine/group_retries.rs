//! Groups that are retried as a whole.
#![allow(clippy::needless_pass_by_value, reason = "tasks take their inputs in every way")]

use std::time::Duration;

use taskflow::engine::{Engine, RunState, TaskState};
use taskflow::graph::BuildError;
use taskflow::journal::{Journal, Note, TaskFilter};
use taskflow::prelude::*;
use taskflow::testing::{Test, explore};
use taskflow::{BoxError, BuildErrors, Group, Selection};
use taskflow_tests::calls::Calls;
use taskflow_tests::common::{self, PATIENCE, live, reference, state_of, states};

const HOUR: Duration = Duration::from_secs(3600);

/// How often each function was called, by test and name.
static CALLS: Calls = Calls::new();

#[task]
fn stage(test: &str, rows: u32) -> u32 {
    CALLS.call(&format!("{test} stage"));
    rows
}

#[task]
fn swap(test: &str, rows: u32) -> Result<u32> {
    match CALLS.call(&format!("{test} swap")) {
        1 | 2 if test.contains("twice") => Err("the table is locked")?,
        _ if test.contains("always") => Err("the table is gone")?,
        count => Ok(rows + count),
    }
}

#[task]
fn publish(test: &str, rows: u32) -> u32 {
    CALLS.call(&format!("{test} publish"));
    rows
}

#[task]
fn rows(count: u32) -> u32 {
    count
}

#[task]
fn audit(rows: Result<u32, Failure>) -> bool {
    rows.is_ok()
}

/// Two tasks that only make sense together, tried again twice.
fn load(test: &'static str) -> Dag<u32> {
    Dag::build("load", || {
        let count = rows(10);
        let loaded = Group::new("load").retries(2).retry_delay(HOUR).draw(|| swap(test, stage(test, count)));
        publish(test, loaded)
    })
    .expect("the graph has no mistake")
}

#[test]
fn a_failed_group_is_retried_as_a_whole_before_its_downstreams_start() {
    let report = reference(load("twice").run());
    // The third call of `swap`.
    assert_eq!(report.result(), Some(&13));
    assert_eq!(states(&report), "rows=success load.stage=success load.swap=success publish=success");
    let calls = ["stage", "swap", "publish"].map(|task| CALLS.of(&format!("twice {task}")));
    assert_eq!(calls, [3, 3, 1]);
    assert_eq!(report.ended().since(report.started()), 2 * HOUR);
    let attempts = report.task("load.swap").expect("it is there").attempts();
    assert_eq!(attempts.len(), 3);
    assert_eq!(attempts[1].failure.as_ref().map(ToString::to_string).as_deref(), Some("the table is locked"));
}

#[test]
fn downstreams_see_the_failure_of_a_group_once_its_retries_are_exhausted() {
    let report = reference(load("always").run());
    assert_eq!(report.state(), RunState::Failed);
    assert_eq!(states(&report), "rows=success load.stage=success load.swap=failed publish=upstream_failed");
    assert_eq!(CALLS.of("always stage"), 3);
    let ended = report.task("publish").expect("it is there").ended();
    assert_eq!(ended.since(report.started()), 2 * HOUR);
}

#[test]
fn a_group_is_retried_on_the_live_engine() {
    let dag = Dag::build("live", || {
        let group = Group::new("load").retries(2).retry_delay(Duration::from_millis(1));
        group.draw(|| swap("live twice", stage("live twice", rows(10))))
    });
    let report = live(dag.expect("no mistake").run());
    assert_eq!((report.state(), report.result()), (RunState::Success, Some(&13)));
}

#[test]
fn tasks_have_all_their_retries_in_each_attempt_of_the_group() {
    let dag = Dag::build("both", || {
        let group = Group::new("load").retries(1).retry_delay(HOUR);
        group.draw(|| publish("both", stage("both", 1)).retries(1).retry_delay(HOUR))
    });
    let outcome = Test::new(&dag.expect("no mistake")).fail_times("load.publish", 3, "locked").run();
    outcome.assert_success().assert_attempts("load.publish", 4).assert_attempts("load.stage", 2);
    assert_eq!(outcome.elapsed(), 3 * HOUR);
}

#[test]
fn a_failure_handled_inside_a_group_does_not_fail_it() {
    let dag = Dag::build("dealt", || Group::new("load").retries(3).draw(|| audit(swap("dealt always", 1))));
    let report = reference(dag.expect("no mistake").run());
    assert_eq!((report.state(), report.result()), (RunState::Success, Some(&false)));
    assert_eq!(CALLS.of("dealt always swap"), 1);
}

#[test]
fn a_failure_outside_a_group_does_not_retry_it() {
    let dag = Dag::build("outside", || {
        let lost = swap("outside always", 1);
        Group::new("load").retries(3).draw(|| publish("outside", stage("outside", lost)))
    });
    let report = reference(dag.expect("no mistake").run());
    assert_eq!(report.ended(), report.started());
    assert_eq!(states(&report), "swap=failed load.stage=upstream_failed load.publish=upstream_failed");
}

/// `unit.add` takes a value of its group and one from outside, and neither comes. If the one from
/// outside failed first, the group was not retried.
#[test]
fn a_failure_outside_a_group_does_not_keep_it_from_being_retried_whichever_comes_first() {
    let dag = Dag::build("either", || {
        let outside = rows(1);
        Group::new("unit").retries(2).retry_delay(HOUR).draw(|| add(double(1), outside))
    });
    let dag = dag.expect("no mistake");
    for (inside, outside) in [(1, 2), (2, 1)] {
        let test = Test::new(&dag).always_fails("unit.double", "away").always_fails("rows", "away");
        let test = test.takes("unit.double", inside * HOUR / 4).takes("rows", outside * HOUR / 4);
        let outcome = test.run();
        outcome.assert_run(RunState::Failed).assert_attempts("unit.double", 3).assert_attempts("unit.add", 0);
        outcome.assert_state("unit.add", TaskState::UpstreamFailed);
    }
}

/// `unit.rows` would handle the failure of `unit.double`, but does not run: nobody has handled it.
#[test]
fn a_failure_counts_if_the_task_that_would_handle_it_does_not_run() {
    let dag = Dag::build("unhandled", || {
        let outside = rows(1);
        Group::new("unit").retries(1).retry_delay(HOUR).draw(|| {
            let handles = double(outside);
            handles.trigger_rule(TriggerRule::AllDone).after(double(1));
            handles
        })
    });
    let test = Test::new(&dag.expect("no mistake")).always_fails("rows", "away").fail_times("unit.double_2", 1, "away");
    let outcome = test.run();
    outcome.assert_run(RunState::Failed).assert_attempts("unit.double_2", 2);
    outcome.assert_state("unit.double_2", TaskState::Success).assert_state("unit.double", TaskState::UpstreamFailed);
}

#[task]
fn refuses(ctx: &TaskContext) -> Result<u32> {
    CALLS.call("refuses");
    Err(ctx.fail("never"))?
}

#[test]
fn a_failure_that_is_not_retryable_does_not_retry_the_group() {
    let dag = Dag::build("never", || Group::new("load").retries(3).draw(refuses)).expect("no mistake");
    assert_eq!(reference(dag.run()).state(), RunState::Failed);
    assert_eq!(CALLS.of("refuses"), 1);
}

#[task]
fn forbids(ctx: &TaskContext) -> Result<u32> {
    Err(ctx.fail("never"))?
}

/// Another task of the group failed as well. If it was drawn first, the group was retried.
#[test]
fn one_failure_that_is_not_retryable_among_others_does_not_retry_the_group() {
    let draws: [fn() -> Output<u32>; 2] = [|| add(rows(1), forbids()), || add(forbids(), rows(1))];
    for draw in draws {
        let dag = Dag::build("among", || Group::new("load").retries(3).draw(draw)).expect("no mistake");
        let outcome = Test::new(&dag).always_fails("load.rows", "away").run();
        outcome.assert_run(RunState::Failed);
        outcome.assert_attempts("load.rows", 1).assert_attempts("load.forbids", 1);
    }
}

#[test]
fn fail_fast_waits_for_the_retries_of_a_group() {
    let outcome = Test::new(&load("fast twice")).fail_fast(true).run();
    outcome.assert_success();
    let outcome = Test::new(&load("fast always")).fail_fast(true).run();
    outcome.assert_run(RunState::Failed).assert_attempts("load.swap", 3).assert_state("publish", TaskState::Skipped);
}

#[test]
fn a_run_can_be_cancelled_while_a_group_waits() {
    let dag = load("cancelled always");
    let handle = dag.run().start().expect("it starts");
    let control = handle.control();
    common::eventually("the group waits", || CALLS.of("cancelled always swap") > 0);
    control.cancel("enough");
    let report = common::finish(handle);
    assert_eq!(report.state(), RunState::Cancelled);
    assert_eq!(state_of(&report, "publish"), TaskState::Cancelled);
}

#[task]
fn open(name: &str) -> String {
    CALLS.call(&format!("open {name}"));
    name.to_owned()
}

#[task]
fn close(name: &str) {
    CALLS.call(&format!("close {name}"));
}

#[test]
fn a_scope_in_a_group_is_set_up_and_torn_down_in_each_attempt() {
    let dag = Dag::build("scoped", || {
        let group = Group::new("load").retries(2).retry_delay(HOUR);
        group.draw(|| scope(open("scoped"), |_| swap("scoped twice", 1), |name| close(name)))
    });
    let report = reference(dag.expect("no mistake").run());
    assert_eq!(report.state(), RunState::Success);
    assert_eq!((CALLS.of("open scoped"), CALLS.of("close scoped")), (3, 3));
}

/// As at the end of a run: the failure of a teardown that does not fail the run was one of its
/// group, and the work ran three times.
#[test]
fn a_teardown_that_fails_quietly_does_not_fail_its_group() {
    let dag = Dag::build("quiet", || {
        let group = Group::new("load").retries(2).retry_delay(HOUR);
        group.draw(|| scope(open("quiet"), |_| stage("quiet", 1), |name| close(name)))
    });
    let outcome = Test::new(&dag.expect("no mistake")).always_fails("load.close", "away").run();
    outcome.assert_success().assert_attempts("load.stage", 1).assert_attempts("load.close", 1);
}

/// The failure counted as handled by a task that took no part.
#[test]
fn a_group_is_retried_also_if_a_part_of_it_runs_only() {
    let dag = Dag::build("part", || {
        Group::new("load").retries(2).retry_delay(HOUR).draw(|| publish("part", swap("part twice", 1)))
    });
    let dag = dag.expect("no mistake");
    let only = Selection::only(dag.plan(), "load.swap").expect("there is such a task");
    let report = reference(dag.run().select(only));
    assert_eq!((report.state(), state_of(&report, "load.swap")), (RunState::Success, TaskState::Success));
}

/// Fails at its second call.
#[task]
fn fails_later() -> Result<u32> {
    match CALLS.call("stale fails_later") {
        2 => Err("the table is locked")?,
        count => Ok(count),
    }
}

/// Finds something at its second poke.
#[sensor(poke_interval = "1h")]
fn lands(rows: u32) -> Option<u32> {
    (CALLS.call("stale lands") > 1).then_some(rows)
}

/// `load.lands` waits when its process leaves. `load.fails_later` is cleared and fails, so the wait
/// is never taken up, and the group is retried. Then the task took it up: it was put to sleep
/// without anything that wakes it.
#[tokio::test]
async fn a_task_of_a_retried_group_does_not_go_on_with_a_wait_from_before() -> Result<(), BoxError> {
    let (journal, engine) = (Journal::in_memory()?, Engine::builder().build()?);
    let group = || Group::new("load").retries(1).retry_delay(Duration::from_millis(1));
    let dag = Dag::build("stale", || group().draw(|| lands(fails_later())))?;
    let handle = dag.run().journal(&journal).engine(&engine).start()?;
    let waits = async || {
        let history = journal.history("last").await.ok();
        let state = history.and_then(|history| history.task("load.lands").map(|task| task.state));
        state == Some(TaskState::UpForReschedule)
    };
    while !waits().await {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    engine.drain("terminated");
    assert_eq!(handle.await.state(), RunState::Interrupted);

    journal.clear("last", &TaskFilter::tasks(["load.fails_later"]), &Note::default()).await?;
    let resumed = journal.resume_dag("last", &dag).await?.start()?;
    let report = tokio::time::timeout(PATIENCE, resumed).await?;
    assert_eq!((report.state(), report.result()), (RunState::Success, Some(&3)), "{}", states(&report));
    let calls = ["fails_later", "lands"].map(|task| CALLS.of(&format!("stale {task}")));
    assert_eq!(calls, [3, 2]);
    Ok(())
}

#[task]
fn double(n: u32) -> u32 {
    n * 2
}

#[task]
fn add(one: u32, other: u32) -> u32 {
    one + other
}

#[test]
fn a_retried_group_survives_injected_faults() {
    let dag = Dag::build("explored", || {
        let (one, other) = (rows(1), rows(2));
        let group = Group::new("unit").retries(2).retry_delay(HOUR);
        let sum = group.draw(|| {
            let doubled = double(one);
            add(doubled, double(other).retries(1))
        });
        add(sum, double(one))
    });
    let dag = dag.expect("no mistake");
    explore(0..200, || Test::new(&dag).fail_times("unit.add", 2, "away").fail_times("unit.double_2", 1, "away"));
}

#[tokio::test]
async fn the_history_contains_the_attempts_of_a_group() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let group = || Group::new("load").retries(2).retry_delay(Duration::from_millis(1));
    let dag = Dag::build("stored", || group().draw(|| swap("stored twice", stage("stored twice", rows(10)))))?;
    dag.run().journal(&journal).await?;
    let history = journal.history("last").await?;
    let task = history.task("load.stage").ok_or("it is there")?;
    assert_eq!((task.state, task.attempts.len()), (TaskState::Success, 3));
    assert_eq!(history.state, RunState::Success);

    // Clearing a task is not a round of the group.
    let note = Note::default();
    journal.clear("last", &TaskFilter::tasks(["load.swap"]), &note).await?;
    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!(report.state(), RunState::Success);
    assert_eq!(journal.history("last").await?.task("load.stage").ok_or("it is there")?.attempts.len(), 3);
    Ok(())
}

/// The only mistake of a graph.
fn mistake(dag: Result<Dag<u32>, BuildErrors>) -> BuildError {
    let errors = dag.expect_err("there is a mistake");
    let [error] = errors.errors() else { panic!("{errors}") };
    error.clone()
}

#[task]
fn list() -> Vec<u32> {
    vec![1]
}

#[task]
fn sum(numbers: Vec<u32>) -> u32 {
    numbers.into_iter().sum()
}

#[test]
fn a_group_that_cannot_be_retried_as_a_whole_is_a_mistake() {
    let unit = || Group::new("unit").retries(1);
    let error = mistake(Dag::build("holds", || unit().draw(|| sum(list().each(|n| double(n))))));
    assert!(matches!(&error, BuildError::GroupOfElements { group, .. } if group == "unit"), "{error}");
    let error = mistake(Dag::build("inside", || sum(list().each(|n| unit().draw(|| double(n))))));
    assert!(matches!(&error, BuildError::GroupOfElements { .. }), "{error}");
    let error = mistake(Dag::build("nested", || unit().draw(|| unit().draw(|| double(1)))));
    assert!(matches!(&error, BuildError::GroupInGroup { .. }), "{error}");
    let error = mistake(Dag::build("cut", || {
        let name = open("cut");
        scope(name, |_| unit().draw(|| double(1)), |name| unit().draw(|| close(name)))
    }));
    assert!(matches!(&error, BuildError::GroupCutsScope { setup, .. } if setup == "open"), "{error}");
    // The end of a task of the group is known when all of the group has ended.
    let error = mistake(Dag::build("left", || {
        let refreshed = rows(1);
        unit().draw(|| {
            let staged = stage("left", 1);
            chain((staged, refreshed));
            publish("left", staged).after(refreshed)
        })
    }));
    let BuildError::GroupLeft { group, others, edges, .. } = &error else { panic!("{error}") };
    assert_eq!((&**group, &others[..], edges.len()), ("unit", &["rows".to_owned()][..], 2), "{error}");
    let sentence =
        " is retried as a whole, and forms a cycle with `rows`; draw that in the group, or remove one of the edges";
    assert!(error.to_string().contains(sentence), "{error}");
    let error = mistake(Dag::build("crossed", || {
        let (one, two) = Group::new("one").retries(1).draw(|| (rows(1), rows(2)));
        Group::new("two").retries(1).draw(|| {
            let (three, four) = (rows(3).after(one), rows(4));
            two.after(four);
            add(three, four)
        })
    }));
    assert!(matches!(&error, BuildError::GroupLeft { .. }), "{error}");
    // All of the group in the work of a scope is well.
    let within = Dag::build("within", || scope(open("within"), |_| unit().draw(|| double(1)), |name| close(name)));
    assert!(within.is_ok());
}

/// The attempts of a task and whether each of them failed; each ends before the next one starts.
fn failed_attempts<T: taskflow::Value>(report: &taskflow::engine::RunReport<T>, task: &str) -> Vec<bool> {
    let attempts = report.task(task).expect("it is there").attempts();
    let times: Vec<Timestamp> = attempts.iter().flat_map(|attempt| [attempt.started, attempt.ended]).collect();
    assert!(times.is_sorted(), "{attempts:?}");
    attempts.iter().map(|attempt| attempt.failure.is_some()).collect()
}

/// A12: `stage` succeeds in each try, and only `swap` fails.
#[test]
fn an_attempt_that_succeeded_before_its_group_was_retried_is_reported_as_such() {
    let outcome = Test::new(&load("twice reported")).run();
    outcome.assert_success();
    let stage = outcome.report().tasks().find(|task| task.id().ends_with("stage")).expect("it is there");
    let swap = outcome.report().tasks().find(|task| task.id().ends_with("swap")).expect("it is there");
    assert_eq!(failed_attempts(outcome.report(), &stage.id()), [false, false, false]);
    assert_eq!(failed_attempts(outcome.report(), &swap.id()), [true, true, false]);
}
