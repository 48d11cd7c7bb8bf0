//! Counts of what happens too often for a row each in the audit trail.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often there is a row at most, for each key.
const INTERVAL: Duration = Duration::from_secs(60);
/// The most keys that are counted, and the most rows of all keys in the interval.
const KEYS: usize = 1_000;
const ROWS: u32 = 300;

/// Counts what happens too often for a row each.
#[derive(Debug)]
pub(in crate::server) struct Sparse<K>(Mutex<Counts<K>>);

#[derive(Debug)]
struct Counts<K> {
    keys: HashMap<K, Count>,
    /// The rows of the interval that began then.
    rows: u32,
    since: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    /// When there was a row.
    row: Option<Instant>,
    /// How many there were since.
    pending: u64,
}

impl<K> Default for Sparse<K> {
    fn default() -> Self {
        Sparse(Mutex::new(Counts { keys: HashMap::new(), rows: 0, since: None }))
    }
}

impl<K: Clone + Eq + Hash> Sparse<K> {
    /// Counts `more` events of a key. If it is time for a row, returns how many events of this key
    /// it stands for.
    pub(in crate::server) fn due(&self, key: K, more: u64, now: Instant) -> Option<u64> {
        let is_over = |since: Instant| now.saturating_duration_since(since) >= INTERVAL;
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Counts { keys, rows, since } = &mut *counts;
        if since.is_none_or(is_over) {
            (*rows, *since) = (0, Some(now));
        }
        if keys.len() >= KEYS && !keys.contains_key(&key) {
            // What counts nothing has nothing to tell.
            keys.retain(|_, count| count.pending > 0 || !count.row.is_none_or(is_over));
            let oldest = keys.iter().min_by_key(|(_, count)| count.row).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest.filter(|_| keys.len() >= KEYS) {
                keys.remove(&oldest);
            }
        }
        let count = keys.entry(key).or_insert(Count { row: None, pending: 0 });
        count.pending += more;
        if !count.row.is_none_or(is_over) || *rows >= ROWS {
            return None;
        }
        *rows += 1;
        let stands_for = std::mem::take(&mut count.pending);
        count.row = Some(now);
        Some(stands_for)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_row_a_minute_that_counts_the_others() {
        let (sparse, now) = (Sparse::default(), Instant::now());
        assert_eq!(sparse.due("kim", 1, now), Some(1));
        assert_eq!(sparse.due("kim", 1, now + Duration::from_secs(1)), None);
        assert_eq!(sparse.due("kim", 5, now + Duration::from_secs(59)), None);
        assert_eq!(sparse.due("lee", 3, now), Some(3));
        assert_eq!(sparse.due("kim", 1, now + INTERVAL), Some(7));
        assert_eq!(sparse.due("kim", 1, now + 2 * INTERVAL), Some(1));
    }

    #[test]
    fn all_keys_together_have_few_rows_and_few_counters() {
        let (sparse, now) = (Sparse::default(), Instant::now());
        let rows = (0..2 * KEYS).filter(|key| sparse.due(*key, 1, now).is_some()).count();
        assert_eq!(rows, ROWS as usize);
        assert_eq!(sparse.0.lock().unwrap().keys.len(), KEYS);
        assert_eq!(sparse.due(0, 1, now + INTERVAL), Some(1), "the next minute");
    }
}
