//! Mapping over a list that is known only at run time: Airflow's `expand`, for any part of a graph.
//!
//! 1. [`Output::each`] adds an *expand node* for the list and runs its closure once. What the
//!    closure draws is the *template*: its nodes belong to the [`Mapping`](super::plan::Mapping),
//!    and an edge from the expand node to one of them carries one element.
//! 2. When the expand node succeeds in a run, the template is instantiated once for each element
//!    ([`Layout`](super::Layout)): `summarise[0]`, `summarise[1]`, and so on. Tasks of one element
//!    depend on each other as drawn, and not on those of others.
//! 3. Whatever happens later, the input of an element is that of the list it was expanded from. A
//!    list that its upstream returned is stored with that upstream; one that a projection made
//!    (`list.map(..).each(..)`) is stored with the expand node, because the closure may have
//!    changed when the run is resumed. If elements are to run and the upstream has another value by
//!    then, the expand node runs again, and with it all elements: they are those of another list.
//! 4. The closure's result becomes a [`Mapped`]: the values of all elements, in order, for a
//!    parameter `Vec<T>`, `Vec<Option<T>>` or `Vec<Result<T, Failure>>`. A closure that returns a
//!    tuple gets a tuple of these back ([`EachResult`]).

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;

use super::arg::{Arg, Assemble, Delivery, IntoArg, collect};
use super::builder::{self, Handle};
use super::error::BuildError;
use super::label::Labels;
use super::output::Output;
use super::plan::{EdgeKind, MappingIndex};
use crate::base::Failure;
use crate::task::{Body, Executor, InputDef, TaskDef, pass_on};
use crate::value::{AnyValue, TypeInfo, Value};

/// What the tasks inside an [`each`](Output::each) will return, one value an element.
///
/// Like an [`Output`] it is a `Copy` handle. It feeds a parameter `Vec<T>` (or `&[T]`), which waits
/// for all to succeed, `Vec<Option<T>>` (elements may be skipped) and `Vec<Result<T, Failure>>`
/// (elements may fail).
pub struct Mapped<T> {
    /// The template node whose values it is made of.
    handle: Handle,
    mapping: MappingIndex,
    value: PhantomData<fn() -> T>,
}

/// How the list of a mapping is taken apart.
#[derive(Clone, Copy)]
pub(crate) struct Split {
    pub(crate) len: fn(&AnyValue) -> usize,
    /// The element at this place, if the list is so long.
    pub(crate) item: fn(&AnyValue, usize) -> Option<AnyValue>,
}

impl fmt::Debug for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Split")
    }
}

impl<T: Value + Clone> Output<Vec<T>> {
    /// Implements [`each`](Output::each), with or without labels.
    #[track_caller]
    pub(super) fn each_with<R: EachResult>(
        self,
        labels: Option<Labels>,
        body: impl FnOnce(Output<T>) -> R,
    ) -> R::Mapped {
        let at = Location::caller();
        let split = Split { len: list_len::<T>, item: list_item::<T> };
        let list = IntoArg::<Vec<T>>::into_arg(self);
        let opened = builder::open_mapping(self.handle(), list, const { &Of::<T>::EXPAND }, split, at);
        if labels.is_some() {
            builder::with_mapping(opened.expand, opened.mapping, at, |mapping| mapping.labels = labels);
        }
        body(Output::new(opened.expand)).into_mapped(OfMapping(opened.mapping))
    }
}

impl<T> Mapped<T> {
    /// How many tasks of the elements may run at once, in one run; zero is a build error. Default:
    /// as many as the run may.
    #[track_caller]
    #[must_use]
    pub fn concurrency(self, tasks: u32) -> Self {
        let at = Location::caller();
        if tasks == 0 {
            builder::report(BuildError::NoConcurrency { at: at.into() });
        }
        builder::with_mapping(self.handle, self.mapping, at, |mapping| mapping.concurrency = Some(tasks));
        self
    }

    /// Runs the tasks of the elements on an executor instead of in the engine's process: on a Spark
    /// cluster, with the feature `spark`.
    ///
    /// It applies to tasks inside this `each`, at any depth, that do not set an executor
    /// themselves. Sensors, deferrable tasks, isolated tasks and tasks without `#[task]` stay in
    /// the engine's process.
    #[track_caller]
    #[must_use]
    pub fn on(self, executor: impl Into<Executor>) -> Self {
        builder::put_elements_on(self.handle, self.mapping, executor.into(), Location::caller());
        self
    }

    /// How often an element may begin, in one run: `"10/s"`, `"100/min"`, `"1000/h"`, `"5/d"`.
    /// Elements begin in their order and evenly: at ten a second, one every 100 ms. Once an element
    /// has begun, its other tasks and retries are not held back. Default: no limit.
    #[track_caller]
    #[must_use]
    pub fn rate(self, rate: &str) -> Self {
        let at = Location::caller();
        match rate.parse() {
            Ok(rate) => builder::with_mapping(self.handle, self.mapping, at, |mapping| mapping.rate = Some(rate)),
            Err(message) => builder::report(BuildError::Rate { message, at: at.into() }),
        }
        self
    }

    /// How many elements the list may have. A longer one fails, with the count in the message,
    /// before it is expanded. Default: no limit.
    #[track_caller]
    #[must_use]
    pub fn limit(self, elements: u32) -> Self {
        builder::with_mapping(self.handle, self.mapping, Location::caller(), |mapping| mapping.limit = Some(elements));
        self
    }
}

impl<T> Mapped<T> {
    pub(super) fn handle(self) -> Handle {
        self.handle
    }
}

impl<T: Value + Clone> Mapped<T> {
    fn new(handle: Handle, mapping: MappingIndex) -> Self {
        Mapped { handle, mapping, value: PhantomData }
    }

    /// Draws what happens next to each element. There is no barrier: an element continues when it
    /// is ready, whatever the others do.
    #[track_caller]
    pub fn each<R: EachResult>(self, body: impl FnOnce(Output<T>) -> R) -> R::Mapped {
        let _opened = builder::reopen_mapping(self.handle, self.mapping, Location::caller());
        body(Output::new(self.handle)).into_mapped(OfMapping(self.mapping))
    }

    /// The values of all elements as one list. Rarely needed: where a task takes a list, a
    /// [`Mapped`] can be passed as it is.
    #[track_caller]
    pub fn collect(self) -> Output<Vec<T>> {
        builder::add_task(const { &Of::<T>::COLLECT }, [IntoArg::<Vec<T>>::into_arg(self)])
    }
}

impl<T> Clone for Mapped<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Mapped<T> {}

impl<T> fmt::Debug for Mapped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mapped<{}>({})", std::any::type_name::<T>(), self.handle)
    }
}

/// What the closure of an [`each`](Output::each) can return: the [`Output`] of a task, the result
/// of an inner `each`, or a tuple of two to four of these.
#[diagnostic::on_unimplemented(
    message = "the closure of `each` returns `{Self}`, and not the output of a task",
    label = "this closure must return an `Output`",
    note = "return the `Output` of one of its tasks, the result of an inner `each`, or a tuple of up to four of these"
)]
pub trait EachResult {
    /// What `each` returns: a [`Mapped`], or a tuple of them.
    type Mapped;
    /// The values of all elements.
    #[doc(hidden)]
    fn into_mapped(self, mapping: OfMapping) -> Self::Mapped;
}

/// The mapping whose closure returned a result.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct OfMapping(MappingIndex);

#[diagnostic::do_not_recommend]
impl<T: Value + Clone> EachResult for Output<T> {
    type Mapped = Mapped<T>;
    #[track_caller]
    fn into_mapped(self, mapping: OfMapping) -> Mapped<T> {
        let mut handle = self.handle();
        // The expand node is outside of the template, which needs a node with the element.
        if builder::is_expand_node(handle, mapping.0) {
            let element = IntoArg::<T>::into_arg(self);
            let base = (handle.source, Of::<T>::ELEMENT.id);
            handle = builder::add_built_in(const { &Of::<T>::ELEMENT }, [element], base, Location::caller());
        }
        Mapped::new(handle, mapping.0)
    }
}

#[diagnostic::do_not_recommend]
impl<T: Value + Clone> EachResult for Mapped<T> {
    type Mapped = Mapped<Vec<T>>;
    #[track_caller]
    fn into_mapped(self, mapping: OfMapping) -> Mapped<Vec<T>> {
        self.collect().into_mapped(mapping)
    }
}

macro_rules! tuples {
    ($(($($name:ident $item:tt)+))*) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($name: EachResult),+> EachResult for ($($name,)+) {
            type Mapped = ($($name::Mapped,)+);
            #[track_caller]
            fn into_mapped(self, mapping: OfMapping) -> Self::Mapped {
                ($(self.$item.into_mapped(mapping),)+)
            }
        }
    )*};
}

tuples! {
    (A 0 B 1)
    (A 0 B 1 C 2)
    (A 0 B 1 C 2 D 3)
}

#[diagnostic::do_not_recommend]
impl<T: Value + Clone> IntoArg<Vec<T>> for Mapped<T> {
    fn into_arg(self) -> Arg {
        mapped(self, EdgeKind::Required, |delivered| collect(delivered, Delivery::into_value::<T>))
    }
}

#[diagnostic::do_not_recommend]
impl<T: Value + Clone> IntoArg<Vec<Option<T>>> for Mapped<T> {
    fn into_arg(self) -> Arg {
        mapped(self, EdgeKind::Optional, |delivered| collect(delivered, Delivery::into_option::<T>))
    }
}

#[diagnostic::do_not_recommend]
impl<T: Value + Clone> IntoArg<Vec<Result<T, Failure>>> for Mapped<T> {
    fn into_arg(self) -> Arg {
        mapped(self, EdgeKind::Outcome, |delivered| collect(delivered, Delivery::into_result::<T>))
    }
}

fn mapped<T>(from: Mapped<T>, kind: EdgeKind, assemble: Assemble) -> Arg {
    Arg::mapped(from.handle, kind, assemble)
}

fn list_len<T: Value>(list: &AnyValue) -> usize {
    list.downcast_ref::<Vec<T>>().map_or(0, Vec::len)
}

fn list_item<T: Value + Clone>(list: &AnyValue, place: usize) -> Option<AnyValue> {
    let list = list.downcast_ref::<Vec<T>>()?;
    Some(AnyValue::new(list.get(place)?.clone()))
}

/// The built-in tasks that a mapping consists of.
struct Of<T>(PhantomData<T>);

impl<T: Value> Of<T> {
    /// The expand node. Its value is stored only if it is not simply that of its upstream.
    const EXPAND: TaskDef = TaskDef {
        id: "each",
        doc: "The elements of a list, each with tasks of its own.",
        inputs: const { &[InputDef { name: "list", ty: TypeInfo::of::<Vec<T>>() }] },
        output: TypeInfo::of_value::<Vec<T>>(),
        body: Body::Sync(pass_on),
        ..TaskDef::OWN
    };

    /// The node of a closure that returns its element.
    const ELEMENT: TaskDef = TaskDef {
        id: "element",
        doc: "An element of a list.",
        inputs: const { &[InputDef { name: "element", ty: TypeInfo::of::<T>() }] },
        output: TypeInfo::of_value::<T>(),
        body: Body::Sync(pass_on),
        ..TaskDef::OWN
    };

    /// The node that makes a list of the values of all elements.
    const COLLECT: TaskDef = TaskDef {
        id: "collect",
        doc: "The values of all elements, as a list.",
        inputs: const { &[InputDef { name: "values", ty: TypeInfo::of::<Vec<T>>() }] },
        output: TypeInfo::of_value::<Vec<T>>(),
        body: Body::Sync(pass_on),
        ..TaskDef::OWN
    };
}
