//! Joins: the rules that nodes wait by.

use std::ops::Range;

use super::index::{JoinIndex, NodeIndex};
use super::plan::Plan;
use crate::task::TriggerRule;

/// Upstreams of one node under one rule. The node may run once all its joins let it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Join {
    /// The node below.
    pub node: NodeIndex,
    /// How many upstreams.
    pub upstreams: u32,
    /// The rule.
    pub rule: TriggerRule,
}

impl Plan {
    /// All joins.
    pub fn joins(&self) -> &[Join] {
        self.joins.as_slice()
    }

    /// A join.
    pub fn join(&self, join: JoinIndex) -> &Join {
        &self.joins[join]
    }

    /// The indices of the joins.
    pub(crate) fn join_indices(&self) -> impl ExactSizeIterator<Item = JoinIndex> + use<> {
        self.joins.indices()
    }

    /// The indices of the joins of a node.
    pub fn joins_of(&self, node: NodeIndex) -> Range<JoinIndex> {
        let end = self.wiring.get(node + 1).map_or(self.joins.next_index(), |next| next.first_join);
        self.wiring[node].first_join..end
    }

    /// The indices of the joins that a node is an upstream of.
    pub fn successors(&self, node: NodeIndex) -> &[JoinIndex] {
        let from = self.successor_offsets[node] as usize;
        let to = self.successor_offsets[node + 1] as usize;
        &self.successors[from..to]
    }
}
