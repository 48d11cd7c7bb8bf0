//! Deadlines of runs.

use std::time::Duration;

use crate::base::Timestamp;

/// The time by which a run is to be over: Airflow's `DeadlineAlert`.
///
/// Missing it changes nothing about the run: it is noted in its history, and `on_deadline_missed` is told. A run that has ended
/// and goes on later, because tasks of it were cleared, has no deadline any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Deadline {
    /// How long after it.
    pub after: Duration,
    /// After what.
    pub reference: DeadlineReference,
}

/// What a deadline is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeadlineReference {
    /// The logical date of the run.
    LogicalDate,
    /// When the run was asked for.
    Queued,
    /// When its first process took it.
    Started,
}

impl Deadline {
    /// So long after that.
    pub const fn new(after: Duration, reference: DeadlineReference) -> Self {
        Deadline { after, reference }
    }

    /// When it is, for a run with these times.
    pub(crate) fn due(&self, logical_date: Timestamp, queued: Timestamp, started: Timestamp) -> Timestamp {
        let from = match self.reference {
            DeadlineReference::LogicalDate => logical_date,
            DeadlineReference::Queued => queued,
            DeadlineReference::Started => started,
        };
        from + self.after
    }
}
