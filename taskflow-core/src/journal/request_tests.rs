//! Requests to runs that cannot hear them any more. They are here because only the core can hold
//! back the end of a run that has ended, and keeps its log with a handle.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use super::{Cancellation, Journal, Note};
use crate::dag::Dag;
use crate::engine::Engine;
use crate::run::RunState;
#[cfg(feature = "sqlite")]
use crate::run::TaskState;
use crate::task::OnKill;

fn engine() -> Engine {
    Engine::builder().build().unwrap()
}

/// Waits until there is something.
async fn until<T>(there_is: impl Fn() -> Option<T>) -> T {
    loop {
        if let Some(found) = there_is() {
            return found;
        }
        tokio::task::yield_now().await;
    }
}

/// Asks the process that runs a run to cancel it.
async fn ask_to_cancel(journal: &Journal, run_id: &str) {
    let row = journal.row_with_id(run_id).await.unwrap();
    let note = Note { by: String::new(), reason: "not now".to_owned() };
    let asked = journal.cancel(&row, &note).await.unwrap();
    assert!(matches!(asked, Cancellation::Requested { .. }), "{asked:?}");
}

/// Has another run cancelled by a request. When that has ended, the process has read all requests
/// that were made before.
async fn look_at_requests(journal: &Journal) {
    let dag = Dag::draw("other", |dag| {
        dag.add("waits", |ctx| {
            while !ctx.is_cancelled() {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err::<(), _>("asked to stop".into())
        });
    });
    let handle = dag.unwrap().run().journal(journal).engine(&engine()).start().unwrap();
    let control = handle.control();
    until(|| control.number()).await;
    ask_to_cancel(journal, &handle.info().run_id).await;
    assert_eq!(handle.await.state(), RunState::Cancelled);
}

/// A request cancels a run that has a job on a cluster, which does not answer. The thread that
/// stores entries and reads requests waited for the answer: no run of the process went on.
#[tokio::test]
async fn a_cluster_that_does_not_answer_holds_up_the_run_of_its_job_and_no_other() {
    let journal = Journal::in_memory().unwrap();
    let (answer, answered) = mpsc::channel::<()>();
    let answered = Mutex::new(answered);
    let (has_job, is_asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (submitted, asked) = (Arc::clone(&has_job), Arc::clone(&is_asked));
    let kill: OnKill = Arc::new(move || {
        asked.store(true, Ordering::SeqCst);
        let _ = answered.lock().unwrap().recv();
    });
    let dag = Dag::draw("submits", move |dag| {
        dag.add("job", move |ctx| {
            ctx.host().at_early_end("job", Some(Arc::clone(&kill)));
            submitted.store(true, Ordering::SeqCst);
            while !ctx.is_cancelled() {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err::<(), _>("asked to stop".into())
        });
    });
    let handle = dag.unwrap().run().journal(&journal).engine(&engine()).start().unwrap();
    let control = handle.control();
    until(|| control.number().filter(|_| has_job.load(Ordering::SeqCst))).await;
    ask_to_cancel(&journal, &handle.info().run_id).await;
    until(|| is_asked.load(Ordering::SeqCst).then_some(())).await;
    let other = tokio::time::timeout(Duration::from_secs(60), look_at_requests(&journal)).await;
    assert!(other.is_ok(), "another run is stored, asked and ends");
    assert!(control.view().is_some(), "its program would leave before the cluster has answered");
    answer.send(()).unwrap();
    assert_eq!(handle.await.state(), RunState::Cancelled);
}

/// The grace time has passed, and a process of the only attempt has yet to end: its program may
/// have ignored SIGTERM. The request was acknowledged although nobody heard it, and the run went
/// on.
#[tokio::test]
async fn a_request_to_a_drained_run_whose_processes_have_yet_to_end_is_left_to_the_next_owner() {
    let journal = Journal::in_memory().unwrap();
    let (holds, held) = mpsc::channel();
    let (end, told) = mpsc::channel::<()>();
    let told = Mutex::new(told);
    let may_end = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&may_end);
    let dag = Dag::draw("drained", move |dag| {
        dag.add("task", move |ctx| {
            if ctx.attempt() == 1 {
                holds.send(ctx.hold()).map_err(|_| "nobody waits for it")?;
                // It does not stop when it is asked to.
                told.lock().unwrap().recv()?;
            }
            while !ends.load(Ordering::SeqCst) {
                if ctx.is_cancelled() {
                    return Err("asked to stop".into());
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        });
    });
    let (dag, drained) = (dag.unwrap(), engine());
    let request = dag.run().journal(&journal).engine(&drained).grace(Duration::from_millis(1));
    let handle = request.start().unwrap();
    let (control, run_id) = (handle.control(), handle.info().run_id.clone());
    let process = until(|| held.try_recv().ok()).await;
    assert!(process.is_some(), "the attempt has just begun");
    drained.drain("terminated");
    until(|| control.view().filter(|view| view.state == RunState::Interrupted)).await;
    ask_to_cancel(&journal, &run_id).await;
    // What was carried out in one look is acknowledged in the next one.
    look_at_requests(&journal).await;
    look_at_requests(&journal).await;
    drop((process, end));
    assert_eq!(handle.await.state(), RunState::Interrupted);

    let handle = journal.resume_dag(&run_id, &dag).await.unwrap().engine(&engine()).start().unwrap();
    look_at_requests(&journal).await;
    may_end.store(true, Ordering::SeqCst);
    assert_eq!(handle.await.state(), RunState::Cancelled);
}

/// When the run hears the request, nothing of it can be stored any more. It ends, and somebody
/// holds a handle of it. The run that was resumed in the same process was never asked.
#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_request_that_a_run_could_not_store_is_left_to_its_next_owner() {
    use sqlx::ConnectOptions as _;

    let home = tempfile::tempdir().unwrap();
    let journal = Journal::open(home.path()).await.unwrap();
    let may_end = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&may_end);
    let dag = Dag::draw("fails", move |dag| {
        dag.add("task", move |ctx| {
            while !ends.load(Ordering::SeqCst) {
                if ctx.is_cancelled() {
                    return Err("asked to stop".into());
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        });
    });
    let dag = dag.unwrap();
    let handle = dag.run().journal(&journal).engine(&engine()).start().unwrap();
    let (control, run_id) = (handle.control(), handle.info().run_id.clone());
    until(|| control.number()).await;
    while journal.history(&run_id).await.unwrap().tasks[0].state != TaskState::Running {
        tokio::task::yield_now().await;
    }
    let file = sqlx::sqlite::SqliteConnectOptions::new().filename(home.path().join("taskflow.db"));
    let mut store = file.connect().await.unwrap();
    let fail = "CREATE TRIGGER fail BEFORE INSERT ON segments BEGIN SELECT RAISE(ABORT, 'it fails'); END";
    sqlx::raw_sql(fail).execute(&mut store).await.unwrap();
    ask_to_cancel(&journal, &run_id).await;
    assert_ne!(handle.await.state(), RunState::Success);
    sqlx::raw_sql("DROP TRIGGER fail").execute(&mut store).await.unwrap();

    let handle = journal.resume_dag(&run_id, &dag).await.unwrap().engine(&engine()).start().unwrap();
    look_at_requests(&journal).await;
    may_end.store(true, Ordering::SeqCst);
    assert_eq!(handle.await.state(), RunState::Cancelled);
    drop(control);
}
