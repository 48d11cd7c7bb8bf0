//! `max_active_runs` and pools over the processes of one home.

use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use taskflow_tests::common::eventually;
use taskflow_tests::home::ProgramHome;

/// A home, and the files that its tasks wait for.
struct Home(ProgramHome);

impl Deref for Home {
    type Target = ProgramHome;

    fn deref(&self) -> &ProgramHome {
        &self.0
    }
}

impl Home {
    fn new() -> Self {
        Home(ProgramHome::new("limits"))
    }

    fn file(&self, name: &str) -> String {
        self.beside(name).to_str().expect("temporary paths are text").to_owned()
    }

    fn words(&self, dag: &str, name: &str) -> Vec<String> {
        ["run", dag, "--name", name, "--log", &self.file("log"), "--go", &self.file("go")].map(str::to_owned).to_vec()
    }

    fn process(&self, words: &[String]) -> Process {
        let mut program = self.command_with_signals(words);
        program.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = program.spawn().expect("a built program starts");
        let stderr = child.stderr.take().expect("it is a pipe");
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            BufReader::new(stderr).lines().map_while(Result::ok).for_each(|line| sender.send(line).unwrap_or_default());
        });
        Process { child, lines, seen: Vec::new() }
    }

    fn run(&self, dag: &str, name: &str) -> Process {
        self.process(&self.words(dag, name))
    }

    /// What the tasks have noted.
    fn log(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.file("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    fn has_noted(&self, line: &str) -> bool {
        self.log().iter().any(|noted| noted == line)
    }

    /// Returns when the task of this run has started.
    #[track_caller]
    fn starts(&self, name: &str) {
        eventually("the task starts", || self.has_noted(&format!("+{name}")));
    }

    /// Lets the task of this run end; of every run if it has no name.
    fn go(&self, name: &str) {
        let file = if name.is_empty() { "go".to_owned() } else { format!("go_{name}") };
        std::fs::write(self.file(&file), "").expect("temporary files can be written");
    }

    fn states(&self) -> Vec<String> {
        let runs = self.call(&["runs", "--output", "json"]).json();
        let mut runs: Vec<&Value> = runs.as_array().expect("a list").iter().collect();
        runs.sort_by_key(|run| run["number"].as_i64());
        runs.iter().map(|run| run["state"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

struct Process {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
    seen: Vec<String>,
}

impl Process {
    /// Returns when the program has printed a line that contains this text.
    #[track_caller]
    fn prints(&mut self, text: &str) {
        while !self.seen.iter().any(|line| line.contains(text)) {
            match self.lines.recv_timeout(Duration::from_secs(60)) {
                Ok(line) => self.seen.push(line),
                Err(error) => panic!("{text}: {error}: {:?}", self.seen),
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is running");
    }

    /// Its exit code, its stdout, and what it has printed to stderr.
    fn end(mut self) -> (Option<i32>, String, Vec<String>) {
        let output = self.child.wait_with_output().expect("a child can be waited for");
        self.seen.extend(self.lines.iter());
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), self.seen)
    }
}

/// The largest number of tasks that ran at once, from the notes of their starts and ends.
fn most_at_once(log: &[String]) -> usize {
    let mut running = std::collections::HashSet::new();
    let mut most = 0;
    for line in log {
        match line.split_at(1) {
            ("+", name) => running.insert(name),
            (_, name) => running.remove(name),
        };
        most = most.max(running.len());
    }
    most
}

/// A16: `max_active_runs = 1`, two processes on one home. The second started at once.
#[test]
fn a_run_waits_for_the_run_of_another_process() {
    let home = Home::new();
    let first = home.run("alone", "a");
    home.starts("a");
    let mut second = home.run("alone", "b");
    second.prints("waits for run 1 of `alone`: max_active_runs = 1");
    assert_eq!(home.states(), ["running", "queued"]);
    let status = home.call(&["status", "2"]).stdout;
    assert!(status.starts_with("run 2 of alone: queued"), "{status}");
    home.go("a");
    home.starts("b");
    let (code, stdout, lines) = first.end();
    assert_eq!((code, &*stdout), (Some(0), "a\n"), "{lines:?}");
    home.go("b");
    let (code, stdout, lines) = second.end();
    assert_eq!((code, &*stdout), (Some(0), "b\n"), "{lines:?}");
    assert_eq!(home.states(), ["success", "success"]);
    assert_eq!(home.log(), ["+a", "-a", "+b", "-b"]);
    // It has started when it was admitted, not when it was requested.
    let (one, two) = (
        home.call(&["status", "1", "--output", "json"]).json(),
        home.call(&["status", "2", "--output", "json"]).json(),
    );
    assert!(two["started"].as_str() >= one["ended"].as_str(), "{one} {two}");
}

#[test]
fn the_queue_is_first_come_first_served_over_processes() {
    let home = Home::new();
    let first = home.run("alone", "a");
    home.starts("a");
    let mut waiting: Vec<Process> = Vec::new();
    for (at, name) in ["b", "c", "d"].into_iter().enumerate() {
        let mut process = home.run("alone", name);
        let expected =
            ["1 of `alone`: max", "1 of `alone`, after run 2: max", "1 of `alone`, after the runs 2 and 3: max"];
        process.prints(&format!("waits for run {}", expected[at]));
        waiting.push(process);
    }
    home.go("");
    for process in waiting.into_iter().chain([first]) {
        let (code, _, lines) = process.end();
        assert_eq!(code, Some(0), "{lines:?}");
    }
    assert_eq!(home.log(), ["+a", "-a", "+b", "-b", "+c", "-c", "+d", "-d"]);
}

#[test]
fn many_processes_that_start_together_keep_the_limit() {
    let home = Home::new();
    home.go("");
    let processes: Vec<Process> = (0..6).map(|at| home.run("pair", &format!("n{at}"))).collect();
    for process in processes {
        let (code, _, lines) = process.end();
        assert_eq!(code, Some(0), "{lines:?}");
    }
    assert_eq!(home.log().len(), 12);
    assert!(most_at_once(&home.log()) <= 2, "{:?}", home.log());
}

/// SIGKILL of the holder frees its place, and its run needs a place to be resumed.
#[test]
fn a_killed_process_frees_its_place() {
    let home = Home::new();
    let mut first = home.run("alone", "a");
    home.starts("a");
    let mut second = home.run("alone", "b");
    second.prints("waits for run 1 of `alone`");
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    home.starts("b");
    assert_eq!(home.states(), ["interrupted", "running"]);
    let mut resumed = home.process(&["resume".to_owned(), "1".to_owned()]);
    resumed.prints("waits for run 2 of `alone`: max_active_runs = 1");
    assert_eq!(home.states(), ["queued", "running"]);
    home.go("");
    for process in [second, resumed] {
        let (code, _, lines) = process.end();
        assert_eq!(code, Some(0), "{lines:?}");
    }
    assert_eq!(home.log(), ["+a", "+b", "-b", "+a", "-a"]);
}

#[test]
fn a_signal_ends_the_wait_and_the_run_can_be_resumed() {
    let home = Home::new();
    let first = home.run("alone", "a");
    home.starts("a");
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut second = home.run("alone", "b");
        second.prints("waits for run 1 of `alone`");
        second.signal(signal);
        let (ended, _, lines) = second.end();
        assert_eq!(ended, Some(code), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("the run can be resumed with `")), "{lines:?}");
        let summary = lines.iter().find(|line| line.contains(": interrupted (")).expect("a summary");
        assert!(!summary.contains(" h "), "{summary}");
    }
    assert_eq!(home.states(), ["running", "interrupted", "interrupted"]);
    home.go("");
    assert_eq!(first.end().0, Some(0));
    let resumed = home.call(&["resume"]);
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    assert_eq!(home.states(), ["success", "success", "success"]);
    let history = home.call(&["status", "2", "--output", "json"]).json();
    assert_eq!(history["tasks"][0]["attempts"].as_array().map(Vec::len), Some(1), "{history}");
}

#[test]
fn a_waiting_run_can_be_killed_and_cancelled() {
    let home = Home::new();
    let first = home.run("alone", "a");
    home.starts("a");
    let mut second = home.run("alone", "b");
    second.prints("waits for run 1 of `alone`");
    let mut third = home.run("alone", "c");
    third.prints("waits for run 1 of `alone`, after run 2");
    second.child.kill().unwrap();
    second.child.wait().unwrap();
    third.prints("waits for run 1 of `alone`: max_active_runs = 1");
    let cancelled = home.call(&["cancel", "3"]);
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    assert_eq!(third.end().0, Some(1));
    let cancelled = home.call(&["cancel", "2"]);
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    assert_eq!(home.states(), ["running", "cancelled", "cancelled"]);
    home.go("");
    assert_eq!(first.end().0, Some(0));
    assert_eq!(home.log(), ["+a", "-a"]);
}

/// `clear` makes a run active again.
#[test]
fn a_cleared_run_waits() {
    let home = Home::new();
    let first = home.run("alone", "a");
    home.starts("a");
    let cancelled = home.call(&["cancel", "1"]);
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    assert_eq!(first.end().0, Some(1));
    let second = home.run("alone", "b");
    home.starts("b");
    let mut cleared = home.process(&["clear", "1", "hold"].map(str::to_owned));
    cleared.prints("waits for run 2 of `alone`: max_active_runs = 1");
    home.go("");
    for process in [second, cleared] {
        let (code, _, lines) = process.end();
        assert_eq!(code, Some(0), "{lines:?}");
    }
    assert_eq!(home.log()[1..], ["+b", "-b", "+a", "-a"]);
}

/// A run that waits for a run of its own DAG does not keep it from starting; a run that is queued
/// meanwhile waits for both.
#[test]
fn a_run_that_triggers_its_own_dag_and_waits_does_not_block_itself() {
    let home = Home::new();
    let nested = |name: &str| [home.words("nested", name), vec!["--depth".to_owned(), "3".to_owned()]].concat();
    let first = home.process(&nested("a"));
    home.starts("a");
    let mut second = home.process(&nested("b"));
    second.prints("waits for run 1 of `nested`: max_active_runs = 1");
    home.go("");
    for process in [first, second] {
        let (code, stdout, lines) = process.end();
        assert_eq!((code, &*stdout), (Some(0), "3\n"), "{lines:?}");
    }
    let started: Vec<String> = home.log().into_iter().filter(|line| line.starts_with('+')).collect();
    assert_eq!(started, ["+a", "+a3", "+a32", "+a321", "+b", "+b3", "+b32", "+b321"]);
}

/// A parent and its child die while the child runs; resuming the parent resumes the child.
#[test]
fn an_interrupted_run_of_its_own_dag_is_resumed_with_its_parent() {
    let home = Home::new();
    let words = [home.words("nested", "a"), vec!["--depth".to_owned(), "1".to_owned()]].concat();
    let mut first = home.process(&words);
    home.starts("a");
    home.go("a");
    home.starts("a1");
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    assert_eq!(home.states(), ["interrupted", "interrupted"]);
    home.go("");
    let resumed = home.call(&["resume"]);
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    assert_eq!(home.states(), ["success", "success"]);
}

impl Home {
    /// Runs a task with a slot for each name.
    fn seat(&self, names: &[String]) -> Process {
        let names = names.iter().flat_map(|name| ["--names".to_owned(), name.clone()]);
        let words = ["run", "seated", "--log", &self.file("log"), "--go", &self.file("go")].map(str::to_owned);
        self.process(&words.into_iter().chain(names).collect::<Vec<_>>())
    }

    fn started(&self) -> usize {
        self.started_by("")
    }

    /// How many tasks whose names begin with this have started.
    fn started_by(&self, prefix: &str) -> usize {
        self.log().iter().filter(|line| line.starts_with(&format!("+{prefix}"))).count()
    }

    /// Ends one running task whose name begins with this after the other, until this is noted.
    fn end_until(&self, prefix: &str, line: &str) {
        eventually("a slot is free for it", || {
            std::thread::sleep(Duration::from_millis(50));
            let log = self.log();
            let runs = |name: &&str| name.starts_with(prefix) && !log.contains(&format!("-{name}"));
            if let Some(name) = log.iter().filter_map(|line| line.strip_prefix('+')).find(runs) {
                self.go(name);
            }
            self.has_noted(line)
        });
    }
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("{prefix}{at}")).collect()
}

/// A16: a pool of two slots, two processes on one home. Both had two slots.
#[test]
fn the_slots_of_a_pool_are_shared_by_the_processes_of_a_home() {
    let home = Home::new();
    let first = home.seat(&names("a", 12));
    // Alone, it has the whole pool.
    eventually("both slots are taken", || home.started() == 2);
    let second = home.seat(&names("b", 6));
    // Its process may take its time to begin.
    eventually("the second run is there", || home.states() == ["running", "running"]);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(home.started(), 2, "{:?}", home.log());
    // A slot goes to the process that has none, before the other one has run all of its tasks.
    home.end_until("a", "+b0");
    assert!(home.started_by("a") < 12, "{:?}", home.log());
    home.go("");
    for process in [first, second] {
        let (code, _, lines) = process.end();
        assert_eq!(code, Some(0), "{lines:?}");
    }
    assert_eq!(home.log().len(), 36);
    assert_eq!(most_at_once(&home.log()), 2, "{:?}", home.log());
}

/// SIGKILL of a process with all slots frees them.
#[test]
fn a_killed_process_frees_the_slots_of_its_pools() {
    let home = Home::new();
    let mut first = home.seat(&names("a", 6));
    eventually("both slots are taken", || home.started() == 2);
    let second = home.seat(&names("b", 2));
    std::thread::sleep(Duration::from_millis(300));
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    eventually("the other process starts", || home.has_noted("+b0") && home.has_noted("+b1"));
    home.go("");
    let (code, _, lines) = second.end();
    assert_eq!(code, Some(0), "{lines:?}");
    // The file of the killed process is gone; that of the other one stays until the next process.
    let files = std::fs::read_dir(home.path().join("live")).unwrap().map(|file| file.unwrap().file_name());
    let killed = format!("%3A{}_", first.child.id());
    let of_killed = |file: &std::ffi::OsString| {
        let name = file.to_string_lossy();
        name.starts_with("pools__") && name.contains(&killed)
    };
    assert_eq!(files.filter(of_killed).count(), 0);
}

/// A task that needs every slot gets them although another process never runs out of tasks.
#[test]
fn a_task_that_needs_the_whole_pool_gets_it() {
    let home = Home::new();
    let mut first = home.seat(&names("a", 60));
    eventually("both slots are taken", || home.started() == 2);
    let second = home.run("spreading", "whole");
    eventually("the second run is stored", || home.states().len() == 2);
    home.end_until("a", "+whole");
    assert!(home.started_by("a") < 60, "{:?}", home.log());
    home.go("");
    let (code, _, lines) = second.end();
    assert_eq!(code, Some(0), "{lines:?}");
    assert!(first.child.wait().unwrap().success());
}
