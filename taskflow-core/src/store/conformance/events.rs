//! Events of assets, and what DAGs have consumed of them.

use super::of_every_store;
use super::parts::{known, new, ok, plain, queued, segment, update};
use crate::base::Timestamp;
use crate::run::{RunState, Stored};
use crate::store::event_rows::{Emitted, EventFilter, EventProgress, EventRow, NewEvent, WatchCursor};
use crate::store::rows::{Append, AppendTarget, Appended};
use crate::store::schedule_rows::{ScheduleRow, ScheduleStep, Stepped};
use crate::store::traits::Store;
use crate::value::FileRef;

of_every_store! {
    events_are_numbered_and_read_back,
    events_are_counted_by_asset,
    the_same_key_is_the_same_event,
    an_unchanged_payload_is_left_out,
    events_are_stored_with_their_segment,
    a_fenced_part_has_no_events,
    a_taken_run_has_no_events,
    filters_select_events,
    deleting_runs_keeps_their_events,
    a_consumption_is_stored_with_its_runs,
    a_cursor_is_stored_with_its_events,
    deleted_events_leave_their_numbers_and_free_their_keys,
    the_payload_of_a_deleted_event_is_left_until_it_is_forgotten_or_has_an_event,
}

fn event(asset: &str, value: &[u8]) -> NewEvent {
    NewEvent {
        asset: asset.to_owned(),
        partition: None,
        key: None,
        ty: "u64".to_owned(),
        value: Stored::Inline(value.to_vec()),
        emitted: Timestamp::from_nanos(5),
        run: None,
        task: None,
        by: "ann".to_owned(),
        on_change: false,
    }
}

fn of(asset: &str, partition: &str, value: &[u8]) -> NewEvent {
    NewEvent { partition: Some(partition.to_owned()), ..event(asset, value) }
}

fn with_key(asset: &str, key: &str, value: &[u8]) -> NewEvent {
    NewEvent { key: Some(key.to_owned()), ..event(asset, value) }
}

fn on_change(event: NewEvent) -> NewEvent {
    NewEvent { on_change: true, ..event }
}

fn with(events: Vec<NewEvent>, part: Append) -> Append {
    Append { events, ..part }
}

async fn events_are_counted_by_asset(store: &dyn Store) {
    let names = ["orders", "rates", "orders", "orders"];
    store.emit(&names.map(|name| event(name, b"\x01")), None, None).await.unwrap();
    // What is left out has no number.
    store.emit(&[on_change(event("orders", b"\x01"))], None, None).await.unwrap();
    let count = async |after, until| store.count_events(after, until).await.unwrap();
    let of = |counts: &[(&str, u64)]| -> Vec<(String, u64)> {
        counts.iter().map(|&(asset, count)| (asset.to_owned(), count)).collect()
    };
    assert_eq!(count(0, 4).await, of(&[("orders", 3), ("rates", 1)]));
    assert_eq!(count(1, 3).await, of(&[("orders", 1), ("rates", 1)]));
    assert_eq!(count(4, 4).await, of(&[]));
    assert_eq!(count(4, 9).await, of(&[]));
    store.delete_events(&[1], None).await.unwrap();
    assert_eq!(count(0, 4).await, of(&[("orders", 2), ("rates", 1)]));
}

async fn all(store: &dyn Store) -> Vec<EventRow> {
    store.events(&EventFilter { with_values: true, ..EventFilter::default() }).await.unwrap()
}

async fn assets(store: &dyn Store) -> Vec<String> {
    all(store).await.into_iter().map(|event| event.asset).collect()
}

async fn events_are_numbered_and_read_back(store: &dyn Store) {
    assert_eq!(store.last_event().await.unwrap(), 0);
    let file = FileRef::of(b"a large payload");
    let events = [
        NewEvent {
            key: Some("key".to_owned()),
            run: Some("run".to_owned()),
            task: Some("load[3]".to_owned()),
            by: String::new(),
            ..of("orders", "2026-02-03", b"\x01")
        },
        NewEvent { value: Stored::File(file), ..event("rates", b"") },
    ];
    assert_eq!(store.emit(&events, None, None).await.unwrap(), [Emitted::Stored(1), Emitted::Stored(2)]);
    assert_eq!(store.last_event().await.unwrap(), 2);
    let stored = all(store).await;
    let first = EventRow {
        number: 1,
        asset: "orders".to_owned(),
        partition: Some("2026-02-03".to_owned()),
        key: Some("key".to_owned()),
        ty: "u64".to_owned(),
        content: FileRef::of(b"\x01"),
        value: Some(Stored::Inline(b"\x01".to_vec())),
        emitted: Timestamp::from_nanos(5),
        run: Some("run".to_owned()),
        task: Some("load[3]".to_owned()),
        by: String::new(),
    };
    assert_eq!(stored[0], first);
    assert_eq!((stored[1].content, &stored[1].value), (file, &Some(Stored::File(file))));
    let heads = store.events(&EventFilter::default()).await.unwrap();
    assert_eq!(heads[0], EventRow { value: None, ..first });
}

async fn the_same_key_is_the_same_event(store: &dyn Store) {
    let events = [with_key("a", "k", b"1"), with_key("a", "k", b"2"), with_key("b", "k", b"3"), event("a", b"4")];
    let answers = store.emit(&events, None, None).await.unwrap();
    let numbers: Vec<i64> = answers.iter().map(|answer| answer.number()).collect();
    assert_eq!(answers[1], Emitted::Known(numbers[0]));
    assert!(matches!(answers[..], [Emitted::Stored(_), _, Emitted::Stored(_), Emitted::Stored(_)]), "{answers:?}");
    assert_eq!(store.emit(&[with_key("a", "k", b"5")], None, None).await.unwrap(), [Emitted::Known(numbers[0])]);
    assert_eq!(all(store).await[0].value, Some(Stored::Inline(b"1".to_vec())));
    assert_eq!(all(store).await.len(), 3);
}

async fn an_unchanged_payload_is_left_out(store: &dyn Store) {
    let first = store.emit(&[on_change(of("a", "x", b"1"))], None, None).await.unwrap()[0].number();
    let again = [on_change(of("a", "x", b"1")), on_change(of("a", "y", b"1")), on_change(of("a", "x", b"2"))];
    let answers = store.emit(&again, None, None).await.unwrap();
    assert_eq!(answers[0], Emitted::Unchanged(first));
    assert!(matches!(answers[1..], [Emitted::Stored(_), Emitted::Stored(_)]), "{answers:?}");
    // The last one counts, not any.
    assert!(matches!(
        store.emit(&[on_change(of("a", "x", b"1"))], None, None).await.unwrap()[..],
        [Emitted::Stored(_)]
    ));
    assert!(matches!(store.emit(&[of("a", "x", b"1")], None, None).await.unwrap()[..], [Emitted::Stored(_)]));
    assert!(matches!(store.emit(&[on_change(event("a", b"1"))], None, None).await.unwrap()[..], [Emitted::Stored(_)]));
}

async fn events_are_stored_with_their_segment(store: &dyn Store) {
    ok(store, &[with(vec![event("first", b"1"), with_key("first", "k", b"2")], new("first", 10)), new("second", 20)])
        .await;
    assert_eq!(assets(store).await, ["first", "first"]);
    let batch = [
        with(vec![event("second", b"1")], plain(1, 1, 2)),
        with(vec![event("third", b"1"), on_change(event("third", b"1"))], known(2, 1, Some(segment(2)), None)),
    ];
    ok(store, &batch).await;
    let ended = known(1, 1, Some(segment(3)), Some(update(RunState::Success)));
    ok(store, &[with(vec![event("last", b"1"), with_key("first", "k", b"3")], ended)]).await;
    assert_eq!(assets(store).await, ["first", "first", "second", "third", "last"]);
    assert_eq!(store.run(1).await.unwrap().unwrap().state, RunState::Success);
    let numbers: Vec<i64> = all(store).await.into_iter().map(|event| event.number).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
}

async fn a_fenced_part_has_no_events(store: &dyn Store) {
    ok(store, &[new("first", 10), new("second", 20)]).await;
    let events = || vec![event("a", b"1")];
    let (wrong_token, wrong_number) = (plain(1, 7, 2), plain(1, 1, 5));
    let ended = known(1, 7, Some(segment(2)), Some(update(RunState::Success)));
    for fenced in [wrong_token, wrong_number, ended] {
        let batch = [with(events(), fenced.clone()), with(vec![event("b", b"1")], plain(2, 1, 2))];
        let answers = store.append(&batch).await.unwrap();
        assert_eq!(answers[0], Appended::Fenced, "{fenced:?}");
    }
    // The first time the other part is stored.
    assert_eq!(assets(store).await, ["b"]);
    ok(store, &[plain(1, 1, 2)]).await;
    assert_eq!(store.append(&[with(events(), plain(1, 1, 2))]).await.unwrap(), [Appended::Fenced]);
    assert_eq!(assets(store).await, ["b"]);
}

async fn a_taken_run_has_no_events(store: &dyn Store) {
    ok(store, &[new("first", 10)]).await;
    let again = with(vec![event("a", b"1")], new("first", 30));
    assert_eq!(store.append(&[again]).await.unwrap(), [Appended::Taken]);
    assert_eq!(assets(store).await, [""; 0]);
}

async fn filters_select_events(store: &dyn Store) {
    let of_run = |run: &str| NewEvent { run: Some(run.to_owned()), ..event("c", b"1") };
    let of_task = NewEvent { task: Some("load".to_owned()), ..of_run("r2") };
    let events = [of("a", "x", b"1"), of("b", "x", b"1"), of("a", "y", b"1"), of_run("r1"), of_task];
    let numbers: Vec<i64> =
        store.emit(&events, None, None).await.unwrap().iter().map(|answer| answer.number()).collect();
    let cases = [
        (EventFilter::default(), vec![0, 1, 2, 3, 4]),
        (EventFilter { assets: vec!["a".into(), "c".into()], ..EventFilter::default() }, vec![0, 2, 3, 4]),
        (EventFilter { after: Some(numbers[1]), before: Some(numbers[4]), ..EventFilter::default() }, vec![2, 3]),
        (EventFilter { partition: Some("x".into()), ..EventFilter::default() }, vec![0, 1]),
        (EventFilter { run: Some("r2".into()), ..EventFilter::default() }, vec![4]),
        (EventFilter { of_tasks: true, ..EventFilter::default() }, vec![4]),
        (EventFilter { run: Some("r1".into()), of_tasks: true, ..EventFilter::default() }, vec![]),
        (EventFilter { newest_first: true, limit: Some(2), ..EventFilter::default() }, vec![4, 3]),
        (EventFilter { limit: Some(2), ..EventFilter::default() }, vec![0, 1]),
        (EventFilter::number(numbers[2]), vec![2]),
        (EventFilter { assets: vec!["none".into()], ..EventFilter::default() }, vec![]),
    ];
    for (filter, expected) in cases {
        let found: Vec<i64> = store.events(&filter).await.unwrap().iter().map(|event| event.number).collect();
        let expected: Vec<i64> = expected.into_iter().map(|at: usize| numbers[at]).collect();
        assert_eq!(found, expected, "{filter:?}");
        let all = EventFilter { limit: None, ..filter.clone() };
        let count = store.events(&all).await.unwrap().len() as u64;
        assert_eq!(store.count_matching_events(&filter).await.unwrap(), count, "{filter:?}");
    }
}

async fn deleting_runs_keeps_their_events(store: &dyn Store) {
    let ended = Append { update: Some(update(RunState::Success)), ..new("first", 10) };
    ok(store, &[with(vec![NewEvent { run: Some("first".to_owned()), ..event("a", b"1") }], ended)]).await;
    assert_eq!(store.delete(&[1], None).await.unwrap(), [1]);
    assert_eq!(all(store).await[0].run.as_deref(), Some("first"));
}

async fn a_consumption_is_stored_with_its_runs(store: &dyn Store) {
    let run = match queued("event-1", 10).run {
        AppendTarget::New(run) => *run,
        AppendTarget::Existing { .. } => unreachable!("the run is new"),
    };
    let row = |version| ScheduleRow {
        dag: "report".to_owned(),
        version,
        state: format!("{{\"cursor\":{version}}}"),
        updated: Timestamp::from_nanos(version),
    };
    let step = |version, runs| ScheduleStep {
        row: row(version),
        slots: Vec::new(),
        notes: Vec::new(),
        runs,
        fresh: Vec::new(),
        graphs: Vec::new(),
        audit: None,
    };
    let stored = store.step_consumers(&[step(1, vec![run.clone()])]).await.unwrap();
    assert_eq!(stored, [Stepped::Stored(vec![Appended::Stored(1)])]);
    assert_eq!(store.step_consumers(&[step(1, vec![])]).await.unwrap(), [Stepped::Conflict]);
    assert_eq!(store.step_consumers(&[step(2, vec![run])]).await.unwrap(), [Stepped::Stored(vec![Appended::Taken])]);
    let stored: Vec<ScheduleRow> = store.consumers().await.unwrap().into_iter().map(Result::unwrap).collect();
    assert_eq!(stored, [row(2)]);
    assert_eq!(store.event_progress().await.unwrap(), EventProgress { steps: 2, last_event: 0 });
    // Schedules are apart from consumers.
    assert!(store.schedules().await.unwrap().is_empty());
}

async fn a_cursor_is_stored_with_its_events(store: &dyn Store) {
    let at = |cursor: &str, updated| WatchCursor {
        source: "files".to_owned(),
        cursor: cursor.to_owned(),
        updated: Timestamp::from_nanos(updated),
    };
    assert_eq!(store.watch_cursor("files").await.unwrap(), None);
    store.emit(&[event("a", b"1")], Some(&at("1", 5)), None).await.unwrap();
    assert_eq!(store.watch_cursor("files").await.unwrap(), Some(at("1", 5)));
    store.emit(&[], Some(&at("2", 6)), None).await.unwrap();
    assert_eq!(store.watch_cursor("files").await.unwrap(), Some(at("2", 6)));
    assert_eq!(store.watch_cursor("other").await.unwrap(), None);
    assert_eq!(assets(store).await, ["a"]);
}

async fn deleted_events_leave_their_numbers_and_free_their_keys(store: &dyn Store) {
    let in_file = |bytes: &[u8]| NewEvent { value: Stored::File(FileRef::of(bytes)), ..event("a", b"") };
    let later = NewEvent { emitted: Timestamp::from_nanos(9), ..event("a", b"later") };
    let events = [with_key("a", "key", b"1"), in_file(b"shared"), in_file(b"only"), later, in_file(b"shared")];
    store.emit(&events, None, None).await.unwrap();
    let old = EventFilter { emitted_before: Some(Timestamp::from_nanos(9)), ..EventFilter::default() };
    assert_eq!(store.events(&old).await.unwrap().iter().map(|event| event.number).collect::<Vec<_>>(), [1, 2, 3, 5]);
    assert_eq!(store.delete_events(&[1, 2, 3, 77], None).await.unwrap(), 3);
    assert_eq!(all(store).await.iter().map(|event| event.number).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(store.emit(&[with_key("a", "key", b"2")], None, None).await.unwrap(), [Emitted::Stored(6)]);
    assert_eq!(store.delete_events(&[4, 5, 6], None).await.unwrap(), 3);
    assert_eq!(store.last_event().await.unwrap(), 6);
    assert_eq!(store.emit(&[event("a", b"3")], None, None).await.unwrap(), [Emitted::Stored(7)]);
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

async fn the_payload_of_a_deleted_event_is_left_until_it_is_forgotten_or_has_an_event(store: &dyn Store) {
    let (shared, only) = (FileRef::of(b"shared"), FileRef::of(b"only"));
    let in_file = |file| NewEvent { value: Stored::File(file), ..event("a", b"") };
    store.emit(&[in_file(shared), in_file(only), in_file(shared), event("a", b"inline")], None, None).await.unwrap();
    assert_eq!(store.left_payloads().await.unwrap(), []);
    assert_eq!(store.delete_events(&[1, 2, 4], None).await.unwrap(), 3);
    assert_eq!(store.left_payloads().await.unwrap(), [only], "event 3 has the other one");
    assert_eq!(store.delete_events(&[3], None).await.unwrap(), 1);
    let left = store.left_payloads().await.unwrap();
    assert!(left.len() == 2 && left.contains(&shared) && left.contains(&only), "{left:?}");
    store.emit(&[in_file(only)], None, None).await.unwrap();
    assert_eq!(store.left_payloads().await.unwrap(), [shared], "an event has it again");
    store.forget_payloads(&[shared, FileRef::of(b"unknown")]).await.unwrap();
    store.forget_payloads(&[]).await.unwrap();
    assert_eq!(store.left_payloads().await.unwrap(), []);
    assert_eq!(store.delete_events(&[5], None).await.unwrap(), 1);
    assert_eq!(store.left_payloads().await.unwrap(), [only]);
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}
