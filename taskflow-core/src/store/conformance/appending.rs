//! Atomic batches, fencing, and numbers without gaps.

use super::of_every_store;
use super::parts::{known, new, ok, plain, segment, update};
use crate::run::{RunState, TaskState};
use crate::store::ownership::Claim;
use crate::store::rows::{AppendTarget, Appended, RunUpdate};
use crate::store::traits::Store;

use Appended::{Fenced, Stored, Taken};

of_every_store! {
    new_runs_are_numbered_upwards_from_one,
    a_new_run_is_read_as_it_was_stored,
    a_run_can_begin_and_end_in_one_batch,
    a_new_run_whose_id_is_taken_is_rejected_and_the_others_are_stored,
    a_segment_with_any_other_number_than_the_next_is_fenced,
    a_batch_holds_several_segments_of_one_run,
    a_segment_with_another_token_is_fenced_and_the_others_are_stored,
    a_fenced_segment_fences_its_update,
    an_update_changes_the_row_of_the_run,
    an_update_with_another_graph_keeps_the_number_of_its_tasks,
    an_empty_part_reports_whether_the_token_is_current,
    an_empty_batch_is_stored,
    an_unknown_run_is_fenced,
    numbers_out_of_bounds_are_fenced,
    a_large_batch_of_everything_is_stored_in_order,
}

async fn new_runs_are_numbered_upwards_from_one(store: &dyn Store) {
    assert_eq!(ok(store, &[new("a", 10), new("b", 20)]).await, [1, 2]);
    assert_eq!(ok(store, &[new("c", 5)]).await, [3]);
}

async fn a_new_run_is_read_as_it_was_stored(store: &dyn Store) {
    ok(store, &[new("a", 10)]).await;
    let row = store.run(1).await.unwrap().unwrap();
    let AppendTarget::New(given) = new("a", 10).run else { unreachable!() };
    assert_eq!((&row.info, &row.graph, &row.build), (&given.info, &given.graph, &given.build));
    assert_eq!((Some(row.owner), row.created, row.tasks, row.token), (given.owner, given.created, 3, 1));
    assert_eq!((row.state, row.ended, row.counts), (RunState::Running, None, vec![]));
    assert_eq!(store.params(1).await.unwrap().unwrap(), b"params");
    assert_eq!(store.params_of(&[2, 1]).await.unwrap(), [(1, b"params".to_vec())]);
    assert_eq!(store.segments(1, 0).await.unwrap()[0].events, segment(1).events);
}

async fn a_run_can_begin_and_end_in_one_batch(store: &dyn Store) {
    let mut run = new("a", 10);
    run.update = Some(update(RunState::Success));
    ok(store, &[run]).await;
    let row = store.run(1).await.unwrap().unwrap();
    assert_eq!((row.state, row.counts), (RunState::Success, update(RunState::Success).counts));
    assert!(row.ended.is_some());
}

async fn a_new_run_whose_id_is_taken_is_rejected_and_the_others_are_stored(store: &dyn Store) {
    ok(store, &[new("a", 10)]).await;
    let answers = store.append(&[new("a", 20), new("b", 20), plain(1, 1, 2)]).await.unwrap();
    // A refused run may have used up a number.
    let [Taken, Stored(b), Stored(1)] = answers[..] else { panic!("{answers:?}") };
    assert_eq!(store.segments(b, 0).await.unwrap().len(), 1);
    assert_eq!(store.segments(1, 0).await.unwrap().len(), 2);
    assert_eq!(store.runs(&Default::default()).await.unwrap().len(), 2);
}

async fn a_segment_with_any_other_number_than_the_next_is_fenced(store: &dyn Store) {
    ok(store, &[new("a", 10), new("b", 20)]).await;
    for number in [0, 1, 3, u32::MAX] {
        assert_eq!(store.append(&[plain(1, 1, number)]).await.unwrap(), [Fenced], "{number}");
        let several = store.append(&[plain(1, 1, number), plain(2, 1, number)]).await.unwrap();
        assert_eq!(several, [Fenced, Fenced], "{number}");
        let part = known(1, 1, Some(segment(number)), Some(update(RunState::Failed)));
        assert_eq!(store.append(&[part]).await.unwrap(), [Fenced], "{number}");
    }
    ok(store, &[plain(1, 1, 2)]).await;
    assert_eq!(store.append(&[plain(1, 1, 2)]).await.unwrap(), [Fenced]);
    let numbers: Vec<u32> = store.segments(1, 0).await.unwrap().iter().map(|segment| segment.number).collect();
    assert_eq!(numbers, [1, 2]);
}

async fn a_batch_holds_several_segments_of_one_run(store: &dyn Store) {
    ok(store, &[new("a", 10)]).await;
    let batch = [plain(1, 1, 2), plain(1, 1, 3), plain(1, 1, 5), plain(1, 1, 4)];
    assert_eq!(store.append(&batch).await.unwrap(), [Stored(1), Stored(1), Fenced, Stored(1)]);
}

async fn a_segment_with_another_token_is_fenced_and_the_others_are_stored(store: &dyn Store) {
    ok(store, &[new("a", 10), new("b", 20), new("c", 30)]).await;
    let answers = store.append(&[plain(3, 1, 2), plain(1, 2, 2), plain(2, 1, 2)]).await.unwrap();
    assert_eq!(answers, [Stored(3), Fenced, Stored(2)]);
    assert_eq!(store.append(&[plain(1, 0, 2)]).await.unwrap(), [Fenced]);
    assert_eq!(store.segments(1, 0).await.unwrap().len(), 1);
    assert_eq!(store.segments(2, 0).await.unwrap().len(), 2);
}

async fn a_fenced_segment_fences_its_update(store: &dyn Store) {
    ok(store, &[new("a", 10)]).await;
    let end = Some(update(RunState::Failed));
    let taken = known(1, 1, Some(segment(1)), end.clone());
    let stale = known(1, 9, None, end.clone());
    assert_eq!(store.append(&[taken, stale]).await.unwrap(), [Fenced, Fenced]);
    assert_eq!(store.run(1).await.unwrap().unwrap().state, RunState::Running);
    assert_eq!(ok(store, &[known(1, 1, Some(segment(2)), end)]).await, [1]);
    assert_eq!(store.run(1).await.unwrap().unwrap().state, RunState::Failed);
}

async fn an_update_changes_the_row_of_the_run(store: &dyn Store) {
    ok(store, &[new("a", 10)]).await;
    ok(store, &[known(1, 1, None, Some(update(RunState::Cancelled)))]).await;
    let row = store.run(1).await.unwrap().unwrap();
    assert_eq!(row.state, RunState::Cancelled);
    assert_eq!(row.counts, [(TaskState::Success, 2), (TaskState::UpstreamFailed, 1)]);
    assert_eq!(row.ended.unwrap().as_nanos(), 77);
    assert_eq!((row.graph.as_str(), row.tasks), ("graph-1", 3));
}

async fn an_update_with_another_graph_keeps_the_number_of_its_tasks(store: &dyn Store) {
    ok(store, &[new("a", 10)]).await;
    let graph = Some(("graph-2".to_owned(), 5));
    ok(store, &[known(1, 1, Some(segment(2)), Some(RunUpdate { graph, ..update(RunState::Running) }))]).await;
    let row = store.run(1).await.unwrap().unwrap();
    assert_eq!((row.graph.as_str(), row.tasks), ("graph-2", 5));
}

async fn an_empty_part_reports_whether_the_token_is_current(store: &dyn Store) {
    ok(store, &[new("a", 10)]).await;
    let answers = store.append(&[known(1, 1, None, None), known(1, 2, None, None)]).await.unwrap();
    assert_eq!(answers, [Stored(1), Fenced]);
}

async fn an_empty_batch_is_stored(store: &dyn Store) {
    assert_eq!(store.append(&[]).await.unwrap(), []);
}

async fn an_unknown_run_is_fenced(store: &dyn Store) {
    let end = known(1, 1, None, Some(update(RunState::Failed)));
    assert_eq!(store.append(&[plain(1, 1, 1), end]).await.unwrap(), [Fenced, Fenced]);
    assert_eq!(store.append(&[plain(1, 1, 1)]).await.unwrap(), [Fenced]);
}

async fn numbers_out_of_bounds_are_fenced(store: &dyn Store) {
    ok(store, &[new("a", 10)]).await;
    for run in [i64::MIN, -1, 0, 1 << 31, (1 << 32) + 1, i64::MAX] {
        assert_eq!(store.append(&[plain(run, 1, 2)]).await.unwrap(), [Fenced], "{run}");
        assert_eq!(store.segments(run, 0).await.unwrap(), []);
        assert_eq!(store.data(run, 1, 0..1).await.unwrap(), None);
        assert_eq!(store.run(run).await.unwrap(), None);
        assert!(matches!(store.claim(run, "x").await.unwrap(), Claim::Unknown));
        assert_eq!(store.delete(&[run], None).await.unwrap(), [0; 0]);
    }
    assert_eq!(store.append(&[plain(1, u64::MAX, 2)]).await.unwrap(), [Fenced]);
}

async fn a_large_batch_of_everything_is_stored_in_order(store: &dyn Store) {
    let runs: Vec<_> = (0..1000).map(|at| new(&format!("run-{at}"), at)).collect();
    assert_eq!(ok(store, &runs).await, (1..=1000).collect::<Vec<i64>>());
    let more: Vec<_> = (1..=1000).map(|run| plain(run, 1, 2)).collect();
    assert_eq!(ok(store, &more).await, (1..=1000).collect::<Vec<i64>>());
    let ends = (1..=1000).map(|run| known(run, 1, Some(segment(3)), Some(update(RunState::Success))));
    assert_eq!(ok(store, &ends.collect::<Vec<_>>()).await, (1..=1000).collect::<Vec<i64>>());
    assert_eq!(store.segments(777, 0).await.unwrap().len(), 3);
    assert_eq!(store.run(1000).await.unwrap().unwrap().info.run_id, "run-999");
}
