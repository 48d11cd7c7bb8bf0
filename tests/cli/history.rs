//! The commands that read and edit stored runs.

use std::path::{Path, PathBuf};

use crate::verbs::verbs;
use serde_json::{Value, json};
use taskflow_tests::binaries::{self, ProgramOutput, call_at, masked};
use tempfile::TempDir;

/// A home of its own for a test, and the file that its DAGs look for.
struct Home {
    directory: TempDir,
}

impl Home {
    fn new() -> Self {
        Home { directory: tempfile::tempdir().expect("temporary directories can be made") }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("file")
    }

    fn call(&self, words: &[&str]) -> ProgramOutput {
        call_at(&self.path(), "cli_history", words)
    }

    /// Its stdout, if the call succeeds.
    #[track_caller]
    fn good(&self, words: &[&str]) -> ProgramOutput {
        let output = self.call(words);
        assert_eq!(output.code, Some(0), "{words:?} {output:?}");
        output
    }

    #[track_caller]
    fn json(&self, words: &[&str]) -> Value {
        self.good(&[words, &["--output", "json"]].concat()).json()
    }

    /// What it refuses with.
    #[track_caller]
    fn refusal(&self, words: &[&str]) -> String {
        let output = self.call(words);
        assert_eq!((output.code, &*output.stdout), (Some(2), ""), "{words:?} {output:?}");
        output.stderr
    }

    /// Runs the DAG that needs the file.
    fn run_gated(&self) -> ProgramOutput {
        self.call(&["run", "gated", "--file", self.file().to_str().expect("temporary paths are text"), "-q"])
    }

    fn land(&self) {
        std::fs::write(self.file(), "landed\n").expect("temporary files can be written");
    }

    fn state_of(&self, run: &str, task: &str) -> Value {
        let status = self.json(&["status", run]);
        let tasks = status["tasks"].as_array().expect("a status has tasks");
        tasks.iter().find(|known| known["id"] == task).expect("the run has the task")["state"].clone()
    }
}

/// A home with a run that failed at its gate.
fn failed() -> Home {
    let home = Home::new();
    let output = home.run_gated();
    assert_eq!(output.code, Some(1), "{output:?}");
    home
}

/// The calls of a verb with an empty text in the place of each name. A verb that is not listed here
/// fails the test: an empty text may match anything.
#[allow(clippy::match_same_arms, reason = "each verb has its place in the list")]
fn calls_with_an_empty_name(verb: &str) -> Vec<Vec<&'static str>> {
    let calls: &[&[&'static str]] = match verb {
        "show" => &[&[""], &["small", "--format", ""]],
        "run" => &[&[""], &["small", "--only", ""], &["small", "--from", ""]],
        "trigger" => &[&[""], &["small", "--logical-date", ""], &["small", "--interval", ""]],
        "serve" => &[&["--only", ""], &["--bind", ""]],
        "next" => &[&[""], &["-n", ""]],
        "slots" => &[&[""], &["small", "--fate", ""], &["small", "--before", ""], &["small", "--limit", ""]],
        "pause" => &[&[""], &["--tag", ""], &["small", "--until", ""], &["small", "--by", ""]],
        "unpause" => &[&[""], &["--tag", ""], &["small", "--catchup", ""], &["small", "--events", ""]],
        "reset-schedule" => &[&[""]],
        "backfill" => &[&[""], &["small", ""], &["small", "2026-01-01", "--token", ""]],
        "backfills list" | "backfills" => &[&["--dag", ""], &["--limit", ""]],
        "backfills show" | "backfills pause" | "backfills resume" | "backfills retry" | "backfills cancel" => &[&[""]],
        "backfills limit" => &[&[""], &["1", ""]],
        "backfills extend" => &[&[""], &["1", ""]],
        "runs" => &[&["--dag", ""], &["--state", ""], &["--since", ""], &["--limit", ""], &["--format", ""]],
        "status" => &[&[""]],
        "explain" | "values" | "logs" => &[&[""], &["1", ""]],
        "lineage" => &[&[""]],
        "resume" => &[&[""]],
        "retry" | "cancel" => &[&[""], &["1", "--token", ""]],
        "clear" => &[
            &["", "gate"],
            &["1", ""],
            &["1", "gate", ""],
            &["1", "--only", ""],
            &["1", "--from", ""],
            &["1", "gate", "--token", ""],
            &["1", "gate", "--by", ""],
            &[" ", "gate"],
        ],
        "mark" => &[
            &["", "1", "gate"],
            &["success", "", "gate"],
            &["failed", "1", ""],
            &["failed", "1", "gate", "--token", ""],
        ],
        "release" => &[&["", "key"], &["1", ""]],
        "replay" => &[&["", "gate"], &["1", ""], &["1", "--task", ""]],
        "emit" => &[&["", "1"], &["evil", "1", "--partition", ""], &["evil", "1", "--key", ""]],
        "events" => &[&[""], &["--partition", ""], &["--before", ""]],
        "audit" => &[&[""], &["--by", ""], &["--action", ""], &["--since", ""], &["--before", ""]],
        "consumers" => &[&[""]],
        "db prune" => &[&["--older-than", ""], &["--older-than", "1d", "--dag", ""]],
        "users add" => &[&[""], &["kim", "--role", ""], &["kim", "--role", "viewer", "--dags", ""]],
        "users password" | "users remove" | "tokens revoke" => &[&[""]],
        "users role" => &[&["", "viewer"], &["kim", ""], &["kim", "viewer", "--dags", ""]],
        "tokens create" => &[&[""], &["ci", "--user", ""], &["ci", "--expires", ""], &["ci", "--dags", ""]],
        "completions" => &[&[""]],
        // They take no names of their own.
        "list" | "config show" | "config path" | "db check" | "db vacuum" | "db path" | "dags" | "doctor"
        | "assets" | "users list" | "tokens list" => &[],
        _ => panic!("which names does `{verb}` take?"),
    };
    calls.iter().map(|call| call.to_vec()).collect()
}

/// C7: `clear "" gate` and its siblings, in a home with a single run.
#[test]
fn an_empty_word_is_an_error_everywhere() {
    let home = failed();
    let before = home.json(&["status", "1"]);
    for verb in verbs(|words| home.good(words).stdout) {
        let verb: Vec<&str> = verb.split(' ').collect();
        for call in calls_with_an_empty_name(&verb.join(" ")) {
            let words = [&verb[..], &call].concat();
            let refusal = home.refusal(&words);
            assert!(refusal.starts_with("error: "), "{words:?} {refusal}");
        }
    }
    for verb in [&["runs"][..], &["status"], &["config", "show"], &["list"]] {
        for flag in ["--home", "--config", "--server", "--output"] {
            let words = [verb, &[flag, ""]].concat();
            let refusal = home.refusal(&words);
            assert!(refusal.starts_with("error: "), "{words:?} {refusal}");
        }
    }
    assert_eq!(home.json(&["status", "1"]), before);
}

// Homes.

#[test]
fn reading_creates_no_home() {
    let home = Home::new();
    let output = home.good(&["runs"]);
    assert_eq!(output.stdout, "");
    let place = home.path().display().to_string();
    assert_eq!(
        output.stderr,
        format!("no runs yet in {place}: `run` starts the first, --home selects another directory\n")
    );
    assert_eq!(home.json(&["runs"]), json!([]));
    for words in [
        &["status"][..],
        &["explain", "1"],
        &["values", "1"],
        &["logs", "last"],
        &["resume"],
        &["retry"],
        &["clear", "1"],
        &["mark", "success", "1", "gate"],
        &["cancel", "1"],
        &["replay", "1", "gate"],
        &["db", "check"],
        &["db", "prune", "--older-than", "1d"],
        &["db", "vacuum"],
    ] {
        let output = home.call(words);
        assert_eq!(output.code, Some(1), "{words:?} {output:?}");
        assert!(output.stderr.starts_with(&format!("error: no runs yet in {place}: ")), "{words:?} {output:?}");
    }
    assert!(!home.path().exists());
}

#[test]
fn the_home_flag_overrides_the_variable() {
    let home = Home::new();
    let other = home.directory.path().join("other");
    home.good(&["run", "small", "-q", "--home", other.to_str().unwrap()]);
    assert!(!home.path().exists());
    let listed = home.json(&["runs", "--home", other.to_str().unwrap()]);
    assert_eq!(listed[0]["dag_id"], "small");
    let output = home.good(&["--home", other.to_str().unwrap(), "db", "path"]);
    assert_eq!(output.stdout, format!("{}\n", other.join("taskflow.db").display()));
}

#[test]
fn an_ephemeral_run_leaves_nothing() {
    let home = Home::new();
    let output = home.good(&["run", "small", "--durability", "ephemeral"]);
    assert!(!output.stderr.contains("status"), "{output:?}");
    assert!(!home.path().exists());
    assert!(
        home.refusal(&["run", "small", "--durability", "ephemeral", "--logs"])
            .contains("a run with the durability `ephemeral` is not stored")
    );
}

#[test]
fn a_home_that_cannot_be_created_is_rejected_before_anything_starts() {
    let home = Home::new();
    std::fs::write(home.path(), "a file").unwrap();
    let output = home.call(&["run", "small"]);
    assert_eq!((output.code, &*output.stdout), (Some(1), ""));
    let place = home.path().display().to_string();
    assert!(output.stderr.starts_with(&format!("error: cannot open the store {place}: ")), "{output:?}");
    let ways = format!(
        "the run would be stored in {place}; --home selects another directory, and --durability ephemeral stores"
    );
    assert!(output.stderr.contains(&ways), "{output:?}");
    assert!(!output.stderr.contains("of 3 tasks"), "{output:?}");
    home.good(&["run", "small", "-q", "--durability", "ephemeral"]);
}

#[test]
fn every_durability_and_sync_keeps_the_run() {
    let home = Home::new();
    for words in [["--durability", "relaxed"], ["--durability", "strict"], ["--sync", "normal"], ["--sync", "full"]] {
        assert_eq!(home.good(&[&["run", "small", "-q"], &words[..]].concat()).stdout, "28\n");
    }
    assert_eq!(home.json(&["runs", "--state", "success"]).as_array().map(Vec::len), Some(4));
}

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

// Going on.

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

// db.

#[test]
fn old_runs_are_pruned_with_their_logs() {
    let home = failed();
    home.good(&["run", "small", "-q"]);
    let logs = |home: &Home| std::fs::read_dir(home.path().join("logs")).map_or(0, Iterator::count);
    assert_eq!(logs(&home), 1);
    let output = home.good(&["db", "prune", "--older-than", "1d"]);
    assert_eq!(output.stderr, "0 runs deleted\n");
    let output = home.good(&["db", "prune", "--older-than", "0s", "--state", "failed", "--dry-run"]);
    assert!(output.stdout.contains("gated") && !output.stdout.contains("small"), "{output:?}");
    assert_eq!(output.stderr, "1 run would be deleted\n");
    let output = home.good(&["db", "prune", "--older-than", "0s", "--dag", "gated"]);
    assert_eq!(output.stderr, "1 run deleted; `db vacuum` returns the space to the file system\n");
    assert_eq!((home.json(&["runs"]).as_array().map(Vec::len), logs(&home)), (Some(1), 0));
    assert!(home.good(&["db", "vacuum"]).stderr.starts_with("size of the store: "));
    assert_eq!(home.json(&["db", "prune", "--older-than", "0s"]), json!({"pruned": 1, "events": 0}));
}

#[test]
fn a_check_reports_what_is_damaged() {
    let home = failed();
    let output = home.good(&["db", "check"]);
    assert_eq!((&*output.stdout, &*output.stderr), ("", "no damage found\n"));
    assert_eq!(home.json(&["db", "check"]), json!([]));
}

#[test]
fn a_check_reports_the_damage_of_a_store_that_cannot_be_opened() {
    let home = failed();
    let (file, log) = (home.path().join("taskflow.db"), home.path().join("taskflow.db-wal"));
    // What lies beside the file would mend it.
    home.good(&["db", "vacuum"]);
    std::fs::remove_file(log).ok();
    let whole = std::fs::read(&file).unwrap();
    let mut garbled = whole.clone();
    garbled[100..4096].fill(0xa5);
    let damages: [(&[u8], &str); 4] = [
        (b"no database at all, and too long to be an empty file", "are not those of a SQLite database"),
        (&whole[..50], "it ends within its header, after 50 of 100 bytes"),
        (&whole[..4096], "it was cut off: it has 4.0 KiB, and the last "),
        (&garbled, "its list of tables cannot be read"),
    ];
    for (bytes, finding) in damages {
        std::fs::write(&file, bytes).unwrap();
        let output = home.call(&["runs"]);
        assert_eq!(output.code, Some(1), "{finding}: {output:?}");
        assert!(output.stderr.contains("`db check` lists the damage"), "{output:?}");
        let output = home.call(&["db", "check"]);
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(output.stdout.contains("taskflow.db is damaged: ") && output.stdout.contains(finding), "{output:?}");
        assert!(output.stderr.starts_with("error: 1 finding in "), "{output:?}");
    }
}

#[test]
fn an_invalid_age_is_rejected() {
    let refusal = Home::new().refusal(&["db", "prune", "--older-than", "month"]);
    assert!(refusal.contains("`month` is not a duration such as 90s, 15m, 12h, 30d or 2w"), "{refusal}");
    assert!(Home::new().refusal(&["db", "prune"]).contains("--older-than <DURATION>"));
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

#[test]
fn the_default_home_is_in_the_working_directory() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = binaries::program("cli_history");
    let output: ProgramOutput = program
        .env_remove("TASKFLOW_HOME")
        .current_dir(directory.path())
        .args(["run", "small", "-q"])
        .output()
        .unwrap()
        .into();
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(Path::new(&directory.path().join(".taskflow/taskflow.db")).exists());
}
