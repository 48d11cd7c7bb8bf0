//! `retry [RUN]`: runs the failed tasks of a run again, and everything downstream of them.

use clap::{ArgMatches, Command};

use super::error::{CliError, Exit};
use super::home::{self, Home};
use super::resume::run_rest;
use super::run_args;
use super::terminal::Terminal;
use crate::ops::{self, Rerun};

pub(super) fn command() -> Command {
    let command = Command::new("retry")
        .about("Run the failed tasks of a run again, and everything downstream")
        .arg(run_args::run_or_last())
        .arg(run_args::reason())
        .arg(run_args::by());
    run_args::run_options(command)
}

pub(super) fn retry(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let journal = home.journal_with(home::sync(matches, home.config()))?;
    let (run, note) = (run_args::run_name(matches), run_args::note(matches));
    let durability = home::durability(matches, home.config());
    let Rerun { cleared, request, .. } = home.wait(ops::retry(&journal, run, &note, durability))?;
    terminal.note(&format!("retrying {}", run_args::tasks_of(cleared.number, &cleared.tasks)));
    run_rest(request, matches, &journal, home, terminal)
}
