//! Order-only edges: arrows, `after` and `before`, chains.

use taskflow::graph::Plan;
use taskflow::prelude::*;
use taskflow_tests::common::{on_both_drivers, states};

use crate::support::{build, clean, extract, nodes, notify, sweep};

/// The order edges, `a>b`, sorted.
fn orders(plan: &Plan) -> String {
    let mut edges: Vec<String> = Vec::new();
    for node in plan.node_indices() {
        for &(upstream, downstream) in plan.orders(node) {
            edges.push(format!("{}>{}", plan.node(upstream).id(), plan.node(downstream).id()));
        }
    }
    edges.sort();
    edges.join(" ")
}

#[test]
fn an_arrow_orders_two_tasks() {
    let dag = build(|| {
        let [a, b, c] = nodes();
        a >> b >> c
    });
    assert_eq!(orders(dag.plan()), "a>b b>c");
}

#[test]
fn an_arrow_goes_from_one_to_many_and_from_many_to_one() {
    let dag = build(|| {
        let [a, b, c, d] = nodes();
        let [_, c] = a >> [b, c];
        [b, c] >> d
    });
    assert_eq!(orders(dag.plan()), "a>b a>c b>d c>d");

    let dag = build(|| {
        let [a, b, c, d] = nodes();
        let list = a >> vec![b, c];
        list >> d
    });
    assert_eq!(orders(dag.plan()), "a>b a>c b>d c>d");
}

#[test]
fn outputs_of_different_types_are_ordered_in_tuples() {
    let dag = build(|| {
        let (number, unit) = (extract().id("number"), notify().id("unit"));
        let _ = number >> unit;
        let _ = unit >> (clean(number).id("x"), notify().id("y"), vec![notify().id("z")]);
        sweep().id("end").after((number, unit, [unit, unit]))
    });
    assert_eq!(orders(dag.plan()), "number>end number>unit unit>end unit>x unit>y unit>z");
}

#[test]
fn after_and_before_are_equivalent_to_arrows() {
    let dag = build(|| {
        let [a, b, c, d] = nodes();
        a.before(b).before([c, d]);
        d.after(b).after(vec![c])
    });
    assert_eq!(orders(dag.plan()), "a>b a>c a>d b>d c>d");
}

#[test]
fn a_repeated_order_edge_counts_once() {
    let dag = build(|| {
        let [a, b] = nodes();
        let _ = a >> b;
        a.before([b, b]);
        b.after(a)
    });
    assert_eq!(orders(dag.plan()), "a>b");
    on_both_drivers(&dag, |report| assert_eq!(states(report), "a=success b=success"));
}

#[test]
fn a_chain_connects_links_and_equal_lists_pair_by_pair() {
    let dag = build(|| {
        let [a, b, c, d, e, f] = nodes();
        chain((a, [b, c], vec![d, e], f));
        a
    });
    assert_eq!(orders(dag.plan()), "a>b a>c b>d c>e d>f e>f");
}

#[test]
fn a_chain_of_a_list_connects_its_elements() {
    let dag = build(|| {
        let list: [Output<()>; 4] = nodes();
        chain(list);
        chain(list.to_vec());
        list[0]
    });
    assert_eq!(orders(dag.plan()), "a>b b>c c>d");
}

#[test]
fn chain_linear_connects_each_with_each() {
    let dag = build(|| {
        let [a, b, c, d, e, f] = nodes();
        chain_linear(([a, b], [c, d, e], f));
        a
    });
    assert_eq!(orders(dag.plan()), "a>c a>d a>e b>c b>d b>e c>f d>f e>f");
}

#[test]
fn a_chain_can_have_twelve_links_of_different_types() {
    let dag = build(|| {
        let n = extract();
        let [a, b, c, d, e, f, g, h, i, j] = nodes();
        chain((n, a, b, [c, d], e, f, g, h, i, j, clean(n), sweep()));
        n
    });
    assert_eq!(orders(dag.plan()), "a>b b>c b>d c>e clean>clean-up d>e e>f extract>a f>g g>h h>i i>j j>clean");
}

#[test]
fn order_edges_override_the_order_of_the_calls() {
    let dag = build(|| {
        let [a, b, c] = nodes();
        c >> b >> a
    });
    on_both_drivers(&dag, |report| {
        let ended: Vec<_> = ["c", "b", "a"].map(|id| report.task(id).map(|task| task.ended())).into();
        assert!(ended.is_sorted(), "{ended:?}");
    });
}
