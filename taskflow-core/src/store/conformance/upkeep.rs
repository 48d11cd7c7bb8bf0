//! Deleting, checking, closing.

use super::of_every_store;
use super::parts::{known, new, ok, plain, segment, update};
use crate::base::Timestamp;
use crate::run::RunState;
use crate::store::rows::{Append, Request, RequestKind, RunUpdate};
use crate::store::traits::Store;

of_every_store! {
    a_run_is_deleted_with_everything_that_belongs_to_it,
    a_running_run_is_not_deleted,
    the_number_of_a_deleted_run_is_not_used_again,
    a_graph_is_deleted_with_its_last_run,
    an_earlier_graph_of_a_run_is_kept,
    many_runs_are_deleted,
    the_files_of_a_deleted_run_are_left_until_they_are_forgotten,
    a_sound_store_has_no_findings,
    a_store_can_be_vacuumed_in_use,
    a_closed_store_rejects_every_call,
}

fn ended(run_id: &str) -> Append {
    Append { update: Some(update(RunState::Success)), ..new(run_id, 10) }
}

async fn a_run_is_deleted_with_everything_that_belongs_to_it(store: &dyn Store) {
    let interrupted = |run_id| Append { update: Some(update(RunState::Interrupted)), ..new(run_id, 10) };
    ok(store, &[interrupted("a"), interrupted("b")]).await;
    ok(store, &[plain(1, 1, 2), plain(2, 1, 2)]).await;
    let request = |run| {
        let (by, reason) = (String::new(), String::new());
        Request { run, what: RequestKind::Cancel, by, reason, at: Timestamp::EPOCH }
    };
    store.ask(&request(1), None).await.unwrap();
    store.ask(&request(2), None).await.unwrap();
    assert_eq!(store.delete(&[1], None).await.unwrap(), [1]);
    assert_eq!(store.run(1).await.unwrap(), None);
    assert_eq!(store.params(1).await.unwrap(), None);
    assert_eq!(store.segments(1, 0).await.unwrap(), []);
    assert_eq!(store.find("a", 9).await.unwrap(), []);
    assert_eq!(store.requests(&[1, 2]).await.unwrap(), [(2, request(2))]);
    assert_eq!(store.segments(2, 0).await.unwrap().len(), 2);
    assert_eq!(store.delete(&[1], None).await.unwrap(), [0; 0]);
}

async fn the_files_of_a_deleted_run_are_left_until_they_are_forgotten(store: &dyn Store) {
    store.put_graph("graph-1", b"one").await.unwrap();
    ok(store, &[new("a", 10), ended("it's \"b\""), ended("c"), ended("d")]).await;
    assert_eq!(store.left_files().await.unwrap(), [""; 0]);
    assert_eq!(store.delete(&[1, 2, 3], None).await.unwrap(), [2, 3]);
    assert_eq!(store.left_files().await.unwrap(), ["c", "it's \"b\""]);
    for (run_id, is_left) in [("a", false), ("c", true), ("it's \"b\"", true), ("d", false)] {
        assert_eq!(store.has_left_files(run_id).await.unwrap(), is_left, "{run_id}");
    }
    assert_eq!(store.check().await.unwrap(), [""; 0]);
    // A run with this id comes, and is deleted, too.
    ok(store, &[ended("c")]).await;
    assert_eq!(store.delete(&[5], None).await.unwrap(), [5]);
    let forgotten = ["it's \"b\"", "never stored"].map(str::to_owned);
    store.forget_files(&forgotten).await.unwrap();
    assert_eq!(store.left_files().await.unwrap(), ["c"]);
    store.forget_files(&[]).await.unwrap();
    store.forget_files(&["c".to_owned()]).await.unwrap();
    assert_eq!(store.left_files().await.unwrap(), [""; 0]);
}

async fn a_running_run_is_not_deleted(store: &dyn Store) {
    ok(store, &[new("a", 10), ended("b")]).await;
    assert_eq!(store.delete(&[1, 2], None).await.unwrap(), [2]);
    assert!(store.run(1).await.unwrap().is_some());
    assert_eq!(store.segments(1, 0).await.unwrap().len(), 1);
}

async fn the_number_of_a_deleted_run_is_not_used_again(store: &dyn Store) {
    ok(store, &[ended("a")]).await;
    assert_eq!(store.last_number().await.unwrap(), 1);
    store.delete(&[1], None).await.unwrap();
    assert_eq!(store.last_number().await.unwrap(), 1);
    assert_eq!(ok(store, &[new("a", 10)]).await, [2]);
    assert_eq!(store.last_number().await.unwrap(), 2);
}

async fn a_graph_is_deleted_with_its_last_run(store: &dyn Store) {
    store.put_graph("graph-1", b"one").await.unwrap();
    store.put_graph("graph-2", b"of a run about to be stored").await.unwrap();
    ok(store, &[ended("a"), ended("b")]).await;
    store.delete(&[1], None).await.unwrap();
    assert!(store.graph("graph-1").await.unwrap().is_some());
    store.delete(&[2], None).await.unwrap();
    assert!(store.graph("graph-1").await.unwrap().is_none());
    assert!(store.graph("graph-2").await.unwrap().is_some());
}

async fn an_earlier_graph_of_a_run_is_kept(store: &dyn Store) {
    store.put_graph("graph-1", b"one").await.unwrap();
    store.put_graph("graph-2", b"two").await.unwrap();
    ok(store, &[ended("a"), ended("b")]).await;
    let change = RunUpdate { graph: Some(("graph-2".to_owned(), 5)), ..update(RunState::Failed) };
    ok(store, &[known(1, 1, Some(segment(2)), Some(change))]).await;
    store.delete(&[2], None).await.unwrap();
    assert!(store.graph("graph-1").await.unwrap().is_some());
    store.delete(&[1], None).await.unwrap();
    assert!(store.graph("graph-1").await.unwrap().is_none());
    assert!(store.graph("graph-2").await.unwrap().is_none());
}

async fn many_runs_are_deleted(store: &dyn Store) {
    let runs: Vec<Append> = (0..50).map(|at| ended(&format!("run-{at}"))).collect();
    let runs = ok(store, &runs).await;
    assert_eq!(store.delete(&runs, None).await.unwrap().len(), 50);
    assert_eq!(store.runs(&Default::default()).await.unwrap(), []);
}

async fn a_sound_store_has_no_findings(store: &dyn Store) {
    store.put_graph("graph-1", b"one").await.unwrap();
    ok(store, &[ended("a"), new("b", 20)]).await;
    ok(store, &[plain(2, 1, 2)]).await;
    assert_eq!(store.check().await.unwrap(), [""; 0]);
}

async fn a_store_can_be_vacuumed_in_use(store: &dyn Store) {
    ok(store, &[ended("a"), new("b", 20)]).await;
    assert_eq!(store.segments(2, 0).await.unwrap().len(), 1);
    store.vacuum().await.unwrap();
    ok(store, &[plain(2, 1, 2)]).await;
    assert_eq!(store.segments(2, 0).await.unwrap().len(), 2);
}

async fn a_closed_store_rejects_every_call(store: &dyn Store) {
    ok(store, &[new("a", 10)]).await;
    store.run(1).await.unwrap();
    store.close().await.unwrap();
    let error = store.append(&[plain(1, 1, 2)]).await.unwrap_err().to_string();
    assert!(error.ends_with("it was closed"), "{error}");
    let error = store.run(1).await.unwrap_err().to_string();
    assert!(error.ends_with("it was closed"), "{error}");
    store.close().await.unwrap();
}
