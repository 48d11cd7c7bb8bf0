//! One run for a range of slots, which must take its data interval. Case 64 of the design.

use taskflow::Interval;
use taskflow::graph::DagDef;
use taskflow::ops::{self, OpsError};
use taskflow::prelude::*;
use taskflow::schedule::{BackfillError, BackfillRequest, SlotRange};

use crate::support::utc;

#[task]
fn load(what: String) -> String {
    what
}

#[task]
fn ask(ctx: &TaskContext) -> Result<String> {
    Ok(ctx.data_interval()?.to_string())
}

#[dag(schedule = "@daily")]
fn whole_without() -> String {
    load("all".to_owned())
}

#[task]
fn of_day(day: Date) -> String {
    day.to_string()
}

#[dag(schedule = "@daily")]
fn whole_of_day(#[param(default = |run| run.day())] day: Date) -> String {
    of_day(day)
}

#[dag(schedule = "@daily")]
fn whole_of_end(#[param(default = |run| run.data_interval().end.to_string())] end: String) -> String {
    load(end)
}

#[task]
fn of_span(span: Interval) -> String {
    span.to_string()
}

#[dag(schedule = "@daily")]
fn whole_of_span(#[param(default = |run| run.data_interval())] span: Interval) -> String {
    of_span(span)
}

#[dag(schedule = "@daily")]
fn whole_of_start(#[param(default = |run| run.data_interval().start.to_string())] start: String) -> String {
    load(start)
}

#[dag(schedule = "@daily")]
fn whole_of_context() -> String {
    ask()
}

/// What a preview says of one run for January.
async fn previewed(dag: &'static DagDef) -> Result<u64, OpsError> {
    let ranges = vec![SlotRange { from: utc("2026-01-01"), to: utc("2026-01-31") }];
    let request = BackfillRequest { ranges, as_one_run: true, ..BackfillRequest::default() };
    ops::preview_backfill(None, dag, &request).await.map(|preview| preview.totals.slots)
}

#[tokio::test]
async fn a_dag_that_takes_the_interval_can_have_one_run_for_a_range() {
    for dag in [whole_of_span::def(), whole_of_start::def(), whole_of_context::def()] {
        assert_eq!(previewed(dag).await.expect("it takes the interval"), 31, "{}", dag.id);
    }
}

#[tokio::test]
async fn one_run_that_would_do_the_work_of_one_slot_is_refused() {
    for dag in [whole_without::def(), whole_of_day::def(), whole_of_end::def()] {
        let refused = previewed(dag).await.expect_err(dag.id);
        assert!(matches!(&refused, OpsError::Backfill { source: BackfillError::IntervalNotTaken, .. }), "{refused}");
    }
    let error = previewed(whole_of_day::def()).await.expect_err("it takes a day").to_string();
    assert!(error.starts_with("the DAG `whole_of_day` cannot be backfilled: nothing in it takes the data interval"));
}

#[tokio::test]
async fn runs_for_each_slot_need_no_interval() {
    let ranges = vec![SlotRange { from: utc("2026-01-01"), to: utc("2026-01-31") }];
    let request = BackfillRequest { ranges, ..BackfillRequest::default() };
    let preview = ops::preview_backfill(None, whole_of_day::def(), &request).await.expect("31 runs");
    assert_eq!(preview.totals.new, 31);
}
