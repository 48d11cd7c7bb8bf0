//! The option `spread`: DAGs that are due at the same time do not all start at once.

use std::time::Duration;

use taskflow::DagDef;
use taskflow::journal::Journal;
use taskflow::ops::next_slots;
use taskflow::prelude::*;
use taskflow::testing::{ServiceTest, Test};

#[task]
fn nothing() {}

#[dag(schedule = "@hourly", spread = "30m")]
fn spread_out() {
    nothing();
}

#[dag(schedule = "@hourly", spread = "30m")]
fn spread_elsewhere() {
    nothing();
}

/// Each run of the slots, and how long after its slot it was created.
fn delays(service: &ServiceTest, dag: &str) -> Vec<(Timestamp, Duration)> {
    let runs = service.runs(dag);
    runs.iter().map(|run| (run.info.logical_date, run.created.since(run.info.logical_date))).collect()
}

fn offset(dag: &DagDef) -> Duration {
    dag.options.schedule(dag.id).expect("the options are valid").expect("it has a schedule").offset
}

#[test]
fn runs_start_at_the_offset_of_their_dag() {
    let (first, other) = (offset(spread_out::def()), offset(spread_elsewhere::def()));
    assert!(first > Duration::ZERO && first < Duration::from_secs(30 * 60), "{first:?}");
    assert_ne!(first, other, "each DAG has its own");
    let mut service = Test::service().dag(spread_out {}).dag(spread_elsewhere {});
    service.at("2026-01-01T00:45:00Z").run_until("2026-01-01T03:45:00Z");
    let slots: Vec<Timestamp> =
        (1..=5).map(|hour| format!("2026-01-01T0{hour}:00:00Z").parse().expect("a time")).collect();
    let expected = |offset: Duration, hours: usize| slots[..hours].iter().map(|&at| (at, offset)).collect::<Vec<_>>();
    assert_eq!(delays(&service, "spread_out"), expected(first, 3));
    assert_eq!(delays(&service, "spread_elsewhere"), expected(other, 3));
    // The next process has the same.
    service.crash();
    service.down_until("2026-01-01T03:50:00Z").run_until("2026-01-01T05:45:00Z");
    assert_eq!(delays(&service, "spread_out"), expected(first, 5));
    assert_eq!(delays(&service, "spread_elsewhere"), expected(other, 5));
}

#[tokio::test]
async fn the_next_slots_say_when_their_runs_start() {
    let journal: Option<&Journal> = None;
    let now: Timestamp = "2026-01-01T00:45:00Z".parse().expect("a time");
    for dag in [spread_out::def(), spread_elsewhere::def()] {
        let next = next_slots(journal, dag, now, 2).await.expect("it has a schedule");
        for (slot, at) in next.slots.iter().zip(["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"]) {
            assert_eq!((slot.at.to_string().as_str(), slot.starts), (at, slot.at + offset(dag)));
        }
        assert_eq!(next.slots.len(), 2);
    }
}
