//! Closures that replace tasks.

use crate::base::Result;
use crate::task::{Inputs, Produced};
use crate::value::{AnyValue, Value};

/// A closure that can replace a task with the inputs `Args` and the value `Output`.
///
/// It takes the inputs by value, `Vec<T>` for `&[T]` and `String` for `&str`, so they must be
/// `Clone`; the context is not passed. It returns a `Result` with taskflow's boxed error. Up to
/// twelve inputs.
#[diagnostic::on_unimplemented(
    message = "this closure cannot replace a task with the inputs `{Args}` and the value `{Output}`",
    label = "its signature differs",
    note = "it must take the inputs of the task as owned values, without the context: `Vec<T>` for `&[T]`, `String` for `&str`",
    note = "it must return `taskflow::Result<{Output}>`, as in `|day: Date| Ok(vec![..])`"
)]
pub trait StubFn<Args, Output>: Send + Sync + 'static {
    /// Calls it with the inputs of an attempt.
    #[doc(hidden)]
    fn call(&self, inputs: &mut Inputs) -> Produced;
}

macro_rules! stubs {
    ($($arg:ident $place:literal),*) => {
        impl<F, Output, $($arg),*> StubFn<($($arg,)*), Output> for F
        where
            F: Fn($($arg),*) -> Result<Output> + Send + Sync + 'static,
            Output: Value,
            $($arg: Clone + Send + Sync + 'static,)*
        {
            fn call(&self, _inputs: &mut Inputs) -> Produced {
                Ok(AnyValue::new(self($(_inputs.owned::<$arg>($place)),*)?))
            }
        }
    };
}

stubs!();
stubs!(A 0);
stubs!(A 0, B 1);
stubs!(A 0, B 1, C 2);
stubs!(A 0, B 1, C 2, D 3);
stubs!(A 0, B 1, C 2, D 3, E 4);
stubs!(A 0, B 1, C 2, D 3, E 4, G 5);
stubs!(A 0, B 1, C 2, D 3, E 4, G 5, H 6);
stubs!(A 0, B 1, C 2, D 3, E 4, G 5, H 6, I 7);
stubs!(A 0, B 1, C 2, D 3, E 4, G 5, H 6, I 7, J 8);
stubs!(A 0, B 1, C 2, D 3, E 4, G 5, H 6, I 7, J 8, K 9);
stubs!(A 0, B 1, C 2, D 3, E 4, G 5, H 6, I 7, J 8, K 9, L 10);
stubs!(A 0, B 1, C 2, D 3, E 4, G 5, H 6, I 7, J 8, K 9, L 10, M 11);
