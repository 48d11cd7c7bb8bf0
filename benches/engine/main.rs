//! taskflow's engine beside others: named shapes of no-op tasks, timed in one go on one machine.
//!
//! `cargo xtask bench` measures everything and prints two tables; `cargo xtask bench -- --help` lists what can be
//! chosen. `docs/performance.md` says what the numbers mean.
//!
//! - `graph`, `shape`: what is run, and the result it must have. A wrong result is a failure, not a number.
//! - `rivals`: taskflow and the others, one file each.
//! - `cell`: the measurement of one contender on one graph. Each has a process of its own, since an allocator that has
//!   served one graph serves the next differently; this program starts itself for it.
//! - `suite`: all cells, in turns. `table`: what comes out.
//! - `durable`: runs that are kept, with a table of their own.
//! - `facts`: what has no rival: build times, sizes, the start of a process, many sleeping tasks.

mod args;
mod cell;
mod durable;
mod facts;
mod graph;
mod machine;
mod rivals;
mod shape;
mod suite;
mod table;

use std::process::ExitCode;

use args::{Options, Request};
use machine::Machine;

fn main() -> ExitCode {
    // On executors of Spark this program is a worker.
    taskflow::process::child_main();
    match args::parse(std::env::args().skip(1)) {
        Ok(Request::Help) => println!("{}", args::HELP),
        Ok(Request::Time(cell, budget)) => cell::measure_time(cell, budget),
        Ok(Request::Memory(cell)) => cell::measure_memory(cell),
        Ok(Request::Durable(words)) => return said(durable::main(words.into_iter())),
        Ok(Request::DurableJob(words)) => return said(durable::job(&words).map(|()| ExitCode::SUCCESS)),
        Ok(Request::Facts { names, markdown }) => return facts::print(&names, markdown.as_deref()),
        Ok(Request::Suite(options)) => return print_tables(&options),
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn said(outcome: Result<ExitCode, String>) -> ExitCode {
    outcome.unwrap_or_else(|message| {
        eprintln!("{message}");
        ExitCode::FAILURE
    })
}

fn print_tables(options: &Options) -> ExitCode {
    let (machine, load_before) = (Machine::look(), machine::load());
    println!("{machine}; load before: {load_before}");
    let rows = suite::run(options);
    let limit = options.limit.as_secs();
    let text = format!(
        "Machine: {machine}. Load average before {load_before}, after {}.\n\n{}\n{}\n{}",
        machine::load(),
        table::overview(&rows, limit),
        table::details(&rows, limit),
        table::legend(&rows),
    );
    println!("\n{text}");
    if let Some(file) = &options.markdown
        && let Err(error) = std::fs::write(file, &text)
    {
        eprintln!("cannot write {}: {error}", file.display());
        return ExitCode::FAILURE;
    }
    let failed = rows.iter().flat_map(|row| &row.rivals).any(|(_, findings)| findings.end == suite::End::Failed);
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
