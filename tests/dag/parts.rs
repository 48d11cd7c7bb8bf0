//! Runs of parts of a graph.
#![allow(clippy::needless_pass_by_value, reason = "how a task takes its inputs is part of what is tested")]

use taskflow::Selection;
use taskflow::engine::{RunState, TaskReport, TaskState};
use taskflow::graph::{NodeIndex, Plan};
use taskflow::prelude::*;
use taskflow_tests::common::{both, on_both_drivers, states};

use crate::support::{build, clean, extract, nodes, notify};

/// a -> b -> d, a -> c -> d, with `e` beside and `f` after `d` by order.
fn diamond() -> Dag<u32> {
    #[task]
    fn join(left: u32, right: u32) -> u32 {
        left + right
    }
    build(|| {
        let a = extract().id("a");
        let (b, c) = (clean(a).id("b"), clean(a).id("c"));
        let d = join(b, c).id("d");
        notify().id("e");
        notify().id("f").after(d);
        d
    })
}

#[track_caller]
fn assert_part(select: impl Fn(&Plan) -> Selection, expected: &str) {
    let dag = diamond();
    both(
        || dag.run().select(select(dag.plan())),
        |report| {
            let taken: Vec<_> = report.tasks().filter(|task| task.state() != TaskState::Removed).collect();
            assert!(taken.iter().all(|task| task.state() == TaskState::Success), "{}", states(report));
            assert_eq!(taken.iter().map(TaskReport::id).collect::<String>(), expected);
            assert_eq!(report.state(), RunState::Success);
            assert_eq!(report.result().is_some(), expected.contains('d'));
        },
    );
}

#[test]
fn only_runs_a_task_and_its_upstreams() {
    let only = |task: &'static str| move |plan: &Plan| Selection::only(plan, task).expect("there is such a task");
    assert_part(only("a"), "a");
    assert_part(only("b"), "ab");
    assert_part(only("d"), "abcd");
    assert_part(only("e"), "e");
    assert_part(only("f"), "abcdf");
}

#[test]
fn from_runs_a_task_its_downstreams_and_their_upstreams() {
    let from = |task: &'static str| move |plan: &Plan| Selection::from(plan, task).expect("there is such a task");
    assert_part(from("a"), "abcdf");
    assert_part(from("b"), "abcdf");
    assert_part(from("e"), "e");
    assert_part(from("f"), "abcdf");
}

#[test]
fn an_unknown_selection_is_rejected_with_a_suggestion() {
    let dag = build(|| clean(extract()));
    let error = Selection::only(dag.plan(), "exract").expect_err("it is misspelt");
    assert_eq!(error.to_string(), "DAG `graph` has no task `exract`; did you mean `extract`?");
    let error = Selection::from(dag.plan(), "zzz").expect_err("there is none");
    assert_eq!(error.to_string(), "DAG `graph` has no task `zzz`");
}

#[test]
fn from_follows_order_edges_under_every_rule() {
    for rule in TriggerRule::ALL {
        let dag = build(|| {
            let [a, b] = nodes();
            b.after(a).trigger_rule(rule)
        });
        let selection = Selection::from(dag.plan(), "a").expect("there is such a task");
        assert!(selection.contains(NodeIndex::new(1)), "under {rule} the task downstream is left out");
    }
}

#[test]
fn a_failure_in_a_partial_run_fails_it_if_its_handler_is_removed() {
    #[task]
    fn fails() -> Result<u32> {
        Err("no")?
    }
    #[task]
    fn handles(_rows: Result<u32, Failure>) {}
    let dag = build(|| {
        let up = fails();
        handles(up);
        up
    });
    both(
        || dag.run().select(Selection::only(dag.plan(), "fails").expect("there is such a task")),
        |report| {
            assert_eq!(states(report), "fails=failed handles=removed");
            assert_eq!(report.state(), RunState::Failed);
        },
    );
    on_both_drivers(&dag, |report| assert_eq!(report.state(), RunState::Success));
}
