//! What generated code uses. Not API: everything here can change in any release.

mod fuzz;

#[cfg(feature = "server")]
pub use fuzz::fuzz_request;
pub use fuzz::{fuzz_answers, fuzz_entries, fuzz_value};
pub use inventory;

use std::sync::Arc;

pub use crate::asset::{Asset, AssetEntry, EventOptions, Watcher, WatcherEntry};
use crate::asset::{EventSource, Partition, TakesEvents};
use crate::base::BoxError;
pub use crate::base::SourceLocation;
pub use crate::dag::{
    Arg, Branch, ComposedResult, DagDef, DagEntry, DagEvents, DagFn, DagOptions, Expression, IntoArg, Param, ParamDef,
    PlanCell, PoolDef, PoolEntry, Registry, ScheduleSource, TaskEntry, add_task, draw_inside,
};
use crate::dag::{DagInputs, Handle, Output};
use crate::schedule::{Calendar, Timetable};
pub use crate::schedule::{Catchup, ClockTime, Combine, First, OnUpdate, Overlap, Shift};
pub use crate::task::{
    Backoff, Body, BoxFuture, Callback, Deadline, DeadlineReference, InputDef, Inputs, Intervals, Isolation, Kind,
    NoIntervals, Produced, Production, TaskContext, TaskDef, TaskFn, TaskOptions, TriggerRule, Waiting,
};
use crate::task::{CallbackResult, Interrupt, JudgedError, Notification, Notifier, Retry};
use crate::value::AnyValue;
pub use crate::value::{TypeInfo, Value};

/// The executor of `executor = "spark"`.
#[cfg(all(unix, feature = "spark"))]
pub const fn spark() -> crate::task::Executor {
    crate::task::Executor::new(&crate::spark::DEFAULT)
}

/// The executor of `executor = "spark"` without the feature. Constants call it, so the panic is a
/// compile error.
///
/// # Panics
///
/// Always.
#[cfg(not(all(unix, feature = "spark")))]
pub const fn spark() -> crate::task::Executor {
    panic!("`executor = \"spark\"` needs the feature `spark` of taskflow, on Unix")
}

/// The result of a task whose function returns a plain value.
pub fn produce<T: Value>(value: T) -> Produced {
    Ok(AnyValue::new(value))
}

/// The result of a task whose function returns a `Result`.
pub fn produce_result<T: Value, E: IntoTaskError, R: TaskResult<Ok = T, Err = E>>(result: R) -> Produced {
    match result.into_result() {
        Ok(value) => Ok(AnyValue::new(value)),
        Err(error) => Err(error.into_task_error()),
    }
}

/// Like [`produce_result`], for a task with a `retry_on` function.
pub fn produce_judged<T: Value, E: IntoTaskError, R: TaskResult<Ok = T, Err = E>, A: Into<Retry>>(
    result: R,
    judge: impl FnOnce(&E) -> A,
) -> Produced {
    match result.into_result() {
        Ok(value) => Ok(AnyValue::new(value)),
        Err(error) => {
            let retry = judge(&error).into();
            Err(JudgedError { error: error.into_task_error(), retry }.into())
        }
    }
}

/// The notifier of a callback.
pub fn notifier<N: Notifier>(notifier: N) -> Arc<dyn Notifier> {
    Arc::new(notifier)
}

/// The notifier of a closure, whose parameter type can be omitted.
pub fn notifier_of<R: CallbackResult>(
    callback: impl Fn(&Notification) -> R + Send + Sync + 'static,
) -> Arc<dyn Notifier> {
    Arc::new(callback)
}

/// The timetable of a DAG.
pub fn timetable<T: Timetable>(timetable: T) -> Arc<dyn Timetable> {
    Arc::new(timetable)
}

/// The days on which a DAG is not due.
pub fn calendar<C: Calendar>(calendar: C) -> Arc<dyn Calendar> {
    Arc::new(calendar)
}

/// The result of a sensor.
pub fn produce_sensed<T: Value>(found: Option<T>) -> Produced {
    match found {
        Some(value) => Ok(AnyValue::new(value)),
        None => Err(Interrupt::not_yet().into()),
    }
}

/// The result of a sensor that can fail.
pub fn produce_sensed_result<T: Value, E: IntoTaskError, R: TaskResult<Ok = Option<T>, Err = E>>(
    result: R,
) -> Produced {
    produce_sensed(result.into_result().map_err(IntoTaskError::into_task_error)?)
}

/// The requirement for a return type whose last name is `Result`, and the types behind an alias
/// without arguments.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the `Result` of the standard library",
    label = "not a `Result<T, E>`",
    note = "`#[task]` looks into a return type whose last name is `Result`; give a type of your own another name"
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

/// The future of an async task.
pub fn boxed(future: impl Future<Output = Produced> + Send + 'static) -> BoxFuture<Produced> {
    Box::pin(future)
}

/// The `index`-th input by value.
pub fn owned<T: Value + ByValue>(inputs: &mut Inputs, index: usize) -> T {
    inputs.owned(index)
}

/// The `index`-th input for borrowing.
#[allow(
    clippy::needless_maybe_sized,
    reason = "`Value` implies `Sized`; saying so here too would report `&Path` twice"
)]
pub fn shared<T: Value + ?Sized>(inputs: &mut Inputs, index: usize) -> Arc<T> {
    inputs.shared(index)
}

/// The owned type of an input that a task borrows as `&Path` or `&OsStr`, or as a reference to a
/// type of the user with such a name.
pub trait OwnedInput {
    /// The type that is passed between tasks.
    type Owned;
}

impl<T> OwnedInput for T {
    type Owned = T;
}

impl OwnedInput for std::path::Path {
    type Owned = std::path::PathBuf;
}

impl OwnedInput for std::ffi::OsStr {
    type Owned = std::ffi::OsString;
}

/// The requirement for an input by value.
#[diagnostic::on_unimplemented(
    message = "a task can take `{Self}` by value only if it is `Clone`",
    label = "not `Clone`",
    note = "several tasks may read one value: take `&{Self}`, which copies nothing, or derive `Clone`"
)]
pub trait ByValue: Clone {}

#[diagnostic::do_not_recommend]
impl<T: Clone> ByValue for T {}

/// The errors a task may return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a task",
    label = "not an error",
    note = "derive or implement `std::error::Error` for it, or return `anyhow::Error`, `String` or `taskflow::BoxError`",
    note = "it changes threads: a boxed error is `Box<dyn Error + Send + Sync>`"
)]
pub trait IntoTaskError {
    /// The boxed error.
    fn into_task_error(self) -> BoxError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> IntoTaskError for E {
    fn into_task_error(self) -> BoxError {
        self.into()
    }
}

/// What the body of a `#[dag]` function returns: an output, or nothing.
#[diagnostic::on_unimplemented(
    message = "this DAG ends with `{Self}` without declaring a return type",
    label = "the last line of the function returns `{Self}`",
    note = "declare the type behind the output, `fn name(..) -> T`, to make it the result of a run, or end the line with `;`"
)]
pub trait DagResult<T> {
    /// The handle of the result.
    fn into_handle(self) -> Option<Handle>;
}

#[diagnostic::do_not_recommend]
impl<T> DagResult<T> for Output<T> {
    fn into_handle(self) -> Option<Handle> {
        Some(self.handle_for_macros())
    }
}

#[diagnostic::do_not_recommend]
impl DagResult<()> for () {
    fn into_handle(self) -> Option<Handle> {
        None
    }
}

/// The handle of a DAG's next parameter.
pub fn dag_input<T>(inputs: &mut DagInputs) -> Output<T> {
    inputs.next_output()
}

/// What generated code does with the type of a parameter. This function reports a type that is not
/// a [`Value`] once.
pub fn param_type<T: Value>() -> ParamType<T> {
    ParamType { named: Param::new, erase: AnyValue::new, given: crate::dag::given::<T> }
}

/// See [`param_type`].
#[derive(Debug)]
pub struct ParamType<T> {
    named: fn(&'static str) -> Param<T>,
    erase: fn(T) -> AnyValue,
    given: fn(Arg, &'static str) -> Output<T>,
}

impl<T> ParamType<T> {
    /// The definition of a parameter.
    pub fn named(self, name: &'static str) -> Param<T> {
        (self.named)(name)
    }

    /// Adds the value of the next parameter.
    pub fn give(self, params: &mut Params, value: T) {
        params.push((self.erase)(value));
    }

    /// Sets the value of the parameter at this place.
    pub fn set(self, params: &mut SomeParams, place: usize, value: T) {
        params.0[place] = Some((self.erase)(value));
    }

    /// The output for the parameter of a DAG inside another one.
    #[track_caller]
    pub fn inside(self, arg: Arg, param: &'static str) -> Output<T> {
        (self.given)(arg, param)
    }
}

/// The source of events, with the types of its events. This function reports a value that is none.
pub fn event_source<S: EventSource>(source: &S) -> EventsOf<S::Payload, S::Partition> {
    EventsOf { asset: source.asset(), types: std::marker::PhantomData }
}

/// See [`event_source`].
#[derive(Debug)]
pub struct EventsOf<T, P> {
    asset: String,
    types: std::marker::PhantomData<fn() -> (T, P)>,
}

impl<T: Value, P: Partition> EventSource for EventsOf<T, P> {
    type Payload = T;
    type Partition = P;

    fn asset(&self) -> String {
        self.asset.clone()
    }
}

impl<T: Value, P: Partition> EventsOf<T, P> {
    /// Binds a parameter to the events.
    pub fn bind<V>(self, param: Param<V>, options: EventOptions) -> Param<V>
    where
        V: TakesEvents<T, P> + 'static,
    {
        param.events(&self, options)
    }
}

impl<T: Value, P: Partition> EventsOf<T, P> {
    /// As [`bind`](EventsOf::bind), with the function that returns the key of an event.
    pub fn bind_by_key<V, K>(
        self,
        param: Param<V>,
        options: EventOptions,
        text: &'static str,
        key: impl Fn(&crate::asset::Event<T, P>) -> K + Send + Sync + 'static,
    ) -> Param<V>
    where
        V: TakesEvents<T, P> + 'static,
        K: std::fmt::Display,
    {
        param.events(&self, EventOptions { key: Some(text), ..options }).key_of::<T, P, K>(key)
    }
}

/// Whether a type is that of an event parameter: `IS_EVENT` is the inherent constant if it is, and
/// that of [`PlainParam`] if not.
#[derive(Debug)]
pub struct ParamKind<T>(std::marker::PhantomData<T>);

/// See [`ParamKind`].
pub trait PlainParam {
    /// It is not.
    const IS_EVENT: bool = false;
}

impl<T> PlainParam for ParamKind<T> {}

impl<T: IsEvent> ParamKind<T> {
    /// It is.
    pub const IS_EVENT: bool = true;
}

/// The types of event parameters.
pub trait IsEvent {}

impl<T, P> IsEvent for crate::asset::Event<T, P> {}
impl<T, P> IsEvent for crate::asset::Events<T, P> {}
impl<T, P> IsEvent for crate::asset::Latest<T, P> {}
impl<T, P> IsEvent for crate::asset::Seen<T, P> {}
impl<P: crate::asset::Period, T> IsEvent for crate::asset::Complete<P, T> {}
impl<T: IsEvent> IsEvent for Option<T> {}

/// The `main` of a DAG binary, and its description of itself.
#[cfg(feature = "cli")]
pub use crate::cli::{Program, main as cli_main};

pub use crate::dag::Params;
pub use crate::engine::{RunFuture, RunRequest};

/// The result of `dag::run(..)`.
pub fn run_request<T>(def: &'static DagDef, params: Params) -> RunRequest<T> {
    RunRequest::of(def, params)
}

/// The values of some parameters of a DAG; the others have their defaults.
#[derive(Clone)]
pub struct SomeParams(Vec<Option<AnyValue>>);

impl SomeParams {
    /// No values, of so many parameters.
    pub fn new(count: usize) -> Self {
        SomeParams(vec![None; count])
    }

    /// The request for a run of the DAG.
    pub fn request<T>(self, def: &'static DagDef) -> RunRequest<T> {
        RunRequest::of_some(def, self.0)
    }
}

impl std::fmt::Debug for SomeParams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SomeParams({} of {})", self.0.iter().flatten().count(), self.0.len())
    }
}

/// The definition of the node that triggers a run of a DAG.
pub const fn trigger_def(
    id: &'static str,
    location: SourceLocation,
    inputs: &'static [InputDef],
    output: TypeInfo,
    body: fn(Inputs, Option<TaskContext>) -> BoxFuture<Produced>,
) -> TaskDef {
    let (module, doc) = (TaskDef::TRIGGER, "Triggers a run of the DAG of this name.");
    TaskDef {
        id,
        module,
        doc,
        location,
        inputs,
        output,
        takes_context: true,
        kind: Kind::Async,
        waiting: Waiting::Deferrable,
        body: Body::Async(body),
        ..TaskDef::OWN
    }
}

/// Runs a DAG with these parameters, for the task with this context, and returns its result.
pub fn trigger<T>(def: &'static DagDef, inputs: Inputs, context: Option<TaskContext>) -> BoxFuture<Produced>
where
    T: Value,
{
    let request = triggered_request::<T>(def, inputs);
    Box::pin(async move {
        let context = context.ok_or("a node that triggers a run receives a context")?;
        Ok(crate::engine::trigger(&context, request).await?)
    })
}

/// Starts a run of a DAG with these parameters and returns its id.
pub fn trigger_detached<T>(def: &'static DagDef, inputs: Inputs, context: Option<TaskContext>) -> BoxFuture<Produced>
where
    T: Value,
{
    let request = triggered_request::<T>(def, inputs);
    Box::pin(async move {
        let context = context.ok_or("a node that triggers a run receives a context")?;
        Ok(AnyValue::new(context.trigger_detached(request).await?))
    })
}

fn triggered_request<T>(def: &'static DagDef, mut inputs: Inputs) -> RunRequest<T> {
    let mut params = Params::default();
    (0..(def.params)().len()).for_each(|place| params.push(inputs.erased(place)));
    RunRequest::of(def, params)
}

/// The span that assigns the events of a thread to an attempt.
pub fn attempt_span(run_id: &str, dag_id: &str, task_id: &str, attempt: u32) -> tracing::Span {
    crate::log::span::attempt_span(run_id, dag_id, task_id, attempt)
}
