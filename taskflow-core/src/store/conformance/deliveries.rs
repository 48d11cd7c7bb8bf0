//! The outbox of callbacks, and what was delivered.

use super::of_every_store;
use super::parts::{known, new, ok, owned, update};
use crate::base::Timestamp;
use crate::callback::DeliveryAttempt;
use crate::run::RunState;
use crate::store::rows::{Append, DeliveryPlace};
use crate::store::traits::Store;

of_every_store! {
    a_run_is_in_the_outbox_until_it_has_ended_and_is_done,
    the_last_attempt_of_each_notification_is_kept,
    failed_deliveries_have_pages,
    a_deleted_run_leaves_the_outbox,
    one_process_delivers_the_callbacks_of_an_unowned_run,
}

fn tried(key: &str, at: i64, error: Option<&str>) -> DeliveryAttempt {
    DeliveryAttempt {
        key: key.to_owned(),
        notification: format!("about {key}"),
        callback: "tell".to_owned(),
        at: Timestamp::from_nanos(at),
        attempts: 1,
        error: error.map(str::to_owned),
        next: error.map(|_| Timestamp::from_nanos(at + 10)),
    }
}

async fn a_run_is_in_the_outbox_until_it_has_ended_and_is_done(store: &dyn Store) {
    store.outbox_add("a").await.unwrap();
    store.outbox_add("a").await.unwrap();
    store.outbox_add("never stored").await.unwrap();
    ok(store, &[new("a", 10)]).await;
    assert_eq!(store.outbox_pending().await.unwrap(), ["a", "never stored"]);
    // Until the run has ended it may have more to deliver.
    store.outbox_done("a").await.unwrap();
    store.outbox_done("never stored").await.unwrap();
    assert_eq!(store.outbox_pending().await.unwrap(), ["a"]);
    ok(store, &[known(1, 1, None, Some(update(RunState::Failed)))]).await;
    store.outbox_done("a").await.unwrap();
    assert_eq!(store.outbox_pending().await.unwrap(), Vec::<String>::new());
}

async fn failed_deliveries_have_pages(store: &dyn Store) {
    ok(store, &[new("a", 10), new("b", 10)]).await;
    // At the same time, and about the same.
    for run in ["a", "b"] {
        let failed = [tried("one", 3, Some("no")), tried("two", 3, Some("no")), tried("new", 7, Some("no"))];
        store.record_deliveries(run, &failed).await.unwrap();
    }
    let mut places = Vec::new();
    loop {
        let page = store.failed_deliveries(places.last(), 4).await.unwrap();
        let is_last = page.len() < 4;
        places.extend(page.into_iter().map(|(run, tried)| DeliveryPlace(tried.at, tried.key, run)));
        if is_last {
            break;
        }
    }
    let named: Vec<String> = places.iter().map(|DeliveryPlace(_, key, run)| format!("{key} {run}")).collect();
    assert_eq!(named, ["new b", "new a", "two b", "two a", "one b", "one a"]);
}

async fn the_last_attempt_of_each_notification_is_kept(store: &dyn Store) {
    ok(store, &[new("a", 10), new("b", 10)]).await;
    store.record_deliveries("a", &[tried("one", 3, Some("no")), tried("two", 2, None)]).await.unwrap();
    store.record_deliveries("b", &[tried("one", 1, None)]).await.unwrap();
    store.record_deliveries("nobody", &[tried("one", 1, None)]).await.unwrap();
    assert_eq!(store.deliveries("a").await.unwrap(), [tried("two", 2, None), tried("one", 3, Some("no"))]);
    let again = DeliveryAttempt { attempts: 2, ..tried("one", 20, None) };
    assert_eq!(store.failed_deliveries(None, 9).await.unwrap(), [("a".to_owned(), tried("one", 3, Some("no")))]);
    store.record_deliveries("a", std::slice::from_ref(&again)).await.unwrap();
    assert_eq!(store.deliveries("a").await.unwrap(), [tried("two", 2, None), again]);
    assert_eq!(store.deliveries("b").await.unwrap().len(), 1);
    assert_eq!(store.deliveries("nobody").await.unwrap(), []);
}

async fn a_deleted_run_leaves_the_outbox(store: &dyn Store) {
    store.outbox_add("a").await.unwrap();
    store.outbox_add("b").await.unwrap();
    let ended = |run_id| Append { update: Some(update(RunState::Success)), ..new(run_id, 10) };
    ok(store, &[ended("a"), ended("b")]).await;
    store.record_deliveries("a", &[tried("one", 1, None)]).await.unwrap();
    store.record_deliveries("b", &[tried("one", 1, None)]).await.unwrap();
    assert_eq!(store.delete(&[1], None).await.unwrap(), [1]);
    assert_eq!(store.outbox_pending().await.unwrap(), ["b"]);
    assert_eq!(store.deliveries("a").await.unwrap(), []);
    assert_eq!(store.deliveries("b").await.unwrap().len(), 1);
}

async fn one_process_delivers_the_callbacks_of_an_unowned_run(store: &dyn Store) {
    let guards = owned(store, &[new("a", 10)]).await;
    assert!(store.claim_deliveries("a").await.unwrap().is_none());
    drop(guards);
    let first = store.claim_deliveries("a").await.unwrap();
    assert!(first.is_some());
    assert!(store.claim_deliveries("a").await.unwrap().is_none());
    drop(first);
    assert!(store.claim_deliveries("a").await.unwrap().is_some());
}
