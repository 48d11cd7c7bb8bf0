//! The definition of a DAG: one static per `#[dag]` function.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use super::builder::Handle;
use super::error::BuildErrors;
use super::freeze;
use super::options::DagOptions;
use super::output::Output;
use super::param::ParamDef;
use super::plan::{Plan, Source};
use crate::asset::EventSource;
use crate::base::SourceLocation;
use crate::value::{TypeInfo, Value};

/// The definition of a `#[dag]` function; the attribute generates one static per function.
#[derive(Debug)]
pub struct DagDef {
    /// The name of the function.
    pub id: &'static str,
    /// The module the function lives in.
    pub module: &'static str,
    /// The doc comment; empty without one.
    pub doc: &'static str,
    /// Where the function is written.
    pub location: SourceLocation,
    /// The options written in the attribute.
    pub options: DagOptions,
    /// The typed parameters.
    pub params: fn() -> Vec<ParamDef>,
    /// The type of the result.
    pub result: TypeInfo,
    /// The function, called with a handle for each parameter.
    pub trace: fn(DagInputs) -> Option<Handle>,
    /// The plan, made at first use.
    pub plan: PlanCell,
}

/// The cell in which a [`DagDef`] caches its plan.
pub type PlanCell = OnceLock<Result<Arc<Plan>, BuildErrors>>;

impl DagDef {
    /// The frozen graph. The function runs once in a process; later calls return the same plan.
    ///
    /// # Errors
    ///
    /// All errors of the graph at once.
    pub fn plan(&self) -> Result<Arc<Plan>, BuildErrors> {
        self.plan.get_or_init(|| freeze::trace_def(self).map(Arc::new)).clone()
    }
}

/// A `#[dag]` function as a type: `#[dag] fn delays(..)` makes the type `delays`, written `delays
/// {}` where a value of it is wanted.
pub trait DagFn {
    /// The type of the result.
    type Result;

    /// The definition of the DAG.
    fn definition() -> &'static DagDef;
}

/// The results of the runs of a DAG, as an asset whose name is `dag:` and the id of the DAG.
pub struct DagEvents<D>(PhantomData<fn() -> D>);

impl<D> DagEvents<D> {
    /// The results of the DAG.
    #[expect(clippy::new_without_default, reason = "generated code names it, and nothing else makes one")]
    pub const fn new() -> Self {
        DagEvents(PhantomData)
    }
}

impl<D: DagFn> EventSource for DagEvents<D>
where
    D::Result: Value,
{
    type Payload = D::Result;
    type Partition = ();

    fn asset(&self) -> String {
        crate::asset::of_dag(D::definition().id)
    }
}

impl<D> fmt::Debug for DagEvents<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DagEvents")
    }
}

/// The handles of a DAG's parameters, in order.
#[derive(Debug)]
pub struct DagInputs {
    scope: u32,
    next: u32,
}

impl DagInputs {
    pub(super) fn new(scope: u32) -> Self {
        DagInputs { scope, next: 0 }
    }

    /// The handle of the next parameter.
    pub fn next_output<T>(&mut self) -> Output<T> {
        let source = Source::param(self.next);
        self.next += 1;
        Output::new(Handle::new(self.scope, source))
    }
}

/// A frozen graph together with the type of its result.
///
/// `#[dag]` functions have one behind the scenes; [`Dag::build`] makes one of a closure, for graphs
/// whose shape is known only at run time:
///
/// ```
/// # use taskflow::prelude::*;
/// # #[task] fn square(n: u64) -> u64 { n * n }
/// # #[task] fn total(numbers: &[u64]) -> u64 { numbers.iter().sum() }
/// # let numbers = [1u64, 2, 3];
/// let dag = Dag::build("sum", || total(numbers.iter().map(|&n| square(n)).collect::<Vec<_>>()))?;
/// let report = dag.run().wait()?;
/// # assert_eq!(report.result(), Some(&14));
/// # Ok::<(), taskflow::BoxError>(())
/// ```
pub struct Dag<T> {
    plan: Arc<Plan>,
    result: PhantomData<fn() -> T>,
}

impl<T: Value> Dag<T> {
    /// Calls `body` once and freezes what it draws.
    ///
    /// # Errors
    ///
    /// All errors of the graph at once.
    #[track_caller]
    pub fn build(id: &str, body: impl FnOnce() -> Output<T>) -> Result<Self, BuildErrors> {
        Dag::build_with(id, DagOptions::NONE, body)
    }

    /// As [`Dag::build`], with the options that `#[dag(..)]` would take.
    ///
    /// # Errors
    ///
    /// All errors of the graph at once.
    #[track_caller]
    pub fn build_with(id: &str, options: DagOptions, body: impl FnOnce() -> Output<T>) -> Result<Self, BuildErrors> {
        let at = std::panic::Location::caller().into();
        let plan = freeze::trace_closure(id, &options, at, TypeInfo::of_value::<T>(), || Some(body().handle()))?;
        Ok(Dag { plan: Arc::new(plan), result: PhantomData })
    }

    /// A graph without a result.
    #[track_caller]
    pub(super) fn without_result(id: &str, options: &DagOptions, body: impl FnOnce()) -> Result<Self, BuildErrors> {
        let at = std::panic::Location::caller().into();
        let draw = || {
            body();
            None
        };
        let plan = freeze::trace_closure(id, options, at, TypeInfo::of_value::<T>(), draw)?;
        Ok(Dag { plan: Arc::new(plan), result: PhantomData })
    }

    /// The graph of a `#[dag]` function whose result is a `T`.
    #[doc(hidden)]
    pub fn of(def: &DagDef) -> Result<Self, BuildErrors> {
        Ok(Dag { plan: def.plan()?, result: PhantomData })
    }

    /// The graph.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }
}

impl<T> Clone for Dag<T> {
    fn clone(&self) -> Self {
        Dag { plan: Arc::clone(&self.plan), result: PhantomData }
    }
}

impl<T> fmt::Debug for Dag<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dag({:?})", self.plan)
    }
}
