//! The arguments of nodes, and the edges that they and the order make.

use std::fmt;
use std::sync::Arc;

use super::index::NodeIndex;
use super::plan::Plan;
use super::source::{EdgeKind, Source};
use crate::base::index::IndexVec;
use crate::dag::arg::Assemble;
use crate::dag::projection::Projection;
use crate::value::Constant;

/// An argument as the plan stores it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ArgCell {
    /// An index into the constants.
    Constant(u32),
    /// The unchanged value of one upstream: the common case.
    Value(Source),
    /// An index into the edge cells.
    Edges(u32),
}

/// The edges of an argument with several, or with one that is projected or not
/// [`EdgeKind::Required`].
#[derive(Clone, Copy)]
pub(in crate::dag) struct EdgeCell {
    pub(in crate::dag) kind: EdgeKind,
    pub(in crate::dag) first: u32,
    pub(in crate::dag) count: u32,
    /// Where its projections begin, or [`EdgeCell::PLAIN`].
    pub(in crate::dag) projected: u32,
    pub(in crate::dag) assemble: Assemble,
}

impl EdgeCell {
    /// None of the edges is projected.
    pub(in crate::dag) const PLAIN: u32 = u32::MAX;
}

/// An argument of a node.
#[derive(Clone, Copy, Debug)]
pub enum ArgPlan<'a> {
    /// A plain value.
    Constant(&'a Constant),
    /// Edges from upstreams.
    Edges(EdgeArg<'a>),
}

/// The edges of one argument.
#[derive(Clone, Copy)]
pub struct EdgeArg<'a> {
    kind: EdgeKind,
    sources: &'a [Source],
    projections: &'a [Option<Arc<Projection>>],
    /// How the parameter's value is made of the delivered values; `None` if it is the upstream's
    /// value.
    pub(crate) assemble: Option<Assemble>,
}

impl<'a> EdgeArg<'a> {
    /// What the edges require of their upstreams.
    pub fn kind(&self) -> EdgeKind {
        self.kind
    }

    /// The upstreams, in the order in which they were passed.
    pub fn sources(&self) -> &'a [Source] {
        self.sources
    }

    /// The projections of the values, one for each source; empty if none is projected.
    pub fn projections(&self) -> &'a [Option<Arc<Projection>>] {
        self.projections
    }
}

impl fmt::Debug for EdgeArg<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} from {:?}", self.kind, self.sources)
    }
}

impl Plan {
    /// The arguments of a node, in the order of the parameters.
    pub fn args(&self, node: NodeIndex) -> impl ExactSizeIterator<Item = ArgPlan<'_>> {
        self.arg_cells(node).iter().map(|cell| match cell {
            ArgCell::Constant(index) => ArgPlan::Constant(&self.constants[*index as usize]),
            ArgCell::Value(source) => ArgPlan::Edges(EdgeArg {
                kind: EdgeKind::Required,
                sources: std::slice::from_ref(source),
                projections: &[],
                assemble: None,
            }),
            ArgCell::Edges(index) => {
                let EdgeCell { kind, first, count, projected, assemble } = self.edge_args[*index as usize];
                let sources = &self.sources[first as usize..][..count as usize];
                let projections = match projected {
                    EdgeCell::PLAIN => &[],
                    first => &self.projected[first as usize..][..count as usize],
                };
                ArgPlan::Edges(EdgeArg { kind, sources, projections, assemble: Some(assemble) })
            }
        })
    }

    /// The arguments of a node as they are stored: those of one unchanged value need no more.
    #[inline]
    pub(crate) fn arg_cells(&self, node: NodeIndex) -> &[ArgCell] {
        let end = self.wiring.get(node + 1).map_or(self.args.len(), |next| next.first_arg as usize);
        &self.args[self.wiring[node].first_arg as usize..end]
    }

    /// What the edges of an argument require, and where they come from.
    pub(in crate::dag) fn edge_sources(&self, place: u32) -> (EdgeKind, &[Source]) {
        let EdgeCell { kind, first, count, .. } = self.edge_args[place as usize];
        (kind, &self.sources[first as usize..][..count as usize])
    }

    /// A constant argument.
    #[inline]
    pub(crate) fn constant(&self, index: u32) -> &Constant {
        &self.constants[index as usize]
    }

    /// All upstream nodes: by value, by order, by its gate, and those that it waits for because it
    /// is in a scope. One that feeds several parameters is repeated.
    pub fn upstreams(&self, node: NodeIndex) -> impl Iterator<Item = NodeIndex> + '_ {
        let data = self.args(node).flat_map(|arg| match arg {
            ArgPlan::Constant(_) => &[],
            ArgPlan::Edges(edges) => edges.sources(),
        });
        let order = self.orders(node).iter().chain(self.rest_of_work(node)).map(|&(upstream, _)| upstream);
        data.filter_map(|source| source.as_task()).chain(order).chain(self.gate(node)).chain(self.rest_of_setup(node))
    }

    /// The upstreams of a node connected by order alone, as `(upstream, node)`.
    pub fn orders(&self, node: NodeIndex) -> &[(NodeIndex, NodeIndex)] {
        edges_to(&self.orders, node)
    }

    /// The work of its scope that a teardown waits for without an order edge, as `(work, node)`.
    /// Follows from the scope, so pictures leave it out.
    pub(crate) fn rest_of_work(&self, node: NodeIndex) -> &[(NodeIndex, NodeIndex)] {
        // Most plans have no scopes.
        if self.rest_of_work.is_empty() { &[] } else { edges_to(&self.rest_of_work, node) }
    }

    /// The setup that a node of a scope waits for although it neither takes its value nor has it as
    /// its gate. Follows from the scope, so pictures leave it out.
    pub(crate) fn rest_of_setup(&self, node: NodeIndex) -> Option<NodeIndex> {
        // Most plans have no scopes.
        if self.rest_of_setups.is_empty() {
            return None;
        }
        let place = self.rest_of_setups.binary_search_by_key(&node, |&(_, work)| work).ok()?;
        Some(self.rest_of_setups[place].0)
    }

    /// The gate of a node: the node of the arm it is in, unless a value it takes depends on that
    /// arm anyway. The gate must succeed, whatever the rule of the order edges is.
    pub fn gate(&self, node: NodeIndex) -> Option<NodeIndex> {
        let place = self.gates.binary_search_by_key(&node, |&(_, below)| below).ok()?;
        Some(self.gates[place].0)
    }

    /// Whether an input of a node is a projection of the value of its upstream.
    pub(crate) fn is_projected(&self, node: NodeIndex) -> bool {
        self.args(node).any(|arg| matches!(arg, ArgPlan::Edges(edges) if !edges.projections().is_empty()))
    }

    /// As [`Plan::consumers`], of every node.
    pub(crate) fn all_consumers(&self) -> &IndexVec<NodeIndex, u32> {
        &self.consumers
    }

    /// How many data edges leave a node, plus one if it is the result of the DAG.
    pub fn consumers(&self, node: NodeIndex) -> u32 {
        self.consumers[node]
    }
}

/// The edges that end at a node, of edges sorted by where they end.
fn edges_to(edges: &[(NodeIndex, NodeIndex)], node: NodeIndex) -> &[(NodeIndex, NodeIndex)] {
    let first = edges.partition_point(|&(_, downstream)| downstream < node);
    let count = edges[first..].partition_point(|&(_, downstream)| downstream == node);
    &edges[first..][..count]
}
