//! The entries of runs in memory, and the graphs that they refer to.

use std::ops::Range;

use super::{MemoryStore, Run};
use crate::store::rows::SegmentRow;
use crate::store::traits::{GraphStore, SegmentStore, StoreFuture};

impl SegmentStore for MemoryStore {
    fn segments(&self, run: i64, from: u32) -> StoreFuture<'_, Vec<SegmentRow>> {
        #[cfg(test)]
        self.reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.with(|data| {
            let segments = data.runs.get(&run).map_or(&[][..], |run| &run.segments);
            let wanted = segments.iter().filter(|segment| segment.number >= from);
            wanted.map(|segment| SegmentRow { number: segment.number, events: segment.events.clone() }).collect()
        })
    }

    fn data(&self, run: i64, segment: u32, range: Range<u32>) -> StoreFuture<'_, Option<Vec<u8>>> {
        self.with(|data| data.runs.get(&run)?.data(segment, range))
    }
}

impl GraphStore for MemoryStore {
    fn put_graph<'a>(&'a self, hash: &'a str, snapshot: &'a [u8]) -> StoreFuture<'a, ()> {
        self.with(|data| {
            data.graphs.entry(hash.to_owned()).or_insert_with(|| snapshot.to_vec());
        })
    }

    fn graph<'a>(&'a self, hash: &'a str) -> StoreFuture<'a, Option<Vec<u8>>> {
        self.with(|data| data.graphs.get(hash).cloned())
    }
}

impl Run {
    fn data(&self, segment: u32, range: Range<u32>) -> Option<Vec<u8>> {
        let segment = self.segments.get(usize::try_from(segment.checked_sub(1)?).ok()?)?;
        Some(segment.data.get(range.start as usize..range.end as usize)?.to_vec())
    }
}
