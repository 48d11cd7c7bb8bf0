//! Step 5: the height of every vertex and of the sides of every box.
//!
//! Two things in a layer keep their distance, and a box keeps its distance from what is in it and beside it: all of the
//! form `b - a >= gap`. Among the positions that keep these, edges are to be level and so long ones straight. That is
//! the network simplex method once more (section 4.2 of Gansner et al.). It starts from a few rounds of moving everything
//! towards the median of its neighbours, which is also where large graphs end.

use super::super::topo::{Lists, topological};
use super::blocks::{Layer, Visit};
use super::layered::{Layered, Piece};
use super::simplex::{Bond, settle};
use super::space;

/// A graph with more vertices and pieces of edges than this is not polished.
const POLISHED: usize = 40_000;

/// How much work the polishing may be, in nodes and edges looked at.
const BUDGET: u64 = 40_000_000;

/// How often everything moves towards its neighbours.
const ROUNDS: usize = 24;

/// How much it counts that something is one unit off the level: a piece of an edge between nodes, between a node and a
/// bend, between bends. The relation is that of Gansner et al., 1 to 2 to 8.
const BETWEEN_NODES: i64 = 2;
const TO_BEND: i64 = 4;
const BETWEEN_BENDS: i64 = 16;

/// What is added for the end of an edge where its node has no other: it is the other end that should turn.
const ALONE: i64 = 4;

/// How much a box that is one unit higher counts.
const BOX: i64 = 4;

/// Distances from the upper side of the drawing.
pub(super) struct Heights {
    /// The middle of each node and bend.
    pub(super) middle: Vec<i64>,
    /// The upper and lower side of each box; nothing useful for a group that has none.
    pub(super) boxes: Vec<[i64; 2]>,
    pub(super) total: i64,
}

pub(super) fn place(layered: &Layered, layers: &[Layer]) -> Heights {
    let count = layered.borders as usize;
    let limits = limits(layered, layers);
    let mut slack = Slack::new(count + 2 * layered.lanes.len(), limits);
    let mut at = slack.tightest();
    for round in 0..ROUNDS {
        let wishes = wishes(layered, &at, round);
        slack.approach(&wishes, &mut at);
    }
    polish(layered, &slack.limits, &mut at);

    let mut boxes: Vec<[i64; 2]> = at[count..].as_chunks().0.to_vec();
    let mut middle = at;
    middle.truncate(count);
    let tops = middle.iter().zip(&layered.height).map(|(at, height)| at - height / 2);
    let passed = |lane: &super::layered::Lane| !lane.ranks.is_empty();
    let box_tops = layered.lanes.iter().zip(&boxes).filter(|(lane, _)| passed(lane)).map(|(_, sides)| sides[0]);
    let top = tops.chain(box_tops).min().unwrap_or(0);
    middle.iter_mut().for_each(|at| *at -= top);
    boxes.iter_mut().flatten().for_each(|at| *at -= top);
    let bottoms = middle.iter().zip(&layered.height).map(|(at, height)| at + height / 2);
    let box_bottoms = layered.lanes.iter().zip(&boxes).filter(|(lane, _)| passed(lane)).map(|(_, sides)| sides[1]);
    let total = bottoms.chain(box_bottoms).max().unwrap_or(0);
    Heights { middle, boxes, total }
}

/// The distances that must be kept, as bonds without weight. Behind the vertices come the two sides of each group.
fn limits(layered: &Layered, layers: &[Layer]) -> Vec<Bond> {
    let side = |group: u32, lower: u32| layered.borders + 2 * group + lower;
    let mut limits = Vec::new();
    for layer in layers {
        let mut last: Option<Visit> = None;
        let nodes = layered.layers.of(layer.rank).iter().filter(|vertex| **vertex < layered.nodes).count();
        let between_nodes = if nodes > space::CROWD { space::NODES_IN_CROWD } else { space::NODES };
        layer.visit(|next| {
            if let Some(last) = last {
                let gap = gap(layered, last, next, between_nodes);
                let tail = match last {
                    Visit::Vertex(vertex) => vertex,
                    Visit::Open(group) => side(group, 0),
                    Visit::Close(group) => side(group, 1),
                };
                let head = match next {
                    Visit::Vertex(vertex) => vertex,
                    Visit::Open(group) => side(group, 0),
                    Visit::Close(group) => side(group, 1),
                };
                limits.push(Bond { tail, head, gap, weight: 0 });
            }
            last = Some(next);
        });
    }
    // Groups without vertices of their own repeat the same distances in layer after layer.
    limits.sort_unstable_by_key(|bond: &Bond| (bond.tail, bond.head, std::cmp::Reverse(bond.gap)));
    limits.dedup_by_key(|bond| (bond.tail, bond.head));
    limits
}

/// The distance between two things that follow each other in a layer.
fn gap(layered: &Layered, upper: Visit, lower: Visit, between_nodes: i64) -> i64 {
    let half = |vertex: u32| layered.height[vertex as usize] / 2;
    match (upper, lower) {
        (Visit::Vertex(a), Visit::Vertex(b)) => {
            let between = match (layered.is_bend(a), layered.is_bend(b)) {
                (true, true) => space::EDGES,
                (false, false) => between_nodes,
                _ => space::EDGE_NODE,
            };
            half(a) + between + half(b)
        }
        (Visit::Open(_), Visit::Vertex(b)) => space::BOX_TOP + half(b),
        (Visit::Vertex(a), Visit::Close(_)) => half(a) + space::BOX_BOTTOM,
        (Visit::Open(_), _) => space::BOX_TOP,
        (Visit::Close(_), Visit::Close(_)) => space::BOX_BOTTOM,
        (Visit::Vertex(a), Visit::Open(_)) => half(a) + space::BOXES,
        (Visit::Close(_), Visit::Vertex(b)) => space::BOXES + half(b),
        (Visit::Close(_), Visit::Open(_)) => space::BOXES,
    }
}

/// Distances to be kept, in an order in which each thing comes after all that lie above it.
struct Slack {
    limits: Vec<Bond>,
    order: Vec<u32>,
    above: Lists<(u32, i64)>,
    below: Lists<(u32, i64)>,
}

impl Slack {
    fn new(count: usize, limits: Vec<Bond>) -> Self {
        Slack {
            order: topological(count, limits.iter().map(|bond| (bond.tail, bond.head))),
            above: Lists::new(count, limits.iter().map(|bond| (bond.head, (bond.tail, bond.gap)))),
            below: Lists::new(count, limits.iter().map(|bond| (bond.tail, (bond.head, bond.gap)))),
            limits,
        }
    }

    /// Everything as far up as it may be.
    fn tightest(&self) -> Vec<i64> {
        let mut at = vec![0; self.order.len()];
        for &node in &self.order {
            let above = self.above.of(node).iter().map(|(node, gap)| at[*node as usize] + gap);
            at[node as usize] = above.max().unwrap_or(0);
        }
        at
    }

    /// Moves everything towards its wish and keeps the distances.
    ///
    /// Pushing only down from the wishes keeps them, pushing only up does, and so does the middle between the two,
    /// because the set of valid positions is convex. (Rounding down keeps whole distances.)
    fn approach(&mut self, wishes: &[i64], at: &mut [i64]) {
        let mut down = wishes.to_vec();
        for &node in &self.order {
            let above = self.above.of(node).iter().map(|(node, gap)| down[*node as usize] + gap);
            down[node as usize] = above.fold(down[node as usize], i64::max);
        }
        let mut up = wishes.to_vec();
        for &node in self.order.iter().rev() {
            let below = self.below.of(node).iter().map(|(node, gap)| up[*node as usize] - gap);
            up[node as usize] = below.fold(up[node as usize], i64::min);
        }
        for ((at, down), up) in at.iter_mut().zip(down).zip(up) {
            *at = (down + up).div_euclid(2);
        }
    }
}

/// Where everything would like to be: a node at the median of its neighbours, a bend where the straight line between
/// the ends of its edge would have it, a box around what is in it.
fn wishes(layered: &Layered, at: &[i64], round: usize) -> Vec<i64> {
    let count = layered.borders as usize;
    let mut wishes = at.to_vec();
    let mut ends: Vec<i64> = Vec::new();
    for vertex in 0..layered.nodes {
        ends.clear();
        // Looking back, looking ahead and looking both ways take turns.
        let (before, after) = (layered.before.of(vertex), layered.after.of(vertex));
        let (before, after) = match round % 3 {
            0 if !before.is_empty() => (before, &[][..]),
            1 if !after.is_empty() => (&[][..], after),
            _ => (before, after),
        };
        ends.extend(before.iter().chain(after).map(|piece| at[piece.vertex as usize]));
        if let Some(median) = median(&mut ends) {
            wishes[vertex as usize] = median;
        }
    }
    for bends in &layered.bends {
        // All bends of an edge want one height, which is what makes long edges straight.
        ends.clear();
        ends.extend(bends.clone().map(|bend| at[bend as usize]));
        if let (Some(first), Some(last)) = (bends.clone().next(), bends.clone().next_back()) {
            ends.extend(layered.before.of(first).iter().map(|piece| at[piece.vertex as usize]));
            ends.extend(layered.after.of(last).iter().map(|piece| at[piece.vertex as usize]));
        }
        if let Some(median) = median(&mut ends) {
            wishes[bends.start as usize..bends.end as usize].fill(median);
        }
    }
    // Inner groups first: they come last.
    let mut sides: Vec<Option<[i64; 2]>> = vec![None; layered.lanes.len()];
    let cover = |sides: &mut Option<[i64; 2]>, top: i64, bottom: i64| {
        *sides = Some(sides.map_or([top, bottom], |[a, b]| [a.min(top), b.max(bottom)]));
    };
    for vertex in 0..count {
        if let Some(sides) = sides.get_mut(layered.group[vertex] as usize) {
            let half = layered.height[vertex] / 2;
            cover(sides, wishes[vertex] - half - space::BOX_TOP, wishes[vertex] + half + space::BOX_BOTTOM);
        }
    }
    for group in (0..layered.lanes.len()).rev() {
        if let Some([top, bottom]) = sides[group] {
            wishes[count + 2 * group] = top;
            wishes[count + 2 * group + 1] = bottom;
            if let Some(parent) = layered.lanes[group].parent {
                cover(&mut sides[parent as usize], top - space::BOX_TOP, bottom + space::BOX_BOTTOM);
            }
        }
    }
    wishes
}

/// The middle one, or the mean of the two in the middle.
fn median(values: &mut [i64]) -> Option<i64> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    let (lower, upper, _) = values.select_nth_unstable(middle);
    let upper = *upper;
    match lower.iter().max() {
        Some(lower) if even => Some((lower + upper).div_euclid(2)),
        _ => Some(upper),
    }
}

/// Positions with the least sum of heights that edges climb.
fn polish(layered: &Layered, limits: &[Bond], at: &mut Vec<i64>) {
    let count = at.len();
    let pieces = (0..layered.borders).map(|vertex| layered.after.of(vertex).len()).sum::<usize>();
    if count + pieces > POLISHED {
        return;
    }
    let mut bonds = limits.to_vec();
    for (lane, group) in layered.lanes.iter().zip(0..) {
        if !lane.ranks.is_empty() {
            let upper = layered.borders + 2 * group;
            bonds.push(Bond { tail: upper, head: upper + 1, gap: 0, weight: BOX });
        }
    }
    let stiffness = Stiffness::new(layered);
    // How far apart two ends are is what both are below a point of their own that is above both.
    for from in 0..layered.borders {
        for piece in layered.after.of(from) {
            let weight = i64::from(piece.weight) * stiffness.of(from, piece.vertex);
            let point = at.len() as u32;
            at.push(at[from as usize].min(at[piece.vertex as usize]));
            bonds.push(Bond { tail: point, head: from, gap: 0, weight });
            bonds.push(Bond { tail: point, head: piece.vertex, gap: 0, weight });
        }
    }
    settle(&bonds, at, BUDGET, true);
    at.truncate(count);
}

/// How much the pieces of edges want to be level.
struct Stiffness<'a> {
    layered: &'a Layered,
    /// Whether one piece on that side of the vertex counts more than all others there.
    leaves_alone: Vec<bool>,
    arrives_alone: Vec<bool>,
}

impl<'a> Stiffness<'a> {
    fn new(layered: &'a Layered) -> Self {
        let alone = |pieces: &[Piece]| {
            let most = pieces.iter().map(|piece| piece.weight).max();
            pieces.iter().filter(|piece| Some(piece.weight) == most).count() == 1
        };
        Stiffness {
            layered,
            leaves_alone: (0..layered.borders).map(|vertex| alone(layered.after.of(vertex))).collect(),
            arrives_alone: (0..layered.borders).map(|vertex| alone(layered.before.of(vertex))).collect(),
        }
    }

    fn of(&self, from: u32, to: u32) -> i64 {
        let leaves_alone = if self.leaves_alone[from as usize] { ALONE } else { 0 };
        let arrives_alone = if self.arrives_alone[to as usize] { ALONE } else { 0 };
        match (self.layered.is_bend(from), self.layered.is_bend(to)) {
            (true, true) => BETWEEN_BENDS,
            // Without the one more, an edge with equal ends would turn halfway at both.
            (false, true) => TO_BEND + leaves_alone + 1,
            (true, false) => TO_BEND + arrives_alone,
            (false, false) => BETWEEN_NODES + leaves_alone.min(arrives_alone),
        }
    }
}
