//! `cancel RUN`: ends a run early, whoever runs it.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;

use super::home::Home;
use super::stop::{Exit, Stop};
use super::terminal::Terminal;
use super::{args, which};
use crate::engine::RunState;
use crate::journal::{Cancellation, Journal, Note, RunSummary};

/// Between two looks whether it has ended.
const PACE: Duration = Duration::from_millis(50);

pub(super) fn command() -> Command {
    Command::new("cancel")
        .about("End a run early, also one that another process runs")
        .arg(which::run())
        .arg(which::reason())
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

pub(super) fn cancel(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, Stop> {
    let journal = home.need()?;
    let run = home.find(&journal, which::run_word(matches))?;
    let number = run.number;
    let note = which::note(matches);
    let goes_on = jobs_under_way(&run, &journal, home)?;
    let cancellation = home.wait(journal.cancel(&run.info.run_id, &note))?;
    let asked = matches!(cancellation, Cancellation::Asked { .. });
    let state = match cancellation {
        Cancellation::Over(state) => return Err(Stop::usage(format!("run {number} has ended already: it is {state}"))),
        Cancellation::Done => RunState::Cancelled,
        Cancellation::LeavesTeardowns { tasks } => {
            terminal.note(&format!(
                "run {number} is cancelled, but what it has set up is still there: `resume {number}` runs {}",
                tasks.join(", ")
            ));
            RunState::Running
        }
        Cancellation::Asked { worker } => {
            terminal.note(&format!("run {number} is being run by {worker}, which is asked to end it"));
            if matches.get_flag("no-wait") { RunState::Running } else { wait(&run, &note, &journal, home)? }
        }
    };
    match state {
        RunState::Running => {}
        RunState::Cancelled => terminal.note(&format!("run {number} is cancelled")),
        state => terminal.note(&format!("run {number} came to its end before that: it is {state}")),
    }
    if !asked {
        goes_on.iter().for_each(|job| terminal.note(job));
    }
    if args::wants_json(matches) {
        which::print_json(&Document { number, state }, terminal)?;
    }
    Ok(Exit::Success)
}

/// What tasks of the run have under way on a cluster, which nobody ends who does not run them.
#[cfg(feature = "spark")]
fn jobs_under_way(run: &RunSummary, journal: &Journal, home: &Home) -> Result<Vec<String>, Stop> {
    let history = home.wait(journal.history(&run.info.run_id))?;
    let open = history.tasks.iter().filter(|task| !task.state.is_terminal());
    let jobs = open.flat_map(|task| {
        let jobs = task.kept.iter().filter_map(|(key, text)| crate::spark::job_under_way(key, text));
        jobs.map(|job| {
            format!("`{}` has a job on Spark that goes on, since nobody was there to end it: {job}", task.id)
        })
    });
    Ok(jobs.collect())
}

#[cfg(not(feature = "spark"))]
fn jobs_under_way(_: &RunSummary, _: &Journal, _: &Home) -> Result<Vec<String>, Stop> {
    Ok(Vec::new())
}

/// Waits until the process that has the run has ended it.
fn wait(run: &RunSummary, note: &Note, journal: &Journal, home: &Home) -> Result<RunState, Stop> {
    loop {
        std::thread::sleep(PACE);
        match home.find(journal, &run.info.run_id)?.state {
            RunState::Running => {}
            // The process died over it.
            RunState::Interrupted => match home.wait(journal.cancel(&run.info.run_id, note))? {
                Cancellation::Done => return Ok(RunState::Cancelled),
                Cancellation::LeavesTeardowns { .. } => return Ok(RunState::Interrupted),
                Cancellation::Over(state) => return Ok(state),
                Cancellation::Asked { .. } => {}
            },
            state => return Ok(state),
        }
    }
}
