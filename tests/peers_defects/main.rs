//! Defects that other workflow crates have or had, each with a test that taskflow does not share
//! it.

use std::num::NonZeroUsize;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use taskflow::engine::{Engine, RunState, TaskState};
use taskflow::prelude::*;
use taskflow::{Registry, Value};
use taskflow_tests::common::{self, Gate, live, reference, states};

fn build<T: Value>(body: impl FnOnce() -> Output<T>) -> Dag<T> {
    Dag::build("peers", body).expect("the graph is sound")
}

fn workers(number: usize) -> Engine {
    let number = NonZeroUsize::new(number).expect("not zero");
    Engine::builder().workers(number).build().expect("no pool is named")
}

#[task]
fn number(n: u64) -> u64 {
    n
}

#[task]
fn increment(n: u64) -> u64 {
    n + 1
}

#[task]
fn sum(numbers: &[u64]) -> u64 {
    numbers.iter().sum()
}

#[task]
fn nothing() {}

/// A barrier after each layer of the graph would make this wait for ever: the slow branch ends only
/// after the child of the fast one has run.
#[test]
fn the_child_of_a_fast_branch_does_not_wait_for_a_slow_one() {
    static CHILD_RAN: Gate = Gate::new();
    #[task]
    fn slow(n: u64) -> u64 {
        CHILD_RAN.pass();
        n
    }
    #[task]
    async fn slow_later(n: u64) -> u64 {
        CHILD_RAN.pass_async().await;
        n
    }
    #[task]
    fn child_of_fast(n: u64) -> u64 {
        CHILD_RAN.open();
        n
    }
    let dag = build(|| {
        let top = number(1);
        let fast = child_of_fast(increment(increment(top)));
        sum([slow(top), slow_later(top), fast])
    });
    assert_eq!(live(dag.run().engine(&workers(2))).result(), Some(&5));
}

/// A counter of eight bits wraps at 256 upstreams and starts its task too early, one of sixteen at
/// 65,536.
#[test]
fn a_task_can_have_any_number_of_upstreams() {
    for width in [255, 256, 257, 1_000, 65_535, 65_536, 65_537, 100_000] {
        let dag = build(|| sum((0..width).map(number).collect::<Vec<_>>()));
        let expected = width * (width - 1) / 2;
        assert_eq!(live(dag.run()).result(), Some(&expected), "{width} upstreams");
        if width < 2_000 {
            assert_eq!(reference(dag.run()).result(), Some(&expected), "{width} upstreams");
        }
    }
}

#[test]
fn a_task_can_follow_any_number_of_others() {
    for (width, rule) in
        [(257, TriggerRule::AllSuccess), (65_537, TriggerRule::AllSuccess), (65_537, TriggerRule::AllDone)]
    {
        let dag = build(|| {
            let all: Vec<Output<()>> = (0..width).map(|_| nothing()).collect();
            number(7).id("last").after(all).trigger_rule(rule)
        });
        let report = live(dag.run());
        let last = report.task("last").and_then(|task| task.started()).expect("it ran");
        assert!(report.tasks().all(|task| task.ended() <= last || task.id() == "last"), "it started too early");
    }
}

#[test]
fn a_value_can_have_any_number_of_consumers() {
    let dag = build(|| {
        let source = number(1);
        sum((0..100_000).map(|_| increment(source)).collect::<Vec<_>>())
    });
    assert_eq!(live(dag.run()).result(), Some(&200_000));
}

/// Nodes that are identified by the name of their type collide here.
#[test]
fn one_function_can_be_two_nodes() {
    let dag = build(|| sum([increment(number(1)), increment(number(10)), increment(increment(number(100)))]));
    for report in [reference(dag.run()), live(dag.run())] {
        assert_eq!(report.result(), Some(&(2 + 11 + 102)));
    }
}

/// Two functions of one name, in two modules.
#[test]
fn two_functions_with_the_same_name_are_two_tasks() {
    mod here {
        use taskflow::prelude::*;
        #[task]
        pub(super) fn load() -> u64 {
            1
        }
    }
    mod there {
        use taskflow::prelude::*;
        #[task]
        pub(super) fn load() -> u64 {
            2
        }
    }
    let dag = build(|| sum([here::load(), there::load()]));
    for report in [reference(dag.run()), live(dag.run())] {
        assert_eq!(report.result(), Some(&3));
        assert_eq!(states(&report), "load=success load_2=success sum=success");
    }
}

#[test]
fn five_upstreams_of_five_types_are_five_parameters() {
    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Row {
        name: String,
    }
    #[task]
    fn text() -> String {
        "text".to_owned()
    }
    #[task]
    fn list() -> Vec<f64> {
        vec![0.5, 1.5]
    }
    #[task]
    fn row() -> Row {
        Row { name: "row".to_owned() }
    }
    #[task]
    fn pair() -> (char, bool) {
        ('c', true)
    }
    #[task]
    fn together(n: u64, text: &str, list: &[f64], row: &Row, pair: (char, bool)) -> String {
        format!("{n} {text} {list:?} {} {pair:?}", row.name)
    }
    let dag = build(|| together(number(1), text(), list(), row(), pair()));
    for report in [reference(dag.run()), live(dag.run())] {
        assert_eq!(report.result().map(String::as_str), Some("1 text [0.5, 1.5] row ('c', true)"));
    }
}

mod zebra {
    #[taskflow::dag]
    fn alpha() {}
}

#[taskflow::dag]
fn zulu() {}

#[taskflow::dag]
fn alpha() {}

/// The linker determines the order of registrations; listings must not depend on it.
#[test]
fn listings_are_sorted() {
    let dags: Vec<_> = Registry::dags().iter().map(|dag| (dag.id, dag.module)).collect();
    assert_eq!(dags, [("alpha", "peers_defects"), ("alpha", "peers_defects::zebra"), ("zulu", "peers_defects")]);
    Registry::register(alpha::def());
    assert_eq!(Registry::dags().len(), 3, "registered by hand as well, it is listed once");

    let tasks: Vec<_> = Registry::tasks().iter().map(|task| (task.id, task.module, task.location.line)).collect();
    assert!(tasks.is_sorted());
    assert!(tasks.iter().any(|(id, ..)| *id == "increment"));
}

/// Two freezes of one function give the same plan, node by node.
#[test]
fn freezing_is_deterministic() {
    let draw = || {
        let sources: Vec<_> = (0..50).map(number).collect();
        let pairs: Vec<_> = sources.chunks(2).map(sum_of).collect();
        fn sum_of(pair: &[Output<u64>]) -> Output<u64> {
            group("pair", || sum(pair.to_vec()))
        }
        sum(pairs)
    };
    let text = |dag: &Dag<u64>| {
        let plan = Arc::clone(dag.plan());
        let nodes = plan.node_indices().map(|node| {
            let upstreams: Vec<_> = plan.upstreams(node).collect();
            format!(
                "{} {:?} {upstreams:?} {:?}",
                plan.node(node).id(),
                plan.args(node).collect::<Vec<_>>(),
                plan.successors(node)
            )
        });
        nodes.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(text(&build(draw)), text(&build(draw)));
}

// Depth: everything that could recurse along a chain would overflow its stack here.

fn chain_of(length: u64) -> Dag<u64> {
    build(|| (0..length).fold(number(0), |n, _| increment(n)))
}

#[test]
fn a_chain_of_a_million_tasks_runs_on_the_live_engine() {
    assert_eq!(live(chain_of(1_000_000).run()).result(), Some(&1_000_000));
}

#[test]
fn a_chain_of_a_hundred_thousand_tasks_runs_on_the_reference_driver() {
    assert_eq!(reference(chain_of(100_000).run()).result(), Some(&100_000));
}

#[test]
fn a_long_chain_of_async_and_blocking_tasks_runs() {
    #[task]
    async fn later(n: u64) -> u64 {
        n + 1
    }
    #[task(blocking)]
    fn blocking(n: u64) -> u64 {
        n + 1
    }
    let dag = build(|| (0..2_000).fold(number(0), |n, _| blocking(later(later(later(later(n)))))));
    assert_eq!(live(dag.run()).result(), Some(&10_000));
}

#[test]
fn a_failure_and_a_skip_at_the_top_of_a_long_chain_reach_its_end() {
    #[task]
    fn ends(how: &str, ctx: &TaskContext) -> Result<u64> {
        if how == "failed" { Err("no")? } else { Err(ctx.skip("no"))? }
    }
    for (how, state) in [("failed", TaskState::UpstreamFailed), ("skipped", TaskState::Skipped)] {
        let dag = build(|| (0..100_000).fold(ends(how), |n, _| increment(n)));
        for report in [reference(dag.run()), live(dag.run())] {
            assert_eq!(
                report.tasks().filter(|task| task.state() == state).count(),
                100_000 + usize::from(how == "skipped")
            );
        }
    }
}

#[test]
fn a_long_chain_of_order_edges_runs_and_can_be_cancelled() {
    let draw = || {
        let all: Vec<Output<()>> = (0..100_000).map(|_| nothing()).collect();
        let last = all[all.len() - 1];
        // Backwards, so that the chain is not in the order of the calls, which the search for
        // cycles looks at.
        chain(all.into_iter().rev().collect::<Vec<_>>());
        last
    };
    let dag = build(draw);
    assert!(live(dag.run()).is_success());

    let handle = dag.run().start().expect("the graph is sound");
    handle.control().cancel("enough");
    let report = common::finish(handle);
    assert!(matches!(report.state(), RunState::Cancelled | RunState::Success));
    assert!(report.tasks().all(|task| task.state().is_terminal()));
}
