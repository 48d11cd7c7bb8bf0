//! The traditional style: nodes added one by one, with closures, names, and order by `>>`.

use std::panic::Location;
use std::sync::Arc;

use super::arg::{Arg, ArgDraft};
use super::builder;
use super::def::{Dag, DagOptions};
use super::error::BuildErrors;
use super::output::Output;
use crate::base::BoxError;
use crate::task::{Body, InputDef, Inputs, Produced, TaskContext, TaskDef};
use crate::value::{Constant, TypeInfo, Value};

/// The graph that is being drawn, for those who add its nodes one by one: Airflow's operators, `with DAG(..)` and `>>`.
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
/// In a `#[dag]` function the order can be drawn with arrows, `extract >> [clean, load];`, as [`DagBuilder::current`] shows.
/// Elsewhere rustc warns that the result of `>>` is not used; `chain` and `.after(..)` are made for that.
///
/// What such a node returns is its value, as that of a `#[task]`: a `#[task]` function takes its [`Output`], and options of the
/// node are set on it. Values can also be [pushed and pulled](TaskContext) by name. With parameters that the compiler checks, and
/// a definition that knows its types, `#[task]` functions are what most graphs are better off with.
#[derive(Debug)]
pub struct DagBuilder(());

impl Dag<()> {
    /// Calls `body` once and freezes what it adds. The value of such a DAG is `()`.
    ///
    /// # Errors
    ///
    /// Every mistake of the graph at once.
    #[track_caller]
    pub fn draw(id: &str, body: impl FnOnce(&DagBuilder)) -> Result<Self, BuildErrors> {
        Dag::draw_with(id, DagOptions::NONE, body)
    }

    /// As [`Dag::draw`], with the options that `#[dag(..)]` would take.
    ///
    /// # Errors
    ///
    /// Every mistake of the graph at once.
    #[track_caller]
    pub fn draw_with(id: &str, options: DagOptions, body: impl FnOnce(&DagBuilder)) -> Result<Self, BuildErrors> {
        Dag::without_result(id, &options, || body(&DagBuilder(())))
    }
}

impl DagBuilder {
    /// The graph that is being drawn on this thread: for a `#[dag]` function.
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

    /// Adds a node with this id that calls the closure, on a worker thread of the engine as a sync `#[task]`.
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
            None => panic!("`dag.add(..)` adds a node to a graph: it goes inside a `#[dag]` function or `Dag::draw`"),
        }
    }
}

type Closure<T> = Box<dyn Fn(&TaskContext) -> Result<T, BoxError> + Send + Sync>;

/// The constants of a generic type are the statics that generic functions cannot have.
struct Of<T>(T);

impl<T: Value> Of<T> {
    const DEF: &'static TaskDef = &TaskDef {
        id: "closure",
        // It is not one of the nodes that parts of a graph are made of: what a DAG says of its tasks holds for it.
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
    Ok(Arc::new(body(context)?))
}
