//! From calls to a graph: `#[dag]` functions run once, symbolically, and what they drew is frozen
//! into a [`Plan`].
//!
//! 1. A [`DagDef`] (one static per `#[dag]` function) opens a builder for its thread and calls the
//!    function.
//! 2. A call of a task adds a node and returns an [`Output`], a `Copy` handle that carries the
//!    type. [`IntoArg`] turns handles and plain values into the edges of the next node; a wrong
//!    type does not compile.
//! 3. `branch!`, [`when`] and [`only_if`] draw parts of the graph that run or are skipped by what a
//!    task returned. [`scope`] draws work between a setup and its teardown.
//! 4. [`Plan`] is the frozen form: all errors at once, then immutable index vectors that the engine
//!    reads.

mod arg;
mod branch;
mod builder;
mod def;
mod each;
mod error;
mod explicit;
mod fitness;
#[cfg(any(feature = "cli", feature = "server"))]
mod flag_names;
mod freeze;
mod group;
mod hash;
mod inside;
mod label;
mod layout;
mod limits;
mod lists;
mod options;
mod order;
mod output;
mod param;
mod plan;
mod pool;
mod projection;
mod rate;
mod registry;
mod result;
mod schedule;
mod schedule_source;
mod scope;
mod select;
mod text;
mod units;

pub use arg::{AnyOf, Arg, IntoArg};
pub(crate) use arg::{Delivery, as_it_is};
pub use branch::{Arm, Branch, InArm, When, only_if, when};
#[cfg(feature = "spark")]
pub(crate) use builder::report as report_mistake;
pub use builder::{Handle, add_task};
pub(crate) use builder::{add_named, index};
pub use def::{Dag, DagDef, DagEvents, DagFn, DagInputs, PlanCell};
pub use each::{EachResult, Mapped};
pub use error::{BuildError, BuildErrors};
pub use explicit::DagBuilder;
#[cfg(any(all(feature = "cli", feature = "sqlite"), feature = "server"))]
pub(crate) use flag_names::taken_flags_of_backfill;
#[cfg(any(feature = "cli", feature = "server"))]
pub(crate) use flag_names::{TAKEN_FLAGS, flag_names};
pub use group::{Group, group};
pub use inside::draw_inside;
pub(crate) use inside::given;
pub use label::Labelled;
pub(crate) use layout::{At, Block, BlockIndex, Layout, RunJoinIndex, node_id_of, path_of};
pub use options::DagOptions;
pub(crate) use options::dag_options;
pub use order::{Chain, IntoNodes, chain, chain_linear};
pub use output::Output;
pub use param::{Param, ParamDef, ParamDefault, ParamError, Params, RangeOf};
pub(crate) use plan::node_options;
pub(crate) use plan::{ArgCell, ClusterIndex, ClusterKind, MappingIndex};
pub use plan::{
    ArgPlan, EdgeArg, EdgeKind, GroupIndex, GroupPlan, Join, JoinIndex, Node, NodeIndex, NodeOptions, Plan, Source,
    Teardown,
};
pub use pool::PoolDef;
pub use projection::{Projection, TextMap, Tuple};
pub use registry::{DagEntry, PoolEntry, Registry, TaskEntry};
pub use result::ComposedResult;
pub use schedule::ScheduleError;
pub use schedule_source::{Expression, ScheduleSource};
pub use scope::scope;
pub use select::{Selection, SelectionError};

/// For fuzzing: reads a text as the values of parameters, and as ranges of slots.
#[cfg(feature = "server")]
pub(crate) fn read_any(given: &str) {
    param::read_any(given);
    for timezone in [None, Some("Europe/Berlin")] {
        let _ = DagOptions { timezone, ..DagOptions::default() }.slot_range(given);
    }
}
