//! What the tests of schedules share.

use taskflow::Timestamp;
use taskflow::schedule::{Cron, Timetable, Zone};

#[track_caller]
pub(crate) fn utc(text: &str) -> Timestamp {
    text.parse().expect("a time in UTC")
}

#[track_caller]
pub(crate) fn cron(text: &str, zone: &str) -> Cron {
    Cron::parse(text, Zone::named(zone).expect("a known zone")).expect("a cron expression")
}

/// The slots in `from <= t < to`, in ascending order.
pub(crate) fn between(timetable: &dyn Timetable, from: &str, to: &str) -> Vec<Timestamp> {
    let (from, to) = (utc(from), utc(to));
    let first = timetable.after(Timestamp::from_nanos(from.as_nanos() - 1));
    std::iter::successors(first, |slot| timetable.after(slot.at))
        .map(|slot| slot.at)
        .take_while(|&at| at < to)
        .collect()
}
