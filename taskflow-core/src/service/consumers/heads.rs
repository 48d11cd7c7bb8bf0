//! The heads of the events that may be pending, by asset.

use std::collections::{BTreeMap, HashSet};

use crate::journal::{EventHead, Journal};
use crate::ops::OpsError;
use crate::schedule::PendingEvent;

/// How many heads are read at once.
const BATCH: u32 = 10_000;

/// The heads of the assets that some DAGs consume.
#[derive(Debug, Default)]
pub(super) struct Heads {
    assets: BTreeMap<String, AssetHeads>,
    /// Events up to here were read.
    read: i64,
    /// The assets of events that were read, and whose consumers have yet to hear of them: the store
    /// can fail between two batches.
    fresh: HashSet<String>,
}

/// The events of an asset.
#[derive(Debug, Default)]
struct AssetHeads {
    /// Those after this number are all there.
    from: i64,
    events: Vec<PendingEvent>,
}

impl Heads {
    /// The heads of these assets, of which those after `from` are read.
    pub(super) fn after(assets: impl IntoIterator<Item = String>, from: i64) -> Self {
        let heads = |asset| (asset, AssetHeads { from, events: Vec::new() });
        Heads { assets: assets.into_iter().map(heads).collect(), read: from, fresh: HashSet::new() }
    }

    /// Reads the heads of new events. Returns their assets.
    pub(super) async fn read(&mut self, last_event: i64, journal: &Journal) -> Result<HashSet<String>, OpsError> {
        if self.read >= last_event {
            return Ok(std::mem::take(&mut self.fresh));
        }
        let assets: Vec<String> = self.assets.keys().cloned().collect();
        loop {
            let heads = journal.pending(&assets, self.read, BATCH).await?;
            let is_last = heads.len() < BATCH as usize;
            self.read = heads.last().map_or(self.read, |head| head.number);
            for EventHead { number, asset, emitted, .. } in heads {
                if let Some(heads) = self.assets.get_mut(&asset) {
                    heads.events.push(PendingEvent { number, at: emitted });
                    self.fresh.insert(asset);
                }
            }
            if is_last {
                break;
            }
        }
        self.read = self.read.max(last_event);
        Ok(std::mem::take(&mut self.fresh))
    }

    /// Reads again what was dropped after some cursors: their consumer was paused meanwhile, or its
    /// state was changed by hand.
    pub(super) async fn reach(&mut self, cursors: &BTreeMap<String, i64>, journal: &Journal) -> Result<(), OpsError> {
        for (asset, cursor) in cursors {
            if let Some(heads) = self.assets.get_mut(asset) {
                heads.reach(*cursor, asset, journal).await?;
            }
        }
        Ok(())
    }

    /// The heads of some assets, which are [returned](Heads::give_back) after use.
    pub(super) fn lend(&mut self, assets: &[String]) -> BTreeMap<String, Vec<PendingEvent>> {
        let mut lent = BTreeMap::new();
        for asset in assets {
            if let Some(heads) = self.assets.get_mut(asset) {
                lent.insert(asset.clone(), std::mem::take(&mut heads.events));
            }
        }
        lent
    }

    pub(super) fn give_back(&mut self, lent: BTreeMap<String, Vec<PendingEvent>>) {
        for (asset, events) in lent {
            if let Some(heads) = self.assets.get_mut(&asset) {
                heads.events = events;
            }
        }
    }

    /// Drops the heads up to the lowest of the cursors of each asset; all of them if it has none.
    pub(super) fn forget<'a>(&mut self, cursors: &(impl Iterator<Item = &'a BTreeMap<String, i64>> + Clone)) {
        for (asset, heads) in &mut self.assets {
            let lowest = cursors.clone().filter_map(|cursors| cursors.get(asset).copied()).min();
            let decided = lowest.unwrap_or(self.read);
            // A part is not worth moving the rest.
            let count = heads.events.partition_point(|event| event.number <= decided);
            if count == heads.events.len() || count > BATCH as usize {
                heads.events.drain(..count);
                heads.from = heads.from.max(decided);
            }
        }
    }
}

impl AssetHeads {
    async fn reach(&mut self, cursor: i64, asset: &str, journal: &Journal) -> Result<(), OpsError> {
        if cursor >= self.from {
            return Ok(());
        }
        let (mut after, until) = (cursor, self.from);
        let mut dropped = Vec::new();
        while after < until {
            let heads = journal.pending(&[asset.to_owned()], after, BATCH).await?;
            let Some(last) = heads.last() else { break };
            after = last.number;
            let heads = heads.into_iter().take_while(|head| head.number <= until);
            dropped.extend(heads.map(|head| PendingEvent { number: head.number, at: head.emitted }));
        }
        self.events.splice(0..0, dropped);
        self.from = cursor;
        Ok(())
    }
}
