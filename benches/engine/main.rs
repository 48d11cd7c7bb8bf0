//! Compares taskflow's engine with others: named shapes of no-op tasks, timed together on one
//! machine.
//!
//! `cargo xtask bench` measures everything and prints two tables. `cargo xtask bench -- --help`
//! lists the options. `docs/performance.md` explains the numbers.
//!
//! - `graph`, `shape`: the graphs and their expected results. A wrong result is a failure.
//! - `rivals`: taskflow and the others, one file each, and programs that the command line names.
//! - `cell`: the measurement of one contender on one graph. This program starts itself as a
//!   separate process for each cell, because an allocator that has served one graph behaves
//!   differently for the next.
//! - `suite`: all cells, in turns. `table`: the results.
//! - `durable`: durable runs, with a table of their own.
//! - `facts`: measurements without rivals: build times, sizes, the start of a process, many
//!   sleeping tasks.

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
    // On Spark executors this program runs as a worker.
    taskflow::process::child_main();
    match args::parse(std::env::args().skip(1)) {
        Ok(Request::Help) => println!("{}", args::HELP),
        Ok(Request::Time(cell, budget)) => cell::measure_time(cell, budget),
        Ok(Request::Memory(cell)) => cell::measure_memory(cell),
        Ok(Request::Durable(args)) => return exit_code(durable::main(args.into_iter())),
        Ok(Request::DurableJob(args)) => return exit_code(durable::job(&args).map(|()| ExitCode::SUCCESS)),
        Ok(Request::Instructions { shape, runs }) => {
            return exit_code(
                facts::instructions(shape, runs).map(|()| ExitCode::SUCCESS).map_err(|error| error.to_string()),
            );
        }
        Ok(Request::Facts { names, markdown }) => return facts::print(&names, markdown.as_deref()),
        Ok(Request::Suite(options)) => return print_tables(&options),
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn exit_code(outcome: Result<ExitCode, String>) -> ExitCode {
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
    let failed = rows.iter().flat_map(|row| &row.contenders).any(|(_, findings)| findings.end == suite::End::Failed);
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
