//! Durations, times and numbers as people read them.

use std::time::Duration;

use crate::base::Timestamp;

/// Three digits and a unit: `340 µs`, `1.2 ms`, `12.3 s`, `3 m 05 s`, `1 h 02 m`.
pub(super) fn duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let seconds = duration.as_secs();
    match () {
        () if nanos < 1_000 => format!("{nanos} ns"),
        () if nanos < 999_500 => format!("{} µs", (nanos + 500) / 1_000),
        () if nanos < 9_995_000 => format!("{:.1} ms", nanos as f64 / 1e6),
        () if nanos < 999_500_000 => format!("{:.0} ms", nanos as f64 / 1e6),
        () if nanos < 9_995_000_000 => format!("{:.2} s", duration.as_secs_f64()),
        () if seconds < 60 => format!("{:.1} s", duration.as_secs_f64()),
        () if seconds < 3600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        () => format!("{} h {:02} m", seconds / 3600, seconds / 60 % 60),
    }
}

/// Reads `90s`, `15m`, `12h`, `30d`, `2w`.
#[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "used for stored runs only"))]
pub(super) fn span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration such as 90s, 15m, 12h, 30d or 2w");
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].trim_end().parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

/// A duration that is updated on the screen, without digits that would flicker: `0.4 s`, `12 s`,
/// `3 m 05 s`.
pub(super) fn ticking(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", (elapsed.as_millis() / 100) as f64 / 10.0),
        10..60 => format!("{seconds} s"),
        _ => duration(elapsed),
    }
}

/// Whole seconds: `4 s`, `1 m 30 s`.
pub(super) fn seconds(left: Duration) -> String {
    if left.as_secs() < 60 { format!("{} s", left.as_secs()) } else { duration(left) }
}

/// A time in UTC to the millisecond, always of the same length: `2026-01-31T06:00:00.120Z`.
pub(super) fn time(time: Timestamp) -> String {
    let nanos = time.as_nanos();
    let millis = nanos.rem_euclid(1_000_000_000) / 1_000_000;
    let second = Timestamp::from_nanos(nanos - nanos.rem_euclid(1_000_000_000)).to_string();
    format!("{}.{millis:03}Z", second.trim_end_matches('Z'))
}

/// A time to the second, for tables: `2026-01-31 06:00:00Z`.
#[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "used for stored runs only"))]
pub(super) fn moment(at: Timestamp) -> String {
    let text = time(at);
    let second = text.split_once('.').map_or(&*text, |(second, _)| second);
    format!("{}Z", second.replace('T', " "))
}

/// The time of day to the millisecond, if it is on the same day as `known`: `06:00:00.120Z`.
#[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "used for stored runs only"))]
pub(super) fn clock(at: Timestamp, known: Timestamp) -> String {
    let text = time(at);
    match text.split_once('T') {
        Some((_, clock)) if at.date() == known.date() => clock.to_owned(),
        _ => moment(at),
    }
}

/// `1 task`, `3 tasks`.
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// `15 tasks`, `15 tasks, 39 with elements`; of a run that leaves tasks out, `12 of 15 tasks`.
/// `drawn` are the tasks outside every `each`, `left_out` those of them that are not part of the
/// run, and `elements` the tasks of elements.
pub(super) fn tasks(drawn: usize, left_out: usize, elements: usize) -> String {
    let taking_part = drawn - left_out.min(drawn);
    let text = match left_out {
        0 => count(drawn, "task"),
        _ => format!("{taking_part} of {}", count(drawn, "task")),
    };
    match elements {
        0 => text,
        elements => format!("{text}, {} with elements", taking_part + elements),
    }
}

/// The id of a task with the label of its element: `load[3] (2013-03)`.
pub(super) fn task(id: &str, label: Option<&str>) -> String {
    match label {
        Some(label) => format!("{id} ({})", cut(first_line(label), 40)),
        None => id.to_owned(),
    }
}

/// At most the first `most` names: `a, b and 5 more`.
pub(super) fn some<T: AsRef<str>>(names: &[T], most: usize) -> String {
    let shown: Vec<&str> = names.iter().take(most).map(AsRef::as_ref).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// At most the first `most` characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

/// The first line of a text.
pub(super) fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// `events 3 to 7 of ecb/rates`
#[cfg(feature = "sqlite")]
pub(super) fn consumed(events: &crate::run::ConsumedEvents) -> String {
    let asset = crate::base::text::one_line(&events.asset);
    match events.count {
        1 => format!("event {} of {asset}", events.first),
        _ => format!("events {} to {} of {asset}", events.first, events.last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_and_a_unit() {
        let shown = |nanos: u64| duration(Duration::from_nanos(nanos));
        assert_eq!(shown(17), "17 ns");
        assert_eq!(shown(340_400), "340 µs");
        assert_eq!(shown(999_600), "1.0 ms");
        assert_eq!(shown(12_345_678), "12 ms");
        assert_eq!(shown(999_600_000), "1.00 s");
        assert_eq!(shown(12_345_000_000), "12.3 s");
        assert_eq!(shown(59_960_000_000), "60.0 s");
        assert_eq!(shown(185_000_000_000), "3 m 05 s");
        assert_eq!(shown(3_725_000_000_000), "1 h 02 m");
    }

    #[test]
    fn spans_are_numbers_with_a_unit() {
        assert_eq!(span("2d"), Ok(Duration::from_secs(172_800)));
        assert_eq!(span("90 s"), Ok(Duration::from_secs(90)));
        for text in ["", "d", "2", "-1d", "2 days", "9999999999999999999w", "2µ"] {
            assert!(span(text).is_err_and(|error| error.contains("such as 90s")), "{text}");
        }
    }

    #[test]
    fn a_ticking_duration_never_runs_ahead() {
        assert_eq!(ticking(Duration::from_millis(490)), "0.4 s");
        assert_eq!(ticking(Duration::from_millis(12_900)), "12 s");
        assert_eq!(ticking(Duration::from_secs(61)), "1 m 01 s");
    }

    #[test]
    fn times_have_the_same_length() {
        assert_eq!(time(Timestamp::EPOCH), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(Timestamp::from_nanos(1_120_999_999)), "1970-01-01T00:00:01.120Z");
        assert_eq!(time(Timestamp::from_nanos(-1)), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn tables_show_short_times() {
        let at = Timestamp::from_nanos(86_400_000_000_000 + 1_120_000_000);
        assert_eq!(moment(at), "1970-01-02 00:00:01Z");
        assert_eq!(clock(at, at), "00:00:01.120Z");
        assert_eq!(clock(at, Timestamp::EPOCH), "1970-01-02 00:00:01Z");
    }

    #[test]
    fn only_the_first_names_are_listed() {
        assert_eq!(some(&["a", "b"], 2), "a, b");
        assert_eq!(some(&["a", "b", "c", "d"], 2), "a, b and 2 more");
    }
}
