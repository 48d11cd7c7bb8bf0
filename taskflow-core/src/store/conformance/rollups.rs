//! Rollups of runs.

use super::of_every_store;
use super::parts::{new, ok, plain, update};
use crate::run::RunState;
use crate::store::rollup_rows::RollupRow;
use crate::store::rows::Append;
use crate::store::traits::Store;

of_every_store! {
    the_last_segment_of_a_run_is_known,
    a_rollup_is_returned_as_it_was_stored,
    a_rollup_replaces_the_one_before,
    a_run_that_does_not_exist_has_no_rollup,
    a_rollup_is_deleted_with_its_run,
}

fn rollup(run: i64, segments: u32, body: &[u8]) -> RollupRow {
    RollupRow { run, segments, body: body.to_vec(), labels: b"labels".to_vec() }
}

fn without_labels(row: RollupRow) -> RollupRow {
    RollupRow { labels: Vec::new(), ..row }
}

async fn the_last_segment_of_a_run_is_known(store: &dyn Store) {
    ok(store, &[new("a", 10), new("b", 10)]).await;
    ok(store, &[plain(2, 1, 2)]).await;
    ok(store, &[plain(2, 1, 3)]).await;
    let mut last = store.last_segments(&[1, 2, 7]).await.unwrap();
    last.sort_unstable();
    assert_eq!(last, [(1, 1), (2, 3), (7, 0)]);
    assert_eq!(store.last_segments(&[]).await.unwrap(), []);
}

async fn a_rollup_is_returned_as_it_was_stored(store: &dyn Store) {
    ok(store, &[new("a", 10), new("b", 10), new("c", 10)]).await;
    store.put_rollups(&[rollup(1, 1, b"one"), rollup(2, 1, b"")]).await.unwrap();
    let mut found = store.rollups(&[1, 2, 3]).await.unwrap();
    found.sort_unstable_by_key(|row| row.run);
    assert_eq!(found, [without_labels(rollup(1, 1, b"one")), without_labels(rollup(2, 1, b""))]);
    assert_eq!(store.rollup_with_labels(1).await.unwrap(), Some(rollup(1, 1, b"one")));
    assert_eq!(store.rollup_with_labels(3).await.unwrap(), None);
}

async fn a_rollup_replaces_the_one_before(store: &dyn Store) {
    ok(store, &[new("a", 10)]).await;
    store.put_rollups(&[rollup(1, 1, b"one")]).await.unwrap();
    store.put_rollups(&[rollup(1, 2, b"two")]).await.unwrap();
    assert_eq!(store.rollups(&[1]).await.unwrap(), [without_labels(rollup(1, 2, b"two"))]);
}

async fn a_run_that_does_not_exist_has_no_rollup(store: &dyn Store) {
    store.put_rollups(&[rollup(1, 1, b"one")]).await.unwrap();
    assert_eq!(store.rollups(&[1]).await.unwrap(), []);
}

async fn a_rollup_is_deleted_with_its_run(store: &dyn Store) {
    ok(store, &[Append { update: Some(update(RunState::Success)), ..new("a", 10) }]).await;
    store.put_rollups(&[rollup(1, 1, b"one")]).await.unwrap();
    store.delete(&[1], None).await.unwrap();
    assert_eq!(store.rollups(&[1]).await.unwrap(), []);
}
