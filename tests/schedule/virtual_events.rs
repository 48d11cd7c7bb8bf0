//! Events and backfills of services in virtual time.

use std::time::Duration;

use serde_json::json;
use taskflow::RunState;
use taskflow::asset::{Day, Event, Events, Latest};
use taskflow::notify::Notification;
use taskflow::prelude::*;
use taskflow::schedule::{
    BackfillOrder, BackfillRequest, BackfillScope, Catchup, Note as ScheduleNote, SlotRange, Unpause,
};
use taskflow::testing::{ServiceTest, Test};

const HOUR: Duration = Duration::from_secs(3_600);

taskflow::asset! {
    LOADED: Asset<u64, Day> = "virtual/loaded";
    RATES: Asset<u64> = "virtual/rates";
    READINGS: Asset<u64> = "virtual/readings";
}

fn tell(_: &Notification) {}

#[task(produces = LOADED)]
fn load(day: Date) -> u64 {
    day.day().unsigned_abs().into()
}

#[dag(schedule = "@daily")]
fn loads(#[param(default = |run| run.day())] day: Date) -> u64 {
    load(day)
}

#[task]
fn sum(loaded: &Events<u64, Day>) -> u64 {
    loaded.values().sum()
}

#[dag]
fn sums_up(#[event(LOADED)] loaded: Events<u64, Day>) -> u64 {
    sum(loaded)
}

#[task]
fn double(total: &Event<u64>) -> u64 {
    2 * total.value
}

#[dag]
fn doubled(#[event(sums_up)] total: Event<u64>) -> u64 {
    double(total)
}

#[task]
fn rate(rates: &Events<u64>) -> Vec<u64> {
    rates.values().copied().collect()
}

#[dag]
fn settling(#[event(RATES, settle = "30m", max = 3)] rates: Events<u64>) -> Vec<u64> {
    rate(rates)
}

#[dag(max_active_runs = 2)]
fn by_parity(#[event(RATES, key = |rate| rate.value % 2)] rates: Events<u64>) -> Vec<u64> {
    rate(rates)
}

#[dag]
fn fresh(#[event(RATES, max_age = "2h")] rates: Events<u64>) -> Vec<u64> {
    rate(rates)
}

#[dag(schedule = "0 6 * * *", wait = "3h", deadline = "by 09:30", on_deadline_missed = tell)]
fn waiting(#[event(RATES)] rates: Events<u64>) -> Vec<u64> {
    rate(rates)
}

#[dag(schedule = "0 6 * * *", wait = "3h")]
fn calm(#[event(RATES, settle = "30m")] rates: Events<u64>) -> Vec<u64> {
    rate(rates)
}

#[task]
fn last(rate: &Latest<u64>) -> u64 {
    rate.value
}

#[dag]
fn newest_rate(#[event(RATES)] rate: Latest<u64>) -> u64 {
    last(rate)
}

#[task]
fn adjust(readings: &Events<u64>, rate: &Option<Latest<u64>>) -> (Vec<u64>, Option<u64>) {
    (readings.values().copied().collect(), rate.as_ref().map(|rate| rate.value))
}

/// Starts with readings, with a rate or without.
#[dag]
fn adjusted(
    #[event(READINGS)] readings: Events<u64>,
    #[event(RATES)] rate: Option<Latest<u64>>,
) -> (Vec<u64>, Option<u64>) {
    adjust(readings, rate)
}

/// Two events in one success.
#[task]
fn measure(ctx: &TaskContext, day: Date) -> Result<u64> {
    let day = u64::from(day.day().unsigned_abs());
    ctx.emit(&READINGS, day)?;
    ctx.emit(&RATES, 10 * day)?;
    Ok(day)
}

#[dag(schedule = "@daily")]
fn measures(#[param(default = |run| run.day())] day: Date) -> u64 {
    measure(day)
}

#[task]
fn pair(readings: &Option<Events<u64>>, rates: &Option<Events<u64>>) -> [Vec<u64>; 2] {
    [readings, rates].map(|events| events.iter().flat_map(Events::values).copied().collect())
}

/// Starts with either of them.
#[dag]
fn paired(
    #[event(READINGS)] readings: Option<Events<u64>>,
    #[event(RATES)] rates: Option<Events<u64>>,
) -> [Vec<u64>; 2] {
    pair(readings, rates)
}

/// A slot takes what is there.
#[dag(schedule = "@daily")]
fn daily_rates(#[event(RATES)] rates: Option<Events<u64>>) -> Vec<u64> {
    rates_of_day(rates)
}

#[task]
fn rates_of_day(rates: &Option<Events<u64>>) -> Vec<u64> {
    rates.iter().flat_map(Events::values).copied().collect()
}

#[dag(pause_after_failures = 2)]
fn brittle(#[event(RATES)] rate: Latest<u64>) -> u64 {
    last(rate)
}

/// What is noted of a DAG, the earliest first.
fn notes(service: &ServiceTest, dag: &str) -> Vec<ScheduleNote> {
    service.slots(dag).into_iter().rev().filter_map(|slots| slots.note).collect()
}

fn created(service: &ServiceTest, dag: &str) -> Vec<String> {
    service.runs(dag).iter().map(|run| run.created.to_string()).collect()
}

fn results(service: &ServiceTest, dag: &str) -> Vec<serde_json::Value> {
    service.events(&format!("dag:{dag}")).into_iter().filter_map(|event| event.payload).collect()
}

/// The first slot after the pause used to take the event, though its run was there already.
#[test]
fn slots_whose_runs_a_backfill_has_made_leave_the_events_to_the_next_slot() {
    let mut service = Test::service().dag(daily_rates {});
    service.at("2026-01-01T12:00:00Z").run_until("2026-01-01T13:00:00Z");
    service.pause("daily_rates", "repair").run_until("2026-01-03T12:00:00Z").emit(&RATES, 5);
    service.backfill("daily_rates", "2026-01-02", "2026-01-03T00:00:01Z");
    service.run_until("2026-01-03T13:00:00Z");
    let before = service.runs("daily_rates").len();
    service.unpause("daily_rates", Catchup::All).run_until("2026-01-04T12:00:00Z");
    assert_eq!(results(&service, "daily_rates").last(), Some(&serde_json::json!([5])), "{}", service.event_log());
    assert_eq!(service.runs("daily_rates").len(), before + 1);
}

#[test]
fn what_a_task_emits_starts_the_next_dag_and_its_result_another_one() {
    let mut service = Test::service()
        .dag_with(loads {}, |test| test.takes(load {}, 2 * HOUR))
        .dag_with(sums_up {}, |test| test.takes(sum {}, HOUR))
        .dag(doubled {});
    service.at("2026-01-01T12:00:00Z").run_until("2026-01-03T12:00:00Z");
    assert_eq!(created(&service, "sums_up"), ["2026-01-02T02:00:00Z", "2026-01-03T02:00:00Z"]);
    assert_eq!(created(&service, "doubled"), ["2026-01-02T03:00:00Z", "2026-01-03T03:00:00Z"]);
    assert_eq!(results(&service, "doubled"), [4, 6]);
    service.assert_started_by("sums_up", &["event 1 of virtual/loaded", "event 5 of virtual/loaded"]);
    let emitted = &service.events("virtual/loaded")[0];
    assert_eq!(
        (emitted.emitted.to_string(), emitted.partition.as_deref()),
        ("2026-01-02T02:00:00Z".to_owned(), Some("2026-01-02"))
    );
    insta::assert_snapshot!(service.event_log(), @r"
    2026-01-01T12:00:00Z a service starts
    2026-01-02T00:00:00Z loads: scheduled__2026-01-02T00:00:00Z__loads starts
    2026-01-02T02:00:00Z loads: scheduled__2026-01-02T00:00:00Z__loads ends: success
    2026-01-02T02:00:00Z sums_up: event__1__sums_up starts
    2026-01-02T03:00:00Z sums_up: event__1__sums_up ends: success
    2026-01-02T03:00:00Z doubled: event__3__doubled starts
    2026-01-02T03:00:00Z doubled: event__3__doubled ends: success
    2026-01-03T00:00:00Z loads: scheduled__2026-01-03T00:00:00Z__loads starts
    2026-01-03T02:00:00Z loads: scheduled__2026-01-03T00:00:00Z__loads ends: success
    2026-01-03T02:00:00Z sums_up: event__5__sums_up starts
    2026-01-03T03:00:00Z sums_up: event__5__sums_up ends: success
    2026-01-03T03:00:00Z doubled: event__7__doubled starts
    2026-01-03T03:00:00Z doubled: event__7__doubled ends: success
    ");
}

#[test]
fn an_asset_settles_in_virtual_time() {
    let mut service = Test::service().dag(settling {});
    service.at("2026-01-01").run_until("2026-01-01T01:00:00Z").emit(&RATES, 1).run_until("2026-01-01T01:20:00Z");
    service.emit(&RATES, 2).run_until("2026-01-01T01:49:59Z");
    assert_eq!(service.pending("settling"), 2);
    let waits = service.consumer("settling").waits_for;
    assert_eq!(waits.as_deref(), Some("virtual/rates to settle, at 2026-01-01T01:50:00Z at the earliest"));
    service.run_until("2026-01-01T02:00:00Z");
    assert_eq!(created(&service, "settling"), ["2026-01-01T01:50:00Z"]);
    // As many as a run takes need not settle. The third event is the result of the first run.
    service.emit(&RATES, 3).emit(&RATES, 4).emit(&RATES, 5).run_until("2026-01-01T02:00:01Z");
    service.assert_started_by("settling", &["events 1 to 2 of virtual/rates", "events 4 to 6 of virtual/rates"]);
    assert_eq!(service.pending("settling"), 0);
}

/// Nobody else wants these events, so the service had forgotten them, and no run took them: only
/// `unpause` made it read them again.
#[test]
fn events_of_a_pause_start_a_run_when_its_time_has_come() {
    let mut service = Test::service().dag(adjusted {});
    service.at("2026-01-01").run_until("2026-01-01T01:00:00Z");
    service.pause_until("adjusted", "the warehouse moves", "2026-01-01T03:00:00Z");
    service.emit(&READINGS, 1).run_until("2026-01-01T02:00:00Z").emit(&READINGS, 2);
    service.run_until("2026-01-01T02:30:00Z");
    assert_eq!((service.pending("adjusted"), created(&service, "adjusted")), (2, vec![]));
    service.run_until("2026-01-01T04:00:00Z");
    service.assert_started_by("adjusted", &["events 1 to 2 of virtual/readings"]);
    assert_eq!(created(&service, "adjusted"), ["2026-01-01T03:00:00Z"]);
}

/// The second event waits for the run of its key, and the third one has had its run. `unpause`
/// forgot that, and it had another one.
#[test]
fn an_event_that_was_taken_before_others_is_not_taken_again_after_a_pause() {
    let mut service = Test::service().dag_with(by_parity {}, |test| test.takes(rate {}, 2 * HOUR));
    service.at("2026-01-01").run_until("2026-01-01T01:00:00Z").emit(&RATES, 1).run_until("2026-01-01T01:10:00Z");
    service.emit(&RATES, 3).emit(&RATES, 2).run_until("2026-01-01T01:20:00Z");
    let status = service.consumer("by_parity").inputs.remove(0);
    assert_eq!((status.cursor, status.pending, status.first_pending), (Some(1), 1, Some(2)));
    service.pause("by_parity", "the warehouse moves").run_until("2026-01-01T01:30:00Z");
    assert_eq!(service.pending("by_parity"), 1);
    service.unpause("by_parity", Catchup::None);
    assert_eq!(service.pending("by_parity"), 1);
    service.run_until("2026-01-01T12:00:00Z");
    assert_eq!(results(&service, "by_parity"), [json!([1]), json!([2]), json!([3])]);
}

/// A service that may run one run at once resumes the other one first. The key was free meanwhile,
/// and the next event started a second run of it.
#[test]
fn a_run_that_waits_to_be_resumed_keeps_its_key() {
    let mut service = Test::service()
        .dag_with(newest_rate {}, |test| test.takes(last {}, 5 * HOUR))
        .dag_with(by_parity {}, |test| test.takes(rate {}, 2 * HOUR));
    service.at("2026-01-01").run_until("2026-01-01T01:00:00Z").emit(&RATES, 1);
    service.run_until("2026-01-01T01:10:00Z").crash();
    let mut service = service.max_active_runs(1);
    service.emit(&RATES, 3).run_until("2026-01-01T20:00:00Z");
    let runs = service.runs("by_parity");
    let [first, second] = &runs[..] else { panic!("{}", service.event_log()) };
    assert!(first.ended.is_some_and(|ended| ended <= second.created), "{}", service.event_log());
}

/// Nobody else wants the events, so the service forgets them while the DAG is paused. A run that
/// ended in the pause made it forget which ones had had their run.
#[test]
fn what_was_taken_before_others_stays_taken_when_a_run_ends_in_a_pause() {
    let mut service = Test::service().dag_with(by_parity {}, |test| test.takes(rate {}, 2 * HOUR));
    service.at("2026-01-01").run_until("2026-01-01T01:00:00Z").emit(&RATES, 1).run_until("2026-01-01T01:10:00Z");
    service.emit(&RATES, 3).emit(&RATES, 2).run_until("2026-01-01T01:20:00Z");
    service.pause("by_parity", "the warehouse moves").run_until("2026-01-01T05:00:00Z");
    assert_eq!(results(&service, "by_parity"), [json!([1]), json!([2])]);
    service.emit(&RATES, 4).unpause("by_parity", Catchup::None).run_until("2026-01-01T12:00:00Z");
    let mut all = results(&service, "by_parity");
    all.sort_by_key(ToString::to_string);
    assert_eq!(all, [json!([1]), json!([2]), json!([3]), json!([4])]);
}

#[test]
fn events_expire_while_the_service_is_down() {
    let mut service = Test::service().dag(fresh {});
    service.at("2026-01-01").run_until("2026-01-01T01:00:00Z").emit(&RATES, 1).down_until("2026-01-01T02:30:00Z");
    service.emit(&RATES, 2).down_until("2026-01-01T03:30:00Z").run_until("2026-01-01T04:00:00Z");
    service.assert_started_by("fresh", &["event 2 of virtual/rates"]);
    let expired = service.slots("fresh").into_iter().find(|slots| slots.fate == "expired").expect("a record");
    assert_eq!((expired.count, &*expired.reason), (1, "event 1 of `virtual/rates`: older than `max_age`"));
}

#[test]
fn a_slot_waits_for_events_and_expires() {
    let mut service = Test::service().dag(waiting {});
    service
        .at("2026-01-01T12:00:00Z")
        .run_until("2026-01-02T06:40:00Z")
        .emit(&RATES, 7)
        .run_until("2026-01-03T12:00:00Z");
    service.assert_slots("waiting", &["2026-01-02T06:00:00Z"]);
    service.assert_started_by("waiting", &["slot 2026-01-02T06:00:00Z, event 1 of virtual/rates"]);
    assert_eq!(created(&service, "waiting"), ["2026-01-02T06:40:00Z"]);
    let expired = service.slots("waiting").into_iter().find(|slots| slots.fate == "expired").expect("a record");
    assert_eq!(expired.first.to_string(), "2026-01-03T06:00:00Z");
    assert!(service.event_log().contains("2026-01-03T09:00:00Z waiting: 1 slot from 2026-01-03T06:00:00Z expired"));
}

/// The service was down at the end of `wait`, and another event came before it was there again: the
/// slot expired, because its asset did not settle.
#[test]
fn an_event_after_the_wait_of_a_slot_does_not_unsettle_it() {
    let mut service = Test::service().dag(calm {});
    service.at("2026-01-01T12:00:00Z").run_until("2026-01-02T06:10:00Z").emit(&RATES, 1);
    service.run_until("2026-01-02T06:11:00Z").down_until("2026-01-02T09:10:00Z").emit(&RATES, 2);
    service.run_until("2026-01-02T10:00:00Z");
    service.assert_started_by("calm", &["slot 2026-01-02T06:00:00Z, event 1 of virtual/rates"]);
    assert_eq!(service.pending("calm"), 1);
}

/// Case 71, its deadline: that of a slot without events is told once, and that of a slot whose run
/// came later is met.
#[test]
fn a_slot_that_expires_without_events_misses_its_deadline_once() {
    let mut service = Test::service().dag(waiting {});
    service
        .at("2026-01-01T12:00:00Z")
        .run_until("2026-01-02T06:40:00Z")
        .emit(&RATES, 7)
        .run_until("2026-01-03T12:00:00Z");
    let log = service.event_log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("notified that")).collect();
    let [told] = told[..] else { panic!("{log}") };
    let slot = "2026-01-03T09:30:01Z waiting: notified that slot 2026-01-03T06:00:00Z of waiting has missed its \
                deadline of 2026-01-03T09:30:00Z: the slot was expired: ";
    assert!(told.starts_with(slot), "{told}");
}

/// Case 68.
#[test]
fn a_required_event_starts_a_run_with_or_without_an_optional_one() {
    let mut service = Test::service().dag(adjusted {});
    service.at("2026-01-01").run_until("2026-01-01T01:00:00Z").emit(&READINGS, 1).run_until("2026-01-01T02:00:00Z");
    assert_eq!(results(&service, "adjusted"), [json!([[1], null])]);
    service.emit(&RATES, 107).emit(&RATES, 108).run_until("2026-01-01T03:00:00Z");
    assert_eq!((service.runs("adjusted").len(), service.pending("adjusted")), (1, 2), "rates start no run");
    service.emit(&READINGS, 2).run_until("2026-01-01T04:00:00Z").emit(&READINGS, 3).run_until("2026-01-01T05:00:00Z");
    // The rate is consumed.
    assert_eq!(results(&service, "adjusted"), [json!([[1], null]), json!([[2], 108]), json!([[3], null])]);
}

/// Case 69.
#[test]
fn two_events_of_one_task_start_one_run_of_a_dag_that_takes_either() {
    let mut service = Test::service().dag_with(measures {}, |test| test.takes(measure {}, HOUR)).dag(paired {});
    service.at("2026-01-01T12:00:00Z").run_until("2026-01-03T12:00:00Z");
    assert_eq!(created(&service, "paired"), ["2026-01-02T01:00:00Z", "2026-01-03T01:00:00Z"]);
    assert_eq!(results(&service, "paired"), [json!([[2], [20]]), json!([[3], [30]])]);
    service.emit(&RATES, 8).run_until("2026-01-03T13:00:00Z").emit(&READINGS, 9).run_until("2026-01-03T14:00:00Z");
    assert_eq!(results(&service, "paired")[2..], [json!([[], [8]]), json!([[9], []])]);
    assert_eq!(service.pending("paired"), 0);
}

#[test]
fn a_paused_consumer_keeps_its_events_and_a_new_one_begins_after_them() {
    let mut service = Test::service().dag(newest_rate {});
    service.emit(&RATES, 1).run_until("2026-01-02").assert_started_by("newest_rate", &[]);
    service.pause("newest_rate", "the rates are wrong").emit(&RATES, 2).emit(&RATES, 3).run_until("2026-01-03");
    assert_eq!(service.pending("newest_rate"), 2);
    service.unpause_with("newest_rate", Catchup::None, Unpause::Newest).run_until("2026-01-04");
    service.assert_started_by("newest_rate", &["event 3 of virtual/rates"]);
    let superseded =
        service.slots("newest_rate").into_iter().find(|slots| slots.fate == "superseded").expect("a record");
    assert_eq!(superseded.count, 1);
}

/// A pause that somebody ends, one that ends by itself, and a clock that is set back. None of it
/// was stored of a DAG with events.
#[test]
fn the_history_of_a_dag_with_events_is_shown_with_its_slots() {
    let mut service = Test::service().dag(newest_rate {}).dag(waiting {});
    service.at("2026-01-01T12:00:00Z").run_until("2026-01-01T13:00:00Z").pause("newest_rate", "the rates are wrong");
    service.run_until("2026-01-01T14:00:00Z").unpause("newest_rate", Catchup::None);
    service.run_until("2026-01-01T15:00:00Z").pause_until("newest_rate", "the bank moves", "2026-01-01T16:00:00Z");
    service.run_until("2026-01-01T17:00:00Z");
    let noted = notes(&service, "newest_rate");
    let [
        ScheduleNote::Paused(first),
        ScheduleNote::Unpaused { by, .. },
        ScheduleNote::Paused(second),
        ScheduleNote::PauseEnded(ended),
    ] = &noted[..]
    else {
        panic!("{noted:?}")
    };
    assert_eq!((&*first.reason, &**by, ended), ("the rates are wrong", "the test", second));
    service.clock_back(12 * HOUR).emit(&RATES, 1).run_until("2026-01-01T18:00:00Z");
    let noted = notes(&service, "waiting");
    assert!(matches!(&noted[..], [ScheduleNote::ClockWentBack { .. }]), "{noted:?}");
}

/// Its slots did not say why it had stopped.
#[test]
fn the_history_of_a_dag_with_events_has_the_pause_after_its_failures() {
    let fails = |test: Test<u64>| test.always_fails(last {}, "no network");
    let mut service = Test::service().dag_with(brittle {}, fails);
    service.at("2026-01-01").run_until("2026-01-01T01:00:00Z").emit(&RATES, 1).run_until("2026-01-01T02:00:00Z");
    service.emit(&RATES, 2).run_until("2026-01-01T03:00:00Z");
    let pause = service.pause_of("brittle").expect("two runs in a row have failed");
    assert_eq!(notes(&service, "brittle"), [ScheduleNote::Paused(pause)]);
}

#[test]
fn a_task_that_fails_emits_nothing() {
    let fails = |test: Test<u64>| test.always_fails(load {}, "no network");
    let mut service = Test::service().dag_with(loads {}, fails).dag(sums_up {});
    service.at("2026-01-01T12:00:00Z").run_until("2026-01-05T12:00:00Z");
    assert_eq!((service.runs("loads").len(), service.runs("sums_up").len()), (4, 0));
    assert!(service.events("virtual/loaded").is_empty());
}

/// Every seventh step; in the long mode, which sets `TASKFLOW_SERVICES`, each of them.
#[test]
fn each_event_of_a_backfill_is_consumed_although_the_service_dies_at_each_step() {
    let every = if std::env::var_os("TASKFLOW_SERVICES").is_some() { 1 } else { 7 };
    for operations in (0..600).step_by(every) {
        let mut service = Test::service()
            .dag_with(loads {}, |test| test.takes(load {}, HOUR))
            .dag_with(sums_up {}, |test| test.takes(sum {}, 2 * HOUR));
        service.at("2026-03-01T00:30:00Z").run_until("2026-03-01T00:30:01Z");
        let ranges =
            vec![SlotRange { from: "2026-02-02".parse().expect("a day"), to: "2026-02-11".parse().expect("a day") }];
        let request = BackfillRequest { ranges, limit: 3, order: BackfillOrder::Newest, ..BackfillRequest::default() };
        let backfill = service.backfill_with("loads", &request);
        service.crash_after(operations).crash_after(operations / 2).run_until("2026-03-01T23:00:00Z");
        let status = service.backfill_status(backfill);
        let log = service.event_log();
        assert_eq!((status.phase.name(), status.counts.new, status.counts.success), ("done", 10, 10), "{log}");
        assert_eq!(service.events("virtual/loaded").len(), 10, "{log}");
        let sums = results(&service, "sums_up");
        let sums: u64 = sums.iter().filter_map(serde_json::Value::as_u64).sum();
        assert_eq!((sums, service.pending("sums_up")), ((2..=11).sum(), 0), "{log}");
    }
}

#[test]
fn a_backfill_reprocesses_the_runs_that_failed() {
    let fails = |test: Test<u64>| test.fail_times(load {}, 1, "no network");
    let mut service = Test::service().dag_with(loads {}, fails);
    service.at("2026-01-01T12:00:00Z").run_until("2026-01-05T12:00:00Z");
    let states = |service: &ServiceTest| service.runs("loads").iter().map(|run| run.state).collect::<Vec<_>>();
    assert_eq!(states(&service), [RunState::Failed; 4]);
    let ranges =
        vec![SlotRange { from: "2026-01-03".parse().expect("a day"), to: "2026-01-04".parse().expect("a day") }];
    let request = BackfillRequest { ranges, scope: BackfillScope::Failed, ..BackfillRequest::default() };
    let backfill = service.backfill_with("loads", &request);
    service.run_until("2026-01-05T13:00:00Z");
    let status = service.backfill_status(backfill);
    assert_eq!((status.phase.name(), status.counts.again), ("done", 2));
    // The script counts attempts, which continue when a task is cleared.
    assert_eq!(states(&service), [RunState::Failed, RunState::Success, RunState::Success, RunState::Failed]);
    assert!(service.runs("loads")[1].ended.is_some_and(|ended| ended.to_string().starts_with("2026-01-05T12:00")));
}
