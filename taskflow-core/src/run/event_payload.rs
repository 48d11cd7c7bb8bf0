//! Events from outside that a run has received.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::Timestamp;

/// The last event with each key that a run was told, numbered from 1.
pub(crate) type Events = Arc<HashMap<String, (u64, EventPayload)>>;

/// An event that a run was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventPayload {
    /// JSON.
    pub(crate) value: Arc<str>,
    /// Who said so, and why.
    pub(crate) by: Arc<str>,
    pub(crate) reason: Arc<str>,
    pub(crate) at: Timestamp,
}

/// What the key of an event begins with that says that another run has ended; the rest is its id.
pub(crate) const RUN_ENDED: &str = "run:";
