//! Groups of nodes.

use std::time::Duration;

/// A group of nodes.
#[derive(Debug)]
pub struct GroupPlan {
    /// Its full name: that of the group around it, a dot, and its own.
    pub id: String,
    /// The group around it.
    pub parent: Option<u32>,
    /// How many of its tasks may run at once.
    pub concurrency: Option<u32>,
    /// How often it may be retried as a whole.
    pub retries: u32,
    /// The delay before that.
    pub retry_delay: Duration,
}
