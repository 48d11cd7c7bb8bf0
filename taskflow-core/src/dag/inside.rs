//! A DAG inside another one: its function is called, and what it draws is a group.

use std::panic::Location;

use super::arg::{Arg, ArgDraft};
use super::builder::{self, GroupWish};
use super::def::DagDef;
use super::output::Output;
use crate::task::{Body, InputDef, RetryPolicy, TaskDef, pass_on};
use crate::value::{TypeInfo, Value};

/// Draws what `body` draws as a group with the name of the DAG. What a `#[dag]` function does when
/// it is called.
///
/// The task defaults of the DAG (`default(..)`) apply here as well, and its
/// `max_active_tasks` is the limit of the group. The options of its runs, such as schedules, time
/// limits and callbacks, is not about a part of another run.
///
/// # Panics
///
/// Outside a `#[dag]` function, with the place of the call and the way out; and if the DAG draws
/// itself.
#[doc(hidden)]
#[track_caller]
pub fn draw_inside<R>(def: &'static DagDef, body: impl FnOnce() -> R) -> R {
    let (id, options) = (def.id, &def.options);
    let wish = GroupWish {
        name: id.to_owned(),
        concurrency: options.max_active_tasks,
        after: Vec::new(),
        rule: None,
        retries: 0,
        retry_delay: RetryPolicy::DEFAULT_DELAY,
        dag: Some(def),
    };
    if builder::draws(def) {
        panic!("the DAG `{id}` draws itself, and would without end");
    }
    let Some(_open) = builder::open_group(wish, Location::caller()) else {
        panic!(
            "the DAG `{id}` was called outside a `#[dag]` function, where it draws a group; \
             to run it, call `{id}::run(..)`"
        );
    };
    body()
}

/// An argument for a DAG inside another one: a plain value needs a node that gives it, named after
/// the parameter.
#[track_caller]
pub(crate) fn given<T: Value>(arg: Arg, param: &'static str) -> Output<T> {
    if let ArgDraft::Value(from) = arg.0 {
        return Output::new(from);
    }
    match builder::add_named(const { &Of::<T>::GIVEN }, [arg], param.to_owned(), Location::caller()) {
        Some(output) => output,
        None => unreachable!("a group is open"),
    }
}

/// Generic functions cannot have statics; the constants of a generic type serve instead.
struct Of<T>(T);

impl<T: Value> Of<T> {
    const GIVEN: TaskDef = TaskDef {
        id: "given",
        doc: "Gives the value that a DAG inside another one was called with.",
        inputs: const { &[InputDef { name: "value", ty: TypeInfo::of::<T>() }] },
        output: TypeInfo::of_value::<T>(),
        body: Body::Sync(pass_on),
        ..TaskDef::OWN
    };
}
