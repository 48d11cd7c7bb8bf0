//! What a pattern of a branch cannot have.
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

macro_rules! small {
    ($n:ident) => {
        Route::Small($n)
    };
}

#[dag]
fn example(n: u32) {
    branch!(route(n) => {
        Route::Small(n) if n > 3 => number(n),
        Route::Small(mut n) => number(n),
        #[cfg(windows)]
        Route::Large { .. } => number(1),
        Route::Large { ref rows } => number(rows.map(|rows| rows[0])),
        Route::Nothing => number(0),
    });
    branch!(route(n) => {
        small!(n) => number(1),
        _ => number(2),
    });
}

fn main() {}
