//! What a journal knows of a run: the same as the engine's report, and enough to resume it.

use std::num::NonZeroUsize;
use std::time::Duration;

use taskflow::engine::{RunReport, RunState, TaskState};
use taskflow::journal::{Journal, RunFilter};
use taskflow::prelude::*;
use taskflow::{BoxError, Durability, Engine};
use taskflow_tests::common::{self, PATIENCE};

#[task]
pub(crate) fn numbers(n: u32) -> Vec<u32> {
    (0..n).collect()
}

#[task]
pub(crate) fn total(numbers: &[u32]) -> u32 {
    numbers.iter().sum()
}

#[task(retries = 2, retry_delay = "1ms")]
pub(crate) fn flaky(n: u32, ctx: &TaskContext) -> Result<u32> {
    if ctx.attempt() < 3 { Err(format!("attempt {} does not work", ctx.attempt()))? } else { Ok(n) }
}

#[task]
pub(crate) fn skips(ctx: &TaskContext) -> Result<u32> {
    Err(ctx.skip("nothing landed"))?
}

#[task]
pub(crate) async fn fails(n: u32) -> Result<u32> {
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

/// The history matches the report.
fn assert_same<T>(history: &taskflow::journal::RunHistory, report: &RunReport<T>) {
    assert_eq!(history.state, report.state());
    assert_eq!(history.ended, Some(report.ended()));
    for task in report.tasks() {
        let known = history.task(&task.id()).unwrap_or_else(|| panic!("{} is missing", task.id()));
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
async fn the_history_of_a_run_matches_its_report() -> Result<(), BoxError> {
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
async fn a_long_chain_and_a_wide_fan_finish() -> Result<(), BoxError> {
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
fn sum(numbers: &[u64]) -> u64 {
    numbers.iter().sum()
}

#[task]
async fn waits(n: u32, ctx: &TaskContext) -> Result<u32> {
    ctx.cancelled().await;
    Err(format!("{n} stopped"))?
}

#[tokio::test]
async fn the_history_shows_cancelled_tasks() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let dag = Dag::build("interrupted", || step_of(waits(step_of(20))))?;
    let handle = dag.run().journal(&journal).grace(Duration::from_secs(5)).start()?;
    while !handle.control().running().iter().any(|task| task.task.as_u32() == 1) {
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

#[tokio::test]
async fn closing_a_journal_interrupts_its_live_runs() -> Result<(), BoxError> {
    #[task]
    async fn lingers(ctx: &TaskContext) -> u32 {
        ctx.cancelled().await;
        7
    }
    let dag = Dag::build("closed", || step_of(lingers()))?;
    for durability in [Durability::Strict, Durability::Relaxed] {
        let journal = Journal::in_memory()?;
        let handle = dag.run().journal(&journal).durability(durability).grace(Duration::from_secs(5)).start()?;
        let control = handle.control();
        while control.running().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        journal.close().await?;
        let report = tokio::time::timeout(PATIENCE, handle).await.expect("the run ends");
        assert_eq!(report.state(), RunState::Interrupted);
        assert!(report.halt_reason().unwrap().contains("its journal was closed"), "{:?}", report.halt_reason());
        // And nothing more can be done with it.
        let report = tokio::time::timeout(PATIENCE, dag.run().journal(&journal)).await.expect("the run ends")?;
        assert_eq!(report.state(), RunState::Interrupted);
        assert!(report.halt_reason().unwrap().contains("it was closed"), "{:?}", report.halt_reason());
        journal.close().await?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn the_thread_of_a_journal_ends_with_its_last_handle_and_its_last_run() {
    fn threads() -> usize {
        let threads = std::fs::read_dir("/proc/self/task").unwrap();
        // A thread may end while it is looked at.
        let name =
            |thread: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok();
        threads.filter_map(name).filter(|name| name.starts_with("taskflow-journa")).count()
    }
    let name = "journal::the_thread_of_a_journal_ends_with_its_last_handle_and_its_last_run";
    common::in_a_separate_process(name, || {
        for _ in 0..300 {
            let journal = Journal::in_memory().unwrap();
            let request = mixed::run(5).journal(&journal);
            drop(journal);
            common::live(request);
        }
        common::eventually("the end of every thread", || threads() == 0);
    });
}

#[task]
fn text(length: usize) -> String {
    "x".repeat(length)
}

/// The engine started nothing more when the run that had filled the queue of the store ended with
/// the batch that did so.
#[tokio::test]
async fn a_run_that_ends_with_more_than_may_wait_to_be_stored_does_not_hold_up_the_next_one() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let engine = Engine::builder().workers(NonZeroUsize::MIN).build()?;
    for length in [40 << 20, 1] {
        let dag = Dag::build("text", || text(length))?;
        let report = tokio::time::timeout(PATIENCE, dag.run().engine(&engine).journal(&journal)).await??;
        assert_eq!(report.result().map(String::len), Some(length));
    }
    Ok(())
}
