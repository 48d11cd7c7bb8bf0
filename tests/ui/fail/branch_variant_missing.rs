//! Every variant has its arm, as in a `match`.
use serde::{Deserialize, Serialize};
use taskflow::prelude::*;

#[derive(Clone, Serialize, Deserialize)]
enum Route {
    Small(u32),
    Large { rows: Vec<u32> },
    Nothing,
}

#[task]
fn route(n: u32) -> Route {
    match n {
        0 => Route::Nothing,
        1..9 => Route::Small(n),
        _ => Route::Large { rows: vec![n] },
    }
}

#[task]
fn number(n: u32) -> u32 {
    n
}

#[task]
fn word() -> String {
    String::new()
}

#[dag]
fn example(n: u32) -> u32 {
    branch!(route(n) => {
        Route::Small(n) => number(n),
        Route::Nothing => number(0),
    })
}

fn main() {}
