//! An explicit list of slots.

use crate::base::Timestamp;
use crate::schedule::slot::Slot;
use crate::schedule::timetable::Timetable;

/// An explicit list of slots. They have no data interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dates(Vec<Timestamp>);

impl Dates {
    /// The slots, in any order; slots at the same time are one.
    pub fn new(dates: impl IntoIterator<Item = Timestamp>) -> Self {
        let mut dates: Vec<Timestamp> = dates.into_iter().collect();
        dates.sort_unstable();
        dates.dedup();
        Dates(dates)
    }
}

impl Timetable for Dates {
    fn after(&self, moment: Timestamp) -> Option<Slot> {
        let next = self.0.partition_point(|&at| at <= moment);
        self.0.get(next).copied().map(Slot::instant)
    }

    fn before(&self, moment: Timestamp) -> Option<Slot> {
        let next = self.0.partition_point(|&at| at <= moment);
        self.0[..next].last().copied().map(Slot::instant)
    }

    fn describe(&self) -> String {
        match &self.0[..] {
            [] => "never".to_owned(),
            [only] => format!("at {only}"),
            [first, .., last] => format!("at {} dates from {first} to {last}", self.0.len()),
        }
    }

    fn fingerprint(&self) -> String {
        self.0.iter().map(Timestamp::to_string).collect::<Vec<_>>().join(" ")
    }
}
