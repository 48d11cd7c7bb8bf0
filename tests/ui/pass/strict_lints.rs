//! Generated code is silent under strict lints.
#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    missing_copy_implementations,
    unreachable_pub,
    unused_qualifications,
    unused_results,
    rust_2018_idioms,
    rust_2024_compatibility,
    single_use_lifetimes,
    trivial_casts,
    unused_lifetimes,
    let_underscore_drop,
    elided_lifetimes_in_paths,
    clippy::all,
    clippy::pedantic
)]
use taskflow::prelude::*;

/// A public task.
#[task(retries = 2, retry_delay = "1s", backoff = 1.5, tags = ["a"])]
pub async fn public(ctx: &TaskContext, name: &str) -> Result<String> {
    ctx.cancelled().await;
    Ok(name.to_owned())
}

/// A task without anything.
#[task]
pub fn nothing() {}

#[task]
fn private(all: &[String]) -> usize {
    all.len()
}

/// A public DAG.
#[dag(schedule = "@daily", default(retries = 1))]
pub fn example(
    /// Whom to greet.
    #[param(default = "Ada", pattern = "^[A-Z]")]
    name: String,
    #[param(default = 3, range = 1..)] count: u8,
) -> usize {
    let _ = count;
    nothing() >> nothing();
    private([public(name)])
}

/// A DAG without result.
#[dag]
pub fn other() {
    nothing();
}

/// Starts it.
fn main() {
    assert!(example::def().plan().is_ok());
    assert!(other::def().plan().is_ok());
    drop(example::run("Ada".to_owned(), 3));
}
