//! The default build from nothing.

use std::fs;

use super::process::{cargo, root, scratch, time};
use super::{Fact, Problem};

pub(super) fn measure() -> Result<Vec<Fact>, Problem> {
    let target = scratch("cold-build")?;
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    // Downloading is not building.
    time(&mut cargo(&root(), &["fetch", "--locked"]))?;
    let took = time(cargo(&root(), &["build", "--locked"]).env("CARGO_TARGET_DIR", &target))?;
    fs::remove_dir_all(&target)?;
    Ok(vec![Fact {
        what: "`cargo build` from an empty target folder, default features",
        measured: format!("{:.1} s", took.as_secs_f64()),
        budget: "3 min on 2 cores",
    }])
}
