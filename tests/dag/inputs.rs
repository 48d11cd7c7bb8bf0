//! Inputs that are no tasks, constants and parameters of the DAG; tasks with many inputs.
#![allow(
    clippy::needless_pass_by_value,
    clippy::too_many_arguments,
    reason = "how tasks take their inputs is what is tested here"
)]

use serde::{Deserialize, Serialize};
use taskflow::engine::RunState;
use taskflow::graph::{ArgPlan, EdgeKind, NodeIndex};
use taskflow::prelude::*;
use taskflow_tests::common::{both, on_both_drivers, reference, state_of, states};

use crate::any_of::first;
use crate::edges::number;
use crate::lists::{list, list_of_options};

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
