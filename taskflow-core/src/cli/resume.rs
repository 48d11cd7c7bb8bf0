//! `resume [RUN]`: continues a run that was interrupted, cleared or marked; without a run, all
//! interrupted ones.

use clap::{ArgMatches, Command};

use super::drive::{RunFlags, RunInvocation, drive};
use super::error::{CliError, Exit};
use super::home::{self, Home};
use super::source::{Client, Source};
use super::terminal::Terminal;
use super::{args, run_args};
use crate::engine::RunRequest;
use crate::journal::{Journal, word_of};
use crate::ops::{self, Cleared, OpsError};
use crate::run::RunState;
use crate::store::RunFilter;

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

pub(super) fn resume(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let home = match source {
        Source::Home(home) => home,
        Source::Server(client) => return resume_there(matches, source, client, terminal),
    };
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
        let (journal, word) = (open()?, word_of(run.number));
        // A task that waits for the run it has triggered has resumed it.
        if home.find(&journal, &word)?.state != RunState::Interrupted {
            home.close(&journal);
            continue;
        }
        match home.wait(ops::resume(&journal, &word, durability)) {
            Ok(request) => match run_rest(request, matches, &journal, home, terminal)? {
                Exit::Success => {}
                Exit::Failure => exit = Exit::Failure,
                // Somebody wants it to stop.
                stopped => return Ok(stopped),
            },
            // Another program may have its DAG. The other runs can continue.
            Err(error) if named.len() > 1 => {
                home.close(&journal);
                terminal.error(&format!("run {} cannot be resumed: {}", run.number, error.text()));
                exit = Exit::Failure;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(exit)
}

/// Asks a service to continue a run, or all that are interrupted.
fn resume_there(matches: &ArgMatches, source: &Source, client: &Client, terminal: &Terminal) -> Result<Exit, CliError> {
    let runs: Vec<String> = match matches.get_one::<String>("run") {
        Some(run) => vec![run.clone()],
        None => {
            let filter = RunFilter { states: vec![RunState::Interrupted], ..RunFilter::default() };
            // A task can only trigger a run after its own has been created.
            let numbers = source.runs(&filter)?.runs.into_iter().rev().map(|run| run.number.to_string());
            numbers.collect()
        }
    };
    if runs.is_empty() {
        return Err(OpsError::NoneInterrupted.into());
    }
    let mut resumed = Vec::new();
    for run in &runs {
        let run = client.resume(run)?;
        if !args::wants_json(matches) {
            terminal.note(&format!(
                "the service continues run {0} of `{1}`; `status {0}` shows how far it is",
                run.number, run.dag_id
            ));
        }
        resumed.push(run);
    }
    if args::wants_json(matches) {
        return run_args::print_json(&resumed, terminal);
    }
    Ok(Exit::Success)
}

/// Says what a service runs.
pub(super) fn handed_over(
    verb: &str,
    cleared: &Cleared,
    matches: &ArgMatches,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    if args::wants_json(matches) {
        return run_args::print_json(cleared, terminal);
    }
    let (number, tasks) = (cleared.number, run_args::tasks_of(cleared.number, &cleared.tasks));
    terminal.note(&format!("{verb} {tasks}; the service runs them, `status {number}` shows how far it is"));
    Ok(Exit::Success)
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
