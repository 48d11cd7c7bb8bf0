//! The sequence of groups that lie side by side.
//!
//! A group has one place among its siblings through all layers. If one lay above another here and
//! below it there, their boxes could not both be rectangles.

use super::NONE;
use super::layered::Layered;
use super::order::{Order, improve};

/// Exchanging groups is tried in drawings of at most this many vertices, and at most so many times.
const SMALL: usize = 1500;
const TRIALS: usize = 40;

/// Groups in the order in which their first vertices were met.
pub(super) fn by_first(layered: &Layered, met: &[u32]) -> Vec<u32> {
    let mut first = vec![f64::INFINITY; layered.lanes.len()];
    for vertex in 0..layered.nodes {
        for group in layered.around(layered.group[vertex as usize]) {
            let first = &mut first[group as usize];
            *first = first.min(f64::from(met[vertex as usize]));
        }
    }
    ranked(&first)
}

/// Groups in the order of the mean place of what they are connected with outside.
pub(super) fn by_neighbours(layered: &Layered, order: &mut Order) {
    let count = layered.lanes.len();
    if count < 2 {
        return;
    }
    let place = |vertex: u32| {
        let row = order.rows[layered.rank[vertex as usize] as usize].len();
        (f64::from(order.place[vertex as usize]) + 0.5) / row as f64
    };
    let mut sums = vec![(0.0, 0.0); count];
    let mut own = vec![(0.0, 0.0f64); count];
    for vertex in 0..layered.borders {
        for group in layered.around(layered.group[vertex as usize]) {
            own[group as usize].0 += place(vertex);
            own[group as usize].1 += 1.0;
        }
        for piece in layered.after.of(vertex) {
            for (inside, outside) in [(vertex, piece.vertex), (piece.vertex, vertex)] {
                let beyond = layered.group[outside as usize];
                let left = layered.around(layered.group[inside as usize]);
                for group in left.take_while(|group| !is_around(layered, *group, beyond)) {
                    sums[group as usize].0 += place(outside);
                    sums[group as usize].1 += 1.0;
                }
            }
        }
    }
    let wishes: Vec<f64> = sums
        .iter()
        .zip(&own)
        .map(|(outside, own)| if outside.1 > 0.0 { outside.0 / outside.1 } else { own.0 / own.1.max(1.0) })
        .collect();
    let lanes = ranked(&wishes);
    if lanes != order.lanes {
        order.lanes = lanes;
        order.align(layered);
    }
}

/// Whether `inner` is `group` or lies in it.
fn is_around(layered: &Layered, group: u32, inner: u32) -> bool {
    inner != NONE && layered.around(inner).any(|around| around == group)
}

/// Exchanges groups that follow each other where that undoes crossings.
pub(super) fn exchange(layered: &Layered, order: &mut Order, mut least: u64) {
    if layered.lanes.len() < 2 || layered.len() > SMALL {
        return;
    }
    let mut trials = TRIALS;
    let mut gained = true;
    while gained && least > 0 {
        gained = false;
        for (upper, lower) in neighbours(layered, order) {
            if trials == 0 || least == 0 {
                return;
            }
            trials -= 1;
            let mut other = order.clone();
            other.lanes.swap(upper as usize, lower as usize);
            other.align(layered);
            let now = improve(layered, &mut other, 2);
            if now < least {
                least = now;
                *order = other;
                gained = true;
                break;
            }
        }
    }
}

/// The pairs of siblings that follow each other and have a layer in common.
fn neighbours(layered: &Layered, order: &Order) -> Vec<(u32, u32)> {
    let mut sorted: Vec<u32> = (0..layered.lanes.len() as u32).collect();
    sorted.sort_by_key(|group| (layered.lanes[*group as usize].parent, order.lanes[*group as usize]));
    let pairs = sorted.windows(2).map(|pair| (pair[0], pair[1]));
    pairs
        .filter(|(upper, lower)| {
            let (upper, lower) = (&layered.lanes[*upper as usize], &layered.lanes[*lower as usize]);
            let common = upper.ranks.start.max(lower.ranks.start)..upper.ranks.end.min(lower.ranks.end);
            upper.parent == lower.parent && !common.is_empty()
        })
        .collect()
}

/// The place of each number among all.
fn ranked(wishes: &[f64]) -> Vec<u32> {
    let mut sorted: Vec<u32> = (0..wishes.len() as u32).collect();
    sorted.sort_by(|a, b| wishes[*a as usize].total_cmp(&wishes[*b as usize]));
    let mut ranks = vec![0; wishes.len()];
    for (group, rank) in sorted.into_iter().zip(0..) {
        ranks[group as usize] = rank;
    }
    ranks
}
