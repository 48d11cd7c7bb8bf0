//! The ids of nodes.

use std::ops::Index;

use super::index::NodeIndex;
use crate::base::index::{IndexVec, Indexing as _};

/// The ids of all nodes, one after the other in one text: a text of its own for each would take
/// more memory, and more time to allocate, than all else that a plan keeps of a node.
#[derive(Debug, Default)]
pub(in crate::dag) struct Ids {
    text: String,
    /// Where each id ends. It begins where the one before it ends.
    ends: IndexVec<NodeIndex, u32>,
}

impl Ids {
    pub(in crate::dag) fn with_capacity(nodes: usize) -> Self {
        Ids { text: String::new(), ends: IndexVec::with_capacity(nodes) }
    }

    /// Adds the id that consists of these parts.
    ///
    /// # Panics
    ///
    /// If all ids together have more than 2^32 bytes.
    #[inline]
    pub(in crate::dag) fn push(&mut self, parts: &[&str]) {
        parts.iter().for_each(|part| self.text.push_str(part));
        let end = u32::try_from(self.text.len()).expect("the ids of a graph have less than four gigabytes");
        self.ends.push(end);
    }

    pub(in crate::dag) fn get(&self, node: NodeIndex) -> Option<&str> {
        let end = *self.ends.get(node)? as usize;
        let start = node.position().checked_sub(1).map_or(0, |before| self.ends[NodeIndex::at(before)] as usize);
        Some(&self.text[start..end])
    }

    /// The ids, in the order of the nodes.
    pub(in crate::dag) fn iter(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let id = &self.text[start..end as usize];
            start = end as usize;
            id
        })
    }

    /// Gives back the memory that was kept for further ids.
    pub(in crate::dag) fn shrink(&mut self) {
        self.text.shrink_to_fit();
    }
}

impl Index<NodeIndex> for Ids {
    type Output = str;

    fn index(&self, node: NodeIndex) -> &str {
        self.get(node).expect("each node of a plan has an id")
    }
}
