//! Setups and teardowns of stored runs: what must run again together, and what is left to tear
//! down.

use std::collections::HashSet;

use super::graph::{EdgeRule, Graph, GraphKind, Successors};
use super::history::RunHistory;
use crate::run::TaskState;

/// These tasks, with setup and teardown of tasks inside a scope, and with the teardown of setups.
///
/// Work needs what its setup made, and the teardown has removed that. A teardown alone stays alone.
pub(super) fn with_scopes(graph: &Graph, tasks: Vec<u32>) -> Vec<u32> {
    let mut all = tasks.clone();
    let mut picked = vec![false; graph.nodes.len()];
    tasks.iter().for_each(|&task| picked[task as usize] = true);
    if !graph.kinds.iter().any(GraphKind::is_teardown) {
        return tasks;
    }
    let below = graph.successors();
    // A setup that must run again can be inside an outer scope.
    loop {
        let before = all.len();
        for teardown in teardowns(graph) {
            for setup in setups_of(graph, teardown) {
                let work = work(graph, &below, setup, teardown);
                if picked[setup as usize] || work.into_iter().any(|task| picked[task as usize]) {
                    for task in [setup, teardown] {
                        if !std::mem::replace(&mut picked[task as usize], true) {
                            all.push(task);
                        }
                    }
                }
            }
        }
        if all.len() == before {
            return all;
        }
    }
}

/// The teardowns that are left to run: their setups have succeeded.
pub(super) fn set_up(history: &RunHistory) -> Vec<u32> {
    let state = |task: u32| history.tasks.get(task as usize).map(|task| task.state);
    let graph = &history.shape;
    let is_open = |task: &u32| state(*task).is_some_and(|state| !state.is_terminal());
    let is_set_up = |task: &u32| setups_of(graph, *task).all(|setup| state(setup) == Some(TaskState::Success));
    teardowns(graph).filter(is_open).filter(is_set_up).collect()
}

fn teardowns(graph: &Graph) -> impl Iterator<Item = u32> + '_ {
    (0..graph.nodes.len() as u32).filter(|&node| graph.kind(node).is_teardown())
}

fn setups_of(graph: &Graph, teardown: u32) -> impl Iterator<Item = u32> + '_ {
    let inputs = graph.nodes[teardown as usize].inputs.iter();
    inputs.filter(|&&(_, edge)| edge == EdgeRule::Setup).map(|&(setup, _)| setup)
}

/// The nodes between a setup and its teardown.
fn work(graph: &Graph, below: &Successors, setup: u32, teardown: u32) -> Vec<u32> {
    let above = |node: u32| graph.nodes[node as usize].upstreams().collect();
    let before = reach(teardown, above, |node| node != setup);
    let after = reach(setup, |node| below.of(node).to_vec(), |node| before.contains(&node));
    after.into_iter().filter(|node| before.contains(node)).collect()
}

/// The nodes reachable from a node through nodes that are `inside`.
fn reach(from: u32, next: impl Fn(u32) -> Vec<u32>, inside: impl Fn(u32) -> bool) -> HashSet<u32> {
    let mut seen = HashSet::new();
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        for next in next(node) {
            if inside(next) && seen.insert(next) {
                open.push(next);
            }
        }
    }
    seen
}
