//! How much a journal reads, and how many steps it takes.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::{Journal, JournalError, Note, RunHistory, TaskFilter, steps};
use crate::base::Timestamp;
use crate::callback::notify::log_line;
use crate::dag::{Dag, DagBuilder, DagOptions};
use crate::engine::RunRequest;
use crate::run::RunState;
use crate::store::MemoryStore;
use crate::task::Callback;

/// A DAG whose only task fails, with a callback.
fn failing() -> Dag<()> {
    let mut options = DagOptions::NONE;
    options.callbacks.on_failure = Some(Callback::new(|| Arc::new(log_line())));
    Dag::draw_with("failing", options, |dag| {
        dag.add("fails", |_| Err::<(), _>("no".into()));
    })
    .unwrap()
}

/// A journal in a store, with one run that failed.
async fn failed_run() -> (Arc<MemoryStore>, Journal, Dag<()>) {
    let store = Arc::new(MemoryStore::default());
    let journal = Journal::builder().over(Arc::clone(&store) as _, None).unwrap();
    let dag = failing();
    let report = dag.run().journal(&journal).await.unwrap();
    assert_eq!(report.state(), RunState::Failed);
    (store, journal, dag)
}

#[tokio::test]
async fn resuming_a_run_with_callbacks_reads_its_entries_once() {
    let (store, journal, dag) = failed_run().await;
    journal.clear("last", &TaskFilter::all(), &Note::default()).await.unwrap();
    let before = store.reads.load(Relaxed);
    let request = journal.resume_dag("last", &dag).await.unwrap();
    assert_eq!(store.reads.load(Relaxed) - before, 1);
    assert_eq!(request.await.unwrap().state(), RunState::Failed);
}

#[tokio::test]
async fn clearing_and_resuming_a_run_with_callbacks_reads_its_entries_once() {
    let (store, journal, dag) = failed_run().await;
    let before = store.reads.load(Relaxed);
    let row = journal.row("last").await.unwrap();
    let mut adopted = journal.adopt_row(&row, Some(dag.plan())).await.unwrap();
    adopted.clear(&TaskFilter::all(), &Note::default()).await.unwrap();
    let request: RunRequest<()> = adopted.resume_plan(dag.plan(), Timestamp::now()).await.unwrap();
    assert_eq!(store.reads.load(Relaxed) - before, 1);
    assert_eq!(request.await.unwrap().state(), RunState::Failed);
}

/// The history of a run that was interrupted, cleared and resumed, with the number of steps of its
/// fold.
async fn fold(draw: impl Fn(&DagBuilder, u32), size: u32) -> Result<(RunHistory, usize), JournalError> {
    let journal = Journal::in_memory()?;
    let dag = Dag::draw("large", |dag| draw(dag, size)).unwrap();
    dag.run().journal(&journal).await.unwrap();
    journal.clear("last", &TaskFilter::all(), &Note::default()).await?;
    journal.resume_dag("last", &dag).await?.await.unwrap();
    journal.clear("last", &TaskFilter::all(), &Note::default()).await?;
    // Another graph: every task is gone, and the elements that were there come back.
    let other = Dag::draw("large", |dag| draw(dag, size / 2)).unwrap();
    journal.resume_dag("last", &other).await?.await.unwrap();
    journal.clear("last", &TaskFilter::all().failed(), &Note::default()).await.ok();
    steps::taken();
    let history = journal.history("last").await?;
    history.explain_open();
    TaskFilter::all().failed().downstream().upstream().of(&history)?;
    for task in &history.tasks {
        assert!(history.task(&task.id).is_some(), "`{}` is not found", task.id);
    }
    history.in_order().count();
    Ok((history, steps::taken()))
}

fn list(dag: &DagBuilder, size: u32) -> crate::dag::Output<Vec<u32>> {
    dag.add("list", move |_| Ok((0..size).collect()))
}

fn work(dag: &DagBuilder) -> crate::dag::Output<()> {
    dag.add("work", |_| Ok(()))
}

fn one_list(dag: &DagBuilder, size: u32) {
    list(dag, size).each(|_| work(dag));
}

fn many_lists(dag: &DagBuilder, size: u32) {
    list(dag, size).each(|_| dag.add("inner", |_| Ok(vec![1, 2])).each(|_: crate::dag::Output<u32>| work(dag)));
}

fn many_tasks(dag: &DagBuilder, size: u32) {
    for number in 0..size {
        dag.add(&format!("task_{number}"), |_| Ok(()));
    }
}

/// A task that fails, above many others.
fn many_causes(dag: &DagBuilder, size: u32) {
    let first = dag.add("first", |_| Err::<(), _>("no".into()));
    for number in 0..size {
        dag.add(&format!("task_{number}"), |_| Ok(())).after(first);
    }
}

#[tokio::test]
async fn the_steps_of_a_fold_grow_with_the_size_of_the_run_and_not_with_its_square() {
    type Shape = fn(&DagBuilder, u32);
    let shapes: [(&str, Shape); 4] =
        [("one list", one_list), ("many lists", many_lists), ("many tasks", many_tasks), ("many causes", many_causes)];
    for (name, draw) in shapes {
        let (_, small) = fold(draw, 100).await.unwrap();
        let (_, large) = fold(draw, 800).await.unwrap();
        assert!(large < 12 * small, "{name}: {small} steps for 100, {large} for 800");
    }
}
