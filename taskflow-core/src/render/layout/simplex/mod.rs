//! The network simplex method: positions that keep given distances, with the least sum of weighted
//! lengths.
//!
//! After section 2.3 of Gansner et al., "A Technique for Drawing Directed Graphs" (1993): a
//! spanning tree of edges that are as short as they may be; while a tree edge has a negative cut
//! value, the shortest edge that could replace it does.
//!
//! Two things differ from the paper. The cut value of a tree edge is the sum, over the nodes on one
//! of its sides, of the weights going out less the weights coming in (edges inside the side cancel
//! out), so that sums over subtrees are all the book-keeping there is. And every state between two
//! exchanges is a valid answer, so that a budget of steps can end the search early on a large
//! graph.

mod grow;
#[cfg(test)]
mod tests;

use super::NONE;
use crate::render::topo::Lists;

/// `x[head] - x[tail] >= gap`, and each unit of that difference costs `weight`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bond {
    pub(super) tail: u32,
    pub(super) head: u32,
    pub(super) gap: i64,
    pub(super) weight: i64,
}

/// How many candidates are compared before one of them leaves the tree; Graphviz has 30.
const CANDIDATES: usize = 30;

/// Improves `x`, which must keep the bonds, and keeps them. `budget` bounds the work; it is counted
/// in nodes and bonds looked at, most of which lie apart in memory.
///
/// With `centre`, what could lie anywhere within some range at no cost is put into its middle.
pub(super) fn settle(bonds: &[Bond], x: &mut [i64], budget: u64, centre: bool) {
    debug_assert!(bonds.iter().all(|bond| x[bond.head as usize] - x[bond.tail as usize] >= bond.gap), "a valid start");
    let count = x.len();
    let mut simplex = Simplex {
        bonds,
        out: Lists::new(count, bonds.iter().zip(0..).map(|(bond, index)| (bond.tail, index))),
        into: Lists::new(count, bonds.iter().zip(0..).map(|(bond, index)| (bond.head, index))),
        x,
        tree: vec![Vec::new(); count],
        in_tree: vec![false; bonds.len()],
        parent: vec![NONE; count],
        below: vec![Below::default(); count],
        stamp: vec![0; count],
        stamps: 0,
        budget,
    };
    simplex.grow();
    simplex.exchange_all();
    if centre {
        simplex.budget = budget / 4;
        simplex.centre();
    }
}

struct Simplex<'a> {
    bonds: &'a [Bond],
    out: Lists<u32>,
    into: Lists<u32>,
    x: &'a mut [i64],
    /// The bonds of the tree at each node, and some that were in it once.
    tree: Vec<Vec<u32>>,
    in_tree: Vec<bool>,
    /// The bond of the tree that leads towards the root; the roots have none.
    parent: Vec<u32>,
    below: Vec<Below>,
    /// The nodes with the latest stamp are on the side that moves.
    stamp: Vec<u32>,
    stamps: u32,
    budget: u64,
}

/// What is known of a subtree.
#[derive(Clone, Copy, Default)]
struct Below {
    /// The weights going out less those coming in, summed over its nodes.
    sum: i64,
    /// How many nodes it has.
    size: i64,
}

impl Below {
    fn plus(self, other: Below, sign: i64) -> Below {
        Below { sum: self.sum + sign * other.sum, size: self.size + sign * other.size }
    }
}

/// One of the two sides of a bond of the tree.
struct Side {
    nodes: Vec<u32>,
    /// Whether it is the subtree and not the rest.
    is_below: bool,
    /// The bond to enter the tree, and how much longer than its gap it is.
    entering: Option<(u32, i64)>,
    /// `-1` when the side lies at the tail of the leaving bond and moves back, `1` when at the head
    /// and moves on.
    direction: i64,
}

impl Simplex<'_> {
    fn slack(&self, bond: u32) -> i64 {
        let bond = &self.bonds[bond as usize];
        self.x[bond.head as usize] - self.x[bond.tail as usize] - bond.gap
    }

    fn other(&self, bond: u32, node: u32) -> u32 {
        let bond = &self.bonds[bond as usize];
        if bond.tail == node { bond.head } else { bond.tail }
    }

    fn plant(&mut self, bond: u32) {
        let Bond { tail, head, .. } = self.bonds[bond as usize];
        self.in_tree[bond as usize] = true;
        for node in [tail, head] {
            // A node that has seen many bonds come and go would be slow to walk through.
            let list = &mut self.tree[node as usize];
            if list.len() == list.capacity() {
                let in_tree = &self.in_tree;
                list.retain(|known| in_tree[*known as usize] && *known != bond);
            }
            list.push(bond);
        }
    }

    /// The cut value of the bond above a node: what it would cost to make the bond longer.
    fn cut(&self, node: u32) -> Option<i64> {
        let bond = self.parent[node as usize];
        let sum = self.below[node as usize].sum;
        (bond != NONE).then(|| if self.bonds[bond as usize].tail == node { sum } else { -sum })
    }

    fn exchange_all(&mut self) {
        let count = self.x.len();
        let mut at = 0;
        loop {
            let mut best: Option<(i64, u32)> = None;
            let mut found = 0;
            for _ in 0..count {
                let node = at as u32;
                at = (at + 1) % count;
                if let Some(cut) = self.cut(node).filter(|cut| *cut < 0) {
                    found += 1;
                    best = Some(best.map_or((cut, node), |best| best.min((cut, node))));
                    if found == CANDIDATES {
                        break;
                    }
                }
                self.budget = self.budget.saturating_sub(1);
            }
            let Some((_, node)) = best else { return };
            let side = self.smaller_side(node);
            let Some((entering, slack)) = side.entering else { return };
            self.shift(&side.nodes, side.direction * slack);
            self.replace(node, entering, side.is_below);
            if self.budget == 0 {
                return;
            }
        }
    }

    /// The smaller side of the bond above `node`, and the bond that keeps it from moving away from
    /// the other.
    fn smaller_side(&mut self, node: u32) -> Side {
        let leaving = self.parent[node as usize];
        let is_below = 2 * self.below[node as usize].size <= self.x.len() as i64;
        let first = if is_below { node } else { self.other(leaving, node) };
        self.stamps += 1;
        let stamp = self.stamps;
        let mut nodes = vec![first];
        self.stamp[first as usize] = stamp;
        let mut looked = 0;
        let mut next = 0;
        while let Some(&at) = nodes.get(next) {
            next += 1;
            looked += 1 + self.tree[at as usize].len();
            for &bond in &self.tree[at as usize] {
                let beyond = self.other(bond, at);
                if self.in_tree[bond as usize] && bond != leaving && self.stamp[beyond as usize] != stamp {
                    self.stamp[beyond as usize] = stamp;
                    nodes.push(beyond);
                }
            }
        }
        let at_tail = self.bonds[leaving as usize].tail == first;
        let lists = if at_tail { &self.into } else { &self.out };
        let mut entering: Option<(i64, u32)> = None;
        for &at in &nodes {
            looked += 1 + lists.of(at).len();
            for &bond in lists.of(at) {
                if self.stamp[self.other(bond, at) as usize] != stamp {
                    let found = (self.slack(bond), bond);
                    entering = Some(entering.map_or(found, |best| best.min(found)));
                }
            }
        }
        self.budget = self.budget.saturating_sub(looked as u64);
        let entering = entering.map(|(slack, bond)| (bond, slack));
        Side { nodes, is_below, entering, direction: if at_tail { -1 } else { 1 } }
    }

    fn shift(&mut self, nodes: &[u32], by: i64) {
        for &node in nodes {
            self.x[node as usize] += by;
        }
    }

    /// Takes the bond above `node` out of the tree and puts `entering` in, which has one end in the
    /// subtree of `node`. `stamped_below` says whether that subtree has the latest stamp, or the
    /// rest has.
    fn replace(&mut self, node: u32, entering: u32, stamped_below: bool) {
        let leaving = self.parent[node as usize];
        let above = self.other(leaving, node);
        self.in_tree[leaving as usize] = false;
        self.plant(entering);
        let Bond { tail, head, .. } = self.bonds[entering as usize];
        let tail_is_stamped = self.stamp[tail as usize] == self.stamps;
        let (inner, outer) = if tail_is_stamped == stamped_below { (tail, head) } else { (head, tail) };

        let all = self.below[node as usize];
        self.add_upwards(above, all, -1);
        // The subtree hangs from `inner` now: the bonds between it and `node` turn around.
        let (mut at, mut bond, mut below) = (inner, entering, Below::default());
        loop {
            let old_bond = std::mem::replace(&mut self.parent[at as usize], bond);
            let old_below = std::mem::replace(&mut self.below[at as usize], all.plus(below, -1));
            if at == node {
                break;
            }
            at = self.other(old_bond, at);
            bond = old_bond;
            below = old_below;
        }
        self.add_upwards(outer, all, 1);
    }

    fn add_upwards(&mut self, from: u32, amount: Below, sign: i64) {
        let mut at = from;
        loop {
            self.below[at as usize] = self.below[at as usize].plus(amount, sign);
            self.budget = self.budget.saturating_sub(1);
            match self.parent[at as usize] {
                NONE => return,
                bond => at = self.other(bond, at),
            }
        }
    }

    /// Subtrees that can move at no cost move half as far as they can.
    fn centre(&mut self) {
        for node in 0..self.x.len() as u32 {
            if self.cut(node) == Some(0) {
                let side = self.smaller_side(node);
                if let Some((_, slack)) = side.entering {
                    self.shift(&side.nodes, side.direction * (slack / 2));
                }
            }
            if self.budget == 0 {
                return;
            }
        }
    }
}
