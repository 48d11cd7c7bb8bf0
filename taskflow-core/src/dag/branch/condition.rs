//! Branches on a condition: `when(..).otherwise(..)` and `only_if(..)`.

use super::nodes::NotTaken;
use super::{Branch, InArm};
use crate::dag::output::Output;
use crate::value::Value;

/// Runs one of two parts of the graph: that of `body` if the condition is true, that of
/// [`When::otherwise`] if it is false.
///
/// ```
/// # use taskflow::prelude::*;
/// # #[task] fn rows() -> Vec<u32> { vec![1, 2, 3] }
/// # #[task] fn total(rows: &[u32]) -> u32 { rows.iter().sum() }
/// # #[task] fn estimate() -> u32 { 0 }
/// # #[dag] fn daily() -> u32 {
/// let rows = rows();
/// when(rows.map(|rows| rows.len() > 2), || total(rows)).otherwise(|| estimate())
/// # }
/// # assert_eq!(daily::run().wait().unwrap().result(), Some(&6));
/// ```
///
/// The condition is an output, known only while the graph runs. Both bodies are called when the
/// graph is built; the tasks of the side that is not taken are skipped. If the condition is known
/// when the graph is built, use Rust's `if`.
#[track_caller]
pub fn when<T: Value>(condition: Output<bool>, body: impl FnOnce() -> Output<T>) -> When<T> {
    let branch = branch(condition);
    let result = side(&branch, 0, body);
    When { branch, result }
}

/// The first half of a branch on a condition.
#[derive(Debug)]
#[must_use = "it has no other side yet: add `.otherwise(|| ..)`, or use `only_if(condition, || ..)`"]
pub struct When<T> {
    branch: Branch<bool>,
    result: Output<T>,
}

impl<T: Value> When<T> {
    /// The part that runs if the condition is false. Returns the value of the side that ran.
    #[track_caller]
    pub fn otherwise(self, body: impl FnOnce() -> Output<T>) -> Output<T> {
        let other = side(&self.branch, 1, body);
        self.branch.join([self.result, other])
    }
}

/// Runs a part of the graph only if the condition is true: Airflow's short circuit.
///
/// Otherwise the tasks of `body` are skipped, and so are tasks that need their values; a downstream
/// `Option<T>` receives `None`.
///
/// ```
/// # use taskflow::prelude::*;
/// # #[task] fn check() -> bool { false }
/// # #[task] fn refresh() -> u32 { 1 }
/// # #[task] fn report(fresh: Option<u32>) -> String { format!("{fresh:?}") }
/// # #[dag] fn daily() -> String {
/// let fresh = only_if(check(), || refresh());
/// report(fresh) // takes an Option<u32>
/// # }
/// # assert_eq!(daily::run().wait().unwrap().result().unwrap(), "None");
/// ```
///
/// `body` may return anything: an output, a tuple of outputs, nothing. An output from outside
/// `body` is not skipped.
#[track_caller]
pub fn only_if<R>(condition: Output<bool>, body: impl FnOnce() -> R) -> R {
    side(&branch(condition), 0, body)
}

fn branch(condition: Output<bool>) -> Branch<bool> {
    let branch = Branch::new(condition, &["yes", "no"], |holds| u32::from(!holds));
    Branch { not_taken: NotTaken::Condition, ..branch }
}

#[track_caller]
fn side<R>(branch: &Branch<bool>, place: u32, body: impl FnOnce() -> R) -> R {
    // The choice already determines the side, so there is nothing to extract.
    let arm = branch.arm(place, |_| Some(()));
    let _inside: InArm = arm.enter();
    body()
}
