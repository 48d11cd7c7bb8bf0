//! How much a journal reads.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::{Journal, Note, TaskFilter};
use crate::base::Timestamp;
use crate::callback::notify::log_line;
use crate::dag::{Dag, DagOptions};
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
