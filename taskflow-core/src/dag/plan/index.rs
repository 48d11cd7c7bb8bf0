//! The indices of a plan.

use crate::base::index::index_type;

index_type! {
    /// A node of a plan: its place in the order of the calls. It has no meaning outside its plan.
    pub struct NodeIndex;
    /// A join of a plan: a place in [`Plan::joins`](super::Plan::joins).
    pub struct JoinIndex;
    /// A group of a plan: a place in [`Plan::groups`](super::Plan::groups).
    pub struct GroupIndex;
    /// A mapping of a plan.
    pub(crate) struct MappingIndex;
    /// A cluster of a plan.
    pub(crate) struct ClusterIndex;
}
