//! What may be passed to a task: the table of edge kinds, as trait implementations.
//!
//! | parameter | fed with | runs when |
//! |---|---|---|
//! | `T` | `Output<T>` | upstream succeeded |
//! | `T` | a plain `T`, a literal | (no edge) |
//! | `Option<T>` | `Output<T>` | upstream succeeded (`Some`) or was skipped (`None`) |
//! | `Result<T, Failure>` | `Output<T>` | upstream finished in any way |
//! | `Vec<..>` of these | `Vec<Output<T>>`, `[Output<T>; N]` | the same, for every element |
//! | `Vec<..>` of these | [`Mapped<T>`](super::Mapped) | the same, for every element of a list |
//! | `AnyOf<T>` | `Vec<Output<T>>`, `[Output<T>; N]` | the first upstream success |

use std::ffi::{OsStr, OsString};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::builder::Handle;
use super::output::Output;
use super::plan::EdgeKind;
use crate::base::Failure;
use crate::value::{AnyValue, Constant, Value, into_owned};

/// What can feed a task's parameter of type `A`.
///
/// For every parameter type there are the handles of the table in the design (`Output<T>` for `T`,
/// `Option<T>` and `Result<T, Failure>`; a `Vec` or array of them for the `Vec` forms and for
/// [`AnyOf`]), and plain values.
#[diagnostic::on_unimplemented(
    message = "a parameter of type `{A}` cannot take `{Self}`",
    label = "this does not fit a parameter of type `{A}`",
    note = "`Output<T>` feeds a parameter `T`, `&T`, `Option<T>` (when it may be skipped) or `Result<T, Failure>` (when it may fail)",
    note = "`[Output<T>; N]` and `Vec<Output<T>>` feed `Vec<T>`, `&[T]`, `Vec<Option<T>>`, `Vec<Result<T, Failure>>` or `AnyOf<T>`",
    note = "a plain value feeds a parameter of exactly its type; to change a type on the way, use `.map(|value| ..)` or put a `#[task]` in between"
)]
pub trait IntoArg<A: ?Sized> {
    /// The edge or constant.
    #[doc(hidden)]
    fn into_arg(self) -> Arg;
}

/// An argument with its type erased.
#[derive(Debug)]
pub struct Arg(pub(super) ArgDraft);

#[derive(Debug)]
pub(super) enum ArgDraft {
    /// A plain value.
    Constant(Box<Constant>),
    /// The unchanged value of an upstream that must succeed: the common case.
    Value(Handle),
    /// All else. Boxed, so that the other arguments stay small.
    Edges(Box<EdgesDraft>),
}

/// The edges of an argument that is not the unchanged value of one upstream.
#[derive(Debug)]
pub(super) struct EdgesDraft {
    pub(super) from: SmallVec<[Handle; 1]>,
    pub(super) kind: EdgeKind,
    pub(super) assemble: Assemble,
    /// Whether there is an edge from each element of the mapping that the upstream is in.
    pub(super) is_mapped: bool,
}

/// Makes the parameter's value of what its upstreams delivered.
pub(crate) type Assemble = fn(Vec<Delivery>) -> AnyValue;

/// What one upstream passes to one edge.
#[derive(Clone, Debug)]
pub(crate) enum Delivery {
    /// It succeeded.
    Value(AnyValue),
    /// The place of an element in a list that succeeded.
    Element { list: AnyValue, element: u32, item: fn(&AnyValue, usize) -> Option<AnyValue> },
    /// It was skipped, and the edge accepts that.
    Absent,
    /// It did not succeed, and the edge wants to know why.
    Failure(Arc<Failure>),
}

/// The first success among several upstreams.
///
/// The task starts as soon as one of them succeeds, without waiting for the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnyOf<T> {
    value: T,
    index: usize,
}

impl<T> AnyOf<T> {
    /// A value as if the upstream at `index` had been the first: for calling a task in a unit test.
    pub fn new(value: T, index: usize) -> Self {
        AnyOf { value, index }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Which of the upstreams it came from, in the order in which they were passed.
    pub fn index(&self) -> usize {
        self.index
    }
}

impl<T> Deref for AnyOf<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

// Plain values.

#[diagnostic::do_not_recommend]
impl<T: Value> IntoArg<T> for T {
    fn into_arg(self) -> Arg {
        Arg(ArgDraft::Constant(Box::new(Constant::new(self))))
    }
}

#[diagnostic::do_not_recommend]
impl IntoArg<String> for &str {
    fn into_arg(self) -> Arg {
        self.to_owned().into_arg()
    }
}

/// Like `&str` for a `String`.
macro_rules! borrowed {
    ($($borrowed:ty => $owned:ty;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl IntoArg<$owned> for &$borrowed {
            fn into_arg(self) -> Arg {
                <$owned>::from(self).into_arg()
            }
        }
    )*};
}

borrowed! {
    Path => PathBuf;
    str => PathBuf;
    OsStr => OsString;
    str => OsString;
}

// One upstream.

#[diagnostic::do_not_recommend]
impl<T: Value> IntoArg<T> for Output<T> {
    fn into_arg(self) -> Arg {
        Arg(ArgDraft::Value(self.handle()))
    }
}

#[diagnostic::do_not_recommend]
impl<T: Value + Clone> IntoArg<Option<T>> for Output<T> {
    fn into_arg(self) -> Arg {
        one(self, EdgeKind::Optional, |delivered| AnyValue::new(single(delivered).into_option::<T>()))
    }
}

#[diagnostic::do_not_recommend]
impl<T: Value + Clone> IntoArg<Result<T, Failure>> for Output<T> {
    fn into_arg(self) -> Arg {
        one(self, EdgeKind::Outcome, |delivered| AnyValue::new(single(delivered).into_result::<T>()))
    }
}

// Several upstreams, as an array or a vector.

macro_rules! many {
    ($(impl[$($generics:tt)*] for $from:ty;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<T: Value + Clone, $($generics)*> IntoArg<Vec<T>> for $from {
            fn into_arg(self) -> Arg {
                many(self, EdgeKind::Required, |delivered| collect(delivered, Delivery::into_value::<T>))
            }
        }

        #[diagnostic::do_not_recommend]
        impl<T: Value + Clone, $($generics)*> IntoArg<Vec<Option<T>>> for $from {
            fn into_arg(self) -> Arg {
                many(self, EdgeKind::Optional, |delivered| collect(delivered, Delivery::into_option::<T>))
            }
        }

        #[diagnostic::do_not_recommend]
        impl<T: Value + Clone, $($generics)*> IntoArg<Vec<Result<T, Failure>>> for $from {
            fn into_arg(self) -> Arg {
                many(self, EdgeKind::Outcome, |delivered| collect(delivered, Delivery::into_result::<T>))
            }
        }

        #[diagnostic::do_not_recommend]
        impl<T: Value + Clone, $($generics)*> IntoArg<AnyOf<T>> for $from {
            fn into_arg(self) -> Arg {
                many(self, EdgeKind::First, |delivered| AnyValue::new(first::<T>(delivered)))
            }
        }
    )*};
}

many! {
    impl[] for Vec<Output<T>>;
    impl[const N: usize] for [Output<T>; N];
}

fn one<T>(from: Output<T>, kind: EdgeKind, assemble: Assemble) -> Arg {
    Arg::edges([from.handle()], kind, assemble)
}

fn many<T>(from: impl IntoIterator<Item = Output<T>>, kind: EdgeKind, assemble: Assemble) -> Arg {
    Arg::edges(from.into_iter().map(Output::handle), kind, assemble)
}

/// The unchanged value of the first upstream that has one, for example of the arms of a branch.
pub(super) fn first_as_it_is(delivered: Vec<Delivery>) -> AnyValue {
    let winner = delivered.into_iter().find_map(|delivery| match delivery {
        Delivery::Value(value) => Some(value),
        Delivery::Element { .. } | Delivery::Absent | Delivery::Failure(_) => None,
    });
    winner.expect("the edges are those of an `AnyOf`, and one of them succeeded")
}

/// The value of the only upstream, as it comes: for an edge that is special in another way than its
/// kind.
pub(crate) fn as_it_is(delivered: Vec<Delivery>) -> AnyValue {
    match single(delivered) {
        Delivery::Value(value) => value,
        Delivery::Element { .. } | Delivery::Absent | Delivery::Failure(_) => {
            unreachable!("a required edge delivers only after a success")
        }
    }
}

pub(super) fn collect<T: Send + Sync + 'static>(delivered: Vec<Delivery>, convert: fn(Delivery) -> T) -> AnyValue {
    AnyValue::new(delivered.into_iter().map(convert).collect::<Vec<T>>())
}

fn single(mut delivered: Vec<Delivery>) -> Delivery {
    delivered.pop().unwrap_or(Delivery::Absent)
}

/// All but the winner are absent.
fn first<T: Value + Clone>(delivered: Vec<Delivery>) -> AnyOf<T> {
    let winner = delivered.into_iter().enumerate().find_map(|(index, delivery)| match delivery {
        Delivery::Value(value) => Some(AnyOf { value: into_owned(value), index }),
        Delivery::Element { .. } | Delivery::Absent | Delivery::Failure(_) => None,
    });
    winner.expect("a task with an `AnyOf` starts after one of its upstreams succeeded")
}

impl Arg {
    /// A plain value.
    pub(crate) fn constant(constant: Constant) -> Self {
        Arg(ArgDraft::Constant(Box::new(constant)))
    }

    /// Takes the argument. What it leaves behind is one of no graph.
    #[inline]
    pub(super) fn take(&mut self) -> ArgDraft {
        std::mem::replace(&mut self.0, ArgDraft::Value(Handle::NOWHERE))
    }

    pub(super) fn edges(from: impl IntoIterator<Item = Handle>, kind: EdgeKind, assemble: Assemble) -> Self {
        let from = from.into_iter().collect();
        Arg(ArgDraft::Edges(Box::new(EdgesDraft { from, kind, assemble, is_mapped: false })))
    }

    /// Edges from each element of the mapping that a node is in.
    pub(super) fn mapped(from: Handle, kind: EdgeKind, assemble: Assemble) -> Self {
        let from = SmallVec::from([from]);
        Arg(ArgDraft::Edges(Box::new(EdgesDraft { from, kind, assemble, is_mapped: true })))
    }
}

impl ArgDraft {
    /// The handles it takes values from.
    #[inline]
    pub(super) fn handles(&self) -> &[Handle] {
        match self {
            ArgDraft::Constant(_) => &[],
            ArgDraft::Value(from) => std::slice::from_ref(from),
            ArgDraft::Edges(edges) => &edges.from,
        }
    }

    /// What it asks of its upstreams, if it has any.
    pub(super) fn kind(&self) -> Option<EdgeKind> {
        match self {
            ArgDraft::Constant(_) => None,
            ArgDraft::Value(_) => Some(EdgeKind::Required),
            ArgDraft::Edges(edges) => Some(edges.kind),
        }
    }

    /// Whether a node with this argument is skipped if all nodes that are `inside` are skipped.
    pub(super) fn is_held_by(&self, inside: impl Fn(&Handle) -> bool) -> bool {
        match self.kind() {
            Some(EdgeKind::Required) => self.handles().iter().any(inside),
            Some(EdgeKind::First) => self.handles().iter().all(inside),
            Some(EdgeKind::Optional | EdgeKind::Outcome) | None => false,
        }
    }
}

impl Delivery {
    /// Takes an element out of its list. Runs user code: `Clone` of the element.
    ///
    /// # Errors
    ///
    /// When the list is too short: it was stored by an earlier version and is another one by now.
    pub(crate) fn take_out(&mut self) -> Result<(), Failure> {
        if let Delivery::Element { list, element, item } = self {
            let Some(value) = item(list, *element as usize) else {
                let reason = format!("its list no longer has an element {element}; clear the list to expand it again");
                return Err(Failure::Error { chain: vec![reason], retryable: false });
            };
            *self = Delivery::Value(value);
        }
        Ok(())
    }

    #[inline]
    pub(super) fn into_value<T: Value + Clone>(self) -> T {
        self.into_option().expect("a required edge delivers only after a success")
    }

    #[inline]
    pub(super) fn into_option<T: Value + Clone>(self) -> Option<T> {
        match self {
            Delivery::Value(value) => Some(into_owned(value)),
            Delivery::Element { .. } | Delivery::Absent | Delivery::Failure(_) => None,
        }
    }

    pub(super) fn into_result<T: Value + Clone>(self) -> Result<T, Failure> {
        match self {
            Delivery::Value(value) => Ok(into_owned(value)),
            Delivery::Element { .. } | Delivery::Absent => {
                Err(Failure::Skipped { reason: "an upstream was skipped".to_owned() })
            }
            Delivery::Failure(failure) => Err(Arc::unwrap_or_clone(failure)),
        }
    }
}
