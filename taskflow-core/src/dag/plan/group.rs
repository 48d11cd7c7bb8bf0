//! Groups of nodes.

use std::time::Duration;

/// A box around nodes.
#[derive(Debug)]
pub struct GroupPlan {
    /// Its full name: that of the box around it, a dot, and its own.
    pub id: String,
    /// The box around it.
    pub parent: Option<u32>,
    /// How many of its tasks may run at once.
    pub concurrency: Option<u32>,
    /// How often all of it may be tried again.
    pub retries: u32,
    /// The wait before that.
    pub retry_delay: Duration,
}
