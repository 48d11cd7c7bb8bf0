//! When a DAG runs: presets, time zones, the first and the last day. Cron expressions have their own module.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::cron;
use crate::errors::Errors;
use crate::option::{Scheduling, Sp, nearest};

/// What may stand in place of a cron expression: Airflow's presets.
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
        Some(preset) => format!("there is no preset `{text}`; did you mean `{preset}`?\nthe presets are {known}"),
        None => format!("there is no preset `{text}`\nthe presets are {known}"),
    })
}

pub(crate) fn check_timezone(name: &str) -> Result<(), String> {
    // The bundled database, not the machine's: what compiles here compiles everywhere.
    let database = TimeZoneDatabase::bundled();
    let known: Vec<String> = database.available().map(|zone| zone.as_str().to_owned()).collect();
    if known.iter().any(|zone| zone == name) {
        return Ok(());
    }
    let names = known.iter().map(String::as_str);
    let hint = match known.iter().find(|zone| zone.eq_ignore_ascii_case(name)) {
        Some(zone) => Some(zone.as_str()),
        // A city alone is the commonest slip, and far from its full name as letters go.
        None => names.clone().find(|zone| zone.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(name))),
    };
    let hint =
        hint.or_else(|| nearest(name, names)).map(|zone| format!("; did you mean `{zone}`?")).unwrap_or_default();
    let offset = if name.starts_with(['+', '-']) { "; an offset cannot follow summer time" } else { "" };
    Err(format!(
        "there is no time zone `{name}`{hint}{offset}\na time zone has an IANA name, such as `Asia/Seoul` or `UTC`"
    ))
}

/// The start or the end of a schedule.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    /// The midnight of a day in the time zone of the schedule.
    Day(Date),
    /// A point in time.
    Instant(Timestamp),
}

pub(crate) fn parse_bound(text: &str) -> Result<Bound, String> {
    let year = |year: i16| {
        let message = "the year must be between 1678 and 2261, the range of nanoseconds in 64 bits";
        (1678..=2261).contains(&year).then_some(()).ok_or_else(|| message.to_owned())
    };
    // jiff reads a date-time as a date too and drops its time.
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
            format!(
                "`{text}` lacks its offset; a time is written `2026-01-31T06:00:00+09:00` or `2026-01-31T06:00:00Z`"
            )
        }
        Some(Err(_)) if shaped => format!("there is no day {}", &text[..10]),
        _ => format!("`{text}` is neither a day (`2026-01-31`) nor an RFC 3339 time (`2026-01-31T06:00:00Z`)"),
    }
}

impl Bound {
    fn instant(self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Bound::Day(day) => day.to_zoned(zone.clone()).ok().map(|midnight| midnight.timestamp()),
            Bound::Instant(instant) => Some(instant),
        }
    }
}

/// The rules between the options of a schedule.
pub(crate) fn check_together(options: &Scheduling, schedule_written: bool, errors: &mut Errors) {
    let mut needs_schedule = |name: &str, option: Option<proc_macro2::Span>| {
        if let (false, Some(span)) = (schedule_written, option) {
            errors.at(span, format!("`{name}` says when a schedule applies, and this DAG has none; add `schedule = \"@daily\"` or remove `{name}`"));
        }
    };
    needs_schedule("start", options.start.as_ref().map(|start| start.span));
    needs_schedule("end", options.end.as_ref().map(|end| end.span));
    needs_schedule("catchup", options.catchup.as_ref().map(|catchup| catchup.span));
    needs_schedule("timezone", options.timezone.as_ref().map(|zone| zone.span));

    if let (Some(Sp { value: (start_text, start), .. }), Some(Sp { value: (end_text, end), span })) =
        (&options.start, &options.end)
    {
        let zone = options.timezone.as_ref().and_then(|zone| TimeZoneDatabase::bundled().get(&zone.value).ok());
        let zone = zone.unwrap_or(TimeZone::UTC);
        if let (Some(start), Some(end)) = (start.instant(&zone), end.instant(&zone))
            && end < start
        {
            errors.at(*span, format!("the end, {end_text}, lies before the start, {start_text}; exchange them"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_a_schedule() {
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
            ("+09:00", "summer time"),
        ];
        for (zone, hint) in hints {
            let message = check_timezone(zone).expect_err(zone);
            assert!(message.contains(hint), "{zone}: {message}");
        }
    }

    #[test]
    fn bounds_are_days_or_times_with_their_offset() {
        for text in ["2026-01-31", "2026-01-31T06:00:00Z", "2026-01-31T06:00:00+09:00", "1678-01-01", "2261-12-31"] {
            assert!(parse_bound(text).is_ok(), "{text}");
        }
        let rejected = [
            ("2026-02-30", "there is no day 2026-02-30"),
            ("2026-01-31T06:00:00", "lacks its offset"),
            ("31.01.2026", "neither a day"),
            ("tomorrow", "neither a day"),
            ("", "neither a day"),
            ("1066-10-14", "between 1678 and 2261"),
            ("9999-01-01T00:00:00Z", "between 1678 and 2261"),
        ];
        for (text, part) in rejected {
            let message = parse_bound(text).err().unwrap_or_default();
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}
