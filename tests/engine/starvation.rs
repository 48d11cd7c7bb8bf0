//! No task waits needlessly: neither for busy workers nor behind a long task.
#![allow(clippy::needless_pass_by_value, reason = "tasks take what their parameters say")]

use std::time::Duration;

use taskflow::prelude::*;
use taskflow_tests::common::{Gate, Meter, finish, live};

use crate::support::{build, many, start, workers};

#[test]
fn busy_workers_do_not_stall_timers_and_async_tasks() {
    static BUSY: Meter = Meter::new();
    static RELEASE: Gate = Gate::new();
    #[task]
    fn busy() {
        let _ = BUSY.enter();
        RELEASE.pass();
    }
    #[task(retries = 1, retry_delay = "1ms")]
    async fn sleeps(ctx: &TaskContext) -> Result<u32> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if ctx.attempt() == 1 { Err("again")? } else { Ok(1) }
    }
    #[task]
    async fn goes_on(number: u32) -> u32 {
        number + 1
    }
    #[task(blocking)]
    fn opens(_number: u32) {
        BUSY.wait_for(2);
        RELEASE.open();
    }
    let dag = build(|| {
        many(2, busy);
        opens(goes_on(sleeps()))
    });
    assert!(live(dag.run().engine(&workers(2))).is_success());
}

#[test]
fn busy_blocking_tasks_do_not_stall_the_others() {
    static BUSY: Meter = Meter::new();
    static RELEASE: Gate = Gate::new();
    #[task(blocking)]
    fn busy() {
        let _ = BUSY.enter();
        RELEASE.pass();
    }
    #[task]
    fn sync() -> u32 {
        BUSY.wait_for(50);
        1
    }
    #[task]
    async fn later(number: u32) -> u32 {
        number + 1
    }
    #[task]
    fn opens(_number: u32) {
        RELEASE.open();
    }
    let dag = build(|| {
        many(50, busy);
        opens(later(sync()))
    });
    assert!(live(dag.run().engine(&workers(1))).is_success());
}

#[test]
fn a_task_that_waits_for_a_retry_frees_its_worker() {
    static LAST: Gate = Gate::new();
    #[task(retries = 1, retry_delay = "1ms")]
    fn fails_once(ctx: &TaskContext) -> Result<()> {
        if ctx.attempt() == 1 {
            Err("again")?;
        }
        LAST.open();
        Ok(())
    }
    #[task(blocking)]
    fn waits() {
        LAST.pass();
    }
    let dag = build(|| {
        many(50, fails_once);
        waits()
    });
    assert!(live(dag.run().engine(&workers(1))).is_success());
}

// Workers take several short tasks at once. None of these may be hidden behind one that turns out
// long.

/// Runs many short tasks, so that they have proven short; then `tail` of the same kind, of which
/// the one at `place` waits for the last.
#[test]
fn a_long_task_does_not_delay_short_ones_queued_behind_it() {
    static GATES: [Gate; 12] = [const { Gate::new() }; 12];
    #[task]
    fn step(waits: Option<usize>, opens: Option<usize>) {
        if let Some(gate) = waits {
            GATES[gate].pass();
        }
        if let Some(gate) = opens {
            GATES[gate].open();
        }
    }
    #[task]
    fn join() {}

    for (gate, (tail, place)) in [
        (2, 0),
        (3, 0),
        (3, 1),
        (10, 0),
        (10, 5),
        (10, 8),
        (60, 0),
        (60, 30),
        (200, 0),
        (200, 100),
        (200, 190),
        (200, 198),
    ]
    .into_iter()
    .enumerate()
    {
        let dag = build(|| {
            let proven: Vec<_> = (0..500).map(|_| step(None, None)).collect();
            let join = join().after(proven);
            for position in 0..tail {
                let waits = (position == place).then_some(gate);
                let opens = (position == tail - 1).then_some(gate);
                step(waits, opens).after(join);
            }
            join
        });
        let report = live(dag.run().engine(&workers(2)));
        assert!(report.is_success(), "with the long task at {place} of {tail}");
    }
}

/// The same with results: what has ended before the long task began must be known to those who
/// depend on it.
#[test]
fn a_long_task_does_not_delay_the_downstreams_of_short_ones() {
    static GATES: [Gate; 6] = [const { Gate::new() }; 6];
    #[task]
    fn step(waits: Option<usize>) -> u32 {
        if let Some(gate) = waits {
            GATES[gate].pass();
        }
        1
    }
    #[task]
    fn join() {}
    #[task]
    fn opens(gate: usize, _steps: Vec<u32>) {
        GATES[gate].open();
    }
    for (gate, (tail, place)) in [(2, 1), (5, 4), (10, 5), (60, 59), (60, 20), (200, 199)].into_iter().enumerate() {
        let dag = build(|| {
            let proven: Vec<_> = (0..500).map(|_| step(None)).collect();
            let join = join().after(proven);
            let mut short = Vec::new();
            for position in 0..tail {
                if position == place {
                    step(Some(gate)).after(join);
                } else {
                    short.push(step(None).after(join));
                }
            }
            opens(gate, short)
        });
        let report = live(dag.run().engine(&workers(2)));
        assert!(report.is_success(), "with the long task at {place} of {tail}");
    }
}

/// The worker that is free is not the one that took the tasks: it comes from another run.
#[test]
fn a_long_task_does_not_delay_those_behind_it_when_another_run_ends() {
    static OTHER: Gate = Gate::new();
    static OTHER_STARTED: Gate = Gate::new();
    static LAST: Gate = Gate::new();
    #[task]
    fn other() {
        OTHER_STARTED.open();
        OTHER.pass();
    }
    #[task]
    fn step(number: u32) {
        match number {
            1 => {
                OTHER.open();
                LAST.pass();
            }
            2 => LAST.open(),
            _ => {}
        }
    }
    #[task]
    fn join() {}
    let engine = workers(2);
    let busy = start(&build(other), &engine);
    OTHER_STARTED.pass();
    let dag = build(|| {
        let proven: Vec<_> = (0..500).map(|_| step(0)).collect();
        let join = join().after(proven);
        step(1).after(join);
        for _ in 0..20 {
            step(0).after(join);
        }
        step(2).after(join)
    });
    assert!(finish(start(&dag, &engine)).is_success());
    assert!(finish(busy).is_success());
}

/// Long tasks all over a wide graph of short ones, each waiting for the next long one but the last:
/// they all run at once only if nothing blocks them, and with as many workers as long tasks
/// nothing may.
#[test]
fn several_long_tasks_run_on_several_workers() {
    static LONG: Meter = Meter::new();
    #[task]
    fn step(long: bool) {
        if long {
            let _inside = LONG.enter();
            LONG.wait_for(4);
        }
    }
    #[task]
    fn join() {}
    let dag = build(|| {
        let proven: Vec<_> = (0..500).map(|_| step(false)).collect();
        let join = join().after(proven);
        for position in 0..400 {
            step(position % 100 == 50).after(join);
        }
        join
    });
    assert!(live(dag.run().engine(&workers(4))).is_success());
    assert_eq!(LONG.peak(), 4);
}
