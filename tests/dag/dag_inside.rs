//! A `#[dag]` function that is called inside another one is a group of it.

use taskflow::engine::TaskState;
use taskflow::graph::BuildError;
use taskflow::prelude::*;
use taskflow_tests::common::{self, on_both_drivers, panic_of, state_of, states};

#[task]
fn square(n: u64) -> u64 {
    n * n
}

#[task]
fn total(numbers: &[u64]) -> u64 {
    numbers.iter().sum()
}

#[task]
fn count(text: &str) -> u64 {
    text.len() as u64
}

/// A DAG of its own, with a schedule and options for its tasks.
#[dag(schedule = "@daily", max_active_tasks = 1, default(retries = 3))]
fn squares(#[param(default = 3)] last: u64, #[param(default = "abc")] label: String) -> u64 {
    let squares: Vec<Output<u64>> = [square(last), square(2)].into();
    total([total(squares), count(label)])
}

#[dag(default(retries = 1, priority = 5))]
fn report(first: u64) -> u64 {
    let one = squares(first, "abc");
    let other = squares(one, "de".to_owned());
    total([one, other])
}

#[test]
fn a_nested_dag_is_a_group_and_its_result_feeds_other_tasks() {
    let dag = Dag::build("outer", || squares(5, "abc")).expect("no mistake");
    on_both_drivers(&dag, |report| {
        assert_eq!(report.result(), Some(&32));
        assert_eq!(
            states(report),
            "squares.last=success squares.label=success squares.square=success squares.square_2=success \
             squares.total=success squares.count=success squares.total_2=success"
        );
    });
}

#[test]
fn a_nested_dag_takes_outputs_and_each_call_is_a_group() {
    common::both(
        || report::run(1),
        |report| {
            assert_eq!(report.result(), Some(&(8 + 70)));
            assert_eq!(state_of(report, "squares_2.square"), TaskState::Success);
            assert!(report.task("squares_2.last").is_none(), "{}", states(report));
        },
    );
}

#[test]
fn the_task_defaults_of_a_nested_dag_apply_to_its_tasks() {
    let plan = report::def().plan().expect("no mistake");
    let options = |id: &str| *plan.node_options(plan.find(id).unwrap_or_else(|| panic!("no {id}")));
    assert_eq!((options("squares.square").retry.retries, options("squares.square").priority), (3, 5));
    assert_eq!((options("total").retry.retries, options("total").priority), (1, 5));
    // A node that only passes a value on does not count as a task.
    assert_eq!(options("squares.label").retry.retries, 0);
}

#[task]
fn touch() {}

#[dag]
fn chores() {
    touch();
    touch();
}

#[test]
fn a_nested_dag_can_have_no_result() {
    let dag = Dag::build("outer", || {
        chores();
        square(3)
    });
    assert!(dag.expect("no mistake").plan().find("chores.touch_2").is_some());
}

#[dag]
fn endless(n: u64) -> u64 {
    also_endless(n)
}

#[dag]
fn also_endless(n: u64) -> u64 {
    endless(n)
}

#[test]
fn a_dag_that_contains_itself_is_a_mistake() {
    let errors = endless::def().plan().expect_err("it has no end");
    let [BuildError::Panicked { message }] = errors.errors() else { panic!("{errors}") };
    assert!(message.contains("the DAG `endless` draws itself"), "{message}");
}

#[test]
fn a_call_outside_a_dag_explains_how_to_run_it() {
    let (message, place) = panic_of(|| squares(3, "abc"));
    assert!(message.contains("to run it, call `squares::run(..)`"), "{message}");
    assert!(place.contains("tests/dag/dag_inside.rs"), "{place}");
}
