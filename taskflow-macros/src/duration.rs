//! The syntax of durations: `"5s"`, `"1h 30m"`, `"1.5h"`, `"2d"`.

use std::time::Duration;

/// The units, shortest first, in nanoseconds. Months and years are missing because they vary in
/// length.
const UNITS: [(&str, u128); 6] = [
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
    ("d", 86_400 * 1_000_000_000),
    ("w", 7 * 86_400 * 1_000_000_000),
];

/// The units, for messages.
pub(crate) const UNITS_TEXT: &str = "valid units: ms, s, m, h, d, w";

/// Parses one or more numbers, each followed by its unit.
///
/// A unit may occur only once. The order does not matter. Fractions of a nanosecond are truncated.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(format!("a duration is a number with a unit, as in \"5s\" or \"1h 30m\"\n{UNITS_TEXT}"));
    }
    if rest.starts_with('-') {
        return Err("a duration cannot be negative".to_owned());
    }
    let mut total: u128 = 0;
    let mut used: Vec<&str> = Vec::new();
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_end);
        let after = after.trim_start();
        let unit_end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let unit_nanos = match (number, UNITS.iter().find(|(name, _)| *name == unit)) {
            ("", _) => {
                return Err(format!("expected a number and a unit, as in \"5s\" or \"1h 30m\", but found `{rest}`"));
            }
            (_, Some((name, _))) if used.contains(name) => {
                return Err(format!("the unit `{name}` occurs twice; add the two numbers up"));
            }
            (_, Some((name, nanos))) => {
                used.push(name);
                *nanos
            }
            (number, None) if unit.is_empty() => {
                return Err(format!("`{number}` has no unit; write \"{number}s\" for seconds\n{UNITS_TEXT}"));
            }
            (number, None) => return Err(unknown_unit(number, unit)),
        };
        let nanos = scale(number, unit_nanos).ok_or_else(|| {
            format!("`{number}{unit}` is not a valid duration; write a number such as `5` or `1.5` before the unit")
        })?;
        total = total
            .checked_add(nanos)
            .ok_or_else(|| format!("`{text}` is longer than the longest duration, 2^64 seconds"))?;
        rest = after.trim_start();
    }
    let seconds = u64::try_from(total / 1_000_000_000)
        .map_err(|_| format!("`{text}` is longer than the longest duration, 2^64 seconds"))?;
    let nanos = u32::try_from(total % 1_000_000_000).unwrap_or_default();
    Ok(Duration::new(seconds, nanos))
}

/// `number` times `unit`, exactly. `None` if `number` is not digits with at most one point, or too
/// large.
fn scale(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.contains('.') || (number.contains('.') && fraction.is_empty()) {
        return None;
    }
    let mut nanos = whole.parse::<u128>().ok()?.checked_mul(unit)?;
    if !fraction.is_empty() {
        // Digits after the 18th are less than a nanosecond in every unit.
        let digits = &fraction[..fraction.len().min(18)];
        let scale = 10u128.pow(u32::try_from(digits.len()).ok()?);
        nanos = nanos.checked_add(digits.parse::<u128>().ok()? * unit / scale)?;
    }
    Some(nanos)
}

fn unknown_unit(number: &str, unit: &str) -> String {
    let meant = match unit {
        "sec" | "secs" | "second" | "seconds" | "S" => Some("s"),
        "min" | "mins" | "minute" | "minutes" => Some("m"),
        "hr" | "hrs" | "hour" | "hours" | "H" => Some("h"),
        "day" | "days" | "D" => Some("d"),
        "week" | "weeks" | "W" => Some("w"),
        "msec" | "millis" | "millisecond" | "milliseconds" => Some("ms"),
        _ => None,
    };
    match meant {
        Some(meant) => format!("there is no unit `{unit}`; write \"{number}{meant}\"\n{UNITS_TEXT}"),
        None => format!("there is no unit `{unit}`\n{UNITS_TEXT}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn documented_forms_are_accepted() {
        let cases = [
            ("500ms", 500),
            ("5s", 5_000),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            ("30m 1h", 5_400_000),
            ("1.5h", 5_400_000),
            ("0.25s", 250),
            ("2d", 172_800_000),
            ("1w", 604_800_000),
            (" 5 s ", 5_000),
            ("0s", 0),
        ];
        for (text, millis) in cases {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn fractions_are_exact_to_the_nanosecond() {
        assert_eq!(parse("0.000000001s"), Ok(Duration::from_nanos(1)));
        assert_eq!(parse("0.0000000019s"), Ok(Duration::from_nanos(1)));
        assert_eq!(parse("0.1ms"), Ok(Duration::from_micros(100)));
        assert_eq!(parse("0.333333333333333333333333333333w"), Ok(Duration::from_nanos(201_599_999_999_999)));
    }

    #[test]
    fn mistakes_are_explained() {
        let cases = [
            ("", "a duration is a number with a unit"),
            ("30", "write \"30s\" for seconds"),
            ("5 minutes", "write \"5m\""),
            ("5 M", "there is no unit `M`"),
            ("1y", "there is no unit `y`"),
            ("-5s", "negative"),
            ("+5s", "expected a number and a unit"),
            ("PT5M", "expected a number and a unit"),
            ("1h 2h", "occurs twice"),
            ("1.s", "not a valid duration"),
            (".5s", "not a valid duration"),
            ("1.2.3s", "not a valid duration"),
            ("1h, 30m", "expected a number and a unit, as in \"5s\" or \"1h 30m\", but found `, 30m`"),
            ("99999999999999999999999999999999999999999s", "not a valid duration"),
            ("99999999999999999w", "longer than the longest duration"),
            ("1µs", "there is no unit `µs`"),
        ];
        for (text, part) in cases {
            let message = parse(text).expect_err(text);
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    /// Hours to milliseconds in descending order, the last with a fraction. jiff parses these too.
    fn common_form() -> impl Strategy<Value = String> {
        let number = prop::option::of(0u32..100_000);
        (number.clone(), number.clone(), number.clone(), number, prop::option::of("[0-9]{1,9}"), any::<bool>())
            .prop_map(|(hours, minutes, seconds, millis, fraction, spaced)| {
                let parts = [(hours, "h"), (minutes, "m"), (seconds, "s"), (millis, "ms")];
                let mut parts: Vec<(String, &str)> =
                    parts.into_iter().filter_map(|(number, unit)| Some((number?.to_string(), unit))).collect();
                if let (Some((number, _)), Some(fraction)) = (parts.last_mut(), fraction) {
                    *number = format!("{number}.{fraction}");
                }
                let parts: Vec<String> = parts.into_iter().map(|(number, unit)| number + unit).collect();
                parts.join(if spaced { " " } else { "" })
            })
    }

    proptest! {
        #[test]
        fn jiff_agrees_on_what_it_can_parse(text in common_form()) {
            if let Ok(theirs) = text.parse::<jiff::SignedDuration>() {
                prop_assert_eq!(parse(&text), Ok(theirs.unsigned_abs()));
            } else {
                prop_assert!(text.is_empty() || text.contains("ms"), "{}", text);
            }
        }

        #[test]
        fn arbitrary_text_does_not_panic(text in "\\PC*") {
            let _ = parse(&text);
        }

        #[test]
        fn text_like_a_duration_does_not_panic(text in "[0-9. smhdw-]{0,40}") {
            let _ = parse(&text);
        }
    }
}
