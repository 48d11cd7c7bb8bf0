//! Callbacks while another process has locked the store.

use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use super::*;
use crate::base::SourceLocation;
use crate::callback::notify::log_line;
use crate::dag::{DagOptions, PlanCell, ScheduleSource};
use crate::store::be_impatient;
use crate::task::{Callbacks, Deadline, DeadlineReference};
use crate::value::TypeInfo;

const HOUR: Duration = Duration::from_secs(60 * 60);

static NIGHTLY: DagDef = DagDef {
    id: "nightly",
    module: "tests",
    doc: "",
    location: SourceLocation { file: file!(), line: line!(), column: column!() },
    options: DagOptions {
        schedule: Some(ScheduleSource::Text("@daily")),
        deadline: Some(Deadline::new(HOUR, DeadlineReference::Slot)),
        callbacks: Callbacks { on_deadline_missed: Some(Callback::new(|| Arc::new(log_line()))), ..Callbacks::NONE },
        ..DagOptions::NONE
    },
    params: Vec::new,
    result: TypeInfo::of_value::<()>(),
    trace: |_| None,
    plan: PlanCell::new(),
};

/// The store is locked when the callback returns. It was called again in each turn, until its
/// outcome could be stored.
#[tokio::test]
async fn a_callback_whose_outcome_cannot_be_stored_is_not_called_again() {
    be_impatient();
    let home = tempfile::tempdir().unwrap();
    let journal = Journal::open(home.path()).await.unwrap();
    let slot: Timestamp = "2026-01-31T00:00:00Z".parse().unwrap();
    let (deadline, now) = (slot + HOUR, slot + HOUR + HOUR);
    let missed = MissedSlots {
        first: slot,
        last: slot,
        count: 1,
        deadline,
        noticed: now,
        run: None,
        reason: "no run".to_owned(),
        attempts: 0,
        error: None,
        retry_at: None,
    };
    let state = DeadlineState { untold: vec![missed], ..DeadlineState::first_seen(now) };
    assert!(journal.store_slot_deadlines(NIGHTLY.id, 0, &state, &[], now).await.unwrap());

    let (mut deadlines, mut events) = (Deadlines::of(&[&NIGHTLY]), Vec::new());
    deadlines.turn(&journal, now, &mut events).await.unwrap();
    let (dag, mut pending) = deadlines.pending(now).pop().unwrap();
    // As `call` does, without a thread.
    deadlines.calling.insert(pending.notification.key.clone());
    deadlines.sender.send((dag, pending.attempt())).unwrap();

    let options = SqliteConnectOptions::new().filename(home.path().join("taskflow.db"));
    let mut other = options.connect().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let error = deadlines.turn(&journal, now, &mut events).await.unwrap_err();
    assert!(error.locked_store().is_some(), "{error}");
    assert!(deadlines.pending(now).is_empty(), "it was called");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();

    deadlines.turn(&journal, now, &mut events).await.unwrap();
    let stored = journal.slot_deadlines().await.unwrap().remove(NIGHTLY.id).unwrap().unwrap();
    assert!(stored.state.untold.is_empty(), "{stored:?}");
    assert!(deadlines.pending(now).is_empty() && deadlines.calling.is_empty());
}
