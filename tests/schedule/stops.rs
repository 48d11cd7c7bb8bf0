//! A service that is asked to stop.

use std::time::Duration;

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

/// Somebody asks when the first slot is due, whose run is stored, and would start in the same turn.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_asked_to_stop_starts_nothing_more_in_its_turn() {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let journal = Journal::open(directory.path()).await.expect("a home can be made");
    let engine = Engine::builder().build().expect("an engine");
    let options = ServiceOptions {
        with_schedules: true,
        grace: Duration::from_secs(5),
        durability: Durability::Strict,
        max_active_runs: ops::DEFAULT_MAX_ACTIVE_RUNS,
    };
    let service = Service::new(directory.path(), &journal, &engine, vec![often::def()], options);
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
    service.expect("the home is free").run(stop, report).await;
    assert_eq!(started, 0);
    let runs = journal.runs(&RunFilter::default()).await.expect("the store can be read");
    assert!(!runs.is_empty() && runs.iter().all(|run| run.state == RunState::Queued), "the next service has them");
}
