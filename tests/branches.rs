//! Branches: parts of a graph that run or are skipped by what a task returned.
#![allow(clippy::needless_pass_by_value, clippy::ptr_arg, reason = "how tasks take their inputs is what is tested here")]

mod common;

use common::{both, failure_of, on_both_drivers, reference, state_of, states};
use serde::{Deserialize, Serialize};
use taskflow::engine::{RunState, TaskState};
use taskflow::graph::show::{Format, render};
use taskflow::prelude::*;

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Route {
    Small(u32),
    Large { rows: Vec<u32>, parts: u32 },
    Pair(u32, String),
    Nothing,
}

#[task]
fn route(name: &str) -> Result<Route> {
    Ok(match name {
        "small" => Route::Small(7),
        "large" => Route::Large { rows: vec![1, 2, 3], parts: 2 },
        "pair" => Route::Pair(3, "three".to_owned()),
        "nothing" => Route::Nothing,
        name => Err(format!("no route to {name}"))?,
    })
}

#[task]
fn say(n: u32) -> String {
    format!("{n}")
}

#[task]
fn split(rows: &[u32], parts: u32) -> String {
    format!("{rows:?} in {parts}")
}

#[task]
fn both_of(n: u32, name: &str) -> String {
    format!("{n} is {name}")
}

#[task]
fn empty() -> String {
    "empty".to_owned()
}

#[dag]
fn routed(name: String) -> String {
    branch!(route(name) => {
        Route::Small(n) => say(n),
        Route::Large { rows, parts } => split(rows, parts),
        Route::Pair(n, name) => both_of(n, name),
        Route::Nothing => empty(),
    })
}

#[test]
fn the_arm_of_the_variant_runs_with_what_the_variant_holds_and_the_others_are_skipped() {
    for (name, result, ran) in [
        ("small", "7", ["route.Small", "say"]),
        ("large", "[1, 2, 3] in 2", ["route.Large", "split"]),
        ("pair", "3 is three", ["route.Pair", "both_of"]),
        ("nothing", "empty", ["route.Nothing", "empty"]),
    ] {
        both(|| routed::run(name.to_owned()), |report| {
            assert_eq!(report.success().unwrap(), result);
            for task in report.tasks() {
                let runs = ["route", "route.joined"].contains(&task.id()) || ran.contains(&task.id());
                let expected = if runs { TaskState::Success } else { TaskState::Skipped };
                assert_eq!(task.state(), expected, "{} of {name}", task.id());
            }
        });
    }
}
