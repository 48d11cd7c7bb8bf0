//! One edge kind for each parameter type: when the task runs, and what it receives.
#![allow(
    clippy::needless_pass_by_value,
    clippy::option_option,
    reason = "how tasks take their inputs is what is tested here"
)]

use taskflow::engine::RunState;
use taskflow::prelude::*;
use taskflow_tests::common::{failure_of, finish, on_both_drivers, state_of, states};

/// Ends in the requested way; a success returns 7.
#[task]
pub(crate) fn number(how: &str, ctx: &TaskContext) -> Result<u32> {
    match how {
        "success" => Ok(7),
        "failed" => Err("no number today")?,
        "panicked" => panic!("a number made me panic"),
        "skipped" => Err(ctx.skip("no number needed"))?,
        _ => unreachable!("`{how}` is no end"),
    }
}

#[task]
fn pass_on(number: u32) -> u32 {
    number
}

/// A task `up` with this end.
pub(crate) fn upstream(end: &str) -> Output<u32> {
    match end {
        "upstream_failed" => pass_on(number("failed").id("root")).id("up"),
        "upstream_skipped" => pass_on(number("skipped").id("root")).id("up"),
        end => number(end).id("up"),
    }
}

const ENDS: [&str; 6] = ["success", "failed", "panicked", "skipped", "upstream_failed", "upstream_skipped"];

/// Runs `build` once for each end of its upstream on both drivers, and compares the state of the
/// task `down` and what it returned with `expected`, written `state value`.
#[track_caller]
pub(crate) fn assert_ends(build: impl Fn(&'static str) -> Output<String>, expected: [&str; 6]) {
    for (end, expected) in ENDS.into_iter().zip(expected) {
        let dag = Dag::build("edge", || build(end).id("down")).expect("the graph is sound");
        on_both_drivers(&dag, |report| {
            let value = report.result().map_or("-", String::as_str);
            assert_eq!(format!("{} {value}", state_of(report, "down")), expected, "after an upstream that {end}");
        });
    }
}

const REQUIRED: [&str; 6] =
    ["success 7", "upstream_failed -", "upstream_failed -", "skipped -", "upstream_failed -", "skipped -"];

#[test]
fn a_value_requires_a_successful_upstream() {
    #[task]
    fn by_value(number: u32) -> String {
        number.to_string()
    }
    assert_ends(|end| by_value(upstream(end)), REQUIRED);
}

#[test]
fn a_reference_requires_a_successful_upstream() {
    #[task]
    fn by_reference(number: &u32) -> String {
        number.to_string()
    }
    assert_ends(|end| by_reference(upstream(end)), REQUIRED);
}

#[test]
fn a_slice_borrows_from_the_vector_of_an_upstream() {
    #[task]
    fn twice(number: u32) -> Vec<u32> {
        vec![number, number]
    }
    #[task]
    fn slice(numbers: &[u32]) -> String {
        (numbers.iter().sum::<u32>() / 2).to_string()
    }
    assert_ends(|end| slice(twice(upstream(end))), REQUIRED);
}

#[test]
fn a_str_borrows_from_the_string_of_an_upstream() {
    #[task]
    fn word(number: u32) -> String {
        number.to_string()
    }
    #[task]
    fn text(word: &str) -> String {
        word.to_owned()
    }
    assert_ends(|end| text(word(upstream(end))), REQUIRED);
}

#[test]
fn async_and_blocking_tasks_take_references_too() {
    #[task]
    async fn in_async(number: &u32, words: &[String], word: &str) -> String {
        tokio::task::yield_now().await;
        format!("{number} {words:?} {word}")
    }
    #[task(blocking)]
    fn in_blocking(number: &u32, words: &[String], word: &str) -> String {
        format!("{number} {words:?} {word}")
    }
    let words = || vec!["a".to_owned(), "b".to_owned()];
    let dag = Dag::build("kinds", || {
        let number = number("success");
        in_async(number, words(), "c");
        in_blocking(number, words(), in_async(number, words(), "d"))
    });
    on_both_drivers(&dag.expect("the graph is sound"), |report| {
        assert_eq!(report.result().map(String::as_str), Some(r#"7 ["a", "b"] 7 ["a", "b"] d"#));
    });
}

const OPTIONAL: [&str; 6] =
    ["success Some(7)", "upstream_failed -", "upstream_failed -", "success None", "upstream_failed -", "success None"];

#[test]
fn an_option_is_none_after_a_skip() {
    #[task]
    fn maybe(number: Option<u32>) -> String {
        format!("{number:?}")
    }
    assert_ends(|end| maybe(upstream(end)), OPTIONAL);
}

#[test]
fn an_option_can_be_borrowed() {
    #[task]
    fn maybe(number: &Option<u32>) -> String {
        format!("{number:?}")
    }
    assert_ends(|end| maybe(upstream(end)), OPTIONAL);
}

#[test]
fn an_option_returned_by_an_upstream_is_an_ordinary_value() {
    #[task]
    fn nothing() -> Option<u32> {
        None
    }
    #[task]
    fn both(as_it_is: Option<u32>, wrapped: Option<Option<u32>>) -> String {
        format!("{as_it_is:?} {wrapped:?}")
    }
    let dag = Dag::build("options", || both(nothing(), nothing()));
    on_both_drivers(&dag.expect("the graph is sound"), |report| {
        assert_eq!(report.result().map(String::as_str), Some("None Some(None)"));
    });
}

#[test]
fn a_result_receives_every_outcome() {
    #[task]
    fn outcome(number: Result<u32, Failure>) -> String {
        match number {
            Ok(number) => number.to_string(),
            Err(failure) => format!("{}: {failure}", failure.kind()),
        }
    }
    for (end, expected) in ENDS.into_iter().zip([
        "7",
        "error: no number today",
        "panic: panicked at tests/dag/edges.rs:",
        "skipped: skipped: no number needed",
        "upstream_failed: upstream task `root` failed",
        "skipped: skipped: upstream task `root` was skipped",
    ]) {
        let dag = Dag::build("edge", || outcome(upstream(end))).expect("the graph is sound");
        on_both_drivers(&dag, |report| {
            let seen = report.result().map_or("-", String::as_str);
            let matches = if end == "panicked" {
                seen.starts_with(expected) && seen.ends_with("a number made me panic")
            } else {
                seen == expected
            };
            assert!(matches, "after an upstream that {end} it saw `{seen}`");
            assert_eq!(report.state(), RunState::Success, "a failure that was dealt with does not fail the run");
        });
    }
}

#[test]
fn a_result_can_be_borrowed_and_keeps_the_error_chain() {
    #[task]
    fn deep() -> Result<u32, anyhow::Error> {
        Err(anyhow::anyhow!("disk full").context("cannot write").context("cannot save"))
    }
    #[task]
    fn chain(outcome: &Result<u32, Failure>) -> Vec<String> {
        match outcome {
            Err(Failure::Error { chain, retryable: true }) => chain.clone(),
            other => vec![format!("{other:?}")],
        }
    }
    let dag = Dag::build("chain", || chain(deep())).expect("the graph is sound");
    on_both_drivers(&dag, |report| {
        let expected = ["cannot save", "cannot write", "disk full"].map(str::to_owned);
        assert_eq!(report.result().map(Vec::as_slice), Some(&expected[..]));
    });
}

// How a skip and a failure travel.

#[test]
fn skips_and_failures_name_the_task_that_caused_them() {
    for (end, state, text) in [
        ("failed", "upstream_failed", "upstream task `up` failed"),
        ("skipped", "skipped", "skipped: upstream task `up` was skipped"),
    ] {
        let dag = Dag::build("far", || {
            let mut last = upstream(end);
            for step in 0..5 {
                last = pass_on(last).id(format!("step-{step}"));
            }
            last
        });
        on_both_drivers(&dag.expect("the graph is sound"), |report| {
            assert_eq!(state_of(report, "step-4").name(), state);
            assert_eq!(failure_of(report, "step-4"), text);
        });
    }
}

#[test]
fn only_an_unhandled_failure_fails_the_run() {
    #[task]
    fn handles(_number: Result<u32, Failure>) {}

    let handled = Dag::build("handled", || handles(number("failed"))).expect("the graph is sound");
    on_both_drivers(&handled, |report| assert_eq!(report.state(), RunState::Success));

    let unhandled = Dag::build("unhandled", || {
        let up = number("failed");
        pass_on(up).id("ignores");
        handles(up)
    });
    on_both_drivers(&unhandled.expect("the graph is sound"), |report| {
        assert_eq!(report.state(), RunState::Failed);
        assert_eq!(states(report), "number=failed ignores=upstream_failed handles=success");
    });
}

/// A DAG may be run any number of times, also at once, with values of its own each time.
#[test]
fn runs_of_one_graph_are_independent() {
    #[task]
    fn label(given: u32, ctx: &TaskContext) -> String {
        format!("{given} {}", ctx.run_id())
    }
    #[dag]
    fn labelled(given: u32) -> String {
        label(given)
    }
    let handles: Vec<_> = (0..20).map(|given| labelled::run(given).start().expect("the graph is sound")).collect();
    for (given, handle) in handles.into_iter().enumerate() {
        let expected = format!("{given} {}", handle.info().run_id);
        assert_eq!(finish(handle).result(), Some(&expected));
    }
}
