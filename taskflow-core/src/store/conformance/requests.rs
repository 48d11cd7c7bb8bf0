//! Requests to the owners of runs.

use super::of_every_store;
use super::parts::{claim, known, new, ok, queued, segment, update};
use crate::base::Timestamp;
use crate::run::RunState;
use crate::store::rows::{Request, RequestKind};
use crate::store::traits::Store;

of_every_store! {
    requests_are_returned_in_order_for_the_given_runs,
    a_request_stays_until_it_is_acknowledged,
    a_request_to_an_unknown_run_is_ignored,
    a_request_to_a_run_that_has_ended_is_ignored,
    a_request_outlives_the_owner_it_was_made_to,
    a_request_ends_with_its_run,
    a_queued_run_accepts_requests,
}

fn request(run: i64, by: &str) -> Request {
    let (by, reason) = (by.to_owned(), "enough".to_owned());
    Request { run, what: RequestKind::Cancel, by, reason, at: Timestamp::from_nanos(5) }
}

async fn asked(store: &dyn Store) {
    ok(store, &[new("a", 10), new("b", 20)]).await;
    for (run, by) in [(2, "ann"), (1, "bob"), (2, "cid")] {
        store.ask(&request(run, by), None).await.unwrap();
    }
}

async fn requests_are_returned_in_order_for_the_given_runs(store: &dyn Store) {
    asked(store).await;
    let all = [(1, request(2, "ann")), (2, request(1, "bob")), (3, request(2, "cid"))];
    assert_eq!(store.requests(&[1, 2]).await.unwrap(), all);
    assert_eq!(store.requests(&[2, 9]).await.unwrap(), [all[0].clone(), all[2].clone()]);
    assert_eq!(store.requests(&[]).await.unwrap(), []);
    let event = RequestKind::Event { key: "approved".to_owned(), value: "{\"by\":\"ann\"}".to_owned() };
    let event = Request { what: event, ..request(1, "dan") };
    store.ask(&event, None).await.unwrap();
    assert_eq!(store.requests(&[1]).await.unwrap(), [all[1].clone(), (4, event)]);
}

async fn a_request_stays_until_it_is_acknowledged(store: &dyn Store) {
    asked(store).await;
    store.acknowledge(&[3, 77]).await.unwrap();
    store.acknowledge(&[]).await.unwrap();
    assert_eq!(store.requests(&[2]).await.unwrap(), [(1, request(2, "ann"))]);
    assert_eq!(store.requests(&[2]).await.unwrap(), [(1, request(2, "ann"))]);
    store.acknowledge(&[1, 2]).await.unwrap();
    assert_eq!(store.requests(&[1, 2]).await.unwrap(), []);
    // No number is used again: a late acknowledgement must not remove a later request.
    store.ask(&request(1, "dan"), None).await.unwrap();
    assert_eq!(store.requests(&[1]).await.unwrap(), [(4, request(1, "dan"))]);
}

async fn a_request_to_an_unknown_run_is_ignored(store: &dyn Store) {
    store.ask(&request(7, "ann"), None).await.unwrap();
    assert_eq!(store.requests(&[7]).await.unwrap(), []);
}

async fn a_request_to_a_run_that_has_ended_is_ignored(store: &dyn Store) {
    ok(store, &[new("a", 10)]).await;
    ok(store, &[known(1, 1, None, Some(update(RunState::Failed)))]).await;
    store.ask(&request(1, "ann"), None).await.unwrap();
    assert_eq!(store.requests(&[1]).await.unwrap(), []);
}

async fn a_request_outlives_the_owner_it_was_made_to(store: &dyn Store) {
    asked(store).await;
    let (_, _guard) = claim(store, 1, "host:2").await;
    assert_eq!(store.requests(&[1]).await.unwrap(), [(2, request(1, "bob"))]);
}

async fn a_request_ends_with_its_run(store: &dyn Store) {
    asked(store).await;
    let end = |token| known(1, token, Some(segment(2)), Some(update(RunState::Cancelled)));
    // A fenced end removes nothing.
    store.append(&[end(9)]).await.unwrap();
    assert_eq!(store.requests(&[1]).await.unwrap().len(), 1);
    ok(store, &[end(1)]).await;
    assert_eq!(store.requests(&[1]).await.unwrap(), []);
    assert_eq!(store.requests(&[2]).await.unwrap().len(), 2);
    ok(store, &[known(2, 1, None, Some(update(RunState::Success)))]).await;
    assert_eq!(store.requests(&[2]).await.unwrap(), []);
}

async fn a_queued_run_accepts_requests(store: &dyn Store) {
    ok(store, &[queued("a", 10)]).await;
    store.ask(&request(1, "ann"), None).await.unwrap();
    assert_eq!(store.requests(&[1]).await.unwrap(), [(1, request(1, "ann"))]);
}
