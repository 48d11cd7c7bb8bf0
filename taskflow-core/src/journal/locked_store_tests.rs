//! Runs whose store another process has locked. They are here because a store waits for ten seconds
//! before it says so, which only the core can shorten.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::Journal;
use crate::dag::{Dag, DagOptions};
use crate::engine::{Archive, Engine};
use crate::run::{Durability, RunState};
use crate::store::be_impatient;
use crate::task::{Callback, Notification, TaskContext};

/// A connection with the lock for writing, as another process has it.
async fn locked(home: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(home.join("taskflow.db"));
    let mut other = options.connect().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    other
}

async fn release(mut lock: SqliteConnection) {
    sqlx::raw_sql("ROLLBACK").execute(&mut lock).await.unwrap();
}

/// Two tasks, the first of which ends when it is told to.
fn chain(options: &DagOptions) -> (Dag<()>, Sender<()>) {
    let (end, told) = mpsc::channel();
    let told = Mutex::new(told);
    let dag = Dag::draw_with("chain", *options, move |dag| {
        let first = dag.add("first", move |_| {
            told.lock().unwrap().recv()?;
            Ok(())
        });
        dag.add("second", |_| Ok(())).after(first);
    });
    (dag.unwrap(), end)
}

/// Waits until there is something.
async fn until<T>(there_is: impl Fn() -> Option<T>) -> T {
    loop {
        if let Some(found) = there_is() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// `db vacuum`, or a process that was stopped while it wrote: the store is locked when the first of
/// two tasks ends.
#[tokio::test]
async fn a_run_waits_for_a_locked_store_says_who_has_it_and_goes_on() {
    be_impatient();
    let home = tempfile::tempdir().unwrap();
    let journal = Journal::open(home.path()).await.unwrap();
    let (dag, end) = chain(&DagOptions::NONE);
    let handle = dag.run().journal(&journal).start().unwrap();
    let control = handle.control();
    until(|| control.number()).await;
    let lock = locked(home.path()).await;
    end.send(()).unwrap();
    let line = until(|| control.store_wait()).await;
    assert!(line.contains("taskflow.db is locked by "), "{line}");
    if cfg!(target_os = "linux") {
        assert!(line.contains(&format!("process {}", std::process::id())), "{line}");
    }
    release(lock).await;
    assert_eq!(handle.await.state(), RunState::Success);
    assert_eq!(control.store_wait(), None);
    let history = journal.history("last").await.unwrap();
    assert_eq!(history.tasks.iter().map(|task| task.attempts.len()).collect::<Vec<_>>(), [1, 1]);
}

/// Runs with and without an admission, none of which has written anything yet.
#[tokio::test]
async fn a_run_that_begins_while_the_store_is_locked_waits_too() {
    be_impatient();
    for limit in [None, Some(1)] {
        let home = tempfile::tempdir().unwrap();
        let journal = Journal::open(home.path()).await.unwrap();
        let mut options = DagOptions::NONE;
        options.max_active_runs = limit;
        let (dag, end) = chain(&options);
        end.send(()).unwrap();
        let lock = locked(home.path()).await;
        let handle = dag.run().journal(&journal).start().unwrap();
        let control = handle.control();
        until(|| control.store_wait()).await;
        release(lock).await;
        assert_eq!(handle.await.state(), RunState::Success, "{limit:?}");
    }
}

/// A run that waits for its admission has found its graph in the store. The process that has locked
/// the store deletes it with the last run that has it, as `db prune` does. The run could not be
/// read any more.
#[tokio::test]
async fn a_graph_that_is_deleted_before_a_run_that_waits_for_a_locked_store_is_stored_again() {
    be_impatient();
    let home = tempfile::tempdir().unwrap();
    let journal = Journal::open(home.path()).await.unwrap();
    let mut options = DagOptions::NONE;
    options.max_active_runs = Some(1);
    let (dag, end) = chain(&options);
    end.send(()).unwrap();
    assert_eq!(dag.run().journal(&journal).await.unwrap().state(), RunState::Success);
    let mut lock = locked(home.path()).await;
    let handle = dag.run().journal(&journal).start().unwrap();
    let control = handle.control();
    until(|| control.store_wait()).await;
    // When the run asks once more, what comes at its beginning is over.
    journal.inner.queue.set_store_wait(None);
    until(|| control.store_wait()).await;
    let prune = "DELETE FROM runs; DELETE FROM segments; DELETE FROM graphs; COMMIT";
    sqlx::raw_sql(prune).execute(&mut lock).await.unwrap();
    end.send(()).unwrap();
    assert_eq!(handle.await.state(), RunState::Success);
    assert_eq!(journal.history("last").await.unwrap().state, RunState::Success);
}

static CALLED: AtomicUsize = AtomicUsize::new(0);
static RETURNS: Mutex<Option<Receiver<()>>> = Mutex::new(None);

/// Returns when it is told to.
fn tell(_: &Notification) {
    CALLED.fetch_add(1, Ordering::SeqCst);
    let returns = RETURNS.lock().unwrap().take();
    if let Some(returns) = returns {
        let _ = returns.recv();
    }
}

/// The store is locked when a callback returns. The report of the run does not wait for the lock.
/// The delivery was never recorded, and the next process called the callback again.
#[tokio::test]
async fn the_delivery_of_a_callback_is_recorded_when_a_locked_store_is_free_again() {
    be_impatient();
    let home = tempfile::tempdir().unwrap();
    let journal = Journal::open(home.path()).await.unwrap();
    let (returns, told) = mpsc::channel();
    *RETURNS.lock().unwrap() = Some(told);
    let mut options = DagOptions::NONE;
    options.callbacks.on_success = Some(Callback::new(|| Arc::new(tell)));
    let (dag, end) = chain(&options);
    end.send(()).unwrap();
    let handle = dag.run().journal(&journal).start().unwrap();
    let run_id = handle.info().run_id.clone();
    // The end of the run is stored.
    until(|| (CALLED.load(Ordering::SeqCst) == 1).then_some(())).await;
    let lock = locked(home.path()).await;
    returns.send(()).unwrap();
    assert_eq!(handle.await.state(), RunState::Success);
    assert_eq!(journal.history(&run_id).await.unwrap().deliveries, []);
    // As a program does that ends: this process has called it.
    assert_eq!(journal.deliver_pending().await.unwrap(), 0);
    assert_eq!(CALLED.load(Ordering::SeqCst), 1);
    release(lock).await;
    let recorded = async {
        loop {
            let history = journal.history(&run_id).await.unwrap();
            if let Some(delivery) = history.deliveries.first() {
                return delivery.error.clone();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let error = tokio::time::timeout(Duration::from_secs(60), recorded).await.expect("it is recorded");
    assert_eq!((error, CALLED.load(Ordering::SeqCst)), (None, 1));
}

/// The answer to what waits for the lock, which is released once the journal says so.
async fn answer<T>(journal: &Journal, lock: SqliteConnection, asked: impl Future<Output = T>) -> T {
    let free = async {
        until(|| journal.inner.queue.store_wait()).await;
        release(lock).await;
    };
    let both = async { tokio::join!(asked, free).0 };
    tokio::time::timeout(Duration::from_secs(60), both).await.expect("it waits for the lock")
}

/// A task asks for a run that has failed, and for one that was interrupted. It failed with the
/// store after ten seconds, although its own run waits for an hour.
#[tokio::test]
async fn a_task_that_retries_or_resumes_the_run_that_it_has_triggered_waits_for_a_locked_store() {
    be_impatient();
    let home = tempfile::tempdir().unwrap();
    let journal = Journal::open(home.path()).await.unwrap();
    let (dag, end) = chain(&DagOptions::NONE);
    drop(end);
    let handle = dag.run().journal(&journal).start().unwrap();
    let run_id = handle.info().run_id.clone();
    assert_eq!(handle.await.state(), RunState::Failed);
    let task = TaskContext::detached("asks");
    let lock = locked(home.path()).await;
    let asked = Archive::retry(&journal, &run_id, dag.plan(), &[], "task asks of run 1", &task);
    let retried = answer(&journal, lock, asked).await.unwrap();
    assert!(retried.is_some(), "its failed task is cleared");
    assert_eq!(journal.inner.queue.store_wait(), None);
    // Nobody starts it.
    drop(retried);
    assert_eq!(journal.history(&run_id).await.unwrap().state, RunState::Interrupted);
    let lock = locked(home.path()).await;
    let asked = Archive::resume(&journal, &run_id, dag.plan(), &task);
    assert!(answer(&journal, lock, asked).await.is_ok());
    assert_eq!(journal.inner.queue.store_wait(), None);
}

/// A task triggers a run again that was deleted, and whose files are still there. It failed with
/// the store after ten seconds.
#[tokio::test]
async fn a_task_that_triggers_a_deleted_run_again_waits_for_a_locked_store() {
    be_impatient();
    let home = tempfile::tempdir().unwrap();
    let journal = Journal::open(home.path()).await.unwrap();
    let (dag, end) = chain(&DagOptions::NONE);
    end.send(()).unwrap();
    let handle = dag.run().journal(&journal).start().unwrap();
    let run_id = handle.info().run_id.clone();
    assert_eq!(handle.await.state(), RunState::Success);
    let (store, number) = (&journal.inner.store, journal.history(&run_id).await.unwrap().number);
    assert_eq!(store.delete(&[number], None).await.unwrap(), [number]);
    // Its process has the id for a moment after its end.
    while store.hold_id(&run_id).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.left_files().await.unwrap(), std::slice::from_ref(&run_id));
    let task = TaskContext::detached("asks");
    let lock = locked(home.path()).await;
    let asked = Archive::make_room(&journal, &run_id, &task);
    assert!(answer(&journal, lock, asked).await.is_ok());
    assert_eq!(store.left_files().await.unwrap(), [""; 0]);
    assert_eq!(journal.inner.queue.store_wait(), None);
}

/// How a process leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaves {
    /// It closes its journal.
    Closes,
    /// It is asked to when the second task waits for the entry of the first one.
    Drains,
    /// It is asked to when all tasks have ended, and only the last entries are not stored.
    DrainsAtTheEnd,
}

/// The other side of it: a signal, and a program that closes its journal, while the store is
/// locked.
#[tokio::test]
async fn nobody_who_leaves_waits_for_a_locked_store() {
    be_impatient();
    for leaves in [Leaves::Closes, Leaves::Drains, Leaves::DrainsAtTheEnd] {
        let home = tempfile::tempdir().unwrap();
        let journal = Journal::open(home.path()).await.unwrap();
        let engine = Engine::builder().build().unwrap();
        let (dag, end) = chain(&DagOptions::NONE);
        let durability = if leaves == Leaves::DrainsAtTheEnd { Durability::Relaxed } else { Durability::Strict };
        let handle = dag.run().journal(&journal).engine(&engine).durability(durability).start().unwrap();
        let control = handle.control();
        until(|| control.number()).await;
        let lock = locked(home.path()).await;
        end.send(()).unwrap();
        until(|| control.store_wait()).await;
        match leaves {
            // What it says of the locked store does not matter here.
            Leaves::Closes => drop(journal.close().await),
            Leaves::Drains => engine.drain("the machine is shut down"),
            Leaves::DrainsAtTheEnd => {
                until(|| control.view().filter(|view| view.state == RunState::Success)).await;
                engine.drain("the machine is shut down");
            }
        }
        assert_eq!(handle.await.state(), RunState::Interrupted, "{leaves:?}");
        assert_eq!(control.store_wait(), None, "{leaves:?}");
        release(lock).await;
    }
}
