//! A program with a DAG of three tasks: its size, and the time from start to exit.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::process::{cargo, programs, root, time};
use super::{Fact, Problem, spread};

const RUNS: usize = 20;

pub(super) fn measure() -> Result<Vec<Fact>, Problem> {
    time(&mut cargo(&root(), &["build", "--locked", "--profile", "bench", "--example", "hello"]))?;
    let program = programs()?.join("examples").join(format!("hello{}", std::env::consts::EXE_SUFFIX));

    let mut times = Vec::new();
    for _ in 0..RUNS {
        times.push(time(Command::new(&program).arg("run").stdin(Stdio::null()))?);
    }
    Ok(vec![
        Fact { what: "size of `examples/hello`, profile `bench`", measured: sizes(&program)?, budget: "12 MB" },
        Fact { what: "`hello run`, a DAG of three tasks, start to exit", measured: spread(&times), budget: "20 ms" },
    ])
}

/// The size as built, and without symbols and line tables if `strip` is installed.
fn sizes(program: &Path) -> Result<String, Problem> {
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    let built = megabytes(fs::metadata(program)?.len());
    let stripped = program.with_extension("stripped");
    let done = Command::new("strip").arg("-o").args([&stripped, program]).status();
    if !done.is_ok_and(|status| status.success()) {
        return Ok(format!("{built} with symbols"));
    }
    let size = megabytes(fs::metadata(&stripped)?.len());
    fs::remove_file(stripped)?;
    Ok(format!("{size} stripped, {built} with symbols"))
}
