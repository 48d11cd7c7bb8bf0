//! The parts of an asset.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::period::{Week, Year};
use crate::base::{Date, Timestamp};
use crate::run::RunInfo;
use crate::value::Value;

/// A part of an asset, such as the day that its data is about.
///
/// [`Day`], [`Hour`], [`Month`], [`Week`], [`Year`] and `String` are partitions; `()` is that of an
/// asset without. Other types can implement this trait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a partition of an asset",
    label = "not a partition",
    note = "partitions are `Day`, `Hour`, `Month`, `Week`, `Year`, `String` and types that implement `Partition`"
)]
pub trait Partition: Value + Clone + Ord + fmt::Debug {
    /// The name of the type, such as `day`; `None` for an asset without partitions.
    const NAME: Option<&'static str>;

    /// The stored form: `2026-02-03` for a day.
    fn key(&self) -> Option<String>;

    /// The partition with this stored form.
    ///
    /// # Errors
    ///
    /// If it is not a valid one.
    fn from_key(key: Option<&str>) -> Result<Self, PartitionError>;
}

/// A partition that follows from the run: `#[task(produces = ..)]` works for assets with such
/// partitions.
#[diagnostic::on_unimplemented(
    message = "a run does not determine a partition of type `{Self}`",
    label = "`produces` cannot choose the partition",
    note = "`produces` works with assets without partitions, and with `Day`, `Hour`, `Month`, `Week` and `Year`",
    note = "emit the event in the task instead: `ctx.emit_partition(&ASSET, partition, value)?`"
)]
pub trait RunPartition: Partition {
    /// The partition that a run is about.
    fn of_run(run: &RunInfo) -> Self;
}

/// A text that is not a valid partition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} is not a valid partition: {expected} is expected",
    found.as_ref().map_or_else(|| "no partition".to_owned(), |found| format!("`{found}`"))
)]
pub struct PartitionError {
    found: Option<String>,
    expected: &'static str,
}

impl PartitionError {
    /// An error for this text, and what is expected instead, such as `a day such as 2026-02-03`.
    pub fn new(found: Option<&str>, expected: &'static str) -> Self {
        PartitionError { found: found.map(str::to_owned), expected }
    }
}

/// Checks the stored form of a partition. Only the partitions of this crate are known by name.
///
/// # Errors
///
/// If it is not a valid one.
pub(crate) fn check(name: Option<&str>, key: Option<&str>) -> Result<(), PartitionError> {
    match name {
        None => <()>::from_key(key),
        Some("day") => Day::from_key(key).map(drop),
        Some("hour") => Hour::from_key(key).map(drop),
        Some("month") => Month::from_key(key).map(drop),
        Some("week") => Week::from_key(key).map(drop),
        Some("year") => Year::from_key(key).map(drop),
        Some(_) => String::from_key(key).map(drop),
    }
}

impl Partition for () {
    const NAME: Option<&'static str> = None;

    fn key(&self) -> Option<String> {
        None
    }

    fn from_key(key: Option<&str>) -> Result<Self, PartitionError> {
        key.map_or(Ok(()), |key| Err(PartitionError::new(Some(key), "none")))
    }
}

impl RunPartition for () {
    fn of_run(_: &RunInfo) -> Self {}
}

impl Partition for String {
    const NAME: Option<&'static str> = Some("text");

    fn key(&self) -> Option<String> {
        Some(self.clone())
    }

    fn from_key(key: Option<&str>) -> Result<Self, PartitionError> {
        key.map(str::to_owned).ok_or_else(|| PartitionError::new(None, "a text"))
    }
}

/// A day: `2026-02-03`. The partition of a run is its [day](RunInfo::day), in the time zone of its
/// schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(pub Date);

/// An hour in UTC: `2026-02-03T14Z`. The partition of a run is the hour of its logical date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hour {
    day: Date,
    hour: u8,
}

/// A month: `2026-02`. The partition of a run is the month of its [day](RunInfo::day).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Month {
    year: i16,
    month: i8,
}

impl Day {
    /// The day as a date.
    pub fn date(self) -> Date {
        self.0
    }

    /// The month of the day.
    pub fn month(self) -> Month {
        Month { year: self.0.year(), month: self.0.month() }
    }
}

impl Hour {
    pub(super) const NANOS: i64 = 3_600_000_000_000;

    /// The hour that contains a point in time.
    pub fn of(moment: Timestamp) -> Self {
        let hour = moment.since(moment.date().midnight_utc()).as_secs() / 3600;
        Hour { day: moment.date(), hour: u8::try_from(hour).unwrap_or(23) }
    }

    /// When the hour begins.
    pub fn start(self) -> Timestamp {
        Timestamp::from_nanos(self.day.midnight_utc().as_nanos() + i64::from(self.hour) * Self::NANOS)
    }

    /// The day of the hour in UTC.
    pub fn day(self) -> Day {
        Day(self.day)
    }
}

impl Month {
    /// The month, if it exists in the calendar of the years 1678 to 2261.
    pub fn new(year: i16, month: i8) -> Option<Self> {
        Date::new(year, month, 1).map(|_| Month { year, month })
    }

    /// The year.
    pub fn year(self) -> i16 {
        self.year
    }

    /// The month of the year, 1 to 12.
    pub fn month(self) -> i8 {
        self.month
    }

    /// The days of the month, in order.
    pub fn days(self) -> impl Iterator<Item = Day> {
        let days = (1..=31).filter_map(move |day| Date::new(self.year, self.month, day));
        days.map(Day)
    }
}

impl From<Date> for Day {
    fn from(date: Date) -> Self {
        Day(date)
    }
}

impl From<Day> for Date {
    fn from(day: Day) -> Self {
        day.0
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for Hour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}T{:02}Z", self.day, self.hour)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Day {
    type Err = PartitionError;

    fn from_str(text: &str) -> Result<Self, PartitionError> {
        text.parse().map(Day).map_err(|_| PartitionError::new(Some(text), "a day such as 2026-02-03"))
    }
}

impl FromStr for Hour {
    type Err = PartitionError;

    fn from_str(text: &str) -> Result<Self, PartitionError> {
        let parsed = || {
            let (day, hour) = text.strip_suffix('Z')?.split_once('T')?;
            let is_hour = hour.len() == 2 && hour.bytes().all(|byte| byte.is_ascii_digit());
            let hour = hour.parse().ok().filter(|&hour: &u8| is_hour && hour < 24)?;
            Some(Hour { day: day.parse().ok()?, hour })
        };
        parsed().ok_or_else(|| PartitionError::new(Some(text), "an hour in UTC such as 2026-02-03T14Z"))
    }
}

impl FromStr for Month {
    type Err = PartitionError;

    fn from_str(text: &str) -> Result<Self, PartitionError> {
        let first = format!("{text}-01").parse::<Date>();
        let month = first.map(|day| Day(day).month());
        month.map_err(|_| PartitionError::new(Some(text), "a month such as 2026-02"))
    }
}

macro_rules! text_form {
    ($($type:ident, $name:literal, $expected:literal, $of_run:expr;)*) => {$(
        impl Partition for $type {
            const NAME: Option<&'static str> = Some($name);

            fn key(&self) -> Option<String> {
                Some(self.to_string())
            }

            fn from_key(key: Option<&str>) -> Result<Self, PartitionError> {
                key.ok_or_else(|| PartitionError::new(None, $expected))?.parse()
            }
        }

        impl RunPartition for $type {
            fn of_run(run: &RunInfo) -> Self {
                let of_run: fn(&RunInfo) -> Self = $of_run;
                of_run(run)
            }
        }

        impl TryFrom<String> for $type {
            type Error = PartitionError;

            fn try_from(text: String) -> Result<Self, PartitionError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.to_string()
            }
        }
    )*};
}

pub(super) use text_form;

text_form! {
    Day, "day", "a day such as 2026-02-03", |run| Day(run.day());
    Hour, "hour", "an hour in UTC such as 2026-02-03T14Z", |run| Hour::of(run.logical_date);
    Month, "month", "a month such as 2026-02", |run| Day(run.day()).month();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(partition: &impl Partition) -> String {
        partition.key().unwrap_or_default()
    }

    #[test]
    fn a_partition_is_read_back_from_its_key() {
        let at: Timestamp = "2026-02-28T23:30:00Z".parse().unwrap();
        let (day, hour) = (Day(at.date()), Hour::of(at));
        assert_eq!(
            (key(&day), key(&hour), key(&day.month())),
            ("2026-02-28".into(), "2026-02-28T23Z".into(), "2026-02".into())
        );
        assert_eq!(Day::from_key(Some("2026-02-28")), Ok(day));
        assert_eq!(Hour::from_key(Some("2026-02-28T23Z")), Ok(hour));
        assert_eq!(Month::from_key(Some("2026-02")), Ok(day.month()));
        assert_eq!(<()>::from_key(None), Ok(()));
        assert_eq!(String::from_key(Some("eu")), Ok("eu".to_owned()));
        assert_eq!(hour.start().to_string(), "2026-02-28T23:00:00Z");
    }

    #[test]
    fn what_is_not_a_partition_is_refused() {
        for text in ["2026-02-30", "2026-2-3", "", "2026-02-03T00:00:00Z"] {
            assert!(Day::from_key(Some(text)).is_err(), "{text}");
        }
        for text in ["2026-02-03T24Z", "2026-02-03T4Z", "2026-02-03T+4Z", "2026-02-03T04", "T04Z"] {
            assert!(Hour::from_key(Some(text)).is_err(), "{text}");
        }
        for text in ["2026-13", "2026", "2026-2", "2026-02-01"] {
            assert!(Month::from_key(Some(text)).is_err(), "{text}");
        }
        let none = Day::from_key(None).unwrap_err().to_string();
        assert_eq!(none, "no partition is not a valid partition: a day such as 2026-02-03 is expected");
        assert!(<()>::from_key(Some("x")).is_err());
    }

    #[test]
    fn february_of_a_leap_year_has_29_days() {
        assert_eq!(Month::new(2028, 2).unwrap().days().count(), 29);
        assert_eq!(Month::new(2026, 2).unwrap().days().count(), 28);
    }

    #[test]
    fn partitions_are_serialized_as_their_keys() {
        let day: Day = "2026-02-03".parse().unwrap();
        assert_eq!(serde_json::to_string(&day).unwrap(), "\"2026-02-03\"");
        assert_eq!(serde_json::from_str::<Day>("\"2026-02-03\"").unwrap(), day);
    }
}
