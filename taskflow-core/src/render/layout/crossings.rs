//! Counting crossings.
//!
//! After Barth, Mutzel and Junger, "Simple and Efficient Bilayer Cross Counting" (2002): pieces
//! sorted by their upper end, then counted by a tree of sums over the lower ends. A crossing counts
//! as the product of the two weights.

use super::layered::Layered;
use super::order::Order;

/// All crossings of a drawing.
pub(super) fn crossings(layered: &Layered, order: &Order) -> u64 {
    let mut sums = Sums::default();
    let mut ends: Vec<(u32, u64)> = Vec::new();
    let mut total = 0u64;
    for layer in order.rows.windows(2) {
        sums.clear(layer[1].len());
        for &vertex in &layer[0] {
            ends.clear();
            ends.extend(layered.after.of(vertex).iter().map(|p| (order.place[p.vertex as usize], u64::from(p.weight))));
            // Pieces of one vertex do not cross each other: all are counted before any is added.
            for &(place, weight) in &ends {
                total = total.saturating_add(weight.saturating_mul(sums.all - sums.up_to(place)));
            }
            for &(place, weight) in &ends {
                sums.add(place, weight);
            }
        }
    }
    total
}

/// Sums up to a place, in logarithmic time (Fenwick, 1994).
#[derive(Default)]
struct Sums {
    tree: Vec<u64>,
    all: u64,
}

impl Sums {
    fn clear(&mut self, places: usize) {
        self.tree.clear();
        self.tree.resize(places + 1, 0);
        self.all = 0;
    }

    fn add(&mut self, place: u32, weight: u64) {
        self.all += weight;
        let mut at = place as usize + 1;
        while at < self.tree.len() {
            self.tree[at] += weight;
            at += at & at.wrapping_neg();
        }
    }

    /// Of what was added at this place and before.
    fn up_to(&self, place: u32) -> u64 {
        let mut sum = 0;
        let mut at = place as usize + 1;
        while at > 0 {
            sum += self.tree[at];
            at -= at & at.wrapping_neg();
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_match_those_of_a_plain_list() {
        let mut sums = Sums::default();
        sums.clear(5);
        for (place, weight) in [(3, 2), (0, 1), (4, 5), (3, 1)] {
            sums.add(place, weight);
        }
        assert_eq!([0, 1, 2, 3, 4].map(|place| sums.up_to(place)), [1, 1, 1, 4, 9]);
        assert_eq!(sums.all, 9);
    }
}
