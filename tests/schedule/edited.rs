//! DAGs that have another timetable, or other options, in the next build.

use std::time::Duration;

use taskflow::notify::Notification;
use taskflow::ops::PastSlots;
use taskflow::prelude::*;
use taskflow::schedule::{BackfillOrder, BackfillRequest, Catchup, Note, Overlap, SlotRange};
use taskflow::testing::{ServiceTest, Test};

use crate::support::utc;

const MINUTE: Duration = Duration::from_secs(60);

#[task]
fn load(day: Date) -> String {
    format!("flights of {day}")
}

#[dag(schedule = "@daily")]
fn edited_daily(#[param(default = |run| run.day())] day: Date) -> String {
    load(day)
}

#[dag(schedule = "@hourly")]
fn edited_hourly(#[param(default = |run| run.day())] day: Date) -> String {
    load(day)
}

/// The records of slots with this fate, oldest first: the first slot, how many they are, and why.
fn records(service: &ServiceTest, dag: &str, fate: &str) -> Vec<(String, u64, String)> {
    let mut slots: Vec<PastSlots> = service.slots(dag);
    slots.retain(|slots| slots.fate == fate);
    slots.reverse();
    slots.into_iter().map(|slots| (slots.first.to_string(), slots.count, slots.reason)).collect()
}

fn edits(service: &ServiceTest, dag: &str) -> usize {
    let is_edit = |slots: &&PastSlots| matches!(slots.note, Some(Note::TimetableChanged { .. }));
    service.slots(dag).iter().filter(is_edit).count()
}

/// Daily until 15:30, then paused, and hourly from 16:30 on: the slots of the pause begin with the
/// pause.
#[test]
fn a_timetable_that_becomes_finer_in_a_pause_has_the_slots_of_the_pause() {
    let unpaused = |catchup| {
        let mut service = Test::service().dag(edited_daily {});
        service.at("2026-01-01T12:00:00Z").run_until("2026-01-02T15:30:00Z").pause("edited_daily", "");
        service.run_until("2026-01-02T16:30:00Z");
        service.deploy("edited_daily", |options| options.schedule = Some("@hourly".into()));
        service.run_until("2026-01-02T18:30:00Z").unpause("edited_daily", catchup);
        service.run_until("2026-01-02T19:30:00Z");
        service
    };
    let service = unpaused(Catchup::None);
    service.assert_slots("edited_daily", &["2026-01-02", "2026-01-02T19:00:00Z"]);
    let paused = records(&service, "edited_daily", "paused");
    assert_eq!(paused, [("2026-01-02T16:00:00Z".to_owned(), 3, "paused by the test".to_owned())]);
    assert_eq!(edits(&service, "edited_daily"), 1);
    let service = unpaused(Catchup::All);
    let slots = ["2026-01-02T16:00:00Z", "2026-01-02T17:00:00Z", "2026-01-02T18:00:00Z", "2026-01-02T19:00:00Z"];
    service.assert_slots("edited_daily", &[&["2026-01-02"][..], &slots].concat());
    assert_eq!(records(&service, "edited_daily", "paused"), []);
}

/// The slots of 02:00 and 03:00 wait for the run of 01:00, which the deploy interrupts.
#[test]
fn slots_that_wait_leave_a_record_when_the_timetable_becomes_coarser() {
    let mut service = Test::service().dag_with(edited_hourly {}, |test| test.takes(load {}, 170 * MINUTE));
    service.at("2026-01-01T00:30:00Z").run_until("2026-01-01T03:30:00Z");
    service.deploy("edited_hourly", |options| options.schedule = Some("every 2h".into()));
    service.run_until("2026-01-01T06:30:00Z");
    service.assert_slots("edited_hourly", &["2026-01-01T01:00:00Z", "2026-01-01T04:00:00Z"]);
    let superseded = records(&service, "edited_hourly", "superseded");
    assert_eq!(superseded, [("2026-01-01T02:00:00Z".to_owned(), 2, "the timetable has changed".to_owned())]);
}

/// As before, between the deploy and the first step of the new timetable: the slot of 03:00, which
/// this one has not, was hidden, and that of 02:00 was said to wait for a run.
#[test]
fn slots_that_wait_when_the_timetable_is_edited_are_listed_as_those_of_the_old_one() {
    let mut service = Test::service().dag_with(edited_hourly {}, |test| test.takes(load {}, 170 * MINUTE));
    service.at("2026-01-01T00:30:00Z").run_until("2026-01-01T03:30:00Z");
    service.deploy("edited_hourly", |options| options.schedule = Some("every 2h".into()));
    let why = "the timetable was edited; the slot is superseded when a service is running".to_owned();
    let at = |hour: u32| format!("2026-01-01T{hour:02}:00:00Z");
    assert_eq!(records(&service, "edited_hourly", "waiting"), [(at(2), 1, why.clone()), (at(3), 1, why)]);
}

/// The same slots, between which `start` or `end` is put. Until the first step of the new build,
/// the one outside was hidden.
#[test]
fn slots_that_wait_outside_of_edited_bounds_are_listed_with_what_becomes_of_them() {
    let between = Some("2026-01-01T02:30:00Z");
    for (outside, start, end) in [(2, between, None), (3, None, between)] {
        let mut service = Test::service().dag_with(edited_hourly {}, |test| test.takes(load {}, 170 * MINUTE));
        service.at("2026-01-01T00:30:00Z").run_until("2026-01-01T03:30:00Z");
        service.deploy("edited_hourly", |options| (options.start, options.end) = (start, end));
        let why = "`start` or `end` was edited; the slot is superseded when a service is running";
        let waiting = records(&service, "edited_hourly", "waiting");
        let listed: Vec<(&str, bool)> = waiting.iter().map(|(at, _, reason)| (&**at, reason == why)).collect();
        assert_eq!(listed, [("2026-01-01T02:00:00Z", outside == 2), ("2026-01-01T03:00:00Z", outside == 3)]);
        service.run_until("2026-01-01T03:45:00Z");
        let superseded = records(&service, "edited_hourly", "superseded");
        let reason = "`start` or `end` has changed, and the slot is outside".to_owned();
        assert_eq!(superseded, [(format!("2026-01-01T{outside:02}:00:00Z"), 1, reason)]);
    }
}

#[dag(schedule = "@once", start = "2026-01-02")]
fn edited_once(#[param(default = |run| run.day())] day: Date) -> String {
    load(day)
}

/// The slot of January 2 waits for a run of its DAG when it is moved to the 10th.
#[test]
fn a_slot_of_once_that_waits_and_is_moved_is_listed_with_what_becomes_of_it() {
    let mut service = Test::service().dag(edited_once {});
    service.at("2026-01-01T12:00:00Z").run_until("2026-01-01T13:00:00Z");
    service.pause("edited_once", "").run_until("2026-01-02T12:00:00Z");
    service.unpause("edited_once", Catchup::All);
    service.deploy("edited_once", |options| options.start = Some("2026-01-10"));
    let waiting = records(&service, "edited_once", "waiting");
    let why = "`start` or `end` was edited; the slot is superseded when a service is running".to_owned();
    assert_eq!(waiting, [("2026-01-02T00:00:00Z".to_owned(), 1, why)]);
}

/// The service is down from 02:30 to 06:30, and the one that follows has another `catchup`.
#[test]
fn the_slots_of_a_downtime_follow_the_catchup_of_the_next_build() {
    let mut service = Test::service().dag(edited_hourly {});
    service.at("2026-01-01T00:30:00Z").run_until("2026-01-01T02:30:00Z");
    service.deploy("edited_hourly", |options| options.catchup = Some(Catchup::All));
    service.down_until("2026-01-01T06:30:00Z").run_until("2026-01-01T06:45:00Z");
    let slots = (1..7).map(|hour| format!("2026-01-01T{hour:02}:00:00Z")).collect::<Vec<_>>();
    service.assert_slots("edited_hourly", &slots.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(edits(&service, "edited_hourly"), 0);
}

#[dag(schedule = "@daily", start = "2026-12-31")]
fn edited_from_new_year(#[param(default = |run| run.day())] day: Date) -> String {
    load(day)
}

#[dag(schedule = "@once", start = "2026-12-31")]
fn edited_once_at_new_year(#[param(default = |run| run.day())] day: Date) -> String {
    load(day)
}

/// Two DAGs with a `start` on December 31, which on the 2nd becomes the 10th, or a day that has
/// passed, or is removed. Nothing ran until the 31st, and the slot of `@once` never did.
#[test]
fn an_earlier_start_of_a_dag_that_waited_for_its_start_counts_from_the_deploy() {
    fn edited(mut service: ServiceTest, dag: &str, start: Option<&'static str>) -> ServiceTest {
        service.at("2026-12-01T12:00:00Z").run_until("2026-12-02T12:00:00Z");
        service.deploy(dag, |options| options.start = start);
        service.run_until("2026-12-11T12:00:00Z");
        assert_eq!(records(&service, dag, "missed"), []);
        service
    }
    let daily = |start, expected: &[&str]| {
        let service = edited(Test::service().dag(edited_from_new_year {}), "edited_from_new_year", start);
        service.assert_slots("edited_from_new_year", expected);
    };
    let once = |start| edited(Test::service().dag(edited_once_at_new_year {}), "edited_once_at_new_year", start);
    daily(Some("2026-12-10"), &["2026-12-10", "2026-12-11"]);
    // As of a DAG that is new, with a `start` that has passed.
    let days = (3..12).map(|day| format!("2026-12-{day:02}")).collect::<Vec<_>>();
    let days = days.iter().map(String::as_str).collect::<Vec<_>>();
    daily(Some("2026-11-20"), &days);
    daily(None, &days);
    once(Some("2026-12-10")).assert_slots("edited_once_at_new_year", &["2026-12-10"]);
    once(Some("2026-11-20")).assert_slots("edited_once_at_new_year", &["2026-11-20"]);
    assert_eq!(once(None).runs("edited_once_at_new_year").len(), 1, "at the deploy");
}

/// The same `start`, of a timetable that becomes one of noon at once.
#[test]
fn an_earlier_start_counts_from_the_deploy_with_another_timetable_as_well() {
    let mut service = Test::service().dag(edited_from_new_year {});
    service.at("2026-12-01T13:00:00Z").run_until("2026-12-02T13:00:00Z");
    service.deploy("edited_from_new_year", |options| {
        (options.start, options.schedule) = (Some("2026-12-10"), Some("0 12 * * *".into()));
    });
    service.run_until("2026-12-11T13:00:00Z");
    service.assert_slots("edited_from_new_year", &["2026-12-10T12:00:00Z", "2026-12-11T12:00:00Z"]);
    assert_eq!(records(&service, "edited_from_new_year", "superseded"), []);
}

fn tell(_: &Notification) {}

/// The slots that have missed their deadlines, oldest first: the last of each entry, and how many.
fn missed(service: &ServiceTest, dag: &str) -> Vec<(String, u64)> {
    let missed = service.slots(dag).into_iter().filter_map(|slots| match slots.note {
        Some(Note::DeadlineMissed(missed)) => Some((missed.last.to_string(), missed.count)),
        _ => None,
    });
    let mut missed: Vec<(String, u64)> = missed.collect();
    missed.reverse();
    missed
}

#[dag(schedule = "@hourly", catchup = "none", deadline = "1h after slot", on_deadline_missed = tell)]
fn edited_with_deadline(#[param(default = |run| run.day())] day: Date) -> String {
    load(day)
}

/// The service misses the slots of 13:00 to 16:00. At 16:35, when the deadline of 16:00 is not due
/// yet, the timetable becomes four times as fine.
#[test]
fn only_slots_of_the_timetable_of_their_time_miss_their_deadlines() {
    let mut service = Test::service().dag(edited_with_deadline {});
    service.at("2026-01-01T11:30:00Z").run_until("2026-01-01T12:10:00Z");
    service.down_until("2026-01-01T16:30:00Z").run_until("2026-01-01T16:35:00Z");
    service.deploy("edited_with_deadline", |options| options.schedule = Some("every 15m".into()));
    service.run_until("2026-01-01T18:20:00Z");
    let expected = [("2026-01-01T15:00:00Z".to_owned(), 3), ("2026-01-01T16:00:00Z".to_owned(), 1)];
    assert_eq!(missed(&service, "edited_with_deadline"), expected);
}

/// The same slots. At 16:35 the schedule gets an `end` of 13:30, so that it has that of 16:00 no
/// more: its deadline was forgotten.
#[test]
fn a_slot_that_was_missed_before_the_end_was_edited_misses_its_deadline() {
    let mut service = Test::service().dag(edited_with_deadline {});
    service.at("2026-01-01T11:30:00Z").run_until("2026-01-01T12:10:00Z");
    service.down_until("2026-01-01T16:30:00Z").run_until("2026-01-01T16:35:00Z");
    service.deploy("edited_with_deadline", |options| options.end = Some("2026-01-01T13:30:00Z"));
    service.run_until("2026-01-01T18:20:00Z");
    let expected = [("2026-01-01T15:00:00Z".to_owned(), 3), ("2026-01-01T16:00:00Z".to_owned(), 1)];
    assert_eq!(missed(&service, "edited_with_deadline"), expected);
}

/// The slots of 02:00 and 03:00 wait for the run of 01:00, which the deploy of another `overlap`
/// interrupts. With `skip` they were said to start, and with `cancel` to wait for the run.
#[test]
fn slots_that_wait_say_what_an_interrupted_run_means_for_their_overlap() {
    let reasons = |overlap| {
        let mut service = Test::service().dag_with(edited_hourly {}, |test| test.takes(load {}, 170 * MINUTE));
        service.at("2026-01-01T00:30:00Z").run_until("2026-01-01T03:30:00Z");
        service.deploy("edited_hourly", |options| options.overlap = Some(overlap));
        let mut slots = service.slots("edited_hourly");
        slots.retain(|slots| slots.fate == "waiting");
        let number = service.runs("edited_hourly")[0].number;
        (number, slots.into_iter().map(|slots| slots.reason).collect::<Vec<String>>())
    };
    let (number, skipped) = reasons(Overlap::Skip);
    let why = format!("run {number} was interrupted; the slot is skipped if that goes on first");
    assert_eq!(skipped, [why.clone(), why]);
    let starts = "it starts when a service is running".to_owned();
    assert_eq!(reasons(Overlap::Cancel).1, [starts.clone(), starts]);
}

/// Ten days, two of which are begun when the timetable has twice as many slots.
#[test]
fn a_backfill_pauses_when_the_timetable_changes_and_goes_on_with_the_new_one() {
    for order in [BackfillOrder::Oldest, BackfillOrder::Newest, BackfillOrder::Random] {
        let mut service = Test::service().dag_with(edited_daily {}, |test| test.takes(load {}, 60 * MINUTE));
        service.at("2026-03-01T00:30:00Z");
        let ranges = vec![SlotRange { from: utc("2026-02-01"), to: utc("2026-02-10") }];
        let backfill =
            service.backfill_with("edited_daily", &BackfillRequest { ranges, order, ..BackfillRequest::default() });
        service.run_until("2026-03-01T02:00:00Z");
        service.deploy("edited_daily", |options| options.schedule = Some("every 12h".into()));
        let status = service.run_until("2026-03-01T04:00:00Z").backfill_status(backfill);
        assert_eq!((status.phase.name(), status.slots, status.pending), ("paused", 10, 8), "{order}");
        service.resume_backfill(backfill).run_until("2026-03-05");
        let status = service.backfill_status(backfill);
        assert_eq!((status.phase.name(), status.pending), ("done", 0), "{order}: {status:?}");
        assert_eq!(status.counts.success, status.slots, "{order}: {status:?}");
        if order != BackfillOrder::Random {
            assert!(status.slots > 10, "{order}: {status:?}");
        }
    }
}
