//! What becomes of each slot: new DAGs, downtime, pauses, clocks, overlap.
//!
//! The numbers are those of the cases that the design was checked against.

use std::time::Duration;

use proptest::prelude::*;
use taskflow::Timestamp;
use taskflow::graph::DagOptions;
use taskflow::schedule::{
    Catchup, Crons, Every, First, Note, Overlap, Pause, Recurrence, Schedule, ScheduleState, Slot, SlotFate, Timetable,
    Waits, Zone, ZoneRules, unpause,
};
use taskflow_tests::common::cases;

use crate::service::Service;
use crate::support::{cron, utc};

fn daily() -> Schedule {
    Schedule::of(Crons::from(cron("0 0 * * *", "UTC")))
}

fn hourly() -> Schedule {
    Schedule::of(Crons::from(cron("0 * * * *", "UTC")))
}

fn every(period: &str) -> Schedule {
    Schedule::of(Every::parse(period, Zone::UTC).expect("a period"))
}

fn with(schedule: Schedule, change: impl FnOnce(&mut Schedule)) -> Schedule {
    let mut schedule = schedule;
    change(&mut schedule);
    schedule
}

/// Case 25.
#[test]
fn a_new_dag_starts_with_its_next_slot() {
    let mut service = Service::new(daily(), "2026-03-01T15:00:00Z");
    service.until("2026-03-01T23:59:59Z");
    assert_eq!(service.runs, []);
    service.until("2026-03-02T00:00:01Z");
    assert_eq!(service.runs, [(utc("2026-03-02"), utc("2026-03-02"))]);
}

/// Case 26.
#[test]
fn a_new_dag_can_start_with_its_last_slot() {
    let schedule = with(daily(), |schedule| schedule.first = First::Last);
    let mut service = Service::new(schedule, "2026-03-01T15:00:00Z");
    service.until("2026-03-02T12:00:00Z");
    assert_eq!(
        service.runs,
        [(utc("2026-03-01"), utc("2026-03-01T15:00:00Z")), (utc("2026-03-02"), utc("2026-03-02"))]
    );
}

/// Case 27. The window bounds downtime; the past of a new DAG was asked for.
#[test]
fn a_new_dag_catches_up_from_its_start() {
    let schedule = with(daily(), |schedule| {
        schedule.start = Some(utc("2026-01-01"));
        schedule.catchup = Catchup::All;
        schedule.max_active_runs = 3;
    });
    let mut service = Service::new(schedule, "2026-03-01T15:00:00Z");
    service.takes = Duration::from_secs(60);
    service.until("2026-03-01T18:00:00Z");
    assert_eq!(service.runs.len(), 60, "31 + 28 days and the first of March");
    assert_eq!((service.runs[0].0, service.runs[59].0), (utc("2026-01-01"), utc("2026-03-01")));
    assert!(service.runs.is_sorted(), "oldest first");
    assert_eq!((service.most_active, service.records.len()), (3, 0));
}

/// Cases 28 and 29.
#[test]
fn start_and_end_are_inclusive() {
    let bounded = |start: &str, end: &str| {
        with(daily(), |schedule| {
            schedule.start = Some(utc(start));
            schedule.end = Some(utc(end));
        })
    };
    let mut service = Service::new(bounded("2026-03-05", "2026-03-07"), "2026-03-01T15:00:00Z");
    service.until("2026-03-20");
    assert_eq!(service.slots(), ["2026-03-05T00:00:00Z", "2026-03-06T00:00:00Z", "2026-03-07T00:00:00Z"]);
    let bounds = bounded("2026-03-05T00:00:00.000000001Z", "2026-03-06T23:59:59.999999999Z");
    let mut service = Service::new(bounds, "2026-03-01T15:00:00Z");
    service.until("2026-03-20");
    assert_eq!(service.slots(), ["2026-03-06T00:00:00Z"]);
}

/// Case 30. `serve` tells how late it is.
#[test]
fn a_slot_that_passed_during_a_restart_runs_late() {
    let mut service = Service::new(daily(), "2026-03-01T15:00:00Z");
    service.until("2026-03-01T23:50:00Z").down_until("2026-03-02T00:20:00Z").until("2026-03-02T12:00:00Z");
    assert_eq!(service.runs, [(utc("2026-03-02"), utc("2026-03-02T00:20:00Z"))]);
    assert_eq!((&*service.late, service.records.len()), (&[Duration::from_secs(20 * 60)][..], 0));
}

/// Cases 31 to 33.
#[test]
fn the_catchup_policy_decides_about_downtime() {
    let three_days = |catchup, window: Option<u64>| {
        let schedule = with(hourly(), |schedule| {
            schedule.catchup = catchup;
            schedule.catchup_window =
                window.map_or(schedule.catchup_window, |hours| Duration::from_secs(hours * 3_600));
        });
        let mut service = Service::new(schedule, "2026-03-01T11:30:00Z");
        service.until("2026-03-01T12:30:00Z");
        assert_eq!(service.runs.len(), 1);
        service.down_until("2026-03-04T12:30:00Z").until("2026-03-04T12:31:00Z");
        let missed = service.count(SlotFate::Missed);
        // One line for all of them, with the reason.
        assert_eq!(service.records.len(), usize::from(missed > 0), "{:?}", service.records);
        let reason = service.records.first().map_or("", |(_, _, reason)| reason).to_owned();
        (service.runs.len() - 1, missed, reason)
    };
    let outcome = |runs, missed, reason: &str| (runs, missed, reason.to_owned());
    let (why, too_old) = ("no service was running", "no service was running; the slot is older than `catchup_window`");
    assert_eq!(three_days(Catchup::Last, None), outcome(1, 71, why));
    assert_eq!(three_days(Catchup::All, None), outcome(72, 0, ""));
    let why_24 =
        "of the 72 slots, the window of 24 hours at 12:30 holds those from 13:00 on the 3rd to 12:00 on the 4th";
    assert_eq!(three_days(Catchup::All, Some(24)), outcome(24, 48, too_old), "{why_24}");
    assert_eq!(three_days(Catchup::None, None), outcome(0, 72, why));
    assert_eq!(three_days(Catchup::Last, Some(0)), outcome(0, 72, too_old), "the last slot is half an hour old");
}

/// Case 34. The macro refuses a window that is shorter than the grace: `catchup_window_invalid` of
/// `tests/ui`.
#[test]
fn a_slot_is_on_time_within_a_minute() {
    let schedule = with(hourly(), |schedule| schedule.catchup = Catchup::None);
    let mut service = Service::new(schedule, "2026-03-01T11:30:00Z");
    service.until("2026-03-01T11:59:59Z").down_until("2026-03-01T12:00:01Z").until("2026-03-01T12:30:00Z");
    assert_eq!(service.slots(), ["2026-03-01T12:00:00Z"]);
    assert_eq!((&*service.late, service.records.len()), (&[Duration::from_secs(1)][..], 0));
}

fn paused(until: Option<&str>) -> Service {
    let mut service = Service::new(hourly(), "2026-03-01T11:30:00Z");
    service.until("2026-03-01T15:00:00.5Z");
    let state = service.state.as_mut().expect("a state");
    let pause =
        Pause { by: "mina".to_owned(), reason: "migration".to_owned(), since: service.now, until: until.map(utc) };
    state.pause = Some(pause);
    service.runs.clear();
    service.until("2026-03-04T15:00:00.7Z");
    service
}

/// Cases 35 and 36.
#[test]
fn unpausing_runs_what_is_asked_for() {
    let unpaused = |catchup, window: Option<u64>| {
        let mut service = paused(None);
        if let Some(hours) = window {
            service.schedule.catchup_window = Duration::from_secs(hours * 3_600);
        }
        assert_eq!((service.runs.len(), service.waits.clone()), (0, Some(Waits::Paused)));
        let state = service.state.take().expect("a state");
        let (state, records) = unpause(&service.schedule, &state, service.now, catchup);
        service.state = Some(state);
        service.until("2026-03-04T15:01:00Z");
        assert_eq!(service.records, [], "the records are those of the end of the pause");
        let runs = service.runs.len();
        service.until("2026-03-04T16:00:01Z");
        assert_eq!(service.runs.len(), runs + 1, "and that of 16:00");
        let records: Vec<_> = records.into_iter().map(|record| (record.fate, record.count, record.reason)).collect();
        (runs, records)
    };
    let record = |count, reason: &str| vec![(SlotFate::Paused, count, reason.to_owned())];
    let (why, too_old) =
        ("paused by mina: migration", "paused by mina: migration; the slot is older than `catchup_window`");
    assert_eq!(unpaused(Catchup::None, None), (0, record(72, why)));
    assert_eq!(unpaused(Catchup::Last, None), (1, record(71, why)));
    assert_eq!(unpaused(Catchup::All, None), (72, vec![]));
    assert_eq!(unpaused(Catchup::All, Some(24)), (24, record(48, too_old)));
    assert_eq!(unpaused(Catchup::Last, Some(0)), (0, record(72, too_old)), "the last slot is 700 ms old");
}

/// Case 36, with slots that waited for room before the pause: those of 13:00 and 14:00. All of them
/// ran beside the last one of the pause.
#[test]
fn unpausing_with_the_last_slot_runs_one_of_those_that_waited_and_those_that_passed() {
    let unpaused = |at: &str, catchup| {
        let mut service = Service::new(hourly(), "2026-03-01T11:30:00Z");
        service.takes = Duration::from_secs(24 * 3_600);
        service.until("2026-03-01T14:10:00Z");
        let state = service.state.as_mut().expect("a state");
        state.pause = Some(Pause { by: "mina".to_owned(), reason: String::new(), since: service.now, until: None });
        service.until(at);
        let state = service.state.take().expect("a state");
        let (state, records) = unpause(&service.schedule, &state, service.now, catchup);
        service.state = Some(state);
        service.active.clear();
        service.takes = Duration::from_millis(1);
        service.until("2026-03-01T16:31:00Z");
        assert!(records.iter().all(|record| record.fate == SlotFate::Paused && record.reason == "paused by mina"));
        let runs: Vec<String> = service.slots()[1..].iter().map(|slot| slot[11..16].to_owned()).collect();
        (runs.join(" "), records.iter().map(|record| record.count).sum::<u64>())
    };
    let outcome = |runs: &str, recorded| (runs.to_owned(), recorded);
    let two_hours_later = "2026-03-01T16:30:00Z";
    assert_eq!(unpaused(two_hours_later, Catchup::None), outcome("", 4));
    assert_eq!(unpaused(two_hours_later, Catchup::Last), outcome("16:00", 3));
    assert_eq!(unpaused(two_hours_later, Catchup::All), outcome("13:00 14:00 15:00 16:00", 0));
    // No slot has passed during the pause, so the last one is one that waited.
    let soon = "2026-03-01T14:20:00Z";
    assert_eq!(unpaused(soon, Catchup::Last), outcome("14:00 15:00 16:00", 1));
}

/// Case 36 for a DAG that begins paused, with every month since 2020 behind it: all of them ran.
#[test]
fn unpausing_a_new_dag_with_the_last_slot_runs_one_of_those_since_its_start() {
    let schedule = with(Schedule::of(Crons::from(cron("0 0 1 * *", "UTC"))), |schedule| {
        (schedule.start, schedule.catchup) = (Some(utc("2020-01-01")), Catchup::All);
    });
    let now = utc("2026-03-20T15:00:00Z");
    let state = ScheduleState::first_seen(&schedule, now, true);
    let (state, records) = unpause(&schedule, &state, now, Catchup::Last);
    let recorded: Vec<_> = records.iter().map(|record| (record.fate, record.count)).collect();
    assert_eq!(recorded, [(SlotFate::Paused, 74)], "2020 to 2025, and two of 2026");
    let mut service = Service::new(schedule, "2026-03-20T15:00:00Z");
    service.state = Some(state);
    service.until("2026-04-01T12:00:00Z");
    let why = "the slot is older than `catchup_window`, which does not bound the past of a new DAG";
    assert_eq!(service.slots(), ["2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"], "{why}");
}

/// The program has another timetable, which no service has stepped yet. Its first step took the
/// slots that were to run for those of the old one, and dropped them.
#[test]
fn the_slots_of_a_pause_run_by_a_timetable_that_has_changed_meanwhile() {
    let mut service = paused(None);
    service.schedule = daily();
    let state = service.state.take().expect("a state");
    let (state, records) = unpause(&service.schedule, &state, service.now, Catchup::All);
    assert!(records.is_empty(), "{records:?}");
    service.state = Some(state);
    service.until("2026-03-04T15:01:00Z");
    assert_eq!(service.slots(), ["2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z"]);
}

/// Somebody unpauses with a new build, and the service that runs is one of the old build. Its next
/// step took the slots that were to run for those of another timetable, and dropped them.
#[test]
fn the_slots_of_a_pause_run_by_a_service_that_has_the_old_timetable() {
    let mut service = paused(None);
    let state = service.state.take().expect("a state");
    service.state = Some(unpause(&daily(), &state, service.now, Catchup::All).0);
    service.until("2026-03-04T15:01:00Z");
    let slots = service.slots();
    for slot in ["2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z"] {
        assert!(slots.iter().any(|run| *run == slot), "{slot} is not in {slots:?}");
    }
}

/// Case 37, also if no service ran when the pause ended.
#[test]
fn a_pause_ends_by_itself() {
    let mut service = paused(Some("2026-03-03T12:00:30Z"));
    assert_eq!(service.count(SlotFate::Paused), 45, "16:00 on the 1st to 12:00 on the 3rd");
    assert!(matches!(&service.notes[..], [Note::PauseEnded(pause)] if pause.by == "mina"), "{:?}", service.notes);
    assert_eq!(service.runs.len(), 27, "13:00 on the 3rd to 15:00 on the 4th");
    let mut down = Service::new(hourly(), "2026-03-01T11:30:00Z");
    down.state = paused(None).state;
    down.state.as_mut().and_then(|state| state.pause.as_mut()).expect("a pause").until =
        Some(utc("2026-03-03T12:00:30Z"));
    down.down_until("2026-03-04T15:00:00.7Z").until("2026-03-04T15:01:00Z");
    assert_eq!((down.count(SlotFate::Paused), down.runs.len()), (45, 1), "the slot of 15:00 is on time");
    assert_eq!(down.count(SlotFate::Missed), 26);
    service.until("2026-03-04T16:00:01Z");
}

/// Case 39. The runs that paused the DAG do not count again after it was unpaused.
#[test]
fn a_dag_is_paused_after_failures_in_a_row() {
    let mut service = Service::new(with(hourly(), |schedule| schedule.pause_after_failures = Some(3)), "2026-03-01");
    let at = |hour: &str| format!("2026-03-01T{hour}:30:00Z");
    // 03:00 succeeds between failures.
    service.fails = |slot| slot != utc("2026-03-01T03:00:00Z");
    service.until(&at("05"));
    assert_eq!((service.runs.len(), service.notes.len()), (5, 0), "two failures, a success, two failures");
    service.until(&at("10"));
    assert_eq!(service.runs.len(), 6, "the third failure in a row was the last run");
    let pause = service.state.as_ref().and_then(|state| state.pause.clone()).expect("a pause");
    assert_eq!(pause.reason, "3 runs in a row failed, the last one is scheduled__2026-03-01T06:00:00Z__etl");
    assert_eq!(service.notes, [Note::Paused(pause.clone())]);
    assert_eq!((&*pause.by, pause.until), ("the option `pause_after_failures`", None));
    let state = service.state.take().expect("a state");
    let (state, _) = unpause(&service.schedule, &state, service.now, Catchup::None);
    service.state = Some(state);
    service.until(&at("20"));
    assert_eq!(service.runs.len(), 9, "three more runs");
    assert_eq!(service.notes.len(), 2);
}

/// Daily until a run of 15:30 hours fails, then paused, then hourly: the slots from 01:00 to 15:00
/// were those of the pause, and ran.
#[test]
fn the_slots_of_a_pause_after_failures_begin_with_it() {
    let mut service = Service::new(with(daily(), |schedule| schedule.pause_after_failures = Some(1)), "2026-03-01");
    service.takes = Duration::from_secs(15 * 3_600 + 30 * 60);
    service.fails = |_| true;
    service.until("2026-03-02T16:30:00Z");
    assert_eq!((service.runs.len(), service.waits.clone()), (1, Some(Waits::Paused)));
    service.schedule = hourly();
    service.until("2026-03-02T17:10:00Z");
    let state = service.state.take().expect("a state");
    let (state, records) = unpause(&service.schedule, &state, service.now, Catchup::All);
    assert!(records.is_empty(), "{records:?}");
    service.state = Some(state);
    service.takes = Duration::from_millis(1);
    service.until("2026-03-02T17:11:00Z");
    assert_eq!(service.slots(), ["2026-03-02T00:00:00Z", "2026-03-02T16:00:00Z", "2026-03-02T17:00:00Z"]);
}

/// Case 40.
#[test]
fn a_slot_that_waits_when_its_dag_is_paused_is_paused() {
    let mut service = Service::new(hourly(), "2026-03-01T11:30:00Z");
    service.takes = Duration::from_secs(100 * 60);
    service.until("2026-03-01T13:10:00Z");
    assert_eq!((service.runs.len(), service.waits.clone()), (1, Some(Waits::ForRoom { active: 1 })));
    let state = service.state.as_mut().expect("a state");
    state.pause = Some(Pause { by: "mina".to_owned(), reason: String::new(), since: service.now, until: None });
    service.until("2026-03-01T13:30:00Z");
    assert_eq!(service.active, [utc("2026-03-01T13:40:00Z")], "the active run goes on");
    service.until("2026-03-01T16:30:00Z");
    assert_eq!((service.active.len(), service.runs.len()), (0, 1), "it has ended, and none has started");
    let state = service.state.take().expect("a state");
    let (state, records) = unpause(&service.schedule, &state, service.now, Catchup::None);
    let [record] = &records[..] else { panic!("{records:?}") };
    let span = (record.first, record.last, record.count);
    assert_eq!(span, (utc("2026-03-01T13:00:00Z"), utc("2026-03-01T16:00:00Z"), 4));
    assert_eq!((record.fate, &*record.reason), (SlotFate::Paused, "paused by mina"));
    service.state = Some(state);
    service.until("2026-03-01T17:30:00Z");
    assert_eq!(service.slots(), ["2026-03-01T12:00:00Z", "2026-03-01T17:00:00Z"]);
}

/// One record from the slot that waited to the last one of the pause would include those that were
/// missed in between, which have a record of their own.
#[test]
fn slots_between_those_of_a_record_are_not_part_of_it() {
    let mut service = Service::new(hourly(), "2026-03-01T11:30:00Z");
    service.takes = Duration::from_secs(24 * 3_600);
    service.until("2026-03-01T13:10:00Z").down_until("2026-03-01T18:30:00Z").until("2026-03-01T18:31:00Z");
    let [(SlotFate::Missed, 4, _)] = &service.records[..] else { panic!("{:?}", service.records) };
    assert_eq!(service.runs.len(), 1, "the slots from 14:00 to 17:00 were missed, the others wait");
    let state = service.state.as_mut().expect("a state");
    state.pause = Some(Pause { by: "mina".to_owned(), reason: String::new(), since: service.now, until: None });
    service.until("2026-03-01T20:30:00Z");
    let state = service.state.take().expect("a state");
    let (_, records) = unpause(&service.schedule, &state, service.now, Catchup::None);
    let spans: Vec<_> = records.iter().map(|record| (record.first, record.last, record.count)).collect();
    let waited = (utc("2026-03-01T13:00:00Z"), utc("2026-03-01T13:00:00Z"), 1);
    assert_eq!(spans, [waited, (utc("2026-03-01T18:00:00Z"), utc("2026-03-01T20:00:00Z"), 3)]);
    assert!(records.iter().all(|record| record.fate == SlotFate::Paused), "{records:?}");
}

/// Case 41.
#[test]
fn a_clock_that_goes_back_repeats_no_slot() {
    let mut service = Service::new(hourly(), "2026-03-01T11:30:00Z");
    service.until("2026-03-01T13:30:00Z").down_until("2026-03-01T12:30:00Z").until("2026-03-01T15:30:00Z");
    let slots = ["2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z", "2026-03-01T14:00:00Z", "2026-03-01T15:00:00Z"];
    assert_eq!(service.slots(), slots);
    let notes = service.notes.iter().filter(|note| matches!(note, Note::ClockWentBack { .. })).count();
    assert_eq!(notes, 1, "{:?}", service.notes);
}

/// Case 42.
#[test]
fn a_clock_that_jumps_forward_makes_one_run() {
    let mut service = Service::new(hourly(), "2026-03-01T11:30:00Z");
    service.until("2026-03-01T12:30:00Z").down_until("2036-03-01T12:30:00Z").until("2036-03-01T12:31:00Z");
    assert_eq!(service.runs.len(), 2);
    service.down_until("2026-03-01T13:00:00Z").until("2026-03-05T00:00:00Z");
    assert_eq!(service.runs.len(), 2, "slots before the cursor are decided");
}

/// Case 42: what the service does about a clock that is far behind, and what mends it.
#[test]
fn a_schedule_that_is_ahead_of_the_clock_can_be_reset() {
    let mut service = Service::new(hourly(), "2026-03-01T11:30:00Z");
    service.until("2026-03-01T12:30:00Z").down_until("2036-03-01T12:30:00Z").until("2036-03-01T12:31:00Z");
    let state = service.state.clone().expect("a state");
    let right = utc("2026-03-01T13:10:00Z");
    assert!(state.clock_is_behind(right).is_some_and(|by| by > Duration::from_secs(9 * 365 * 86_400)));
    assert_eq!(state.clock_is_behind(utc("2036-02-29T12:30:30Z")), None, "a day is tolerated");
    assert_eq!(state.reset(utc("2036-03-01T12:31:00Z")), None, "it is not ahead");
    service.state = state.reset(right);
    let state = service.state.as_ref().expect("it is ahead");
    assert_eq!((state.noticed, state.clock, state.clock_is_behind(right)), (right, right, None));
    service.down_until("2026-03-01T13:10:00Z").until("2026-03-01T15:30:00Z");
    let slots = service.slots();
    assert_eq!(slots[2..], ["2026-03-01T14:00:00Z", "2026-03-01T15:00:00Z"]);
}

/// Case 46.
#[test]
fn a_changed_timetable_repeats_nothing() {
    let mut service = Service::new(hourly(), "2026-03-01T11:30:00Z");
    service.until("2026-03-01T13:30:00Z");
    service.schedule = daily();
    service.until("2026-03-03T12:00:00Z");
    let slots = ["2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z", "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"];
    assert_eq!(service.slots(), slots);
    let [Note::TimetableChanged { from, to }] = &service.notes[..] else { panic!("{:?}", service.notes) };
    assert_eq!((&**from, &**to), ("0 * * * * UTC", "0 0 * * * UTC"));
    assert_eq!(service.records, []);
}

/// Case 46, the other way. The state has the time of the last decision, so the slots that the new
/// timetable has since then were taken for those of a downtime.
#[test]
fn a_finer_timetable_begins_when_it_is_deployed() {
    for catchup in [Catchup::Last, Catchup::All, Catchup::None] {
        let of = |schedule| with(schedule, |schedule| schedule.catchup = catchup);
        let mut service = Service::new(of(daily()), "2026-03-01T12:00:00Z");
        service.until("2026-03-02T15:30:00Z");
        service.schedule = of(hourly());
        service.until("2026-03-02T17:30:00Z");
        assert_eq!(service.slots(), ["2026-03-02T00:00:00Z", "2026-03-02T16:00:00Z", "2026-03-02T17:00:00Z"]);
        assert_eq!(service.records, [], "{catchup}");
    }
}

/// Case 46: the service is down for twelve seconds around 14:00, a slot of both timetables.
#[test]
fn a_slot_that_passes_during_the_deploy_of_a_new_timetable_is_on_time() {
    let mut service = Service::new(hourly(), "2026-03-01T13:30:00Z");
    service.until("2026-03-01T13:59:58Z").down_until("2026-03-01T14:00:10Z");
    service.schedule = Schedule::of(Crons::from(cron("*/30 * * * *", "UTC")));
    service.until("2026-03-01T14:45:00Z");
    assert_eq!(service.slots(), ["2026-03-01T14:00:00Z", "2026-03-01T14:30:00Z"]);
    assert_eq!(service.records, []);
}

/// Case 46, after three days without a service.
#[test]
fn slots_of_a_downtime_before_a_new_timetable_leave_a_record() {
    let mut service = Service::new(daily(), "2026-03-01T12:00:00Z");
    service.until("2026-03-02T12:00:00Z").down_until("2026-03-05T15:30:00Z");
    service.schedule = hourly();
    service.until("2026-03-05T16:30:00Z");
    assert_eq!(service.slots(), ["2026-03-02T00:00:00Z", "2026-03-05T16:00:00Z"]);
    assert_eq!(service.records, [(SlotFate::Superseded, 3, "the timetable has changed".to_owned())]);
}

/// Case 46: a pause until 10:00 ends while no service is running, and the next one has another
/// timetable. The slots that this one has since 10:00 were taken for those of the downtime.
#[test]
fn a_new_timetable_begins_when_it_is_deployed_after_the_end_of_a_pause() {
    let at_six = || Schedule::of(Crons::from(cron("0 6 * * *", "UTC")));
    for catchup in [Catchup::Last, Catchup::All, Catchup::None] {
        let of = |schedule| with(schedule, |schedule| schedule.catchup = catchup);
        let mut service = Service::new(of(at_six()), "2026-03-01T12:00:00Z");
        service.until("2026-03-02T05:00:00Z");
        let until = Some(utc("2026-03-02T10:00:00Z"));
        let pause = Pause { by: "mina".to_owned(), reason: String::new(), since: service.now, until };
        service.state.as_mut().expect("a state").pause = Some(pause);
        service.until("2026-03-02T09:00:00Z").down_until("2026-03-02T15:30:00Z");
        service.schedule = of(hourly());
        service.until("2026-03-02T17:30:00Z");
        assert_eq!(service.slots(), ["2026-03-02T16:00:00Z", "2026-03-02T17:00:00Z"], "{catchup}");
        assert_eq!(service.records, [(SlotFate::Superseded, 1, "the timetable has changed".to_owned())], "{catchup}");
        assert!(matches!(service.notes[..], [Note::TimetableChanged { .. }, Note::PauseEnded(_)]), "{catchup}");
    }
}

/// Case 46: the service is down for less than a minute around 10:00:00, a slot of the old
/// timetable, and 10:00:30, one of the new. The first had neither a run nor a record.
#[test]
fn a_slot_of_the_old_timetable_just_before_the_deploy_of_a_new_one_leaves_a_record() {
    let mut service = Service::new(every("1m"), "2026-03-01T09:58:30Z");
    service.until("2026-03-01T09:59:50Z").down_until("2026-03-01T10:00:45Z");
    let half_past = Every::parse("1m", Zone::UTC).expect("a period").offset(Duration::from_secs(30));
    service.schedule = Schedule::of(half_past.expect("less than the period"));
    service.until("2026-03-01T10:01:45Z");
    assert_eq!(service.slots(), ["2026-03-01T09:59:00Z", "2026-03-01T10:00:30Z", "2026-03-01T10:01:30Z"]);
    assert_eq!(service.records, [(SlotFate::Superseded, 1, "the timetable has changed".to_owned())]);
}

/// Case 46, with slots that wait: 50 of a new DAG since its `start`, and three for room. They were
/// gone without a record.
#[test]
fn slots_that_wait_when_the_timetable_changes_leave_a_record() {
    let since_january = |text| {
        with(Schedule::of(Crons::from(cron(text, "UTC"))), |schedule| {
            (schedule.start, schedule.catchup) = (Some(utc("2026-01-01")), Catchup::All);
        })
    };
    let mut service = Service::new(since_january("0 6 * * *"), "2026-03-01T12:00:00Z");
    service.takes = Duration::from_secs(3_600);
    service.until("2026-03-01T21:30:00Z");
    assert_eq!(service.runs.len(), 10);
    service.schedule = since_january("0 7 * * *");
    service.until("2026-03-02T12:00:00Z");
    assert_eq!((service.runs.len(), &*service.slots()[10]), (11, "2026-03-02T07:00:00Z"));
    assert_eq!(service.records, [(SlotFate::Superseded, 50, "the timetable has changed".to_owned())]);

    let mut queue = Service::new(every("1h"), "2026-03-01T11:30:00Z");
    queue.takes = Duration::from_secs(24 * 3_600);
    queue.until("2026-03-01T15:30:00Z");
    queue.schedule = daily();
    queue.until("2026-03-01T16:00:00Z");
    assert_eq!(queue.records, [(SlotFate::Superseded, 3, "the timetable has changed".to_owned())]);
}

/// Case 46: nobody can say which slots a timetable had that is code of the user. The first of them
/// is known.
#[test]
fn a_slot_that_waits_leaves_a_record_when_a_timetable_of_the_user_changes() {
    let mut service = Service::new(build(1), "2026-03-01T12:00:00Z");
    service.takes = Duration::from_secs(30 * 3_600);
    service.until("2026-03-03T06:00:00Z");
    assert_eq!((service.runs.len(), service.waits.clone()), (1, Some(Waits::ForRoom { active: 1 })));
    service.schedule = daily();
    service.until("2026-03-03T07:00:00Z");
    let [(SlotFate::Superseded, 1, reason)] = &service.records[..] else { panic!("{:?}", service.records) };
    assert!(reason.starts_with("the timetable has changed"), "{reason}");
}

/// The slots from 13:00 to 15:00 wait when `end` becomes 13:30, or `start` becomes 14:30. Those
/// that are outside were gone without a record.
#[test]
fn slots_that_wait_outside_of_bounds_that_were_edited_leave_a_record() {
    let edited = |change: fn(&mut Schedule)| {
        let mut service = Service::new(hourly(), "2026-03-01T11:30:00Z");
        service.takes = Duration::from_secs(24 * 3_600);
        service.until("2026-03-01T15:30:00Z");
        change(&mut service.schedule);
        service.until("2026-03-01T15:40:00Z").until("2026-03-01T15:50:00Z");
        service.active.clear();
        service.takes = Duration::from_millis(1);
        service.until("2026-03-01T15:55:00Z");
        (service.slots()[1..].join(" "), service.records)
    };
    let reason = "`start` or `end` has changed, and the slot is outside";
    let outside = |count| vec![(SlotFate::Superseded, count, reason.to_owned())];
    let ended = edited(|schedule| schedule.end = Some(utc("2026-03-01T13:30:00Z")));
    assert_eq!(ended, ("2026-03-01T13:00:00Z".to_owned(), outside(2)));
    let begun = edited(|schedule| schedule.start = Some(utc("2026-03-01T14:30:00Z")));
    assert_eq!(begun, ("2026-03-01T15:00:00Z".to_owned(), outside(2)));
    // With a start after the end no slot is left. Those between the two were counted twice.
    let nothing = edited(|schedule| {
        schedule.start = Some(utc("2026-03-01T14:30:00Z"));
        schedule.end = Some(utc("2026-03-01T13:30:00Z"));
    });
    assert_eq!(nothing, (String::new(), outside(3)));
}

/// An `end` of 14:30 that is moved or removed at 18:30, and a `start` in April that a build of
/// 13:30 has and that of 18:30 does not. The slots of the time between were taken for those of a
/// downtime.
#[test]
fn slots_outside_of_bounds_were_never_due_when_these_are_edited() {
    for catchup in [Catchup::Last, Catchup::All, Catchup::None] {
        let of = |start: Option<&str>, end: Option<&str>| {
            with(hourly(), |schedule| {
                (schedule.start, schedule.end, schedule.catchup) = (start.map(utc), end.map(utc), catchup);
            })
        };
        for end in [Some("2026-03-02"), None] {
            let mut service = Service::new(of(None, Some("2026-03-01T14:30:00Z")), "2026-03-01T12:30:00Z");
            service.until("2026-03-01T18:30:00Z");
            service.schedule = of(None, end);
            service.until("2026-03-01T19:30:00Z");
            let slots = ["2026-03-01T13:00:00Z", "2026-03-01T14:00:00Z", "2026-03-01T19:00:00Z"];
            assert_eq!((service.slots(), service.records), (slots.map(str::to_owned).to_vec(), vec![]), "{catchup}");
        }
        let mut service = Service::new(of(None, None), "2026-03-01T12:30:00Z");
        service.until("2026-03-01T13:30:00Z");
        service.schedule = of(Some("2026-04-01"), None);
        service.until("2026-03-01T18:30:00Z");
        service.schedule = of(None, None);
        service.until("2026-03-01T19:30:00Z");
        assert_eq!(service.slots(), ["2026-03-01T13:00:00Z", "2026-03-01T19:00:00Z"], "{catchup}");
        assert_eq!(service.records, [], "{catchup}");
    }
}

/// The service is down from 12:30 to 18:30, or half a minute after 18:00, and the next one has no
/// `end` of 14:30 any more, or one of the next day. The slots after 14:30 were taken for those of
/// the downtime.
#[test]
fn of_a_downtime_no_slots_after_an_end_that_has_passed_are_caught_up() {
    let (on_time, late): (&[&str], &[&str]) = (&["18:00"], &[]);
    for (catchup, last, down_until, caught_up, missed) in [
        (Catchup::All, late, "18:30:00", &["13:00", "14:00"][..], 0),
        (Catchup::Last, late, "18:30:00", &["14:00"], 1),
        (Catchup::None, late, "18:30:00", &[], 2),
        (Catchup::All, on_time, "18:00:30", &["13:00", "14:00"], 0),
        (Catchup::Last, on_time, "18:00:30", &[], 2),
        (Catchup::None, on_time, "18:00:30", &[], 2),
    ] {
        for end in [Some("2026-03-02"), None] {
            let of = |end: Option<&str>| {
                with(hourly(), |schedule| (schedule.end, schedule.catchup) = (end.map(utc), catchup))
            };
            let mut service = Service::new(of(Some("2026-03-01T14:30:00Z")), "2026-03-01T11:30:00Z");
            service.until("2026-03-01T12:30:00Z").down_until(&format!("2026-03-01T{down_until}Z"));
            service.schedule = of(end);
            service.until("2026-03-01T19:30:00Z");
            let slots = [&["12:00"][..], caught_up, last, &["19:00"]].concat();
            let slots: Vec<String> = slots.into_iter().map(|slot| format!("2026-03-01T{slot}:00Z")).collect();
            assert_eq!(service.slots(), slots, "{catchup} {down_until}");
            let records = (missed > 0).then(|| (SlotFate::Missed, missed, "no service was running".to_owned()));
            assert_eq!(service.records, records.into_iter().collect::<Vec<_>>(), "{catchup} {down_until}");
        }
    }
}

/// The same downtime, and slots that are too old to be caught up: none after `end` is one of them.
#[test]
fn of_a_downtime_only_slots_before_an_end_that_has_passed_are_too_old() {
    let of = |end: Option<&str>| {
        with(hourly(), |schedule| {
            (schedule.end, schedule.catchup) = (end.map(utc), Catchup::All);
            schedule.catchup_window = Duration::from_secs(3_600);
        })
    };
    let mut service = Service::new(of(Some("2026-03-01T14:30:00Z")), "2026-03-01T11:30:00Z");
    service.until("2026-03-01T12:30:00Z").down_until("2026-03-01T18:30:00Z");
    service.schedule = of(None);
    service.until("2026-03-01T19:30:00Z");
    assert_eq!(service.slots(), ["2026-03-01T12:00:00Z", "2026-03-01T19:00:00Z"]);
    let reason = "no service was running; the slot is older than `catchup_window`".to_owned();
    assert_eq!(service.records, [(SlotFate::Missed, 2, reason)]);
}

/// The service is down from 12:30 to 15:30, and the next one has an `end` of 13:30, or a `start` of
/// 14:30. The slots of the downtime that are outside were gone without a record.
#[test]
fn slots_of_a_downtime_outside_of_bounds_that_were_edited_leave_a_record() {
    let edited = |change: fn(&mut Schedule)| {
        let schedule = with(hourly(), |schedule| schedule.catchup = Catchup::All);
        let mut service = Service::new(schedule, "2026-03-01T11:30:00Z");
        service.until("2026-03-01T12:30:00Z").down_until("2026-03-01T15:30:00Z");
        change(&mut service.schedule);
        service.until("2026-03-01T15:40:00Z").until("2026-03-01T15:50:00Z");
        (service.slots()[1..].join(" "), service.records)
    };
    let reason = "`start` or `end` has changed, and the slot is outside";
    let outside = |count| vec![(SlotFate::Superseded, count, reason.to_owned())];
    let ended = edited(|schedule| schedule.end = Some(utc("2026-03-01T13:30:00Z")));
    assert_eq!(ended, ("2026-03-01T13:00:00Z".to_owned(), outside(2)));
    let begun = edited(|schedule| schedule.start = Some(utc("2026-03-01T14:30:00Z")));
    assert_eq!(begun, ("2026-03-01T15:00:00Z".to_owned(), outside(2)));
}

/// As before, of a DAG that is paused until 15:00: the slots of the pause are those of the schedule
/// that ends it.
#[test]
fn the_slots_of_a_pause_are_within_the_bounds_of_the_schedule_that_ends_it() {
    let mut service = Service::new(hourly(), "2026-03-01T11:30:00Z");
    service.until("2026-03-01T12:30:00Z");
    let until = Some(utc("2026-03-01T15:00:00Z"));
    let pause = Pause { by: "mina".to_owned(), reason: String::new(), since: service.now, until };
    service.state.as_mut().expect("a state").pause = Some(pause);
    service.schedule.end = Some(utc("2026-03-01T13:30:00Z"));
    service.until("2026-03-01T14:30:00Z");
    service.schedule.end = None;
    service.until("2026-03-01T16:30:00Z");
    assert_eq!(service.slots(), ["2026-03-01T12:00:00Z", "2026-03-01T16:00:00Z"]);
    assert_eq!(service.records, [(SlotFate::Paused, 3, "paused by mina".to_owned())]);
}

/// The slots from 13:00 to 15:00 wait as one span when the next build is daily, and ends at 13:30.
/// Those of 14:00 and 15:00 were gone without a record.
#[test]
fn slots_that_wait_leave_a_record_when_the_timetable_and_its_end_change_at_once() {
    let of = |schedule| with(schedule, |schedule| schedule.catchup = Catchup::All);
    let mut service = Service::new(of(hourly()), "2026-03-01T11:30:00Z");
    service.takes = Duration::from_secs(24 * 3_600);
    service.until("2026-03-01T12:30:00Z").down_until("2026-03-01T15:30:00Z").until("2026-03-01T15:40:00Z");
    assert_eq!((service.runs.len(), service.waits.clone()), (1, Some(Waits::ForRoom { active: 1 })));
    service.schedule = with(of(daily()), |schedule| schedule.end = Some(utc("2026-03-01T13:30:00Z")));
    service.until("2026-03-01T16:00:00Z");
    assert_eq!(service.records, [(SlotFate::Superseded, 3, "the timetable has changed".to_owned())]);
}

/// The slots until `end`, on June 1, wait in a state of an earlier version. Its span goes on for 13
/// months, of which each hour was recorded.
#[test]
fn a_stored_state_whose_spans_go_on_after_the_end_leaves_no_record() {
    let stored = r#"{"first_seen":"2025-05-31T20:30:00Z","noticed":"2026-07-01T00:00:00Z",
        "pending":[{"after":"2025-05-31T21:00:00Z","until":"2026-07-01T00:00:00Z","unbounded":true,
        "first":"2025-05-31T22:00:00Z"}],"last_run":"2025-05-31T21:00:00Z","clock":"2026-07-01T00:00:00Z",
        "clock_went_back":false,"fingerprint":"0 * * * * UTC","pause":null,"failures_until":null}"#;
    let state: ScheduleState = serde_json::from_str(stored).expect("a state of before");
    let (start, end) = (utc("2025-05-31"), utc("2025-06-01"));
    let bounded = with(hourly(), |schedule| (schedule.start, schedule.end) = (Some(start), Some(end)));
    let mut service = Service::new(bounded, "2026-07-01T00:30:00Z");
    service.state = Some(state);
    service.until("2026-07-01T00:40:00Z");
    assert_eq!(service.slots(), ["2025-05-31T22:00:00Z", "2025-05-31T23:00:00Z", "2025-06-01T00:00:00Z"]);
    assert_eq!(service.records, []);
    assert_eq!(service.state.expect("a state").bounds, Some((Some(start), Some(end))));
}

/// Three slots of a timetable of the user wait when the DAG is paused. Then `start` goes behind the
/// first of them, and then the timetable is another one. The second slot was gone without a record.
#[test]
fn what_start_has_left_of_the_slots_that_wait_leaves_a_record_when_the_timetable_changes() {
    let of = |schedule| with(schedule, |schedule| schedule.catchup = Catchup::All);
    let mut service = Service::new(of(build(1)), "2026-03-01T12:00:00Z");
    service.takes = Duration::from_secs(30 * 24 * 3_600);
    service.until("2026-03-02T06:00:00Z").down_until("2026-03-05T12:00:00Z").until("2026-03-05T12:10:00Z");
    let state = service.state.as_mut().expect("a state");
    state.pause = Some(Pause { by: "mina".to_owned(), reason: String::new(), since: service.now, until: None });
    service.schedule.start = Some(utc("2026-03-03T12:00:00Z"));
    service.until("2026-03-05T12:20:00Z");
    service.schedule = of(daily());
    service.until("2026-03-05T12:30:00Z");
    let [(SlotFate::Superseded, 1, outside), (SlotFate::Superseded, 1, changed)] = &service.records[..] else {
        panic!("{:?}", service.records)
    };
    assert_eq!(outside, "`start` or `end` has changed, and the slot is outside");
    assert!(changed.starts_with("the timetable has changed, and no slot from here up to "), "{changed}");
}

/// Hourly, of a user who has no calendar before a time.
#[derive(Debug)]
struct Since(Timestamp, Crons);

impl Since {
    fn schedule(time: &str) -> Schedule {
        let start = utc(time);
        let timetable = Since(start, Crons::from(cron("0 * * * *", "UTC")));
        with(Schedule::of(timetable), |schedule| schedule.start = Some(start))
    }
}

impl Timetable for Since {
    fn after(&self, moment: Timestamp) -> Option<Slot> {
        assert!(moment + Duration::from_nanos(1) >= self.0, "there is no calendar for {moment}");
        self.1.after(moment)
    }

    fn before(&self, moment: Timestamp) -> Option<Slot> {
        self.1.before(moment)
    }

    fn describe(&self) -> String {
        "hourly, since there is a calendar".to_owned()
    }
}

/// The slots from 13:00 to 15:00 wait when `start` becomes 14:30. The timetable was asked for the
/// slots before, and its panic was one of each step.
#[test]
fn slots_before_a_new_start_leave_a_record_if_the_timetable_panics_there() {
    let mut service = Service::new(Since::schedule("2026-01-01"), "2026-03-01T11:30:00Z");
    service.takes = Duration::from_secs(4 * 3_600);
    service.until("2026-03-01T15:30:00Z");
    service.schedule = Since::schedule("2026-03-01T14:30:00Z");
    service.until("2026-03-01T16:30:00Z");
    let reason = "`start` or `end` has changed, and the slot is outside".to_owned();
    let superseded = (SlotFate::Superseded, 1, reason);
    assert_eq!(service.records, [superseded.clone(), superseded]);
    assert_eq!(service.slots(), ["2026-03-01T12:00:00Z", "2026-03-01T15:00:00Z"]);
}

/// The one slot waits behind another run when its `start` becomes 10:00. It was gone.
#[test]
fn the_slot_of_once_leaves_a_record_when_its_start_is_edited() {
    let once = |start| with(Schedule::new(Recurrence::Once), |schedule| schedule.start = Some(utc(start)));
    let mut service = Service::new(once("2026-03-01T12:00:00Z"), "2026-03-01T11:00:00Z");
    service.active.push(utc("2026-03-01T20:00:00Z"));
    service.until("2026-03-01T12:30:00Z");
    assert_eq!(service.waits, Some(Waits::ForRoom { active: 1 }));
    service.schedule = once("2026-03-01T10:00:00Z");
    service.until("2026-03-01T12:40:00Z").until("2026-03-01T12:50:00Z");
    let reason = "`start` or `end` has changed, and the slot is outside".to_owned();
    assert_eq!(service.records, [(SlotFate::Superseded, 1, reason)]);
}

/// No slot is after `end`, also if the span that a service looks at goes on: none of those of the
/// time after it leaves a record.
#[test]
fn slots_after_the_end_of_a_schedule_leave_no_record() {
    let schedule = with(hourly(), |schedule| {
        (schedule.end, schedule.catchup) = (Some(utc("2026-03-01T14:30:00Z")), Catchup::All);
    });
    let mut service = Service::new(schedule, "2026-03-01T11:30:00Z");
    service.takes = Duration::from_secs(4 * 3_600);
    service.until("2026-03-01T12:30:00Z").down_until("2026-03-01T17:30:00Z").until("2026-03-02T12:00:00Z");
    assert_eq!(service.slots(), ["2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z", "2026-03-01T14:00:00Z"]);
    assert_eq!(service.records, []);
}

/// A timetable that looks the same in two builds, as a cron expression in a zone with new rules.
#[derive(Debug)]
struct InTheZone(Crons);

impl Timetable for InTheZone {
    fn after(&self, moment: Timestamp) -> Option<Slot> {
        self.0.after(moment)
    }

    fn before(&self, moment: Timestamp) -> Option<Slot> {
        self.0.before(moment)
    }

    fn describe(&self) -> String {
        "at 06:00, Asia/Nowhere".to_owned()
    }
}

/// A build with rules of a zone: an hour or two ahead of UTC.
fn build(ahead: u8) -> Schedule {
    let timetable = InTheZone(Crons::from(cron("0 6 * * *", &format!("Etc/GMT-{ahead}"))));
    with(Schedule::of(timetable), |schedule| {
        schedule.zone_rules = Some(ZoneRules { zone: "Asia/Nowhere".to_owned(), digest: ahead.into() });
    })
}

/// Case 24. A zone whose rules change with a new build: slots before the cursor are not decided
/// again, and the change is noted once.
#[test]
fn a_zone_with_new_rules_repeats_nothing() {
    let mut service = Service::new(build(1), "2026-03-01T12:00:00Z");
    service.until("2026-03-03T05:30:00Z");
    service.schedule = build(2);
    service.until("2026-03-05T12:00:00Z");
    let slots = ["2026-03-02T05:00:00Z", "2026-03-03T05:00:00Z", "2026-03-04T04:00:00Z", "2026-03-05T04:00:00Z"];
    assert_eq!(service.slots(), slots, "04:00 on the 3rd is before the cursor");
    assert_eq!(service.notes, [Note::ZoneRulesChanged { zone: "Asia/Nowhere".to_owned() }]);
}

/// Case 24: a slot that waits is not dropped, as it is when the timetable changes. The new rules
/// are those of later years.
#[test]
fn a_slot_that_waits_survives_new_rules_of_its_zone() {
    let mut service = Service::new(build(1), "2026-03-01T12:00:00Z");
    service.takes = Duration::from_secs(30 * 3_600);
    service.until("2026-03-03T06:00:00Z");
    assert_eq!((service.runs.len(), service.waits.clone()), (1, Some(Waits::ForRoom { active: 1 })));
    service.schedule = with(build(1), |schedule| schedule.zone_rules = build(2).zone_rules);
    service.until("2026-03-03T12:00:00Z");
    assert_eq!(service.runs.len(), 2, "{:?}", service.records);
    assert_eq!(service.notes.len(), 1);
}

/// Case 24: a slot that waits and that new rules have moved is no slot any more. A record says so.
#[test]
fn a_slot_that_waits_and_is_moved_by_new_rules_leaves_a_record() {
    let mut service = Service::new(build(1), "2026-03-01T12:00:00Z");
    service.takes = Duration::from_secs(30 * 3_600);
    service.until("2026-03-03T06:00:00Z");
    assert_eq!((service.runs.len(), service.waits.clone()), (1, Some(Waits::ForRoom { active: 1 })));
    service.schedule = build(2);
    service.until("2026-03-03T12:00:00Z");
    assert_eq!(service.notes, [Note::ZoneRulesChanged { zone: "Asia/Nowhere".to_owned() }]);
    let [(fate, count, reason)] = &service.records[..] else { panic!("{:?}", service.records) };
    assert_eq!((*fate, *count), (SlotFate::Superseded, 1));
    assert_eq!(reason, "by the new rules of the time zone Asia/Nowhere there is no slot at this time");
    service.until("2026-03-04T06:00:00Z");
    assert_eq!(service.slots(), ["2026-03-02T05:00:00Z", "2026-03-04T04:00:00Z"]);
    assert_eq!(service.records.len(), 1);
}

/// Case 24, with a state that was stored before rules of zones were: there is nothing to compare.
#[test]
fn a_stored_state_without_rules_of_its_zone_takes_those_of_the_schedule() {
    let stored = r#"{"first_seen":"2026-03-01T12:00:00Z","noticed":"2026-03-02T05:00:00Z","pending":[],
        "last_run":"2026-03-02T05:00:00Z","clock":"2026-03-02T05:00:00Z","clock_went_back":false,
        "fingerprint":"at 06:00, Asia/Nowhere","pause":null,"failures_until":null}"#;
    let state: ScheduleState = serde_json::from_str(stored).expect("a state of before");
    let mut service = Service::new(build(1), "2026-03-02T05:30:00Z");
    service.state = Some(state);
    service.until("2026-03-03T05:30:00Z");
    assert_eq!((service.slots(), service.notes.len()), (vec!["2026-03-03T05:00:00Z".to_owned()], 0));
    service.schedule = build(2);
    service.until("2026-03-05T05:30:00Z");
    assert_eq!((service.runs.len(), service.notes.len()), (3, 1));
}

/// Case 24: the rules are those of the zone of the DAG.
#[test]
fn the_rules_of_a_zone_are_part_of_its_schedule() {
    let mut options = DagOptions::default();
    options.schedule = Some("0 6 * * *".into());
    let rules = |options: DagOptions| options.schedule("etl").expect("it is valid").expect("a schedule").zone_rules;
    assert_eq!(rules(options), None, "UTC has no rules");
    options.timezone = Some("Europe/Berlin");
    let berlin = rules(options).expect("rules");
    assert_eq!(berlin, ZoneRules::of(&Zone::named("Europe/Berlin").expect("a zone")));
    options.timezone = Some("America/New_York");
    assert_ne!(rules(options).expect("rules").digest, berlin.digest);
}

fn overlap(overlap: Overlap, max_active_runs: u32) -> Service {
    until(overlap, max_active_runs, "2026-03-01T12:03:01Z")
}

fn until(overlap: Overlap, max_active_runs: u32, end: &str) -> Service {
    let schedule = with(every("20s"), |schedule| {
        schedule.overlap = overlap;
        schedule.max_active_runs = max_active_runs;
    });
    let mut service = Service::new(schedule, "2026-03-01T11:59:59Z");
    service.takes = Duration::from_secs(50);
    service.until(end);
    service
}

fn starts(service: &Service) -> Vec<u64> {
    service.runs.iter().map(|(_, started)| started.since(utc("2026-03-01T12:00:00Z")).as_secs()).collect()
}

/// Case 52.
#[test]
fn skip_drops_slots_while_a_run_is_active() {
    let service = overlap(Overlap::Skip, 1);
    assert_eq!(starts(&service), [0, 60, 120, 180]);
    assert_eq!(service.count(SlotFate::Skipped), 6);
    assert!(service.records.iter().all(|record| record.2 == "a run was active"), "{:?}", service.records);
    // Two of three slots are lost, and each of them is in a record between two runs.
    let long = until(Overlap::Skip, 1, "2026-03-01T13:00:01Z");
    assert_eq!((long.runs.len(), long.count(SlotFate::Skipped)), (61, 120), "a third of 181 slots runs");
    assert!(starts(&long).windows(2).all(|pair| pair[1] - pair[0] == 60));
}

/// Case 53.
#[test]
fn the_overlap_policy_decides_about_slots_without_room() {
    let queue_one = overlap(Overlap::QueueOne, 1);
    assert_eq!(starts(&queue_one), [0, 50, 100, 150]);
    assert_eq!(queue_one.count(SlotFate::Superseded), 5, "40, 60 or 80 and so on: the newest is kept");
    let queue = overlap(Overlap::Queue, 1);
    assert_eq!(starts(&queue), [0, 50, 100, 150]);
    assert_eq!(queue.slots()[3], "2026-03-01T12:01:00Z", "it falls behind, and loses nothing");
    assert_eq!(queue.records, []);
    let cancel = overlap(Overlap::Cancel, 1);
    assert_eq!(starts(&cancel), [0, 20, 40, 60, 80, 100, 120, 140, 160, 180]);
    let allow = overlap(Overlap::Allow, 16);
    assert_eq!((starts(&allow).len(), allow.most_active), (10, 3));
    assert!([queue_one, queue, cancel, allow].iter().all(|service| service.notes.is_empty()), "less than ten wait");
}

/// Case 53: a schedule whose runs take longer than its period falls behind, which is noted when
/// ten slots wait.
#[test]
fn a_schedule_that_falls_behind_by_ten_slots_notes_it_once() {
    // A slot is due every 20 seconds and one starts every 50: after 340 seconds ten wait.
    let before = until(Overlap::Queue, 1, "2026-03-01T12:05:19Z");
    assert_eq!((before.notes.len(), before.backlog()), (0, None));
    let mut service = until(Overlap::Queue, 1, "2026-03-01T12:10:00Z");
    let [Note::FallsBehind { first }] = service.notes[..] else { panic!("{:?}", service.notes) };
    let late = service.runs.iter().find(|(slot, _)| *slot == first).map(|(slot, started)| started.since(*slot));
    assert!(late.is_some_and(|late| late > Duration::from_secs(180)), "ten periods: {late:?}");
    let grows = service.late.windows(2).all(|pair| pair[1] == pair[0] + Duration::from_secs(30));
    assert!(grows, "each run starts 50 s after the one before, and its slot is 20 s later: {:?}", service.late);
    let backlog = service.backlog().expect("it is behind");
    assert!(backlog.slots > 10 && backlog.first > first, "{backlog:?}");
    // It has caught up when no slot waits, and may fall behind again.
    service.takes = Duration::from_secs(1);
    service.until("2026-03-01T12:20:00Z");
    assert_eq!((service.notes.len(), service.backlog()), (1, None));
    service.takes = Duration::from_secs(50);
    service.until("2026-03-01T12:30:00Z");
    assert!(matches!(service.notes[..], [_, Note::FallsBehind { .. }]), "{:?}", service.notes);
}

/// The slots from the start of a DAG that is new are work to do, and not a schedule that is late.
#[test]
fn a_new_dag_with_years_behind_it_does_not_fall_behind() {
    let schedule = with(hourly(), |schedule| {
        (schedule.start, schedule.catchup) = (Some(utc("2026-01-01")), Catchup::All);
    });
    let mut service = Service::new(schedule, "2026-03-01T11:30:00Z");
    service.takes = Duration::from_secs(1);
    service.until("2026-03-01T11:31:00Z");
    assert!(service.runs.len() < 100);
    assert_eq!((service.notes.len(), service.backlog()), (0, None));
}

/// Case 54.
#[test]
fn a_slot_can_wait_for_the_success_of_the_run_before() {
    let schedule = with(hourly(), |schedule| schedule.after_previous = true);
    let mut service = Service::new(schedule, "2026-03-01T11:30:00Z");
    service.until("2026-03-01T12:30:00Z");
    service.unsuccessful = Some("scheduled__2026-03-01T12:00:00Z__etl".to_owned());
    service.until("2026-03-01T14:30:00Z");
    assert_eq!(service.runs.len(), 1);
    assert!(matches!(&service.waits, Some(Waits::ForPrevious { run }) if run.contains("12:00:00Z__etl")));
    service.unsuccessful = None;
    service.until("2026-03-01T14:40:00Z");
    assert_eq!(service.slots().len(), 3, "13:00 and 14:00 were kept");
}

#[test]
fn a_slot_that_waits_for_too_long_is_missed() {
    let schedule = with(hourly(), |schedule| schedule.catchup_window = Duration::from_secs(2 * 3_600));
    let mut service = Service::new(schedule, "2026-03-01T11:30:00Z");
    service.takes = Duration::from_secs(6 * 3_600);
    service.until("2026-03-01T18:00:01Z");
    assert_eq!(service.slots(), ["2026-03-01T12:00:00Z", "2026-03-01T16:00:00Z"]);
    assert_eq!(service.count(SlotFate::Missed), 3);
    assert_eq!(service.records[0].2, "the slot waited for longer than `catchup_window`");
}

#[test]
fn once_and_continuous_depend_on_no_clock() {
    let mut once = Service::new(Schedule::new(Recurrence::Once), "2026-03-01T11:30:00Z");
    once.until("2026-04-01");
    assert_eq!(once.slots(), ["2026-03-01T11:30:00Z"]);
    once.until("2026-05-01");
    assert_eq!(once.runs.len(), 1);
    let later = with(Schedule::new(Recurrence::Once), |schedule| schedule.start = Some(utc("2026-03-05")));
    let mut later = Service::new(later, "2026-03-01T11:30:00Z");
    later.until("2026-04-01");
    assert_eq!(later.slots(), ["2026-03-05T00:00:00Z"]);
    let mut continuous = Service::new(Schedule::new(Recurrence::Continuous), "2026-03-01T12:00:00Z");
    continuous.takes = Duration::from_secs(25);
    continuous.until("2026-03-01T12:01:00Z");
    assert_eq!(starts(&continuous), [0, 25, 50]);
}

/// A slot is not repeated, so the next one follows when the time of the last one has passed. The
/// schedule never went on.
#[test]
fn a_continuous_schedule_goes_on_after_its_clock_went_back() {
    let mut service = Service::new(Schedule::new(Recurrence::Continuous), "2026-03-01T12:00:00Z");
    service.takes = Duration::from_secs(5);
    service.until("2026-03-01T12:00:07Z");
    assert_eq!(starts(&service), [0, 5]);
    service.active.clear();
    service.down_until("2026-03-01T12:00:03Z").until("2026-03-01T12:00:12Z");
    assert_eq!(starts(&service), [0, 5, 5, 10]);
    assert!(service.runs.windows(2).all(|two| two[0].0 < two[1].0), "{:?}", service.runs);
}

#[test]
fn the_spread_of_a_dag_is_stable_and_smaller_than_a_period() {
    let offset = |dag: &str, spread| hourly().spread(dag, Duration::from_secs(spread)).offset;
    assert_eq!(offset("orders", 600), offset("orders", 600));
    assert_ne!(offset("orders", 600), offset("rates", 600));
    for dag in ["orders", "rates", "flights"] {
        assert!(offset(dag, 600) < Duration::from_secs(600));
        assert!(offset(dag, 1_000_000) < Duration::from_secs(3_600), "never past the next slot");
    }
    // The gap of five minutes comes once a year.
    let rare = Schedule::of(Crons::new([cron("0 0 * * *", "UTC"), cron("5 0 31 12 *", "UTC")]));
    for dag in ["orders", "rates", "flights"] {
        let offset = rare.clone().spread(dag, Duration::from_secs(12 * 3_600)).offset;
        assert!(offset < Duration::from_secs(300), "{dag}: {offset:?}");
    }
    let schedule = hourly().spread("orders", Duration::from_secs(600));
    let due = utc("2026-03-01T12:00:00Z") + schedule.offset;
    let mut service = Service::new(schedule, "2026-03-01T11:50:00Z");
    service.until("2026-03-01T12:20:00Z");
    assert_eq!(service.runs, [(utc("2026-03-01T12:00:00Z"), due)]);
}

/// Ten years of minute slots. `docs/performance.md` has the time that it takes.
#[test]
fn the_next_slot_of_every_minute_is_found_in_turn() {
    let mut service = Service::new(with(every("1m"), |schedule| schedule.end = Some(utc("2026-03-08"))), "2026-03-01");
    service.until("2026-04-01");
    assert_eq!(service.runs.len(), 7 * 24 * 60);
}

proptest! {
    #![proptest_config(cases(128))]

    /// Each slot becomes one run or one record, whatever happens to the service and to its clock.
    #[test]
    fn no_slot_is_lost_and_none_runs_twice(
        policy in (
            prop::sample::select(vec![Catchup::Last, Catchup::All, Catchup::None]),
            prop::sample::select(vec![Overlap::Queue, Overlap::QueueOne, Overlap::Skip, Overlap::Cancel, Overlap::Allow]),
            1_u32..4,
            prop::sample::select(vec![120_u64, 3_600, 86_400]),
        ),
        takes in 1_u64..900,
        actions in prop::collection::vec((0_u8..6, 1_i64..7_200), 1..30),
    ) {
        let (catchup, overlap, max_active_runs, window) = policy;
        let schedule = with(every("5m"), |schedule| {
            schedule.catchup = catchup;
            schedule.overlap = overlap;
            schedule.max_active_runs = max_active_runs;
            schedule.catchup_window = Duration::from_secs(window);
        });
        let mut service = Service::new(schedule.clone(), "2026-03-01T12:02:00Z");
        service.takes = Duration::from_secs(takes);
        service.until("2026-03-01T12:03:00Z");
        let first = service.state.as_ref().expect("a state").noticed;
        for (action, seconds) in actions {
            let later = (service.now + Duration::from_secs(seconds.unsigned_abs())).to_string();
            match action {
                0 => { service.down_until(&later); }
                1 => service.now = service.now - Duration::from_secs(seconds.unsigned_abs()),
                2 => {
                    let pause = Pause { by: "mina".to_owned(), reason: String::new(), since: service.now, until: None };
                    service.state.as_mut().expect("a state").pause = Some(pause);
                }
                3 => {
                    let state = service.state.take().expect("a state");
                    let (state, records) = unpause(&schedule, &state, service.now, catchup);
                    service.state = Some(state);
                    service.records.extend(records.into_iter().map(|record| (record.fate, record.count, record.reason)));
                }
                _ => { service.until(&later); }
            }
        }
        let state = service.state.as_ref().expect("a state");
        let count = |after, until| {
            let slots = std::iter::successors(schedule.after(after, first), |slot| schedule.after(slot.at, first));
            slots.take_while(|slot| slot.at <= until).count() as u64
        };
        let pending: u64 = state.pending.iter().map(|span| count(span.after, span.until)).sum();
        let recorded: u64 = service.records.iter().map(|(_, count, _)| count).sum();
        prop_assert_eq!(service.runs.len() as u64 + recorded + pending, count(first, state.noticed));
        prop_assert!(service.runs.windows(2).all(|pair| pair[0].0 < pair[1].0), "runs are in the order of their slots");
        prop_assert!(overlap == Overlap::Cancel || service.most_active <= max_active_runs as usize);
    }
}
