//! The index vectors of a plan.

use std::collections::HashMap;
use std::ops::Range;

use crate::base::index::IndexVec;
use crate::dag::builder::{Draft, index};
use crate::dag::plan::{ArgCell, ArgPlan, EdgeKind, Join, JoinIndex, MappingIndex, NodeIndex, NodeOptions, Plan};
use crate::task::TriggerRule;

/// The gates that are needed. A node after another one of its arm (`a >> b`) is skipped with it,
/// and needs no gate as long as its order edges require every upstream to succeed. The order edges
/// are sorted by downstream.
pub(super) fn gates(
    draft: &Draft,
    sets: &[NodeOptions],
    options_of: &IndexVec<NodeIndex, u32>,
) -> Vec<(NodeIndex, NodeIndex)> {
    let mut parts: HashMap<NodeIndex, Range<NodeIndex>> = HashMap::new();
    for &(arm, end) in &draft.arms {
        // A second entry is that of a value that was passed on.
        parts.entry(arm).or_insert(arm..end);
    }
    parts.extend(draft.scopes.iter().map(|scope| (scope.setup, scope.body.clone())));
    let needed = |&&(gate, node): &&(NodeIndex, NodeIndex)| {
        let within = parts.get(&gate).cloned().unwrap_or_default();
        let first = draft.orders.partition_point(|order| order.downstream < node);
        let mut upstreams = draft.orders[first..].iter().take_while(|order| order.downstream == node);
        let all = sets[options_of[node] as usize].trigger_rule == TriggerRule::AllSuccess;
        !(all && upstreams.any(|order| within.contains(&order.upstream)))
    };
    draft.gates.iter().filter(needed).copied().collect()
}

/// Makes the index vectors: the joins of each node, the joins below each node, the consumers of
/// each value.
///
/// The upstreams of a node fall into at most: one join for all that must succeed (its gate among
/// them), one for all that may be skipped, one for all that only must end, one for each `AnyOf`,
/// and one for its order edges when they have a rule of their own.
pub(super) fn wire(plan: &mut Plan) {
    let mut joins: IndexVec<JoinIndex, Join> = IndexVec::with_capacity(plan.len());
    let of_scopes = plan.rest_of_work.len() + plan.rest_of_setups.len();
    // (upstream, join), grouped by join; turned around below.
    let mut edges: Vec<(NodeIndex, JoinIndex)> =
        Vec::with_capacity(plan.args.len() + plan.sources.len() + plan.orders.len() + plan.gates.len() + of_scopes);

    // Nothing waits for anything but the values that it takes.
    let is_simple = of_scopes == 0 && plan.orders.is_empty() && plan.gates.is_empty() && plan.mappings.is_empty();
    for node in plan.node_indices() {
        plan.wiring[node].first_join = joins.next_index();
        if is_simple && wire_required(plan, node, &mut joins, &mut edges) {
            continue;
        }
        let mut join = |rule: TriggerRule, upstreams: &mut dyn Iterator<Item = NodeIndex>| {
            let first_edge = edges.len();
            edges.extend(upstreams.map(|upstream| (upstream, joins.next_index())));
            if edges.len() > first_edge {
                joins.push(Join { node, upstreams: index(edges.len() - first_edge), rule });
            }
        };

        let of_kind = |wanted: EdgeKind| {
            let edges = plan.args(node).filter_map(|arg| match arg {
                ArgPlan::Edges(edges) => Some(edges),
                ArgPlan::Constant(_) => None,
            });
            edges.filter(move |edges| edges.kind() == wanted)
        };
        let tasks_of_kind =
            |wanted: EdgeKind| of_kind(wanted).flat_map(|edges| edges.sources()).filter_map(|source| source.as_task());
        // A node that waits for nothing in its element waits for the list: without it there is no
        // element.
        let list = list_around(plan, node);
        let order_rule = plan.node_options(node).trigger_rule;
        let gate = plan.gate(node).into_iter().chain(plan.rest_of_setup(node));
        let ordered = plan.orders(node).iter().chain(plan.rest_of_work(node));
        let mut ordered = ordered.map(|&(upstream, _)| upstream);
        if order_rule == TriggerRule::AllSuccess {
            join(
                TriggerRule::AllSuccess,
                &mut tasks_of_kind(EdgeKind::Required).chain(gate).chain(ordered).chain(list),
            );
        } else {
            join(TriggerRule::AllSuccess, &mut tasks_of_kind(EdgeKind::Required).chain(gate).chain(list));
            join(order_rule, &mut ordered);
        }
        join(EdgeKind::Optional.rule(), &mut tasks_of_kind(EdgeKind::Optional));
        join(EdgeKind::Outcome.rule(), &mut tasks_of_kind(EdgeKind::Outcome));
        for edges in of_kind(EdgeKind::First) {
            // A parameter of the DAG is available at once.
            if edges.sources().iter().all(|source| source.as_task().is_some()) {
                join(EdgeKind::First.rule(), &mut edges.sources().iter().filter_map(|source| source.as_task()));
            }
        }
    }

    wire_mappings(plan, &joins, &edges);

    let mut offsets = vec![0u32; plan.len() + 1];
    for &(upstream, _) in &edges {
        offsets[upstream.as_usize() + 1] += 1;
    }
    for position in 1..offsets.len() {
        offsets[position] += offsets[position - 1];
    }
    let offsets: IndexVec<NodeIndex, u32> = offsets.into();
    let mut next = offsets.clone();
    let mut successors = vec![JoinIndex::default(); edges.len()];
    for &(upstream, join) in &edges {
        successors[next[upstream] as usize] = join;
        next[upstream] += 1;
    }

    let single = plan.args.iter().filter_map(|arg| match arg {
        ArgCell::Value(source) => Some(*source),
        ArgCell::Constant(_) | ArgCell::Edges(_) => None,
    });
    for source in plan.sources.iter().copied().chain(single).chain(plan.result) {
        if let Some(node) = source.as_task() {
            plan.consumers[node] += 1;
        }
    }
    plan.joins = joins;
    plan.successors = successors;
    plan.successor_offsets = offsets;
}

/// Wires a node that only waits for values that it requires: they have one join. `false`, without
/// an effect, if it is not such a node.
fn wire_required(
    plan: &Plan,
    node: NodeIndex,
    joins: &mut IndexVec<JoinIndex, Join>,
    edges: &mut Vec<(NodeIndex, JoinIndex)>,
) -> bool {
    let (first_edge, join) = (edges.len(), joins.next_index());
    for cell in plan.arg_cells(node) {
        match *cell {
            ArgCell::Constant(_) => {}
            ArgCell::Value(source) => {
                if let Some(upstream) = source.as_task() {
                    edges.push((upstream, join));
                }
            }
            ArgCell::Edges(place) => {
                let (kind, sources) = plan.edge_sources(place);
                if kind != EdgeKind::Required {
                    edges.truncate(first_edge);
                    return false;
                }
                edges.extend(sources.iter().filter_map(|source| Some((source.as_task()?, join))));
            }
        }
    }
    if edges.len() > first_edge {
        joins.push(Join { node, upstreams: index(edges.len() - first_edge), rule: TriggerRule::AllSuccess });
    }
    true
}

/// The expand node around a node that waits for no other node of its element.
fn list_around(plan: &Plan, node: NodeIndex) -> Option<NodeIndex> {
    let mapping = plan.place(node).mapping?;
    let expand = plan.mappings[mapping].expand;
    let own = |upstream: NodeIndex| upstream == expand || plan.place(upstream).mapping == Some(mapping);
    let waits = plan.upstreams(node).any(own);
    (!waits).then_some(expand)
}

/// What each mapping has to do with joins: its own, those outside that wait for it, and what its
/// own wait for outside.
fn wire_mappings(plan: &mut Plan, joins: &IndexVec<JoinIndex, Join>, edges: &[(NodeIndex, JoinIndex)]) {
    if plan.mappings.is_empty() {
        return;
    }
    for (join, of) in joins.enumerated() {
        let place = plan.places[of.node];
        let Some(mapping) = place.mapping else { continue };
        let own = &mut plan.mappings[mapping].joins;
        if plan.wiring[of.node].first_join == join {
            plan.places[of.node].first_join = index(own.len());
        }
        own.push(join);
    }
    for &(upstream, join) in edges {
        let (from, to) = (plan.places[upstream].mapping, plan.places[joins[join].node].mapping);
        if from == to {
            continue;
        }
        let parent = |mapping: MappingIndex| plan.mappings[mapping].parent;
        // Outwards: every mapping on the way represents its elements until they exist.
        let out: Vec<MappingIndex> = std::iter::successors(from, |&mapping| parent(mapping))
            .take_while(|&mapping| Some(mapping) != to)
            .collect();
        let is_out = to.is_none() || out.last().is_some_and(|&last| parent(last) == to);
        if is_out {
            out.iter().for_each(|&mapping| plan.mappings[mapping].collectors.push((upstream, join)));
        } else if let Some(to) = to
            && plan.mappings[to].expand != upstream
        {
            plan.mappings[to].captured.push((upstream, join));
        }
    }
}
