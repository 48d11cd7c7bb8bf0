//! The tasks and the helpers of the tests about graphs.

use taskflow::BuildErrors;
use taskflow::graph::{Node, Plan};
use taskflow::prelude::*;

taskflow::pool!("warehouse", slots = 4);
taskflow::pool!("lake", slots = 1);

#[task]
pub(crate) fn extract() -> u32 {
    1
}

#[task]
pub(crate) fn clean(rows: u32) -> u32 {
    rows
}

#[task]
pub(crate) fn load(table: &str, rows: u32) -> u32 {
    u32::try_from(table.len()).unwrap_or(0) + rows
}

#[task]
pub(crate) fn notify() {}

#[task(id = "clean-up")]
pub(crate) fn sweep() {}

pub(crate) fn build<T: taskflow::Value>(body: impl FnOnce() -> Output<T>) -> Dag<T> {
    Dag::build("graph", body).expect("the graph is sound")
}

/// The mistakes of a graph that has some.
#[track_caller]
pub(crate) fn mistakes<T: taskflow::Value>(body: impl FnOnce() -> Output<T>) -> BuildErrors {
    match Dag::build("graph", body) {
        Ok(dag) => panic!("{:?} was accepted", dag.plan()),
        Err(errors) => errors,
    }
}

pub(crate) fn ids(plan: &Plan) -> Vec<&str> {
    plan.nodes().map(Node::id).collect()
}

/// Nodes `a`, `b`, `c`, ..
pub(crate) fn nodes<const N: usize>() -> [Output<()>; N] {
    let mut letters = 'a'..;
    std::array::from_fn(|_| notify().id(letters.next().expect("there are more letters")))
}
