//! Groups with retries.

use super::builder::Draft;

/// The groups with retries and their nodes. No node is in two of them.
#[derive(Debug, Default)]
pub(crate) struct Units {
    all: Vec<Unit>,
    /// For each node the position of its group; empty if no group has retries.
    of: Vec<Option<u32>>,
}

#[derive(Debug)]
struct Unit {
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

    /// The groups, each with its nodes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &[u32])> {
        self.all.iter().map(|unit| (unit.group, &unit.nodes[..]))
    }

    /// The group that a node is in.
    pub(crate) fn of(&self, node: u32) -> Option<u32> {
        let place = (*self.of.get(node as usize)?)?;
        Some(self.all[place as usize].group)
    }

    /// The nodes of a group.
    pub(crate) fn nodes(&self, group: u32) -> &[u32] {
        let unit = self.all.iter().find(|unit| unit.group == group);
        unit.map_or(&[][..], |unit| &unit.nodes)
    }
}
