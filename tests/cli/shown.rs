//! What people read of runs: labels, waits, odd results, changed graphs, triggered runs.

use std::io::{BufRead, BufReader};

use serde_json::json;
use taskflow_tests::binaries::{ProgramOutput, masked};
use taskflow_tests::common::eventually;
use taskflow_tests::home::ProgramHome;

fn new_home() -> ProgramHome {
    ProgramHome::new("cli_shown")
}

fn call_with(home: &ProgramHome, words: &[&str], variables: &[(&str, &str)]) -> ProgramOutput {
    home.command(words).envs(variables.iter().copied()).output().expect("a built program starts").into()
}

/// Reads lines of stderr until one contains this text; all of them.
fn lines_until(lines: &mut impl BufRead, text: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(text) {
        assert!(lines.read_line(&mut seen).expect("it writes text") > 0, "it ended without {text:?}: {seen}");
    }
    seen
}

// Waits: B10.

/// B10: the plain lines, `status`, `explain` and the JSON of a run that waits for an approval.
#[test]
fn a_run_that_waits_for_an_approval_says_what_for_and_how_to_answer() {
    let home = new_home();
    let mut child = home.spawn(&["run", "review"]);
    let mut stderr = BufReader::new(child.stderr.take().expect("it is piped"));
    let seen = lines_until(&mut stderr, "release");
    let line = seen.lines().last().unwrap_or_default();
    assert!(line.contains(" waits: start_review: \"score 96: review?\" answer with: "), "{seen}");
    assert!(line.ends_with("cli_shown release 1 start_review --value '\"approved\"'"), "{seen}");

    // The line does not wait for the store.
    eventually("it is stored", || home.good(&["status"]).stdout.contains("waits: "));
    let status = home.good(&["status"]).stdout;
    assert!(status.contains("\nwaits: start_review: \"score 96: review?\"\n  answer with: "), "{status}");
    assert!(status.contains("release 1 start_review --value '\"approved\"'\n"), "{status}");
    let json = home.good(&["status", "--output", "json"]).json();
    let task = json["tasks"].as_array().and_then(|tasks| tasks.iter().find(|task| task["id"] == "start_review"));
    let task = task.expect("the run has the task");
    assert_eq!(
        (&task["waits_for"]["question"], &task["waits_for"]["event"]),
        (&json!("score 96: review?"), &json!("start_review"))
    );
    assert_eq!(task["answer_with"], json!(["release", "1", "start_review", "--value", "\"approved\""]));
    let explained = home.good(&["explain", "1", "start_review"]).stdout;
    assert!(explained.contains("it asks \"score 96: review?\" (since "), "{explained}");

    let call = line.split_once("release ").map(|(_, words)| words.replace('\'', "")).unwrap_or_default();
    let words: Vec<&str> = ["release"].into_iter().chain(call.split(' ')).chain(["--by", "ada"]).collect();
    home.good(&words);
    let output = ProgramOutput::from(child.wait_with_output().expect("it ends"));
    assert_eq!((output.code, &*output.stdout), (Some(0), "Approved by ada\n"), "{output:?}");
}

/// A sensor, an event and a question of a type of the program.
#[test]
fn every_wait_is_said_once_in_plain_lines() {
    let home = new_home();
    let file = home.beside("file").display().to_string();
    let mut child = home.spawn(&["run", "waiting", "--file", &file]);
    let mut stderr = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut seen = String::new();
    for text in [
        "waits: landed: condition, not met in ",
        "waits: told: event `go` send it with: ",
        "waits: consent: \"may it be published?\" answer with: ",
    ] {
        while !seen.contains(text) {
            assert!(stderr.read_line(&mut seen).expect("it writes text") > 0, "it ended without {text:?}: {seen}");
        }
    }
    assert!(seen.contains("release 1 consent --value '<Choice>'\n"), "{seen}");
    eventually("the sensor has poked several times", || {
        let json = home.good(&["status", "--output", "json"]).json();
        json["tasks"]
            .as_array()
            .is_some_and(|tasks| tasks[0]["waits_for"]["count"].as_u64().is_some_and(|count| count > 5))
    });
    home.good(&["release", "1", "go", "--value", "1"]);
    home.good(&["release", "1", "consent", "--value", "{\"Wait\": {\"days\": 3}}"]);
    std::fs::write(&file, "").expect("temporary files can be written");
    let mut rest = String::new();
    while stderr.read_line(&mut rest).expect("it writes text") > 0 {}
    let output = ProgramOutput::from(child.wait_with_output().expect("it ends"));
    assert_eq!((output.code, &*output.stdout), (Some(0), "Wait { days: 3 }\n"), "{output:?}");
    assert_eq!((seen + &rest).matches("waits: landed").count(), 1);
}

/// B11: `release` where no variable names the user.
#[test]
fn an_answer_always_says_who_gave_it() {
    for (variables, by) in [(&[("USER", "")][..], None), (&[("USER", "grace")], Some("grace"))] {
        let home = new_home();
        let mut child = home.spawn(&["run", "review", "-q"]);
        eventually("it asks", || home.call(&["status"]).stdout.contains("waits: start_review"));
        let mut command = home.command(&["release", "1", "start_review", "--value", "\"approved\""]);
        command.env_remove("USER").env_remove("LOGNAME").env_remove("USERNAME").envs(variables.iter().copied());
        assert!(command.status().expect("a built program starts").success());
        let code = child.wait().expect("it ends").code();
        let value = home.good(&["values", "1", "reviewed"]).stdout;
        let said = value.trim().strip_prefix("Approved by ").unwrap_or_default();
        assert_eq!(code, Some(0));
        assert!(!said.is_empty() && by.is_none_or(|by| by == said), "{value}");
    }
}

/// B11: `--by ""`.
#[test]
fn a_name_that_is_empty_is_refused() {
    let home = new_home();
    home.good(&["run", "wide", "-q"]);
    let output = home.call(&["clear", "1", "--no-run", "--by", ""]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("--by <NAME>"), "{output:?}");
    home.good(&["clear", "1", "--no-run", "--by", "ada", "--reason", "wrong month"]);
    let status = home.good(&["status"]).stdout;
    assert!(status.contains("(by ada: wrong month)"), "{status}");
}

// Labels: B13.

/// B13: elements of a labelled list, also of an inner one.
#[test]
fn elements_have_their_labels_everywhere() {
    let home = new_home();
    let run = home.call(&["run", "labelled", "--fail"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    let lines: Vec<&str> = run.stderr.lines().collect();
    let has = |text: &str| lines.iter().any(|line| line.contains(text));
    assert!(has("fetch[0][0] (seoul / 2013-01): success in "), "{}", run.stderr);
    assert!(has("fetch[1][1] (busan / 2013-02): attempt 1 failed, retry in 1.0 ms: no such page"), "{}", run.stderr);
    assert!(has("fetch[1][1] (busan / 2013-02): failed after 2 attempts: no such page"), "{}", run.stderr);
    assert!(has("fetch[0][0] (seoul / 2013-01)  success"), "the table: {}", run.stderr);
    assert!(
        has("error: task `fetch[0][1]` (seoul / 2013-02) failed")
            || has("error: task `fetch[1][1]` (busan / 2013-02) failed"),
        "{}",
        run.stderr
    );
    assert!(
        has("also failed: fetch[1][1] (busan / 2013-02)") || has("also failed: fetch[0][1] (seoul / 2013-02)"),
        "{}",
        run.stderr
    );
    for (words, text) in [
        (&["logs", "1"][..], "INFO  fetch[1][0] (busan / 2013-01): fetches 2013-01"),
        (&["values", "1"], "fetch[1][0] (busan / 2013-01)  u32"),
        (&["status", "1"], "fetch[1][0] (busan / 2013-01)  success"),
        (&["explain", "1"], "fetch[1][1] (busan / 2013-02): failed"),
    ] {
        let output = home.good(words).stdout;
        assert!(output.contains(text), "{words:?} {output}");
    }
    let json = home.call(&["run", "labelled", "--output", "json"]).json();
    let labels: Vec<_> =
        json["tasks"].as_array().into_iter().flatten().filter_map(|task| task["label"].as_str()).collect();
    assert!(labels.contains(&"seoul / 2013-01"), "{labels:?}");
    let logs = home.good(&["run", "labelled", "--logs"]).stderr;
    assert!(logs.contains("INFO  fetch[1][0] (busan / 2013-01): fetches 2013-01"), "{logs}");
}

// Counts and durations: A18.

/// A18: `run labelled`, whose 3 tasks have 11 instances with the elements of its lists, in the
/// summary, `status`, `show` and `list`; `run parent --only child`, 1 of 3 tasks.
#[test]
fn there_is_one_count_of_tasks_with_words_for_the_others() {
    let home = new_home();
    let run = home.good(&["run", "labelled"]);
    let last = |text: &str| text.lines().last().map(masked).unwrap_or_default();
    assert_eq!(last(&run.stderr), "labelled: success in <time>, 3 tasks, 11 with elements; `status 1` shows more");
    let status = home.good(&["status", "1"]).stdout;
    assert!(
        masked(&status).starts_with("run 1 of labelled: success in <time>, 3 tasks, 11 with elements: 11 success\n"),
        "{status}"
    );
    let show = home.good(&["show", "labelled"]).stdout;
    assert!(show.contains("\n  3 tasks, 3 for each element, "), "{show}");
    let list = home.good(&["list", "--output", "json"]).json();
    let tasks = list
        .as_array()
        .and_then(|dags| dags.iter().find(|dag| dag["id"] == "labelled"))
        .map(|dag| dag["tasks"].clone());
    assert_eq!(tasks, Some(json!(3)));

    let run = home.good(&["run", "parent", "--only", "child"]);
    assert_eq!(last(&run.stderr), "parent: success in <time>, 1 of 3 tasks; `status 2` shows more");
    let status = home.good(&["status", "2"]).stdout;
    assert!(masked(&status).starts_with("run 2 of parent: success in <time>, 1 of 3 tasks: 1 success\n"), "{status}");
    let runs = home.good(&["runs", "--dag", "parent"]).stdout;
    assert!(runs.trim_end().ends_with("  1 of 3"), "{runs}");
}

/// A18: `run labelled` and `status 1`.
#[test]
fn the_summary_and_the_status_have_the_same_duration() {
    let home = new_home();
    let run = home.good(&["run", "labelled", "--output", "json"]).json();
    let status = home.good(&["status", "1", "--output", "json"]).json();
    assert_eq!((&run["started"], &run["ended"]), (&status["started"], &status["ended"]));
}

// Results: A11.

/// A11: `u128::MAX`, `HashMap<(u32, u32), _>` and NaN.
#[test]
fn a_result_that_json_does_not_have_is_text_with_a_note() {
    let home = new_home();
    for (dag, text, why) in [
        ("wide", json!(u128::MAX.to_string()), "number out of range"),
        ("pairs", json!({"[1,2]": "a"}), "key must be a string"),
        ("nan", json!([0.5, "NaN", null]), "JSON has no such numbers"),
    ] {
        let output = home.good(&["run", dag, "--output", "json"]);
        let document = output.json();
        assert_eq!((&document["state"], &document["result"]), (&json!("success"), &text), "{dag}");
        assert_eq!(document["result_note"], format!("the result is shown as text: {why}"), "{dag}");
        let output = home.good(&["run", dag]);
        assert!(output.stderr.contains(&format!("note: the result is shown as text: {why}")), "{dag} {output:?}");
        assert!(!output.stdout.is_empty(), "{dag}");
    }
}

// Changed graphs: E14.

/// E14: `run grown` with three steps; `resume` with four and a check, then without the check.
#[test]
fn resuming_after_a_change_of_the_graph_says_what_is_new_or_gone() {
    let home = new_home();
    call_with(&home, &["run", "grown", "-q"], &[("STEPS", "3")]);
    home.good(&["clear", "1", "step", "--downstream", "--no-run"]);
    let same = call_with(&home, &["resume", "1"], &[("STEPS", "3")]);
    assert_eq!(same.code, Some(0), "{same:?}");
    assert!(!same.stderr.contains("the graph has changed"), "{same:?}");

    home.good(&["clear", "1", "step", "--downstream", "--no-run"]);
    let more = call_with(&home, &["resume", "1"], &[("STEPS", "4"), ("CHECK", "yes")]);
    assert_eq!(more.code, Some(0), "{more:?}");
    let first = more.stderr.lines().next().unwrap_or_default();
    assert_eq!(first, "the graph has changed since the run was last run; new: step_4, check");
    let second = more.stderr.lines().nth(1).unwrap_or_default();
    assert!(second.starts_with("warning: the calls of step are numbered in the order of the calls"), "{more:?}");

    call_with(&home, &["clear", "1", "step", "--downstream", "--no-run"], &[("STEPS", "4"), ("CHECK", "yes")]);
    let fewer = call_with(&home, &["resume", "1"], &[("STEPS", "4")]);
    let first = fewer.stderr.lines().next().unwrap_or_default();
    assert_eq!(first, "the graph has changed since the run was last run; gone: check", "{fewer:?}");
    assert!(!fewer.stderr.contains("warning"), "{fewer:?}");
}

// Triggered runs: E11.

/// E11: `status` of a run that triggers a run that triggers another one, and one more.
#[test]
fn the_status_of_a_run_shows_the_runs_that_it_has_triggered() {
    let home = new_home();
    home.good(&["run", "parent", "-q"]);
    let status = home.good(&["status", "1"]).stdout;
    let tree: Vec<&str> = status.lines().filter(|line| line.contains("triggered run")).collect();
    assert_eq!(tree.len(), 3, "{status}");
    let json = home.good(&["status", "1", "--output", "json"]).json();
    let triggered = json["triggered"].as_array().expect("there are some");
    let child = triggered.iter().find(|run| run["dag_id"] == "child").expect("it was triggered");
    let (number, inner) = (&child["number"], &child["triggered"][0]);
    assert_eq!((&child["task_id"], &child["state"]), (&json!("child"), &json!("success")));
    assert_eq!((&inner["dag_id"], &inner["task_id"]), (&json!("grandchild"), &json!("grandchild")));
    assert!(status.contains(&format!("  triggered run {number} of child by `child`: success\n    triggered run {} of grandchild by `grandchild`: success\n", inner["number"])), "{status}");
}
