//! Clusters: the parts of a graph that a picture draws a box around.

use super::index::{ClusterIndex, GroupIndex, MappingIndex, NodeIndex};
use super::plan::Plan;
use crate::base::index::IndexVec;

/// A part of the graph that was drawn by one closure. Clusters nest as the closures do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cluster {
    pub(crate) kind: ClusterKind,
    /// The cluster around it.
    pub(crate) parent: Option<ClusterIndex>,
}

/// What drew a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClusterKind {
    /// A group.
    Group(GroupIndex),
    /// An `each`: the template of its elements. An `each` that continues in another cluster has
    /// one more there.
    Each(MappingIndex),
    /// A scope, by its setup: the setup, the work and the teardown.
    Scope(NodeIndex),
    /// An arm of a branch, by the node of the arm, which is part of it.
    Arm(NodeIndex),
}

impl Plan {
    /// The clusters, outer ones before inner ones.
    pub(crate) fn clusters(&self) -> &IndexVec<ClusterIndex, Cluster> {
        &self.clusters
    }

    /// The innermost cluster that a node is in.
    pub(crate) fn cluster_of(&self, node: NodeIndex) -> Option<ClusterIndex> {
        self.cluster_of.get(node).copied().flatten()
    }
}
