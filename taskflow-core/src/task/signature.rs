//! The input and output types of a `#[task]` function, for code that is generic over tasks.

use super::TaskDef;

/// A task as a type: `#[task] fn extract(..)` defines the type `extract`; its value is written
/// `extract {}`.
///
/// The attribute implements it; the test kit uses it to check stubs against the function they
/// replace.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task",
    label = "not a task",
    note = "a task is named by the type that `#[task]` makes: `extract {{}}` for `#[task] fn extract(..)`"
)]
pub trait TaskFn {
    /// The inputs, as a tuple of owned types: `(Vec<T>, String)` for `(&[T], &str)`. The context is
    /// not one.
    type Args;
    /// The value of a successful task.
    type Output;

    /// The definition of the task.
    fn definition() -> &'static TaskDef;
}
