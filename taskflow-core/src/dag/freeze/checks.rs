//! Checks of a whole draft.

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex as Vertex};

use super::arg_range;
use crate::base::SourceLocation;
use crate::base::index::{IndexVec, Indexing as _, indices};
use crate::dag::arg::ArgDraft;
use crate::dag::builder::{Draft, GroupDraft, NodeDraft, Order};
use crate::dag::error::BuildError;
use crate::dag::fitness::Fitness;
use crate::dag::plan::{Ids, MappingIndex, NodeIndex, NodeOptions};
use crate::dag::pool::PoolDef;
use crate::task::{TaskDef, TriggerRule};

/// The pool of a task must be declared and have the slots that the task takes.
pub(super) fn pool(
    options: &NodeOptions,
    pools: &[PoolDef],
    task: &str,
    at: SourceLocation,
    errors: &mut Vec<BuildError>,
) {
    let Some(name) = options.pool else { return };
    let (task, pool) = (task.to_owned(), name.to_owned());
    match pools.iter().find(|pool| pool.name == name) {
        None => {
            let known = pools.iter().map(|pool| pool.name.to_owned()).collect();
            errors.push(BuildError::UnknownPool { task, pool, known, at });
        }
        Some(&PoolDef { slots, .. }) if options.pool_slots > slots => {
            errors.push(BuildError::PoolTooSmall { task, pool, wanted: options.pool_slots, slots, at });
        }
        Some(_) => {}
    }
}

/// A task on an executor must be registered, and its inputs must be serializable.
pub(super) fn executor(
    options: &NodeOptions,
    def: &'static TaskDef,
    task: &str,
    at: SourceLocation,
    errors: &mut Vec<BuildError>,
) {
    let Some(executor) = options.executor else { return };
    let reason = match Fitness::of(def) {
        Fitness::Can => return,
        Fitness::Waits => {
            "it waits without holding a slot, which is done here; split it into one that waits and one that works"
        }
        Fitness::Isolated => "it has a process of its own on this machine; leave `isolation` out",
        Fitness::Unknown => "it is not a function with `#[task]`, and only those are known there",
        Fitness::Unwritten => {
            "its inputs cannot be written down; build taskflow and the crate of the task with the feature `spark`"
        }
    };
    let (task, executor) = (task.to_owned(), executor.kind());
    errors.push(BuildError::NotElsewhere { task, executor, reason, at });
}

/// Data edges lead forward, so only order edges can close a cycle. A group with retries is one
/// vertex where the single tasks have none: what follows a task of it waits for all of it.
pub(super) fn cycles(draft: &Draft, ids: &Ids, errors: &mut Vec<BuildError>) {
    if draft.orders.iter().all(|order| order.upstream < order.downstream) {
        return;
    }
    let waits = waits(draft);
    let edges_within = |component: &[NodeIndex], vertex: &dyn Fn(NodeIndex) -> NodeIndex| {
        let inside = |node: NodeIndex| component.binary_search(&vertex(node)).is_ok();
        let within = |order: &&Order| inside(order.upstream) && inside(order.downstream);
        draft.orders.iter().filter(within).map(|order| order.at.into()).collect()
    };
    let cycles = components(draft, &waits, &|node| node);
    let has_cycle = !cycles.is_empty();
    errors.extend(cycles.into_iter().map(|component| BuildError::Cycle {
        members: component.iter().map(|&node| ids[node].to_owned()).collect(),
        edges: edges_within(&component, &|node| node),
    }));
    let units: Vec<&GroupDraft> = draft.groups.iter().filter(|group| group.retries > 0).collect();
    if has_cycle || units.is_empty() {
        return;
    }
    let unit_of = |node: NodeIndex| units.iter().find(|unit| unit.nodes.contains(&node));
    let vertex = |node: NodeIndex| unit_of(node).map_or(node, |unit| unit.nodes.start);
    for component in components(draft, &waits, &vertex) {
        let Some(unit) = component.iter().find_map(|&node| unit_of(node)) else { continue };
        let others = component.iter().filter(|&&node| node != unit.nodes.start);
        let name = |&node: &NodeIndex| unit_of(node).map_or_else(|| ids[node].to_owned(), |unit| unit.name.clone());
        errors.push(BuildError::GroupLeft {
            group: unit.name.clone(),
            others: others.map(name).collect(),
            edges: edges_within(&component, &vertex),
            at: unit.at.into(),
        });
    }
}

/// Which node waits for which, as `(upstream, downstream)`.
fn waits(draft: &Draft) -> Vec<(NodeIndex, NodeIndex)> {
    let mut waits: Vec<(NodeIndex, NodeIndex)> = Vec::with_capacity(draft.args.len());
    waits.extend(draft.orders.iter().map(|order| (order.upstream, order.downstream)));
    waits.extend(draft.gates.iter().copied());
    for node in draft.nodes.indices() {
        for arg in &draft.args[arg_range(draft, node)] {
            let own = arg.handles().iter().filter(|handle| handle.scope == draft.scope);
            waits.extend(own.filter_map(|handle| handle.source.as_task()).map(|upstream| (upstream, node)));
        }
        // An element waits for its list, also if it does not take it.
        waits.extend(draft.nodes[node].mapping.map(|mapping| (draft.mappings[mapping].expand, node)));
    }
    waits
}

/// The vertices that wait for each other, in order. Several nodes can be one vertex, and do not
/// wait for themselves then.
fn components(
    draft: &Draft,
    waits: &[(NodeIndex, NodeIndex)],
    vertex: &dyn Fn(NodeIndex) -> NodeIndex,
) -> Vec<Vec<NodeIndex>> {
    let mut graph: DiGraph<(), ()> = DiGraph::with_capacity(draft.nodes.len(), waits.len());
    for _ in &draft.nodes {
        graph.add_node(());
    }
    for &(upstream, downstream) in waits {
        let (from, to) = (vertex(upstream), vertex(downstream));
        if from != to || upstream == downstream {
            graph.add_edge(Vertex::new(from.as_usize()), Vertex::new(to.as_usize()), ());
        }
    }
    let mut found = Vec::new();
    for mut component in tarjan_scc(&graph) {
        component.sort();
        let is_loop = component.len() == 1 && graph.contains_edge(component[0], component[0]);
        if component.len() > 1 || is_loop {
            found.push(component.into_iter().map(|vertex| NodeIndex::at(vertex.index())).collect());
        }
    }
    found
}

/// Order edges between two mappings of which neither is inside the other.
pub(super) fn orders_of_elements(draft: &Draft, errors: &mut Vec<BuildError>) {
    if draft.mappings.is_empty() {
        return;
    }
    let outer = |&inner: &MappingIndex| draft.mappings[inner].parent;
    let is_inside = |inner: Option<MappingIndex>, wanted: Option<MappingIndex>| {
        wanted.is_none_or(|wanted| std::iter::successors(inner, outer).any(|mapping| mapping == wanted))
    };
    for order in &draft.orders {
        let (from, to) = (draft.nodes[order.upstream].mapping, draft.nodes[order.downstream].mapping);
        if !is_inside(from, to) && !is_inside(to, from) {
            errors.push(BuildError::MappedElsewhere { at: order.at.into() });
        }
    }
}

/// What groups with retries cannot be combined with.
pub(super) fn units(draft: &Draft, errors: &mut Vec<BuildError>) {
    let units = || draft.groups.enumerated().filter(|(_, group)| group.retries > 0);
    for (place, unit) in units() {
        let (group, at) = (unit.name.clone(), unit.at.into());
        let is_part = |node: &NodeDraft| node.mapping.is_some() || node.expands.is_some();
        let parts = indices(unit.nodes.clone()).any(|node| is_part(&draft.nodes[node]));
        let is_mapped = |node: NodeIndex| draft.nodes.get(node).is_some_and(|node| node.mapping.is_some());
        let takes = indices(unit.nodes.clone()).any(|node| {
            let args = draft.args[arg_range(draft, node)].iter().flat_map(ArgDraft::handles);
            let own = args.filter(|handle| handle.scope == draft.scope).filter_map(|handle| handle.source.as_task());
            own.into_iter().any(is_mapped)
        });
        let follows = draft.orders.iter().any(|it| unit.nodes.contains(&it.downstream) && is_mapped(it.upstream));
        if takes || follows || parts {
            errors.push(BuildError::GroupOfElements { group, at });
        } else if units().any(|(inner, group)| inner > place && group.nodes.start < unit.nodes.end) {
            errors.push(BuildError::GroupInGroup { group, at });
        }
        let cut = draft.scopes.iter().find(|scope| {
            let parts = [scope.setup..scope.setup + 1, scope.body.clone(), scope.teardown.clone()].map(indices);
            let inside = |node: NodeIndex| unit.nodes.contains(&node);
            let mut nodes = parts.into_iter().flatten();
            let first = nodes.next().is_some_and(inside);
            // All of the scope in the group, or all of the group in its work.
            nodes.any(|node| inside(node) != first)
                && !(scope.body.start <= unit.nodes.start && unit.nodes.end <= scope.body.end)
        });
        if let Some(scope) = cut {
            let (group, setup) = (unit.name.clone(), draft.nodes[scope.setup].def.id.to_owned());
            errors.push(BuildError::GroupCutsScope { group, setup, at: unit.at.into() });
        }
    }
}

/// Explicit rules on nodes that have upstreams, but none by order.
pub(super) fn idle_rules(
    draft: &Draft,
    ids: &Ids,
    sets: &[NodeOptions],
    options_of: &IndexVec<NodeIndex, u32>,
    errors: &mut Vec<BuildError>,
) {
    if sets.iter().all(|set| set.trigger_rule == TriggerRule::AllSuccess) {
        return;
    }
    for (position, node) in draft.nodes.enumerated() {
        let rule = sets[options_of[position] as usize].trigger_rule;
        let own = node.options.as_deref().copied().unwrap_or_default().or(node.def.options);
        let ordered = draft.orders.binary_search_by_key(&position, |order| order.downstream).is_ok();
        let has_data = draft.args[arg_range(draft, position)].iter().any(|arg| !matches!(arg, ArgDraft::Constant(_)));
        if rule != TriggerRule::AllSuccess && own.trigger_rule.is_some() && has_data && !ordered {
            let (task, rule) = (ids[position].to_owned(), rule.to_string());
            errors.push(BuildError::RuleWithoutOrder { task, rule, at: node.at.into() });
        }
    }
}
