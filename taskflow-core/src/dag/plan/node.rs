//! Nodes: what each one calls, and with which options.

use std::collections::HashMap;
use std::fmt;

use super::index::{GroupIndex, JoinIndex, NodeIndex};
use super::options::NodeOptions;
use super::plan::Plan;
use crate::base::SourceLocation;
use crate::task::{Executor, Kind, TaskDef};

/// A task instance: one call of a task in a DAG.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    plan: &'a Plan,
    index: NodeIndex,
}

/// Where the data of a node is in the index vectors. Its arguments and joins end where those of the
/// next node begin.
#[derive(Clone, Copy, Debug)]
pub(in crate::dag) struct Wiring {
    pub(in crate::dag) def: u32,
    pub(in crate::dag) options: u32,
    pub(in crate::dag) first_arg: u32,
    pub(in crate::dag) first_join: JoinIndex,
}

impl<'a> Node<'a> {
    /// Its id, unique in the DAG.
    pub fn id(self) -> &'a str {
        &self.plan.ids[self.index]
    }

    /// The call that made it.
    pub fn location(self) -> SourceLocation {
        self.plan.locations[self.index].into()
    }

    /// The index of the group it is in.
    pub fn group(self) -> Option<GroupIndex> {
        self.plan.group_of.get(self.index).copied().flatten()
    }
}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("id", &self.id()).field("group", &self.group()).finish_non_exhaustive()
    }
}

impl Plan {
    /// The kind of thread of the engine that a node takes; `away` is whether nodes with an executor
    /// run there.
    #[inline]
    pub(crate) fn lane(&self, node: NodeIndex, away: bool) -> Kind {
        if self.executor(node, away).is_some() { Kind::Async } else { self.def(node).lane() }
    }

    /// Whether any node needs another thread than the workers.
    pub(crate) fn needs_runtime(&self, away: bool) -> bool {
        self.defs.iter().any(|def| def.lane() != Kind::Sync)
            || self.node_options.iter().any(|options| options.executor.is_some())
                && self.node_indices().any(|node| self.executor(node, away).is_some())
    }

    /// The executor that a node runs on, if that is not this process.
    pub(crate) fn executor(&self, node: NodeIndex, away: bool) -> Option<Executor> {
        self.node_options(node).executor.filter(|executor| away && !executor.is_off())
    }

    /// The task that a node calls.
    pub fn def(&self, node: NodeIndex) -> &'static TaskDef {
        self.defs[self.def_index(node)]
    }

    /// The tasks that the nodes call.
    pub fn defs(&self) -> &[&'static TaskDef] {
        &self.defs
    }

    /// Which of [`Plan::defs`] a node calls.
    pub fn def_index(&self, node: NodeIndex) -> usize {
        self.wiring[node].def as usize
    }

    /// The options of a node.
    pub fn node_options(&self, node: NodeIndex) -> &NodeOptions {
        &self.node_options[self.options_index(node)]
    }

    /// The different option sets; most plans have a handful.
    pub fn option_sets(&self) -> &[NodeOptions] {
        &self.node_options
    }

    /// Which of [`Plan::option_sets`] a node has.
    pub fn options_index(&self, node: NodeIndex) -> usize {
        self.wiring[node].options as usize
    }

    /// The nodes, in the order of the calls.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = Node<'_>> + DoubleEndedIterator + Clone {
        self.node_indices().map(|node| self.node(node))
    }

    /// A node.
    pub fn node(&self, node: NodeIndex) -> Node<'_> {
        Node { plan: self, index: node }
    }

    /// The indices of the nodes.
    pub fn node_indices(&self) -> impl ExactSizeIterator<Item = NodeIndex> + DoubleEndedIterator + Clone + use<> {
        self.wiring.indices()
    }

    /// How many nodes it has.
    pub fn len(&self) -> usize {
        self.wiring.len()
    }

    /// Whether it has no node.
    pub fn is_empty(&self) -> bool {
        self.wiring.is_empty()
    }

    /// How many tasks a run has before any list is expanded: the nodes outside every `each`.
    pub fn task_count(&self) -> usize {
        self.wiring.len() - self.mappings.iter().map(|mapping| mapping.nodes.len()).sum::<usize>()
    }

    /// The index of each node, by id.
    pub(crate) fn by_id(&self) -> HashMap<&str, NodeIndex> {
        self.ids.iter().zip(self.node_indices()).collect()
    }

    /// The index of the node with this id. Searches the whole plan.
    pub fn find(&self, id: &str) -> Option<NodeIndex> {
        self.ids.iter().zip(self.node_indices()).find(|&(known, _)| known == id).map(|(_, node)| node)
    }
}
