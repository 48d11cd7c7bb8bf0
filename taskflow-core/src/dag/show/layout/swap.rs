//! Exchanging neighbours in a layer where that undoes crossings: the "transpose" of Gansner et al., section 3.
//!
//! Two vertices may be exchanged, and a vertex with a whole group; two groups may not, since they keep one sequence in
//! all layers.

use super::blocks::Child;
use super::layered::{Layered, Piece};
use super::order::Order;

/// How often a layer is gone through at most.
const ROUNDS: usize = 8;

/// A block with more children than this moves in the sweeps only.
const LARGE: usize = 64;

/// What a child of a block is connected with on one side: places and weights, sorted by place.
type Ends = Vec<(u32, u32)>;

pub(super) fn swap(layered: &mut Layered, order: &mut Order) {
    for rank in 0..order.layers.len() {
        let place = &order.place;
        for vertex in &order.rows[rank] {
            for lists in [&mut layered.before, &mut layered.after] {
                lists.of_mut(*vertex).sort_unstable_by_key(|piece| place[piece.vertex as usize]);
            }
        }
        let mut changed = false;
        for block in 0..order.layers[rank].blocks.len() {
            changed |= swap_children(layered, order, rank, block);
        }
        if changed {
            order.read(layered, rank);
        }
    }
}

fn swap_children(layered: &Layered, order: &mut Order, rank: usize, block: usize) -> bool {
    let layer = &order.layers[rank];
    let mut children = layer.blocks[block].children.clone();
    // The ends of blocks are gathered once; those of vertices are looked up in the graph.
    let gathered: Vec<Option<[Ends; 2]>> = children
        .iter()
        .map(|child| match child {
            Child::Vertex(_) => None,
            Child::Block(inner) => gather(layered, order, rank, *inner),
        })
        .collect();
    let mut slots: Vec<usize> = (0..children.len()).collect();
    let mut changed = false;
    let mut buffers = [Ends::new(), Ends::new(), Ends::new(), Ends::new()];
    for _ in 0..ROUNDS {
        let mut gained = false;
        for at in 1..children.len() {
            let (upper, lower) = (children[at - 1], children[at]);
            let groups = [upper, lower].iter().filter(|child| matches!(child, Child::Block(_))).count();
            let known = |at: usize| matches!(children[at], Child::Vertex(_)) || gathered[slots[at]].is_some();
            if groups == 2 || !known(at - 1) || !known(at) {
                continue;
            }
            let [a, b, c, d] = &mut buffers;
            ends(layered, order, upper, gathered[slots[at - 1]].as_ref(), [&mut *a, &mut *b]);
            ends(layered, order, lower, gathered[slots[at]].as_ref(), [&mut *c, &mut *d]);
            if crossed(a, c) + crossed(b, d) > crossed(c, a) + crossed(d, b) {
                children.swap(at - 1, at);
                slots.swap(at - 1, at);
                gained = true;
            }
        }
        changed |= gained;
        if !gained {
            break;
        }
    }
    if changed {
        order.layers[rank].blocks[block].children = children;
    }
    changed
}

/// The ends of a child before and after its layer.
fn ends(layered: &Layered, order: &Order, child: Child, gathered: Option<&[Ends; 2]>, into: [&mut Ends; 2]) {
    let [before, after] = into;
    before.clear();
    after.clear();
    match (child, gathered) {
        (Child::Vertex(vertex), _) => {
            let end = |piece: &Piece| (order.place[piece.vertex as usize], piece.weight);
            before.extend(layered.before.of(vertex).iter().map(end));
            after.extend(layered.after.of(vertex).iter().map(end));
        }
        (Child::Block(_), Some([known_before, known_after])) => {
            before.extend_from_slice(known_before);
            after.extend_from_slice(known_after);
        }
        (Child::Block(_), None) => {}
    }
}

/// The ends of everything in a block, its borders too; none if it is large.
fn gather(layered: &Layered, order: &Order, rank: usize, block: u32) -> Option<[Ends; 2]> {
    let layer = &order.layers[rank];
    let (mut before, mut after) = (Ends::new(), Ends::new());
    let mut open = vec![block];
    while let Some(block) = open.pop() {
        let block = &layer.blocks[block as usize];
        if block.children.len() > LARGE || before.len() + after.len() > 4 * LARGE {
            return None;
        }
        let borders = layered.lanes[block.group as usize].border(rank as u32);
        let inside = block.children.iter().filter_map(|child| match child {
            Child::Vertex(vertex) => Some(*vertex),
            Child::Block(inner) => {
                open.push(*inner);
                None
            }
        });
        for vertex in borders.into_iter().chain(inside) {
            let end = |piece: &Piece| (order.place[piece.vertex as usize], piece.weight);
            before.extend(layered.before.of(vertex).iter().map(end));
            after.extend(layered.after.of(vertex).iter().map(end));
        }
    }
    before.sort_unstable();
    after.sort_unstable();
    Some([before, after])
}

/// The crossings between the pieces of two children, the first of which lies above: pairs in which its end is lower.
fn crossed(upper: &[(u32, u32)], lower: &[(u32, u32)]) -> u64 {
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
    fn pairs_whose_ends_change_sides_cross() {
        assert_eq!(crossed(&[(0, 1), (3, 2)], &[(1, 1), (2, 1)]), 4);
        assert_eq!(crossed(&[(1, 1)], &[(1, 1)]), 0);
        assert_eq!(crossed(&[], &[(1, 1)]), 0);
    }
}
