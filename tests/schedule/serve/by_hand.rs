//! What `dags` and `next` show, and runs by hand: about which time, and with which events.

use serde_json::Value;
use taskflow::Timestamp;
use taskflow_tests::binaries::call_at;
use taskflow_tests::common::eventually;

use super::support::{Home, time};

/// Case 48: a DAG that was removed or renamed is shown with what is left of it.
#[test]
fn the_dags_of_a_home_are_listed_with_those_that_are_gone() {
    let home = Home::new();
    let empty = home.call(&["dags", "--output", "json"]).json();
    let of = |all: &Value, dag: &str| {
        all.as_array().expect("a list").iter().find(|entry| entry["dag_id"] == dag).cloned().unwrap_or_default()
    };
    assert_eq!((&of(&empty, "morning")["last_run"], &of(&empty, "manual")["schedule"]), (&Value::Null, &Value::Null));
    assert_eq!(home.call(&["run", "morning"]).code, Some(0));
    assert_eq!(home.call(&["pause", "tides", "--by", "mina"]).code, Some(0));
    let other = call_at(&home.path(), "cli_single", &["run", "-q"]);
    assert_eq!(other.code, Some(0), "{}", other.stderr);
    let all = home.call(&["dags", "--output", "json"]).json();
    let morning = of(&all, "morning");
    assert_eq!((&morning["is_gone"], &morning["timezone"]), (&false.into(), &"Asia/Seoul".into()));
    assert_eq!(morning["schedule"], "at 06:00 on weekdays and at 07:30 on Saturday, Asia/Seoul");
    assert_eq!((&morning["last_run"]["number"], &morning["last_run"]["state"]), (&1.into(), &"success".into()));
    assert!(time(&morning["next"]) > Timestamp::now());
    assert_eq!(of(&all, "tides")["pause"]["by"], "mina");
    let gone: Vec<&Value> = all.as_array().expect("a list").iter().filter(|entry| entry["is_gone"] == true).collect();
    assert_eq!((gone.len(), &gone[0]["last_run"]["number"]), (1, &2.into()));
    let table = home.call(&["dags"]).stdout;
    assert!(table.contains("gone: this program no longer has it") && table.contains("paused by mina"), "{table}");
}

#[test]
fn the_next_slots_are_shown_in_the_zone_of_the_schedule() {
    let home = Home::new();
    let next = home.call(&["next", "morning", "-n", "7", "--output", "json"]).json();
    let slots = next[0]["slots"].as_array().expect("a list");
    assert_eq!(slots.len(), 7);
    assert_eq!(next[0]["schedule"], "at 06:00 on weekdays and at 07:30 on Saturday, Asia/Seoul");
    for slot in slots {
        let at = slot["at"].as_str().expect("a time");
        assert!(at.ends_with("T21:00:00Z") || at.ends_with("T22:30:00Z"), "{at}");
    }
    let table = home.call(&["next", "morning"]);
    assert!(table.stdout.contains("06:00 +09:00"), "{}", table.stdout);
    let all = home.call(&["next"]);
    assert_eq!(all.code, Some(0));
    assert!(["careful", "failing", "morning", "seconds"].iter().all(|dag| all.stdout.contains(dag)));
    assert!(!all.stdout.contains("manual"));
    let none = home.call(&["next", "manual"]);
    assert_eq!(none.code, Some(2));
    assert!(none.stderr.contains("has no schedule"), "{}", none.stderr);
}

#[test]
fn a_manual_run_can_be_about_another_time_or_interval() {
    let home = Home::new();
    let result = |words: &[&str]| {
        let run = home.call(words);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        run.stdout.trim().to_owned()
    };
    assert_eq!(result(&["run", "morning", "--at", "2026-01-31"]), "2026-01-31", "a day in Seoul");
    assert_eq!(home.runs("morning")[0]["logical_date"], "2026-01-30T15:00:00Z");
    let span = "2026-01-30T00:00:00Z/2026-01-31T12:00:00Z";
    let shown = result(&["run", "tides", "--interval", "2026-01-30/2026-01-31T12:00:00Z"]);
    assert_eq!(shown, span);
    assert_eq!(home.runs("tides")[0]["logical_date"], "2026-01-31T12:00:00Z", "that of a slot with this interval");
    let queued = ["trigger", "tides", "--interval", span, "--at", "2026-02-01"];
    assert_eq!(home.call(&queued).code, Some(0));
    assert_eq!(home.runs("tides")[1]["logical_date"], "2026-02-01T00:00:00Z");
    let refused = |words: &[&str], message: &str| {
        let run = home.call(words);
        assert_eq!((run.code, run.stderr.contains(message)), (Some(2), true), "{}", run.stderr);
    };
    refused(&["run", "manual", "--name", "a", "--interval", span], "runs of `manual` have no data interval");
    refused(&["trigger", "manual", "--name", "a", "--interval", span], "runs of `manual` have no data interval");
    refused(&["run", "tides", "--interval", "2026-01-31/2026-01-31"], "is empty: its end must be later than its start");
    refused(&["run", "tides", "--interval", "2026-01-31"], "an interval is two times or days with `/` between them");
    refused(&["run", "tides", "--interval", "2026-01-31/tomorrow"], "tomorrow");
}

/// 21:00 in UTC is 06:00 of the next day in Seoul.
#[test]
fn the_day_of_a_run_is_that_of_the_zone_of_its_schedule() {
    let home = Home::new();
    let run = home.call(&["run", "morning", "--logical-date", "2026-01-30T21:00:00Z"]);
    assert_eq!((run.code, run.stdout.trim()), (Some(0), "2026-01-31"), "{}", run.stderr);
}

#[test]
fn a_run_by_hand_takes_events_without_consuming_them() {
    let home = Home::new();
    let service = home.serve("counts");
    eventually("the service knows the DAG", || {
        home.call(&["consumers", "counts", "--output", "json"]).json()[0]["inputs"][0]["cursor"].is_i64()
    });
    assert_eq!(home.call(&["pause", "counts", "--reason", "migration", "--by", "mina"]).code, Some(0));
    let none = home.call(&["run", "counts", "--slots", "last"]);
    assert_eq!(none.code, Some(2), "{}", none.stderr);
    assert!(none.stderr.contains("the asset `dag:manual` has no events yet"), "{}", none.stderr);
    for name in ["ada", "grace", "edsger"] {
        assert_eq!(home.call(&["run", "manual", "--name", name, "-q"]).code, Some(0));
    }
    let shown = home.call(&["consumers"]);
    assert!(shown.stdout.contains("dag:manual") && shown.stdout.contains("dag:seconds"), "{}", shown.stdout);
    assert!(shown.stderr.contains("`counts` is paused by mina: migration"), "{}", shown.stderr);
    let status = home.call(&["consumers", "counts", "--output", "json"]).json();
    assert_eq!((&status[0]["inputs"][0]["pending"], &status[0]["inputs"][0]["first_pending"]), (&3.into(), &1.into()));
    let value = |words: &[&str]| {
        let run = home.call(&[&["run", "counts", "-q"], words].concat());
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        run.stdout.trim().to_owned()
    };
    assert_eq!(value(&["--slots", "last"]), "1 of Some(3)");
    assert_eq!(value(&["--slots", "@1", "--slots", "@2"]), "2 of Some(3)");
    assert_eq!(value(&["--slots", "by hand"]), "1 of Some(3)");
    assert_eq!(value(&["--slots", "@1", "--last", "@2"]), "1 of Some(2)");
    let wrong = home.call(&["run", "counts", "--slots", "@4711"]);
    assert!(wrong.stderr.contains("`@4711` is not an event of the asset `dag:manual`"), "{}", wrong.stderr);
    let missing = home.call(&["run", "counts"]);
    assert_eq!(missing.code, Some(2), "{}", missing.stderr);
    let after = home.call(&["consumers", "counts", "--output", "json"]).json();
    assert_eq!(status[0]["inputs"], after[0]["inputs"], "nothing was consumed");
    let unpaused = home.call(&["unpause", "counts", "--events", "newest"]);
    assert!(unpaused.stderr.contains("superseded: events 1 to 2 of `dag:manual`"), "{}", unpaused.stderr);
    eventually("the newest runs", || home.runs("counts").iter().any(|run| run["run_id"] == "event__3__counts"));
    assert_eq!(service.stop(), Some(0));
    let slots = home.slots("counts");
    assert!(slots.iter().any(|slot| slot["fate"] == "superseded" && slot["count"] == 2), "{slots:?}");
}
