//! A graph, and tasks for it.

use taskflow::prelude::*;

pub(crate) fn build<T: taskflow::Value>(body: impl FnOnce() -> Output<T>) -> Dag<T> {
    Dag::build("cancel", body).expect("the graph is sound")
}

#[task]
pub(crate) fn after(_value: ()) {}

#[task]
pub(crate) fn fine() -> u32 {
    1
}
