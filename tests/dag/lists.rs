//! Several upstreams of one parameter: lists of values, of options and of results.
#![allow(
    clippy::needless_pass_by_value,
    clippy::ptr_arg,
    reason = "how tasks take their inputs is what is tested here"
)]

use taskflow::prelude::*;
use taskflow_tests::common::{on_both_drivers, state_of, states};

use crate::edges::{assert_ends, number, upstream};

#[task]
pub(crate) fn list(numbers: Vec<u32>) -> String {
    format!("{numbers:?}")
}

#[task]
pub(crate) fn list_of_options(numbers: Vec<Option<u32>>) -> String {
    format!("{numbers:?}")
}

#[task]
fn list_of_results(numbers: Vec<Result<u32, Failure>>) -> String {
    let kinds = numbers.iter().map(|number| match number {
        Ok(number) => number.to_string(),
        Err(failure) => failure.kind().to_owned(),
    });
    kinds.collect::<Vec<_>>().join(",")
}

#[test]
fn a_list_requires_every_upstream_to_succeed() {
    let expected =
        ["success [7, 7]", "upstream_failed -", "upstream_failed -", "skipped -", "upstream_failed -", "skipped -"];
    assert_ends(|end| list([upstream(end), number("success")]), expected);
    assert_ends(|end| list([number("success"), upstream(end)]), expected);
    assert_ends(|end| list(vec![number("success"), upstream(end)]), expected);
}

#[test]
fn a_list_of_options_has_none_for_skipped_upstreams() {
    let expected = [
        "success [Some(7), Some(7)]",
        "upstream_failed -",
        "upstream_failed -",
        "success [None, Some(7)]",
        "upstream_failed -",
        "success [None, Some(7)]",
    ];
    assert_ends(|end| list_of_options([upstream(end), number("success")]), expected);
    assert_ends(|end| list_of_options(vec![upstream(end), number("success")]), expected);
}

#[test]
fn a_list_of_results_receives_every_outcome() {
    let expected = [
        "success 7,7",
        "success error,7",
        "success panic,7",
        "success skipped,7",
        "success upstream_failed,7",
        "success skipped,7",
    ];
    assert_ends(|end| list_of_results([upstream(end), number("success")]), expected);
    assert_ends(|end| list_of_results(vec![upstream(end), number("success")]), expected);
}

#[test]
fn a_list_fails_if_upstreams_failed_and_skipped() {
    for (first, second) in [("failed", "skipped"), ("skipped", "failed")] {
        let dag = Dag::build("both", || list([number(first), number(second)]).id("down")).expect("the graph is sound");
        on_both_drivers(&dag, |report| assert_eq!(state_of(report, "down").name(), "upstream_failed"));
        let dag = Dag::build("both", || list_of_options([number(first), number(second)]).id("down"));
        on_both_drivers(&dag.expect("the graph is sound"), |report| {
            assert_eq!(state_of(report, "down").name(), "upstream_failed");
        });
    }
}

#[test]
fn a_list_keeps_its_written_order() {
    #[task]
    fn is(number: u32) -> u32 {
        number
    }
    let dag = Dag::build("order", || list((0..100).rev().map(is).collect::<Vec<_>>())).expect("the graph is sound");
    on_both_drivers(&dag, |report| {
        let expected: Vec<u32> = (0..100).rev().collect();
        assert_eq!(report.result(), Some(&format!("{expected:?}")));
    });
}

#[test]
fn a_list_can_repeat_an_upstream() {
    let dag = Dag::build("twice", || {
        let up = number("success");
        list(vec![up; 3])
    });
    on_both_drivers(&dag.expect("the graph is sound"), |report| {
        assert_eq!(report.result().map(String::as_str), Some("[7, 7, 7]"));
    });
}

#[test]
fn a_task_can_take_an_empty_list() {
    let dag = Dag::build("empty", || {
        list_of_options(Vec::<Output<u32>>::new()).id("options");
        list_of_results([] as [Output<u32>; 0]).id("results");
        list(Vec::<Output<u32>>::new()).id("values")
    });
    on_both_drivers(&dag.expect("the graph is sound"), |report| {
        assert_eq!(report.result().map(String::as_str), Some("[]"));
        assert_eq!(states(report), "options=success results=success values=success");
    });
}

#[test]
fn a_slice_and_a_borrowed_list_take_several_upstreams() {
    #[task]
    fn slice(numbers: &[u32]) -> usize {
        numbers.len()
    }
    #[task]
    fn borrowed(numbers: &Vec<Option<u32>>) -> usize {
        numbers.iter().flatten().count()
    }
    #[task]
    fn sum(a: usize, b: usize) -> usize {
        a * 10 + b
    }
    let dag = Dag::build("borrow", || {
        let (a, b) = (number("success"), number("skipped"));
        sum(slice([a, a, a]), borrowed([a, b]))
    });
    on_both_drivers(&dag.expect("the graph is sound"), |report| assert_eq!(report.result(), Some(&31)));
}
