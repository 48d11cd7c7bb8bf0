//! How large the batches of the writer are, and how long the store takes for them.

use std::time::Duration;

use super::journal::Journal;
use crate::base::Histogram;

/// The batches that were stored since the journal was opened.
#[derive(Clone, Debug)]
pub(crate) struct Batches {
    /// How long the store took for each, in seconds.
    pub(crate) seconds: Histogram,
    /// How many entries each had.
    pub(crate) entries: Histogram,
}

impl Default for Batches {
    fn default() -> Self {
        Batches { seconds: Histogram::of_seconds(), entries: Histogram::of_counts() }
    }
}

impl Batches {
    pub(super) fn add(&mut self, entries: u64, took: Duration) {
        self.seconds.observe(took.as_secs_f64());
        self.entries.observe(entries as f64);
    }
}

impl Journal {
    /// The batches that this journal has stored.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the metrics of the server"))]
    pub(crate) fn batches(&self) -> Batches {
        self.inner.queue.batches()
    }
}
