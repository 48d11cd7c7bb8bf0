//! A service that is killed again and again: each slot is one run, and none is lost.
//!
//! `TASKFLOW_CRASHES=1000` kills that often instead of fifty times, `TASKFLOW_CRASH_SEED=7` chooses
//! other places.

use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use taskflow::Timestamp;
use taskflow_tests::common::eventually;
use taskflow_tests::worker::Random;

use crate::serve::{Home, time};

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// Where the service can be made to die, and how often it comes by there at the most before it
/// waits for the next slot.
const PLACES: [(&str, u64); 6] = [
    // Around the transaction of a step: the state of the schedule, its records and its runs.
    ("store.step", 4),
    ("store.stepped", 4),
    // Around the claim of a run.
    ("store.adopt", 3),
    ("store.adopted", 3),
    // Around each commit of a run.
    ("store.append", 12),
    ("store.appended", 12),
];

/// Case 44.
#[test]
fn each_slot_is_one_run_wherever_the_service_is_killed() {
    let wanted = variable("TASKFLOW_CRASHES").unwrap_or(50);
    let seed = variable("TASKFLOW_CRASH_SEED").unwrap_or(0);
    let (home, mut random) = (Home::new(), Random(seed));
    let (mut kills, mut clock) = (0, 0);
    while kills < wanted {
        let (place, most) = PLACES[random.below(PLACES.len() as u64) as usize];
        let failpoint = format!("{place}@{}=kill", 1 + random.below(most));
        // Slots wait for each process, so that it need not wait for one.
        clock += 1 + random.below(3) as i64;
        home.move_clock(clock);
        let mut service = home.serve_with("seconds", &failpoint);
        let start = Instant::now();
        let ended = loop {
            match service.0.try_wait().expect("it is our child") {
                Some(status) => break Some(status),
                // It came by less often.
                None if start.elapsed() > Duration::from_secs(4) => break None,
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        match ended {
            Some(status) => assert_eq!(status.signal(), Some(9), "seed {seed}, {failpoint}: {status}"),
            None => service.kill(),
        }
        kills += 1;
    }
    let service = home.serve("seconds");
    let last = Timestamp::now() + Duration::from_secs(clock.unsigned_abs());
    // A busy machine takes its time for some hundreds of slots.
    loop {
        let (number, state) = match home.last_run("seconds") {
            Some(run) if time(&run["logical_date"]) > last && run["state"] == "success" => break,
            Some(run) => (run["number"].as_i64(), run["state"].clone()),
            None => Default::default(),
        };
        let is_other = |run: &serde_json::Value| run["number"].as_i64() != number || run["state"] != state;
        eventually("it goes on", || home.last_run("seconds").is_some_and(|run| is_other(&run)));
    }
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
    // A task with which three processes have died is not run again.
    let is_over = |fate: &serde_json::Value| fate == "success" || fate == "failed";
    assert!(before.iter().all(|slot| is_over(&slot["fate"])), "seed {seed}: a run has not ended");
    assert!(times.len() as u64 > wanted, "{}", times.len());
    let check = home.call(&["db", "check"]);
    assert_eq!(check.code, Some(0), "seed {seed}: {}", check.stdout);
}
