//! Joins: the rules that nodes wait by.

use std::ops::Range;

use super::plan::Plan;
use crate::task::TriggerRule;

/// Upstreams of one node under one rule. The node may run once all its joins let it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Join {
    /// The node below.
    pub node: u32,
    /// How many upstreams.
    pub upstreams: u32,
    /// The rule.
    pub rule: TriggerRule,
}

impl Plan {
    /// All joins.
    pub fn joins(&self) -> &[Join] {
        &self.joins
    }

    /// The indices of the joins of a node.
    pub fn joins_of(&self, node: u32) -> Range<u32> {
        let end = self.wiring.get(node as usize + 1).map_or(self.joins.len() as u32, |next| next.first_join);
        self.wiring[node as usize].first_join..end
    }

    /// The indices of the joins that a node is an upstream of.
    pub fn successors(&self, node: u32) -> &[u32] {
        let from = self.successor_offsets[node as usize] as usize;
        let to = self.successor_offsets[node as usize + 1] as usize;
        &self.successors[from..to]
    }
}
