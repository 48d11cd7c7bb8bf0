//! A command as a node of a graph.

use std::panic::Location;

use super::spec::Spec;
use super::{Command, CommandOutput};
use crate::base::BoxError;
use crate::dag::{Arg, IntoArg, Output, add_named};
use crate::task::{Body, BoxFuture, InputDef, Inputs, Kind, Produced, TaskContext, TaskDef};
use crate::value::{AnyValue, TypeInfo};

/// The task of every command node. It is not a structural node: the task defaults of the DAG apply
/// to it.
static COMMAND: TaskDef = TaskDef {
    id: "command",
    module: "taskflow::process",
    doc: "Runs a command.",
    inputs: &[
        InputDef { name: "command", ty: TypeInfo::of_value::<Spec>() },
        InputDef { name: "values", ty: TypeInfo::of_value::<Vec<String>>() },
    ],
    output: TypeInfo::of_value::<CommandOutput>(),
    takes_context: true,
    kind: Kind::Async,
    body: Body::Async(run),
    ..TaskDef::OWN
};

/// Adds a command to the DAG as a node with this id. Options follow as for any task:
/// `command(..).retries(3).timeout(..)`.
///
/// Outputs of tasks in its texts are its upstreams. See [`Command`].
///
/// # Panics
///
/// Outside a `#[dag]` function.
#[track_caller]
pub fn command<A>(id: impl Into<String>, command: Command<A>) -> Output<CommandOutput> {
    let Command { spec, outputs, .. } = command;
    let values: Arg = match outputs.is_empty() {
        true => IntoArg::<Vec<String>>::into_arg(Vec::<String>::new()),
        false => IntoArg::<Vec<String>>::into_arg(outputs),
    };
    match add_named(&COMMAND, [IntoArg::<Spec>::into_arg(spec), values], id.into(), Location::caller()) {
        Some(output) => output,
        None => panic!(
            "`command(..)` adds a node to a graph: call it inside a `#[dag]` function; inside a task, use \
             `Command::new(..).run(ctx).await`"
        ),
    }
}

fn run(mut inputs: Inputs, context: Option<TaskContext>) -> BoxFuture<Produced> {
    let (mut spec, values) = (inputs.owned::<Spec>(0), inputs.shared::<Vec<String>>(1));
    spec.fill(&values);
    Box::pin(async move {
        let context = context.expect("a task that takes a context receives one");
        let output: CommandOutput = spec.run(&context).await.map_err(BoxError::from)?;
        Ok(AnyValue::new(output))
    })
}
