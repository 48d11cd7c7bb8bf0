//! Which home a command uses, and when it creates one.

use std::path::Path;

use serde_json::json;
use taskflow_tests::binaries::{self, ProgramOutput};

use crate::support::Home;

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
    let other = home.beside("other");
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
