//! The result of a DAG that is made of several outputs.
//!
//! A function with `-> (A, B)` can end with a tuple of outputs, one with `-> Vec<T>` with the
//! values of an [`each`](Output::each). Both add a built-in node that makes the declared value of
//! them, so a run has one result, which is stored and passed on like any other.

use std::marker::PhantomData;

use super::arg::IntoArg;
use super::builder;
use super::each::Mapped;
use super::output::Output;
use crate::task::{Body, InputDef, TaskDef};
use crate::value::{AnyValue, TypeInfo, Value};

/// What a `#[dag]` function can end with if its result is a tuple or a list.
///
/// An [`Output`] of the whole, a tuple with something for each part (whatever a task parameter of
/// the part's type would take), or the [`Mapped`] values of an `each` for a list.
#[diagnostic::on_unimplemented(
    message = "this DAG has a result of type `{T}` and ends with `{Self}`",
    label = "this does not make a `{T}`",
    note = "return the output of a task that returns the whole, a tuple with an output for each part, or for a list the \
            result of an `each`"
)]
pub trait ComposedResult<T> {
    /// The output of the whole.
    fn compose(self) -> Output<T>;
}

#[diagnostic::do_not_recommend]
impl<T> ComposedResult<T> for Output<T> {
    fn compose(self) -> Output<T> {
        self
    }
}

#[diagnostic::do_not_recommend]
impl<T: Value + Clone> ComposedResult<Vec<T>> for Mapped<T> {
    #[track_caller]
    fn compose(self) -> Output<Vec<T>> {
        self.collect()
    }
}

/// Generic functions cannot have statics; the constants of a generic type serve instead.
struct Of<T>(PhantomData<T>);

macro_rules! tuples {
    ($(($($name:ident $from:ident $item:tt $label:literal)+))*) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($name: Value + Clone, $from: IntoArg<$name>),+> ComposedResult<($($name,)+)> for ($($from,)+) {
            #[track_caller]
            fn compose(self) -> Output<($($name,)+)> {
                builder::add_task(const { &Of::<($($name,)+)>::RESULT }, [$(self.$item.into_arg()),+])
            }
        }

        impl<$($name: Value + Clone),+> Of<($($name,)+)> {
            const RESULT: TaskDef = TaskDef {
                id: "result",
                doc: "The parts of the result of a DAG, as a tuple.",
                inputs: const { &[$(InputDef { name: $label, ty: TypeInfo::of::<$name>() }),+] },
                output: TypeInfo::of_value::<($($name,)+)>(),
                body: Body::Sync(|inputs, _| Ok(AnyValue::new(($(inputs.owned::<$name>($item),)+)))),
                ..TaskDef::OWN
            };
        }
    )*};
}

tuples! {
    (A X 0 "first" B Y 1 "second")
    (A X 0 "first" B Y 1 "second" C Z 2 "third")
    (A X 0 "first" B Y 1 "second" C Z 2 "third" D W 3 "fourth")
}
