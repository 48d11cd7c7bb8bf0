//! Step 2: the layer of each node.
//!
//! Longest paths give a valid start in which everything lies as far left as it may; the network
//! simplex method then makes the edges short in sum (section 2 of Gansner et al.). A group takes
//! part with two nodes of its own, one before and one after all of its nodes, so that its box does
//! not become longer than it must.

use super::simplex::{Bond, settle};
use super::{Edge, Graph, NONE};
use crate::render::topo::{Lists, topological};

/// A graph with more nodes and edges than this is only tightened.
const POLISHED: usize = 40_000;

/// How much work the polishing may be, in nodes and edges looked at.
const BUDGET: u64 = 20_000_000;

/// How much a group that is one layer longer counts against an edge that is: a box that spans half
/// the drawing for one node hides more than a long edge does.
const GROUP: i64 = 30;

/// The layer of each node, from 0; along every edge it grows.
pub(super) fn ranks(graph: &Graph) -> Vec<u32> {
    let count = graph.nodes.len();
    let pairs = graph.edges.iter().map(|edge| (edge.from, edge.to));
    let above = Lists::new(count, pairs.clone().map(|(from, to)| (to, from)));
    let order = topological(count, pairs);

    let mut ranks = vec![0i64; count];
    for &node in &order {
        let earliest = above.of(node).iter().map(|from| ranks[*from as usize] + 1).max();
        ranks[node as usize] = earliest.unwrap_or(0);
    }
    if count + graph.edges.len() + graph.groups.len() <= POLISHED {
        polish(graph, &mut ranks);
    } else {
        tighten(&graph.edges, &order, &mut ranks);
    }
    without_gaps(&ranks)
}

/// The edges that lead forward in some order of all nodes: all of them, unless there is a cycle.
pub(super) fn forward(nodes: usize, edges: &[Edge]) -> Vec<bool> {
    let valid = |edge: &Edge| (edge.from as usize) < nodes && (edge.to as usize) < nodes && edge.from != edge.to;
    let pairs = edges.iter().filter(|edge| valid(edge)).map(|edge| (edge.from, edge.to));
    let mut place = vec![0usize; nodes];
    for (at, node) in topological(nodes, pairs).into_iter().enumerate() {
        place[node as usize] = at;
    }
    edges.iter().map(|edge| valid(edge) && place[edge.from as usize] < place[edge.to as usize]).collect()
}

fn polish(graph: &Graph, ranks: &mut Vec<i64>) {
    let count = graph.nodes.len();
    let mut bonds: Vec<Bond> = graph
        .edges
        .iter()
        .map(|edge| Bond { tail: edge.from, head: edge.to, gap: 1, weight: i64::from(edge.weight) })
        .collect();
    // The nodes of each group and of the groups inside it reach from `first` to `last`.
    let first = |group: u32| count as u32 + 2 * group;
    let last = |group: u32| count as u32 + 2 * group + 1;
    let mut spans: Vec<Option<(i64, i64)>> = vec![None; graph.groups.len()];
    for (node, at) in graph.nodes.iter().zip(0..) {
        if let Some(group) = node.group {
            widen(&mut spans[group as usize], (ranks[at as usize], ranks[at as usize]));
            bonds.push(Bond { tail: first(group), head: at, gap: 0, weight: 0 });
            bonds.push(Bond { tail: at, head: last(group), gap: 0, weight: 0 });
        }
    }
    for group in (0..graph.groups.len() as u32).rev() {
        let Some(span) = spans[group as usize] else { continue };
        bonds.push(Bond { tail: first(group), head: last(group), gap: 0, weight: GROUP });
        if let Some(parent) = graph.groups[group as usize].parent {
            widen(&mut spans[parent as usize], span);
            bonds.push(Bond { tail: first(parent), head: first(group), gap: 0, weight: 0 });
            bonds.push(Bond { tail: last(group), head: last(parent), gap: 0, weight: 0 });
        }
    }
    ranks.extend(spans.iter().flat_map(|span| <[i64; 2]>::from(span.unwrap_or_default())));
    settle(&bonds, ranks, BUDGET, false);
    ranks.truncate(count);
}

fn widen(span: &mut Option<(i64, i64)>, by: (i64, i64)) {
    *span = Some(span.map_or(by, |span| (span.0.min(by.0), span.1.max(by.1))));
}

/// What has more edges going out than coming in moves to the right as far as it may.
fn tighten(edges: &[Edge], order: &[u32], ranks: &mut [i64]) {
    let below = Lists::new(ranks.len(), edges.iter().map(|edge| (edge.from, edge.to)));
    let mut pull = vec![0i64; ranks.len()];
    for edge in edges {
        pull[edge.from as usize] += i64::from(edge.weight);
        pull[edge.to as usize] -= i64::from(edge.weight);
    }
    for &node in order.iter().rev() {
        let latest = below.of(node).iter().map(|to| ranks[*to as usize] - 1).min();
        if let Some(latest) = latest.filter(|_| pull[node as usize] > 0) {
            ranks[node as usize] = latest;
        }
    }
}

/// Layers are numbered from 0 and none is empty.
fn without_gaps(ranks: &[i64]) -> Vec<u32> {
    let mut used = ranks.to_vec();
    used.sort_unstable();
    used.dedup();
    ranks.iter().map(|rank| used.binary_search(rank).map_or(NONE, |at| at as u32)).collect()
}
