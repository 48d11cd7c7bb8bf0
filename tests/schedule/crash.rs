//! A service that is killed again and again: each slot, each event and each slot of a backfill is
//! one run, and none is lost.
//!
//! `TASKFLOW_CRASHES=1000` kills that often instead of fifty times, `TASKFLOW_CRASH_SEED=7` chooses
//! other places.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use serde_json::Value;
use taskflow::{Date, Timestamp};
use taskflow_tests::common::{PATIENCE, eventually};
use taskflow_tests::worker::Random;

use crate::deadlines_served::told;
use crate::serve::{Home, time};

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// Where the service can be made to die, and how often it comes by there at the most before it
/// waits for the next slot.
const PLACES: [(&str, u64); 6] = [
    // Around the transaction of a step: the state of a schedule or of a consumer, its records and
    // its runs.
    ("store.step", 4),
    ("store.stepped", 4),
    // Around the claim of a run.
    ("store.adopt", 3),
    ("store.adopted", 3),
    // Around each commit of a run, with the events that its tasks emit.
    ("store.append", 12),
    ("store.appended", 12),
];

/// Where it comes by in the second test only.
const MORE_PLACES: [(&str, u64); 5] = [
    // Around the transaction of a step of a backfill: its plan and its runs. While there are slots
    // left, so they are the first.
    ("store.backfill", 3),
    ("store.backfilled", 3),
    // Before a run of a DAG with `max_active_runs` is admitted.
    ("store.admit", 3),
    // Around what is stored of a callback that was called.
    ("store.note", 3),
    ("store.noted", 3),
];

/// Kills services of these DAGs, at each place at least once. Returns how many slots have come by
/// the clock, at least.
fn kill_services(home: &Home, only: &str, places: &[(&str, u64)], wanted: u64, seed: u64) -> i64 {
    let mut random = Random(seed);
    let (mut fired, mut clock): (BTreeMap<&str, u64>, i64) = (BTreeMap::new(), 0);
    for kill in 0..wanted.max(places.len() as u64) {
        // First each place in turn: it comes by there sooner or later, however slow the machine is.
        let turn = usize::try_from(kill).ok().and_then(|turn| places.get(turn));
        let ((place, most), patience) = match turn {
            Some(&(place, _)) => ((place, 1), PATIENCE),
            None => (places[random.below(places.len() as u64) as usize], Duration::from_secs(4)),
        };
        let failpoint = format!("{place}@{}=kill", 1 + random.below(most));
        // Slots wait for each process, so that it need not wait for one.
        clock += 1 + random.below(3) as i64;
        home.move_clock(clock);
        let mut service = home.serve_with(only, &failpoint);
        let start = Instant::now();
        let ended = loop {
            match service.0.try_wait().expect("it is our child") {
                Some(status) => break Some(status),
                // It came by less often.
                None if start.elapsed() > patience => break None,
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        match ended {
            Some(status) => {
                assert_eq!(status.signal(), Some(9), "seed {seed}, {failpoint}: {status}");
                *fired.entry(place).or_default() += 1;
            }
            None => service.kill(),
        }
    }
    assert!(places.iter().all(|(place, _)| fired.contains_key(place)), "seed {seed}: {fired:?}");
    clock
}

/// Waits until the slots of `seconds` up to a time have run.
fn run_up_to(home: &Home, last: Timestamp) {
    // A busy machine takes its time for some hundreds of slots.
    loop {
        let (number, state) = match home.last_run("seconds") {
            Some(run) if time(&run["logical_date"]) > last && run["state"] == "success" => break,
            Some(run) => (run["number"].as_i64(), run["state"].clone()),
            None => Default::default(),
        };
        let is_other = |run: &Value| run["number"].as_i64() != number || run["state"] != state;
        eventually("it goes on", || home.last_run("seconds").is_some_and(|run| is_other(&run)));
    }
}

/// Waits until a count is high enough. A busy machine takes its time, but goes on.
fn counts_up(what: &str, count: impl Fn() -> u64, wanted: u64) {
    loop {
        let before = count();
        if before >= wanted {
            return;
        }
        eventually(what, || count() > before);
    }
}

/// A task with which three processes have died is not run again.
fn is_over(state: &Value) -> bool {
    state == "success" || state == "failed"
}

/// Case 44.
#[test]
fn each_slot_is_one_run_wherever_the_service_is_killed() {
    let wanted = variable("TASKFLOW_CRASHES").unwrap_or(50);
    let seed = variable("TASKFLOW_CRASH_SEED").unwrap_or(0);
    let home = Home::new();
    let clock = kill_services(&home, "seconds", &PLACES, wanted, seed);
    let service = home.serve("seconds");
    let last = Timestamp::now() + Duration::from_secs(clock.unsigned_abs());
    run_up_to(&home, last);
    assert_eq!(service.stop(), Some(0));

    let mut slots = home.slots_up_to("seconds", 10_000);
    // A run that took longer than a second has left the next slots waiting, and after a kill some
    // slots at once are due, which is noted.
    slots.retain(|slot| slot["fate"] != "waiting" && slot["fate"] != "note");
    assert!(slots.iter().all(|slot| slot["run"].is_i64()), "seed {seed}: a slot is no run");
    let times: Vec<Timestamp> = slots.iter().map(|slot| time(&slot["first"])).rev().collect();
    for pair in times.windows(2) {
        assert_eq!(pair[1].since(pair[0]), Duration::from_secs(1), "seed {seed}: a slot is lost, or has two runs");
    }
    let before: Vec<_> = slots.iter().filter(|slot| time(&slot["first"]) <= last).collect();
    assert!(before.iter().all(|slot| is_over(&slot["fate"])), "seed {seed}: a run has not ended");
    assert!(times.len() as u64 > wanted, "{}", times.len());
    let check = home.call(&["db", "check"]);
    assert_eq!(check.code, Some(0), "seed {seed}: {}", check.stdout);
}

/// Cases 61 and 65, the consumption of events, callbacks and deadlines: a DAG consumes the results
/// of another one while a backfill runs and slots of a third DAG are late, and the service dies
/// around each of their transactions.
#[test]
fn each_event_and_each_slot_of_a_backfill_is_one_run_wherever_the_service_is_killed() {
    let wanted = variable("TASKFLOW_CRASHES").unwrap_or(50);
    let seed = variable("TASKFLOW_CRASH_SEED").unwrap_or(0);
    let home = Home::new();
    let last: Date = "2025-12-31".parse().expect("a day");
    let first = (1..wanted).fold(last, |day, _| day.yesterday());
    let range = format!("{first}/{last}");
    let started = home.call(&["backfill", "days", &range, "--limit", "2", "--output", "json"]);
    assert_eq!(started.json()["slots"].as_u64(), Some(wanted), "{}", started.stderr);
    let places = [&MORE_PLACES[..], &PLACES].concat();
    let only = "seconds,echoes,days,tardy";
    let clock = kill_services(&home, only, &places, wanted, seed);
    let service = home.serve(only);
    run_up_to(&home, Timestamp::now() + Duration::from_secs(clock.unsigned_abs()));
    let plan = || home.call(&["backfills", "show", "1", "--output", "json"]).json();
    let ended = || ["success", "failed"].iter().filter_map(|state| plan()["counts"][state].as_u64()).sum();
    counts_up("the backfill goes on", ended, wanted);
    eventually("the backfill is done", || plan()["state"] == "done");
    assert_eq!(service.stop(), Some(0));

    // What the stopped service has not consumed any more.
    let events = home.call(&["events", "dag:seconds", "--limit", "100000", "--output", "json"]).json();
    let number = |event: &Value| event["number"].as_i64().expect("a number");
    let mut numbers: Vec<i64> = events.as_array().expect("a list").iter().map(number).collect();
    numbers.reverse();
    let service = home.serve("echoes");
    let ended = || home.runs("echoes").iter().filter(|run| is_over(&run["state"])).count() as u64;
    counts_up("the consumer goes on", ended, numbers.len() as u64);
    assert_eq!(service.stop(), Some(0));
    let consumed = home.runs("echoes").into_iter().map(|run| run["run_id"].as_str().expect("an id").to_owned());
    let expected: Vec<String> = numbers.iter().map(|number| format!("event__{number}__echoes")).collect();
    assert_eq!(consumed.collect::<Vec<String>>(), expected, "seed {seed}: in order, and each once");
    // Each success is one event, and nothing else is.
    assert_eq!(home.count("seconds", "success"), numbers.len(), "seed {seed}");

    let made = home.runs("days").into_iter().filter(|run| run["run_type"] == "backfill");
    let made: Vec<Timestamp> = made.map(|run| time(&run["logical_date"])).collect();
    let distinct: HashSet<&Timestamp> = made.iter().collect();
    assert_eq!((made.len() as u64, distinct.len() as u64), (wanted, wanted), "seed {seed}");
    let counts = plan()["counts"].clone();
    let count = |name: &str| counts[name].as_u64().unwrap_or(0);
    assert_eq!((count("new"), count("success") + count("failed")), (wanted, wanted), "seed {seed}: {counts}");
    let check = home.call(&["db", "check"]);
    assert_eq!(check.code, Some(0), "seed {seed}: {}", check.stdout);

    // No slot is said to be late twice, and no process calls a callback twice.
    let late = home.slots_up_to("tardy", 10_000).into_iter().map(|slot| slot["note"].clone());
    let late: Vec<Value> = late.filter(|note| note["kind"] == "deadline_missed").collect();
    let mut spans: Vec<_> = late.iter().map(|note| (time(&note["first"]), time(&note["last"]))).collect();
    spans.sort_unstable();
    assert!(!spans.is_empty(), "seed {seed}: no slot was late");
    assert!(spans.windows(2).all(|pair| pair[0].1 < pair[1].0), "seed {seed}: {spans:?}");
    let mut calls: HashMap<(String, String), u32> = HashMap::new();
    told(&home).into_iter().for_each(|call| *calls.entry(call).or_default() += 1);
    for kind in ["__tardy/deadline_missed", "__echoes/success/1"] {
        assert!(calls.keys().any(|(_, key)| key.ends_with(kind)), "seed {seed}: {kind}: {calls:?}");
    }
    calls.retain(|_, count| *count > 1);
    assert!(calls.is_empty(), "seed {seed}: {calls:?}");
}
