//! A job as a node of a graph.

use std::marker::PhantomData;
use std::panic::Location;

use super::spec::Spec;
use super::{SparkJob, SparkSubmit, check, run};
use crate::base::BoxError;
use crate::dag::{Arg, BuildError, IntoArg, Output, add_named, report_mistake};
use crate::task::{Body, BoxFuture, InputDef, Inputs, Kind, Produced, TaskContext, TaskDef, Waiting};
use crate::value::{AnyValue, TypeInfo, Value};

/// The task behind nodes whose job returns an `R`.
struct Node<R>(PhantomData<R>);

impl<R: Value> Node<R> {
    const DEF: &'static TaskDef = &TaskDef {
        id: "spark_submit",
        module: "taskflow::spark",
        doc: "Runs a job on Spark.",
        inputs: &[
            InputDef { name: "job", ty: TypeInfo::of_value::<Spec>() },
            InputDef { name: "values", ty: TypeInfo::of_value::<Vec<String>>() },
        ],
        output: TypeInfo::of_value::<SparkJob<R>>(),
        takes_context: true,
        kind: Kind::Async,
        waiting: Waiting::Deferrable,
        body: Body::Async(submit::<R>),
        ..TaskDef::OWN
    };
}

/// Adds a job to the DAG as a node with this id. Options are set as for any task:
/// `spark_submit(..).retries(3)`.
///
/// Outputs of tasks among its arguments are its upstreams. An invalid job makes the DAG invalid. In
/// cluster mode the node holds no slot while the job runs. See [`SparkSubmit`].
///
/// # Panics
///
/// Outside a `#[dag]` function.
#[track_caller]
pub fn spark_submit<R: Value, A>(id: impl Into<String>, job: SparkSubmit<R, A>) -> Output<SparkJob<R>> {
    let SparkSubmit { spec, outputs, .. } = job;
    let (id, at) = (id.into(), Location::caller());
    let mistake = check::check(&spec).err();
    let values: Arg = match outputs.is_empty() {
        true => IntoArg::<Vec<String>>::into_arg(Vec::<String>::new()),
        false => IntoArg::<Vec<String>>::into_arg(outputs),
    };
    let Some(output) = add_named(Node::<R>::DEF, [IntoArg::<Spec>::into_arg(spec), values], id.clone(), at) else {
        panic!(
            "`spark_submit(..)` was called outside a `#[dag]` function, where it would add a node; inside a task, use \
             `SparkSubmit::app(..).run(ctx).await`"
        )
    };
    if let Some(mistake) = mistake {
        report_mistake(BuildError::Words { task: id, message: mistake.to_string(), at: at.into() });
    }
    output
}

fn submit<R: Value>(mut inputs: Inputs, context: Option<TaskContext>) -> BoxFuture<Produced> {
    let (mut spec, values) = (inputs.owned::<Spec>(0), inputs.shared::<Vec<String>>(1));
    spec.fill(&values);
    Box::pin(async move {
        let context = context.expect("the definition declares that the task takes its context");
        let job: SparkJob<R> = run::run(&spec, &context).await.map_err(BoxError::from)?;
        Ok(AnyValue::new(job))
    })
}
