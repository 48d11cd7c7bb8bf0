//! `run`: one run of a DAG from the command line, its output and its exit code.

use taskflow_tests::binaries::{self, call, masked, program};

#[test]
fn the_only_dag_runs_without_arguments() {
    let output = call("cli_single", &[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.ends_with("Hello, world!\n"), "{output:?}");
}

#[test]
fn a_string_result_is_printed_as_it_is() {
    let output = call("cli_single", &["run", "--name", "Ada L", "--times", "2", "--loud", "--quiet"]);
    assert_eq!(output.stdout.lines().last(), Some("HELLO, ADA L! HELLO, ADA L!"));
    let output = call("cli_single", &["run", "greeting", "--loud=false", "-q"]);
    assert_eq!(output.stdout.lines().last(), Some("Hello, world!"));
}

#[test]
fn other_results_are_printed_as_json() {
    let output = call("cli_several", &["run", "required", "--table", "t", "--offset", "-3", "-q"]);
    assert_eq!(output.stdout, "[\n  {\n    \"carrier\": \"t\",\n    \"late\": 3\n  }\n]\n");
    assert_eq!(call("cli_several", &["run", "tables", "-q"]).stdout, "1\n");
}

#[test]
fn a_dag_without_a_result_prints_nothing() {
    let output = call("cli_several", &["run", "skipping"]);
    assert_eq!((output.code, &*output.stdout), (Some(0), ""));
}

#[test]
fn quiet_prints_nothing_but_failures() {
    let output = call("cli_several", &["run", "tables", "--quiet"]);
    assert_eq!(output.stderr, "");
    let output = call("cli_several", &["run", "panicking", "--quiet"]);
    assert_eq!(output.code, Some(1));
    insta::assert_snapshot!(masked(&output.stderr), @r#"
    error: task `panics` failed
      panicked: the index is broken
        at tests/fixtures/cli_several.rs:51:5
      called at tests/fixtures/cli_several.rs:77:5
      failed <time> after the start of the run
    to retry: cli_several retry 1
    "#);
}

#[test]
fn without_a_terminal_a_run_prints_plain_lines() {
    let output = call("cli_several", &["run", "--jobs", "1", "failing"]);
    assert_eq!((output.code, &*output.stdout), (Some(1), ""));
    insta::assert_snapshot!(masked(&output.stderr), @r#"
    <now> failing: run 1 (<run>) of 3 tasks
    <now> connect: attempt 1 failed, retry in <time>: no route to the warehouse
    <now> connect: attempt 2 failed, retry in <time>: cannot reach the warehouse: connection refused
    <now> connect: failed after 3 attempts: cannot reach the warehouse: connection refused
    <now> load: upstream task `connect` failed
    <now> load_2: upstream task `connect` failed
    task state attempts duration start
    ─
    connect failed 3 <time> <time>
    load upstream_failed
    load_2 upstream_failed
    failing: failed in <time>, 3 tasks: 1 failed, 2 upstream_failed; `status 1` shows more

    error: task `connect` failed after 3 attempts
      cannot reach the warehouse
        caused by: connection refused
      called at tests/fixtures/cli_several.rs:63:22
      failed <time> after the start of the run
      attempt 1: no route to the warehouse
      not run as a result: load, load_2
    to retry: cli_several retry 1
    "#);
    assert!(!output.stderr.contains('\x1b'), "{output:?}");
}

#[test]
fn a_skip_is_printed_with_its_reason() {
    let output = call("cli_several", &["run", "skipping"]);
    insta::assert_snapshot!(masked(&output.stderr), @r#"
    <now> skipping: run 1 (<run>) of 2 tasks
    <now> skips: skipped: nothing landed
    <now> load: skipped: upstream task `skips` was skipped
    task state attempts duration start
    ─
    skips skipped 1 <time> <time>
    load skipped
    skipping: success in <time>, 2 tasks: 2 skipped; `status 1` shows more
    "#);
}

#[test]
fn a_large_dag_prints_failures_progress_and_totals_per_function() {
    let output = call("cli_several", &["run", "large"]);
    assert_eq!(output.code, Some(1));
    let text = masked(&output.stderr);
    assert!(text.contains("<now> part_8: failed: the seventh\n"), "{text}");
    assert!(text.contains("100 %: 500 of 500 tasks done, 1 failed\n"), "{text}");
    assert!(text.contains("\nfunction tasks success failed total longest\n"), "{text}");
    assert!(text.contains("\npart 500 499 1 <time> <time>\n"), "{text}");
    assert!(!text.contains("part_9"), "{text}");
}

#[test]
fn stdout_contains_only_the_json_document() {
    let output = call("cli_single", &["run", "--output", "json", "--times", "2"]);
    assert_eq!(output.code, Some(0));
    let document = output.json();
    assert!(output.stderr.contains("a task prints: Hello, world!\n"), "{output:?}");
    assert_eq!(document["dag_id"], "greeting");
    assert!(document["run_id"].as_str().unwrap().starts_with("manual__"));
    assert_eq!(document["state"], "success");
    assert_eq!(document["params"]["times"], 2);
    assert_eq!(document["result"], "Hello, world! Hello, world!");
    let tasks = document["tasks"].as_array().unwrap();
    let ids: Vec<_> = tasks.iter().map(|task| task["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["greet", "repeat", "print", "linger"]);
    let attempts = tasks[0]["attempts"].as_array().unwrap();
    assert_eq!((attempts.len(), &attempts[0]["number"], &attempts[0]["failure"]), (1, &1.into(), &None::<()>.into()));
    assert!(attempts[0]["started"].as_str() < attempts[0]["ended"].as_str());
}

#[test]
fn the_json_document_contains_every_attempt_with_its_failure() {
    let output = call("cli_several", &["run", "failing", "--output=json", "-q"]);
    assert_eq!(output.code, Some(1));
    let document = output.json();
    assert_eq!(document["state"], "failed");
    assert!(document["result"].is_null());
    let attempts = &document["tasks"][0]["attempts"];
    assert_eq!(attempts[0]["failure"]["message"], "no route to the warehouse");
    assert_eq!(attempts[2]["failure"]["causes"], serde_json::json!(["connection refused"]));
    assert_eq!(attempts[2]["failure"]["kind"], "error");
    let load = &document["tasks"][1];
    assert_eq!((&load["state"], &load["reason"]["upstream"]), (&"upstream_failed".into(), &"connect".into()));
}

#[test]
fn a_panic_is_reported_only_in_the_summary() {
    let output = call("cli_several", &["run", "panicking"]);
    assert_eq!(output.code, Some(1));
    assert!(!output.stderr.contains("stack backtrace") && !output.stderr.contains("thread '"), "{output:?}");
    let output: binaries::ProgramOutput =
        program("cli_several").args(["run", "panicking"]).env("RUST_BACKTRACE", "1").output().unwrap().into();
    assert!(output.stderr.contains("stack backtrace"), "who asks for a backtrace gets it: {output:?}");
}

#[test]
fn a_selected_part_of_the_graph_runs_alone() {
    let output = call("cli_several", &["run", "tables", "--only", "extract", "--output", "json"]);
    let states: Vec<_> = output.json()["tasks"].as_array().unwrap().iter().map(|task| task["state"].clone()).collect();
    assert_eq!(states, ["success", "removed"]);
    let output = call("cli_several", &["run", "tables", "--from", "extract", "-q"]);
    assert_eq!(output.stdout, "1\n");
}

#[test]
fn the_day_of_the_run_can_be_given_and_determines_defaults() {
    let output = call("cli_single", &["run", "--logical-date", "2026-01-31", "--output", "json", "-q"]);
    let document = output.json();
    assert_eq!(document["logical_date"], "2026-01-31T00:00:00Z");
    assert_eq!(document["params"]["day"], "2026-01-31");
}

#[test]
fn a_closed_stdout_is_not_an_error() {
    for words in [&["list"][..], &["run", "tables", "-q"], &["run", "tables", "--output", "json"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output: binaries::ProgramOutput =
            program("cli_several").args(words).stdout(writer).output().unwrap().into();
        assert_eq!(output.code, Some(0), "{words:?} {output:?}");
        assert!(!output.stderr.contains("panicked"), "{output:?}");
    }
}
