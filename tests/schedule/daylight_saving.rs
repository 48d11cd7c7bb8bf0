//! The hours that daylight saving time removes or repeats, and the days of unusual calendars.
//!
//! The expected times were computed with Python's `zoneinfo`.

use taskflow::schedule::{Crons, Timetable};

use crate::support::{between, cron, utc};

const NEW_YORK: &str = "America/New_York";

#[track_caller]
fn slots(text: &str, zone: &str, from: &str, to: &str, expected: &[&str]) {
    let expected: Vec<_> = expected.iter().map(|text| utc(text)).collect();
    assert_eq!(between(&Crons::from(cron(text, zone)), from, to), expected, "`{text}` in {zone}");
}

/// Case 1.
#[test]
fn a_missing_time_is_the_end_of_the_gap() {
    let expected = ["2026-03-07T07:30:00Z", "2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"];
    slots("30 2 * * *", NEW_YORK, "2026-03-07T05:00:00Z", "2026-03-10T04:00:00Z", &expected);
}

/// Case 2.
#[test]
fn a_repeated_time_is_its_first_pass() {
    let expected = ["2026-10-31T05:30:00Z", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"];
    slots("30 1 * * *", NEW_YORK, "2026-10-31T04:00:00Z", "2026-11-03T05:00:00Z", &expected);
}

/// Cases 3 and 4.
#[test]
fn an_hour_of_any_value_follows_the_clock() {
    let autumn = ["05:00", "05:30", "06:00", "06:30", "07:00"].map(|time| format!("2026-11-01T{time}:00Z"));
    let autumn: Vec<&str> = autumn.iter().map(String::as_str).collect();
    slots("*/30 * * * *", NEW_YORK, "2026-11-01T05:00:00Z", "2026-11-01T07:30:00Z", &autumn);
    let spring = ["06:00", "06:30", "07:00", "07:30"].map(|time| format!("2026-03-08T{time}:00Z"));
    let spring: Vec<&str> = spring.iter().map(String::as_str).collect();
    slots("*/30 * * * *", NEW_YORK, "2026-03-08T06:00:00Z", "2026-03-08T08:00:00Z", &spring);
}

/// Cases 5 and 6: a step is not `*`.
#[test]
fn every_second_hour_keeps_to_the_even_hours() {
    let spring = ["2026-03-08T05:00:00Z", "2026-03-08T07:00:00Z", "2026-03-08T08:00:00Z", "2026-03-08T10:00:00Z"];
    slots("0 */2 * * *", NEW_YORK, "2026-03-08T05:00:00Z", "2026-03-08T12:00:00Z", &spring);
    let autumn = ["2026-11-01T04:00:00Z", "2026-11-01T07:00:00Z", "2026-11-01T09:00:00Z"];
    slots("0 */2 * * *", NEW_YORK, "2026-11-01T04:00:00Z", "2026-11-01T11:00:00Z", &autumn);
    let crons = Crons::from(cron("0 */2 * * *", NEW_YORK));
    let interval = crons.before(utc("2026-11-01T07:00:00Z")).and_then(|slot| slot.interval).expect("an interval");
    assert_eq!(interval.end.since(interval.start).as_secs(), 3 * 3_600, "the interval has three real hours");
}

/// Cases 7 and 8.
#[test]
fn missing_times_that_fall_together_are_one_slot() {
    let spring = ["06:15", "06:45", "07:00", "07:15", "07:45"].map(|time| format!("2026-03-08T{time}:00Z"));
    let spring: Vec<&str> = spring.iter().map(String::as_str).collect();
    slots("15,45 1-3 * * *", NEW_YORK, "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z", &spring);
    let autumn = ["05:15", "05:45", "07:15", "07:45", "08:15", "08:45"].map(|time| format!("2026-11-01T{time}:00Z"));
    let autumn: Vec<&str> = autumn.iter().map(String::as_str).collect();
    slots("15,45 1-3 * * *", NEW_YORK, "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z", &autumn);
}

/// Case 9.
#[test]
fn a_missing_hour_is_one_slot() {
    slots("*/30 2 * * *", NEW_YORK, "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z", &["2026-03-08T07:00:00Z"]);
}

/// Cases 10 and 11.
#[test]
fn a_missing_midnight_is_the_first_hour_of_the_day() {
    slots("0 0 * * *", "Africa/Cairo", "2026-04-23T12:00:00Z", "2026-04-24T12:00:00Z", &["2026-04-23T22:00:00Z"]);
    slots("0 0 * * *", "America/Havana", "2026-03-07T18:00:00Z", "2026-03-08T18:00:00Z", &["2026-03-08T05:00:00Z"]);
}

/// Case 12.
#[test]
fn a_gap_of_half_an_hour_follows_the_clock() {
    let spring = ["2026-10-03T14:30:00Z", "2026-10-03T16:00:00Z", "2026-10-03T17:00:00Z"];
    slots("0 * * * *", "Australia/Lord_Howe", "2026-10-03T14:00:00Z", "2026-10-03T17:30:00Z", &spring);
    let autumn = ["2026-04-04T13:00:00Z", "2026-04-04T14:00:00Z", "2026-04-04T15:30:00Z", "2026-04-04T16:30:00Z"];
    slots("0 * * * *", "Australia/Lord_Howe", "2026-04-04T12:30:00Z", "2026-04-04T17:00:00Z", &autumn);
}

/// Case 13.
#[test]
fn a_day_that_does_not_exist_has_no_slot() {
    let expected = ["2011-12-28T22:00:00Z", "2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z"];
    slots("0 12 * * *", "Pacific/Apia", "2011-12-28T12:00:00Z", "2011-12-31T12:00:00Z", &expected);
}

/// Cases 14 to 16.
#[test]
fn unusual_offsets_follow_the_same_rule() {
    slots("0 2 * * *", "Antarctica/Troll", "2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z", &["2026-03-29T01:00:00Z"]);
    slots("30 2 * * *", "Africa/Casablanca", "2026-03-22T00:00:00Z", "2026-03-23T00:00:00Z", &["2026-03-22T02:00:00Z"]);
    slots("30 9 * * *", "Asia/Kathmandu", "2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z", &["2026-05-01T03:45:00Z"]);
}
