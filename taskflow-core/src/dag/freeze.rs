//! From a draft to a [`Plan`]: ids, options, rules, index vectors, and every mistake at once.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::arg::ArgDraft;
use super::builder::{self, Draft, Handle, Order, index};
use super::def::{DagDef, DagInputs, DagOptions};
use super::error::{BuildError, BuildErrors};
use super::param::ParamDef;
use super::plan::{ArgCell, ArgPlan, EdgeCell, EdgeKind, GroupPlan, Join, Node, NodeOptions, Plan, Wiring};
use super::pool::PoolDef;
use super::registry::Registry;
use crate::task::{RetryPolicy, SourceLocation, TaskOptions, TriggerRule};
use crate::value::{Constant, TypeInfo};

pub(super) fn trace_def(def: &DagDef) -> Result<Plan, BuildErrors> {
    let params = (def.params)();
    let header = Header { id: def.id, doc: def.doc, location: def.location, options: def.options, result: def.result };
    trace(header, params, |scope| (def.trace)(DagInputs::new(scope)))
}

pub(super) fn trace_closure(
    id: &str,
    options: DagOptions,
    location: SourceLocation,
    result: TypeInfo,
    body: impl FnOnce() -> Option<Handle>,
) -> Result<Plan, BuildErrors> {
    let header = Header { id, doc: "", location, options, result };
    trace(header, Vec::new(), |_| body())
}

struct Header<'a> {
    id: &'a str,
    doc: &'static str,
    location: SourceLocation,
    options: DagOptions,
    result: TypeInfo,
}

fn trace(
    header: Header<'_>,
    params: Vec<ParamDef>,
    body: impl FnOnce(u32) -> Option<Handle>,
) -> Result<Plan, BuildErrors> {
    let names = params.iter().map(|param| param.name).collect();
    let traced = catch_unwind(AssertUnwindSafe(|| builder::trace(names, body)));
    let (draft, result) = traced.map_err(|payload| {
        let message = crate::engine::panic_message(&*payload);
        BuildErrors::new(header.id, vec![BuildError::Panicked { message }])
    })?;
    Freezer { header, pools: Registry::pools(), errors: Vec::new() }.freeze(draft, params, result)
}

struct Freezer<'a> {
    header: Header<'a>,
    pools: Vec<PoolDef>,
    errors: Vec<BuildError>,
}

impl Freezer<'_> {
    fn freeze(mut self, mut draft: Draft, params: Vec<ParamDef>, result: Option<Handle>) -> Result<Plan, BuildErrors> {
        self.errors.append(&mut draft.errors);
        for param in &params {
            let mistakes = param.mistakes().into_iter();
            self.errors.extend(mistakes.map(|message| BuildError::Param { param: param.name.to_owned(), message }));
        }
        let result = result.and_then(|handle| {
            let foreign = handle.scope != draft.scope;
            if foreign {
                self.errors.push(BuildError::ForeignOutput { at: self.header.location });
            }
            (!foreign).then_some(handle.source)
        });

        let groups = self.groups(&draft);
        let ids = self.ids(&draft, &groups);
        let (defs, def_of) = defs(&draft);
        let (node_options, options_of) = self.options(&draft, &ids);

        draft.orders.sort_by_key(|order| (order.downstream, order.upstream));
        draft.orders.dedup_by_key(|order| (order.downstream, order.upstream));
        self.cycles(&draft, &ids);
        self.idle_rules(&draft, &ids, &node_options, &options_of);

        let input_name = |node: usize, arg: usize| {
            draft.nodes[node].def.inputs.get(arg).map_or_else(|| arg.to_string(), |input| input.name.to_owned())
        };
        let mut args = Vec::with_capacity(draft.args.len());
        let mut sources = Vec::new();
        let mut constants = Vec::new();
        let mut edge_args = Vec::new();
        for node in 0..draft.nodes.len() {
            let range = arg_range(&draft, node);
            for position in range.clone() {
                let arg = std::mem::replace(&mut draft.args[position], placeholder());
                args.push(match arg {
                    ArgDraft::Constant(constant) => {
                        if let Err(message) = constant.json() {
                            self.errors.push(BuildError::Constant {
                                task: ids[node].to_string(),
                                input: input_name(node, position - range.start),
                                message: message.to_owned(),
                                at: draft.nodes[node].at.into(),
                            });
                        }
                        constants.push(*constant);
                        ArgCell::Constant(index(constants.len() - 1))
                    }
                    ArgDraft::One { from, assemble: None, .. } => ArgCell::Value(from.source),
                    ArgDraft::One { from, kind, assemble: Some(assemble) } => {
                        sources.push(from.source);
                        edge_args.push(EdgeCell { kind, first: index(sources.len() - 1), count: 1, assemble });
                        ArgCell::Edges(index(edge_args.len() - 1))
                    }
                    ArgDraft::Many { from, kind, assemble } => {
                        let first = index(sources.len());
                        sources.extend(from.iter().map(|handle| handle.source));
                        edge_args.push(EdgeCell { kind, first, count: index(from.len()), assemble });
                        ArgCell::Edges(index(edge_args.len() - 1))
                    }
                });
            }
        }
        if !self.errors.is_empty() {
            return Err(BuildErrors::new(self.header.id, self.errors));
        }

        let mut nodes = Vec::with_capacity(draft.nodes.len());
        let mut wiring = Vec::with_capacity(draft.nodes.len());
        for (position, (node, id)) in draft.nodes.iter().zip(ids).enumerate() {
            nodes.push(Node { id, group: node.group, at: node.at });
            wiring.push(Wiring {
                def: def_of[position],
                options: options_of[position],
                first_arg: node.first_arg,
                first_join: 0,
            });
        }
        let mut plan = Plan {
            id: self.header.id.to_owned(),
            doc: self.header.doc,
            location: self.header.location,
            options: self.header.options,
            params,
            result,
            result_type: self.header.result,
            node_options,
            groups,
            defs,
            args,
            edge_args,
            sources,
            constants,
            orders: draft.orders.iter().map(|order| (order.upstream, order.downstream)).collect(),
            joins: Vec::new(),
            successors: Vec::new(),
            successor_offsets: Vec::new(),
            consumers: vec![0; nodes.len()],
            nodes,
            wiring,
            hash: OnceLock::new(),
        };
        wire(&mut plan);
        Ok(plan)
    }

    fn groups(&mut self, draft: &Draft) -> Vec<GroupPlan> {
        let mut used: HashMap<String, u32> = HashMap::new();
        let mut groups: Vec<GroupPlan> = Vec::with_capacity(draft.groups.len());
        for group in &draft.groups {
            self.check_id(&group.name, group.at.into());
            let name = match group.parent {
                Some(parent) => format!("{}.{}", groups[parent as usize].id, group.name),
                None => group.name.clone(),
            };
            groups.push(GroupPlan { id: numbered(&mut used, name), parent: group.parent });
        }
        groups
    }

    fn ids(&mut self, draft: &Draft, groups: &[GroupPlan]) -> Vec<Box<str>> {
        let mut used: HashMap<String, u32> = HashMap::new();
        let mut ids = Vec::with_capacity(draft.nodes.len());
        for node in &draft.nodes {
            let own = node.explicit_id.as_deref().unwrap_or(node.def.id);
            if node.explicit_id.is_some() {
                self.check_id(own, node.at.into());
            }
            let full = match node.group {
                Some(group) => format!("{}.{own}", groups[group as usize].id),
                None => own.to_owned(),
            };
            let id = if node.explicit_id.is_some() { full } else { numbered(&mut used, full) };
            ids.push(id.into_boxed_str());
        }

        let mut seen: HashMap<&str, usize> = HashMap::with_capacity(ids.len());
        for (position, id) in ids.iter().enumerate() {
            if let Some(&first) = seen.get(&**id) {
                self.errors.push(BuildError::DuplicateId {
                    id: id.to_string(),
                    first: draft.nodes[first].at.into(),
                    second: draft.nodes[position].at.into(),
                });
            } else {
                seen.insert(id, position);
            }
        }
        ids
    }

    fn check_id(&mut self, id: &str, at: SourceLocation) {
        let legal = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.');
        if id.is_empty() || id.len() > 250 || !id.chars().all(legal) {
            self.errors.push(BuildError::InvalidId { id: id.to_owned(), at });
        }
    }

    /// The resolved options, each different set once, and the index of each node's.
    fn options(&mut self, draft: &Draft, ids: &[Box<str>]) -> (Vec<NodeOptions>, Vec<u32>) {
        let mut sets: Vec<NodeOptions> = Vec::new();
        let mut of = Vec::with_capacity(draft.nodes.len());
        for (node, id) in draft.nodes.iter().zip(ids) {
            let own = node.options.as_deref().copied().unwrap_or_default();
            let options = resolve(own.or(node.def.options).or(self.header.options.task_defaults));
            let position = sets.iter().rposition(|set| *set == options).unwrap_or_else(|| {
                self.check_pool(&options, id, node.at.into());
                sets.push(options);
                sets.len() - 1
            });
            of.push(index(position));
        }
        (sets, of)
    }

    fn check_pool(&mut self, options: &NodeOptions, task: &str, at: SourceLocation) {
        let Some(name) = options.pool else { return };
        let (task, pool) = (task.to_owned(), name.to_owned());
        match self.pools.iter().find(|pool| pool.name == name) {
            None => {
                let known = self.pools.iter().map(|pool| pool.name.to_owned()).collect();
                self.errors.push(BuildError::UnknownPool { task, pool, known, at });
            }
            Some(&PoolDef { slots, .. }) if options.pool_slots > slots => {
                self.errors.push(BuildError::PoolTooSmall { task, pool, wanted: options.pool_slots, slots, at });
            }
            Some(_) => {}
        }
    }

    /// Data edges lead forward, so only order edges can close a circle.
    fn cycles(&mut self, draft: &Draft, ids: &[Box<str>]) {
        if draft.orders.iter().all(|order| order.upstream < order.downstream) {
            return;
        }
        let mut graph: DiGraph<(), ()> = DiGraph::with_capacity(draft.nodes.len(), draft.args.len());
        for _ in &draft.nodes {
            graph.add_node(());
        }
        let at = |node: u32| NodeIndex::new(node as usize);
        for order in &draft.orders {
            graph.add_edge(at(order.upstream), at(order.downstream), ());
        }
        for node in 0..draft.nodes.len() {
            for arg in &draft.args[arg_range(draft, node)] {
                let handles = match arg {
                    ArgDraft::Constant(_) => &[],
                    ArgDraft::One { from, .. } => std::slice::from_ref(from),
                    ArgDraft::Many { from, .. } => from.as_slice(),
                };
                for upstream in handles.iter().filter(|handle| handle.scope == draft.scope) {
                    if let Some(upstream) = upstream.source.as_task() {
                        graph.add_edge(at(upstream), NodeIndex::new(node), ());
                    }
                }
            }
        }
        for mut component in tarjan_scc(&graph) {
            component.sort();
            let inside = |node: u32| component.binary_search(&at(node)).is_ok();
            let within = |order: &&Order| inside(order.upstream) && inside(order.downstream);
            let is_loop = component.len() == 1 && graph.contains_edge(component[0], component[0]);
            if component.len() > 1 || is_loop {
                self.errors.push(BuildError::Cycle {
                    members: component.iter().map(|node| ids[node.index()].to_string()).collect(),
                    edges: draft.orders.iter().filter(within).map(|order| order.at.into()).collect(),
                });
            }
        }
    }

    /// Rules written by hand on nodes that have upstreams, but none by order.
    fn idle_rules(&mut self, draft: &Draft, ids: &[Box<str>], sets: &[NodeOptions], options_of: &[u32]) {
        if sets.iter().all(|set| set.trigger_rule == TriggerRule::AllSuccess) {
            return;
        }
        for (position, node) in draft.nodes.iter().enumerate() {
            let rule = sets[options_of[position] as usize].trigger_rule;
            let own = node.options.as_deref().copied().unwrap_or_default().or(node.def.options);
            let ordered = draft.orders.binary_search_by_key(&index(position), |order| order.downstream).is_ok();
            let has_data =
                draft.args[arg_range(draft, position)].iter().any(|arg| !matches!(arg, ArgDraft::Constant(_)));
            if rule != TriggerRule::AllSuccess && own.trigger_rule.is_some() && has_data && !ordered {
                let (task, rule) = (ids[position].to_string(), rule.to_string());
                self.errors.push(BuildError::RuleWithoutOrder { task, rule, at: node.at.into() });
            }
        }
    }
}

fn arg_range(draft: &Draft, node: usize) -> std::ops::Range<usize> {
    let end = draft.nodes.get(node + 1).map_or(draft.args.len(), |next| next.first_arg as usize);
    draft.nodes[node].first_arg as usize..end
}

fn placeholder() -> ArgDraft {
    ArgDraft::Constant(Box::new(Constant::new(())))
}

/// `name` the first time, `name_2` the second.
fn numbered(used: &mut HashMap<String, u32>, name: String) -> String {
    match used.get_mut(&name) {
        None => {
            used.insert(name.clone(), 1);
            name
        }
        Some(count) => {
            *count += 1;
            format!("{name}_{count}")
        }
    }
}

fn defs(draft: &Draft) -> (Vec<&'static crate::task::TaskDef>, Vec<u32>) {
    let mut defs: Vec<&'static crate::task::TaskDef> = Vec::new();
    let mut known: HashMap<*const crate::task::TaskDef, u32> = HashMap::new();
    let of = draft.nodes.iter().map(|node| {
        *known.entry(std::ptr::from_ref(node.def)).or_insert_with(|| {
            defs.push(node.def);
            index(defs.len() - 1)
        })
    });
    let of = of.collect();
    (defs, of)
}

fn resolve(options: TaskOptions) -> NodeOptions {
    NodeOptions {
        retry: RetryPolicy {
            retries: options.retries.unwrap_or(0),
            delay: options.retry_delay.unwrap_or(RetryPolicy::DEFAULT_DELAY),
            backoff: options.backoff.unwrap_or_default(),
            max_delay: options.max_retry_delay.unwrap_or(RetryPolicy::DEFAULT_MAX_DELAY),
        },
        timeout: options.timeout,
        pool: options.pool,
        pool_slots: options.pool_slots.unwrap_or(1),
        priority: options.priority.unwrap_or(0),
        trigger_rule: options.trigger_rule.unwrap_or_default(),
        tags: options.tags,
    }
}

/// Makes the index vectors: the joins of each node, the joins below each node, the consumers of each value.
///
/// The upstreams of a node fall into at most: one join for all that must succeed, one for all that may be skipped, one
/// for all that only must end, one for each `AnyOf`, and one for its order edges when they have a rule of their own.
fn wire(plan: &mut Plan) {
    let mut joins: Vec<Join> = Vec::with_capacity(plan.nodes.len());
    // (upstream, join), grouped by join; turned around below.
    let mut edges: Vec<(u32, u32)> = Vec::with_capacity(plan.sources.len() + plan.orders.len());

    for position in 0..plan.nodes.len() {
        let node = index(position);
        plan.wiring[position].first_join = index(joins.len());
        let mut join = |rule: TriggerRule, upstreams: &mut dyn Iterator<Item = u32>| {
            let first_edge = edges.len();
            edges.extend(upstreams.map(|upstream| (upstream, index(joins.len()))));
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
        let order_rule = plan.node_options(node).trigger_rule;
        let mut ordered = plan.orders(node).iter().map(|&(upstream, _)| upstream);
        if order_rule == TriggerRule::AllSuccess {
            join(TriggerRule::AllSuccess, &mut tasks_of_kind(EdgeKind::Required).chain(ordered));
        } else {
            join(TriggerRule::AllSuccess, &mut tasks_of_kind(EdgeKind::Required));
            if order_rule != TriggerRule::Always {
                join(order_rule, &mut ordered);
            }
        }
        join(EdgeKind::Optional.rule(), &mut tasks_of_kind(EdgeKind::Optional));
        join(EdgeKind::Outcome.rule(), &mut tasks_of_kind(EdgeKind::Outcome));
        for edges in of_kind(EdgeKind::First) {
            // A parameter of the DAG is there at once: nothing to wait for.
            if edges.sources().iter().all(|source| source.as_task().is_some()) {
                join(EdgeKind::First.rule(), &mut edges.sources().iter().filter_map(|source| source.as_task()));
            }
        }
    }

    let mut offsets = vec![0u32; plan.nodes.len() + 1];
    for &(upstream, _) in &edges {
        offsets[upstream as usize + 1] += 1;
    }
    for position in 1..offsets.len() {
        offsets[position] += offsets[position - 1];
    }
    let mut next = offsets.clone();
    let mut successors = vec![0u32; edges.len()];
    for &(upstream, join) in &edges {
        successors[next[upstream as usize] as usize] = join;
        next[upstream as usize] += 1;
    }

    let single = plan.args.iter().filter_map(|arg| match arg {
        ArgCell::Value(source) => Some(*source),
        ArgCell::Constant(_) | ArgCell::Edges(_) => None,
    });
    for source in plan.sources.iter().copied().chain(single).chain(plan.result) {
        if let Some(node) = source.as_task() {
            plan.consumers[node as usize] += 1;
        }
    }
    plan.joins = joins;
    plan.successors = successors;
    plan.successor_offsets = offsets;
}
