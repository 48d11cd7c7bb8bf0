//! Groups of nodes.

use std::time::Duration;

use super::index::GroupIndex;
use super::plan::Plan;

/// A group of nodes.
#[derive(Debug)]
pub struct GroupPlan {
    /// Its full name: that of the group around it, a dot, and its own.
    pub id: String,
    /// The group around it.
    pub parent: Option<GroupIndex>,
    /// How many of its tasks may run at once.
    pub concurrency: Option<u32>,
    /// How often it may be retried as a whole.
    pub retries: u32,
    /// The delay before that.
    pub retry_delay: Duration,
}

impl Plan {
    /// The groups, outer ones before inner ones.
    pub fn groups(&self) -> &[GroupPlan] {
        self.groups.as_slice()
    }

    /// A group.
    pub fn group(&self, group: GroupIndex) -> &GroupPlan {
        &self.groups[group]
    }

    /// The indices of the groups.
    pub fn group_indices(&self) -> impl ExactSizeIterator<Item = GroupIndex> + DoubleEndedIterator + use<> {
        self.groups.indices()
    }
}
