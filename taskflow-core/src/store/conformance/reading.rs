//! Finding runs, and reading what belongs to them.

use super::of_every_store;
use super::parts::{known, new, ok, plain, update};
use crate::base::Timestamp;
use crate::run::RunState;
use crate::store::traits::{Append, AppendTarget, Request, RequestKind, RunFilter, RunRow, Store};

of_every_store! {
    runs_come_newest_first,
    a_filter_asks_for_all_of_its_conditions,
    a_limit_keeps_the_newest,
    an_id_is_found_before_what_begins_with_it_and_what_contains_it,
    signs_of_patterns_stand_for_themselves,
    segments_are_read_from_a_number_on,
    a_part_of_the_data_is_read,
    a_graph_is_kept_as_it_first_was,
    requests_come_in_order,
    a_request_for_a_run_that_is_not_there_is_none,
    a_request_ends_with_the_process_it_was_for,
}

fn ids(rows: &[RunRow]) -> Vec<&str> {
    rows.iter().map(|row| row.info.run_id.as_str()).collect()
}

fn of(dag: &str, mut run: Append) -> Append {
    if let AppendTarget::New(new) = &mut run.run {
        new.info.dag_id = dag.to_owned();
    }
    run
}

async fn runs_come_newest_first(store: &dyn Store) {
    ok(store, &[new("b", 20), new("a", 10), new("c", 20)]).await;
    assert_eq!(ids(&store.runs(&RunFilter::default()).await.unwrap()), ["c", "b", "a"]);
}

async fn a_filter_asks_for_all_of_its_conditions(store: &dyn Store) {
    let runs = [("a", 10), ("b", 20), ("c", 30), ("d", 40)].map(|(id, at)| new(id, at));
    ok(store, &runs).await;
    ok(store, &[of("other", new("e", 50)), of("other", new("f", 60))]).await;
    let ends = [known(1, 1, None, Some(update(RunState::Failed))), known(5, 1, None, Some(update(RunState::Success)))];
    ok(store, &ends).await;
    let at = |nanos| Some(Timestamp::from_nanos(nanos));
    let dag = |dag: &str| Some(dag.to_owned());
    let cases = [
        (RunFilter { dag: dag("etl"), ..Default::default() }, "dcba"),
        (RunFilter { dag: dag("nobody's"), ..Default::default() }, ""),
        (RunFilter { states: vec![RunState::Failed], ..Default::default() }, "a"),
        (RunFilter { states: vec![RunState::Failed, RunState::Success], ..Default::default() }, "ea"),
        (RunFilter { states: vec![RunState::Running], dag: dag("other"), ..Default::default() }, "f"),
        (RunFilter { since: at(20), before: at(40), ..Default::default() }, "cb"),
        (RunFilter { since: at(20), dag: dag("etl"), limit: Some(2), ..Default::default() }, "dc"),
        (RunFilter { before: at(10), ..Default::default() }, ""),
        (RunFilter { about: at(30), dag: dag("etl"), ..Default::default() }, "c"),
        (RunFilter { about: at(30), dag: dag("other"), ..Default::default() }, ""),
        (RunFilter { since: at(40), before: at(20), ..Default::default() }, ""),
    ];
    for (filter, expected) in cases {
        assert_eq!(ids(&store.runs(&filter).await.unwrap()).concat(), expected, "{filter:?}");
    }
}

async fn a_limit_keeps_the_newest(store: &dyn Store) {
    ok(store, &[new("a", 10), new("b", 20), new("c", 30)]).await;
    let limit = |limit| RunFilter { limit: Some(limit), ..Default::default() };
    assert_eq!(ids(&store.runs(&limit(2)).await.unwrap()), ["c", "b"]);
    assert_eq!(ids(&store.runs(&limit(0)).await.unwrap()), [""; 0]);
    assert_eq!(ids(&store.runs(&limit(u32::MAX)).await.unwrap()), ["c", "b", "a"]);
}

async fn an_id_is_found_before_what_begins_with_it_and_what_contains_it(store: &dyn Store) {
    let runs = ["day_1", "day_10", "a_day_1", "day_11", "Day_1", "day_2"].map(|id| new(id, 10));
    ok(store, &runs).await;
    assert_eq!(store.run_by_id("day_1").await.unwrap().map(|row| row.info.run_id), Some("day_1".to_owned()));
    assert_eq!(store.run_by_id("day").await.unwrap(), None);
    assert_eq!(ids(&store.find("day_1", 9).await.unwrap()), ["day_1", "day_11", "day_10", "a_day_1"]);
    assert_eq!(ids(&store.find("day_1", 2).await.unwrap()), ["day_1", "day_11"]);
    assert_eq!(ids(&store.find("_1", 9).await.unwrap()), ["Day_1", "day_11", "a_day_1", "day_10", "day_1"]);
    assert_eq!(ids(&store.find("nothing", 9).await.unwrap()), [""; 0]);
    assert_eq!(store.find("", 9).await.unwrap().len(), 6);
}

async fn signs_of_patterns_stand_for_themselves(store: &dyn Store) {
    ok(store, &[new("50%", 10), new("50_", 20), new("5'0", 30), new("été*", 40)]).await;
    assert_eq!(ids(&store.find("%", 9).await.unwrap()), ["50%"]);
    assert_eq!(ids(&store.find("_", 9).await.unwrap()), ["50_"]);
    assert_eq!(ids(&store.find("'", 9).await.unwrap()), ["5'0"]);
    assert_eq!(ids(&store.find("té*", 9).await.unwrap()), ["été*"]);
}

async fn segments_are_read_from_a_number_on(store: &dyn Store) {
    ok(store, &[new("a", 10), new("b", 20)]).await;
    ok(store, &[plain(1, 1, 2), plain(2, 1, 2)]).await;
    ok(store, &[plain(1, 1, 3)]).await;
    for (from, expected) in [(0, vec![1, 2, 3]), (1, vec![1, 2, 3]), (3, vec![3]), (4, vec![]), (u32::MAX, vec![])] {
        let found = store.segments(1, from).await.unwrap();
        assert_eq!(found.iter().map(|segment| segment.number).collect::<Vec<_>>(), expected);
        assert!(found.iter().all(|segment| segment.events == super::parts::segment(segment.number).events));
    }
    assert_eq!(store.segments(3, 0).await.unwrap(), []);
}

async fn a_part_of_the_data_is_read(store: &dyn Store) {
    ok(store, &[new("a", 10)]).await;
    assert_eq!(store.data(1, 1, 2..5).await.unwrap().unwrap(), b"234");
    assert_eq!(store.data(1, 1, 0..10).await.unwrap().unwrap(), b"0123456789");
    assert_eq!(store.data(1, 1, 10..10).await.unwrap().unwrap(), b"");
    assert_eq!(store.data(1, 1, 8..11).await.unwrap(), None);
    assert_eq!(store.data(1, 1, 11..11).await.unwrap(), None);
    assert_eq!(store.data(1, 1, 0..u32::MAX).await.unwrap(), None);
    assert_eq!(store.data(1, 2, 0..1).await.unwrap(), None);
    assert_eq!(store.data(1, 0, 0..1).await.unwrap(), None);
    assert_eq!(store.data(2, 1, 0..0).await.unwrap(), None);
    #[expect(clippy::reversed_empty_ranges, reason = "a damaged entry may say so")]
    let reversed = store.data(1, 1, 5..2).await.unwrap();
    assert_eq!(reversed, None);
}

async fn a_graph_is_kept_as_it_first_was(store: &dyn Store) {
    assert_eq!(store.graph("graph-1").await.unwrap(), None);
    store.put_graph("graph-1", b"one").await.unwrap();
    store.put_graph("graph-1", b"two").await.unwrap();
    assert_eq!(store.graph("graph-1").await.unwrap().unwrap(), b"one");
}

fn request(run: i64, by: &str) -> Request {
    let (by, reason) = (by.to_owned(), "enough".to_owned());
    Request { run, what: RequestKind::Cancel, by, reason, at: Timestamp::from_nanos(5) }
}

async fn requests_come_in_order(store: &dyn Store) {
    ok(store, &[new("a", 10), new("b", 20)]).await;
    for (run, by) in [(2, "ann"), (1, "bob"), (2, "cid")] {
        store.ask(&request(run, by)).await.unwrap();
    }
    let all = store.requests(0).await.unwrap();
    assert_eq!(all, [(1, request(2, "ann")), (2, request(1, "bob")), (3, request(2, "cid"))]);
    assert_eq!(store.requests(2).await.unwrap(), [(3, request(2, "cid"))]);
    assert_eq!(store.requests(3).await.unwrap(), []);
}

async fn a_request_for_a_run_that_is_not_there_is_none(store: &dyn Store) {
    store.ask(&request(7, "ann")).await.unwrap();
    assert_eq!(store.requests(0).await.unwrap(), []);
}

async fn a_request_ends_with_the_process_it_was_for(store: &dyn Store) {
    ok(store, &[new("a", 10), new("b", 20)]).await;
    for (run, by) in [(1, "ann"), (2, "bob"), (1, "cid")] {
        store.ask(&request(run, by)).await.unwrap();
    }
    assert_eq!(store.adopt(1, 9, "host:2").await.unwrap(), None);
    assert_eq!(store.requests(0).await.unwrap().len(), 3);
    assert_eq!(store.adopt(1, 1, "host:2").await.unwrap(), Some(2));
    assert_eq!(store.requests(0).await.unwrap(), [(2, request(2, "bob"))]);
    // Its number is above all that a process may have seen.
    store.ask(&request(1, "dan")).await.unwrap();
    assert_eq!(store.requests(3).await.unwrap(), [(4, request(1, "dan"))]);
}
