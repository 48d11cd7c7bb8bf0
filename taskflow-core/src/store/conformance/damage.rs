//! What a store notices if what it holds is damaged. For every store that can be damaged: one that
//! implements [`Damaged`] in its tests.

use super::parts::{known, new, ok, plain, segment, update};
use crate::run::RunState;
use crate::store::error::StoreError;
use crate::store::rows::RunFilter;
use crate::store::traits::{SEGMENTS, Store};

/// A place with a store that a test damages.
pub(in crate::store) trait Damaged: Default {
    /// Opens the store.
    async fn open(&self) -> Box<dyn Store>;

    /// Damages a part of the store, which nobody has open.
    async fn damage(&self, part: Part);
}

/// A part of a store, and what happens to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::store) enum Part {
    /// The entries of segment 2 of run 1 change.
    Entries,
    /// The data of segment 2 of run 1 changes.
    Data,
    /// This segment of run 1 is lost.
    Segment(u32),
    /// The state of run 1 changes.
    State,
    /// The DAG of run 1 changes.
    Dag,
    /// The token of run 1 changes.
    Token,
    /// The parameters of run 1 change.
    Params,
    /// The row of run 1 is lost.
    Run,
    /// The snapshot of the graph changes.
    Graph,
}

macro_rules! of_every_store_that_can_be_damaged {
    ($($case:ident),* $(,)?) => {
        #[cfg(feature = "sqlite")]
        mod in_sqlite {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case::<crate::store::sqlite::DamagedFile>().await;
                }
            )*
        }
    };
}

of_every_store_that_can_be_damaged! {
    a_changed_part_is_refused_and_named_by_a_check,
    a_lost_part_is_refused_and_named_by_a_check,
    the_end_of_a_long_history_is_missed,
    what_is_not_damaged_is_read,
}

/// Run 1 has ended, run 2 has not.
async fn filled(place: &impl Damaged) {
    let store = place.open().await;
    store.put_graph("graph-1", b"the snapshot of a graph").await.unwrap();
    ok(&*store, &[new("first", 10), new("second", 20)]).await;
    ok(&*store, &[plain(1, 1, 2), plain(2, 1, 2)]).await;
    ok(&*store, &[known(1, 1, Some(segment(3)), Some(update(RunState::Success)))]).await;
    store.close().await.unwrap();
}

/// Whether an answer is refused as damaged.
fn is_refused<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> bool {
    match answer {
        Err(StoreError::Damaged { .. }) => true,
        Err(other) => panic!("{other}"),
        Ok(_) => false,
    }
}

async fn a_changed_part_is_refused_and_named_by_a_check<D: Damaged>() {
    let parts = [Part::Entries, Part::Data, Part::State, Part::Dag, Part::Token, Part::Params, Part::Graph];
    for part in parts {
        let place = D::default();
        filled(&place).await;
        place.damage(part).await;
        let store = place.open().await;
        let in_row = matches!(part, Part::State | Part::Dag | Part::Token);
        assert_eq!(is_refused(store.segments(1, 1).await), part == Part::Entries, "{part:?}");
        assert_eq!(is_refused(store.data(1, 2, 0..3).await), part == Part::Data, "{part:?}");
        assert_eq!(is_refused(store.params(1).await), part == Part::Params, "{part:?}");
        assert_eq!(is_refused(store.params_of(&[2, 1]).await), part == Part::Params, "{part:?}");
        assert_eq!(is_refused(store.graph("graph-1").await), part == Part::Graph, "{part:?}");
        assert_eq!(is_refused(store.run(1).await), in_row, "{part:?}");
        assert_eq!(is_refused(store.run_by_id("first").await), in_row, "{part:?}");
        assert_eq!(is_refused(store.find("first", 5).await), in_row, "{part:?}");
        assert_eq!(is_refused(store.runs(&RunFilter::default()).await), in_row, "{part:?}");
        assert_ne!(store.check().await.unwrap(), [""; 0], "{part:?}");
    }
}

async fn a_lost_part_is_refused_and_named_by_a_check<D: Damaged>() {
    for part in [Part::Segment(1), Part::Segment(2), Part::Segment(3), Part::Run] {
        let place = D::default();
        filled(&place).await;
        place.damage(part).await;
        let store = place.open().await;
        if part == Part::Run {
            assert!(is_refused(store.run(1).await));
        } else {
            assert!(is_refused(store.segments(1, 1).await), "{part:?}");
        }
        assert_ne!(store.check().await.unwrap(), [""; 0], "{part:?}");
    }
}

/// A history is read in parts; the last one that is left may be a whole one.
async fn the_end_of_a_long_history_is_missed<D: Damaged>() {
    let place = D::default();
    let store = place.open().await;
    ok(&*store, &[new("first", 10)]).await;
    for number in 2..=SEGMENTS + 1 {
        ok(&*store, &[plain(1, 1, number)]).await;
    }
    store.close().await.unwrap();
    place.damage(Part::Segment(SEGMENTS + 1)).await;
    let store = place.open().await;
    assert_eq!(store.segments(1, 1).await.unwrap().len(), SEGMENTS as usize);
    assert!(is_refused(store.segments(1, SEGMENTS + 1).await));
    assert_ne!(store.check().await.unwrap(), [""; 0]);
}

async fn what_is_not_damaged_is_read<D: Damaged>() {
    for part in [Part::Entries, Part::Data, Part::Segment(3), Part::Params] {
        let place = D::default();
        filled(&place).await;
        place.damage(part).await;
        let store = place.open().await;
        assert_eq!(store.segments(2, 1).await.unwrap().len(), 2, "{part:?}");
        assert_eq!(store.data(2, 2, 0..3).await.unwrap(), Some(b"012".to_vec()), "{part:?}");
        assert_eq!(store.runs(&RunFilter::default()).await.unwrap().len(), 2, "{part:?}");
    }
}
