//! Heights by moving everything towards its neighbours, again and again, without breaking a
//! distance: the start of step 5.
//!
//! Sugiyama et al. (1981) move one layer at a time by priorities; here the whole drawing moves at
//! once, which is what boxes that reach through many layers need.

use super::Spaces;
use super::layered::Layered;
use super::simplex::Bond;
use crate::render::topo::{Lists, topological};

/// Distances to be kept, in an order in which each thing comes after all that lie above it.
pub(super) struct Slack {
    pub(super) limits: Vec<Bond>,
    order: Vec<u32>,
    above: Lists<(u32, i64)>,
    below: Lists<(u32, i64)>,
}

impl Slack {
    pub(super) fn new(count: usize, limits: Vec<Bond>) -> Self {
        Slack {
            order: topological(count, limits.iter().map(|bond| (bond.tail, bond.head))),
            above: Lists::new(count, limits.iter().map(|bond| (bond.head, (bond.tail, bond.gap)))),
            below: Lists::new(count, limits.iter().map(|bond| (bond.tail, (bond.head, bond.gap)))),
            limits,
        }
    }

    /// Everything as far up as it may be.
    pub(super) fn tightest(&self) -> Vec<i64> {
        let mut at = vec![0; self.order.len()];
        for &node in &self.order {
            let above = self.above.of(node).iter().map(|(node, gap)| at[*node as usize] + gap);
            at[node as usize] = above.max().unwrap_or(0);
        }
        at
    }

    /// Moves everything towards its wish and keeps the distances.
    ///
    /// Pushing only down from the wishes keeps them, pushing only up does, and so does the middle
    /// between the two, because the set of valid positions is convex. (Rounding down keeps whole
    /// distances.)
    pub(super) fn approach(&self, wishes: &[i64], at: &mut [i64]) {
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

/// Where everything would like to be: a node at the median of its neighbours, a bend where the
/// straight line between the ends of its edge would have it, a box around what is in it.
pub(super) fn wishes(layered: &Layered, at: &[i64], round: usize) -> Vec<i64> {
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
    let Spaces { top: above, bottom: below, .. } = layered.spaces;
    // Inner groups first: they come last.
    let mut sides: Vec<Option<[i64; 2]>> = vec![None; layered.lanes.len()];
    let cover = |sides: &mut Option<[i64; 2]>, top: i64, bottom: i64| {
        *sides = Some(sides.map_or([top, bottom], |[a, b]| [a.min(top), b.max(bottom)]));
    };
    for ((wish, group), height) in wishes[..count].iter().zip(&layered.group).zip(&layered.height) {
        if let Some(sides) = sides.get_mut(*group as usize) {
            cover(sides, wish - height / 2 - above, wish + height / 2 + below);
        }
    }
    for group in (0..layered.lanes.len()).rev() {
        if let Some([top, bottom]) = sides[group] {
            wishes[count + 2 * group] = top;
            wishes[count + 2 * group + 1] = bottom;
            if let Some(parent) = layered.lanes[group].parent {
                cover(&mut sides[parent as usize], top - above, bottom + below);
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
