//! The tree for terminals.

use taskflow_core::dag::Output;
use taskflow_core::render::{Format, render};
use taskflow_core::task::TriggerRule;

use crate::formats::settled;
use crate::graphs;

fn tree(plan: &taskflow_core::dag::Plan) -> String {
    settled(plan, &render(plan, Format::Tree))
}

#[test]
fn an_etl_with_parameters_and_a_group() {
    insta::assert_snapshot!(tree(&graphs::delays()));
}

#[test]
fn kinds_of_edges_and_rules_are_named() {
    insta::assert_snapshot!(tree(&graphs::rules()));
}

#[test]
fn groups_within_groups_are_listed_with_their_sizes() {
    insta::assert_snapshot!(tree(&graphs::nested()));
}

#[test]
fn a_wide_fan_is_cut_after_a_few() {
    insta::assert_snapshot!(tree(&graphs::fan(1000)), @r"
    fan
      1002 tasks, 2000 edges, hash <hash>

    tasks
    start
    ├─ part
    │  └─ total  result u32
    ├─ part_2
    │  └─ ^ total
    ├─ part_3
    │  └─ ^ total
    ├─ part_4
    │  └─ ^ total
    └─ .. 996 more part
    ");
}

#[test]
fn the_descendants_of_omitted_siblings_are_counted() {
    insta::assert_snapshot!(tree(&graphs::shards(40)), @r"
    shards
      122 tasks, 160 edges, hash <hash>

    groups
      shard_0: 3 tasks
      shard_1: 3 tasks
      shard_2: 3 tasks
      shard_3: 3 tasks
      shard_4: 3 tasks
      shard_5: 3 tasks
      shard_6: 3 tasks
      shard_7: 3 tasks
      shard_8: 3 tasks
      shard_9: 3 tasks
      shard_10: 3 tasks
      shard_11: 3 tasks
      .. 28 more

    tasks
    start
    ├─ shard_0.ingest
    │  └─ shard_0.check
    │     └─ shard_0.publish
    │        └─ total  result u32
    ├─ shard_1.ingest
    │  └─ shard_1.check
    │     └─ shard_1.publish
    │        └─ ^ total
    ├─ shard_2.ingest
    │  └─ shard_2.check
    │     └─ shard_2.publish
    │        └─ ^ total
    ├─ shard_3.ingest
    │  └─ shard_3.check
    │     └─ shard_3.publish
    │        └─ ^ total
    └─ .. 36 more ingest, each with 2 tasks below
    ");
}

#[test]
fn a_sibling_that_differs_is_never_omitted() {
    let plan = graphs::build("differs", || {
        let first = graphs::start();
        let parts: Vec<Output<u32>> = (0..20).map(|_| graphs::part(first)).collect();
        parts[10].retries(3);
        let _ = graphs::cleanup().trigger_rule(TriggerRule::AllDone).after(parts[12]);
        graphs::total(parts)
    });
    let tree = tree(&plan);
    assert!(tree.contains("─ part_11  retries 3"), "{tree}");
    assert!(tree.contains("─ part_13\n"), "{tree}");
    assert!(tree.contains("cleanup [after]  blocking, trigger_rule all_done"), "{tree}");
    assert!(tree.contains(".. 14 more part\n"), "{tree}");
}

#[test]
fn a_deep_chain_continues_at_the_margin() {
    insta::assert_snapshot!(tree(&graphs::chain(20)));
}

#[test]
fn long_values_are_truncated() {
    let tree = tree(&graphs::hostile());
    assert!(tree.lines().all(|line| line.chars().count() < 140), "{tree}");
    insta::assert_snapshot!(tree);
}

#[test]
fn an_empty_dag_is_reported() {
    insta::assert_snapshot!(tree(&graphs::empty()), @r"
    empty
      0 tasks, 0 edges, hash <hash>

    no tasks
    ");
}

#[test]
fn a_parameter_can_be_the_result() {
    insta::assert_snapshot!(tree(&graphs::echo()), @r"
    echo
      0 tasks, 0 edges, hash <hash>

    params
      text: String, required

    no tasks

    result: $text -> String
    ");
}

/// Every task is there once, however the graph is cut: printed in full, or among those counted.
#[test]
fn every_task_is_listed() {
    for plan in [graphs::nested(), graphs::random(60, 12, 5), graphs::chain(50), graphs::delays()] {
        let tree = render(&plan, Format::Tree);
        for node in plan.nodes() {
            let full = |line: &str| {
                let name = line.trim_start_matches(['│', '├', '└', '─', ' ']);
                name.strip_prefix(node.id()).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '(']))
            };
            assert_eq!(tree.lines().filter(|line| full(line)).count(), 1, "{} in\n{tree}", node.id());
        }
    }
}
