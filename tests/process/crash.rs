//! Runs whose process is killed again and again: nothing stored is lost, no finished task runs
//! again, and the outcome is that of an undisturbed run.
//!
//! `TASKFLOW_CRASHES=1000` kills that often instead of fifty times; `TASKFLOW_CRASH_SEED=7` looks
//! at one graph only, or begins there. When a process dies is chance: a seed that failed may have
//! to be tried more than once.

use std::collections::BTreeSet;
use std::time::Duration;

use taskflow_tests::worker::story::Story;
use taskflow_tests::worker::{LARGE, Random};

const REPEAT: &str =
    "TASKFLOW_CRASH_SEED={seed} cargo test --package taskflow-tests --all-features --test process crash::";

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// Where a process can be made to die, and how often it comes by there at the most, in an ordinary
/// run.
const PLACES: [(&str, u64); 8] = [
    ("store.append", 30),
    ("store.appended", 30),
    ("store.adopt", 1),
    ("store.adopted", 1),
    ("value.write", 4),
    ("value.sync", 4),
    ("value.rename", 4),
    ("value.sync_dir", 4),
];

#[test]
fn a_run_that_is_killed_repeatedly_ends_the_same() {
    let (wanted, only) = (variable("TASKFLOW_CRASHES").unwrap_or(50), variable("TASKFLOW_CRASH_SEED"));
    let mut crashes = 0;
    for seed in only.unwrap_or(0).. {
        let mut story = Story::new(seed, REPEAT);
        let mut random = Random(seed ^ 0x000c_4a54);
        // The later, the longer: so that every run gets on, however slow the machine is.
        for turn in 0..8 {
            let ended = if random.below(2) == 0 {
                story.place.run_for(Duration::from_micros(random.below(40_000 * (1 + turn / 2))))
            } else {
                let (place, most) = PLACES[random.below(PLACES.len() as u64) as usize];
                story.place.run(&format!("{place}@{}=kill", 1 + random.below(most)))
            };
            ended.has_not_panicked();
            story.check(ended.was_killed());
            if !ended.was_killed() {
                assert!(ended.status.success(), "{ended:?}");
                break;
            }
        }
        crashes += story.crashes as u64;
        story.finish();
        if crashes >= wanted {
            println!("{crashes} crashes of {} runs", seed + 1 - only.unwrap_or(0));
            return;
        }
    }
}

#[test]
fn a_run_survives_a_crash_at_every_write() {
    let mut struck = BTreeSet::new();
    let mut story = Story::new(LARGE, REPEAT);
    // A separate process each: `adopt` needs one that resumes a run.
    for (place, most) in PLACES {
        for time in 1..=most.min(3) {
            let ended = story.place.run(&format!("{place}@{time}=kill"));
            story.check(ended.was_killed());
            if ended.was_killed() {
                struck.insert(place);
            } else {
                // The run has finished before the crash: start the next one.
                story.finish();
                story = Story::new(LARGE, REPEAT);
            }
        }
    }
    story.finish();
    assert_eq!(Vec::from_iter(struck), Vec::from_iter(BTreeSet::from(PLACES.map(|(place, _)| place))));
}

/// B4: SIGKILL while the store is first made.
#[test]
fn a_store_survives_a_crash_during_its_creation() {
    let mut story = Story::new(1, REPEAT);
    for time in 1..=3 {
        let ended = story.place.run(&format!("store.migrate@{time}=kill"));
        story.check(ended.was_killed());
        assert_eq!(ended.was_killed(), time == 1, "{ended:?}");
        if time == 1 {
            continue;
        }
        break;
    }
    story.finish();
}
