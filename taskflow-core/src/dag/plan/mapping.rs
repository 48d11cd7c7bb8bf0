//! Mappings: parts of the graph that a run has once for each element of a list.

use super::plan::Plan;
use crate::dag::each::Split;
use crate::dag::label::Labels;
use crate::dag::rate::Rate;

/// A part of the graph that exists once for each element of a list.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// The node whose value is the list.
    pub(crate) expand: u32,
    /// The mapping that this node is itself part of.
    pub(crate) parent: Option<u32>,
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
    pub(crate) nodes: Vec<u32>,
    /// The joins of these nodes.
    pub(crate) joins: Vec<u32>,
    /// Joins outside that wait for nodes of the mapping, once for each edge.
    pub(crate) collectors: Vec<u32>,
    /// Edges from nodes outside, other than the expand node, to joins of the mapping.
    pub(crate) captured: Vec<(u32, u32)>,
}

/// Where a node is in the mappings.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// The mapping it is part of.
    pub(crate) mapping: Option<u32>,
    /// Which of its nodes it is.
    pub(crate) index: u32,
    /// Its first join among the joins of the mapping.
    pub(crate) first_join: u32,
    /// The mapping whose list it has, if it is an expand node.
    pub(crate) expands: Option<u32>,
}

impl Plan {
    /// The parts of the graph that exist once for each element of a list.
    pub(crate) fn mappings(&self) -> &[Mapping] {
        &self.mappings
    }

    /// Where a node is in the mappings.
    pub(crate) fn place(&self, node: u32) -> Place {
        self.places.get(node as usize).copied().unwrap_or_default()
    }

    /// Whether `inner` is `outer` or inside it; everything is inside the top level.
    pub(crate) fn is_within(&self, inner: Option<u32>, outer: Option<u32>) -> bool {
        let parent = |&mapping: &u32| self.mappings[mapping as usize].parent;
        outer.is_none_or(|outer| std::iter::successors(inner, parent).any(|mapping| mapping == outer))
    }

    /// Whether a node is drawn inside an `each`: a run has it once for each element.
    pub fn is_mapped(&self, node: u32) -> bool {
        self.place(node).mapping.is_some()
    }
}
