//! Cron expressions: five fields, read by croner, with the checks that croner leaves out.

use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::date;
use jiff::tz::TimeZone;

/// A field of an expression.
struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    /// What may be written in it.
    values: &'static str,
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", min: 0, max: 59, values: "0 to 59" },
    Field { name: "hour", min: 0, max: 23, values: "0 to 23" },
    Field {
        name: "day of the month",
        min: 1,
        max: 31,
        values: "1 to 31, `L` for the last, `15W` for the nearest weekday",
    },
    Field { name: "month", min: 1, max: 12, values: "1 to 12 or JAN to DEC" },
    Field {
        name: "day of the week",
        min: 0,
        max: 6,
        values: "0 to 7 (0 and 7 are Sunday) or SUN to SAT, `FRI#2`, `FRIL`",
    },
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
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    for (position, (text, field)) in fields.iter().zip(&FIELDS).enumerate() {
        check_ranges(text, field)?;
        // croner does not say in which field a mistake is, so each is read alone.
        let mut alone = ["*"; 5];
        alone[position] = text;
        if parser.parse(&alone.join(" ")).is_err() {
            let Field { name, values, .. } = field;
            return Err(format!(
                "`{text}` is no {name}: write {values}; also as a list `1,3`, a range `1-5` or with a step `*/2`"
            ));
        }
    }
    let cron = parser.parse(text).map_err(|error| format!("`{text}` is not a cron expression: {error}"))?;
    // A date that never comes (30 February) is accepted by the parser and found out by looking for it once.
    let from = date(2024, 1, 1).to_zoned(TimeZone::UTC).map_err(|error| error.to_string())?;
    match cron.find_next_occurrence(&from, true) {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("`{text}` never comes: there is no day `{}` in month `{}`", fields[2], fields[3])),
    }
}

/// What croner takes or refuses without a useful word: `*/90` in the minutes means every hour, `18-6` is out of bounds.
fn check_ranges(text: &str, field: &Field) -> Result<(), String> {
    let Field { name, min, max, .. } = *field;
    for part in text.split(',') {
        let (range, step) =
            part.split_once('/').map_or((part, None), |(range, step)| (range, step.parse::<u32>().ok()));
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (min, max),
            Some((first, last)) => match (first.parse(), last.parse()) {
                (Ok(first), Ok(last)) => (first, last),
                // Names of months and days, which croner knows.
                _ => continue,
            },
            None => match range.parse() {
                Ok(first) => (first, max),
                Err(_) => continue,
            },
        };
        if first > last && last >= min && first <= max {
            return Err(format!("the range `{range}` runs backwards; write `{first}-{max},{min}-{last}`"));
        }
        let span = last.saturating_sub(first);
        if let Some(step) = step
            && step > 1
            && step > span
        {
            return Err(format!(
                "the step of `{part}` never gets past the first of the {} values of the {name}; take at most {span}",
                span + 1
            ));
        }
    }
    Ok(())
}
