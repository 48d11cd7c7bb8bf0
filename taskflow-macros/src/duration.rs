//! Durations as options write them: `"5s"`, `"1h 30m"`, `"1.5h"`, `"2d"`.

use std::time::Duration;

/// The units, shortest first, in nanoseconds. A month or a year has no fixed length and is no unit.
const UNITS: [(&str, u128); 6] = [
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
    ("d", 86_400 * 1_000_000_000),
    ("w", 7 * 86_400 * 1_000_000_000),
];

/// The units in words, for messages.
pub(crate) const UNITS_TEXT: &str = "the units are ms, s, m, h, d and w";

/// Reads one or more numbers, each followed by its unit.
///
/// Each unit may be used once and the order is free. A fraction finer than a nanosecond is cut off.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(format!("a duration is a number with a unit, as in \"5s\" or \"1h 30m\"; {UNITS_TEXT}"));
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
            ("", _) => return Err(format!("`{rest}` does not start with a number, as in \"5s\" or \"1h 30m\"")),
            (_, Some((name, _))) if used.contains(name) => return Err(format!("the unit `{name}` is used twice")),
            (_, Some((name, nanos))) => {
                used.push(name);
                *nanos
            }
            (number, None) if unit.is_empty() => {
                return Err(format!("`{number}` has no unit; write \"{number}s\" for seconds: {UNITS_TEXT}"));
            }
            (number, None) => return Err(unknown_unit(number, unit)),
        };
        let nanos =
            scale(number, unit_nanos).ok_or_else(|| format!("`{number}{unit}` is not a number of this size"))?;
        total = total.checked_add(nanos).ok_or_else(|| format!("`{text}` is too long"))?;
        rest = after.trim_start();
    }
    let seconds = u64::try_from(total / 1_000_000_000).map_err(|_| format!("`{text}` is too long"))?;
    let nanos = u32::try_from(total % 1_000_000_000).unwrap_or_default();
    Ok(Duration::new(seconds, nanos))
}

/// `number` (digits with at most one point) times `unit`, exact.
fn scale(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.contains('.') || (number.contains('.') && fraction.is_empty()) {
        return None;
    }
    let mut nanos = whole.parse::<u128>().ok()?.checked_mul(unit)?;
    if !fraction.is_empty() {
        // 18 digits are below a nanosecond of any unit.
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
        Some(meant) => format!("`{unit}` is no unit; write \"{number}{meant}\": {UNITS_TEXT}"),
        None => format!("`{unit}` is no unit; {UNITS_TEXT}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_forms_of_the_documentation_are_read() {
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
            ("5 M", "`M` is no unit"),
            ("1y", "`y` is no unit"),
            ("-5s", "negative"),
            ("+5s", "does not start with a number"),
            ("PT5M", "does not start with a number"),
            ("1h 2h", "used twice"),
            ("1.s", "not a number"),
            (".5s", "not a number"),
            ("1.2.3s", "not a number"),
            ("1h, 30m", "does not start with a number"),
            ("99999999999999999999999999999999999999999s", "not a number"),
            ("99999999999999999w", "too long"),
            ("1µs", "`µs` is no unit"),
        ];
        for (text, part) in cases {
            let message = parse(text).expect_err(text);
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    /// Hours to milliseconds in falling order, the last with a fraction: what jiff reads too.
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
        fn jiff_reads_the_same_where_it_reads_at_all(text in common_form()) {
            if let Ok(theirs) = text.parse::<jiff::SignedDuration>() {
                prop_assert_eq!(parse(&text), Ok(theirs.unsigned_abs()));
            } else {
                prop_assert!(text.is_empty() || text.contains("ms"), "{}", text);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = parse(&text);
        }

        #[test]
        fn nearly_durations_do_not_make_it_panic(text in "[0-9. smhdw-]{0,40}") {
            let _ = parse(&text);
        }
    }
}
