//! Services in virtual time.

use std::time::Duration;

use taskflow::engine::RunType;
use taskflow::notify::Notification;
use taskflow::prelude::*;
use taskflow::schedule::{Catchup, MissedSlots, Note};
use taskflow::testing::{ServiceTest, Test};
use taskflow::{Registry, RunState};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

#[task]
fn extract(day: Date) -> String {
    format!("flights of {day}")
}

#[task]
fn load(flights: &str) -> usize {
    flights.len()
}

/// Two tasks each morning.
#[dag(schedule = "0 6 * * *", timezone = "America/New_York")]
fn morning(#[param(default = |run| run.day())] day: Date) -> usize {
    load(extract(day))
}

fn tell(_: &Notification) {}

#[dag(schedule = "@hourly", deadline = "40m after slot", on_deadline_missed = tell)]
fn hourly(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

#[dag(
    schedule = "@hourly",
    catchup = "all",
    catchup_window = "3d",
    deadline = "2h after slot",
    on_deadline_missed = tell
)]
fn complete(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

#[dag(schedule = every("20m"), overlap = "cancel")]
fn cancelling(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

#[dag(schedule = every("20m"), overlap = "skip", deadline = "30m after slot", on_deadline_missed = tell)]
fn skipping(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

#[dag(schedule = every("20m"), overlap = "queue_one", deadline = "1h after slot", on_deadline_missed = tell)]
fn queue_one(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

#[dag(schedule = every("20m"), overlap = "allow", max_active_runs = 3)]
fn beside(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

#[dag(schedule = every("6h"), paused)]
fn asleep(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

#[dag(schedule = "@daily", after_previous, deadline = "by 01:00", on_deadline_missed = tell)]
fn in_order(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

#[dag]
fn by_hand(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

fn states(service: &ServiceTest, dag: &str) -> Vec<RunState> {
    service.runs(dag).iter().map(|run| run.state).collect()
}

#[test]
fn a_daily_dag_keeps_its_local_time_when_clocks_change() {
    let mut service = Test::service().dag(morning {});
    service.at("2026-03-06T12:00:00Z").run_until("2026-03-09T12:00:00Z");
    service.assert_slots("morning", &["2026-03-07T11:00:00Z", "2026-03-08T10:00:00Z", "2026-03-09T10:00:00Z"]);
    assert_eq!(states(&service, "morning"), [RunState::Success; 3]);
}

#[test]
fn a_run_that_a_crash_interrupts_goes_on_in_the_next_service() {
    let behave = |test: Test<usize>| test.takes(extract {}, 10 * MINUTE).takes(load {}, 10 * MINUTE);
    let mut service = Test::service().dag_with(morning {}, behave);
    service.at("2026-01-01").run_until("2026-01-01T11:15:00Z");
    assert_eq!(states(&service, "morning"), [RunState::Running]);
    service.crash();
    assert_eq!(states(&service, "morning"), [RunState::Interrupted]);
    service.down_until("2026-01-01T13:00:00Z").run_until("2026-01-01T14:00:00Z");
    assert_eq!(states(&service, "morning"), [RunState::Success]);
    // `extract` was stored: only `load` runs again, from the beginning.
    let ended = service.runs("morning")[0].ended.map(|ended| ended.to_string());
    assert_eq!(ended.as_deref(), Some("2026-01-01T13:10:00Z"));
    service.assert_slots("morning", &["2026-01-01T11:00:00Z"]);
}

#[test]
fn what_the_service_did_is_a_log() {
    let mut service = Test::service().dag_with(cancelling {}, |test| test.takes(extract {}, 25 * MINUTE));
    service.at("2026-01-01T00:10:00Z").run_until("2026-01-01T00:50:00Z");
    insta::assert_snapshot!(service.event_log(), @r"
    2026-01-01T00:10:00Z a service starts
    2026-01-01T00:20:00Z cancelling: scheduled__2026-01-01T00:20:00Z__cancelling starts
    2026-01-01T00:40:00Z cancelling: scheduled__2026-01-01T00:20:00Z__cancelling is cancelled
    2026-01-01T00:40:00.001Z cancelling: scheduled__2026-01-01T00:40:00Z__cancelling starts
    ");
}

#[test]
fn slots_of_a_pause_pass_and_those_of_an_unpaused_dag_run() {
    let mut service = Test::service().dag(hourly {});
    service.at("2026-01-01T00:30:00Z").run_until("2026-01-01T02:30:00Z").pause("hourly", "the warehouse moves");
    service.run_until("2026-01-04T15:30:00Z").unpause("hourly", Catchup::None).run_until("2026-01-04T16:30:00Z");
    service.assert_slots("hourly", &["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z", "2026-01-04T16:00:00Z"]);
    let paused = service.slots("hourly").into_iter().find(|slots| slots.fate == "paused").expect("a record");
    assert_eq!((paused.count, &*paused.reason), (85, "paused by the test: the warehouse moves"));
}

#[test]
fn a_clock_that_is_set_back_repeats_no_slot() {
    let mut service = Test::service().dag(hourly {});
    service.at("2026-01-01T00:30:00Z").run_until("2026-01-01T02:30:00Z").clock_back(HOUR);
    service.run_until("2026-01-01T04:30:00Z");
    let slots = ["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z", "2026-01-01T03:00:00Z"];
    service.assert_slots("hourly", &slots);
    assert_eq!(service.event_log().matches("ClockWentBack").count(), 1, "{}", service.event_log());
}

#[test]
fn a_manual_run_starts_beside_the_schedule() {
    let mut service = Test::service().dag(hourly {}).dag(by_hand {});
    service.at("2026-01-01T00:30:00Z").run_until("2026-01-01T00:40:00Z").trigger("by_hand").trigger("hourly");
    service.run_until("2026-01-01T01:10:00Z").assert_slots("hourly", &["2026-01-01T01:00:00Z"]);
    assert_eq!(states(&service, "by_hand"), [RunState::Success]);
    assert_eq!(states(&service, "hourly"), [RunState::Success; 2]);
}

#[test]
fn a_year_of_schedules_passes() {
    let mut service = Test::service().dag(morning {}).dag(in_order {}).dag(by_hand {}).dag(asleep {});
    service.at("2026-01-01T00:00:01Z").run_until("2027-01-01T00:00:00Z");
    let count = |dag: &str| service.runs(dag).len();
    assert_eq!((count("morning"), count("in_order"), count("asleep"), count("by_hand")), (365, 365, 0, 0));
}

/// What happens to a service at random: it is killed, it is down, its clock is set, DAGs are paused
/// and triggered. Every slot becomes exactly one run or is recorded exactly once; nothing runs
/// beyond the limits; runs end.
fn live_through(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut takes = || Duration::from_secs(rng.u64(..5_400));
    let takes = [takes(), takes(), takes(), takes(), takes(), takes(), takes(), takes()];
    let behave = |at: usize| move |test: Test<String>| test.takes(extract {}, takes[at]);
    let mut service = Test::service()
        .dag_with(hourly {}, behave(0))
        .dag_with(complete {}, behave(1))
        .dag_with(cancelling {}, behave(2))
        .dag_with(skipping {}, behave(3))
        .dag_with(queue_one {}, behave(4))
        .dag_with(beside {}, behave(5))
        .dag_with(asleep {}, behave(6))
        .dag_with(in_order {}, behave(7));
    let dags = ["hourly", "complete", "cancelling", "skipping", "queue_one", "beside", "asleep", "in_order"];
    let mut now = "2026-03-06T12:00:01Z".parse::<Timestamp>().expect("a time");
    service.at(&now.to_string());
    let (mut is_paused, mut is_clock_true) = ([false; 8], true);
    is_paused[6] = true;
    for _ in 0..rng.usize(3..12) {
        now = now + Duration::from_millis(rng.u64(..6 * 3_600_000));
        match rng.u8(..10) {
            0..4 => service.run_until(&now.to_string()),
            4 | 5 => service.crash(),
            6 => service.down_until(&now.to_string()),
            7 => {
                let dag = rng.usize(..dags.len());
                is_paused[dag] = !is_paused[dag];
                match is_paused[dag] {
                    true => service.pause(dags[dag], "at random"),
                    false => {
                        let catchup = [Catchup::None, Catchup::Last, Catchup::All][rng.usize(..3)];
                        service.unpause(dags[dag], catchup)
                    }
                }
            }
            8 => {
                is_clock_true = false;
                let by = Duration::from_secs(rng.u64(..7_200));
                if rng.bool() { service.clock_back(by) } else { service.clock_forward(by) }
            }
            _ => service.trigger(dags[rng.usize(..dags.len())]),
        };
    }
    now = now + DAY;
    service.run_until(&now.to_string());
    for dag in dags {
        check_slots(&service, dag);
        check_deadlines(&service, dag, is_clock_true);
        let limit = if dag == "beside" { 3 } else { 1 };
        // Times of runs cannot be compared across a clock that was set.
        if is_clock_true {
            assert!(
                most_active(&service, dag) <= limit,
                "seed {seed}: {dag} exceeds its limit\n{}",
                service.event_log()
            );
        }
        let open = states(&service, dag).into_iter().filter(|state| *state == RunState::Interrupted).count();
        assert_eq!(open, 0, "seed {seed}: {dag} has interrupted runs\n{}", service.event_log());
    }
}

/// Checks that the slots of a DAG follow each other without a gap, and none is there twice.
fn check_slots(service: &ServiceTest, dag: &str) {
    let def = Registry::dags().into_iter().find(|def| def.id == dag).expect("the DAG");
    let schedule = def.options.schedule(dag).expect("a valid schedule").expect("a schedule");
    let mut slots = service.slots(dag);
    slots.retain(|slots| slots.note.is_none());
    slots.reverse();
    let Some(first) = slots.first() else { return };
    let mut expected = Some(first.first);
    for slots in &slots {
        assert_eq!(expected, Some(slots.first), "{dag}: {slots:?}\n{}", service.event_log());
        let mut at = slots.first;
        for _ in 1..slots.count {
            at = schedule.after(at, at).expect("the next slot").at;
        }
        assert_eq!(at, slots.last, "{dag}: {slots:?}\n{}", service.event_log());
        expected = schedule.after(at, at).map(|slot| slot.at);
    }
}

/// Checks that no slot has missed its deadline twice, before its time, or though its run had
/// succeeded, and that a callback is notified once of what was missed.
fn check_deadlines(service: &ServiceTest, dag: &str, is_clock_true: bool) {
    let log = service.event_log();
    let missed = |slots: &taskflow::ops::PastSlots| match &slots.note {
        Some(Note::DeadlineMissed(missed)) => Some(missed.clone()),
        _ => None,
    };
    let mut all: Vec<MissedSlots> = service.slots(dag).iter().filter_map(missed).collect();
    all.sort_by_key(|missed| missed.first);
    for pair in all.windows(2) {
        assert!(pair[0].last < pair[1].first, "{dag}: a slot has missed its deadline twice: {pair:?}\n{log}");
    }
    for missed in &all {
        assert!(missed.noticed >= missed.deadline, "{dag}: before its time: {missed:?}\n{log}");
        let told = format!("{dag}: notified that slot {} of {dag} ", missed.last);
        assert_eq!(log.matches(&told).count(), 1, "{dag}: {missed:?}\n{log}");
    }
    assert_eq!(log.matches(&format!("{dag}: notified")).count(), all.len(), "{dag}\n{log}");
    // Times of runs cannot be compared across a clock that was set.
    let in_time = |run: &&taskflow::journal::RunSummary, missed: &MissedSlots| {
        run.info.run_type == RunType::Scheduled
            && run.info.logical_date == missed.last
            && run.state == RunState::Success
            && run.ended.is_some_and(|ended| ended <= missed.deadline)
    };
    let runs = service.runs(dag);
    for missed in all.iter().filter(|_| is_clock_true) {
        assert!(!runs.iter().any(|run| in_time(&run, missed)), "{dag}: it was in time: {missed:?}\n{log}");
    }
}

/// The most runs of the schedule that were active at once.
fn most_active(service: &ServiceTest, dag: &str) -> usize {
    let runs = service.runs(dag);
    let scheduled: Vec<_> = runs.iter().filter(|run| run.info.run_type == RunType::Scheduled).collect();
    let active = |at: Timestamp| {
        scheduled.iter().filter(|run| run.created <= at && run.ended.is_none_or(|ended| ended > at)).count()
    };
    scheduled.iter().map(|run| active(run.created)).max().unwrap_or(0)
}

#[test]
fn each_slot_becomes_one_run_or_one_record_whatever_happens_to_the_service() {
    let variable = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = variable("TASKFLOW_SERVICE_SEED")
        .map_or_else(|| (0..variable("TASKFLOW_SERVICES").unwrap_or(60)).collect(), |seed| vec![seed]);
    for seed in seeds {
        println!("seed {seed}");
        live_through(seed);
    }
}

#[test]
fn a_dag_that_is_not_served_is_named() {
    let panicked = std::panic::catch_unwind(|| {
        Test::service().dag(hourly {}).trigger("hurly");
    });
    let message = panicked.expect_err("there is no such DAG");
    let message = message.downcast_ref::<String>().expect("a message");
    assert_eq!(message, "the test does not serve a DAG `hurly`; it serves hourly");
}
