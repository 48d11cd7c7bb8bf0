//! Days on which a DAG is not due.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Date, Timestamp};
use crate::schedule::slot::Slot;
use crate::schedule::timetable::Timetable;
use crate::schedule::zone::Zone;

/// Knows the days on which a DAG is not due, such as the holidays of a country. A list of days is a
/// calendar.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a calendar",
    label = "not a calendar",
    note = "a calendar is a list of days, such as `[Date; 2]` or `Vec<Date>`, or a value whose type implements \
            `taskflow::schedule::Calendar`"
)]
pub trait Calendar: fmt::Debug + Send + Sync + 'static {
    /// Whether the day is an exception.
    fn contains(&self, day: Date) -> bool;

    /// The calendar in words, such as "holidays of Korea".
    fn describe(&self) -> String {
        format!("{self:?}")
    }
}

impl<const N: usize> Calendar for [Date; N] {
    fn contains(&self, day: Date) -> bool {
        self.as_slice().contains(&day)
    }

    fn describe(&self) -> String {
        days(self)
    }
}

impl Calendar for Vec<Date> {
    fn contains(&self, day: Date) -> bool {
        self.as_slice().contains(&day)
    }

    fn describe(&self) -> String {
        days(self)
    }
}

/// Some days in words.
fn days(days: &[Date]) -> String {
    match days {
        [] => "no day".to_owned(),
        [day] => day.to_string(),
        [first, second] => format!("{first} and {second}"),
        [first, ..] => format!("{first} and {} other days", days.len() - 1),
    }
}

/// Implements the trait for what points to a calendar.
macro_rules! pointer {
    ($($pointer:ty),*) => {$(
        #[diagnostic::do_not_recommend]
        impl<T: Calendar + ?Sized> Calendar for $pointer {
            fn contains(&self, day: Date) -> bool {
                (**self).contains(day)
            }

            fn describe(&self) -> String {
                (**self).describe()
            }
        }
    )*};
}

pointer!(&'static T, Arc<T>);

/// Where a slot on an exceptional day goes. The time of the day stays the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Shift {
    /// It is left out.
    #[default]
    Drop,
    /// To the next day that is no exception.
    NextDay,
    /// To the last day before that is no exception.
    PreviousDay,
}

impl Shift {
    /// The name that users write.
    pub const fn name(self) -> &'static str {
        match self {
            Shift::Drop => "drop",
            Shift::NextDay => "next_day",
            Shift::PreviousDay => "previous_day",
        }
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A timetable without the slots on the days of a calendar, or with these slots on other days.
///
/// Slots that fall together are one. If the slots of the timetable have data intervals, the
/// interval of a slot begins at the slot before it that was not left out.
#[derive(Debug)]
pub struct Exceptions<T, C> {
    timetable: T,
    calendar: C,
    shift: Shift,
    zone: Zone,
}

/// How many days in a row may be exceptions before the search ends. It ends as well after so many
/// days with slots and without one that is kept.
const MOST_DAYS: usize = 3_660;

impl<T: Timetable, C: Calendar> Exceptions<T, C> {
    /// The slots of a timetable but those on the days of a calendar, by the days of a zone.
    pub fn new(timetable: T, calendar: C, shift: Shift, zone: Zone) -> Self {
        Exceptions { timetable, calendar, shift, zone }
    }

    fn instant_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let mut day = self.zone.day_of(moment);
        for _ in 0..MOST_DAYS {
            let found = self.sources(day).filter_map(|source| self.first_on(day, source, moment)).min();
            if found.is_some() {
                return found;
            }
            day = self.next_day(day)?;
        }
        None
    }

    fn instant_before(&self, moment: Timestamp) -> Option<Timestamp> {
        let mut day = self.zone.day_of(moment);
        for _ in 0..MOST_DAYS {
            let found = self.sources(day).filter_map(|source| self.last_on(day, source, moment)).max();
            if found.is_some() {
                return found;
            }
            day = self.previous_day(day)?;
        }
        None
    }

    /// The days whose slots take place on a day: none if it is an exception.
    fn sources(&self, day: Date) -> impl Iterator<Item = Date> {
        let kept = !self.calendar.contains(day);
        let step: fn(Date) -> Date = if self.shift == Shift::NextDay { Date::yesterday } else { Date::tomorrow };
        let moved = kept && self.shift != Shift::Drop;
        let moved = std::iter::successors(moved.then(|| step(day)), move |&day| Some(step(day)));
        let moved = moved.take(MOST_DAYS).take_while(|&day| self.calendar.contains(day));
        kept.then_some(day).into_iter().chain(moved)
    }

    /// The first slot of `source` that takes place on `day` after `moment`.
    fn first_on(&self, day: Date, source: Date, moment: Timestamp) -> Option<Timestamp> {
        let start = just_before(self.zone.start_of(source)?);
        let mut from = if source == day { moment.max(start) } else { start };
        loop {
            let at = self.timetable.after(from).filter(|slot| self.zone.day_of(slot.at) == source)?.at;
            match self.placed(at, day) {
                Some(placed) if placed > moment => return Some(placed),
                _ => from = at,
            }
        }
    }

    /// The last slot of `source` that takes place on `day` at or before `moment`.
    fn last_on(&self, day: Date, source: Date, moment: Timestamp) -> Option<Timestamp> {
        let end = just_before(self.end_of(source));
        let mut until = if source == day { moment.min(end) } else { end };
        loop {
            let at = self.timetable.before(until).filter(|slot| self.zone.day_of(slot.at) == source)?.at;
            match self.placed(at, day) {
                Some(placed) if placed <= moment => return Some(placed),
                _ => until = just_before(at),
            }
        }
    }

    /// A slot, moved to a day.
    fn placed(&self, at: Timestamp, day: Date) -> Option<Timestamp> {
        let local = self.zone.local(at);
        if local.date() == day.to_jiff() {
            return Some(at);
        }
        self.zone.instant_of(day.to_jiff().to_datetime(local.time()))
    }

    /// The first day after `day` on which slots may take place.
    fn next_day(&self, day: Date) -> Option<Date> {
        // The slots of the exceptional days up to `day` take place after them.
        if self.shift == Shift::NextDay && self.calendar.contains(day) {
            return self.free(day, Date::tomorrow);
        }
        let slot = self.timetable.after(just_before(self.end_of(day)))?;
        let found = self.zone.day_of(slot.at);
        if !self.calendar.contains(found) {
            return Some(found);
        }
        match self.shift {
            Shift::Drop => Some(found),
            Shift::NextDay => self.free(found, Date::tomorrow),
            // Back to a day that was searched already means that these slots were, too.
            Shift::PreviousDay => self
                .free(found, Date::yesterday)
                .filter(|&free| free > day)
                .or_else(|| self.free(found, Date::tomorrow)),
        }
    }

    /// The last day before `day` on which slots may take place.
    fn previous_day(&self, day: Date) -> Option<Date> {
        // The slots of the exceptional days from `day` on take place before them.
        if self.shift == Shift::PreviousDay && self.calendar.contains(day) {
            return self.free(day, Date::yesterday);
        }
        let slot = self.timetable.before(just_before(self.zone.start_of(day)?))?;
        let found = self.zone.day_of(slot.at);
        if !self.calendar.contains(found) {
            return Some(found);
        }
        match self.shift {
            Shift::Drop => Some(found),
            Shift::PreviousDay => self.free(found, Date::yesterday),
            Shift::NextDay => self
                .free(found, Date::tomorrow)
                .filter(|&free| free < day)
                .or_else(|| self.free(found, Date::yesterday)),
        }
    }

    /// The first day from `day` on, in the direction of `step`, that is no exception.
    fn free(&self, day: Date, step: fn(Date) -> Date) -> Option<Date> {
        std::iter::successors(Some(day), |&day| Some(step(day)))
            .take(MOST_DAYS)
            .find(|&day| !self.calendar.contains(day))
    }

    /// The first point in time after a day.
    fn end_of(&self, day: Date) -> Timestamp {
        let next = std::iter::successors(Some(day.tomorrow()), |day| Some(day.tomorrow())).take(MOST_DAYS);
        // The zone may have skipped the next day.
        next.filter_map(|day| self.zone.start_of(day)).next().unwrap_or(Timestamp::MAX)
    }

    fn slot(&self, at: Timestamp) -> Slot {
        let has_interval = self.timetable.before(at).is_some_and(|slot| slot.interval.is_some());
        if has_interval { Slot::ending_interval(at, self.instant_before(just_before(at))) } else { Slot::instant(at) }
    }
}

fn just_before(moment: Timestamp) -> Timestamp {
    Timestamp::from_nanos(moment.as_nanos().saturating_sub(1))
}

impl<T: Timetable, C: Calendar> Timetable for Exceptions<T, C> {
    fn after(&self, moment: Timestamp) -> Option<Slot> {
        self.instant_after(moment).map(|at| self.slot(at))
    }

    fn before(&self, moment: Timestamp) -> Option<Slot> {
        self.instant_before(moment).map(|at| self.slot(at))
    }

    fn note(&self) -> Option<String> {
        self.timetable.note()
    }

    fn describe(&self) -> String {
        let shift = match self.shift {
            Shift::Drop => "except on",
            Shift::NextDay => "a day later on",
            Shift::PreviousDay => "a day earlier on",
        };
        format!("{}, {shift} {}", self.timetable.describe(), self.calendar.describe())
    }

    fn exception_on(&self, day: Date) -> Option<String> {
        let of_slots = |day: Date| {
            let start = just_before(self.zone.start_of(day)?);
            self.timetable.after(start).filter(|slot| self.zone.day_of(slot.at) == day)
        };
        if !self.calendar.contains(day) || of_slots(day).is_none() {
            return self.timetable.exception_on(day);
        }
        let what = match self.shift {
            Shift::Drop => "no slot".to_owned(),
            Shift::NextDay | Shift::PreviousDay => {
                let step: fn(Date) -> Date =
                    if self.shift == Shift::NextDay { Date::tomorrow } else { Date::yesterday };
                self.free(day, step).map_or("no slot".to_owned(), |free| format!("moved to {free}"))
            }
        };
        Some(format!("{what}: {}", self.calendar.describe()))
    }

    fn smallest_gap(&self, from: Timestamp) -> Option<Duration> {
        // Slots that move come closer to others.
        match self.shift {
            Shift::Drop => self.timetable.smallest_gap(from),
            Shift::NextDay | Shift::PreviousDay => None,
        }
    }

    fn fingerprint(&self) -> String {
        format!("{} {:?} {:?} {}", self.timetable.fingerprint(), self.shift, self.calendar, self.zone)
    }
}
