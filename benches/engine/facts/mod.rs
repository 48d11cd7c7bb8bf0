//! Measurements without rivals: build times, sizes, the start of a process, many sleeping tasks.
//!
//! Each fact is shown with its budget. A missed budget is not a failure, because a busy machine
//! misses them all.

mod cold_build;
mod hello;
mod instructions;
mod many_tasks;
mod mapped;
mod process;
mod reading;
mod service;
mod sleepers;
mod spark;

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use crate::machine::{self, Machine};
pub(crate) use instructions::child as instructions;
pub(crate) use process::{cargo, scratch};

/// A measured fact.
#[derive(Debug)]
struct Fact {
    what: &'static str,
    measured: String,
    budget: &'static str,
}

/// Why something could not be measured.
pub(crate) type Problem = Box<dyn std::error::Error>;

/// The name that selects a measurement, and its function.
type Group = (&'static str, fn() -> Result<Vec<Fact>, Problem>);

const GROUPS: [Group; 10] = [
    ("sleepers", sleepers::measure),
    ("mapped", mapped::measure),
    ("hello", hello::measure),
    ("instructions", instructions::measure),
    ("reading", reading::measure),
    ("service", service::measure),
    ("many-tasks", many_tasks::measure),
    ("cold-build", cold_build::measure),
    ("spark-submit", spark::submit),
    ("spark-executors", spark::executors),
];

/// Measures the groups with these names, or all groups, and prints one table.
pub(crate) fn print(names: &[String], markdown: Option<&Path>) -> ExitCode {
    if let Some(unknown) = names.iter().find(|name| GROUPS.iter().all(|(known, _)| known != name)) {
        eprintln!("there are no facts `{unknown}`; valid names: {}", GROUPS.map(|(name, _)| name).join(", "));
        return ExitCode::FAILURE;
    }
    let mut code = ExitCode::SUCCESS;
    let mut text = format!("Machine: {}. Load average before {}", Machine::look(), machine::load());
    let mut table = "| what | measured | budget |\n|---|---|---|\n".to_owned();
    for (name, measure) in GROUPS {
        if !names.is_empty() && names.iter().all(|chosen| chosen != name) {
            continue;
        }
        eprintln!("{name} ..");
        match measure() {
            Ok(facts) => {
                for Fact { what, measured, budget } in facts {
                    let _ = writeln!(table, "| {what} | {measured} | {budget} |");
                }
            }
            Err(problem) => {
                eprintln!("{name}: {problem}");
                code = ExitCode::FAILURE;
            }
        }
    }
    let _ = write!(text, ", after {}.\n\n{table}", machine::load());
    println!("\n{text}");
    if let Some(file) = markdown
        && let Err(error) = std::fs::write(file, &text)
    {
        eprintln!("cannot write {}: {error}", file.display());
        code = ExitCode::FAILURE;
    }
    code
}

/// The minimum and the median of some durations, for a table.
fn spread(durations: &[Duration]) -> String {
    let nanoseconds: Vec<u64> = durations.iter().map(|duration| duration.as_nanos() as u64).collect();
    match crate::suite::least_and_median(&nanoseconds) {
        Some((least, median)) => {
            format!("{} (median {})", round(Duration::from_nanos(least)), round(Duration::from_nanos(median)))
        }
        None => "not measured".to_owned(),
    }
}

/// The duration in a readable unit.
fn round(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        60.0.. => format!("{:.1} min", seconds / 60.0),
        1.0.. => format!("{seconds:.1} s"),
        0.1.. => format!("{:.0} ms", seconds * 1e3),
        _ => format!("{:.1} ms", seconds * 1e3),
    }
}
