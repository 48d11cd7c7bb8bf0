//! How a task ends itself early: `ctx.skip` and `ctx.fail`, through every type of error.

#![allow(clippy::needless_pass_by_value, reason = "tasks take what their parameters say")]

use std::error::Error;
use std::fmt;

use taskflow::engine::{RunState, TaskState};
use taskflow::prelude::*;
use taskflow::tasks::{Abort, Interrupt};
use taskflow_tests::common::{self, failure_of, on_both_drivers, state_of, states};

/// An error of the user's own that keeps its source.
#[derive(Debug)]
struct Wrapped(Box<dyn Error + Send + Sync>);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("while loading")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

impl From<Interrupt> for Wrapped {
    fn from(interrupt: Interrupt) -> Self {
        Wrapped(Box::new(interrupt))
    }
}

fn asked(how: &str, ctx: &TaskContext) -> Interrupt {
    if how == "skip" { ctx.skip("no file today") } else { ctx.fail("the table is gone") }
}

#[task(retries = 3)]
fn boxed(how: &str, ctx: &TaskContext) -> Result<u32> {
    Err(asked(how, ctx))?
}

#[task(retries = 3)]
fn as_anyhow(how: &str, ctx: &TaskContext) -> Result<u32, anyhow::Error> {
    Err(asked(how, ctx))?
}

#[task(retries = 3)]
fn anyhow_with_context(how: &str, ctx: &TaskContext) -> anyhow::Result<u32> {
    use anyhow::Context;
    Err(asked(how, ctx)).context("while reading").context("while starting")
}

#[task(retries = 3)]
fn as_string(how: &str, ctx: &TaskContext) -> Result<u32, String> {
    Err(asked(how, ctx).to_string())
}

#[task(retries = 3)]
fn as_it_is(how: &str, ctx: &TaskContext) -> Result<u32, Interrupt> {
    Err(asked(how, ctx))
}

#[task(retries = 3)]
fn as_own_type(how: &str, ctx: &TaskContext) -> Result<u32, Wrapped> {
    Err(asked(how, ctx))?
}

#[task(retries = 3)]
async fn in_async(how: &str, ctx: &TaskContext) -> Result<u32> {
    tokio::task::yield_now().await;
    Err(asked(how, ctx))?
}

#[task(retries = 3, blocking)]
fn in_blocking(how: &str, ctx: &TaskContext) -> Result<u32> {
    Err(asked(how, ctx))?
}

/// One of each.
fn all(how: &'static str) -> Vec<Output<u32>> {
    vec![
        boxed(how),
        as_anyhow(how),
        anyhow_with_context(how),
        as_string(how),
        as_it_is(how),
        as_own_type(how),
        in_async(how),
        in_blocking(how),
    ]
}

#[task]
fn count(numbers: Vec<Option<u32>>) -> (usize, usize) {
    (numbers.len(), numbers.iter().flatten().count())
}

#[task]
fn kinds(numbers: Vec<Result<u32, Failure>>) -> Vec<String> {
    numbers.into_iter().map(|number| number.map_or_else(|failure| failure.to_string(), |n| n.to_string())).collect()
}

fn build<T: taskflow::Value>(body: impl FnOnce() -> Output<T>) -> Dag<T> {
    Dag::build("early", body).expect("the graph is sound")
}

#[test]
fn a_task_can_skip_itself_with_every_error_type() {
    let dag = build(|| count(all("skip")));
    on_both_drivers(&dag, |report| {
        for task in report.tasks().filter(|task| task.id() != "count") {
            assert_eq!((task.state(), task.attempt_count()), (TaskState::Skipped, 1), "{}", task.id());
            let Some(Failure::Skipped { reason }) = task.failure().as_deref().cloned() else { panic!("{task:?}") };
            assert_eq!(reason, "no file today", "{}", task.id());
        }
        assert_eq!(report.result(), Some(&(8, 0)));
        assert_eq!(report.state(), RunState::Success);
    });
}

#[test]
fn a_task_can_fail_without_retry_with_every_error_type() {
    let dag = build(|| kinds(all("fail")));
    on_both_drivers(&dag, |report| {
        for task in report.tasks().filter(|task| task.id() != "kinds") {
            assert_eq!((task.state(), task.attempt_count()), (TaskState::Failed, 1), "{}", task.id());
            let Some(Failure::Error { chain, retryable }) = task.failure().as_deref().cloned() else {
                panic!("{task:?}")
            };
            assert!(!retryable, "{}", task.id());
            assert!(chain.iter().any(|message| message == "the table is gone"), "{}: {chain:?}", task.id());
        }
        assert_eq!(report.state(), RunState::Success, "the failures were dealt with");
    });
}

/// An error type into which an interrupt cannot be converted.
#[derive(Debug, Clone, Copy, PartialEq)]
enum LoadError {
    NothingLanded,
    TableGone,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LoadError::NothingLanded => "nothing landed",
            LoadError::TableGone => "the table is gone",
        })
    }
}

impl Error for LoadError {}

/// E2: `ctx.skip_with` and `ctx.fail_with` return the error that they are given.
#[test]
fn a_task_can_skip_or_fail_with_an_error_of_its_own() {
    #[task(retries = 3)]
    fn skips(ctx: &TaskContext) -> Result<u32, LoadError> {
        Err(ctx.skip_with(LoadError::NothingLanded))
    }
    #[task(retries = 3)]
    async fn fails(ctx: &TaskContext) -> Result<u32, LoadError> {
        Err(ctx.fail_with(LoadError::TableGone))
    }
    #[task(retries = 1, retry_delay = "0s")]
    fn fails_twice(ctx: &TaskContext) -> Result<u32, LoadError> {
        let _unused = ctx.skip_with(LoadError::NothingLanded);
        Err(LoadError::TableGone)
    }
    let dag = build(|| {
        skips();
        fails_twice();
        fails()
    });
    on_both_drivers(&dag, |report| {
        assert_eq!(states(report), "skips=skipped fails_twice=failed fails=failed");
        let attempts = ["skips", "fails_twice", "fails"].map(|id| report.task(id).unwrap().attempt_count());
        assert_eq!(attempts, [1, 2, 1]);
        assert_eq!(failure_of(report, "skips"), "skipped: nothing landed");
        assert_eq!(failure_of(report, "fails"), "the table is gone");
    });
    assert_eq!(skips::call(&TaskContext::detached("skips")), Err(LoadError::NothingLanded));
}

#[test]
fn a_failure_keeps_its_error_chain() {
    let dag = build(|| {
        as_own_type("fail");
        anyhow_with_context("fail")
    });
    on_both_drivers(&dag, |report| {
        let chain = |id: &str| match report.task(id).and_then(|task| task.failure()).as_deref() {
            Some(Failure::Error { chain, .. }) => chain.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(chain("as_own_type"), ["while loading", "the table is gone"]);
        assert_eq!(chain("anyhow_with_context"), ["while starting", "while reading", "the table is gone"]);
        let failure = report.task("as_own_type").and_then(|task| task.failure()).expect("it failed");
        assert_eq!(failure.causes(), ["the table is gone"]);
        assert_eq!(failure.to_string(), "while loading");
    });
}

#[test]
fn a_skip_propagates_to_tasks_that_need_the_value() {
    #[task]
    fn needs(number: u32) -> u32 {
        number
    }
    let dag = build(|| needs(needs(boxed("skip"))));
    on_both_drivers(&dag, |report| {
        assert_eq!(states(report), "boxed=skipped needs=skipped needs_2=skipped");
        assert_eq!(failure_of(report, "boxed"), "skipped: no file today");
        assert_eq!(failure_of(report, "needs_2"), "skipped: upstream task `boxed` was skipped");
        assert_eq!(report.state(), RunState::Success);
        assert_eq!(report.result(), None);
    });
}

#[test]
fn a_task_can_skip_itself_in_a_later_attempt() {
    #[task(retries = 3, retry_delay = "0s")]
    fn gives_up(ctx: &TaskContext) -> Result<u32> {
        if ctx.attempt() < 3 { Err("not yet")? } else { Err(ctx.skip("never"))? }
    }
    on_both_drivers(&build(gives_up), |report| {
        let task = report.task("gives_up").expect("there is such a task");
        assert_eq!((task.state(), task.attempt_count()), (TaskState::Skipped, 3));
    });
}

#[test]
fn an_interrupt_that_is_not_returned_changes_nothing() {
    #[task]
    fn succeeds(ctx: &TaskContext) -> u32 {
        let _unused = ctx.skip("unused");
        5
    }
    #[task(retries = 1, retry_delay = "0s")]
    fn fails(ctx: &TaskContext) -> Result<u32> {
        let _unused = ctx.skip("unused");
        Err("something else")?
    }
    let dag = build(|| {
        fails();
        succeeds()
    });
    on_both_drivers(&dag, |report| {
        assert_eq!(report.result(), Some(&5));
        let fails = report.task("fails").expect("there is such a task");
        assert_eq!((fails.state(), fails.attempt_count()), (TaskState::Failed, 2));
    });
}

#[test]
fn a_failure_with_the_message_of_an_unused_skip_is_a_failure() {
    #[task]
    fn fails(ctx: &TaskContext) -> Result<u32> {
        let _unused = ctx.skip("row 1");
        Err("row 17 has no key")?
    }
    #[task]
    fn fails_too(ctx: &TaskContext) -> Result<u32> {
        let _unused = ctx.skip("");
        Err("the disk is full")?
    }
    let dag = build(|| {
        fails();
        fails_too()
    });
    on_both_drivers(&dag, |report| assert_eq!(states(report), "fails=failed fails_too=failed"));
}

#[test]
fn the_returned_one_of_several_interrupts_takes_effect() {
    #[task]
    fn plain(ctx: &TaskContext) -> Result<u32> {
        let (skip, _fail) = (ctx.skip("nothing to do"), ctx.fail("broken"));
        Err(skip)?
    }
    #[task]
    fn hidden(ctx: &TaskContext) -> anyhow::Result<u32> {
        let (skip, _fail) = (ctx.skip("nothing to do"), ctx.fail("broken"));
        Err(anyhow::Error::from(skip).context("hidden"))
    }
    let dag = build(|| {
        plain();
        hidden()
    });
    on_both_drivers(&dag, |report| assert_eq!(states(report), "plain=skipped hidden=skipped"));
}

/// Each attempt has its own; what an earlier one asked for does not count in the next.
#[test]
fn an_interrupt_of_an_earlier_attempt_is_forgotten() {
    #[task(retries = 2, retry_delay = "0s")]
    fn fails(ctx: &TaskContext) -> Result<u32, String> {
        if ctx.attempt() == 1 {
            let _unused = ctx.skip("sorry");
            return Err("first".to_owned());
        }
        Err("sorry".to_owned())
    }
    on_both_drivers(&build(fails), |report| {
        let task = report.task("fails").expect("there is such a task");
        assert_eq!((task.state(), task.attempt_count()), (TaskState::Failed, 3));
    });
}

#[test]
fn errors_of_every_type_keep_their_message() {
    #[task]
    fn text() -> Result<u32, &'static str> {
        Err("a text")
    }
    #[task]
    fn string() -> Result<u32, String> {
        Err("a string".to_owned())
    }
    #[task]
    fn io() -> std::io::Result<u32> {
        Err(std::io::Error::other("a disk"))
    }
    #[task]
    fn number() -> Result<u32> {
        Ok("x".parse::<u32>()?)
    }
    let dag = build(|| {
        text();
        string();
        io();
        number()
    });
    on_both_drivers(&dag, |report| {
        let texts = ["text", "string", "io", "number"].map(|id| failure_of(report, id));
        assert_eq!(texts, ["a text", "a string", "a disk", "invalid digit found in string"]);
    });
}

#[test]
fn a_task_can_be_unit_tested_with_a_detached_context() {
    let error = boxed::call("skip", &TaskContext::detached("boxed")).expect_err("it skips");
    let interrupt = error.downcast_ref::<Interrupt>().expect("the error is the interrupt itself");
    assert_eq!((interrupt.kind(), interrupt.reason()), (Abort::Skip, "no file today"));
    let error = boxed::call("fail", &TaskContext::detached("boxed")).expect_err("it fails");
    assert_eq!(error.downcast_ref::<Interrupt>().map(Interrupt::kind), Some(Abort::Fail));
}

#[test]
fn the_error_of_a_run_names_the_task_and_its_failure() {
    let dag = build(|| {
        as_string("fail");
        boxed("skip")
    });
    let report = common::reference(dag.run());
    assert_eq!(state_of(&report, "boxed"), TaskState::Skipped);
    let run_id = report.run().run_id.clone();
    let error = report.into_result().expect_err("a task failed");
    assert_eq!(error.to_string(), format!("run {run_id} ended as failed: task `as_string`: the table is gone"));
    assert_eq!(error.task.as_deref(), Some("as_string"));

    let report = common::reference(build(|| boxed("skip")).run());
    let run_id = report.run().run_id.clone();
    let error = report.into_result().expect_err("there is no result");
    let expected = format!("run {run_id} ended as success without a result: the task that produces it was skipped");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn the_reason_of_a_skip_names_the_skipped_upstream() {
    #[task]
    fn looks(boxed: Option<u32>) -> bool {
        boxed.is_some()
    }
    #[task]
    fn needs_both(number: u32, _looked: bool) -> u32 {
        number
    }
    let dag = build(|| {
        let skipped = boxed("skip");
        needs_both(skipped, looks(skipped))
    });
    on_both_drivers(&dag, |report| {
        assert_eq!(states(report), "boxed=skipped looks=success needs_both=skipped");
        assert_eq!(failure_of(report, "needs_both"), "skipped: upstream task `boxed` was skipped");
    });
}
