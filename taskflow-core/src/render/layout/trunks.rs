//! Trunks: where a node has many edges on one side, they share a vertical line and branch off it
//! level.
//!
//! Forty curves that begin in one point are a blot; forty branches of a trunk are easy to follow,
//! and nothing is lost, since all of them end at that node.

use super::layered::{Layered, Piece};
use super::place::Heights;

/// So many edges on one side of a node make a trunk.
const MANY: usize = 7;

/// The trunks of a drawing.
pub(super) struct Trunks {
    /// For each vertex the trunk after it and the one before it: its number among those of its gap,
    /// from 1.
    after: Vec<u32>,
    before: Vec<u32>,
    /// How many there are in the gap after each layer.
    in_gap: Vec<u32>,
}

impl Trunks {
    pub(super) fn new(layered: &Layered, heights: &Heights) -> Self {
        let mut trunks = Trunks {
            after: vec![0; layered.borders as usize],
            before: vec![0; layered.borders as usize],
            in_gap: vec![0; layered.layer_count as usize],
        };
        for vertex in 0..layered.nodes {
            let rank = layered.rank[vertex as usize] as usize;
            let here = heights.middle[vertex as usize];
            let climbs = |piece: &&Piece| heights.middle[piece.vertex as usize] != here;
            let many = |pieces: &[Piece]| pieces.iter().filter(climbs).count() >= MANY;
            if many(layered.after.of(vertex)) {
                trunks.in_gap[rank] += 1;
                trunks.after[vertex as usize] = trunks.in_gap[rank];
            }
            if rank > 0 && many(layered.before.of(vertex)) {
                trunks.in_gap[rank - 1] += 1;
                trunks.before[vertex as usize] = trunks.in_gap[rank - 1];
            }
        }
        trunks
    }

    /// How many trunks there are after a layer.
    pub(super) fn after_layer(&self, rank: u32) -> u32 {
        self.in_gap.get(rank as usize).copied().unwrap_or(0)
    }

    /// Where between `left` and `right` the trunk of a piece of an edge lies, if it is part of one.
    pub(super) fn of(&self, layered: &Layered, from: u32, to: u32, left: i64, right: i64) -> Option<i64> {
        let (mut after, mut before) = (self.after[from as usize], self.before[to as usize]);
        if after > 0 && before > 0 {
            // Part of two: the larger one has it.
            if layered.after.of(from).len() >= layered.before.of(to).len() { before = 0 } else { after = 0 }
        }
        let number = after.max(before);
        let gap = layered.rank[from as usize] as usize;
        (number > 0).then(|| left + (right - left) * i64::from(number) / i64::from(self.in_gap[gap] + 1))
    }
}
