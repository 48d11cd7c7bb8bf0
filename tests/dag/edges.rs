//! One edge kind for each parameter type: when the task runs, and what it receives.
#![allow(
    clippy::needless_pass_by_value,
    clippy::option_option,
    clippy::ptr_arg,
    clippy::too_many_arguments,
    reason = "how tasks take their inputs is what is tested here"
)]

use serde::{Deserialize, Serialize};
use taskflow::engine::RunState;
use taskflow::graph::{ArgPlan, EdgeKind, NodeIndex};
use taskflow::prelude::*;
use taskflow_tests::common::{Gate, both, failure_of, finish, live, on_both_drivers, reference, state_of, states};

/// Ends in the requested way; a success returns 7.
#[task]
fn number(how: &str, ctx: &TaskContext) -> Result<u32> {
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
fn upstream(end: &str) -> Output<u32> {
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
fn assert_ends(build: impl Fn(&'static str) -> Output<String>, expected: [&str; 6]) {
    for (end, expected) in ENDS.into_iter().zip(expected) {
        let dag = Dag::build("edge", || build(end).id("down")).expect("the graph is sound");
        on_both_drivers(&dag, |report| {
            let value = report.result().map_or("-", String::as_str);
            assert_eq!(format!("{} {value}", state_of(report, "down")), expected, "after an upstream that {end}");
        });
    }
}

// One upstream.

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

// Several upstreams.

#[task]
fn list(numbers: Vec<u32>) -> String {
    format!("{numbers:?}")
}

#[task]
fn list_of_options(numbers: Vec<Option<u32>>) -> String {
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

// The first of several.

#[task]
fn first(number: AnyOf<u32>) -> String {
    format!("{} from {}", *number, number.index())
}

#[test]
fn any_of_requires_one_success() {
    let expected = [
        "success 7 from 0",
        "upstream_failed -",
        "upstream_failed -",
        "upstream_failed -",
        "upstream_failed -",
        "upstream_failed -",
    ];
    assert_ends(|end| first([upstream(end), number("failed")]), expected);

    let expected =
        ["success 7 from 1", "upstream_failed -", "upstream_failed -", "skipped -", "upstream_failed -", "skipped -"];
    assert_ends(|end| first(vec![number("skipped"), upstream(end)]), expected);
}

#[test]
fn any_of_reports_which_upstream_succeeded() {
    for winner in 0..4 {
        let dag = Dag::build("index", || {
            let ends = (0..4).map(|index| match index {
                index if index == winner => "success",
                1 => "skipped",
                2 => "panicked",
                _ => "failed",
            });
            first(ends.map(number).collect::<Vec<_>>())
        });
        on_both_drivers(&dag.expect("the graph is sound"), |report| {
            assert_eq!(report.result(), Some(&format!("7 from {winner}")));
        });
    }
}

#[test]
fn any_of_does_not_wait_for_the_rest() {
    static FIRST_RAN: Gate = Gate::new();
    #[task(blocking)]
    fn slow() -> u32 {
        FIRST_RAN.pass();
        1
    }
    #[task]
    fn quick() -> u32 {
        2
    }
    #[task]
    fn takes_the_first(number: AnyOf<u32>) -> (u32, usize) {
        FIRST_RAN.open();
        let index = number.index();
        (number.into_inner(), index)
    }
    let dag = Dag::build("race", || takes_the_first([slow(), quick()])).expect("the graph is sound");
    let report = live(dag.run());
    assert_eq!(report.result(), Some(&(2, 1)));
    assert_eq!(states(&report), "slow=success quick=success takes_the_first=success");
}

/// What comes later must not take the place of what came first, however long the task waits for
/// something else.
#[test]
fn any_of_keeps_the_first_success() {
    #[task]
    fn is(number: u32) -> u32 {
        number
    }
    #[task]
    fn first_and_gate(number: AnyOf<u32>, other: AnyOf<u32>, _gate: ()) -> (u32, usize, u32, usize) {
        (*number, number.index(), *other, other.index())
    }
    #[task]
    fn gate() {}

    let dag = Dag::build("late", || {
        let (early, late, last) = (is(10).id("early"), is(20).id("late"), is(30).id("last"));
        chain((early, late, last));
        // In the second list only the later two take part, so its first is another.
        first_and_gate([last, late, early], [last, late], gate().after(last))
    });
    on_both_drivers(&dag.expect("the graph is sound"), |report| {
        assert_eq!(report.result(), Some(&(10, 2, 20, 1)));
    });
    // In the other order, the second one got what had decided the first.
    let dag = Dag::build("late", || {
        let (early, late, last) = (is(10).id("early"), is(20).id("late"), is(30).id("last"));
        chain((early, late, last));
        first_and_gate([last, late], [last, late, early], gate().after(last))
    });
    on_both_drivers(&dag.expect("the graph is sound"), |report| {
        assert_eq!(report.result(), Some(&(20, 1, 10, 2)));
    });
}

/// The elements of a list got what came later, if it lay before the first in the list.
#[test]
fn any_of_keeps_the_first_success_for_the_elements_of_a_list() {
    #[task]
    fn is(number: u32) -> u32 {
        number
    }
    #[task]
    fn names(count: u32) -> Vec<u32> {
        (0..count).collect()
    }
    #[task]
    fn pick(number: AnyOf<u32>, _of: u32) -> usize {
        number.index()
    }
    let dag = Dag::build("elements", || {
        let (early, late) = (is(10).id("early"), is(20).id("late"));
        chain((early, late));
        let list = names(2);
        list.after(late);
        list.each(|name| pick([late, early], name)).collect()
    });
    on_both_drivers(&dag.expect("the graph is sound"), |report| assert_eq!(report.result(), Some(&vec![1, 1])));
}

#[test]
fn any_of_has_the_same_value_in_a_retry() {
    #[task]
    fn is(number: u32) -> u32 {
        number
    }
    #[task(retries = 2, retry_delay = "1h")]
    fn third_time(number: AnyOf<u32>, ctx: &TaskContext) -> Result<(u32, usize)> {
        if ctx.attempt() < 3 { Err("not yet")? } else { Ok((*number, number.index())) }
    }
    let dag = Dag::build("again", || {
        let (early, late) = (is(1), is(2));
        early.before(late);
        third_time([late, early])
    });
    let report = reference(dag.expect("the graph is sound").run());
    assert_eq!(report.result(), Some(&(1, 1)));
}

#[test]
fn any_of_a_repeated_upstream_reports_its_first_position() {
    let dag = Dag::build("twice", || {
        let up = number("success");
        first([number("failed"), up, up])
    });
    on_both_drivers(&dag.expect("the graph is sound"), |report| {
        assert_eq!(report.result().map(String::as_str), Some("7 from 1"));
    });
}

/// An `AnyOf` without upstreams could never be fed, so the graph is rejected.
#[test]
fn any_of_an_empty_list_is_a_mistake() {
    let error = Dag::build("nothing", || first(Vec::<Output<u32>>::new()))
        .map(|dag| format!("it was accepted, and ran: {:?}", reference(dag.run())))
        .expect_err("the list is empty");
    assert!(error.to_string().contains("first"), "{error}");
}

// Plain values.

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Options {
    name: String,
    limits: Vec<u8>,
}

#[test]
fn plain_values_are_constants() {
    #[task]
    fn takes(
        a: u8,
        b: i64,
        c: f64,
        d: bool,
        e: String,
        f: &str,
        g: &[u8],
        h: Option<u32>,
        i: Result<u32, Failure>,
        j: Options,
        k: &Options,
    ) -> String {
        format!("{a} {b} {c} {d} {e} {f} {g:?} {h:?} {i:?} {} {:?}", j.name, k.limits)
    }
    let options = Options { name: "full".to_owned(), limits: vec![1, 2] };
    let dag = Dag::build("constants", || {
        let text = "text".to_owned();
        takes(1, -2, 0.5, true, "literal", text, vec![3u8], Some(4u32), Ok::<u32, Failure>(5), options.clone(), options)
    });
    on_both_drivers(&dag.expect("the graph is sound"), |report| {
        assert_eq!(
            report.result().map(String::as_str),
            Some("1 -2 0.5 true literal text [3] Some(4) Ok(5) full [1, 2]")
        );
    });
}

#[test]
fn a_constant_is_available_in_a_retry_and_in_the_next_run() {
    #[task(retries = 1, retry_delay = "1h")]
    fn eats(mut list: Vec<u8>, ctx: &TaskContext) -> Result<usize> {
        let length = list.len();
        list.clear();
        if ctx.attempt() == 1 { Err("again")? } else { Ok(length) }
    }
    let dag = Dag::build("again", || eats(vec![1, 2, 3])).expect("the graph is sound");
    for _ in 0..2 {
        assert_eq!(reference(dag.run()).result(), Some(&3));
    }
}

// Parameters of the DAG.

/// A parameter feeds every kind of edge: it has succeeded before anything starts.
#[dag]
fn with_params(number: u32, word: String) -> String {
    #[task]
    fn all(
        value: u32,
        borrowed: &u32,
        text: &str,
        maybe: Option<u32>,
        outcome: Result<u32, Failure>,
        list: Vec<u32>,
        first: AnyOf<u32>,
    ) -> String {
        format!("{value} {borrowed} {text} {maybe:?} {outcome:?} {list:?} {} {}", *first, first.index())
    }
    all(number, number, word, number, number, [number, number], [number])
}

#[test]
fn a_parameter_feeds_every_kind_of_edge() {
    both(
        || with_params::run(3, "three".to_owned()),
        |report| {
            assert_eq!(report.result().map(String::as_str), Some("3 3 three Some(3) Ok(3) [3, 3] 3 0"));
        },
    );
}

#[dag]
fn params_and_tasks(given: u32) -> String {
    let mixed = list_of_options([given, number("skipped"), number("success")]).id("mixed");
    list([number("success"), given]).id("list").after(mixed);
    mixed
}

#[test]
fn a_list_can_mix_parameters_and_tasks() {
    both(
        || params_and_tasks::run(1),
        |report| {
            assert_eq!(report.result().map(String::as_str), Some("[Some(1), None, Some(7)]"));
            assert_eq!(state_of(report, "list").name(), "success");
        },
    );
}

#[dag]
fn fallback(given: u32) -> String {
    first([number("failed").id("up"), given])
}

/// A parameter is there from the beginning: it wins, and the failure of the other upstream does not
/// matter.
#[test]
fn any_of_a_parameter_and_a_failed_task_is_the_parameter() {
    both(
        || fallback::run(1),
        |report| {
            assert_eq!(states(report), "up=failed first=success");
            assert_eq!(report.result().map(String::as_str), Some("1 from 1"));
        },
    );
}

#[dag]
fn returns_its_parameter(given: Vec<u32>) -> Vec<u32> {
    given
}

#[test]
fn a_dag_without_tasks_returns_its_parameter() {
    both(
        || returns_its_parameter::run(vec![1, 2]),
        |report| {
            assert_eq!(report.result(), Some(&vec![1, 2]));
            assert_eq!(report.state(), RunState::Success);
            assert_eq!(report.tasks().count(), 0);
        },
    );
}

// Many of everything.

#[test]
fn twelve_parameters_arrive_in_order() {
    #[task]
    fn twelve(
        a: u8,
        b: &u16,
        c: u32,
        d: &str,
        e: Option<u64>,
        f: &[i8],
        g: Result<i16, Failure>,
        h: Vec<i32>,
        i: AnyOf<i64>,
        j: bool,
        k: char,
        l: String,
    ) -> String {
        format!("{a} {b} {c} {d} {e:?} {f:?} {g:?} {h:?} {} {j} {k} {l}", *i)
    }
    #[task]
    fn a() -> u8 {
        1
    }
    #[task]
    fn b() -> u16 {
        2
    }
    #[task]
    fn e(ctx: &TaskContext) -> Result<u64> {
        Err(ctx.skip("none"))?
    }
    #[task]
    fn f() -> Vec<i8> {
        vec![6]
    }
    #[task]
    fn g() -> i16 {
        7
    }
    #[task]
    fn h(n: i32) -> i32 {
        n
    }
    #[task]
    fn i(n: i64) -> i64 {
        n
    }
    #[task]
    fn k() -> char {
        'k'
    }
    let dag = Dag::build("twelve", || {
        let list = [h(80), h(81)];
        twelve(a(), b(), 3, "four", e(), f(), g(), list, [i(9)], true, k(), "twelve")
    });
    on_both_drivers(&dag.expect("the graph is sound"), |report| {
        assert_eq!(report.result().map(String::as_str), Some("1 2 3 four None [6] Ok(7) [80, 81] 9 true k twelve"));
    });
}

#[test]
fn one_output_feeds_edges_of_every_kind_at_once() {
    #[task]
    fn all(
        value: u32,
        borrowed: &u32,
        maybe: Option<u32>,
        outcome: Result<u32, Failure>,
        list: Vec<u32>,
        options: Vec<Option<u32>>,
        first: AnyOf<u32>,
    ) -> bool {
        let all =
            [value, *borrowed, maybe.unwrap_or(0), outcome.unwrap_or(0), list[0], options[0].unwrap_or(0), *first];
        all == [7; 7]
    }
    #[task]
    fn count(all: Vec<bool>) -> usize {
        all.into_iter().filter(|ok| *ok).count()
    }
    let dag = Dag::build("kinds", || {
        let up = number("success");
        count((0..50).map(|_| all(up, up, up, up, [up], vec![up], [up])).collect::<Vec<_>>())
    });
    let dag = dag.expect("the graph is sound");
    assert_eq!(dag.plan().consumers(NodeIndex::new(0)), 50 * 7);
    on_both_drivers(&dag, |report| assert_eq!(report.result(), Some(&50)));
}

#[test]
fn edges_of_several_kinds_decide_together() {
    #[task]
    fn mixed(value: u32, maybe: Option<u32>, outcome: Result<u32, Failure>, list: Vec<Option<u32>>) -> String {
        format!("{value} {maybe:?} {} {list:?}", outcome.is_ok())
    }
    for (value, maybe, outcome, list, expected) in [
        ("success", "success", "success", "success", "success 7 Some(7) true [Some(7)]"),
        ("success", "skipped", "failed", "skipped", "success 7 None false [None]"),
        ("skipped", "skipped", "skipped", "skipped", "skipped -"),
        ("skipped", "failed", "failed", "success", "upstream_failed -"),
        ("success", "success", "success", "failed", "upstream_failed -"),
        ("failed", "skipped", "success", "skipped", "upstream_failed -"),
    ] {
        let dag = Dag::build("mixed", || {
            let [value, maybe, outcome, list] = [value, maybe, outcome, list].map(number);
            mixed(value, maybe, outcome, [list]).id("down")
        });
        on_both_drivers(&dag.expect("the graph is sound"), |report| {
            let value = report.result().map_or("-", String::as_str);
            assert_eq!(format!("{} {value}", state_of(report, "down")), expected);
        });
    }
}

#[test]
fn the_plan_has_the_kind_of_each_edge() {
    #[task]
    fn all(_a: u32, _b: Option<u32>, _c: Result<u32, Failure>, _d: AnyOf<u32>, _e: u32) {}
    let dag = Dag::build("kinds", || {
        let up = number("success").id("up");
        all(up, up, up, [up, up], 5).id("down")
    });
    let dag = dag.expect("the graph is sound");
    let plan = dag.plan();
    let down = plan.find("down").expect("there is such a task");
    let kinds: Vec<_> = plan
        .args(down)
        .map(|arg| match arg {
            ArgPlan::Edges(edges) => Some((edges.kind(), edges.sources().len())),
            ArgPlan::Constant(_) => None,
        })
        .collect();
    assert_eq!(
        kinds,
        [
            Some((EdgeKind::Required, 1)),
            Some((EdgeKind::Optional, 1)),
            Some((EdgeKind::Outcome, 1)),
            Some((EdgeKind::First, 2)),
            None
        ]
    );
    assert_eq!(EdgeKind::Required.rule(), TriggerRule::AllSuccess);
    assert_eq!(EdgeKind::Optional.rule(), TriggerRule::NoneFailed);
    assert_eq!(EdgeKind::Outcome.rule(), TriggerRule::AllDone);
    assert_eq!(EdgeKind::First.rule(), TriggerRule::OneSuccess);
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
