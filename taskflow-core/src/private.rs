//! What generated code may touch. Not API: everything here can change in any release.

pub use inventory;

use std::sync::Arc;

pub use crate::dag::{
    Arg, DagDef, DagEntry, DagOptions, IntoArg, Param, ParamDef, PlanCell, PoolDef, PoolEntry, Registry, TaskEntry,
    add_task,
};
use crate::dag::{DagInputs, Handle, Output};
use crate::error::BoxError;
pub use crate::task::{
    Backoff, Body, BoxFuture, InputDef, Inputs, Kind, Produced, SourceLocation, TaskContext, TaskDef, TaskOptions,
    TriggerRule,
};
pub use crate::value::{TypeInfo, Value};

/// The value of a task whose function returns it plainly.
pub fn produce<T: Value>(value: T) -> Produced {
    Ok(Arc::new(value))
}

/// What a task may return as a `Result`: looked through, so that the node's output is the `Ok` type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Result<T, E>`",
    note = "`#[task]` looks into a return type whose last name is `Result`"
)]
pub trait TaskResult {
    /// The type of the value.
    type Ok;
    /// The type of the error.
    type Err;
    /// The result itself.
    fn into_result(self) -> Result<Self::Ok, Self::Err>;
}

impl<T, E> TaskResult for Result<T, E> {
    type Ok = T;
    type Err = E;
    fn into_result(self) -> Result<T, E> {
        self
    }
}

/// The value or error of a task whose function returns a `Result`.
pub fn produce_result<R>(result: R) -> Produced
where
    R: TaskResult,
    R::Ok: Value,
    R::Err: IntoTaskError,
{
    match result.into_result() {
        Ok(value) => Ok(Arc::new(value)),
        Err(error) => Err(error.into_task_error()),
    }
}

/// The errors a task may return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a task",
    label = "not an error",
    note = "implement `std::error::Error` for it, or return `anyhow::Error`, `String` or `taskflow::BoxError`"
)]
pub trait IntoTaskError {
    /// The boxed error.
    fn into_task_error(self) -> BoxError;
}

impl<E: Into<BoxError>> IntoTaskError for E {
    fn into_task_error(self) -> BoxError {
        self.into()
    }
}

/// What the body of a `#[dag]` function returns: an output, or nothing.
pub trait DagResult<T> {
    /// The handle of the result.
    fn into_handle(self) -> Option<Handle>;
}

impl<T> DagResult<T> for Output<T> {
    fn into_handle(self) -> Option<Handle> {
        Some(self.handle_for_macros())
    }
}

impl DagResult<()> for () {
    fn into_handle(self) -> Option<Handle> {
        None
    }
}

/// The handle of a DAG's next parameter.
pub fn dag_input<T: Value>(inputs: &mut DagInputs) -> Output<T> {
    inputs.next_output()
}

/// The `main` of a DAG binary, and what it says of itself.
#[cfg(feature = "cli")]
pub use crate::cli::{Program, main as cli_main};

pub use crate::dag::Params;
pub use crate::engine::RunRequest;

/// What `dag::run(..)` gives.
pub fn run_request<T: Value>(def: &'static DagDef, params: Params) -> RunRequest<T> {
    RunRequest::of(def, params)
}
