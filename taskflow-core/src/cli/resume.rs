//! `resume [RUN]`: continues a run that was interrupted, cleared or marked; without a run, all
//! interrupted ones.

use clap::{ArgMatches, Command};

use super::drive::{RunFlags, RunInvocation, drive};
use super::error::{CliError, Exit};
use super::home::{self, Home};
use super::run_args;
use super::terminal::Terminal;
use crate::engine::RunRequest;
use crate::journal::Journal;
use crate::ops;
use crate::run::RunState;

pub(super) fn command() -> Command {
    let command =
        Command::new("resume")
            .about("Resume a run that was interrupted, or all such runs")
            .after_help("Finished tasks are not repeated; tasks that were running when the process ended run again.")
            .arg(run_args::run().required(false).help(
                "Number or id of the run, a unique part of the id, or `last` [default: all interrupted runs, one after the other]",
            ));
    run_args::run_options(command)
}

pub(super) fn resume(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let open = || home.journal_with(home::sync(matches, home.config()));
    let durability = home::durability(matches, home.config());
    let journal = open()?;
    if let Some(run) = matches.get_one::<String>("run") {
        let request = home.wait(ops::resume(&journal, run, durability))?;
        return run_rest(request, matches, &journal, home, terminal);
    }
    let runs = home.wait(ops::interrupted(&journal))?;
    home.close(&journal);
    let named: Vec<String> = runs.iter().map(|run| format!("{} ({})", run.number, run.info.dag_id)).collect();
    if named.len() > 1 && !RunFlags::read(matches).quiet {
        terminal.note(&format!("resuming {} interrupted runs, one after the other: {}", named.len(), named.join(", ")));
    }
    let mut exit = Exit::Success;
    for run in runs {
        let journal = open()?;
        // A task that waits for the run it has triggered has resumed it.
        if home.find(&journal, &run.info.run_id)?.state != RunState::Interrupted {
            home.close(&journal);
            continue;
        }
        match home.wait(ops::resume(&journal, &run.info.run_id, durability)) {
            Ok(request) => match run_rest(request, matches, &journal, home, terminal)? {
                Exit::Success => {}
                Exit::Failure => exit = Exit::Failure,
                // Somebody wants it to stop.
                stopped => return Ok(stopped),
            },
            // Another program may have its DAG. The other runs can continue.
            Err(error) if named.len() > 1 => {
                home.close(&journal);
                let why = match error {
                    CliError::Clap(error) => error.to_string(),
                    CliError::Usage(messages) => messages.join("; "),
                    CliError::Failure(message) => message,
                };
                terminal.error(&format!("run {} cannot be resumed: {why}", run.number));
                exit = Exit::Failure;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(exit)
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
