//! Mappings: parts of the graph that a run has once for each element of a list.

use super::index::{JoinIndex, MappingIndex, NodeIndex};
use super::plan::Plan;
use crate::base::index::IndexVec;
use crate::dag::each::Split;
use crate::dag::label::Labels;
use crate::dag::rate::Rate;

/// A part of the graph that exists once for each element of a list.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// The node whose value is the list.
    pub(crate) expand: NodeIndex,
    /// The mapping that this node is itself part of.
    pub(crate) parent: Option<MappingIndex>,
    pub(crate) split: Split,
    /// How many of its tasks may run at once.
    pub(crate) concurrency: Option<u32>,
    /// How many elements there may be.
    pub(crate) limit: Option<u32>,
    /// How often an element may begin.
    pub(crate) rate: Option<Rate>,
    /// The labels of the elements.
    pub(crate) labels: Option<Labels>,
    /// Its nodes, without those of mappings inside it.
    pub(crate) nodes: Vec<NodeIndex>,
    /// The joins of these nodes.
    pub(crate) joins: Vec<JoinIndex>,
    /// Edges from nodes of the mapping to joins outside.
    pub(crate) collectors: Vec<(NodeIndex, JoinIndex)>,
    /// Edges from nodes outside, other than the expand node, to joins of the mapping.
    pub(crate) captured: Vec<(NodeIndex, JoinIndex)>,
}

/// Where a node is in the mappings.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// The mapping it is part of.
    pub(crate) mapping: Option<MappingIndex>,
    /// Which of its nodes it is.
    pub(crate) index: u32,
    /// Its first join among the joins of the mapping.
    pub(crate) first_join: u32,
    /// The mapping whose list it has, if it is an expand node.
    pub(crate) expands: Option<MappingIndex>,
}

impl Plan {
    /// The parts of the graph that exist once for each element of a list.
    pub(crate) fn mappings(&self) -> &IndexVec<MappingIndex, Mapping> {
        &self.mappings
    }

    /// A mapping.
    pub(crate) fn mapping(&self, mapping: MappingIndex) -> &Mapping {
        &self.mappings[mapping]
    }

    /// Where a node is in the mappings.
    pub(crate) fn place(&self, node: NodeIndex) -> Place {
        self.places.get(node).copied().unwrap_or_default()
    }

    /// Whether `inner` is `outer` or inside it; everything is inside the top level.
    pub(crate) fn is_within(&self, inner: Option<MappingIndex>, outer: Option<MappingIndex>) -> bool {
        let parent = |&mapping: &MappingIndex| self.mappings[mapping].parent;
        outer.is_none_or(|outer| std::iter::successors(inner, parent).any(|mapping| mapping == outer))
    }

    /// Whether a node is drawn inside an `each`: a run has it once for each element.
    pub fn is_mapped(&self, node: NodeIndex) -> bool {
        self.place(node).mapping.is_some()
    }
}
