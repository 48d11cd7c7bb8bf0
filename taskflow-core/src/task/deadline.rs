//! Deadlines of slots, runs and tasks.

use std::fmt;
use std::time::Duration;

use crate::base::Timestamp;
use crate::schedule::{ClockTime, SlotDeadline, Zone};

/// The time by which a run should end, or a task should succeed: Airflow's `DeadlineAlert`.
///
/// Missing it changes neither the run nor the task: it is recorded, and `on_deadline_missed` is
/// called.
///
/// The deadline of a DAG that is counted from the slot or is a time of day belongs to the slot of
/// the schedule: see [`of_slot`](Deadline::of_slot). Manual runs, runs of events and runs of
/// backfills have no slot, and no such deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Deadline {
    /// The time after the reference; zero for a time of day.
    pub after: Duration,
    /// The reference.
    pub reference: DeadlineReference,
}

/// The point in time that a deadline is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeadlineReference {
    /// The logical date of the run. A run of a backfill has no such deadline.
    LogicalDate,
    /// When the run was queued.
    Queued,
    /// When a process first started the run.
    Started,
    /// The slot of the schedule.
    Slot,
    /// The first time after the slot at which clocks in the time zone of the DAG show this time of
    /// day: on the day of the slot, or on the next day if the slot is at that time or later.
    Clock(ClockTime),
}

/// When a run happens, as far as deadlines are concerned.
#[derive(Clone, Debug)]
pub(crate) struct DeadlineTimes<'a> {
    /// `None` for a run of a backfill.
    pub(crate) logical_date: Option<Timestamp>,
    /// `None` for a run without a slot.
    pub(crate) slot: Option<Timestamp>,
    pub(crate) queued: Timestamp,
    pub(crate) started: Timestamp,
    pub(crate) zone: &'a Zone,
}

impl Deadline {
    /// A deadline `after` the reference.
    pub const fn new(after: Duration, reference: DeadlineReference) -> Self {
        Deadline { after, reference }
    }

    /// A deadline at a time of day.
    pub const fn by(time: ClockTime) -> Self {
        Deadline { after: Duration::ZERO, reference: DeadlineReference::Clock(time) }
    }

    /// The deadline of a slot, if it is one: it counts whether or not the slot becomes a run.
    pub fn of_slot(self) -> Option<SlotDeadline> {
        match self.reference {
            DeadlineReference::Slot => Some(SlotDeadline::After(self.after)),
            DeadlineReference::Clock(time) => Some(SlotDeadline::By(time)),
            DeadlineReference::LogicalDate | DeadlineReference::Queued | DeadlineReference::Started => None,
        }
    }

    /// The deadline in a run with these times; `None` if the run has no such deadline.
    pub(crate) fn due(self, times: &DeadlineTimes<'_>) -> Option<Timestamp> {
        let from = match self.reference {
            DeadlineReference::LogicalDate => times.logical_date?,
            DeadlineReference::Queued => times.queued,
            DeadlineReference::Started => times.started,
            DeadlineReference::Slot => times.slot?,
            DeadlineReference::Clock(time) => return SlotDeadline::By(time).due(times.slot?, times.zone),
        };
        Some(from + self.after)
    }
}

/// As it is written: `by 09:00`, `2h after slot`.
impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reference = match self.reference {
            DeadlineReference::LogicalDate => "logical_date",
            DeadlineReference::Queued => "queued",
            DeadlineReference::Started => "start",
            DeadlineReference::Slot => "slot",
            DeadlineReference::Clock(time) => return write!(f, "by {time}"),
        };
        write!(f, "{} after {reference}", crate::base::units::duration(self.after))
    }
}
