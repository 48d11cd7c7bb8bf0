//! What calls inside a DAG add to its graph: ids, groups, order, options; the mistakes found when
//! the graph is frozen; its structural hash; selections of it.
#![allow(
    clippy::let_and_return,
    clippy::needless_pass_by_value,
    reason = "how a task is written and how it takes its inputs is part of what is tested"
)]

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use taskflow::engine::{RunState, TaskReport, TaskState};
use taskflow::graph::{GroupIndex, Node, NodeIndex, Plan};
use taskflow::prelude::*;
use taskflow::schedule::{Calendar, Catchup, Expression, Shift};
use taskflow::{BuildError, BuildErrors, DagOptions, RetryPolicy, Selection, TaskOptions};
use taskflow_tests::common::{both, on_both_drivers, panic_of, state_of, states};

taskflow::pool!("warehouse", slots = 4);
taskflow::pool!("lake", slots = 1);

#[task]
fn extract() -> u32 {
    1
}

#[task]
fn clean(rows: u32) -> u32 {
    rows
}

#[task]
fn load(table: &str, rows: u32) -> u32 {
    u32::try_from(table.len()).unwrap_or(0) + rows
}

#[task]
fn notify() {}

#[task(id = "clean-up")]
fn sweep() {}

fn build<T: taskflow::Value>(body: impl FnOnce() -> Output<T>) -> Dag<T> {
    Dag::build("graph", body).expect("the graph is sound")
}

/// The mistakes of a graph that has some.
#[track_caller]
fn mistakes<T: taskflow::Value>(body: impl FnOnce() -> Output<T>) -> BuildErrors {
    match Dag::build("graph", body) {
        Ok(dag) => panic!("{:?} was accepted", dag.plan()),
        Err(errors) => errors,
    }
}

fn ids(plan: &Plan) -> Vec<&str> {
    plan.nodes().map(Node::id).collect()
}

/// The order edges, `a>b`, sorted.
fn orders(plan: &Plan) -> String {
    let mut edges: Vec<String> = Vec::new();
    for node in plan.node_indices() {
        for &(upstream, downstream) in plan.orders(node) {
            edges.push(format!("{}>{}", plan.node(upstream).id(), plan.node(downstream).id()));
        }
    }
    edges.sort();
    edges.join(" ")
}

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

// Order.

/// Nodes `a`, `b`, `c`, ..
fn nodes<const N: usize>() -> [Output<()>; N] {
    let mut letters = 'a'..;
    std::array::from_fn(|_| notify().id(letters.next().expect("there are more letters")))
}

#[test]
fn an_arrow_orders_two_tasks() {
    let dag = build(|| {
        let [a, b, c] = nodes();
        a >> b >> c
    });
    assert_eq!(orders(dag.plan()), "a>b b>c");
}

#[test]
fn an_arrow_goes_from_one_to_many_and_from_many_to_one() {
    let dag = build(|| {
        let [a, b, c, d] = nodes();
        let [_, c] = a >> [b, c];
        [b, c] >> d
    });
    assert_eq!(orders(dag.plan()), "a>b a>c b>d c>d");

    let dag = build(|| {
        let [a, b, c, d] = nodes();
        let list = a >> vec![b, c];
        list >> d
    });
    assert_eq!(orders(dag.plan()), "a>b a>c b>d c>d");
}

#[test]
fn outputs_of_different_types_are_ordered_in_tuples() {
    let dag = build(|| {
        let (number, unit) = (extract().id("number"), notify().id("unit"));
        let _ = number >> unit;
        let _ = unit >> (clean(number).id("x"), notify().id("y"), vec![notify().id("z")]);
        sweep().id("end").after((number, unit, [unit, unit]))
    });
    assert_eq!(orders(dag.plan()), "number>end number>unit unit>end unit>x unit>y unit>z");
}

#[test]
fn after_and_before_are_equivalent_to_arrows() {
    let dag = build(|| {
        let [a, b, c, d] = nodes();
        a.before(b).before([c, d]);
        d.after(b).after(vec![c])
    });
    assert_eq!(orders(dag.plan()), "a>b a>c a>d b>d c>d");
}

#[test]
fn a_repeated_order_edge_counts_once() {
    let dag = build(|| {
        let [a, b] = nodes();
        let _ = a >> b;
        a.before([b, b]);
        b.after(a)
    });
    assert_eq!(orders(dag.plan()), "a>b");
    on_both_drivers(&dag, |report| assert_eq!(states(report), "a=success b=success"));
}

#[test]
fn a_chain_connects_links_and_equal_lists_pair_by_pair() {
    let dag = build(|| {
        let [a, b, c, d, e, f] = nodes();
        chain((a, [b, c], vec![d, e], f));
        a
    });
    assert_eq!(orders(dag.plan()), "a>b a>c b>d c>e d>f e>f");
}

#[test]
fn a_chain_of_a_list_connects_its_elements() {
    let dag = build(|| {
        let list: [Output<()>; 4] = nodes();
        chain(list);
        chain(list.to_vec());
        list[0]
    });
    assert_eq!(orders(dag.plan()), "a>b b>c c>d");
}

#[test]
fn chain_linear_connects_each_with_each() {
    let dag = build(|| {
        let [a, b, c, d, e, f] = nodes();
        chain_linear(([a, b], [c, d, e], f));
        a
    });
    assert_eq!(orders(dag.plan()), "a>c a>d a>e b>c b>d b>e c>f d>f e>f");
}

#[test]
fn a_chain_can_have_twelve_links_of_different_types() {
    let dag = build(|| {
        let n = extract();
        let [a, b, c, d, e, f, g, h, i, j] = nodes();
        chain((n, a, b, [c, d], e, f, g, h, i, j, clean(n), sweep()));
        n
    });
    assert_eq!(orders(dag.plan()), "a>b b>c b>d c>e clean>clean-up d>e e>f extract>a f>g g>h h>i i>j j>clean");
}

#[test]
fn order_edges_override_the_order_of_the_calls() {
    let dag = build(|| {
        let [a, b, c] = nodes();
        c >> b >> a
    });
    on_both_drivers(&dag, |report| {
        let ended: Vec<_> = ["c", "b", "a"].map(|id| report.task(id).map(|task| task.ended())).into();
        assert!(ended.is_sorted(), "{ended:?}");
    });
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

// Mistakes, each alone.

#[test]
fn two_tasks_with_the_same_id_are_a_mistake() {
    let line = line!() + 1;
    let errors = mistakes(|| {
        extract().id("same");
        clean(extract()).id("same")
    });
    let [BuildError::DuplicateId { id, first, second }] = errors.errors() else { panic!("{errors}") };
    assert_eq!((&**id, first.line, second.line), ("same", line + 1, line + 2));
    assert_eq!(
        errors.to_string(),
        format!(
            "DAG `graph`: two tasks have the id `same`: one at {first}, one at {second}; give one of them another id with `.id(\"..\")`"
        )
    );
}

#[test]
fn an_id_that_collides_with_a_numbered_id_is_a_mistake() {
    let errors = mistakes(|| clean(clean(extract()).id("x")).id("clean_2").after(clean(clean(extract().id("y")))));
    let [BuildError::DuplicateId { id, .. }] = errors.errors() else { panic!("{errors}") };
    assert_eq!(id, "clean_2");
}

#[test]
fn an_id_with_invalid_characters_is_a_mistake() {
    for id in ["", "two words", "slash/", "tab\t", "new\nline", "a:b"] {
        let errors = mistakes(|| extract().id(id));
        let [BuildError::InvalidId { id: reported, at }] = errors.errors() else { panic!("{errors}") };
        assert_eq!((&**reported, at.file), (id, file!()));

        let errors = mistakes(|| group(id, extract));
        assert!(matches!(errors.errors(), [BuildError::InvalidId { .. }]), "{errors}");
    }
    let errors = mistakes(|| extract().id("x".repeat(251)));
    assert!(matches!(errors.errors(), [BuildError::InvalidId { .. }]), "{errors}");
    build(|| extract().id("x".repeat(250)));
}

#[test]
fn a_cycle_is_a_mistake_and_is_shown_with_its_members() {
    let line = line!();
    let errors = mistakes(|| {
        let [a, b, c, d] = nodes();
        let _ = a >> b;
        let _ = b >> c;
        let _ = c >> a;
        c >> d
    });
    let [BuildError::Cycle { members, edges }] = errors.errors() else { panic!("{errors}") };
    assert_eq!(members, &["a", "b", "c"]);
    let lines: BTreeSet<u32> = edges.iter().map(|at| at.line - line).collect();
    assert_eq!(lines, BTreeSet::from([3, 4, 5]));
    assert!(errors.to_string().contains("`a`, `b`, `c`"), "{errors}");
}

#[test]
fn a_task_after_itself_is_a_cycle() {
    let errors = mistakes(|| {
        let [a] = nodes();
        a >> a
    });
    let [BuildError::Cycle { members, .. }] = errors.errors() else { panic!("{errors}") };
    assert_eq!(members, &["a"]);
}

#[test]
fn a_cycle_can_close_through_a_data_edge() {
    let errors = mistakes(|| {
        let rows = extract();
        let cleaned = clean(rows);
        cleaned.before(rows);
        cleaned
    });
    let [BuildError::Cycle { members, edges }] = errors.errors() else { panic!("{errors}") };
    assert_eq!(members, &["extract", "clean"]);
    assert_eq!(edges.len(), 1, "only the order edge can be removed");
}

#[test]
fn two_cycles_are_two_mistakes() {
    let errors = mistakes(|| {
        let [a, b, c, d] = nodes();
        a.before(b).after(b);
        c.before(d).after(d)
    });
    let mut members: Vec<Vec<String>> = Vec::new();
    for error in errors.errors() {
        let BuildError::Cycle { members: of, .. } = error else { panic!("{errors}") };
        members.push(of.clone());
    }
    members.sort();
    assert_eq!(members, [["a", "b"], ["c", "d"]]);
}

thread_local! {
    static SMUGGLED: Cell<Option<Output<u32>>> = const { Cell::new(None) };
}

#[test]
fn an_output_of_another_graph_is_a_mistake_wherever_it_is_used() {
    build(|| {
        let rows = extract();
        SMUGGLED.set(Some(rows));
        rows
    });
    let foreign = SMUGGLED.get().expect("it was set above");
    #[task]
    fn total(rows: Vec<u32>) -> u32 {
        rows.iter().sum()
    }
    let uses: [fn(Output<u32>) -> Output<u32>; 7] = [
        |foreign| clean(foreign),
        |foreign| total([extract(), foreign]),
        |foreign| extract().after(foreign),
        |foreign| extract().before(foreign),
        |foreign| foreign >> extract(),
        |foreign| {
            foreign.retries(3);
            extract()
        },
        |foreign| foreign,
    ];
    for (position, use_it) in uses.into_iter().enumerate() {
        let errors = mistakes(|| use_it(foreign));
        let [BuildError::ForeignOutput { at }] = errors.errors() else { panic!("use {position}: {errors}") };
        assert_eq!(at.file, file!());
    }
}

#[test]
fn an_output_of_an_earlier_call_of_the_same_function_is_a_mistake() {
    let draw = || {
        let rows = extract();
        let earlier = SMUGGLED.replace(Some(rows));
        clean(earlier.unwrap_or(rows))
    };
    SMUGGLED.set(None);
    build(draw);
    let errors = mistakes(draw);
    assert!(matches!(errors.errors(), [BuildError::ForeignOutput { .. }]), "{errors}");
}

#[dag]
fn options_on_a_parameter(rows: u32) -> u32 {
    rows.retries(3);
    rows.before(notify());
    clean(rows)
}

#[test]
fn options_and_order_on_a_parameter_are_mistakes() {
    let errors = options_on_a_parameter::def().plan().expect_err("a parameter is no task");
    let [BuildError::NotATask { param, at }, BuildError::NotATask { at: second, .. }] = errors.errors() else {
        panic!("{errors}")
    };
    assert_eq!((&**param, second.line - at.line), ("rows", 1));
}

#[test]
fn an_undeclared_pool_is_a_mistake_with_a_suggestion() {
    let line = line!() + 1;
    let errors = mistakes(|| extract().pool("warehose"));
    let [BuildError::UnknownPool { task, pool, known, at }] = errors.errors() else { panic!("{errors}") };
    assert_eq!((&**task, &**pool, at.line), ("extract", "warehose", line));
    assert_eq!(known, &["lake", "warehouse"]);
    assert!(errors.to_string().contains("did you mean `warehouse`?"), "{errors}");
}

#[test]
fn every_task_with_an_undeclared_pool_is_named() {
    let errors = mistakes(|| clean(extract().pool("well")).pool("well"));
    let tasks: Vec<_> = errors
        .errors()
        .iter()
        .map(|error| match error {
            BuildError::UnknownPool { task, .. } => &**task,
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(tasks, ["extract", "clean"]);
}

#[test]
fn more_slots_than_the_pool_has_are_a_mistake() {
    build(|| extract().pool("warehouse").pool_slots(4));
    let errors = mistakes(|| extract().pool("warehouse").pool_slots(5));
    let [BuildError::PoolTooSmall { task, pool, wanted: 5, slots: 4, .. }] = errors.errors() else {
        panic!("{errors}")
    };
    assert_eq!((&**task, &**pool), ("extract", "warehouse"));
}

#[test]
fn a_chain_of_lists_of_different_lengths_is_a_mistake() {
    let line = line!() + 3;
    let errors = mistakes(|| {
        let [a, b, c, d, e] = nodes();
        chain(([a, b], [c, d, e]));
        a
    });
    let [BuildError::UnevenChain { left: 2, right: 3, at }] = errors.errors() else { panic!("{errors}") };
    assert_eq!(at.line, line);
    assert!(errors.to_string().contains("`chain_linear`"), "{errors}");
}

#[test]
fn a_rule_on_a_task_with_only_data_upstreams_is_a_mistake() {
    for rule in TriggerRule::ALL.into_iter().filter(|rule| *rule != TriggerRule::AllSuccess) {
        let errors = mistakes(|| clean(extract()).trigger_rule(rule));
        let [BuildError::RuleWithoutOrder { task, rule: named, .. }] = errors.errors() else { panic!("{errors}") };
        assert_eq!((&**task, &**named), ("clean", rule.name()));
    }
    // It has upstreams by order, or none at all.
    build(|| clean(extract()).trigger_rule(TriggerRule::AllDone).after(notify()));
    build(|| extract().trigger_rule(TriggerRule::AllDone));
}

#[test]
fn a_constant_without_a_json_form_is_a_mistake() {
    #[task]
    fn takes(_rows: u32, table: HashMap<(u8, u8), u8>) -> u32 {
        table.len() as u32
    }
    let errors = mistakes(|| takes(1, HashMap::from([((1, 2), 3)])));
    let [BuildError::Constant { task, input, message, .. }] = errors.errors() else { panic!("{errors}") };
    assert_eq!((&**task, &**input), ("takes", "table"));
    assert!(!message.is_empty());
}

#[dag]
fn with_a_wrong_default(#[param(default = 700, range = 0..=600)] minutes: u32) -> u32 {
    clean(minutes)
}

#[test]
fn an_invalid_default_is_a_mistake() {
    let errors = with_a_wrong_default::def().plan().expect_err("700 is out of range");
    let [BuildError::Param { param, message }] = errors.errors() else { panic!("{errors}") };
    assert_eq!(param, "minutes");
    assert!(message.contains("0..=600"), "{message}");
}

#[test]
fn a_dag_function_that_panics_is_a_mistake() {
    let errors = mistakes(|| -> Output<u32> {
        extract();
        panic!("the landing folder is {}", "gone")
    });
    let [BuildError::Panicked { message }] = errors.errors() else { panic!("{errors}") };
    assert!(message.contains("the landing folder is gone"), "{message}");
    // And the next graph is not touched by it.
    assert_eq!(ids(build(extract).plan()), ["extract"]);
}

#[test]
fn the_panic_of_a_dag_function_is_reported_with_its_location() {
    let line = line!() + 1;
    let errors = mistakes(|| -> Output<u32> { panic!("no place like home") });
    let place = format!("{}:{line}", file!());
    assert!(errors.to_string().contains(&place), "{errors}");
}

// Mistakes, together.

#[test]
fn all_mistakes_of_a_graph_are_reported_at_once() {
    #[task]
    fn takes(table: HashMap<(u8, u8), u8>) -> u32 {
        table.len() as u32
    }
    let errors = mistakes(|| {
        let [a, b, c] = nodes();
        chain(([a, b], [a, b, c]));
        a.before(b);
        b.before(a);
        extract().id("a");
        extract().id("no id");
        extract().pool("well");
        extract().pool("lake").pool_slots(2);
        clean(extract()).trigger_rule(TriggerRule::OneDone);
        takes(HashMap::from([((1, 2), 3)]))
    });
    let kinds: BTreeMap<&str, usize> = errors.errors().iter().fold(BTreeMap::new(), |mut kinds, error| {
        let kind = match error {
            BuildError::DuplicateId { .. } => "duplicate",
            BuildError::InvalidId { .. } => "invalid",
            BuildError::Cycle { .. } => "cycle",
            BuildError::UnknownPool { .. } => "pool",
            BuildError::PoolTooSmall { .. } => "small",
            BuildError::UnevenChain { .. } => "uneven",
            BuildError::RuleWithoutOrder { .. } => "rule",
            BuildError::Constant { .. } => "constant",
            other => panic!("{other}"),
        };
        *kinds.entry(kind).or_default() += 1;
        kinds
    });
    let expected = ["constant", "cycle", "duplicate", "invalid", "pool", "rule", "small", "uneven"];
    assert_eq!(kinds, BTreeMap::from(expected.map(|kind| (kind, 1))), "{errors}");
    let text = errors.to_string();
    assert!(text.starts_with("DAG `graph` has 8 mistakes:\n  - "), "{text}");
    assert_eq!(text.lines().count(), 9, "{text}");
    assert_eq!(errors.dag_id(), "graph");
}

#[test]
fn a_run_of_a_graph_with_mistakes_does_not_start() {
    let error = options_on_a_parameter::run(1).wait().map(|report| states(&report)).expect_err("it has mistakes");
    assert!(error.to_string().contains("options_on_a_parameter"), "{error}");
    let error = options_on_a_parameter::run(1).run_sequentially().map(|report| states(&report));
    assert!(error.is_err());
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

// The structural hash.

/// A graph in which everything that the hash covers occurs.
fn reference_graph() -> Dag<u32> {
    Dag::build("reference", || {
        let rows = extract().retries(2).retry_delay(Duration::from_secs(5));
        let cleaned = group("stage", || clean(rows));
        notify().after(cleaned).trigger_rule(TriggerRule::OneFailed);
        load("flights", cleaned).pool("warehouse").priority(3)
    })
    .expect("the graph is sound")
}

#[test]
fn the_hash_of_a_graph_does_not_depend_on_the_platform() {
    insta::assert_snapshot!(reference_graph().plan().hash(), @"b3485fa6af31dcc72768e9cc321161ce");
}

#[test]
fn the_hash_is_the_same_for_the_same_graph() {
    let hash = reference_graph().plan().hash().to_owned();
    assert_eq!(reference_graph().plan().hash(), hash);
    assert_eq!(hash.len(), 32);
    assert!(hash.chars().all(|digit| digit.is_ascii_hexdigit() && !digit.is_ascii_uppercase()));
}

mod before {
    use taskflow::prelude::*;

    /// Counts.
    #[task]
    pub(super) fn count(rows: u32) -> u32 {
        rows
    }

    #[dag]
    pub(super) fn daily(rows: u32) -> u32 {
        count(rows)
    }
}

mod after {
    use taskflow::prelude::*;

    // The same graph in another place, with other comments.

    /// A DAG with a doc comment.
    #[dag]
    pub(super) fn daily(rows: u32) -> u32 {
        // Counting takes long.
        let counted = count(rows);
        counted
    }

    #[task]
    #[rustfmt::skip]
    pub(super) fn count(rows: u32) -> u32 { let twice = rows * 2; twice - rows }
}

#[test]
fn the_hash_does_not_change_with_bodies_comments_and_locations() {
    let before = before::daily::def().plan().expect("the graph is sound");
    let after = after::daily::def().plan().expect("the graph is sound");
    assert_eq!(before.hash(), after.hash());
}

#[test]
fn the_hash_does_not_change_with_the_order_of_calls() {
    let one = build(|| {
        let (a, b) = (notify().id("a"), sweep().id("b"));
        extract().after([a, b])
    });
    let other = build(|| {
        let (b, a) = (sweep().id("b"), notify().id("a"));
        extract().after(a).after(b)
    });
    assert_eq!(one.plan().hash(), other.plan().hash());
}

/// Every way of changing a small graph; each must change the hash.
#[test]
fn the_hash_changes_with_every_part_of_a_graph() {
    #[task]
    fn total(first: u32, second: u32) -> u32 {
        first + second
    }
    #[task]
    fn total_of_options(first: Option<u32>, second: u32) -> u32 {
        first.unwrap_or(0) + second
    }
    #[task]
    fn list(rows: Vec<u32>) -> u32 {
        rows.iter().sum()
    }
    #[task]
    fn any(rows: AnyOf<u32>) -> u32 {
        *rows
    }
    #[task]
    fn shout(word: &str) -> u32 {
        word.len() as u32
    }
    #[task]
    fn pair(pair: (u32, String)) -> u32 {
        pair.0
    }
    type Draw = fn() -> Output<u32>;
    let changes: Vec<(&str, Draw)> = vec![
        ("base", || total(extract(), 1)),
        ("a node more", || {
            notify();
            total(extract(), 1)
        }),
        ("another id", || total(extract().id("other"), 1)),
        ("another function under the same id", || total(clean(1).id("extract"), 1)),
        ("another constant", || total(extract(), 2)),
        ("a constant in place of an edge", || {
            extract();
            total(1, 1)
        }),
        ("an edge in place of a constant", || {
            let rows = extract();
            total(rows, rows)
        }),
        ("the arguments exchanged", || total(1, extract())),
        ("another edge kind", || total_of_options(extract(), 1).id("total")),
        ("another result", || {
            let rows = extract();
            total(rows, 1);
            rows
        }),
        ("in a group", || group("g", || total(extract(), 1))),
        ("an order edge", || total(extract().after(notify()), 1)),
        ("the order edge elsewhere", || total(extract(), 1).after(notify())),
        ("a rule", || total(extract(), 1).after(notify()).trigger_rule(TriggerRule::OneFailed)),
        ("another rule", || total(extract(), 1).after(notify()).trigger_rule(TriggerRule::AllDone)),
        ("retries", || total(extract(), 1).retries(1)),
        ("more retries", || total(extract(), 1).retries(2)),
        ("a retry delay", || total(extract(), 1).retry_delay(Duration::from_secs(1))),
        ("a backoff", || total(extract(), 1).backoff(Backoff::Exponential { factor: 2.0 })),
        ("another factor", || total(extract(), 1).backoff(Backoff::Exponential { factor: 2.5 })),
        ("a longest delay", || total(extract(), 1).max_retry_delay(Duration::from_secs(60))),
        ("a time-out", || total(extract(), 1).timeout(Duration::from_secs(60))),
        ("a pool", || total(extract(), 1).pool("warehouse")),
        ("another pool", || total(extract(), 1).pool("lake")),
        ("more slots", || total(extract(), 1).pool("warehouse").pool_slots(2)),
        ("a priority", || total(extract(), 1).priority(1)),
        ("a negative priority", || total(extract(), 1).priority(-1)),
        ("a tag", || total(extract(), 1).tags(&["a"])),
        ("two tags", || total(extract(), 1).tags(&["a", "b"])),
        ("a list", || list([extract().id("a"), extract().id("b")])),
        ("the list in another order", || {
            let (a, b) = (extract().id("a"), extract().id("b"));
            list([b, a])
        }),
        ("any of the list", || any([extract().id("a"), extract().id("b")]).id("list")),
        ("a text", || shout("a")),
        ("a text that looks like the constant in JSON", || shout("\"a\"")),
        ("a text with a line break", || shout("a\n  value \"b\"")),
        ("a structured constant", || pair((1, "x".to_owned()))),
        ("another structured constant", || pair((1, "y".to_owned()))),
    ];
    let mut seen: HashMap<String, &str> = HashMap::new();
    for (change, draw) in changes {
        let hash = build(draw).plan().hash().to_owned();
        assert_eq!(build(draw).plan().hash(), hash, "{change}");
        if let Some(same) = seen.insert(hash, change) {
            panic!("`{change}` has the hash of `{same}`");
        }
    }
}

#[test]
fn the_hash_changes_with_every_option_of_the_dag() {
    type Change = fn(&mut DagOptions);
    fn holidays(source: &'static str) -> Expression<dyn Calendar> {
        Expression::new(source, || Arc::new(Vec::<Date>::new()))
    }

    let changes: [(&str, Change); 17] = [
        ("nothing", |_| {}),
        ("schedule", |options| options.schedule = Some("@daily".into())),
        ("another schedule", |options| options.schedule = Some("@hourly".into())),
        ("time zone", |options| options.timezone = Some("Asia/Seoul")),
        ("calendar", |options| options.except = Some(holidays("HOLIDAYS"))),
        ("another calendar", |options| options.except = Some(holidays("OTHERS"))),
        ("shift", |options| options.shift = Some(Shift::NextDay)),
        ("start", |options| options.start = Some("2026-01-01")),
        ("end", |options| options.end = Some("2026-01-01")),
        ("catchup", |options| options.catchup = Some(Catchup::All)),
        ("max_active_runs", |options| options.max_active_runs = Some(1)),
        ("max_active_tasks", |options| options.max_active_tasks = Some(1)),
        ("timeout", |options| options.timeout = Some(Duration::from_secs(1))),
        ("fail_fast", |options| options.fail_fast = true),
        ("tags", |options| options.tags = &["a"]),
        ("default retries", |options| options.task_defaults.retries = Some(1)),
        ("default pool", |options| options.task_defaults.pool = Some("lake")),
    ];
    let mut seen: HashMap<String, &str> = HashMap::new();
    for (change, apply) in changes {
        let mut options = DagOptions::NONE;
        apply(&mut options);
        let dag = Dag::build_with("graph", options, extract).expect("the graph is sound");
        if let Some(same) = seen.insert(dag.plan().hash().to_owned(), change) {
            panic!("`{change}` has the hash of `{same}`");
        }
    }
    let renamed = Dag::build("renamed", extract).expect("the graph is sound");
    assert!(!seen.contains_key(renamed.plan().hash()), "the id of the DAG is part of it");
}

/// One DAG under one name, with different parameters. Only its definition is used.
macro_rules! daily {
    ($($module:ident($($param:tt)*),)*) => {$(
        #[allow(dead_code, reason = "they are never run")]
        mod $module {
            use taskflow::prelude::*;

            #[task]
            fn work() -> u32 {
                1
            }

            #[dag]
            pub(super) fn daily($($param)*) -> u32 {
                work()
            }
        }
    )*};
}

daily! {
    none(),
    given(_rows: u32),
    renamed(_lines: u32),
    another_type(_rows: u64),
    with_default(#[param(default = 5)] _rows: u32),
    another_default(#[param(default = 6)] _rows: u32),
    ranged(#[param(default = 5, range = 0..=10)] _rows: u32),
    another_range(#[param(default = 5, range = 0..=11)] _rows: u32),
    chosen(#[param(choices = ["5", "6"])] _rows: u32),
    matching(#[param(pattern = "^[0-9]$")] _rows: u32),
}

#[test]
fn the_hash_changes_with_every_part_of_a_parameter() {
    let plans = [
        ("none", none::daily::def()),
        ("given", given::daily::def()),
        ("renamed", renamed::daily::def()),
        ("with a default", with_default::daily::def()),
        ("another default", another_default::daily::def()),
        ("a range", ranged::daily::def()),
        ("another range", another_range::daily::def()),
        ("choices", chosen::daily::def()),
        ("a pattern", matching::daily::def()),
    ];
    let mut seen: HashMap<String, &str> = HashMap::new();
    for (change, def) in plans {
        let hash = def.plan().expect("the graph is sound").hash().to_owned();
        if let Some(same) = seen.insert(hash, change) {
            panic!("`{change}` has the hash of `{same}`");
        }
    }
}

#[test]
fn the_hash_changes_with_the_type_of_a_parameter() {
    let hash = |def: &'static taskflow::DagDef| def.plan().expect("the graph is sound").hash().to_owned();
    assert_ne!(hash(given::daily::def()), hash(another_type::daily::def()));
}

// Parts.

/// a -> b -> d, a -> c -> d, with `e` beside and `f` after `d` by order.
fn diamond() -> Dag<u32> {
    #[task]
    fn join(left: u32, right: u32) -> u32 {
        left + right
    }
    build(|| {
        let a = extract().id("a");
        let (b, c) = (clean(a).id("b"), clean(a).id("c"));
        let d = join(b, c).id("d");
        notify().id("e");
        notify().id("f").after(d);
        d
    })
}

#[track_caller]
fn assert_part(select: impl Fn(&Plan) -> Selection, expected: &str) {
    let dag = diamond();
    both(
        || dag.run().select(select(dag.plan())),
        |report| {
            let taken: Vec<_> = report.tasks().filter(|task| task.state() != TaskState::Removed).collect();
            assert!(taken.iter().all(|task| task.state() == TaskState::Success), "{}", states(report));
            assert_eq!(taken.iter().map(TaskReport::id).collect::<String>(), expected);
            assert_eq!(report.state(), RunState::Success);
            assert_eq!(report.result().is_some(), expected.contains('d'));
        },
    );
}

#[test]
fn only_runs_a_task_and_its_upstreams() {
    let only = |task: &'static str| move |plan: &Plan| Selection::only(plan, task).expect("there is such a task");
    assert_part(only("a"), "a");
    assert_part(only("b"), "ab");
    assert_part(only("d"), "abcd");
    assert_part(only("e"), "e");
    assert_part(only("f"), "abcdf");
}

#[test]
fn from_runs_a_task_its_downstreams_and_their_upstreams() {
    let from = |task: &'static str| move |plan: &Plan| Selection::from(plan, task).expect("there is such a task");
    assert_part(from("a"), "abcdf");
    assert_part(from("b"), "abcdf");
    assert_part(from("e"), "e");
    assert_part(from("f"), "abcdf");
}

#[test]
fn an_unknown_selection_is_rejected_with_a_suggestion() {
    let dag = build(|| clean(extract()));
    let error = Selection::only(dag.plan(), "exract").expect_err("it is misspelt");
    assert_eq!(error.to_string(), "DAG `graph` has no task `exract`; did you mean `extract`?");
    let error = Selection::from(dag.plan(), "zzz").expect_err("there is none");
    assert_eq!(error.to_string(), "DAG `graph` has no task `zzz`");
}

#[test]
fn from_follows_order_edges_under_every_rule() {
    for rule in TriggerRule::ALL {
        let dag = build(|| {
            let [a, b] = nodes();
            b.after(a).trigger_rule(rule)
        });
        let selection = Selection::from(dag.plan(), "a").expect("there is such a task");
        assert!(selection.contains(NodeIndex::new(1)), "under {rule} the task downstream is left out");
    }
}

#[test]
fn a_failure_in_a_partial_run_fails_it_if_its_handler_is_removed() {
    #[task]
    fn fails() -> Result<u32> {
        Err("no")?
    }
    #[task]
    fn handles(_rows: Result<u32, Failure>) {}
    let dag = build(|| {
        let up = fails();
        handles(up);
        up
    });
    both(
        || dag.run().select(Selection::only(dag.plan(), "fails").expect("there is such a task")),
        |report| {
            assert_eq!(states(report), "fails=failed handles=removed");
            assert_eq!(report.state(), RunState::Failed);
        },
    );
    on_both_drivers(&dag, |report| assert_eq!(report.state(), RunState::Success));
}

#[test]
fn default_options_are_empty() {
    assert_eq!(TaskOptions::default(), TaskOptions::NONE);
    assert_eq!(DagOptions::default(), DagOptions::NONE);
}

#[dag]
fn draws_without_a_result() {
    let rows = extract();
    rows >> notify();
}

#[test]
fn a_dag_can_have_no_result() {
    both(draws_without_a_result::run, |report| {
        assert_eq!(states(report), "extract=success notify=success");
        assert_eq!(report.result(), None);
        assert_eq!(state_of(report, "notify"), TaskState::Success);
    });
}

#[task]
fn count(rows: u32) -> u32 {
    rows
}

#[task]
fn describe(rows: u32) -> String {
    format!("{rows} rows")
}

#[task]
fn skips_itself(rows: u32, ctx: &TaskContext) -> Result<u32> {
    Err(ctx.skip(format!("not {rows}")))?
}

/// A DAG with `-> (A, B)` that ends with an output for each part.
#[dag]
fn returns_a_tuple(rows: u32) -> (u32, String) {
    (count(rows), describe(rows))
}

/// A part can be whatever a parameter of its type takes.
#[dag]
fn returns_other_parts(rows: u32) -> (Vec<u32>, Option<u32>, u32, u8) {
    #[task]
    fn list(rows: u32) -> Vec<u32> {
        (0..rows).collect()
    }
    (list(rows).each(count), skips_itself(rows), rows, 7_u8)
}

/// The values of an `each` are a list.
#[dag]
fn returns_a_list(rows: u32) -> Vec<u32> {
    let (parts, ..) = returns_other_parts(rows).map(|all| (all.0.clone(), all.2)).unzip();
    parts.each(|n| count(n))
}

/// The output of a task that returns the whole tuple.
#[dag]
fn returns_the_tuple_of_a_task() -> (u32, u32) {
    #[task]
    fn pair() -> (u32, u32) {
        (1, 2)
    }
    pair()
}

#[dag]
fn uses_a_tuple() -> String {
    let (rows, text) = returns_a_tuple(3).unzip();
    #[task]
    fn join(rows: u32, text: String) -> String {
        format!("{rows}: {text}")
    }
    join(rows, text)
}

/// E3: a DAG that returns a tuple.
#[test]
fn a_dag_can_return_several_outputs() {
    both(
        || returns_a_tuple::run(3),
        |report| {
            assert_eq!(report.result(), Some(&(3, "3 rows".to_owned())));
            assert_eq!(states(report), "count=success describe=success result=success");
        },
    );
    both(|| returns_other_parts::run(2), |report| assert_eq!(report.result(), Some(&(vec![0, 1], None, 2, 7))));
    both(|| returns_a_list::run(2), |report| assert_eq!(report.result(), Some(&vec![0, 1])));
    both(returns_the_tuple_of_a_task::run, |report| assert_eq!(report.result(), Some(&(1, 2))));
    both(uses_a_tuple::run, |report| assert_eq!(report.result().unwrap(), "3: 3 rows"));
}

#[test]
fn a_dag_whose_part_fails_or_is_skipped_has_no_result() {
    let dag = Dag::build("skipped", || skips_itself(1)).unwrap();
    on_both_drivers(&dag, |report| assert_eq!(report.result(), None));
    #[dag]
    fn with_a_skipped_part() -> (u32, u32) {
        (count(1), skips_itself(1))
    }
    both(with_a_skipped_part::run, |report| {
        assert_eq!(report.result(), None);
        assert_eq!(states(report), "count=success skips_itself=skipped result=skipped");
        assert!(report.is_success());
    });
}

/// Parameters with a constant default, one from the run, a list and none.
#[dag]
fn with_defaults(
    #[param(default = |run| run.logical_date.date())] day: Date,
    name: String,
    #[param(default = 15, range = 0..=600)] late_after_min: u32,
    #[param(default = ["eu", "us"])] regions: Vec<String>,
    #[param(default = [1, -2])] request: Vec<i8>,
) -> String {
    #[task]
    fn show(day: Date, name: String, late: u32, regions: Vec<String>, numbers: Vec<i8>) -> String {
        format!("{day} {name} {late} {regions:?} {numbers:?}")
    }
    show(day, name, late_after_min, regions, request)
}

/// E9: `run_with_defaults` takes the parameters without a default; a method sets each of the
/// others.
#[test]
fn a_run_takes_defaults_for_parameters_that_are_not_set() {
    let date = "2026-01-31".parse().unwrap();
    both(
        || with_defaults::run_with_defaults("a".to_owned()).request().logical_date(date),
        |report| {
            assert_eq!(report.result().unwrap(), r#"2026-01-31 a 15 ["eu", "us"] [1, -2]"#);
        },
    );
    let some = || {
        let run =
            with_defaults::run_with_defaults("b".to_owned()).late_after_min(30).day(Date::new(2013, 1, 7).unwrap());
        run.regions(vec![]).param_request(vec![3])
    };
    both(|| some().request(), |report| assert_eq!(report.result().unwrap(), "2013-01-07 b 30 [] [3]"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let report = runtime.block_on(async { some().await }).unwrap();
    assert_eq!(report.result().unwrap(), "2013-01-07 b 30 [] [3]");
    let error = some().late_after_min(601).request().run_sequentially().unwrap_err();
    assert_eq!(error.to_string(), "parameter `late_after_min`: `601` is not in the range 0..=600");
}

/// E6: what `list`, `show` and the help of `run` show.
#[test]
fn a_default_is_shown_as_its_value() {
    let params = (with_defaults::def().params)();
    let shown: Vec<_> = params.iter().map(|param| param.default_view().map(|default| default.to_string())).collect();
    let shown: Vec<_> = shown.iter().map(Option::as_deref).collect();
    assert_eq!(shown, [Some("run.logical_date.date()"), None, Some("15"), Some(r#"["eu","us"]"#), Some("[1,-2]")]);
    let json: serde_json::Value = serde_json::from_str(&taskflow::render::render(
        &with_defaults::def().plan().unwrap(),
        taskflow::render::Format::Json,
    ))
    .unwrap();
    assert_eq!(json["params"][0]["default_from_run"], "run.logical_date.date()");
    assert_eq!(json["params"][3]["default"], serde_json::json!(["eu", "us"]));
}
