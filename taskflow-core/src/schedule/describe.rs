//! Cron expressions in words.

use super::cron_fields::CronFields;

/// A cron expression in words, as in "at 06:30 on weekdays" or "every 15 minutes in January".
pub(super) fn cron(text: &str, fields: &CronFields) -> String {
    let parts: Vec<&str> = text.split(' ').collect();
    let &[minute, hour, day_of_month, month, day_of_week] = &parts[..] else { return text.to_owned() };
    let mut words = time(minute, hour, fields);
    let days = [days_of_month(day_of_month), days_of_week(day_of_week)];
    let days: Vec<String> = days.into_iter().flatten().collect();
    let both = day_of_month.starts_with('*') || day_of_week.starts_with('*');
    if !days.is_empty() {
        words += " on ";
        words += &days.join(if both { " that are also " } else { " or " });
    }
    if month != "*" {
        words += " in ";
        words += &list(month, |part| named(part, &MONTHS, 1));
    }
    words
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 8] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

fn time(minute: &str, hour: &str, fields: &CronFields) -> String {
    let (minutes, hours) = (values(fields.minutes()), values(fields.hours()));
    let times = minutes.len() * hours.len();
    if times <= 4 {
        let times = hours.iter().flat_map(|hour| minutes.iter().map(move |minute| format!("{hour:02}:{minute:02}")));
        return format!("at {}", and(times.collect()));
    }
    let at = |minutes: &[u32]| and(minutes.iter().map(|minute| format!(":{minute:02}")).collect());
    match (minute.strip_prefix("*/"), hour.strip_prefix("*/")) {
        _ if minute == "*" && hour == "*" => "every minute".to_owned(),
        (Some(step), _) if hour == "*" => format!("every {step} minutes"),
        _ if hour == "*" && minutes == [0] => "every hour".to_owned(),
        _ if hour == "*" => format!("every hour at {}", at(&minutes)),
        (None, Some(step)) if minutes == [0] => format!("every {step} hours"),
        (None, Some(step)) => format!("every {step} hours at {}", at(&minutes)),
        (step, _) => {
            let minutes = match step {
                Some(step) => format!("every {step} minutes"),
                None if minute == "*" => "every minute".to_owned(),
                None => format!("at {} past the hour", at(&minutes)),
            };
            let hours = list(hour, |part| match part.split_once('-') {
                Some((first, last)) if !last.contains('/') => format!("hours {first} to {last}"),
                _ => format!("hour {part}"),
            });
            format!("{minutes} in {hours}")
        }
    }
}

fn days_of_month(field: &str) -> Option<String> {
    if matches!(field, "*" | "?") {
        return None;
    }
    Some(match field.to_ascii_uppercase().as_str() {
        "L" => "the last day of the month".to_owned(),
        "LW" => "the last weekday of the month".to_owned(),
        upper => match upper.strip_prefix("*/") {
            Some(step) => format!("every {} day of the month", ordinal(step)),
            None => format!("the {} of the month", list(upper, day_of_month)),
        },
    })
}

fn day_of_month(part: &str) -> String {
    match (part.split_once('-'), part.strip_suffix('W')) {
        (_, Some("L")) => "last weekday".to_owned(),
        (_, Some(day)) => format!("weekday nearest to the {}", ordinal(day)),
        _ if part == "L" => "last day".to_owned(),
        (Some((first, last)), None) => format!("{} to {}", ordinal(first), ordinal(last)),
        (None, None) => ordinal(part),
    }
}

fn days_of_week(field: &str) -> Option<String> {
    match field.to_ascii_uppercase().as_str() {
        "*" | "?" => None,
        "1-5" | "MON-FRI" => Some("weekdays".to_owned()),
        "0,6" | "6,0" | "6,7" | "SAT,SUN" | "SUN,SAT" | "6-7" => Some("weekends".to_owned()),
        upper => Some(list(upper, day_of_week)),
    }
}

fn day_of_week(part: &str) -> String {
    let day = |text: &str| named(text, &WEEKDAYS, 0);
    match (part.split_once('#'), part.strip_suffix('L')) {
        (Some((text, nth)), _) => format!("the {} {} of the month", ordinal(nth), day(text)),
        (None, Some(text)) => format!("the last {} of the month", day(text)),
        (None, None) => day(part),
    }
}

/// A number or a short name as its full name; a range as "Monday to Friday".
fn named(part: &str, names: &[&str], first: usize) -> String {
    let name = |text: &str| {
        let number = text.parse().ok().and_then(|number: usize| number.checked_sub(first));
        let short = || names.iter().position(|name| name.get(..3).is_some_and(|name| name.eq_ignore_ascii_case(text)));
        number.or_else(short).and_then(|place| names.get(place)).map_or_else(|| text.to_owned(), ToString::to_string)
    };
    match part.split_once('-') {
        Some((first, last)) => format!("{} to {}", name(first), name(last)),
        None => name(part),
    }
}

fn list(field: &str, word: impl Fn(&str) -> String) -> String {
    and(field.split(',').map(word).collect())
}

/// "a", "a and b", "a, b and c".
fn and(mut words: Vec<String>) -> String {
    let last = words.pop().unwrap_or_default();
    if words.is_empty() { last } else { format!("{} and {last}", words.join(", ")) }
}

fn ordinal(number: &str) -> String {
    let suffix =
        match (number.ends_with("11") || number.ends_with("12") || number.ends_with("13"), number.chars().last()) {
            (false, Some('1')) => "st",
            (false, Some('2')) => "nd",
            (false, Some('3')) => "rd",
            _ => "th",
        };
    format!("{number}{suffix}")
}

fn values(set: u64) -> Vec<u32> {
    (0..64).filter(|place| set >> place & 1 != 0).collect()
}
