//! Callbacks of programs that die, and what the command line shows of them.

use std::path::PathBuf;
use std::process::Command;

use taskflow_tests::binaries::{ProgramOutput, masked};
use taskflow_tests::common::eventually;
use taskflow_tests::home::ProgramHome;

/// A home of its own, and the file that callbacks write into.
struct Home(ProgramHome);

impl Home {
    fn new() -> Self {
        Home(ProgramHome::new("cli_callbacks"))
    }

    fn file(&self) -> PathBuf {
        self.0.beside("told")
    }

    fn told(&self) -> Vec<String> {
        let told = std::fs::read_to_string(self.file()).unwrap_or_default();
        told.lines().map(str::to_owned).collect()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.0.command(words);
        command.env("TOLD", self.file());
        command
    }

    fn call(&self, words: &[&str], variables: &[&str]) -> ProgramOutput {
        let mut command = self.command(words);
        command.envs(variables.iter().map(|variable| (variable, "yes")));
        command.output().expect("a built program starts").into()
    }
}

#[test]
fn the_next_program_delivers_the_callbacks_of_a_killed_one() {
    let home = Home::new();
    let died = home.call(&["run", "loud", "-q"], &["DIE"]);
    assert_eq!(died.code, None, "{died:?}");
    assert_eq!(home.told(), Vec::<String>::new());
    // The next run in this home delivers the callbacks of the first one too. That was interrupted
    // and has reported its state.
    let next = home.call(&["run", "ignored", "-q"], &[]);
    assert_eq!(next.code, Some(0), "{next:?}");
    assert_eq!(home.told().first().map(String::as_str), Some("retry loud"));
    let status = home.call(&["status", "1"], &[]).stdout;
    assert!(status.contains("callbacks notified"), "{status}");
    // Resuming it delivers the rest.
    let resumed = home.call(&["resume", "1", "-q"], &[]);
    if resumed.code == Some(2) {
        assert!(resumed.stderr.contains("it has ended (failed)"), "{resumed:?}");
    }
    assert_eq!(home.told(), ["retry loud", "failure loud"]);
    let again = home.call(&["run", "ignored", "-q"], &[]);
    assert_eq!((again.code, home.told().len()), (Some(0), 2), "nobody is told twice");
}

/// A service that stops calls a callback that a killed program has left, and that never returns.
/// The second SIGTERM was not heard: the program ended after 15 seconds, with 0.
#[cfg(unix)]
#[test]
fn a_second_signal_ends_a_service_that_has_stopped_and_calls_the_callbacks_of_others() {
    use std::io::{BufRead as _, BufReader};
    use std::process::Stdio;

    use rustix::process::{Pid, Signal, kill_process};
    use taskflow_tests::binaries::program_with_signals;

    let home = Home::new();
    let died = home.call(&["run", "loud", "-q"], &["DIE"]);
    assert_eq!(died.code, None, "{died:?}");
    let mut command = program_with_signals("cli_callbacks");
    command.args(["serve", "--only", "ignored"]).env("TASKFLOW_HOME", home.0.path()).env("TOLD", home.file());
    let mut service = command.env("HANG", "yes").stderr(Stdio::piped()).spawn().expect("a built program starts");
    let mut log = BufReader::new(service.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
    assert!(log.any(|line| line.contains("serving 1 DAG")), "it says that it is up");
    let pid = Pid::from_child(&service);
    kill_process(pid, Signal::TERM).expect("it is running");
    eventually("it has stopped, and calls the callback", || home.told() == ["hangs"]);
    kill_process(pid, Signal::TERM).expect("it waits for the callback");
    assert_eq!(service.wait().expect("a child can be waited for").code(), Some(143));
    assert!(log.any(|line| line.contains("stopped at once")), "it says why");
}

#[test]
fn status_shows_retries_deadlines_and_failed_callbacks() {
    let home = Home::new();
    let run = home.call(&["run", "loud", "-q", "--logical-date", "2026-01-31"], &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!(home.told(), ["retry loud", "failure loud"]);
    let status = home.call(&["status", "1"], &[]).stdout;
    let (head, _) = status.split_once("\n\n").unwrap_or((&status, ""));
    insta::assert_snapshot!(masked(head), @r"
    run 1 of loud: failed in <time>, 1 task: 1 failed
      id <run>
      logical date <now>
      started <now> by <worker>
      retried <now> (retry 1)
      missed its deadline <now>
      ended <now>
      callbacks notified 2 notifications
    ");
    let json = home.call(&["status", "1", "--output", "json"], &[]).json();
    assert_eq!(json["missed_deadline"]["deadline"], "2026-01-31T00:00:00.001Z");
    assert_eq!(json["run_retries"][0]["number"], 1);
    assert_eq!(json["deliveries"].as_array().map(Vec::len), Some(2));
    let explained = home.call(&["explain", "1"], &[]).stdout;
    assert!(explained.starts_with("run 1 missed its deadline, 2026-01-31T00:00:00.001Z\n"), "{explained}");

    let run = home.call(&["run", "ignored", "-q"], &[]);
    assert_eq!(run.code, Some(0), "that a callback fails is no failure of the run: {run:?}");
    let status = home.call(&["status", "2"], &[]).stdout;
    assert!(status.contains("callback `refuses` was not notified: run manual__"), "{status}");
    assert!(status.contains("nobody is at the desk (one attempt, retry after "), "{status}");
}

/// B9: callbacks that return an error or panic, with a journal and without.
#[test]
fn a_callback_that_fails_is_one_warning() {
    let home = Home::new();
    for (dag, why) in [
        ("ignored", "warning: the callback `refuses` failed: nobody is at the desk (run "),
        ("alarmed", "warning: the callback `panics` failed: panicked at "),
    ] {
        for (flag, again) in [("strict", true), ("ephemeral", false)] {
            let run = home.call(&["run", dag, "--durability", flag], &[]);
            assert_eq!(run.code, Some(0), "{run:?}");
            let warnings: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("warning: ")).collect();
            let [warning] = warnings[..] else { panic!("{run:?}") };
            assert!(warning.starts_with(why), "{warning}");
            assert!(warning.contains("nobody is at the desk") || warning.contains("the desk is on fire"), "{warning}");
            assert_eq!(warning.ends_with("; it is notified again"), again, "{warning}");
        }
    }
}

/// B9: `cancel` of a run with `on_cancel`, by another process.
#[test]
fn somebody_is_told_of_a_cancelled_run() {
    let home = Home::new();
    let mut child = home.command(&["run", "stopped", "-q"]).spawn().expect("a built program starts");
    eventually("it runs", || home.call(&["status", "1"], &[]).stdout.contains("running"));
    let cancelled = home.call(&["cancel", "1", "--reason", "wrong month"], &[]);
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
    assert_eq!(home.told(), ["cancel stopped"]);
}
