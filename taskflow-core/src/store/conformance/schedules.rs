//! Schedules: their states, the slots that became no runs, and the runs of a step.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::of_every_store;
use super::parts::queued;
use crate::base::Timestamp;
use crate::run::RunState;
use crate::store::rows::{AppendTarget, Appended, NewGraph, NewRun, RunRow};
use crate::store::schedule_rows::{DamagedRow, NoteRow, ScheduleRow, ScheduleStep, SlotRow, Stepped};
use crate::store::traits::Store;

of_every_store! {
    a_step_stores_its_state_its_slots_and_its_runs,
    a_step_from_an_old_version_stores_nothing,
    steps_of_different_dags_do_not_depend_on_each_other,
    a_run_that_exists_does_not_hold_up_its_step,
    a_run_that_must_be_new_and_exists_is_a_conflict,
    deleting_runs_leaves_schedules_alone,
    deadlines_are_apart_from_schedules,
    graphs_are_stored_with_their_runs,
    slots_come_latest_first,
    notes_come_latest_first,
    the_last_run_of_each_dag_is_found,
}

fn run(run_id: &str) -> NewRun {
    match queued(run_id, 10).run {
        AppendTarget::New(run) => *run,
        AppendTarget::Existing { .. } => unreachable!("the run is new"),
    }
}

fn slot(dag: &str, at: i64) -> SlotRow {
    let at = Timestamp::from_nanos(at);
    SlotRow {
        dag: dag.to_owned(),
        first: at,
        last: at,
        count: 1,
        fate: "missed".to_owned(),
        reason: "why".to_owned(),
        decided: at,
    }
}

fn step(dag: &str, version: i64, slots: Vec<SlotRow>, runs: Vec<NewRun>) -> ScheduleStep {
    let state = format!("{{\"version\":{version}}}");
    let row = ScheduleRow { dag: dag.to_owned(), version, state, updated: Timestamp::from_nanos(version) };
    ScheduleStep { row, slots, notes: Vec::new(), runs, fresh: Vec::new(), graphs: Vec::new(), audit: None }
}

async fn stored(store: &dyn Store, step: ScheduleStep) -> Vec<Appended> {
    match store.step_schedules(&[step]).await.unwrap().remove(0) {
        Stepped::Stored(runs) => runs,
        Stepped::Conflict => panic!("it is the next version"),
    }
}

/// Rows of which none is damaged.
fn sound(rows: Vec<Result<ScheduleRow, DamagedRow>>) -> Vec<ScheduleRow> {
    rows.into_iter().map(|row| row.expect("no row is damaged")).collect()
}

async fn deadlines_are_apart_from_schedules(store: &dyn Store) {
    assert!(store.slot_deadlines().await.unwrap().is_empty());
    let first = step("etl", 1, vec![], vec![]);
    let note = NoteRow { dag: "etl".to_owned(), at: Timestamp::from_nanos(7), note: "{}".to_owned() };
    let steps = [ScheduleStep { notes: vec![note.clone()], ..first.clone() }];
    assert_eq!(store.step_slot_deadlines(&steps).await.unwrap(), [Stepped::Stored(vec![])]);
    // The version is not the next one: nothing of it is stored.
    assert_eq!(store.step_slot_deadlines(&steps).await.unwrap(), [Stepped::Conflict]);
    assert_eq!(sound(store.slot_deadlines().await.unwrap()), [first.row]);
    assert_eq!(store.schedule_notes("etl", 5).await.unwrap(), [note]);
    assert_eq!((store.schedules().await.unwrap().len(), store.schedule_steps().await.unwrap()), (0, 0));
    assert_eq!(stored(store, step("etl", 1, vec![], vec![])).await, []);
}

async fn a_step_stores_its_state_its_slots_and_its_runs(store: &dyn Store) {
    assert_eq!(store.schedule("etl").await.unwrap(), None);
    assert_eq!(store.schedule_steps().await.unwrap(), 0);
    let first = step("etl", 1, vec![slot("etl", 5)], vec![run("a"), run("b")]);
    assert_eq!(stored(store, first.clone()).await, [Appended::Stored(1), Appended::Stored(2)]);
    assert_eq!(store.schedule("etl").await.unwrap(), Some(first.row.clone()));
    assert_eq!(sound(store.schedules().await.unwrap()), [first.row]);
    assert_eq!(store.slots("etl", 10).await.unwrap(), [slot("etl", 5)]);
    let row = store.run_by_id("b").await.unwrap().unwrap();
    assert_eq!((row.number, row.present_state(), row.live_owner()), (2, RunState::Queued, None));
    let second = step("etl", 2, vec![], vec![]);
    assert_eq!(stored(store, second.clone()).await, []);
    assert_eq!(sound(store.schedules().await.unwrap()), [second.row]);
    stored(store, step("log", 1, vec![], vec![])).await;
    assert_eq!(store.schedule_steps().await.unwrap(), 3);
}

async fn a_step_from_an_old_version_stores_nothing(store: &dyn Store) {
    stored(store, step("etl", 1, vec![], vec![])).await;
    for version in [1, 3, 0] {
        let late = step("etl", version, vec![slot("etl", 5)], vec![run("a")]);
        assert_eq!(store.step_schedules(&[late]).await.unwrap(), [Stepped::Conflict], "{version}");
    }
    assert_eq!(store.schedule("etl").await.unwrap().map(|row| row.version), Some(1));
    assert_eq!(store.slots("etl", 10).await.unwrap(), []);
    assert_eq!(store.run_by_id("a").await.unwrap(), None);
}

async fn steps_of_different_dags_do_not_depend_on_each_other(store: &dyn Store) {
    stored(store, step("b", 1, vec![], vec![])).await;
    let steps = [
        step("a", 1, vec![], vec![run("a1")]),
        step("b", 1, vec![], vec![run("b1")]),
        step("c", 1, vec![slot("c", 1)], vec![run("c1")]),
    ];
    let outcomes = store.step_schedules(&steps).await.unwrap();
    let stored = |number| Stepped::Stored(vec![Appended::Stored(number)]);
    assert_eq!(outcomes, [stored(1), Stepped::Conflict, stored(2)]);
    let dags: Vec<String> = sound(store.schedules().await.unwrap()).into_iter().map(|row| row.dag).collect();
    assert_eq!(dags, ["a", "b", "c"]);
}

async fn a_run_that_exists_does_not_hold_up_its_step(store: &dyn Store) {
    stored(store, step("etl", 1, vec![], vec![run("a")])).await;
    let again = step("etl", 2, vec![], vec![run("a"), run("b")]);
    let stored = stored(store, again).await;
    assert!(matches!(stored[..], [Appended::Taken, Appended::Stored(number)] if number > 1), "{stored:?}");
}

async fn a_run_that_must_be_new_and_exists_is_a_conflict(store: &dyn Store) {
    stored(store, step("etl", 1, vec![], vec![run("a")])).await;
    let fresh = |dag: &str, version, run_id: &str| ScheduleStep {
        fresh: vec![run_id.to_owned()],
        ..step(dag, version, vec![slot(dag, 5)], vec![run(run_id)])
    };
    // Nothing of it is stored, and the others are.
    let outcomes = store.step_consumers(&[fresh("etl", 1, "a"), fresh("log", 1, "b")]).await.unwrap();
    assert_eq!(outcomes[0], Stepped::Conflict);
    assert!(matches!(&outcomes[1], Stepped::Stored(runs) if matches!(runs[..], [Appended::Stored(_)])), "{outcomes:?}");
    let dags: Vec<String> = sound(store.consumers().await.unwrap()).into_iter().map(|row| row.dag).collect();
    assert_eq!((dags, store.slots("etl", 10).await.unwrap()), (vec!["log".to_owned()], vec![]));
    let outcomes = store.step_consumers(&[fresh("etl", 1, "c")]).await.unwrap();
    assert!(matches!(&outcomes[..], [Stepped::Stored(_)]), "{outcomes:?}");
}

async fn deleting_runs_leaves_schedules_alone(store: &dyn Store) {
    stored(store, step("etl", 1, vec![slot("etl", 5)], vec![run("a")])).await;
    let (row, guard) = super::claim(store, 1, "host:1").await;
    super::ok(store, &[super::known(1, row.token, None, Some(super::update(RunState::Success)))]).await;
    drop(guard);
    assert_eq!(store.delete(&[1], None).await.unwrap(), [1]);
    assert_eq!(store.schedule("etl").await.unwrap().map(|row| row.version), Some(1));
    assert_eq!(store.slots("etl", 10).await.unwrap(), [slot("etl", 5)]);
}

async fn graphs_are_stored_with_their_runs(store: &dyn Store) {
    let encoded = Arc::new(AtomicU32::new(0));
    let graph = |hash: &str| {
        let (encoded, snapshot) = (Arc::clone(&encoded), hash.as_bytes().to_vec());
        let encode = move || {
            encoded.fetch_add(1, Ordering::Relaxed);
            snapshot.clone()
        };
        NewGraph { hash: hash.to_owned(), encode: Arc::new(encode) }
    };
    let with = |step: ScheduleStep, graphs| ScheduleStep { graphs, ..step };
    // Runs of several DAGs may have the same graph.
    let steps = [
        with(step("etl", 1, vec![], vec![run("a")]), vec![graph("graph-1"), graph("graph-2")]),
        with(step("other", 1, vec![], vec![run("b")]), vec![graph("graph-1")]),
    ];
    store.step_schedules(&steps).await.unwrap();
    assert_eq!(store.graph("graph-1").await.unwrap().as_deref(), Some(&b"graph-1"[..]));
    assert_eq!(store.graph("graph-2").await.unwrap().as_deref(), Some(&b"graph-2"[..]));
    assert_eq!(encoded.load(Ordering::Relaxed), 2);
    // A graph that is there is not encoded again, and a conflict stores none.
    stored(store, with(step("etl", 2, vec![], vec![run("c")]), vec![graph("graph-1")])).await;
    let conflict = with(step("etl", 2, vec![], vec![run("d")]), vec![graph("graph-3")]);
    assert_eq!(store.step_schedules(&[conflict]).await.unwrap(), [Stepped::Conflict]);
    assert_eq!(store.graph("graph-3").await.unwrap(), None);
    assert_eq!(encoded.load(Ordering::Relaxed), 2);
}

async fn slots_come_latest_first(store: &dyn Store) {
    let slots = vec![slot("etl", 5), slot("etl", 9), slot("etl", 7)];
    stored(store, step("etl", 1, slots, vec![])).await;
    stored(store, step("other", 1, vec![slot("other", 8)], vec![])).await;
    assert_eq!(store.slots("etl", 2).await.unwrap(), [slot("etl", 9), slot("etl", 7)]);
}

async fn notes_come_latest_first(store: &dyn Store) {
    let note =
        |dag: &str, at| NoteRow { dag: dag.to_owned(), at: Timestamp::from_nanos(at), note: format!("{{\"{at}\":1}}") };
    let with = |step: ScheduleStep, notes| ScheduleStep { notes, ..step };
    stored(store, with(step("etl", 1, vec![], vec![]), vec![note("etl", 5), note("etl", 9)])).await;
    stored(store, with(step("other", 1, vec![], vec![]), vec![note("other", 8)])).await;
    stored(store, with(step("etl", 2, vec![], vec![]), vec![note("etl", 7)])).await;
    let conflict = with(step("etl", 2, vec![], vec![]), vec![note("etl", 10)]);
    assert_eq!(store.step_schedules(&[conflict]).await.unwrap(), [Stepped::Conflict]);
    assert_eq!(store.schedule_notes("etl", 2).await.unwrap(), [note("etl", 9), note("etl", 7)]);
    assert_eq!(store.schedule_notes("none", 2).await.unwrap(), []);
    let from = async |at, skipped, limit| {
        store.schedule_notes_from("etl", Timestamp::from_nanos(at), skipped, limit).await.unwrap()
    };
    assert_eq!(from(7, 0, 5).await, [note("etl", 7), note("etl", 9)], "the earliest first");
    assert_eq!(from(0, 1, 1).await, [note("etl", 7)]);
    assert_eq!(from(10, 0, 5).await, []);
}

async fn the_last_run_of_each_dag_is_found(store: &dyn Store) {
    assert_eq!(store.last_runs().await.unwrap(), []);
    let of = |dag: &str, run_id: &str, created| {
        let mut run = run(run_id);
        run.info.dag_id = dag.to_owned();
        NewRun { created: Timestamp::from_nanos(created), ..run }
    };
    let runs = vec![of("b", "b1", 20), of("a", "a1", 30), of("b", "b2", 10), of("a", "a2", 40), of("c", "c1", 5)];
    stored(store, step("etl", 1, vec![], runs)).await;
    let ids = |rows: Vec<RunRow>| rows.into_iter().map(|row| row.info.run_id).collect::<Vec<_>>();
    assert_eq!(ids(store.last_runs().await.unwrap()), ["a2", "b1", "c1"]);
    assert_eq!(ids(store.last_runs_of(&["c", "a"], 2).await.unwrap()), ["a2", "a1", "c1"]);
    assert_eq!(ids(store.last_runs_of(&["b", "none"], 1).await.unwrap()), ["b1"]);
    assert_eq!(ids(store.last_runs_of(&["a", "b"], 9).await.unwrap()), ["a2", "a1", "b1", "b2"]);
    assert_eq!(store.last_runs_of(&[], 9).await.unwrap(), []);
}
