//! Events that were sent to a run.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::Timestamp;

/// The last event of each key, numbered from 1.
pub(crate) type Events = Arc<HashMap<String, (u64, EventPayload)>>;

/// An event that was sent to a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventPayload {
    /// JSON.
    pub(crate) value: Arc<str>,
    /// The sender and the reason.
    pub(crate) by: Arc<str>,
    pub(crate) reason: Arc<str>,
    pub(crate) at: Timestamp,
}

/// The prefix of the key of an event for the end of another run; the id of that run follows.
pub(crate) const RUN_ENDED: &str = "run:";
