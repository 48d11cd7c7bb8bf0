//! Branches and projections are silent under strict lints, and their names do not collide.
#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused_qualifications,
    unused_results,
    rust_2018_idioms,
    rust_2024_compatibility,
    single_use_lifetimes,
    trivial_casts,
    unused_lifetimes,
    let_underscore_drop,
    clippy::all,
    clippy::pedantic
)]
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use taskflow::prelude::*;

/// Where to go.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Route {
    /// A few.
    Small(u32),
    /// Many.
    Large {
        /// All of them.
        rows: Vec<u32>,
        /// How many at once.
        parts: u32,
    },
    /// None.
    Nothing,
    /// Six of them.
    Six(u32, u32, u32, u32, u32, String),
}

#[task]
fn route(n: u32) -> Route {
    if n == 0 { Route::Nothing } else { Route::Small(n) }
}

#[task]
fn number(n: u32) -> u32 {
    n
}

#[task]
fn regions() -> BTreeMap<String, (u32, String)> {
    BTreeMap::new()
}

#[task]
fn check() -> bool {
    true
}

/// Everything once.
#[dag]
pub fn example(n: u32) -> u32 {
    // Names of ours in the expansion.
    let branch = number(n);
    let (arm, value, results) = (branch, branch, number(2));
    let (count, _) = regions().get("eu").unzip();
    let first = branch!(route(n) => {
        Route::Small(branch) => number(branch),
        Route::Large { rows: arm, parts: _inside } => number(arm.map(|rows| rows[0])),
        Route::Nothing => branch!(route(arm) => {
            Route::Small(value) => value,
            Route::Six(.., results, _) => { results }
            _ => results,
        }),
        Route::Six(a, b, c, d, e, f) => {
            let sum = number(a).after([number(b), number(c), number(d)]);
            only_if(f.map(String::is_empty), || number(e)).after(sum)
        }
    });
    only_if(check(), || {
        let _ = number(value);
    });
    when(check(), || number(first)).otherwise(|| count)
}

/// Nothing to give.
#[dag]
pub fn effects(route: Route) {
    branch!(route => {
        Route::Small(n) => { let _ = number(n); branch!(check() => { true => {}, false => {} }) },
        Route::Large { .. } | Route::Six(..) | Route::Nothing => {}
    });
}

/// Starts it.
fn main() {
    assert!(example::def().plan().is_ok());
    assert!(effects::def().plan().is_ok());
}
