//! The five fields of a cron expression as sets, and the calendar that decides which days match.
//!
//! This file depends on the standard library alone, because two crates compile it: the core, which
//! computes slots, and the macros (through a symbolic link), which report a wrong expression while
//! a program compiles. So both read an expression alike.
//!
//! # Syntax
//!
//! Minute, hour, day of the month, month and day of the week, each a list (`1,3`) of values, ranges
//! (`1-5`) and steps (`*/2`, `10-40/5`, `7/2`). Months and days of the week have names (`JAN`,
//! `MON`); 0 and 7 are Sunday. A day of the month may also be `L` (the last), `LW` (the last
//! weekday) or `15W` (the weekday nearest to the 15th, in the same month); a day of the week may
//! also be `FRI#2` (the second Friday) or `FRIL` (the last Friday). `?` means `*` in the two fields
//! of days.
//!
//! If both fields of days are restricted, a day that matches either of them matches, as in
//! [crontab(5)](https://man7.org/linux/man-pages/man5/crontab.5.html). A field that begins with `*`
//! counts as unrestricted here, so `0 0 */2 * MON` means the Mondays among the odd days.

/// What a cron expression selects.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CronFields {
    /// Bit `n` is minute `n`.
    minutes: u64,
    /// Bit `n` is hour `n`.
    hours: u64,
    months: u64,
    days: Days,
    /// The hour field is `*`: the expression follows the clock and not the calendar.
    every_hour: bool,
}

/// The two fields of days.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Days {
    /// Bit `n` is day `n` of the month.
    of_month: u64,
    /// `L`.
    last: bool,
    /// `LW`.
    last_weekday: bool,
    /// Bit `n` is `nW`.
    nearest_weekday: u64,
    /// Bit `n` is weekday `n`, from Sunday = 0.
    of_week: u64,
    /// Bit `7 * (k - 1) + n` is the `k`th weekday `n` of the month.
    nth_of_week: u64,
    /// Bit `n` is the last weekday `n` of the month.
    last_of_week: u64,
    month_unrestricted: bool,
    week_unrestricted: bool,
}

/// A field of an expression.
struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    /// The valid values, for messages.
    values: &'static str,
    /// The names of values, from `min`.
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", min: 0, max: 59, values: "0 to 59", names: &[] },
    Field { name: "hour", min: 0, max: 23, values: "0 to 23", names: &[] },
    Field {
        name: "day of the month",
        min: 1,
        max: 31,
        values: "1 to 31, `L` for the last, `15W` for the nearest weekday",
        names: &[],
    },
    Field {
        name: "month",
        min: 1,
        max: 12,
        values: "1 to 12 or JAN to DEC",
        names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    },
    Field {
        name: "day of the week",
        min: 0,
        max: 7,
        values: "0 to 7 (0 and 7 are Sunday) or SUN to SAT, `FRI#2`, `FRIL`",
        names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    },
];

const DAY_OF_MONTH: usize = 2;
const DAY_OF_WEEK: usize = 4;

impl CronFields {
    /// Parses an expression. The error is a message for its author.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let &[minutes, hours, of_month, months, of_week] = &fields[..] else {
            return Err(wrong_count(&fields));
        };
        let mut days = Days {
            month_unrestricted: unrestricted(of_month),
            week_unrestricted: unrestricted(of_week),
            ..Days::default()
        };
        for part in of_month.split(',') {
            days.add_of_month(part)?;
        }
        for part in of_week.split(',') {
            days.add_of_week(part)?;
        }
        let set = |text: &str, field: usize| {
            text.split(',').try_fold(0, |set, part| values(part, &FIELDS[field]).map(|more| set | more))
        };
        let cron = CronFields {
            minutes: set(minutes, 0)?,
            hours: set(hours, 1)?,
            months: set(months, 3)?,
            days,
            every_hour: hours == "*",
        };
        // The calendar of the weekdays repeats after 28 years.
        let mut dates = (2000..2028).flat_map(|year| (1..=12).map(move |month| (year, month)));
        if dates.any(|(year, month)| cron.days_of(year, month) != 0) {
            Ok(cron)
        } else {
            Err(format!("`{text}` never occurs: month `{months}` has no day `{of_month}`"))
        }
    }

    /// Whether the hour field is `*`.
    #[allow(dead_code, reason = "the macros only parse")]
    pub(crate) fn follows_clock(&self) -> bool {
        self.every_hour
    }

    /// The minutes of an hour that match: bit `n` is minute `n`.
    #[allow(dead_code, reason = "the macros only parse")]
    pub(crate) fn minutes(&self) -> u64 {
        self.minutes
    }

    /// The hours of a day that match: bit `n` is hour `n`.
    #[allow(dead_code, reason = "the macros only parse")]
    pub(crate) fn hours(&self) -> u64 {
        self.hours
    }

    /// The days of a month that match: bit `n` is day `n`.
    pub(crate) fn days_of(&self, year: i32, month: u32) -> u64 {
        if self.months & bit(month) == 0 { 0 } else { self.days.of(year, month) }
    }
}

/// A field that begins with `*` leaves the choice of days to the other one.
fn unrestricted(field: &str) -> bool {
    field.starts_with(['*', '?'])
}

impl Days {
    fn add_of_month(&mut self, part: &str) -> Result<(), String> {
        let field = &FIELDS[DAY_OF_MONTH];
        let upper = part.to_ascii_uppercase();
        match upper.strip_suffix('W') {
            _ if upper == "?" => self.of_month |= values("*", field)?,
            _ if upper == "L" => self.last = true,
            Some("L") => self.last_weekday = true,
            Some(day) => self.nearest_weekday |= bit(number(day, field).ok_or_else(|| invalid(part, field))?),
            None => self.of_month |= values(part, field)?,
        }
        Ok(())
    }

    fn add_of_week(&mut self, part: &str) -> Result<(), String> {
        let field = &FIELDS[DAY_OF_WEEK];
        let upper = part.to_ascii_uppercase();
        let weekday = |text: &str| number(text, field).map(|day| day % 7).ok_or_else(|| invalid(part, field));
        if upper == "?" {
            self.of_week |= values("*", field)? & WEEK;
        } else if let Some((day, nth)) = upper.split_once('#') {
            let nth: u32 = nth.parse().ok().filter(|nth| (1..=5).contains(nth)).ok_or_else(|| invalid(part, field))?;
            self.nth_of_week |= bit(7 * (nth - 1) + weekday(day)?);
        } else if let Some(day) = upper.strip_suffix('L') {
            self.last_of_week |= bit(weekday(day)?);
        } else {
            let days = values(part, field)?;
            // 7 is Sunday, too.
            self.of_week |= (days | days >> 7) & WEEK;
        }
        Ok(())
    }

    /// The days of a month that match, whichever month it is.
    fn of(&self, year: i32, month: u32) -> u64 {
        let last = days_in_month(year, month);
        let of_month = self.matching_days_of_month(year, month, last);
        let of_week = self.matching_days_of_week(year, month, last);
        // An unrestricted field may still have a step, as in `*/2`: then both must match.
        let either = !self.month_unrestricted && !self.week_unrestricted;
        if either { of_month | of_week } else { of_month & of_week }
    }

    fn matching_days_of_month(&self, year: i32, month: u32, last: u32) -> u64 {
        let mut days = self.of_month & all(1, last);
        if self.last {
            days |= bit(last);
        }
        if self.last_weekday {
            days |= bit(nearest_weekday(year, month, last, last));
        }
        for day in (1..=last).filter(|&day| self.nearest_weekday & bit(day) != 0) {
            days |= bit(nearest_weekday(year, month, day, last));
        }
        days
    }

    fn matching_days_of_week(&self, year: i32, month: u32, last: u32) -> u64 {
        /// The same day of five weeks.
        const WEEKLY: u64 = 1 << 28 | 1 << 21 | 1 << 14 | 1 << 7 | 1;

        if self.of_week == WEEK {
            return all(1, last);
        }
        let first = weekday(year, month, 1);
        let mut days = 0;
        for weekday in 0..7 {
            let first = 1 + (weekday + 7 - first) % 7;
            if self.of_week & bit(weekday) != 0 {
                days |= WEEKLY << first;
            }
            for nth in (0..5).filter(|nth| self.nth_of_week & bit(7 * nth + weekday) != 0) {
                days |= bit(first + 7 * nth);
            }
            if self.last_of_week & bit(weekday) != 0 {
                days |= bit(if first + 28 <= last { first + 28 } else { first + 21 });
            }
        }
        days & all(1, last)
    }
}

const WEEK: u64 = 0b111_1111;

fn bit(place: u32) -> u64 {
    1 << place
}

/// The bits from `first` to `last`, which is at most 59.
fn all(first: u32, last: u32) -> u64 {
    bit(last + 1) - bit(first)
}

/// The weekday nearest to a day within its month.
fn nearest_weekday(year: i32, month: u32, day: u32, last: u32) -> u32 {
    match weekday(year, month, day) {
        6 if day == 1 => 3,
        6 => day - 1,
        0 if day == last => day - 2,
        0 => day + 1,
        _ => day,
    }
}

/// The day of the week, from Sunday = 0, in the Gregorian calendar (Sakamoto's method).
fn weekday(year: i32, month: u32, day: u32) -> u32 {
    const SHIFTS: [i32; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
    let year = if month < 3 { year - 1 } else { year };
    let days = year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    (days + SHIFTS[month as usize - 1] + day as i32).rem_euclid(7) as u32
}

pub(crate) fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The values of a part of a list: a value, a range, or either with a step.
fn values(part: &str, field: &Field) -> Result<u64, String> {
    let invalid = || invalid(part, field);
    let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
    let single = || number(range, field).ok_or_else(invalid);
    // Sunday has two numbers, and a range must not contain it twice.
    let end = if field.max == 7 { 6 } else { field.max };
    let (first, last) = match range.split_once('-') {
        _ if range == "*" => (field.min, end),
        Some((first, last)) => (number(first, field).ok_or_else(invalid)?, number(last, field).ok_or_else(invalid)?),
        None if step.is_some() => (single()?, end),
        None => (single()?, single()?),
    };
    if first > last {
        let Field { min, .. } = *field;
        return Err(format!("the range `{range}` is reversed; write `{first}-{end},{min}-{last}`"));
    }
    let Some(step) = step else { return Ok(all(first, last)) };
    let step: u32 = step.parse().ok().filter(|&step| step > 0).ok_or_else(invalid)?;
    let span = last - first;
    if step > 1 && step > span {
        return Err(format!(
            "the step of `{part}` is too large: it selects only the first of the {} values of the {}; write at most {span}",
            span + 1,
            field.name
        ));
    }
    Ok((first..=last).step_by(step as usize).fold(0, |set, value| set | bit(value)))
}

/// A value of a field: a number or a name.
fn number(text: &str, field: &Field) -> Option<u32> {
    if let Some(place) = field.names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
        return Some(field.min + place as u32);
    }
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && (field.min..=field.max).contains(number))
}

fn invalid(part: &str, field: &Field) -> String {
    let Field { name, values, .. } = field;
    format!("`{part}` is not a valid {name}; write {values}, a list `1,3`, a range `1-5` or a step `*/2`")
}

fn wrong_count(fields: &[&str]) -> String {
    match fields.len() {
        6 => format!(
            "a schedule has five fields, but this one has six; without seconds, write `{}`",
            fields[1..].join(" ")
        ),
        0 => "the schedule is empty; write five fields, as in `0 6 * * *`, or a preset such as `@daily`".to_owned(),
        count => {
            let missing = FIELDS.get(count).map_or_else(String::new, |field| format!("; add the {}", field.name));
            format!(
                "a schedule has five fields (minute, hour, day of the month, month, day of the week), as in `0 6 * * *`; \
                 this one has {count}{missing}"
            )
        }
    }
}
