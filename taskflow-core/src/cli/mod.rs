//! The command line of a DAG binary: what `taskflow::main!` calls.
//!
//! One file a verb, and around them what they share:
//!
//! - `list`, `show`, `run`, `completions`: the verbs about DAGs. `config`: what the program is told
//!   from outside.
//! - `runs`, `status`, `explain`, `values`, `logs`: the verbs that look at what is kept of runs.
//!   `resume`, `retry`, `clear`, `mark`, `release`, `cancel`, `replay`: those that do something
//!   with a run. `db`: upkeep. All of them need the feature `sqlite`.
//! - `setup`: the configuration of a call. `home`: where runs are kept. `which`: the words that
//!   name a run.
//! - `args`: the words and flags that are understood. `flags`: the part of them that comes from a
//!   DAG's parameters. `help`: the page that lists the verbs.
//! - `choose`: which DAG is meant. `stop`: refusals and exit codes.
//! - `drive`: a run in this process, from its start to what is told of it.
//! - `live`: a run while it goes on: the progress view or plain lines, Ctrl-C.
//! - `summary`: a run when it is over: the table, the first failure, the result, the JSON document.
//! - `terminal`, `grid`, `words`, `record`: streams, colours and widths; tables; durations, times
//!   and plurals; records of logs as lines.
//!
//! Streams: what a program would want to read goes to stdout (a listing, a picture, the result of a
//! run), what a person wants to know meanwhile goes to stderr.
//!
//! Exit codes: 0 when all is well, 1 when a run failed or a graph has mistakes or something could
//! not be done, 2 when the words were not understood, or there is no such run or task, or it is not
//! in a state for what was asked; 130 and 143 when a run was interrupted by SIGINT or SIGTERM.

mod args;
#[cfg(feature = "sqlite")]
mod cancel;
mod choose;
#[cfg(feature = "sqlite")]
mod clear;
mod completions;
mod config;
#[cfg(feature = "sqlite")]
mod db;
mod drive;
mod error;
#[cfg(feature = "sqlite")]
mod explain;
mod flags;
mod format;
mod grid;
mod help;
#[cfg(feature = "sqlite")]
mod home;
mod list;
mod live;
#[cfg(feature = "sqlite")]
mod logs;
#[cfg(feature = "sqlite")]
mod mark;
mod record;
#[cfg(feature = "sqlite")]
mod release;
#[cfg(feature = "sqlite")]
mod replay;
#[cfg(feature = "sqlite")]
mod resume;
#[cfg(feature = "sqlite")]
mod retry;
mod run;
#[cfg(feature = "sqlite")]
mod run_args;
#[cfg(feature = "sqlite")]
mod runs;
mod setup;
mod show;
#[cfg(feature = "sqlite")]
mod status;
mod summary;
mod terminal;
#[cfg(feature = "sqlite")]
mod values;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::ArgMatches;
use clap::error::{ContextKind, ContextValue};

use self::choose::Dags;
use self::error::{CliError, Exit};
use self::terminal::Terminal;

/// What a DAG binary says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The version of its package.
    pub version: Option<&'static str>,
}

/// Reads the arguments of the process and does what they say.
pub fn main(program: Program) -> ExitCode {
    // Before anything else: this may be the process of one attempt.
    crate::process::child_main();
    let terminal = Terminal::of_process();
    let words: Vec<OsString> = std::env::args_os().collect();
    match answer(program, words, &terminal) {
        Ok(exit) => exit.into(),
        Err(stop) => stop.report(&terminal).into(),
    }
}

fn answer(program: Program, mut words: Vec<OsString>, terminal: &Terminal) -> Result<Exit, CliError> {
    let dags = Dags::of_binary();
    let name = args::program_name(words.first());
    let parse = |words: &[OsString]| args::command(&name, program, &dags).try_get_matches_from(words);
    let mut matches = parse(&words).map_err(|error| in_terms_of_dags(error, &name, &dags))?;
    if matches.subcommand().is_none() {
        if !dags.has_one() {
            return nothing_said(&matches, &name, &dags, terminal);
        }
        // The only DAG runs, with its defaults: as if `run` had been said.
        words.push("run".into());
        matches = parse(&words)?;
    }
    match matches.subcommand() {
        Some(("list", matches)) => list::list(matches, &dags, terminal),
        Some(("show", matches)) => show::show(matches, &dags, terminal),
        Some(("run", matches)) => run::run(matches, &dags, terminal),
        Some(("config", matches)) => config::config(matches, terminal),
        Some(("completions", matches)) => completions::completions(matches, &name, program, &dags, terminal),
        #[cfg(feature = "sqlite")]
        Some((verb, matches)) => look_back(verb, matches, terminal),
        _ => unreachable!("clap knows no other verb"),
    }
}

/// The verbs about runs that are kept.
#[cfg(feature = "sqlite")]
fn history() -> Vec<clap::Command> {
    vec![
        runs::command(),
        status::command(),
        explain::command(),
        values::command(),
        logs::command(),
        resume::command(),
        retry::command(),
        clear::command(),
        mark::command(),
        release::command(),
        cancel::command(),
        replay::command(),
        db::command(),
    ]
}

#[cfg(feature = "sqlite")]
fn look_back(verb: &str, matches: &ArgMatches, terminal: &Terminal) -> Result<Exit, CliError> {
    let config = setup::load(innermost(matches))?;
    let home = home::Home::of(innermost(matches), config)?;
    match verb {
        "runs" => runs::runs(matches, &home, terminal),
        "status" => status::status(matches, &home, terminal),
        "explain" => explain::explain(matches, &home, terminal),
        "values" => values::values(matches, &home, terminal),
        "logs" => logs::logs(matches, &home, terminal),
        "resume" => resume::resume(matches, &home, terminal),
        "retry" => retry::retry(matches, &home, terminal),
        "clear" => clear::clear(matches, &home, terminal),
        "mark" => mark::mark(matches, &home, terminal),
        "release" => release::release(matches, &home, terminal),
        "cancel" => cancel::cancel(matches, &home, terminal),
        "replay" => replay::replay(matches, &home, terminal),
        "db" => db::db(matches, &home, terminal),
        _ => unreachable!("clap knows no other verb"),
    }
}

/// The words of the last subcommand: flags that hold for all verbs are known there, wherever they
/// were said.
#[cfg(feature = "sqlite")]
fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, matches)| innermost(matches))
}

/// Without a word, a binary with several DAGs cannot know which to run.
fn nothing_said(matches: &ArgMatches, name: &str, dags: &Dags, terminal: &Terminal) -> Result<Exit, CliError> {
    list::list(matches, dags, terminal)?;
    if !dags.all().is_empty() {
        terminal.note(&format!("\nUsage: {name} run <DAG>; more with {name} --help"));
    }
    Ok(Exit::Usage)
}

/// Where the name of a DAG stands in the place of a verb, says what was probably meant.
fn in_terms_of_dags(error: clap::Error, name: &str, dags: &Dags) -> CliError {
    if let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand)
        && dags.all().iter().any(|dag| dag.id == word)
    {
        return CliError::usage(format!("`{word}` is a DAG; to run it: {name} run {word}"));
    }
    error.into()
}
