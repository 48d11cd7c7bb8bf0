//! Cron expressions: what is accepted, what it means, and how it reads.

use taskflow::schedule::{Cron, Crons, Recurrence, Timetable, Zone};

use crate::support::{between, cron, utc};

/// Case 18.
#[test]
fn leap_days_are_found_in_both_directions() {
    let leap = cron("0 0 29 2 *", "UTC");
    assert_eq!(leap.after(utc("2026-01-01")), Some(utc("2028-02-29")));
    assert_eq!(leap.after(utc("2028-02-29")), Some(utc("2032-02-29")));
    assert_eq!(leap.before(utc("2032-02-28")), Some(utc("2028-02-29")));
    assert_eq!(leap.before(utc("2028-02-29")), Some(utc("2028-02-29")));
}

/// Cases 19 and 20. The macro reports the same messages (`tests/ui`).
#[test]
fn expressions_that_do_not_mean_what_they_say_are_refused() {
    let refused = [("0 0 30 2 *", "month `2` has no day `30`"), ("*/90 * * * *", "write at most 59")];
    for (text, part) in refused {
        let error = Cron::parse(text, Zone::UTC).expect_err(text).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

/// Case 20: a step that does not divide its range is allowed, and a note says what it does.
#[test]
fn a_step_that_does_not_divide_its_range_has_a_note() {
    let note = |text: &str| Crons::from(cron(text, "UTC")).note();
    let minutes = note("*/7 * * * *").expect("a note");
    assert!(minutes.starts_with("`*/7` begins again with each hour: 4 minutes lie between its last minute, 56,"));
    let around = between(&Crons::from(cron("*/7 * * * *", "UTC")), "2026-02-01T00:49:00Z", "2026-02-01T01:08:00Z");
    assert_eq!(around.len(), 4, "00:49, 00:56, 01:00 and 01:07: {around:?}");
    let hours = note("0 */5 * * *").expect("a note");
    assert!(hours.starts_with("`*/5` begins again with each day: 4 hours lie between its last hour, 20,"), "{hours}");
    assert_eq!(note("*/7 */5 * * *").expect("a note").matches("begins again").count(), 2);
    for even in ["*/15 * * * *", "0 */6 * * *", "*/1 * * * *", "7-59/7 * * * *", "0 0 */2 * *", "5 * * * *"] {
        assert_eq!(note(even), None, "{even}");
    }
}

/// Case 21.
#[test]
fn two_restricted_fields_of_days_mean_either() {
    let days = between(&Crons::from(cron("0 0 13 * 5", "UTC")), "2026-02-01", "2026-03-01");
    assert_eq!(days, ["2026-02-06", "2026-02-13", "2026-02-20", "2026-02-27"].map(utc));
    let days = between(&Crons::from(cron("0 0 13 * 5", "UTC")), "2026-01-10", "2026-01-17");
    assert_eq!(days, ["2026-01-13", "2026-01-16"].map(utc));
    assert_eq!(cron("0 0 13 * 5", "UTC").describe(), "at 00:00 on the 13th of the month or Friday");
}

/// A field that begins with `*` restricts, and leaves the choice to the other.
#[test]
fn a_step_over_all_days_and_a_weekday_mean_both() {
    let days = between(&Crons::from(cron("0 0 */2 * MON", "UTC")), "2026-06-01", "2026-07-01");
    assert_eq!(days, ["2026-06-01", "2026-06-15", "2026-06-29"].map(utc));
}

/// Case 22.
#[test]
fn special_days_are_those_of_the_calendar() {
    let month = |text: &str| between(&Crons::from(cron(text, "UTC")), "2026-02-01", "2026-03-01");
    for sunday in ["0 0 * * 0", "0 0 * * 7", "0 0 * * sun", "0 0 * * 7,0"] {
        assert_eq!(month(sunday), ["2026-02-01", "2026-02-08", "2026-02-15", "2026-02-22"].map(utc), "{sunday}");
    }
    assert_eq!(month("0 0 L * *"), [utc("2026-02-28")]);
    assert_eq!(month("0 0 LW * *"), [utc("2026-02-27")], "the 28th is a Saturday");
    assert_eq!(month("0 0 15W * *"), [utc("2026-02-16")], "the 15th is a Sunday");
    assert_eq!(month("0 0 1W * *"), [utc("2026-02-02")], "the 1st is a Sunday");
    assert_eq!(month("0 0 * * 5#2"), [utc("2026-02-13")]);
    for last_friday in ["0 0 * * FRIL", "0 0 * * 5L"] {
        assert_eq!(month(last_friday), [utc("2026-02-27")], "{last_friday}");
    }
    let preset = |text: &str| {
        let zone = Zone::named("Asia/Seoul").expect("a known zone");
        let Recurrence::Timetable(days) = Recurrence::parse(text, &zone).expect("a preset") else { panic!("{text}") };
        between(&*days, "2026-02-01", "2026-02-04")
    };
    assert_eq!(preset("@midnight"), ["2026-02-01T15:00:00Z", "2026-02-02T15:00:00Z", "2026-02-03T15:00:00Z"].map(utc));
    assert_eq!(preset("@midnight"), preset("@daily"));
    assert_eq!(month("0 0 * * 5-7"), month("0 0 * * FRI,SAT,SUN"));
    let august = between(&Crons::from(cron("0 0 1W * *", "UTC")), "2026-08-01", "2026-09-01");
    assert_eq!(august, [utc("2026-08-03")], "the 1st is a Saturday, and the day before is another month");
}

#[test]
fn expressions_are_described_in_words() {
    let described = [
        ("0 6 * * *", "at 06:00"),
        ("30 6 * * 1-5", "at 06:30 on weekdays"),
        ("0 6,18 * * SAT,SUN", "at 06:00 and 18:00 on weekends"),
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("0 * * * *", "every hour"),
        ("5 * * * *", "every hour at :05"),
        ("0 */2 * * *", "every 2 hours"),
        ("15 */6 * * *", "at 00:15, 06:15, 12:15 and 18:15"),
        ("*/10 9-17 * * MON-FRI", "every 10 minutes in hours 9 to 17 on weekdays"),
        ("0 0 1 * *", "at 00:00 on the 1st of the month"),
        ("0 0 1,15 1-3 *", "at 00:00 on the 1st and 15th of the month in January to March"),
        ("0 0 L * *", "at 00:00 on the last day of the month"),
        ("0 0 * * FRI#2", "at 00:00 on the 2nd Friday of the month"),
        ("0 0 * * 5L", "at 00:00 on the last Friday of the month"),
        ("0 0 15W DEC *", "at 00:00 on the weekday nearest to the 15th of the month in December"),
        ("0 0 */2 * MON", "at 00:00 on every 2nd day of the month that are also Monday"),
    ];
    for (text, words) in described {
        assert_eq!(cron(text, "UTC").describe(), words, "{text}");
    }
    let crons = Crons::new([cron("0 6 * * 1-5", "Asia/Seoul"), cron("0 10 * * 6", "Asia/Seoul")]);
    assert_eq!(crons.describe(), "at 06:00 on weekdays and at 10:00 on Saturday, Asia/Seoul");
}

#[test]
fn an_unknown_zone_is_refused_with_a_suggestion() {
    let error = Zone::named("Europe/Berln").expect_err("no such zone").to_string();
    assert!(error.contains("did you mean `Europe/Berlin`?"), "{error}");
}
