//! Step 5: the height of every vertex and of the sides of every box.
//!
//! Two things in a layer keep their distance, and a box keeps its distance from what is in it and
//! beside it: all of the form `b - a >= gap`. Among the positions that keep these, edges are to be
//! level and so long ones straight. That is `level`. It starts from a few rounds of moving
//! everything towards the median of its neighbours, `approach`, which is also where large graphs
//! end.

use super::approach::{Slack, wishes};
use super::blocks::{Layer, Visit};
use super::layered::Layered;
use super::level::level;
use super::simplex::Bond;
use super::{Direction, Spaces, space};

/// How often everything moves towards its neighbours.
const ROUNDS: usize = 24;

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
    let slack = Slack::new(count + 2 * layered.lanes.len(), limits);
    let mut at = slack.tightest();
    for round in 0..ROUNDS {
        let wishes = wishes(layered, &at, round);
        slack.approach(&wishes, &mut at);
    }
    level(layered, slack.limits, &mut at);

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

/// The distances that must be kept, as bonds without weight. Behind the vertices come the two sides
/// of each group.
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
    if layered.direction == Direction::Down {
        // The name of a box lies along its layers.
        let passed = layered.lanes.iter().zip(0..).filter(|(lane, _)| !lane.ranks.is_empty());
        limits.extend(passed.map(|(lane, group)| Bond {
            tail: side(group, 0),
            head: side(group, 1),
            gap: lane.width,
            weight: 0,
        }));
    }
    // Groups without vertices of their own repeat the same distances in layer after layer.
    limits.sort_unstable_by_key(|bond: &Bond| (bond.tail, bond.head, std::cmp::Reverse(bond.gap)));
    limits.dedup_by_key(|bond| (bond.tail, bond.head));
    limits
}

/// The distance between two things that follow each other in a layer.
fn gap(layered: &Layered, upper: Visit, lower: Visit, between_nodes: i64) -> i64 {
    let half = |vertex: u32| layered.height[vertex as usize] / 2;
    let Spaces { top, bottom, .. } = layered.spaces;
    match (upper, lower) {
        (Visit::Vertex(a), Visit::Vertex(b)) => {
            let between = match (layered.is_bend(a), layered.is_bend(b)) {
                (true, true) => space::EDGES,
                (false, false) => between_nodes,
                _ => space::EDGE_NODE,
            };
            half(a) + between + half(b)
        }
        (Visit::Open(_), Visit::Vertex(b)) => top + half(b),
        (Visit::Vertex(a), Visit::Close(_)) => half(a) + bottom,
        (Visit::Open(_), _) => top,
        (Visit::Close(_), Visit::Close(_)) => bottom,
        (Visit::Vertex(a), Visit::Open(_)) => half(a) + space::BOXES,
        (Visit::Close(_), Visit::Vertex(b)) => space::BOXES + half(b),
        (Visit::Close(_), Visit::Open(_)) => space::BOXES,
    }
}
