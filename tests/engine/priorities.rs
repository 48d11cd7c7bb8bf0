//! What starts first: priorities, and the order among equal ones.
#![allow(clippy::needless_pass_by_value, reason = "tasks take what their parameters say")]

use std::sync::Mutex;

use taskflow::prelude::*;
use taskflow_tests::common::{Gate, finish, live, locked, reference};

use crate::support::{build, count, engine, many, start, workers};

static ORDERS: Mutex<Vec<(String, i32)>> = Mutex::new(Vec::new());

/// Notes that it ran, under the name of its test.
#[task]
fn note(test: &str, number: i32) {
    locked(&ORDERS).push((test.to_owned(), number));
}

#[task]
async fn note_later(test: &str, number: i32) {
    locked(&ORDERS).push((test.to_owned(), number));
}

/// What was noted under this name since the last look.
fn noted(test: &str) -> Vec<i32> {
    let mut orders = locked(&ORDERS);
    let (mine, others) = orders.drain(..).partition(|(of, _)| of == test);
    *orders = others;
    let mine: Vec<(String, i32)> = mine;
    mine.into_iter().map(|(_, number)| number).collect()
}

#[test]
fn the_highest_priority_starts_first() {
    static RELEASE: Gate = Gate::new();
    #[task]
    fn holds_the_worker() {
        RELEASE.pass();
    }
    let priorities = [0, 5, -3, i32::MAX, 7, 5, i32::MIN, 0];
    let dag = build(|| {
        let first = holds_the_worker().priority(i32::MAX);
        for priority in priorities {
            note("priority", priority).priority(priority).after(first);
        }
        first
    });
    let expected = [i32::MAX, 7, 5, 5, 0, 0, -3, i32::MIN];
    RELEASE.open();
    reference(dag.run());
    assert_eq!(noted("priority"), expected);
    live(dag.run().engine(&workers(1)));
    assert_eq!(noted("priority"), expected);
}

#[test]
fn among_equal_priorities_the_longest_ready_task_starts_first() {
    let dag = build(|| many(20, || note("fifo", 1)));
    reference(dag.run());
    assert_eq!(noted("fifo").len(), 20);
    let dag = build(|| {
        let tasks: Vec<_> = (0..100).map(|number| note("order", number)).collect();
        tasks[0]
    });
    let expected: Vec<i32> = (0..100).collect();
    reference(dag.run());
    assert_eq!(noted("order"), expected);
    live(dag.run().engine(&workers(1)));
    assert_eq!(noted("order"), expected);
}

/// "limits and priorities hold"
#[test]
fn priorities_apply_across_kinds_of_tasks_on_the_reference_driver() {
    let dag = build(|| {
        note("kinds", 1).priority(1);
        note_later("kinds", 3).priority(3);
        note("kinds", 2).priority(2);
        note_later("kinds", 0)
    });
    reference(dag.run());
    assert_eq!(noted("kinds"), [3, 2, 1, 0]);
}

#[test]
fn priorities_apply_across_kinds_of_tasks_under_a_limit() {
    static RELEASE: Gate = Gate::new();
    #[task]
    fn holds_the_slot() {
        RELEASE.pass();
    }
    let engine = engine(|engine| engine.workers(count(1)).max_active_tasks(count(1)));
    let dag = build(|| {
        let first = holds_the_slot();
        note("limited", 1).priority(1).after(first);
        note_later("limited", 3).priority(3).after(first);
        note("limited", 2).priority(2).after(first);
        note_later("limited", 0).after(first)
    });
    let handle = start(&dag, &engine);
    RELEASE.open();
    finish(handle);
    assert_eq!(noted("limited"), [3, 2, 1, 0]);
}

/// A pool of one slot, and both kinds waiting for it.
#[test]
fn priorities_apply_across_kinds_of_tasks_in_a_pool() {
    static RELEASE: Gate = Gate::new();
    #[task(pool = "one")]
    fn holds_the_slot() {
        RELEASE.pass();
    }
    let dag = build(|| {
        let first = holds_the_slot();
        note("pooled", 1).pool("one").priority(1).after(first);
        note_later("pooled", 3).pool("one").priority(3).after(first);
        note("pooled", 2).pool("one").priority(2).after(first);
        note_later("pooled", 0).pool("one").after(first)
    });
    let handle = start(&dag, &workers(2));
    RELEASE.open();
    finish(handle);
    assert_eq!(noted("pooled"), [3, 2, 1, 0]);
}
