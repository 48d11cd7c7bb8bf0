//! `resume [RUN]`: goes on with a run that was interrupted, cleared or marked.

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
    let command = Command::new("resume")
        .about("Go on with a run that was interrupted")
        .after_help("Tasks that have ended stay as they are; what was running when the process ended runs again.")
        .arg(run_args::run().required(false).help(
            "Which run: its number, `last`, its id, or a part of its id that no other has [default: the newest that was \
             interrupted]",
        ));
    run_args::going_on(command)
}

pub(super) fn resume(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let journal = home.need_with(home::sync(matches, home.config()))?;
    let run = matches.get_one::<String>("run").map(String::as_str);
    let request = home.wait(ops::resume(&journal, run, home::durability(matches, home.config())))?;
    go_on(request, matches, &journal, home, terminal)
}

/// Runs what is left to run of a run, in this process.
pub(super) fn go_on(
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
        goes_on: true,
        given: Vec::new(),
        config: home.config().clone(),
    };
    let exit = drive(invocation, terminal);
    home.close(journal);
    exit
}
