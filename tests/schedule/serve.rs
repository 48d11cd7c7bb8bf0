//! The verbs `serve`, `next`, `slots`, `pause`, `unpause` and `trigger`, with real processes.

use std::collections::HashSet;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use taskflow::Timestamp;
use taskflow_tests::binaries::{ProgramOutput, call_at, program_with_signals};
use taskflow_tests::common::eventually;
use tempfile::TempDir;

struct Home {
    directory: TempDir,
}

impl Home {
    fn new() -> Self {
        Home { directory: tempfile::tempdir().expect("temporary directories can be made") }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    fn hold(&self) -> PathBuf {
        self.directory.path().join("hold")
    }

    fn call(&self, words: &[&str]) -> ProgramOutput {
        call_at(&self.path(), "serves", words)
    }

    /// A service of some DAGs.
    fn serve(&self, only: &str) -> Service {
        let mut program = program_with_signals("serves");
        program.args(["serve", "--quiet", "--only", only]).env("TASKFLOW_HOME", self.path());
        program.env("SERVES_HOLD", self.hold()).stdin(Stdio::null()).stdout(Stdio::null());
        Service(program.spawn().expect("a built program starts"))
    }

    fn slots(&self, dag: &str) -> Vec<Value> {
        let slots = self.call(&["slots", dag, "--limit", "1000", "--output", "json"]).json();
        slots.as_array().expect("a list").clone()
    }

    /// The runs of a DAG, oldest first.
    fn runs(&self, dag: &str) -> Vec<Value> {
        let runs = self.call(&["runs", "--dag", dag, "--limit", "0", "--output", "json"]).json();
        let mut runs = runs.as_array().expect("a list").clone();
        runs.sort_by_key(|run| run["number"].as_i64());
        runs
    }

    fn count(&self, dag: &str, state: &str) -> usize {
        self.runs(dag).iter().filter(|run| run["state"] == state).count()
    }
}

struct Service(Child);

impl Service {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("it is running");
    }

    /// Asks it to stop, and returns its exit code.
    fn stop(mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.0.wait().expect("a child can be waited for").code()
    }

    fn kill(mut self) {
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

fn time(value: &Value) -> Timestamp {
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
    let slots = home.slots("seconds");
    let times: Vec<Timestamp> = slots.iter().map(|slot| time(&slot["first"])).rev().collect();
    let distinct: HashSet<Timestamp> = times.iter().copied().collect();
    assert_eq!(distinct.len(), times.len(), "{slots:?}");
    for pair in times.windows(2) {
        assert_eq!(pair[1].since(pair[0]).as_secs(), 1, "no slot is lost: {times:?}");
    }
    assert!(slots.iter().all(|slot| slot["run"].is_i64()), "`catchup = \"all\"` runs all: {slots:?}");
    assert_eq!(home.call(&["db", "check"]).code, Some(0));
}

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
    eventually("the next one serves", || lock().trim().ends_with(&own));
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
    assert!(next.stderr.contains("`careful` is paused by mina: migration"), "{}", next.stderr);
    let again = home.call(&["pause", "careful"]);
    assert_eq!((again.code, again.stderr.contains("already paused, by mina")), (Some(2), true));
    assert_eq!(home.runs("careful").len(), runs);
    assert_eq!(service.stop(), Some(0));
    let unpaused = home.call(&["unpause", "careful", "--output", "json"]).json();
    let records = unpaused.as_array().expect("a list");
    assert!(records.iter().all(|record| record["reason"] == "paused by mina: migration"), "{records:?}");
    assert_eq!(home.call(&["unpause", "careful"]).code, Some(2));
}

#[test]
fn a_service_tells_systemd_when_it_is_ready_and_when_it_stops() {
    let home = Home::new();
    let path = home.directory.path().join("notify");
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
