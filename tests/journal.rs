//! What a journal knows of a run: the same as the engine's own report, and enough to go on from.

mod common;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use taskflow::engine::{RunReport, RunState, TaskState};
use taskflow::journal::{Journal, RunFilter};
use taskflow::prelude::*;
use taskflow::{BoxError, Durability};

#[task]
fn numbers(n: u32) -> Vec<u32> {
    (0..n).collect()
}

#[task]
fn total(numbers: &[u32]) -> u32 {
    numbers.iter().sum()
}

#[task(retries = 2, retry_delay = "1ms")]
fn flaky(n: u32, ctx: &TaskContext) -> Result<u32> {
    if ctx.attempt() < 3 { Err(format!("attempt {} does not work", ctx.attempt()))? } else { Ok(n) }
}

#[task]
fn skips(ctx: &TaskContext) -> Result<u32> {
    Err(ctx.skip("nothing landed"))?
}

#[task]
async fn fails(n: u32) -> Result<u32> {
    Err(format!("no {n}"))?
}

#[task]
async fn last(n: Option<u32>, m: u32) -> u32 {
    n.unwrap_or(1000) + m
}

#[dag]
fn mixed(n: u32) -> u32 {
    let sum = total(numbers(n));
    let good = last(skips(), flaky(sum));
    let bad = last(good, fails(n));
    let _ = last(bad, n);
    good
}

/// The history says what the report says.
fn assert_same<T>(history: &taskflow::journal::RunHistory, report: &RunReport<T>) {
    assert_eq!(history.state, report.state());
    assert_eq!(history.ended, Some(report.ended()));
    for task in report.tasks() {
        let known = history.task(task.id()).unwrap_or_else(|| panic!("{} is missing", task.id()));
        assert_eq!(known.state, task.state(), "{}", task.id());
        assert_eq!(known.attempts.len(), task.attempts().len(), "attempts of {}", task.id());
        for (known, attempt) in known.attempts.iter().zip(task.attempts()) {
            assert_eq!(known.number, attempt.number);
            assert_eq!(known.started, attempt.started, "start of {}", task.id());
            assert_eq!(known.ended, Some(attempt.ended), "end of {}", task.id());
            assert_eq!(known.failure, attempt.failure, "failure of {}", task.id());
        }
    }
}

#[tokio::test]
async fn the_history_of_a_run_says_what_its_report_says() -> Result<(), BoxError> {
    for durability in [Durability::Strict, Durability::Relaxed] {
        let journal = Journal::in_memory()?;
        let report = mixed::run(5).journal(&journal).durability(durability).await?;
        assert_eq!(report.state(), RunState::Failed);
        assert_eq!(report.result(), Some(&1010));
        let history = journal.history("last").await?;
        assert_same(&history, &report);
        assert_eq!(history.info, *report.run());
        assert_eq!(history.task("skips").unwrap().state, TaskState::Skipped);
        let runs = journal.runs(&RunFilter::default()).await?;
        assert_eq!(runs.len(), 1);
        assert_eq!(runs[0].state, RunState::Failed);
    }
    Ok(())
}

#[tokio::test]
async fn an_ephemeral_run_leaves_nothing() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    mixed::run(5).journal(&journal).durability(Durability::Ephemeral).await?;
    assert_eq!(journal.runs(&RunFilter::default()).await?, []);
    Ok(())
}

#[task]
fn step(n: u64) -> u64 {
    n + 1
}

#[tokio::test]
async fn a_long_chain_and_a_wide_fan_come_to_their_end() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let chain = Dag::build("chain", || {
        let mut at = step(0);
        for _ in 0..2000 {
            at = step(at);
        }
        at
    })?;
    let report = chain.run().journal(&journal).await?;
    assert_eq!(report.result(), Some(&2001), "{report:?}");
    assert_same(&journal.history("last").await?, &report);

    let fan = Dag::build("fan", || {
        let first = step(0);
        sum((0..5000).map(|_| step(first)).collect::<Vec<_>>())
    })?;
    let report = fan.run().journal(&journal).await?;
    assert_eq!(report.result(), Some(&10_000));
    assert_same(&journal.history("last").await?, &report);
    Ok(())
}

#[task]
fn sum(numbers: Vec<u64>) -> u64 {
    numbers.iter().sum()
}

static CALLS: AtomicU32 = AtomicU32::new(0);

#[task]
async fn waits(n: u32, ctx: &TaskContext) -> Result<u32> {
    if CALLS.fetch_add(1, Ordering::SeqCst) == 0 {
        ctx.cancelled().await;
        Err("stopped")?
    }
    Ok(n)
}

#[task]
fn counted(n: u32) -> u32 {
    CALLS.fetch_add(100, Ordering::SeqCst);
    n * 2
}

#[tokio::test]
async fn what_was_cancelled_is_told_by_the_history() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let dag = Dag::build("interrupted", || step_of(waits(counted(21))))?;
    let handle = dag.run().journal(&journal).grace(Duration::from_secs(5)).start()?;
    while !handle.control().running().iter().any(|task| task.task == 1) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    handle.control().cancel("enough");
    let report = handle.await;
    assert_eq!(report.state(), RunState::Cancelled);
    assert_same(&journal.history("last").await?, &report);
    Ok(())
}

#[task]
fn step_of(n: u32) -> u32 {
    n + 1
}
