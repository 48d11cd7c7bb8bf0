//! Deadlines of slots, with real processes.

use std::cell::RefCell;
use std::collections::HashMap;

use taskflow_tests::common::eventually;

use crate::serve::Home;

/// What the callbacks of the fixture were called with: the process and the key.
pub(crate) fn told(home: &Home) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(home.hold().with_extension("told")).unwrap_or_default();
    let pair = |line: &str| line.split_once(' ').map(|(process, key)| (process.to_owned(), key.to_owned()));
    text.lines().filter_map(pair).collect()
}

/// Case 81: the process dies in the middle of the callback; the next one calls it with the same
/// key.
#[test]
fn a_missed_deadline_is_told_again_with_the_same_key_after_a_crash() {
    let home = Home::new();
    std::fs::write(home.hold(), "").expect("temporary files can be written");
    std::fs::write(home.hold().with_extension("die"), "").expect("temporary files can be written");
    let service = RefCell::new(home.serve("tardy"));
    eventually("the callback kills the service", || {
        service.borrow_mut().0.try_wait().expect("it is our child").is_some()
    });
    let first = told(&home);
    let (_, key) = first.last().cloned().expect("it was called");
    assert!(key.starts_with("scheduled__20") && key.ends_with("__tardy/deadline_missed"), "{key}");
    // What was missed is known before anybody was told.
    let missed = home.notes("tardy").into_iter().filter(|note| note["kind"] == "deadline_missed").count();
    assert!(missed >= 1);

    let service = home.serve("tardy");
    eventually("it is told again", || told(&home).iter().filter(|(_, told)| *told == key).count() > 1);
    let findings = home.call(&["doctor", "--output", "json"]).json();
    let findings = findings["findings"].as_array().expect("a list").clone();
    let late = findings.into_iter().find(|finding| finding["finding"] == "missed_deadline").expect("a finding");
    assert_eq!((&late["dag"], &late["severity"]), (&"tardy".into(), &"problem".into()));
    let status = home.call(&["status", "1", "--output", "json"]).json();
    assert!(status["missed_deadline"]["reason"].as_str().is_some_and(|why| why.starts_with("run 1 is ")), "{status}");
    let explained = home.call(&["explain", "1"]).stdout;
    assert!(explained.starts_with("run 1 missed its deadline, "), "{explained}");
    let next = home.call(&["next", "tardy", "--output", "json"]).json();
    assert!(next[0]["slots"][0]["deadline"].is_string(), "{next}");
    assert_eq!(service.stop(), Some(0));
    // No process calls twice with a key.
    let mut calls: HashMap<(String, String), u32> = HashMap::new();
    told(&home).into_iter().for_each(|call| *calls.entry(call).or_default() += 1);
    assert!(calls.values().all(|count| *count == 1), "{calls:?}");
}

/// The clock was ten years ahead, and is right again. The schedule was brought back; of its
/// deadlines, none was judged until the clock had reached them.
#[cfg(feature = "failpoints")]
#[test]
fn deadlines_are_judged_again_after_the_schedule_is_reset() {
    let home = Home::new();
    let missed = || home.notes("tardy").into_iter().filter(|note| note["kind"] == "deadline_missed").count();
    std::fs::write(home.hold(), "").expect("temporary files can be written");
    home.move_clock(10 * 365 * 86_400);
    let service = home.serve("tardy");
    eventually("a slot of the future misses its deadline", || missed() > 0);
    std::fs::remove_file(home.hold()).expect("it is there");
    eventually("its run succeeds", || home.count("tardy", "success") > 0);
    assert_eq!(service.stop(), Some(0));
    home.move_clock(0);
    let reset = home.call(&["reset-schedule", "tardy", "--by", "mina"]);
    assert_eq!(reset.code, Some(0), "{}", reset.stderr);
    std::fs::write(home.hold(), "").expect("temporary files can be written");
    let before = missed();
    let service = home.serve("tardy");
    eventually("a slot of today misses its deadline", || missed() > before);
    assert_eq!(service.stop(), Some(0));
}
