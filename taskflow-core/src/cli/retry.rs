//! `retry [RUN]`: runs the failed tasks of a run again, and what depends on them.

use clap::{ArgMatches, Command};

use super::error::{CliError, Exit};
use super::home::{self, Home};
use super::resume::go_on;
use super::run_args;
use super::terminal::Terminal;
use crate::journal::{JournalError, TaskFilter};
use crate::run::RunState;

pub(super) fn command() -> Command {
    let command = Command::new("retry")
        .about("Run the failed tasks of a run again, and what depends on them")
        .arg(run_args::run_or_last())
        .arg(run_args::reason());
    run_args::going_on(command)
}

pub(super) fn retry(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let journal = home.need_with(home::sync(matches, home.config()))?;
    let run = home.find(&journal, run_args::run_word(matches))?;
    let (id, number) = (&run.info.run_id, run.number);
    let pick = TaskFilter::all().failed().downstream();
    let mut adopted = home.wait(journal.adopt(id))?;
    match home.block_on(adopted.clear(&pick, &run_args::note(matches))) {
        Ok(cleared) => terminal.note(&format!("again: {}", run_args::tasks_of(number, &cleared))),
        Err(JournalError::Nothing { .. }) => {
            return Err(CliError::usage(match run.state {
                RunState::Interrupted => {
                    format!("no task of run {number} failed; `resume {number}` goes on with it")
                }
                state => format!("no task of run {number} failed: it is {state}; `clear {number} TASK` runs any again"),
            }));
        }
        Err(error) => return Err(error.into()),
    }
    let request = home.wait(adopted.resume())?;
    go_on(request, matches, &journal, home, terminal)
}
