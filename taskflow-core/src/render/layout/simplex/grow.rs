//! The first spanning tree.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Simplex;
use crate::render::layout::NONE;

impl Simplex<'_> {
    /// A spanning tree of tight bonds (a forest, if the graph has several parts), in the manner of
    /// Prim: the tree moves by the least slack at its rim. Its moves are kept in one number, so
    /// that a node is touched twice only.
    pub(super) fn grow(&mut self) {
        let count = self.x.len();
        let mut joined = vec![false; count];
        let mut order: Vec<u32> = Vec::with_capacity(count);
        let mut leaving: BinaryHeap<Reverse<(i64, u32)>> = BinaryHeap::new();
        let mut coming: BinaryHeap<Reverse<(i64, u32)>> = BinaryHeap::new();
        for root in 0..count {
            if joined[root] {
                continue;
            }
            // The positions of joined nodes are kept less `moved`.
            let mut moved = 0i64;
            let first = order.len();
            let mut next = Some((root as u32, NONE));
            while let Some((node, bond)) = next {
                joined[node as usize] = true;
                self.x[node as usize] -= moved;
                self.parent[node as usize] = bond;
                order.push(node);
                if bond != NONE {
                    self.plant(bond);
                }
                for &bond in self.out.of(node) {
                    if !joined[self.bonds[bond as usize].head as usize] {
                        leaving.push(Reverse((self.slack(bond), bond)));
                    }
                }
                for &bond in self.into.of(node) {
                    if !joined[self.bonds[bond as usize].tail as usize] {
                        coming.push(Reverse((self.slack(bond), bond)));
                    }
                }
                while leaving.peek().is_some_and(|Reverse((_, b))| joined[self.bonds[*b as usize].head as usize]) {
                    leaving.pop();
                }
                while coming.peek().is_some_and(|Reverse((_, b))| joined[self.bonds[*b as usize].tail as usize]) {
                    coming.pop();
                }
                let forward = leaving.peek().map(|Reverse((key, bond))| (key - moved, *bond));
                let back = coming.peek().map(|Reverse((key, bond))| (key + moved, *bond));
                next = match (forward, back) {
                    (Some((ahead, bond)), back) if back.is_none_or(|(behind, _)| ahead <= behind) => {
                        moved += ahead;
                        leaving.pop();
                        Some((self.bonds[bond as usize].head, bond))
                    }
                    (_, Some((behind, bond))) => {
                        moved -= behind;
                        coming.pop();
                        Some((self.bonds[bond as usize].tail, bond))
                    }
                    (_, None) => None,
                };
            }
            for &node in &order[first..] {
                self.x[node as usize] += moved;
            }
        }
        for below in &mut self.below {
            below.size = 1;
        }
        for bond in self.bonds {
            self.below[bond.tail as usize].sum += bond.weight;
            self.below[bond.head as usize].sum -= bond.weight;
        }
        for &node in order.iter().rev() {
            if self.parent[node as usize] != NONE {
                let above = self.other(self.parent[node as usize], node) as usize;
                self.below[above] = self.below[above].plus(self.below[node as usize], 1);
            }
        }
    }
}
