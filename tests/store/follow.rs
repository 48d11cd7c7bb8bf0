//! Following a stored run: the same view as the live run, and a stream that resumes at any entry.

use std::collections::HashMap;

use taskflow::engine::{RunState, RunView, TaskState, TaskView};
use taskflow::journal::{Journal, Note, RunChange, TaskFilter};
use taskflow::prelude::*;
use taskflow::{BoxError, Durability};
use taskflow_tests::common::Gate;

use super::journal::{fails, flaky, numbers, skips, total};

#[task]
fn after(n: u32) -> u32 {
    n
}

#[dag]
fn followed(n: u32) -> u32 {
    let doubled = numbers(n).each(|n| flaky(n));
    let _ = after(skips());
    let _ = after(fails(n));
    total(doubled)
}

/// That both views agree.
fn assert_same(stored: &RunView, live: &RunView) {
    assert_eq!((stored.entry, stored.state, stored.started), (live.entry, live.state, live.started));
    assert_eq!((&stored.info, &stored.halt_reason, stored.ended), (&live.info, &live.halt_reason, live.ended));
    assert_eq!(stored.tasks, live.tasks);
}

/// All changes until the run is over.
async fn changes(journal: &Journal, run: &str, after: u64) -> Result<Vec<RunChange>, BoxError> {
    let mut follower = journal.follow(run, after).await?;
    let mut all = Vec::new();
    while let Some(changes) = follower.next().await? {
        all.extend(changes);
    }
    Ok(all)
}

#[tokio::test]
async fn a_stored_run_has_the_view_of_its_report() -> Result<(), BoxError> {
    for durability in [Durability::Strict, Durability::Relaxed] {
        let journal = Journal::in_memory()?;
        let report = followed::run(3).journal(&journal).durability(durability).await?;
        assert_eq!(report.state(), RunState::Failed);
        let history = journal.history("last").await?;
        assert_same(&history.view(), &report.view());
        let task = |id: &str| history.view().task(id).cloned().expect("there is such a task");
        assert_eq!((task("flaky[1]").state, task("flaky[1]").attempt), (TaskState::Success, 3));
        assert_eq!(task("fails").failure.map(|failure| failure.to_string()).as_deref(), Some("no 3"));
    }
    Ok(())
}

#[tokio::test]
async fn a_stream_cut_at_any_entry_resumes_there() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let report = followed::run(2).journal(&journal).await?;
    let all = changes(&journal, "last", 0).await?;
    let entries: Vec<u64> = all.iter().map(|change| change.entry).collect();
    assert_eq!(entries, (1..=report.view().entry).collect::<Vec<_>>());
    assert_eq!(all.last().map(|change| change.run), Some(RunState::Failed));
    for cut in 0..=all.len() {
        assert_eq!(changes(&journal, "last", cut as u64).await?, all[cut..], "after entry {cut}");
    }
    // The changes alone lead to the last state of every task.
    let mut last: HashMap<String, TaskView> = HashMap::new();
    for task in all.into_iter().flat_map(|change| change.tasks) {
        last.insert(task.id.clone(), task);
    }
    for task in report.view().tasks {
        assert_eq!(last.remove(&task.id), Some(task));
    }
    assert!(last.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_follower_reads_a_run_while_it_is_live() -> Result<(), BoxError> {
    static STARTED: Gate = Gate::new();
    static RELEASE: Gate = Gate::new();
    #[task]
    async fn holds(n: u32) -> u32 {
        STARTED.open();
        RELEASE.pass_async().await;
        n
    }
    let journal = Journal::in_memory()?;
    let dag = Dag::build("live", || after(holds(after(7))))?;
    let handle = dag.run().journal(&journal).start()?;
    STARTED.pass_async().await;
    let live = handle.control().view().expect("the run is live");
    assert_eq!(live.tasks[1].state, TaskState::Running);
    let mut follower = journal.follow(&handle.info().run_id, 0).await?;
    let mut seen = Vec::new();
    while follower.position() < live.entry {
        seen.extend(follower.next().await?.expect("the run is live"));
    }
    assert_same(&follower.view(), &live);
    assert_eq!(follower.history().state, RunState::Running);
    assert_eq!(follower.refresh().await?, []);
    RELEASE.open();
    let report = handle.await;
    while let Some(changes) = follower.next().await? {
        seen.extend(changes);
    }
    assert_same(&follower.view(), &report.view());
    assert_eq!(seen, changes(&journal, "last", 0).await?);
    Ok(())
}

#[tokio::test]
async fn entries_are_numbered_over_all_processes_of_a_run() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let report = followed::run(2).journal(&journal).await?;
    let run = &report.run().run_id;
    let mut follower = journal.follow(run, 0).await?;
    follower.refresh().await?;
    let before = follower.position();
    assert_eq!(before, report.view().entry);
    journal.clear(run, &TaskFilter::all().failed(), &Note::default()).await?;
    let cleared = follower.refresh().await?;
    assert_eq!(cleared.iter().map(|change| change.entry).collect::<Vec<_>>(), [before + 1]);
    assert_eq!(cleared[0].tasks[0].state, TaskState::None);
    assert_eq!(follower.history().state, RunState::Interrupted);
    let again = journal.resume(run).await?.await?;
    follower.refresh().await?;
    assert_same(&follower.view(), &again.view());
    assert_eq!(changes(&journal, run, before).await?.first().map(|change| change.entry), Some(before + 1));
    Ok(())
}
