//! Pausing a DAG that has events and a schedule.

use super::*;
use crate::base::SourceLocation;
use crate::dag::{DagOptions, PlanCell};
use crate::schedule::{Cron, Crons, EventInput, Schedule, SlotFate, Zone};
use crate::value::TypeInfo;

static REPORT: DagDef = DagDef {
    id: "report",
    module: "tests",
    doc: "",
    location: SourceLocation { file: file!(), line: line!(), column: column!() },
    options: DagOptions::NONE,
    params: Vec::new,
    result: TypeInfo::of_value::<()>(),
    trace: |_| None,
    plan: PlanCell::new(),
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn due(expression: &str) -> Consumer {
    let cron = Cron::parse(expression, Zone::UTC).unwrap();
    let input = EventInput::new("orders", "warehouse/orders", Takes::One);
    Consumer { schedule: Some(Schedule::of(Crons::from(cron))), ..Consumer::new(vec![input]) }
}

/// Daily until 15:30, then paused, then hourly: the slots from 01:00 to 15:00 were those of the
/// pause, and ran with `--catchup all`.
#[tokio::test]
async fn the_slots_of_a_pause_of_a_dag_with_events_begin_with_it() {
    let (journal, midnight) = (Journal::in_memory().unwrap(), at("2026-03-02T00:00:00Z"));
    let (daily, hourly) = (due("0 0 * * *"), due("0 * * * *"));
    let state = ConsumerState::first_seen(&daily, midnight, 0, false);
    assert!(store(&journal, &REPORT, 0, &state, (Vec::new(), Vec::new()), midnight).await.unwrap());
    let now = at("2026-03-02T15:30:00Z");
    pause(&journal, &REPORT, &daily, &Note::default(), None, now).await.unwrap();
    let (ended, how) = (at("2026-03-02T17:10:00Z"), (Catchup::None, Unpause::All));
    let slots = unpause(&journal, &REPORT, &hourly, &Note::default(), how, ended).await.unwrap();
    let [slots] = &slots[..] else { panic!("{slots:?}") };
    let recorded = (slots.first, slots.count, &*slots.fate);
    assert_eq!(recorded, (at("2026-03-02T16:00:00Z"), 2, SlotFate::Paused.name()));
}
