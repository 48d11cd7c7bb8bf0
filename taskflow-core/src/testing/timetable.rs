//! Checks a timetable against the rules of its trait.

use std::ops::Range;

use crate::base::Timestamp;
use crate::schedule::{Slot, Timetable};

/// Checks the [rules](Timetable#rules) of a timetable for its slots in a range of time:
///
/// ```
/// # #[allow(clippy::test_attr_in_doctest)]
/// use taskflow::schedule::{Every, Zone};
///
/// let timetable = Every::parse("1d", Zone::named("Europe/Berlin")?)?;
/// let year = "2026-01-01".parse()?.."2027-01-01".parse()?;
/// assert_eq!(taskflow::testing::check_timetable(&timetable, year), 365);
/// # Ok::<(), taskflow::BoxError>(())
/// ```
///
/// Returns the number of slots.
///
/// # Panics
///
/// If a rule does not hold, with the slot where it does not.
#[track_caller]
pub fn check_timetable(timetable: &dyn Timetable, range: Range<Timestamp>) -> usize {
    let mut previous = timetable.before(before(range.start));
    let mut moment = before(range.start);
    let mut slots = 0;
    while let Some(slot) = timetable.after(moment).filter(|slot| slot.at < range.end) {
        assert!(slot.at > moment, "the slot after {moment} is {}, which is not later", slot.at);
        let at = timetable.before(slot.at);
        assert_eq!(at, Some(slot), "{} is a slot, and the last slot at or before it is another one", slot.at);
        let last = timetable.before(before(slot.at));
        assert_eq!(last, previous, "the last slot before {} is not the one that `after` returned", slot.at);
        if let Some(interval) = slot.interval {
            let start = previous.map_or(slot.at, |previous: Slot| previous.at);
            assert_eq!(interval.end, slot.at, "the interval {interval} of the slot {} does not end there", slot.at);
            assert_eq!(interval.start, start, "the interval {interval} does not begin at the slot before it");
        }
        previous = Some(slot);
        moment = slot.at;
        slots += 1;
    }
    slots
}

fn before(moment: Timestamp) -> Timestamp {
    Timestamp::from_nanos(moment.as_nanos().saturating_sub(1))
}
