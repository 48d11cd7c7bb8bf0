//! Which tasks and which run a request to cancel ends, and what a handle says of them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use taskflow::engine::{Event, RunControl, RunState, TaskState};
use taskflow::prelude::*;
use taskflow_tests::common::{Gate, Meter, finish, locked, state_of, states};

use super::support::{after, build, fine};
use crate::support::workers;

#[test]
fn a_task_between_two_attempts_is_cancelled_at_once() {
    static FAILED: Gate = Gate::new();
    #[task(retries = 3, retry_delay = "1h")]
    fn fails() -> Result<()> {
        Err("again")?
    }
    let handle = build(|| after(fails()))
        .run()
        .observe(|event: &Event| {
            if let Event::Task { to: TaskState::UpForRetry, .. } = event {
                FAILED.open();
            }
        })
        .start()
        .expect("the graph is sound");
    FAILED.pass();
    handle.control().cancel("enough");
    let report = finish(handle);
    assert_eq!(states(&report), "fails=cancelled after=cancelled");
    let attempts = report.task("fails").expect("there is such a task").attempts();
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].failure.as_ref().map(ToString::to_string).as_deref(), Some("again"));
}

#[test]
fn tasks_that_wait_for_a_worker_are_cancelled_without_running() {
    static STARTED: Gate = Gate::new();
    static RELEASE: Gate = Gate::new();
    static RAN: AtomicUsize = AtomicUsize::new(0);
    #[task]
    fn holds_the_worker() {
        STARTED.open();
        RELEASE.pass();
    }
    #[task]
    fn counts() {
        RAN.fetch_add(1, Ordering::SeqCst);
    }
    let dag = build(|| {
        for _ in 0..1000 {
            counts();
        }
        holds_the_worker().priority(1)
    });
    let handle = dag.run().engine(&workers(1)).grace(Duration::MAX).start().expect("the graph is sound");
    STARTED.pass();
    handle.control().cancel("enough");
    RELEASE.open();
    let report = finish(handle);
    assert_eq!(RAN.load(Ordering::SeqCst), 0);
    assert_eq!(report.tasks().filter(|task| task.state() == TaskState::Cancelled).count(), 1000);
    assert_eq!(state_of(&report, "holds_the_worker"), TaskState::Success);
}

/// Among many short tasks, where workers take several at once: whatever ran has succeeded, whatever
/// did not is cancelled, and nothing is in between.
#[test]
fn cancelling_amid_many_short_tasks_leaves_none_unfinished() {
    static RAN: Mutex<Vec<AtomicBool>> = Mutex::new(Vec::new());
    static CONTROL: Mutex<Option<RunControl>> = Mutex::new(None);
    const TASKS: usize = 5000;
    #[task]
    fn short(number: u32) {
        locked(&RAN)[number as usize].store(true, Ordering::SeqCst);
        if number == 1000
            && let Some(control) = &*locked(&CONTROL)
        {
            control.cancel("from inside");
        }
    }
    let dag = build(|| (0..TASKS as u32).map(short).collect::<Vec<_>>()[0]);
    for count in [1, 2, 4] {
        *locked(&RAN) = (0..TASKS).map(|_| AtomicBool::new(false)).collect();
        // The cancelling task must find the handle there.
        let mut control = locked(&CONTROL);
        let handle = dag.run().engine(&workers(count)).start().expect("the graph is sound");
        *control = Some(handle.control());
        drop(control);
        let report = finish(handle);
        assert_eq!(report.state(), RunState::Cancelled);
        let ran = locked(&RAN);
        for (task, ran) in report.tasks().zip(&*ran) {
            let expected = if ran.load(Ordering::SeqCst) { TaskState::Success } else { TaskState::Cancelled };
            assert_eq!(task.state(), expected, "{task:?}");
        }
        assert!(ran[1000].load(Ordering::SeqCst));
    }
}

#[test]
fn the_first_reason_for_cancelling_is_kept() {
    static STARTED: Gate = Gate::new();
    #[task]
    async fn waits(ctx: &TaskContext) {
        STARTED.open();
        ctx.cancelled().await;
    }
    let handle = build(waits).run().start().expect("the graph is sound");
    STARTED.pass();
    handle.control().cancel("first");
    handle.control().cancel("second");
    assert_eq!(finish(handle).halt_reason(), Some("first"));
}

#[test]
fn cancelling_a_finished_run_does_nothing() {
    static ENDED: Gate = Gate::new();
    static STARTED: Gate = Gate::new();
    static RELEASE: Gate = Gate::new();
    #[task]
    fn holds() {
        STARTED.open();
        RELEASE.pass();
    }
    let engine = workers(1);
    let over = build(fine)
        .run()
        .engine(&engine)
        .observe(|event: &Event| {
            if let Event::Run { .. } = event {
                ENDED.open();
            }
        })
        .start()
        .expect("the graph is sound");
    ENDED.pass();
    // Another run may have taken its place by now.
    let other = build(holds).run().engine(&engine).start().expect("the graph is sound");
    STARTED.pass();
    over.control().cancel("too late");
    assert!(over.control().running().is_empty());
    RELEASE.open();
    assert!(finish(over).is_success());
    assert!(finish(other).is_success());
}

#[test]
fn cancelling_one_run_does_not_affect_the_others() {
    static STARTED: Meter = Meter::new();
    static RELEASE: Gate = Gate::new();
    #[task]
    async fn waits(number: u32) -> u32 {
        let _ = STARTED.enter();
        RELEASE.pass_async().await;
        number
    }
    let dag = build(|| waits(5));
    let engine = workers(2);
    let handles: Vec<_> = (0..5).map(|_| dag.run().engine(&engine).start().expect("the graph is sound")).collect();
    STARTED.wait_for(5);
    handles[2].control().cancel("only this one");
    RELEASE.open();
    for (number, handle) in handles.into_iter().enumerate() {
        let expected = if number == 2 { RunState::Cancelled } else { RunState::Success };
        assert_eq!(finish(handle).state(), expected);
    }
}

#[test]
fn a_task_can_cancel_its_own_run() {
    static CONTROL: Mutex<Option<RunControl>> = Mutex::new(None);
    #[task]
    fn stops_everything() {
        if let Some(control) = &*locked(&CONTROL) {
            control.cancel("stopped by a task");
        }
    }
    let mut control = locked(&CONTROL);
    let handle = build(|| after(stops_everything())).run().start().expect("the graph is sound");
    *control = Some(handle.control());
    drop(control);
    let report = finish(handle);
    assert_eq!(states(&report), "stops_everything=success after=cancelled");
    assert_eq!(report.halt_reason(), Some("stopped by a task"));
}

#[test]
fn running_tasks_can_be_inspected() {
    static STARTED: Meter = Meter::new();
    static RELEASE: Gate = Gate::new();
    #[task(retries = 1, retry_delay = "0s")]
    fn works(ctx: &TaskContext) -> Result<()> {
        if ctx.attempt() == 1 {
            Err("the second attempt is looked at")?;
        }
        ctx.progress(3, 10);
        let _ = STARTED.enter();
        RELEASE.pass();
        Ok(())
    }
    #[task(blocking)]
    fn says_nothing() {
        let _ = STARTED.enter();
        RELEASE.pass();
    }
    let dag = build(|| {
        after(works());
        says_nothing()
    });
    let handle = dag.run().start().expect("the graph is sound");
    STARTED.wait_for(2);
    let running: Vec<_> =
        handle.control().running().into_iter().map(|task| (task.task.as_u32(), task.attempt, task.progress)).collect();
    RELEASE.open();
    assert_eq!(running, [(0, 2, Some((3, 10))), (2, 1, None)]);
    assert_eq!(handle.plan().len(), 3);
    assert!(finish(handle).is_success());
}
