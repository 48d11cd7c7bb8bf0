//! Exchanging neighbours in a layer where that undoes crossings: the "transpose" of Gansner et al.,
//! section 3.
//!
//! Two vertices may be exchanged, and a vertex with a whole group; two groups may not, since they
//! keep one sequence in all layers.

use std::ops::Range;

use super::blocks::Child;
use super::layered::{Layered, Piece};
use super::order::Order;

/// How often a layer is gone through at most.
const ROUNDS: usize = 8;

/// A group with more in it than this moves in the sweeps only.
const LARGE: usize = 256;

pub(super) fn swap(layered: &Layered, order: &mut Order) {
    let mut slots = Slots::default();
    for rank in 0..order.layers.len() {
        let mut changed = false;
        for block in 0..order.layers[rank].blocks.len() {
            if order.layers[rank].blocks[block].children.len() > 1 {
                slots.gather(layered, order, rank, block);
                if slots.exchange() {
                    changed = true;
                    let children = &mut order.layers[rank].blocks[block].children;
                    children.clear();
                    children.extend(slots.slots.iter().map(|slot| slot.child));
                }
            }
        }
        if changed {
            order.read(layered, rank);
        }
    }
}

/// The children of one block, with where their pieces of edges end in the layers before and after.
#[derive(Default)]
struct Slots {
    slots: Vec<Slot>,
    /// Places and weights: the ends of each child on each side, sorted by place.
    ends: Vec<(u32, u32)>,
}

struct Slot {
    child: Child,
    /// The ranges of its ends; none for a large group.
    ends: Option<[Range<usize>; 2]>,
}

impl Slots {
    fn gather(&mut self, layered: &Layered, order: &Order, rank: usize, block: usize) {
        self.slots.clear();
        self.ends.clear();
        let mut vertices = Vec::new();
        for &child in &order.layers[rank].blocks[block].children {
            vertices.clear();
            let known = match child {
                Child::Vertex(vertex) => {
                    vertices.push(vertex);
                    true
                }
                Child::Block(inner) => inside(layered, order, rank, inner, &mut vertices),
            };
            let ends = known.then(|| {
                [&layered.before, &layered.after].map(|lists| {
                    let first = self.ends.len();
                    let end = |piece: &Piece| (order.place[piece.vertex as usize], piece.weight);
                    self.ends.extend(vertices.iter().flat_map(|vertex| lists.of(*vertex)).map(end));
                    self.ends[first..].sort_unstable();
                    first..self.ends.len()
                })
            });
            self.slots.push(Slot { child, ends });
        }
    }

    /// Exchanges neighbours until nothing is gained; whether anything was.
    fn exchange(&mut self) -> bool {
        let mut changed = false;
        // Which pairs may have changed since they were looked at: that of a slot and the one above
        // it.
        let mut open = vec![true; self.slots.len() + 1];
        for _ in 0..ROUNDS {
            let mut gained = false;
            for at in 1..self.slots.len() {
                if std::mem::take(&mut open[at]) && self.gains(at - 1, at) {
                    self.slots.swap(at - 1, at);
                    (open[at - 1], open[at + 1]) = (true, true);
                    gained = true;
                }
            }
            changed |= gained;
            if !gained {
                break;
            }
        }
        changed
    }

    /// Whether there are fewer crossings with the lower one above.
    fn gains(&self, upper: usize, lower: usize) -> bool {
        let (upper, lower) = (&self.slots[upper], &self.slots[lower]);
        if matches!((upper.child, lower.child), (Child::Block(_), Child::Block(_))) {
            return false;
        }
        let (Some(upper), Some(lower)) = (&upper.ends, &lower.ends) else { return false };
        let count = |a: &[Range<usize>; 2], b: &[Range<usize>; 2]| {
            let ends = |range: &Range<usize>| &self.ends[range.clone()];
            crossed(ends(&a[0]), ends(&b[0])) + crossed(ends(&a[1]), ends(&b[1]))
        };
        match count(upper, lower) {
            0 => false,
            now => count(lower, upper) < now,
        }
    }
}

/// The vertices of a group in a layer, its borders too; `false` if there are many.
fn inside(layered: &Layered, order: &Order, rank: usize, block: u32, vertices: &mut Vec<u32>) -> bool {
    let mut open = vec![block];
    while let Some(block) = open.pop() {
        let block = &order.layers[rank].blocks[block as usize];
        if vertices.len() + block.children.len() > LARGE {
            return false;
        }
        vertices.extend(layered.lanes[block.group as usize].border(rank as u32));
        for child in &block.children {
            match child {
                Child::Vertex(vertex) => vertices.push(*vertex),
                Child::Block(inner) => open.push(*inner),
            }
        }
    }
    true
}

/// The crossings between the pieces of two children, the first of which lies above: pairs in which
/// its end is lower.
fn crossed(upper: &[(u32, u32)], lower: &[(u32, u32)]) -> u64 {
    if upper.last().map(|end| end.0) <= lower.first().map(|end| end.0) {
        return 0;
    }
    let mut crossings = 0;
    let mut passed = 0;
    let mut next = lower.iter().peekable();
    for &(place, weight) in upper {
        while let Some((_, weight)) = next.next_if(|(other, _)| *other < place) {
            passed += u64::from(*weight);
        }
        crossings += u64::from(weight) * passed;
    }
    crossings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_whose_ends_swap_sides_cross() {
        assert_eq!(crossed(&[(0, 1), (3, 2)], &[(1, 1), (2, 1)]), 4);
        assert_eq!(crossed(&[(1, 1)], &[(1, 1)]), 0);
        assert_eq!(crossed(&[], &[(1, 1)]), 0);
        assert_eq!(crossed(&[(1, 1)], &[]), 0);
    }
}
