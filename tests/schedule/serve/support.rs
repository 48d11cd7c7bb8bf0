//! A home with services, and the files that steer the fixture.

use std::ops::Deref;
use std::path::PathBuf;
#[cfg(feature = "failpoints")]
use std::process::ChildStderr;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use taskflow::Timestamp;
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
        let mut program = self.command_with_signals(&["serve", "--only", only]);
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
