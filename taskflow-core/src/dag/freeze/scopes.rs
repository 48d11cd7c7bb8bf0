//! Turns scopes and groups into order edges when a graph is frozen: from work to its teardown, and
//! from the tasks that a group comes after to its first tasks.

use std::collections::HashSet;
use std::ops::Range;

use super::arg_range;
use crate::base::SourceLocation;
use crate::base::index::indices;
use crate::dag::arg::ArgDraft;
use crate::dag::builder::{Draft, GroupDraft, Handle, Order, ScopeDraft};
use crate::dag::error::BuildError;
use crate::dag::plan::{EdgeKind, Ids, NodeIndex, ScopePlan};

/// Draws the edges from the last nodes of the work of each scope to its teardown. Inner scopes come
/// before outer ones, whose work they are.
pub(super) fn close(draft: &mut Draft, ids: &Ids, errors: &mut Vec<BuildError>) {
    let scopes = std::mem::take(&mut draft.scopes);
    let mut incoming = Incoming::default();
    for scope in &scopes {
        check(draft, scope, ids, errors);
        incoming.catch_up(draft);
        let last = ends(draft, &incoming, &scope.body, |upstream, _| upstream);
        let first = ends(draft, &incoming, &scope.teardown, |_, downstream| downstream);
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
    let mut incoming = Incoming::default();
    for scope in &draft.scopes {
        incoming.catch_up(draft);
        for teardown in ends(draft, &incoming, &scope.teardown, |_, downstream| downstream) {
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
    let mut incoming = Incoming::default();
    for place in draft.groups.indices() {
        let GroupDraft { after, rule, nodes, at, .. } = &draft.groups[place];
        if after.is_empty() {
            continue;
        }
        incoming.catch_up(draft);
        let first = ends(draft, &incoming, nodes, |_, downstream| downstream);
        let (after, rule, at) = (after.clone(), *rule, *at);
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

/// The order edges of a draft by their downstream node, so that a part of the graph is examined
/// without a look at the edges of all others: a graph can have a scope for each of its tasks.
#[derive(Default)]
struct Incoming {
    /// The position of the last edge to each node.
    last: Vec<Option<u32>>,
    /// For each edge, the one before it to the same node.
    before: Vec<Option<u32>>,
}

impl Incoming {
    /// Adds the edges that the draft got since the last call.
    fn catch_up(&mut self, draft: &Draft) {
        self.last.resize(draft.nodes.len(), None);
        for order in &draft.orders[self.before.len()..] {
            let edge = u32::try_from(self.before.len()).expect("fewer than 2^32 edges fit in memory");
            self.before.push(self.last[order.downstream.as_usize()].replace(edge));
        }
    }

    /// The nodes that a node is ordered after.
    fn upstreams<'a>(&'a self, draft: &'a Draft, node: NodeIndex) -> impl Iterator<Item = NodeIndex> + 'a {
        let edges = std::iter::successors(self.last[node.as_usize()], |&edge| self.before[edge as usize]);
        edges.map(|edge| draft.orders[edge as usize].upstream)
    }
}

/// The nodes of a part of the graph that are at no such end of an edge within it.
fn ends(
    draft: &Draft,
    incoming: &Incoming,
    part: &Range<NodeIndex>,
    end: fn(NodeIndex, NodeIndex) -> NodeIndex,
) -> Vec<NodeIndex> {
    let mut inner = vec![false; indices(part.clone()).len()];
    for node in indices(part.clone()) {
        let upstreams = upstreams(draft, node).chain(incoming.upstreams(draft, node));
        for upstream in upstreams.filter(|upstream| part.contains(upstream)) {
            inner[(end(upstream, node) - part.start) as usize] = true;
        }
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
fn check(draft: &Draft, scope: &ScopeDraft, ids: &Ids, errors: &mut Vec<BuildError>) {
    if scope.teardown.is_empty() {
        let (setup, at) = (ids[scope.setup].to_owned(), draft.nodes[scope.setup].at.into());
        errors.push(BuildError::EmptyTeardown { setup, at });
    }
    for node in indices(scope.teardown.clone()) {
        let drawn = &draft.nodes[node];
        let at: SourceLocation = drawn.at.into();
        let task = || ids[node].to_owned();
        if drawn.options.as_ref().is_some_and(|options| options.trigger_rule.is_some()) {
            errors.push(BuildError::TeardownRule { task: task(), at });
        }
        for arg in &draft.args[arg_range(draft, node)] {
            let from = arg.handles().iter().filter(|handle| handle.scope == draft.scope);
            let mut work = from.filter_map(|handle| handle.source.as_task()).filter(|from| scope.body.contains(from));
            if arg.kind().is_some_and(|kind| kind != EdgeKind::Outcome)
                && let Some(work) = work.next()
            {
                errors.push(BuildError::TeardownNeeds { task: task(), work: ids[work].to_owned(), at });
            }
        }
    }
}
