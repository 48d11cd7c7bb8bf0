//! What a `#[task]` function takes and gives, for code that is generic over tasks.

use super::TaskDef;

/// A task as a type: `#[task] fn extract(..)` makes the type `extract`, written `extract {}` where a value of it is wanted.
///
/// The attribute writes it; the test kit uses it to check stubs against the function that they stand in for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no task",
    label = "not a task",
    note = "a task is named by the type that `#[task]` makes: `extract {{}}` for `#[task] fn extract(..)`"
)]
pub trait TaskFn {
    /// The inputs, as a tuple of owned types: `(Vec<T>, String)` for `(&[T], &str)`. The context is not one.
    type Args;
    /// What a success gives.
    type Output;

    /// The definition of the task.
    fn definition() -> &'static TaskDef;
}
