//! DAGs that are wrong: their defaults, their timetables and their runs fail, and no other DAG is
//! held up.

use std::time::Duration;

use taskflow_tests::common::eventually;

use super::support::{Home, time};

#[test]
fn a_default_that_panics_fails_its_slot_and_no_other_dag() {
    let home = Home::new();
    let service = home.serve("failing,seconds");
    eventually("slots of both", || home.count("seconds", "success") > 1 && home.slots("failing").len() > 1);
    assert_eq!(service.stop(), Some(0));
    for slot in home.slots("failing") {
        assert_eq!(slot["fate"], "failed");
        let reason = slot["reason"].as_str().expect("a reason");
        assert!(reason.contains("no value for 20"), "{reason}");
    }
    assert_eq!(home.runs("failing").len(), 0);
}

/// Case 51: the slot has failed with the reason, and the next one is tried.
#[test]
fn a_default_that_fails_holds_up_no_later_slot() {
    let home = Home::new();
    let service = home.serve("choosy");
    eventually("runs between failed slots", || home.count("choosy", "success") > 1);
    assert_eq!(service.stop(), Some(0));
    let slots = home.slots("choosy");
    assert!(slots.iter().any(|slot| slot["fate"] == "failed"));
    for pair in slots.windows(2) {
        assert_ne!(pair[0]["fate"] == "failed", pair[1]["fate"] == "failed", "they take turns: {slots:?}");
        assert_eq!(time(&pair[0]["first"]).since(time(&pair[1]["first"])), Duration::from_secs(1), "{slots:?}");
    }
    let failed = slots.iter().find(|slot| slot["fate"] == "failed").expect("one has failed");
    assert_eq!(failed["reason"], "parameter `odd`: `1` is not in the range 0..=0");
}

/// Case 50.
#[test]
fn a_timetable_that_panics_pauses_its_dag_and_no_other() {
    let home = Home::new();
    std::fs::write(home.panic(), "").expect("temporary files can be written");
    let service = home.serve("tides,seconds");
    let pause = || home.call(&["next", "tides", "--output", "json"]).json()[0]["pause"].clone();
    eventually("it is paused", || pause().is_object());
    let reason = pause()["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.starts_with("the timetable panicked at tests/fixtures/serves.rs:"), "{reason}");
    assert!(reason.ends_with(": no tide tables"), "{reason}");
    assert_eq!(pause()["by"], "the service");
    eventually("the other one runs", || home.count("seconds", "success") > 1);
    // On a busy machine it falls behind, but loses nothing.
    let mut slots = home.slots("seconds");
    slots.retain(|slot| slot["fate"] != "waiting" && slot["fate"] != "note");
    assert!(slots.iter().all(|slot| slot["run"].is_i64()), "{slots:?}");
    // The next process has the same timetable.
    assert_eq!(service.stop(), Some(0));
    let service = home.serve("tides,seconds");
    let before = home.count("seconds", "success");
    eventually("the other one runs again", || home.count("seconds", "success") > before);
    assert_eq!(home.runs("tides").len(), 0);
    std::fs::remove_file(home.panic()).expect("it is there");
    assert_eq!(home.call(&["unpause", "tides"]).code, Some(0));
    eventually("it runs", || home.count("tides", "success") > 0);
    assert_eq!(service.stop(), Some(0));
}

/// Case 50, if the timetable panics before there is one.
#[test]
fn a_timetable_that_cannot_be_made_pauses_its_dag_and_no_other() {
    let home = Home::new();
    let made = home.panic().with_extension("made");
    std::fs::write(&made, "").expect("temporary files can be written");
    let service = home.serve("tides,seconds");
    let tides = || {
        let dags = home.call(&["dags", "--output", "json"]).json();
        dags.as_array().expect("a list").iter().find(|dag| dag["dag_id"] == "tides").expect("the DAG").clone()
    };
    eventually("it is paused", || tides()["pause"].is_object());
    let reason = tides()["pause"]["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.starts_with("the timetable panicked at tests/fixtures/serves.rs:"), "{reason}");
    assert!(reason.ends_with(": no tide tables"), "{reason}");
    assert_eq!(tides()["pause"]["by"], "the service");
    eventually("the other one runs", || home.count("seconds", "success") > 1);
    // In the process of the service, it still panics.
    assert_eq!(home.call(&["unpause", "tides"]).code, Some(0));
    eventually("it is paused again", || tides()["pause"].is_object());
    assert_eq!(home.runs("tides").len(), 0);
    std::fs::remove_file(made).expect("it is there");
    assert_eq!(home.call(&["unpause", "tides"]).code, Some(0));
    eventually("it runs", || home.count("tides", "success") > 0);
    assert_eq!(service.stop(), Some(0));
}

/// Case 39.
#[test]
fn a_dag_that_fails_again_and_again_is_paused() {
    let home = Home::new();
    let service = home.serve("guarded,seconds");
    let pause = || home.call(&["next", "guarded", "--output", "json"]).json()[0]["pause"].clone();
    eventually("it is paused", || pause().is_object());
    assert_eq!(home.count("guarded", "failed"), 2);
    let (by, reason) = (pause()["by"].clone(), pause()["reason"].clone());
    let last = home.runs("guarded")[1]["run_id"].as_str().expect("an id").to_owned();
    assert_eq!(by, "the option `pause_after_failures`");
    assert_eq!(reason, format!("2 runs in a row failed, the last one is {last}"));
    std::fs::write(home.hold(), "").expect("temporary files can be written");
    assert_eq!(home.call(&["unpause", "guarded"]).code, Some(0));
    eventually("it runs again", || home.count("guarded", "success") >= 2);
    assert!(pause().is_null(), "a success in between resets");
    std::fs::remove_file(home.hold()).expect("it is there");
    eventually("it is paused again", || pause().is_object());
    assert_eq!(home.count("guarded", "failed"), 4);
    assert_eq!(service.stop(), Some(0));
}
