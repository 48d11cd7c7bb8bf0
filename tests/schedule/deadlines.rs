//! Deadlines of slots and of tasks, in virtual time.

use std::time::Duration;

use taskflow::engine::RunType;
use taskflow::graph::DagOptions;
use taskflow::notify::{CallbackKind, Deadline, DeadlineReference, Notification};
use taskflow::prelude::*;
use taskflow::schedule::ClockTime;
use taskflow::testing::{ServiceTest, Test};
use taskflow::{Dag, RunState};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn tell(_: &Notification) {}

#[task]
fn extract(day: Date) -> String {
    format!("flights of {day}")
}

#[task]
fn load(flights: &str) -> usize {
    flights.len()
}

#[dag(
    schedule = "0 6 * * *",
    timezone = "America/New_York",
    deadline = "by 09:00",
    on_deadline_missed = tell,
    on_failure = tell
)]
fn punctual(#[param(default = |run| run.day())] day: Date) -> usize {
    load(extract(day))
}

/// Nobody is notified when it fails.
#[dag(schedule = "0 6 * * *", deadline = "3h after slot", on_deadline_missed = tell)]
fn silent(#[param(default = |run| run.day())] day: Date) -> usize {
    load(extract(day))
}

/// The deadline of a slot is later than the next two slots.
#[dag(schedule = "0 * * * *", deadline = "3h after slot", on_deadline_missed = tell)]
fn patient(#[param(default = |run| run.day())] day: Date) -> usize {
    load(extract(day))
}

#[dag(schedule = "0 6 * * *", deadline = "by 09:00", on_deadline_missed = tell)]
fn no_second(
    #[param(default = |run| if run.day().day() == 2 { panic!("no value") } else { run.day() })] day: Date,
) -> usize {
    load(extract(day))
}

#[dag(schedule = "0 6 * * *", deadline = "by 09:00", on_deadline_missed = tell)]
fn hand_made(#[param(default = |run| run.day())] day: Date) -> usize {
    load(extract(day))
}

/// The lines of the log about missed deadlines.
fn missed(service: &ServiceTest) -> Vec<String> {
    let is_about_deadlines = |line: &&str| line.contains("missed the deadline") || line.contains("notified that");
    service.event_log().lines().filter(is_about_deadlines).map(str::to_owned).collect()
}

/// Case 80, first half: the clock is that of the zone, on the day on which it changes as well.
#[test]
fn a_run_that_is_late_misses_the_deadline_of_its_slot_with_what_it_waits_for() {
    let mut service = Test::service().dag_with(punctual {}, |test| test.takes(extract {}, 4 * HOUR));
    service.at("2026-03-07T10:00:00Z").run_until("2026-03-08T20:00:00Z");
    let why = |run: u32, since: &str| {
        format!(
            "run {run} is running; `extract`: attempt 1 is running (since {since}); `load`: waits for 1 of 1 upstream \
             tasks, `extract` (running): all must succeed"
        )
    };
    let (first, second) = (why(1, "2026-03-07T11:00:00Z"), why(2, "2026-03-08T10:00:00Z"));
    assert_eq!(
        missed(&service),
        [
            format!(
                "2026-03-07T14:00:01Z punctual: the slot 2026-03-07T11:00:00Z missed the deadline \
                 2026-03-07T14:00:00Z: {first}"
            ),
            format!(
                "2026-03-07T14:00:01Z punctual: notified that slot 2026-03-07T11:00:00Z of punctual has missed its \
                 deadline of 2026-03-07T14:00:00Z: {first}"
            ),
            format!(
                "2026-03-08T13:00:01Z punctual: the slot 2026-03-08T10:00:00Z missed the deadline \
                 2026-03-08T13:00:00Z: {second}"
            ),
            format!(
                "2026-03-08T13:00:01Z punctual: notified that slot 2026-03-08T10:00:00Z of punctual has missed its \
                 deadline of 2026-03-08T13:00:00Z: {second}"
            ),
        ]
    );
    // The history of the schedule has it.
    let noted = service.slots("punctual").into_iter().filter(|slots| slots.note.is_some()).count();
    assert_eq!(noted, 2);
}

/// Case 80, second half.
#[test]
fn a_run_that_ends_a_second_before_its_deadline_meets_it() {
    let takes = 3 * HOUR - Duration::from_secs(1);
    let mut service = Test::service().dag_with(punctual {}, move |test| test.takes(extract {}, takes));
    service.at("2026-03-07T10:00:00Z").run_until("2026-03-09T20:00:00Z");
    assert_eq!(service.runs("punctual").len(), 3);
    assert!(missed(&service).is_empty(), "{}", service.event_log());
}

/// Case 80: the slot has no run yet.
#[test]
fn a_slot_that_waits_for_room_misses_its_deadline() {
    let mut service = Test::service().dag_with(silent {}, |test| test.takes(extract {}, 30 * HOUR));
    service.at("2026-01-01T05:00:00Z").run_until("2026-01-02T09:30:00Z");
    let lines = missed(&service);
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[1].contains("run 1 is running"), "{lines:?}");
    let second = "2026-01-02T09:00:01Z silent: the slot 2026-01-02T06:00:00Z missed the deadline 2026-01-02T09:00:00Z: \
                  it waits for the end of the run that is active";
    assert_eq!(lines[2], second);
}

#[test]
fn a_deadline_that_passes_while_no_service_runs_is_told_once_by_the_next() {
    let mut service = Test::service().dag_with(silent {}, |test| test.takes(extract {}, HOUR));
    service.at("2026-01-01T05:00:00Z").run_until("2026-01-01T08:00:00Z");
    service.down_until("2026-01-04T12:00:00Z").run_until("2026-01-04T13:30:00Z");
    service.crash().run_until("2026-01-05T05:00:00Z");
    let lines = missed(&service);
    assert_eq!(lines.len(), 4, "{lines:?}");
    // The slots of two days were missed; the last one has a run.
    let two = "2026-01-04T12:00:00Z silent: 2 slots until 2026-01-03T06:00:00Z missed the deadline \
               2026-01-03T09:00:00Z: the slot was missed: no service was running";
    assert_eq!(lines[0], two);
    let last = "2026-01-04T12:00:00Z silent: the slot 2026-01-04T06:00:00Z missed the deadline 2026-01-04T09:00:00Z: \
                run 2 is queued, and no process has started it";
    assert_eq!(lines[1], last);
    // Each slot has its row; the notification of the gap has its first and last slot and how many
    // they are.
    let missed: u64 =
        service.slots("silent").iter().filter(|slots| slots.fate == "missed").map(|slots| slots.count).sum();
    assert_eq!(missed, 2);
    let gap = "2026-01-04T12:00:00Z silent: notified that slot 2026-01-03T06:00:00Z of silent has missed its deadline of \
               2026-01-03T09:00:00Z: 2 slots, 2026-01-02T06:00:00Z to 2026-01-03T06:00:00Z, missed their deadlines: the \
               slot was missed: no service was running";
    assert_eq!(lines[2], gap);
    assert!(lines[3].contains("notified that slot 2026-01-04T06:00:00Z"), "{lines:?}");
    // A run has the deadline of its own slot.
    let of_runs: Vec<Option<String>> = service
        .runs("silent")
        .iter()
        .map(|run| service.history(run).missed_deadline.map(|missed| missed.deadline.to_string()))
        .collect();
    assert_eq!(of_runs, [None, Some("2026-01-04T09:00:00Z".to_owned())]);
}

#[test]
fn a_deadline_that_is_due_before_a_dag_was_seen_is_of_no_concern() {
    let mut service = Test::service().dag_with(silent {}, |test| test.takes(extract {}, 4 * HOUR));
    service.at("2026-01-01T12:00:00Z").run_until("2026-01-02T05:00:00Z");
    assert!(missed(&service).is_empty(), "{}", service.event_log());
}

/// A slot of a pause does not run, and nobody waits for it.
#[test]
fn slots_that_pass_during_a_pause_have_no_deadline() {
    let mut service = Test::service().dag_with(silent {}, |test| test.takes(extract {}, 4 * HOUR));
    service.at("2026-01-01T05:00:00Z").run_until("2026-01-01T05:30:00Z").pause("silent", "the warehouse moves");
    service.run_until("2026-01-03T12:00:00Z").unpause("silent", taskflow::schedule::Catchup::None);
    service.run_until("2026-01-03T13:00:00Z");
    assert!(missed(&service).is_empty(), "{}", service.event_log());
}

/// The slots of 10:00 and 11:00 do not run, though their deadlines are after the end of the pause.
#[test]
fn of_the_slots_of_a_pause_only_the_one_that_runs_has_a_deadline() {
    let mut service = Test::service().dag_with(patient {}, |test| test.takes(extract {}, 4 * HOUR));
    service.at("2026-01-01T09:10:00Z").run_until("2026-01-01T09:30:00Z").pause("patient", "the warehouse moves");
    service.run_until("2026-01-01T12:30:00Z").unpause("patient", taskflow::schedule::Catchup::Last);
    service.run_until("2026-01-01T15:30:00Z");
    service.assert_slots("patient", &["2026-01-01T12:00:00Z"]);
    let slots = service.slots("patient");
    let paused: Vec<_> = slots.iter().filter(|slots| slots.fate == "paused").collect();
    let [paused] = &paused[..] else { panic!("{slots:?}") };
    assert_eq!((paused.count, &*paused.reason), (2, "paused by the test: the warehouse moves"));
    let lines = missed(&service);
    assert_eq!(lines.len(), 2, "{lines:?}");
    let why = "2026-01-01T15:00:01Z patient: the slot 2026-01-01T12:00:00Z missed the deadline 2026-01-01T15:00:00Z: run 1 \
               is running";
    assert!(lines[0].starts_with(why) && lines[1].contains("notified that slot 2026-01-01T12:00:00Z"), "{lines:?}");
}

/// Case 51: the run of the second of January cannot be made.
#[test]
fn a_slot_that_failed_to_start_misses_its_deadline() {
    let mut service = Test::service().dag(no_second {});
    service.at("2026-01-01T05:00:00Z").run_until("2026-01-03T12:00:00Z");
    let fates: Vec<(String, u64)> = service
        .slots("no_second")
        .into_iter()
        .rev()
        .filter(|slots| slots.note.is_none())
        .map(|slots| (slots.fate, slots.count))
        .collect();
    assert_eq!(fates, [("success".to_owned(), 1), ("failed".to_owned(), 1), ("success".to_owned(), 1)]);
    let lines = missed(&service);
    assert_eq!(lines.len(), 2, "{lines:?}");
    let start = "2026-01-02T09:00:01Z no_second: the slot 2026-01-02T06:00:00Z missed the deadline 2026-01-02T09:00:00Z: \
                 its run could not be made: ";
    assert!(lines[0].starts_with(start) && lines[0].contains("no value"), "{lines:?}");
}

/// Case 82: the callback of the failure has said it all, unless somebody makes the run anew.
#[test]
fn a_run_whose_failure_was_told_misses_no_deadline_unless_it_runs_again() {
    let behave = |test: Test<usize>| test.takes(extract {}, 30 * MINUTE).always_fails(extract {}, "no flights");
    let mut service = Test::service().dag_with(punctual {}, behave);
    // The edit has the time of the machine that runs this test, which is earlier.
    service.at("2036-01-05T10:00:00Z").run_until("2036-01-05T23:00:00Z");
    assert_eq!(service.runs("punctual")[0].state, RunState::Failed);
    assert!(missed(&service).is_empty(), "{}", service.event_log());
    service.run_until("2036-01-06T13:50:00Z").clear_failed("punctual").run_until("2036-01-06T23:00:00Z");
    let lines = missed(&service);
    assert_eq!(lines.len(), 2, "{}", service.event_log());
    let why = "2036-01-06T14:00:01Z punctual: the slot 2036-01-06T11:00:00Z missed the deadline 2036-01-06T14:00:00Z: \
               run 2 is running";
    assert!(lines[0].starts_with(why), "{lines:?}");
}

/// Case 82: without a callback for failures nobody knows.
#[test]
fn a_run_that_failed_in_silence_misses_its_deadline() {
    let mut service = Test::service().dag_with(silent {}, |test| test.always_fails(load {}, "disk full"));
    service.at("2026-01-01T05:00:00Z").run_until("2026-01-01T12:00:00Z");
    let lines = missed(&service);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].ends_with("missed the deadline 2026-01-01T09:00:00Z: run 1 failed"), "{lines:?}");
}

#[test]
fn a_manual_run_has_no_deadline_of_a_slot() {
    let mut service = Test::service().dag_with(hand_made {}, |test| test.takes(extract {}, 20 * HOUR));
    service.at("2026-01-01T07:00:00Z").run_until("2026-01-01T07:30:00Z").trigger("hand_made");
    service.run_until("2026-01-02T05:00:00Z");
    assert_eq!(service.runs("hand_made").len(), 1);
    assert!(missed(&service).is_empty(), "{}", service.event_log());
}

taskflow::asset! {
    /// Counts of something.
    COUNTS: Asset<u64> = "deadlines/counts";
}

#[task]
fn of_event(count: &Event<u64>) -> u64 {
    count.value
}

#[dag(deadline = "2h after slot")]
fn by_events(#[event(COUNTS)] count: Event<u64>) -> u64 {
    of_event(count)
}

/// Case 83.
#[test]
fn a_deadline_of_a_slot_needs_a_schedule() {
    let refused = std::panic::catch_unwind(taskflow::testing::check_dags).expect_err("a DAG has a mistake");
    let message = refused.downcast_ref::<String>().expect("a message");
    let wanted = "is relative to the slot of a schedule, and `by_events` has no schedule; write `2h after start`, or add \
                  `schedule = \"@daily\"`";
    assert!(message.contains("the deadline `2h after slot` of the DAG (at "), "{message}");
    assert!(message.contains(wanted), "{message}");
    // Wherever a graph is built.
    let mut options = DagOptions::default();
    options.deadline = Some(Deadline::by(ClockTime::new(9, 0, 0)));
    let day = Date::new(2026, 1, 1).expect("a day");
    let error = Dag::build_with("adhoc", options, || load(extract(day))).expect_err("it has no schedule").to_string();
    assert!(error.contains("`by 09:00` of the DAG") && error.contains("`2h after start`"), "{error}");
    options.schedule = Some("@daily".into());
    Dag::build_with("adhoc", options, || load(extract(day))).expect("it has a schedule");
    options = DagOptions::default();
    options.task_defaults.deadline = Some(Deadline::new(HOUR, DeadlineReference::Slot));
    let error = Dag::build_with("adhoc", options, || extract(day)).expect_err("it has no schedule").to_string();
    assert!(error.contains("`1h after slot` of task `extract`") && error.contains("`1h after start`"), "{error}");
}

#[task(deadline = "30m after start", on_deadline_missed = tell, on_failure = tell)]
fn slow(n: u64) -> u64 {
    n
}

#[task(deadline = "30m after start")]
fn bare(n: u64) -> u64 {
    n
}

#[task]
fn numbers() -> Vec<u64> {
    vec![1, 2, 3]
}

#[dag]
fn one_slow() -> u64 {
    slow(1)
}

/// Its task has no callback of its own.
#[dag(deadline = "3h after start", on_deadline_missed = tell)]
fn one_bare() -> u64 {
    bare(1)
}

#[dag]
fn many_slow() -> Vec<u64> {
    numbers().each(slow).collect()
}

#[test]
fn a_task_misses_its_deadline_once_and_the_run_continues() {
    let outcome = Test::new(one_slow {}).takes(slow {}, HOUR).run();
    outcome.assert_success().assert_notified(&[(CallbackKind::DeadlineMissed, "slow")]);
    let told = &outcome.notifications()[0];
    assert_eq!(told.deadline, Some(told.started + 30 * MINUTE));
    assert_eq!(told.key, format!("{}/slow/deadline_missed", told.run.run_id));
    assert!(outcome.event_log().contains("+1800s    slow has missed its deadline"), "{}", outcome.event_log());
    Test::new(one_slow {}).takes(slow {}, 29 * MINUTE).run().assert_success().assert_notified(&[]);
    let outcome = Test::new(one_bare {}).takes(bare {}, HOUR).run();
    outcome.assert_success().assert_notified(&[(CallbackKind::DeadlineMissed, "bare")]);
}

/// Case 82, for tasks.
#[test]
fn a_task_whose_failure_was_told_misses_no_deadline() {
    let outcome =
        Test::new(side_by_side {}).takes(slow {}, MINUTE).always_fails(slow {}, "no").takes(bare {}, 2 * HOUR).run();
    outcome.assert_notified(&[(CallbackKind::Failure, "slow"), (CallbackKind::DeadlineMissed, "bare")]);
}

#[task]
fn uses(n: u64) -> u64 {
    n
}

#[task]
fn frees(n: u64) {
    assert_eq!(n, 1);
}

#[dag(retries = 1, retry_delay = "1h")]
fn tried_again() -> u64 {
    scope(slow(1), uses, frees)
}

/// The setup meets its deadline of 30 minutes, and runs again with its run after an hour. It was
/// said then that it had missed the deadline.
#[test]
fn a_deadline_that_was_met_is_not_missed_by_the_retry_of_the_run() {
    let test = || Test::new(tried_again {}).takes(slow {}, MINUTE).fail_times(uses {}, 1, "no");
    let outcome = test().run();
    outcome.assert_success().assert_attempts("slow", 2).assert_notified(&[]);
    for entries in 1..20 {
        test().crash_after(entries).run().assert_success().assert_notified(&[]);
    }
}

#[dag(default(on_deadline_missed = tell))]
fn side_by_side() -> u64 {
    bare(7);
    slow(1)
}

#[test]
fn all_elements_of_a_list_have_one_deadline() {
    let outcome = Test::new(many_slow {}).takes(slow {}, HOUR).run();
    outcome.assert_success().assert_notified(&[(CallbackKind::DeadlineMissed, "slow")]);
    // The list itself is late.
    let outcome = Test::new(many_slow {}).takes(numbers {}, HOUR).run();
    outcome.assert_success().assert_notified(&[(CallbackKind::DeadlineMissed, "slow")]);
    Test::new(many_slow {}).takes(slow {}, 5 * MINUTE).run().assert_success().assert_notified(&[]);
}

#[task(deadline = "by 03:00")]
fn nightly(n: u64) -> u64 {
    n
}

#[dag(schedule = "0 1 * * *", timezone = "Europe/Berlin")]
fn nights() -> u64 {
    nightly(1)
}

#[test]
fn a_deadline_of_a_task_at_a_time_of_day_is_that_of_the_slot() {
    let mut service = Test::service().dag_with(nights {}, |test| test.takes(nightly {}, 5 * HOUR));
    service.at("2026-06-01T12:00:00Z").run_until("2026-06-02T03:00:00Z").trigger("nights");
    service.run_until("2026-06-02T20:00:00Z");
    let runs = service.runs("nights");
    for run in &runs {
        let missed: Vec<(String, String)> = service
            .history(run)
            .missed_task_deadlines
            .iter()
            .map(|missed| (missed.task.clone(), missed.deadline.to_string()))
            .collect();
        // A manual run has no slot.
        match run.info.run_type {
            RunType::Scheduled => assert_eq!(missed, [("nightly".to_owned(), "2026-06-02T01:00:00Z".to_owned())]),
            _ => assert!(missed.is_empty(), "{missed:?}"),
        }
    }
    assert_eq!(runs.len(), 2);
}
