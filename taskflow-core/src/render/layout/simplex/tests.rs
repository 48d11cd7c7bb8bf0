//! Small problems with known answers, and any problem against trying everything.

use super::*;

fn bond(tail: u32, head: u32, gap: i64, weight: i64) -> Bond {
    Bond { tail, head, gap, weight }
}

fn cost(bonds: &[Bond], x: &[i64]) -> i64 {
    bonds.iter().map(|b| b.weight * (x[b.head as usize] - x[b.tail as usize])).sum()
}

#[test]
fn a_node_off_the_longest_path_moves_next_to_its_successor() {
    // 0 -> 1 -> 2 -> 3 and 4 -> 3: 4 belongs beside 2.
    let bonds = [bond(0, 1, 1, 1), bond(1, 2, 1, 1), bond(2, 3, 1, 1), bond(4, 3, 1, 1)];
    let mut x = [0, 1, 2, 3, 0];
    settle(&bonds, &mut x, 10_000, false);
    assert_eq!([x[1] - x[0], x[2] - x[0], x[3] - x[0], x[4] - x[0]], [1, 2, 3, 2]);
}

#[test]
fn a_node_between_two_others_is_centred() {
    // 0 is drawn to 1 and 2, which are 100 apart: the ends of 3 and 4 are the distances.
    let bonds = [bond(1, 2, 100, 1), bond(3, 0, 0, 1), bond(3, 1, 0, 1), bond(4, 0, 0, 1), bond(4, 2, 0, 1)];
    let mut x = [0, 0, 100, 0, 0];
    settle(&bonds, &mut x, 10_000, true);
    assert_eq!([x[0] - x[1], x[2] - x[1]], [50, 100]);
}

/// The least cost by trying everything, with positions up to `limit`.
fn least(bonds: &[Bond], count: usize, limit: i64) -> i64 {
    let mut x = vec![0i64; count];
    let mut best = i64::MAX;
    loop {
        if bonds.iter().all(|b| x[b.head as usize] - x[b.tail as usize] >= b.gap) {
            best = best.min(cost(bonds, &x));
        }
        let Some(free) = x.iter().position(|at| *at < limit) else { return best };
        x[free] += 1;
        x[..free].fill(0);
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(200))]
    #[test]
    fn the_sum_is_minimal(
        edges in proptest::collection::vec((0u32..5, 0u32..5, 0i64..2, 0i64..4), 1..9),
    ) {
        let bonds: Vec<Bond> = edges.iter().filter(|e| e.0 < e.1).map(|e| bond(e.0, e.1, e.2, e.3)).collect();
        let mut x: Vec<i64> = (0..5).collect();
        settle(&bonds, &mut x, 100_000, false);
        proptest::prop_assert!(bonds.iter().all(|b| x[b.head as usize] - x[b.tail as usize] >= b.gap));
        proptest::prop_assert_eq!(cost(&bonds, &x), least(&bonds, 5, 4));
        let before = cost(&bonds, &x);
        settle(&bonds, &mut x, 100_000, true);
        proptest::prop_assert!(bonds.iter().all(|b| x[b.head as usize] - x[b.tail as usize] >= b.gap));
        proptest::prop_assert_eq!(cost(&bonds, &x), before);
    }
}
