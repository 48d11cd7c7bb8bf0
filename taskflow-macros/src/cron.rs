//! Cron expressions: five fields, read by croner, with the checks that croner leaves out.

use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::date;
use jiff::tz::TimeZone;

/// A field of an expression.
struct Field {
    name: &'static str,
    min: u32,
    max: u32,
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", min: 0, max: 59 },
    Field { name: "hour", min: 0, max: 23 },
    Field { name: "day of the month", min: 1, max: 31 },
    Field { name: "month", min: 1, max: 12 },
    Field { name: "day of the week", min: 0, max: 6 },
];

/// What is wrong with an expression, if anything is.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    match fields.len() {
        5 => {}
        6 => {
            return Err(format!(
                "a schedule has five fields and this one has six; without the seconds it is `{}`",
                fields[1..].join(" ")
            ));
        }
        0 => {
            return Err(
                "the schedule is empty; write five fields, as in `0 6 * * *`, or a preset such as `@daily`".to_owned()
            );
        }
        count => {
            let missing = if count < 5 { format!("; the {} is missing", FIELDS[count].name) } else { String::new() };
            return Err(format!(
                "a schedule has five fields (minute, hour, day of the month, month, day of the week), as in `0 6 * * *`; \
                 this one has {count}{missing}"
            ));
        }
    }
    for (text, field) in fields.iter().zip(&FIELDS) {
        check_steps(text, field)?;
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let cron = parser.parse(text).map_err(|error| format!("`{text}` is not a cron expression: {error}"))?;
    // A date that never comes (30 February) is accepted by the parser and found out by looking for it once.
    let from = date(2024, 1, 1).to_zoned(TimeZone::UTC).map_err(|error| error.to_string())?;
    match cron.find_next_occurrence(&from, true) {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("no day in the calendar matches `{text}`: month {} has no day {}", fields[3], fields[2])),
    }
}

/// `*/90` in the minutes is accepted by croner and means every hour: a step must get past the first value.
fn check_steps(text: &str, field: &Field) -> Result<(), String> {
    for part in text.split(',') {
        let Some((range, step)) = part.split_once('/') else { continue };
        let Ok(step) = step.parse::<u32>() else { continue };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (field.min, field.max),
            Some((first, last)) => match (first.parse(), last.parse()) {
                (Ok(first), Ok(last)) => (first, last),
                // Names of months and days: croner knows them, and no step can be too large by mistake.
                _ => continue,
            },
            None => match range.parse() {
                Ok(first) => (first, field.max),
                Err(_) => continue,
            },
        };
        if step > 1 && first <= last && step > last - first {
            let name = field.name;
            let values = last - first + 1;
            return Err(format!(
                "the step of `{part}` never gets past the first of the {values} values of the field ({name}); \
                 use a step of at most {}",
                last - first
            ));
        }
    }
    Ok(())
}
