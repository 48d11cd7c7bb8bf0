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
