//! Limits of parts of a graph: how many tasks of a mapping or of a group may run at once.

use super::builder::index;
use super::plan::{GroupIndex, MappingIndex, NodeIndex, Plan};

impl Plan {
    /// How many tasks of parts of the graph may run at once: of mappings and of groups that say so.
    pub(crate) fn limits(&self) -> impl Iterator<Item = u32> + '_ {
        let mappings = self.mappings.iter().filter_map(|mapping| mapping.concurrency);
        mappings.chain(self.groups.iter().filter_map(|group| group.concurrency))
    }

    /// Which of [`Plan::limits`] a node is under.
    pub(crate) fn limits_of(&self, node: NodeIndex) -> impl Iterator<Item = u32> + '_ {
        let outer = |&mapping: &MappingIndex| self.mappings[mapping].parent;
        let mappings = std::iter::successors(self.place(node).mapping, outer);
        let mappings = mappings.filter(|&mapping| self.mappings[mapping].concurrency.is_some());
        let before = |until: MappingIndex| {
            self.mappings.iter().take(until.as_usize()).filter(|it| it.concurrency.is_some()).count()
        };
        let mappings = mappings.map(before);

        let outer = |&group: &GroupIndex| self.groups[group].parent;
        let groups = std::iter::successors(self.node(node).group(), outer);
        let groups = groups.filter(|&group| self.groups[group].concurrency.is_some());
        let before =
            |until: GroupIndex| self.groups.iter().take(until.as_usize()).filter(|it| it.concurrency.is_some()).count();
        let all = self.mappings.iter().filter(|mapping| mapping.concurrency.is_some()).count();
        mappings.chain(groups.map(move |group| all + before(group))).map(index)
    }
}
