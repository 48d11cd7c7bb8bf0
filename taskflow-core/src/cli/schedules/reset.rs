//! `reset-schedule`: lets a schedule continue from now.

use clap::{ArgMatches, Command};

use super::{all, dag, each};
use crate::cli::error::{CliError, Exit};
use crate::cli::source::Source;
use crate::cli::terminal::Terminal;
use crate::cli::{format, run_args};

pub(in crate::cli) fn reset_command() -> Command {
    Command::new("reset-schedule")
        .about("Let the schedule of a DAG continue from now, after the clock was ahead")
        .after_help(
            "A clock that jumps ahead makes `serve` decide the slots up to there. When the clock is right again, it \
             would wait until then.",
        )
        .arg(dag())
        .arg(all())
        .arg(run_args::reason().help("Reason, stored in the history of the schedule"))
        .arg(run_args::by().help("Who resets it [default: the account]"))
}

pub(in crate::cli) fn reset(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let note = run_args::note(matches);
    let reset = |dag: &str| source.reset_schedule(dag, &note);
    each(matches, source, terminal, reset, |dag, reset| {
        let (from, to) = (format::moment(reset.from), format::moment(reset.to));
        let instead = if from == to { String::new() } else { format!(" instead of {from}") };
        terminal.note(&format!("the schedule of `{dag}` continues from {to}{instead}"));
    })
}
