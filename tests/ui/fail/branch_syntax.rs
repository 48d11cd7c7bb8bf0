//! How a branch is written.
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
fn nothing(n: u32) {
    branch!();
}

#[dag]
fn without_arms(n: u32) {
    branch!(route(n));
}

#[dag]
fn without_an_arrow(n: u32) {
    branch!(route(n) { Route::Small(n) => number(n) });
}

#[dag]
fn without_braces(n: u32) {
    branch!(route(n) => Route::Small(n) => number(n));
}

#[dag]
fn empty(n: u32) {
    branch!(route(n) => {});
}

#[dag]
fn more(n: u32) {
    branch!(route(n) => { _ => number(n) }, number(n));
}

#[dag]
fn like_a_match(n: u32) {
    branch!(match route(n) {
        _ => number(n),
    });
}

fn main() {}
