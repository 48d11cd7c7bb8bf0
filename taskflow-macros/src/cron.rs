//! Cron expressions of five fields. croner parses them; this module adds the checks that croner
//! lacks.

use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::date;
use jiff::tz::TimeZone;

/// A field of an expression.
struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    /// The valid values, for messages.
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

/// Checks an expression. The error is a message.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    match fields.len() {
        5 => {}
        6 => {
            return Err(format!(
                "a schedule has five fields, but this one has six; without seconds, write `{}`",
                fields[1..].join(" ")
            ));
        }
        0 => {
            return Err(
                "the schedule is empty; write five fields, as in `0 6 * * *`, or a preset such as `@daily`".to_owned()
            );
        }
        count => {
            let missing = if count < 5 { format!("; add the {}", FIELDS[count].name) } else { String::new() };
            return Err(format!(
                "a schedule has five fields (minute, hour, day of the month, month, day of the week), as in `0 6 * * *`; \
                 this one has {count}{missing}"
            ));
        }
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    for (position, (text, field)) in fields.iter().zip(&FIELDS).enumerate() {
        check_ranges(text, field)?;
        // croner does not report which field is wrong, so parse each one separately.
        let mut alone = ["*"; 5];
        alone[position] = text;
        if parser.parse(&alone.join(" ")).is_err() {
            let Field { name, values, .. } = field;
            return Err(format!(
                "`{text}` is not a valid {name}; write {values}, a list `1,3`, a range `1-5` or a step `*/2`"
            ));
        }
    }
    let cron = parser.parse(text).map_err(|error| format!("`{text}` is not a valid cron expression: {error}"))?;
    // croner accepts dates that do not exist, such as 30 February, but finds no occurrence of them.
    let from = date(2024, 1, 1).to_zoned(TimeZone::UTC).map_err(|error| error.to_string())?;
    match cron.find_next_occurrence(&from, true) {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("`{text}` never occurs: month `{}` has no day `{}`", fields[3], fields[2])),
    }
}

/// Rejects what croner accepts with a surprising meaning (`*/90` minutes run hourly) or rejects
/// without a useful message (`18-6`).
fn check_ranges(text: &str, field: &Field) -> Result<(), String> {
    let Field { name, min, max, .. } = *field;
    for part in text.split(',') {
        let (range, step) =
            part.split_once('/').map_or((part, None), |(range, step)| (range, step.parse::<u32>().ok()));
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (min, max),
            Some((first, last)) => match (first.parse(), last.parse()) {
                (Ok(first), Ok(last)) => (first, last),
                // Names of months and days, which croner checks.
                _ => continue,
            },
            None => match range.parse() {
                Ok(first) => (first, max),
                Err(_) => continue,
            },
        };
        if first > last && last >= min && first <= max {
            return Err(format!("the range `{range}` is reversed; write `{first}-{max},{min}-{last}`"));
        }
        let span = last.saturating_sub(first);
        if let Some(step) = step
            && step > 1
            && step > span
        {
            return Err(format!(
                "the step of `{part}` is too large: it selects only the first of the {} values of the {name}; write at most \
                 {span}",
                span + 1
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn common_expressions_are_accepted() {
        let accepted = [
            "* * * * *",
            "0 6 * * *",
            "*/15 6-18 * * MON-FRI",
            "0,30 9-17/2 1,15 1-12/3 *",
            "0 0 29 2 *",
            "0 0 L * *",
            "0 0 15W * *",
            "0 0 * * FRI#2",
            "0 0 * * 7",
            "0 0 13 * 5",
            "5 4 * jan,jul sun",
            "*/59 * * * *",
            "10-40/30 * * * *",
            "0  6\t* * *",
        ];
        for text in accepted {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn mistakes_are_explained() {
        let rejected = [
            ("", "empty"),
            ("* * * *", "add the day of the week"),
            ("0 0 6 * * *", "without seconds, write `0 6 * * *`"),
            ("0 0 6 * * * 2026", "this one has 7"),
            ("*/90 * * * *", "write at most 59"),
            ("*/60 * * * *", "write at most 59"),
            ("0 */24 * * *", "write at most 23"),
            ("0 0 */31 * *", "write at most 30"),
            ("10-20/15 * * * *", "the 11 values of the minute"),
            ("50/15 * * * *", "the 10 values"),
            ("0 22-6 * * *", "write `22-23,0-6`"),
            ("60 * * * *", "`60` is not a valid minute"),
            ("0 24 * * *", "`24` is not a valid hour"),
            ("0 0 0 * *", "`0` is not a valid day of the month"),
            ("0 0 * 13 *", "`13` is not a valid month"),
            ("0 0 * * 8", "`8` is not a valid day of the week"),
            ("0 0 * * MONDAY", "MON"),
            ("x * * * *", "`x` is not a valid minute"),
            ("*/0 * * * *", "`*/0` is not a valid minute"),
            ("0 0 30 2 *", "month `2` has no day `30`"),
            ("0 0 31 4,6,9,11 *", "month `4,6,9,11` has no day `31`"),
        ];
        for (text, part) in rejected {
            let message = check(text).expect_err(text);
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    proptest! {
        /// An accepted expression has a next occurrence, and croner accepts it unchanged.
        #[test]
        fn accepted_expressions_occur(text in "[*0-9]{1,2}(/[0-9]{1,2})? [*0-9]{1,2} [*0-9]{1,2} [*0-9]{1,2} [*0-7]") {
            if check(&text).is_ok() {
                let cron: croner::Cron = text.parse().expect("checked");
                let from = date(2026, 1, 1).to_zoned(TimeZone::UTC).expect("a day in UTC");
                prop_assert!(cron.find_next_occurrence(&from, false).is_ok());
            }
        }

        #[test]
        fn arbitrary_text_does_not_panic(text in "\\PC*") {
            let _ = check(&text);
        }
    }
}
