//! Counts values by size.

/// How many buckets a histogram has: a bound is four times the one before.
const BUCKETS: usize = 14;

/// Counts of values by exponential buckets.
#[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the metrics of the server"))]
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    first: f64,
    buckets: [u64; BUCKETS],
    pub(crate) count: u64,
    pub(crate) sum: f64,
}

impl Histogram {
    /// Durations in seconds: 1 ms, 4 ms, .. 1 day.
    pub(crate) const fn of_seconds() -> Self {
        Histogram::with_first(0.001)
    }

    /// Numbers of things: 1, 4, .. 67 million.
    pub(crate) const fn of_counts() -> Self {
        Histogram::with_first(1.0)
    }

    const fn with_first(first: f64) -> Self {
        Histogram { first, buckets: [0; BUCKETS], count: 0, sum: 0.0 }
    }

    pub(crate) fn observe(&mut self, value: f64) {
        if let Some(bucket) = (0..BUCKETS).find(|&bucket| value <= self.bound(bucket)) {
            self.buckets[bucket] += 1;
        }
        self.count += 1;
        self.sum += value;
    }

    fn bound(&self, bucket: usize) -> f64 {
        self.first * 4_f64.powi(i32::try_from(bucket).unwrap_or(i32::MAX))
    }

    /// The bounds, and how many values are not above them.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the metrics of the server"))]
    pub(crate) fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let mut below = 0;
        self.buckets.iter().enumerate().map(move |(bucket, count)| {
            below += count;
            (self.bound(bucket), below)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_what_is_not_above_each_bound() {
        let mut histogram = Histogram::of_seconds();
        [0.0005, 0.002, 0.004, 1e9].into_iter().for_each(|value| histogram.observe(value));
        let known: Vec<(f64, u64)> = histogram.cumulative().take(3).collect();
        assert_eq!(known, [(0.001, 1), (0.004, 3), (0.016, 3)]);
        assert_eq!((histogram.count, histogram.cumulative().last().map(|(_, below)| below)), (4, Some(3)));
    }
}
