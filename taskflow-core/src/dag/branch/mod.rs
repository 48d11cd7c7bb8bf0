//! Branches: parts of a graph that run or are skipped depending on the value of a task.
//!
//! 1. Each arm of a branch is a node, downstream of the task that decides: `route.Small`. If its
//!    arm is taken it returns the content of the variant, otherwise it skips itself.
//! 2. The nodes inside an arm run only if the node of the arm succeeds. Most of them have an edge
//!    from it anyway. The others get a *gate*: an edge without a value, under `all_success`,
//!    whatever the rule of the node's other upstreams is.
//! 3. The value of the branch is that of a last node, `route.joined`, which takes the result of the
//!    arm that was taken.
//!
//! All of these are ordinary task instances: stored, shown, explained, cleared.

mod condition;
mod nodes;

use std::cell::RefCell;
use std::panic::Location;

use self::nodes::{Case, NotTaken};
use super::arg::{Arg, IntoArg, first_as_it_is};
use super::builder::{self, Before, Handle};
use super::output::Output;
use super::plan::EdgeKind;
use crate::value::{Constant, Value};

pub use condition::{When, only_if, when};

/// A branch under construction: what `branch!` expands to.
#[derive(Debug)]
pub struct Branch<V> {
    on: Output<V>,
    labels: &'static [&'static str],
    choose: fn(&V) -> u32,
    not_taken: NotTaken,
    arms: RefCell<Vec<Handle>>,
}

/// An arm of a branch: the node that returns the content of its variant.
#[derive(Debug)]
pub struct Arm<P> {
    output: Output<P>,
}

/// While it is alive, new nodes belong to the arm.
#[derive(Debug)]
#[must_use = "it marks a scope"]
pub struct InArm {
    gate: Option<Handle>,
    before: Before,
}

impl<V: Value> Branch<V> {
    /// A branch on a value; `choose` returns the arm that is taken, as an index into `labels`.
    pub fn new(on: Output<V>, labels: &'static [&'static str], choose: fn(&V) -> u32) -> Self {
        Branch { on, labels, choose, not_taken: NotTaken::Branch, arms: RefCell::default() }
    }

    /// Adds the node of the arm at `place`; `take` extracts from the value what the arm binds.
    #[track_caller]
    pub fn arm<P: Value>(&self, place: u32, take: fn(&V) -> Option<P>) -> Arm<P> {
        let Branch { labels, choose, not_taken, .. } = *self;
        let label = labels.get(place as usize).copied().unwrap_or("arm");
        let case = Constant::opaque(Case { place, labels, choose, take, not_taken }, label);
        let args = [self.on.into_arg(), Arg::constant(case)];
        let name = (self.on.handle().source, label);
        let handle = builder::add_built_in(nodes::arm::<V, P>(), args, name, Location::caller());
        self.arms.borrow_mut().push(handle);
        Arm { output: Output::new(handle) }
    }

    /// The value of the branch: that of the arm that is taken.
    #[track_caller]
    pub fn join<T: Value, const N: usize>(self, results: [Output<T>; N]) -> Output<T> {
        let at = Location::caller();
        let arms = self.arms.into_inner();
        let inside = |(arm, result): (Handle, Output<T>)| match builder::is_in_arm(arm, result.handle()) {
            true => result.handle(),
            // A value from outside the arm exists whatever is decided; passed on inside the arm, it
            // exists only if the arm is taken.
            false => {
                let _inside = builder::enter(Some(arm));
                builder::add_built_in(nodes::pass::<T>(), [result.into_arg()], (arm.source, "value"), at)
            }
        };
        let from: Vec<Handle> = arms.into_iter().zip(results).map(inside).collect();
        let arg = Arg::edges(from, EdgeKind::First, first_as_it_is);
        Output::new(builder::add_built_in(nodes::join::<T>(), [arg], (self.on.handle().source, "joined"), at))
    }
}

impl<P: Value> Arm<P> {
    /// New nodes belong to the arm until the guard is dropped.
    pub fn enter(&self) -> InArm {
        builder::enter(Some(self.output.handle()))
    }

    /// The value of an arm that binds a single value.
    pub fn output(&self) -> Output<P> {
        self.output
    }

    /// One of several values that an arm binds.
    pub fn item<U: Value + Clone>(&self, place: usize, part: fn(&P) -> &U) -> Output<U> {
        super::projection::item(self.output, place, part)
    }

    /// The result of an arm without tasks.
    pub fn nothing(&self) -> Output<()> {
        self.output.map(|_: &P| ())
    }
}

impl InArm {
    pub(super) fn new(gate: Option<Handle>, before: Before) -> Self {
        InArm { gate, before }
    }
}

impl Drop for InArm {
    fn drop(&mut self) {
        builder::leave(self.gate, self.before);
    }
}
