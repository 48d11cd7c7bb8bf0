//! Runs that are created before a process starts them.

use std::time::Duration;

use taskflow::BoxError;
#[cfg(feature = "sqlite")]
use taskflow::engine::RunType;
use taskflow::engine::{RunError, RunState, TaskState};
use taskflow::journal::{EventDelivery, Journal, JournalError, Note, Prune, RunFilter, RunOrder, TaskFilter};
use taskflow::ops::{self, OpsError};
use taskflow::prelude::*;

#[task]
fn double(n: u32) -> u32 {
    2 * n
}

#[task]
fn explain(n: u32, doubled: u32) -> String {
    format!("twice {n} is {doubled}")
}

#[dag]
fn doubled(#[param(range = 1..=100)] n: u32) -> String {
    explain(n, double(n))
}

#[task(deferrable)]
fn ask(ctx: &TaskContext) -> Result<String> {
    Ok(ctx.wait_for::<String>("colour")?)
}

#[dag]
fn asking() -> String {
    ask()
}

fn note() -> Note {
    Note { by: "ada".to_owned(), reason: "no need".to_owned() }
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_queued_run_is_started_by_another_process() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let one = Journal::open(home.path()).await?;
    let date = "2026-01-31T06:00:00Z".parse()?;
    let queued = one.enqueue(doubled::run(21).logical_date(date)).await?;
    assert_eq!((queued.number, queued.state, &*queued.worker, queued.tasks), (1, RunState::Queued, "", 2));
    assert_eq!((queued.info.run_type, queued.info.logical_date), (RunType::Manual, date));

    let history = one.history("1").await?;
    assert_eq!((history.state, history.sessions.len(), history.started()), (RunState::Queued, 0, None));
    assert!(history.tasks.iter().all(|task| task.state == TaskState::None));
    assert_eq!(one.params(&history).await?[0].value, 21);
    let states = async |journal: &Journal, state| {
        let filter = RunFilter { states: vec![state], ..RunFilter::default() };
        journal.runs(&filter).await.map(|runs| runs.len())
    };
    assert_eq!((states(&one, RunState::Queued).await?, states(&one, RunState::Running).await?), (1, 0));
    assert_eq!(states(&one, RunState::Interrupted).await?, 0);

    // Another journal in the same home represents another process.
    let other = Journal::open(home.path()).await?;
    let report = other.resume("1").await?.await?;
    assert_eq!(report.state(), RunState::Success);
    assert_eq!(report.run().run_id, queued.info.run_id);
    let history = one.history("1").await?;
    assert_eq!((history.state, history.sessions.len(), history.sessions[0].token), (RunState::Success, 1, 1));
    assert_eq!(one.value(&history, "explain").await?.unwrap().preview(100), "\"twice 21 is 42\"");
    assert_eq!(one.check().await?, Vec::<String>::new());
    let error = other.resume("1").await.unwrap_err();
    assert!(matches!(error, JournalError::Nothing { .. }), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_claimed_run_is_not_claimed_again() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    journal.enqueue(doubled::run(1)).await?;
    let request = journal.resume("last").await?;
    let error = journal.resume("last").await.unwrap_err();
    assert!(matches!(error, JournalError::Live { .. }), "{error}");
    // A claim that is dropped without starting the run releases it.
    drop(request);
    assert_eq!(journal.history("last").await?.state, RunState::Queued);
    assert_eq!(journal.resume("last").await?.await?.state(), RunState::Success);
    Ok(())
}

#[tokio::test]
async fn a_queued_run_can_be_cancelled() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    journal.enqueue(doubled::run(1)).await?;
    assert_eq!(ops::cancel(&journal, "last", &note(), None).await?.state, RunState::Cancelled);
    let history = journal.history("last").await?;
    assert_eq!((history.state, history.halt_reason.as_deref()), (RunState::Cancelled, Some("no need (by ada)")));
    assert!(history.tasks.iter().all(|task| task.state == TaskState::Cancelled));
    let again = ops::cancel(&journal, "last", &note(), None).await;
    assert!(matches!(again, Err(OpsError::Ended { state: RunState::Cancelled, .. })), "{again:?}");
    Ok(())
}

#[tokio::test]
async fn marking_tasks_of_a_queued_run_does_not_start_it() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    journal.enqueue(doubled::run(1)).await?;
    let value = 50.into();
    journal.mark("last", &TaskFilter::tasks(["double"]), TaskState::Success, Some(&value), &note()).await?;
    assert_eq!(journal.find("last").await?.state, RunState::Queued);
    assert_eq!(journal.history("last").await?.state, RunState::Queued);
    assert_eq!(journal.resume("last").await?.await?.state(), RunState::Success);
    let history = journal.history("last").await?;
    assert_eq!(journal.value(&history, "explain").await?.unwrap().preview(100), "\"twice 1 is 50\"");
    Ok(())
}

#[tokio::test]
async fn an_event_reaches_a_run_that_has_not_started() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    journal.enqueue(asking::run()).await?;
    assert_eq!(journal.send_event("last", "colour", &"green", &note()).await?, EventDelivery::Stored);
    assert_eq!(journal.history("last").await?.state, RunState::Queued);
    assert_eq!(journal.resume("last").await?.await?.state(), RunState::Success);
    let history = journal.history("last").await?;
    assert_eq!(journal.value(&history, "ask").await?.unwrap().preview(100), "\"green\"");
    Ok(())
}

#[tokio::test]
async fn an_invalid_request_is_not_queued() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let error = journal.enqueue(doubled::run(1000)).await.unwrap_err();
    assert!(matches!(&error, JournalError::Start(error) if matches!(**error, RunError::Param(_))), "{error}");
    assert_eq!(journal.runs(&RunFilter::default()).await?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_queued_run_is_not_pruned() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    journal.enqueue(doubled::run(1)).await?;
    let all = Prune { older_than: Duration::ZERO, dag: None, states: Vec::new(), audit: false };
    assert_eq!(ops::prune(&journal, &all, None).await?.pruned, 0);
    assert_eq!(journal.runs(&RunFilter::default()).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn clearing_and_resuming_is_one_claim() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    doubled::run(3).journal(&journal).await?;
    let pick = TaskFilter::tasks(["explain"]);
    let (cleared, request) = journal.clear_and_resume("last", &pick, &note()).await?;
    assert_eq!(cleared, ["explain"]);
    // Nobody can take the run in between.
    assert!(matches!(journal.resume("last").await.unwrap_err(), JournalError::Live { .. }));
    assert_eq!(request.await?.state(), RunState::Success);
    let history = journal.history("last").await?;
    assert_eq!(history.sessions.iter().map(|session| session.token).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(history.task("explain").unwrap().attempts.len(), 2);
    assert_eq!(history.task("double").unwrap().attempts.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_rejected_edit_leaves_the_run_unchanged() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    doubled::run(3).journal(&journal).await?;
    let before = journal.find("last").await?;
    let error = journal.clear("last", &TaskFilter::all().failed(), &note()).await.unwrap_err();
    assert!(matches!(error, JournalError::Nothing { .. }), "{error}");
    let after = journal.find("last").await?;
    assert_eq!((after.state, after.ended, after.counts), (before.state, before.ended, before.counts));
    Ok(())
}

#[tokio::test]
async fn runs_are_listed_page_by_page() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    for day in ["03", "01", "02"] {
        journal.enqueue(doubled::run(1).logical_date(format!("2026-01-{day}").parse()?)).await?;
    }
    let mut filter = RunFilter { order: RunOrder::LogicalDate, limit: Some(2), ..RunFilter::default() };
    let first = journal.runs(&filter).await?;
    filter.after = first.last().map(|run| run.cursor(RunOrder::LogicalDate));
    let second = journal.runs(&filter).await?;
    let numbers: Vec<i64> = first.iter().chain(&second).map(|run| run.number).collect();
    assert_eq!((first.len(), numbers), (2, vec![1, 3, 2]));
    Ok(())
}
