//! The view, and its JSON.

use taskflow_core::render::{Endpoint, Format, Link, View, render};

use crate::formats::settled;
use crate::graphs;

#[test]
fn json_of_an_etl() {
    let plan = graphs::delays();
    insta::assert_snapshot!(settled(&plan, &render(&plan, Format::Json)));
}

#[test]
fn an_upstream_that_feeds_two_parameters_has_one_edge() {
    let plan = graphs::build("twice", || {
        let first = graphs::start();
        graphs::merge(first, first)
    });
    let view = View::of(&plan);
    let edges: Vec<(&str, Link)> = view.edges.iter().map(|edge| (edge.to.id, edge.kind)).collect();
    assert_eq!(edges, [("merge", Link::Required), ("merge", Link::Optional)]);

    let plan = graphs::build("many", || {
        let first = graphs::start();
        graphs::total(vec![first, first, first])
    });
    assert_eq!(View::of(&plan).edges.len(), 1);
}

#[test]
fn only_order_edges_have_a_rule() {
    let plan = graphs::rules();
    let view = View::of(&plan);
    for edge in &view.edges {
        assert_eq!(edge.rule.is_some(), edge.kind == Link::Order, "{edge:?}");
    }
    let rules: Vec<&str> =
        view.edges.iter().filter(|edge| edge.to.id == "cleanup").filter_map(|e| Some(e.rule?.name())).collect();
    assert_eq!(rules, ["all_done", "all_done"]);
}

#[test]
fn names_in_groups_are_shown_without_the_group() {
    let plan = graphs::nested();
    let view = View::of(&plan);
    let node = view.nodes.iter().find(|node| node.id == "features.text.tokens").expect("a node");
    assert_eq!((node.label, node.task), ("tokens", "fit"));
    let group = node.group.expect("a group");
    assert_eq!((group.id, view.groups[group.index as usize].label), ("features.text", "text"));
}

#[test]
fn references_point_into_the_lists_of_the_view() {
    for plan in [graphs::delays(), graphs::nested(), graphs::rules()] {
        let view = View::of(&plan);
        for edge in &view.edges {
            assert_eq!(view.nodes[edge.to.index as usize].id, edge.to.id);
            match edge.from {
                Endpoint::Task(task) => assert_eq!(view.nodes[task.index as usize].id, task.id),
                Endpoint::Param(param) => assert_eq!(view.params[param.index as usize].name, param.id),
            }
        }
    }
}
