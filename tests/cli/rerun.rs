//! The commands that edit stored runs, or run their tasks again.

use serde_json::json;
use taskflow_tests::binaries::{self, ProgramOutput, masked};

use crate::support::{Home, failed};

#[test]
fn retry_runs_failed_tasks_and_their_downstreams_again() {
    let home = failed();
    home.land();
    let output = home.good(&["retry"]);
    assert_eq!(output.stdout, "3 rows\n");
    let text = masked(&output.stderr);
    assert!(
        text.starts_with("retrying 2 tasks of run 1: gate, report\n<now> gated: resumed run 1 (<run>) of 4 tasks\n"),
        "{text}"
    );
    assert!(!text.contains("<now> tidy"), "what ended before is no news: {text}");
    assert!(text.contains("\ngate success 2 "), "{text}");
    let status = home.json(&["status", "1"]);
    assert_eq!((&status["state"], status["sessions"].as_array().map(Vec::len)), (&"success".into(), Some(2)));
    assert_eq!(status["tasks"][1]["attempts"].as_array().map(Vec::len), Some(2));
    assert_eq!(status["edits"][0]["tasks"], json!(["gate", "report"]));
}

#[test]
fn a_retry_that_fails_again_suggests_the_next_step() {
    let home = failed();
    let output = home.call(&["retry", "-q"]);
    assert_eq!(output.code, Some(1));
    assert!(masked(&output.stderr).ends_with("to retry: cli_history retry 1"), "{output:?}");
    let path = home.path();
    let path = path.to_str().expect("temporary directories have plain names");
    let output = Home::new().call(&["retry", "-q", "--home", path]);
    let expected = format!("retry 1 --home {path}");
    assert!(output.stderr.trim_end().ends_with(&expected), "the command finds the run again: {output:?}");
}

#[test]
fn a_run_with_nothing_left_to_run_is_not_resumed() {
    let home = Home::new();
    home.good(&["run", "small", "-q"]);
    assert_eq!(
        home.refusal(&["retry"]),
        "error: run 1 has no failed task (state: success); `clear 1 TASK` runs any task again\n"
    );
    assert!(
        home.refusal(&["resume", "1"]).contains("it has ended (success); use `retry` or `clear` to run tasks again")
    );
    assert!(
        home.refusal(&["resume"]).starts_with("error: there is no interrupted run to resume; `runs` lists all runs")
    );
    assert_eq!(home.refusal(&["cancel", "1"]), "error: run 1 has already ended (state: success)\n");
}

#[test]
fn clear_runs_the_cleared_tasks_again() {
    let home = Home::new();
    home.good(&["run", "small", "-q"]);
    let output = home.good(&["clear", "1", "double", "--downstream", "--reason", "wrong factor"]);
    assert_eq!(output.stdout, "28\n");
    assert!(output.stderr.starts_with("cleared 2 tasks of run 1: double, double_2\n"), "{output:?}");
    let status = home.json(&["status", "1"]);
    let attempts = |task: usize| status["tasks"][task]["attempts"].as_array().map(Vec::len);
    assert_eq!((attempts(0), attempts(1), attempts(2)), (Some(1), Some(2), Some(2)));
    assert_eq!(status["edits"][0]["reason"], "wrong factor");
}

#[test]
fn a_dry_run_lists_what_would_run_and_changes_nothing() {
    let home = failed();
    let would = |words: &[&str]| home.good(&[&["clear", "1", "--dry-run"], words].concat()).stdout;
    assert_eq!(would(&[]), "load.extract\ngate\nreport\ntidy\n");
    assert_eq!(would(&["--failed"]), "gate\nreport\n");
    assert_eq!(would(&["gate", "--upstream"]), "load.extract\ngate\n");
    assert_eq!(would(&["load", "--downstream"]), "load.extract\ngate\nreport\ntidy\n");
    assert_eq!(would(&["load"]), "load.extract\n");
    assert_eq!(would(&["--only", "gate"]), "gate\n");
    assert_eq!(would(&["--from", "gate"]), "gate\nreport\n");
    let previewed = home.json(&["clear", "1", "--dry-run", "--failed"]);
    let token = previewed["token"].as_str().expect("a token");
    assert_eq!(previewed, json!({"number": 1, "tasks": ["gate", "report"], "dry_run": true, "token": token}));
    assert_eq!(home.json(&["status", "1"])["edits"], json!([]));
}

#[test]
fn retry_and_mark_do_what_their_previews_have_shown_or_nothing() {
    let home = failed();
    let previewed = home.good(&["retry", "1", "--dry-run"]);
    assert_eq!(previewed.stdout, "gate\nreport\n");
    let retry = home.json(&["retry", "1", "--dry-run"]);
    let token = retry["token"].as_str().expect("a token");
    assert_eq!(previewed.stderr, format!("nothing was retried; --token {token} retries exactly this\n"));
    let words = ["mark", "success", "1", "gate", "--value", "12"];
    let previewed = home.good(&[&words[..], &["--dry-run"]].concat());
    assert_eq!(previewed.stdout, "gate\n");
    let mark = home.json(&[&words[..], &["--dry-run"]].concat());
    let mark_token = mark["token"].as_str().expect("a token");
    assert_eq!(
        previewed.stderr,
        format!(
            "`resume 1` decides anew about what follows from them: report\nnothing was marked; --token {mark_token} \
             marks exactly this\n"
        )
    );
    assert_eq!(home.json(&["status", "1"])["edits"], json!([]));
    // The other value is another matter of the same tasks, and the token of one verb is not that of
    // another.
    let refused = |words: &[&str], why: &str| {
        let refusal = home.refusal(words);
        assert!(refusal.contains(why), "{words:?}: {refusal}");
    };
    refused(&["retry", "1", "--token", mark_token], "now they are gate (failed), report (upstream_failed); preview");
    refused(&["mark", "skipped", "1", "gate", "--token", mark_token], "now they are gate (failed); preview");
    let marked = home.good(&[&words[..], &["--token", mark_token]].concat());
    assert_eq!(marked.stderr, "marked as success: 1 task of run 1: gate; `resume 1` runs what is left\n");
    refused(&["retry", "1", "--token", token], "the tasks to retry of run 1 have changed since the preview");
    refused(&[&words[..], &["--token", mark_token]].concat(), "now they are gate (success); preview it again");
    refused(&["retry", "1", "--token", token, "--dry-run"], "cannot be used with");
}

#[test]
fn a_retry_with_the_token_of_its_preview_runs_the_failed_tasks() {
    let home = failed();
    let token = home.json(&["retry", "1", "--dry-run"])["token"].as_str().map(str::to_owned).expect("a token");
    home.land();
    let retried = home.good(&["retry", "1", "--token", &token, "-q"]);
    assert_eq!((&*retried.stdout, home.state_of("1", "gate")), ("3 rows\n", "success".into()));
    let refusal = home.refusal(&["retry", "1", "--token", &token]);
    assert!(refusal.contains("now there are none; preview it again"), "{refusal}");
}

#[test]
fn cancel_ends_what_its_preview_has_shown_or_nothing() {
    let home = failed();
    home.good(&["clear", "1", "gate", "report", "--no-run"]);
    let previewed = home.good(&["cancel", "1", "--dry-run"]);
    assert_eq!(previewed.stdout, "gate\nreport\n");
    let preview = home.json(&["cancel", "1", "--dry-run"]);
    let token = preview["token"].as_str().expect("a token");
    assert_eq!(previewed.stderr, format!("nothing was cancelled; --token {token} cancels exactly this\n"));
    home.good(&["mark", "skipped", "1", "report"]);
    let refusal = home.refusal(&["cancel", "1", "--token", token]);
    assert!(refusal.contains("no process runs it, and its open tasks are gate (none); preview it again"), "{refusal}");
    let preview = home.json(&["cancel", "1", "--dry-run"]);
    let token = preview["token"].as_str().expect("a token");
    assert_eq!(home.good(&["cancel", "1", "--token", token]).stderr, "run 1 is cancelled\n");
    let refusal = home.refusal(&["cancel", "1", "--token", token, "--no-wait"]);
    assert!(refusal.contains("run 1 has changed since the preview: it has ended (state: cancelled)"), "{refusal}");
}

#[test]
fn tasks_cleared_without_running_wait_for_resume() {
    let home = Home::new();
    home.good(&["run", "small", "-q"]);
    let output = home.good(&["clear", "1", "--only", "double_2", "--no-run"]);
    assert_eq!(output.stderr, "cleared 1 task of run 1: double_2; `resume 1` runs them\n");
    assert_eq!(home.json(&["runs"])[0]["state"], "interrupted");
    let explained = home.good(&["explain", "1"]).stdout;
    assert!(explained.contains("no process is running this run: `resume 1` continues it"), "{explained}");
    assert_eq!(home.good(&["resume", "-q"]).stdout, "28\n");
    assert_eq!(home.json(&["runs"])[0]["state"], "success");
}

#[test]
fn marking_the_last_unfinished_task_ends_the_run() {
    let home = failed();
    let output = home.good(&["mark", "success", "1", "report", "--value", "\"by hand\""]);
    assert!(output.stderr.starts_with("marked as success: 1 task of run 1: report\n"), "{output:?}");
    assert_eq!((&*output.stdout, &home.json(&["runs"])[0]["state"]), ("by hand\n", &"success".into()));
    assert_eq!(home.good(&["values", "1", "report"]).stdout, "by hand\n");
}

#[test]
fn marking_a_task_leaves_its_downstreams_to_resume() {
    let home = failed();
    let output = home.good(&["mark", "success", "1", "gate", "--value", "12", "--reason", "counted by hand"]);
    assert_eq!(output.stderr, "marked as success: 1 task of run 1: gate; `resume 1` runs what is left\n");
    assert_eq!(home.good(&["resume", "-q"]).stdout, "12 rows\n");
    assert_eq!(home.state_of("1", "gate"), "success");
    let marked = home.json(&["mark", "failed", "1", "load.extract"]);
    assert_eq!(marked["state"], "success", "what depends on it has run: {marked}");
}

#[test]
fn an_impossible_mark_is_rejected() {
    let home = failed();
    let refusal = home.refusal(&["mark", "done", "1", "gate"]);
    assert!(refusal.contains("[possible values: success, failed, skipped]"), "{refusal}");
    let refusal = home.refusal(&["mark", "success", "1", "gate"]);
    assert!(
        refusal.contains("other tasks need the value of `gate`, but it has none: pass a usize as JSON"),
        "{refusal}"
    );
    let refusal = home.refusal(&["mark", "failed", "1", "gate", "--value", "1"]);
    assert!(refusal.contains("the state is failed"), "{refusal}");
    let refusal = home.refusal(&["mark", "success", "1", "gate", "--value", "rows"]);
    assert!(refusal.contains("a string needs quotes"), "{refusal}");
    let refusal = home.refusal(&["mark", "success", "1", "gate", "--value", "\"rows\""]);
    assert!(refusal.contains("the JSON is not a valid usize"), "{refusal}");
}

#[test]
fn a_replay_runs_one_task_with_its_inputs_and_stores_nothing() {
    let home = failed();
    let output = home.call(&["replay", "1", "gate"]);
    assert_eq!((output.code, &*output.stdout), (Some(1), ""));
    assert_eq!(output.stderr, "error: task `gate` failed\n  the file has not landed\n");
    home.land();
    let output = home.good(&["replay", "last", "gate"]);
    assert_eq!((&*output.stdout, &*masked(&output.stderr)), ("3\n", "gate: success in <time>"));
    assert_eq!(
        home.json(&["replay", "1", "--task", "gate"]),
        json!({"task": "gate", "state": "success", "value": 3, "failure": null})
    );
    assert_eq!(home.state_of("1", "gate"), "failed");
    let output = home.call(&["replay", "1", "report"]);
    assert_eq!(
        (output.code, &*output.stderr),
        (Some(1), "error: task `report` does not run with these inputs: upstream task `gate` failed\n")
    );
}

#[test]
fn a_replay_of_a_panic_shows_its_backtrace_on_request() {
    let home = Home::new();
    let file = home.file();
    home.call(&["run", "mixed", "-q", "--file", file.to_str().unwrap()]);
    let output = home.call(&["replay", "1", "breaks"]);
    assert_eq!(output.code, Some(1));
    assert!(
        output.stderr.contains("panicked: the file is missing\n    at tests/fixtures/cli_history.rs:"),
        "{output:?}"
    );
    assert!(!output.stderr.contains("stack backtrace"), "{output:?}");
    let output: ProgramOutput = binaries::program("cli_history")
        .args(["replay", "1", "breaks"])
        .env("TASKFLOW_HOME", home.path())
        .env("RUST_BACKTRACE", "1")
        .output()
        .unwrap()
        .into();
    assert!(output.stderr.contains("stack backtrace"), "{output:?}");
    let output = home.good(&["replay", "1", "skips"]);
    assert_eq!(output.stderr, "skips: skipped: nothing landed\n");
}
