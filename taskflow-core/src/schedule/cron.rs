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

use std::ops::RangeInclusive;

use jiff::civil::Date;
use jiff::tz::Offset;

use super::cron_fields::{CronFields, days_in_month};
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

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;

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

    /// What the expression may not be meant to say: a step of minutes or hours that does not divide
    /// an hour or a day begins again with each of them.
    ///
    /// ```
    /// use taskflow::schedule::{Cron, Zone};
    ///
    /// let cron = Cron::parse("*/7 * * * *", Zone::UTC)?;
    /// let note = "`*/7` begins again with each hour: 4 minutes lie between its last minute, 56, and the next hour";
    /// assert_eq!(cron.note().as_deref(), Some(note));
    /// assert_eq!(Cron::parse("*/15 * * * *", Zone::UTC)?.note(), None);
    /// # Ok::<(), taskflow::schedule::CronError>(())
    /// ```
    pub fn note(&self) -> Option<String> {
        let fields = [("minute", "hour", 60_u32), ("hour", "day", 24)];
        let notes = self.text.split(' ').zip(fields).filter_map(|(field, (unit, whole, count))| {
            let step: u32 = field.strip_prefix("*/")?.parse().ok()?;
            let rest = count.checked_rem(step).filter(|rest| *rest > 0)?;
            let (last, s) = (count - rest, if rest == 1 { " lies" } else { "s lie" });
            Some(format!(
                "`{field}` begins again with each {whole}: {rest} {unit}{s} between its last {unit}, {last}, and the \
                 next {whole}"
            ))
        });
        let notes: Vec<String> = notes.collect();
        (!notes.is_empty()).then(|| notes.join("; "))
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
        // The minutes that begin after the moment, and those that begin with a new offset.
        let mut first = Local::of(moment, self.zone.offset(moment)).minute() + 1;
        loop {
            let offset = self.zone.offset(from);
            let transition = self.zone.transition_after(from);
            let found = self.minute_from(first).and_then(|minute| instant(minute * 60, offset));
            match (found, transition) {
                (Some(found), Some(transition)) if found >= transition => from = transition,
                (None, Some(transition)) => from = transition,
                (found, _) => return found,
            }
            let local = Local::of(from, self.zone.offset(from));
            first = local.minute() + i64::from(!local.begins_minute());
        }
    }

    fn clock_before(&self, moment: Timestamp) -> Option<Timestamp> {
        let mut until = moment;
        loop {
            let offset = self.zone.offset(until);
            let transition = self.zone.transition_at_or_before(until);
            let last = Local::of(until, offset).minute();
            let found = self.minute_up_to(last).and_then(|minute| instant(minute * 60, offset));
            match (found, transition) {
                (Some(found), Some(transition)) if found < transition => until = just_before(transition)?,
                (None, Some(transition)) => until = just_before(transition)?,
                (found, _) => return found,
            }
        }
    }

    fn calendar_after(&self, moment: Timestamp) -> Option<Timestamp> {
        // A gap over midnight moves a slot to the next day.
        let mut day = Local::of(moment, self.zone.offset(moment)).day() - 1;
        loop {
            day = self.day_from(day)?;
            if let Some(found) = self.occurrences_on(day).find_after(moment) {
                return Some(found);
            }
            day += 1;
        }
    }

    fn calendar_before(&self, moment: Timestamp) -> Option<Timestamp> {
        // The first pass of a fold over midnight belongs to the next day.
        let mut day = Local::of(moment, self.zone.offset(moment)).day() + 1;
        loop {
            day = self.day_up_to(day)?;
            if let Some(found) = self.occurrences_on(day).find_at_or_before(moment) {
                return Some(found);
            }
            day -= 1;
        }
    }

    /// The occurrences of a day that matches.
    fn occurrences_on(&self, day: i64) -> Occurrences<'_> {
        if self.zone.is_utc()
            && let Some(midnight) = instant(day * 86_400, Offset::UTC)
        {
            return Occurrences::Regular { fields: &self.fields, midnight };
        }
        let (year, month, day) = civil(day);
        let Ok(date) = Date::new(year as i16, month as i8, day as i8) else { return Occurrences::Listed(Vec::new()) };
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

    /// The first matching local minute from this one on.
    fn minute_from(&self, first: i64) -> Option<i64> {
        let (day, minute) = (first.div_euclid(DAY), first.rem_euclid(DAY));
        if self.matches(day)
            && let Some(minute) = minute_at_or_after(&self.fields, minute)
        {
            return Some(day * DAY + minute);
        }
        let day = self.day_from(day + 1)?;
        minute_at_or_after(&self.fields, 0).map(|minute| day * DAY + minute)
    }

    /// The last matching local minute up to this one.
    fn minute_up_to(&self, last: i64) -> Option<i64> {
        let (day, minute) = (last.div_euclid(DAY), last.rem_euclid(DAY));
        if self.matches(day)
            && let Some(minute) = minute_at_or_before(&self.fields, minute)
        {
            return Some(day * DAY + minute);
        }
        let day = self.day_up_to(day - 1)?;
        minute_at_or_before(&self.fields, DAY - 1).map(|minute| day * DAY + minute)
    }

    fn matches(&self, day: i64) -> bool {
        let (year, month, day) = civil(day);
        self.fields.days_of(year, month) >> day & 1 != 0
    }

    /// The first matching day from this one on.
    fn day_from(&self, from: i64) -> Option<i64> {
        let (mut year, mut month, day) = civil(from);
        // The day of the month, and the day before the first of the month.
        let (mut day, mut month_start) = (day, from - i64::from(day));
        while YEARS.contains(&year) {
            let days = self.fields.days_of(year, month) >> day;
            if days != 0 {
                return Some(month_start + i64::from(day + days.trailing_zeros()));
            }
            month_start += i64::from(days_in_month(year, month));
            (year, month, day) = if month == 12 { (year + 1, 1, 1) } else { (year, month + 1, 1) };
        }
        None
    }

    /// The last matching day up to this one.
    fn day_up_to(&self, until: i64) -> Option<i64> {
        let (mut year, mut month, day) = civil(until);
        let (mut day, mut month_start) = (day, until - i64::from(day));
        while YEARS.contains(&year) {
            let days = self.fields.days_of(year, month) << (63 - day);
            if days != 0 {
                return Some(month_start + i64::from(day - days.leading_zeros()));
            }
            (year, month) = if month == 1 { (year - 1, 12) } else { (year, month - 1) };
            day = days_in_month(year, month);
            month_start -= i64::from(day);
        }
        None
    }
}

/// A local time, in seconds since 1970-01-01T00:00 on the clocks of its zone.
#[derive(Clone, Copy)]
struct Local {
    seconds: i64,
    /// Whether it is between two seconds.
    has_fraction: bool,
}

impl Local {
    fn of(moment: Timestamp, offset: Offset) -> Self {
        let nanos = moment.as_nanos();
        Local {
            seconds: nanos.div_euclid(SECOND) + i64::from(offset.seconds()),
            has_fraction: nanos.rem_euclid(SECOND) != 0,
        }
    }

    /// The minute that it lies in, since 1970-01-01T00:00.
    fn minute(self) -> i64 {
        self.seconds.div_euclid(60)
    }

    fn begins_minute(self) -> bool {
        !self.has_fraction && self.seconds.rem_euclid(60) == 0
    }

    /// The day, since 1970-01-01.
    fn day(self) -> i64 {
        self.seconds.div_euclid(86_400)
    }
}

/// The instant of a local time, if a [`Timestamp`] can hold it.
fn instant(seconds: i64, offset: Offset) -> Option<Timestamp> {
    (seconds - i64::from(offset.seconds())).checked_mul(SECOND).map(Timestamp::from_nanos)
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

fn bits(set: u64) -> impl Iterator<Item = i8> {
    (0..64).filter(move |place| set >> place & 1 != 0)
}

fn just_before(moment: Timestamp) -> Option<Timestamp> {
    moment.as_nanos().checked_sub(1).map(Timestamp::from_nanos)
}

/// The years that a [`Timestamp`] can hold.
const YEARS: RangeInclusive<i32> = 1678..=2261;

/// The year, month and day of a day since 1970-01-01, in the Gregorian calendar. Years begin in
/// March here, so that a leap day is the last day of its year.
fn civil(day: i64) -> (i32, u32, u32) {
    const DAYS_OF_400_YEARS: i64 = 146_097;

    // From 0000-03-01.
    let day = day + 719_468;
    let (era, day) = (day.div_euclid(DAYS_OF_400_YEARS), day.rem_euclid(DAYS_OF_400_YEARS));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (next_year, month) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
    ((400 * era + year + next_year) as i32, month as u32, day as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_the_date_that_jiff_gives_it() {
        let epoch = jiff::civil::date(1970, 1, 1);
        for day in -110_000..110_000 {
            let date = epoch + jiff::Span::new().days(day);
            let expected =
                (i32::from(date.year()), date.month().unsigned_abs().into(), date.day().unsigned_abs().into());
            assert_eq!(civil(day), expected);
        }
    }
}
