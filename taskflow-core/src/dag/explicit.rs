//! The traditional style: nodes added one by one, with closures, names, and order by `>>`.

use std::panic::Location;

use super::arg::{Arg, ArgDraft};
use super::builder;
use super::def::Dag;
use super::error::BuildErrors;
use super::options::DagOptions;
use super::output::Output;
use crate::base::BoxError;
use crate::task::{Body, InputDef, Inputs, Produced, TaskContext, TaskDef};
use crate::value::{AnyValue, Constant, TypeInfo, Value};

/// Builds a graph node by node: Airflow's operators, `with DAG(..)` and `>>`.
///
/// ```
/// # use taskflow::prelude::*;
/// let dag = Dag::draw("etl", |dag| {
///     let extract = dag.add("extract", |_ctx| Ok(vec![1, 2, 3]));
///     let clean = dag.add("clean", |ctx| {
///         ctx.progress(1, 1);
///         Ok(())
///     });
///     let load = dag.add("load", |_ctx| Ok(()));
///     chain((extract, [clean, load]));
/// })?;
/// let report = dag.run().wait()?;
/// assert!(report.is_success());
/// # Ok::<(), taskflow::BoxError>(())
/// ```
///
/// In a `#[dag]` function the order can be drawn with arrows, `extract >> [clean, load];`, as
/// [`DagBuilder::current`] shows. Elsewhere rustc warns that the result of `>>` is unused; use
/// `chain` or `.after(..)` there.
///
/// Such a node returns its value like a `#[task]`: a `#[task]` function takes its [`Output`], and
/// options of the node are set on it. Values can also be [pushed and pulled](TaskContext) by name.
/// Most graphs are better served by `#[task]` functions, whose parameters the compiler checks.
#[derive(Debug)]
pub struct DagBuilder(());

impl Dag<()> {
    /// Calls `body` once and freezes what it adds. The value of such a DAG is `()`.
    ///
    /// # Errors
    ///
    /// All errors of the graph at once.
    #[track_caller]
    pub fn draw(id: &str, body: impl FnOnce(&DagBuilder)) -> Result<Self, BuildErrors> {
        Dag::draw_with(id, DagOptions::NONE, body)
    }

    /// As [`Dag::draw`], with the options that `#[dag(..)]` would take.
    ///
    /// # Errors
    ///
    /// All errors of the graph at once.
    #[track_caller]
    pub fn draw_with(id: &str, options: DagOptions, body: impl FnOnce(&DagBuilder)) -> Result<Self, BuildErrors> {
        Dag::without_result(id, &options, || body(&DagBuilder(())))
    }
}

impl DagBuilder {
    /// The graph under construction on this thread, for use in a `#[dag]` function.
    ///
    /// ```
    /// # use taskflow::{DagBuilder, prelude::*};
    /// #[dag]
    /// fn nightly() {
    ///     let dag = DagBuilder::current();
    ///     let vacuum = dag.add("vacuum", |_ctx| Ok(()));
    ///     let analyse = dag.add("analyse", |_ctx| Ok(()));
    ///     vacuum >> analyse;
    /// }
    /// # assert!(nightly::run().wait().unwrap().is_success());
    /// ```
    pub fn current() -> Self {
        DagBuilder(())
    }

    /// Adds a node with this id that calls the closure, on a worker thread of the engine as a sync
    /// `#[task]`.
    ///
    /// # Panics
    ///
    /// Outside a `#[dag]` function and the closures of [`Dag::draw`] and [`Dag::build`].
    #[track_caller]
    pub fn add<T: Value>(
        &self,
        id: &str,
        body: impl Fn(&TaskContext) -> Result<T, BoxError> + Send + Sync + 'static,
    ) -> Output<T> {
        let body: Closure<T> = Box::new(body);
        let body = Arg(ArgDraft::Constant(Box::new(Constant::opaque(body, id))));
        match builder::add_named(Of::<T>::DEF, [body], id.to_owned(), Location::caller()) {
            Some(output) => output,
            None => panic!("`dag.add(..)` adds a node to a graph: call it inside a `#[dag]` function or `Dag::draw`"),
        }
    }
}

type Closure<T> = Box<dyn Fn(&TaskContext) -> Result<T, BoxError> + Send + Sync>;

/// Generic functions cannot have statics; the constants of a generic type serve instead.
struct Of<T>(T);

impl<T: Value> Of<T> {
    const DEF: &'static TaskDef = &TaskDef {
        id: "closure",
        // Not the module of built-in tasks: the task defaults of a DAG apply to it.
        module: "taskflow::closure",
        doc: "Calls a closure.",
        inputs: &[InputDef { name: "body", ty: TypeInfo::of::<&'static str>() }],
        output: TypeInfo::of_value::<T>(),
        takes_context: true,
        body: Body::Sync(run::<T>),
        ..TaskDef::OWN
    };
}

fn run<T: Value>(inputs: &mut Inputs, context: Option<&TaskContext>) -> Produced {
    let body = inputs.shared::<Closure<T>>(0);
    let context = context.ok_or("the context is missing")?;
    Ok(AnyValue::new(body(context)?))
}
