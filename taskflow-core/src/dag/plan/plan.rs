//! The frozen graph, and the properties of the whole DAG.

use std::fmt;
use std::panic::Location;
use std::sync::{Arc, OnceLock};

use super::args::{ArgCell, EdgeCell};
use super::cluster::Cluster;
use super::group::GroupPlan;
use super::ids::Ids;
use super::index::{ClusterIndex, GroupIndex, JoinIndex, MappingIndex, NodeIndex};
use super::joins::Join;
use super::mapping::{Mapping, Place};
use super::node::Wiring;
use super::options::NodeOptions;
use super::plain::Plainness;
use super::scope::ScopePlan;
use super::source::Source;
use crate::base::SourceLocation;
use crate::base::index::IndexVec;
use crate::dag::hash;
use crate::dag::options::DagOptions;
use crate::dag::param::ParamDef;
use crate::dag::projection::Projection;
use crate::dag::units::Units;
use crate::task::TaskDef;
use crate::value::{Constant, TypeInfo};

/// A DAG, checked and ready to run any number of times, also concurrently.
pub struct Plan {
    pub(in crate::dag) id: String,
    pub(in crate::dag) doc: &'static str,
    pub(in crate::dag) location: SourceLocation,
    pub(in crate::dag) options: DagOptions,
    pub(in crate::dag) params: Vec<ParamDef>,
    pub(in crate::dag) result: Option<Source>,
    pub(in crate::dag) result_projection: Option<Arc<Projection>>,
    pub(in crate::dag) result_type: TypeInfo,

    pub(in crate::dag) ids: Ids,
    /// The calls that made the nodes.
    pub(in crate::dag) locations: IndexVec<NodeIndex, &'static Location<'static>>,
    /// The group of each node; empty in a plan without any.
    pub(in crate::dag) group_of: IndexVec<NodeIndex, Option<GroupIndex>>,
    /// The part of each node that the engine reads, kept small: four of them fit a cache line.
    pub(in crate::dag) wiring: IndexVec<NodeIndex, Wiring>,
    pub(in crate::dag) node_options: Vec<NodeOptions>,
    pub(in crate::dag) groups: IndexVec<GroupIndex, GroupPlan>,
    pub(in crate::dag) defs: Vec<&'static TaskDef>,

    pub(in crate::dag) args: Vec<ArgCell>,
    pub(in crate::dag) edge_args: Vec<EdgeCell>,
    pub(in crate::dag) sources: Vec<Source>,
    /// The projections of values; only for arguments with a projected edge, one for each source.
    pub(in crate::dag) projected: Vec<Option<Arc<Projection>>>,
    pub(in crate::dag) constants: Vec<Constant>,
    /// The order edges, sorted by downstream.
    pub(in crate::dag) orders: Vec<(NodeIndex, NodeIndex)>,
    /// The work that teardowns wait for besides their order edges, as `(work, teardown)`, sorted by
    /// teardown.
    pub(in crate::dag) rest_of_work: Vec<(NodeIndex, NodeIndex)>,
    /// The setups that work waits for besides its gates, as `(setup, work)`, sorted by work.
    pub(in crate::dag) rest_of_setups: Vec<(NodeIndex, NodeIndex)>,
    /// The gates, as `(upstream, node)`, sorted by node.
    pub(in crate::dag) gates: Vec<(NodeIndex, NodeIndex)>,
    /// Each setup with each node of its teardown, sorted.
    pub(in crate::dag) teardowns: Vec<(NodeIndex, NodeIndex)>,
    /// What is drawn between a setup and its teardown; inner scopes before outer ones.
    pub(in crate::dag) scopes: Vec<ScopePlan>,

    pub(in crate::dag) joins: IndexVec<JoinIndex, Join>,
    /// The joins below each node: those of node `n` are
    /// `successors[successor_offsets[n]..successor_offsets[n + 1]]`.
    pub(in crate::dag) successors: Vec<JoinIndex>,
    pub(in crate::dag) successor_offsets: IndexVec<NodeIndex, u32>,
    /// How many data edges leave each node, plus one for the result of the DAG.
    pub(in crate::dag) consumers: IndexVec<NodeIndex, u32>,
    /// The parts of the graph that exist once for each element of a list.
    pub(in crate::dag) mappings: IndexVec<MappingIndex, Mapping>,
    /// Where each node is in the mappings; empty in a plan without any.
    pub(in crate::dag) places: IndexVec<NodeIndex, Place>,
    /// The parts of the graph that pictures draw a box around; outer ones before inner ones.
    pub(in crate::dag) clusters: IndexVec<ClusterIndex, Cluster>,
    /// The innermost cluster of each node; empty in a plan without any.
    pub(in crate::dag) cluster_of: IndexVec<NodeIndex, Option<ClusterIndex>>,
    pub(in crate::dag) units: Units,
    /// Which nodes a run can treat shortly.
    pub(in crate::dag) plainness: Plainness,
    pub(in crate::dag) hash: OnceLock<String>,
}

impl Plan {
    /// The id of the DAG.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The doc comment of the DAG.
    pub fn doc(&self) -> &'static str {
        self.doc
    }

    /// Where the DAG is written.
    pub fn location(&self) -> SourceLocation {
        self.location
    }

    /// Its options.
    pub fn options(&self) -> &DagOptions {
        &self.options
    }

    /// Whether any node declares connections or secrets.
    pub(crate) fn needs_config(&self) -> bool {
        self.node_options.iter().any(|options| !options.connections.is_empty() || !options.secrets.is_empty())
    }

    /// Whether the DAG or any node has callbacks.
    pub(crate) fn has_callbacks(&self) -> bool {
        !self.options.callbacks.is_empty() || self.node_options.iter().any(|options| !options.callbacks.is_empty())
    }

    /// Whether any task has a deadline.
    pub(crate) fn has_task_deadlines(&self) -> bool {
        self.node_options.iter().any(|options| options.deadline.is_some())
    }

    /// Its parameters.
    pub fn params(&self) -> &[ParamDef] {
        &self.params
    }

    /// The projection of the result.
    pub fn result_projection(&self) -> Option<&Projection> {
        self.result_projection.as_deref()
    }

    /// The source of the result.
    pub fn result(&self) -> Option<Source> {
        self.result
    }

    /// The type of the result.
    pub fn result_type(&self) -> TypeInfo {
        self.result_type
    }

    /// The groups that are tried again as a whole.
    pub(crate) fn units(&self) -> &Units {
        &self.units
    }

    /// The structural hash, 32 hexadecimal digits: the version of the DAG.
    ///
    /// It covers ids, names of tasks, short names of their types, edges, constants, options, and
    /// the parameters with their defaults and bounds, and so changes when the graph does. Comments,
    /// function bodies and source locations do not enter. It is computed at the first call.
    pub fn hash(&self) -> &str {
        self.hash.get_or_init(|| hash::structural(self))
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plan({}, {} nodes)", self.id, self.len())
    }
}
