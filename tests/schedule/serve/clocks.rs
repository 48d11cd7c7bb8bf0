//! Clocks that go back, or were far ahead, and `reset-schedule`.

use std::process::Stdio;

use taskflow::Timestamp;
use taskflow_tests::common::eventually;

use super::support::{Home, Service, time};

/// Case 41: no slot twice; the next one when the clock passes the last; noted once.
#[test]
fn a_service_whose_clock_goes_back_repeats_no_slot() {
    let home = Home::new();
    home.move_clock(0);
    let service = home.serve("seconds");
    eventually("slots run", || home.count("seconds", "success") > 1);
    home.move_clock(-4);
    eventually("the clock that went back is noted", || !home.notes("seconds").is_empty());
    let before = home.runs("seconds").len();
    eventually("it runs again", || home.runs("seconds").len() > before + 1);
    assert_eq!(service.stop(), Some(0));
    let slots: Vec<Timestamp> = home.runs("seconds").iter().map(|run| time(&run["logical_date"])).collect();
    assert!(slots.windows(2).all(|pair| pair[1].since(pair[0]).as_secs() == 1), "none twice, none lost: {slots:?}");
    let notes = home.notes("seconds");
    assert_eq!((notes.len(), &notes[0]["kind"]), (1, &"clock_went_back".into()), "{notes:?}");
}

/// Case 42: a clock that was years ahead.
#[test]
fn a_service_whose_clock_is_far_behind_schedules_nothing() {
    let home = Home::new();
    home.move_clock(10 * 365 * 86_400);
    let service = home.serve("morning,seconds");
    eventually("slots of the future run", || home.count("seconds", "success") > 1);
    assert_eq!(service.stop(), Some(0));
    home.move_clock(0);
    let before = home.runs("seconds").len();
    let mut program = home.command_with_signals(&["serve", "--only", "seconds"]);
    program.env("SERVES_HOLD", home.hold());
    let mut service = program.stderr(Stdio::piped()).spawn().expect("a built program starts");
    let mut lines = std::io::BufReader::new(service.stderr.take().expect("it is piped"));
    let service = Service(service);
    let mut said = String::new();
    while !said.contains("nothing is scheduled") {
        assert!(std::io::BufRead::read_line(&mut lines, &mut said).expect("it writes lines") > 0, "{said}");
    }
    assert!(said.contains("behind the schedules of seconds; set the clock, or `reset-schedule`"), "{said}");
    // Queued runs start as ever.
    assert_eq!(home.call(&["trigger", "seconds", "--at", "2026-01-31"]).code, Some(0));
    eventually("the queued run has ended", || home.runs("seconds").last().is_some_and(|run| run["state"] == "success"));
    assert_eq!(home.runs("seconds").len(), before + 1);
    let reset = home.call(&["reset-schedule", "seconds", "--by", "mina", "--reason", "the battery was empty"]);
    assert_eq!(reset.code, Some(0), "{}", reset.stderr);
    eventually("it runs", || home.runs("seconds").len() > before + 2);
    assert_eq!(service.stop(), Some(0));
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut lines, &mut rest).expect("it writes text");
    assert!(!rest.contains("nothing is scheduled"), "once: {rest}");
    let last = home.notes("seconds").pop().expect("a note");
    assert_eq!((&last["kind"], &last["by"]), (&"reset".into(), &"mina".into()));
    assert_eq!(last["reason"], "the battery was empty");
    let again = home.call(&["reset-schedule", "seconds"]);
    assert_eq!((again.code, again.stderr.contains("is not ahead of the clock")), (Some(2), true), "{}", again.stderr);
    assert_eq!(home.call(&["reset-schedule", "--all"]).code, Some(0), "`morning` is ahead, too");
}

/// The same for a DAG with event parameters: its slots did not run until the clock was there again,
/// and `reset-schedule` refused it.
#[test]
fn the_schedule_of_a_dag_with_events_is_reset_after_a_clock_that_was_ahead() {
    let home = Home::new();
    home.move_clock(10 * 365 * 86_400);
    let service = home.serve("ticking");
    eventually("slots of the future run", || home.count("ticking", "success") > 1);
    assert_eq!(service.stop(), Some(0));
    home.move_clock(0);
    let doctor = home.call(&["doctor"]);
    assert!(format!("{}{}", doctor.stdout, doctor.stderr).contains("behind"), "{}{}", doctor.stdout, doctor.stderr);
    let before = home.runs("ticking").len();
    let reset = home.call(&["reset-schedule", "ticking", "--by", "mina"]);
    assert_eq!(reset.code, Some(0), "{}", reset.stderr);
    let notes = home.notes("ticking");
    let reset = notes.iter().find(|note| note["kind"] == "reset");
    assert_eq!(reset.map(|note| &note["by"]), Some(&"mina".into()), "{notes:?}");
    let service = home.serve("ticking");
    eventually("slots of today run", || home.runs("ticking").len() > before + 1);
    assert_eq!(service.stop(), Some(0));
    let again = home.call(&["reset-schedule", "ticking"]);
    assert_eq!((again.code, again.stderr.contains("is not ahead of the clock")), (Some(2), true), "{}", again.stderr);
}
