//! Builds from scratch: the default build, and the first run of an example.

use std::fs;

use super::process::{cargo, root, scratch, time};
use super::{Fact, Problem, round};

const BUILDS: [(&str, &[&str], &str); 2] = [
    ("`cargo build` from an empty target directory, default features", &["build", "--locked"], "3 min on 2 cores"),
    (
        "`cargo run --release --example delays` from an empty target directory",
        &["run", "--locked", "--release", "--example", "delays", "--", "run", "--durability", "ephemeral", "--quiet"],
        "2 min on 2 cores",
    ),
];

pub(super) fn measure() -> Result<Vec<Fact>, Problem> {
    // Download first, because only the build is timed.
    time(&mut cargo(&root(), &["fetch", "--locked"]))?;
    BUILDS.into_iter().map(|(what, args, budget)| Ok(Fact { what, measured: from_scratch(args)?, budget })).collect()
}

fn from_scratch(args: &[&str]) -> Result<String, Problem> {
    let target = scratch("cold-build")?;
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    let took = time(cargo(&root(), args).env("CARGO_TARGET_DIR", &target))?;
    fs::remove_dir_all(&target)?;
    Ok(round(took))
}
