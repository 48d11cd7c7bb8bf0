//! Failed runs that are retried as a whole: in the same run, with their history.

use std::time::Duration;

use taskflow::engine::{RunState, TaskState};
use taskflow::journal::{Journal, Note, TaskFilter};
use taskflow::ops::{self, OpsError};
use taskflow::prelude::*;
use taskflow::testing::{Test, explore};
use taskflow::{BoxError, DagOptions};
use taskflow_tests::calls::Calls;
use taskflow_tests::common::{PATIENCE, both, live, reference};

/// How often each function was called, by test.
static CALLS: Calls = Calls::new();

#[task]
fn extract(name: &str) -> Vec<u32> {
    CALLS.call(&format!("extract {name}"));
    vec![1, 2, 3]
}

/// Succeeds at its call with this number.
#[task]
fn load(name: &str, rows: &[u32], at: u32) -> Result<u32, String> {
    let call = CALLS.call(&format!("load {name}"));
    if call < at { Err(format!("call {call} fails")) } else { Ok(rows.iter().sum()) }
}

#[task]
fn told(sum: u32) -> String {
    format!("{sum}")
}

fn retried(times: u32, delay: Duration) -> DagOptions {
    let mut options = DagOptions::NONE;
    (options.retries, options.retry_delay) = (Some(times), Some(delay));
    options
}

fn pipeline(name: &'static str, times: u32, at: u32) -> Dag<String> {
    Dag::build_with(name, retried(times, Duration::from_millis(2)), || {
        let rows = extract(name);
        told(load(name, rows, at))
    })
    .expect("the graph is sound")
}

#[test]
fn a_retried_run_does_not_repeat_successful_tasks() {
    let dag = pipeline("again", 2, 3);
    let report = live(dag.run());
    assert_eq!(report.result().map(String::as_str), Some("6"));
    assert_eq!(report.state(), RunState::Success);
    assert_eq!((CALLS.of("extract again"), CALLS.of("load again")), (1, 3));
    let load = report.task("load").unwrap();
    assert_eq!(load.attempts().len(), 3);
    let failures: Vec<String> =
        load.attempts().iter().filter_map(|it| Some(it.failure.as_ref()?.to_string())).collect();
    assert_eq!(failures, ["call 1 fails", "call 2 fails"]);
}

#[test]
fn a_run_fails_once_its_retries_are_exhausted() {
    let dag = pipeline("always", 2, 100);
    both(
        || dag.run(),
        |report| {
            assert_eq!(report.state(), RunState::Failed);
            assert_eq!(report.task("load").unwrap().attempt_count(), 3);
            assert_eq!(report.task("told").unwrap().state(), TaskState::UpstreamFailed);
        },
    );
}

#[test]
fn tasks_have_all_their_retries_in_each_attempt_of_the_run() {
    let dag = Dag::build_with("both", retried(1, Duration::from_secs(3600)), || {
        load("both", vec![1], 100).retries(1).retry_delay(Duration::from_secs(60))
    });
    let report = reference(dag.unwrap().run());
    assert_eq!(report.task("load").unwrap().attempt_count(), 4);
    assert_eq!(report.duration(), Duration::from_secs(3600 + 120));
}

#[task]
fn squares(n: u32) -> Vec<u32> {
    (0..n).map(|n| n * n).collect()
}

#[task]
fn third_fails(name: &str, n: u32) -> Result<u32, String> {
    let call = CALLS.call(&format!("{name} {n}"));
    if n == 4 && call == 1 { Err("no".to_owned()) } else { Ok(n + 1) }
}

#[task]
fn total(numbers: &[u32]) -> u32 {
    numbers.iter().sum()
}

#[test]
fn only_failed_elements_run_again() {
    let dag = Dag::build_with("elements", retried(1, Duration::from_millis(1)), || {
        total(squares(5).each(|n| third_fails("element", n)))
    });
    let report = live(dag.unwrap().run());
    assert_eq!(report.result(), Some(&35));
    assert_eq!((CALLS.of("element 4"), CALLS.of("element 9")), (2, 1));
}

#[test]
fn tasks_skipped_by_fail_fast_run_in_the_next_attempt() {
    let mut options = retried(1, Duration::from_millis(1));
    options.fail_fast = true;
    let dag = Dag::build_with("fast", options, || {
        let first = load("fast", vec![2], 2);
        let second = extract("fast").after(first);
        total(second)
    });
    let report = live(dag.unwrap().run());
    assert_eq!((report.state(), report.result()), (RunState::Success, Some(&6)));
    assert!(report.halt_reason().is_none());
}

#[sensor(poke_interval = "1h", timeout = "2d")]
fn landed() -> Option<u32> {
    Some(7)
}

/// What `fail_fast` skipped while it waited used to stay skipped, as if it had skipped itself.
#[test]
fn a_sensor_skipped_by_fail_fast_waits_again_in_the_next_attempt() {
    let mut options = retried(1, Duration::from_secs(3600));
    options.fail_fast = true;
    let dag = Dag::build_with("fast_wait", options, || {
        let loaded = extract("fast wait");
        total(vec![landed()]).after(loaded)
    });
    let dag = dag.unwrap();
    let test = || {
        Test::new(&dag).not_yet("landed", 2).takes("extract", Duration::from_secs(600)).fail_times(
            "extract",
            1,
            "the file is locked",
        )
    };
    let outcome = test().run();
    outcome.assert_success().assert_attempts("landed", 2).assert_attempts("extract", 2);
    assert_eq!(outcome.result(), &7);
    for entries in 1..30 {
        let outcome = test().crash_after(entries).run();
        outcome.assert_success();
        assert_eq!(outcome.result(), &7);
    }
    explore(0..100, test);
}

/// A task that skips itself stays skipped, also with `fail_fast`.
#[test]
fn a_task_that_skipped_itself_is_not_retried_with_the_run() {
    let mut options = retried(1, Duration::from_millis(1));
    options.fail_fast = true;
    let dag = Dag::build_with("self_skipped", options, || {
        let skipped = extract("self skipped");
        load("self skipped", vec![1], 2).after(skipped).trigger_rule(TriggerRule::AllDone)
    });
    let outcome = Test::new(&dag.unwrap()).skips("extract", "nothing new").run();
    outcome.assert_success().assert_state("extract", TaskState::Skipped).assert_attempts("extract", 1);
}

#[task]
fn create(name: &str) -> u32 {
    CALLS.call(&format!("create {name}"))
}

#[task]
fn delete(cluster: &u32, name: &str) {
    CALLS.call(&format!("delete {name} {cluster}"));
}

#[task]
fn on_cluster(cluster: &u32, name: &str) -> Result<u32, String> {
    if CALLS.call(&format!("work {name}")) == 1 { Err(format!("cluster {cluster} is slow")) } else { Ok(*cluster) }
}

#[test]
fn retried_work_of_a_scope_runs_with_its_setup_and_teardown() {
    let dag = Dag::build_with("scoped", retried(1, Duration::from_millis(1)), || {
        scope(create("scoped"), |cluster| on_cluster(cluster, "scoped"), |cluster| delete(cluster, "scoped"))
    });
    let report = live(dag.unwrap().run());
    assert_eq!((report.state(), report.result()), (RunState::Success, Some(&2)));
    assert_eq!((CALLS.of("create scoped"), CALLS.of("delete scoped 1"), CALLS.of("delete scoped 2")), (2, 1, 1));
}

#[tokio::test]
async fn the_history_contains_every_attempt() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let journal = Journal::open(home.path()).await?;
    let report = pipeline("kept", 2, 2).run().journal(&journal).await?;
    assert_eq!(report.state(), RunState::Success);
    let history = journal.history("last").await?;
    assert_eq!(history.state, RunState::Success);
    let [retry] = &history.run_retries[..] else { panic!("{:?}", history.run_retries) };
    assert_eq!((retry.number, retry.due), (1, retry.failed + Duration::from_millis(2)));
    assert!(retry.started.is_some_and(|started| started >= retry.due));
    let load = history.task("load").unwrap();
    assert_eq!((load.attempts.len(), load.cleared, load.state), (2, 0, TaskState::Success));
    assert_eq!(load.attempts[0].failure.as_ref().unwrap().to_string(), "call 1 fails");
    let summary = &journal.runs(&Default::default()).await?[0];
    assert_eq!(summary.counts, [(TaskState::Success, 3)]);
    Ok(())
}

/// The dag of a run that waits for an hour before it is tried again.
fn waiting(name: &'static str) -> Dag<String> {
    Dag::build_with(name, retried(1, Duration::from_secs(3600)), || told(load(name, extract(name), 2)))
        .expect("the graph is sound")
}

/// Starts it and closes its journal as soon as it waits.
async fn interrupted(home: &std::path::Path, dag: &Dag<String>) -> Result<(), BoxError> {
    let journal = Journal::open(home).await?;
    let handle = dag.run().journal(&journal).start()?;
    let waits = async {
        while journal.history("last").await.map_or(true, |history| history.run_retries.is_empty()) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waits).await?;
    journal.close().await?;
    assert_eq!(tokio::time::timeout(PATIENCE, handle).await?.state(), RunState::Interrupted);
    Ok(())
}

#[tokio::test]
async fn a_pending_run_retry_survives_the_process_and_can_be_cancelled() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let dag = waiting("waits");
    interrupted(home.path(), &dag).await?;
    let journal = Journal::open(home.path()).await?;
    let history = journal.history("last").await?;
    assert_eq!(history.state, RunState::Interrupted);
    let why = history.explain("load").unwrap().why.join("; ");
    assert!(why.contains("the run is retried at"), "{why}");
    let handle = journal.resume_dag("last", &dag).await?.start()?;
    handle.control().cancel("enough");
    let report = tokio::time::timeout(PATIENCE, handle).await?;
    assert_eq!(report.state(), RunState::Cancelled, "that ends the wait");
    assert_eq!((CALLS.of("extract waits"), CALLS.of("load waits")), (1, 1));
    let again = ops::cancel(&journal, "last", &Note::default(), None).await;
    assert!(matches!(again, Err(OpsError::Ended { state: RunState::Cancelled, .. })), "{again:?}");
    Ok(())
}

#[tokio::test]
async fn a_cleared_run_has_all_its_retries_again() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let dag = pipeline("cleared", 1, 4);
    assert_eq!(dag.run().journal(&journal).await?.state(), RunState::Failed);
    assert_eq!(CALLS.of("load cleared"), 2);
    journal.clear("last", &TaskFilter::all().failed().downstream(), &Note::default()).await?;
    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!((report.state(), CALLS.of("load cleared")), (RunState::Success, 4));
    let history = journal.history("last").await?;
    assert_eq!(history.run_retries.iter().map(|retry| retry.number).collect::<Vec<_>>(), [1, 1]);
    Ok(())
}

#[task]
fn fragile(n: u32) -> u32 {
    n
}

#[dag(retries = 2, retry_delay = "1h")]
fn tried_again(n: u32) -> u32 {
    let squares = squares(n).each(|n| fragile(n));
    fragile(total(squares)).id("last")
}

#[test]
fn a_crash_does_not_change_the_number_of_run_retries() {
    let test =
        || Test::new(tried_again {}).param("n", 4_u32).fail_times("last", 1, "no").fail_times("fragile[2]", 1, "no");
    let outcome = test().run();
    outcome.assert_success().assert_attempts("last", 2).assert_attempts("fragile[2]", 2).assert_attempts("squares", 1);
    assert!(outcome.event_log().contains("the run has failed, retry 1 in 3600s"), "{}", outcome.event_log());
    for entries in 1..40 {
        let outcome = test().crash_after(entries).run();
        outcome.assert_success();
        assert_eq!(outcome.result(), &14);
    }
    explore(0..100, test);
}

/// A12: the setup and the teardown succeed in each try, and only the work fails.
#[test]
fn an_attempt_that_succeeded_before_its_run_was_retried_is_reported_as_such() {
    let dag = Dag::build_with("reported", retried(1, Duration::from_secs(3600)), || {
        scope(create("reported"), |cluster| on_cluster(cluster, "reported"), |cluster| delete(cluster, "reported"))
    })
    .expect("the graph is sound");
    let outcome = Test::new(&dag).run();
    outcome.assert_success();
    for (task, failed) in [("create", [false, false]), ("on_cluster", [true, false]), ("delete", [false, false])] {
        let attempts = outcome.report().task(task).expect("it is there").attempts();
        assert_eq!(attempts.iter().map(|attempt| attempt.failure.is_some()).collect::<Vec<_>>(), failed, "{task}");
        let times: Vec<Timestamp> = attempts.iter().flat_map(|attempt| [attempt.started, attempt.ended]).collect();
        assert!(times.is_sorted(), "{attempts:?}");
    }
}

#[task]
fn machines(name: &str) -> Vec<u32> {
    let first = 10 * CALLS.call(&format!("machines {name}"));
    (first..first + 3).collect()
}

/// Fails on the second of the first machines.
#[task]
fn on_machine(machine: u32, ctx: &TaskContext) -> Result<u32> {
    if machine == 11 { Err(ctx.fail("the machine is slow"))? } else { Ok(machine) }
}

#[task]
fn turn_off(machines: &[u32], name: &str) {
    CALLS.call(&format!("turned off {name} {machines:?}"));
}

/// The setup of the scope returns the list of its elements. When it runs again, its list is another
/// one, and all of its elements run for that.
#[tokio::test]
async fn elements_of_a_list_that_a_setup_has_returned_again_are_those_of_the_new_list() -> Result<(), BoxError> {
    let draw = |name: &'static str| {
        let body = || {
            let work = |machines: Output<Vec<u32>>| total(machines.each(|machine| on_machine(machine)));
            scope(machines(name), work, |machines| turn_off(machines, name))
        };
        Dag::build_with(name, retried(2, Duration::from_millis(1)), body).expect("the graph is sound")
    };
    let journal = Journal::in_memory()?;
    for name in ["simulated", "live"] {
        let request = draw(name).run();
        let report = if name == "live" { live(request.journal(&journal)) } else { reference(request) };
        assert_eq!((report.state(), report.result()), (RunState::Success, Some(&63)), "{name}");
        assert_eq!(report.task("on_machine[1]").expect("it is there").attempt_count(), 2);
        assert_eq!(report.tasks().count(), 7);
        let turned_off = |machines: &str| CALLS.of(&format!("turned off {name} {machines}"));
        assert_eq!((turned_off("[10, 11, 12]"), turned_off("[20, 21, 22]")), (1, 1));
    }
    let history = journal.history("last").await?;
    let attempts = |id: &str| history.task(id).expect("it is there").attempts.len();
    assert_eq!(
        [attempts("machines"), attempts("on_machine[0]"), attempts("total"), attempts("turn_off")],
        [2, 2, 1, 2]
    );
    assert_eq!(history.counts(), [(TaskState::Success, 7)]);
    assert_eq!(journal.find("last").await?.counts, [(TaskState::Success, 7)]);
    Ok(())
}

#[task]
fn resources(cluster: &u32) -> Vec<u32> {
    vec![*cluster, *cluster + 1]
}

#[task]
fn delete_one(resource: u32) -> u32 {
    resource
}

#[task]
fn report(deleted: Vec<Option<u32>>) -> usize {
    deleted.into_iter().flatten().count()
}

/// The list of the elements before the retry was left, and the run never ended.
#[test]
fn a_teardown_of_many_elements_runs_again_with_its_scope() {
    let dag = Dag::build_with("many", retried(1, Duration::from_secs(3600)), || {
        let work = scope(
            create("many"),
            |cluster| on_cluster(cluster, "many"),
            |cluster| report(resources(cluster).each(delete_one)),
        );
        total(vec![work])
    });
    let dag = dag.unwrap();
    let test = || {
        let test =
            Test::new(&dag).stub(create {}, |_: String| Ok(7)).fail_times("on_cluster", 1, "the cluster is slow");
        test.stub(on_cluster {}, |cluster: u32, _: String| Ok(cluster)).fail_times("delete_one[1]", 1, "it is busy")
    };
    let outcome = test().run();
    outcome.assert_success();
    let ids: Vec<String> = outcome.report().tasks().map(|task| task.id().into_owned()).collect();
    let once: std::collections::HashSet<&String> = ids.iter().collect();
    assert_eq!(once.len(), ids.len(), "{ids:?}");
    explore(0..50, test);
}

/// A process that took up the run in the wait counted the wait against the time limit of the run,
/// and ended it without its retry.
#[test]
fn the_wait_for_a_retry_does_not_count_against_the_timeout_after_a_crash() {
    let mut options = retried(1, Duration::from_secs(3600));
    options.timeout = Some(Duration::from_secs(600));
    let dag = Dag::build_with("limited", options, || total(extract("limited"))).unwrap();
    for entries in 1..12 {
        let test = Test::new(&dag).fail_times("total", 1, "no network").crash_after(entries);
        let outcome = test.run();
        outcome.assert_success();
        assert_eq!(outcome.result(), &6, "after {entries} entries");
    }
}
