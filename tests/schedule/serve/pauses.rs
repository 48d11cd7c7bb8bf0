//! `pause` and `unpause`.

use std::time::Duration;

use serde_json::Value;
use taskflow::Timestamp;
use taskflow_tests::common::eventually;

use super::support::{Home, time};

#[test]
fn a_paused_dag_waits_for_somebody() {
    let home = Home::new();
    let service = home.serve("careful");
    eventually("the service knows the DAG", || home.call(&["unpause", "careful"]).code == Some(0));
    eventually("it runs", || home.count("careful", "success") > 0);
    let paused = home.call(&["pause", "careful", "--reason", "migration", "--by", "mina"]);
    assert_eq!(paused.code, Some(0), "{}", paused.stderr);
    eventually("active runs end", || home.count("careful", "success") == home.runs("careful").len());
    let runs = home.runs("careful").len();
    let next = home.call(&["next", "careful"]);
    assert!(next.stderr.contains("`careful` is paused by mina (migration)"), "{}", next.stderr);
    let again = home.call(&["pause", "careful"]);
    assert_eq!((again.code, again.stderr.contains("already paused, by mina")), (Some(2), true));
    assert_eq!(home.runs("careful").len(), runs);
    assert_eq!(service.stop(), Some(0));
    let unpaused = home.call(&["unpause", "careful", "--output", "json"]).json();
    let records = unpaused.as_array().expect("a list");
    assert!(records.iter().all(|record| record["reason"] == "paused by mina: migration"), "{records:?}");
    assert_eq!(home.call(&["unpause", "careful"]).code, Some(2));
    let kinds: Vec<Value> = home.notes("careful").iter().map(|note| note["kind"].clone()).collect();
    assert_eq!(kinds, ["unpaused", "paused", "unpaused"]);
    let note = &home.notes("careful")[1];
    assert_eq!((&note["by"], &note["reason"]), (&"mina".into(), &"migration".into()));
    let table = home.call(&["slots", "careful"]).stdout;
    assert!(table.contains("paused by mina: migration"), "{table}");
}

/// Case 40: a slot that waits for room passes with the pause, and the run that is active goes on.
#[test]
fn a_pause_takes_the_slot_that_waits_and_leaves_the_active_run() {
    let home = Home::new();
    std::fs::write(home.hold(), "").expect("temporary files can be written");
    let service = home.serve("seconds");
    eventually("a slot waits for room", || home.slots("seconds").iter().any(|slot| slot["fate"] == "waiting"));
    let paused = home.call(&["pause", "seconds", "--reason", "migration", "--by", "mina"]);
    assert_eq!(paused.code, Some(0), "{}", paused.stderr);
    let active = home.runs("seconds").pop().expect("a run is active");
    assert_eq!(active["state"], "running");
    std::fs::remove_file(home.hold()).expect("it is there");
    eventually("the active run ends", || home.runs("seconds").last().is_some_and(|run| run["state"] == "success"));
    let last = home.runs("seconds").pop().expect("it has ended");
    assert_eq!(last["run_id"], active["run_id"], "no slot became a run during the pause");
    let unpaused = home.call(&["unpause", "seconds", "--output", "json"]).json();
    let [record] = &unpaused.as_array().expect("a list")[..] else { panic!("{unpaused}") };
    assert_eq!((&record["fate"], &record["reason"]), (&"paused".into(), &"paused by mina: migration".into()));
    let second = Duration::from_secs(1);
    assert_eq!(time(&record["first"]), time(&active["logical_date"]) + second, "the slot that waited is the first");
    let of_runs = |home: &Home| home.runs("seconds").len();
    let before =
        home.runs("seconds").iter().position(|run| run["run_id"] == active["run_id"]).expect("it is there") + 1;
    eventually("the next slot runs", || of_runs(&home) > before);
    assert_eq!(time(&home.runs("seconds")[before]["logical_date"]), time(&record["last"]) + second);
    assert_eq!(service.stop(), Some(0));
}

/// Case 37: also if no service runs when the pause ends. Both events are in the history.
#[test]
fn a_pause_that_ends_by_itself_is_in_the_history() {
    let home = Home::new();
    let end = Timestamp::now() + Duration::from_secs(2);
    let until = end.to_string();
    assert_eq!(home.call(&["pause", "seconds", "--until", &until, "--by", "mina"]).code, Some(0));
    eventually("the pause has ended", || Timestamp::now() > end);
    let service = home.serve("seconds");
    eventually("it runs", || home.count("seconds", "success") > 0);
    assert_eq!(service.stop(), Some(0));
    let notes = home.notes("seconds");
    let kinds: Vec<&Value> = notes.iter().map(|note| &note["kind"]).collect();
    assert_eq!(kinds, ["paused", "pause_ended"]);
    assert_eq!((&notes[1]["by"], &notes[1]["until"]), (&"mina".into(), &until.into()));
}

#[test]
fn all_dags_are_paused_and_unpaused_at_once() {
    let home = Home::new();
    assert_eq!(home.call(&["pause", "morning", "--by", "mina"]).code, Some(0));
    let paused = home.call(&["pause", "--all", "--by", "ada", "--reason", "migration", "--output", "json"]).json();
    let paused = paused.as_object().expect("an object");
    // `careful` is paused as a new DAG.
    assert!(!paused.contains_key("morning") && !paused.contains_key("careful") && !paused.contains_key("manual"));
    assert_eq!(paused["tides"]["reason"], "migration");
    let by = |dag: &str| home.call(&["next", dag, "--output", "json"]).json()[0]["pause"]["by"].clone();
    assert_eq!((by("morning"), by("seconds")), ("mina".into(), "ada".into()));
    let again = home.call(&["pause", "--all"]);
    assert_eq!((again.code, again.stderr.contains("nothing to do")), (Some(0), true), "{}", again.stderr);
    let unpaused = home.call(&["unpause", "--all"]);
    assert_eq!(unpaused.code, Some(0));
    assert!(unpaused.stderr.contains("`morning` is unpaused") && unpaused.stderr.contains("`tides` is unpaused"));
    assert!(by("seconds").is_null());
    assert_eq!(home.call(&["pause", "seconds", "--all"]).code, Some(2));
}

/// Of the DAGs with the tag, `manual` has neither a schedule nor events: there is nothing to pause.
#[test]
fn dags_with_a_tag_are_paused() {
    let home = Home::new();
    let ids = |answer: &Value| answer.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    let paused = home.call(&["pause", "--tag", "warehouse", "--by", "ada", "--output", "json"]);
    assert_eq!((paused.code, &*paused.stderr), (Some(0), ""));
    assert_eq!(ids(&paused.json()), ["chained", "counts", "days"]);
    let dags = || home.call(&["dags", "--output", "json"]).json().as_array().expect("a list").clone();
    let by_ada = |dags: &[Value]| dags.iter().filter(|dag| dag["pause"]["by"] == "ada").count();
    assert_eq!(by_ada(&dags()), 3);
    let again = home.call(&["pause", "--tag", "warehouse"]);
    assert_eq!((again.code, again.stderr.contains("nothing to do")), (Some(0), true), "{}", again.stderr);
    let unpaused = home.call(&["unpause", "--tag", "warehouse"]);
    assert_eq!(unpaused.code, Some(0), "{}", unpaused.stderr);
    assert!(unpaused.stderr.contains("`chained` is unpaused") && !unpaused.stderr.contains("`manual`"));
    assert_eq!(by_ada(&dags()), 0);
    // It is not said to be in that state.
    let none = home.call(&["pause", "--tag", "by_hand"]);
    let error = "error: no DAG with the tag `by_hand` has a schedule or event parameters\n";
    assert_eq!((none.code, &*none.stderr), (Some(2), error));
}

/// Case 38.
#[test]
fn a_manual_run_of_a_paused_dag_runs_at_once_and_says_so() {
    let home = Home::new();
    let until = ["--until", "2100-01-01T00:00:00Z", "--by", "mina"];
    assert_eq!(home.call(&["pause", "morning", until[0], until[1], until[2], until[3]]).code, Some(0));
    let run = home.call(&["run", "morning"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let note = "`morning` is paused by mina until 2100-01-01 00:00:00Z: its schedule waits, and this run does not";
    assert!(run.stderr.contains(note), "{}", run.stderr);
    let trigger = home.call(&["trigger", "morning"]);
    assert!(trigger.stderr.contains(note), "{}", trigger.stderr);
    assert_eq!(home.runs("morning").len(), 2);
    assert!(!home.call(&["run", "tides"]).stderr.contains("paused"));
}
