//! The heads of events that may be pending.

use crate::journal::Journal;
use crate::ops::OpsError;
use crate::schedule::PendingEvent;

/// How many heads are read at once.
pub(super) const BATCH: u32 = 10_000;

/// The events of an asset.
#[derive(Debug, Default)]
pub(super) struct Heads {
    /// Those after this number are all there.
    pub(super) from: i64,
    pub(super) events: Vec<PendingEvent>,
}

impl Heads {
    pub(super) fn after(from: i64) -> Self {
        Heads { from, events: Vec::new() }
    }

    /// Reads again what was dropped after a cursor: the consumer was paused meanwhile, or its state
    /// was changed by hand.
    pub(super) async fn reach(&mut self, cursor: i64, asset: &str, journal: &Journal) -> Result<(), OpsError> {
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
