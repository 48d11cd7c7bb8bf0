//! Tasks with a process of their own: how the attempt ends when that process is killed, and how the
//! process ends with the attempt.

use std::ops::Deref;
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use taskflow::prelude::*;
use taskflow_tests::binaries::{ProgramOutput, program};
use taskflow_tests::common::eventually;
use taskflow_tests::home::ProgramHome;
use taskflow_tests::processes::is_alive;

/// A place of its own for the runs of a test.
struct Home(ProgramHome);

impl Deref for Home {
    type Target = ProgramHome;

    fn deref(&self) -> &ProgramHome {
        &self.0
    }
}

impl Home {
    fn new() -> Self {
        Home(ProgramHome::new("processes"))
    }

    fn file(&self, name: &str) -> String {
        self.beside(name).to_str().expect("temporary paths are text").to_owned()
    }

    /// The document that a call prints, also about a run that fails.
    #[track_caller]
    fn document(&self, words: &[&str]) -> Value {
        self.call(&[words, &["--output", "json"]].concat()).json()
    }

    /// Starts a run that writes the IDs of its processes to a file.
    fn start(&self, words: &[&str]) -> (Child, Vec<Pid>) {
        let file = self.file("pids");
        let mut program = self.command(words);
        program.args(["--pids", &file]);
        let child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a built program starts");
        (child, pids(&file))
    }

    fn messages(&self, task: &str) -> Vec<(String, String, String)> {
        let output = self.call(&["logs", "last", task, "--output", "json"]);
        let lines = output.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
        let text = |value: &Value| value.as_str().expect("it is text").to_owned();
        lines.map(|line| (text(&line["level"]), text(&line["target"]), text(&line["message"]))).collect()
    }
}

/// The processes in the file, when it is there.
fn pids(file: &str) -> Vec<Pid> {
    eventually("the task starts", || Path::new(file).exists());
    let text = std::fs::read_to_string(file).expect("it is written whole");
    text.split_whitespace().map(|pid| Pid::from_raw(pid.parse().expect("a number")).expect("not zero")).collect()
}

#[track_caller]
fn all_die(pids: &[Pid]) {
    eventually("every process ends", || !pids.iter().any(|pid| is_alive(*pid)));
}

/// What the only attempt of the only task failed of, in the run itself and in the history.
#[track_caller]
fn failure(how: &str) -> (String, String) {
    let home = Home::new();
    let document = home.document(&["run", "acts", "--how", how]);
    let reason = &document["tasks"][0]["attempts"][0]["failure"];
    let stored = &home.document(&["status"])["tasks"][0]["attempts"][0]["failure"];
    assert_eq!(reason["message"], stored["message"], "{document}");
    let text = |name: &str| reason[name].as_str().unwrap_or_else(|| panic!("{document}")).to_owned();
    (text("kind"), text("message"))
}

#[test]
fn a_crash_fails_the_attempt_with_its_cause() {
    let crashed = |message: &str| ("crashed".to_owned(), message.to_owned());
    assert_eq!(failure("segfault"), crashed("its process crashed with a segmentation fault (SIGSEGV)"));
    assert_eq!(failure("abort"), crashed("its process aborted (SIGABRT)"));
    assert_eq!(failure("kill"), crashed("its process was killed by signal 9 (SIGKILL)"));
    let exit = "its process called `exit` with code 3 before the task had ended";
    assert_eq!(failure("exit"), crashed(exit));
}

#[test]
fn the_outcome_that_an_isolated_task_reports_wins() {
    assert_eq!(failure("panic"), ("panic".to_owned(), "a table is missing".to_owned()));
    assert_eq!(failure("error"), ("error".to_owned(), "invalid digit found in string".to_owned()));
    assert_eq!(failure("fail"), ("error".to_owned(), "the table is gone".to_owned()));
    let home = Home::new();
    assert_eq!(home.document(&["run", "acts", "--how", "skip"])["tasks"][0]["state"], "skipped");
    assert_eq!(home.document(&["run", "acts", "--how", "well"])["result"], 7);
}

#[test]
fn the_last_lines_of_stderr_are_the_cause_of_a_crash() {
    let home = Home::new();
    home.call(&["run", "acts", "--how", "abort"]);
    let explained = home.call(&["explain", "last", "act"]).stdout;
    assert!(explained.contains("its process aborted (SIGABRT)"), "{explained}");
    let status = home.document(&["status"]);
    assert_eq!(status["tasks"][0]["attempts"][0]["failure"]["causes"], json!(["about to abort"]));
}

#[test]
fn a_task_that_exceeds_its_memory_limit_fails_alone() {
    let home = Home::new();
    assert_eq!(home.document(&["run", "hoards", "--mib", "10"])["result"], 10);
    let document = home.document(&["run", "hoards", "--mib", "1000"]);
    let reason = &document["tasks"][0]["attempts"][0]["failure"];
    assert_eq!(reason["kind"], "crashed", "{document}");
    assert_eq!(reason["message"], "its process exceeded its memory limit of 512.0 MiB");
}

#[test]
fn a_crash_is_retried() {
    let home = Home::new();
    let document = home.document(&["run", "retried"]);
    assert_eq!(document["result"], 3);
    assert_eq!(document["tasks"][0]["attempts"][0]["failure"]["kind"], "crashed");
}

#[test]
fn an_isolated_task_receives_its_inputs_and_context() {
    let home = Home::new();
    let document = home.document(&["run", "described", "--logical-date", "2026-01-31T06:00:00Z"]);
    let rows = json!([
        { "carrier": "carrier 0", "late": null },
        { "carrier": "carrier 1", "late": 1 },
        { "carrier": "carrier 2", "late": 2 },
    ]);
    let who = "described describe 1 of 1 2026-01-31T06:00:00Z None \
               Err(Error { chain: [\"a disk is full\"], retryable: true }) isolated=true";
    assert_eq!(document["result"], json!([rows, who]));
}

#[test]
fn a_replay_runs_an_isolated_task_in_its_own_process_unless_asked() {
    let home = Home::new();
    home.call(&["run", "described"]);
    let here = |words: &[&str]| home.document(&[&["replay", "last", "describe"], words].concat())["value"][1].clone();
    // Its input is the process of the run, which is another one than that of the replay.
    assert!(here(&[]).as_str().is_some_and(|who| who.contains("isolated=true")));
    home.call(&["run", "acts", "--how", "exit"]);
    let replayed = home.call(&["replay", "last", "act"]);
    assert_eq!(replayed.code, Some(3), "{replayed:?}");
    let replayed = home.call(&["replay", "last", "act", "--isolated"]);
    assert_eq!(replayed.code, Some(1), "{replayed:?}");
    assert!(replayed.stderr.contains("its process called `exit` with code 3"), "{replayed:?}");
}

/// B16: `println!` in a task that has a process of its own.
#[test]
fn the_output_of_an_isolated_task_is_in_its_log() {
    let home = Home::new();
    let output = home.call(&["run", "talks"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let mut messages = home.messages("talk");
    messages.sort();
    let line = |level: &str, target: &str, message: &str| (level.to_owned(), target.to_owned(), message.to_owned());
    let expected = [
        line("INFO", "processes", "read"),
        line("INFO", "stdout", "to stdout"),
        line("WARN", "a::library", "through log"),
        line("WARN", "stderr", "to stderr"),
    ];
    assert_eq!(messages, expected);
    let logs = home.call(&["logs", "last", "talk"]).stdout;
    assert!(logs.contains("read password=*** rows=3 page=2"), "{logs}");
}

#[test]
fn draining_asks_the_process_to_end_and_leaves_nothing_behind_but_a_run_to_resume() {
    let home = Home::new();
    let go = home.file("go");
    let (child, pids) = home.start(&["run", "waits", "--go", &go, "--output", "json"]);
    assert!(pids.len() == 2 && pids.iter().all(|pid| is_alive(*pid)));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output: ProgramOutput = child.wait_with_output().unwrap().into();
    assert_eq!(output.code, Some(143), "{output:?}");
    let document = output.json();
    assert_eq!((&document["state"], &document["tasks"][0]["state"]), (&json!("interrupted"), &json!("scheduled")));
    all_die(&pids);

    std::fs::write(&go, "").unwrap();
    let resumed = home.document(&["resume", "last"]);
    assert_eq!((&resumed["state"], &resumed["result"]), (&json!("success"), &json!(3)), "{resumed}");
}

#[test]
fn a_task_that_ignores_cancellation_is_killed() {
    let home = Home::new();
    let (child, pids) = home.start(&["run", "ignores", "--output", "json"]);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output: ProgramOutput = child.wait_with_output().unwrap().into();
    assert_eq!(output.json()["tasks"][0]["state"], "scheduled", "{output:?}");
    all_die(&pids);
}

#[test]
fn a_signal_from_another_process_is_a_crash() {
    let home = Home::new();
    let (child, pids) = home.start(&["run", "ignores", "--output", "json"]);
    kill_process(pids[0], Signal::TERM).unwrap();
    let output: ProgramOutput = child.wait_with_output().unwrap().into();
    let reason = &output.json()["tasks"][0]["attempts"][0]["failure"];
    assert_eq!(reason["message"], "its process was killed by signal 15 (SIGTERM)", "{output:?}");
    all_die(&pids);
}

#[test]
fn a_timeout_ends_the_process() {
    let home = Home::new();
    let (child, pids) = home.start(&["run", "ignores_for_a_while", "--output", "json"]);
    let output: ProgramOutput = child.wait_with_output().unwrap().into();
    assert_eq!(output.json()["tasks"][0]["attempts"][0]["failure"]["kind"], "timeout", "{output:?}");
    all_die(&pids);
}

#[test]
fn no_process_outlives_a_killed_run_and_the_run_can_be_resumed() {
    let home = Home::new();
    let go = home.file("go");
    let (mut child, pids) = home.start(&["run", "waits", "--go", &go]);
    child.kill().unwrap();
    child.wait().unwrap();
    all_die(&pids);

    std::fs::write(&go, "").unwrap();
    let resumed = home.document(&["resume", "last"]);
    assert_eq!((&resumed["state"], &resumed["result"]), (&json!("success"), &json!(3)), "{resumed}");
    let status = home.document(&["status"]);
    let kinds: Vec<&Value> =
        status["tasks"][0]["attempts"].as_array().unwrap().iter().map(|a| &a["failure"]["kind"]).collect();
    assert_eq!(kinds, [&json!("lost"), &Value::Null]);
}

#[test]
fn no_process_of_a_command_outlives_a_killed_run() {
    let home = Home::new();
    let (mut child, pids) = home.start(&["run", "script_waits"]);
    child.kill().unwrap();
    child.wait().unwrap();
    all_die(&pids);
}

#[test]
fn a_drained_command_leaves_nothing_behind() {
    let home = Home::new();
    let (child, pids) = home.start(&["run", "script_waits", "--output", "json"]);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output: ProgramOutput = child.wait_with_output().unwrap().into();
    assert_eq!(output.json()["tasks"][0]["state"], "scheduled", "{output:?}");
    all_die(&pids);
}

#[test]
fn the_output_of_a_command_is_logged_line_by_line() {
    let home = Home::new();
    let output = home.call(&["run", "script"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "bye\n"), "{output:?}");
    let messages = home.messages("greet");
    let of = |target: &str| -> Vec<&str> {
        messages.iter().filter(|(_, of, _)| of == target).map(|(_, _, message)| message.as_str()).collect()
    };
    assert_eq!(of("stdout"), ["hello Ada", "bye"]);
    assert!(matches!(of("stderr")[..], [line] if line.starts_with("and ")), "{messages:?}");
}

/// `setsid sleep 30 &`: the log names the process that keeps stdout open.
#[test]
fn a_process_that_holds_the_output_of_a_command_is_named_in_its_log() {
    let home = Home::new();
    // It has left the group when it is `sleep`.
    let script = "setsid sleep 30 & until grep -q sleep /proc/$!/comm; do :; done; echo $!; echo answer";
    let output = home.call(&["run", "shell", "--script", script]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "answer\n"), "{output:?}");
    let messages = home.messages("shell");
    let sleeper = &messages.iter().find(|(_, of, _)| of == "stdout").expect("it has printed a number").2;
    let held = format!(
        "stdout and stderr of the command were still open 5.0 s after its end, held by process {sleeper} (`sleep 30`), \
         which has left the process group; what it writes from now on is lost"
    );
    let line = ("WARN".to_owned(), "taskflow".to_owned(), held);
    assert!(messages.contains(&line), "{messages:?}");
}

/// B6: a task that logs 100,000 lines and fails.
#[test]
fn the_reason_of_a_failure_is_in_the_log_whatever_came_before_it() {
    let home = Home::new();
    assert_eq!(home.call(&["run", "floods"]).code, Some(1));
    let messages = home.messages("flood");
    let line = |level: &str, of: &str, message: &str| (level.to_owned(), of.to_owned(), message.to_owned());
    assert_eq!(
        messages[messages.len() - 2..],
        [line("INFO", "processes", "flood"), line("ERROR", "taskflow", "the well is dry")]
    );
}

/// B6: 100,000 lines, written as fast as they can be.
#[test]
fn no_line_of_a_command_is_lost_and_its_log_keeps_the_first_and_the_last() {
    let home = Home::new();
    let output = home.call(&["run", "shell", "--script", "seq 100000"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "100000\n"), "{output:?}");
    let messages = home.messages("shell");
    let is_number = |message: &(String, String, String)| message.1 == "stdout";
    let count = messages.iter().filter(|message| is_number(message)).count();
    let notes: Vec<&str> =
        messages.iter().filter(|message| !is_number(message)).map(|(_, _, message)| message.as_str()).collect();
    let cut = 100_000 - count;
    assert_eq!(notes, [format!("{cut} records were cut: a log keeps its beginning and its end, 16 MiB in all")]);
    assert_eq!((&*messages[0].2, &*messages[messages.len() - 1].2), ("1", "100000"));
}

/// B7: a task that ends the process, whoever resumes the run: by `std::process::exit(7)`, `abort`,
/// an overflow of its stack, or as a process that the system kills for its memory.
#[test]
fn a_run_whose_process_dies_three_times_in_one_task_is_not_resumed_again() {
    // A process that a signal ended has no code.
    for (how, code) in [("exit", Some(7)), ("abort", None), ("overflow", None), ("kill", None)] {
        let home = Home::new();
        assert_eq!(home.call(&["run", "booms", "--how", how]).code, code, "{how}");
        // Whether the first start was stored depends on how fast the process died. Later ones are.
        for _ in 0..2 {
            assert_eq!(home.call(&["resume", "1"]).code, code, "{how}");
            assert_eq!(home.document(&["status", "1"])["tasks"][0]["state"], "running", "{how}");
        }
        let mut refused = home.call(&["resume", "1"]);
        if refused.code == code {
            refused = home.call(&["resume", "1"]);
        }
        assert_eq!(refused.code, Some(2), "{how}: {refused:?}");
        let reason =
            "is not resumed: its process has died 3 times while `boom` ran; `clear` runs the task again all the same";
        assert!(refused.stderr.contains(reason), "{how}: {refused:?}");
        assert_eq!(home.document(&["status", "1"])["state"], "interrupted", "{how}");
        assert_eq!(home.call(&["clear", "1", "boom"]).code, code, "{how}");
        assert_eq!(home.call(&["resume", "1"]).code, code, "{how}");
    }
}

/// B7: one of several tasks ends the process: it is found, and none of the others is blamed.
#[test]
fn of_several_running_tasks_the_one_that_ends_the_process_is_found() {
    let runs: [&[&str]; 2] = [&["booms_among"], &["booms_beside", "--count", "5"]];
    for run in runs {
        let home = Home::new();
        assert_eq!(home.call(&[&["run"], run].concat()).code, Some(7), "{run:?}");
        let mut deaths = 1;
        let refused = loop {
            let resumed = home.call(&["resume", "1"]);
            if resumed.code != Some(7) {
                break resumed;
            }
            deaths += 1;
            // The first start may not have been stored, and the last one is alone.
            assert!(deaths <= 4, "{run:?}");
        };
        assert!(deaths >= 3, "{run:?} {deaths}");
        assert_eq!(refused.code, Some(2), "{refused:?}");
        let reason = "is not resumed: its process has died 3 times while `boom_later` ran; `clear` runs the task again";
        assert!(refused.stderr.contains(reason), "{refused:?}");
        let status = home.document(&["status", "1"]);
        assert_eq!(status["state"], "interrupted");
        for task in status["tasks"].as_array().unwrap() {
            let is_cause = task["id"] == "boom_later";
            assert!(is_cause || task["state"] != "failed", "{task}");
        }
        // The others run to their ends.
        assert_eq!(home.call(&["mark", "success", "1", "boom_later"]).code, Some(0));
        assert_eq!(home.call(&["resume", "1"]).code, Some(0));
        assert_eq!(home.document(&["status", "1"])["state"], "success");
    }
}

/// B7: the task that ends the process is one of a run that another run waits for, and that is
/// resumed with it. It was resumed again and again; later it was refused, and stayed interrupted.
#[test]
fn a_triggered_run_whose_process_dies_three_times_in_one_task_is_not_resumed_again() {
    let home = Home::new();
    assert_eq!(home.call(&["run", "waits_for_boom"]).code, Some(7));
    let mut deaths = 1;
    let failed = loop {
        let resumed = home.call(&["resume", "1"]);
        if resumed.code != Some(7) {
            break resumed;
        }
        deaths += 1;
        // The first start may not have been stored.
        assert!(deaths <= 4, "it is resumed again and again");
    };
    assert!(deaths >= 3, "{deaths} {failed:?}");
    assert_eq!(failed.code, Some(1), "{failed:?}");
    let status = home.document(&["status", "1"]);
    assert_eq!(status["state"], "failed", "{status}");
    let reason = "task `boom_later`: its process has died 3 times while it ran";
    assert!(status.to_string().contains(reason), "{status}");
    assert_eq!(home.document(&["status", "2"])["state"], "failed");
}

/// B17: `std::thread::sleep` in four async tasks.
#[test]
fn a_blocking_call_in_an_async_task_is_one_warning() {
    let home = Home::new();
    let output = home.call(&["run", "dozes"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let start = "the async task `doze` blocks its thread (for up to ";
    let warnings: Vec<&str> = output.stderr.lines().filter(|line| line.contains(start)).collect();
    assert!(
        matches!(warnings[..], [line] if line.contains("make it a plain `fn` with `#[task(blocking)]`")),
        "{output:?}"
    );
    let logged = home.call(&["logs", "last"]).stdout;
    assert_eq!(logged.matches(start).count(), 1, "{logged}");
}

/// B8: 150 commands at once in a process that may open 256 files.
#[test]
fn commands_wait_for_descriptors() {
    let home = Home::new();
    let mut program = program("processes");
    program.args(["run", "crowd"]);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", r#"ulimit -n 256; exec "$0" "$@""#]).arg(program.get_program()).args(program.get_args());
    shell.env("TASKFLOW_HOME", home.path());
    let output: ProgramOutput = shell.output().expect("there is a shell").into();
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(!output.stderr.contains("no guard"), "{output:?}");
}

/// B8: `ulimit -S -n 64`: the soft limit is raised for the program, and a command has it back.
#[test]
fn a_soft_limit_of_descriptors_is_raised_but_not_for_commands() {
    let home = Home::new();
    // The limit of a command is set when it has been started.
    let script = "for n in {1..1000}; do [ $(ulimit -S -n) = 64 ] && break; sleep 0.01; done; \
                  echo \"$(ulimit -S -n) $(awk '/^Max open files/ { print $4, $5 }' /proc/$PPID/limits)\"";
    let mut program = program("processes");
    program.args(["run", "shell", "--script", script]);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", r#"ulimit -S -n 64; ulimit -H -n 900; exec "$0" "$@""#]);
    shell.arg(program.get_program()).args(program.get_args());
    shell.env("TASKFLOW_HOME", home.path());
    let output: ProgramOutput = shell.output().expect("there is a shell").into();
    assert_eq!((output.code, &*output.stdout), (Some(0), "64 900 900\n"), "{output:?}");
}

/// B15: a command with a progress bar, whose lines end with `\r`.
#[test]
fn a_progress_bar_is_one_line_of_the_log() {
    let home = Home::new();
    let script = r"for n in {1..100}; do printf '%d of 100\r' $n; done; printf '\n'; printf '.%.0s' {1..40000}; echo";
    assert_eq!(home.call(&["run", "shell", "--script", script]).code, Some(0));
    let messages = home.messages("shell");
    let lines: Vec<&str> = messages.iter().map(|(_, _, message)| message.as_str()).collect();
    let dots = |count: usize| ".".repeat(count);
    assert_eq!(lines, ["100 of 100", &dots(16_384), &dots(16_384), &dots(40_000 - 2 * 16_384)]);
}

#[test]
fn a_main_that_is_called_too_late_is_reported() {
    let home = Home::new();
    let mut program = home.command(&["run", "acts", "--how", "well", "--output", "json"]);
    program.env("READS_ARGUMENTS_FIRST", "1");
    let output = ProgramOutput::from(program.output().unwrap());
    let reason = output.json()["tasks"][0]["attempts"][0]["failure"].clone();
    assert_eq!(
        reason["message"],
        "the process of the task `act` did not start the attempt (it exited with code 4): \
         `taskflow::process::child_main()` must come before everything else in `main`"
    );
    assert_eq!(reason["causes"], json!(["unknown argument"]));
}

#[test]
fn the_attempt_mode_is_rejected_on_the_command_line() {
    let output = ProgramOutput::from(program("processes").arg("--taskflow-attempt").output().unwrap());
    assert_eq!(output.code, Some(2));
    assert!(output.stderr.contains("taskflow starts the processes of isolated tasks with this command"), "{output:?}");
}

#[task(isolation = "process", memory = "1GiB")]
fn own_process() -> u32 {
    std::process::id()
}

/// The `main` of a test is not ours.
#[test]
fn without_taskflow_main_the_failure_explains_what_to_do() {
    let dag = Dag::build("alone", own_process).unwrap();
    let report = dag.run().wait().unwrap();
    let failure = report.task("own_process").unwrap().failure().unwrap();
    let Failure::Error { chain, retryable: false } = &*failure else { panic!("{failure:?}") };
    assert_eq!(
        chain[..],
        [
            "the task `own_process` runs in a copy of this program, but its `main` does not call \
             `taskflow::process::child_main()`",
            "call it first in `main`, as `taskflow::main!` does; a test may use `.in_process(true)` instead",
        ]
    );
    let report = dag.run().in_process(true).wait().unwrap();
    assert_eq!(report.result(), Some(&std::process::id()));
    assert_eq!(dag.run().run_sequentially().unwrap().result(), Some(&std::process::id()));
}

#[test]
fn isolation_is_part_of_the_graph() {
    let home = Home::new();
    let shown = home.call(&["show", "hoards", "--output", "json"]).json();
    let options = &shown["nodes"][0]["options"];
    assert_eq!((&options["isolation"], &options["memory"]), (&json!("process"), &json!("512.0 MiB")), "{shown}");
}

/// C6: `env` as a command, in a program with `TASKFLOW_SECRET_*` and `TASKFLOW_CONN_*`.
#[test]
fn commands_inherit_secrets_only_if_they_are_asked_to() {
    let home = Home::new();
    let mut program = home.command(&["run", "inherits", "-q"]);
    program.env("TASKFLOW_SECRET_KEY", "swordfish").env("TASKFLOW_SECRET_PIN_FILE", "/run/pin");
    program.env("TASKFLOW_CONN_DB", "postgres://me:hunter-22@db");
    let output = ProgramOutput::from(program.output().expect("a built program starts"));
    // What the command itself sets stays.
    let expected = "TASKFLOW_SECRET_SET / TASKFLOW_CONN_DB TASKFLOW_SECRET_KEY TASKFLOW_SECRET_PIN_FILE \n";
    assert_eq!(output.stdout.replace("  ", " "), expected, "{output:?}");
}

/// C6: the command of a callback, in the same program.
#[test]
fn the_command_of_a_callback_inherits_no_secrets() {
    let home = Home::new();
    let names = home.file("names");
    let mut program = home.command(&["run", "tells_all", "-q"]);
    program.env("NAMES", &names);
    program.env("TASKFLOW_SECRET_KEY", "swordfish").env("TASKFLOW_SECRET_PIN_FILE", "/run/pin");
    program.env("TASKFLOW_CONN_DB", "postgres://me:hunter-22@db");
    let output = ProgramOutput::from(program.output().expect("a built program starts"));
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(std::fs::read_to_string(names).expect("the callback has run"), "of tells\n");
}
