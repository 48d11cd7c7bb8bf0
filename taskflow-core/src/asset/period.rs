//! Periods of the calendar, whose parts are partitions of an asset.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::partition::{Day, Hour, Month, Partition, PartitionError, RunPartition, text_form};
use crate::base::{Date, Timestamp};
use crate::run::RunInfo;

/// A period that consists of partitions of an asset: a month of days.
///
/// [`Day`] consists of hours, [`Week`] and [`Month`] of days, [`Year`] of months. Other types can
/// implement this trait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a period",
    label = "not a period",
    note = "periods are `Day` (of hours), `Week` and `Month` (of days), `Year` (of months) and types that implement `Period`"
)]
pub trait Period: Partition {
    /// The partitions that it consists of.
    type Part: Partition;

    /// The period that a partition is a part of.
    fn containing(part: &Self::Part) -> Self;

    /// All its parts, in order.
    fn parts(&self) -> Vec<Self::Part>;
}

/// A week from Monday to Sunday: `2028-W05`. The partition of a run is the week of its
/// [day](RunInfo::day).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Week {
    monday: Date,
}

/// A year: `2028`. The partition of a run is the year of its [day](RunInfo::day).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Year(i16);

impl Week {
    /// The week that contains a day.
    pub fn of(day: Date) -> Self {
        let weekday = day.to_jiff().weekday().to_monday_zero_offset();
        let monday = (0..weekday).fold(day, |day, _| day.yesterday());
        Week { monday }
    }

    /// The first day.
    pub fn monday(self) -> Day {
        Day(self.monday)
    }

    /// The days of the week, in order.
    pub fn days(self) -> impl Iterator<Item = Day> {
        std::iter::successors(Some(self.monday), |day| Some(day.tomorrow())).take(7).map(Day)
    }
}

impl Year {
    /// The year, if it is one from 1678 to 2261.
    pub fn new(year: i16) -> Option<Self> {
        Date::new(year, 1, 1).map(|_| Year(year))
    }

    /// The number of the year.
    pub fn year(self) -> i16 {
        self.0
    }

    /// The months of the year, in order.
    pub fn months(self) -> impl Iterator<Item = Month> {
        (1..=12).filter_map(move |month| Month::new(self.0, month))
    }
}

impl Period for Day {
    type Part = Hour;

    fn containing(hour: &Hour) -> Self {
        hour.day()
    }

    fn parts(&self) -> Vec<Hour> {
        let midnight = self.date().midnight_utc().as_nanos();
        (0..24).map(|hour| Hour::of(Timestamp::from_nanos(midnight + hour * Hour::NANOS))).collect()
    }
}

impl Period for Week {
    type Part = Day;

    fn containing(day: &Day) -> Self {
        Week::of(day.date())
    }

    fn parts(&self) -> Vec<Day> {
        self.days().collect()
    }
}

impl Period for Month {
    type Part = Day;

    fn containing(day: &Day) -> Self {
        day.month()
    }

    fn parts(&self) -> Vec<Day> {
        self.days().collect()
    }
}

impl Period for Year {
    type Part = Month;

    fn containing(month: &Month) -> Self {
        Year(month.year())
    }

    fn parts(&self) -> Vec<Month> {
        self.months().collect()
    }
}

impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let week = self.monday.to_jiff().iso_week_date();
        write!(f, "{:04}-W{:02}", week.year(), week.week())
    }
}

impl fmt::Display for Year {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

impl FromStr for Week {
    type Err = PartitionError;

    fn from_str(text: &str) -> Result<Self, PartitionError> {
        let parsed = || {
            let (year, week) = text.split_once("-W")?;
            let are_digits =
                text.len() == "2028-W05".len() && format!("{year}{week}").bytes().all(|b| b.is_ascii_digit());
            let (year, week) = (year.parse().ok()?, week.parse().ok()?);
            let monday = jiff::civil::ISOWeekDate::new(year, week, jiff::civil::Weekday::Monday).ok()?;
            Date::from_jiff(monday.date()).filter(|_| are_digits).map(|monday| Week { monday })
        };
        parsed().ok_or_else(|| PartitionError::new(Some(text), "a week such as 2028-W05"))
    }
}

impl FromStr for Year {
    type Err = PartitionError;

    fn from_str(text: &str) -> Result<Self, PartitionError> {
        let year = text.parse().ok().filter(|_| text.len() == 4).and_then(Year::new);
        year.ok_or_else(|| PartitionError::new(Some(text), "a year such as 2028"))
    }
}

text_form! {
    Week, "week", "a week such as 2028-W05", |run| Week::of(run.day());
    Year, "year", "a year such as 2028", |run| Year(run.day().year());
}

/// The stored forms of the period and of the part that a partition is.
type PeriodOf = fn(Option<&str>) -> Result<(String, String), String>;

/// A period without its types, for the service: the stored forms of its parts.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct PeriodRules {
    /// The period and the part of a partition.
    pub(crate) of: PeriodOf,
    /// The parts of a period.
    pub(crate) parts: fn(&str) -> Result<Vec<String>, String>,
}

impl PeriodRules {
    pub(crate) fn of<P: Period>() -> Self {
        PeriodRules { of: period_of::<P>, parts: parts_of::<P> }
    }
}

fn period_of<P: Period>(partition: Option<&str>) -> Result<(String, String), String> {
    let part = P::Part::from_key(partition).map_err(|error| error.to_string())?;
    let key = P::containing(&part).key().ok_or("its period has no name")?;
    Ok((key, part.key().ok_or("it has no partition")?))
}

fn parts_of<P: Period>(period: &str) -> Result<Vec<String>, String> {
    let period = P::from_key(Some(period)).map_err(|error| error.to_string())?;
    period.parts().iter().map(|part| part.key().ok_or_else(|| "a part has no name".to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_consist_of_partitions() {
        let day: Day = "2028-02-29".parse().unwrap();
        let parts = |period: &str| parts_of::<Month>(period).unwrap();
        assert_eq!(parts("2028-02").len(), 29);
        assert_eq!(parts("2026-02").len(), 28);
        assert_eq!(period_of::<Month>(Some("2028-02-29")), Ok(("2028-02".to_owned(), "2028-02-29".to_owned())));
        assert_eq!(Week::containing(&day).to_string(), "2028-W09");
        assert_eq!(parts_of::<Week>("2028-W09").unwrap()[0], "2028-02-28");
        assert_eq!(Day::parts(&day).last().unwrap().to_string(), "2028-02-29T23Z");
        assert_eq!(Year::containing(&day.month()).parts().len(), 12);
    }

    /// Weeks belong to the year of their Thursday.
    #[test]
    fn a_week_is_read_back_from_its_key() {
        for (day, key) in [("2027-01-03", "2026-W53"), ("2024-12-30", "2025-W01"), ("2028-01-05", "2028-W01")] {
            let week = Week::of(day.parse().unwrap());
            assert_eq!((week.to_string(), key.parse()), (key.to_owned(), Ok(week)));
        }
        for text in ["2025-W53", "2025-W00", "2025-W1", "2025W01", "+025-W01"] {
            assert!(Week::from_key(Some(text)).is_err(), "{text}");
        }
        assert!(Year::from_key(Some("20")).is_err() && Year::from_key(Some("2028")) == Ok(Year(2028)));
    }
}
