//! The verbs `serve`, `next`, `slots`, `pause`, `unpause` and `trigger`, with real processes.

use std::collections::HashSet;
use std::ops::Deref;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
#[cfg(feature = "failpoints")]
use std::process::ChildStderr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use taskflow::Timestamp;
use taskflow_tests::binaries::{call_at, program_with_signals};
use taskflow_tests::common::eventually;
use taskflow_tests::home::ProgramHome;

/// A home of its own for a test, and the files that steer the fixture.
pub(crate) struct Home(ProgramHome);

impl Deref for Home {
    type Target = ProgramHome;

    fn deref(&self) -> &ProgramHome {
        &self.0
    }
}

impl Home {
    pub(crate) fn new() -> Self {
        Home(ProgramHome::new("serves"))
    }

    pub(crate) fn hold(&self) -> PathBuf {
        self.beside("hold")
    }

    pub(crate) fn panic(&self) -> PathBuf {
        self.beside("panic")
    }

    /// Moves the clocks of services.
    #[cfg(feature = "failpoints")]
    pub(crate) fn move_clock(&self, seconds: i64) {
        let (next, clock) = (self.beside("next"), self.clock());
        std::fs::write(&next, seconds.to_string()).and_then(|()| std::fs::rename(next, clock)).expect("it is a file");
    }

    /// Sets the clocks of services.
    #[cfg(feature = "failpoints")]
    pub(crate) fn set_clock(&self, to: Timestamp) {
        self.move_clock((to.as_nanos() - Timestamp::now().as_nanos()) / 1_000_000_000);
    }

    pub(crate) fn clock(&self) -> PathBuf {
        self.beside("clock")
    }

    /// The notes in the history of a schedule, oldest first. On a busy machine any schedule may
    /// fall behind.
    pub(crate) fn notes(&self, dag: &str) -> Vec<Value> {
        let notes = self.slots(dag).into_iter().rev().map(|slot| slot["note"].clone());
        notes.filter(|note| note.is_object() && note["kind"] != "falls_behind").collect()
    }

    /// A service of some DAGs.
    pub(crate) fn serve(&self, only: &str) -> Service {
        self.serve_with(only, "")
    }

    /// A service of some DAGs that dies or fails where the failpoints say.
    pub(crate) fn serve_with(&self, only: &str, failpoints: &str) -> Service {
        let mut program = self.serving(only, failpoints);
        Service(program.arg("--quiet").spawn().expect("a built program starts"))
    }

    /// A service of some DAGs, and its log.
    #[cfg(feature = "failpoints")]
    pub(crate) fn serve_aloud(&self, only: &str) -> (Service, ChildStderr) {
        let mut service = self.serving(only, "").stderr(Stdio::piped()).spawn().expect("a built program starts");
        let log = service.stderr.take().expect("it is piped");
        (Service(service), log)
    }

    fn serving(&self, only: &str, failpoints: &str) -> Command {
        let mut program = program_with_signals("serves");
        program.args(["serve", "--only", only]).env("TASKFLOW_HOME", self.path());
        program
            .env("SERVES_HOLD", self.hold())
            .env("SERVES_PANIC", self.panic())
            .env("TASKFLOW_CLOCK", self.clock())
            .env("TASKFLOW_FAILPOINTS", failpoints)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        program
    }

    pub(crate) fn slots(&self, dag: &str) -> Vec<Value> {
        self.slots_up_to(dag, 1_000)
    }

    pub(crate) fn slots_up_to(&self, dag: &str, limit: u32) -> Vec<Value> {
        let slots = self.call(&["slots", dag, "--limit", &limit.to_string(), "--output", "json"]).json();
        slots.as_array().expect("a list").clone()
    }

    /// The run of a DAG that was created last.
    #[cfg(feature = "failpoints")]
    pub(crate) fn last_run(&self, dag: &str) -> Option<Value> {
        let runs = self.call(&["runs", "--dag", dag, "--limit", "1", "--output", "json"]).json();
        runs.as_array().and_then(|runs| runs.first().cloned())
    }

    /// The runs of a DAG, oldest first.
    pub(crate) fn runs(&self, dag: &str) -> Vec<Value> {
        let runs = self.call(&["runs", "--dag", dag, "--limit", "0", "--output", "json"]).json();
        let mut runs = runs.as_array().expect("a list").clone();
        runs.sort_by_key(|run| run["number"].as_i64());
        runs
    }

    pub(crate) fn count(&self, dag: &str, state: &str) -> usize {
        self.runs(dag).iter().filter(|run| run["state"] == state).count()
    }
}

pub(crate) struct Service(pub(crate) Child);

impl Service {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("it is running");
    }

    /// Asks it to stop, and returns its exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        eventually("it handles signals", || self.handles_sigterm());
        self.signal(Signal::TERM);
        self.0.wait().expect("a child can be waited for").code()
    }

    /// Whether it has got so far that SIGTERM does not kill it. Only Linux says so.
    fn handles_sigterm(&self) -> bool {
        let Ok(status) = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())) else { return true };
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        // A process that has ended handles none.
        caught.is_none_or(|mask| mask & 1 << 14 != 0) || status.contains("State:\tZ")
    }

    /// Whether it has not ended.
    #[cfg(feature = "failpoints")]
    pub(crate) fn is_alive(&mut self) -> bool {
        self.0.try_wait().expect("a child can be waited for").is_none()
    }

    pub(crate) fn kill(mut self) {
        self.0.kill().expect("it is running");
        self.0.wait().expect("a child can be waited for");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // A test that fails leaves no service behind.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn time(value: &Value) -> Timestamp {
    value.as_str().and_then(|text| text.parse().ok()).expect("a time")
}

#[test]
fn each_slot_is_one_run_through_kills() {
    let home = Home::new();
    for kills in 0..4 {
        let service = home.serve("seconds");
        let before = home.runs("seconds").len();
        eventually("two more slots run", || home.runs("seconds").len() >= before + 2);
        if kills < 3 {
            service.kill();
        } else {
            eventually("no run is left", || home.count("seconds", "interrupted") == 0);
            assert_eq!(service.stop(), Some(0));
        }
    }
    let mut slots = home.slots("seconds");
    // On a busy machine a run takes longer than a second, and the next slots wait for its end.
    slots.retain(|slot| slot["fate"] != "waiting" && slot["fate"] != "note");
    let times: Vec<Timestamp> = slots.iter().map(|slot| time(&slot["first"])).rev().collect();
    let distinct: HashSet<Timestamp> = times.iter().copied().collect();
    assert_eq!(distinct.len(), times.len(), "{slots:?}");
    for pair in times.windows(2) {
        assert_eq!(pair[1].since(pair[0]).as_secs(), 1, "no slot is lost: {slots:?}");
    }
    assert!(slots.iter().all(|slot| slot["run"].is_i64()), "`catchup = \"all\"` runs all: {slots:?}");
    assert_eq!(home.call(&["db", "check"]).code, Some(0));
}

/// Case 45, first part.
#[test]
fn a_home_has_one_service() {
    let home = Home::new();
    let service = home.serve("morning");
    eventually("the service holds its lock", || home.path().join("serve.lock").exists());
    eventually("the second one is refused", || {
        let second = home.call(&["serve", "--only", "morning", "--no-schedule"]);
        second.code == Some(2) && second.stderr.contains(&format!(":{} already serves this home", service.0.id()))
    });
    assert_eq!(service.stop(), Some(0));
    let third = home.serve("morning");
    let own = format!(":{}", third.0.id());
    let lock = || std::fs::read_to_string(home.path().join("serve.lock")).unwrap_or_default();
    eventually("the next one serves", || lock().lines().next().is_some_and(|worker| worker.ends_with(&own)));
    assert_eq!(third.stop(), Some(0));
}

#[test]
fn a_stopped_service_loses_no_work() {
    let home = Home::new();
    std::fs::write(home.hold(), "").expect("temporary files can be written");
    let service = home.serve("seconds");
    eventually("a run is running", || home.count("seconds", "running") == 1);
    let first = home.runs("seconds")[0]["run_id"].clone();
    assert_eq!(service.stop(), Some(0));
    assert_eq!(home.runs("seconds")[0]["state"], "interrupted");
    std::fs::remove_file(home.hold()).expect("it is there");
    let service = home.serve("seconds");
    eventually("it is resumed", || home.runs("seconds")[0]["state"] == "success");
    assert_eq!(home.runs("seconds")[0]["run_id"], first);
    assert_eq!(service.stop(), Some(0));
}

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

/// Case 41: no slot twice; the next one when the clock passes the last; noted once.
#[cfg(feature = "failpoints")]
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
#[cfg(feature = "failpoints")]
#[test]
fn a_service_whose_clock_is_far_behind_schedules_nothing() {
    let home = Home::new();
    home.move_clock(10 * 365 * 86_400);
    let service = home.serve("morning,seconds");
    eventually("slots of the future run", || home.count("seconds", "success") > 1);
    assert_eq!(service.stop(), Some(0));
    home.move_clock(0);
    let before = home.runs("seconds").len();
    let mut program = program_with_signals("serves");
    program.args(["serve", "--only", "seconds"]).env("TASKFLOW_HOME", home.path()).env("SERVES_HOLD", home.hold());
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
#[cfg(feature = "failpoints")]
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

#[test]
fn a_service_tells_systemd_when_it_is_ready_and_when_it_stops() {
    let home = Home::new();
    let path = home.beside("notify");
    let socket = UnixDatagram::bind(&path).expect("temporary sockets can be bound");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("it is not zero");
    let said = || {
        let mut text = [0; 64];
        let length = socket.recv(&mut text).expect("a message");
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    let mut program = program_with_signals("serves");
    program
        .args(["serve", "--quiet", "--only", "morning"])
        .env("TASKFLOW_HOME", home.path())
        .env("NOTIFY_SOCKET", &path);
    let service = Service(program.spawn().expect("a built program starts"));
    assert_eq!(said(), "READY=1");
    assert_eq!(service.stop(), Some(0));
    assert_eq!(said(), "STOPPING=1");
}

#[test]
fn a_service_starts_what_is_queued() {
    let home = Home::new();
    let queued = home.call(&["trigger", "manual", "--name", "ada", "--output", "json"]).json();
    assert_eq!((queued["state"].as_str(), queued["run_type"].as_str()), (Some("queued"), Some("manual")));
    let service = home.serve("manual");
    eventually("the run of before", || home.count("manual", "success") == 1);
    let queued = home.call(&["trigger", "manual", "--name", "grace"]);
    assert!(queued.stderr.contains("run 2 of `manual` is queued"), "{}", queued.stderr);
    eventually("the run of now", || home.count("manual", "success") == 2);
    assert_eq!(home.call(&["values", "2", "second"]).stdout.trim(), "grace");
    assert_eq!(service.stop(), Some(0));
    let missing = home.call(&["trigger", "manual"]);
    assert_eq!(missing.code, Some(2), "{}", missing.stderr);
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

/// 21:00 in UTC is 06:00 of the next day in Seoul.
#[test]
fn the_day_of_a_run_is_that_of_the_zone_of_its_schedule() {
    let home = Home::new();
    let run = home.call(&["run", "morning", "--logical-date", "2026-01-30T21:00:00Z"]);
    assert_eq!((run.code, run.stdout.trim()), (Some(0), "2026-01-31"), "{}", run.stderr);
}

#[test]
fn each_event_is_one_run_through_kills() {
    let home = Home::new();
    for kills in 0..4 {
        let service = home.serve("seconds,echoes");
        let before = home.runs("echoes").len();
        eventually("two more events run", || home.runs("echoes").len() >= before + 2);
        if kills < 3 {
            service.kill();
        } else {
            let open = || home.count("seconds", "interrupted") + home.count("echoes", "interrupted");
            eventually("no run is left", || open() == 0);
            assert_eq!(service.stop(), Some(0));
        }
    }
    // What the stopped service has not seen any more.
    let service = home.serve("echoes");
    let events = home.call(&["events", "dag:seconds", "--limit", "1000", "--output", "json"]).json();
    let numbers: Vec<i64> =
        events.as_array().expect("a list").iter().map(|event| event["number"].as_i64().unwrap()).collect();
    // Events of before the first service are not consumed, and there are none.
    eventually("each event has a run", || home.count("echoes", "success") >= numbers.len());
    assert_eq!(service.stop(), Some(0));
    let consumed: Vec<String> =
        home.runs("echoes").iter().map(|run| run["run_id"].as_str().unwrap().to_owned()).collect();
    let mut expected: Vec<String> = numbers.iter().map(|number| format!("event__{number}__echoes")).collect();
    expected.reverse();
    assert_eq!(consumed, expected, "in order, and each once");
    assert_eq!(home.call(&["db", "check"]).code, Some(0));
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
