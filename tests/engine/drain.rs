//! Leaving without losing work: `Engine::drain`.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use taskflow::BoxError;
use taskflow::engine::{Engine, RunState};
use taskflow::journal::{Journal, Note};
use taskflow::notify::Notification;
use taskflow::ops;
use taskflow::prelude::*;
use taskflow_tests::common::{Gate, states};

fn engine() -> Engine {
    Engine::builder().build().expect("no pool is named")
}

#[task]
fn add_one(n: u32) -> u32 {
    n + 1
}

/// A sync task that cannot be asked to stop, and one that follows it.
#[tokio::test]
async fn what_ends_in_the_grace_time_counts_and_nothing_more_starts() -> Result<(), BoxError> {
    static STARTED: Gate = Gate::new();
    static GO: Gate = Gate::new();
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    #[task]
    fn first() -> u32 {
        CALLS.fetch_add(1, Ordering::SeqCst);
        STARTED.open();
        GO.pass();
        6
    }
    let (journal, engine) = (Journal::in_memory()?, engine());
    let dag = Dag::build("chain", || add_one(first()))?;
    let handle = dag.run().journal(&journal).engine(&engine).grace(Duration::from_secs(60)).start()?;
    STARTED.pass_async().await;
    engine.drain("terminated");
    GO.open();
    let report = handle.await;
    assert_eq!((report.state(), report.halt_reason()), (RunState::Interrupted, Some("terminated")));
    assert_eq!(states(&report), "first=success add_one=scheduled");

    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!((report.state(), report.result(), CALLS.load(Ordering::SeqCst)), (RunState::Success, Some(&7), 1));
    Ok(())
}

/// Async tasks: one that has no context, so that it cannot be asked, and one that hears and fails.
#[tokio::test]
async fn attempts_that_stop_or_are_cut_off_run_again_and_do_not_count() -> Result<(), BoxError> {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    async fn wait_the_first_time() {
        if CALLS.fetch_add(1, Ordering::SeqCst) < 2 {
            std::future::pending::<()>().await;
        }
    }
    #[task]
    async fn deaf() -> u32 {
        wait_the_first_time().await;
        1
    }
    #[task]
    async fn hears(ctx: &TaskContext) -> Result<u32> {
        tokio::select! {
            () = ctx.cancelled() => Err("asked to stop")?,
            () = wait_the_first_time() => Ok(ctx.attempt() + ctx.max_attempts()),
        }
    }
    let (journal, engine) = (Journal::in_memory()?, engine());
    let dag = Dag::build("both", || (deaf(), hears()).1)?;
    let handle = dag.run().journal(&journal).engine(&engine).grace(Duration::from_millis(50)).start()?;
    while CALLS.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    engine.drain("terminated");
    let report = handle.await;
    assert_eq!(report.state(), RunState::Interrupted);
    assert_eq!(states(&report), "deaf=scheduled hears=scheduled");

    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!((report.state(), report.result()), (RunState::Success, Some(&(2 + 2))));
    Ok(())
}

#[tokio::test]
async fn a_run_whose_last_task_ends_while_it_drains_has_ended() -> Result<(), BoxError> {
    static STARTED: Gate = Gate::new();
    static GO: Gate = Gate::new();
    #[task]
    fn only() -> u32 {
        STARTED.open();
        GO.pass();
        6
    }
    let (journal, engine) = (Journal::in_memory()?, engine());
    let dag = Dag::build("only", only)?;
    let handle = dag.run().journal(&journal).engine(&engine).grace(Duration::from_secs(60)).start()?;
    STARTED.pass_async().await;
    engine.drain("terminated");
    GO.open();
    let report = handle.await;
    assert_eq!((report.state(), report.result(), report.halt_reason()), (RunState::Success, Some(&6), None));
    assert_eq!(journal.history("last").await?.state, RunState::Success);
    Ok(())
}

/// `scope(create(), |_| work(), |_| delete())`, drained while `work` runs.
#[tokio::test]
async fn a_drained_run_continues_inside_its_scope() -> Result<(), BoxError> {
    static STARTED: Gate = Gate::new();
    static CALLS: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];
    fn count(place: usize) -> u32 {
        CALLS[place].fetch_add(1, Ordering::SeqCst) as u32
    }
    #[task]
    fn create() -> u32 {
        count(0)
    }
    #[task]
    async fn work(ctx: &TaskContext, _created: u32) -> Result<u32> {
        if count(1) == 0 {
            STARTED.open();
            ctx.cancelled().await;
            Err("asked to stop")?;
        }
        Ok(7)
    }
    #[task]
    fn delete(_created: u32) {
        count(2);
    }
    let calls = || CALLS.each_ref().map(|calls| calls.load(Ordering::SeqCst));
    let (journal, engine) = (Journal::in_memory()?, engine());
    let dag = Dag::build("scoped", || scope(create(), |created| work(created), |created| delete(created)))?;
    let handle = dag.run().journal(&journal).engine(&engine).grace(Duration::from_secs(60)).start()?;
    STARTED.pass_async().await;
    engine.drain("terminated");
    let report = handle.await;
    assert_eq!(states(&report), "create=success work=scheduled delete=none");
    assert_eq!(calls(), [1, 1, 0]);

    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!((report.state(), report.result(), calls()), (RunState::Success, Some(&7), [1, 2, 1]));
    Ok(())
}

/// A run without a journal, and a run that is started after the call.
#[tokio::test]
async fn without_a_journal_a_drained_run_is_cancelled() -> Result<(), BoxError> {
    let engine = engine();
    engine.drain("terminated");
    let dag = Dag::build("one", || add_one(1))?;
    let report = dag.run().engine(&engine).await?;
    assert_eq!((report.state(), report.halt_reason()), (RunState::Cancelled, Some("terminated")));

    let journal = Journal::in_memory()?;
    let report = dag.run().journal(&journal).engine(&engine).await?;
    assert_eq!(report.state(), RunState::Interrupted);
    assert_eq!(journal.resume_dag("last", &dag).await?.await?.result(), Some(&2));
    Ok(())
}

/// The tasks that waited for the only worker were in flight, as far as another process knows, so
/// each start is stored before the call. All of them started at once, and their time limits ended
/// before a worker came to them.
#[tokio::test]
async fn the_tasks_of_a_resumed_run_start_when_a_worker_is_free() -> Result<(), BoxError> {
    static STARTED: Gate = Gate::new();
    static GO: Gate = Gate::new();
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    #[task]
    fn holds_the_worker() {
        STARTED.open();
        GO.pass();
    }
    #[task(timeout = "1s")]
    fn short(_number: u32) -> u32 {
        CALLS.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(50));
        1
    }
    #[task]
    fn count(all: &[u32]) -> usize {
        all.len()
    }
    let journal = Journal::in_memory()?;
    let engine = || Engine::builder().workers(NonZeroUsize::MIN).build().expect("no pool is named");
    let dag = Dag::build("fan", || {
        let _ = holds_the_worker().priority(1);
        count((0..40).map(short).collect::<Vec<_>>())
    })?;
    let first = engine();
    let handle = dag.run().journal(&journal).engine(&first).grace(Duration::from_secs(60)).start()?;
    STARTED.pass_async().await;
    first.drain("terminated");
    GO.open();
    assert_eq!((handle.await.state(), CALLS.load(Ordering::SeqCst)), (RunState::Interrupted, 0));
    let report = journal.resume_dag("last", &dag).await?.engine(&engine()).await?;
    assert_eq!((report.state(), report.result()), (RunState::Success, Some(&40)), "{}", states(&report));
    assert_eq!(CALLS.load(Ordering::SeqCst), 40);
    Ok(())
}

/// Opened when the callback of `hopeless` is called, and when it may return.
static TELLS: Gate = Gate::new();
static TOLD: Gate = Gate::new();

fn tell(_: &Notification) {
    TELLS.open();
    TOLD.pass();
}

#[task(on_failure = tell)]
fn hopeless() -> Result<u32> {
    Err("no")?
}

#[task]
async fn until_cancelled(ctx: &TaskContext) -> Result<u32> {
    ctx.cancelled().await;
    Err("asked to stop")?
}

/// Has another run of this process cancelled by a request. When that has ended, the process has
/// read all requests that were made before.
async fn look_at_requests(journal: &Journal, engine: &Engine) -> Result<(), BoxError> {
    let dag = Dag::build("other", until_cancelled)?;
    let handle = dag.run().journal(journal).engine(engine).grace(Duration::from_secs(60)).start()?;
    while handle.control().number().is_none() {
        tokio::task::yield_now().await;
    }
    ops::cancel(journal, &handle.info().run_id, &Note::default(), None).await?;
    assert_eq!(handle.await.state(), RunState::Cancelled);
    Ok(())
}

/// A callback is under way when the run has ended here, so its process still owns it, and is asked
/// to cancel it. The request was acknowledged although nobody heard it, and the run went on.
#[tokio::test]
async fn a_request_to_a_run_that_was_drained_is_left_to_the_next_process() -> Result<(), BoxError> {
    static STARTED: Gate = Gate::new();
    static GO: Gate = Gate::new();
    static READ: Gate = Gate::new();
    #[task]
    fn first() -> u32 {
        STARTED.open();
        GO.pass();
        6
    }
    #[task]
    async fn second(_first: u32, ctx: &TaskContext) -> Result<u32> {
        tokio::select! {
            () = ctx.cancelled() => Err("asked to stop")?,
            () = READ.pass_async() => Ok(7),
        }
    }
    let (journal, drained, others) = (Journal::in_memory()?, engine(), engine());
    let dag = Dag::build("drained", || (hopeless(), second(first())).1)?;
    let handle = dag.run().journal(&journal).engine(&drained).grace(Duration::from_secs(60)).start()?;
    let (control, id) = (handle.control(), handle.info().run_id.clone());
    STARTED.pass_async().await;
    TELLS.pass_async().await;
    drained.drain("terminated");
    GO.open();
    while control.view().is_some() {
        tokio::task::yield_now().await;
    }
    let asked = ops::cancel(&journal, &id, &Note::by_user("not now"), None).await?;
    assert!(asked.worker.is_some(), "{asked:?}");
    // What was carried out in one look is acknowledged in the next one.
    look_at_requests(&journal, &others).await?;
    look_at_requests(&journal, &others).await?;
    TOLD.open();
    assert_eq!(handle.await.state(), RunState::Interrupted);

    let handle = journal.resume_dag(&id, &dag).await?.grace(Duration::from_secs(60)).start()?;
    look_at_requests(&journal, &others).await?;
    READ.open();
    let report = handle.await;
    assert_eq!(report.state(), RunState::Cancelled, "{}", states(&report));
    assert!(report.halt_reason().is_some_and(|reason| reason.contains("not now")), "{:?}", report.halt_reason());
    Ok(())
}
