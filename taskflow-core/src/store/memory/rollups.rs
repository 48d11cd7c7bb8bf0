//! The rollups of runs.

use super::MemoryStore;
use crate::store::rollup_rows::RollupRow;
use crate::store::traits::{RollupStore, StoreFuture};

impl RollupStore for MemoryStore {
    fn last_segments<'a>(&'a self, runs: &'a [i64]) -> StoreFuture<'a, Vec<(i64, u32)>> {
        self.with(|data| {
            let last = |run: &i64| data.runs.get(run).map_or(0, |run| run.segments.len() as u32);
            runs.iter().map(|run| (*run, last(run))).collect()
        })
    }

    fn rollups<'a>(&'a self, runs: &'a [i64]) -> StoreFuture<'a, Vec<RollupRow>> {
        self.with(|data| {
            let found = runs.iter().filter_map(|run| data.rollups.get(run));
            found.map(|row| RollupRow { body: row.body.clone(), labels: Vec::new(), ..*row }).collect()
        })
    }

    fn rollup_with_labels(&self, run: i64) -> StoreFuture<'_, Option<RollupRow>> {
        self.with(|data| data.rollups.get(&run).cloned())
    }

    fn put_rollups<'a>(&'a self, rollups: &'a [RollupRow]) -> StoreFuture<'a, ()> {
        self.with(|data| {
            for row in rollups.iter().filter(|row| data.runs.contains_key(&row.run)).cloned() {
                data.rollups.insert(row.run, row);
            }
        })
    }
}
