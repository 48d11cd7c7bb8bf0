//! Operations on stored runs: clearing, retrying, marking, replaying, cancelling, explaining.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use taskflow::engine::{RunState, TaskState};
use taskflow::journal::{Journal, JournalError, Note, RunFilter, TaskFilter};
use taskflow::ops::{self, OpsError};
use taskflow::prelude::*;
use taskflow::{BoxError, Durability};

/// How often each task was called, by test and task.
static CALLS: LazyLock<Mutex<HashMap<String, u32>>> = LazyLock::new(Mutex::default);

fn called(test: &str, task: &str) -> u32 {
    let mut calls = CALLS.lock().expect("no test panics while it counts");
    let count = calls.entry(format!("{test}/{task}")).or_default();
    *count += 1;
    *count
}

fn calls(test: &str) -> Vec<(String, u32)> {
    let calls = CALLS.lock().expect("no test panics while it counts");
    let of = format!("{test}/");
    let mut calls: Vec<_> =
        calls.iter().filter_map(|(name, count)| Some((name.strip_prefix(&of)?.to_owned(), *count))).collect();
    calls.sort();
    calls
}

#[task]
fn extract(test: &str) -> Vec<u32> {
    called(test, "extract");
    vec![1, 2, 3]
}

#[task]
fn clean(test: &str, numbers: &[u32]) -> Vec<u32> {
    called(test, "clean");
    numbers.iter().map(|n| n * 10).collect()
}

/// Fails when it is called for the first time in a test.
#[task]
fn load(test: &str, numbers: &[u32], ctx: &TaskContext) -> Result<u32> {
    let sum = numbers.iter().sum();
    if called(test, "load") == 1 && test.starts_with("fails") {
        return Err("the warehouse is closed")?;
    }
    assert!(ctx.idempotency_key().starts_with(&format!("{}/load", ctx.run_id())));
    Ok(sum)
}

#[task]
fn report(test: &str, sum: u32) -> String {
    called(test, "report");
    format!("{sum} in all")
}

#[dag]
fn etl(test: String) -> String {
    report(test, load(test, clean(test, extract(test))))
}

fn note() -> Note {
    Note { by: "ada".to_owned(), reason: "mended".to_owned() }
}

#[tokio::test]
async fn a_retry_runs_failed_tasks_and_their_downstreams() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let first = etl::run("fails: retry".to_owned()).journal(&journal).await?;
    assert_eq!(first.state(), RunState::Failed);

    let cleared = journal.clear("last", &TaskFilter::all().failed().downstream(), &note()).await?;
    assert_eq!(cleared, ["load", "report"]);
    assert_eq!(journal.history("last").await?.state, RunState::Interrupted);
    let again = journal.resume("last").await?.await?;
    assert_eq!(again.state(), RunState::Success);
    assert_eq!(
        calls("fails: retry"),
        [("clean", 1), ("extract", 1), ("load", 2), ("report", 1)].map(|(task, count)| (task.to_owned(), count))
    );

    let history = journal.history("last").await?;
    assert_eq!(history.state, RunState::Success);
    let load = history.task("load").unwrap();
    assert_eq!(
        load.attempts.iter().map(|attempt| attempt.state).collect::<Vec<_>>(),
        [TaskState::Failed, TaskState::Success]
    );
    assert_eq!(load.attempts[1].number, 2);
    assert_eq!(load.cleared, 1);
    assert_eq!(history.edits[0].by, "ada");
    assert_eq!(history.sessions.len(), 2);
    assert_eq!(history.sessions[1].token, 3);
    let value = journal.value(&history, "report").await?.unwrap();
    assert_eq!((value.ty.as_str(), value.preview(100)), ("String", "\"60 in all\"".to_owned()));
    Ok(())
}

#[tokio::test]
async fn one_task_cleared_alone_uses_stored_values() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    etl::run("alone".to_owned()).journal(&journal).await?;
    assert_eq!(
        journal.would_clear("last", &TaskFilter::tasks(["clean"]).downstream()).await?,
        ["clean", "load", "report"]
    );
    journal.clear("last", &TaskFilter::tasks(["load"]), &note()).await?;
    let again = journal.resume("last").await?.await?;
    assert_eq!(again.state(), RunState::Success);
    assert_eq!(
        calls("alone"),
        [("clean", 1), ("extract", 1), ("load", 2), ("report", 1)].map(|(task, count)| (task.to_owned(), count))
    );
    Ok(())
}

#[tokio::test]
async fn a_resumed_run_cannot_be_ephemeral() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    etl::run("stored".to_owned()).journal(&journal).await?;
    journal.clear("last", &TaskFilter::tasks(["load"]), &note()).await?;
    let error = journal.resume("last").await?.durability(Durability::Ephemeral).await.unwrap_err();
    assert!(error.to_string().contains("it cannot be ephemeral"), "{error}");
    // Nothing has happened to it.
    assert!(journal.resume("last").await?.await?.is_success());
    Ok(())
}

#[tokio::test]
async fn a_finished_run_is_not_resumed() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    etl::run("ended".to_owned()).journal(&journal).await?;
    let error = journal.resume("last").await.unwrap_err();
    assert!(error.to_string().contains("it has ended (success)"), "{error}");
    // Not a part of the id, though the year has it.
    let error = journal.resume("20").await.unwrap_err();
    assert!(matches!(error, JournalError::UnknownRun { .. }), "{error}");
    let error = journal.clear("last", &TaskFilter::tasks(["lod"]), &note()).await.unwrap_err();
    assert!(error.to_string().contains("did you mean `load`?"), "{error}");
    let error = journal.clear("last", &TaskFilter::all().failed(), &note()).await.unwrap_err();
    assert!(matches!(error, JournalError::Nothing { .. }), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_task_marked_success_needs_the_value_that_its_consumers_take() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    etl::run("fails: marked".to_owned()).journal(&journal).await?;
    let load = TaskFilter::tasks(["load"]);
    let error = journal.mark("last", &load, TaskState::Success, None, &note()).await.unwrap_err();
    assert!(
        error.to_string().contains("other tasks need the value of `load`, but it has none: pass a u32 as JSON"),
        "{error}"
    );
    let wrong = serde_json::json!("sixty");
    let error = journal.mark("last", &load, TaskState::Success, Some(&wrong), &note()).await.unwrap_err();
    assert!(error.to_string().contains("not a valid u32"), "{error}");

    let value = serde_json::json!(61);
    assert_eq!(journal.mark("last", &load, TaskState::Success, Some(&value), &note()).await?, ["load"]);
    let again = journal.resume("last").await?.await?;
    assert_eq!(again.state(), RunState::Success);
    let history = journal.history("last").await?;
    assert_eq!(journal.value(&history, "report").await?.unwrap().preview(100), "\"61 in all\"");
    assert!(history.task("load").unwrap().marked);
    assert_eq!(calls("fails: marked").iter().find(|(task, _)| task == "load").unwrap().1, 1);
    Ok(())
}

#[tokio::test]
async fn a_task_marked_skipped_or_failed_decides_its_downstreams() -> Result<(), BoxError> {
    for (state, follows, ends) in [
        (TaskState::Skipped, TaskState::Skipped, RunState::Success),
        (TaskState::Failed, TaskState::UpstreamFailed, RunState::Failed),
    ] {
        let journal = Journal::in_memory()?;
        etl::run(format!("fails: {state}")).journal(&journal).await?;
        journal.mark("last", &TaskFilter::tasks(["load"]), state, None, &note()).await?;
        let again = journal.resume("last").await?.await?;
        assert_eq!(again.state(), ends);
        let history = journal.history("last").await?;
        assert_eq!(history.state, ends);
        assert_eq!(history.task("report").unwrap().state, follows);
        let why = history.explain("report").unwrap().why.join("; ");
        assert!(why.contains("its upstream task `load` ") && why.contains("mended (by ada)"), "{why}");
    }
    Ok(())
}

#[tokio::test]
async fn a_replay_runs_one_task_from_its_stored_inputs_and_leaves_no_trace() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    etl::run("replay".to_owned()).journal(&journal).await?;
    let before = journal.history("last").await?;
    let replay = journal.replay("last", "load").await?;
    assert_eq!(replay.value.unwrap().preview(100), "60");
    assert_eq!(calls("replay").iter().map(|(_, count)| count).sum::<u32>(), 5);
    let after = journal.history("last").await?;
    assert_eq!(after.task("load").unwrap().attempts, before.task("load").unwrap().attempts);
    assert_eq!(journal.runs(&RunFilter::default()).await?.len(), 1);
    Ok(())
}

/// Succeeds when it is called for the first time in a test.
#[task]
fn publish(test: &str) -> Result<u32> {
    match called(test, "publish") {
        1 => Ok(1),
        _ => Err("the site is down")?,
    }
}

#[dag(retries = 1, retry_delay = "1h")]
fn published(test: String) -> u32 {
    publish(test)
}

/// It waited for the retry of the run, and called the task once more.
#[tokio::test]
async fn a_replay_calls_its_task_once_whatever_retries_the_run_has() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    published::run("published".to_owned()).journal(&journal).await?;
    let replay = journal.replay("last", "publish").await?;
    assert_eq!(replay.report.state(), RunState::Failed);
    assert_eq!(calls("published"), [("publish".to_owned(), 2)]);
    Ok(())
}

#[task(retries = 2, total_timeout = "1h")]
fn limited(test: &str) -> u32 {
    called(test, "limited")
}

#[dag]
fn limits(test: String) -> u32 {
    limited(test)
}

/// Its time does not count from an attempt of the stored run.
#[tokio::test]
async fn a_replayed_task_has_its_whole_time() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    limits::run("limits".to_owned()).journal(&journal).await?;
    let replay = journal.replay("last", "limited").await?;
    assert_eq!(replay.report.state(), RunState::Success);
    assert_eq!(calls("limits"), [("limited".to_owned(), 2)]);
    Ok(())
}

#[tokio::test]
async fn a_cleared_run_can_be_cancelled_instead() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    etl::run("cancel".to_owned()).journal(&journal).await?;
    let ended = ops::cancel(&journal, "last", &note(), None).await;
    assert!(matches!(ended, Err(OpsError::Ended { state: RunState::Success, .. })), "{ended:?}");
    journal.clear("last", &TaskFilter::tasks(["load"]).downstream(), &note()).await?;
    assert_eq!(ops::cancel(&journal, "last", &note(), None).await?.state, RunState::Cancelled);
    let history = journal.history("last").await?;
    assert_eq!(history.state, RunState::Cancelled);
    assert_eq!(history.task("load").unwrap().state, TaskState::Cancelled);
    assert_eq!(history.task("clean").unwrap().state, TaskState::Success);
    assert_eq!(history.halt_reason.as_deref(), Some("mended (by ada)"));
    // And taken up again.
    journal.clear("last", &TaskFilter::all().failed(), &note()).await?;
    assert_eq!(journal.resume("last").await?.await?.state(), RunState::Success);
    Ok(())
}

#[tokio::test]
async fn a_live_run_cannot_be_edited_but_can_be_cancelled_from_outside() -> Result<(), BoxError> {
    #[task]
    async fn waits(ctx: &TaskContext) -> Result<u32> {
        ctx.cancelled().await;
        return Err("asked to stop")?;
    }
    let journal = Journal::in_memory()?;
    let dag = Dag::build("waiting", waits)?;
    let handle = dag.run().journal(&journal).start()?;
    while journal.runs(&RunFilter::default()).await?.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let error = journal.clear("last", &TaskFilter::all(), &note()).await.unwrap_err();
    assert!(matches!(error, JournalError::Live { .. }), "{error}");
    let error = journal.resume_dag("last", &dag).await.unwrap_err();
    assert!(matches!(error, JournalError::Live { .. }), "{error}");
    let requested = ops::cancel(&journal, "last", &note(), None).await?;
    assert!(requested.worker.is_some(), "{requested:?}");
    let report = handle.await;
    assert_eq!(report.state(), RunState::Cancelled);
    assert_eq!(report.halt_reason(), Some("mended (by ada)"));
    assert_eq!(journal.history("last").await?.state, RunState::Cancelled);
    Ok(())
}
