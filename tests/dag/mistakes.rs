//! The mistakes that are found when a graph is frozen, each alone and together.
#![allow(clippy::needless_pass_by_value, reason = "how a task takes its inputs is part of what is tested")]

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use taskflow::BuildError;
use taskflow::prelude::*;
use taskflow_tests::common::states;

use crate::support::{build, clean, extract, ids, mistakes, nodes, notify};

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
