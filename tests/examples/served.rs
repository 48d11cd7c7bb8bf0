//! Examples with schedules, served as their users would: the services are killed, and lose and
//! double nothing.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::Value;
use taskflow::Timestamp;
use taskflow_tests::binaries::program;
use taskflow_tests::common::eventually;
use tempfile::TempDir;

/// A directory with the data of the examples, in which an example is called.
struct Place {
    directory: TempDir,
    example: &'static str,
}

struct Service(Child);

impl Drop for Service {
    /// SIGKILL, which leaves it no time for anything.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Place {
    fn of(example: &'static str) -> Self {
        let directory = tempfile::tempdir().expect("temporary directories can be made");
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
        let examples = examples.canonicalize().expect("the examples are there");
        std::os::unix::fs::symlink(examples, directory.path().join("examples")).expect("links can be made");
        std::fs::create_dir(directory.path().join("target")).expect("directories can be made");
        Place { directory, example }
    }

    fn clock(&self) -> PathBuf {
        self.directory.path().join("clock")
    }

    /// Moves the clocks of all programs here.
    #[cfg(feature = "failpoints")]
    fn move_clock(&self, seconds: i64) {
        let (next, clock) = (self.directory.path().join("next"), self.clock());
        std::fs::write(&next, seconds.to_string()).and_then(|()| std::fs::rename(next, clock)).expect("it is a file");
    }

    fn program(&self, words: &[&str]) -> std::process::Command {
        let mut program = program(self.example);
        program.current_dir(self.directory.path()).env("TASKFLOW_HOME", self.directory.path().join("home"));
        program.env("TASKFLOW_CLOCK", self.clock()).args(words);
        program
    }

    fn serve(&self) -> Service {
        Service(self.program(&["serve", "--quiet"]).stdout(Stdio::null()).spawn().expect("a built program starts"))
    }

    #[track_caller]
    fn json(&self, words: &[&str]) -> Value {
        let output = self.program(words).args(["--output", "json"]).output().expect("a built program starts");
        assert!(output.status.success(), "{words:?}: {output:?}");
        serde_json::from_slice(&output.stdout).expect("it writes JSON")
    }

    fn list(&self, words: &[&str]) -> Vec<Value> {
        self.json(words).as_array().expect("a list").clone()
    }

    /// The logical dates and the states of the runs of a DAG, oldest first.
    fn runs(&self, dag: &str) -> Vec<(Timestamp, String)> {
        let time = |run: &Value| run["logical_date"].as_str().and_then(|text| text.parse().ok()).expect("a time");
        let runs = self.list(&["runs", "--dag", dag, "--limit", "0"]);
        let mut runs: Vec<_> =
            runs.iter().map(|run| (time(run), run["state"].as_str().unwrap_or_default().to_owned())).collect();
        runs.sort();
        runs
    }

    fn is_up(&self) -> bool {
        self.program(&["consumers"]).output().is_ok_and(|output| output.status.success())
            && self.directory.path().join("home/serve.lock").exists()
    }
}

/// Its slot comes within seconds, because the clock says so.
#[cfg(feature = "failpoints")]
#[test]
fn delays_runs_at_its_minute_and_a_killed_service_loses_and_doubles_nothing() {
    use std::time::Duration;

    let place = Place::of("delays");
    let next = || -> Timestamp {
        let next = place.list(&["next", "delays", "-n", "1"]);
        next[0]["slots"][0]["at"].as_str().and_then(|text| text.parse().ok()).expect("a time")
    };
    let until = |slot: Timestamp| i64::try_from(slot.since(Timestamp::now()).as_secs()).expect("a short time");
    place.move_clock(0);
    let first = next();
    place.move_clock(until(first) - 8);
    assert_eq!(next(), first, "`next` says when");
    let service = place.serve();
    eventually("it serves", || place.is_up());
    assert_eq!(place.runs("delays"), [], "it is not due yet");
    eventually("the run is stored", || !place.runs("delays").is_empty());
    drop(service);
    assert_eq!(place.runs("delays").len(), 1);
    let service = place.serve();
    eventually("it ends", || place.runs("delays") == [(first, "success".to_owned())]);
    drop(service);

    // The next slot comes while no service is running.
    let second = next();
    assert!(second.since(first) >= Duration::from_secs(23 * 3_600), "a day later");
    place.move_clock(until(second) + 600);
    let service = place.serve();
    let done = [(first, "success".to_owned()), (second, "success".to_owned())];
    eventually("the slot runs late", || place.runs("delays") == done);
    drop(service);
    assert_ne!(next(), second);
    let fates: Vec<Value> = place.list(&["slots", "delays"]).iter().map(|slot| slot["fate"].clone()).collect();
    assert_eq!(fates, ["success", "success"]);
}

#[test]
fn a_backfill_of_a_year_starts_its_consumer_and_a_killed_service_loses_and_doubles_nothing() {
    let place = Place::of("daily");
    let service = place.serve();
    let consumer = || place.json(&["consumers"])[0].clone();
    eventually("the service knows its DAGs", || consumer()["inputs"][0]["cursor"].is_i64());
    let started = place.json(&["backfill", "flights", "2013-01-01/2013-12-31", "--limit", "4"]);
    assert_eq!(started["slots"].as_u64(), Some(365));
    let shown = || place.json(&["backfills", "show", "1"]);
    let successes = || shown()["counts"]["success"].as_u64().unwrap_or_default();
    eventually("some days are counted", || successes() > 10);
    drop(service);
    let service = place.serve();
    let before = successes();
    eventually("some more are", || successes() > before + 40);
    drop(service);
    let service = place.serve();
    // A busy machine takes its time for a year.
    while shown()["state"] != "done" {
        let before = successes();
        eventually("another day is counted", || successes() > before || shown()["state"] == "done");
    }
    let counts = shown()["counts"].clone();
    assert_eq!((counts["new"].as_u64(), counts["success"].as_u64()), (Some(365), Some(365)));
    eventually("everything is consumed", || {
        let consumer = consumer();
        consumer["inputs"][0]["pending"] == 0 && consumer["active_runs"] == 0
    });
    drop(service);

    let days = place.list(&["events", "flights/by_day", "--limit", "5000"]);
    let distinct: std::collections::BTreeSet<&str> = days.iter().filter_map(|day| day["partition"].as_str()).collect();
    // The day of today may be among them.
    let of_year = distinct.iter().filter(|day| day.starts_with("2013-")).count();
    assert_eq!((days.len(), of_year), (distinct.len(), 365));
    let rankings = place.list(&["events", "dag:busiest", "--limit", "5000"]);
    let sum = |field: &str| rankings.iter().filter_map(|ranking| ranking["payload"][field].as_u64()).sum::<u64>();
    assert_eq!((sum("days"), sum("flights")), (days.len() as u64, 27_004), "each day is consumed once: {rankings:?}");
}
