//! Reserving and claiming runs, and what rows say of their owners.

use super::of_every_store;
use super::parts::{claim, known, new, ok, owned, plain, queued, segment, update};
use crate::run::RunState;
use crate::store::ownership::{Claim, Liveness};
use crate::store::rows::{Appended, RunFilter, RunUpdate};
use crate::store::traits::Store;

use Appended::{Fenced, Taken};

of_every_store! {
    a_reserved_run_is_alive_until_its_guard_is_dropped,
    an_id_is_reserved_once,
    an_id_that_is_held_belongs_to_nobody_else,
    ids_without_a_run_are_found,
    a_claim_raises_the_token_and_fences_the_previous_owner,
    only_one_of_two_can_claim_a_run,
    a_claim_changes_nothing_but_owner_and_token,
    an_unknown_run_cannot_be_claimed,
    a_finished_run_needs_no_owner,
    a_queued_run_waits_for_its_claim,
    a_queued_run_is_neither_running_nor_deleted,
    a_filter_uses_the_current_state,
    a_limit_applies_to_running_and_interrupted_runs,
    a_heartbeat_is_harmless,
}

async fn a_reserved_run_is_alive_until_its_guard_is_dropped(store: &dyn Store) {
    let guards = owned(store, &[new("a", 10)]).await;
    let row = store.run(1).await.unwrap().unwrap();
    assert_eq!((row.liveness, row.present_state()), (Liveness::Alive, RunState::Running));
    assert_eq!(row.live_owner(), Some("host:1"));
    assert_eq!(store.run_by_id("a").await.unwrap().unwrap().liveness, Liveness::Alive);
    assert_eq!(store.find("a", 1).await.unwrap()[0].liveness, Liveness::Alive);
    drop(guards);
    let row = store.run(1).await.unwrap().unwrap();
    assert_eq!((row.liveness, row.present_state()), (Liveness::Dead, RunState::Interrupted));
    assert_eq!((row.live_owner(), row.state), (None, RunState::Running));
}

async fn an_id_that_is_held_belongs_to_nobody_else(store: &dyn Store) {
    let held = store.hold_id("a").await.unwrap();
    assert!(held.is_some());
    assert!(store.reserve("a").is_none());
    assert!(store.hold_id("a").await.unwrap().is_none());
    drop(held);
    let guards = owned(store, &[new("a", 10)]).await;
    assert!(store.hold_id("a").await.unwrap().is_none());
    drop(guards);
    assert!(store.hold_id("a").await.unwrap().is_some());
}

async fn ids_without_a_run_are_found(store: &dyn Store) {
    ok(store, &[new("a", 10), new("b", 20)]).await;
    let ids = ["b", "c", "it's \"d\""].map(str::to_owned);
    for by_rows in [false, true] {
        assert_eq!(store.without_run(&ids, by_rows).await.unwrap(), ["c", "it's \"d\""]);
        assert!(store.without_run(&[], by_rows).await.unwrap().is_empty());
    }
}

async fn an_id_is_reserved_once(store: &dyn Store) {
    let first = store.reserve("a");
    assert!(first.is_some());
    assert!(store.reserve("a").is_none());
    assert!(store.reserve("b").is_some());
    drop(first);
    assert!(store.reserve("a").is_some());
}

async fn a_claim_raises_the_token_and_fences_the_previous_owner(store: &dyn Store) {
    ok(store, &[new("a", 10)]).await;
    let (row, _guard) = claim(store, 1, "host:2").await;
    assert_eq!((row.number, row.token, &*row.owner, row.liveness), (1, 2, "host:2", Liveness::Alive));
    assert_eq!(store.append(&[plain(1, 1, 2)]).await.unwrap(), [Fenced]);
    assert_eq!(ok(store, &[plain(1, 2, 2)]).await, [1]);
    assert_eq!(store.run(1).await.unwrap().unwrap(), row);
}

async fn only_one_of_two_can_claim_a_run(store: &dyn Store) {
    let guards = owned(store, &[new("a", 10)]).await;
    let by = match store.claim(1, "host:2").await.unwrap() {
        Claim::Held { by } => by,
        other => panic!("{other:?}"),
    };
    assert_eq!(by, crate::store::worker());
    assert_eq!(store.run(1).await.unwrap().unwrap().token, 1);
    drop(guards);
    let (row, guard) = claim(store, 1, "host:2").await;
    assert_eq!(row.token, 2);
    assert!(matches!(store.claim(1, "host:3").await.unwrap(), Claim::Held { .. }));
    drop(guard);
    assert_eq!(claim(store, 1, "host:3").await.0.token, 3);
}

async fn a_claim_changes_nothing_but_owner_and_token(store: &dyn Store) {
    ok(store, &[new("a", 10)]).await;
    ok(store, &[known(1, 1, Some(segment(2)), Some(update(RunState::Failed)))]).await;
    let before = store.run(1).await.unwrap().unwrap();
    let (mut row, guard) = claim(store, 1, "host:2").await;
    drop(guard);
    assert_eq!((row.state, row.ended, &row.counts), (before.state, before.ended, &before.counts));
    (row.token, row.owner, row.liveness) = (before.token, before.owner.clone(), before.liveness);
    assert_eq!(row, before);
}

async fn an_unknown_run_cannot_be_claimed(store: &dyn Store) {
    assert!(matches!(store.claim(7, "host:2").await.unwrap(), Claim::Unknown));
}

async fn a_finished_run_needs_no_owner(store: &dyn Store) {
    ok(store, &[new("a", 10)]).await;
    ok(store, &[known(1, 1, None, Some(update(RunState::Success)))]).await;
    let row = store.run(1).await.unwrap().unwrap();
    assert_eq!((row.liveness, row.present_state()), (Liveness::Unowned, RunState::Success));
}

async fn a_queued_run_waits_for_its_claim(store: &dyn Store) {
    ok(store, &[queued("a", 10)]).await;
    let row = store.run(1).await.unwrap().unwrap();
    assert_eq!((row.state, row.present_state()), (RunState::Queued, RunState::Queued));
    assert_eq!((row.token, &*row.owner, row.liveness), (0, "", Liveness::Unowned));
    assert_eq!(store.params(1).await.unwrap().unwrap(), b"params");
    assert_eq!(store.append(&[plain(1, 1, 1)]).await.unwrap(), [Fenced]);
    let (row, _guard) = claim(store, 1, "host:2").await;
    assert_eq!((row.state, row.token, row.liveness), (RunState::Queued, 1, Liveness::Alive));
    let start = RunUpdate { state: RunState::Running, ended: None, counts: vec![], graph: None };
    ok(store, &[known(1, 1, Some(segment(1)), Some(start))]).await;
    let row = store.run(1).await.unwrap().unwrap();
    assert_eq!((row.state, row.present_state()), (RunState::Running, RunState::Running));
    assert_eq!(store.append(&[queued("a", 20)]).await.unwrap(), [Taken]);
}

async fn a_queued_run_is_neither_running_nor_deleted(store: &dyn Store) {
    ok(store, &[queued("a", 10)]).await;
    for (state, expected) in [(RunState::Running, 0), (RunState::Interrupted, 0), (RunState::Queued, 1)] {
        let filter = RunFilter { states: vec![state], ..Default::default() };
        assert_eq!(store.runs(&filter).await.unwrap().len(), expected, "{state}");
    }
    assert_eq!(store.delete(&[1], None).await.unwrap(), [0; 0]);
    assert_eq!(store.check().await.unwrap().iter().filter(|finding| !finding.contains("graph")).count(), 0);
}

async fn a_filter_uses_the_current_state(store: &dyn Store) {
    let _guards = owned(store, &[new("a", 10), new("b", 20)]).await;
    ok(store, &[new("c", 30), new("d", 40), queued("e", 50)]).await;
    ok(store, &[known(4, 1, None, Some(update(RunState::Failed)))]).await;
    let ids = async |states: &[RunState]| {
        let filter = RunFilter { states: states.to_vec(), ..Default::default() };
        let rows = store.runs(&filter).await.unwrap();
        rows.into_iter().map(|row| row.info.run_id).collect::<String>()
    };
    assert_eq!(ids(&[]).await, "edcba");
    assert_eq!(ids(&[RunState::Running]).await, "ba");
    assert_eq!(ids(&[RunState::Interrupted]).await, "c");
    assert_eq!(ids(&[RunState::Running, RunState::Interrupted]).await, "cba");
    assert_eq!(ids(&[RunState::Interrupted, RunState::Failed, RunState::Queued]).await, "edc");
}

async fn a_limit_applies_to_running_and_interrupted_runs(store: &dyn Store) {
    let runs: Vec<_> = (0..30).map(|at| new(&format!("run-{at:02}"), at)).collect();
    // Every third is alive.
    let (alive, dead): (Vec<_>, Vec<_>) = (0..30).zip(runs).partition(|(at, _)| at % 3 == 0);
    let parts = |runs: Vec<(i32, crate::store::Append)>| runs.into_iter().map(|(_, run)| run).collect::<Vec<_>>();
    let _guards = owned(store, &parts(alive)).await;
    ok(store, &parts(dead)).await;
    let ids = async |state, limit| {
        let filter = RunFilter { states: vec![state], limit: Some(limit), ..Default::default() };
        let rows = store.runs(&filter).await.unwrap();
        rows.into_iter().map(|row| row.info.run_id).collect::<Vec<String>>()
    };
    assert_eq!(ids(RunState::Running, 3).await, ["run-27", "run-24", "run-21"]);
    assert_eq!(ids(RunState::Interrupted, 3).await, ["run-29", "run-28", "run-26"]);
    assert_eq!(ids(RunState::Running, 100).await.len(), 10);
    assert_eq!(ids(RunState::Running, 0).await, [""; 0]);
}

async fn a_heartbeat_is_harmless(store: &dyn Store) {
    let _guards = owned(store, &[new("a", 10)]).await;
    store.heartbeat().await.unwrap();
    assert_eq!(store.run(1).await.unwrap().unwrap().liveness, Liveness::Alive);
}
