//! The task groups with retries, which run again as a whole, and their nodes.

use super::builder::Draft;
use super::plan::{GroupIndex, NodeIndex};
use crate::base::index::{IndexVec, indices};
use crate::run::TaskIndex;

/// All task groups with retries. They do not overlap, so a node is in at most one of them.
#[derive(Debug, Default)]
pub(crate) struct Units {
    all: Vec<Unit>,
    /// For each node the position of its group in `all`; empty if no group has retries.
    of: IndexVec<NodeIndex, Option<u32>>,
}

/// One task group with retries.
#[derive(Debug)]
struct Unit {
    /// Its index among all groups of the graph.
    group: GroupIndex,
    nodes: Vec<NodeIndex>,
}

impl Units {
    pub(super) fn of_draft(draft: &Draft) -> Self {
        let groups = draft.groups.enumerated().filter(|(_, group)| group.retries > 0);
        let all: Vec<Unit> =
            groups.map(|(group, drawn)| Unit { group, nodes: indices(drawn.nodes.clone()).collect() }).collect();
        let mut of = IndexVec::from(vec![None; if all.is_empty() { 0 } else { draft.nodes.len() }]);
        for (place, unit) in (0..).zip(&all) {
            unit.nodes.iter().for_each(|&node| of[node] = Some(place));
        }
        Units { all, of }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The number and the nodes of each group.
    pub(crate) fn groups(&self) -> impl Iterator<Item = GroupIndex> + '_ {
        self.all.iter().map(|unit| unit.group)
    }

    /// The number of the group that a node is in, if it has retries.
    pub(crate) fn of(&self, node: NodeIndex) -> Option<GroupIndex> {
        let place = (*self.of.get(node)?)?;
        Some(self.all[place as usize].group)
    }

    /// The nodes of the group with this number; none if it has no retries.
    pub(crate) fn nodes(&self, group: GroupIndex) -> &[NodeIndex] {
        let unit = self.all.iter().find(|unit| unit.group == group);
        unit.map_or(&[][..], |unit| &unit.nodes)
    }

    /// The task instances of a group: none of its nodes is mapped.
    pub(crate) fn tasks(&self, group: GroupIndex) -> impl Iterator<Item = TaskIndex> + '_ {
        self.nodes(group).iter().map(|node| node.task())
    }
}
