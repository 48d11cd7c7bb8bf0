//! Services in virtual time.

use std::time::Duration;

use taskflow::asset::Events;
use taskflow::engine::RunType;
use taskflow::notify::Notification;
use taskflow::ops::PastSlots;
use taskflow::prelude::*;
use taskflow::schedule::{BackfillRequest, Catchup, Note as ScheduleNote, SlotRange};
use taskflow::testing::{ServiceTest, Test};
use taskflow::{RunState, TaskState, Timestamp};
#[cfg(target_os = "linux")]
use taskflow_tests::common::in_a_separate_process;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

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

#[dag(schedule = every("20m"), overlap = "cancel")]
fn cancelling(#[param(default = |run| run.day())] day: Date) -> String {
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

taskflow::asset! {
    RATES: Asset<u64> = "virtual_time/rates";
}

#[task]
fn convert(rates: &Option<Events<u64>>) -> usize {
    rates.iter().count()
}

/// A slot or events.
#[dag(schedule = "@hourly", events = "or")]
fn rates(#[event(RATES)] rates: Option<Events<u64>>) -> usize {
    convert(rates)
}

#[dag]
fn by_hand(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

#[task]
fn is_latest(ctx: &TaskContext) -> Result<bool> {
    let (run, dag) = (ctx.run(), publishing::def());
    let schedule = dag.options.schedule(dag.id)?.expect("it has a schedule");
    let next = schedule.after(run.logical_date, run.logical_date);
    Ok(run.run_type == RunType::Manual || next.is_none_or(|next| next.at > Timestamp::now()))
}

#[task]
fn publish() -> String {
    "published".to_owned()
}

/// Airflow's `LatestOnlyOperator`: late runs publish nothing.
#[dag(schedule = "@daily")]
fn publishing() -> String {
    only_if(is_latest(), || publish())
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

/// The clock of tasks is that of the machine: slots of 2020 are late, and those of 2100 are not.
#[test]
fn a_task_can_run_for_the_latest_slot_only() {
    let published = |at: &str, until: &str| {
        let mut service = Test::service().dag(publishing {});
        service.at(at).run_until(until);
        let runs = service.runs("publishing");
        let run = runs.last().expect("a run");
        assert_eq!(run.state, RunState::Success);
        let history = service.history(run);
        let publish = history.tasks.iter().find(|task| task.id.ends_with("publish")).expect("the task");
        publish.state
    };
    assert_eq!(published("2020-01-01T12:00:00Z", "2020-01-02T12:00:00Z"), TaskState::Skipped);
    assert_eq!(published("2100-01-01T12:00:00Z", "2100-01-02T12:00:00Z"), TaskState::Success);
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

/// Case 37: whether a service runs when the pause ends or not.
#[test]
fn a_pause_with_an_end_ends_by_itself() {
    let paused = || {
        let mut service = Test::service().dag(hourly {});
        service.at("2026-01-01T00:30:00Z").run_until("2026-01-01T02:30:00Z");
        service.pause_until("hourly", "the warehouse moves", "2026-01-01T05:00:00Z");
        service
    };
    let record = |service: &ServiceTest, fate: &str| {
        let slots = service.slots("hourly").into_iter().find(|slots| slots.fate == fate).expect("a record");
        (slots.count, slots.last.to_string(), slots.reason)
    };
    let because = |reason: &str| reason.to_owned();
    let of_pause = (3, "2026-01-01T05:00:00Z".to_owned(), because("paused by the test: the warehouse moves"));
    let mut service = paused();
    assert_eq!(
        service.run_until("2026-01-01T04:59:00Z").pause_of("hourly").map(|pause| pause.by),
        Some(because("the test"))
    );
    service.run_until("2026-01-01T06:30:00Z");
    service.assert_slots("hourly", &["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z", "2026-01-01T06:00:00Z"]);
    assert_eq!((record(&service, "paused"), service.pause_of("hourly")), (of_pause.clone(), None));
    // The slots after its end passed because no service was running.
    let mut service = paused();
    service.down_until("2026-01-01T08:30:00Z").run_until("2026-01-01T08:40:00Z");
    service.assert_slots("hourly", &["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z", "2026-01-01T08:00:00Z"]);
    assert_eq!(record(&service, "paused"), of_pause);
    assert_eq!(record(&service, "missed").0, 2);
}

/// The next service would end the pause, and nobody has to wait for it.
#[test]
fn a_dag_whose_pause_has_ended_is_paused_again() {
    let mut service = Test::service().dag(hourly {}).dag(rates {});
    service.at("2026-01-01T00:30:00Z").run_until("2026-01-01T02:30:00Z");
    for dag in ["hourly", "rates"] {
        service.pause_until(dag, "the warehouse moves", "2026-01-01T05:00:00Z");
    }
    service.down_until("2026-01-01T06:30:00Z");
    for dag in ["hourly", "rates"] {
        assert_eq!(service.pause_of(dag), None, "{dag}");
        service.pause(dag, "it moves again");
        assert!(service.pause_of(dag).is_some_and(|pause| pause.reason == "it moves again"), "{dag}");
    }
    service.run_until("2026-01-01T07:30:00Z").unpause("hourly", Catchup::None).unpause("rates", Catchup::None);
    for dag in ["hourly", "rates"] {
        let slots = service.slots(dag);
        let reasons: Vec<(u64, &str)> =
            slots.iter().filter(|slots| slots.fate == "paused").map(|slots| (slots.count, &*slots.reason)).collect();
        let expected = [(2, "paused by the test: it moves again"), (3, "paused by the test: the warehouse moves")];
        assert_eq!(reasons, expected, "{dag}");
    }
    let is_end = |slots: &PastSlots| matches!(slots.note, Some(ScheduleNote::PauseEnded(_)));
    for dag in ["hourly", "rates"] {
        assert_eq!(service.slots(dag).iter().filter(|slots| is_end(slots)).count(), 1, "{dag}");
    }
}

#[test]
fn a_pause_that_has_ended_cannot_be_ended() {
    let panicked = std::panic::catch_unwind(|| {
        let mut service = Test::service().dag(hourly {});
        service.at("2026-01-01T00:30:00Z").run_until("2026-01-01T02:30:00Z");
        service.pause_until("hourly", "the warehouse moves", "2026-01-01T05:00:00Z");
        service.down_until("2026-01-01T06:30:00Z").unpause("hourly", Catchup::All);
    });
    let message = panicked.expect_err("it is not paused");
    let message = message.downcast_ref::<String>().expect("a message");
    assert_eq!(message, "the DAG `hourly` is not paused");
}

#[task]
fn keep(text: &str) -> usize {
    text.len()
}

#[dag(schedule = "@continuous")]
fn restless(#[param(default = |_| panic!("no address"))] address: String) -> usize {
    keep(address)
}

/// The service used to make and record the next one at once, thousands of them a second.
#[test]
fn a_continuous_schedule_waits_for_a_minute_after_a_run_that_cannot_be_made() {
    let mut service = Test::service().dag(restless {});
    service.at("2026-01-01T00:00:00Z").run_until("2026-01-01T00:10:30Z");
    let slots = service.slots("restless");
    assert!(slots.iter().all(|slots| slots.fate == "failed" && slots.reason.contains("no address")), "{slots:?}");
    assert_eq!(slots.iter().map(|slots| slots.count).sum::<u64>(), 11, "{slots:?}");
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

#[dag(schedule = "@hourly")]
fn tidal(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

/// A service that may run one run at once resumes one of two. The next slot of the other DAG
/// started beside its interrupted run, and two of its runs were active.
#[test]
fn a_run_that_waits_to_be_resumed_keeps_its_place_in_its_schedule() {
    let behave = |test: Test<String>| test.takes(extract {}, 90 * MINUTE);
    let mut service = Test::service().dag_with(hourly {}, behave).dag_with(tidal {}, behave);
    service.at("2026-01-01T00:30:00Z").run_until("2026-01-01T01:30:00Z").crash();
    let mut service = service.max_active_runs(1);
    service.run_until("2026-01-01T12:00:00Z");
    for dag in ["hourly", "tidal"] {
        let runs = service.runs(dag);
        assert!(runs.len() > 1, "{}", service.event_log());
        for pair in runs.windows(2) {
            let in_turn = pair[0].ended.is_some_and(|ended| ended <= pair[1].created);
            assert!(in_turn, "{}", service.event_log());
        }
    }
}

#[dag(schedule = every("20m"), overlap = "allow", max_active_runs = 3)]
fn threefold(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

/// A service that may run one run at once resumes one of two, and a backfill gets what both of them
/// leave. It got the place of the one that waits, too.
#[test]
fn a_run_that_waits_to_be_resumed_takes_its_room_from_backfills() {
    let mut service = Test::service().dag_with(threefold {}, |test| test.takes(extract {}, 5 * HOUR));
    service.at("2026-01-01T00:10:00Z").run_until("2026-01-01T00:50:00Z").crash();
    assert_eq!(states(&service, "threefold"), [RunState::Interrupted; 2]);
    let mut service = service.max_active_runs(1);
    let request = BackfillRequest {
        ranges: vec![SlotRange { from: at("2025-12-31T00:00:00Z"), to: at("2025-12-31T02:00:00Z") }],
        limit: 3,
        ..BackfillRequest::default()
    };
    let backfill = service.backfill_with("threefold", &request);
    service.run_until("2026-01-01T00:55:00Z");
    assert_eq!(service.backfill_status(backfill).active.len(), 1, "{}", service.event_log());
}

#[dag(schedule = "@daily", after_previous, max_active_runs = 1)]
fn narrow(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

/// The first plan waits until somebody mends its failed run, which counted as active: the second
/// one never started a run.
#[test]
fn a_backfill_that_waits_for_a_failed_run_leaves_its_room_to_another() {
    let mut service = Test::service().dag_with(narrow {}, |test| test.always_fails(extract {}, "no network"));
    service.at("2026-01-01T12:00:00Z").run_until("2026-01-01T12:00:00Z");
    service.backfill("narrow", "2025-12-20", "2025-12-21");
    service.run_until("2026-01-01T13:00:00Z");
    service.backfill("narrow", "2025-12-10", "2025-12-11");
    service.run_until("2026-01-01T14:00:00Z");
    let made: Vec<String> = service.runs("narrow").iter().map(|run| run.info.logical_date.to_string()).collect();
    assert_eq!(made, ["2025-12-10T00:00:00Z", "2025-12-20T00:00:00Z"], "{}", service.event_log());
}

#[task]
fn of_the_future(day: Date) -> Result<String> {
    let day: String = if day.year() < 2030 { Err("it is too early")? } else { day.to_string() };
    Ok(day)
}

#[dag(schedule = "@daily", pause_after_failures = 2)]
fn hopeful(#[param(default = |run| run.day())] day: Date) -> String {
    of_the_future(day)
}

/// Case 42, after the reset: the run of 2035 of one DAG has failed, and that of the other one has
/// succeeded. They came first: one DAG waited for its run, and the other one was never paused.
#[test]
fn runs_of_a_clock_that_was_ahead_are_not_the_last_ones_after_a_reset() {
    let years = 10 * 365 * 24 * HOUR;
    let fails = |test: Test<String>| test.always_fails(extract {}, "no network");
    let mut service = Test::service().dag_with(narrow {}, fails).dag(hopeful {});
    service.at("2026-01-01T12:00:00Z").clock_forward(years).run_until("2026-01-02T12:00:00Z").clock_back(years);
    service.reset_schedule("narrow").reset_schedule("hopeful").run_until("2026-01-06T12:00:00Z");
    let future = "2035-12-31T00:00:00Z";
    service.assert_slots("narrow", &["2026-01-03", future]);
    service.assert_slots("hopeful", &["2026-01-03", "2026-01-04", future]);
    let pause = service.pause_of("hopeful").expect("two runs in a row have failed");
    assert!(pause.reason.starts_with("2 runs in a row failed"), "{}", pause.reason);
}

/// Case 54: the slot that waits names the run, and clearing that run releases it.
#[test]
fn a_slot_waits_for_the_success_of_the_run_before_it() {
    let mut service = Test::service().dag_with(in_order {}, |test| test.fail_times(extract {}, 1, "no network"));
    // The edit has the time of the machine that runs this test, which is earlier.
    service.at("2036-01-01T12:00:00Z").run_until("2036-01-03T12:00:00Z");
    assert_eq!(states(&service, "in_order"), [RunState::Failed]);
    let waiting = service.slots("in_order").into_iter().find(|slots| slots.fate == "waiting").expect("it waits");
    assert_eq!((waiting.count, waiting.first.to_string()), (1, "2036-01-03T00:00:00Z".to_owned()));
    assert_eq!(waiting.reason, "the run scheduled__2036-01-02T00:00:00Z__in_order has not succeeded");
    service.clear_failed("in_order").run_until("2036-01-03T13:00:00Z");
    assert_eq!(states(&service, "in_order"), [RunState::Success, RunState::Failed], "the next one fails by itself");
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

macro_rules! daily {
    ($($dag:ident)*) => {
        $(
            #[dag(schedule = "0 6 * * *", timezone = "America/New_York")]
            fn $dag(#[param(default = |run| run.day())] day: Date) -> usize {
                load(extract(day))
            }
        )*

        /// A service of all of them.
        fn of_ten() -> (ServiceTest, Vec<&'static str>) {
            (Test::service()$(.dag($dag {}))*, vec![$(stringify!($dag)),*])
        }
    };
}
daily! { first second third fourth fifth sixth seventh eighth ninth tenth }

/// `docs/performance.md` has how long it takes: `--nocapture` prints it.
#[test]
fn a_year_of_ten_dags_passes() {
    let (mut service, dags) = of_ten();
    let started = std::time::Instant::now();
    service.at("2026-01-01T00:00:01Z").run_until("2027-01-01T00:00:00Z");
    println!("{} runs in {:?}", 365 * dags.len(), started.elapsed());
    for dag in dags {
        assert_eq!(states(&service, dag), [RunState::Success; 365]);
    }
}

#[dag(schedule = every("1m"), paused)]
fn minutes(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

/// The most memory that the process has had, in KiB. Only Linux says so.
#[cfg(target_os = "linux")]
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("it is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the peak");
    line.trim_end_matches("kB").trim().parse().expect("a number")
}

/// Case 60: the memory of a preview does not depend on the number of slots, and the first runs
/// start in the turn that follows. A debug build takes half a year instead of five, and a tenth of
/// the memory. `docs/performance.md` has the times.
#[cfg(target_os = "linux")]
#[test]
fn a_backfill_of_years_of_minutes_is_previewed_in_little_memory_and_starts_at_once() {
    let name = "virtual_time::a_backfill_of_years_of_minutes_is_previewed_in_little_memory_and_starts_at_once";
    in_a_separate_process(name, || {
        let (first, slots, most) = match cfg!(debug_assertions) {
            true => ("2025-09-01", 260_640, 2 << 10),
            false => ("2021-03-01", 2_629_440, 20 << 10),
        };
        let mut service = Test::service().dag_with(minutes {}, |test| test.takes(extract {}, HOUR));
        service.at("2026-03-02T12:00:00Z").run_until("2026-03-02T12:00:00Z");
        // What one takes anyway.
        let short = service.backfill("minutes", "2020-01-01", "2020-01-09");
        service.cancel_backfill(short, true);
        let before = peak();
        let backfill = service.backfill("minutes", first, "2026-02-28T23:59:00Z");
        let more = peak() - before;
        assert!(more < most, "{more} KiB");
        let status = service.backfill_status(backfill);
        assert_eq!((status.slots, status.pending), (slots, slots));
        service.run_until("2026-03-02T12:00:00.001Z");
        let status = service.backfill_status(backfill);
        assert_eq!(status.active.len(), status.limit as usize, "its first runs are active");
    });
}

#[dag(schedule = "@daily", max_active_runs = 4)]
fn wide(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

/// Case 55.
#[test]
fn a_live_slot_starts_at_once_beside_a_backfill_of_a_month() {
    let mut service = Test::service().dag_with(wide {}, |test| test.takes(extract {}, 5 * HOUR));
    service.at("2026-01-01T12:00:00Z").run_until("2026-01-01T12:00:00Z");
    let request = BackfillRequest {
        ranges: vec![SlotRange { from: at("2025-12-01"), to: at("2025-12-31") }],
        limit: 4,
        ..BackfillRequest::default()
    };
    let backfill = service.backfill_with("wide", &request);
    service.run_until("2026-01-02T00:00:00Z");
    assert_eq!(service.backfill_status(backfill).active.len(), 4, "the backfill has all its runs");
    service.run_until("2026-01-05T12:00:00Z");
    let live = service.runs("wide").into_iter().filter(|run| run.info.run_type == RunType::Scheduled);
    for run in live {
        assert_eq!((run.created, run.ended), (run.info.logical_date, Some(run.info.logical_date + 5 * HOUR)));
    }
    service.assert_slots("wide", &["2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05"]);
    let counts = service.backfill_status(backfill).counts;
    assert_eq!((counts.new, counts.success), (31, 31));
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

#[dag(schedule = every("10m"), overlap = "allow", max_active_runs = 1_000, weight = 3)]
fn heavy(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

#[dag(schedule = every("10m"), overlap = "allow", max_active_runs = 1_000)]
fn light(#[param(default = |run| run.day())] day: Date) -> String {
    extract(day)
}

/// The queue of the service is that of `serve`.
#[test]
fn runs_beyond_the_limit_of_a_service_take_turns_by_weight() {
    let behave = |test: Test<String>| test.takes(extract {}, 30 * MINUTE);
    let mut service = Test::service().dag_with(heavy {}, behave).dag_with(light {}, behave).max_active_runs(1);
    service.at("2026-01-01T00:00:00Z").run_until("2026-01-02T00:00:00Z");
    let ended = |dag: &str| service.runs(dag).iter().filter_map(|run| run.ended).collect::<Vec<Timestamp>>();
    let (heavy, light) = (ended("heavy"), ended("light"));
    assert_eq!(heavy.len() + light.len(), 47, "one after the other, without a pause");
    assert!((heavy.len() as f64 / 3.0 - light.len() as f64).abs() < 2.0, "{} and {}", heavy.len(), light.len());
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
