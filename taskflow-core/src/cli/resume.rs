//! `resume [RUN]`: goes on with a run that was interrupted, cleared or marked.

use clap::{ArgMatches, Command};

use super::drive::{RunFlags, RunInvocation, drive};
use super::error::{CliError, Exit};
use super::home::{self, Home};
use super::run_args;
use super::terminal::Terminal;
use crate::engine::RunRequest;
use crate::journal::Journal;
use crate::run::{Durability, RunState};
use crate::store::RunFilter;

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
    match matches.get_one::<String>("run") {
        Some(run) => {
            let request = home.wait(journal.resume(run))?;
            go_on(request, matches, &journal, home, terminal)
        }
        None => {
            let interrupted = RunFilter { states: vec![RunState::Interrupted], limit: Some(1), ..RunFilter::default() };
            let found = home.wait(journal.runs(&interrupted))?;
            let Some(run) = found.first() else {
                return Err(CliError::usage(
                    "no run was interrupted; `runs` lists them, `retry` runs failed tasks again",
                ));
            };
            let request = home.wait(journal.resume(&run.info.run_id))?;
            go_on(request, matches, &journal, home, terminal)
        }
    }
}

/// Runs what is left of a run in this process.
pub(super) fn go_on(
    request: RunRequest<()>,
    matches: &ArgMatches,
    journal: &Journal,
    home: &Home,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    // That other runs are not kept says nothing about one that is.
    let durability = match home::durability(matches, home.config()) {
        Durability::Ephemeral => Durability::Strict,
        durability => durability,
    };
    let request = request.durability(durability);
    let config = home.config().clone();
    let invocation = RunInvocation {
        flags: RunFlags::read(matches, &config),
        request,
        logs: Some(home.logs()),
        goes_on: true,
        given: Vec::new(),
        config,
    };
    let exit = drive(invocation, terminal);
    home.leave(journal);
    exit
}
