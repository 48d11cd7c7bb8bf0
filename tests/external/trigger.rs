//! Runs of other DAGs, triggered by tasks.

use std::num::NonZeroUsize;
use std::time::Duration;

use taskflow::engine::{RunState, TaskState};
use taskflow::journal::{Journal, Note, RunFilter, RunHistory, TaskFilter};
use taskflow::prelude::*;
use taskflow::tasks::RunType;
use taskflow::{BoxError, DagOptions, Engine, Group, Value, ops};
use taskflow_tests::calls::Calls;
use taskflow_tests::common::{self, PATIENCE, eventually, failure_of, finish, live, on_both_drivers, reference};

/// How often each function was called, by test and name.
static CALLS: Calls = Calls::new();

#[task]
fn square(n: u64) -> u64 {
    n * n
}

/// Another DAG.
#[dag]
fn squared(n: u64, #[param(default = 1)] factor: u64) -> u64 {
    let _ = factor;
    square(n)
}

#[task]
fn plus_one(n: u64) -> u64 {
    n + 1
}

#[test]
fn a_node_triggers_a_run_and_returns_its_typed_result() {
    let dag = Dag::build("drawn", || plus_one(squared::trigger(plus_one(2), 1))).unwrap();
    on_both_drivers(&dag, |report| {
        assert_eq!(report.state(), RunState::Success);
        assert_eq!(report.result(), Some(&10));
        assert_eq!(report.task("squared").unwrap().attempt_count(), 1);
    });
}

#[task(deferrable)]
async fn twice(ctx: &TaskContext, n: u64) -> Result<u64> {
    CALLS.call(&format!("twice {n}"));
    let first = ctx.trigger(squared::run(n, 1)).await?;
    let second = ctx.trigger(squared::run(first, 1)).await?;
    Ok(first + second)
}

#[test]
fn a_task_can_await_several_runs_in_turn() {
    let dag = Dag::build("awaited", || twice(3)).unwrap();
    let report = live(dag.run());
    assert_eq!(report.result(), Some(&(9 + 81)));
    assert_eq!(report.task("twice").unwrap().attempt_count(), 1);
    // Called again after each of the runs.
    assert_eq!(CALLS.of("twice 3"), 3);
    let report = reference(Dag::build("awaited", || twice(4)).unwrap().run());
    assert_eq!(report.result(), Some(&(16 + 256)));
}

#[test]
fn waiting_for_a_run_holds_no_slot() {
    let engine = Engine::builder().max_active_tasks(NonZeroUsize::MIN).build().unwrap();
    let dag = Dag::build("slots", || plus_one(squared::trigger(5, 1))).unwrap();
    assert_eq!(live(dag.run().engine(&engine)).result(), Some(&26));
}

#[task]
fn breaks(name: &str, times: u32) -> Result<u32> {
    let count = CALLS.call(name);
    if count <= times { Err(format!("broken for the {count}. time"))? } else { Ok(count) }
}

#[dag]
fn broken(name: String, times: u32) -> u32 {
    breaks(name, times)
}

#[test]
fn the_failure_of_a_triggered_run_names_it() {
    let dag = Dag::build("failing", || broken::trigger("always", u32::MAX)).unwrap();
    on_both_drivers(&dag, |report| {
        assert_eq!(report.state(), RunState::Failed);
        let failure = failure_of(report, "broken");
        assert!(failure.starts_with("the run `triggered__"), "{failure}");
        assert!(failure.contains("` of `broken` ended as failed: task `breaks`: broken for the "), "{failure}");
    });
}

#[test]
fn without_a_journal_a_retry_after_a_failed_run_triggers_a_new_one() {
    let dag =
        || Dag::build("retried", || broken::trigger("twice broken", 2).retries(2).retry_delay(Duration::ZERO)).unwrap();
    let report = live(dag().run());
    assert_eq!(report.result(), Some(&3));
    assert_eq!(report.task("broken").unwrap().attempt_count(), 3);
}

/// Fails for itself after the run that it has triggered.
#[task(deferrable, retries = 1, retry_delay = "0s")]
async fn forgetful(ctx: &TaskContext) -> Result<u32> {
    let count = ctx.trigger(broken::run("once only".to_owned(), 0)).await?;
    if ctx.attempt() == 1 { Err("I have forgotten")? } else { Ok(count) }
}

#[test]
fn a_retry_for_another_reason_reuses_the_triggered_run() {
    let report = live(Dag::build("forgetful", || forgetful()).unwrap().run());
    assert_eq!(report.result(), Some(&1));
    assert_eq!(report.task("forgetful").unwrap().attempt_count(), 2);
    assert_eq!(CALLS.of("once only"), 1);
}

#[task]
async fn waits_without_saying_so(ctx: &TaskContext) -> Result<u64> {
    Ok(ctx.trigger(squared::run(CALLS.call("not deferrable").into(), 1)).await?)
}

#[test]
fn a_task_that_is_not_deferrable_triggers_nothing() {
    let dag = Dag::build("no", || waits_without_saying_so().retries(2)).unwrap();
    on_both_drivers(&dag, |report| {
        let failure = failure_of(report, "waits_without_saying_so");
        assert_eq!(failure, "`waits_without_saying_so` waits and is not deferrable: write `#[task(deferrable)]`");
        assert_eq!(report.task("waits_without_saying_so").unwrap().attempt_count(), 1);
    });
}

#[test]
fn a_detached_context_triggers_nothing() {
    let context = TaskContext::detached("twice");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(context.trigger_detached(squared::run(1, 1))).unwrap_err().to_string();
    assert!(error.starts_with("only tasks of a run can trigger runs;"), "{error}");
}

#[test]
fn triggering_outside_a_dag_explains_what_to_write() {
    let (message, place) = common::panic_of(|| squared::trigger(1, 1));
    assert!(
        message.contains("`squared::trigger(..)` adds a node to a graph: call it inside a `#[dag]` function"),
        "{message}"
    );
    assert!(place.starts_with("tests/external/trigger.rs:"), "{place}");
}

#[dag]
fn checked(#[param(range = 1..=9)] n: u64) -> u64 {
    square(n)
}

#[test]
fn an_invalid_parameter_is_a_failure_that_names_it() {
    let dag = Dag::build("param", || checked::trigger(plus_one(9))).unwrap();
    on_both_drivers(&dag, |report| {
        let failure = failure_of(report, "checked");
        assert_eq!(failure, "a run of `checked` cannot be triggered: parameter `n`: `10` is not in the range 1..=9");
    });
}

#[task(deferrable)]
fn asks(key: &str, ctx: &TaskContext) -> Result<u64> {
    CALLS.call(&format!("asks {key}"));
    Ok(ctx.wait_for(key)?)
}

#[dag]
fn asking(key: String) -> u64 {
    asks(key)
}

#[task]
async fn starts_and_goes_on(ctx: &TaskContext, key: &str) -> Result<String> {
    Ok(ctx.trigger_detached(asking::run(key.to_owned())).await?)
}

async fn history_when(journal: &Journal, run: &str, wanted: impl Fn(&RunHistory) -> bool) -> RunHistory {
    let start = std::time::Instant::now();
    loop {
        match journal.history(run).await {
            Ok(history) if wanted(&history) => return history,
            other => assert!(start.elapsed() < PATIENCE, "this does not come: {other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn is_deferred(task: &str) -> impl Fn(&RunHistory) -> bool {
    move |history| history.task(task).is_some_and(|task| task.state == TaskState::Deferred)
}

async fn run_of(journal: &Journal, dag: &str) -> Result<Vec<String>, BoxError> {
    let filter = RunFilter { dag: Some(dag.to_owned()), ..RunFilter::default() };
    Ok(journal.runs(&filter).await?.into_iter().map(|run| run.info.run_id).collect())
}

#[tokio::test]
async fn a_triggered_run_has_a_history_that_names_its_parent() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let dag = Dag::build("parent", || plus_one(squared::trigger(4, 1)))?;
    let report = dag.run().journal(&journal).await?;
    assert_eq!(report.result(), Some(&17));
    let runs = run_of(&journal, "squared").await?;
    let [child] = &*runs else { panic!("{runs:?}") };
    let child = journal.history(child).await?;
    assert_eq!((child.state, child.info.run_type), (RunState::Success, RunType::Triggered));
    let by = child.info.triggered_by.as_ref().ok_or("it was triggered")?;
    assert_eq!((&by.run_id, &*by.task_id), (&report.run().run_id, "squared"));
    assert_eq!(child.info.logical_date, report.run().logical_date);
    Ok(())
}

#[tokio::test]
async fn a_detached_run_outlives_its_parent() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let dag = Dag::build("parent", || {
        asking::trigger_detached("by node");
        starts_and_goes_on("by task")
    })?;
    let report = dag.run().journal(&journal).await?;
    let by_task = report.success()?;
    let runs = run_of(&journal, "asking").await?;
    assert!(runs.len() == 2 && runs.contains(by_task), "{runs:?}");
    for (run, key) in [(by_task, "by task"), (runs.iter().find(|run| *run != by_task).ok_or("two")?, "by node")] {
        history_when(&journal, run, is_deferred("asks")).await;
        journal.send_event(run, key, &5, &Note::default()).await?;
        history_when(&journal, run, |history| history.state == RunState::Success).await;
    }
    Ok(())
}

#[tokio::test]
async fn cancelling_a_run_cancels_the_run_it_waits_for() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let dag = Dag::build("parent", || asking::trigger("never"))?;
    let handle = dag.run().journal(&journal).start()?;
    let parent = handle.info().run_id.clone();
    history_when(&journal, &parent, is_deferred("asking")).await;
    let explained = journal.history(&parent).await?.explain("asking").ok_or("it is there")?;
    assert!(explained.why[0].starts_with("it waits for the run `triggered__"), "{explained:?}");
    let runs = run_of(&journal, "asking").await?;
    handle.control().cancel("enough");
    let report = tokio::time::timeout(PATIENCE, handle).await?;
    assert_eq!(report.state(), RunState::Cancelled);
    let child = history_when(&journal, &runs[0], |history| history.state == RunState::Cancelled).await;
    let reason = child.halt_reason.ok_or("it was cancelled")?;
    assert!(reason.contains(&parent), "{reason}");
    Ok(())
}

/// Starts the run, and interrupts it with all that it has triggered as soon as its history is as
/// wanted.
async fn interrupt<T: Value>(
    home: &std::path::Path,
    dag: &Dag<T>,
    wanted: impl Fn(&RunHistory) -> bool,
) -> Result<String, BoxError> {
    let journal = Journal::open(home).await?;
    let handle = dag.run().journal(&journal).start()?;
    let run = handle.info().run_id.clone();
    history_when(&journal, &run, wanted).await;
    journal.close().await?;
    let report = tokio::time::timeout(PATIENCE, handle).await?;
    assert_eq!(report.state(), RunState::Interrupted);
    Ok(run)
}

/// The run that was waited for stayed interrupted, and `serve` went on with it.
#[tokio::test]
async fn cancelling_an_interrupted_run_cancels_the_run_it_waits_for() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let dag = Dag::build("parent", || plus_one(asking::trigger("never again")))?;
    let parent = interrupt(home.path(), &dag, is_deferred("asking")).await?;
    let journal = Journal::open(home.path()).await?;
    let runs = run_of(&journal, "asking").await?;
    let child = journal.history(&runs[0]).await?;
    assert_eq!(child.state, RunState::Interrupted);
    let cancelled = ops::cancel(&journal, &parent, &Note::default(), None).await?;
    assert_eq!((cancelled.state, cancelled.triggered), (RunState::Cancelled, vec![child.number]));
    let child = journal.history(&runs[0]).await?;
    let reason = child.halt_reason.ok_or("it was cancelled")?;
    assert!(child.state == RunState::Cancelled && reason.contains("which waits for it, is cancelled"), "{reason}");
    Ok(())
}

#[tokio::test]
async fn a_resumed_run_resumes_the_run_it_triggered() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let dag = Dag::build("parent", || plus_one(asking::trigger("after the crash")))?;
    let parent = interrupt(home.path(), &dag, is_deferred("asking")).await?;

    let journal = Journal::open(home.path()).await?;
    let handle = journal.resume_dag(&parent, &dag).await?.start()?;
    let runs = run_of(&journal, "asking").await?;
    let [child] = &*runs else { panic!("{runs:?}") };
    history_when(&journal, child, |history| history.sessions.len() == 2 && is_deferred("asks")(history)).await;
    journal.send_event(child, "after the crash", &41, &Note::default()).await?;
    let report = tokio::time::timeout(PATIENCE, handle).await?;
    assert_eq!(report.result(), Some(&42));
    assert_eq!(report.task("asking").map(|task| task.attempt_count()), Some(1));
    assert_eq!(run_of(&journal, "asking").await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_resumed_run_receives_the_result_of_a_triggered_run_that_has_ended() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let dag = Dag::build("parent", || plus_one(asking::trigger("meanwhile")))?;
    let parent = interrupt(home.path(), &dag, is_deferred("asking")).await?;

    let journal = Journal::open(home.path()).await?;
    let child = run_of(&journal, "asking").await?.remove(0);
    journal.send_event(&child, "meanwhile", &6, &Note::default()).await?;
    let report = journal.resume(&child).await?.await?;
    assert!(report.is_success());
    let report = journal.resume_dag(&parent, &dag).await?.await?;
    assert_eq!(report.result(), Some(&7));
    Ok(())
}

#[task]
fn prepares(name: &str) -> String {
    CALLS.call(&format!("prepares {name}"));
    name.to_owned()
}

/// Its first task succeeds, its second fails so many times.
#[dag]
fn staged(name: String, times: u32) -> u32 {
    breaks(prepares(name), times)
}

/// E10: the retry of a task that waits for a run resumes that run if it has failed. Its successful
/// tasks do not run again.
#[tokio::test]
async fn a_retry_after_a_failed_run_retries_that_run() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let draw = || staged::trigger("staged twice", 2).retries(2).retry_delay(Duration::ZERO);
    let report = Dag::build("parent", draw)?.run().journal(&journal).await?;
    assert_eq!(report.result(), Some(&3));
    assert_eq!(report.task("staged").map(|task| task.attempt_count()), Some(3));
    assert_eq!((CALLS.of("prepares staged twice"), CALLS.of("staged twice")), (1, 3));
    let runs = run_of(&journal, "staged").await?;
    let [child] = &*runs else { panic!("{runs:?}") };
    let history = journal.history(child).await?;
    assert_eq!((history.state, history.sessions.len()), (RunState::Success, 3));
    let attempts = |task: &str| history.task(task).map(|task| task.attempts.len());
    assert_eq!((attempts("prepares"), attempts("breaks")), (Some(1), Some(3)));
    let failures: Vec<_> = report.task("staged").ok_or("it is there")?.attempts();
    for attempt in &failures[..2] {
        let failure = attempt.failure.as_ref().ok_or("it failed")?.to_string();
        assert!(failure.starts_with(&format!("the run `{child}` of `staged` ended as failed")), "{failure}");
    }
    Ok(())
}

/// When the retries are used up, so are those of the run.
#[tokio::test]
async fn a_run_is_retried_once_for_each_attempt_of_its_parent() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let draw = || staged::trigger("staged always", u32::MAX).retries(2).retry_delay(Duration::ZERO);
    let report = Dag::build("parent", draw)?.run().journal(&journal).await?;
    assert_eq!(report.state(), RunState::Failed);
    assert_eq!((CALLS.of("prepares staged always"), CALLS.of("staged always")), (1, 3));
    assert_eq!(run_of(&journal, "staged").await?.len(), 1);
    Ok(())
}

/// Asks for other parameters in each attempt.
#[task(deferrable, retries = 1, retry_delay = "0s")]
async fn asks_for_another(ctx: &TaskContext) -> Result<u32> {
    let times = if ctx.attempt() == 1 { u32::MAX } else { 0 };
    Ok(ctx.trigger(staged::run("staged otherwise".to_owned(), times)).await?)
}

#[tokio::test]
async fn a_retry_with_other_parameters_triggers_another_run() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let report = Dag::build("parent", asks_for_another)?.run().journal(&journal).await?;
    assert_eq!(report.result(), Some(&2));
    assert_eq!(CALLS.of("prepares staged otherwise"), 2);
    assert_eq!(run_of(&journal, "staged").await?.len(), 2);
    Ok(())
}

/// Fails at first, then waits for an event.
#[task(deferrable)]
fn fails_then_asks(key: &str, ctx: &TaskContext) -> Result<u64> {
    if CALLS.call(key) == 1 { Err("at first")? } else { Ok(ctx.wait_for(key)?) }
}

#[dag]
fn asking_again(key: String) -> u64 {
    fails_then_asks(prepares(key))
}

/// A parent whose process dies while the retried run works neither retries it again nor starts
/// another one.
#[tokio::test]
async fn a_resumed_run_resumes_the_run_it_has_retried() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let draw = || asking_again::trigger("asked again").retries(1).retry_delay(Duration::ZERO);
    let dag = Dag::build("parent", draw)?;
    let parent = interrupt(home.path(), &dag, |history| {
        history.task("asking_again").is_some_and(|task| task.attempts.len() == 2 && task.state == TaskState::Deferred)
    })
    .await?;

    let journal = Journal::open(home.path()).await?;
    let handle = journal.resume_dag(&parent, &dag).await?.start()?;
    let runs = run_of(&journal, "asking_again").await?;
    let [child] = &*runs else { panic!("{runs:?}") };
    history_when(&journal, child, |history| history.sessions.len() == 3 && is_deferred("fails_then_asks")(history))
        .await;
    journal.send_event(child, "asked again", &8, &Note::default()).await?;
    let report = tokio::time::timeout(PATIENCE, handle).await?;
    assert_eq!(report.result(), Some(&8));
    assert_eq!(report.task("asking_again").map(|task| task.attempt_count()), Some(2));
    assert_eq!(CALLS.of("prepares asked again"), 1);
    Ok(())
}

#[tokio::test]
async fn a_cleared_task_triggers_a_new_run() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let dag = Dag::build("parent", || plus_one(squared::trigger(4, 1)))?;
    let report = dag.run().journal(&journal).await?;
    let parent = report.run().run_id.clone();
    journal.clear(&parent, &TaskFilter::tasks(["squared"]), &Note::default()).await?;
    journal.resume_dag(&parent, &dag).await?.await?;
    assert_eq!(run_of(&journal, "squared").await?.len(), 2);
    Ok(())
}

#[test]
fn cancelling_a_run_without_a_journal_cancels_the_run_it_waits_for() {
    let handle = Dag::build("parent", || asking::trigger("unstored")).unwrap().run().start().unwrap();
    eventually("the other run", || CALLS.of("asks unstored") == 1);
    handle.control().cancel("enough");
    assert_eq!(finish(handle).state(), RunState::Cancelled);
}

#[cfg(feature = "testing")]
#[test]
fn a_test_simulates_triggered_runs() {
    use taskflow::testing::{Test, explore};

    let dag = Dag::build("tested", || plus_one(squared::trigger(plus_one(2), 1))).unwrap();
    for entries in 1..15 {
        assert_eq!(Test::new(dag.clone()).crash_after(entries).run().result(), &10, "after {entries} entries");
    }
    explore(0..20, || Test::new(dag.clone()).stored());
    Test::new(dag).fail_times("squared", 1, "away").run().assert_failure("squared", "away");
}

#[task]
fn at_the_second_call(name: &str) -> Result<u32> {
    match CALLS.call(name) {
        1 => Err("not yet")?,
        count => Ok(count),
    }
}

#[dag]
fn moody(name: String) -> u32 {
    at_the_second_call(name)
}

#[test]
fn a_retried_group_or_run_triggers_a_new_run() {
    let group = || Group::new("unit").retries(1).retry_delay(Duration::from_millis(1));
    let dag = Dag::build("unit", || group().draw(|| moody::trigger("in a group")));
    let report = live(dag.unwrap().run());
    assert_eq!((report.state(), report.result()), (RunState::Success, Some(&2)));

    let mut options = DagOptions::NONE;
    options.retries = Some(1);
    options.retry_delay = Some(Duration::from_millis(1));
    let dag = Dag::build_with("again", options, || moody::trigger("in a run"));
    let report = live(dag.unwrap().run());
    assert_eq!((report.state(), report.result()), (RunState::Success, Some(&2)));
}

/// Triggers a run, whose result a replay asks for.
#[dag]
fn triggers_squared(n: u64) -> u64 {
    plus_one(squared::trigger(n, 1))
}

/// A10: `replay` of a node that has triggered a run.
#[tokio::test]
async fn a_node_that_triggers_a_run_can_be_replayed() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    triggers_squared::run(4).journal(&journal).await?;
    let replay = journal.replay("last", "squared").await?;
    let value = replay.value.ok_or("it has returned a value")?;
    assert_eq!(value.json()?, 16);
    Ok(())
}

/// A13: `status last`, `resume`, `release last` while a run waits for the one that it has
/// triggered.
#[tokio::test]
async fn the_last_run_is_never_one_that_a_task_has_triggered() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let dag = Dag::build("parent", || plus_one(asking::trigger("last")))?;
    let parent = interrupt(home.path(), &dag, is_deferred("asking")).await?;
    let journal = Journal::open(home.path()).await?;
    let child = run_of(&journal, "asking").await?.remove(0);
    assert_eq!(journal.find("last").await?.info.run_id, parent);
    // Without a name, all interrupted runs are resumed: the one that waits before the other one.
    let interrupted = ops::interrupted(&journal).await?;
    let ids: Vec<&str> = interrupted.iter().map(|run| &*run.info.run_id).collect();
    assert_eq!(ids, [&*parent, &*child]);
    Ok(())
}

#[dag]
fn itself(n: u32) -> u32 {
    itself::trigger(n)
}

#[dag]
fn ping(n: u32) -> u32 {
    pong::trigger(n)
}

#[dag]
fn pong(n: u32) -> u32 {
    ping::trigger(n)
}

/// A17: `#[dag] fn itself(n: u32) -> u32 { itself::trigger(n) }`, and two that trigger each other.
#[tokio::test]
async fn runs_that_trigger_each_other_without_end_fail_with_the_way_to_there() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let report = tokio::time::timeout(PATIENCE, itself::run(1).journal(&journal).into_future()).await??;
    assert_eq!(report.state(), RunState::Failed);
    let runs = journal.runs(&RunFilter::default()).await?;
    assert_eq!(runs.len(), 32);
    let deepest = journal.history(&runs[0].info.run_id).await?;
    let failure = deepest.task("itself").and_then(|task| task.failure.clone()).ok_or("it has failed")?.to_string();
    assert!(failure.contains("32 runs deep") && failure.contains("itself (32 times)"), "{failure}");
    let path = deepest.info.triggered_by.ok_or("it was triggered")?.path;
    assert_eq!(path, vec!["itself"; 31]);

    let report = tokio::time::timeout(PATIENCE, ping::run(1).journal(&journal).into_future()).await??;
    assert_eq!(report.state(), RunState::Failed);
    let deepest = journal.runs(&RunFilter { dag: Some("pong".to_owned()), ..RunFilter::default() }).await?.remove(0);
    let deepest = journal.history(&deepest.info.run_id).await?;
    let failure = deepest.task("ping").and_then(|task| task.failure.clone()).ok_or("it has failed")?.to_string();
    assert!(failure.contains("ping > pong > ping > pong"), "{failure}");
    Ok(())
}

#[test]
fn simulated_runs_that_trigger_each_other_without_end_fail_too() {
    let report = reference(itself::run(1));
    assert_eq!(report.state(), RunState::Failed);
}

/// A17: all of them wait, and the outermost is cancelled.
#[test]
fn cancelling_a_long_chain_of_runs_ends_all_of_them() {
    let report = common::patiently(|| {
        let handle = deep::run(0).start().expect("it starts");
        eventually("the innermost run waits", || CALLS.of("deep") > 0);
        handle.control().cancel("enough");
        handle.wait()
    });
    assert_eq!(report.expect("it ends").state(), RunState::Cancelled);
}

#[task(deferrable)]
async fn deeper(n: u32, ctx: &TaskContext) -> Result<u32> {
    if n == 30 {
        CALLS.call("deep");
        ctx.wait_for::<u32>("never")?;
    }
    Ok(ctx.trigger(deep::run(n + 1)).await?)
}

#[dag]
fn deep(n: u32) -> u32 {
    deeper(n)
}
