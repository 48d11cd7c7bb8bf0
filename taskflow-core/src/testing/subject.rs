//! What can be tested.

use std::sync::Arc;

use crate::dag::{BuildErrors, Dag, DagFn, Plan};
use crate::engine::RunRequest;
use crate::value::{AnyValue, Value};

/// A graph, and the known values of its parameters.
type Parts = (Result<Arc<Plan>, BuildErrors>, Option<Vec<Option<AnyValue>>>);

/// The subject of a [`Test`](super::Test):
///
/// - `delays {}`, the type defined by `#[dag] fn delays(..)`: its parameters are set by name, or
///   have defaults;
/// - `delays::run(day, 15)` or `delays::run_with_defaults().request()`: with parameters that the
///   compiler checks;
/// - a [`Dag`], from [`Dag::build`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be tested as a DAG",
    label = "neither a DAG nor a run of one",
    note = "test `name {{}}` or `name::run(..)` of a `#[dag]` function, or a `Dag<T>`"
)]
pub trait Subject {
    /// The type of the result.
    type Result: Value;

    /// The graph, and the known values of its parameters.
    #[doc(hidden)]
    fn into_parts(self) -> Parts;
}

impl<D: DagFn<Result: Value>> Subject for D {
    type Result = D::Result;

    fn into_parts(self) -> Parts {
        (D::definition().plan(), None)
    }
}

impl<T: Value> Subject for RunRequest<T> {
    type Result = T;

    fn into_parts(self) -> Parts {
        let (plan, params) = self.into_parts();
        (plan, Some(params))
    }
}

impl<T: Value> Subject for &Dag<T> {
    type Result = T;

    fn into_parts(self) -> Parts {
        (Ok(Arc::clone(self.plan())), None)
    }
}

impl<T: Value> Subject for Dag<T> {
    type Result = T;

    fn into_parts(self) -> Parts {
        (&self).into_parts()
    }
}
