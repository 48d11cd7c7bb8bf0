//! What a clock that was a month ahead leaves behind: a run of a slot that is still to come.

use std::time::Duration;

use taskflow::prelude::*;
use taskflow::schedule::Catchup;
use taskflow::testing::{ServiceTest, Test};

const MONTH: Duration = Duration::from_secs(30 * 86_400);

#[task]
fn fetch(day: Date) -> String {
    format!("rates of {day}")
}

#[dag(schedule = "@hourly", pause_after_failures = 1)]
fn careful(#[param(default = |run| run.day())] day: Date) -> String {
    fetch(day)
}

#[dag(schedule = "@hourly", after_previous)]
fn in_turn(#[param(default = |run| run.day())] day: Date) -> String {
    fetch(day)
}

/// The run of a slot of the 31st fails, then the clock is right again and the schedule is reset.
fn after_the_clock_was_ahead(service: &mut ServiceTest, dag: &str) {
    service.at("2026-01-01T00:30:00Z").run_until("2026-01-01T00:31:00Z").clock_forward(MONTH);
    service.run_until("2026-01-01T00:32:00Z").clock_back(MONTH).reset_schedule(dag);
    assert_eq!(service.runs(dag).len(), 1);
}

/// The ids of the runs of a DAG, by logical date.
fn ids(service: &ServiceTest, dag: &str) -> Vec<String> {
    service.runs(dag).into_iter().map(|run| run.info.run_id).collect()
}

/// The run of the 31st stayed the last one: it paused the DAG again and again.
#[test]
fn a_run_of_a_slot_to_come_does_not_pause_its_dag() {
    let mut service = Test::service().dag_with(careful {}, |test| test.fail_times(fetch {}, 1, "no network"));
    after_the_clock_was_ahead(&mut service, "careful");
    assert!(service.pause_of("careful").is_some());
    service.unpause("careful", Catchup::None).run_until("2026-01-01T01:30:00Z");
    assert_eq!(ids(&service, "careful")[0], "scheduled__2026-01-01T01:00:00Z__careful");
    let pause = service.pause_of("careful").expect("its first run since then has failed");
    assert_eq!(pause.reason, "the run scheduled__2026-01-01T01:00:00Z__careful failed");
}

/// Each slot waited for the success of the run of the 31st.
#[test]
fn a_slot_does_not_wait_for_a_run_of_a_later_one() {
    let mut service = Test::service().dag_with(in_turn {}, |test| test.fail_times(fetch {}, 1, "no network"));
    after_the_clock_was_ahead(&mut service, "in_turn");
    service.run_until("2026-01-01T01:30:00Z");
    let ids = ids(&service, "in_turn");
    assert_eq!((ids.len(), &*ids[0]), (2, "scheduled__2026-01-01T01:00:00Z__in_turn"));
}
