//! Runs that cannot be started.

use super::candidates::waiting;
use super::*;
use crate::base::SourceLocation;
use crate::dag::{Dag, DagOptions, PlanCell};
use crate::journal::JournalError;
use crate::ops;
use crate::run::Durability;
use crate::store::StoreError;
use crate::value::TypeInfo;

static NIGHTLY: DagDef = DagDef {
    id: "nightly",
    module: "tests",
    doc: "",
    location: SourceLocation { file: file!(), line: line!(), column: column!() },
    options: DagOptions::NONE,
    params: Vec::new,
    result: TypeInfo::of_value::<()>(),
    trace: |_| None,
    plan: PlanCell::new(),
};

fn engine() -> Engine {
    Engine::builder().build().unwrap()
}

/// A run that its process has released.
async fn interrupted(journal: &Journal) -> RunSummary {
    let left = engine();
    left.drain("terminated");
    let dag = Dag::draw(NIGHTLY.id, |dag| {
        dag.add("load", |_| Ok(()));
    });
    dag.unwrap().run().journal(journal).engine(&left).await.unwrap();
    let run = journal.find("last").await.unwrap();
    assert_eq!(run.state, RunState::Interrupted);
    run
}

fn queue() -> RunQueue {
    let options = ServiceOptions {
        with_schedules: true,
        grace: Duration::ZERO,
        durability: Durability::Strict,
        max_active_runs: ops::DEFAULT_MAX_ACTIVE_RUNS,
    };
    RunQueue::new(engine(), &options, vec![&NIGHTLY]).0
}

/// The claim of a run whose process has died removes what tells so. After an error that came
/// later, the run was taken for one that a person has interrupted. A service would wait for a
/// minute, so the test goes on as if it had.
#[tokio::test]
async fn an_interrupted_run_that_could_not_be_resumed_is_tried_again() {
    let journal = Journal::in_memory().unwrap();
    let (run, mut queue) = (interrupted(&journal).await, queue());
    // Nobody knows of its process.
    assert!(queue.candidates(&journal, &HashSet::new()).await.unwrap().is_empty());
    let candidate = Candidate { waiting: waiting(&run, &NIGHTLY, false), run, is_reprocessed: false };
    let (error, mut events) = (OpsError::NotPaused { dag: NIGHTLY.id.to_owned() }, Vec::new());
    queue.start_claimed(&journal, candidate, Some(Err(error)), &mut events).await.unwrap();
    assert!(matches!(&events[..], [ServiceEvent::Refused { .. }]), "{events:?}");
    assert!(queue.candidates(&journal, &HashSet::new()).await.unwrap().is_empty(), "not at once");
    queue.refused.clear();
    assert_eq!(queue.candidates(&journal, &HashSet::new()).await.unwrap().len(), 1);
}

/// Another process has locked the store when a run is claimed. The run was refused, as was every
/// other one, and tried again after a minute.
#[tokio::test]
async fn a_run_that_waits_for_a_locked_store_is_tried_again_in_the_next_turn() {
    let journal = Journal::in_memory().unwrap();
    let (run, mut queue) = (interrupted(&journal).await, queue());
    let candidate = Candidate { waiting: waiting(&run, &NIGHTLY, false), run, is_reprocessed: false };
    let locked = StoreError::Busy { doing: "write to", place: "runs.db".to_owned(), holder: None };
    let (locked, mut events) = (OpsError::from(JournalError::from(locked)), Vec::new());
    let error = queue.start_claimed(&journal, candidate, Some(Err(locked)), &mut events).await.unwrap_err();
    assert!(error.locked_store().is_some(), "{error}");
    assert!(events.is_empty(), "{events:?}");
    assert_eq!(queue.candidates(&journal, &HashSet::new()).await.unwrap().len(), 1);
}

/// The disk is still full a minute after it has interrupted a run: the next slot of its DAG
/// started, and the run beside it once there was space. A run that cannot be resumed at all holds
/// up no slot.
#[tokio::test]
async fn a_run_that_waits_for_space_on_the_disk_keeps_its_place_in_the_schedule() {
    let journal = Journal::in_memory().unwrap();
    let (run, mut queue) = (interrupted(&journal).await, queue());
    queue.ended(run.number, RunState::Interrupted);
    let full = StoreError::Write { place: "runs.db".to_owned(), reason: "the disk is full".to_owned() };
    let not_at_all = OpsError::NotPaused { dag: NIGHTLY.id.to_owned() };
    for (error, keeps) in [(OpsError::from(JournalError::from(full)), true), (not_at_all, false)] {
        let (number, mut events) = (run.number, Vec::new());
        let waiting = waiting(&run, &NIGHTLY, false);
        let candidate = Candidate { waiting, run: run.clone(), is_reprocessed: false };
        queue.start_claimed(&journal, candidate, Some(Err(error)), &mut events).await.unwrap();
        assert!(matches!(&events[..], [ServiceEvent::Refused { .. }]), "{events:?}");
        assert_eq!(queue.counts_as_active(number), keeps);
    }
}
