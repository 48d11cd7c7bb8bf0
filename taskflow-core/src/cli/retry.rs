//! `retry [RUN]`: runs the failed tasks of a run again, and everything downstream of them.

use clap::{ArgMatches, Command};

use super::error::{CliError, Exit};
use super::home;
use super::resume::{handed_over, run_rest};
use super::run_args;
use super::source::Source;
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

pub(super) fn retry(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let (run, note) = (run_args::run_name(matches), run_args::note(matches));
    let home = match source {
        Source::Home(home) => home,
        Source::Server(client) => return handed_over("retrying", &client.retry(run, &note)?, matches, terminal),
    };
    let journal = home.journal_with(home::sync(matches, home.config()))?;
    let durability = home::durability(matches, home.config());
    let Rerun { cleared, request, .. } = home.wait(ops::retry(&journal, run, &note, durability))?;
    terminal.note(&format!("retrying {}", run_args::tasks_of(cleared.number, &cleared.tasks)));
    run_rest(request, matches, &journal, home, terminal)
}
