//! The commands that read stored runs, and the page that lists them.

use serde_json::{Value, json};
use taskflow_tests::binaries::{self, ProgramOutput, masked};

use crate::support::{Home, failed};

// runs.

#[test]
fn runs_are_listed_newest_first() {
    let home = failed();
    home.good(&["run", "small", "-q"]);
    insta::assert_snapshot!(masked(&home.good(&["runs"]).stdout), @r#"
    run dag state created duration tasks
    ─
      2 small success <now> <time> 3
      1 gated failed <now> <time> 4: 2 success, 1 failed, 1 upstream_failed
    "#);
    let listed = home.json(&["runs"]);
    assert_eq!(
        (&listed[0]["number"], &listed[0]["state"], &listed[0]["tasks"]),
        (&2.into(), &"success".into(), &3.into())
    );
    assert_eq!(listed[1]["counts"], json!({"success": 2, "failed": 1, "upstream_failed": 1}));
    assert!(listed[1]["run_id"].as_str().unwrap().starts_with("manual__"));
}

#[test]
fn runs_are_filtered_by_dag_state_and_time() {
    let home = failed();
    home.good(&["run", "small", "-q", "--logical-date", "2020-02-29"]);
    let numbers = |words: &[&str]| {
        let listed = home.json(&[&["runs"], words].concat());
        listed.as_array().unwrap().iter().map(|run| run["number"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&["--dag", "small"]), [2]);
    assert_eq!(numbers(&["--state", "failed"]), [1]);
    assert_eq!(numbers(&["--state", "failed,success"]), [2, 1]);
    assert_eq!(numbers(&["--since", "1h"]), [2, 1]);
    assert_eq!(numbers(&["--since", "2200-01-01"]), [0; 0]);
    assert_eq!(numbers(&["--limit", "1"]), [2]);
    assert_eq!(numbers(&["--limit", "0"]), [2, 1]);
    let output = home.good(&["runs", "--limit", "1"]);
    assert!(output.stderr.contains("and older runs; --limit 5 shows more, --limit 0 shows all"), "{output:?}");
    assert!(output.stdout.contains("logical date") && output.stdout.contains("2020-02-29 00:00:00Z"), "{output:?}");
    let output = home.good(&["runs", "--dag", "smal"]);
    assert_eq!(output.stderr, "no runs match: this program has no DAG `smal`; did you mean `small`?\n");
}

#[test]
fn an_invalid_state_or_time_is_rejected_with_the_valid_forms() {
    let home = failed();
    let refusal = home.refusal(&["runs", "--state", "faild"]);
    assert!(refusal.contains("invalid value 'faild' for '--state <STATE>'"), "{refusal}");
    assert!(refusal.contains("running, success, failed, cancelled, interrupted"), "{refusal}");
    let refusal = home.refusal(&["runs", "--since", "yesterday"]);
    assert!(
        refusal.contains("`yesterday` is neither a duration such as 90s, 15m, 12h, 30d or 2w, nor a time or a day"),
        "{refusal}"
    );
}

// Naming a run.

#[test]
fn a_run_is_selected_by_number_id_part_of_an_id_or_last() {
    let home = failed();
    let id = home.json(&["runs"])[0]["run_id"].as_str().unwrap().to_owned();
    for word in ["1", "#1", "last", &id, &id[10..]] {
        assert_eq!(home.json(&["status", word])["run_id"], *id, "{word}");
    }
}

#[test]
fn a_number_never_matches_part_of_an_id() {
    let home = failed();
    assert!(home.json(&["runs"])[0]["run_id"].as_str().unwrap().contains("20"));
    assert_eq!(home.refusal(&["status", "20"]), "error: there is no run `20`; `runs` lists them\n");
}

#[test]
fn an_unknown_or_ambiguous_run_is_rejected() {
    let home = failed();
    home.good(&["run", "small", "-q"]);
    for verb in [
        &["status"][..],
        &["explain"],
        &["values"],
        &["logs"],
        &["lineage"],
        &["resume"],
        &["retry"],
        &["clear"],
        &["cancel"],
    ] {
        let refusal = home.refusal(&[verb, &["99"]].concat());
        assert_eq!(refusal, "error: there is no run `99`; `runs` lists them\n", "{verb:?}");
    }
    let refusal = home.refusal(&["status", "manual__"]);
    assert!(refusal.starts_with("error: `manual__` matches several runs: manual__"), "{refusal}");
    assert!(refusal.ends_with("; give more of the id, or the number\n"), "{refusal}");
}

#[test]
fn an_unknown_task_is_rejected_with_a_suggestion() {
    let home = failed();
    for words in [
        &["explain", "1", "gat"][..],
        &["values", "1", "gat"],
        &["logs", "1", "gat"],
        &["clear", "1", "gat"],
        &["clear", "1", "--from", "gat"],
        &["mark", "failed", "1", "gat"],
        &["replay", "1", "gat"],
    ] {
        let refusal = home.refusal(words);
        assert!(refusal.contains("has no task `gat`; did you mean `gate`?"), "{words:?} {refusal}");
    }
}

// status, explain, values.

#[test]
fn status_shows_each_task_with_its_state_and_reason() {
    let home = failed();
    let output = home.good(&["status"]);
    insta::assert_snapshot!(masked(&output.stdout), @r#"
    run 1 of gated: failed in <time>, 4 tasks: 2 success, 1 failed, 1 upstream_failed
      id <run>
      started <now> by <worker>
      ended <now>

    task state attempts start duration why
    ─
    load.extract success 1 <now> <time>
    gate failed 1 <now> <time> the file has not landed
    report upstream_failed its upstream task `gate` failed
    tidy success 1 <now> <time>
    "#);
    let status = home.json(&["status", "1"]);
    assert_eq!((&status["number"], &status["state"]), (&1.into(), &"failed".into()));
    let gate = &status["tasks"][1];
    assert_eq!(gate["attempts"][0]["failure"]["message"], "the file has not landed");
    assert_eq!((&gate["reason"]["kind"], &gate["has_value"]), (&"error".into(), &false.into()));
    assert_eq!(status["tasks"][2]["reason"]["upstream"], "gate");
}

#[test]
fn the_status_of_a_large_run_shows_what_needs_attention() {
    let home = Home::new();
    assert_eq!(home.call(&["run", "large", "-q"]).code, Some(1));
    let output = home.good(&["status"]);
    let rows: Vec<&str> = output.stdout.lines().skip_while(|line| !line.starts_with('─')).skip(1).collect();
    assert_eq!(rows.len(), 50);
    assert!(rows[0].starts_with("part_8 ") && rows[0].ends_with("the seventh"), "{output:?}");
    assert_eq!(output.stderr, "and 450 more; --all shows them\n");
    assert!(home.good(&["status", "--all"]).stdout.lines().count() > 500);
}

#[test]
fn explain_names_what_kept_a_task_from_running() {
    let home = failed();
    insta::assert_snapshot!(home.good(&["explain", "1"]).stdout, @r#"
    gate: failed
      attempt 1 failed and is not retried: the file has not landed
    report: upstream_failed
      its upstream task `gate` failed
      `gate`: the file has not landed
    "#);
    let explained = home.json(&["explain", "last", "report"]);
    assert_eq!((&explained[0]["task"], &explained[0]["state"]), (&"report".into(), &"upstream_failed".into()));
    assert_eq!(home.good(&["explain", "1", "tidy"]).stdout, "tidy: success\n  attempt 1 succeeded\n");
    home.good(&["run", "small", "-q"]);
    assert_eq!(home.good(&["explain", "2"]).stdout, "run 2: 3 tasks: 3 success; nothing to explain\n");
}

#[test]
fn values_are_shown_as_a_table_or_one_at_a_time() {
    let home = failed();
    home.land();
    home.good(&["retry", "-q"]);
    let output = home.good(&["values", "1"]);
    assert!(masked(&output.stdout).contains("report String \"3 rows\""), "{output:?}");
    assert!(masked(&output.stdout).contains("gate usize 3"), "{output:?}");
    assert!(!output.stdout.contains("tidy"), "what returns nothing has no row: {output:?}");
    assert_eq!(home.good(&["values", "1", "report"]).stdout, "3 rows\n");
    assert_eq!(home.good(&["values", "1", "report", "--json"]).stdout, "\"3 rows\"\n");
    assert_eq!(home.good(&["values", "1", "load.extract"]).json()[2], json!({"carrier": "carrier 2", "late": 2}));
    let all = home.json(&["values", "1"]);
    assert_eq!(all[0]["type"], "Vec<Row>");
    assert_eq!(all[2], json!({"task": "report", "type": "String", "value": "3 rows"}));
}

#[test]
fn a_task_without_a_value_is_rejected_with_its_state() {
    let home = failed();
    assert_eq!(home.refusal(&["values", "1", "gate"]), "error: task `gate` of run 1 has no value (state: failed)\n");
}

// logs.

#[test]
fn the_logs_of_tasks_are_shown_in_order_of_time() {
    let home = failed();
    insta::assert_snapshot!(masked(&home.good(&["logs", "1"]).stdout), @r#"
    <now> INFO load.extract: extracted rows=3
    <now> WARN gate: looks for the file
    <now> ERROR gate: the file has not landed kind=error
    "#);
    home.land();
    home.good(&["retry", "-q"]);
    insta::assert_snapshot!(masked(&home.good(&["logs", "1", "gate"]).stdout), @r#"
    <now> WARN gate: looks for the file
    <now> ERROR gate: the file has not landed kind=error
    <now> WARN gate (attempt 2): looks for the file
    <now> INFO gate (attempt 2): the file says landed
    "#);
    let output = home.good(&["logs", "1", "gate", "--attempt", "2", "--level", "warn"]);
    assert_eq!(masked(&output.stdout), "<now> WARN gate (attempt 2): looks for the file");
    let lines = home.good(&["logs", "1", "gate", "--json"]).stdout;
    let records: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&records[3]["attempt"], &records[3]["message"]), (&2.into(), &"the file says landed".into()));
}

/// B16: `println!` in a task: `logs` says how to log.
#[test]
fn a_run_without_logs_is_reported() {
    let home = Home::new();
    home.good(&["run", "small", "-q"]);
    let output = home.good(&["logs", "1"]);
    let hint = "what a task prints (`println!`) is not logged unless it has a process of its own \
                (`#[task(isolation = \"process\")]`); log with `tracing::info!` or `log::info!`";
    assert_eq!((&*output.stdout, output.stderr), ("", format!("run 1 logged nothing\n{hint}\n")));
    let output = home.good(&["logs", "1", "first", "--level", "ERROR", "--follow"]);
    assert_eq!(output.stderr, "task `first` of run 1 logged nothing of level ERROR or above\n");
}

#[test]
fn a_run_shows_the_logs_of_its_tasks_on_request() {
    let home = Home::new();
    let file = home.file();
    let output = home.call(&["run", "mixed", "--logs", "--quiet", "--file", file.to_str().unwrap()]);
    let text = masked(&output.stderr);
    for line in [
        "<now> INFO flaky: attempt 1\n",
        "<now> ERROR flaky: not at once kind=error\n",
        "<now> INFO flaky (attempt 2): attempt 2\n",
        "<now> INFO skips: skipped: nothing landed\n",
    ] {
        assert_eq!(text.matches(line).count(), 1, "{line} {text}");
    }
    let output = home.call(&["retry", "--logs", "--quiet"]);
    assert!(!output.stderr.contains("flaky"), "what was logged before is not shown again: {output:?}");
}

// The page of verbs.

#[test]
fn the_help_lists_the_commands_in_groups() {
    let help = Home::new().good(&["--help"]).stdout;
    let titles: Vec<&str> = help.lines().filter(|line| line.ends_with(':')).collect();
    assert_eq!(
        titles,
        ["DAGs:", "Reading runs:", "Acting on runs:", "Schedules:", "Assets:", "Access:", "Other:", "Options:"]
    );
    assert!(help.contains("  retry           Run the failed tasks of a run again"), "{help}");
}

#[test]
fn completions_include_the_commands_about_runs() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        let output = home.good(&["completions", shell]);
        assert!(output.stdout.contains("replay") && output.stdout.contains("older-than"), "{shell}");
    }
    assert!(!home.path().exists());
}

#[test]
fn a_closed_stdout_is_not_an_error() {
    let home = failed();
    for words in [&["runs"][..], &["status"], &["logs", "1"], &["logs", "1", "-f"], &["values", "1"], &["explain", "1"]]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut program = binaries::program("cli_history");
        let output: ProgramOutput =
            program.args(words).env("TASKFLOW_HOME", home.path()).stdout(writer).output().unwrap().into();
        assert_eq!((output.code, &*output.stderr), (Some(0), ""), "{words:?}");
    }
}
