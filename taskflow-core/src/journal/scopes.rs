//! Setups and teardowns of stored runs: what must run again together, and what is left to tear
//! down.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::graph::{EdgeRule, Graph, GraphKind, Successors};
use super::history::RunHistory;
use crate::run::TaskState;

/// These tasks, with setup and teardown of tasks inside a scope, and with the teardown of setups.
///
/// Work needs what its setup made, and the teardown has removed that. A teardown alone stays alone.
pub(super) fn with_scopes(graph: &Graph, mut tasks: Vec<u32>) -> Vec<u32> {
    if !graph.kinds.iter().any(GraphKind::is_teardown) {
        return tasks;
    }
    let scopes = scopes_by_node(graph);
    let mut picked = vec![false; graph.nodes.len()];
    tasks.iter().for_each(|&task| picked[task as usize] = true);
    // A setup that must run again can be inside an outer scope.
    let mut place = 0;
    while let Some(&task) = tasks.get(place) {
        place += 1;
        for &(setup, teardown) in &scopes[task as usize] {
            for task in [setup, teardown] {
                if !std::mem::replace(&mut picked[task as usize], true) {
                    tasks.push(task);
                }
            }
        }
    }
    tasks
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

/// Setup and teardown of each scope that a node is the setup of, or between them.
fn scopes_by_node(graph: &Graph) -> Vec<Vec<(u32, u32)>> {
    let below = graph.successors();
    let ranks = ranks(graph, &below);
    let mut scopes = vec![Vec::new(); graph.nodes.len()];
    // The number of the last search that has reached a node from its setup, and from its teardown.
    let (mut after, mut before) = (vec![0_u32; graph.nodes.len()], vec![0_u32; graph.nodes.len()]);
    let mut search = 0;
    for teardown in teardowns(graph) {
        for setup in setups_of(graph, teardown) {
            scopes[setup as usize].push((setup, teardown));
            search += 1;
            // The ranks keep the search inside the scope, which makes it short in most graphs.
            let is_above = |node: u32| ranks[node as usize] < ranks[teardown as usize];
            let mut open = vec![setup];
            while let Some(node) = open.pop() {
                for &next in below.of(node).iter().filter(|&&next| is_above(next)) {
                    if std::mem::replace(&mut after[next as usize], search) != search {
                        open.push(next);
                    }
                }
            }
            open.push(teardown);
            while let Some(node) = open.pop() {
                for next in upstreams(graph, node).filter(|&next| after[next as usize] == search) {
                    if std::mem::replace(&mut before[next as usize], search) != search {
                        scopes[next as usize].push((setup, teardown));
                        open.push(next);
                    }
                }
            }
        }
    }
    scopes
}

/// The place of each node in an order in which upstreams come first, and otherwise lower numbers.
fn ranks(graph: &Graph, below: &Successors) -> Vec<usize> {
    let mut open: Vec<usize> = (0..).zip(&graph.nodes).map(|(node, _)| upstreams(graph, node).count()).collect();
    let is_free = |&node: &u32| open[node as usize] == 0;
    let mut free: BinaryHeap<Reverse<u32>> = (0..graph.nodes.len() as u32).filter(is_free).map(Reverse).collect();
    let mut ranks = vec![0; graph.nodes.len()];
    let mut rank = 0;
    while let Some(Reverse(node)) = free.pop() {
        rank += 1;
        ranks[node as usize] = rank;
        for &next in below.of(node) {
            open[next as usize] -= 1;
            if open[next as usize] == 0 {
                free.push(Reverse(next));
            }
        }
    }
    ranks
}

fn upstreams(graph: &Graph, node: u32) -> impl Iterator<Item = u32> + '_ {
    let node = &graph.nodes[node as usize];
    node.inputs.iter().map(|&(upstream, _)| upstream).chain(node.after.iter().copied())
}
