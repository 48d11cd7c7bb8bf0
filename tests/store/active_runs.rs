//! `max_active_runs` within one process. Several processes: `process/shared_limits`.

use std::sync::Mutex;
use std::time::Duration;

use taskflow::BoxError;
use taskflow::engine::{RunState, TaskState};
use taskflow::journal::{Journal, RunFilter, RunOrder};
use taskflow::prelude::*;
use taskflow_tests::common::{eventually, locked};

/// The names of tasks that have started, and of those that may end.
static STARTED: Mutex<Vec<String>> = Mutex::new(Vec::new());
static OPEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn has_started(name: &str) -> bool {
    locked(&STARTED).iter().any(|started| started == name)
}

fn let_end(name: &str) {
    locked(&OPEN).push(name.to_owned());
}

#[task]
async fn hold(name: String) -> String {
    locked(&STARTED).push(name.clone());
    while !locked(&OPEN).contains(&name) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    name
}

#[dag(max_active_runs = 1)]
fn alone(name: String) -> String {
    hold(name)
}

#[dag(max_active_runs = 1, timeout = "3s")]
fn brief(name: String) -> String {
    hold(name)
}

#[task]
async fn start_another(name: &str, ctx: &TaskContext) -> Result<String> {
    if name.ends_with('2') {
        return Ok(String::new());
    }
    Ok(ctx.trigger_detached(chained::run(format!("{name}2"))).await?)
}

/// Starts another run of its own without waiting for it.
#[dag(max_active_runs = 1)]
fn chained(name: String) -> String {
    let other = start_another(name);
    hold(name).after(other);
    other
}

async fn states(journal: &Journal) -> Result<Vec<RunState>, BoxError> {
    let filter = RunFilter { order: RunOrder::Number, ..RunFilter::default() };
    let mut runs = journal.runs(&filter).await?;
    runs.reverse();
    Ok(runs.into_iter().map(|run| run.state).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_waits_until_the_one_before_has_ended() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let first = alone::run("one".to_owned()).journal(&journal).start()?;
    eventually("the first run starts", || has_started("one"));
    let second = alone::run("two".to_owned()).journal(&journal).start()?;
    let control = second.control();
    eventually("the second run waits", || control.waits_for().is_some_and(|wait| wait.active == [1]));
    assert_eq!(control.waits_for().unwrap().to_string(), "waits for run 1 of `alone`: max_active_runs = 1");
    assert_eq!(first.control().waits_for(), None);
    assert_eq!(states(&journal).await?, [RunState::Running, RunState::Queued]);
    assert!(!has_started("two"));
    let_end("one");
    let_end("two");
    assert_eq!(first.await.state(), RunState::Success);
    let second = second.await;
    assert_eq!((second.state(), second.result().map(String::as_str)), (RunState::Success, Some("two")));
    assert_eq!(control.waits_for(), None);
    let (one, two) = (journal.history("1").await?, journal.history("2").await?);
    assert!(two.started() >= one.ended, "{:?} {:?}", two.started(), one.ended);
    assert_eq!(journal.check().await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_are_not_stored_neither_wait_nor_count() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let unstored = alone::run("unstored".to_owned()).start()?;
    eventually("it starts", || has_started("unstored"));
    let stored = alone::run("stored".to_owned()).journal(&journal).start()?;
    eventually("it starts, too", || has_started("stored"));
    let other = alone::run("other".to_owned()).start()?;
    eventually("it starts, too", || has_started("other"));
    for name in ["unstored", "stored", "other"] {
        let_end(name);
    }
    for run in [unstored, stored, other] {
        assert_eq!(run.await.state(), RunState::Success);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_run_can_be_cancelled() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let first = alone::run("holds".to_owned()).journal(&journal).start()?;
    eventually("the first run starts", || has_started("holds"));
    let second = alone::run("cancelled".to_owned()).journal(&journal).start()?;
    eventually("the second run waits", || second.control().waits_for().is_some_and(|wait| wait.active == [1]));
    second.control().cancel("not today");
    let report = second.await;
    assert_eq!(
        (report.state(), report.task("hold").map(|task| task.state())),
        (RunState::Cancelled, Some(TaskState::Cancelled))
    );
    let history = journal.history("2").await?;
    assert_eq!((history.state, history.halt_reason.as_deref()), (RunState::Cancelled, Some("not today")));
    let_end("holds");
    assert_eq!(first.await.state(), RunState::Success);
    assert!(!has_started("cancelled"));
    Ok(())
}

/// The wait is not part of the time that a run may take.
#[tokio::test(flavor = "multi_thread")]
async fn the_timeout_of_a_run_counts_from_its_start() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let first = brief::run("slow".to_owned()).journal(&journal).start()?;
    let second = brief::run("quick".to_owned()).journal(&journal).start()?;
    let_end("quick");
    assert_eq!(first.await.state(), RunState::Failed);
    let second = second.await;
    assert_eq!(second.state(), RunState::Success, "{second:?}");
    Ok(())
}

/// Nobody waits for a detached run, so it has to wait like any other.
#[tokio::test(flavor = "multi_thread")]
async fn a_detached_run_of_the_same_dag_waits_for_the_one_that_started_it() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let first = chained::run("chained".to_owned()).journal(&journal).start()?;
    eventually("the first run starts", || has_started("chained"));
    let mut waits = Vec::new();
    for _ in 0..1_000 {
        waits = states(&journal).await?;
        if waits == [RunState::Running, RunState::Queued] {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(waits, [RunState::Running, RunState::Queued]);
    assert!(!has_started("chained2"));
    let_end("chained");
    let_end("chained2");
    assert_eq!(first.await.state(), RunState::Success);
    eventually("the second run starts", || has_started("chained2"));
    for _ in 0..1_000 {
        if states(&journal).await? == [RunState::Success; 2] {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the second run does not end: {:?}", states(&journal).await?);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_enqueued_waits_as_well() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    journal.enqueue(alone::run("enqueued".to_owned())).await?;
    // It waits for a process and holds up nobody.
    let first = alone::run("at_once".to_owned()).journal(&journal).start()?;
    eventually("the second run starts", || has_started("at_once"));
    let resumed = journal.resume("1").await?.start()?;
    eventually("the first run waits", || resumed.control().waits_for().is_some_and(|wait| wait.active == [2]));
    let_end("at_once");
    let_end("enqueued");
    assert_eq!(first.await.state(), RunState::Success);
    assert_eq!(resumed.await.state(), RunState::Success);
    Ok(())
}
