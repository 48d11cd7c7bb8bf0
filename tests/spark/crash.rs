//! Programs that die while their job is on a Spark cluster: the job is found again and not
//! submitted twice.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::json;
use taskflow::Config;
use taskflow::engine::RunState;
use taskflow::journal::{Journal, Note, Prune, SyncMode};
use taskflow::ops::{self, Home};
use taskflow_tests::binaries::{ProgramOutput, program};
use taskflow_tests::common::{eventually, locked};
use taskflow_tests::spark::fake_master::FakeMaster;
use taskflow_tests::spark::server::Answer;

/// A call of the program that submits to this master.
fn spawn(home: &Path, master: &FakeMaster, words: &[&str]) -> Child {
    spawn_with(home, master, words, &[])
}

/// The same with variables.
fn spawn_with(home: &Path, master: &FakeMaster, words: &[&str], env: &[(&str, &str)]) -> Child {
    let mut program = program("spark_job");
    program.envs(env.iter().copied());
    program.args(words).env("TASKFLOW_HOME", home).env("MASTER_PORT", master.server.port.to_string());
    program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a built program starts")
}

fn output_of(child: Child) -> ProgramOutput {
    child.wait_with_output().expect("it comes to its end").into()
}

/// Kills it without a warning, as a machine does that loses its power.
fn kill(mut child: Child) {
    child.kill().expect("it runs");
    child.wait().expect("it was started here");
}

#[test]
fn the_next_program_follows_a_job_whose_program_died() {
    for dag in ["load", "load_awaited"] {
        let (home, master) = (tempfile::tempdir().unwrap(), FakeMaster::start(&["RUNNING"]));
        let first = spawn(home.path(), &master, &["run", dag]);
        eventually("the job is followed", || master.server.count("/v1/submissions/status") > 1);
        kill(first);
        locked(&master.state).drivers[0].becomes("FINISHED");
        let second = output_of(spawn(home.path(), &master, &["resume"]));
        assert_eq!((second.code, second.stdout.trim()), (Some(0), "driver-20260131060000-0000"), "{second:?}");
        assert_eq!(master.submissions(), 1, "{dag}");
    }
}

#[test]
fn a_job_whose_program_died_before_it_had_the_id_is_found_by_its_tag() {
    for dag in ["load", "load_awaited"] {
        let (home, master) = (tempfile::tempdir().unwrap(), FakeMaster::start(&["RUNNING", "FINISHED"]));
        locked(&master.state).says = Some(Answer::Silence);
        let first = spawn(home.path(), &master, &["run", dag]);
        eventually("the job is submitted", || master.submissions() == 1);
        kill(first);
        let second = output_of(spawn(home.path(), &master, &["resume"]));
        assert_eq!((second.code, second.stdout.trim()), (Some(0), "driver-20260131060000-0000"), "{second:?}");
        assert_eq!(master.submissions(), 1, "{dag}");
    }
}

#[test]
fn an_intent_that_never_reached_the_master_is_submitted_by_the_next_program() {
    let (home, master) = (tempfile::tempdir().unwrap(), FakeMaster::start(&["FINISHED"]));
    locked(&master.state).instead.push_back(("/v1/submissions/create", Answer::Silence));
    let first = spawn(home.path(), &master, &["run", "load"]);
    eventually("it is about to be submitted", || master.submissions() == 1);
    kill(first);
    let second = output_of(spawn(home.path(), &master, &["resume"]));
    assert_eq!((second.code, second.stdout.trim()), (Some(0), "driver-20260131060000-0000"), "{second:?}");
    assert_eq!((master.submissions(), locked(&master.state).drivers.len()), (2, 1));
}

#[test]
fn cancelling_a_run_kills_the_driver_of_its_deferred_task() {
    let (home, master) = (tempfile::tempdir().unwrap(), FakeMaster::start(&["RUNNING"]));
    let run = spawn(home.path(), &master, &["run", "load"]);
    eventually("the job is followed", || master.server.count("/v1/submissions/status") > 1);
    let cancelled = output_of(spawn(home.path(), &master, &["cancel", "last"]));
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    output_of(run);
    assert!(master.server.count("/v1/submissions/kill") > 0);
    assert_eq!(locked(&master.state).drivers[0].state(), "KILLED");
}

/// E10: the run continues when the time of a task over all its attempts is over, so its job must
/// not.
#[test]
fn the_limit_over_all_attempts_kills_the_driver_of_a_deferred_task() {
    // On a busy machine the job may not be there within the first limits.
    for limit in ["1", "4", "16", "64"] {
        let (home, master) = (tempfile::tempdir().unwrap(), FakeMaster::start(&["RUNNING"]));
        let run = output_of(spawn_with(home.path(), &master, &["run", "load"], &[("TOTAL_SECONDS", limit)]));
        assert_eq!(run.code, Some(1), "{run:?}");
        if master.server.count("/v1/submissions/status") == 0 {
            continue;
        }
        assert!(run.stderr.contains(&format!("took longer than {limit}s in all, in one attempt")), "{run:?}");
        assert_eq!(locked(&master.state).drivers[0].state(), "KILLED");
        return;
    }
    panic!("the job was never followed");
}

/// The end of the run is the end of the program, so it must not come before the master was asked to
/// kill the job. The siblings: a task that waits without a slot, and one that waits in its attempt.
#[test]
fn a_program_ends_after_its_request_to_kill_a_job_was_answered() {
    const KILL: &str = "/v1/submissions/kill";

    for (dag, variable) in [("load", "TOTAL_SECONDS"), ("load_awaited", "TIMEOUT_SECONDS")] {
        // On a busy machine the job may not be there within the first limits.
        let followed = ["1", "4", "16", "64"].into_iter().any(|limit| {
            let (home, master) = (tempfile::tempdir().unwrap(), FakeMaster::start(&["RUNNING"]));
            let late = Answer::Late(Duration::from_secs(1), 200, json!({"success": true}).to_string());
            locked(&master.state).instead.push_back((KILL, late));
            let run = output_of(spawn_with(home.path(), &master, &["run", dag], &[(variable, limit)]));
            assert_eq!(run.code, Some(1), "{run:?}");
            let followed = master.server.count("/v1/submissions/status") > 0;
            assert!(!followed || master.server.answered(KILL) > 0, "{dag}: {run:?}");
            followed
        });
        assert!(followed, "{dag}: the job was never followed");
    }
}

/// The attempt is dropped while it ends its job itself: it was cancelled, and the grace time is
/// over.
#[test]
fn a_program_whose_grace_time_is_over_ends_after_its_request_to_kill_a_job_was_answered() {
    const KILL: &str = "/v1/submissions/kill";

    let (home, master) = (tempfile::tempdir().unwrap(), FakeMaster::start(&["RUNNING"]));
    let late = Answer::Late(Duration::from_secs(2), 200, json!({"success": true}).to_string());
    locked(&master.state).instead.push_back((KILL, late));
    let run = spawn_with(home.path(), &master, &["run", "load_awaited"], &[("TASKFLOW_GRACE", "100ms")]);
    eventually("the job is followed", || master.server.count("/v1/submissions/status") > 0);
    let cancelled = output_of(spawn(home.path(), &master, &["cancel", "last"]));
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    let run = output_of(run);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(master.server.answered(KILL) > 0, "{run:?}");
}

/// A run whose program has died while its job was on the cluster.
fn left_behind(words: &[(&str, &str)], dag: &str) -> (tempfile::TempDir, FakeMaster) {
    let (home, master) =
        (tempfile::tempdir().expect("temporary directories can be made"), FakeMaster::start(&["RUNNING"]));
    let run = spawn_with(home.path(), &master, &["run", dag], words);
    eventually("the job is followed", || master.server.count("/v1/submissions/status") > 0);
    kill(run);
    (home, master)
}

#[test]
fn cancelling_an_interrupted_run_kills_the_driver() {
    for dag in ["load", "load_awaited"] {
        let (home, master) = left_behind(&[], dag);
        let cancelled = output_of(spawn(home.path(), &master, &["cancel", "last"]));
        assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
        let expected = "on Spark, driver-20260131060000-0000, has ended";
        assert!(cancelled.stderr.contains(expected), "{cancelled:?}");
        assert_eq!(locked(&master.state).drivers[0].state(), "KILLED");
    }
}

/// The home of a run that was left behind, opened in this process.
async fn opened(home: &Path) -> Journal {
    let config = Config::builder().build().expect("there is nothing wrong with it");
    let home = Home::new(Some(home.to_owned()), config);
    home.open(SyncMode::Full).await.expect("a run was stored in it")
}

#[tokio::test]
async fn cancelling_a_run_in_code_kills_the_driver_like_the_command() {
    let (home, master) = left_behind(&[], "load");
    let journal = opened(home.path()).await;
    let cancelled = ops::cancel(&journal, "last", &Note::default(), None).await.unwrap();
    assert_eq!((cancelled.state, cancelled.worker), (RunState::Cancelled, None));
    let jobs = serde_json::to_value(&cancelled.jobs).unwrap();
    let expected = json!([
        {"task": "load", "system": "Spark", "job": "driver-20260131060000-0000", "state": "ended"}
    ]);
    assert_eq!(jobs, expected);
    assert_eq!(locked(&master.state).drivers[0].state(), "KILLED");
}

#[tokio::test]
async fn pruning_a_run_leaves_no_driver_behind() {
    let (home, master) = left_behind(&[], "load");
    let journal = opened(home.path()).await;
    let interrupted =
        Prune { older_than: Duration::ZERO, dag: None, states: vec![RunState::Interrupted], audit: false };
    assert_eq!(ops::prune(&journal, &interrupted, None).await.unwrap().pruned, 1);
    assert_eq!(locked(&master.state).drivers[0].state(), "KILLED");
}

#[test]
fn a_driver_without_a_known_id_is_killed_by_its_tag() {
    let (home, master) = (tempfile::tempdir().unwrap(), FakeMaster::start(&["RUNNING"]));
    locked(&master.state).says = Some(Answer::Silence);
    let run = spawn(home.path(), &master, &["run", "load"]);
    eventually("the job is submitted", || master.submissions() == 1);
    kill(run);
    let cancelled = output_of(spawn(home.path(), &master, &["cancel", "last"]));
    assert!(cancelled.stderr.contains("the job of `load` on Spark, with the tag taskflow-"), "{cancelled:?}");
    assert_eq!(locked(&master.state).drivers[0].state(), "KILLED");
}

#[test]
fn cancelling_a_run_names_a_driver_whose_connection_is_missing() {
    let (home, master) = (tempfile::tempdir().unwrap(), FakeMaster::start(&["RUNNING"]));
    let uri = format!("spark://127.0.0.1:{}", master.server.port);
    let words = [("JOB_CONNECTION", "cluster"), ("TASKFLOW_CONN_CLUSTER", uri.as_str())];
    let run = spawn_with(home.path(), &master, &["run", "load"], &words);
    eventually("the job is followed", || master.server.count("/v1/submissions/status") > 0);
    kill(run);
    let cancelled = output_of(spawn(home.path(), &master, &["cancel", "last"]));
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    let expected =
        "the job of `load` on Spark, driver-20260131060000-0000, may still be running, because it cannot be reached:";
    assert!(cancelled.stderr.contains(expected) && cancelled.stderr.contains("`cluster`"), "{cancelled:?}");
    assert_eq!(locked(&master.state).drivers[0].state(), "RUNNING");
}

#[test]
fn cancelling_a_resumed_run_before_its_task_continues_kills_the_driver() {
    let (home, master) = (tempfile::tempdir().unwrap(), FakeMaster::start(&["RUNNING"]));
    let run = spawn_with(home.path(), &master, &["run", "load"], &[("POLL_MS", "3600000")]);
    let explained = || output_of(spawn(home.path(), &master, &["explain", "last", "load"])).stdout;
    eventually("the task is deferred for an hour", || explained().contains("it waits until "));
    kill(run);
    let asked = master.server.count("/v1/submissions/status");
    let again = spawn(home.path(), &master, &["resume"]);
    eventually("the run goes on", || !explained().contains("no process is running"));
    assert_eq!(master.server.count("/v1/submissions/status"), asked, "the task has not come back");
    let cancelled = output_of(spawn(home.path(), &master, &["cancel", "last"]));
    assert!(cancelled.stderr.contains("which was asked to cancel it"), "{cancelled:?}");
    output_of(again);
    assert_eq!(locked(&master.state).drivers[0].state(), "KILLED");
}

#[test]
fn cancelling_a_run_spares_the_job_of_its_teardown() {
    let (home, master) = (tempfile::tempdir().unwrap(), FakeMaster::start(&["RUNNING"]));
    let run = spawn(home.path(), &master, &["run", "tidied"]);
    eventually("the job is followed", || master.server.count("/v1/submissions/status") > 1);
    let cancelled = output_of(spawn(home.path(), &master, &["cancel", "last", "--no-wait"]));
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    let asked = master.server.count("/v1/submissions/status");
    eventually("it is followed on", || master.server.count("/v1/submissions/status") > asked + 20);
    assert_eq!(locked(&master.state).drivers[0].state(), "RUNNING");
    locked(&master.state).drivers[0].becomes("FINISHED");
    output_of(run);
    assert_eq!(master.server.count("/v1/submissions/kill"), 0);
}

#[test]
fn the_next_program_follows_the_teardown_job_of_a_cancelled_run() {
    let (home, master) = left_behind(&[], "tidied");
    let cancelled = output_of(spawn(home.path(), &master, &["cancel", "last"]));
    assert!(cancelled.stderr.contains("`resume 1` runs tidy"), "{cancelled:?}");
    let asked = master.server.count("/v1/submissions/status");
    let again = spawn(home.path(), &master, &["resume", "1"]);
    eventually("it is followed on", || master.server.count("/v1/submissions/status") > asked + 2);
    locked(&master.state).drivers[0].becomes("FINISHED");
    output_of(again);
    assert_eq!((master.submissions(), master.server.count("/v1/submissions/kill")), (1, 0));
}
