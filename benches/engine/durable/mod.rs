//! Durable runs: the cost of storing what happens, compared with other systems.
//!
//! - `options`: the command line.
//! - `contender`: the contenders. `raw`: SQLite alone. `taskflow`: runs with a journal. `apalis`: a
//!   rival that uses the same build of SQLite. `outside`: rivals that need another build. Each is a
//!   separate package in `benches/`, with a program that prints its findings.
//! - `job`: one measurement in a process and a directory of its own. `findings`: the findings of
//!   all processes.
//! - `table`: the results.

mod apalis;
mod contender;
mod findings;
mod job;
mod options;
mod outside;
mod raw;
mod table;
mod taskflow;

use std::process::ExitCode;

pub(crate) use job::JOB;

use crate::machine::{self, Machine};
use contender::Contender;
use findings::Findings;
use job::{Job, Rows};
use options::Options;

/// `cargo xtask bench -- durable`.
pub(crate) fn main(args: impl Iterator<Item = String>) -> Result<ExitCode, String> {
    let Some(options) = options::parse(args)? else {
        println!("{}", options::HELP);
        return Ok(ExitCode::SUCCESS);
    };
    std::fs::create_dir_all(&options.home).map_err(|error| format!("{}: {error}", options.home.display()))?;
    let (machine, load_before) = (Machine::look(), machine::load());
    let disk = machine::file_system(&options.home);
    println!("{machine}; load before: {load_before}; files on {disk}");
    let programs = outside::build(&options.contenders);
    let mut cells = Vec::new();
    for &(shape, n) in &options.graphs {
        for &sync in &options.syncs {
            cells.extend(measure(&options, Job { shape, n, sync, ..Job::default() }, &programs));
        }
    }
    let text = format!(
        "Machine: {machine}; files on {disk}. Load average before {load_before}, after {}.\n\n{}\n{}",
        machine::load(),
        table::table(&cells),
        table::legend(&options.contenders),
    );
    println!("\n{text}");
    if let Some(file) = &options.markdown {
        std::fs::write(file, &text).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    Ok(if cells.iter().any(|(_, found)| found.failed) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What a process measures.
pub(crate) fn job(args: &[String]) -> Result<(), String> {
    job::run(args)
}

/// Measures the contenders on one graph, in turns.
fn measure(options: &Options, base: Job, programs: &outside::Programs) -> Vec<(Job, Findings)> {
    let mut cells: Vec<(Job, Findings)> = Vec::new();
    for &contender in options.contenders.iter().filter(|contender| contender.takes(base)) {
        cells.push((Job { contender, ..base }, Findings::default()));
    }
    for round in 0..options.rounds {
        let mut rows = Rows::default();
        for (job, found) in &mut cells {
            if found.failed || found.cut_off || (round > 0 && found.is_slow()) {
                continue;
            }
            *job = Job { rows, runs: options.runs, ..*job };
            found.measure(*job, options, programs);
            eprintln!("{}", table::line(job, found).trim_end());
            // The raw contenders write as much as the first contender has stored.
            if job.contender == Contender::STRICT {
                rows = found.rows;
            }
        }
    }
    for (job, found) in &mut cells {
        if base.n >= MEMORABLE && !found.failed && !found.cut_off && job.contender.is_taskflow() {
            *job = Job { runs: 1, memory: true, ..*job };
            found.measure(*job, options, programs);
        }
    }
    cells
}

/// The smallest size for which memory is measured. In small graphs the pages of the process
/// outweigh the tasks.
const MEMORABLE: usize = 100_000;
