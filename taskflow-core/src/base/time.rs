//! Points in time and calendar days, independent of the library underneath.
//!
//! The newtypes keep `jiff` out of the public API, so that a new major version of it is not one of
//! taskflow.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::failpoint;
use super::schema::Schema;

/// The bit that makes an `i64` a `u64` of the same order, by `xor`.
const SIGN: u64 = 1 << 63;

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z, from 1678 to 2261. Written as RFC 3339.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(
    /// The nanoseconds since the first representable point, counted from 1, so that an
    /// `Option<Timestamp>` needs no more memory: a run can have a million tasks.
    NonZeroU64,
);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Timestamp = Timestamp::from_nanos(0);
    /// The last representable point, for "never".
    pub const MAX: Timestamp = Timestamp::from_nanos(i64::MAX);

    /// The current time of the system clock.
    pub fn now() -> Self {
        let now = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => Timestamp::EPOCH + since,
            Err(before) => Timestamp::EPOCH - before.duration(),
        };
        Timestamp::from_nanos(now.as_nanos().saturating_add(failpoint::clock_offset()))
    }

    /// The point that lies `nanos` nanoseconds after the epoch. `i64::MIN` is taken for the point
    /// after it, the first one.
    pub const fn from_nanos(nanos: i64) -> Self {
        match NonZeroU64::new(nanos.cast_unsigned() ^ SIGN) {
            Some(point) => Timestamp(point),
            None => Timestamp(NonZeroU64::MIN),
        }
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> i64 {
        (self.0.get() ^ SIGN).cast_signed()
    }

    /// The time that passed since `earlier`; zero if `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos(self.as_nanos().saturating_sub(earlier.as_nanos()).max(0).unsigned_abs())
    }

    /// The nanoseconds that passed since `earlier`; zero if `earlier` is later.
    #[inline]
    pub(crate) const fn nanos_since(self, earlier: Timestamp) -> u64 {
        self.0.get().saturating_sub(earlier.0.get())
    }

    /// The point so many nanoseconds later; it wraps.
    #[inline]
    pub(crate) const fn plus_nanos(self, nanos: u64) -> Timestamp {
        match NonZeroU64::new(self.0.get().wrapping_add(nanos)) {
            Some(point) => Timestamp(point),
            None => Timestamp(NonZeroU64::MIN),
        }
    }

    /// The day in UTC.
    pub fn date(self) -> Date {
        Date(self.civil().date())
    }

    fn civil(self) -> jiff::civil::DateTime {
        self.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).datetime()
    }

    pub(crate) fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_nanosecond(i128::from(self.as_nanos()))
            .expect("the years 1678 to 2261 lie within jiff's range")
    }
}

impl Timestamp {
    /// `None` outside the years 1678 to 2261.
    pub(crate) fn from_jiff(timestamp: jiff::Timestamp) -> Option<Self> {
        i64::try_from(timestamp.as_nanosecond()).ok().map(Timestamp::from_nanos)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    /// Saturates at [`Timestamp::MAX`].
    fn add(self, duration: Duration) -> Timestamp {
        let nanos = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        Timestamp::from_nanos(self.as_nanos().saturating_add(nanos))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;
    /// Saturates at the first representable point.
    fn sub(self, duration: Duration) -> Timestamp {
        let nanos = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        Timestamp::from_nanos(self.as_nanos().saturating_sub(nanos))
    }
}

impl Default for Timestamp {
    /// [`Timestamp::EPOCH`].
    fn default() -> Self {
        Timestamp::EPOCH
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timestamp").field(&self.as_nanos()).finish()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_jiff(), f)
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    /// Parses RFC 3339 (`2026-01-31T06:00:00+09:00`) or a day, which means midnight UTC.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let error = || TimeError { text: text.to_owned(), expected: "a time such as 2026-01-31T06:00:00Z, or a day" };
        if let Ok(date) = text.parse::<Date>() {
            return Ok(date.midnight_utc());
        }
        let parsed: jiff::Timestamp = text.parse().map_err(|_| error())?;
        Timestamp::from_jiff(parsed).ok_or_else(error)
    }
}

/// A calendar day without a time zone. Written `2026-01-31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Date(jiff::civil::Date);

impl Date {
    pub(crate) fn from_jiff(date: jiff::civil::Date) -> Option<Self> {
        Date::new(date.year(), date.month(), date.day())
    }

    pub(crate) fn to_jiff(self) -> jiff::civil::Date {
        self.0
    }

    /// The day, if it exists in the calendar of the years 1678 to 2261.
    pub fn new(year: i16, month: i8, day: i8) -> Option<Self> {
        if !(1678..=2261).contains(&year) {
            return None;
        }
        jiff::civil::Date::new(year, month, day).ok().map(Date)
    }

    /// The year.
    pub fn year(self) -> i16 {
        self.0.year()
    }

    /// The month, 1 to 12.
    pub fn month(self) -> i8 {
        self.0.month()
    }

    /// The day of the month, 1 to 31.
    pub fn day(self) -> i8 {
        self.0.day()
    }

    /// The next day; the last representable day is its own successor.
    pub fn tomorrow(self) -> Self {
        self.0.tomorrow().ok().and_then(|day| Date::new(day.year(), day.month(), day.day())).unwrap_or(self)
    }

    /// The day before; the first representable day is its own predecessor.
    pub fn yesterday(self) -> Self {
        self.0.yesterday().ok().and_then(|day| Date::new(day.year(), day.month(), day.day())).unwrap_or(self)
    }

    /// 00:00:00 of this day in UTC.
    pub fn midnight_utc(self) -> Timestamp {
        let seconds = self.0.to_datetime(jiff::civil::Time::midnight());
        let zoned = jiff::tz::TimeZone::UTC.to_timestamp(seconds).expect("a civil day is within jiff's range");
        let nanos = i64::try_from(zoned.as_nanosecond()).expect("`Date` holds the years 1678 to 2261 only");
        Timestamp::from_nanos(nanos)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Date {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let error = || TimeError { text: text.to_owned(), expected: "a day such as 2026-01-31" };
        // jiff also accepts a date-time and drops the time; only a plain day is valid here.
        if text.len() != "2026-01-31".len() {
            return Err(error());
        }
        let day: jiff::civil::Date = text.parse().map_err(|_| error())?;
        Date::new(day.year(), day.month(), day.day()).ok_or_else(error)
    }
}

/// A half-open span of time, `start <= t < end`: the data interval of a scheduled run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
pub struct Interval {
    /// The first point inside.
    pub start: Timestamp,
    /// The first point after.
    pub end: Timestamp,
}

impl Interval {
    /// The day (in UTC) in which the interval starts.
    pub fn start_date(&self) -> Date {
        self.start.date()
    }

    /// The day (in UTC) in which the interval ends.
    pub fn end_date(&self) -> Date {
        self.end.date()
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.start, self.end)
    }
}

/// The error for a text that is not a valid time or day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct TimeError {
    text: String,
    expected: &'static str,
}

macro_rules! text_form {
    ($($type:ty),*) => {$(
        impl TryFrom<String> for $type {
            type Error = TimeError;
            fn try_from(text: String) -> Result<Self, TimeError> {
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

text_form!(Timestamp, Date);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_ordered_as_its_nanoseconds_and_none_of_it_needs_no_room() {
        let nanos = [i64::MIN + 1, -1_000_000_000, -1, 0, 1, 1_000_000_000, i64::MAX - 1, i64::MAX];
        let times = nanos.map(Timestamp::from_nanos);
        assert!(times.is_sorted_by(|one, other| one < other), "{times:?}");
        assert_eq!(times.map(Timestamp::as_nanos), nanos);
        assert_eq!(Timestamp::from_nanos(i64::MIN), times[0]);
        assert_eq!(times[3], Timestamp::EPOCH);
        assert_eq!(times[7], Timestamp::MAX);
        assert_eq!(size_of::<Option<Timestamp>>(), size_of::<i64>());
    }
}
