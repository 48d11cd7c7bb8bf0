//! Commands as tasks: their arguments and environment, the meaning of their exit codes, their
//! outputs.

use std::time::Duration;

use rustix::process::{Pid, test_kill_process};
use taskflow::engine::{RunState, TaskState};
use taskflow::prelude::*;
use taskflow::process::{Command, CommandOutput, command};
use taskflow_tests::common::{self, live, patiently};

#[task]
fn day() -> String {
    "monday".to_owned()
}

#[task]
fn count() -> u32 {
    3
}

/// Runs one command as a DAG; what its task failed of, or how it was skipped.
#[track_caller]
#[allow(clippy::needless_pass_by_value, reason = "a command is written where it fails")]
fn failure(of: Command) -> Failure {
    let dag = Dag::build("one", || command("it", of.clone())).expect("the graph is sound");
    let report = live(dag.run());
    let failure = report.task("it").expect("it is in the graph").failure().expect("it does not succeed");
    (*failure).clone()
}

#[track_caller]
fn output(of: &Command) -> CommandOutput {
    let dag = Dag::build("one", || command("it", of.clone())).expect("the graph is sound");
    live(dag.run()).success().expect("it succeeds").clone()
}

fn chain(failure: &Failure) -> (&[String], bool) {
    match failure {
        Failure::Error { chain, retryable } => (chain, *retryable),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_command_returns_its_last_line_or_all_of_stdout() {
    assert_eq!(output(&Command::new("printf").arg("one\ntwo\n\n")).last_line, "two");
    assert_eq!(output(&Command::new("true")), CommandOutput::default());
    let captured = output(&Command::script("echo one; echo two; echo aside >&2").capture());
    assert_eq!(captured.stdout.as_deref(), Some("one\ntwo\n"));
}

/// A5: `echo 41; echo 'note: 42'`, and other lines that look like parts of a backtrace.
#[test]
fn the_last_line_of_stdout_counts_whatever_it_looks_like() {
    for last in ["note: 42", "   7: seven", "  at 10:00", "stack backtrace:"] {
        assert_eq!(output(&Command::script("echo 41; echo \"$1\"").arg(last)).last_line, last);
    }
}

/// B15: a progress bar: `\r` returns to the beginning of the line, and what follows replaces it.
#[test]
fn a_carriage_return_starts_a_line_that_replaces_the_one_before() {
    let last = |text: &str| output(&Command::new("printf").arg(text)).last_line;
    assert_eq!(last(r"10%%\r50%%\r100%%\nrows: 7\n"), "rows: 7");
    assert_eq!(last(r"10%%\r50%%\r100%%\n"), "100%");
    assert_eq!(last(r"10%%\r50%%\r"), "50%");
    assert_eq!(last(r"one\r\ntwo\r\n"), "two");
}

/// B15: 16 KiB and more without a line feed, and a result after it.
#[test]
fn a_line_may_be_long() {
    assert_eq!(output(&Command::script(r"printf '.%.0s' {1..20000}; printf '\rrows: 7\n'")).last_line, "rows: 7");
    assert_eq!(output(&Command::script("printf '.%.0s' {1..20000}; echo end")).last_line.len(), 20_003);
}

/// A4: `setsid sleep 30 &` leaves the group of the command and keeps its stdout open.
#[test]
fn what_was_captured_is_kept_when_another_process_holds_the_pipe() {
    // It has left the group when it is `sleep`.
    let script = "setsid sleep 30 & until grep -q sleep /proc/$!/comm; do :; done; echo answer; echo aside >&2";
    let captured = output(&Command::script(script).capture());
    assert_eq!((captured.stdout.as_deref(), &*captured.last_line), (Some("answer\n"), "answer"));
    let failed = failure(Command::script(format!("{script}; exit 3")));
    assert_eq!(chain(&failed).0[1], "aside");
}

#[test]
fn outputs_passed_as_arguments_or_environment_are_upstreams_of_the_command() {
    let dag = Dag::build("values", || {
        let script = Command::script(r#"line=$(cat); echo "$1 $DAY $line $2 $0""#);
        command("it", script.arg(count()).arg("fixed").env("DAY", day()).stdin_text(day()))
    })
    .unwrap();
    let it = dag.plan().find("it").unwrap();
    assert_eq!(dag.plan().node(it).id(), "it");
    let report = live(dag.run());
    assert_eq!(report.success().unwrap().last_line, "3 monday monday fixed script");
    let report = dag.run().run_sequentially().unwrap();
    assert_eq!(report.success().unwrap().last_line, "3 monday monday fixed script");
}

#[test]
fn a_command_after_a_failed_task_does_not_run() {
    #[task]
    fn broken() -> Result<String> {
        Err("no")?
    }
    let dag = Dag::build("after", || command("it", Command::new("echo").arg(broken()))).unwrap();
    let report = live(dag.run());
    assert_eq!(report.task("it").unwrap().state(), TaskState::UpstreamFailed);
}

#[test]
fn a_command_runs_with_the_given_environment_and_directory() {
    let command = Command::script("pwd; echo \"${HOME-none} $A\" >&2; env | grep -v -e ^PWD -e ^SHLVL -e ^_= | sort");
    let given = output(&command.clone().env_clear().env("A", "1").env("PATH", "/usr/bin:/bin").cwd("/").capture());
    assert_eq!(given.stdout.as_deref(), Some("/\nA=1\nPATH=/usr/bin:/bin\n"));
}

#[test]
fn an_exit_code_is_a_failure_with_the_last_lines_of_stderr() {
    let failed = failure(Command::script("echo one >&2; echo two >&2; exit 3"));
    let (chain, retryable) = chain(&failed);
    let what = "`bash -euo pipefail -c echo one >&2; echo two >&2; exit 3 scr ..` failed with exit code 3";
    assert_eq!((chain, retryable), (&[what.to_owned(), "one\ntwo".to_owned()][..], true));
}

#[test]
fn a_script_stops_at_the_first_command_that_fails() {
    for script in ["false; echo on", "false | true; echo on", "echo $NOT_SET; echo on"] {
        assert!(failure(Command::script(script)).to_string().ends_with("failed with exit code 1"), "{script}");
    }
}

#[test]
fn exit_codes_can_skip_and_forbid_retries() {
    let skipped =
        |of: Command| matches!(failure(of), Failure::Skipped { reason } if reason.ends_with("(exit code 99)"));
    assert!(skipped(Command::script("exit 99")));
    assert!(!skipped(Command::script("exit 99").skip_on(None)));
    assert!(failure(Command::script("exit 7").skip_on(7)).is_skip());
    assert!(!chain(&failure(Command::script("exit 2").no_retry_on(2).no_retry_on(4))).1);
    assert!(chain(&failure(Command::script("exit 3").no_retry_on(2))).1);
}

/// E10: retries only on named exit codes. Also a command that a signal killed, by the code that
/// shells give it.
#[test]
fn only_named_exit_codes_are_retried() {
    let retried = |of: Command| chain(&failure(of)).1;
    let only = || Command::script("exit 75").retry_only_on([75, 111]);
    assert!(retried(only()));
    assert!(!retried(Command::script("exit 1").retry_only_on([75, 111])));
    assert!(retried(Command::script("exit 1").retry_only_on([75]).retry_only_on([1])));
    assert!(!retried(only().no_retry_on(75)));
    assert!(!retried(Command::script("exit 75").retry_only_on([])));
    let killed = || Command::new("sh").arg("-c").arg("kill -KILL $$");
    assert!(retried(killed()));
    assert!(retried(killed().retry_only_on([137])));
    assert!(!retried(killed().retry_only_on([75])));
    assert!(!retried(killed().no_retry_on(137)));
    assert!(failure(Command::script("exit 99").retry_only_on([75])).is_skip());
}

/// The same for a command as a node: the first failure is retried, the second is final.
#[test]
fn a_node_is_retried_on_named_exit_codes() {
    let dir = tempfile::tempdir().unwrap();
    let script = Command::script("if mkdir first; then exit 75; else exit 1; fi").cwd(dir.path()).retry_only_on([75]);
    let dag = Dag::build("codes", || command("step", script).retries(5).retry_delay(Duration::ZERO)).unwrap();
    let report = live(dag.run());
    assert_eq!(report.task("step").unwrap().attempts().len(), 2);
    assert_eq!(report.state(), RunState::Failed);
}

#[test]
fn a_signal_is_named() {
    let failed = failure(Command::new("sh").arg("-c").arg("kill -KILL $$"));
    assert_eq!(failed.to_string(), "`sh -c kill -KILL $$` was killed by signal 9 (SIGKILL)");
}

#[test]
fn a_command_that_cannot_be_started_is_not_retried() {
    let failed = failure(Command::new("no-such-program").arg("--now"));
    let (chain, retryable) = chain(&failed);
    assert!(chain[0].starts_with("`no-such-program --now` cannot be started: No such file"), "{chain:?}");
    assert!(!retryable);
}

#[test]
fn output_beyond_the_capture_limit_is_a_failure() {
    let failed = failure(Command::script("printf %2000d 1").capture_up_to(1024));
    assert!(failed.to_string().contains("wrote 2.0 KiB to stdout, but at most 1.0 KiB are captured"), "{failed}");
}

#[test]
fn background_processes_of_a_command_end_with_it() {
    let given = output(&Command::script("sleep 1000 & echo $!"));
    let pid = Pid::from_raw(given.last_line.parse().unwrap()).unwrap();
    common::eventually("what was started is gone", || {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
        test_kill_process(pid).is_err() || status.contains(") Z ")
    });
}

#[test]
fn a_command_can_be_awaited_inside_a_task() {
    #[task]
    async fn shell(ctx: &TaskContext, script: &str) -> Result<String> {
        Ok(Command::script(script).env("TASK", ctx.task_id()).run(ctx).await?.last_line)
    }
    let dag = Dag::build("inside", || shell("echo in $TASK")).unwrap();
    assert_eq!(live(dag.run()).success().unwrap(), "in shell");
    let dag = Dag::build("inside", || shell("exit 99")).unwrap();
    assert_eq!(live(dag.run()).task("shell").unwrap().state(), TaskState::Skipped);
}

#[test]
fn retries_and_timeouts_apply_to_commands() {
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("mark").to_str().unwrap().to_owned();
    let dag = Dag::build("again", || {
        let script = Command::script(r#"if [ -e "$MARK" ]; then echo again; else touch "$MARK"; exit 1; fi"#);
        command("it", script.env("MARK", &mark)).retries(1).retry_delay(Duration::ZERO)
    })
    .unwrap();
    assert_eq!(live(dag.run()).success().unwrap().last_line, "again");

    let dag =
        Dag::build("long", || command("it", Command::new("sleep").arg("1000")).timeout(Duration::from_millis(50)))
            .unwrap();
    let report = patiently(move || dag.run().wait().unwrap()).expect("the time limit ends it");
    assert!(matches!(&*report.task("it").expect("it is in the graph").failure().unwrap(), Failure::TimedOut { .. }));
}

taskflow::pool!("licence", slots = 1);

/// A6: a command that ignores SIGTERM, with a time limit, a retry, and a pool of one slot.
#[test]
fn the_next_attempt_starts_and_the_slot_is_free_when_the_processes_of_the_last_one_are_gone() {
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("mark").to_str().unwrap().to_owned();
    // It fails if the process that has written its number before is alive.
    let alone = r#"! kill -0 "$(cat "$MARK" 2>/dev/null)" 2>/dev/null || touch "$MARK.two"; echo $$ > "$MARK""#;
    let dag = Dag::build("stubborn", || {
        let stubborn = Command::script(format!("trap '' TERM; {alone}; while :; do sleep 0.1; done"));
        let limit = Duration::from_millis(300);
        let first = command("first", stubborn.env("MARK", &mark)).pool("licence").priority(9);
        first.retries(1).retry_delay(Duration::ZERO).timeout(limit);
        command("second", Command::script(alone).env("MARK", &mark)).pool("licence")
    })
    .unwrap();
    let report = patiently(move || dag.run().wait().unwrap()).expect("the time limit ends it");
    assert_eq!(common::states(&report), "first=failed second=success");
    assert_eq!(report.task("first").unwrap().attempt_count(), 2);
    assert!(!directory.path().join("mark.two").exists());
}

/// A6: a command that needs a moment after SIGTERM, in a run that has nothing else to do.
#[test]
fn a_command_has_its_grace_time_when_its_time_limit_ends_the_run() {
    let directory = tempfile::tempdir().unwrap();
    let left = directory.path().join("left");
    let dag = Dag::build("polite", || {
        let script = "trap 'sleep 0.5; touch \"$LEFT\"; exit 1' TERM; while :; do sleep 0.01 || :; done";
        let polite = Command::script(script).env("LEFT", left.to_str().unwrap());
        command("it", polite).timeout(Duration::from_secs(2))
    })
    .unwrap();
    let report = patiently(move || dag.run().wait().unwrap()).expect("the time limit ends it");
    assert!(matches!(&*report.task("it").unwrap().failure().unwrap(), Failure::TimedOut { .. }));
    assert!(left.exists());
}

#[test]
fn commands_with_the_same_id_are_a_mistake() {
    let mistakes = Dag::build("twice", || {
        command("it", Command::new("true"));
        command("it", Command::new("false"))
    })
    .unwrap_err();
    assert!(mistakes.to_string().contains("`it`"), "{mistakes}");
}

#[test]
#[should_panic(expected = "call it inside a `#[dag]` function; inside a task, use `Command::new(..).run(ctx).await`")]
fn a_command_outside_a_dag_is_an_error() {
    let _ = command("it", Command::new("true"));
}
