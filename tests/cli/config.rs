//! The configuration on the command line: its sources, the command `config`, and hidden secrets.

use std::path::Path;
use std::process::Command;

use taskflow_tests::binaries::{ProgramOutput, masked, program};

const PASSWORD: &str = "pa@ss word/1";
const TOKEN: &str = "8151623424815";

/// A directory with a configuration and what it refers to.
fn directory(toml: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    std::fs::write(directory.path().join("taskflow.toml"), toml).expect("temporary files can be written");
    std::fs::write(directory.path().join("token"), format!("{TOKEN}\n")).expect("temporary files can be written");
    directory
}

const CAREFUL: &str = "\
[run]
jobs = 2

[variables]
late_after = 20
api_key = \"not to be seen\"

[connections.warehouse]
kind = \"postgresql\"
host = \"db.example.com\"
port = 5432
login = \"etl\"
password = { env = \"WAREHOUSE_PASSWORD\" }
extra = { sslmode = \"require\" }

[secrets]
token = { file = \"token\" }
";

/// A call from a directory, with the runs in it and the password in the environment.
fn command(directory: &Path, words: &[&str]) -> Command {
    let mut command = program("cli_config");
    command.env_remove("TASKFLOW_HOME").env("WAREHOUSE_PASSWORD", PASSWORD).current_dir(directory).args(words);
    command
}

fn call(directory: &Path, words: &[&str]) -> ProgramOutput {
    command(directory, words).output().expect("a built program starts").into()
}

/// No form of a secret is in it.
#[track_caller]
fn assert_hidden(text: &str) {
    for secret in [PASSWORD, "pa%40ss%20word%2F1", TOKEN, "not to be seen"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}

#[test]
fn everything_is_shown_with_its_origin_and_without_secrets() {
    let directory = directory(CAREFUL);
    let output: ProgramOutput = command(directory.path(), &["config", "show", "--origin"])
        .env("TASKFLOW_VAR_REGION", "asia")
        .env("TASKFLOW_SYNC", "normal")
        .env("TASKFLOW_DURABILTY", "relaxed")
        .output()
        .unwrap()
        .into();
    assert_hidden(&output.stdout);
    insta::assert_snapshot!(masked(&output.stdout), @r#"
    name value origin
    ─
    run.jobs 2 taskflow.toml:2
    run.workers one per core default
    run.grace 10s default
    run.fail_fast as the DAG declares default
    run.durability strict default
    serve.bind 127.0.0.1:8090 default
    serve.max_active_runs 1000 default
    serve.public_url none default
    serve.hosts loopback names and the bound address default
    serve.rate_limit 50 default
    serve.tls_cert none default
    serve.tls_key none default
    serve.webhook_limit 1.0 MiB default
    auth.proxy_header none default
    auth.proxy_trusted none default
    auth.proxy_role none default
    auth.proxy_groups_header none default
    auth.proxy_groups none default
    auth.confirm_after 15m default
    store.home .taskflow default
    store.sync normal TASKFLOW_SYNC
    store.inline_limit 48.0 KiB default
    store.value_limit 512.0 MiB default
    log.level info default
    log.attempt_limit 16.0 MiB default
    log.queue_records 8192 default
    log.queue_bytes 32.0 MiB default
    variables.api_key *** taskflow.toml:6
    variables.late_after 20 taskflow.toml:5
    variables.region asia TASKFLOW_VAR_REGION
    connections.warehouse {"extra":{"sslmode":"require"},"host":"db.example.com","kind":"postgres","login":"etl","password":"*** (from WAREHOUSE_PASSWORD)","port":5432} taskflow.toml:8
    secrets.token *** (from token) taskflow.toml:17
    "#);
    insta::assert_snapshot!(
        output.stderr,
        @"warning: TASKFLOW_DURABILTY is not a variable of taskflow; did you mean `TASKFLOW_DURABILITY`?"
    );
    assert_eq!(output.code, Some(0));
}

#[test]
fn the_same_settings_are_printed_as_json() {
    let directory = directory(CAREFUL);
    let output = call(directory.path(), &["config", "show", "--output", "json", "--home", "elsewhere"]);
    assert_hidden(&output.stdout);
    let rows = output.json();
    let row = |section: &str, name: &str| {
        let rows = rows.as_array().unwrap().iter();
        rows.clone().find(|row| row["section"] == section && row["name"] == name).unwrap().clone()
    };
    assert_eq!(row("store", "home")["origin"], serde_json::json!({"kind": "flag", "flag": "--home"}));
    assert_eq!(row("store", "home")["value"], "elsewhere");
    assert_eq!(row("run", "jobs")["origin"], serde_json::json!({"kind": "file", "path": "taskflow.toml", "line": 2}));
    assert_eq!(row("run", "durability")["origin"], serde_json::json!({"kind": "default"}));
    assert_eq!(row("connections", "warehouse")["value"]["password"], "*** (from WAREHOUSE_PASSWORD)");
    assert_eq!(row("variables", "late_after")["value"], 20);
}

#[test]
fn a_secret_is_never_shown_whatever_a_task_does_with_it() {
    for leak in ["error", "panic", "skip", "log", "value", "token", "nothing"] {
        let directory = directory(CAREFUL);
        let at = |words: &[&str]| {
            let output = call(directory.path(), words);
            assert_hidden(&output.stdout);
            assert_hidden(&output.stderr);
            output
        };
        let run = at(&["run", "careless", "--leak", leak, "--logs", "--output", "json"]);
        let task = run.json()["tasks"].as_array().unwrap().iter().find(|task| task["id"] == "log_in").cloned().unwrap();
        // Other processes print it again, from the store.
        let status = at(&["status", "last", "--output", "json"]);
        let logs = at(&["logs", "last", "log_in"]);
        let values = at(&["values", "last", "--json"]);
        at(&["values", "last"]);
        let value = at(&["values", "last", "log_in"]);
        at(&["explain", "last", "log_in"]);
        at(&["run", "careless", "--leak", leak]);
        match leak {
            "error" | "panic" => {
                assert_eq!(run.code, Some(1));
                let message = task["attempts"][0]["failure"]["message"].as_str().unwrap();
                assert!(message.ends_with("***"), "{message}");
                assert!(status.stdout.contains("***") && logs.stdout.contains("***"), "{status:?} {logs:?}");
            }
            "skip" => assert!(logs.stdout.contains("*** is too old"), "{logs:?}"),
            "log" => {
                assert!(logs.stdout.contains("logging in with ***"), "{logs:?}");
                assert!(logs.stdout.contains("postgres://etl:***@db.example.com"), "{logs:?}");
                assert!(run.stderr.contains("logging in with ***"), "{run:?}");
            }
            "value" | "token" => {
                assert_eq!((&run.json()["result"], value.stdout.trim()), (&"***".into(), "***"));
                assert!(values.json().as_array().unwrap().iter().any(|entry| entry["value"] == "***"), "{values:?}");
            }
            _ => {
                let shown = "postgres://etl:***@db.example.com:5432?sslmode=require";
                assert_eq!((&run.json()["result"], value.stdout.trim()), (&shown.into(), shown));
            }
        }
        // The value of a task is stored unchanged; the report of its failure is redacted.
        if !matches!(leak, "value" | "token") {
            assert_hidden(&everything_below(&directory.path().join(".taskflow")));
        }
    }
}

/// The bytes of all files.
fn everything_below(directory: &Path) -> String {
    let mut found = String::new();
    for entry in std::fs::read_dir(directory).expect("a directory of the run can be read") {
        let path = entry.expect("a directory of the run can be read").path();
        match path.is_dir() {
            true => found += &everything_below(&path),
            false => {
                let bytes = std::fs::read(&path).expect("a file of the run can be read");
                found += &String::from_utf8_lossy(&bytes);
            }
        }
    }
    found
}

#[test]
fn flags_override_the_environment_which_overrides_the_file() {
    let directory = directory("[store]\nhome = \"runs\"\n\n[run]\ndurability = \"ephemeral\"\n");
    let kept = |home: &str| directory.path().join(home).join("taskflow.db").exists();
    assert_eq!(call(directory.path(), &["run", "late", "-q"]).stdout, "15\n");
    assert!(!kept("runs"), "an ephemeral run is not kept");
    assert_eq!(call(directory.path(), &["run", "late", "-q", "--durability", "strict"]).code, Some(0));
    assert!(kept("runs"));
    let with_environment = |words: &[&str]| -> ProgramOutput {
        let mut command = command(directory.path(), words);
        command.env("TASKFLOW_HOME", "others").env("TASKFLOW_DURABILITY", "relaxed").output().unwrap().into()
    };
    assert_eq!(with_environment(&["run", "late", "-q"]).code, Some(0));
    assert!(kept("others"));
    assert_eq!(with_environment(&["run", "late", "-q", "--home", "third"]).code, Some(0));
    assert!(kept("third"));
    // A stored run stays stored when it is resumed, whatever new runs do.
    let output = call(directory.path(), &["clear", "last", "lateness"]);
    assert_eq!(output.code, Some(0), "{output:?}");
}

#[test]
fn a_task_reads_the_variables_of_its_process() {
    let directory = directory(CAREFUL);
    assert_eq!(call(directory.path(), &["run", "late", "-q"]).stdout, "20\n");
    let mut again = command(directory.path(), &["run", "late", "-q"]);
    let output: ProgramOutput = again.env("TASKFLOW_VAR_LATE_AFTER", "30").output().unwrap().into();
    assert_eq!(output.stdout, "30\n");
    let mut wrong = command(directory.path(), &["run", "late", "-q"]);
    let output: ProgramOutput = wrong.env("TASKFLOW_VAR_LATE_AFTER", "soon").output().unwrap().into();
    assert_eq!(output.code, Some(1));
    let reason =
        "the variable `late_after` (TASKFLOW_VAR_LATE_AFTER in the environment) is not a valid u32: invalid type";
    assert!(output.stderr.contains(reason), "{output:?}");
}

#[test]
fn mistakes_are_reported_before_anything_runs() {
    let directory =
        directory("[run]\njob = 4\ndurability = \"strong\"\n\n[connections]\nwarehouse = \"db.example.com\"\n[stor]\n");
    let output = call(directory.path(), &["run", "late"]);
    assert_eq!((output.code, &*output.stdout), (Some(2), ""));
    insta::assert_snapshot!(output.stderr, @r"
    error: taskflow.toml:2: unknown key `job` in [run]; did you mean `jobs`?
    error: taskflow.toml:3: `durability` must be one of strict, relaxed, ephemeral; it is `strong`
    error: taskflow.toml:6: the connection `warehouse`: it is not a URI such as `postgres://user@host:5432/db`: `://` is missing
    error: taskflow.toml:7: unknown table [stor]; did you mean `store`?
    ");
    assert!(!directory.path().join(".taskflow").exists());
    assert_eq!(call(directory.path(), &["runs"]).code, Some(2));
    assert_eq!(call(directory.path(), &["list"]).code, Some(0), "graphs are shown without a configuration");
    assert_eq!(call(directory.path(), &["config", "path"]).stdout, "taskflow.toml\n");
}

#[test]
fn the_file_is_found_by_flag_in_the_working_directory_or_in_the_home() {
    let directory = tempfile::tempdir().unwrap();
    let path = |words: &[&str]| call(directory.path(), &[&["config", "path"], words].concat());
    let output = path(&[]);
    assert_eq!((output.code, output.stderr.contains("no taskflow.toml here")), (Some(1), true), "{output:?}");
    std::fs::create_dir_all(directory.path().join(".taskflow")).unwrap();
    std::fs::create_dir_all(directory.path().join("other")).unwrap();
    std::fs::write(directory.path().join(".taskflow/taskflow.toml"), "").unwrap();
    std::fs::write(directory.path().join("other/taskflow.toml"), "[variables]\nlate_after = 1").unwrap();
    assert_eq!(path(&[]).stdout, ".taskflow/taskflow.toml\n");
    assert_eq!(path(&["--home", "other"]).stdout, "other/taskflow.toml\n");
    std::fs::write(directory.path().join("taskflow.toml"), "").unwrap();
    assert_eq!(path(&["--home", "other"]).stdout, "taskflow.toml\n");
    let mut named = command(directory.path(), &["run", "late", "-q"]);
    let output: ProgramOutput = named.env("TASKFLOW_CONFIG", "other/taskflow.toml").output().unwrap().into();
    assert_eq!(output.stdout, "1\n");
    assert_eq!(path(&["--config", "mine.toml"]).stdout, "mine.toml\n");
    let output = call(directory.path(), &["run", "late", "--config", "mine.toml"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("the configuration mine.toml cannot be read: No such file"), "{output:?}");
}

#[test]
fn a_retry_uses_the_corrected_configuration() {
    let directory = directory("");
    let output = call(directory.path(), &["run", "careless"]);
    assert_eq!(output.code, Some(1));
    assert!(output.stderr.contains("there is no connection `warehouse`"), "{output:?}");
    std::fs::write(directory.path().join("taskflow.toml"), CAREFUL).unwrap();
    let output = call(directory.path(), &["retry", "last", "-q"]);
    assert_eq!(output.stdout, "postgres://etl:***@db.example.com:5432?sslmode=require\n", "{output:?}");
}
