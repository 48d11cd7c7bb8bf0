//! The audit trail: a row is stored with its change, or neither is.

use super::of_every_store;
use super::parts::{known, new, ok, queued, segment, update};
use crate::base::Timestamp;
use crate::run::{RunState, Stored as StoredValue};
use crate::store::account_rows::{AccountKind, AccountRow};
use crate::store::audit_rows::{AuditFilter, AuditRow};
use crate::store::backfill_rows::{BackfillChange, BackfillRow, Changed};
use crate::store::event_rows::{Emitted, NewEvent};
use crate::store::rows::{Append, Appended, Request, RequestKind};
use crate::store::schedule_rows::{ScheduleRow, ScheduleStep, Stepped};
use crate::store::traits::Store;

of_every_store! {
    a_row_is_stored_with_the_part_of_its_batch_or_not_at_all,
    a_row_is_stored_with_the_step_of_a_schedule_or_not_at_all,
    a_row_is_stored_with_the_change_of_a_backfill_or_not_at_all,
    a_row_is_stored_with_a_request_or_not_at_all,
    a_row_is_stored_with_an_event_or_not_at_all,
    a_row_is_stored_with_a_deletion_or_not_at_all,
    a_row_is_stored_with_the_change_of_an_account_or_not_at_all,
    a_row_is_read_as_it_was_stored,
    a_row_outlives_its_run,
    a_filter_selects_rows_the_newest_first,
    pages_show_each_row_once_while_others_are_stored,
    old_rows_are_deleted_and_their_numbers_are_not_used_again,
}

/// A row that has everything.
pub(in crate::store) fn row(actor: &str, at: i64) -> AuditRow {
    AuditRow {
        number: 0,
        at: Timestamp::from_nanos(at),
        actor: actor.to_owned(),
        via: "cli".to_owned(),
        peer: Some("127.0.0.1".to_owned()),
        request: Some("r-1".to_owned()),
        action: "clear".to_owned(),
        dag: Some("etl".to_owned()),
        run_id: Some("a".to_owned()),
        run: None,
        task: Some("load".to_owned()),
        backfill: None,
        asset: Some("orders".to_owned()),
        reason: "wrong day".to_owned(),
        before: "{\"state\":\"failed\"}".to_owned(),
        after: "{\"state\":\"running\"}".to_owned(),
        token: Some("3f0c".to_owned()),
        outcome: "applied".to_owned(),
        error: String::new(),
    }
}

fn with(actor: &str, part: Append) -> Append {
    Append { audit: Some(Box::new(row(actor, 5))), ..part }
}

async fn all(store: &dyn Store) -> Vec<AuditRow> {
    store.audit(&AuditFilter::default()).await.unwrap()
}

/// The actors of all rows, the oldest first.
async fn actors(store: &dyn Store) -> Vec<String> {
    all(store).await.into_iter().rev().map(|row| row.actor).collect()
}

async fn a_row_is_stored_with_the_part_of_its_batch_or_not_at_all(store: &dyn Store) {
    ok(store, &[with("starts", new("a", 10)), new("b", 10), with("queues", queued("c", 10))]).await;
    ok(store, &[with("edits", known(1, 1, Some(segment(2)), Some(update(RunState::Running))))]).await;
    ok(store, &[with("goes on", known(1, 1, Some(segment(3)), None)), known(2, 1, Some(segment(2)), None)]).await;
    ok(store, &[with("renames", known(1, 1, None, Some(update(RunState::Running))))]).await;
    let stored = ["starts", "queues", "edits", "goes on", "renames"];
    assert_eq!(actors(store).await, stored);
    // The number of the run is that of its id.
    assert!(all(store).await.iter().all(|row| row.run == Some(1)), "{:?}", all(store).await);
    let refused = [
        with("taken", new("a", 20)),
        with("taken too", queued("c", 20)),
        with("an old token", known(1, 7, Some(segment(4)), None)),
        with("another segment", known(1, 1, Some(segment(9)), Some(update(RunState::Success)))),
        with("an unknown run", known(99, 1, None, Some(update(RunState::Success)))),
    ];
    let answers = store.append(&refused).await.unwrap();
    assert!(!answers.iter().any(|answer| matches!(answer, Appended::Stored(_))), "{answers:?}");
    assert_eq!(actors(store).await, stored);
}

async fn a_row_is_stored_with_the_step_of_a_schedule_or_not_at_all(store: &dyn Store) {
    let step = |actor: &str, version| {
        let (dag, state, updated) = ("etl".to_owned(), "{}".to_owned(), Timestamp::EPOCH);
        let row_of = ScheduleRow { dag, version, state, updated };
        let audit = Some(row(actor, 5));
        let (slots, notes, runs, fresh, graphs) = Default::default();
        ScheduleStep { row: row_of, slots, notes, runs, fresh, graphs, audit }
    };
    assert_eq!(store.step_schedules(&[step("pauses", 1)]).await.unwrap(), [Stepped::Stored(vec![])]);
    assert_eq!(store.step_schedules(&[step("is late", 1)]).await.unwrap(), [Stepped::Conflict]);
    assert_eq!(store.step_consumers(&[step("pauses events", 1)]).await.unwrap(), [Stepped::Stored(vec![])]);
    assert_eq!(store.step_consumers(&[step("is late", 1)]).await.unwrap(), [Stepped::Conflict]);
    assert_eq!(store.step_slot_deadlines(&[step("resets", 1)]).await.unwrap(), [Stepped::Stored(vec![])]);
    assert_eq!(store.step_slot_deadlines(&[step("is late", 1)]).await.unwrap(), [Stepped::Conflict]);
    assert_eq!(actors(store).await, ["pauses", "pauses events", "resets"]);
}

async fn a_row_is_stored_with_the_change_of_a_backfill_or_not_at_all(store: &dyn Store) {
    let change = |actor: &str, number, version| {
        let (dag, plan, updated) = ("etl".to_owned(), "{}".to_owned(), Timestamp::EPOCH);
        let row_of = BackfillRow { number, dag, version, is_open: true, plan, updated };
        let audit = Some(AuditRow { backfill: Some(number), ..row(actor, 5) });
        BackfillChange { row: row_of, runs: Vec::new(), graphs: Vec::new(), beside: None, audit }
    };
    assert_eq!(store.change_backfill(&change("starts", 0, 1)).await.unwrap(), Changed::Stored(1));
    assert_eq!(store.change_backfill(&change("pauses", 1, 2)).await.unwrap(), Changed::Stored(1));
    assert_eq!(store.change_backfill(&change("is late", 1, 2)).await.unwrap(), Changed::Conflict);
    let beside = BackfillChange { beside: Some(vec![(7, 1)]), ..change("overlaps", 0, 1) };
    assert_eq!(store.change_backfill(&beside).await.unwrap(), Changed::Conflict);
    assert_eq!(actors(store).await, ["starts", "pauses"]);
    // A new backfill has the number that it was stored with.
    assert!(all(store).await.iter().all(|row| row.backfill == Some(1)));
}

async fn a_row_is_stored_with_a_request_or_not_at_all(store: &dyn Store) {
    ok(store, &[new("a", 10), new("b", 10)]).await;
    ok(store, &[known(2, 1, None, Some(update(RunState::Failed)))]).await;
    let request = |run| {
        let (by, reason) = ("ann".to_owned(), String::new());
        Request { run, what: RequestKind::Cancel, by, reason, at: Timestamp::from_nanos(5) }
    };
    assert!(store.ask(&request(1), Some(&row("asks", 5))).await.unwrap());
    assert!(!store.ask(&request(2), Some(&row("asks an ended run", 5))).await.unwrap());
    assert!(!store.ask(&request(9), Some(&row("asks no run", 5))).await.unwrap());
    assert_eq!(actors(store).await, ["asks"]);
}

fn event(key: &str) -> NewEvent {
    NewEvent {
        asset: "orders".to_owned(),
        partition: None,
        key: Some(key.to_owned()),
        ty: "u32".to_owned(),
        value: StoredValue::Inline(vec![1]),
        emitted: Timestamp::from_nanos(5),
        run: None,
        task: None,
        by: "ann".to_owned(),
        on_change: false,
    }
}

async fn a_row_is_stored_with_an_event_or_not_at_all(store: &dyn Store) {
    let emitted = store.emit(&[event("k")], None, Some(&row("emits", 5))).await.unwrap();
    assert_eq!(emitted, [Emitted::Stored(1)]);
    let emitted = store.emit(&[event("k")], None, Some(&row("emits again", 5))).await.unwrap();
    assert_eq!(emitted, [Emitted::Known(1)]);
    assert_eq!(actors(store).await, ["emits"]);
}

async fn a_row_is_stored_with_a_deletion_or_not_at_all(store: &dyn Store) {
    let runs: Vec<Append> = (0..50).map(|at| ended(&format!("run {at}"))).collect();
    let numbers = ok(store, &runs).await;
    ok(store, &[new("live", 10)]).await;
    assert_eq!(store.delete(&[51], Some(&row("deletes a live run", 5))).await.unwrap(), [0; 0]);
    assert_eq!(store.delete(&numbers, Some(&row("deletes", 5))).await.unwrap().len(), 50);
    let keys: Vec<String> = (0..700).map(|number| number.to_string()).collect();
    let events: Vec<NewEvent> = keys.iter().map(|key| event(key)).collect();
    store.emit(&events, None, None).await.unwrap();
    let numbers: Vec<i64> = (1..=700).collect();
    assert_eq!(store.delete_events(&[999], Some(&row("deletes nothing", 5))).await.unwrap(), 0);
    assert_eq!(store.delete_events(&numbers, Some(&row("deletes events", 5))).await.unwrap(), 700);
    assert_eq!(actors(store).await, ["deletes", "deletes events"]);
}

fn ended(run_id: &str) -> Append {
    Append { update: Some(update(RunState::Success)), ..new(run_id, 10) }
}

async fn a_row_is_stored_with_the_change_of_an_account_or_not_at_all(store: &dyn Store) {
    let account = |kind: AccountKind, name: &str, owner: &str| AccountRow {
        kind,
        name: name.to_owned(),
        secret: None,
        owner: owner.to_owned(),
        state: "{}".to_owned(),
        used: Timestamp::from_nanos(1),
    };
    let kim = account(AccountKind::User, "kim", "");
    assert!(store.add_account(&kim, Some(&row("adds", 5))).await.unwrap());
    assert!(!store.add_account(&kim, Some(&row("adds again", 5))).await.unwrap());
    assert!(store.change_account(&kim, "new", Some(&row("changes", 5))).await.unwrap());
    assert!(!store.change_account(&kim, "newer", Some(&row("is late", 5))).await.unwrap());
    for name in ["1", "2"] {
        assert!(store.add_account(&account(AccountKind::Session, name, "kim"), None).await.unwrap());
    }
    let (session, user) = (AccountKind::Session, AccountKind::User);
    assert_eq!(store.remove_accounts_of(session, "kim", Some(&row("logs out", 5))).await.unwrap(), 2);
    assert_eq!(store.remove_accounts_of(session, "kim", Some(&row("logs out again", 5))).await.unwrap(), 0);
    assert!(store.remove_account(user, "kim", Some(&row("removes", 5))).await.unwrap());
    assert!(!store.remove_account(user, "kim", Some(&row("removes again", 5))).await.unwrap());
    assert_eq!(actors(store).await, ["adds", "changes", "logs out", "removes"]);
}

async fn a_row_is_read_as_it_was_stored(store: &dyn Store) {
    let given = AuditRow { run: Some(4711), ..row("ann", 5) };
    store.record_audit(&given).await.unwrap();
    let bare =
        AuditRow { peer: None, request: None, dag: None, run_id: None, task: None, asset: None, ..given.clone() };
    let bare = AuditRow { run: None, token: None, backfill: Some(3), ..bare };
    store.record_audit(&bare).await.unwrap();
    assert_eq!(all(store).await, [AuditRow { number: 2, ..bare }, AuditRow { number: 1, ..given }]);
}

async fn a_row_outlives_its_run(store: &dyn Store) {
    ok(store, &[with("starts", ended("a"))]).await;
    assert_eq!(store.delete(&[1], None).await.unwrap(), [1]);
    let rows = all(store).await;
    assert_eq!((rows.len(), rows[0].run, rows[0].run_id.as_deref()), (1, Some(1), Some("a")));
}

async fn filled(store: &dyn Store) {
    for number in 1..=6 {
        let (dag, actor) = if number % 2 == 0 { ("etl", "ann") } else { ("report", "bob") };
        let action = if number < 4 { "clear" } else { "pause" };
        let row = AuditRow { dag: Some(dag.to_owned()), action: action.to_owned(), ..row(actor, number) };
        store.record_audit(&AuditRow { run_id: Some(format!("run {number}")), ..row }).await.unwrap();
    }
}

async fn a_filter_selects_rows_the_newest_first(store: &dyn Store) {
    filled(store).await;
    let found = async |filter: AuditFilter| -> Vec<i64> {
        store.audit(&filter).await.unwrap().iter().map(|row| row.number).collect()
    };
    let text = |text: &str| Some(text.to_owned());
    let none = AuditFilter::default;
    assert_eq!(found(none()).await, [6, 5, 4, 3, 2, 1]);
    assert_eq!(found(AuditFilter { dag: text("etl"), ..none() }).await, [6, 4, 2]);
    assert_eq!(found(AuditFilter { run_id: text("run 3"), ..none() }).await, [3]);
    assert_eq!(found(AuditFilter { actor: text("bob"), action: text("clear"), ..none() }).await, [3, 1]);
    assert_eq!(found(AuditFilter { since: Some(Timestamp::from_nanos(5)), ..none() }).await, [6, 5]);
    assert!(found(AuditFilter { since: Some(Timestamp::from_nanos(9)), ..none() }).await.is_empty());
    assert_eq!(found(AuditFilter { until: Some(Timestamp::from_nanos(3)), ..none() }).await, [2, 1]);
    assert!(found(AuditFilter { until: Some(Timestamp::from_nanos(1)), ..none() }).await.is_empty());
    let between =
        AuditFilter { since: Some(Timestamp::from_nanos(2)), until: Some(Timestamp::from_nanos(5)), ..none() };
    assert_eq!(found(AuditFilter { limit: Some(2), ..between }).await, [4, 3]);
    assert_eq!(found(AuditFilter { below: Some(5), limit: Some(2), ..none() }).await, [4, 3]);
    // The clock was set back: what is stored later is older, and both are found.
    store.record_audit(&row("ann", 2)).await.unwrap();
    assert_eq!(found(AuditFilter { since: Some(Timestamp::from_nanos(5)), ..none() }).await, [6, 5]);
    assert_eq!(found(AuditFilter { since: Some(Timestamp::from_nanos(2)), ..none() }).await, [7, 6, 5, 4, 3, 2]);
    assert_eq!(found(AuditFilter { until: Some(Timestamp::from_nanos(3)), ..none() }).await, [7, 2, 1]);
}

async fn pages_show_each_row_once_while_others_are_stored(store: &dyn Store) {
    filled(store).await;
    let mut shown = Vec::new();
    let mut filter = AuditFilter { limit: Some(2), ..AuditFilter::default() };
    loop {
        let page = store.audit(&filter).await.unwrap();
        let Some(last) = page.last() else { break };
        filter.below = Some(last.number);
        shown.extend(page.iter().map(|row| row.number));
        store.record_audit(&row("ann", 7)).await.unwrap();
    }
    assert_eq!(shown, [6, 5, 4, 3, 2, 1]);
}

async fn old_rows_are_deleted_and_their_numbers_are_not_used_again(store: &dyn Store) {
    filled(store).await;
    let before = Timestamp::from_nanos(7);
    assert_eq!(store.count_audit(before).await.unwrap(), 6);
    assert_eq!(store.delete_audit(Timestamp::from_nanos(1), Some(&row("deletes none", 8))).await.unwrap(), 0);
    assert_eq!(store.delete_audit(before, Some(&row("deletes", 8))).await.unwrap(), 6);
    let rows = all(store).await;
    assert_eq!((rows.len(), rows[0].number, &*rows[0].actor), (1, 7, "deletes"));
}
