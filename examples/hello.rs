//! Three tasks, one DAG: `cargo run --example hello -- run --name Ada`

use taskflow::prelude::*;

#[task]
fn greet(name: &str) -> String {
    format!("Hello, {name}!")
}

#[task]
fn measure(text: &str) -> usize {
    text.chars().count()
}

#[task]
fn frame(text: &str, width: usize) -> String {
    let line = "─".repeat(width + 2);
    format!("┌{line}┐\n│ {text} │\n└{line}┘")
}

/// Greets someone, in a frame of the right width.
#[dag]
pub fn hello(#[param(default = "world")] name: String) -> String {
    let greeting = greet(name);
    frame(greeting, measure(greeting))
}

taskflow::main!();
