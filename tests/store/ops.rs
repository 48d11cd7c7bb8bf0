//! Operations called by a program: their results, and the kinds of their errors.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex};

use serde_json::json;
use taskflow::ErrorKind;
use taskflow::engine::{RunState, TaskState};
use taskflow::journal::{Journal, Note, Prune, RunFilter, TaskFilter};
use taskflow::ops::{self, Mark, OpsError, RunStatus};
use taskflow::prelude::*;
use taskflow::{BoxError, Config, DagDef, Durability, Registry};

/// The tests whose gate is open.
static OPEN: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

fn open(test: &str) {
    OPEN.lock().expect("no test panics while it opens a gate").insert(test.to_owned());
}

#[task]
fn gate(test: &str) -> Result<u32> {
    let is_open = OPEN.lock().expect("no test panics while it opens a gate").contains(test);
    if is_open { Ok(3) } else { Err("the gate is closed")? }
}

#[task]
fn count(rows: u32) -> String {
    format!("{rows} rows")
}

#[dag]
fn gated_ops(test: String) -> String {
    count(gate(test))
}

taskflow::asset! {
    STEPS: Asset<u64> = "store/ops/steps";
}

#[task]
fn emits(size: u64, ctx: &TaskContext) -> Result<u64> {
    for number in 0..size {
        ctx.emit(&STEPS, number)?;
    }
    Ok(size)
}

/// Emits so many events.
#[dag]
fn emitting(size: u64) -> u64 {
    emits(size)
}

#[task(deferrable)]
fn waits(ctx: &TaskContext) -> Result<u32> {
    Ok(ctx.wait_for::<u32>("number")?)
}

#[dag]
fn waiting_ops() -> u32 {
    waits()
}

fn dag(id: &str) -> &'static DagDef {
    Registry::dags().into_iter().find(|dag| dag.id == id).expect("it is declared above")
}

fn note() -> Note {
    Note { by: "ada".to_owned(), reason: "mended".to_owned() }
}

const STRICT: Durability = Durability::Strict;

/// A journal with a run whose gate was closed.
async fn failed(test: &str) -> Result<Journal, BoxError> {
    let journal = Journal::in_memory()?;
    let report = gated_ops::run(test.to_owned()).journal(&journal).await?;
    assert_eq!(report.state(), RunState::Failed);
    Ok(journal)
}

#[track_caller]
fn assert_kind<T: std::fmt::Debug>(result: Result<T, OpsError>, kind: ErrorKind, message: &str) {
    let error = result.expect_err(message);
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(error.to_string().contains(message), "{error}");
}

#[tokio::test]
async fn a_run_is_drafted_and_started() -> Result<(), BoxError> {
    open("start");
    let journal = Journal::in_memory()?;
    let params = taskflow::Params::default().with("start".to_owned());
    let draft = ops::draft(dag("gated_ops"), Some(Timestamp::EPOCH))?.params(params).only("gate")?;
    let run_id = draft.info().run_id.clone();
    let report = ops::start(draft, Some((&journal, STRICT))).await?;
    assert_eq!((report.state(), &report.run().run_id), (RunState::Success, &run_id));
    assert_eq!(report.run().logical_date, Timestamp::EPOCH);
    let history = journal.history("last").await?;
    assert_eq!(history.task("count").map(|task| task.state), Some(TaskState::Removed));
    let unknown = ops::draft(dag("gated_ops"), None)?.from("gat").map(drop);
    assert_kind(unknown, ErrorKind::NotFound, "did you mean `gate`?");
    Ok(())
}

#[tokio::test]
async fn retry_clears_failed_tasks_and_runs_them() -> Result<(), BoxError> {
    let journal = failed("retry").await?;
    open("retry");
    let rerun = ops::retry(&journal, "last", &note(), STRICT).await?;
    assert_eq!(
        serde_json::to_value(&rerun.cleared)?,
        json!({"number": 1, "tasks": ["gate", "count"], "dry_run": false})
    );
    // The request holds the claim: no one else can edit the run before it starts.
    let other = ops::clear(&journal, "1", &TaskFilter::all(), &note()).await;
    assert_kind(other, ErrorKind::Conflict, "");
    assert_eq!(rerun.request.await?.state(), RunState::Success);
    let again = ops::retry(&journal, "last", &note(), STRICT).await;
    assert_kind(again, ErrorKind::Conflict, "run 1 has no failed task (state: success); `clear 1 TASK`");
    Ok(())
}

#[tokio::test]
async fn tasks_are_cleared_with_and_without_being_run() -> Result<(), BoxError> {
    open("clear");
    let journal = Journal::in_memory()?;
    gated_ops::run("clear".to_owned()).journal(&journal).await?;
    let filter = TaskFilter::tasks(["count"]);
    let would = ops::would_clear(&journal, "1", &filter).await?;
    assert_eq!((would.tasks.as_slice(), would.dry_run), (["count".to_owned()].as_slice(), true));
    assert_eq!(journal.history("1").await?.state, RunState::Success);
    assert_kind(ops::interrupted(&journal).await, ErrorKind::NotFound, "there is no interrupted run to resume");

    let cleared = ops::clear(&journal, "1", &filter, &note()).await?;
    assert_eq!((cleared.number, cleared.tasks, cleared.dry_run), (1, would.tasks, false));
    // A run that is stored cannot become ephemeral.
    let interrupted = ops::interrupted(&journal).await?;
    let [run] = &*interrupted else { panic!("{interrupted:?}") };
    let report = ops::resume(&journal, &run.info.run_id, Durability::Ephemeral).await?.await?;
    assert_eq!(report.state(), RunState::Success);

    let rerun = ops::clear_and_run(&journal, "1", &filter, &note(), STRICT).await?;
    assert_eq!(rerun.request.await?.state(), RunState::Success);
    let history = journal.history("1").await?;
    assert_eq!(history.task("count").map(|task| (task.attempts.len(), task.cleared)), Some((3, 2)));
    let ended = ops::resume(&journal, "1", STRICT).await;
    assert_kind(ended, ErrorKind::Conflict, "it has ended (success)");
    assert_kind(ops::would_clear(&journal, "7", &filter).await, ErrorKind::NotFound, "there is no run `7`");
    assert_kind(ops::would_clear(&journal, "", &filter).await, ErrorKind::NotFound, "there is no run ``");
    Ok(())
}

#[tokio::test]
async fn a_mark_that_leaves_nothing_to_run_ends_the_run() -> Result<(), BoxError> {
    let journal = failed("mark").await?;
    let success = |value| Mark { state: TaskState::Success, value };
    let (gate, count) = (TaskFilter::tasks(["gate"]), TaskFilter::tasks(["count"]));

    let marked = ops::mark(&journal, "1", &gate, &success(Some(json!(5))), &note(), STRICT).await?;
    assert!(marked.request.is_none(), "`count` was decided by the state that `gate` had");
    assert_eq!(serde_json::to_value(&marked)?, json!({"number": 1, "tasks": ["gate"], "state": "success"}));
    let mut marked = ops::mark(&journal, "1", &count, &success(Some(json!("none"))), &note(), STRICT).await?;
    let report = marked.request.take().expect("nothing is left to run").await?;
    assert_eq!(report.state(), RunState::Success);
    let history = journal.history("1").await?;
    assert_eq!(ops::value(&journal, &history, "count").await?, json!("none"));

    let wrong = ops::mark(&journal, "1", &gate, &success(Some(json!("five"))), &note(), STRICT).await;
    assert_kind(wrong, ErrorKind::Invalid, "gate");
    let failed = Mark { state: TaskState::Failed, value: Some(json!(5)) };
    let wrong = ops::mark(&journal, "1", &gate, &failed, &note(), STRICT).await;
    assert_kind(wrong, ErrorKind::Invalid, "the state is failed");
    let unknown = ops::mark(&journal, "1", &TaskFilter::tasks(["gat"]), &success(None), &note(), STRICT).await;
    assert_kind(unknown, ErrorKind::NotFound, "did you mean `gate`?");
    Ok(())
}

#[tokio::test]
async fn a_running_run_is_cancelled_by_its_process_and_waited_for() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let handle = waiting_ops::run().journal(&journal).start()?;
    while journal.runs(&RunFilter::default()).await?.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let mut asked = Vec::new();
    let cancelled =
        ops::cancel_and_wait(&journal, "1", None, &note(), None, |run| asked.push(run.worker.clone())).await?;
    assert_eq!((cancelled.state, cancelled.jobs.len(), asked.len()), (RunState::Cancelled, 0, 1));
    assert_eq!(handle.await.state(), RunState::Cancelled);
    let again = ops::cancel(&journal, "1", &note(), None).await;
    assert_kind(again, ErrorKind::Conflict, "run 1 has already ended (state: cancelled)");
    let again = ops::cancel_and_wait(&journal, "1", None, &note(), None, |_| {}).await;
    assert_kind(again, ErrorKind::Conflict, "run 1 has already ended (state: cancelled)");
    Ok(())
}

#[tokio::test]
async fn an_event_reaches_the_task_that_waits_for_it() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let handle = waiting_ops::run().journal(&journal).start()?;
    let is_waiting = async || match journal.history("1").await {
        Ok(history) => history.tasks.iter().any(|task| task.waits_for.is_some()),
        Err(_) => false,
    };
    while !is_waiting().await {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let early = ops::send_event(&journal, "1", "letter", &json!("a"), &note()).await?;
    assert_eq!((early.waiting.len(), early.awaited.as_slice()), (0, ["number".to_owned()].as_slice()));
    let sent = ops::send_event(&journal, "1", "number", &json!(17), &note()).await?;
    assert!(sent.notified.is_some(), "{sent:?}");
    assert_eq!(sent.waiting, ["waits"]);
    assert_eq!(handle.await.success()?, &17);
    let late = ops::send_event(&journal, "1", "number", &json!(18), &note()).await;
    assert_kind(late, ErrorKind::Conflict, "it has ended");
    Ok(())
}

#[tokio::test]
async fn runs_are_listed_read_replayed_and_pruned() -> Result<(), BoxError> {
    let journal = failed("list").await?;
    open("list");
    gated_ops::run("list".to_owned()).journal(&journal).await?;
    let filter = |limit| RunFilter { limit, ..RunFilter::default() };
    let list = ops::list_runs(&journal, &filter(Some(1))).await?;
    assert_eq!((list.runs.iter().map(|run| run.number).collect::<Vec<_>>(), list.more), (vec![2], true));
    let list = ops::list_runs(&journal, &filter(None)).await?;
    assert_eq!((list.runs.len(), list.more), (2, false));

    let history = journal.history("1").await?;
    assert_kind(ops::value(&journal, &history, "gate").await, ErrorKind::NotFound, "has no value (state: failed)");
    let status = serde_json::to_value(RunStatus::of(&history))?;
    assert_eq!(status["tasks"][0]["reason"]["message"], "the gate is closed");
    let values = ops::values(&journal, &journal.history("2").await?).await?;
    assert_eq!(values.iter().map(|value| &*value.task).collect::<Vec<_>>(), ["gate", "count"]);

    let replayed = ops::replay(&journal, "1", "gate", false).await?;
    assert_eq!((replayed.state, replayed.value), (TaskState::Success, Some(json!(3))));
    assert_eq!(journal.history("1").await?.state, RunState::Failed, "a replay stores nothing");

    let failed =
        Prune { older_than: std::time::Duration::ZERO, dag: None, states: vec![RunState::Failed], audit: false };
    assert_eq!(ops::would_prune(&journal, &failed).await?.len(), 1);
    assert_eq!(ops::prune(&journal, &failed, None).await?.pruned, 1);
    assert_kind(ops::would_clear(&journal, "1", &TaskFilter::all()).await, ErrorKind::NotFound, "run `1` was pruned");
    Ok(())
}

#[tokio::test]
async fn arguments_of_a_call_override_the_configuration() -> Result<(), BoxError> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("taskflow.toml");
    std::fs::write(
        &file,
        "[run]\ndurability = \"relaxed\"\nfail_fast = false\ngrace = \"3s\"\n\n[pools]\nunheard_of = 2\n",
    )?;
    let config = Config::builder().file(&file).build()?;
    assert_eq!(ops::durability(&config, None), Durability::Relaxed);
    assert_eq!(ops::durability(&config, Some(Durability::Ephemeral)), Durability::Ephemeral);
    assert_eq!((ops::fail_fast(&config, None), ops::fail_fast(&config, Some(true))), (Some(false), Some(true)));
    assert_eq!(ops::grace(&config), std::time::Duration::from_secs(3));
    assert_kind(ops::engine(&config, None).map(drop), ErrorKind::Invalid, "[pools] of the configuration: the pool");
    assert_eq!(ops::grace(&Config::builder().build()?), ops::DEFAULT_GRACE);
    Ok(())
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_home_is_created_only_for_writing() -> Result<(), BoxError> {
    use taskflow::journal::SyncMode;
    use taskflow::ops::Home;

    let directory = tempfile::tempdir()?;
    let home = Home::new(Some(directory.path().join("home")), Config::builder().build()?);
    assert!(home.find(SyncMode::Full).await?.is_none());
    assert_kind(home.open(SyncMode::Full).await, ErrorKind::NotFound, "no runs yet in ");
    assert_kind(ops::check(&home).await, ErrorKind::NotFound, "no runs yet in ");
    assert!(!home.path().exists());

    let journal = home.create(SyncMode::Full).await?;
    open("home");
    gated_ops::run("home".to_owned()).journal(&journal).await?;
    home.close(&journal).await;
    drop(journal);
    let journal = home.open(SyncMode::Full).await?;
    assert_eq!(ops::list_runs(&journal, &RunFilter::default()).await?.runs.len(), 1);
    assert!(ops::check(&home).await?.findings.is_empty());

    let file = directory.path().join("file");
    std::fs::write(&file, "not a directory")?;
    let blocked = Home::new(Some(file), Config::builder().build()?);
    assert_kind(blocked.create(SyncMode::Full).await, ErrorKind::Unavailable, "cannot open the store");
    Ok(())
}

/// A run that has triggered 301 others, each of which has triggered one. Its document had all 602.
#[tokio::test]
async fn a_document_of_a_run_has_500_triggered_runs_and_says_how_many_are_left_off() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    gated_ops::run("many triggered".to_owned()).journal(&journal).await?;
    let history = journal.history("last").await?;
    let run = |number: usize, triggered: Vec<serde_json::Value>| {
        let id = format!("run {number}");
        json!({
            "task_id": "t", "number": number, "run_id": id, "dag_id": "d", "state": "success", "triggered": triggered,
        })
    };
    let all: Vec<_> = (0..301).map(|at| run(2 * at + 2, vec![run(2 * at + 3, Vec::new())])).collect();
    let status = RunStatus::of(&history).with_triggered(serde_json::from_value(json!(all))?);
    // Its own come first.
    let inner = status.triggered.iter().filter(|run| !run.triggered.is_empty()).count();
    assert_eq!((status.triggered.len(), inner, status.more_triggered), (301, 199, 102));
    Ok(())
}

/// A run of which 700 events are stored, and its result.
#[tokio::test]
async fn a_document_of_a_run_has_500_events_and_says_how_many_are_left_off() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    for (size, shown, more) in [(700_u64, 500, 200), (501, 500, 1), (500, 500, 0), (3, 3, 0)] {
        emitting::run(size).journal(&journal).await?;
        let history = journal.history("last").await?;
        let emitted = ops::emitted_by(&journal, &history).await?;
        let numbers: Vec<i64> = emitted.events.iter().map(|event| event.number).collect();
        let first = numbers[0];
        assert_eq!(numbers, (first..first + shown).collect::<Vec<i64>>(), "{size} events");
        assert_eq!(emitted.more, more, "{size} events");
        let status = RunStatus::of(&history).with_events(emitted);
        assert_eq!((status.events.len() as i64, status.more_events), (shown, more), "{size} events");
    }
    Ok(())
}
