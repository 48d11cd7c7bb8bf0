//! What is stored of the course of runs: their entries, what is derived from them, their graphs.

use std::ops::Range;

use super::StoreFuture;
use crate::store::rollup_rows::RollupRow;
use crate::store::rows::SegmentRow;

/// How many segments a store returns at once, at least: more may follow these.
pub(crate) const SEGMENTS: u32 = 128;

/// The histories of runs.
pub(crate) trait SegmentStore: Send + Sync {
    /// The entries of a run from segment number `from`, without values: all, or at least the first
    /// [`SEGMENTS`] of them.
    fn segments(&self, run: i64, from: u32) -> StoreFuture<'_, Vec<SegmentRow>>;

    /// A range of the data of a segment; `None` if there is no such segment or it is shorter.
    fn data(&self, run: i64, segment: u32, range: Range<u32>) -> StoreFuture<'_, Option<Vec<u8>>>;
}

/// Rollups of runs: what is derived from their segments, so that a list of runs need not read them.
///
/// A rollup covers the segments up to a number, and is outdated once the run has more. It can be
/// made anew at any time, so one that is damaged or missing is no damage of the store.
pub(crate) trait RollupStore: Send + Sync {
    /// The number of the last segment of each of these runs; 0 for a run without segments.
    fn last_segments<'a>(&'a self, runs: &'a [i64]) -> StoreFuture<'a, Vec<(i64, u32)>>;

    /// The rollups of these runs, outdated ones included, without their labels. Leaves out those
    /// that are missing or damaged.
    fn rollups<'a>(&'a self, runs: &'a [i64]) -> StoreFuture<'a, Vec<RollupRow>>;

    /// The rollup of a run with its labels.
    fn rollup_with_labels(&self, run: i64) -> StoreFuture<'_, Option<RollupRow>>;

    /// Stores rollups in the place of those that were there. Does nothing for a run that does not
    /// exist.
    fn put_rollups<'a>(&'a self, rollups: &'a [RollupRow]) -> StoreFuture<'a, ()>;
}

/// Snapshots of graphs, by structural hash.
pub(crate) trait GraphStore: Send + Sync {
    /// Stores a snapshot unless it is there. [`Maintenance::delete`](super::Maintenance::delete)
    /// removes snapshots that no run refers to, possibly one whose run is about to be stored: put
    /// it again after the run to be sure.
    fn put_graph<'a>(&'a self, hash: &'a str, snapshot: &'a [u8]) -> StoreFuture<'a, ()>;

    /// The snapshot of a graph.
    fn graph<'a>(&'a self, hash: &'a str) -> StoreFuture<'a, Option<Vec<u8>>>;
}
