//! A period: every 15 minutes, every 2 days.

use std::time::Duration;

use jiff::{Span, ToSpan};

use crate::base::{Date, Timestamp};
use crate::schedule::slot::Slot;
use crate::schedule::timetable::Timetable;
use crate::schedule::zone::Zone;

/// A slot every period.
///
/// Slots lie on a grid that does not depend on when the program started: periods of seconds,
/// minutes and hours are counted from 1970-01-01T00:00:00Z, so every 15 minutes means :00, :15, :30
/// and :45. Periods of days begin at midnight in the zone, counted from 1970-01-01, and periods of
/// weeks on a Monday. A day is a day of the calendar: it may have 23 or 25 hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Every {
    period: Period,
    offset: Duration,
    zone: Zone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Period {
    /// Nanoseconds.
    Fixed(i64),
    /// Days of the calendar, and the first day of the grid in days since 1970-01-01.
    Days { count: i64, first: i64 },
}

/// A text is not a period.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EveryError {
    /// It is not a whole number with a unit.
    #[error("`{text}` is not a period; write a whole number and a unit of s, m, h, d or w, such as `15m` or `1d`")]
    Syntax {
        /// The text.
        text: String,
    },
    /// It is shorter than a second or too long to be stored.
    #[error("a period must be from one second to 100 years long, and `{text}` is not")]
    Range {
        /// The text.
        text: String,
    },
    /// The offset is not shorter than the period.
    #[error("the offset {offset:?} is not shorter than the period `{text}`")]
    Offset {
        /// The period.
        text: String,
        /// The offset.
        offset: Duration,
    },
}

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;
/// 1970-01-01 was a Thursday.
const FIRST_MONDAY: i64 = 4;

impl Every {
    /// Parses a period such as `15m`, `1h` or `2d`. The zone matters for days and weeks.
    ///
    /// # Errors
    ///
    /// When the text is not a period, or the period is shorter than a second.
    pub fn parse(text: &str, zone: Zone) -> Result<Self, EveryError> {
        let text = text.trim();
        let syntax = || EveryError::Syntax { text: text.to_owned() };
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let count: i64 = text[..digits].parse().map_err(|_| syntax())?;
        let fixed = |unit: i64| count.checked_mul(unit).map(Period::Fixed);
        let period = match text[digits..].trim() {
            "ms" => fixed(1_000_000),
            "s" => fixed(SECOND),
            "m" => fixed(60 * SECOND),
            "h" => fixed(3_600 * SECOND),
            "d" => Some(Period::Days { count, first: 0 }),
            "w" => count.checked_mul(7).map(|count| Period::Days { count, first: FIRST_MONDAY }),
            _ => return Err(syntax()),
        };
        let range = match period {
            Some(Period::Fixed(nanos)) => (SECOND..=36_525 * DAY).contains(&nanos),
            Some(Period::Days { count, .. }) => (1..=36_525).contains(&count),
            None => false,
        };
        match period.filter(|_| range) {
            Some(period) => Ok(Every { period, offset: Duration::ZERO, zone }),
            None => Err(EveryError::Range { text: text.to_owned() }),
        }
    }

    /// Moves the grid: every 15 minutes with an offset of 5 minutes means :05, :20, :35 and :50.
    ///
    /// # Errors
    ///
    /// When the offset is not shorter than the period.
    pub fn offset(mut self, offset: Duration) -> Result<Self, EveryError> {
        if offset >= self.length() {
            return Err(EveryError::Offset { text: self.period_text(), offset });
        }
        self.offset = offset;
        Ok(self)
    }

    /// How long the period is, with days of 24 hours.
    pub(in crate::schedule) fn length(&self) -> Duration {
        let nanos = match self.period {
            Period::Fixed(nanos) => nanos,
            Period::Days { count, .. } => count * DAY,
        };
        Duration::from_nanos(nanos.unsigned_abs())
    }

    /// The period without an offset that has this fingerprint.
    pub(in crate::schedule) fn of_fingerprint(fingerprint: &str) -> Option<Self> {
        let words = fingerprint.strip_prefix("every ")?;
        let (period, zone) = match words.split_once(", ") {
            Some((period, zone)) => (period, Zone::named(zone).ok()?),
            None => (words, Zone::UTC),
        };
        let (count, unit) = period.split_once(' ').unwrap_or(("1", period));
        let unit = match unit.trim_end_matches('s') {
            "millisecond" => "ms",
            "second" => "s",
            "minute" => "m",
            "hour" => "h",
            "day" => "d",
            "week" => "w",
            _ => return None,
        };
        let every = Every::parse(&format!("{count}{unit}"), zone).ok()?;
        Some(every).filter(|every| every.describe() == fingerprint)
    }

    fn instant_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let base = moment - self.offset;
        match self.period {
            Period::Fixed(period) => {
                let steps = base.as_nanos().div_euclid(period) + 1;
                steps.checked_mul(period).map(|nanos| Timestamp::from_nanos(nanos) + self.offset)
            }
            Period::Days { count, first } => {
                let mut day = on_grid(self.zone.day_of(base), count, first);
                loop {
                    if let Some(at) = self.start_of(day)
                        && at > moment
                    {
                        return Some(at);
                    }
                    day = add_days(day, count)?;
                }
            }
        }
    }

    fn instant_before(&self, moment: Timestamp) -> Option<Timestamp> {
        let base = moment - self.offset;
        match self.period {
            Period::Fixed(period) => {
                let steps = base.as_nanos().div_euclid(period);
                steps.checked_mul(period).map(|nanos| Timestamp::from_nanos(nanos) + self.offset)
            }
            Period::Days { count, first } => {
                let mut day = on_grid(self.zone.day_of(moment).tomorrow(), count, first);
                loop {
                    if let Some(at) = self.start_of(day)
                        && at <= moment
                    {
                        return Some(at);
                    }
                    day = add_days(day, -count)?;
                }
            }
        }
    }

    /// The slot of a day of the grid: the offset is counted on the clock of the zone.
    fn start_of(&self, day: Date) -> Option<Timestamp> {
        let midnight = day.to_jiff().at(0, 0, 0, 0);
        let offset = Span::try_from(self.offset).ok()?;
        self.zone.instant_of(midnight.checked_add(offset).ok()?)
    }

    fn slot(&self, at: Timestamp) -> Slot {
        let before = at.as_nanos().checked_sub(1).map(Timestamp::from_nanos);
        Slot::ending_interval(at, before.and_then(|before| self.instant_before(before)))
    }

    fn period_text(&self) -> String {
        match self.period {
            Period::Days { count, first: 0 } => format!("{count}d"),
            Period::Days { count, .. } => format!("{}w", count / 7),
            Period::Fixed(nanos) => match nanos / SECOND {
                _ if nanos % SECOND != 0 => format!("{}ms", nanos / 1_000_000),
                seconds if seconds % 3_600 == 0 => format!("{}h", seconds / 3_600),
                seconds if seconds % 60 == 0 => format!("{}m", seconds / 60),
                seconds => format!("{seconds}s"),
            },
        }
    }
}

/// The last day of the grid at or before a day.
fn on_grid(day: Date, count: i64, first: i64) -> Date {
    let epoch = jiff::civil::date(1970, 1, 1);
    let days = i64::from((day.to_jiff() - epoch).get_days());
    add_days(day, -(days - first).rem_euclid(count)).unwrap_or(day)
}

fn add_days(day: Date, days: i64) -> Option<Date> {
    Date::from_jiff(day.to_jiff().checked_add(days.days()).ok()?)
}

impl Timetable for Every {
    fn after(&self, moment: Timestamp) -> Option<Slot> {
        self.instant_after(moment).map(|at| self.slot(at))
    }

    fn before(&self, moment: Timestamp) -> Option<Slot> {
        self.instant_before(moment).map(|at| self.slot(at))
    }

    fn describe(&self) -> String {
        let (count, unit) = match self.period {
            Period::Days { count, first: 0 } => (count, "day"),
            Period::Days { count, .. } => (count / 7, "week"),
            Period::Fixed(nanos) => match nanos / SECOND {
                _ if nanos % SECOND != 0 => (nanos / 1_000_000, "millisecond"),
                seconds if seconds % 3_600 == 0 => (seconds / 3_600, "hour"),
                seconds if seconds % 60 == 0 => (seconds / 60, "minute"),
                seconds => (seconds, "second"),
            },
        };
        let period = if count == 1 { format!("every {unit}") } else { format!("every {count} {unit}s") };
        let offset = if self.offset.is_zero() { String::new() } else { format!(", {:?} later", self.offset) };
        match self.period {
            Period::Days { .. } => format!("{period}{offset}, {}", self.zone),
            Period::Fixed(_) => period + &offset,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_of_a_period_says_what_its_slots_are() {
        let seoul = || Zone::named("Asia/Seoul").unwrap();
        for (period, zone) in [("1h", Zone::UTC), ("90s", Zone::UTC), ("1500ms", Zone::UTC), ("2w", seoul())] {
            let every = Every::parse(period, zone).unwrap();
            assert_eq!(Every::of_fingerprint(&every.fingerprint()), Some(every), "{period}");
        }
        let later = Every::parse("15m", Zone::UTC).unwrap().offset(Duration::from_secs(300)).unwrap();
        for other in [&*later.fingerprint(), "0 6 * * * UTC", "every tide", "every "] {
            assert_eq!(Every::of_fingerprint(other), None, "{other}");
        }
    }
}
