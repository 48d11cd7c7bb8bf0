//! The settings of a run.

use std::time::Duration;

use crate::base::Timestamp;

/// The settings of a run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) fail_fast: bool,
    pub(crate) timeout: Option<Duration>,
    /// How long running attempts may take to stop after a halt.
    pub(crate) grace: Duration,
    /// The deadline may be relative to it.
    pub(crate) logical_date: Timestamp,
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
            seed: 0,
            observed: false,
            recorded: false,
        }
    }
}
