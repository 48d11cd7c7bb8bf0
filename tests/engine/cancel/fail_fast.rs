//! Runs that end with their first failure.

use std::time::Duration;

use taskflow::DagOptions;
use taskflow::engine::{Event, RunState, TaskState};
use taskflow::prelude::*;
use taskflow_tests::common::{Gate, live, reference, state_of, states};

use super::support::{after, build, fine};
use crate::support::{OpensWhenDropped, workers};

#[task(retries = 2, retry_delay = "0s")]
fn fails() -> Result<u32> {
    Err("broken")?
}

#[test]
fn with_fail_fast_the_first_failure_ends_the_run() {
    static STARTED: Gate = Gate::new();
    static AWAITS_ITS_RETRY: Gate = Gate::new();
    static DROPPED: Gate = Gate::new();
    #[task]
    async fn running() {
        let _guard = OpensWhenDropped(&DROPPED);
        STARTED.open();
        std::future::pending::<()>().await;
    }
    #[task(retries = 1, retry_delay = "1h")]
    fn waiting_for_a_retry() -> Result<()> {
        Err("later")?
    }
    // Not before the run knows of the other failure: a task that fails after the end of the run is
    // cancelled.
    #[task(retries = 2, retry_delay = "0s")]
    fn fails_after_the_others() -> Result<u32> {
        STARTED.pass();
        AWAITS_ITS_RETRY.pass();
        Err("broken")?
    }
    #[task]
    fn needs(number: u32) -> u32 {
        number
    }
    let dag = build(|| {
        after(running());
        waiting_for_a_retry();
        needs(fails_after_the_others())
    });
    // The second sync task waits for the first, so there is a worker for each.
    let request = dag.run().engine(&workers(2)).fail_fast(true).grace(Duration::MAX).observe(|event: &Event| {
        if let Event::Task { to: TaskState::UpForRetry, .. } = event {
            AWAITS_ITS_RETRY.open();
        }
    });
    let report = live(request);
    DROPPED.pass();
    assert_eq!(state_of(&report, "running"), TaskState::Cancelled);
    assert_eq!(state_of(&report, "after"), TaskState::Skipped);
    assert_eq!(state_of(&report, "waiting_for_a_retry"), TaskState::Skipped);
    assert_eq!(state_of(&report, "fails_after_the_others"), TaskState::Failed);
    assert_eq!(report.task("fails_after_the_others").map(|task| task.attempt_count()), Some(3), "retries come first");
    assert_eq!(state_of(&report, "needs"), TaskState::Skipped);
    assert_eq!(report.state(), RunState::Failed);
    assert_eq!(report.halt_reason(), Some("`fails_after_the_others` failed, and the run fails fast"));
    let error = report.into_result().expect_err("it failed");
    assert_eq!(error.task.as_deref(), Some("fails_after_the_others"));
}

#[test]
fn fail_fast_is_an_option_of_the_dag_and_of_the_run() {
    let mut options = DagOptions::NONE;
    options.fail_fast = true;
    let draw = || {
        let failed = fails();
        fine().after(failed).trigger_rule(TriggerRule::AllDone)
    };
    let fast = Dag::build_with("fast", options, draw).expect("the graph is sound");
    let slow = build(draw);
    for (report, expected) in [
        (reference(fast.run()), "fails=failed fine=skipped"),
        (reference(fast.run().fail_fast(false)), "fails=failed fine=success"),
        (reference(slow.run()), "fails=failed fine=success"),
        (reference(slow.run().fail_fast(true)), "fails=failed fine=skipped"),
        (live(fast.run()), "fails=failed fine=skipped"),
        (live(fast.run().fail_fast(false)), "fails=failed fine=success"),
    ] {
        assert_eq!(states(&report), expected);
    }
}

#[test]
fn a_skip_does_not_end_a_fail_fast_run() {
    #[task]
    fn skips(ctx: &TaskContext) -> Result<u32> {
        Err(ctx.skip("nothing today"))?
    }
    let dag = build(|| {
        let skipped = skips();
        fine().after(skipped).trigger_rule(TriggerRule::AllSkipped)
    });
    for report in [reference(dag.run().fail_fast(true)), live(dag.run().fail_fast(true))] {
        assert_eq!(states(&report), "skips=skipped fine=success");
        assert_eq!(report.state(), RunState::Success);
    }
}

#[test]
fn without_fail_fast_everything_that_can_run_runs() {
    #[task]
    fn needs(_number: u32) {}
    let dag = build(|| {
        needs(fails());
        for _ in 0..10 {
            needs(fine());
        }
        fine()
    });
    let report = live(dag.run());
    let count = |state| report.tasks().filter(|task| task.state() == state).count();
    assert_eq!([TaskState::Failed, TaskState::UpstreamFailed, TaskState::Success].map(count), [1, 1, 21]);
}
