//! The verbs `backfill` and `backfills`, and the service that carries backfills out, with real
//! processes.
//!
//! The numbers are those of the cases that the design was checked against.

#[cfg(feature = "failpoints")]
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::time::Instant;

use serde_json::Value;
use taskflow_tests::binaries::ProgramOutput;
use taskflow_tests::common::{PATIENCE, eventually, pauses};

use crate::serve::Home;

impl Home {
    /// A file beside the home: `fail.2026-01-05` fails the run of that day, `2026-01-05` makes it
    /// wait.
    fn file(&self, name: &str) -> PathBuf {
        let mut path = self.hold().into_os_string();
        path.push(format!(".{name}"));
        path.into()
    }

    fn put(&self, name: &str) {
        std::fs::write(self.file(name), "").expect("temporary files can be written");
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.file(name)).expect("it is there");
    }

    /// Starts a backfill. Returns its document.
    #[track_caller]
    fn backfill(&self, words: &[&str]) -> Value {
        self.json(&[&["backfill"], words].concat())
    }

    #[track_caller]
    fn json(&self, words: &[&str]) -> Value {
        let output = self.call(&[words, &["--output", "json"]].concat());
        assert_eq!(output.code, Some(0), "{words:?}: {}", output.stderr);
        output.json()
    }

    /// A call that is refused with exit code 2. Returns the message.
    #[track_caller]
    fn refused(&self, words: &[&str]) -> String {
        let ProgramOutput { code, stderr, stdout } = self.call(words);
        assert_eq!(code, Some(2), "{words:?}: {stdout}{stderr}");
        stderr
    }

    fn show(&self, number: i64) -> Value {
        self.json(&["backfills", "show", &number.to_string()])
    }

    #[track_caller]
    fn until(&self, number: i64, state: &str) -> Value {
        let (start, mut pauses) = (Instant::now(), pauses());
        loop {
            let shown = self.show(number);
            if shown["state"] == state && shown["active"] == Value::Array(Vec::new()) {
                return shown;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "backfill {number} is not {state}: {shown}\n{}\n{}",
                self.call(&["runs", "--limit", "20"]).stdout,
                // Whether a service is there, among others.
                self.call(&["doctor"]).stdout,
            );
            std::thread::sleep(pauses());
        }
    }

    /// The runs that backfills have made, by id, with their states.
    fn made(&self, dag: &str) -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let runs = self.runs(dag).into_iter().filter(|run| run["run_type"] == "backfill");
        let runs: Vec<_> = runs.map(|run| (text(&run["run_id"]), text(&run["state"]))).collect();
        let distinct: HashSet<&String> = runs.iter().map(|(id, _)| id).collect();
        assert_eq!(distinct.len(), runs.len(), "{runs:?}");
        runs.into_iter().collect()
    }

    fn value(&self, run: &str) -> String {
        self.call(&["values", run, "labelled"]).stdout.trim().to_owned()
    }
}

/// The id of the run of a day in Seoul.
fn id(day: &str) -> String {
    let day: taskflow::Date = day.parse().expect("a day");
    format!("scheduled__{}T15:00:00Z__days", day.yesterday())
}

/// Case 61, with kills at any time.
#[test]
fn each_slot_is_one_run_through_kills() {
    let home = Home::new();
    let started = home.backfill(&["days", "2026-01-01/2026-03-31", "--limit", "3", "--order", "random", "--seed", "7"]);
    assert_eq!((started["number"].as_i64(), started["slots"].as_u64()), (Some(1), Some(90)));
    assert_eq!(started["service"], Value::Null, "nobody serves yet");
    for _ in 0..4 {
        let before = home.made("days").len();
        let service = home.serve("days");
        eventually("some more slots run", || home.made("days").len() >= 90.min(before + 10));
        service.kill();
    }
    let service = home.serve("days");
    let done = home.until(1, "done");
    let made = home.made("days");
    assert_eq!(made.len(), 90);
    assert!(made.contains_key(&id("2026-01-01")) && made.contains_key(&id("2026-03-31")));
    assert!(made.values().all(|state| state == "success"), "{made:?}");
    assert_eq!((done["counts"]["new"].as_u64(), done["counts"]["success"].as_u64()), (Some(90), Some(90)));
    assert_eq!(service.stop(), Some(0));
    assert_eq!(home.call(&["db", "check"]).code, Some(0));
}

/// Case 61, with a kill at each failpoint around a slot, its run and its clearing.
#[cfg(feature = "failpoints")]
#[test]
fn each_slot_is_one_run_through_a_kill_at_each_failpoint() {
    for point in ["store.backfill", "store.backfilled", "store.append", "store.appended"] {
        let home = Home::new();
        let through_kills = |number: i64| {
            for hit in [1, 2, 4] {
                let service = RefCell::new(home.serve_with("days", &format!("{point}@{hit}=kill")));
                eventually("it dies, or has nothing left to do", || {
                    !service.borrow_mut().is_alive() || home.show(number)["state"] == "done"
                });
            }
            let service = home.serve("days");
            let done = home.until(number, "done");
            assert_eq!(service.stop(), Some(0));
            done
        };
        home.backfill(&["days", "2026-01-01/2026-01-06", "--limit", "2"]);
        let done = through_kills(1);
        assert_eq!(home.made("days").len(), 6, "{point}");
        assert_eq!(done["counts"]["success"].as_u64(), Some(6), "{point}: {done}");
        home.backfill(&["days", "2026-01-01/2026-01-06", "--all", "--limit", "2"]);
        let done = through_kills(2);
        let counts = (done["counts"]["again"].as_u64(), done["counts"]["success"].as_u64());
        assert_eq!(counts, (Some(6), Some(6)), "{point}");
        for (run, state) in home.made("days") {
            let status = home.json(&["status", &run]);
            assert_eq!(
                (state.as_str(), status["edits"].as_array().map(Vec::len)),
                ("success", Some(1)),
                "{point}: {run}"
            );
        }
    }
}

/// Case 55: four runs of a backfill take no room from the schedule, whose DAG may have four runs.
#[test]
fn a_live_slot_starts_at_once_while_a_backfill_has_as_many_runs_as_it_may() {
    let home = Home::new();
    home.put("2026-01-01");
    let started = home.backfill(&["wide", "2026-01-01T00:00:00Z/2026-01-01T00:00:30Z", "--limit", "4"]);
    assert_eq!((started["limit"].as_u64(), started["slots"].as_u64()), (Some(4), Some(31)));
    let service = home.serve("wide");
    let running = || home.made("wide").values().filter(|state| *state == "running").count();
    eventually("four runs of the backfill are running", || running() == 4);
    let live = || home.runs("wide").into_iter().filter(|run| run["run_type"] == "scheduled").collect::<Vec<_>>();
    let before = live().len();
    eventually("live slots run meanwhile", || {
        live().iter().skip(before).filter(|run| run["state"] == "success").count() >= 3
    });
    assert_eq!((home.made("wide").len(), running()), (4, 4), "the backfill has four runs at a time");
    home.remove("2026-01-01");
    let done = home.until(1, "done");
    assert_eq!((done["counts"]["new"].as_u64(), done["counts"]["success"].as_u64()), (Some(31), Some(31)));
    assert_eq!(service.stop(), Some(0));
}

/// Case 55, if the DAG has one run at a time.
#[test]
fn a_live_slot_starts_at_once_while_a_backfill_runs() {
    let home = Home::new();
    home.put("2026-01-01");
    let started = home.backfill(&["busy", "2026-01-01T00:00:00Z/2026-01-01T00:00:20Z", "--limit", "4"]);
    assert_eq!(started["limit"].as_u64(), Some(1), "the DAG declares `max_active_runs = 1`");
    let service = home.serve("busy");
    eventually("a run of the backfill is running", || {
        home.made("busy").values().filter(|state| *state == "running").count() == 1
    });
    let live =
        || home.runs("busy").iter().filter(|run| run["run_type"] == "scheduled" && run["state"] == "success").count();
    eventually("live slots run meanwhile", || live() >= 3);
    assert_eq!(home.made("busy").len(), 1, "the backfill has one run at a time");
    home.remove("2026-01-01");
    assert_eq!(home.until(1, "done")["counts"]["success"].as_u64(), Some(21));
    assert_eq!(service.stop(), Some(0));
}

/// Case 55 for runs that are reprocessed: they are runs of the schedule, and take no room from it.
#[test]
fn a_live_slot_starts_at_once_while_runs_are_reprocessed() {
    let home = Home::new();
    home.backfill(&["busy", "2026-01-01T00:00:00Z/2026-01-01T00:00:03Z"]);
    let service = home.serve("busy");
    home.until(1, "done");
    home.put("2026-01-01");
    home.backfill(&["busy", "2026-01-01T00:00:00Z/2026-01-01T00:00:03Z", "--all"]);
    eventually("a run is reprocessed", || home.made("busy").values().any(|state| state == "running"));
    let live =
        || home.runs("busy").iter().filter(|run| run["run_type"] == "scheduled" && run["state"] == "success").count();
    let before = live();
    eventually("live slots run meanwhile", || live() >= before + 3);
    home.remove("2026-01-01");
    let done = home.until(2, "done");
    assert_eq!((done["counts"]["again"].as_u64(), done["counts"]["success"].as_u64()), (Some(4), Some(4)));
    assert_eq!(service.stop(), Some(0));
}

/// Case 56.
#[test]
fn a_backfill_proceeds_while_live_runs_take_all_room() {
    let home = Home::new();
    let today = taskflow::Timestamp::now().date();
    home.put(&today.to_string());
    home.put(&today.tomorrow().to_string());
    let service = home.serve("busy");
    let running =
        || home.runs("busy").iter().filter(|run| run["run_type"] == "scheduled" && run["state"] == "running").count();
    eventually("a live run is running", || running() == 1);
    home.backfill(&["busy", "2026-01-01T00:00:00Z/2026-01-01T00:00:09Z"]);
    assert_eq!(home.until(1, "done")["counts"]["success"].as_u64(), Some(10));
    assert_eq!(running(), 1, "the live run was there all the time");
    home.remove(&today.to_string());
    home.remove(&today.tomorrow().to_string());
    assert_eq!(service.stop(), Some(0));
}

/// Case 57.
#[test]
fn backfills_with_slots_in_common_are_refused() {
    let home = Home::new();
    home.backfill(&["days", "2026-01-01/2026-01-10"]);
    let refused = home.refused(&["backfill", "days", "2026-01-08/2026-01-20"]);
    let expected = "backfill 1 still has 3 of these slots, 2026-01-07T15:00:00Z to 2026-01-09T15:00:00Z";
    assert!(refused.contains(expected), "{refused}");
    let preview = home.backfill(&["days", "2026-01-08/2026-01-20", "--dry-run"]);
    assert_eq!(
        (preview["overlaps"][0]["backfill"].as_i64(), preview["overlaps"][0]["count"].as_u64()),
        (Some(1), Some(3))
    );
    home.backfill(&["days", "2026-01-11/2026-01-20"]);
    let refused = home.refused(&["backfills", "extend", "1", "2026-01-15"]);
    assert!(refused.contains("backfill 2 still has 5 of these slots"), "{refused}");
    let service = home.serve("days");
    home.until(1, "done");
    home.until(2, "done");
    assert_eq!(home.made("days").len(), 20);
    assert_eq!(service.stop(), Some(0));
}

/// Case 58.
#[test]
fn a_backfill_is_paused_resumed_limited_extended_and_cancelled() {
    let home = Home::new();
    home.put("2026-01-03");
    let preview = home.backfill(&["days", "2026-01-01/2026-01-10", "--dry-run"]);
    let started = home.backfill(&["days", "2026-01-01/2026-01-10", "--reason", "late data", "--by", "mina"]);
    assert_eq!((preview["new"].as_u64(), started["pending"].as_u64()), (Some(10), Some(10)));
    assert_eq!((&started["history"][0]["by"], &started["history"][0]["reason"]), (&"mina".into(), &"late data".into()));
    let service = home.serve("days");
    eventually("the third day is running", || home.made("days").len() == 3);
    let paused = home.json(&["backfills", "pause", "1", "--reason", "wait"]);
    assert_eq!((&paused["state"], &paused["reason"]), (&"paused".into(), &"wait".into()));
    assert!(home.refused(&["backfills", "pause", "1"]).contains("backfill 1 is paused"));
    home.remove("2026-01-03");
    eventually("the active run ends", || home.show(1)["counts"]["success"] == 3);
    assert_eq!(home.made("days").len(), 3);
    home.put("2026-01-05");
    home.put("2026-01-06");
    let limited = home.json(&["backfills", "limit", "1", "2"]);
    assert_eq!(limited["limit"].as_u64(), Some(2));
    let resumed = home.json(&["backfills", "resume", "1"]);
    assert_eq!(resumed["state"], "active");
    eventually("two runs are running", || home.show(1)["active"].as_array().map(Vec::len) == Some(2));
    let extended = home.json(&["backfills", "extend", "1", "2026-01-12"]);
    assert_eq!((extended["added"].as_u64(), extended["slots"].as_u64()), (Some(2), Some(12)));
    let cancelled = home.json(&["backfills", "cancel", "1", "--reason", "enough"]);
    assert_eq!((&cancelled["state"], cancelled["dropped"].as_u64()), (&"cancelled".into(), Some(6)));
    eventually("active runs go on", || home.show(1)["active"].as_array().map(Vec::len) == Some(2));
    let with_runs = home.json(&["backfills", "cancel", "1", "--running"]);
    assert_eq!(with_runs["runs"].as_array().map(Vec::len), Some(2), "{with_runs}");
    let ended = home.until(1, "cancelled");
    let count = |name: &str| ended["counts"][name].as_u64().expect("a count");
    assert_eq!(count("new") + count("dropped"), 12, "the counts add up");
    assert_eq!((count("success"), count("cancelled")), (4, 2));
    let whats: Vec<&str> =
        ended["history"].as_array().expect("a list").iter().filter_map(|action| action["what"].as_str()).collect();
    assert_eq!(whats[..4], ["started", "paused", "limit set to 2", "resumed"]);
    assert!(home.refused(&["backfills", "resume", "1"]).contains("backfill 1 is cancelled"));
    assert!(
        home.refused(&["backfills", "extend", "1", "2026-01-20"])
            .contains("backfill 1 is cancelled; start another one")
    );
    assert!(home.refused(&["backfills", "show", "7"]).contains("there is no backfill 7"));
    assert_eq!(service.stop(), Some(0));
    let list = home.json(&["backfills"]);
    assert_eq!(list.as_array().map(Vec::len), Some(1));
    assert!(home.call(&["backfills"]).stdout.contains("cancelled"));
}

/// Case 59.
#[test]
fn a_backfill_of_failed_runs_is_what_its_preview_has_shown() {
    let home = Home::new();
    home.put("fail.2026-01-02");
    home.put("fail.2026-01-04");
    home.put("2026-01-03");
    home.backfill(&["days", "2026-01-01/2026-01-04", "--limit", "4"]);
    let service = home.serve("days");
    let states = || home.made("days").into_values().collect::<Vec<_>>();
    eventually("all but one have ended", || states() == ["success", "failed", "running", "failed"]);
    home.remove("fail.2026-01-02");
    home.remove("fail.2026-01-04");
    let failed = ["days", "2026-01-01/2026-01-05", "--failed"];
    let preview = home.backfill(&[&failed[..], &["--dry-run"]].concat());
    assert_eq!(
        (preview["reprocessed"].as_u64(), preview["new"].as_u64(), preview["left_alone"].as_u64()),
        (Some(2), Some(0), Some(3))
    );
    let reasons: Vec<&str> =
        preview["fates"].as_array().expect("a list").iter().filter_map(|fate| fate["reason"].as_str()).collect();
    assert_eq!(reasons, ["its run has not failed", "its run is cleared", "its run has not ended", "has no run"]);
    let token = preview["token"].as_str().expect("a token");
    // Meanwhile somebody repairs one of them.
    let marked = home.call(&["mark", "success", &id("2026-01-02"), "labelled", "--value", "\"by hand\""]);
    assert_eq!(marked.code, Some(0), "{}", marked.stderr);
    let refused = home.refused(&[&["backfill"], &failed[..], &["--token", token]].concat());
    let expected = "has changed since its preview: it was 0 new, 2 reprocessed and 3 left alone, now it is 0 new, \
                    1 reprocessed and 4 left alone";
    assert!(refused.contains(expected), "{refused}");
    assert!(home.refused(&[&["backfill"], &failed[..], &["--token", "1.2"]].concat()).contains("is not the token"));
    let preview = home.backfill(&[&failed[..], &["--dry-run"]].concat());
    let token = preview["token"].as_str().expect("a token");
    home.backfill(&[&failed[..], &["--token", token]].concat());
    let done = home.until(2, "done");
    assert_eq!((done["counts"]["again"].as_u64(), done["counts"]["success"].as_u64()), (Some(1), Some(1)));
    assert_eq!(states(), ["success", "success", "running", "success"], "and nothing else");
    assert_eq!(home.value(&id("2026-01-02")), "by hand");
    home.remove("2026-01-03");
    home.until(1, "done");
    assert_eq!(service.stop(), Some(0));
    let nothing = home.refused(&["backfill", "days", "2026-01-01/2026-01-04"]);
    assert!(nothing.contains("there is nothing to backfill: 4 slots: each has a run"), "{nothing}");
}

#[test]
fn failed_slots_are_retried_as_another_backfill() {
    let home = Home::new();
    home.put("fail.2026-01-02");
    home.put("fail.2026-01-03");
    home.backfill(&["days", "2026-01-01/2026-01-04", "--label", "mine"]);
    let service = home.serve("days");
    let done = home.until(1, "done");
    assert_eq!((done["counts"]["success"].as_u64(), done["counts"]["failed"].as_u64()), (Some(2), Some(2)));
    assert_eq!(done["failed"], serde_json::json!(["2026-01-01T15:00:00Z", "2026-01-02T15:00:00Z"]));
    home.remove("fail.2026-01-02");
    home.remove("fail.2026-01-03");
    let retry = home.json(&["backfills", "retry", "1"]);
    assert_eq!((retry["number"].as_i64(), retry["slots"].as_u64()), (Some(2), Some(2)));
    assert_eq!(home.until(2, "done")["counts"]["success"].as_u64(), Some(2));
    let sibling = format!("{}__b2", id("2026-01-02"));
    assert_eq!((home.made("days")[&sibling].as_str(), home.value(&sibling)), ("success", "mine".to_owned()));
    assert!(home.refused(&["backfills", "retry", "2"]).contains("no run of backfill 2 has failed"));
    assert_eq!(service.stop(), Some(0));
}

/// The last slot of the range has a run of its own, which succeeds. `retry` looked at that one, and
/// retried nothing.
#[test]
fn the_failed_run_of_a_whole_range_is_retried() {
    let home = Home::new();
    let service = home.serve("days");
    home.backfill(&["days", "2026-01-03/2026-01-04"]);
    home.until(1, "done");
    home.put("fail.2026-01-04");
    home.backfill(&["days", "2026-01-01/2026-01-04", "--as-one-run"]);
    assert_eq!(home.until(2, "done")["counts"]["failed"].as_u64(), Some(1));
    home.remove("fail.2026-01-04");
    let retry = home.json(&["backfills", "retry", "2"]);
    assert_eq!((retry["number"].as_i64(), retry["slots"].as_u64()), (Some(3), Some(4)));
    assert_eq!(home.until(3, "done")["counts"]["success"].as_u64(), Some(1));
    // Its run succeeds at last.
    let failed = home.made("days").into_keys().find(|run| run.ends_with("__days__b2")).expect("it was made");
    assert_eq!(home.call(&["retry", &failed]).code, Some(0));
    assert!(home.refused(&["backfills", "retry", "2"]).contains("no run of backfill 2 has failed"));
    assert_eq!(service.stop(), Some(0));
}

/// Case 62, from the command line. Days are those of the zone of the schedule.
#[test]
fn the_future_is_left_out_and_said() {
    let home = Home::new();
    let preview = home.backfill(&["days", "2026-01-30/2099-12-31", "--dry-run"]);
    assert_eq!(preview["fates"][0]["first"], "2026-01-29T15:00:00Z");
    assert_eq!(preview["future"]["last"], "2099-12-30T15:00:00Z");
    let shown = home.call(&["backfill", "days", "2026-01-30/2099-12-31", "--dry-run"]);
    assert!(shown.stderr.contains("left out, because they lie in the future"), "{}", shown.stderr);
    assert!(shown.stdout.contains("2026-01-30 00:00 +09:00"), "{}", shown.stdout);
    assert!(
        home.refused(&["backfill", "days", "2099-01-01/2099-12-31"])
            .contains("the first one comes at 2098-12-31T15:00:00Z")
    );
    assert_eq!(home.json(&["backfills"]), Value::Array(Vec::new()), "a preview stores nothing");
}

/// Cases 63 and 64, and what else a schedule does not allow.
#[test]
fn what_a_schedule_does_not_allow_is_refused_by_name() {
    let home = Home::new();
    let days = "2026-01-01/2026-01-05";
    let refused = home.refused(&["backfill", "chained", days, "--order", "newest"]);
    assert!(refused.contains("the order `newest` does not go with `after_previous`"), "{refused}");
    for words in [&["backfill", "once", days][..], &["backfill", "once", days, "--as-one-run"]] {
        let refused = home.refused(words);
        assert!(refused.contains("the DAG `once` cannot be backfilled: a schedule that is due once"), "{refused}");
    }
    assert!(home.refused(&["backfill", "manual", days, "--name", "ada"]).contains("has no schedule"));
    assert!(home.refused(&["backfill", "days", "2026-01-01T06:00:00Z"]).contains("is not a slot; the nearest are"));
    assert!(home.refused(&["backfill", "days", "yesterday"]).contains("neither a date nor"));
    assert!(home.refused(&["backfill", "days", days, "--order", "old"]).contains("`old`"));
    assert!(home.refused(&["backfill", "days", days, "--failed", "--all"]).contains("cannot be used with"));
}

/// Case 64.
#[test]
fn one_run_can_cover_the_whole_range() {
    let home = Home::new();
    let started = home.backfill(&["days", "2026-01-01/2026-01-31", "--as-one-run"]);
    assert_eq!((started["slots"].as_u64(), started["as_one_run"].as_bool()), (Some(31), Some(true)));
    let service = home.serve("days");
    let done = home.until(1, "done");
    assert_eq!((done["counts"]["new"].as_u64(), done["counts"]["success"].as_u64()), (Some(31), Some(1)));
    let run = "backfill__2025-12-30T15:00:00Z__2026-01-30T15:00:00Z__days__b1";
    assert_eq!(home.made("days").into_keys().collect::<Vec<_>>(), [run]);
    assert_eq!(home.value(run), "2026-01-31");
    assert_eq!(service.stop(), Some(0));
}

/// Case 64: the data interval of the run is the whole range, so what reads the interval reads all
/// of it. A DAG that does not read it is refused, unless one of its tasks could ask its context.
#[test]
fn one_run_for_a_range_has_the_interval_of_the_range() {
    let home = Home::new();
    let range = "2026-01-01T00:00:01Z/2026-01-01T00:01:00Z";
    let started = home.backfill(&["tides", range, "--as-one-run"]);
    assert_eq!(started["slots"].as_u64(), Some(60));
    let service = home.serve("tides");
    assert_eq!(home.until(1, "done")["counts"]["success"].as_u64(), Some(1));
    let run = home.made("tides").into_keys().next().expect("it has made one");
    let span = home.call(&["values", &run, "second"]).stdout.trim().to_owned();
    assert_eq!(span, "2026-01-01T00:00:00Z/2026-01-01T00:01:00Z");
    assert_eq!(service.stop(), Some(0));
    let refused = home.refused(&["backfill", "spring", "2026-01-01/2026-12-31", "--as-one-run"]);
    assert!(refused.contains("the slots have no data intervals, so one run cannot cover a range of them"), "{refused}");
    let refused = home.refused(&["backfill", "guarded", range, "--as-one-run"]);
    assert!(refused.contains("nothing in it takes the data interval"), "{refused}");
}

#[test]
fn a_backfill_has_parameters_of_its_own() {
    let home = Home::new();
    home.backfill(&["days", "2026-01-01/2026-01-02"]);
    let service = home.serve("days");
    home.until(1, "done");
    home.backfill(&["days", "2026-01-01/2026-01-03", "--all", "--label", "mine"]);
    home.until(2, "done");
    assert_eq!(home.value(&id("2026-01-01")), "2026-01-01", "the default of the run of that slot");
    assert_eq!(home.value(&format!("{}__b2", id("2026-01-01"))), "mine");
    assert_eq!(home.value(&id("2026-01-03")), "mine", "a slot without a run gets the run");
    assert_eq!(home.made("days").len(), 5);
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_run_that_cannot_be_made_is_counted_as_failed_with_its_reason() {
    let home = Home::new();
    home.backfill(&["failing", "2026-01-01T00:00:00Z/2026-01-01T00:00:04Z"]);
    let service = home.serve("failing");
    let done = home.until(1, "done");
    assert_eq!((done["counts"]["failed"].as_u64(), home.made("failing").len()), (Some(5), 0));
    let trouble = done["trouble"].as_str().expect("a reason");
    assert!(trouble.contains("no value for 2026-01-01"), "{trouble}");
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn with_after_previous_a_failed_run_holds_up_the_next_one() {
    let home = Home::new();
    home.put("fail.2026-01-02");
    home.backfill(&["chained", "2026-01-01/2026-01-04", "--limit", "3"]);
    let service = home.serve("chained");
    eventually("it waits for the failed run", || home.show(1)["active"][0]["blocks"] == true);
    assert_eq!(home.made("chained").len(), 2);
    home.remove("fail.2026-01-02");
    assert_eq!(home.call(&["retry", "scheduled__2026-01-02T00:00:00Z__chained"]).code, Some(0));
    assert_eq!(home.until(1, "done")["counts"]["success"].as_u64(), Some(4));
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn slots_that_were_backfilled_are_shown_with_their_runs() {
    let home = Home::new();
    home.backfill(&["days", "2026-01-01/2026-01-03"]);
    let service = home.serve("days");
    home.until(1, "done");
    assert_eq!(service.stop(), Some(0));
    let slots = home.slots("days");
    assert_eq!(slots.iter().filter(|slot| slot["run"].is_i64()).count(), 3, "{slots:?}");
}
