//! `resume [RUN]`: continues a run that was interrupted, cleared or marked.

use clap::{ArgMatches, Command};

use super::drive::{RunFlags, RunInvocation, drive};
use super::error::{CliError, Exit};
use super::home::{self, Home};
use super::run_args;
use super::terminal::Terminal;
use crate::engine::RunRequest;
use crate::journal::Journal;
use crate::ops;

pub(super) fn command() -> Command {
    let command =
        Command::new("resume")
            .about("Resume a run that was interrupted")
            .after_help("Finished tasks are not repeated; tasks that were running when the process ended run again.")
            .arg(run_args::run().required(false).help(
                "Number or id of the run, a unique part of the id, or `last` [default: the newest interrupted run]",
            ));
    run_args::run_options(command)
}

pub(super) fn resume(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let journal = home.journal_with(home::sync(matches, home.config()))?;
    let run = matches.get_one::<String>("run").map(String::as_str);
    let request = home.wait(ops::resume(&journal, run, home::durability(matches, home.config())))?;
    run_rest(request, matches, &journal, home, terminal)
}

/// Runs the rest of a run in this process.
pub(super) fn run_rest(
    request: RunRequest<()>,
    matches: &ArgMatches,
    journal: &Journal,
    home: &Home,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let invocation = RunInvocation {
        flags: RunFlags::read(matches),
        request,
        home: Some(home.home().clone()),
        resumed: true,
        given: Vec::new(),
        config: home.config().clone(),
    };
    let exit = drive(invocation, terminal);
    home.close(journal);
    exit
}
