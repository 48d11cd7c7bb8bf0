//! The default build from scratch.

use std::fs;

use super::process::{cargo, root, scratch, time};
use super::{Fact, Problem, round};

pub(super) fn measure() -> Result<Vec<Fact>, Problem> {
    let target = scratch("cold-build")?;
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    // Download first, because only the build is timed.
    time(&mut cargo(&root(), &["fetch", "--locked"]))?;
    let took = time(cargo(&root(), &["build", "--locked"]).env("CARGO_TARGET_DIR", &target))?;
    fs::remove_dir_all(&target)?;
    Ok(vec![Fact {
        what: "`cargo build` from an empty target directory, default features",
        measured: round(took),
        budget: "3 min on 2 cores",
    }])
}
