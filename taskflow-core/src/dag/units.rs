//! The task groups with retries, which run again as a whole, and their nodes.

use super::builder::Draft;

/// All task groups with retries. They do not overlap, so a node is in at most one of them.
#[derive(Debug, Default)]
pub(crate) struct Units {
    all: Vec<Unit>,
    /// For each node the position of its group in `all`; empty if no group has retries.
    of: Vec<Option<u32>>,
}

/// One task group with retries.
#[derive(Debug)]
struct Unit {
    /// Its number among all groups of the graph.
    group: u32,
    nodes: Vec<u32>,
}

impl Units {
    pub(super) fn of_draft(draft: &Draft) -> Self {
        let groups = (0..).zip(&draft.groups).filter(|(_, group)| group.retries > 0);
        let all: Vec<Unit> =
            groups.map(|(group, drawn)| Unit { group, nodes: drawn.nodes.clone().collect() }).collect();
        let mut of = vec![None; if all.is_empty() { 0 } else { draft.nodes.len() }];
        for (place, unit) in (0..).zip(&all) {
            unit.nodes.iter().for_each(|&node| of[node as usize] = Some(place));
        }
        Units { all, of }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The number and the nodes of each group.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &[u32])> {
        self.all.iter().map(|unit| (unit.group, &unit.nodes[..]))
    }

    /// The number of the group that a node is in, if it has retries.
    pub(crate) fn of(&self, node: u32) -> Option<u32> {
        let place = (*self.of.get(node as usize)?)?;
        Some(self.all[place as usize].group)
    }

    /// The nodes of the group with this number; none if it has no retries.
    pub(crate) fn nodes(&self, group: u32) -> &[u32] {
        let unit = self.all.iter().find(|unit| unit.group == group);
        unit.map_or(&[][..], |unit| &unit.nodes)
    }
}
