//! What `#[task]` and `#[dag]` register.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskflow::prelude::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flight {
    carrier: String,
    delay: i32,
}

/// Reads one day of flights.
///
/// From the landing folder.
#[task(retries = 3, retry_delay = "5s", timeout = "10m", tags = ["io"])]
async fn extract(day: Date) -> Result<Vec<Flight>> {
    if day.year() < 2000 {
        return Err("too early")?;
    }
    Ok(vec![Flight { carrier: "KE".to_owned(), delay: 7 }])
}

#[task]
fn clean(flights: &[Flight], late_after: u32) -> Vec<Flight> {
    flights.iter().filter(|flight| flight.delay > late_after.cast_signed()).cloned().collect()
}

#[task(blocking, pool = "warehouse", pool_slots = 2, priority = -3)]
fn load(table: &str, ctx: &TaskContext, mut rows: Vec<Flight>) -> Result<u64, String> {
    let _ = (table, ctx.attempt());
    rows.clear();
    Ok(rows.len() as u64)
}

/// Runs whatever happens.
#[task(id = "clean-up", doc = "Removes the landing files.", trigger_rule = "all_done")]
fn sweep() {}

taskflow::pool!("warehouse", slots = 4);

/// Daily delays per carrier.
#[dag(
    schedule = "0 6 * * *",
    timezone = "Asia/Seoul",
    start = "2026-01-01",
    catchup,
    default(retries = 2, retry_delay = "1m")
)]
fn delays(
    #[param(default = |run| run.data_interval().start_date())] day: Date,
    /// Minutes that count as late.
    #[param(default = 15, range = 0..=600)]
    late_after_min: u32,
) -> u64 {
    let flights = clean(extract(day), late_after_min);
    let loaded = load("delays", flights);
    loaded >> sweep();
    loaded
}

#[test]
fn a_task_is_registered_with_the_options_of_its_attribute() {
    let def = extract::def();
    assert_eq!(def.id, "extract");
    assert_eq!(def.doc, "Reads one day of flights.\n\nFrom the landing folder.");
    assert_eq!(def.module, "definitions");
    assert_eq!(def.location.to_string(), "tests/definitions/main.rs:18:10");
    assert_eq!(def.options.retries, Some(3));
    assert_eq!(def.options.retry_delay, Some(Duration::from_secs(5)));
    assert_eq!(def.options.timeout, Some(Duration::from_secs(600)));
    assert_eq!(def.options.tags, ["io"]);
    assert_eq!(def.output.short(), "Vec<Flight>");
    assert_eq!(def.kind.name(), "async");
    assert!(!def.takes_context);

    let def = load::def();
    let inputs: Vec<_> = def.inputs.iter().map(|input| (input.name, input.ty.short())).collect();
    assert_eq!(inputs, [("table", "String".to_owned()), ("rows", "Vec<Flight>".to_owned())]);
    assert!(def.takes_context);
    assert_eq!(def.kind.name(), "blocking");
    assert_eq!(def.options.priority, Some(-3));

    assert_eq!(sweep::def().id, "clean-up");
    assert_eq!(sweep::def().doc, "Removes the landing files.");
    assert_eq!(sweep::def().options.trigger_rule, Some(TriggerRule::AllDone));
}

#[test]
fn a_dag_is_registered_with_its_graph() {
    let def = delays::def();
    assert_eq!(def.doc, "Daily delays per carrier.");
    assert_eq!(def.options.schedule, Some("0 6 * * *".into()));
    assert_eq!(def.options.catchup, Some(taskflow::schedule::Catchup::All));
    let plan = def.plan().expect("the graph is sound");
    let ids: Vec<_> = plan.nodes().map(taskflow::graph::Node::id).collect();
    assert_eq!(ids, ["extract", "clean", "load", "clean-up"]);
    let params = (def.params)();
    assert_eq!(params[0].default_text, Some("|run| run.data_interval().start_date()"));
    assert_eq!(params[1].default_text, Some("15"));
    assert_eq!(params[1].range_text, Some("0..=600"));
    assert_eq!(params[1].help, "Minutes that count as late.");
}

#[test]
fn a_task_can_be_called_without_a_dag() {
    let late = clean::call(&[Flight { carrier: "OZ".to_owned(), delay: 30 }], 15);
    assert_eq!(late.len(), 1);
    assert_eq!(load::call("t", &TaskContext::detached("load"), late), Ok(0));
}

#[test]
fn everything_is_in_the_registry() {
    let tasks: Vec<_> = taskflow::Registry::tasks().iter().map(|task| task.id).collect();
    assert_eq!(tasks, ["clean", "clean-up", "extract", "load"]);
    let dags: Vec<_> = taskflow::Registry::dags().iter().map(|dag| dag.id).collect();
    assert_eq!(dags, ["delays"]);
}
