//! A slot: a point in time at which a schedule is due.

use serde::{Deserialize, Serialize};

use crate::base::{Interval, Timestamp};

/// A point in time at which a schedule is due, with the span of time that its run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Slot {
    /// When the schedule is due. This is the logical date of the run.
    pub at: Timestamp,
    /// The data interval of the run, from the slot before to this one. `None` if the timetable has
    /// no period.
    pub interval: Option<Interval>,
}

impl Slot {
    /// A slot without a data interval.
    pub fn instant(at: Timestamp) -> Self {
        Slot { at, interval: None }
    }

    /// A slot whose data interval begins at the slot before it. The first slot of a timetable has
    /// the empty interval.
    pub fn ending_interval(at: Timestamp, previous: Option<Timestamp>) -> Self {
        Slot { at, interval: Some(Interval { start: previous.unwrap_or(at), end: at }) }
    }
}
