//! Ctrl-C, SIGTERM and SIGHUP while a DAG runs.

use std::io::{BufRead, BufReader, Read};
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use taskflow_tests::binaries::{self, ProgramOutput};
use taskflow_tests::home::ProgramHome;

fn wait_for(file: &PathBuf) {
    while !file.exists() {
        std::thread::yield_now();
    }
    let _ = std::fs::remove_file(file);
}

/// A home of its own: the first run is number 1.
struct Home(ProgramHome);

impl Deref for Home {
    type Target = ProgramHome;

    fn deref(&self) -> &ProgramHome {
        &self.0
    }
}

impl Home {
    fn new() -> Self {
        Home(ProgramHome::new("cli_single"))
    }

    fn started(&self) -> PathBuf {
        self.beside("started")
    }

    /// Starts a run, and returns when its task runs.
    fn start(&self, words: &[&str]) -> Child {
        let started = self.started();
        self.begin(&[&["run", "--started", started.to_str().expect("temporary paths are text")], words].concat())
    }

    /// Resumes the run, and returns when its task runs again.
    fn resume(&self) -> Child {
        self.begin(&["resume", "1"])
    }

    fn begin(&self, words: &[&str]) -> Child {
        let mut command = self.command_with_signals(words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("a built program starts");
        wait_for(&self.started());
        child
    }

    /// The state of the run and of the task that lingers, as stored.
    #[track_caller]
    fn states(&self) -> (String, String) {
        let document = self.call(&["status", "1", "--output", "json"]).json();
        let tasks = document["tasks"].as_array().expect("a list");
        let linger = tasks.iter().find(|task| task["id"] == "linger").expect("it is in the graph");
        let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
        (text(&document["state"]), text(&linger["state"]))
    }
}

fn send(signal: &str, child: &Child) {
    let kill = format!("kill -{signal} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().is_ok_and(|status| status.success()));
}

/// Reads up to the line with this text.
#[track_caller]
fn read_until(lines: &mut impl BufRead, text: &str) {
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        assert!(lines.read_line(&mut line).expect("a line") > 0, "it ended without a word");
    }
}

/// B1, E15: one Ctrl-C. The run is stored, and `resume` continues it: nothing is cancelled.
#[test]
fn ctrl_c_leaves_a_run_that_can_be_resumed() {
    let home = Home::new();
    let child = home.start(&["--output", "json"]);
    send("INT", &child);
    let output: ProgramOutput = child.wait_with_output().unwrap().into();
    assert_eq!(output.code, Some(130));
    let line = output.stderr.lines().find(|line| line.starts_with("stopping")).unwrap_or_else(|| panic!("{output:?}"));
    let start = "stopping: waiting up to 10 s for 1 running task; Ctrl-C again stops at once; the run can be resumed \
                 with `";
    assert!(line.starts_with(start) && line.ends_with("cli_single resume 1`"), "{line}");
    let document = output.json();
    assert_eq!((&document["state"], &document["halt_reason"]), (&"interrupted".into(), &"interrupted".into()));
    assert_eq!(home.states().0, "interrupted");

    // It begins again, and waits again until it is asked to stop.
    let resumed = home.resume();
    send("TERM", &resumed);
    let output: ProgramOutput = resumed.wait_with_output().unwrap().into();
    assert_eq!(output.code, Some(143), "{output:?}");
    assert_eq!(home.states().0, "interrupted");
}

/// `cancel` is what ends a run for good.
#[test]
fn an_interrupted_run_is_ended_by_cancel() {
    let home = Home::new();
    let child = home.start(&[]);
    send("TERM", &child);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(143));
    assert_eq!(home.call(&["cancel", "1"]).code, Some(0));
    assert_eq!(home.states(), ("cancelled".to_owned(), "cancelled".to_owned()));
    assert_eq!(home.call(&["resume", "1"]).code, Some(2));
}

#[test]
fn a_second_ctrl_c_stops_at_once() {
    let home = Home::new();
    let mut child = home.start(&["--stubborn"]);
    send("INT", &child);
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    read_until(&mut lines, "Ctrl-C again stops at once");
    send("INT", &child);
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(rest.lines().last(), Some("stopped at once"), "{rest}");
    assert_eq!(home.states().0, "interrupted");
}

/// A service with a run whose task ignores that it is asked to stop.
#[test]
fn a_second_sigterm_stops_a_service_at_once() {
    let home = Home::new();
    let started = home.started();
    let started = started.to_str().expect("temporary paths are text");
    let queued = home.call(&["trigger", "--started", started, "--stubborn"]);
    assert_eq!(queued.code, Some(0), "{queued:?}");
    let mut child = home.begin(&["serve"]);
    send("TERM", &child);
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    read_until(&mut lines, "a second signal stops at once");
    send("TERM", &child);
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143), "{rest}");
    assert_eq!(rest.lines().last(), Some("stopped at once"), "{rest}");
    // The next service resumes it.
    assert_eq!(home.states().0, "interrupted");
}

/// B1: SIGTERM, as a supervisor sends it.
#[test]
fn sigterm_drains_with_a_code_of_its_own() {
    let home = Home::new();
    let child = home.start(&[]);
    send("TERM", &child);
    let output: ProgramOutput = child.wait_with_output().unwrap().into();
    assert_eq!(output.code, Some(143));
    let line = "stopping: waiting up to 10 s for 1 running task; a second signal stops at once; the run can be resumed";
    assert!(output.stderr.contains(line), "{output:?}");
    assert!(output.stderr.contains("greeting: interrupted (terminated)"), "{output:?}");
    assert!(output.stderr.contains("to resume: "), "{output:?}");
    assert_eq!(home.states(), ("interrupted".to_owned(), "scheduled".to_owned()));
}

/// B1: a closed terminal sends SIGHUP.
#[test]
fn a_closed_terminal_is_as_sigterm() {
    let home = Home::new();
    let child = home.start(&[]);
    send("HUP", &child);
    let output: ProgramOutput = child.wait_with_output().unwrap().into();
    assert_eq!(output.code, Some(129), "{output:?}");
    assert_eq!(home.states().0, "interrupted");
}

/// `nohup program run`.
#[test]
fn a_signal_that_the_program_was_started_to_ignore_stays_ignored() {
    let home = Home::new();
    let mut program = binaries::program("cli_single");
    program.args(["run", "--started"]).arg(home.started());
    let mut shell = binaries::with_signals();
    shell.args(["sh", "-c", r#"trap '' HUP; exec "$0" "$@""#]).arg(program.get_program()).args(program.get_args());
    shell.env("TASKFLOW_HOME", home.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = shell.spawn().expect("there is a shell");
    wait_for(&home.started());
    send("HUP", &child);
    send("TERM", &child);
    let output: ProgramOutput = child.wait_with_output().unwrap().into();
    assert_eq!(output.code, Some(143), "{output:?}");
}

/// Without a store there is nothing to resume.
#[test]
fn a_run_that_is_not_stored_is_cancelled() {
    let child = Home::new().start(&["--durability", "ephemeral", "--output", "json"]);
    send("TERM", &child);
    let output: ProgramOutput = child.wait_with_output().unwrap().into();
    assert_eq!(output.code, Some(143));
    let line = "stopping: waiting up to 10 s for 1 running task; a second signal stops at once; the run is not stored, so \
                it is cancelled and cannot be resumed\n";
    assert!(output.stderr.contains(line), "{output:?}");
    let document = output.json();
    assert_eq!((&document["state"], &document["halt_reason"]), (&"cancelled".into(), &"terminated".into()));
    let linger = &document["tasks"][3];
    assert_eq!((&linger["id"], &linger["state"]), (&"linger".into(), &"cancelled".into()));
}
