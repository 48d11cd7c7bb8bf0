//! Events of assets, whichever process has stored them.
//!
//! 1. When the server starts, the number of the last event is noted.
//! 2. Who asks for the metrics counts the events with higher numbers, at most [`AT_ONCE`] at a
//!    time: the rest is counted by whoever asks next.
//!
//! Events that are deleted before anybody asks are left out.

use super::{Metrics, labels};
use crate::journal::{Journal, JournalError};

/// The most events that one request counts.
const AT_ONCE: i64 = 100_000;

impl Metrics {
    /// Counts the events that were stored since somebody last asked.
    pub(super) async fn count_events(&self, journal: &Journal) -> Result<(), JournalError> {
        // Held meanwhile: two that ask at the same time must not count the same.
        let mut counted = self.inner.counted_event.lock().await;
        let last = journal.last_event().await?.min(*counted + AT_ONCE);
        if last <= *counted {
            return Ok(());
        }
        let counts = journal.count_events(*counted, last).await?;
        *counted = last;
        let mut series = self.series();
        for (asset, events) in counts {
            let asset = series.asset(&asset);
            series.count("taskflow_events_total", labels(&[("asset", &asset)]), events);
        }
        Ok(())
    }
}
