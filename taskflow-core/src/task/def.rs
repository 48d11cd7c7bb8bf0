//! The definition of a task: one static per `#[task]` function.

use std::fmt;

use super::invoke::{BoxFuture, Inputs, Produced};
use super::{Production, TaskContext, TaskOptions, Waiting};
use crate::base::SourceLocation;
use crate::value::{AnyValue, TypeInfo};

/// Everything the graph and the engine know about a `#[task]` function.
///
/// The attribute generates a static of it per function. Types are erased, so that the engine is
/// compiled once instead of once per task.
#[derive(Debug)]
pub struct TaskDef {
    /// The default id: the name of the function, or the `id` option.
    pub id: &'static str,
    /// The module of the function.
    pub module: &'static str,
    /// The doc comment of the function or the `doc` option; empty without one.
    pub doc: &'static str,
    /// The location of the function in the source.
    pub location: SourceLocation,
    /// The parameters that are inputs, in order; the context is not one.
    pub inputs: &'static [InputDef],
    /// The type of the value of a successful task.
    pub output: TypeInfo,
    /// The options written in the attribute.
    pub options: TaskOptions,
    /// Whether the function has a `ctx: &TaskContext` parameter.
    pub takes_context: bool,
    /// What kind of thread runs it.
    pub kind: Kind,
    /// The options of the child process of each attempt, if it has one.
    pub isolation: Option<Isolation>,
    /// Whether and how it can wait without holding a slot.
    pub waiting: Waiting,
    /// The asset that its value is an event of.
    pub produces: Option<Production>,
    /// The function.
    pub body: Body,
}

impl TaskDef {
    /// The module of built-in tasks.
    pub(crate) const BUILT_IN: &'static str = "taskflow";

    /// The module of tasks that trigger DAG runs.
    pub(crate) const TRIGGER: &'static str = "taskflow::trigger";

    /// Common properties of built-in tasks; each has its own id, doc, inputs, output and body.
    pub(crate) const OWN: TaskDef = TaskDef {
        id: "",
        module: Self::BUILT_IN,
        doc: "",
        location: SourceLocation { file: file!(), line: line!(), column: column!() },
        inputs: &[],
        output: TypeInfo::of_value::<()>(),
        options: TaskOptions::NONE,
        takes_context: false,
        kind: Kind::Sync,
        isolation: None,
        waiting: Waiting::Never,
        produces: None,
        body: Body::Sync(|_, _| Ok(AnyValue::new(()))),
    };

    /// Whether the task is built in, like the nodes of a branch.
    pub fn is_built_in(&self) -> bool {
        self.module == Self::BUILT_IN
    }

    /// The kind of engine thread it occupies: waiting for a process needs none.
    pub(crate) fn lane(&self) -> Kind {
        if self.isolation.is_some() { Kind::Async } else { self.kind }
    }
}

/// A parameter of a task.
#[derive(Clone, Copy, Debug)]
pub struct InputDef {
    /// Its name.
    pub name: &'static str,
    /// Its owned type: `Vec<T>` for `&[T]`, `String` for `&str`. Serializable for isolated tasks.
    pub ty: TypeInfo,
}

/// A process for each attempt: `#[task(isolation = "process")]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Isolation {
    /// The limit of the address space of the process, in bytes.
    pub memory: Option<u64>,
}

/// Which threads run a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `fn`: CPU-bound, on one of the engine's worker threads.
    Sync,
    /// `#[task(blocking)] fn`: waits for files or sockets, on a thread outside of the worker pool.
    Blocking,
    /// `async fn`: on the tokio runtime.
    Async,
}

impl Kind {
    /// `sync`, `blocking` or `async`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Sync => "sync",
            Kind::Blocking => "blocking",
            Kind::Async => "async",
        }
    }
}

/// The function behind a task, with erased types.
#[derive(Clone, Copy)]
pub enum Body {
    /// For [`Kind::Sync`] and [`Kind::Blocking`]. The context is present if `takes_context` is set.
    Sync(fn(&mut Inputs, Option<&TaskContext>) -> Produced),
    /// For [`Kind::Async`].
    Async(fn(Inputs, Option<TaskContext>) -> BoxFuture<Produced>),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Body::Sync(_) => "fn",
            Body::Async(_) => "async fn",
        })
    }
}
