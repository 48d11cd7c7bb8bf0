//! A random order of slots that nobody has to store.
//!
//! The spans of a plan are cut into as many cells of the same length as there are slots. A
//! permutation that is computed from a seed says in which order the cells are visited; the slots
//! within a cell come oldest first. Where slots are evenly spaced, a cell has one slot.

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;
use crate::schedule::state::Span;

/// A random order, and how far it was followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shuffle {
    seed: u64,
    /// How many cells there are.
    cells: u64,
    /// The place of the present cell in the order.
    next: u64,
    /// The last slot of the present cell that is decided.
    after: Option<Timestamp>,
}

impl Shuffle {
    pub(super) fn new(seed: u64, cells: u64) -> Self {
        Shuffle { seed, cells: cells.max(1), next: 0, after: None }
    }

    /// The cells that are left, in order: the place of each, and what of the spans belongs to it.
    pub(super) fn cells(self, spans: &[Span]) -> impl Iterator<Item = (u64, Vec<Span>)> + '_ {
        (self.next..self.cells).map(move |place| {
            let mut cell = self.cell(permuted(place, self.cells, self.seed), spans);
            if place == self.next
                && let Some(after) = self.after
            {
                cell.retain(|span| span.until > after);
                cell.iter_mut().for_each(|span| span.after = span.after.max(after));
            }
            (place, cell)
        })
    }

    /// What of the spans belongs to a cell.
    fn cell(self, number: u64, spans: &[Span]) -> Vec<Span> {
        let length = |span: &Span| i128::from(span.until.as_nanos()) - i128::from(span.after.as_nanos());
        let total: i128 = spans.iter().map(length).sum();
        let bound = |number: u64| total * i128::from(number) / i128::from(self.cells);
        let (from, to) = (bound(number), bound(number + 1));
        let mut cell = Vec::new();
        let mut start = 0;
        for span in spans {
            let end = start + length(span);
            let (first, last) = (from.max(start), to.min(end));
            if first < last {
                let at = |place: i128| {
                    let nanos = i128::from(span.after.as_nanos()) + place - start;
                    // Between the ends of the span, which fit.
                    Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
                };
                cell.push(Span::new(at(first), at(last)));
            }
            start = end;
        }
        cell
    }

    /// A slot in the cell at this place is decided.
    pub(super) fn advance(&mut self, place: u64, slot: Timestamp) {
        (self.next, self.after) = (place, Some(slot));
    }
}

/// Where a permutation of `0..count` maps a number: a Feistel network over a power of four, walked
/// until it ends within the range.
fn permuted(number: u64, count: u64, seed: u64) -> u64 {
    let bits = 64 - count.saturating_sub(1).leading_zeros();
    let half = bits.div_ceil(2).max(1);
    let mask = (1_u64 << half) - 1;
    let mut at = number;
    loop {
        let (mut left, mut right) = (at >> half, at & mask);
        for round in 0..4 {
            (left, right) = (right, left ^ (mixed(right ^ seed.rotate_left(16 * round)) & mask));
        }
        at = left << half | right;
        if at < count {
            return at;
        }
    }
}

/// The finalizer of `SplitMix64` spreads a number over all bits.
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_one_place() {
        for count in [1, 2, 3, 4, 5, 31, 32, 1_000, 4_097] {
            let mut places: Vec<u64> = (0..count).map(|number| permuted(number, count, 7)).collect();
            places.sort_unstable();
            assert_eq!(places, (0..count).collect::<Vec<_>>());
        }
        assert_ne!(permuted(0, 1_000, 1), permuted(0, 1_000, 2));
    }

    #[test]
    fn the_cells_cover_the_spans() {
        let span = |after, until| Span::new(Timestamp::from_nanos(after), Timestamp::from_nanos(until));
        let spans = [span(0, 10), span(100, 101), span(200, 207)];
        for count in [1, 2, 5, 18, 40] {
            let cells = Shuffle::new(3, count).cells(&spans);
            let mut points: Vec<i64> = cells
                .flat_map(|(_, cell)| cell)
                .flat_map(|span| span.after.as_nanos() + 1..=span.until.as_nanos())
                .collect();
            points.sort_unstable();
            let all: Vec<i64> = (1..=10).chain([101]).chain(201..=207).collect();
            assert_eq!(points, all, "{count} cells");
        }
    }
}
