//! A point in time as people write it: a time, or a day of a time zone.

use std::str::FromStr;

use super::Zone;
use crate::base::{Date, Timestamp};

/// A point in time, or a day.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    Day(Date),
    Time(Timestamp),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(day) => Ok(Moment::Day(day)),
            Err(_) => text.parse::<Timestamp>().map(Moment::Time).map_err(|error| error.to_string()),
        }
    }
}

impl Moment {
    /// Reads both ends of an interval.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, for people.
    pub(crate) fn interval(text: &str) -> Result<(Self, Self), String> {
        let (from, to) = text
            .split_once('/')
            .ok_or("an interval is two times or days with `/` between them, such as 2026-01-30/2026-01-31")?;
        Ok((from.trim().parse()?, to.trim().parse()?))
    }

    /// The point in time. A day is its first one.
    ///
    /// # Errors
    ///
    /// When the time zone has no such day, for people.
    pub(crate) fn in_zone(self, zone: &Zone) -> Result<Timestamp, String> {
        match self {
            Moment::Time(time) => Ok(time),
            Moment::Day(day) => {
                zone.start_of(day).ok_or_else(|| format!("there is no {day} in the time zone {}", zone.name()))
            }
        }
    }
}
