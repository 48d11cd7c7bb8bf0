//! Step 3: a graph in which every edge leads from one layer to the next.
//!
//! Its vertices are the nodes, then a bend for each layer that an edge passes, then two pieces of
//! border for each layer that a group passes. A bend lies in a group when both ends of its edge do;
//! an edge that enters or leaves a group does so at the left or right end of the box where it can.

use std::ops::Range;

use super::{Direction, Edge, Graph, NONE, Spaces};
use crate::render::topo::Lists;

/// So many bends at most; the longest edges go without when there would be more.
const BENDS: usize = 250_000;

/// So many pieces of border at most; boxes are left out when there would be more.
const BORDERS: usize = 120_000;

/// How much a crossing with the border of a box counts, beside the weight of an edge.
const BORDER: u32 = 3;

pub(super) struct Layered {
    /// How many vertices are nodes; they come first, by the numbers they have in the graph.
    pub(super) nodes: u32,
    /// The first vertex that is a piece of border; those before it that are no nodes are bends.
    pub(super) borders: u32,
    /// The layer of each vertex.
    pub(super) rank: Vec<u32>,
    /// The innermost group of each vertex, or `NONE`.
    pub(super) group: Vec<u32>,
    /// The height of each vertex; bends and borders have none.
    pub(super) height: Vec<i64>,
    /// The vertices of each layer.
    pub(super) layers: Lists<u32>,
    pub(super) layer_count: u32,
    /// What lies beyond each vertex in the layer before, and in the layer after.
    pub(super) before: Lists<Piece>,
    pub(super) after: Lists<Piece>,
    /// The bends of each edge of the graph.
    pub(super) bends: Vec<Range<u32>>,
    pub(super) lanes: Vec<Lane>,
    pub(super) direction: Direction,
    pub(super) spaces: Spaces,
}

/// A piece of an edge or border, seen from one of its ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// The other end.
    pub(super) vertex: u32,
    pub(super) weight: u32,
}

/// The layers that a group passes.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) parent: Option<u32>,
    /// How many groups are around it.
    pub(super) depth: u32,
    /// The width that its name needs.
    pub(super) width: i64,
    /// Its layers; empty when it has no box.
    pub(super) ranks: Range<u32>,
    /// Its first piece of border: upper and lower take turns.
    border: u32,
}

impl Lane {
    /// The upper and lower piece of border in a layer.
    pub(super) fn border(&self, rank: u32) -> [u32; 2] {
        let upper = self.border + 2 * (rank - self.ranks.start);
        [upper, upper + 1]
    }
}

impl Layered {
    pub(super) fn new(graph: &Graph, ranks: &[u32], direction: Direction) -> Self {
        let mut lanes = lanes(graph, ranks);
        let boxed = lanes.iter().map(|lane| 2 * lane.ranks.len()).sum::<usize>() <= BORDERS;
        if !boxed {
            lanes.iter_mut().for_each(|lane| lane.ranks = 0..0);
        }
        let mut rank = ranks.to_vec();
        let mut group: Vec<u32> = graph.nodes.iter().map(|node| node.group.filter(|_| boxed).unwrap_or(NONE)).collect();
        let mut height: Vec<i64> = graph.nodes.iter().map(|node| node.height).collect();
        let mut pieces: Vec<(u32, u32, u32)> = Vec::with_capacity(graph.edges.len());

        let longest = longest_with_bends(&graph.edges, ranks);
        let mut bends = Vec::with_capacity(graph.edges.len());
        for edge in &graph.edges {
            let (from, to) = (ranks[edge.from as usize], ranks[edge.to as usize]);
            let first = rank.len() as u32;
            if to - from <= longest {
                let mut path = Path::new(&lanes, group[edge.from as usize], group[edge.to as usize]);
                for at in from + 1..to {
                    rank.push(at);
                    group.push(path.at(&lanes, at));
                }
                let end = rank.len() as u32;
                let stops = [edge.from].into_iter().chain(first..end);
                pieces.extend(stops.zip((first..end).chain([edge.to])).map(|(from, to)| (from, to, edge.weight)));
            }
            bends.push(first..rank.len() as u32);
        }

        let borders = rank.len() as u32;
        for (lane, at) in lanes.iter_mut().zip(0..) {
            lane.border = rank.len() as u32;
            for layer in lane.ranks.clone() {
                rank.extend([layer; 2]);
                group.extend([at; 2]);
            }
            let inner = lane.ranks.start..lane.ranks.end.max(1) - 1;
            for layer in inner {
                let (here, next) = (lane.border(layer), lane.border(layer + 1));
                pieces.extend([(here[0], next[0], BORDER), (here[1], next[1], BORDER)]);
            }
        }
        height.resize(rank.len(), 0);

        let count = rank.len();
        let layer_count = ranks.iter().max().map_or(0, |last| last + 1);
        Layered {
            nodes: graph.nodes.len() as u32,
            borders,
            layers: Lists::new(layer_count as usize, rank.iter().copied().zip(0..)),
            layer_count,
            before: Lists::new(
                count,
                pieces.iter().map(|&(from, vertex, weight)| (vertex, Piece { vertex: from, weight })),
            ),
            after: Lists::new(count, pieces.iter().map(|&(from, vertex, weight)| (from, Piece { vertex, weight }))),
            rank,
            group,
            height,
            bends,
            lanes,
            direction,
            spaces: direction.spaces(),
        }
    }

    /// The number of vertices.
    pub(super) fn len(&self) -> usize {
        self.rank.len()
    }

    pub(super) fn is_border(&self, vertex: u32) -> bool {
        vertex >= self.borders
    }

    pub(super) fn is_bend(&self, vertex: u32) -> bool {
        (self.nodes..self.borders).contains(&vertex)
    }

    /// The group and those around it, from the inside out.
    pub(super) fn around(&self, group: u32) -> impl Iterator<Item = u32> + '_ {
        around(&self.lanes, group)
    }
}

fn around(lanes: &[Lane], group: u32) -> impl Iterator<Item = u32> + '_ {
    let first = (group != NONE).then_some(group);
    std::iter::successors(first, |group| lanes[*group as usize].parent)
}

fn lanes(graph: &Graph, ranks: &[u32]) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::with_capacity(graph.groups.len());
    for group in &graph.groups {
        let depth = group.parent.map_or(0, |parent| lanes[parent as usize].depth + 1);
        lanes.push(Lane { parent: group.parent, depth, width: group.width, ranks: 0..0, border: NONE });
    }
    for (node, &rank) in graph.nodes.iter().zip(ranks) {
        if let Some(group) = node.group {
            let lane = &mut lanes[group as usize].ranks;
            *lane = cover(lane, &(rank..rank + 1));
        }
    }
    for group in (0..lanes.len()).rev() {
        if let Some(parent) = lanes[group].parent {
            let lane = &lanes[parent as usize].ranks;
            lanes[parent as usize].ranks = cover(lane, &lanes[group].ranks);
        }
    }
    lanes
}

fn cover(a: &Range<u32>, b: &Range<u32>) -> Range<u32> {
    match (a.is_empty(), b.is_empty()) {
        (true, _) => b.clone(),
        (_, true) => a.clone(),
        (false, false) => a.start.min(b.start)..a.end.max(b.end),
    }
}

/// The longest span of layers that an edge may have so that all bends together stay within the
/// bound.
fn longest_with_bends(edges: &[Edge], ranks: &[u32]) -> u32 {
    let mut spans: Vec<u32> = edges.iter().map(|edge| ranks[edge.to as usize] - ranks[edge.from as usize]).collect();
    spans.sort_unstable();
    let mut bends = 0usize;
    for span in spans {
        bends += span as usize - 1;
        if bends > BENDS {
            return span - 1;
        }
    }
    u32::MAX
}

/// The groups that an edge passes from end to end.
struct Path {
    /// Those left, from the inside out, and those entered.
    left: Vec<u32>,
    entered: Vec<u32>,
    /// The innermost that both ends are in.
    common: u32,
}

impl Path {
    fn new(lanes: &[Lane], from: u32, to: u32) -> Self {
        let depth = |group: u32| if group == NONE { None } else { Some(lanes[group as usize].depth) };
        let up = |group: u32| lanes[group as usize].parent.unwrap_or(NONE);
        let (mut a, mut b) = (from, to);
        while a != b {
            if depth(a) >= depth(b) {
                a = up(a);
            } else {
                b = up(b);
            }
        }
        let until = |group: u32| around(lanes, group).take_while(|group| *group != a).collect();
        Path { left: until(from), entered: until(to), common: a }
    }

    /// The group of the bend in a layer; layers are asked for from left to right.
    fn at(&mut self, lanes: &[Lane], rank: u32) -> u32 {
        let still = self.left.iter().position(|group| lanes[*group as usize].ranks.end > rank);
        self.left.drain(..still.unwrap_or(self.left.len()));
        let entered = || self.entered.iter().copied().find(|group| lanes[*group as usize].ranks.start <= rank);
        self.left.first().copied().or_else(entered).unwrap_or(self.common)
    }
}
