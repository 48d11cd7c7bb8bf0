//! What calls inside a DAG add to its graph: ids, groups and options; calls outside one.

use std::sync::Arc;
use std::time::Duration;

use taskflow::graph::{GroupIndex, Node, NodeIndex};
use taskflow::prelude::*;
use taskflow::{DagOptions, RetryPolicy, TaskOptions};
use taskflow_tests::common::{on_both_drivers, panic_of};

use crate::support::{build, clean, extract, ids, load, notify, sweep};

// Ids.

#[test]
fn a_task_called_several_times_is_numbered() {
    let dag = build(|| clean(clean(clean(extract()))));
    assert_eq!(ids(dag.plan()), ["extract", "clean", "clean_2", "clean_3"]);
}

#[test]
fn an_id_of_the_call_or_the_function_replaces_the_name() {
    let dag = build(|| {
        sweep();
        clean(clean(extract().id("source")).id(String::from("first.clean-up_1")))
    });
    // A call with an id of its own does not count.
    assert_eq!(ids(dag.plan()), ["clean-up", "source", "first.clean-up_1", "clean"]);
}

#[test]
fn the_last_id_of_a_call_wins() {
    assert_eq!(ids(build(|| extract().id("a").id("b")).plan()), ["b"]);
}

#[test]
fn ids_can_use_any_script() {
    assert_eq!(ids(build(|| extract().id("항공편")).plan()), ["항공편"]);
}

#[test]
fn a_loop_adds_a_node_per_iteration() {
    let dag = build(|| {
        let mut rows = extract();
        for table in ["a", "b", "c"] {
            rows = load(table, rows).id(format!("load-{table}"));
        }
        rows
    });
    assert_eq!(ids(dag.plan()), ["extract", "load-a", "load-b", "load-c"]);
    on_both_drivers(&dag, |report| assert_eq!(report.result(), Some(&4)));
}

#[test]
fn a_node_has_the_source_line_of_its_call() {
    let line = line!() + 1;
    let dag = Dag::build("graph", || clean(extract().id("renamed"))).expect("the graph is sound");
    let place = dag.plan().node(NodeIndex::new(0)).location();
    assert_eq!((place.file, place.line), (file!(), line));
    assert_eq!(dag.plan().location().line, line);
}

#[test]
fn a_node_inside_a_helper_function_has_the_line_inside_it() {
    const LINE: u32 = line!() + 2;
    fn helper() -> Output<u32> {
        clean(extract())
    }
    let dag = build(helper);
    assert!(dag.plan().nodes().all(|node| node.location().line == LINE));
}

// Groups.

#[test]
fn a_group_prefixes_ids_with_its_name() {
    let dag = build(|| {
        let rows = extract();
        group("warehouse", || load("flights", clean(rows)).id("last"))
    });
    assert_eq!(ids(dag.plan()), ["extract", "warehouse.clean", "warehouse.last"]);
    let warehouse = dag.plan().group_indices().next();
    let groups: Vec<_> = dag.plan().nodes().map(Node::group).collect();
    assert_eq!(groups, [None, warehouse, warehouse]);
}

#[test]
fn groups_nest_and_number_their_tasks_separately() {
    let dag = build(|| {
        let rows = group("outer", || {
            let rows = group("inner", || clean(clean(extract())));
            let rows = group("inner", || clean(rows));
            clean(rows)
        });
        group("outer", || group("inner", || clean(rows)))
    });
    assert_eq!(
        ids(dag.plan()),
        [
            "outer.inner.extract",
            "outer.inner.clean",
            "outer.inner.clean_2",
            "outer.inner_2.clean",
            "outer.clean",
            "outer_2.inner.clean"
        ]
    );
    let groups: Vec<_> =
        dag.plan().groups().iter().map(|group| (&*group.id, group.parent.map(GroupIndex::as_u32))).collect();
    assert_eq!(
        groups,
        [
            ("outer", None),
            ("outer.inner", Some(0)),
            ("outer.inner_2", Some(0)),
            ("outer_2", None),
            ("outer_2.inner", Some(3))
        ]
    );
}

#[test]
fn a_function_with_a_group_is_a_task_group() {
    fn ingest(table: &'static str) -> Output<u32> {
        group(table, || load(table, clean(extract())))
    }
    let dag = build(|| {
        ingest("flights");
        ingest("carriers")
    });
    assert_eq!(
        ids(dag.plan()),
        ["flights.extract", "flights.clean", "flights.load", "carriers.extract", "carriers.clean", "carriers.load"]
    );
}

#[test]
fn a_group_returns_the_value_of_its_body_even_outside_a_dag() {
    assert_eq!(group("nowhere", || 5), 5);
}

#[test]
fn a_group_ends_when_its_body_panics() {
    let dag = build(|| {
        let caught = std::panic::catch_unwind(|| group("broken", || panic!("inside the group")));
        assert!(caught.is_err());
        extract()
    });
    assert_eq!(ids(dag.plan()), ["extract"]);
}

// Options.

#[test]
fn the_innermost_setting_of_an_option_wins() {
    #[task(retries = 2, timeout = "1m", tags = ["function"])]
    fn configured() {}

    let mut options = DagOptions::NONE;
    options.task_defaults.retries = Some(1);
    options.task_defaults.priority = Some(7);
    options.task_defaults.retry_delay = Some(Duration::from_secs(3));
    options.task_defaults.tags = &["dag"];
    let dag = Dag::build_with("options", options, || {
        configured().retries(5).tags(&["call"]).id("call");
        notify().id("default");
        configured().id("function")
    });
    let dag = dag.expect("the graph is sound");
    let of = |id: &str| *dag.plan().node_options(dag.plan().find(id).expect("there is such a task"));
    assert_eq!(["call", "function", "default"].map(|id| of(id).retry.retries), [5, 2, 1]);
    assert_eq!(["call", "function", "default"].map(|id| of(id).tags[0]), ["call", "function", "dag"]);
    assert_eq!(["call", "function", "default"].map(|id| of(id).priority), [7; 3]);
    assert_eq!(of("call").retry.delay, Duration::from_secs(3));
    assert_eq!(of("call").timeout, Some(Duration::from_secs(60)));
    assert_eq!(of("default").timeout, None);
}

#[test]
fn options_have_their_documented_defaults() {
    let dag = build(notify);
    let options = dag.plan().node_options(NodeIndex::new(0));
    assert_eq!(
        options.retry,
        RetryPolicy {
            retries: 0,
            delay: Duration::from_secs(10),
            backoff: Backoff::Constant,
            max_delay: Duration::from_secs(24 * 60 * 60)
        }
    );
    assert_eq!((options.timeout, options.pool, options.pool_slots, options.priority), (None, None, 1, 0));
    assert_eq!((options.trigger_rule, options.tags), (TriggerRule::AllSuccess, &[][..]));
}

#[test]
fn default_options_are_empty() {
    assert_eq!(TaskOptions::default(), TaskOptions::NONE);
    assert_eq!(DagOptions::default(), DagOptions::NONE);
}

// Outside a graph.

#[test]
fn calling_a_task_outside_a_dag_reports_where_and_what_to_do() {
    let line = line!() + 1;
    let (message, place) = panic_of(|| clean(5));
    assert_eq!(place, format!("{}:{line}", file!()));
    assert!(message.contains("`clean`"), "{message}");
    assert!(message.contains("outside a `#[dag]` function"), "{message}");
    assert!(message.contains("`clean::call(..)`"), "{message}");
}

#[test]
fn calling_a_task_after_the_dag_function_returned_is_an_error() {
    build(extract);
    let _ = Dag::build("broken", || -> Output<u32> { panic!("on purpose") });
    let (message, _) = panic_of(extract);
    assert!(message.contains("outside a `#[dag]` function"), "{message}");
}

#[dag]
fn inner() -> u32 {
    extract()
}

#[test]
fn a_dag_function_can_read_the_plan_of_another_dag() {
    let dag = build(|| {
        let rows = extract();
        let other = inner::def().plan().expect("the graph is sound");
        assert_eq!(ids(&other), ["extract"]);
        clean(rows)
    });
    assert_eq!(ids(dag.plan()), ["extract", "clean"]);
}

#[test]
fn a_dag_function_is_called_once_per_process() {
    let first = inner::def().plan().expect("the graph is sound");
    let second = inner::def().plan().expect("the graph is sound");
    assert!(Arc::ptr_eq(&first, &second));
}
