//! The outbox of callbacks, and what was delivered.

use super::of_every_store;
use super::parts::{claim, known, new, ok, owned, plain, queued, update, with_callbacks};
use crate::base::Timestamp;
use crate::callback::DeliveryAttempt;
use crate::run::{RunState, Stored};
use crate::store::event_rows::NewEvent;
use crate::store::rows::{Append, Appended, DeliveryPlace};
use crate::store::traits::Store;

of_every_store! {
    a_run_is_in_the_outbox_until_it_has_ended_and_is_done,
    a_new_run_is_stored_with_its_mark,
    a_run_that_was_claimed_meanwhile_stays_in_the_outbox,
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
    store.outbox_done("a", Some(1)).await.unwrap();
    store.outbox_done("never stored", None).await.unwrap();
    assert_eq!(store.outbox_pending().await.unwrap(), ["a"]);
    ok(store, &[known(1, 1, None, Some(update(RunState::Failed)))]).await;
    store.outbox_done("a", Some(1)).await.unwrap();
    assert_eq!(store.outbox_pending().await.unwrap(), Vec::<String>::new());
}

/// Another process looks for undelivered callbacks when the run is about to be stored, finds no run
/// and removes the mark that an earlier one with this id has left. The runs have segments, and one
/// has events: all of it is stored with the mark, and nothing of a run whose id exists.
async fn a_new_run_is_stored_with_its_mark(store: &dyn Store) {
    store.outbox_add("a").await.unwrap();
    store.outbox_done("a", None).await.unwrap();
    store.outbox_add("b").await.unwrap();
    let event = NewEvent {
        asset: "orders".to_owned(),
        partition: None,
        key: None,
        ty: "u64".to_owned(),
        value: Stored::Inline(b"a payload".to_vec()),
        emitted: Timestamp::from_nanos(5),
        run: Some("b".to_owned()),
        task: None,
        by: String::new(),
        on_change: false,
    };
    let emits = Append { events: vec![event], ..with_callbacks(new("b", 10)) };
    ok(store, &[with_callbacks(new("a", 10)), emits, new("c", 10)]).await;
    assert_eq!(store.outbox_pending().await.unwrap(), ["a", "b"]);
    assert_eq!(store.last_event().await.unwrap(), 1);
    assert_eq!(store.append(&[with_callbacks(new("c", 20))]).await.unwrap(), [Appended::Taken]);
    assert_eq!(store.outbox_pending().await.unwrap(), ["a", "b"]);
    ok(store, &[plain(1, 1, 2), plain(2, 1, 2)]).await;
    ok(store, &[with_callbacks(queued("d", 30))]).await;
    assert_eq!(store.outbox_pending().await.unwrap(), ["a", "b", "d"]);
}

/// A process finds nothing to deliver, and removes the mark when another one has resumed the run.
async fn a_run_that_was_claimed_meanwhile_stays_in_the_outbox(store: &dyn Store) {
    let ended = Append { update: Some(update(RunState::Failed)), ..with_callbacks(new("a", 10)) };
    ok(store, &[ended]).await;
    let (row, _guard) = claim(store, 1, "host:2").await;
    store.outbox_add("a").await.unwrap();
    for known in [None, Some(1)] {
        store.outbox_done("a", known).await.unwrap();
        assert_eq!(store.outbox_pending().await.unwrap(), ["a"], "{known:?}");
    }
    store.outbox_done("a", Some(row.token)).await.unwrap();
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
    // Another process has tried before, and could not record it until now.
    store.record_deliveries("a", &[tried("one", 15, Some("no"))]).await.unwrap();
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
