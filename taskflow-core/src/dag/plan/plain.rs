//! Plain nodes: those that need nothing but to be called once with their inputs.

use super::index::NodeIndex;
use super::options::NodeOptions;
use super::plan::Plan;
use crate::base::index::IndexVec;
use crate::task::{Kind, TaskDef, Waiting};

/// What a run decides by, computed when the plan is frozen.
#[derive(Debug, Default)]
pub(in crate::dag) struct Plainness {
    /// Whether each node is plain.
    pub(in crate::dag) nodes: IndexVec<NodeIndex, bool>,
    /// The first node of each combination of a task and an option set.
    pub(in crate::dag) kinds: Vec<NodeIndex>,
}

impl Plan {
    /// Whether a node is a sync task of this process that is called at most once and cannot be
    /// interrupted: it has no retries, time limits, waits or context, and tears nothing down.
    #[inline]
    pub(crate) fn is_plain(&self, node: NodeIndex) -> bool {
        self.plainness.nodes[node]
    }

    /// Whether each node is plain.
    pub(crate) fn plain_nodes(&self) -> &[bool] {
        self.plainness.nodes.as_slice()
    }

    /// The first node of each combination of a task and an option set.
    pub(crate) fn kinds(&self) -> &[NodeIndex] {
        &self.plainness.kinds
    }

    /// Whether the plain nodes of a run need nothing of the run either: it has no lists, no groups
    /// with retries, no retries of its own, and no deadlines of tasks.
    pub(crate) fn has_short_path(&self) -> bool {
        self.mappings.is_empty()
            && self.units.is_empty()
            && self.options.retries.unwrap_or(0) == 0
            && !self.has_task_deadlines()
    }

    pub(in crate::dag) fn find_plain_nodes(&mut self) {
        let mut kinds = Vec::new();
        let mut plain: Vec<Option<bool>> = vec![None; self.node_options.len() * self.defs.len()];
        let nodes = self.wiring.enumerated().map(|(node, wiring)| {
            let (options, def) = (wiring.options as usize, wiring.def as usize);
            *plain[options * self.defs.len() + def].get_or_insert_with(|| {
                kinds.push(node);
                is_plain(&self.node_options[options], self.defs[def])
            })
        });
        let nodes: IndexVec<NodeIndex, bool> = nodes.collect();
        self.plainness = Plainness { nodes, kinds };
    }
}

fn is_plain(options: &NodeOptions, def: &TaskDef) -> bool {
    let never_again = options.retry.retries == 0 && options.waiting == Waiting::Never && options.teardown.is_none();
    let untimed = options.timeout.is_none() && options.total_timeout.is_none() && options.deadline.is_none();
    let here = def.lane() == Kind::Sync && !def.takes_context && options.executor.is_none();
    never_again && untimed && here
}
