//! A service that is asked to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use taskflow::graph::DagDef;
use taskflow::journal::RunFilter;
use taskflow::prelude::*;
use taskflow::service::{Service, ServiceEvent, ServiceOptions};
use taskflow::{Durability, Engine, Journal, RunState, ops};
use tokio::sync::oneshot;

#[task]
fn tick() -> u64 {
    1
}

#[dag(schedule = every("1s"))]
fn often() -> u64 {
    tick()
}

/// Whether a slot of `locked_out` is due, whose run is about to be stored.
static IS_DUE: AtomicBool = AtomicBool::new(false);
/// Whether the test has locked the store.
static IS_LOCKED: AtomicBool = AtomicBool::new(false);

/// Returns once the store is locked.
fn after_the_lock() -> u64 {
    IS_DUE.store(true, Ordering::SeqCst);
    while !IS_LOCKED.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(1));
    }
    1
}

#[task]
fn same(number: u64) -> u64 {
    number
}

#[dag(schedule = every("1s"))]
fn locked_out(#[param(default = |_| after_the_lock())] number: u64) -> u64 {
    same(number)
}

/// A service of a DAG.
fn service(home: &std::path::Path, journal: &Journal, dag: &'static DagDef) -> Service {
    let engine = Engine::builder().build().expect("an engine");
    let options = ServiceOptions {
        with_schedules: true,
        grace: Duration::from_secs(5),
        durability: Durability::Strict,
        max_active_runs: ops::DEFAULT_MAX_ACTIVE_RUNS,
    };
    Service::new(home, journal, &engine, vec![dag], options).expect("the home is free")
}

/// Another process has locked the store when a slot is stored. Somebody asks the service to stop
/// while it waits for the lock. It waited for ten seconds, until the store had refused the slot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_asked_to_stop_does_not_wait_for_a_locked_store() {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let journal = Journal::open(directory.path()).await.expect("a home can be made");
    let service = service(directory.path(), &journal, locked_out::def());
    let stop = async {
        while !IS_LOCKED.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        "it is enough".to_owned()
    };
    let served = tokio::spawn(async move {
        let mut troubles = Vec::new();
        let report = |event| {
            if let ServiceEvent::Trouble { error } = event {
                troubles.push(error);
            }
        };
        service.run(stop, report).await;
        troubles
    });
    while !IS_DUE.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let file = SqliteConnectOptions::new().filename(directory.path().join("taskflow.db"));
    let mut other = file.connect().await.expect("the store opens");
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.expect("nobody else writes");
    IS_LOCKED.store(true, Ordering::SeqCst);
    let troubles = served.await.expect("the service does not panic");
    assert_eq!(troubles, [""; 0], "it did not wait until the store refused the slot");
    other.close().await.expect("it can be closed");
    let runs = journal.runs(&RunFilter::default()).await.expect("the store can be read");
    assert!(runs.iter().all(|run| run.state == RunState::Queued), "nothing has started");
}

/// Somebody asks when the first slot is due, whose run is stored, and would start in the same turn.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_asked_to_stop_starts_nothing_more_in_its_turn() {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let journal = Journal::open(directory.path()).await.expect("a home can be made");
    let service = service(directory.path(), &journal, often::def());
    let (ask, asked) = oneshot::channel();
    let (mut ask, mut started) = (Some(ask), 0);
    let stop = async { asked.await.unwrap_or_default() };
    let report = |event| match event {
        ServiceEvent::Due { .. } => {
            if let Some(ask) = ask.take() {
                ask.send("it is enough".to_owned()).expect("the service listens");
            }
        }
        ServiceEvent::Started { .. } => started += 1,
        _ => {}
    };
    service.run(stop, report).await;
    assert_eq!(started, 0);
    let runs = journal.runs(&RunFilter::default()).await.expect("the store can be read");
    assert!(!runs.is_empty() && runs.iter().all(|run| run.state == RunState::Queued), "the next service has them");
}
