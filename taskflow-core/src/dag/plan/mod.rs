//! The frozen graph.
//!
//! A plan is what the engine runs, the command line shows and the journal records. The engine knows
//! nodes by their indices ([`NodeIndex`], in the order of the calls), everybody else by their ids:
//! an index has no meaning outside its plan.

mod args;
mod cluster;
mod group;
mod ids;
mod index;
mod joins;
mod mapping;
mod node;
mod options;
mod plain;
#[allow(clippy::module_inception, reason = "the type has a file beside its parts")]
mod plan;
mod scope;
mod source;

pub(crate) use self::args::ArgCell;
pub(in crate::dag) use self::args::EdgeCell;
pub use self::args::{ArgPlan, EdgeArg};
pub(crate) use self::cluster::{Cluster, ClusterKind};
pub use self::group::GroupPlan;
pub(in crate::dag) use self::ids::Ids;
pub(crate) use self::index::{ClusterIndex, MappingIndex};
pub use self::index::{GroupIndex, JoinIndex, NodeIndex};
pub use self::joins::Join;
pub(crate) use self::mapping::{Mapping, Place};
pub use self::node::Node;
pub(in crate::dag) use self::node::Wiring;
pub(super) use self::options::Call;
pub(crate) use self::options::node_options;
pub use self::options::{NodeOptions, Teardown};
pub(in crate::dag) use self::plain::Plainness;
pub use self::plan::Plan;
pub(crate) use self::scope::ScopePlan;
pub use self::source::{EdgeKind, Source};
