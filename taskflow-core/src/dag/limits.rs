//! Limits of parts of a graph: how many tasks of a mapping or of a group may run at once.

use super::builder::index;
use super::plan::Plan;

impl Plan {
    /// How many tasks of parts of the graph may run at once: of mappings and of groups that say so.
    pub(crate) fn limits(&self) -> impl Iterator<Item = u32> + '_ {
        let mappings = self.mappings.iter().filter_map(|mapping| mapping.concurrency);
        mappings.chain(self.groups.iter().filter_map(|group| group.concurrency))
    }

    /// Which of [`Plan::limits`] a node is under.
    pub(crate) fn limits_of(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        let outer = |&mapping: &u32| self.mappings[mapping as usize].parent;
        let mappings = std::iter::successors(self.place(node).mapping, outer);
        let mappings = mappings.filter(|&mapping| self.mappings[mapping as usize].concurrency.is_some());
        let before = |until: u32| self.mappings[..until as usize].iter().filter(|it| it.concurrency.is_some()).count();
        let mappings = mappings.map(before);

        let outer = |&group: &u32| self.groups[group as usize].parent;
        let groups = std::iter::successors(self.nodes[node as usize].group, outer);
        let groups = groups.filter(|&group| self.groups[group as usize].concurrency.is_some());
        let before = |until: u32| self.groups[..until as usize].iter().filter(|it| it.concurrency.is_some()).count();
        let all = self.mappings.iter().filter(|mapping| mapping.concurrency.is_some()).count();
        mappings.chain(groups.map(move |group| all + before(group))).map(index)
    }
}
