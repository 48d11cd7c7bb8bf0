//! Programs that die while a job of theirs is on a cluster of Spark: the job is found again, and not submitted twice.
#![cfg(all(feature = "spark", feature = "cli", feature = "sqlite", unix))]

mod binaries;
mod common;
mod spark;

use std::path::Path;
use std::process::{Child, Stdio};

use binaries::{Said, program};
use common::{eventually, locked};
use spark::fake_master::FakeMaster;
use spark::server::Answer;

/// A call of the program that submits to this master.
fn spawn(home: &Path, master: &FakeMaster, words: &[&str]) -> Child {
    let mut program = program("spark_job");
    program.args(words).env("TASKFLOW_HOME", home).env("MASTER_PORT", master.server.port.to_string());
    program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a built program starts")
}

fn said(child: Child) -> Said {
    child.wait_with_output().expect("it comes to its end").into()
}

/// Kills it without a warning, as a machine does that loses its power.
fn kill(mut child: Child) {
    child.kill().expect("it runs");
    child.wait().expect("it was started here");
}

#[test]
fn a_job_whose_program_dies_while_it_runs_is_followed_by_the_next_one() {
    for dag in ["load", "load_awaited"] {
        let (home, master) = (tempfile::tempdir().unwrap(), FakeMaster::start(&["RUNNING"]));
        let first = spawn(home.path(), &master, &["run", dag]);
        eventually("the job is followed", || master.server.count("/v1/submissions/status") > 1);
        kill(first);
        locked(&master.state).drivers[0].becomes("FINISHED");
        let second = said(spawn(home.path(), &master, &["resume"]));
        assert_eq!((second.code, second.stdout.trim()), (Some(0), "driver-20260131060000-0000"), "{second:?}");
        assert_eq!(master.submissions(), 1, "{dag}");
    }
}

#[test]
fn a_job_whose_program_dies_before_it_hears_the_id_is_found_by_its_tag() {
    for dag in ["load", "load_awaited"] {
        let (home, master) = (tempfile::tempdir().unwrap(), FakeMaster::start(&["RUNNING", "FINISHED"]));
        locked(&master.state).says = Some(Answer::Silence);
        let first = spawn(home.path(), &master, &["run", dag]);
        eventually("the job is submitted", || master.submissions() == 1);
        kill(first);
        let second = said(spawn(home.path(), &master, &["resume"]));
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
    let second = said(spawn(home.path(), &master, &["resume"]));
    assert_eq!((second.code, second.stdout.trim()), (Some(0), "driver-20260131060000-0000"), "{second:?}");
    assert_eq!((master.submissions(), locked(&master.state).drivers.len()), (2, 1));
}

#[test]
fn a_run_that_is_cancelled_while_its_task_is_deferred_ends_the_driver() {
    let (home, master) = (tempfile::tempdir().unwrap(), FakeMaster::start(&["RUNNING"]));
    let run = spawn(home.path(), &master, &["run", "load"]);
    eventually("the job is followed", || master.server.count("/v1/submissions/status") > 1);
    let cancelled = said(spawn(home.path(), &master, &["cancel", "last"]));
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    said(run);
    assert!(master.server.count("/v1/submissions/kill") > 0);
    assert_eq!(locked(&master.state).drivers[0].state(), "KILLED");
}

#[test]
fn a_run_that_is_cancelled_while_nobody_runs_it_says_which_job_goes_on() {
    let (home, master) = (tempfile::tempdir().unwrap(), FakeMaster::start(&["RUNNING"]));
    let run = spawn(home.path(), &master, &["run", "load"]);
    eventually("the job is followed", || master.server.count("/v1/submissions/status") > 1);
    kill(run);
    let cancelled = said(spawn(home.path(), &master, &["cancel", "last"]));
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    let expected =
        "`load` has a job on Spark that goes on, since nobody was there to end it: driver-20260131060000-0000";
    assert!(cancelled.stderr.contains(expected), "{cancelled:?}");
    assert_eq!(locked(&master.state).drivers[0].state(), "RUNNING");
}
