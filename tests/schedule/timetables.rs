//! Timetables other than one cron expression, and the rules that all of them follow.

use std::collections::HashSet;
use std::time::Duration;

use proptest::prelude::*;
use taskflow::schedule::{Calendar, Cron, Crons, Dates, Every, Exceptions, Shift, Timetable, Zone};
use taskflow::testing::check_timetable;
use taskflow::{Date, Interval, Timestamp};
use taskflow_tests::common::cases;

use crate::support::{between, cron, on_all_cores, utc};

fn every(text: &str, zone: &str) -> Every {
    Every::parse(text, Zone::named(zone).expect("a known zone")).expect("a period")
}

/// Case 23.
#[test]
fn a_day_is_not_24_hours() {
    let midnights = between(&every("1d", "Europe/Berlin"), "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z");
    assert_eq!(midnights, ["2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"].map(utc), "local midnight stays");
    let hours = |period: &str, slot: &str| {
        let slot = every(period, "Europe/Berlin").before(utc(slot)).expect("a slot");
        let Interval { start, end } = slot.interval.expect("an interval");
        (slot.at == end, end.since(start).as_secs() / 3_600)
    };
    assert_eq!(hours("1d", "2026-03-29T22:00:00Z"), (true, 23), "the day is an hour shorter");
    assert_eq!(hours("1d", "2026-10-25T23:00:00Z"), (true, 25), "and one in autumn longer");
    assert_eq!(hours("24h", "2026-03-30T00:00:00Z"), (true, 24));
    let days = between(&every("24h", "Europe/Berlin"), "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z");
    assert_eq!(days, ["2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z"].map(utc), "24 hours move on the clock");
}

#[test]
fn periods_lie_on_a_grid_that_does_not_depend_on_the_start() {
    let quarters = between(&every("15m", "UTC"), "2026-01-01T10:07:12Z", "2026-01-01T11:00:00Z");
    assert_eq!(quarters, ["2026-01-01T10:15:00Z", "2026-01-01T10:30:00Z", "2026-01-01T10:45:00Z"].map(utc));
    let later = every("15m", "UTC").offset(Duration::from_secs(300)).expect("a shorter offset");
    let later = between(&later, "2026-01-01T10:07:12Z", "2026-01-01T10:40:00Z");
    assert_eq!(later, ["2026-01-01T10:20:00Z", "2026-01-01T10:35:00Z"].map(utc));
    let weeks = between(&every("1w", "Asia/Seoul"), "2026-06-01T00:00:00Z", "2026-06-15T00:00:00Z");
    assert_eq!(weeks, ["2026-06-07T15:00:00Z", "2026-06-14T15:00:00Z"].map(utc), "Mondays in Seoul");
}

#[test]
fn a_period_out_of_range_is_refused() {
    for text in ["0s", "500ms", "101000d", "99999999999999999999h"] {
        assert!(Every::parse(text, Zone::UTC).is_err(), "{text}");
    }
    for text in ["", "15", "m", "1.5h", "1y", "1h 30m", "-1h"] {
        let error = Every::parse(text, Zone::UTC).expect_err(text).to_string();
        assert!(error.contains("is not a period"), "{text}: {error}");
    }
    let error = every("15m", "UTC").offset(Duration::from_secs(900)).expect_err("too long").to_string();
    assert!(error.contains("not shorter than the period `15m`"), "{error}");
}

#[test]
fn dates_are_sorted_and_have_no_interval() {
    let dates = Dates::new(["2026-03-01", "2026-01-01", "2026-03-01"].map(utc));
    assert_eq!(between(&dates, "2025-01-01", "2027-01-01"), ["2026-01-01", "2026-03-01"].map(utc));
    assert_eq!(dates.after(utc("2026-03-01")), None);
    assert_eq!(dates.before(utc("2026-02-01")).map(|slot| (slot.at, slot.interval)), Some((utc("2026-01-01"), None)));
}

#[test]
fn several_expressions_are_one_timetable() {
    let crons = Crons::new([cron("0 6 * * *", "UTC"), cron("0 6,18 * * *", "UTC")]);
    let slots = between(&crons, "2026-01-01", "2026-01-02");
    assert_eq!(slots, ["2026-01-01T06:00:00Z", "2026-01-01T18:00:00Z"].map(utc));
    let interval = crons.after(utc("2026-01-01T06:00:00Z")).and_then(|slot| slot.interval).expect("an interval");
    assert_eq!(interval.start, utc("2026-01-01T06:00:00Z"));
}

/// 24 to 26 December, and every Saturday and Sunday.
#[derive(Debug)]
struct Closed;

impl Calendar for Closed {
    fn contains(&self, day: Date) -> bool {
        let epoch = utc("1970-01-01");
        let days = day.midnight_utc().since(epoch).as_secs() / 86_400;
        let weekend = matches!(days % 7, 2 | 3);
        weekend || (day.month() == 12 && (24..=26).contains(&day.day()))
    }
}

fn closed(text: &str, shift: Shift) -> Exceptions<Crons, Closed> {
    Exceptions::new(
        Crons::from(cron(text, "Europe/Berlin")),
        Closed,
        shift,
        Zone::named("Europe/Berlin").expect("known"),
    )
}

/// 24 December 2026 is a Thursday, so the DAG is closed until Sunday the 27th.
#[test]
fn slots_on_exceptional_days_are_dropped_or_moved() {
    let days = |shift| between(&closed("0 6 * * *", shift), "2026-12-22", "2026-12-30");
    let expected =
        ["2026-12-22T05:00:00Z", "2026-12-23T05:00:00Z", "2026-12-28T05:00:00Z", "2026-12-29T05:00:00Z"].map(utc);
    assert_eq!(days(Shift::Drop), expected);
    assert_eq!(days(Shift::NextDay), expected, "moved slots fall together with that of the 28th");
    assert_eq!(days(Shift::PreviousDay), expected);
    let christmas = |shift| between(&closed("30 7 25 * *", shift), "2026-12-01", "2027-01-20");
    assert_eq!(christmas(Shift::Drop), []);
    assert_eq!(christmas(Shift::NextDay), [utc("2026-12-28T06:30:00Z")]);
    assert_eq!(christmas(Shift::PreviousDay), [utc("2026-12-23T06:30:00Z")]);
}

#[test]
fn a_calendar_that_excepts_everything_ends_the_search() {
    #[derive(Debug)]
    struct Always;
    impl Calendar for Always {
        fn contains(&self, _: Date) -> bool {
            true
        }
    }
    for shift in [Shift::Drop, Shift::NextDay, Shift::PreviousDay] {
        let never = Exceptions::new(Crons::from(cron("* * * * *", "UTC")), Always, shift, Zone::UTC);
        assert_eq!((never.after(utc("2026-01-01")), never.before(utc("2026-01-01"))), (None, None));
    }
}

/// The first slots from `from` on follow the rules of [`Timetable`].
#[track_caller]
fn follows_the_rules(timetable: &dyn Timetable, from: Timestamp, count: usize) {
    let first = timetable.after(from);
    let slots = std::iter::successors(first, |slot| timetable.after(slot.at));
    if let Some(last) = slots.take(count).last() {
        check_timetable(timetable, from..Timestamp::from_nanos(last.at.as_nanos() + 1));
    }
}

/// Case 17: the expressions, in all zones.
const EXPRESSIONS: [&str; 40] = [
    "* * * * *",
    "*/5 * * * *",
    "*/30 * * * *",
    "0 * * * *",
    "59 * * * *",
    "15,45 * * * *",
    "0 0 * * *",
    "30 0 * * *",
    "0 1 * * *",
    "30 1 * * *",
    "0 2 * * *",
    "30 2 * * *",
    "0 3 * * *",
    "30 3 * * *",
    "0 12 * * *",
    "30 23 * * *",
    "59 23 * * *",
    "*/30 2 * * *",
    "*/15 1-3 * * *",
    "15,45 1-3 * * *",
    "0 */2 * * *",
    "0 */6 * * *",
    "*/20 */4 * * *",
    "0 0,12 * * *",
    "0 0 1 * *",
    "0 0 L * *",
    "0 2 LW * *",
    "0 2 15W * *",
    "0 0 31 * *",
    "0 0 29 2 *",
    "0 0 13 * 5",
    "0 0 * * MON",
    "30 2 * * SUN",
    "30 1 * * SUN",
    "0 0 * * FRI#2",
    "0 0 * * 5L",
    "0 6 * * MON-FRI",
    "0 0 1 1 *",
    "0 0 1 */3 *",
    "0 0 */2 * MON",
];

/// Case 17 in every zone that the program knows: some slots from a point between 1970 and 2050 that
/// differs from zone to zone and from expression to expression.
#[test]
fn slots_follow_the_rules_in_all_zones() {
    let zones: Vec<Zone> = Zone::all().collect();
    assert!(zones.len() > 400, "{} zones", zones.len());
    let years = 80 * 365 * 86_400 * 1_000_000_000_i64;
    for (place, zone) in zones.iter().enumerate() {
        for (kind, text) in EXPRESSIONS.iter().enumerate() {
            let crons = Crons::from(Cron::parse(text, zone.clone()).expect("an expression"));
            let seed = (place * 7_919 + kind * 104_729) as i64;
            let from = Timestamp::from_nanos(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64).rem_euclid(years));
            follows_the_rules(&crons, from, 5);
        }
    }
}

/// How far around a change of the clocks the rules are checked. The slots of a day can be moved,
/// and those of a day before it.
const AROUND: Duration = Duration::from_secs(27 * 3_600);

/// The same for slots every few minutes: each of them is a look at the clock.
const AROUND_MINUTES: Duration = Duration::from_secs(3 * 3_600);

/// The slots around a change of the clocks follow the rules of [`Timetable`]: at least four of
/// them, of which at least one is after the change.
#[track_caller]
fn follows_the_rules_around(timetable: &dyn Timetable, change: Timestamp) {
    let slots = |from| std::iter::successors(timetable.after(from), |slot| timetable.after(slot.at));
    let two: Vec<Timestamp> = slots(change - AROUND).map(|slot| slot.at).take(2).collect();
    let is_of_minutes = two[1].since(two[0]) <= Duration::from_secs(300);
    let around = if is_of_minutes { AROUND_MINUTES } else { AROUND };
    let fourth = slots(change - around).nth(3).expect("a fourth slot").at;
    let end = (change + around).max(Timestamp::from_nanos(fourth.as_nanos() + 1));
    let after = timetable.after(change).expect("a slot after the change").at;
    assert!(after < end, "no slot is checked after the change at {change}: the next one is {after}");
    assert!(check_timetable(timetable, change - around..end) >= 4);
}

/// The same around each change of the clocks: there the rules are at risk. Zones with the same
/// rules are looked at once.
///
/// `TASKFLOW_TIMETABLES=1` looks at each change with each expression, instead of every 20th with
/// every seventh.
#[test]
fn slots_follow_the_rules_around_every_change_of_the_clocks() {
    let is_long = std::env::var_os("TASKFLOW_TIMETABLES").is_some();
    let (every_change, every_text) = if is_long { (1, 1) } else { (20, 7) };
    let changes = |zone: &Zone| zone.changes(utc("1970-01-01"), utc("2050-01-01"));
    let mut seen = HashSet::new();
    let is_new = |zone: &Zone| {
        let noon = Cron::parse("0 12 * * *", zone.clone()).expect("an expression");
        seen.insert(changes(zone).into_iter().map(|change| (change, noon.after(change))).collect::<Vec<_>>())
    };
    let zones: Vec<(usize, Zone)> = Zone::all().filter(is_new).enumerate().collect();
    on_all_cores(&zones, |(place, zone)| {
        let texts = EXPRESSIONS.iter().skip(place % every_text).step_by(every_text);
        let crons = texts.map(|text| Crons::from(Cron::parse(text, zone.clone()).expect("an expression")));
        let crons: Vec<Crons> = crons.collect();
        for change in changes(zone).into_iter().skip(place % every_change).step_by(every_change) {
            for crons in &crons {
                follows_the_rules_around(crons, change);
            }
        }
    });
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn periods_and_exceptions_follow_the_rules(
        count in 1_u32..90, unit in prop::sample::select(vec!["s", "m", "h", "d", "w"]),
        text in prop::sample::select(EXPRESSIONS.to_vec()),
        seconds in 0_i64..2_500_000_000,
        shift in prop::sample::select(vec![Shift::Drop, Shift::NextDay, Shift::PreviousDay]),
    ) {
        let from = Timestamp::from_nanos(seconds * 1_000_000_000);
        follows_the_rules(&every(&format!("{count}{unit}"), "America/New_York"), from, 20);
        follows_the_rules(&closed(text, shift), from, 20);
    }

    /// croner, a well-kept library, is the second opinion where clocks do not change.
    #[test]
    fn slots_in_utc_agree_with_croner(
        minute in "([0-5]?[0-9]|\\*/[1-9]|[0-2][0-9]-[3-5][0-9]|\\*)",
        hour in "(1?[0-9]|\\*/[1-9]|[0-9]-1[0-9]|\\*)",
        day in "(1?[1-9]|\\*|L|[1-9]W|2[0-8])",
        month in "([1-9]|1[0-2]|\\*|JAN-JUN)",
        weekday in "([0-7]|\\*|MON-FRI|FRI#[1-4]|[0-6]L)",
        seconds in 0_i64..2_500_000_000,
    ) {
        let text = format!("{minute} {hour} {day} {month} {weekday}");
        let Ok(ours) = Cron::parse(&text, Zone::UTC) else { return Ok(()) };
        let theirs: croner::Cron = text.parse().map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        let mut moment = jiff::Timestamp::from_second(seconds).expect("in range").to_zoned(jiff::tz::TimeZone::UTC);
        let mut from = Timestamp::from_nanos(seconds * 1_000_000_000);
        for _ in 0..5 {
            moment = theirs.find_next_occurrence(&moment, false).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
            from = ours.after(from).expect("an occurrence");
            prop_assert_eq!(from.to_string(), moment.timestamp().to_string(), "`{}`", text);
        }
    }
}
