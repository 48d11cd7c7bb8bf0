//! An order in which every edge leads forward.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Lists of neighbours, one after the other: those of `n` are `items[starts[n]..starts[n + 1]]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Lists<T> {
    starts: Vec<usize>,
    items: Vec<T>,
}

impl<T: Copy> Lists<T> {
    /// Sorts `entries` of `(owner, item)` into `count` lists; each keeps the order of its entries.
    pub(super) fn new(count: usize, entries: impl Iterator<Item = (u32, T)> + Clone) -> Self {
        let mut starts = vec![0usize; count + 1];
        for (owner, _) in entries.clone() {
            starts[owner as usize + 1] += 1;
        }
        for owner in 0..count {
            starts[owner + 1] += starts[owner];
        }
        let Some((_, filler)) = entries.clone().next() else { return Lists { starts, items: Vec::new() } };
        let mut items = vec![filler; starts[count]];
        let mut next = starts.clone();
        for (owner, item) in entries {
            items[next[owner as usize]] = item;
            next[owner as usize] += 1;
        }
        Lists { starts, items }
    }

    pub(super) fn of(&self, owner: u32) -> &[T] {
        &self.items[self.starts[owner as usize]..self.starts[owner as usize + 1]]
    }
}

/// The nodes `0..count`, upstreams first, smaller numbers first where the edges leave a choice
/// (Kahn's algorithm).
///
/// Nodes on a cycle, of which plans have none, come last in the order of their numbers.
pub(super) fn topological(count: usize, edges: impl Iterator<Item = (u32, u32)> + Clone) -> Vec<u32> {
    let below = Lists::new(count, edges.clone());
    let mut unmet = vec![0u32; count];
    for (_, to) in edges {
        unmet[to as usize] += 1;
    }
    let mut ready: BinaryHeap<Reverse<u32>> =
        (0..).zip(&unmet).filter(|(_, unmet)| **unmet == 0).map(|(node, _)| Reverse(node)).collect();
    let mut order = Vec::with_capacity(count);
    while let Some(Reverse(node)) = ready.pop() {
        order.push(node);
        for &to in below.of(node) {
            unmet[to as usize] -= 1;
            if unmet[to as usize] == 0 {
                ready.push(Reverse(to));
            }
        }
    }
    if order.len() < count {
        order.extend((0..).zip(&unmet).filter(|(_, unmet)| **unmet > 0).map(|(node, _)| node));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams_come_first_and_smaller_numbers_before_larger() {
        let edges = [(3, 0), (0, 2), (1, 2)];
        assert_eq!(topological(4, edges.into_iter()), [1, 3, 0, 2]);
    }

    #[test]
    fn a_cycle_does_not_loop_forever() {
        assert_eq!(topological(3, [(0, 1), (1, 0), (1, 2)].into_iter()), [0, 1, 2]);
    }
}
