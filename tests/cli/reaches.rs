//! What tasks reach beyond themselves, in programs: in processes of their own, on the command line,
//! after a kill.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use taskflow_tests::binaries::ProgramOutput;
use taskflow_tests::common::eventually;
use taskflow_tests::home::ProgramHome;

fn new_home() -> ProgramHome {
    ProgramHome::new("reaches")
}

/// The runs of a DAG, newest first.
fn runs(home: &ProgramHome, dag: &str) -> Vec<Value> {
    let output = home.call(&["runs", "--dag", dag, "--output", "json"]);
    // At first there is no home.
    if output.code == Some(0) { output.json().as_array().cloned().unwrap_or_default() } else { Vec::new() }
}

/// Waits until a task of the newest run of a DAG is deferred in its n-th session; the run.
fn deferred(home: &ProgramHome, dag: &str, task: &str, sessions: usize) -> String {
    let run = || runs(home, dag).first().and_then(|run| Some(run["run_id"].as_str()?.to_owned()));
    let is_deferred = |run: String| {
        let status = home.json(&["status", &run]);
        let tasks = status["tasks"].as_array().cloned().unwrap_or_default();
        let deferred = tasks.iter().any(|known| known["id"] == task && known["state"] == "deferred");
        deferred && status["sessions"].as_array().map(Vec::len) == Some(sessions)
    };
    eventually("the task waits", || run().is_some_and(is_deferred));
    run().expect("it was there")
}

#[test]
fn an_isolated_task_has_links_xcoms_and_artifacts() {
    let home = new_home();
    let document = home.json(&["run", "leaves"]);
    assert_eq!(document["result"], "3 rows, [3, 4], elsewhere: true", "{document}");

    let status = home.call(&["status"]).stdout;
    assert!(status.contains("  away table https://db.example.com/rows\n"), "{status}");
    let status = home.json(&["status"]);
    let away = &status["tasks"][0];
    assert_eq!(away["links"], json!([{ "name": "table", "url": "https://db.example.com/rows" }]));
    assert_eq!(away["pushed"], json!([{ "key": "more", "type": "Vec<u64>" }]));

    let values = home.call(&["values", "last"]).stdout;
    assert!(values.contains("away more") && values.contains("[3, 4]"), "{values}");
    let values = home.call(&["values", "last", "--json"]).json();
    let more = json!({ "task": "away", "key": "more", "type": "Vec<u64>", "value": [3, 4] });
    assert!(values.as_array().is_some_and(|values| values.contains(&more)), "{values}");
}

#[test]
fn a_killed_run_finds_its_triggered_run_when_resumed() {
    let home = new_home();
    let mut first = home.spawn(&["run", "whole"]);
    let part = deferred(&home, "part", "asks", 1);
    let whole = deferred(&home, "whole", "part", 1);
    let why = home.call(&["explain", &whole, "part"]).stdout;
    assert!(why.contains(&format!("it waits for the run `{part}` to end (since ")), "{why}");
    first.kill().expect("it runs");
    first.wait().expect("it was started here");

    let second = home.spawn(&["resume", &whole]);
    assert_eq!(deferred(&home, "part", "asks", 2), part);
    let status = home.call(&["status", &part]).stdout;
    assert!(status.contains(&format!("triggered by `part` of {whole}")), "{status}");
    let released = home.call(&["release", &part, "answer", "--value", "1"]);
    assert_eq!(released.code, Some(0), "{released:?}");
    let output = ProgramOutput::from(second.wait_with_output().expect("it comes to its end"));
    assert_eq!((output.code, output.stdout.trim()), (Some(0), "42"), "{output:?}");
    let runs = runs(&home, "part");
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!((&runs[0]["state"], &runs[0]["run_type"]), (&json!("success"), &json!("triggered")));
}

/// A13: `resume`, and `last` as the name of a run: the one that waits is meant, not the one that it
/// has triggered.
#[test]
fn resume_without_a_run_resumes_all_interrupted_ones_and_the_one_that_waits_first() {
    let home = new_home();
    let mut first = home.spawn(&["run", "whole"]);
    let part = deferred(&home, "part", "asks", 1);
    let whole = deferred(&home, "whole", "part", 1);
    first.kill().expect("it runs");
    first.wait().expect("it was started here");
    assert_eq!(home.json(&["status", "last"])["run_id"], json!(whole));

    let second = home.spawn(&["resume"]);
    assert_eq!(deferred(&home, "part", "asks", 2), part);
    let released = home.call(&["release", &part, "answer", "--value", "1"]);
    assert_eq!(released.code, Some(0), "{released:?}");
    let output = ProgramOutput::from(second.wait_with_output().expect("it comes to its end"));
    assert_eq!((output.code, output.stdout.trim()), (Some(0), "42"), "{output:?}");
    let which = "resuming 2 interrupted runs, one after the other: 1 (whole), 2 (part)";
    assert!(output.stderr.contains(which), "{output:?}");
    let states = [&runs(&home, "whole")[0]["state"], &runs(&home, "part")[0]["state"]].map(Clone::clone);
    assert_eq!(states, ["success", "success"]);
}

/// SIGTERM while a run waits for one that it has triggered, in the same process.
#[test]
fn a_drained_run_and_the_one_that_it_waits_for_are_resumed_together() {
    let home = new_home();
    let first = home.spawn(&["run", "whole"]);
    let part = deferred(&home, "part", "asks", 1);
    let whole = deferred(&home, "whole", "part", 1);
    kill_process(Pid::from_child(&first), Signal::TERM).expect("it runs");
    let output = ProgramOutput::from(first.wait_with_output().expect("it comes to its end"));
    assert_eq!(output.code, Some(143), "{output:?}");
    for run in [&part, &whole] {
        assert_eq!(home.json(&["status", run])["state"], "interrupted");
    }
    let second = home.spawn(&["resume", &whole]);
    assert_eq!(deferred(&home, "part", "asks", 2), part);
    assert_eq!(home.call(&["release", &part, "answer", "--value", "1"]).code, Some(0));
    let output = ProgramOutput::from(second.wait_with_output().expect("it comes to its end"));
    assert_eq!((output.code, output.stdout.trim()), (Some(0), "42"), "{output:?}");
}

#[test]
fn the_state_of_a_task_survives_its_process() {
    let home = new_home();
    assert_eq!(home.call(&["run", "keeps"]).code, None);
    let document = home.json(&["resume"]);
    assert_eq!(document["result"], "job 17 is there, in attempt 2", "{document}");
}

#[test]
fn cancelling_a_run_from_outside_cancels_the_run_it_waits_for() {
    let home = new_home();
    let run = home.spawn(&["run", "whole"]);
    let part = deferred(&home, "part", "asks", 1);
    let whole = deferred(&home, "whole", "part", 1);
    let cancelled = home.call(&["cancel", &whole]);
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    run.wait_with_output().expect("it comes to its end");
    assert_eq!(home.json(&["status", &whole])["state"], "cancelled");
    let status = home.json(&["status", &part]);
    assert_eq!(status["state"], "cancelled", "{status}");
}

#[test]
fn the_program_waits_for_detached_runs() {
    let home = new_home();
    let run = home.spawn(&["run", "starts"]);
    let part = deferred(&home, "part", "asks", 1);
    eventually("the run that has triggered it is over", || {
        runs(&home, "starts").first().is_some_and(|run| run["state"] == "success")
    });
    let released = home.call(&["release", &part, "answer", "--value", "5"]);
    assert_eq!(released.code, Some(0), "{released:?}");
    let output = ProgramOutput::from(run.wait_with_output().expect("it comes to its end"));
    assert_eq!((output.code, output.stdout.trim()), (Some(0), &*part), "{output:?}");
    assert!(
        output.stderr.contains("waiting for 1 triggered run to end; Ctrl-C leaves the rest to `resume`"),
        "{output:?}"
    );
    assert_eq!(home.json(&["status", &part])["state"], "success");
}
