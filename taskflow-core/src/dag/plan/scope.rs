//! Scopes: work between a setup and its teardown.

use std::collections::HashMap;
use std::ops::Range;

use super::index::NodeIndex;
use super::plan::Plan;
use crate::base::index::indices;

/// Work between a setup and its teardown.
#[derive(Clone, Debug)]
pub(crate) struct ScopePlan {
    pub(crate) setup: NodeIndex,
    pub(crate) work: Range<NodeIndex>,
    pub(crate) teardown: Range<NodeIndex>,
}

impl Plan {
    /// What is drawn between a setup and its teardown.
    pub(crate) fn scopes(&self) -> &[ScopePlan] {
        &self.scopes
    }

    /// The scopes that a node is the setup of or is in, for every node with any.
    pub(crate) fn scopes_by_node(&self) -> HashMap<NodeIndex, Vec<&ScopePlan>> {
        let mut by_node: HashMap<NodeIndex, Vec<&ScopePlan>> = HashMap::new();
        for scope in &self.scopes {
            for node in indices(scope.work.clone()).chain([scope.setup]) {
                by_node.entry(node).or_default().push(scope);
            }
        }
        by_node
    }

    /// Each setup of a scope with each node of its teardown, sorted.
    pub fn teardowns(&self) -> &[(NodeIndex, NodeIndex)] {
        &self.teardowns
    }

    /// The nodes that tear down what a node sets up; empty if it is not a setup.
    pub fn teardowns_of(&self, setup: NodeIndex) -> &[(NodeIndex, NodeIndex)] {
        let first = self.teardowns.partition_point(|&(known, _)| known < setup);
        let count = self.teardowns[first..].partition_point(|&(known, _)| known == setup);
        &self.teardowns[first..][..count]
    }

    /// Whether a node tears down what was set up, and so runs although a run ends early.
    pub(crate) fn is_teardown(&self, node: NodeIndex) -> bool {
        self.node_options(node).teardown.is_some()
    }
}
