//! What a DAG returns: nothing, an output, several.
#![allow(clippy::needless_pass_by_value, reason = "how a task takes its inputs is part of what is tested")]

use taskflow::engine::TaskState;
use taskflow::prelude::*;
use taskflow_tests::common::{both, on_both_drivers, state_of, states};

use crate::support::{extract, notify};

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
