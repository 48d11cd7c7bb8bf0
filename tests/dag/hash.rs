//! The structural hash of a graph.
#![allow(
    clippy::let_and_return,
    clippy::needless_pass_by_value,
    reason = "how a task is written and how it takes its inputs is part of what is tested"
)]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use taskflow::DagOptions;
use taskflow::prelude::*;
use taskflow::schedule::{Calendar, Catchup, Expression, Shift};

use crate::support::{build, clean, extract, load, notify, sweep};

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
