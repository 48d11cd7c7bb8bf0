//! The traditional style: nodes added by name with closures, ordered by arrows.

use taskflow::engine::RunState;
use taskflow::graph::BuildError;
use taskflow::prelude::*;
use taskflow::{BoxError, DagBuilder};
use taskflow_tests::common::{self, failure_of, on_both_drivers, panic_of, states};

#[test]
fn closures_are_nodes_and_arrows_order_them() {
    let dag = Dag::draw("etl", |dag| {
        let extract = dag.add("extract", |_ctx| Ok(vec![1, 2, 3]));
        let [clean, check] = ["clean", "check"].map(|id| dag.add(id, |ctx| Ok(format!("{} was here", ctx.task_id()))));
        let load = dag.add("load", |_ctx| Ok(()));
        chain((extract, [clean, check], load));
    });
    on_both_drivers(&dag.unwrap(), |report| {
        assert_eq!(states(report), "extract=success clean=success check=success load=success");
        let ended = |id: &str| report.task(id).expect("it is there").ended();
        assert!(ended("extract") <= ended("clean") && ended("check") <= ended("load"));
    });
}

#[task]
fn sum(numbers: Vec<u32>) -> u32 {
    numbers.into_iter().sum()
}

/// Both styles in one graph.
#[dag(default(retries = 1, retry_delay = "1s"))]
fn mixed(#[param(default = 3)] last: u32) -> u32 {
    let dag = DagBuilder::current();
    let ready = dag.add("ready", |ctx| match ctx.attempt() {
        1 => Err("not yet")?,
        _ => Ok(()),
    });
    let numbers = dag.add("numbers", |_ctx| Ok(vec![1, 2, 3]));
    ready >> numbers;
    sum([sum(numbers), last])
}

#[test]
fn a_closure_feeds_tasks_and_inherits_the_defaults_of_the_dag() {
    common::both(
        || mixed::run(4),
        |report| {
            assert_eq!(report.result(), Some(&10));
            assert_eq!(report.task("ready").expect("it is there").attempts().len(), 2);
        },
    );
}

#[test]
fn an_error_of_a_closure_fails_its_node() {
    let dag = Dag::draw("fails", |dag| {
        let fails = dag.add("fails", |_ctx| -> Result<(), BoxError> { Err("no such table")? });
        dag.add("after", |_ctx| Ok(())).after(fails);
    });
    on_both_drivers(&dag.unwrap(), |report| {
        assert_eq!(report.state(), RunState::Failed);
        assert_eq!(states(report), "fails=failed after=upstream_failed");
        assert_eq!(failure_of(report, "fails"), "no such table");
    });
}

#[test]
fn a_repeated_id_is_a_mistake() {
    let errors = Dag::draw("twice", |dag| {
        dag.add("load", |_ctx| Ok(()));
        dag.add("load", |_ctx| Ok(()));
    });
    let errors = errors.expect_err("two tasks have one id");
    assert!(matches!(errors.errors(), [BuildError::DuplicateId { id, .. }] if id == "load"), "{errors}");
}

#[test]
fn adding_a_node_outside_a_dag_is_an_error() {
    let (message, place) = panic_of(|| DagBuilder::current().add("load", |_ctx| Ok(())));
    assert!(message.contains("inside a `#[dag]` function or `Dag::draw`"), "{message}");
    assert!(place.contains("tests/dag/explicit.rs"), "{place}");
}

#[test]
fn values_are_pushed_and_pulled_by_name() {
    let dag = Dag::draw("by_name", |dag| {
        let extract = dag.add("extract", |ctx| {
            ctx.push("rows", vec![1_u32, 2, 3])?;
            ctx.push("source", "orders".to_owned())?;
            Ok(())
        });
        let load = dag.add("load", |ctx| {
            let (rows, source): (Vec<u32>, String) = (ctx.pull("extract", "rows")?, ctx.pull("extract", "source")?);
            ctx.push("loaded", format!("{} rows of {source}", rows.len()))?;
            Ok(())
        });
        let tell = dag.add("tell", |ctx| Ok(ctx.pull::<String>("load", "loaded")?));
        chain((extract, load, tell));
    });
    on_both_drivers(&dag.unwrap(), |report| assert_eq!(report.state(), RunState::Success, "{report:?}"));
}
