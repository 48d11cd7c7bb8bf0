//! How many runs of a DAG are active at once.

use super::of_every_store;
use super::parts::{claim, known, new, of, ok, owned, queued, update};
use crate::run::RunState;
use crate::store::admission::{Admission, AdmissionRequest};
use crate::store::rows::{RunFilter, RunUpdate};
use crate::store::traits::Store;

use Admission::{Admitted, Fenced};

of_every_store! {
    a_run_waits_while_as_many_as_the_limit_are_active,
    the_first_to_ask_is_the_first_to_be_admitted,
    a_run_that_has_ended_frees_its_place,
    an_owner_that_dies_frees_its_place_and_its_ticket,
    an_interrupted_run_asks_again_at_the_end_of_the_queue,
    runs_of_other_dags_do_not_count,
    a_run_that_nobody_has_admitted_does_not_count,
    an_ancestor_does_not_count_and_its_child_passes_the_queue,
    a_waiting_run_is_queued_while_its_owner_lives,
    only_the_owner_of_a_running_run_can_ask,
    a_claimed_run_is_running_once_it_asks,
    an_admitted_run_may_ask_again,
    a_deleted_run_takes_its_ticket_with_it,
    runs_of_backfills_count_in_a_share_of_their_own,
}

async fn admit_with(store: &dyn Store, run: i64, token: u64, limit: u32, ancestors: &[i64]) -> Admission {
    let ancestors = ancestors.to_vec();
    store.admit(&AdmissionRequest { run, token, limit, ancestors, is_backfill: false, is_first: false }).await.unwrap()
}

async fn admit(store: &dyn Store, run: i64, limit: u32) -> Admission {
    admit_with(store, run, 1, limit, &[]).await
}

fn waits(active: &[i64], ahead: &[i64]) -> Admission {
    Admission::Waits { active: active.to_vec(), ahead: ahead.to_vec() }
}

/// Cases 55 and 56: a live run does not wait for a backfill, and a backfill not for live runs.
async fn runs_of_backfills_count_in_a_share_of_their_own(store: &dyn Store) {
    let _guards = owned(store, &[new("a", 10), new("b", 20), new("c", 30), new("d", 40)]).await;
    let in_backfill = async |run| {
        let (ancestors, is_backfill, is_first) = (Vec::new(), true, false);
        let request = AdmissionRequest { run, token: 1, limit: 1, ancestors, is_backfill, is_first };
        store.admit(&request).await.unwrap()
    };
    assert_eq!(in_backfill(1).await, Admitted);
    assert_eq!(in_backfill(2).await, waits(&[1], &[]));
    assert_eq!(admit(store, 3, 1).await, Admitted, "it counts neither the active run nor the one that waits");
    assert_eq!(admit(store, 4, 1).await, waits(&[3], &[]));
    ok(store, &[known(1, 1, None, Some(update(RunState::Success)))]).await;
    assert_eq!(in_backfill(2).await, Admitted);
    assert_eq!(admit(store, 4, 1).await, waits(&[3], &[]));
}

async fn a_run_waits_while_as_many_as_the_limit_are_active(store: &dyn Store) {
    let _guards = owned(store, &[new("a", 10), new("b", 20), new("c", 30), new("d", 40)]).await;
    assert_eq!(admit(store, 1, 2).await, Admitted);
    assert_eq!(admit(store, 2, 2).await, Admitted);
    assert_eq!(admit(store, 3, 2).await, waits(&[1, 2], &[]));
    assert_eq!(admit(store, 3, 2).await, waits(&[1, 2], &[]));
    // The limit is that of the process that asks, and the queue comes first.
    assert_eq!(admit(store, 4, 3).await, waits(&[1, 2], &[3]));
    assert_eq!(admit(store, 3, 3).await, Admitted);
}

async fn the_first_to_ask_is_the_first_to_be_admitted(store: &dyn Store) {
    let mut guards = owned(store, &[new("a", 10), new("b", 20), new("c", 30)]).await;
    assert_eq!(admit(store, 2, 1).await, Admitted);
    assert_eq!(admit(store, 3, 1).await, waits(&[2], &[]));
    assert_eq!(admit(store, 1, 1).await, waits(&[2], &[3]));
    drop(guards.remove(1));
    assert_eq!(admit(store, 1, 1).await, waits(&[], &[3]));
    assert_eq!(admit(store, 3, 1).await, Admitted);
    assert_eq!(admit(store, 1, 1).await, waits(&[3], &[]));
}

async fn a_run_that_has_ended_frees_its_place(store: &dyn Store) {
    let _guards = owned(store, &[new("a", 10), new("b", 20)]).await;
    assert_eq!(admit(store, 1, 1).await, Admitted);
    assert_eq!(admit(store, 2, 1).await, waits(&[1], &[]));
    // Its owner has not released it yet.
    ok(store, &[known(1, 1, None, Some(update(RunState::Failed)))]).await;
    assert_eq!(admit(store, 2, 1).await, Admitted);
}

async fn an_owner_that_dies_frees_its_place_and_its_ticket(store: &dyn Store) {
    let mut guards = owned(store, &[new("a", 10), new("b", 20), new("c", 30)]).await;
    assert_eq!(admit(store, 1, 1).await, Admitted);
    assert_eq!(admit(store, 2, 1).await, waits(&[1], &[]));
    assert_eq!(admit(store, 3, 1).await, waits(&[1], &[2]));
    drop(guards.remove(1));
    assert_eq!(admit(store, 3, 1).await, waits(&[1], &[]));
    drop(guards.remove(0));
    assert_eq!(admit(store, 3, 1).await, Admitted);
}

async fn an_interrupted_run_asks_again_at_the_end_of_the_queue(store: &dyn Store) {
    let mut guards = owned(store, &[new("a", 10), new("b", 20), new("c", 30)]).await;
    assert_eq!(admit(store, 1, 1).await, Admitted);
    drop(guards.remove(0));
    assert_eq!(admit(store, 2, 1).await, Admitted);
    assert_eq!(admit(store, 3, 1).await, waits(&[2], &[]));
    let (row, _guard) = claim(store, 1, "host:2").await;
    // Claimed, but not active before it is admitted again.
    assert_eq!(admit(store, 3, 1).await, waits(&[2], &[]));
    assert_eq!(admit_with(store, 1, row.token, 1, &[]).await, waits(&[2], &[3]));
    ok(store, &[known(2, 1, None, Some(update(RunState::Success)))]).await;
    assert_eq!(admit_with(store, 1, row.token, 1, &[]).await, waits(&[], &[3]));
    assert_eq!(admit(store, 3, 1).await, Admitted);
}

async fn runs_of_other_dags_do_not_count(store: &dyn Store) {
    let _guards = owned(store, &[new("a", 10), of("other", new("b", 20)), new("c", 30)]).await;
    assert_eq!(admit(store, 1, 1).await, Admitted);
    assert_eq!(admit(store, 2, 1).await, Admitted);
    assert_eq!(admit(store, 3, 1).await, waits(&[1], &[]));
}

async fn a_run_that_nobody_has_admitted_does_not_count(store: &dyn Store) {
    let _guards = owned(store, &[new("a", 10), new("b", 20)]).await;
    ok(store, &[queued("c", 30)]).await;
    assert_eq!(admit(store, 2, 1).await, Admitted);
}

async fn an_ancestor_does_not_count_and_its_child_passes_the_queue(store: &dyn Store) {
    let runs = [new("a", 10), new("b", 20), new("c", 30), new("d", 40), of("other", new("e", 50))];
    let _guards = owned(store, &runs).await;
    assert_eq!(admit(store, 1, 1).await, Admitted);
    assert_eq!(admit(store, 2, 1).await, waits(&[1], &[]));
    assert_eq!(admit_with(store, 3, 1, 1, &[5, 1]).await, Admitted);
    // Their runs count for each other.
    assert_eq!(admit_with(store, 4, 1, 1, &[1]).await, waits(&[3], &[]));
    assert_eq!(admit(store, 2, 1).await, waits(&[1, 3], &[]));
    // An ancestor that is not active keeps nobody from waiting for it.
    ok(store, &[known(1, 1, None, Some(update(RunState::Failed)))]).await;
    ok(store, &[known(3, 1, None, Some(update(RunState::Failed)))]).await;
    assert_eq!(admit_with(store, 4, 1, 1, &[1]).await, waits(&[], &[2]));
}

async fn a_waiting_run_is_queued_while_its_owner_lives(store: &dyn Store) {
    let mut guards = owned(store, &[new("a", 10), new("b", 20)]).await;
    ok(store, &[new("c", 30), queued("d", 40)]).await;
    assert_eq!(admit(store, 1, 1).await, Admitted);
    assert_eq!(admit(store, 2, 1).await, waits(&[1], &[]));
    let ids = async |states: &[RunState]| {
        let filter = RunFilter { states: states.to_vec(), ..Default::default() };
        let rows = store.runs(&filter).await.unwrap();
        rows.into_iter().map(|row| row.info.run_id).collect::<String>()
    };
    let row = store.run(2).await.unwrap().unwrap();
    assert_eq!((row.present_state(), row.live_owner()), (RunState::Queued, Some("host:1")));
    assert_eq!(ids(&[RunState::Queued]).await, "db");
    assert_eq!(ids(&[RunState::Running]).await, "a");
    assert_eq!(ids(&[RunState::Interrupted]).await, "c");
    assert_eq!(ids(&[RunState::Running, RunState::Interrupted]).await, "ca");
    assert_eq!(ids(&[RunState::Running, RunState::Queued]).await, "dba");
    drop(guards.remove(1));
    assert_eq!(store.run(2).await.unwrap().unwrap().present_state(), RunState::Interrupted);
    assert_eq!(ids(&[RunState::Queued]).await, "d");
    assert_eq!(ids(&[RunState::Interrupted]).await, "cb");
    let (row, _guard) = claim(store, 2, "host:2").await;
    assert_eq!(row.present_state(), RunState::Running);
}

async fn only_the_owner_of_a_running_run_can_ask(store: &dyn Store) {
    let mut guards = owned(store, &[new("a", 10), new("b", 20)]).await;
    assert_eq!(admit_with(store, 1, 2, 1, &[]).await, Fenced);
    assert_eq!(admit(store, 9, 1).await, Fenced);
    drop(guards.remove(0));
    let (row, _guard) = claim(store, 1, "host:2").await;
    assert_eq!(admit(store, 1, 1).await, Fenced);
    assert_eq!(admit_with(store, 1, row.token, 1, &[]).await, Admitted);
    ok(store, &[known(2, 1, None, Some(update(RunState::Success)))]).await;
    assert_eq!(admit(store, 2, 1).await, Fenced);
    ok(store, &[queued("c", 30)]).await;
    let (row, _guard) = claim(store, 3, "host:2").await;
    assert_eq!(admit_with(store, 3, row.token, 9, &[]).await, Fenced);
    let start = RunUpdate { state: RunState::Running, ended: None, counts: vec![], graph: None };
    ok(store, &[known(3, row.token, None, Some(start))]).await;
    assert_eq!(admit_with(store, 3, row.token, 1, &[]).await, waits(&[1], &[]));
}

async fn a_claimed_run_is_running_once_it_asks(store: &dyn Store) {
    ok(store, &[queued("a", 10), queued("b", 20)]).await;
    let (first, first_guard) = claim(store, 1, "host:1").await;
    let (second, _guard) = claim(store, 2, "host:1").await;
    let ask = async |run, token, is_first| {
        let (ancestors, is_backfill) = (Vec::new(), false);
        store.admit(&AdmissionRequest { run, token, limit: 1, ancestors, is_backfill, is_first }).await.unwrap()
    };
    assert_eq!(ask(1, first.token, true).await, Admitted);
    assert_eq!(store.run(1).await.unwrap().unwrap().present_state(), RunState::Running);
    assert_eq!(ask(2, second.token, true).await, waits(&[1], &[]));
    let waiting = store.run(2).await.unwrap().unwrap();
    assert_eq!((waiting.state, waiting.present_state()), (RunState::Running, RunState::Queued));
    drop(first_guard);
    assert_eq!(ask(1, first.token + 1, true).await, Fenced);
    assert_eq!(ask(2, second.token, false).await, Admitted);
}

async fn an_admitted_run_may_ask_again(store: &dyn Store) {
    let _guards = owned(store, &[new("a", 10), new("b", 20)]).await;
    assert_eq!(admit(store, 1, 2).await, Admitted);
    assert_eq!(admit(store, 2, 2).await, Admitted);
    assert_eq!(admit(store, 1, 1).await, Admitted);
}

async fn a_deleted_run_takes_its_ticket_with_it(store: &dyn Store) {
    let _guards = owned(store, &[new("a", 10), new("b", 20)]).await;
    assert_eq!(admit(store, 1, 1).await, Admitted);
    ok(store, &[known(1, 1, None, Some(update(RunState::Success)))]).await;
    assert_eq!(store.delete(&[1], None).await.unwrap(), [1]);
    assert_eq!(admit(store, 2, 1).await, Admitted);
    let findings = store.check().await.unwrap();
    assert_eq!(findings.iter().filter(|finding| !finding.contains("graph")).count(), 0, "{findings:?}");
}
