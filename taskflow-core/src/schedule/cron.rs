//! A cron expression in a time zone.
//!
//! # Daylight saving time
//!
//! An hour field of `*` means the clock: every instant whose local time matches. Any other hour
//! field means the calendar: each matching local time once a day, where a time that the zone skips
//! is the end of the gap, a time that it repeats is the first pass, times that fall together are
//! one, and a day that does not exist has none.
//!
//! So `*/30 * * * *` fires every half hour of real time, `30 2 * * *` fires once a day all year,
//! and `0 */2 * * *` keeps to the even hours.

use jiff::civil::{Date, DateTime};
use jiff::{Span, ToSpan};

use super::cron_fields::CronFields;
use super::describe;
use super::zone::Zone;
use crate::base::Timestamp;

/// A cron expression of five fields in a time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    text: String,
    fields: CronFields,
    zone: Zone,
}

/// A text is not a cron expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CronError {
    message: String,
}

const MINUTE: i64 = 60_000_000_000;

impl Cron {
    /// Parses an expression such as `30 6 * * MON-FRI`.
    ///
    /// # Errors
    ///
    /// When the text is not a cron expression, or has no occurrence (`0 0 30 2 *`).
    pub fn parse(text: &str, zone: Zone) -> Result<Self, CronError> {
        let fields = CronFields::parse(text).map_err(|message| CronError { message })?;
        Ok(Cron { text: text.split_whitespace().collect::<Vec<_>>().join(" "), fields, zone })
    }

    /// The expression.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The time zone.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The expression in words: "at 06:30 on weekdays".
    pub fn describe(&self) -> String {
        describe::cron(&self.text, &self.fields)
    }

    /// The first occurrence after a point in time.
    pub fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        if self.fields.follows_clock() { self.clock_after(moment) } else { self.calendar_after(moment) }
    }

    /// The last occurrence at or before a point in time.
    pub fn before(&self, moment: Timestamp) -> Option<Timestamp> {
        if self.fields.follows_clock() { self.clock_before(moment) } else { self.calendar_before(moment) }
    }

    /// Searches one stretch of a constant offset after the other.
    fn clock_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let mut from = moment;
        let mut inclusive = false;
        loop {
            let offset = self.zone.offset(from);
            let transition = self.zone.transition_after(from);
            let found = self
                .next_local(offset.to_datetime(from.to_jiff()), inclusive)
                .and_then(|local| Timestamp::from_jiff(offset.to_timestamp(local).ok()?));
            match (found, transition) {
                (Some(found), Some(transition)) if found >= transition => from = transition,
                (None, Some(transition)) => from = transition,
                (found, _) => return found,
            }
            inclusive = true;
        }
    }

    fn clock_before(&self, moment: Timestamp) -> Option<Timestamp> {
        let mut until = moment;
        loop {
            let offset = self.zone.offset(until);
            let transition = self.zone.transition_at_or_before(until);
            let found = self
                .previous_local(offset.to_datetime(until.to_jiff()))
                .and_then(|local| Timestamp::from_jiff(offset.to_timestamp(local).ok()?));
            match (found, transition) {
                (Some(found), Some(transition)) if found < transition => until = just_before(transition)?,
                (None, Some(transition)) => until = just_before(transition)?,
                (found, _) => return found,
            }
        }
    }

    fn calendar_after(&self, moment: Timestamp) -> Option<Timestamp> {
        // A gap over midnight moves a slot to the next day.
        let mut date = self.zone.local(moment).date().yesterday().ok()?;
        loop {
            date = self.next_date(date)?;
            if let Some(found) = self.occurrences_on(date).find_after(moment) {
                return Some(found);
            }
            date = date.tomorrow().ok()?;
        }
    }

    fn calendar_before(&self, moment: Timestamp) -> Option<Timestamp> {
        // The first pass of a fold over midnight belongs to the next day.
        let mut date = self.zone.local(moment).date().tomorrow().ok()?;
        loop {
            date = self.previous_date(date)?;
            if let Some(found) = self.occurrences_on(date).find_at_or_before(moment) {
                return Some(found);
            }
            date = date.yesterday().ok()?;
        }
    }

    /// The occurrences of a day that matches.
    fn occurrences_on(&self, date: Date) -> Occurrences<'_> {
        let midnight = date.at(0, 0, 0, 0);
        let start = self.zone.instant_of(midnight);
        // Almost all days have one offset, and need arithmetic only.
        if let Some(start) = start
            && self.zone.local(start) == midnight
            && self.zone.transition_after(start).is_none_or(|next| next.since(start).as_secs() >= 86_400)
        {
            return Occurrences::Regular { fields: &self.fields, midnight: start };
        }
        let hours = bits(self.fields.hours());
        let times = hours.flat_map(|hour| bits(self.fields.minutes()).map(move |minute| (hour, minute)));
        let instants = times.filter_map(|(hour, minute)| self.zone.instant_of(date.at(hour, minute, 0, 0)));
        let mut instants: Vec<Timestamp> = instants.collect();
        instants.sort_unstable();
        Occurrences::Listed(instants)
    }

    /// The first matching local minute after a local time, or at it.
    fn next_local(&self, local: DateTime, inclusive: bool) -> Option<DateTime> {
        let (date, time) = (local.date(), local.time());
        let whole = time.second() == 0 && time.subsec_nanosecond() == 0;
        let minute = i64::from(time.hour()) * 60 + i64::from(time.minute());
        let from = if inclusive && whole { minute } else { minute + 1 };
        if self.matches(date)
            && let Some(minute) = minute_at_or_after(&self.fields, from)
        {
            return Some(at_minute(date, minute));
        }
        let date = self.next_date(date.tomorrow().ok()?)?;
        minute_at_or_after(&self.fields, 0).map(|minute| at_minute(date, minute))
    }

    /// The last matching local minute at or before a local time.
    fn previous_local(&self, local: DateTime) -> Option<DateTime> {
        let (date, time) = (local.date(), local.time());
        let minute = i64::from(time.hour()) * 60 + i64::from(time.minute());
        if self.matches(date)
            && let Some(minute) = minute_at_or_before(&self.fields, minute)
        {
            return Some(at_minute(date, minute));
        }
        let date = self.previous_date(date.yesterday().ok()?)?;
        minute_at_or_before(&self.fields, DAY - 1).map(|minute| at_minute(date, minute))
    }

    fn matches(&self, date: Date) -> bool {
        self.days_of(date) >> date.day() & 1 != 0
    }

    fn days_of(&self, date: Date) -> u64 {
        self.fields.days_of(i32::from(date.year()), date.month().unsigned_abs().into())
    }

    /// The first matching date from this one on.
    fn next_date(&self, from: Date) -> Option<Date> {
        let mut date = from;
        while in_range(date) {
            let days = self.days_of(date) >> date.day();
            if days != 0 {
                return date.checked_add((days.trailing_zeros() as i64).days()).ok();
            }
            date = date.last_of_month().tomorrow().ok()?;
        }
        None
    }

    /// The last matching date up to this one.
    fn previous_date(&self, until: Date) -> Option<Date> {
        let mut date = until;
        while in_range(date) {
            let days = self.days_of(date) << (63 - date.day());
            if days != 0 {
                return date.checked_sub((i64::from(days.leading_zeros())).days()).ok();
            }
            date = date.first_of_month().yesterday().ok()?;
        }
        None
    }
}

/// The occurrences of one day, in ascending order.
enum Occurrences<'a> {
    /// The day has one offset.
    Regular { fields: &'a CronFields, midnight: Timestamp },
    /// The offset changes during the day.
    Listed(Vec<Timestamp>),
}

impl Occurrences<'_> {
    fn find_after(&self, moment: Timestamp) -> Option<Timestamp> {
        match self {
            Occurrences::Regular { fields, midnight } => {
                let from = (moment.as_nanos() - midnight.as_nanos()).div_euclid(MINUTE) + 1;
                minute_at_or_after(fields, from.max(0)).map(|minute| minutes_after(*midnight, minute))
            }
            Occurrences::Listed(instants) => instants.iter().copied().find(|&at| at > moment),
        }
    }

    fn find_at_or_before(&self, moment: Timestamp) -> Option<Timestamp> {
        match self {
            Occurrences::Regular { fields, midnight } => {
                let until = (moment.as_nanos() - midnight.as_nanos()).div_euclid(MINUTE);
                minute_at_or_before(fields, until.min(DAY - 1)).map(|minute| minutes_after(*midnight, minute))
            }
            Occurrences::Listed(instants) => instants.iter().rev().copied().find(|&at| at <= moment),
        }
    }
}

/// The minutes of a day.
const DAY: i64 = 24 * 60;

/// The first matching minute of a day, from a minute of the day on.
fn minute_at_or_after(fields: &CronFields, from: i64) -> Option<i64> {
    if from >= DAY {
        return None;
    }
    let (hour, minute) = (from / 60, from % 60);
    let hours = fields.hours() >> hour;
    let minutes = fields.minutes() >> minute;
    if hours & 1 != 0 && minutes != 0 {
        return Some(from + i64::from(minutes.trailing_zeros()));
    }
    let later = hours >> 1;
    (later != 0)
        .then(|| (hour + 1 + i64::from(later.trailing_zeros())) * 60 + i64::from(fields.minutes().trailing_zeros()))
}

/// The last matching minute of a day, up to a minute of the day.
fn minute_at_or_before(fields: &CronFields, until: i64) -> Option<i64> {
    if until < 0 {
        return None;
    }
    let last = |set: u64, place: i64| {
        let set = set & (u64::MAX >> (63 - place));
        (set != 0).then(|| 63 - i64::from(set.leading_zeros()))
    };
    let (hour, minute) = (until / 60, until % 60);
    if fields.hours() >> hour & 1 != 0
        && let Some(minute) = last(fields.minutes(), minute)
    {
        return Some(hour * 60 + minute);
    }
    let hour = if hour == 0 { None } else { last(fields.hours(), hour - 1) };
    Some(hour? * 60 + last(fields.minutes(), 59)?)
}

fn minutes_after(midnight: Timestamp, minute: i64) -> Timestamp {
    Timestamp::from_nanos(midnight.as_nanos() + minute * MINUTE)
}

fn at_minute(date: Date, minute: i64) -> DateTime {
    date.at(0, 0, 0, 0).saturating_add(Span::new().minutes(minute))
}

fn bits(set: u64) -> impl Iterator<Item = i8> {
    (0..64).filter(move |place| set >> place & 1 != 0)
}

fn just_before(moment: Timestamp) -> Option<Timestamp> {
    moment.as_nanos().checked_sub(1).map(Timestamp::from_nanos)
}

/// The years that a [`Timestamp`] can hold.
fn in_range(date: Date) -> bool {
    (1678..=2261).contains(&date.year())
}
