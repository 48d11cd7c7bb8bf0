//! Which events become runs: the types of event parameters, limits, pauses, schedules.
//!
//! The numbers are those of the cases that the design was checked against.

use std::time::Duration;

use proptest::prelude::*;
use taskflow::schedule::{
    Combine, Consumer, Crons, EventInput, EventWaits, FailedRun, Note, Overlap, Schedule, SlotFate, Takes, Unpause,
};
use taskflow_tests::common::cases;

use crate::consumer::Consuming;
use crate::support::{cron, utc};

const START: &str = "2026-03-02T05:00:00Z";
const MANY: Takes = Takes::All { max: 1_000 };

fn input(asset: &str, takes: Takes) -> EventInput {
    EventInput::new(&format!("of_{asset}"), asset, takes)
}

fn optional(asset: &str, takes: Takes) -> EventInput {
    let mut input = input(asset, takes);
    input.required = false;
    input
}

fn of(inputs: impl IntoIterator<Item = EventInput>) -> Consuming {
    Consuming::new(Consumer::new(inputs.into_iter().collect()), START)
}

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3_600)
}

/// On weekdays at 06:00, and an input.
fn with_schedule(input: EventInput, change: impl FnOnce(&mut Consumer)) -> Consuming {
    let mut consumer = Consumer::new(vec![input]);
    consumer.schedule = Some(Schedule::of(Crons::from(cron("0 6 * * 1-5", "UTC"))));
    change(&mut consumer);
    Consuming::new(consumer, START)
}

#[test]
fn a_new_consumer_begins_after_the_last_event() {
    let mut consuming = of([input("a", Takes::One)]);
    consuming.state = None;
    consuming.store("a").store("a");
    consuming.emit("b").emit("a");
    assert_eq!(consuming.taken_of_one(), [[4]], "the step that sees the DAG first is that of event 3");
    assert_eq!(consuming.waits, Some(EventWaits::ForEvents { assets: vec!["a".to_owned()] }));
}

/// Case 66.
#[test]
fn the_type_of_the_parameter_decides_what_a_run_takes() {
    let five = |takes| {
        let mut consuming = of([input("a", takes)]);
        consuming.takes = Duration::from_secs(60);
        consuming.emit("a").emit("a").emit("a").emit("a").emit("a");
        assert_eq!(consuming.waits, Some(EventWaits::ForRoom { active: 1 }));
        consuming.pass(600);
        assert_eq!(consuming.most_active, 1);
        consuming
    };
    let one = five(Takes::One);
    assert_eq!((one.taken_of_one(), one.records.len()), (vec![vec![1], vec![2], vec![3], vec![4], vec![5]], 0));
    let all = five(MANY);
    assert_eq!((all.taken_of_one(), all.records.len()), (vec![vec![1], vec![2, 3, 4, 5]], 0));
    let newest = five(Takes::Newest);
    assert_eq!(newest.taken_of_one(), [[1], [5]]);
    let reason = "events 2 to 4 of `a`: a later event took its place";
    assert_eq!(newest.records, [(SlotFate::Superseded, 3, reason.to_owned())]);
}

#[test]
fn a_run_takes_at_most_max_events() {
    let mut consuming = of([input("a", Takes::All { max: 2 })]);
    consuming.takes = Duration::from_secs(60);
    (0..5).for_each(|_| {
        consuming.store("a");
    });
    consuming.pass(600);
    assert_eq!(consuming.taken_of_one(), [vec![1, 2], vec![3, 4], vec![5]]);
}

#[test]
fn several_runs_start_at_once_if_there_is_room() {
    let mut consumer = Consumer::new(vec![input("a", Takes::One)]);
    consumer.max_active_runs = 3;
    let mut consuming = Consuming::new(consumer, START);
    consuming.takes = Duration::from_secs(60);
    (0..5).for_each(|_| {
        consuming.store("a");
    });
    consuming.pass(600);
    assert_eq!(consuming.taken_of_one(), [[1], [2], [3], [4], [5]]);
    assert_eq!(consuming.most_active, 3);
}

/// Case 67.
#[test]
fn required_parameters_wait_for_each_other() {
    let mut consuming = of([input("a", MANY), input("b", MANY)]);
    consuming.emit("a").emit("a").emit("a");
    assert_eq!(consuming.runs, []);
    assert_eq!(consuming.waits, Some(EventWaits::ForEvents { assets: vec!["b".to_owned()] }));
    consuming.emit("b");
    assert_eq!(consuming.taken(), [[vec![1, 2, 3], vec![4]]]);
    let state = consuming.state.as_ref().expect("a state");
    assert_eq!((state.cursor("a"), state.cursor("b")), (Some(3), Some(4)));
    assert_eq!(consuming.runs[0].0.last_event(), Some(4));
    consuming.pass(1).emit("b").emit("a");
    assert_eq!(consuming.taken()[1], [vec![6], vec![5]]);
}

/// Case 68.
#[test]
fn a_required_parameter_alone_starts_a_run() {
    let mut consuming = of([input("a", MANY), optional("b", Takes::Newest)]);
    consuming.emit("b");
    assert_eq!(consuming.runs, [], "an optional one does not");
    consuming.emit("a").pass(1).emit("a");
    assert_eq!(consuming.taken(), [[vec![2], vec![1]], [vec![3], vec![]]]);
}

/// Case 69.
#[test]
fn any_of_several_optional_parameters_starts_a_run() {
    let mut consuming = of([optional("a", MANY), optional("b", Takes::Newest)]);
    assert_eq!(consuming.waits, Some(EventWaits::ForEvents { assets: vec!["a".to_owned(), "b".to_owned()] }));
    consuming.emit("a").pass(1).emit("b").pass(1);
    // Two events of one transaction are seen by one step.
    consuming.store("b").store("a").emit("b");
    assert_eq!(consuming.taken(), [[vec![1], vec![]], [vec![], vec![2]], [vec![4], vec![5]]]);
    assert_eq!(consuming.count(SlotFate::Superseded), 1);
}

#[test]
fn a_parameter_that_only_looks_starts_nothing() {
    let mut consuming = of([input("a", Takes::One), input("b", Takes::Seen)]);
    consuming.emit("b").emit("b");
    assert_eq!(consuming.runs, []);
    consuming.emit("a");
    assert_eq!(consuming.taken(), [[vec![3], vec![]]]);
    let state = consuming.state.as_ref().expect("a state");
    assert_eq!(state.cursor("b"), None, "it consumes nothing");
}

/// Case 70.
#[test]
fn an_event_that_is_too_old_expires() {
    let mut daily = input("a", MANY);
    daily.max_age = Some(hours(12));
    let mut consuming = of([daily, input("b", Takes::One)]);
    consuming.emit("a").pass(3_600);
    consuming.emit("a").pass(12 * 3_600);
    let reason = "event 1 of `a`: older than `max_age`";
    assert_eq!(consuming.records, [(SlotFate::Expired, 1, reason.to_owned())], "the record does not wait for a run");
    consuming.emit("b");
    assert_eq!(consuming.taken(), [[vec![2], vec![3]]]);
    consuming.emit("a").pass(13 * 3_600);
    assert_eq!(consuming.count(SlotFate::Expired), 2);
    assert_eq!(consuming.runs.len(), 1);
}

#[test]
fn an_asset_settles_before_its_events_count() {
    let mut files = input("a", Takes::All { max: 5 });
    files.settle = Some(Duration::from_secs(30));
    let mut consuming = of([files]);
    for _ in 0..3 {
        consuming.emit("a").pass(20);
    }
    assert_eq!(consuming.runs, []);
    let until = utc("2026-03-02T05:01:10Z");
    assert_eq!(consuming.waits, Some(EventWaits::ForSettling { asset: "a".to_owned(), until }));
    consuming.pass(600);
    assert_eq!(consuming.taken_of_one(), [[1, 2, 3]]);
    assert_eq!(consuming.runs[0].1, until);
    // As many events as a run takes do not wait any longer.
    for _ in 0..6 {
        consuming.emit("a").pass(20);
    }
    assert_eq!(consuming.taken_of_one()[1], [4, 5, 6, 7, 8]);
}

/// Case 71.
#[test]
fn a_slot_waits_for_its_events() {
    let mut consuming = with_schedule(input("a", MANY), |consumer| consumer.wait = Some(hours(3)));
    consuming.until_utc("2026-03-02T06:40:00Z");
    assert_eq!(consuming.runs, []);
    assert_eq!(consuming.waits, Some(EventWaits::ForEvents { assets: vec!["a".to_owned()] }));
    consuming.emit("a");
    let (run, started) = &consuming.runs[0];
    assert_eq!(
        (run.slot.map(|slot| slot.at), run.at),
        (Some(utc("2026-03-02T06:00:00Z")), utc("2026-03-02T06:00:00Z"))
    );
    assert_eq!((*started, &*run.taken[0]), (utc("2026-03-02T06:40:00Z"), &[1][..]));
    assert_eq!(consuming.waits, Some(EventWaits::ForSlot));
    consuming.until_utc("2026-03-03T08:59:59Z");
    assert_eq!(consuming.records, []);
    consuming.until_utc("2026-03-03T09:00:00Z");
    let reason = "no event of `a` within `wait`";
    assert_eq!(consuming.records, [(SlotFate::Expired, 1, reason.to_owned())]);
    // Events that come too late are for the next slot.
    consuming.until_utc("2026-03-03T10:00:00Z").emit("a");
    assert_eq!(consuming.runs.len(), 1);
    consuming.until_utc("2026-03-04T07:00:00Z");
    let (run, started) = &consuming.runs[1];
    assert_eq!((run.at, *started), (utc("2026-03-04T06:00:00Z"), utc("2026-03-04T06:00:00Z")));
    assert_eq!(run.taken, [[2]]);
}

/// Case 71, with a service that was down when the wait ended.
#[test]
fn a_slot_counts_the_events_that_came_in_time_whenever_that_is_seen() {
    let waiting = || {
        let mut consuming = with_schedule(input("a", MANY), |consumer| consumer.wait = Some(hours(3)));
        consuming.until_utc("2026-03-02T06:10:00Z");
        consuming
    };
    let mut in_time = waiting();
    in_time.now = utc("2026-03-02T08:59:59Z");
    in_time.store("a");
    in_time.now = utc("2026-03-02T09:30:00Z");
    in_time.store("a");
    in_time.until_utc("2026-03-02T12:00:00Z");
    assert_eq!(in_time.taken_of_one(), [[1]], "the second event is for the next slot");
    let mut late = waiting();
    late.now = utc("2026-03-02T09:00:01Z");
    late.store("a");
    late.until_utc("2026-03-02T12:00:00Z");
    assert_eq!((late.runs.len(), late.count(SlotFate::Expired)), (0, 1));
}

/// Case 71, with an event that settles after the end of the wait. A service that was down until
/// then started the run.
#[test]
fn an_asset_that_settles_after_the_wait_of_a_slot_is_late_whenever_that_is_seen() {
    let expired = |back: &str| {
        let mut files = input("a", MANY);
        files.settle = Some(Duration::from_secs(30 * 60));
        let mut consuming = with_schedule(files, |consumer| consumer.wait = Some(hours(3)));
        consuming.until_utc("2026-03-02T06:10:00Z");
        consuming.now = utc("2026-03-02T08:50:00Z");
        consuming.store("a");
        consuming.now = utc(back);
        consuming.until_utc("2026-03-02T12:00:00Z");
        (consuming.runs.len(), consuming.records)
    };
    let reason = "`a` did not settle within `wait`".to_owned();
    for back in ["2026-03-02T08:50:00Z", "2026-03-02T09:10:00Z", "2026-03-02T09:30:00Z"] {
        assert_eq!(expired(back), (0, vec![(SlotFate::Expired, 1, reason.clone())]), "back at {back}");
    }
}

#[test]
fn without_a_wait_a_slot_waits_until_the_overlap_policy_ends_that() {
    let week = |overlap| {
        let mut consuming = with_schedule(input("a", MANY), |consumer| {
            consumer.schedule.as_mut().expect("a schedule").overlap = overlap;
        });
        consuming.until_utc("2026-03-06T07:00:00Z").emit("a");
        consuming
    };
    let at = |consuming: &Consuming| consuming.runs.iter().map(|(run, _)| run.at).collect::<Vec<_>>();
    let queue = week(Overlap::Queue);
    assert_eq!(at(&queue), [utc("2026-03-02T06:00:00Z")], "the others wait for events of their own");
    let skip = week(Overlap::Skip);
    assert_eq!((at(&skip), skip.count(SlotFate::Skipped)), (vec![utc("2026-03-02T06:00:00Z")], 4));
    let cancel = week(Overlap::Cancel);
    assert_eq!((at(&cancel), cancel.count(SlotFate::Superseded)), (vec![utc("2026-03-06T06:00:00Z")], 4));
}

#[test]
fn a_slot_does_not_wait_for_optional_parameters() {
    let mut consuming = with_schedule(optional("a", MANY), |_| {});
    consuming.until_utc("2026-03-02T06:30:00Z").emit("a");
    assert_eq!((consuming.runs.len(), consuming.taken_of_one()[0].len()), (1, 0));
    consuming.until_utc("2026-03-03T06:30:00Z");
    assert_eq!(consuming.taken_of_one(), [vec![], vec![1]]);
}

#[test]
fn a_slot_or_events_start_a_run() {
    let mut consuming = with_schedule(optional("a", MANY), |consumer| consumer.combine = Combine::Or);
    consuming.until_utc("2026-03-02T06:30:00Z").emit("a");
    let slots: Vec<_> = consuming.runs.iter().map(|(run, _)| run.slot.map(|slot| slot.at)).collect();
    assert_eq!(slots, [Some(utc("2026-03-02T06:00:00Z")), None]);
    assert_eq!(consuming.taken_of_one(), [vec![], vec![1]]);
    assert_eq!(consuming.runs[1].0.at, utc("2026-03-02T06:30:00Z"), "when the event was emitted");
}

#[test]
fn contradictions_are_reported() {
    let mistake = |inputs, change: fn(&mut Consumer)| {
        let mut consumer = Consumer::new(inputs);
        change(&mut consumer);
        consumer.mistake().expect("a mistake")
    };
    let twice = mistake(vec![input("a", MANY), optional("a", Takes::One)], |_| {});
    assert!(twice.starts_with("its parameters `of_a` and `of_a` both consume the asset `a`"), "{twice}");
    let nothing = mistake(vec![input("a", Takes::Seen)], |_| {});
    assert!(nothing.starts_with("nothing starts its runs"), "{nothing}");
    let or = mistake(vec![input("a", MANY)], |consumer| {
        consumer.schedule = Some(Schedule::of(Crons::from(cron("0 6 * * *", "UTC"))));
        consumer.combine = Combine::Or;
    });
    assert!(
        or.ends_with("the parameter `of_a` must be able to be without one; write `Option<..>` as its type"),
        "{or}"
    );
    let looking = Consumer::new(vec![input("a", MANY), input("a", Takes::Seen)]);
    assert_eq!(looking.mistake(), None, "looking is not consuming");
}

/// Case 72.
#[test]
fn events_stay_pending_during_a_pause() {
    let paused = |which| {
        let mut consuming = of([input("a", MANY), optional("b", MANY)]);
        consuming.pause(None);
        consuming.emit("a").emit("a").emit("b").emit("a");
        assert_eq!((consuming.runs.len(), &consuming.waits), (0, &Some(EventWaits::Paused)));
        consuming.pass(3 * 86_400).unpause(which).pass(1);
        consuming
    };
    let all = paused(Unpause::All);
    assert_eq!((all.taken(), all.records.len()), (vec![vec![vec![1, 2, 4], vec![3]]], 0));
    let newest = paused(Unpause::Newest);
    assert_eq!((newest.taken(), newest.count(SlotFate::Superseded)), (vec![vec![vec![4], vec![3]]], 2));
    let skip = paused(Unpause::Skip);
    assert_eq!((skip.runs.len(), skip.count(SlotFate::Skipped)), (0, 4));
}

#[test]
fn a_pause_ends_by_itself() {
    let mut consuming = of([input("a", MANY)]);
    consuming.pause(Some(utc("2026-03-03")));
    consuming.emit("a").until_utc("2026-03-04");
    assert_eq!(consuming.runs.len(), 1);
    assert_eq!(consuming.runs[0].1, utc("2026-03-03"));
    assert!(matches!(&*consuming.notes, [Note::PauseEnded(_)]), "{:?}", consuming.notes);
    let mut scheduled = with_schedule(input("a", MANY), |_| {});
    scheduled.pause(Some(utc("2026-03-03T12:00:00Z")));
    scheduled.emit("a").until_utc("2026-03-04T12:00:00Z");
    assert_eq!(scheduled.count(SlotFate::Paused), 2, "slots pass during a pause");
    assert_eq!(scheduled.runs[0].0.at, utc("2026-03-04T06:00:00Z"), "events wait for the next one");
    assert!(matches!(&*scheduled.notes, [Note::PauseEnded(_)]), "{:?}", scheduled.notes);
}

fn hourly() -> Option<Schedule> {
    Some(Schedule::of(Crons::from(cron("0 * * * *", "UTC"))))
}

/// A pause until 10:00 ends while no service is running, and the next one has another timetable.
/// The slots that this one has since 10:00 were taken for those of the downtime.
#[test]
fn a_new_timetable_begins_when_it_is_deployed_after_the_end_of_a_pause() {
    let mut consuming = with_schedule(optional("a", MANY), |_| {});
    consuming.pause(Some(utc("2026-03-02T10:00:00Z"))).until_utc("2026-03-02T09:00:00Z");
    consuming.now = utc("2026-03-02T15:30:00Z");
    consuming.consumer.schedule = hourly();
    consuming.until_utc("2026-03-02T17:30:00Z");
    let slots: Vec<_> = consuming.runs.iter().map(|(run, _)| run.at).collect();
    assert_eq!(slots, [utc("2026-03-02T16:00:00Z"), utc("2026-03-02T17:00:00Z")]);
    assert_eq!(consuming.records, [(SlotFate::Superseded, 1, "the timetable has changed".to_owned())]);
}

/// An hourly schedule from April on, which begins with March 3 in the build of March 2. Nothing ran
/// until April.
#[test]
fn an_earlier_start_of_a_schedule_that_waited_for_its_start_counts() {
    let from = |start| {
        let mut schedule = hourly();
        schedule.as_mut().expect("a schedule").start = Some(utc(start));
        schedule
    };
    let mut consuming = with_schedule(optional("a", MANY), |consumer| consumer.schedule = from("2026-04-01"));
    consuming.until_utc("2026-03-02T09:30:00Z");
    consuming.consumer.schedule = from("2026-03-03");
    consuming.until_utc("2026-03-03T01:30:00Z");
    let slots: Vec<_> = consuming.runs.iter().map(|(run, _)| run.at).collect();
    assert_eq!(slots, [utc("2026-03-03"), utc("2026-03-03T01:00:00Z")]);
    assert_eq!(consuming.records, []);
}

/// Weekdays at 06:00, and hourly from 09:00 on, during a pause from 05:00 to 10:00. The slots of
/// the pause are those of the timetable that ends it; they were superseded slots of the old one.
#[test]
fn the_slots_of_a_pause_are_those_of_the_timetable_that_ends_it() {
    let mut consuming = with_schedule(optional("a", MANY), |_| {});
    consuming.pause(Some(utc("2026-03-02T10:00:00Z"))).until_utc("2026-03-02T09:00:00Z");
    consuming.consumer.schedule = hourly();
    consuming.until_utc("2026-03-02T09:30:00Z").until_utc("2026-03-02T12:30:00Z");
    let slots: Vec<_> = consuming.runs.iter().map(|(run, _)| run.at).collect();
    assert_eq!(slots, [utc("2026-03-02T11:00:00Z"), utc("2026-03-02T12:00:00Z")]);
    assert_eq!(consuming.records, [(SlotFate::Paused, 5, "paused by mina".to_owned())]);
    assert!(
        matches!(consuming.notes[..], [Note::TimetableChanged { .. }, Note::PauseEnded(_)]),
        "{:?}",
        consuming.notes
    );
}

/// Weekdays at 06:00 until a run has failed at 07:00, then hourly: the slot of 07:00, which this
/// timetable has, was one of the pause.
#[test]
fn the_slots_of_a_pause_after_failures_begin_with_it() {
    let mut consuming = with_schedule(optional("a", MANY), |consumer| consumer.pause_after_failures = Some(1));
    consuming.until_utc("2026-03-02T07:00:00Z");
    let slot = utc("2026-03-02T06:00:00Z");
    consuming.failures.push(FailedRun { slot, run_id: "scheduled__2026-03-02T06:00:00Z__etl".to_owned() });
    consuming.until_utc("2026-03-02T07:00:00Z");
    let state = consuming.state.as_ref().expect("a state");
    let noticed = state.schedule.as_ref().map(|schedule| schedule.noticed);
    assert_eq!((state.pause.is_some(), noticed), (true, Some(utc("2026-03-02T07:00:00Z"))));
    consuming.consumer.schedule = hourly();
    consuming.until_utc("2026-03-02T09:10:00Z").unpause(Unpause::All);
    assert_eq!(consuming.count(SlotFate::Paused), 2, "{:?}", consuming.records);
}

/// Weekdays at 06:00 until a run has failed, which the next build sees at 15:30, with an hourly
/// timetable: the slots that this one has since 06:00 were those of the pause.
#[test]
fn a_pause_after_failures_begins_with_the_timetable_of_the_build_that_pauses() {
    let mut consuming = with_schedule(optional("a", MANY), |consumer| consumer.pause_after_failures = Some(1));
    consuming.until_utc("2026-03-02T07:00:00Z");
    let slot = utc("2026-03-02T06:00:00Z");
    consuming.failures.push(FailedRun { slot, run_id: "scheduled__2026-03-02T06:00:00Z__etl".to_owned() });
    consuming.now = utc("2026-03-02T15:30:00Z");
    consuming.consumer.schedule = hourly();
    consuming.until_utc("2026-03-02T17:10:00Z").unpause(Unpause::All);
    assert!(matches!(&consuming.notes[..2], [Note::TimetableChanged { .. }, Note::Paused(_)]), "{:?}", consuming.notes);
    assert_eq!(consuming.count(SlotFate::Paused), 2, "{:?}", consuming.records);
}

#[test]
fn an_asset_that_is_new_to_a_dag_begins_at_the_last_event() {
    let mut consuming = of([input("a", MANY)]);
    consuming.store("b").store("a");
    consuming.consumer = Consumer::new(vec![input("a", MANY), input("b", MANY)]);
    consuming.pass(1);
    assert_eq!(consuming.runs, []);
    consuming.emit("b");
    assert_eq!(consuming.taken(), [[vec![2], vec![3]]], "the cursor of the other asset is kept");
}

#[derive(Clone, Debug)]
enum Action {
    Emit(usize),
    Pass(u64),
    Down(u64),
    Pause,
    Unpause(Unpause),
    Crash,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (0..3_usize).prop_map(Action::Emit),
        3 => (1_u64..3_000).prop_map(Action::Pass),
        1 => (1_u64..3_000).prop_map(Action::Down),
        1 => Just(Action::Pause),
        1 => prop::sample::select(vec![Unpause::All, Unpause::Newest, Unpause::Skip]).prop_map(Action::Unpause),
        1 => Just(Action::Crash),
    ]
}

fn any_input(asset: &'static str) -> impl Strategy<Value = EventInput> {
    let takes = prop::sample::select(vec![Takes::One, MANY, Takes::All { max: 2 }, Takes::Newest]);
    let seconds = || prop::option::of(60_u64..2_000);
    (takes, any::<bool>(), seconds(), seconds()).prop_map(move |(takes, required, max_age, settle)| {
        let mut input = input(asset, takes);
        input.required = required;
        input.max_age = max_age.map(Duration::from_secs);
        input.settle = settle.map(Duration::from_secs);
        input
    })
}

const ASSETS: [&str; 3] = ["a", "b", "c"];

proptest! {
    #![proptest_config(cases(512))]

    /// Each event is consumed once or recorded once for each parameter, whatever happens to the
    /// service; and each run has what the types of its parameters ask for.
    #[test]
    fn no_event_is_consumed_twice_and_none_is_lost(
        inputs in (any_input("a"), any_input("b"), any_input("c")),
        max_active_runs in 1_u32..3,
        hourly in prop::option::of((any::<bool>(), prop::option::of(600_u64..4_000))),
        takes in 1_u64..4_000,
        actions in prop::collection::vec(action(), 1..60),
    ) {
        let mut consumer = Consumer::new(vec![inputs.0, inputs.1, inputs.2]);
        consumer.max_active_runs = max_active_runs;
        if let Some((or, wait)) = hourly {
            let mut schedule = Schedule::of(Crons::from(cron("0 * * * *", "UTC")));
            schedule.max_active_runs = max_active_runs;
            consumer.schedule = Some(schedule);
            consumer.wait = wait.map(Duration::from_secs);
            if or {
                consumer.combine = Combine::Or;
                consumer.inputs.iter_mut().for_each(|input| input.required = false);
            }
        }
        let mut consuming = Consuming::new(consumer.clone(), START);
        consuming.takes = Duration::from_secs(takes);
        for action in actions {
            match action {
                Action::Emit(asset) => { consuming.emit(ASSETS[asset]); }
                Action::Pass(seconds) => { consuming.pass(seconds); }
                Action::Down(seconds) => consuming.now = consuming.now + Duration::from_secs(seconds),
                Action::Pause => { consuming.pause(None); }
                Action::Unpause(which) => { consuming.unpause(which); }
                // Between the emission and the step.
                Action::Crash => { consuming.store("a"); }
            }
        }
        let state = consuming.state.clone().expect("a state");
        let mut recorded = 0;
        let mut decided = 0;
        for (place, asset) in ASSETS.into_iter().enumerate() {
            let taken: Vec<i64> = consuming.runs.iter().flat_map(|(run, _)| run.taken[place].clone()).collect();
            prop_assert!(taken.windows(2).all(|pair| pair[0] < pair[1]), "in order, and none twice: {taken:?}");
            let cursor = state.cursor(asset).expect("a cursor");
            prop_assert!(taken.last().is_none_or(|last| *last <= cursor));
            let events = consuming.events.get(asset).map_or(&[][..], Vec::as_slice);
            let passed = events.iter().filter(|event| event.number <= cursor).count();
            decided += passed as u64;
            recorded += taken.len() as u64;
        }
        let of_events = consuming.records.iter().filter(|(_, _, reason)| reason.starts_with("event"));
        let of_events: u64 = of_events.map(|(_, count, _)| count).sum();
        prop_assert_eq!(recorded + of_events, decided, "each decided event is taken or recorded");
        for (run, _) in &consuming.runs {
            for (input, taken) in consumer.inputs.iter().zip(&run.taken) {
                prop_assert!(!input.required || !taken.is_empty(), "a required parameter has events: {run:?}");
                let most = match input.takes {
                    Takes::All { max } => max,
                    _ => 1,
                };
                prop_assert!(taken.len() <= most);
            }
            prop_assert!(run.slot.is_some() || run.taken.iter().any(|taken| !taken.is_empty()));
            prop_assert!(run.slot.is_some() || consumer.schedule.is_none() || consumer.combine == Combine::Or);
        }
        prop_assert!(consuming.most_active <= max_active_runs as usize);
    }
}
