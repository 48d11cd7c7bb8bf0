//! The schedule of a DAG: presets, time zones, start and end. Cron expressions have a module of
//! their own.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::cron;
use crate::duration;
use crate::suggest::nearest;

/// Airflow's presets, which are valid in place of a cron expression.
const PRESETS: [&str; 9] =
    ["@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly", "@once", "@continuous", "@midnight"];

pub(crate) fn check_schedule(text: &str) -> Result<(), String> {
    if !text.trim_start().starts_with('@') {
        let preset = PRESETS.iter().find(|preset| preset[1..].eq_ignore_ascii_case(text.trim()));
        return match preset {
            Some(preset) => Err(format!("a preset starts with `@`: write `{preset}`")),
            None => cron::check(text),
        };
    }
    if PRESETS.contains(&text) {
        return Ok(());
    }
    let known = PRESETS.join(", ");
    Err(match nearest(text.trim(), PRESETS) {
        Some(preset) => format!("there is no preset `{text}`; did you mean `{preset}`?\nvalid presets: {known}"),
        None => format!("there is no preset `{text}`\nvalid presets: {known}"),
    })
}

/// Checks an expression in a list of several.
pub(crate) fn check_one_of_several(text: &str) -> Result<(), String> {
    if matches!(text.trim(), "@once" | "@continuous") {
        return Err(format!("`{}` cannot be one of several schedules; write it alone", text.trim()));
    }
    check_schedule(text)
}

/// Checks the period of `every("15m")`.
pub(crate) fn check_period(text: &str) -> Result<(), String> {
    seconds("a period", text).map(|_| ())
}

/// Checks the offset of `every("15m", offset = "5m")`, whose period is valid.
pub(crate) fn check_offset(offset: &str, period: &str) -> Result<(), String> {
    if seconds("an offset", offset)? >= seconds("a period", period)? {
        return Err(format!("the offset `{offset}` is not shorter than the period `{period}`"));
    }
    Ok(())
}

/// A whole number of seconds or of a longer unit, as the core parses it.
fn seconds(what: &str, text: &str) -> Result<Duration, String> {
    let length = duration::parse(text)?;
    let unit = text.trim().trim_start_matches(|c: char| c.is_ascii_digit());
    if !unit.trim_start().chars().all(char::is_alphabetic) {
        return Err(format!("{what} is a whole number with one unit, such as `90m`; this one is `{text}`"));
    }
    if length < Duration::from_secs(1) {
        return Err(format!("{what} must be at least one second long, and `{text}` is not"));
    }
    Ok(length)
}

pub(crate) fn check_timezone(name: &str) -> Result<(), String> {
    // The bundled database instead of the machine's, so that a program compiles on every machine or
    // on none.
    let database = TimeZoneDatabase::bundled();
    let known: Vec<String> = database.available().map(|zone| zone.as_str().to_owned()).collect();
    if known.iter().any(|zone| zone == name) {
        return Ok(());
    }
    let names = known.iter().map(String::as_str);
    let hint = match known.iter().find(|zone| zone.eq_ignore_ascii_case(name)) {
        Some(zone) => Some(zone.as_str()),
        // A city alone is the most common mistake, and too different from the full name for
        // `nearest`.
        None => names.clone().find(|zone| zone.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(name))),
    };
    let hint =
        hint.or_else(|| nearest(name, names)).map(|zone| format!("; did you mean `{zone}`?")).unwrap_or_default();
    let offset =
        if name.starts_with(['+', '-']) { "; a fixed offset does not follow daylight saving time" } else { "" };
    Err(format!("there is no time zone `{name}`{hint}{offset}\nwrite an IANA name, such as `Asia/Seoul` or `UTC`"))
}

/// The start or the end of a schedule.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    /// Midnight of a date, in the time zone of the schedule.
    Day(Date),
    Instant(Timestamp),
}

pub(crate) fn parse_bound(text: &str) -> Result<Bound, String> {
    let year = |year: i16| {
        let message = "the year must be between 1678 and 2261, because times are stored as 64-bit nanoseconds";
        (1678..=2261).contains(&year).then_some(()).ok_or_else(|| message.to_owned())
    };
    // By length, because jiff also parses a date-time as a date and drops its time.
    if text.len() == "2026-01-31".len() {
        let day: Date = text.parse().map_err(|_| not_a_bound(text))?;
        year(day.year())?;
        return Ok(Bound::Day(day));
    }
    let instant: Timestamp = text.parse().map_err(|_| not_a_bound(text))?;
    year(instant.to_zoned(TimeZone::UTC).year())?;
    Ok(Bound::Instant(instant))
}

fn not_a_bound(text: &str) -> String {
    let day = text.get(..10).map(str::parse::<Date>);
    let shaped = text.get(..10).is_some_and(|day| {
        day.chars().enumerate().all(|(place, c)| if matches!(place, 4 | 7) { c == '-' } else { c.is_ascii_digit() })
    });
    match day {
        Some(Ok(_)) if text.len() > 10 => {
            format!("`{text}` has no offset; write `2026-01-31T06:00:00+09:00` or `2026-01-31T06:00:00Z`")
        }
        Some(Err(_)) if shaped => format!("the date {} does not exist", &text[..10]),
        _ => format!("`{text}` is neither a date (`2026-01-31`) nor an RFC 3339 time (`2026-01-31T06:00:00Z`)"),
    }
}

impl Bound {
    /// Whether the bound is before `other`, where dates are in `zone`.
    pub(crate) fn is_before(self, other: Bound, zone: &TimeZone) -> bool {
        match (self.instant(zone), other.instant(zone)) {
            (Some(this), Some(other)) => this < other,
            _ => false,
        }
    }

    fn instant(self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Bound::Day(day) => day.to_zoned(zone.clone()).ok().map(|midnight| midnight.timestamp()),
            Bound::Instant(instant) => Some(instant),
        }
    }
}

/// The time zone of that name; UTC without a name, or for an unknown one.
pub(crate) fn time_zone(name: Option<&str>) -> TimeZone {
    name.and_then(|name| TimeZoneDatabase::bundled().get(name).ok()).unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_valid() {
        for preset in PRESETS {
            assert_eq!(check_schedule(preset), Ok(()));
        }
        assert!(check_schedule("daily").is_err_and(|message| message.contains("`@daily`")));
        assert!(check_schedule("@dialy").is_err_and(|message| message.contains("did you mean `@daily`")));
        assert_eq!(check_schedule("0 6 * * *"), Ok(()));
    }

    #[test]
    fn time_zones_come_from_the_bundled_database() {
        for zone in ["UTC", "Asia/Seoul", "America/Argentina/Buenos_Aires", "Etc/GMT-9"] {
            assert_eq!(check_timezone(zone), Ok(()), "{zone}");
        }
        let hints = [
            ("asia/seoul", "`Asia/Seoul`"),
            ("Seoul", "`Asia/Seoul`"),
            ("Europe/Berln", "`Europe/Berlin`"),
            ("New_York", "`America/New_York`"),
            ("+09:00", "daylight saving time"),
        ];
        for (zone, hint) in hints {
            let message = check_timezone(zone).expect_err(zone);
            assert!(message.contains(hint), "{zone}: {message}");
        }
    }

    #[test]
    fn bounds_are_dates_or_times_with_an_offset() {
        for text in ["2026-01-31", "2026-01-31T06:00:00Z", "2026-01-31T06:00:00+09:00", "1678-01-01", "2261-12-31"] {
            assert!(parse_bound(text).is_ok(), "{text}");
        }
        let rejected = [
            ("2026-02-30", "the date 2026-02-30 does not exist"),
            ("2026-01-31T06:00:00", "has no offset"),
            ("31.01.2026", "neither a date"),
            ("tomorrow", "neither a date"),
            ("", "neither a date"),
            ("1066-10-14", "between 1678 and 2261"),
            ("9999-01-01T00:00:00Z", "between 1678 and 2261"),
        ];
        for (text, part) in rejected {
            let message = parse_bound(text).err().unwrap_or_default();
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}
