//! `mark STATE RUN TASK..`: says what became of tasks.

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::error::{CliError, Exit};
use super::home::{self, Home};
use super::resume::go_on;
use super::terminal::Terminal;
use super::{args, run_args};
use crate::journal::{AdoptedRun, TaskFilter};
use crate::run::TaskState;

const STATES: [TaskState; 3] = [TaskState::Success, TaskState::Failed, TaskState::Skipped];

pub(super) fn command() -> Command {
    let command = Command::new("mark")
        .about("Say what became of tasks of a run: success, failed or skipped")
        .arg(Arg::new("as").value_name("STATE").required(true).value_parser(STATES.map(TaskState::name)))
        .arg(run_args::run())
        .arg(Arg::new("tasks").value_name("TASK|GROUP").num_args(1..).required(true).help("These tasks"))
        .arg(run_args::json_value().help("What they are to have returned, with `mark success`"))
        .arg(run_args::reason());
    run_args::going_on(command)
}

/// What was marked.
#[derive(Serialize)]
struct Document {
    number: i64,
    tasks: Vec<String>,
    state: TaskState,
}

pub(super) fn mark(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let said = matches.get_one::<String>("as").map(String::as_str).unwrap_or_default();
    let Some(state) = STATES.into_iter().find(|state| state.name() == said) else {
        return Err(CliError::usage("a task can be marked as success, failed or skipped"));
    };
    let value = matches.get_one::<serde_json::Value>("value");
    if value.is_some() && state != TaskState::Success {
        return Err(CliError::usage(format!(
            "--value is what a task returned; a task that is {state} returned nothing"
        )));
    }
    let journal = home.need_with(home::sync(matches, home.config()))?;
    let run = home.find(&journal, run_args::run_word(matches))?;
    let (id, number) = (&run.info.run_id, run.number);
    let pick = TaskFilter::tasks(matches.get_many::<String>("tasks").unwrap_or_default().cloned());
    let mut adopted = home.wait(journal.adopt(id))?;
    let tasks = home.wait(adopted.mark(&pick, state, value, &run_args::note(matches)))?;
    let told = run_args::tasks_of(number, &tasks);
    let settled = is_settled(&adopted, &tasks)?;
    if settled {
        terminal.note(&format!("marked as {state}: {told}"));
        let request = home.wait(adopted.resume())?;
        return go_on(request, matches, &journal, home, terminal);
    }
    if args::wants_json(matches) {
        return run_args::print_json(&Document { number, tasks, state }, terminal);
    }
    terminal.note(&format!("marked as {state}: {told}; `resume {number}` runs what is left"));
    Ok(Exit::Success)
}

/// Whether nothing is left to run, so that all the run needs is its end.
fn is_settled(run: &AdoptedRun, marked: &[String]) -> Result<bool, CliError> {
    let history = run.history();
    if history.tasks.iter().any(|task| !task.state.is_terminal()) {
        return Ok(false);
    }
    // What lies below was decided by the states that the tasks had before, unless it ran or was
    // marked itself.
    let below = run.would_clear(&TaskFilter::tasks(marked.to_vec()).downstream())?;
    let derived = |id: &String| history.task(id).is_some_and(|task| task.cause.is_some() && !task.marked);
    Ok(!below.iter().any(derived))
}
