//! Events in groups: one run for each key at a time, and one for each whole period.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use taskflow::asset::{Month, Period};
use taskflow::schedule::{
    Consumer, Crons, EventInput, EventWaits, FailedRun, Note, OnUpdate, PartsNeeded, PendingPeriod, Schedule, SlotFate,
    Takes, Unpause,
};

use crate::consumer::Consuming;
use crate::support::{cron, utc};

const START: &str = "2028-03-01T05:00:00Z";
const MANY: Takes = Takes::All { max: 1_000 };
const FEBRUARY: &str = "2028-02";

fn keyed(takes: Takes) -> EventInput {
    let mut input = EventInput::new("of_a", "a", takes);
    input.by_key = true;
    input
}

/// A run of a key takes a minute.
fn by_key(takes: Takes) -> Consuming {
    let mut consuming = Consuming::new(Consumer::new(vec![keyed(takes)]), START);
    consuming.takes = Duration::from_secs(60);
    consuming
}

fn days() -> Vec<String> {
    FEBRUARY.parse::<Month>().expect("a month").parts().iter().map(ToString::to_string).collect()
}

fn whole(on_update: OnUpdate) -> Consuming {
    let mut input = EventInput::new("of_a", "a", Takes::Period);
    input.on_update = on_update;
    let mut consuming = Consuming::new(Consumer::new(vec![input]), START);
    consuming.takes = Duration::from_secs(60);
    consuming.groups.entry("a".to_owned()).or_default().parts.insert(FEBRUARY.to_owned(), days());
    consuming
}

fn keys(consuming: &Consuming) -> Vec<&str> {
    consuming.runs.iter().map(|(run, _)| run.key.as_deref().expect("a key")).collect()
}

#[test]
fn a_key_has_one_run_at_a_time_and_holds_up_no_other() {
    let mut consuming = by_key(MANY);
    consuming.emit_of("a", "ann", None).emit_of("a", "ann", None).emit_of("a", "bob", None).emit_of("a", "ann", None);
    assert_eq!(consuming.taken_of_one(), [vec![1], vec![3]]);
    assert_eq!(consuming.waits, Some(EventWaits::ForKey { key: "ann".to_owned() }));
    let state = consuming.state.as_ref().expect("a state");
    assert_eq!((state.cursor("a"), &state.decided["a"][..]), (Some(1), &[(3, 3)][..]));
    assert!(state.has_decided("a", 3) && !state.has_decided("a", 2));
    consuming.pass(60);
    assert_eq!(
        (consuming.taken_of_one(), keys(&consuming)),
        (vec![vec![1], vec![3], vec![2, 4]], vec!["ann", "bob", "ann"])
    );
    let state = consuming.state.as_ref().expect("a state");
    assert_eq!((state.cursor("a"), state.decided.len()), (Some(4), 0), "the cursor has caught up");
}

#[test]
fn the_type_of_the_parameter_decides_what_a_run_of_a_key_takes() {
    let taken = |takes| {
        let mut consuming = by_key(takes);
        consuming.store_of("a", "ann", None).store_of("a", "bob", None).store_of("a", "ann", None);
        consuming.until_utc("2028-03-01T06:00:00Z");
        (consuming.taken_of_one(), consuming.count(SlotFate::Superseded))
    };
    assert_eq!(taken(Takes::One), (vec![vec![1], vec![2], vec![3]], 0));
    assert_eq!(taken(MANY), (vec![vec![1, 3], vec![2]], 0));
    // Only the events of a key take the place of its events; its newest event decides the order.
    assert_eq!(taken(Takes::Newest), (vec![vec![3], vec![2]], 1));
    assert_eq!(taken(Takes::All { max: 1 }), (vec![vec![1], vec![2], vec![3]], 0));
}

#[test]
fn keys_run_beside_each_other_up_to_the_limit() {
    let mut consuming = by_key(MANY);
    for key in 0..20 {
        consuming.store_of("a", &format!("key-{key:02}"), None);
    }
    consuming.until(consuming.now);
    assert_eq!((consuming.runs.len(), consuming.most_active), (16, 16));
    assert_eq!(consuming.waits, Some(EventWaits::ForRoom { active: 16 }));
    consuming.pass(60);
    assert_eq!((consuming.runs.len(), consuming.most_active), (20, 16));
    // The cursor of a crash: the state was stored with the runs.
    assert_eq!(consuming.state.as_ref().expect("a state").cursor("a"), Some(20));
}

#[test]
fn settle_and_max_age_are_those_of_a_key() {
    let mut input = keyed(MANY);
    (input.settle, input.max_age) = (Some(Duration::from_secs(30)), Some(Duration::from_secs(600)));
    let mut consuming = Consuming::new(Consumer::new(vec![input]), START);
    consuming.takes = Duration::from_secs(3600);
    consuming.emit_of("a", "ann", None).pass(20).emit_of("a", "bob", None).pass(10);
    assert_eq!(consuming.taken_of_one(), [[1]], "bob does not keep ann from settling");
    consuming.pass(20);
    assert_eq!(consuming.taken_of_one(), [[1], [2]]);
    consuming.emit_of("a", "ann", None).pass(700);
    assert_eq!((consuming.runs.len(), consuming.count(SlotFate::Expired)), (2, 1));
}

/// Two parameters with keys: a run takes the events of one key from both.
#[test]
fn keys_of_two_parameters_are_joined() {
    let mut other = EventInput::new("of_b", "b", Takes::Newest);
    other.by_key = true;
    let mut consuming = Consuming::new(Consumer::new(vec![keyed(MANY), other]), START);
    consuming.emit_of("a", "ann", None).emit_of("b", "bob", None).emit_of("a", "ann", None);
    assert!(consuming.runs.is_empty());
    consuming.emit_of("b", "ann", None);
    assert_eq!(consuming.taken(), [[vec![1, 3], vec![4]]]);
    assert_eq!(consuming.state.as_ref().expect("a state").cursor("b"), Some(0), "the event of bob waits");
    consuming.emit_of("a", "bob", None);
    assert_eq!(consuming.taken()[1], [vec![5], vec![2]]);
}

/// Case 75: all parts of a period, by calendar.
#[test]
fn february_2028_needs_29_days() {
    let mut consuming = whole(OnUpdate::Ignore);
    let days = days();
    assert_eq!(days.len(), 29);
    // Whatever the order, and with another month in between.
    for day in days.iter().rev().filter(|day| !["2028-02-03", "2028-02-29"].contains(&day.as_str())) {
        consuming.emit_of("a", FEBRUARY, Some(day));
    }
    let march = "2028-03".parse::<Month>().expect("a month").parts().iter().map(ToString::to_string).collect();
    consuming.groups.get_mut("a").expect("groups").parts.insert("2028-03".to_owned(), march);
    consuming.emit_of("a", "2028-03", Some("2028-03-01"));
    let period = PendingPeriod {
        period: FEBRUARY.to_owned(),
        present: 27,
        needed: 29,
        missing: vec!["2028-02-03".to_owned(), "2028-02-29".to_owned()],
    };
    assert_eq!(period.to_string(), "2028-02: 27 of 29, missing 2028-02-03, 2028-02-29");
    assert_eq!(consuming.waits, Some(EventWaits::ForParts { asset: "a".to_owned(), period }));
    consuming.emit_of("a", FEBRUARY, Some("2028-02-29")).emit_of("a", FEBRUARY, Some("2028-02-29"));
    assert!(consuming.runs.is_empty());
    consuming.emit_of("a", FEBRUARY, Some("2028-02-03"));
    assert_eq!(keys(&consuming), [FEBRUARY]);
    let taken = &consuming.taken_of_one()[0];
    // Of the two events of the 29th, the newest counts.
    assert_eq!((taken.len(), taken.contains(&29), taken.contains(&30), taken.contains(&28)), (29, false, true, false));
    assert_eq!(
        consuming.records,
        [(SlotFate::Superseded, 1, "event 29 of `a`: a later event took its place".to_owned())]
    );
    let state = consuming.state.as_ref().expect("a state");
    assert_eq!((state.cursor("a"), &state.decided["a"][..]), (Some(27), &[(29, 31)][..]), "March waits");
}

/// Airflow's `MinimumCount`: the rest of the period comes too late, or starts another run.
#[test]
fn fewer_parts_than_all_may_be_enough() {
    let started = |parts, on_update, count: usize| {
        let mut consuming = whole(on_update);
        consuming.consumer.inputs[0].parts = parts;
        for day in &days()[..count] {
            consuming.emit_of("a", FEBRUARY, Some(day));
        }
        consuming.pass(3600);
        consuming
    };
    let sizes = |consuming: &Consuming| consuming.taken_of_one().iter().map(Vec::len).collect::<Vec<_>>();
    let waiting = started(PartsNeeded::AtLeast(25), OnUpdate::Ignore, 24);
    assert!(waiting.runs.is_empty());
    let Some(EventWaits::ForParts { period, .. }) = &waiting.waits else { panic!("{:?}", waiting.waits) };
    let missing = "2028-02-25, 2028-02-26, 2028-02-27, 2028-02-28, 2028-02-29";
    assert_eq!(period.to_string(), format!("2028-02: 24 of 29, 25 needed, missing {missing}"));
    let mut late = started(PartsNeeded::AtLeast(25), OnUpdate::Ignore, 25);
    assert_eq!((sizes(&late), keys(&late)), (vec![25], vec![FEBRUARY]));
    late.emit_of("a", FEBRUARY, Some("2028-02-29")).pass(3600);
    let reason = "event 26 of `a`: an update of 2028-02, which has had its run";
    assert_eq!((sizes(&late), &late.records[..]), (vec![25], &[(SlotFate::Skipped, 1, reason.to_owned())][..]));
    let mut again = started(PartsNeeded::AllBut(2), OnUpdate::Rerun, 27);
    assert_eq!(sizes(&again), [27]);
    again.emit_of("a", FEBRUARY, Some("2028-02-29")).pass(3600);
    assert!(again.runs[1].0.again);
    assert_eq!((sizes(&again), again.state.as_ref().expect("a state").cursor("a")), (vec![27, 1], Some(28)));
    // No period needs more parts than it has, and none runs without an event.
    let sizes = |parts, count| sizes(&started(parts, OnUpdate::Ignore, count));
    assert_eq!((sizes(PartsNeeded::AtLeast(40), 28), sizes(PartsNeeded::AtLeast(40), 29)), (vec![], vec![29]));
    assert_eq!(sizes(PartsNeeded::AllBut(29), 1), [1]);
}

/// `settle` gives the other parts time.
#[test]
fn a_period_with_enough_parts_waits_until_it_has_settled() {
    let mut consuming = whole(OnUpdate::Ignore);
    let input = &mut consuming.consumer.inputs[0];
    (input.parts, input.settle) = (PartsNeeded::AtLeast(25), Some(Duration::from_secs(600)));
    for day in &days()[..27] {
        consuming.emit_of("a", FEBRUARY, Some(day)).pass(60);
    }
    assert!(matches!(consuming.waits, Some(EventWaits::ForSettling { .. })), "{:?}", consuming.waits);
    consuming.pass(600);
    assert_eq!(consuming.taken_of_one()[0].len(), 27);
}

/// Case 75: a late correction.
#[test]
fn a_late_correction_is_recorded_or_runs_again() {
    let late = |on_update| {
        let mut consuming = whole(on_update);
        for day in days() {
            consuming.store_of("a", FEBRUARY, Some(&day));
        }
        consuming.until(consuming.now);
        assert_eq!(consuming.runs.len(), 1);
        consuming.emit_of("a", FEBRUARY, Some("2028-02-03"));
        consuming
    };
    let mut ignored = late(OnUpdate::Ignore);
    ignored.pass(3600);
    assert_eq!(ignored.runs.len(), 1);
    let reason = "event 30 of `a`: an update of 2028-02, which has had its run";
    assert_eq!(ignored.records, [(SlotFate::Skipped, 1, reason.to_owned())]);
    // A period has one run at a time as well.
    let mut again = late(OnUpdate::Rerun);
    assert_eq!(again.runs.len(), 1);
    again.emit_of("a", FEBRUARY, Some("2028-02-04")).pass(60);
    let (run, _) = &again.runs[1];
    assert_eq!((run.key.as_deref(), run.again, &run.taken[0][..]), (Some(FEBRUARY), true, &[30, 31][..]));
    assert_eq!(again.state.as_ref().expect("a state").cursor("a"), Some(31));
    again.pass(3600);
    assert_eq!((again.runs.len(), again.records.len()), (2, 0));
}

#[test]
fn unpausing_decides_about_the_events_of_groups() {
    let unpaused = |which| {
        let mut consuming = by_key(Takes::One);
        consuming.pause(None);
        consuming.emit_of("a", "ann", None).emit_of("a", "bob", None).emit_of("a", "ann", None);
        assert_eq!(consuming.waits, Some(EventWaits::Paused));
        consuming.unpause(which).pass(3600);
        (consuming.taken_of_one(), consuming.count(SlotFate::Superseded), consuming.count(SlotFate::Skipped))
    };
    assert_eq!(unpaused(Unpause::All), (vec![vec![1], vec![2], vec![3]], 0, 0));
    assert_eq!(unpaused(Unpause::Newest), (vec![vec![2], vec![3]], 1, 0));
    assert_eq!(unpaused(Unpause::Skip), (Vec::new(), 0, 3));
    // The parts of a period that were there before the pause stay.
    let mut consuming = whole(OnUpdate::Ignore);
    let days = days();
    for day in &days[..28] {
        consuming.store_of("a", FEBRUARY, Some(day));
    }
    consuming.pass(60).pause(None);
    consuming.emit_of("a", FEBRUARY, Some(&days[0])).unpause(Unpause::Skip).emit_of("a", FEBRUARY, Some(&days[28]));
    assert_eq!((consuming.runs.len(), consuming.count(SlotFate::Skipped)), (1, 1));
}

/// A build that no longer groups the events takes what is left, in order.
#[test]
fn without_the_key_the_rest_is_consumed() {
    let mut consuming = by_key(MANY);
    consuming.emit_of("a", "ann", None).emit_of("a", "ann", None).emit_of("a", "bob", None).emit_of("a", "ann", None);
    assert_eq!(consuming.taken_of_one(), [[1], [3]]);
    consuming.consumer = Consumer::new(vec![EventInput::new("of_a", "a", MANY)]);
    consuming.pass(60);
    assert_eq!(consuming.taken_of_one(), [vec![1], vec![3], vec![2, 4]]);
    let state = consuming.state.as_ref().expect("a state");
    assert_eq!((state.cursor("a"), state.decided.len()), (Some(4), 0));
}

#[test]
fn groups_that_contradict_the_rest_are_mistakes() {
    let mistake = |change: fn(&mut Consumer)| {
        let mut consumer = Consumer::new(vec![keyed(MANY)]);
        change(&mut consumer);
        consumer.mistake().expect("a mistake")
    };
    let scheduled = mistake(|consumer| {
        consumer.schedule = Some(Schedule::of(Crons::from(cron("0 6 * * 1-5", "UTC"))));
    });
    assert!(scheduled.starts_with("its parameter `of_a` has a `key`, each of which starts a run"), "{scheduled}");
    let optional = mistake(|consumer| consumer.inputs[0].required = false);
    assert!(optional.contains("the parameter `of_a` cannot be without one"), "{optional}");
    let rerun = mistake(|consumer| {
        consumer.inputs[0] = EventInput::new("of_a", "a", Takes::Period);
        consumer.inputs[0].on_update = OnUpdate::Rerun;
        consumer.inputs.push(EventInput::new("of_b", "b", Takes::Newest));
    });
    assert!(rerun.contains("without a new event for the parameter `of_b`"), "{rerun}");
}

#[test]
fn failures_in_a_row_pause_a_dag_of_events() {
    let mut consumer = Consumer::new(vec![EventInput::new("of_a", "a", Takes::One)]);
    consumer.pause_after_failures = Some(2);
    let mut consuming = Consuming::new(consumer, START);
    let failed = |at: &str| FailedRun { slot: utc(at), run_id: format!("event__{at}") };
    consuming.failures = vec![failed("2028-03-01T04:00:00Z")];
    consuming.emit("a");
    assert_eq!(consuming.runs.len(), 1);
    consuming.failures.insert(0, failed("2028-03-01T04:30:00Z"));
    consuming.emit("a");
    let [Note::Paused(pause)] = &consuming.notes[..] else { panic!("{:?}", consuming.notes) };
    assert_eq!(pause.reason, "2 runs in a row failed, the last one is event__2028-03-01T04:30:00Z");
    assert!(pause.is_report());
    assert_eq!((consuming.runs.len(), &consuming.waits), (1, &Some(EventWaits::Paused)));
    // The same failures do not pause it again.
    consuming.unpause(Unpause::All).pass(1);
    assert_eq!(consuming.runs.len(), 2);
}

proptest! {
    /// Each event is consumed once, in the order of its key, whatever the keys and the limit.
    #[test]
    fn each_event_of_a_key_is_consumed_once(
        emitted in proptest::collection::vec((0..5_u8, 0..40_u64), 1..60),
        max_active_runs in 1..4_u32,
        max in 1..4_usize,
    ) {
        let mut consumer = Consumer::new(vec![keyed(Takes::All { max })]);
        consumer.max_active_runs = max_active_runs;
        let mut consuming = Consuming::new(consumer, START);
        consuming.takes = Duration::from_secs(30);
        for (key, pause) in &emitted {
            consuming.emit_of("a", &format!("key-{key}"), None).pass(*pause);
        }
        consuming.pass(10_000);
        prop_assert!(consuming.most_active <= max_active_runs as usize);
        let mut seen = BTreeSet::new();
        for key in 0..5 {
            let of_key = consuming.runs.iter().filter(|(run, _)| run.key == Some(format!("key-{key}")));
            let of_key: Vec<_> = of_key.collect();
            prop_assert!(of_key.windows(2).all(|two| two[1].1 >= two[0].1 + Duration::from_secs(30)), "one at a time");
            let taken: Vec<i64> = of_key.iter().flat_map(|(run, _)| run.taken[0].clone()).collect();
            prop_assert!(taken.is_sorted());
            seen.extend(taken.iter().copied());
        }
        prop_assert_eq!(seen.len(), emitted.len());
        let state = consuming.state.as_ref().expect("a state");
        prop_assert_eq!((state.cursor("a"), state.decided.len()), (Some(emitted.len() as i64), 0));
    }
}
