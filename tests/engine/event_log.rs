//! The events that an observer receives, in the order in which they happened.

use std::sync::{Arc, Mutex};

use taskflow::engine::{Engine, Event, Observer, RunState, TaskIndex, TaskState};
use taskflow::prelude::*;
use taskflow::{DagOptions, Plan, Selection};
use taskflow_tests::common::{Gate, Log, live, locked, reference};

#[task(retries = 2, retry_delay = "1m")]
fn extract(ctx: &TaskContext) -> Result<u32> {
    if ctx.attempt() == 1 { Err("the file is not there yet")? } else { Ok(3) }
}

#[task]
fn clean(rows: u32) -> u32 {
    rows
}

#[task]
fn publish(_rows: u32, ctx: &TaskContext) -> Result<u32> {
    Err(ctx.skip("nobody reads it on Sundays"))?
}

#[task(retries = 1, retry_delay = "30s")]
fn archive(_rows: u32) -> Result<()> {
    Err("the disk is full")?
}

#[task]
async fn tidy_up() {}

#[task(trigger_rule = "one_failed")]
fn alarm() {}

/// Has one of everything: a retry, a skip, a failure, what follows from them.
fn nightly() -> Dag<u32> {
    let dag = Dag::build("nightly", || {
        let rows = clean(extract());
        let published = publish(rows);
        clean(published).id("count");
        let archived = archive(rows);
        tidy_up().after(archived);
        let _ = [archived] >> alarm();
        rows
    });
    dag.expect("the graph is sound")
}

/// A line for each event; times count from the first.
fn story(plan: &Plan, events: &[Event]) -> String {
    let Some(Event::Task { at: start, .. } | Event::Run { at: start, .. }) = events.first() else {
        return String::new();
    };
    let line = |event: &Event| match event {
        Event::Task { at, task, attempt, from, to } => {
            let id = plan.node(plan.node_of(*task).expect("nothing is mapped")).id();
            format!("{:<4} {id}: {from} -> {to} (attempt {attempt})", format!("{}s", at.since(*start).as_secs()))
        }
        Event::Run { at, to } => format!("{:<4} run: {to}", format!("{}s", at.since(*start).as_secs())),
        other => format!("{other:?}"),
    };
    events.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn reference_story<T: taskflow::Value>(dag: &Dag<T>) -> String {
    let log = Log::default();
    reference(dag.run().observe(log.observer()));
    story(dag.plan(), &log.events())
}

#[test]
fn the_events_of_a_run_on_the_reference_driver() {
    insta::assert_snapshot!(reference_story(&nightly()), @r"
    0s   extract: none -> scheduled (attempt 0)
    0s   extract: scheduled -> running (attempt 1)
    0s   extract: running -> up_for_retry (attempt 1)
    60s  extract: up_for_retry -> scheduled (attempt 1)
    60s  extract: scheduled -> running (attempt 2)
    60s  extract: running -> success (attempt 2)
    60s  clean: none -> scheduled (attempt 0)
    60s  clean: scheduled -> running (attempt 1)
    60s  clean: running -> success (attempt 1)
    60s  publish: none -> scheduled (attempt 0)
    60s  archive: none -> scheduled (attempt 0)
    60s  publish: scheduled -> running (attempt 1)
    60s  publish: running -> skipped (attempt 1)
    60s  count: none -> skipped (attempt 0)
    60s  archive: scheduled -> running (attempt 1)
    60s  archive: running -> up_for_retry (attempt 1)
    90s  archive: up_for_retry -> scheduled (attempt 1)
    90s  archive: scheduled -> running (attempt 2)
    90s  archive: running -> failed (attempt 2)
    90s  tidy_up: none -> upstream_failed (attempt 0)
    90s  alarm: none -> scheduled (attempt 0)
    90s  alarm: scheduled -> running (attempt 1)
    90s  alarm: running -> success (attempt 1)
    90s  run: failed
    ");
}

#[test]
fn the_events_of_a_run_that_fails_fast() {
    let mut options = DagOptions::NONE;
    options.fail_fast = true;
    let dag = Dag::build_with("fast", options, || {
        let archived = archive(1);
        let rows = extract();
        clean(rows).after(archived)
    });
    insta::assert_snapshot!(reference_story(&dag.expect("the graph is sound")), @r"
    0s   archive: none -> scheduled (attempt 0)
    0s   extract: none -> scheduled (attempt 0)
    0s   archive: scheduled -> running (attempt 1)
    0s   archive: running -> up_for_retry (attempt 1)
    0s   extract: scheduled -> running (attempt 1)
    0s   extract: running -> up_for_retry (attempt 1)
    30s  archive: up_for_retry -> scheduled (attempt 1)
    30s  archive: scheduled -> running (attempt 2)
    30s  archive: running -> failed (attempt 2)
    30s  extract: up_for_retry -> skipped (attempt 1)
    30s  clean: none -> skipped (attempt 0)
    30s  run: failed
    ");
}

#[test]
fn the_events_of_a_partial_run_omit_the_rest_of_the_graph() {
    let dag = nightly();
    let selection = Selection::only(dag.plan(), "clean").expect("there is such a task");
    let log = Log::default();
    reference(dag.run().select(selection).observe(log.observer()));
    insta::assert_snapshot!(story(dag.plan(), &log.events()), @r"
    0s   extract: none -> scheduled (attempt 0)
    0s   extract: scheduled -> running (attempt 1)
    0s   extract: running -> up_for_retry (attempt 1)
    60s  extract: up_for_retry -> scheduled (attempt 1)
    60s  extract: scheduled -> running (attempt 2)
    60s  extract: running -> success (attempt 2)
    60s  clean: none -> scheduled (attempt 0)
    60s  clean: scheduled -> running (attempt 1)
    60s  clean: running -> success (attempt 1)
    60s  run: success
    ");
}

#[test]
fn a_graph_without_tasks_has_one_event() {
    #[taskflow::dag]
    fn gives_back(number: u32) -> u32 {
        number
    }
    let log = Log::default();
    reference(gives_back::run(1).observe(log.observer()));
    assert!(matches!(log.events()[..], [Event::Run { to: RunState::Success, .. }]));
    let log = Log::default();
    live(gives_back::run(1).observe(log.observer()));
    assert!(matches!(log.events()[..], [Event::Run { to: RunState::Success, .. }]));
}

/// The order between tasks may be another, that within a task is not.
#[test]
fn the_live_engine_emits_the_same_events_for_each_task() {
    let dag = Dag::build("live", || {
        let rows = clean(1);
        let left = clean(rows);
        let right = publish(rows);
        alarm().after(clean(right));
        archive(left).retry_delay(std::time::Duration::ZERO)
    });
    let dag = dag.expect("the graph is sound");
    let expected = Log::default();
    reference(dag.run().observe(expected.observer()));
    for workers in [1, 2, 4] {
        let engine = Engine::builder().workers(workers.try_into().expect("not zero")).build();
        let log = Log::default();
        live(dag.run().engine(&engine.expect("no pool is named")).observe(log.observer()));
        for node in dag.plan().node_indices() {
            let task = node.task();
            assert_eq!(log.of_task(task), expected.of_task(task), "{}", dag.plan().node(node).id());
        }
        assert!(matches!(log.events().last(), Some(Event::Run { to: RunState::Failed, .. })));
    }
}

#[test]
fn the_report_comes_after_the_last_event() {
    struct Slow {
        seen: Arc<Mutex<Vec<Event>>>,
        gate: &'static Gate,
    }
    impl Observer for Slow {
        fn on_event(&mut self, event: &Event) {
            // It may be slow without holding the tasks back.
            self.gate.pass();
            locked(&self.seen).push(event.clone());
        }
    }
    static ALL_RAN: Gate = Gate::new();
    #[task]
    fn opens() {
        ALL_RAN.open();
    }
    let seen = Arc::default();
    let dag = Dag::build("slow", || opens().after(clean(1))).expect("the graph is sound");
    live(dag.run().observe(Slow { seen: Arc::clone(&seen), gate: &ALL_RAN }));
    let seen = locked(&seen);
    assert_eq!(seen.len(), 7);
    assert!(matches!(seen.last(), Some(Event::Run { .. })));
}

#[test]
fn an_event_serializes_to_json() {
    let (at, task) = (Timestamp::EPOCH, TaskIndex::new(3));
    let task = Event::Task { at, task, attempt: 1, from: TaskState::Running, to: TaskState::UpForRetry };
    let run = Event::Run { at: Timestamp::EPOCH, to: RunState::Success };
    let json = |event| serde_json::to_string(event).expect("events have a JSON form");
    insta::assert_snapshot!(json(&task), @r#"{"event":"task","at":"1970-01-01T00:00:00Z","task":3,"attempt":1,"from":"running","to":"up_for_retry"}"#);
    insta::assert_snapshot!(json(&run), @r#"{"event":"run","at":"1970-01-01T00:00:00Z","to":"success"}"#);
}

#[test]
fn states_have_the_names_of_airflow() {
    use TaskState as S;
    let states = [
        S::None,
        S::Scheduled,
        S::Running,
        S::UpForRetry,
        S::Success,
        S::Failed,
        S::Skipped,
        S::UpstreamFailed,
        S::Cancelled,
        S::Removed,
    ];
    let names = [
        "none",
        "scheduled",
        "running",
        "up_for_retry",
        "success",
        "failed",
        "skipped",
        "upstream_failed",
        "cancelled",
        "removed",
    ];
    assert_eq!(states.map(S::name), names);
    for (state, name) in states.into_iter().zip(names) {
        assert_eq!(serde_json::to_string(&state).ok(), Some(format!("\"{name}\"")));
        assert_eq!(state.to_string(), name);
        assert_eq!(state.is_terminal(), !["none", "scheduled", "running", "up_for_retry"].contains(&name));
    }
    use RunState as R;
    let states = [R::Running, R::Success, R::Failed, R::Cancelled];
    assert_eq!(states.map(R::name), ["running", "success", "failed", "cancelled"]);
}
