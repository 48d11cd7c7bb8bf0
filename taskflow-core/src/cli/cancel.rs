//! `cancel RUN`: ends a run early, whoever runs it.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;

use super::error::{CliError, Exit};
use super::home::Home;
use super::terminal::Terminal;
use super::{args, run_args};
use crate::journal::{Cancellation, Journal, RunSummary};
use crate::run::RunState;

/// Between two looks whether it has ended.
const PACE: Duration = Duration::from_millis(50);

pub(super) fn command() -> Command {
    Command::new("cancel")
        .about("End a run early, also one that another process runs")
        .arg(run_args::run())
        .arg(run_args::reason())
        .arg(
            Arg::new("no-wait")
                .long("no-wait")
                .action(ArgAction::SetTrue)
                .help("Ask for it, and do not wait for the end"),
        )
}

/// What came of it.
#[derive(Serialize)]
struct Document {
    number: i64,
    state: RunState,
}

pub(super) fn cancel(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let journal = home.need()?;
    let run = home.find(&journal, run_args::run_word(matches))?;
    let number = run.number;
    let note = run_args::note(matches);
    let mut asked = false;
    let state = loop {
        match home.wait(journal.cancel(&run.info.run_id, &note))? {
            Cancellation::Over(state) if asked => break state,
            Cancellation::Over(state) => {
                return Err(CliError::usage(format!("run {number} has ended already: it is {state}")));
            }
            Cancellation::Done => {
                end_jobs(&run, &[], &journal, home, terminal)?;
                break RunState::Cancelled;
            }
            Cancellation::LeavesTeardowns { tasks } => {
                end_jobs(&run, &tasks, &journal, home, terminal)?;
                terminal.note(&format!(
                    "run {number} is cancelled, but what it has set up is still there: `resume {number}` runs {}",
                    tasks.join(", ")
                ));
                break RunState::Running;
            }
            Cancellation::Asked { worker } => {
                if !std::mem::replace(&mut asked, true) {
                    terminal.note(&format!("run {number} is being run by {worker}, which is asked to end it"));
                }
                if matches.get_flag("no-wait") {
                    break RunState::Running;
                }
                match wait(&run, &journal, home)? {
                    // The process died over it.
                    RunState::Interrupted => {}
                    state => break state,
                }
            }
        }
    };
    match state {
        RunState::Running => {}
        RunState::Cancelled => terminal.note(&format!("run {number} is cancelled")),
        state => terminal.note(&format!("run {number} came to its end before that: it is {state}")),
    }
    if args::wants_json(matches) {
        run_args::print_json(&Document { number, state }, terminal)?;
    }
    Ok(Exit::Success)
}

/// Ends what tasks of the run have under way on a cluster, but those that are left to a teardown:
/// nobody else was there to do it.
#[cfg(feature = "spark")]
fn end_jobs(
    run: &RunSummary,
    left: &[String],
    journal: &Journal,
    home: &Home,
    terminal: &Terminal,
) -> Result<(), CliError> {
    use crate::spark::UnattendedJob;

    let history = home.wait(journal.history(&run.info.run_id))?;
    for task in history.tasks.iter().filter(|task| !left.contains(&task.id)) {
        let jobs = task.task_state.iter().filter_map(|(key, text)| UnattendedJob::of(key, text, Some(home.config())));
        for job in jobs {
            let id = &task.id;
            terminal.note(&match job.end() {
                Ok(true) => format!("the job of `{id}` on Spark, {job}, has ended"),
                Ok(false) => {
                    format!("that the job of `{id}` on Spark, {job}, has ended is not confirmed: look at the cluster")
                }
                Err(error) => {
                    format!("the job of `{id}` on Spark, {job}, goes on, since it is not known where it is: {error}")
                }
            });
        }
    }
    Ok(())
}

#[cfg(not(feature = "spark"))]
fn end_jobs(_: &RunSummary, _: &[String], _: &Journal, _: &Home, _: &Terminal) -> Result<(), CliError> {
    Ok(())
}

/// Waits until the process that has the run has ended it, or has died.
fn wait(run: &RunSummary, journal: &Journal, home: &Home) -> Result<RunState, CliError> {
    loop {
        std::thread::sleep(PACE);
        match home.find(journal, &run.info.run_id)?.state {
            RunState::Running => {}
            state => return Ok(state),
        }
    }
}
