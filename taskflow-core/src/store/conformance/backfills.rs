//! Backfills: their plans, the runs of a change, and the runs that slots have.

use super::of_every_store;
use super::parts::{claim, known, of, ok, queued, update};
use crate::base::Timestamp;
use crate::run::RunState;
use crate::store::backfill_rows::{BackfillChange, BackfillRow, Changed};
use crate::store::rows::{Append, AppendTarget, NewRun};
use crate::store::traits::Store;

of_every_store! {
    a_plan_is_stored_under_the_next_number,
    a_change_stores_its_plan_and_its_runs,
    a_change_from_an_old_version_stores_nothing,
    a_change_that_depends_on_other_plans_is_refused_when_they_changed,
    a_run_that_exists_refuses_the_whole_change,
    plans_come_latest_first_and_open_ones_by_number,
    slots_have_the_runs_of_their_logical_dates,
    deleting_runs_leaves_plans_alone,
}

fn dated(run_id: &str, dag: &str, date: i64) -> Append {
    let mut part = of(dag, queued(run_id, 10));
    if let AppendTarget::New(run) = &mut part.run {
        run.info.logical_date = Timestamp::from_nanos(date);
    }
    part
}

fn run(run_id: &str) -> NewRun {
    match queued(run_id, 10).run {
        AppendTarget::New(run) => *run,
        AppendTarget::Existing { .. } => unreachable!("the run is new"),
    }
}

fn change(number: i64, version: i64, runs: &[&str]) -> BackfillChange {
    let row = BackfillRow {
        number,
        dag: "etl".to_owned(),
        version,
        is_open: true,
        plan: format!("{{\"version\":{version}}}"),
        updated: Timestamp::from_nanos(version),
    };
    BackfillChange {
        row,
        runs: runs.iter().map(|run_id| run(run_id)).collect(),
        graphs: Vec::new(),
        beside: None,
        audit: None,
    }
}

async fn stored(store: &dyn Store, change: BackfillChange) -> i64 {
    match store.change_backfill(&change).await.unwrap() {
        Changed::Stored(number) => number,
        Changed::Conflict => panic!("{change:?} fits"),
    }
}

async fn a_plan_is_stored_under_the_next_number(store: &dyn Store) {
    assert_eq!(store.backfill(1).await.unwrap(), None);
    let first = change(0, 1, &[]);
    assert_eq!(stored(store, first.clone()).await, 1);
    assert_eq!(store.backfill(1).await.unwrap(), Some(BackfillRow { number: 1, ..first.row }));
    assert_eq!(stored(store, change(0, 1, &[])).await, 2);
}

async fn a_change_stores_its_plan_and_its_runs(store: &dyn Store) {
    stored(store, change(0, 1, &[])).await;
    let second = change(1, 2, &["a", "b"]);
    assert_eq!(stored(store, second.clone()).await, 1);
    assert_eq!(store.backfill(1).await.unwrap(), Some(second.row));
    let row = store.run_by_id("b").await.unwrap().unwrap();
    assert_eq!((row.number, row.present_state(), row.live_owner()), (2, RunState::Queued, None));
}

async fn a_change_from_an_old_version_stores_nothing(store: &dyn Store) {
    stored(store, change(0, 1, &[])).await;
    for (number, version) in [(1, 1), (1, 3), (2, 2), (0, 2)] {
        let late = store.change_backfill(&change(number, version, &["a"])).await.unwrap();
        assert_eq!(late, Changed::Conflict, "{number} {version}");
    }
    assert_eq!(store.backfill(1).await.unwrap().map(|row| row.version), Some(1));
    assert_eq!(store.backfill(2).await.unwrap(), None);
    assert_eq!(store.run_by_id("a").await.unwrap(), None);
    assert_eq!(stored(store, change(1, 2, &["a"])).await, 1, "the store can still be written");
}

async fn a_change_that_depends_on_other_plans_is_refused_when_they_changed(store: &dyn Store) {
    let beside = |others: &[(i64, i64)]| BackfillChange { beside: Some(others.to_vec()), ..change(0, 1, &["a"]) };
    stored(store, change(0, 1, &[])).await;
    let mut closed = change(0, 1, &[]);
    closed.row.is_open = false;
    stored(store, closed).await;
    let mut other = change(0, 1, &[]);
    other.row.dag = "other".to_owned();
    stored(store, other).await;
    for others in [&[][..], &[(1, 2)], &[(1, 1), (2, 1)], &[(1, 1), (3, 1)]] {
        assert_eq!(store.change_backfill(&beside(others)).await.unwrap(), Changed::Conflict, "{others:?}");
    }
    assert_eq!(store.run_by_id("a").await.unwrap(), None);
    assert_eq!(stored(store, beside(&[(1, 1)])).await, 4);
    let own = BackfillChange { beside: Some(vec![(4, 1)]), ..change(1, 2, &[]) };
    assert_eq!(stored(store, own).await, 1, "a plan is not beside itself");
}

async fn a_run_that_exists_refuses_the_whole_change(store: &dyn Store) {
    stored(store, change(0, 1, &["a"])).await;
    assert_eq!(store.change_backfill(&change(1, 2, &["b", "a", "c"])).await.unwrap(), Changed::Conflict);
    assert_eq!(store.backfill(1).await.unwrap().map(|row| row.version), Some(1));
    assert_eq!(store.run_by_id("b").await.unwrap(), None);
    assert_eq!(stored(store, change(1, 2, &["b"])).await, 1);
}

async fn plans_come_latest_first_and_open_ones_by_number(store: &dyn Store) {
    for dag in ["etl", "other", "etl", "etl"] {
        let mut change = change(0, 1, &[]);
        change.row.dag = dag.to_owned();
        stored(store, change).await;
    }
    let mut done = change(3, 2, &[]);
    done.row.is_open = false;
    stored(store, done).await;
    let numbers = |rows: Vec<BackfillRow>| rows.into_iter().map(|row| row.number).collect::<Vec<_>>();
    let open = store.open_backfills().await.unwrap().into_iter().map(Result::unwrap).collect();
    assert_eq!(numbers(open), [1, 2, 4]);
    assert_eq!(numbers(store.backfills(None, None, None).await.unwrap()), [4, 3, 2, 1]);
    assert_eq!(numbers(store.backfills(Some("etl"), None, Some(2)).await.unwrap()), [4, 3]);
    assert_eq!(numbers(store.backfills(None, Some(4), Some(2)).await.unwrap()), [3, 2]);
    assert_eq!(numbers(store.backfills(Some("etl"), Some(3), None).await.unwrap()), [1]);
    assert_eq!(numbers(store.backfills(None, Some(1), None).await.unwrap()), [0; 0]);
}

async fn slots_have_the_runs_of_their_logical_dates(store: &dyn Store) {
    let runs = [dated("a", "etl", 30), dated("b", "etl", 10), dated("c", "other", 20), dated("d", "etl", 20)];
    ok(store, &runs).await;
    ok(store, &[dated("e", "etl", 30), dated("f", "etl", 50)]).await;
    let (row, guard) = claim(store, 2, "host:1").await;
    ok(store, &[known(2, row.token, None, Some(update(RunState::Success)))]).await;
    drop(guard);
    let at = Timestamp::from_nanos;
    let found = async |ranges: &[(Timestamp, Timestamp)]| {
        let rows = store.slot_runs("etl", ranges).await.unwrap();
        rows.into_iter().map(|row| (row.run_id, row.number, row.logical_date, row.state)).collect::<Vec<_>>()
    };
    let is = |run_id: &str, number, date, state| (run_id.to_owned(), number, at(date), state);
    let (queued, success) = (RunState::Queued, RunState::Success);
    let expected = [is("b", 2, 10, success), is("d", 4, 20, queued), is("a", 1, 30, queued), is("e", 5, 30, queued)];
    assert_eq!(found(&[(at(10), at(30))]).await, expected);
    assert_eq!(found(&[(at(11), at(29))]).await, [is("d", 4, 20, queued)]);
    assert_eq!(found(&[(at(50), at(50)), (at(10), at(10))]).await, [expected[0].clone(), is("f", 6, 50, queued)]);
    assert_eq!(found(&[]).await, []);
    let ended = store.slot_runs("etl", &[(at(10), at(10))]).await.unwrap();
    assert_eq!(ended[0].ended, Some(at(77)));
}

async fn deleting_runs_leaves_plans_alone(store: &dyn Store) {
    stored(store, change(0, 1, &["a"])).await;
    let (row, guard) = claim(store, 1, "host:1").await;
    ok(store, &[known(1, row.token, None, Some(update(RunState::Success)))]).await;
    drop(guard);
    assert_eq!(store.delete(&[1], None).await.unwrap(), [1]);
    assert_eq!(store.backfill(1).await.unwrap().map(|row| row.version), Some(1));
}
