//! Reading large stored runs with the command line: time from start to exit, and peak memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::process::{cargo, root, scratch, time};
use super::{Fact, Problem, round};

const MAIN: &str = r#"//! Large runs.

use taskflow::prelude::*;

#[task]
fn numbers(count: u32) -> Vec<u32> {
    (0..count).collect()
}

#[task]
fn square(n: u32) -> u64 {
    u64::from(n) * u64::from(n)
}

#[task]
fn sum(values: &[u64]) -> u64 {
    values.iter().sum()
}

/// The sum of the squares of a list.
#[dag]
fn elements(count: u32) -> u64 {
    sum(numbers(count).each(square))
}

/// The same with one task for each number.
#[dag]
fn tasks() -> u64 {
    let first = square(2u32);
    sum((1..100_000u32).map(|n| square(n).after(first)).collect::<Vec<_>>())
}

taskflow::main!();
"#;

/// A run, a task of it, its description, and the budget of each command.
const RUNS: [(&[&str], &str, &str, &str); 4] = [
    (&["elements", "--count", "1000"], "square[3]", "1,000 elements", ""),
    (&["elements", "--count", "100000"], "square[3]", "100,000 elements", ""),
    (&["elements", "--count", "1000000"], "square[3]", "1,000,000 elements", "2 s, 300 MB"),
    (&["tasks"], "square", "100,000 tasks", "1 s; `status` 0.3 s"),
];

pub(super) fn measure() -> Result<Vec<Fact>, Problem> {
    let folder = scratch("reading")?;
    let program = build(&folder)?;
    let mut facts = Vec::new();
    for (run, task, what, budget) in RUNS {
        let home = folder.join("home");
        if home.exists() {
            fs::remove_dir_all(&home)?;
        }
        let call = |arguments: &[&str]| measured(Command::new(&program).args(arguments).env("TASKFLOW_HOME", &home));
        call(&[&["run"], run].concat())?;
        let commands: [(&str, &[&str]); 6] = [
            ("status", &["status", "last"]),
            ("explain", &["explain", "last", task]),
            ("values", &["values", "last"]),
            ("clear --downstream", &["clear", "last", task, "--downstream", "--dry-run"]),
            ("db check", &["db", "check"]),
            ("replay", &["replay", "last", task]),
        ];
        let mut texts = Vec::new();
        let mut add = |name: &str, (took, peak): (Duration, u64)| {
            texts.push(format!("`{name}` {}, {:.0} MB", round(took), peak as f64 / 1e6));
        };
        for (name, arguments) in commands {
            add(name, call(arguments)?);
        }
        // The last task is left to run, which takes the values of all others.
        call(&["clear", "last", "sum", "--no-run"])?;
        add("resume", call(&["resume", "last"])?);
        facts.push(Fact { what, measured: texts.join("; "), budget });
    }
    Ok(facts)
}

/// Builds the program with cargo's release profile.
fn build(folder: &Path) -> Result<PathBuf, Problem> {
    fs::create_dir_all(folder.join("src"))?;
    let manifest = format!(
        "[package]\nname = \"reading\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\ntaskflow = {{ path = {:?} }}\n\n\
         # Excludes the crate from the workspace that contains its directory.\n[workspace]\n",
        root()
    );
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::write(folder.join("src").join("main.rs"), MAIN)?;
    // The same versions as in all other measurements.
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let target = folder.join("target");
    time(cargo(folder, &["build", "--release"]).env("CARGO_TARGET_DIR", &target))?;
    Ok(target.join("release").join(format!("reading{}", std::env::consts::EXE_SUFFIX)))
}

/// How long a command takes, and the peak of its resident memory, where the system reports it.
fn measured(command: &mut Command) -> Result<(Duration, u64), Problem> {
    const INTERVAL: Duration = Duration::from_millis(2);

    let start = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let field = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(field.map_or(0, |kibibytes: u64| kibibytes * 1024));
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        std::thread::sleep(INTERVAL);
    };
    let took = start.elapsed();
    if ended.success() { Ok((took, peak)) } else { Err(format!("{command:?} failed ({ended})").into()) }
}
