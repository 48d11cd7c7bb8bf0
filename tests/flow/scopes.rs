//! Setup and teardown: the teardown runs however the work between them ends.
#![allow(clippy::needless_pass_by_value, reason = "a teardown takes what it tears down")]

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use taskflow::engine::{RunState, TaskState};
use taskflow::graph::BuildError;
use taskflow::journal::{Journal, Note, TaskFilter};
use taskflow::ops;
use taskflow::prelude::*;
use taskflow::testing::{Test, explore};
use taskflow::{BoxError, Selection};
use taskflow_tests::common::{self, finish, locked, on_both_drivers, reference, state_of, states};

/// How often each cluster was made and deleted.
static CLUSTERS: LazyLock<Mutex<HashMap<String, (u32, u32)>>> = LazyLock::new(Mutex::default);

fn made_and_deleted(name: &str) -> (u32, u32) {
    locked(&CLUSTERS).get(name).copied().unwrap_or_default()
}

#[task]
fn create(name: &str) -> Result<String> {
    if name.contains("broken") {
        return Err("no machines left")?;
    }
    locked(&CLUSTERS).entry(name.to_owned()).or_default().0 += 1;
    Ok(name.to_owned())
}

#[task]
fn delete(cluster: String) {
    locked(&CLUSTERS).entry(cluster).or_default().1 += 1;
}

#[task]
fn delete_and_fail(cluster: String) -> Result<()> {
    Err(format!("{cluster} does not answer"))?
}

#[task]
fn work(cluster: &str, rows: u32) -> Result<u32> {
    match rows {
        13 => Err(format!("{cluster} cannot count to thirteen"))?,
        _ => Ok(rows + 1),
    }
}

#[task]
fn tidy() -> u32 {
    7
}

#[task]
fn publish(rows: u32) -> u32 {
    rows
}

#[dag]
fn nightly(name: String, rows: u32) -> u32 {
    let rows = scope(create(name), |cluster| work(cluster, rows), |cluster| delete(cluster));
    publish(rows)
}

#[test]
fn a_teardown_runs_after_the_work_and_the_scope_returns_its_result() {
    let test = Test::new(nightly::run("plain".to_owned(), 1));
    let outcome = test.run();
    outcome.assert_success().assert_order(&["create", "work", "delete"]);
    assert_eq!(outcome.result(), &2);
    assert_eq!(made_and_deleted("plain"), (1, 1));
}

/// E3: a body that returns a tuple: the scope returns it, and the teardown waits for both parts.
#[test]
fn a_scope_can_return_several_outputs() {
    let build = || {
        let (one, other) = scope(create("two"), |c| (work(c, 1), work(c, 12)), |c| delete(c));
        #[task]
        fn total(one: u32, other: u32) -> u32 {
            one + other
        }
        total(one, other)
    };
    on_both_drivers(&Dag::build("two", build).unwrap(), |report| {
        assert_eq!(report.result(), Some(&15));
        let deleted = report.task("delete").unwrap().started().unwrap();
        assert!(["work", "work_2"].iter().all(|id| report.task(id).unwrap().ended() <= deleted));
    });
    assert_eq!(made_and_deleted("two"), (2, 2));
}

#[test]
fn tasks_after_the_work_do_not_wait_for_the_teardown() {
    let test = Test::new(nightly::run("next".to_owned(), 1)).takes(delete {}, Duration::from_secs(60));
    let outcome = test.run();
    outcome.assert_success();
    let ended = |id: &str| outcome.report().task(id).expect("it is there").ended();
    assert!(ended("publish") < ended("delete"), "{}", outcome.event_log());
}

#[test]
fn a_teardown_runs_after_a_failure_and_does_not_hide_it() {
    let dag = Dag::build("fails", || scope(create("fails"), |cluster| work(cluster, 13), |cluster| delete(cluster)));
    on_both_drivers(&dag.unwrap(), |report| {
        assert_eq!(states(report), "create=success work=failed delete=success");
        assert_eq!(report.state(), RunState::Failed);
    });
    assert_eq!(made_and_deleted("fails"), (2, 2));
}

#[test]
fn work_that_takes_nothing_from_the_setup_waits_for_it_too() {
    let dag = Dag::build("gated", || {
        scope(
            create("broken"),
            |_| {
                publish(tidy());
                tidy().trigger_rule(TriggerRule::AllDone)
            },
            |cluster| delete(cluster),
        )
    });
    on_both_drivers(&dag.unwrap(), |report| {
        let expected = "create=failed tidy=upstream_failed publish=upstream_failed tidy_2=upstream_failed \
                        delete=upstream_failed";
        assert_eq!(states(report), expected);
    });
}

#[test]
fn a_teardown_runs_when_the_work_was_skipped() {
    let dag = Dag::build("skipped", || {
        scope(create("skipped"), |cluster| only_if(is_monday(), || work(cluster, 1)), |cluster| delete(cluster))
    });
    on_both_drivers(&dag.unwrap(), |report| {
        assert_eq!((state_of(report, "work"), state_of(report, "delete")), (TaskState::Skipped, TaskState::Success));
        assert_eq!(report.state(), RunState::Success);
    });
}

#[task]
fn is_monday() -> bool {
    false
}

#[test]
fn a_failed_teardown_fails_the_run_only_on_request() {
    let quiet = Dag::build("quiet", || scope(create("quiet"), |c| work(c, 1), |c| delete_and_fail(c)));
    on_both_drivers(&quiet.unwrap(), |report| {
        assert_eq!(state_of(report, "delete_and_fail"), TaskState::Failed);
        assert_eq!(report.state(), RunState::Success);
    });
    let loud =
        Dag::build("loud", || scope(create("loud"), |c| work(c, 1), |c| delete_and_fail(c).on_failure_fail_run()));
    on_both_drivers(&loud.unwrap(), |report| assert_eq!(report.state(), RunState::Failed));
}

#[test]
fn a_run_that_fails_fast_is_torn_down() {
    let outcome = Test::new(nightly::run("fast".to_owned(), 13)).fail_fast(true).run();
    outcome
        .assert_run(RunState::Failed)
        .assert_state("publish", TaskState::Skipped)
        .assert_state("delete", TaskState::Success);
    assert_eq!(made_and_deleted("fast"), (1, 1));
}

/// Runs until it is cancelled.
#[task]
async fn endless(cluster: &str, ctx: &TaskContext) -> Result<u32> {
    ctx.cancelled().await;
    Err(format!("{cluster} was stopped"))?
}

/// Cannot be told anything.
#[task]
async fn deaf(cluster: &str) -> u32 {
    std::future::pending::<()>().await;
    cluster.len() as u32
}

/// Needs a while, in which it could be stopped.
#[task]
async fn delete_slowly(cluster: &str, ctx: &TaskContext) -> bool {
    tokio::task::yield_now().await;
    locked(&CLUSTERS).entry(cluster.to_owned()).or_default().1 += 1;
    ctx.is_cancelled()
}

#[test]
fn a_cancelled_run_is_torn_down_after_its_work_has_stopped() {
    let dag = Dag::build("cancelled", || scope(create("cancelled"), |c| (endless(c), deaf(c)), |c| delete_slowly(c)).0);
    let handle = dag.unwrap().run().start().expect("it starts");
    let control = handle.control();
    common::eventually("both tasks run", || control.running().len() == 2);
    control.cancel("enough");
    let report = finish(handle);
    assert_eq!(report.state(), RunState::Cancelled);
    assert_eq!(states(&report), "create=success endless=cancelled deaf=cancelled delete_slowly=success");
    assert_eq!(made_and_deleted("cancelled"), (1, 1));
}

#[test]
fn a_run_that_times_out_is_torn_down() {
    let mut options = taskflow::DagOptions::NONE;
    options.timeout = Some(Duration::from_secs(60));
    let dag = Dag::build_with("late", options, || scope(create("late"), |c| endless(c), |c| delete_slowly(c)));
    let outcome = Test::new(&dag.unwrap()).run();
    outcome.assert_run(RunState::Failed);
    assert_eq!(states(outcome.report()), "create=success endless=cancelled delete_slowly=success");
}

#[test]
fn the_teardown_of_a_cancelled_run_is_retried() {
    let dag = Dag::build("stubborn", || {
        scope(create("stubborn"), |c| work(c, 1), |c| delete(c).retries(2).retry_delay(Duration::from_secs(3600)))
    });
    // After the setup.
    let outcome = Test::new(&dag.unwrap()).fail_times(delete {}, 2, "busy").cancel_after(4).run();
    outcome.assert_run(RunState::Cancelled).assert_attempts("delete", 3).assert_state("delete", TaskState::Success);
}

#[test]
fn a_store_that_fails_while_a_run_ends_early_leaves_its_teardowns_to_the_next_process() {
    for (transitions, commit) in (1..8).flat_map(|transitions| (1..10).map(move |commit| (transitions, commit))) {
        let dag = nightly::run("unstored".to_owned(), 1);
        let outcome = Test::new(dag).cancel_after(transitions).failing_store(commit).run();
        let succeeded = |id: &str| outcome.report().task(id).expect("it is there").state() == TaskState::Success;
        assert_eq!(succeeded("create"), succeeded("delete"), "{transitions} {commit}: {}", outcome.event_log());
    }
}

#[test]
fn everything_set_up_is_torn_down_under_injected_faults() {
    // Cancelled at any moment, with crashes, slow stores and jumps of the clock between.
    for transitions in 0..14 {
        explore(0..4, || {
            let dag = nested("outer").unwrap();
            Test::new(&dag).fail_times(work {}, 1, "once").cancel_after(transitions)
        });
        let outcome = Test::new(&nested("outer").unwrap()).cancel_after(transitions).crash_after(transitions).run();
        for (setup, teardown) in [("create", "delete_2"), ("create_2", "delete")] {
            let state = |id: &str| outcome.report().task(id).expect("it is there").state();
            assert_eq!(
                state(setup) == TaskState::Success,
                state(teardown) == TaskState::Success,
                "{setup} {transitions}: {}",
                outcome.event_log()
            );
        }
    }
}

/// Tests run side by side, so one that counts has a cluster of its own.
fn nested(cluster: &'static str) -> Result<Dag<u32>, taskflow::BuildErrors> {
    Dag::build("nested", || {
        scope(
            create(cluster),
            |outer| {
                let rows = work(outer, 1);
                scope(create("inner"), |inner| work(inner, rows), |inner| delete(inner).retries(1))
            },
            |outer| delete(outer),
        )
    })
}

#[test]
fn an_inner_scope_is_torn_down_before_the_outer_one() {
    let outcome = Test::new(&nested("outer").unwrap()).run();
    outcome.assert_success().assert_order(&["create", "create_2", "delete", "delete_2"]);
}

#[task]
fn names(count: u32) -> Vec<String> {
    (0..count).map(|n| format!("element {n}")).collect()
}

#[test]
fn an_element_has_a_scope_of_its_own() {
    let dag = Dag::build("elements", || {
        names(3).each(|name| scope(create(name), |cluster| work(cluster, 1), |cluster| delete(cluster))).collect()
    });
    on_both_drivers(&dag.unwrap(), |report| {
        assert_eq!(report.state(), RunState::Success);
        assert_eq!(state_of(report, "delete[2]"), TaskState::Success);
    });
    assert_eq!(made_and_deleted("element 2"), (2, 2));
}

#[test]
fn a_teardown_waits_for_every_element_of_its_work() {
    let dag = Dag::build("mapped", || {
        scope(create("mapped"), |cluster| rows().each(|rows| work(cluster, rows)).collect(), |cluster| delete(cluster))
    });
    let dag = dag.unwrap();
    let outcome = Test::new(&dag).takes("work", Duration::from_secs(5)).run();
    outcome.assert_run(RunState::Failed).assert_state("work[1]", TaskState::Failed);
    for element in ["work[0]", "work[1]", "work[2]"] {
        outcome.assert_order(&[element, "delete"]);
    }
}

#[task]
fn rows() -> Vec<u32> {
    vec![1, 13, 2]
}

#[task]
fn close(cluster: &str, rows: Result<u32, Failure>) -> String {
    format!("{cluster}: {}", rows.is_ok())
}

#[test]
fn a_teardown_can_take_the_outcome_of_the_work() {
    let dag = Dag::build("looks", || {
        let rows = Cell::new(None);
        scope(
            create("looks"),
            |cluster| rows.set(Some(work(cluster, 13))),
            |cluster| close(cluster, rows.get().expect("the body was called")),
        );
        tidy()
    });
    let outcome = Test::new(&dag.unwrap()).run();
    assert_eq!(outcome.value::<String>("close"), "looks: false");
    // That it looked does not mean that it dealt with it.
    outcome.assert_run(RunState::Failed);
}

#[test]
fn a_partial_run_of_the_work_sets_up_and_tears_down() {
    let dag =
        Dag::build("part", || scope(create("part"), |c| (work(c, 1).id("one"), work(c, 2).id("two")), |c| delete(c)).0);
    let dag = dag.unwrap();
    let only = Selection::only(dag.plan(), "one").expect("it is there");
    let report = reference(dag.run().select(only));
    assert_eq!(states(&report), "create=success one=success two=removed delete=success");
}

fn note() -> Note {
    Note { by: "ada".to_owned(), reason: String::new() }
}

#[tokio::test]
async fn clearing_work_runs_its_setup_and_teardown_again() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let dag = nested("cleared")?;
    dag.run().journal(&journal).await?;
    assert_eq!(would_clear(&journal, "work_2").await?, ["create", "create_2", "work_2", "delete", "delete_2"]);
    assert_eq!(would_clear(&journal, "work").await?, ["create", "work", "delete_2"]);
    assert_eq!(would_clear(&journal, "create_2").await?, ["create", "create_2", "delete", "delete_2"]);
    assert_eq!(would_clear(&journal, "delete_2").await?, ["delete_2"]);

    let before = made_and_deleted("cleared");
    journal.clear("last", &TaskFilter::tasks(["work"]), &note()).await?;
    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!(report.state(), RunState::Success);
    assert_eq!(made_and_deleted("cleared"), (before.0 + 1, before.1 + 1));
    Ok(())
}

async fn would_clear(journal: &Journal, task: &str) -> Result<Vec<String>, BoxError> {
    Ok(journal.would_clear("last", &TaskFilter::tasks([task])).await?)
}

#[tokio::test]
async fn cancelling_an_interrupted_run_leaves_its_teardown_to_resume() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let dag = Dag::build("left", || scope(create("left"), |c| work(c, 1), |c| delete(c)))?;
    dag.run().journal(&journal).await?;
    // As if the process had died before the work ended.
    journal.clear("last", &TaskFilter::tasks(["delete"]), &note()).await?;
    let cancelled = ops::cancel(&journal, "last", &note(), None).await?;
    assert_eq!((cancelled.state, &*cancelled.teardowns), (RunState::Running, &["delete".to_owned()][..]));
    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!(report.state(), RunState::Cancelled);
    assert_eq!(states(&report), "create=success work=success delete=success");
    assert_eq!(made_and_deleted("left"), (1, 2));
    Ok(())
}

#[test]
fn a_retried_run_sets_up_and_tears_down_again() {
    let mut options = taskflow::DagOptions::NONE;
    options.retries = Some(1);
    let draw = || {
        let rows = scope(create("again"), |c| (tidy(), work(c, 1)), |c| delete(c)).1;
        publish(rows)
    };
    let dag = Dag::build_with("again", options, draw).expect("no mistake");
    let outcome = Test::new(&dag).fail_times("work", 1, "away").run();
    outcome.assert_success().assert_attempts("tidy", 1).assert_attempts("create", 2).assert_attempts("delete", 2);
    assert_eq!(made_and_deleted("again"), (2, 2));
    explore(0..40, || Test::new(&dag).fail_times("work", 1, "away"));
}

/// The only mistake of a graph.
fn mistake(dag: Result<Dag<u32>, taskflow::BuildErrors>) -> BuildError {
    let errors = dag.expect_err("there is a mistake");
    let [error] = errors.errors() else { panic!("{errors}") };
    error.clone()
}

#[test]
fn a_setup_outside_the_branch_or_each_of_its_scope_is_a_mistake() {
    let error = mistake(Dag::build("elsewhere", || {
        let cluster = create("x");
        only_if(is_monday(), || scope(cluster, |c| work(c, 1), |c| delete(c)))
    }));
    assert!(matches!(&error, BuildError::SetupElsewhere { task, .. } if task == "create"), "{error}");
    let error = mistake(Dag::build("elements", || {
        let cluster = create("x");
        count(rows().each(|rows| scope(cluster, |c| work(c, rows), |c| delete(c))))
    }));
    assert!(matches!(&error, BuildError::SetupElsewhere { .. }), "{error}");
}

#[task]
fn count(rows: Vec<u32>) -> u32 {
    rows.len() as u32
}

#[test]
fn mistakes_in_scopes_name_their_tasks() {
    let error = mistake(Dag::build("two", || {
        let cluster = create("x");
        scope(cluster, |c| work(c, 1), |c| delete(c));
        scope(cluster, |c| work(c, 1), |c| delete(c))
    }));
    assert!(matches!(&error, BuildError::SetupOfTwo { task, .. } if task == "create"), "{error}");
    let error = mistake(Dag::build("empty", || scope(create("x"), |c| work(c, 1), |_| ())));
    assert!(matches!(&error, BuildError::EmptyTeardown { setup, .. } if setup == "create"), "{error}");
    let error = mistake(Dag::build("rule", || {
        scope(create("x"), |c| work(c, 1), |c| delete(c).trigger_rule(TriggerRule::OneFailed))
    }));
    assert!(matches!(&error, BuildError::TeardownRule { task, .. } if task == "delete"), "{error}");
    let error = mistake(Dag::build("loud", || scope(create("x"), |c| work(c, 1).on_failure_fail_run(), |c| delete(c))));
    assert!(matches!(&error, BuildError::NoTeardown { task, .. } if task == "work"), "{error}");
    let error = mistake(Dag::build("needs", || {
        let rows = Cell::new(None);
        scope(create("x"), |c| rows.set(Some(work(c, 1))), |c| (publish(rows.get().expect("drawn")), delete(c)));
        tidy()
    }));
    assert!(
        matches!(&error, BuildError::TeardownNeeds { task, work, .. } if task == "publish" && work == "work"),
        "{error}"
    );
}

/// Takes as long as a test says.
#[task]
fn use_it(cluster: &str, rows: u32) -> Result<u32> {
    work::call(cluster, rows)
}

#[task]
fn both(one: u32, other: u32) -> u32 {
    one + other
}

#[task]
fn either(any: AnyOf<u32>) -> u32 {
    any.into_inner()
}

const MINUTE: Duration = Duration::from_secs(60);

/// A scope whose work is drawn by `body`, and a DAG of nothing else.
fn scoped<R>(body: impl FnOnce(Output<String>) -> R) -> Dag<()> {
    Dag::draw("scoped", |_| drop(scope(create("scoped"), body, |cluster| delete(cluster)))).expect("no mistake")
}

/// A1: `use_it` fails at once, so that `both` ends while `use_it_2` runs.
#[test]
fn a_teardown_waits_for_work_beside_a_failure() {
    let dag = scoped(|c| both(use_it(c, 13), use_it(c, 2)));
    let outcome = Test::new(&dag).takes("use_it_2", MINUTE).run();
    outcome.assert_state("both", TaskState::UpstreamFailed).assert_order(&["use_it_2", "delete"]);
    explore(0..20, || Test::new(&dag).takes("use_it_2", MINUTE));
}

/// A1: in each element `use_it` fails at once, or its list does.
#[test]
fn a_teardown_waits_for_every_task_of_an_element() {
    let dag = scoped(|c| rows().each(|rows| both(use_it(c, rows), use_it(c, 2).id("slow"))).collect());
    let outcome = Test::new(&dag).takes("slow", MINUTE).run();
    outcome.assert_state("both[1]", TaskState::UpstreamFailed);
    for element in ["slow[0]", "slow[1]", "slow[2]"] {
        outcome.assert_order(&[element, "delete"]);
    }
    let dag = Dag::draw("elements", |_| {
        let each = |name: Output<String>| scope(create(name), |c| both(use_it(c, 13), use_it(c, 2)), |c| delete(c));
        names(2).each(each).collect();
    });
    let outcome = Test::new(&dag.expect("no mistake")).takes("use_it_2", MINUTE).run();
    outcome.assert_order(&["use_it_2[0]", "delete[0]"]).assert_order(&["use_it_2[1]", "delete[1]"]);
}

/// A1: two tasks of the work in an `AnyOf`, of which the second one is slow.
#[test]
fn a_teardown_waits_for_work_that_came_second_in_an_any_of() {
    let dag = scoped(|c| either([use_it(c, 1), use_it(c, 2)]));
    let outcome = Test::new(&dag).takes("use_it_2", MINUTE).run();
    outcome.assert_success().assert_order(&["use_it_2", "delete"]);
}

/// A1: the last task of the work comes after two others, under each of the thirteen rules.
#[test]
fn a_teardown_waits_for_work_that_a_rule_did_not_wait_for() {
    for rule in TriggerRule::ALL {
        let dag = scoped(|c| {
            let (bad, slow, last) = (use_it(c, 13), use_it(c, 2), tidy().trigger_rule(rule));
            last.after([bad, slow]);
            last
        });
        let outcome = Test::new(&dag).takes("use_it_2", MINUTE).run();
        outcome.assert_order(&["use_it_2", "delete"]);
    }
}

/// A1: `use_it` runs when the run is cancelled or has failed, and what comes after it has not
/// started.
#[test]
fn a_teardown_waits_for_work_that_a_halt_has_not_stopped_yet() {
    let chain = scoped(|c| {
        let rows = use_it(c, 1);
        both(rows, rows)
    });
    for transitions in 4..9 {
        Test::new(&chain).takes("use_it", Duration::from_secs(5)).cancel_after(transitions).run();
    }
    let beside = scoped(|c| (work(c, 13), publish(use_it(c, 1))));
    let test = Test::new(&beside).takes("work", Duration::from_secs(1)).takes("use_it", Duration::from_secs(5));
    let outcome = test.fail_fast(true).run();
    outcome.assert_state("publish", TaskState::Skipped).assert_order(&["use_it", "delete"]);
}

/// Looks for a while whether its cluster is deleted under it.
#[task]
async fn watch(cluster: String, rows: u32) -> Result<u32> {
    for _ in 0..100 {
        let (made, deleted) = made_and_deleted(&cluster);
        if made <= deleted {
            Err(format!("{cluster} was deleted"))?;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(rows)
}

/// A1: `--only watch`: neither of the tasks after it takes part.
#[test]
fn a_teardown_waits_for_the_first_of_a_chain_that_is_all_that_runs() {
    let draw = |_: &taskflow::DagBuilder| {
        let _ = scope(create("only"), |c| publish(publish(watch(c, 1))), |c| delete(c));
    };
    let dag = Dag::draw("only", draw).expect("no mistake");
    let only = Selection::only(dag.plan(), "watch").expect("it is there");
    let report = common::live(dag.run().select(only));
    assert_eq!(states(&report), "create=success watch=success publish=removed publish_2=removed delete=success");
}

/// `--only each`: the list is expanded, and the tasks of its elements do not take part.
#[test]
fn a_teardown_does_not_wait_for_elements_that_take_no_part() {
    let dag = scoped(|c| rows().each(|rows| publish(use_it(c, rows))).collect());
    let only = Selection::only(dag.plan(), "rows.each").expect("it is there");
    let report = reference(dag.run().select(only));
    assert_eq!((report.state(), state_of(&report, "delete")), (RunState::Success, TaskState::Success));
}

/// A1: `clear last watch`, without the tasks after it.
#[tokio::test]
async fn a_teardown_waits_for_the_first_of_a_chain_that_was_cleared() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let draw = |_: &taskflow::DagBuilder| {
        let _ = scope(create("first"), |c| publish(publish(watch(c, 1))), |c| delete(c));
    };
    let dag = Dag::draw("first", draw)?;
    dag.run().journal(&journal).await?;
    journal.clear("last", &TaskFilter::tasks(["watch"]), &note()).await?;
    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!((report.state(), state_of(&report, "watch")), (RunState::Success, TaskState::Success));
    assert_eq!(made_and_deleted("first"), (2, 2));
    Ok(())
}

/// The number of successful setups and teardowns before, and after `resume`.
async fn resumed(journal: &Journal, dag: &Dag<()>, name: &str) -> Result<(u32, u32), BoxError> {
    let report = journal.resume_dag("last", dag).await?.await?;
    assert_eq!(report.state(), RunState::Success, "{}", states(&report));
    Ok(made_and_deleted(name))
}

#[dag]
fn in_three_steps(name: String) -> u32 {
    scope(create(name), |cluster| watch(cluster, publish(use_it(cluster, 13))), |cluster| delete(cluster))
}

/// A3: `use_it` fails, so that the other two do not run: `mark success last use_it --value 5`,
/// `resume`.
#[tokio::test]
async fn work_that_a_mark_opens_runs_in_a_scope_that_is_set_up_again() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    in_three_steps::run("marked".to_owned()).journal(&journal).await?;
    assert_eq!(made_and_deleted("marked"), (1, 1));
    let only = TaskFilter::tasks(["use_it"]);
    // No work is left to run.
    journal.mark("last", &only, TaskState::Skipped, None, &note()).await?;
    journal.resume("last").await?.await?;
    assert_eq!(made_and_deleted("marked"), (1, 1));
    journal.mark("last", &only, TaskState::Success, Some(&5.into()), &note()).await?;
    let report = journal.resume("last").await?.await?;
    assert_eq!(states(&report), "create=success use_it=success publish=success watch=success delete=success");
    assert_eq!(made_and_deleted("marked"), (2, 2));
    let history = journal.history("last").await?;
    let attempts = |id: &str| history.task(id).expect("it is there").attempts.len();
    assert_eq!([attempts("create"), attempts("use_it"), attempts("watch"), attempts("delete")], [2, 1, 1, 2]);
    Ok(())
}

/// A3: a scope whose work has one more task in the program of today; `clear last delete`, `resume`.
#[tokio::test]
async fn new_work_runs_in_a_scope_that_is_set_up_again() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let draw = |_: &taskflow::DagBuilder| {
        let _ = scope(create("new"), |c| work(c, 1), |c| delete(c));
    };
    Dag::draw("new", draw)?.run().journal(&journal).await?;
    journal.clear("last", &TaskFilter::tasks(["delete"]), &note()).await?;
    let draw = |_: &taskflow::DagBuilder| {
        let _ = scope(create("new"), |c| (work(c, 1), watch(c, 2)), |c| delete(c));
    };
    let dag = Dag::draw("new", draw)?;
    assert_eq!(resumed(&journal, &dag, "new").await?, (2, 2));
    let history = journal.history("last").await?;
    let attempts = |id: &str| history.task(id).expect("it is there").attempts.len();
    assert_eq!([attempts("create"), attempts("work"), attempts("watch"), attempts("delete")], [2, 1, 1, 2]);
    // Nothing is left: neither the setup nor the teardown runs once more.
    journal.mark("last", &TaskFilter::tasks(["work"]), TaskState::Success, None, &note()).await?;
    assert_eq!(resumed(&journal, &dag, "new").await?, (2, 2));
    Ok(())
}

/// As above, for a scope inside another one, both torn down.
#[tokio::test]
async fn new_work_of_an_inner_scope_sets_up_the_outer_one_again() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let draw = |extra: bool| {
        Dag::draw("inner", |_| {
            let body = |inner: Output<String>| {
                work(inner, 1);
                if extra {
                    watch(inner, 2);
                }
            };
            let outer = |_| scope(create("inner of two"), body, |inner| delete(inner));
            scope(create("outer of two"), outer, |outer| delete(outer));
        })
    };
    draw(false)?.run().journal(&journal).await?;
    journal.clear("last", &TaskFilter::tasks(["delete"]), &note()).await?;
    assert_eq!(resumed(&journal, &draw(true)?, "inner of two").await?, (2, 2));
    assert_eq!(made_and_deleted("outer of two"), (2, 2));
    Ok(())
}

/// `clear last watch`, which comes after another task of the work.
#[tokio::test]
async fn work_that_comes_after_other_work_waits_for_the_setup_that_runs_again() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    #[task]
    fn name_of(rows: u32) -> String {
        format!("second {rows}")
    }
    let draw = |_: &taskflow::DagBuilder| {
        let body = |cluster| watch(name_of(work(cluster, 1)).map(|_| "second".to_owned()), 2);
        scope(create_slowly("second"), body, |cluster| delete(cluster));
    };
    let dag = Dag::draw("second", draw)?;
    dag.run().journal(&journal).await?;
    assert_eq!(would_clear(&journal, "watch").await?, ["create_slowly", "watch", "delete"]);
    journal.clear("last", &TaskFilter::tasks(["watch"]), &note()).await?;
    assert_eq!(resumed(&journal, &dag, "second").await?, (2, 2));
    let history = journal.history("last").await?;
    assert_eq!(history.task("watch").expect("it is there").attempts.len(), 2);
    Ok(())
}

/// Gives work that does not wait for it the time to fail.
#[task]
async fn create_slowly(name: &str) -> Result<String> {
    tokio::time::sleep(Duration::from_millis(5)).await;
    create::call(name)
}
