//! The options of `#[dag]` that take code: timetables and calendars.

use taskflow::DagDef;
use taskflow::prelude::*;
use taskflow::schedule::{Calendar, Schedule, ScheduleSource, Slot, Timetable, Zone};
use taskflow::testing::check_timetable;

use crate::support::{between, utc};

/// Due at the top of each hour, without data intervals.
#[derive(Debug)]
struct Hours {
    every: i64,
}

impl Hours {
    const fn every(every: i64) -> Self {
        Hours { every }
    }

    fn nanos(&self) -> i64 {
        self.every * 3_600_000_000_000
    }
}

impl Timetable for Hours {
    fn after(&self, moment: Timestamp) -> Option<Slot> {
        let hours = moment.as_nanos().div_euclid(self.nanos()) + 1;
        Some(Slot::instant(Timestamp::from_nanos(hours * self.nanos())))
    }

    fn before(&self, moment: Timestamp) -> Option<Slot> {
        let hours = moment.as_nanos().div_euclid(self.nanos());
        Some(Slot::instant(Timestamp::from_nanos(hours * self.nanos())))
    }

    fn describe(&self) -> String {
        format!("every {} hours", self.every)
    }
}

static SHARED: Hours = Hours::every(6);

/// Saturdays and Sundays.
#[derive(Debug)]
struct Weekends;

impl Calendar for Weekends {
    fn contains(&self, day: Date) -> bool {
        // 1970-01-01 was a Thursday.
        let midnight = Zone::UTC.start_of(day).expect("UTC has every day");
        matches!((midnight.as_nanos() / 86_400_000_000_000 + 3).rem_euclid(7), 5 | 6)
    }
}

fn holidays() -> Vec<Date> {
    vec![Date::new(2026, 12, 25).expect("a day"), Date::new(2026, 12, 26).expect("a day")]
}

fn without_tables() -> Hours {
    panic!("no tide tables")
}

#[task]
fn nothing() {}

#[dag(schedule = Hours::every(4), start = "2026-03-01", catchup = "all")]
fn own() {
    nothing();
}

#[dag(schedule = every("15m", offset = "5m"))]
fn after_the_quarter() {
    nothing();
}

#[dag(schedule = every("1d", offset = "90m"), timezone = "Asia/Seoul")]
fn after_midnight() {
    nothing();
}

#[dag(schedule = &SHARED)]
fn shared() {
    nothing();
}

#[dag(schedule = "0 6 * * *", timezone = "Asia/Seoul", except = Weekends)]
fn weekdays() {
    nothing();
}

#[dag(schedule = "0 6 * * *", except = holidays(), shift = "next_day")]
fn moved() {
    nothing();
}

#[dag(schedule = "0 6 * * *", except = holidays(), shift = "previous_day")]
fn earlier() {
    nothing();
}

#[dag(schedule = without_tables())]
fn wrong() {
    nothing();
}

fn schedule_of(dag: &DagDef) -> Schedule {
    dag.options.schedule(dag.id).expect("the options are valid").expect("it has a schedule")
}

fn slots(dag: &DagDef, from: &str, to: &str) -> Vec<String> {
    let first = schedule_of(dag).after(Timestamp::from_nanos(utc(from).as_nanos() - 1), utc(from));
    let schedule = schedule_of(dag);
    let slots = std::iter::successors(first, |slot| schedule.after(slot.at, utc(from)));
    slots.map(|slot| slot.at).take_while(|&at| at < utc(to)).map(|at| at.to_string()).collect()
}

/// `every` took a period only.
#[test]
fn a_period_can_have_an_offset() {
    let quarters = slots(after_the_quarter::def(), "2026-03-01", "2026-03-01T00:40:00Z");
    assert_eq!(quarters, ["2026-03-01T00:05:00Z", "2026-03-01T00:20:00Z", "2026-03-01T00:35:00Z"]);
    let days = slots(after_midnight::def(), "2026-03-01", "2026-03-03");
    assert_eq!(days, ["2026-03-01T16:30:00Z", "2026-03-02T16:30:00Z"], "01:30 in Seoul");
    assert_eq!(after_the_quarter::def().options.schedule, Some(ScheduleSource::Text("every 15m offset 5m")));
}

#[test]
fn a_dag_can_have_a_timetable_of_its_own() {
    check_timetable(&Hours::every(4), utc("2026-01-01")..utc("2026-02-01"));
    let schedule = schedule_of(own::def());
    assert_eq!(schedule.to_string(), "every 4 hours");
    assert_eq!(schedule.start, Some(utc("2026-03-01")));
    let expected = ["2026-03-01T00:00:00Z", "2026-03-01T04:00:00Z"];
    assert_eq!(slots(own::def(), "2026-02-01", "2026-03-01T05:00:00Z"), expected);
    assert_eq!(schedule_of(shared::def()).to_string(), "every 6 hours");
    assert_eq!(between(&SHARED, "2026-03-01", "2026-03-02").len(), 4);
    // Its slots have no data intervals, and neither have its manual runs.
    let report = own::run().wait().expect("it succeeds");
    assert_eq!(report.run().data_interval(), None);
}

/// The structural hash takes the source text: it runs no code of the user, and is the same on every
/// machine.
#[test]
fn the_source_text_of_a_timetable_is_part_of_the_graph() {
    let source = own::def().options.schedule.expect("a schedule");
    assert_eq!(source.text(), "Hours::every(4)");
    assert_eq!(weekdays::def().options.schedule, Some(ScheduleSource::Text("0 6 * * *")));
    let except = moved::def().options.except.expect("a calendar");
    assert_eq!(except.source(), "holidays()");
    assert_ne!(moved::def().plan().expect("a plan").hash(), earlier::def().plan().expect("a plan").hash());
    assert!(wrong::def().plan().is_ok(), "a plan runs no timetable");
}

#[test]
fn a_calendar_leaves_days_out_or_moves_their_slots() {
    // Friday to Monday; 6:00 in Seoul is 21:00 of the day before in UTC.
    let expected = ["2026-03-05T21:00:00Z", "2026-03-08T21:00:00Z"];
    let weekdays = weekdays::def();
    assert_eq!(slots(weekdays, "2026-03-05T12:00:00Z", "2026-03-09T12:00:00Z"), expected);
    assert_eq!(schedule_of(weekdays).to_string(), "at 06:00, Asia/Seoul, except on Weekends");
    let christmas = |dag| slots(dag, "2026-12-24", "2026-12-28");
    let expected = ["2026-12-24T06:00:00Z", "2026-12-27T06:00:00Z"];
    assert_eq!(christmas(moved::def()), expected, "those of the holidays fall together with the next");
    assert_eq!(christmas(earlier::def()), expected);
    assert_eq!(schedule_of(moved::def()).to_string(), "at 06:00, UTC, a day later on 2026-12-25 and 2026-12-26");
    let slot = schedule_of(moved::def()).after(utc("2026-12-25"), utc("2026-12-25")).expect("a slot");
    let interval = slot.interval.expect("a cron expression has intervals");
    assert_eq!((interval.start, interval.end), (utc("2026-12-24T06:00:00Z"), slot.at));
}

/// Case 50, before there is a schedule.
#[test]
fn a_timetable_that_panics_is_an_error_with_the_place() {
    let error = wrong::def().options.schedule("wrong").expect_err("it panics").to_string();
    let (place, message) = error.split_once(": ").expect("a place and a message");
    assert!(place.starts_with("the timetable panicked at ") && place.contains("options.rs"), "{error}");
    assert_eq!(message, "no tide tables");
}
