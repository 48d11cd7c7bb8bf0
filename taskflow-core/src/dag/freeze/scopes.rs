//! Turns scopes and groups into order edges when a graph is frozen: from work to its teardown, and
//! from the tasks that a group comes after to its first tasks.

use std::collections::HashSet;
use std::ops::Range;

use super::arg_range;
use crate::base::SourceLocation;
use crate::base::index::{IndexVec, indices};
use crate::dag::arg::ArgDraft;
use crate::dag::builder::{Draft, GroupDraft, Handle, Order, ScopeDraft};
use crate::dag::error::BuildError;
use crate::dag::plan::{EdgeKind, NodeIndex, ScopePlan};

/// Draws the edges from the last nodes of the work of each scope to its teardown. Inner scopes come
/// before outer ones, whose work they are.
pub(super) fn close(draft: &mut Draft, ids: &IndexVec<NodeIndex, Box<str>>, errors: &mut Vec<BuildError>) {
    let scopes = std::mem::take(&mut draft.scopes);
    for scope in &scopes {
        check(draft, scope, ids, errors);
        let last = ends(draft, &scope.body, |upstream, _| upstream);
        let first = ends(draft, &scope.teardown, |_, downstream| downstream);
        for &upstream in &last {
            for &downstream in &first {
                draft.orders.push(Order { upstream, downstream, at: draft.nodes[downstream].at });
            }
        }
    }
    draft.scopes = scopes;
}

/// The rest of the work that each teardown waits for, as `(work, teardown)` in the order of the
/// teardowns: all nodes without an order edge of their own. Called when the order edges are sorted.
pub(super) fn rest_of_work(draft: &Draft) -> Vec<(NodeIndex, NodeIndex)> {
    let mut rest = Vec::new();
    for scope in &draft.scopes {
        for teardown in ends(draft, &scope.teardown, |_, downstream| downstream) {
            let first = draft.orders.partition_point(|order| order.downstream < teardown);
            let own = draft.orders[first..].iter().take_while(|order| order.downstream == teardown);
            let drawn: Vec<NodeIndex> = own.map(|order| order.upstream).collect();
            let is_new = |work: &NodeIndex| drawn.binary_search(work).is_err();
            rest.extend(indices(scope.body.clone()).filter(is_new).map(|work| (work, teardown)));
        }
    }
    rest.sort_unstable_by_key(|&(work, teardown)| (teardown, work));
    rest
}

/// The rest of the work that waits for each setup, as `(setup, work)` in the order of the work: all
/// nodes that neither require its value nor have it as their gate. Work of several scopes waits for
/// the innermost, whose setup is work of the next one. Called when the gates are known.
pub(super) fn rest_of_setups(draft: &Draft, gates: &[(NodeIndex, NodeIndex)]) -> Vec<(NodeIndex, NodeIndex)> {
    let mut rest: Vec<(NodeIndex, NodeIndex)> = Vec::new();
    let mut seen: HashSet<NodeIndex> = HashSet::new();
    // Inner scopes come first.
    for scope in &draft.scopes {
        for work in indices(scope.body.clone()).filter(|&work| seen.insert(work)) {
            let requires = |arg: &ArgDraft| {
                arg.kind() == Some(EdgeKind::Required)
                    && arg.handles().iter().any(|from| from.source.as_task() == Some(scope.setup))
            };
            let waits = draft.args[arg_range(draft, work)].iter().any(requires)
                || gates.binary_search_by_key(&work, |&(_, node)| node).is_ok_and(|at| gates[at].0 == scope.setup);
            if !waits {
                rest.push((scope.setup, work));
            }
        }
    }
    rest.sort_unstable_by_key(|&(_, work)| work);
    rest
}

/// Draws the edges to the first tasks of each group that comes after something. Those without a
/// rule of their own get the group's.
pub(super) fn enter_groups(draft: &mut Draft) {
    for place in draft.groups.indices() {
        let GroupDraft { after, rule, nodes, at, .. } = &draft.groups[place];
        if after.is_empty() {
            continue;
        }
        let (after, rule, at, first) = (after.clone(), *rule, *at, ends(draft, nodes, |_, downstream| downstream));
        for &downstream in &first {
            draft.orders.extend(after.iter().map(|&upstream| Order { upstream, downstream, at }));
            let own = &mut draft.nodes[downstream];
            if rule.is_some() {
                own.options_mut().trigger_rule = own.options_mut().trigger_rule.or(rule);
            }
        }
    }
}

/// Each setup with each node of its teardown, sorted.
pub(super) fn teardowns(draft: &Draft) -> Vec<(NodeIndex, NodeIndex)> {
    let of = |scope: &ScopeDraft| {
        let setup = scope.setup;
        indices(scope.teardown.clone()).map(move |teardown| (setup, teardown))
    };
    let mut teardowns: Vec<(NodeIndex, NodeIndex)> = draft.scopes.iter().flat_map(of).collect();
    teardowns.sort_unstable();
    teardowns
}

/// The scopes in the form of the plan.
pub(super) fn plans(draft: &Draft) -> Vec<ScopePlan> {
    let of = |scope: &ScopeDraft| {
        let ScopeDraft { setup, body, teardown } = scope.clone();
        ScopePlan { setup, work: body, teardown }
    };
    draft.scopes.iter().map(of).collect()
}

/// The nodes of a part of the graph that are at no such end of an edge within it.
fn ends(draft: &Draft, part: &Range<NodeIndex>, end: fn(NodeIndex, NodeIndex) -> NodeIndex) -> Vec<NodeIndex> {
    let mut inner = vec![false; indices(part.clone()).len()];
    let mut see = |upstream: NodeIndex, downstream: NodeIndex| {
        if part.contains(&upstream) && part.contains(&downstream) {
            inner[(end(upstream, downstream) - part.start) as usize] = true;
        }
    };
    for node in indices(part.clone()) {
        for upstream in upstreams(draft, node) {
            see(upstream, node);
        }
    }
    for order in &draft.orders {
        see(order.upstream, order.downstream);
    }
    indices(part.clone()).zip(inner).filter_map(|(node, inner)| (!inner).then_some(node)).collect()
}

/// The nodes whose values a node takes.
fn upstreams(draft: &Draft, node: NodeIndex) -> impl Iterator<Item = NodeIndex> + '_ {
    let own = |handle: &&Handle| handle.scope == draft.scope;
    let args = draft.args[arg_range(draft, node)].iter();
    args.flat_map(ArgDraft::handles).filter(own).filter_map(|handle| handle.source.as_task())
}

/// Checks that no teardown requires a success that would keep it from running.
fn check(draft: &Draft, scope: &ScopeDraft, ids: &IndexVec<NodeIndex, Box<str>>, errors: &mut Vec<BuildError>) {
    if scope.teardown.is_empty() {
        let (setup, at) = (ids[scope.setup].to_string(), draft.nodes[scope.setup].at.into());
        errors.push(BuildError::EmptyTeardown { setup, at });
    }
    for node in indices(scope.teardown.clone()) {
        let drawn = &draft.nodes[node];
        let at: SourceLocation = drawn.at.into();
        let task = || ids[node].to_string();
        if drawn.options.as_ref().is_some_and(|options| options.trigger_rule.is_some()) {
            errors.push(BuildError::TeardownRule { task: task(), at });
        }
        for arg in &draft.args[arg_range(draft, node)] {
            let from = arg.handles().iter().filter(|handle| handle.scope == draft.scope);
            let mut work = from.filter_map(|handle| handle.source.as_task()).filter(|from| scope.body.contains(from));
            if arg.kind().is_some_and(|kind| kind != EdgeKind::Outcome)
                && let Some(work) = work.next()
            {
                errors.push(BuildError::TeardownNeeds { task: task(), work: ids[work].to_string(), at });
            }
        }
    }
}
