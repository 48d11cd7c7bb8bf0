//! Deadlines of runs.

use std::time::Duration;

use crate::base::Timestamp;

/// The time by which a run should end: Airflow's `DeadlineAlert`.
///
/// Missing it does not change the run: it is recorded in the history, and `on_deadline_missed` is
/// called. A run that is resumed after it ended, because tasks were cleared, has no deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Deadline {
    /// The time after the reference.
    pub after: Duration,
    /// The reference.
    pub reference: DeadlineReference,
}

/// The point in time that a deadline is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeadlineReference {
    /// The logical date of the run.
    LogicalDate,
    /// When the run was queued.
    Queued,
    /// When a process first started the run.
    Started,
}

impl Deadline {
    /// A deadline `after` the reference.
    pub const fn new(after: Duration, reference: DeadlineReference) -> Self {
        Deadline { after, reference }
    }

    /// The deadline of a run with these times.
    pub(crate) fn due(&self, logical_date: Timestamp, queued: Timestamp, started: Timestamp) -> Timestamp {
        let from = match self.reference {
            DeadlineReference::LogicalDate => logical_date,
            DeadlineReference::Queued => queued,
            DeadlineReference::Started => started,
        };
        from + self.after
    }
}
