//! The settings of a run.

use std::time::Duration;

use crate::base::Timestamp;
use crate::schedule::Zone;

/// The settings of a run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) fail_fast: bool,
    pub(crate) timeout: Option<Duration>,
    /// How long running attempts may take to stop after a halt.
    pub(crate) grace: Duration,
    /// Deadlines may be relative to it.
    pub(crate) logical_date: Timestamp,
    /// The slot of the schedule, if the run has one: deadlines may be relative to it.
    pub(crate) slot: Option<Timestamp>,
    /// Whether a backfill made the run: its slot and its logical date are in the past.
    pub(crate) is_backfill: bool,
    /// The time zone of the schedule, for deadlines at a time of day.
    pub(crate) zone: Zone,
    /// For the jitter of retries.
    pub(crate) seed: u64,
    /// Whether to keep events for observers.
    pub(crate) observed: bool,
    /// Whether to keep entries for a recorder.
    pub(crate) recorded: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            fail_fast: false,
            timeout: None,
            grace: Duration::from_secs(10),
            logical_date: Timestamp::EPOCH,
            slot: None,
            is_backfill: false,
            zone: Zone::UTC,
            seed: 0,
            observed: false,
            recorded: false,
        }
    }
}
