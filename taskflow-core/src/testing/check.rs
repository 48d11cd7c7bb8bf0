//! Checks every DAG of the program without running it.

use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;

use super::event_cycles::event_cycles;
use crate::asset::Assets;
use crate::base::{Timestamp, catch};
use crate::dag::{DagDef, Plan, Registry};
use crate::run::RunInfo;

/// Builds every DAG linked into the program and checks what can be checked without running it, in
/// one line of a test:
///
/// ```no_run
/// # #[allow(clippy::test_attr_in_doctest)]
/// #[test]
/// fn every_dag_is_sound() {
///     taskflow::testing::check_dags();
/// }
/// ```
///
/// - the graph has no mistakes, and no two DAGs have the same id;
/// - assets with the same name have the same types;
/// - every pool used by a task is declared, and large enough for it;
/// - the defaults of parameters are valid, and a DAG with a schedule or with events has a default
///   for every other parameter;
/// - event parameters agree with their assets and with each other, and no DAGs start each other's
///   runs through events for ever.
///
/// A test program is linked with the DAGs of the crates that it names; see "Tasks in another crate"
/// in the guide.
///
/// # Panics
///
/// If there are mistakes, with all of them; and if there is no DAG, because then nothing was
/// checked.
#[track_caller]
pub fn check_dags() {
    let dags = Registry::dags();
    assert!(
        !dags.is_empty(),
        "no DAG is linked into this program, so none was checked; the linker omits a crate that the program does not use: use \
         one of its DAGs, as in `let _ = my_dags::daily::def();`"
    );
    let mut mistakes = String::new();
    for conflict in Assets::conflicts() {
        // Writing to a `String` cannot fail.
        let _ = write!(mistakes, "\n- {conflict}");
    }
    for (place, dag) in dags.iter().enumerate() {
        for mistake in mistakes_of(dag, &dags[..place]) {
            // Writing to a `String` cannot fail.
            let _ = write!(mistakes, "\n- `{}` ({}): {mistake}", dag.id, dag.location);
        }
    }
    for cycle in event_cycles(&dags) {
        let _ = write!(mistakes, "\n- their events start runs for ever: {}", cycle.join(" -> "));
    }
    assert!(mistakes.is_empty(), "the DAGs of this program have mistakes:{mistakes}");
}

fn mistakes_of(dag: &DagDef, before: &[&'static DagDef]) -> Vec<String> {
    let mut mistakes = Vec::new();
    if let Some(other) = before.iter().find(|other| other.id == dag.id) {
        mistakes.push(format!("another DAG has the same id: {}", other.location));
    }
    match dag.plan() {
        Ok(plan) => {
            mistakes.extend(mistakes_of_pools(&plan));
            mistakes.extend(mistakes_of_params(&plan));
            mistakes.extend(mistakes_of_events(dag, &plan));
        }
        Err(errors) => mistakes.push(errors.to_string()),
    }
    mistakes
}

fn mistakes_of_pools(plan: &Plan) -> Vec<String> {
    let pools = Registry::pools();
    let mut mistakes = Vec::new();
    for node in plan.node_indices() {
        let options = plan.node_options(node);
        let Some(name) = options.pool else { continue };
        let task = plan.node(node).id();
        match pools.iter().find(|pool| pool.name == name) {
            None => mistakes.push(format!("task `{task}` is in the pool `{name}`, which is not declared")),
            Some(pool) if pool.slots < options.pool_slots => mistakes.push(format!(
                "task `{task}` needs {} slots of the pool `{name}`, which has {}",
                options.pool_slots, pool.slots
            )),
            Some(_) => {}
        }
    }
    mistakes
}

fn mistakes_of_params(plan: &Plan) -> Vec<String> {
    let run = plan.options().complete(RunInfo::manual(plan.id(), Timestamp::now()));
    let mut mistakes = Vec::new();
    let starts = match plan.options().schedule {
        Some(_) => Some("it has a schedule"),
        None if plan.params().iter().any(|param| param.event.is_some()) => Some("events start its runs"),
        None => None,
    };
    for param in plan.params() {
        // A default is code of the user.
        match (catch(AssertUnwindSafe(|| param.default_for(&run))), starts) {
            (Err(crash), _) => mistakes.push(format!("the default of its parameter `{}` {crash}", param.name)),
            (Ok(Some(Err(error))), _) => mistakes.push(error.to_string()),
            (Ok(None), Some(why)) if param.event.is_none() => {
                mistakes.push(format!("{why}, so its parameter `{}` needs a default", param.name));
            }
            (Ok(Some(Ok(_)) | None), _) => {}
        }
    }
    mistakes
}

fn mistakes_of_events(dag: &DagDef, plan: &Plan) -> Vec<String> {
    let mut mistakes: Vec<String> = dag.consumer().err().map(|error| error.to_string()).into_iter().collect();
    for param in plan.params() {
        let Some(event) = &param.event else { continue };
        let Some(asset) = Assets::find(&event.asset) else { continue };
        if (asset.ty.short(), asset.partition) != (event.payload.short(), event.partition) {
            mistakes.push(format!(
                "its parameter `{}` takes events of `{}` with the payload `{}`, and the asset is declared at {} with `{}`",
                param.name,
                event.asset,
                event.payload.short(),
                asset.location,
                asset.ty.short()
            ));
        }
    }
    mistakes
}
