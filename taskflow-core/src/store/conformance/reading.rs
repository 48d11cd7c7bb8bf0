//! Finding runs, and reading what belongs to them.

use super::of_every_store;
use super::parts::{known, new, of, ok, owned, plain, queued, update};
use crate::base::Timestamp;
use crate::run::{RunState, RunType};
use crate::store::rows::{Append, AppendTarget, RunFilter, RunOrder, RunRow};
use crate::store::traits::{SEGMENTS, Store};

of_every_store! {
    runs_come_newest_first,
    a_filter_requires_all_of_its_conditions,
    a_limit_keeps_the_newest,
    runs_by_number_ignore_a_clock_that_was_set_back,
    the_last_run_is_never_a_triggered_one,
    an_exact_id_is_found_before_prefix_and_substring_matches,
    pattern_characters_are_literal,
    segments_are_read_from_a_given_number,
    many_segments_are_read_in_parts,
    a_part_of_the_data_is_read,
    a_stored_graph_never_changes,
    runs_are_selected_by_run_type_and_logical_date,
    runs_are_selected_by_who_has_asked_for_them,
    runs_are_counted_up_to_a_limit,
    runs_are_read_by_their_ids,
    runs_are_ordered_by_logical_date,
    a_cursor_pages_through_all_runs,
}

fn ids(rows: &[RunRow]) -> Vec<&str> {
    rows.iter().map(|row| row.info.run_id.as_str()).collect()
}

async fn runs_come_newest_first(store: &dyn Store) {
    ok(store, &[new("b", 20), new("a", 10), new("c", 20)]).await;
    assert_eq!(ids(&store.runs(&RunFilter::default()).await.unwrap()), ["c", "b", "a"]);
}

async fn a_filter_requires_all_of_its_conditions(store: &dyn Store) {
    let runs = [("a", 10), ("b", 20), ("c", 30), ("d", 40)].map(|(id, at)| new(id, at));
    ok(store, &runs).await;
    let _guards = owned(store, &[of("other", new("e", 50)), of("other", new("f", 60))]).await;
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

/// What `last` names, as the journal asks for it.
fn last() -> RunFilter {
    let run_types = vec![RunType::Manual, RunType::Scheduled, RunType::Backfill, RunType::Event];
    RunFilter { run_types, order: RunOrder::Number, limit: Some(1), ..Default::default() }
}

/// A14: the clock was set back between the runs, and `last` named the first one.
async fn runs_by_number_ignore_a_clock_that_was_set_back(store: &dyn Store) {
    for (id, at) in [("a", 30), ("b", 20), ("c", 10)] {
        ok(store, &[new(id, at)]).await;
    }
    let by_number = RunFilter { order: RunOrder::Number, ..Default::default() };
    assert_eq!(ids(&store.runs(&by_number).await.unwrap()), ["c", "b", "a"]);
    assert_eq!(ids(&store.runs(&last()).await.unwrap()), ["c"]);
    assert_eq!(ids(&store.runs(&RunFilter::default()).await.unwrap()), ["a", "b", "c"]);
}

/// A13: a triggered run has a higher number than the run that has triggered it.
async fn the_last_run_is_never_a_triggered_one(store: &dyn Store) {
    assert_eq!(store.runs(&last()).await.unwrap(), []);
    let types = [RunType::Manual, RunType::Triggered, RunType::Scheduled, RunType::Triggered, RunType::Backfill];
    let types = [&types[..], &[RunType::Triggered, RunType::Event, RunType::Triggered, RunType::Triggered]].concat();
    let mut expected = "";
    for (run_type, id) in types.into_iter().zip(["a", "b", "c", "d", "e", "f", "g", "h", "i"]) {
        ok(store, &[dated(100, run_type, new(id, 10))]).await;
        if run_type != RunType::Triggered {
            expected = id;
        }
        assert_eq!(ids(&store.runs(&last()).await.unwrap()), [expected], "{run_type:?}");
    }
}

async fn an_exact_id_is_found_before_prefix_and_substring_matches(store: &dyn Store) {
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

async fn pattern_characters_are_literal(store: &dyn Store) {
    ok(store, &[new("50%", 10), new("50_", 20), new("5'0", 30), new("été*", 40)]).await;
    assert_eq!(ids(&store.find("%", 9).await.unwrap()), ["50%"]);
    assert_eq!(ids(&store.find("_", 9).await.unwrap()), ["50_"]);
    assert_eq!(ids(&store.find("'", 9).await.unwrap()), ["5'0"]);
    assert_eq!(ids(&store.find("té*", 9).await.unwrap()), ["été*"]);
}

async fn segments_are_read_from_a_given_number(store: &dyn Store) {
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

async fn many_segments_are_read_in_parts(store: &dyn Store) {
    ok(store, &[new("a", 10)]).await;
    let more: Vec<Append> = (2..3 * SEGMENTS).map(|number| plain(1, 1, number)).collect();
    for some in more.chunks(100) {
        ok(store, some).await;
    }
    let mut numbers: Vec<u32> = Vec::new();
    loop {
        let part = store.segments(1, numbers.last().map_or(1, |last| last + 1)).await.unwrap();
        numbers.extend(part.iter().map(|segment| segment.number));
        if part.len() < SEGMENTS as usize {
            break;
        }
    }
    assert!(numbers.iter().copied().eq(1..3 * SEGMENTS));
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

async fn a_stored_graph_never_changes(store: &dyn Store) {
    assert_eq!(store.graph("graph-1").await.unwrap(), None);
    store.put_graph("graph-1", b"one").await.unwrap();
    store.put_graph("graph-1", b"two").await.unwrap();
    assert_eq!(store.graph("graph-1").await.unwrap().unwrap(), b"one");
}

/// A new run with another logical date, of another type.
fn dated(date: i64, run_type: RunType, mut run: Append) -> Append {
    if let AppendTarget::New(new) = &mut run.run {
        (new.info.logical_date, new.info.run_type) = (Timestamp::from_nanos(date), run_type);
    }
    run
}

/// Runs whose logical dates come in another order than they were created in.
async fn dated_runs(store: &dyn Store) {
    let runs = [
        dated(300, RunType::Scheduled, new("a", 10)),
        dated(100, RunType::Backfill, new("b", 20)),
        dated(200, RunType::Backfill, new("c", 30)),
        dated(200, RunType::Manual, new("d", 30)),
        dated(100, RunType::Triggered, of("other", new("e", 40))),
    ];
    ok(store, &runs).await;
}

async fn runs_are_selected_by_run_type_and_logical_date(store: &dyn Store) {
    dated_runs(store).await;
    let at = |nanos| Some(Timestamp::from_nanos(nanos));
    let cases = [
        (RunFilter { run_types: vec![RunType::Backfill], ..Default::default() }, "cb"),
        (RunFilter { run_types: vec![RunType::Triggered, RunType::Scheduled], ..Default::default() }, "ea"),
        (RunFilter { run_types: vec![RunType::Event], ..Default::default() }, ""),
        (RunFilter { logical_since: at(200), ..Default::default() }, "dca"),
        (RunFilter { logical_before: at(200), ..Default::default() }, "eb"),
        (RunFilter { logical_since: at(100), logical_before: at(300), limit: Some(2), ..Default::default() }, "ed"),
        (
            RunFilter {
                logical_since: at(100),
                dag: Some("etl".to_owned()),
                run_types: vec![RunType::Backfill],
                ..Default::default()
            },
            "cb",
        ),
    ];
    for (filter, expected) in cases {
        assert_eq!(ids(&store.runs(&filter).await.unwrap()).concat(), expected, "{filter:?}");
    }
}

/// A run that kim and a token of theirs have asked for, one of theirs alone, and those of others.
async fn runs_are_selected_by_who_has_asked_for_them(store: &dyn Store) {
    let by = |names: &[&str], mut run: Append| {
        if let AppendTarget::New(new) = &mut run.run {
            new.info.requested_by = names.iter().map(|&name| name.to_owned()).collect();
        }
        run
    };
    let runs = [
        by(&["ci", "kim"], new("a", 10)),
        by(&["kim"], of("other", new("b", 20))),
        by(&["lee"], new("c", 30)),
        by(&[], new("d", 40)),
        by(&["ki"], new("e", 50)),
    ];
    ok(store, &runs).await;
    let asked = |name: &str| RunFilter { requested_by: Some(name.to_owned()), ..Default::default() };
    let cases = [
        (asked("kim"), "ba"),
        (asked("ci"), "a"),
        (asked("KIM"), ""),
        (asked(""), ""),
        (RunFilter { limit: Some(1), ..asked("kim") }, "b"),
        (RunFilter { dag: Some("etl".to_owned()), ..asked("kim") }, "a"),
        (RunFilter { states: vec![RunState::Failed], ..asked("kim") }, ""),
    ];
    for (filter, expected) in cases {
        assert_eq!(ids(&store.runs(&filter).await.unwrap()).concat(), expected, "{filter:?}");
    }
}

/// Five runs, of which one has ended and one is queued.
async fn runs_are_counted_up_to_a_limit(store: &dyn Store) {
    let runs = [
        dated(300, RunType::Scheduled, new("a", 10)),
        dated(100, RunType::Backfill, new("b", 20)),
        dated(200, RunType::Backfill, new("c", 30)),
        of("other", queued("d", 40)),
    ];
    ok(store, &runs).await;
    let _guards = owned(store, &[of("other", new("e", 50))]).await;
    ok(store, &[known(1, 1, None, Some(update(RunState::Failed)))]).await;
    let at = |nanos| Some(Timestamp::from_nanos(nanos));
    let states = |states: &[RunState]| RunFilter { states: states.to_vec(), ..Default::default() };
    let counts = async |filter: &RunFilter, most: u32| store.count_runs(filter, most).await.unwrap();
    for (filter, count) in [
        (RunFilter::default(), 5),
        (RunFilter { limit: Some(1), order: RunOrder::LogicalDate, ..Default::default() }, 5),
        (RunFilter { dag: Some("etl".to_owned()), ..Default::default() }, 3),
        (RunFilter { dag: Some("nobody's".to_owned()), ..Default::default() }, 0),
        (RunFilter { among: Some(vec!["other".to_owned()]), ..Default::default() }, 2),
        (RunFilter { among: Some(Vec::new()), ..Default::default() }, 0),
        (RunFilter { run_types: vec![RunType::Backfill], ..Default::default() }, 2),
        (RunFilter { since: at(20), before: at(40), ..Default::default() }, 2),
        (
            RunFilter {
                logical_since: at(100),
                logical_before: at(300),
                since: at(30),
                before: at(40),
                ..Default::default()
            },
            1,
        ),
        (RunFilter { about: at(200), run_types: vec![RunType::Backfill], ..Default::default() }, 1),
        (states(&[RunState::Failed, RunState::Success]), 1),
        (states(&[RunState::Running]), 1),
        (states(&[RunState::Interrupted]), 2),
        (states(&[RunState::Queued, RunState::Failed]), 2),
        (states(&[RunState::Running, RunState::Interrupted, RunState::Queued]), 4),
    ] {
        assert_eq!(counts(&filter, 100).await, (count, false), "{filter:?}");
        assert_eq!(store.runs(&RunFilter { limit: None, ..filter.clone() }).await.unwrap().len() as u64, count);
    }
    for most in 0..5_u32 {
        assert_eq!(counts(&RunFilter::default(), most).await, (u64::from(most), true));
    }
    assert_eq!(counts(&RunFilter::default(), 5).await, (5, false));
    assert_eq!(counts(&states(&[RunState::Interrupted]), 1).await, (1, true));
    // A place is that of a page, not of the list.
    let last = store.runs(&RunFilter::default()).await.unwrap().pop().expect("there are five");
    let after = Some(last.cursor(RunOrder::Created));
    assert_eq!(counts(&RunFilter { after, ..Default::default() }, 100).await, (5, false));
}

/// Ids of runs of two DAGs, one of them twice, and two that no run has.
async fn runs_are_read_by_their_ids(store: &dyn Store) {
    ok(store, &[new("a", 10), of("other", new("b", 20)), new("c", 30)]).await;
    let named = async |run_ids: &[&str]| {
        let run_ids: Vec<String> = run_ids.iter().map(|&run_id| run_id.to_owned()).collect();
        let mut rows = store.runs_by_id(&run_ids).await.unwrap();
        rows.sort_by_key(|row| row.number);
        ids(&rows).concat()
    };
    assert_eq!(named(&["b", "nobody's", "a", "b", ""]).await, "ab");
    assert_eq!(named(&["A", "a%", "'"]).await, "");
    assert_eq!(named(&[]).await, "");
}

async fn runs_are_ordered_by_logical_date(store: &dyn Store) {
    dated_runs(store).await;
    let filter = |limit| RunFilter { order: RunOrder::LogicalDate, limit, ..Default::default() };
    assert_eq!(ids(&store.runs(&filter(None)).await.unwrap()).concat(), "adceb");
    assert_eq!(ids(&store.runs(&filter(Some(2))).await.unwrap()).concat(), "ad");
}

async fn a_cursor_pages_through_all_runs(store: &dyn Store) {
    dated_runs(store).await;
    let orders = [(RunOrder::Created, "edcba"), (RunOrder::LogicalDate, "adceb"), (RunOrder::Number, "edcba")];
    for (order, expected) in orders {
        for size in 1..=6 {
            let mut filter = RunFilter { order, limit: Some(size), ..Default::default() };
            let mut all = String::new();
            loop {
                let page = store.runs(&filter).await.unwrap();
                all += &ids(&page).concat();
                let Some(last) = page.last() else { break };
                filter.after = Some(last.cursor(order));
            }
            assert_eq!(all, expected, "{order:?} in pages of {size}");
        }
    }
}
