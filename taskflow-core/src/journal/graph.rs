//! The stored graph of a run: enough to show and explain the run after the program has changed.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::dag::{ArgPlan, EdgeKind, GroupIndex, MappingIndex, NodeIndex, Plan, Source};
use crate::task::TriggerRule;

/// A snapshot of a [`Plan`]. Stored once for each structural hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Graph {
    pub(crate) dag: String,
    pub(crate) hash: String,
    /// The kinds of nodes: few, however many nodes there are.
    pub(crate) kinds: Vec<GraphKind>,
    pub(crate) nodes: Vec<GraphNode>,
    pub(crate) groups: Vec<(String, Option<u32>)>,
    /// The node whose value is the result of the run.
    pub(crate) result: Option<u32>,
    /// The parts that exist once for each element of a list. Stored last, because the format had
    /// the rest first.
    #[serde(skip)]
    pub(crate) mappings: Vec<GraphMapping>,
}

/// A part of the graph that exists once for each element of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GraphMapping {
    /// The node that expands the list.
    pub(crate) expand: u32,
    /// The mapping that contains this node.
    pub(crate) parent: Option<u32>,
    /// Its nodes, without the nodes of nested mappings.
    pub(crate) nodes: Vec<u32>,
}

/// What nodes that call one task with the same options have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GraphKind {
    /// The name of the task.
    pub(crate) task: String,
    /// The type that it returns, without modules.
    pub(crate) output: String,
    pub(crate) retries: u32,
    pub(crate) pool: Option<String>,
    pub(crate) pool_slots: u32,
    /// The rule of its order edges, or [`GraphKind::TEARDOWN`].
    pub(crate) rule: String,
}

impl GraphKind {
    /// The rule of a teardown.
    const TEARDOWN: &'static str = "teardown";

    /// Whether its nodes are teardowns.
    pub(crate) fn is_teardown(&self) -> bool {
        self.rule == GraphKind::TEARDOWN
    }
}

/// A task instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GraphNode {
    pub(crate) id: Arc<str>,
    pub(crate) kind: u32,
    pub(crate) group: Option<u32>,
    /// Its edges, to which a node dereferences. Nodes share them where they are equal: a graph can
    /// have a million nodes.
    pub(crate) edges: Arc<Edges>,
}

impl Deref for GraphNode {
    type Target = Edges;

    fn deref(&self) -> &Edges {
        &self.edges
    }
}

/// The edges from the upstreams of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Edges {
    /// Upstream nodes whose values it takes, each with the trigger rule of its edge, and the gate.
    pub(crate) inputs: Box<[(u32, EdgeRule)]>,
    /// Upstream nodes by order-only edges, and all work of the scope of a teardown.
    pub(crate) after: Box<[u32]>,
}

impl Edges {
    /// Edges in memory of their own, unless those of another node are the same.
    pub(super) fn shared(inputs: &[(u32, EdgeRule)], after: &[u32], other: Option<&Arc<Edges>>) -> Arc<Edges> {
        match other.filter(|other| *other.inputs == *inputs && *other.after == *after) {
            Some(other) => Arc::clone(other),
            None => Arc::new(Edges { inputs: inputs.into(), after: after.into() }),
        }
    }

    /// The nodes directly above.
    pub(crate) fn upstreams(&self) -> impl Iterator<Item = u32> + '_ {
        self.inputs.iter().map(|&(upstream, _)| upstream).chain(self.after.iter().copied())
    }
}

/// The nodes directly below each node of a graph.
pub(crate) struct Successors {
    /// Where the list of each node ends; it starts where that of the node before ends.
    ends: Vec<u32>,
    nodes: Vec<u32>,
}

impl Successors {
    /// The nodes directly below this one.
    pub(crate) fn of(&self, node: u32) -> &[u32] {
        let node = node as usize;
        let start = if node == 0 { 0 } else { self.ends[node - 1] };
        &self.nodes[start as usize..self.ends[node] as usize]
    }
}

/// What an edge requires of its upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum EdgeRule {
    Required,
    Optional,
    Outcome,
    First,
    /// No value: the node is in an arm of a branch, and runs only if the arm is taken.
    Gate,
    /// No value: this setup is the gate of the node, or the node is its teardown.
    Setup,
    /// No value: the node is in the scope of this setup, and after other work of it.
    Scope,
}

impl From<EdgeKind> for EdgeRule {
    fn from(kind: EdgeKind) -> Self {
        match kind {
            EdgeKind::Required => EdgeRule::Required,
            EdgeKind::Optional => EdgeRule::Optional,
            EdgeKind::Outcome => EdgeRule::Outcome,
            EdgeKind::First => EdgeRule::First,
        }
    }
}

impl EdgeRule {
    /// Whether the edge carries no value.
    pub(crate) fn is_without_value(self) -> bool {
        matches!(self, EdgeRule::Gate | EdgeRule::Setup | EdgeRule::Scope)
    }

    /// Its trigger rule.
    pub(crate) fn rule(self) -> TriggerRule {
        match self {
            EdgeRule::Required | EdgeRule::Gate | EdgeRule::Setup | EdgeRule::Scope => TriggerRule::AllSuccess,
            EdgeRule::Optional => TriggerRule::NoneFailed,
            EdgeRule::Outcome => TriggerRule::AllDone,
            EdgeRule::First => TriggerRule::OneSuccess,
        }
    }
}

impl Graph {
    /// The ids of a group and of those that it is in, the innermost first.
    pub(super) fn groups_around(&self, group: Option<u32>) -> impl Iterator<Item = &str> {
        let group_at = |at: u32| self.groups.get(at as usize);
        let around = std::iter::successors(group.and_then(group_at), move |(_, parent)| group_at((*parent)?));
        around.map(|(id, _)| id.as_str())
    }

    /// The snapshot of a plan.
    pub(crate) fn of(plan: &Plan) -> Self {
        let sets = plan.option_sets().len();
        let mut setups: Vec<(NodeIndex, NodeIndex)> =
            plan.teardowns().iter().map(|&(setup, teardown)| (teardown, setup)).collect();
        setups.sort_unstable();
        let mut place = vec![u32::MAX; plan.defs().len() * sets];
        let mut kinds: Vec<GraphKind> = Vec::new();
        let mut last: Option<Arc<Edges>> = None;
        let nodes = plan.node_indices().map(|node| {
            let slot = &mut place[plan.def_index(node) * sets + plan.options_index(node)];
            if *slot == u32::MAX {
                *slot = kinds.len() as u32;
                let (def, options) = (plan.def(node), plan.node_options(node));
                kinds.push(GraphKind {
                    task: def.id.to_owned(),
                    output: def.output.short(),
                    retries: options.retry.retries,
                    pool: options.pool.map(str::to_owned),
                    pool_slots: options.pool_slots,
                    rule: match options.teardown {
                        Some(_) => GraphKind::TEARDOWN.to_owned(),
                        None => options.trigger_rule.name().to_owned(),
                    },
                });
            }
            let mut inputs: SmallVec<[(u32, EdgeRule); 8]> = SmallVec::new();
            for arg in plan.args(node) {
                if let ArgPlan::Edges(edges) = arg {
                    let tasks = edges.sources().iter().filter_map(|source| source.as_task());
                    inputs.extend(tasks.map(|task| (task.as_u32(), edges.kind().into())));
                }
            }
            let is_setup = |gate: NodeIndex| !plan.teardowns_of(gate).is_empty();
            inputs.extend(
                plan.gate(node)
                    .map(|gate| (gate.as_u32(), if is_setup(gate) { EdgeRule::Setup } else { EdgeRule::Gate })),
            );
            inputs.extend(plan.rest_of_setup(node).map(|setup| (setup.as_u32(), EdgeRule::Scope)));
            let first = setups.partition_point(|&(teardown, _)| teardown < node);
            let own = setups[first..].iter().take_while(|&&(teardown, _)| teardown == node);
            for setup in own.map(|&(_, setup)| (setup.as_u32(), EdgeRule::Setup)) {
                if !inputs.contains(&setup) {
                    inputs.push(setup);
                }
            }
            let after = plan.orders(node).iter().chain(plan.rest_of_work(node));
            let after: SmallVec<[u32; 8]> = after.map(|&(upstream, _)| upstream.as_u32()).collect();
            let edges = Edges::shared(&inputs, &after, last.as_ref());
            last = Some(Arc::clone(&edges));
            let (id, group) = (Arc::from(plan.node(node).id()), plan.node(node).group().map(GroupIndex::as_u32));
            GraphNode { id, kind: *slot, group, edges }
        });
        let nodes = nodes.collect();
        Graph {
            dag: plan.id().to_owned(),
            hash: plan.hash().to_owned(),
            kinds,
            nodes,
            groups: plan
                .groups()
                .iter()
                .map(|group| (group.id.clone(), group.parent.map(GroupIndex::as_u32)))
                .collect(),
            result: plan.result().and_then(Source::as_task).map(NodeIndex::as_u32),
            mappings: plan
                .mappings()
                .iter()
                .map(|mapping| GraphMapping {
                    expand: mapping.expand.as_u32(),
                    parent: mapping.parent.map(MappingIndex::as_u32),
                    nodes: mapping.nodes.iter().map(|node| node.as_u32()).collect(),
                })
                .collect(),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        // Encoding plain data cannot fail.
        let mut bytes = postcard::to_stdvec(self).expect("a graph can be written to memory");
        if !self.mappings.is_empty() {
            bytes.extend(postcard::to_stdvec(&self.mappings).expect("a graph can be written to memory"));
        }
        bytes
    }

    /// Reads a snapshot.
    ///
    /// # Errors
    ///
    /// When the bytes are not a snapshot, or refer to nodes that do not exist.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let (mut graph, rest): (Graph, _) = postcard::take_from_bytes(bytes).map_err(|error| error.to_string())?;
        if !rest.is_empty() {
            graph.mappings = postcard::from_bytes(rest).map_err(|error| error.to_string())?;
        }
        let (nodes, kinds, groups) = (graph.nodes.len(), graph.kinds.len(), graph.groups.len());
        let fits = |node: &GraphNode| {
            let inputs = node.inputs.iter().all(|&(task, _)| (task as usize) < nodes);
            let after = node.after.iter().all(|&task| (task as usize) < nodes);
            let group = node.group.is_none_or(|group| (group as usize) < groups);
            inputs && after && group && (node.kind as usize) < kinds
        };
        let parents = graph.groups.iter().enumerate();
        let nested = parents.into_iter().all(|(at, (_, parent))| parent.is_none_or(|parent| (parent as usize) < at));
        let mapped = graph.mappings.iter().enumerate().all(|(at, mapping)| {
            let inside = mapping.nodes.iter().all(|&node| (node as usize) < nodes);
            let outer = mapping.parent.is_none_or(|parent| (parent as usize) < at);
            inside && outer && (mapping.expand as usize) < nodes
        });
        if !mapped
            || !graph.nodes.iter().all(fits)
            || !nested
            || graph.result.is_some_and(|node| node as usize >= nodes)
        {
            return Err("the snapshot refers to tasks that it does not contain".to_owned());
        }
        graph.share_edges();
        Ok(graph)
    }

    /// Lets neighbours with the same edges share them: a fan has the same ones a million times.
    fn share_edges(&mut self) {
        for node in 1..self.nodes.len() {
            let (before, from) = self.nodes.split_at_mut(node);
            let (last, node) = (&before[node - 1].edges, &mut from[0].edges);
            if last == node {
                *node = Arc::clone(last);
            }
        }
    }

    /// The nodes directly below each node.
    pub(crate) fn successors(&self) -> Successors {
        let mut ends = vec![0; self.nodes.len() + 1];
        for upstream in self.nodes.iter().flat_map(|node| node.upstreams()) {
            ends[upstream as usize + 1] += 1;
        }
        for node in 1..ends.len() {
            ends[node] += ends[node - 1];
        }
        // Filling the list of a node moves what was its start to its end.
        let mut nodes = vec![0; ends.last().map_or(0, |&end| end as usize)];
        for (index, node) in (0..).zip(&self.nodes) {
            for upstream in node.upstreams() {
                let end = &mut ends[upstream as usize];
                nodes[*end as usize] = index;
                *end += 1;
            }
        }
        Successors { ends, nodes }
    }

    /// Whether a mapping is `outer` or nested in it. The top level contains all.
    pub(crate) fn is_within(&self, inner: Option<u32>, outer: Option<u32>) -> bool {
        let parent = |&mapping: &u32| self.mappings[mapping as usize].parent;
        outer.is_none_or(|outer| std::iter::successors(inner, parent).any(|mapping| mapping == outer))
    }

    pub(crate) fn kind(&self, node: u32) -> &GraphKind {
        &self.kinds[self.nodes[node as usize].kind as usize]
    }
}
