//! Several processes on one home: runs that are killed, watched, cancelled and refused from
//! outside.

use std::io::{BufRead, BufReader, Read};
use std::ops::Deref;
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use taskflow_tests::binaries::{ProgramOutput, masked};
use taskflow_tests::common::eventually;
use taskflow_tests::home::ProgramHome;

/// A home of its own for a test, and the files that its tasks write and wait for.
struct Home(ProgramHome);

impl Deref for Home {
    type Target = ProgramHome;

    fn deref(&self) -> &ProgramHome {
        &self.0
    }
}

impl Home {
    fn new() -> Self {
        Home(ProgramHome::new("cli_history"))
    }

    /// The words that run the DAG that waits for the file `go`.
    fn long(&self, started: &Path) -> [String; 6] {
        let file = |path: &Path| path.to_str().expect("temporary paths are text").to_owned();
        ["run", "long", "--started", &file(started), "--go", &file(&self.beside("go"))].map(str::to_owned)
    }

    /// Calls the program while the store is locked, and lets whoever has the lock go on as soon as
    /// the program says that it waits for `holder`.
    fn call_locked_out(&self, words: &[&str], holder: &str, let_go: impl FnOnce()) -> ProgramOutput {
        let (mut child, mut let_go, mut printed) = (self.spawn(words), Some(let_go), String::new());
        for line in BufReader::new(child.stderr.take().expect("it is piped")).lines() {
            let line = line.expect("the program prints text");
            if line.contains("the runs wait for it") && line.contains(holder) {
                let_go.take().into_iter().for_each(|let_go| let_go());
            }
            printed += &format!("{line}\n");
        }
        ProgramOutput { stderr: printed, ..end(child) }
    }

    /// Starts the run that waits for the file `go`, and returns when it waits.
    fn start(&self, name: &str) -> Child {
        let started = self.beside(&format!("started_{name}"));
        let child = self.spawn(&self.long(&started));
        eventually("the task starts", || started.exists());
        child
    }

    /// Returns when a task of the last run waits for an event.
    fn waits(&self, event: &str) {
        eventually("a task waits", || {
            let output = self.call(&["status", "--output", "json"]);
            // At first there is no run.
            output.code == Some(0)
                && output.json()["tasks"]
                    .as_array()
                    .is_some_and(|tasks| tasks.iter().any(|task| task["waits_for"]["event"] == event))
        });
    }

    fn go(&self) {
        std::fs::write(self.beside("go"), "").expect("temporary files can be written");
    }
}

fn end(child: Child) -> ProgramOutput {
    child.wait_with_output().expect("a child can be waited for").into()
}

#[test]
fn a_killed_run_is_interrupted_and_resume_finishes_it() {
    let home = Home::new();
    let mut child = home.start("killed");
    eventually("the start of the task is stored", || home.json(&["status"])["tasks"][1]["state"] == "running");
    child.kill().unwrap();
    child.wait().unwrap();

    let status = home.call(&["status"]);
    let text = masked(&status.stdout);
    assert!(text.starts_with("run 1 of long: interrupted, 3 tasks: 1 success, 1 running, 1 waiting\n"), "{text}");
    assert!(text.contains("\n  no process is running it: `resume 1` continues it\n"), "{text}");
    assert_eq!(home.json(&["runs", "--state", "interrupted"])[0]["number"], 1);
    assert_eq!(home.json(&["runs", "--state", "running"]), json!([]));
    let explained = home.call(&["explain", "1", "linger"]).stdout;
    assert!(
        explained.contains("attempt 1 was running when its process ended, so it is lost; another attempt follows"),
        "{explained}"
    );
    let explained = home.call(&["explain", "1", "double"]).stdout;
    assert!(explained.contains("waits for 1 of 1 upstream tasks, `linger` (running)"), "{explained}");
    let refusal = home.call(&["retry", "1"]);
    assert_eq!(refusal.stderr, "error: run 1 has no failed task; `resume 1` continues it\n");

    home.go();
    let output = home.call(&["resume"]);
    assert_eq!((output.code, &*output.stdout), (Some(0), "14\n"), "{output:?}");
    let status = home.json(&["status", "1"]);
    let attempts = |task: usize| status["tasks"][task]["attempts"].as_array().map(Vec::len);
    assert_eq!(status["state"], "success");
    assert_eq!((attempts(0), attempts(1), attempts(2)), (Some(1), Some(2), Some(1)));
    assert_eq!(status["tasks"][1]["attempts"][0]["failure"]["kind"], "lost");
}

/// B2: the program said "success" and exited with 0, and nothing was kept.
#[test]
fn a_run_whose_home_or_database_is_removed_is_interrupted_and_exits_with_one() {
    for removed in ["", "taskflow.db", "taskflow.db-wal"] {
        for output in [&[][..], &["--output", "json"]] {
            let home = Home::new();
            let started = home.beside("started");
            let long = home.long(&started);
            let words: Vec<&str> = long.iter().map(String::as_str).chain(output.iter().copied()).collect();
            let child = home.spawn(&words);
            eventually("the start of the task is stored", || {
                let status = home.call(&["status", "--output", "json"]);
                started.exists() && status.code == Some(0) && status.json()["tasks"][1]["state"] == "running"
            });
            match removed {
                // The run writes in it meanwhile.
                "" => eventually("the home is removed", || std::fs::remove_dir_all(home.path()).is_ok()),
                file => std::fs::remove_file(home.path().join(file)).expect("the file is there"),
            }
            home.go();
            let ended = end(child);
            assert_eq!(ended.code, Some(1), "{removed:?}: {ended:?}");
            let reason = "was removed or replaced while it was in use";
            if output.is_empty() {
                assert_eq!(ended.stdout, "", "{removed:?}: {ended:?}");
                assert!(ended.stderr.contains("long: interrupted"), "{removed:?}: {ended:?}");
                assert!(ended.stderr.contains(reason), "{removed:?}: {ended:?}");
            } else {
                let document = ended.json();
                assert_eq!(document["state"], "interrupted", "{removed:?}: {ended:?}");
                let halt_reason = document["halt_reason"].as_str().unwrap_or_default();
                assert!(halt_reason.contains(reason), "{removed:?}: {ended:?}");
            }
        }
    }
}

#[test]
fn a_live_run_can_be_read_from_outside_but_not_edited() {
    let home = Home::new();
    let child = home.start("live");
    eventually("the start of the task is stored", || home.json(&["status"])["tasks"][1]["state"] == "running");
    assert_eq!(home.json(&["runs"])[0]["state"], "running");
    for words in
        [&["resume", "1"][..], &["retry", "1"], &["clear", "1"], &["mark", "success", "1", "linger", "--value", "1"]]
    {
        let output = home.call(words);
        assert_eq!((output.code, &*output.stdout), (Some(2), ""), "{words:?} {output:?}");
        assert!(output.stderr.contains("; wait until it ends, or cancel it"), "{words:?} {output:?}");
    }
    assert_eq!(home.call(&["clear", "1", "--dry-run", "first"]).stdout, "first\n");
    home.go();
    assert_eq!(end(child).stdout, "14\n");
}

#[test]
fn a_run_is_cancelled_from_another_process() {
    let home = Home::new();
    let child = home.start("cancelled");
    let output = home.call(&["cancel", "1", "--reason", "wrong file"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert!(
        lines[0].starts_with("run 1 is running in process ") && lines[0].ends_with(", which was asked to cancel it"),
        "{output:?}"
    );
    assert_eq!(lines[1], "run 1 is cancelled");
    let ended = end(child);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("long: cancelled (wrong file"), "{ended:?}");
    let status = home.json(&["status", "1"]);
    assert!(status["halt_reason"].as_str().unwrap().starts_with("wrong file"), "{status}");
    home.go();
    let again = home.call(&["retry", "1", "-q"]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), "14\n"), "{again:?}");
}

#[test]
fn cancelling_without_waiting_returns_at_once() {
    let home = Home::new();
    let child = home.start("asked");
    let output = home.call(&["cancel", "last", "--no-wait", "--output", "json"]);
    let worker = output.json()["worker"].clone();
    assert_eq!((output.code, output.json()), (Some(0), json!({"number": 1, "state": "running", "worker": worker})));
    assert!(worker.as_str().is_some_and(|worker| worker.ends_with(&format!(":{}", child.id()))), "{worker}");
    assert_eq!(end(child).code, Some(1));
}

#[test]
fn an_interrupted_run_is_cancelled_at_once() {
    let home = Home::new();
    let mut child = home.start("unattended_job");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(home.json(&["cancel", "1"]), json!({"number": 1, "state": "cancelled"}));
    assert_eq!(home.json(&["runs"])[0]["state"], "cancelled");
}

#[test]
fn an_event_reaches_a_live_run_that_waits_for_it() {
    let home = Home::new();
    let child = home.spawn(&["run", "approved"]);
    home.waits("approval");
    let status = masked(&home.call(&["status"]).stdout);
    let waits = "waits: approval: event `approval`\n  send it with: cli_history release 1 approval";
    assert!(status.ends_with(waits), "{status}");
    let explained = home.call(&["explain", "1", "approval"]).stdout;
    assert!(explained.contains("`release 1 approval` sends it, with `--value JSON`"), "{explained}");

    // A typing mistake is reported, and a value that is not JSON is refused.
    let output = home.call(&["release", "1", "aproval", "--value", "\"ann\""]);
    assert!(output.stderr.ends_with("no task was waiting for it; tasks are waiting for `approval`\n"), "{output:?}");
    let output = home.call(&["release", "1", "approval", "--value", "ann"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("not valid JSON (") && output.stderr.contains("'\"text\"'"), "{output:?}");

    let output = home.call(&["release", "last", "approval", "--value", "\"ann\"", "--output", "json"]);
    assert_eq!(output.json()["waiting"], json!(["approval"]), "{output:?}");
    assert_eq!(end(child).stdout, "14 rows, approved by ann\n");
    let output = home.call(&["release", "1", "approval"]);
    assert!(output.stderr.contains("it has ended (success), so no task waits for events"), "{output:?}");
}

#[test]
fn a_run_killed_while_waiting_can_be_released_and_resumed() {
    let home = Home::new();
    let mut child = home.spawn(&["run", "approved", "-q"]);
    home.waits("approval");
    child.kill().unwrap();
    child.wait().unwrap();
    let output = home.call(&["release", "1", "approval", "--value", "\"bob\""]);
    assert_eq!(output.stderr, "event `approval` stored; no process is running run 1: `resume 1` continues it\n");
    assert_eq!(home.call(&["resume", "-q"]).stdout, "14 rows, approved by bob\n");
}

#[test]
fn the_log_of_a_live_run_is_followed_to_its_end() {
    let home = Home::new();
    let child = home.start("followed");
    let mut follow = home.spawn(&["logs", "last", "linger", "--follow"]);
    let mut lines = BufReader::new(follow.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert!(line.ends_with("INFO  linger: waits\n"), "{line}");
    home.go();
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("INFO  linger: goes on\n"), "{rest}");
    assert_eq!(follow.wait().unwrap().code(), Some(0));
    assert_eq!(end(child).code, Some(0));
}

#[test]
fn logs_are_shown_while_tasks_run() {
    let home = Home::new();
    let words = [&home.long(&home.beside("started"))[..], &["--logs".to_owned()]].concat();
    let mut child = home.spawn(&words);
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut seen = String::new();
    while !seen.contains("INFO  linger: waits\n") {
        assert!(lines.read_line(&mut seen).unwrap() > 0, "{seen}");
    }
    home.go();
    lines.read_to_string(&mut seen).unwrap();
    assert_eq!(seen.matches("linger: waits").count(), 1, "{seen}");
    assert_eq!(seen.matches("linger: goes on").count(), 1, "{seen}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn several_runs_share_one_home() {
    let home = Home::new();
    let children: Vec<Child> = ["a", "b", "c"].map(|name| home.start(name)).into();
    let running = home.json(&["runs", "--state", "running"]);
    assert_eq!(running.as_array().map(Vec::len), Some(3));
    home.go();
    for child in children {
        let output = end(child);
        assert_eq!((output.code, &*output.stdout), (Some(0), "14\n"), "{output:?}");
    }
    let listed = home.json(&["runs", "--state", "success"]);
    let mut numbers: Vec<i64> = listed.as_array().unwrap().iter().map(|run| run["number"].as_i64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(home.call(&["db", "check"]).stderr, "no damage found\n");
}

#[test]
fn programs_that_start_together_in_a_new_home_all_store_their_runs() {
    let home = Home::new();
    let children: Vec<Child> = (0..3).map(|_| home.spawn(&["run", "small", "-q"])).collect();
    for child in children {
        assert_eq!(end(child), ProgramOutput { code: Some(0), stdout: "28\n".to_owned(), stderr: String::new() });
    }
    assert_eq!(home.json(&["runs"]).as_array().map(Vec::len), Some(3));
}

// Locks: B3.

/// B3: SIGSTOP of a run that stores something all the time, 20 times; `run small` beside it failed
/// in 9 of them. If the signal hits a commit, the lock is kept until the process continues: then
/// the run waits and says which process has it, or fails with that if it cannot begin.
#[test]
fn a_run_that_is_stopped_holds_up_no_other_run() {
    let home = Home::new();
    let mut program = home.command(&["run", "ticks", "--count", "200000", "-q"]);
    // A commit that waits for the disk is hit more often.
    program.env("TASKFLOW_SYNC", "normal").stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = program.spawn().expect("a built program starts");
    let pid = Pid::from_child(&child);
    eventually("it stores elements", || home.call(&["status", "1"]).stdout.contains(" success"));
    let mut succeeded = 0;
    for round in 0..20 {
        kill_process(pid, Signal::STOP).expect("it is running");
        let named = format!("process {} (cli_history), which is stopped", child.id());
        let go_on = || kill_process(pid, Signal::CONT).expect("it is stopped");
        let output = home.call_locked_out(&["run", "small", "-q"], &named, go_on);
        go_on();
        if output.code == Some(0) {
            succeeded += 1;
        } else {
            assert!(output.code == Some(1) && output.stderr.contains(&named), "{round}: {output:?}");
        }
        let output = home.call(&["run", "small", "-q"]);
        assert_eq!((output.code, &*output.stdout), (Some(0), "28\n"), "{round}: it goes on again: {output:?}");
    }
    assert!(succeeded > 0);
    assert_eq!(child.try_wait().expect("a child can be asked"), None, "it stored all the time");
    child.kill().and_then(|()| child.wait()).expect("it can be killed");
    assert_eq!(home.call(&["db", "check"]).stderr, "no damage found\n");
}

/// SIGTERM while a run waits for a store that was locked before it began. It said that the run can
/// be resumed, of which nothing is stored.
#[test]
fn a_run_that_leaves_before_its_store_takes_it_does_not_say_that_it_can_be_resumed() {
    let home = Home::new();
    assert_eq!(home.call(&["run", "small", "-q"]).code, Some(0));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let options = SqliteConnectOptions::new().filename(home.path().join("taskflow.db"));
    let mut connection = runtime.block_on(options.connect()).expect("the store can be opened");
    runtime.block_on(sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut connection)).expect("nobody else writes");
    let mut child = home.spawn(&["run", "small"]);
    let (mut printed, mut is_asked) = (String::new(), false);
    for line in BufReader::new(child.stderr.take().expect("it is piped")).lines() {
        let line = line.expect("the program prints text");
        if line.contains("the runs wait for it") && !std::mem::replace(&mut is_asked, true) {
            kill_process(Pid::from_child(&child), Signal::TERM).expect("it waits");
        }
        printed += &format!("{line}\n");
    }
    assert_eq!(end(child).code, Some(143), "{printed}");
    let says =
        "a second signal stops at once; the run is not stored yet; once it is, it can be resumed with `resume`\n";
    assert!(printed.contains(says), "{printed}");
    runtime.block_on(connection.close()).expect("it can be closed");
    assert_eq!(home.json(&["runs"]).as_array().map(Vec::len), Some(1));
}

/// B3: another program has the lock of `taskflow.db`, and keeps it. A run that has begun waits for
/// it: that it does not for ever is a test of the core.
#[test]
fn a_locked_store_is_an_error_that_names_the_process_with_the_lock() {
    let home = Home::new();
    assert_eq!(home.call(&["run", "small", "-q"]).code, Some(0));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // The first keeps readers out too, the second only writers.
    for (how, words, code) in
        [("exclusive", &["runs"][..], 1), ("exclusive", &["run", "small"], 1), ("normal", &["run", "small"], 0)]
    {
        let options = SqliteConnectOptions::new().filename(home.path().join("taskflow.db"));
        let connection = runtime.block_on(options.pragma("locking_mode", how).connect());
        let mut connection = Some(connection.expect("the store can be opened"));
        let locked = sqlx::raw_sql("BEGIN IMMEDIATE").execute(connection.as_mut().expect("it is open"));
        runtime.block_on(locked).expect("nobody else writes");
        let named = format!("process {} (", std::process::id());
        let mut release = || {
            let connection = connection.take();
            connection.into_iter().for_each(|open| runtime.block_on(open.close()).expect("it can be closed"));
        };
        let output = home.call_locked_out(words, &named, &mut release);
        assert_eq!(output.code, Some(code), "{how} {words:?} {output:?}");
        assert!(output.stderr.contains(&named), "{how} {words:?} {output:?}");
        release();
        assert_eq!(home.call(&["runs"]).code, Some(0), "the lock is gone");
    }
    let runs = home.json(&["runs"]);
    assert_eq!(runs.as_array().map(Vec::len), Some(2), "what could not be stored did not run: {runs}");
}
