//! Durable runs: what it costs to keep what happens, beside others who keep something.
//!
//! - `options`: what the command line asks for.
//! - `contender`: who is measured. `raw`: SQLite alone. `taskflow`: runs with a journal. `apalis`: a rival that takes
//!   our build of SQLite. `outside`: rivals that need another; each is a package of its own below `benches/`, and a program
//!   that tells what it finds.
//! - `job`: one measurement in a process of its own, in a directory of its own. `findings`: what the processes tell.
//! - `table`: what comes out.

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
pub(crate) fn main(words: impl Iterator<Item = String>) -> Result<ExitCode, String> {
    let Some(options) = options::parse(words)? else {
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

/// What a process is started for.
pub(crate) fn job(words: &[String]) -> Result<(), String> {
    job::run(words)
}

/// The contenders on one graph, in turns.
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
            // What the first has stored is what those that only write have to write.
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

/// From this size on memory is measured: in small graphs the pages of the process say more than the tasks.
const MEMORABLE: usize = 100_000;
