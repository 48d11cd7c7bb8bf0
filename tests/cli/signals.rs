//! Ctrl-C and SIGTERM while a DAG runs.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use taskflow_tests::binaries::{self, ProgramOutput};

/// Starts the fixture, and returns when its task runs.
fn start(test: &str, words: &[&str]) -> Child {
    let started = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli_signals_{test}_{}", std::process::id()));
    let _ = std::fs::remove_file(&started);
    let mut command = binaries::program("cli_single");
    command.args(["run", "--started"]).arg(&started).args(words);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a built program starts");
    wait_for(&started);
    child
}

fn wait_for(file: &PathBuf) {
    while !file.exists() {
        std::thread::yield_now();
    }
    let _ = std::fs::remove_file(file);
}

fn send(signal: &str, child: &Child) {
    let kill = format!("kill -{signal} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().is_ok_and(|status| status.success()));
}

#[test]
fn ctrl_c_stops_running_tasks_and_reports_their_outcome() {
    let child = start("once", &["--output", "json"]);
    send("INT", &child);
    let output: ProgramOutput = child.wait_with_output().unwrap().into();
    assert_eq!(output.code, Some(130));
    assert!(
        output
            .stderr
            .contains("interrupted: waiting up to 10 s for 1 running task to stop; Ctrl-C again stops at once\n")
    );
    let document = output.json();
    assert_eq!((&document["state"], &document["halt_reason"]), (&"cancelled".into(), &"interrupted".into()));
    let linger = &document["tasks"][3];
    assert_eq!((&linger["id"], &linger["state"]), (&"linger".into(), &"cancelled".into()));
}

#[test]
fn a_second_ctrl_c_stops_at_once() {
    let mut child = start("twice", &["--stubborn"]);
    send("INT", &child);
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("Ctrl-C again stops at once") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "it ended without a word");
    }
    send("INT", &child);
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(rest.lines().last(), Some("stopped at once"), "{rest}");
}

#[test]
fn sigterm_acts_like_ctrl_c_with_its_own_exit_code() {
    let child = start("term", &[]);
    send("TERM", &child);
    let output: ProgramOutput = child.wait_with_output().unwrap().into();
    assert_eq!(output.code, Some(143));
    assert!(
        output
            .stderr
            .contains("terminated: waiting up to 10 s for 1 running task to stop; a second signal stops at once"),
        "{output:?}"
    );
    assert!(output.stderr.contains("greeting: cancelled (terminated)"), "{output:?}");
}
