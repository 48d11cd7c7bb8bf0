//! The command line of a DAG binary: what `taskflow::main!` calls.
//!
//! Each verb is a file that reads its flags, calls one [operation](crate::ops) and prints the
//! answer. The other files are shared:
//!
//! - `list`, `show`, `run`, `trigger`, `backfill`, `completions`: verbs about DAGs. `config`: the
//!   configuration.
//! - `runs`, `status`, `explain`, `values`, `logs`, `lineage`: verbs that read stored runs.
//!   `resume`, `retry`, `clear`, `mark`, `release`, `cancel`, `replay`: verbs that change or run
//!   them. `serve`, `schedules`, `backfills`: the service, and the verbs about schedules and
//!   backfills. `events`: the verbs about assets. `audit`, `db`, `doctor`: upkeep. All of these
//!   need the feature `sqlite`.
//! - `users`, `tokens`: who may use the server of `serve` (feature `server`).
//! - `listen`: the HTTP server of `serve` (feature `server`). `browser`: opens its pages.
//!   `systemd`: what a unit hears of `serve`.
//! - `source`: a home or, with `--server`, a service over HTTP. A verb asks it for documents and
//!   makes texts of them, which do not differ between the two. `calls`: which calls of the HTTP API
//!   a verb is, or why it has none.
//! - `setup`: the configuration of a call. `home`: the directory of runs. `run_args`: arguments
//!   that select a run.
//! - `args`: all arguments and flags. `moment`: what a manual run is about. `flags`: the flags of a
//!   DAG's parameters. `help`: the page that lists the verbs.
//! - `choose`: selects a DAG. `error`: errors and exit codes.
//! - `drive`: a run in this process, from its start to its summary.
//! - `live`: a run in progress: the progress view or plain lines, Ctrl-C.
//! - `summary`: a run that has ended: the table, the first failure, the result, the JSON document.
//! - `terminal`, `grid`, `fit`, `format`, `record`: streams, colours and widths; tables; texts that
//!   fit a width; durations, times and plurals; log records as lines. `waits`: what a task waits
//!   for, in words. `shell`: calls of this program to type.
//!
//! Streams: output for programs goes to stdout (a listing, a picture, the result of a run),
//! messages for people go to stderr.
//!
//! Exit codes:
//!
//! | code | meaning |
//! |---|---|
//! | 0 | success |
//! | 1 | the run failed, the graph has mistakes, or the operation could not be carried out |
//! | 2 | invalid usage, no such DAG, run or task, or its state does not allow the operation |
//! | 130, 143 | the run was interrupted by SIGINT, SIGTERM |
//!
//! For errors of operations the code follows from their [kind](crate::base::ErrorKind).

// All output passes through `terminal`, which makes foreign text safe to show.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod ascii;
#[cfg(feature = "sqlite")]
mod audit;
#[cfg(feature = "sqlite")]
mod backfill;
#[cfg(feature = "sqlite")]
mod backfills;
#[cfg(feature = "server")]
mod browser;
#[cfg(feature = "sqlite")]
mod calls;
#[cfg(feature = "sqlite")]
mod cancel;
mod choose;
#[cfg(feature = "sqlite")]
mod clear;
mod completions;
mod config;
#[cfg(feature = "sqlite")]
mod consumers;
#[cfg(feature = "sqlite")]
mod db;
#[cfg(feature = "sqlite")]
mod doctor;
mod drive;
mod error;
#[cfg(feature = "sqlite")]
mod events;
#[cfg(feature = "sqlite")]
mod explain;
mod fit;
mod flags;
mod format;
mod grid;
mod help;
#[cfg(feature = "sqlite")]
mod home;
#[cfg(feature = "sqlite")]
mod lineage;
mod list;
#[cfg(feature = "server")]
mod listen;
mod live;
#[cfg(feature = "sqlite")]
mod logs;
#[cfg(feature = "sqlite")]
mod mark;
mod moment;
#[cfg(feature = "server")]
mod passed_socket;
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
#[cfg(feature = "sqlite")]
mod schedules;
#[cfg(feature = "sqlite")]
mod serve;
mod setup;
mod shell;
mod show;
#[cfg(feature = "sqlite")]
mod source;
#[cfg(feature = "sqlite")]
mod status;
mod summary;
#[cfg(feature = "sqlite")]
mod systemd;
mod terminal;
#[cfg(feature = "server")]
mod tokens;
#[cfg(feature = "sqlite")]
mod trigger;
#[cfg(feature = "server")]
mod users;
#[cfg(feature = "sqlite")]
mod values;
mod waits;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::ArgMatches;
use clap::error::{ContextKind, ContextValue};

use self::choose::Dags;
use self::error::{CliError, Exit};
#[cfg(feature = "sqlite")]
use self::source::Source;
#[cfg(feature = "server")]
pub(crate) use self::source::read_any;
use self::terminal::Terminal;
use crate::base::text::one_line;

/// What a DAG binary declares about itself.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The version of its package.
    pub version: Option<&'static str>,
}

/// Reads the arguments of the process and carries them out.
pub fn main(program: Program) -> ExitCode {
    // Before anything else: this may be the process of one attempt.
    crate::process::child_main();
    let terminal = Terminal::of_process();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match execute(program, arguments, &terminal) {
        Ok(exit) => exit.into(),
        Err(error) => error.report(&terminal).into(),
    }
}

fn execute(program: Program, mut arguments: Vec<OsString>, terminal: &Terminal) -> Result<Exit, CliError> {
    let dags = Dags::of_binary();
    let name = args::program_name(arguments.first());
    let parse = |arguments: &[OsString]| args::command(&name, program, &dags).try_get_matches_from(arguments);
    let mut matches = parse(&arguments).map_err(|error| {
        // clap repeats arguments in its messages.
        let shown: Vec<OsString> = arguments.iter().map(visible).collect();
        let error = if shown == arguments { error } else { parse(&shown).err().unwrap_or(error) };
        suggest_run(error, &name, &dags)
    })?;
    if matches.subcommand().is_none() {
        if !dags.has_one() {
            return no_command(&matches, &name, &dags, terminal);
        }
        // The only DAG runs with its defaults, as with `run`.
        arguments.push("run".into());
        matches = parse(&arguments)?;
    }
    #[cfg(feature = "sqlite")]
    source::check(&calls::verb_of(&matches), innermost(&matches))?;
    match matches.subcommand() {
        Some(("list", matches)) => list::list(matches, &dags, terminal),
        Some(("show", matches)) => show::show(matches, &dags, terminal),
        Some(("run", matches)) => run::run(matches, &dags, terminal),
        Some(("config", matches)) => config::config(matches, terminal),
        Some(("completions", matches)) => completions::completions(matches, &name, program, &dags, terminal),
        #[cfg(feature = "sqlite")]
        Some(("trigger", matches)) => trigger::trigger(matches, &dags, terminal),
        #[cfg(feature = "sqlite")]
        Some(("backfill", matches)) => backfill::backfill(matches, &dags, terminal),
        #[cfg(feature = "sqlite")]
        Some((verb, matches)) => about_runs(verb, matches, terminal),
        _ => unreachable!("clap knows no other verb"),
    }
}

/// An argument without characters that could mislead a terminal.
fn visible(argument: &OsString) -> OsString {
    match argument.to_str() {
        Some(text) => one_line(text).into_owned().into(),
        None => argument.clone(),
    }
}

/// The verbs about stored runs.
#[cfg(feature = "sqlite")]
fn history() -> Vec<clap::Command> {
    vec![
        runs::command(),
        status::command(),
        explain::command(),
        values::command(),
        logs::command(),
        lineage::command(),
        resume::command(),
        retry::command(),
        clear::command(),
        mark::command(),
        release::command(),
        cancel::command(),
        replay::command(),
        serve::command(),
        schedules::dags_command(),
        schedules::next_command(),
        schedules::slots_command(),
        schedules::pause_command(),
        schedules::unpause_command(),
        backfills::command(),
        events::emit_command(),
        events::events_command(),
        events::assets_command(),
        consumers::command(),
        audit::command(),
        schedules::reset_command(),
        doctor::command(),
        db::command(),
        #[cfg(feature = "server")]
        users::command(),
        #[cfg(feature = "server")]
        tokens::command(),
    ]
}

#[cfg(feature = "sqlite")]
fn about_runs(verb: &str, matches: &ArgMatches, terminal: &Terminal) -> Result<Exit, CliError> {
    let source = Source::of(innermost(matches), terminal)?;
    match verb {
        "runs" => runs::runs(matches, &source, terminal),
        "status" => status::status(matches, &source, terminal),
        "explain" => explain::explain(matches, &source, terminal),
        "values" => values::values(matches, &source, terminal),
        "logs" => logs::logs(matches, &source, terminal),
        "lineage" => lineage::lineage(matches, &source, terminal),
        "resume" => resume::resume(matches, &source, terminal),
        "retry" => retry::retry(matches, &source, terminal),
        "clear" => clear::clear(matches, &source, terminal),
        "mark" => mark::mark(matches, &source, terminal),
        "release" => release::release(matches, &source, terminal),
        "cancel" => cancel::cancel(matches, &source, terminal),
        "replay" => replay::replay(matches, source.home(verb)?, terminal),
        "serve" => serve::serve(matches, source.home(verb)?, terminal),
        "dags" => schedules::dags(matches, &source, terminal),
        "next" => schedules::next(matches, &source, terminal),
        "slots" => schedules::slots(matches, &source, terminal),
        "pause" => schedules::pause(matches, &source, terminal),
        "unpause" => schedules::unpause(matches, &source, terminal),
        "backfills" => backfills::backfills(matches, &source, terminal),
        "emit" => events::emit(matches, &source, terminal),
        "events" => events::events(matches, &source, terminal),
        "assets" => events::assets(matches, &source, terminal),
        "consumers" => consumers::consumers(matches, &source, terminal),
        "reset-schedule" => schedules::reset(matches, &source, terminal),
        "audit" => audit::audit(matches, &source, terminal),
        "doctor" => doctor::doctor(matches, &source, terminal),
        "db" => db::db(matches, &source, terminal),
        #[cfg(feature = "server")]
        "users" => users::users(matches, &source, terminal),
        #[cfg(feature = "server")]
        "tokens" => tokens::tokens(matches, &source, terminal),
        _ => unreachable!("clap knows no other verb"),
    }
}

/// The matches of the last subcommand, which include global flags wherever they were given.
#[cfg(feature = "sqlite")]
fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, matches)| innermost(matches))
}

/// Without a command, a binary with several DAGs lists them.
fn no_command(matches: &ArgMatches, name: &str, dags: &Dags, terminal: &Terminal) -> Result<Exit, CliError> {
    list::list(matches, dags, terminal)?;
    if !dags.all().is_empty() {
        terminal.note_block(&format!("\nUsage: {name} run <DAG>; for more, see {name} --help"));
    }
    Ok(Exit::Usage)
}

/// Where a DAG was given in place of a command, suggests `run`.
fn suggest_run(error: clap::Error, name: &str, dags: &Dags) -> CliError {
    if let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand)
        && dags.all().iter().any(|dag| dag.id == word)
    {
        return CliError::usage(format!("`{word}` is a DAG; to run it: {name} run {word}"));
    }
    error.into()
}
