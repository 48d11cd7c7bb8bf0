//! Heights at which the edges climb as little as possible: the end of step 5.
//!
//! The network simplex method once more, as in section 4.2 of Gansner et al.: for each piece of an
//! edge a point of its own lies above both of its ends, so that the two distances to it add up to
//! how far apart the ends are.

use super::layered::{Layered, Piece};
use super::simplex::{Bond, settle};

/// A graph with more vertices and pieces of edges than this is left as it is.
const POLISHED: usize = 40_000;

/// How much work it may be, in nodes and edges looked at.
const BUDGET: u64 = 40_000_000;

/// How much it counts that something is one unit off the level: a piece of an edge between nodes,
/// between a node and a bend, between bends. The relation is that of Gansner et al., 1 to 2 to 8.
const BETWEEN_NODES: i64 = 2;
const TO_BEND: i64 = 4;
const BETWEEN_BENDS: i64 = 16;

/// What is added for the end of an edge where its node has no other: it is the other end that
/// should turn.
const ALONE: i64 = 4;

/// How much a box that is one unit higher counts.
const BOX: i64 = 4;

/// Positions with the least sum of heights that edges climb, from positions that keep the limits.
pub(super) fn level(layered: &Layered, limits: Vec<Bond>, at: &mut Vec<i64>) {
    let count = at.len();
    let pieces = (0..layered.borders).map(|vertex| layered.after.of(vertex).len()).sum::<usize>();
    if count + pieces > POLISHED {
        return;
    }
    let mut bonds = limits;
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
