//! Which run is meant, and which of its tasks: the words that the verbs about runs share.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::error::{CliError, Exit};
use super::terminal::Terminal;
use super::{drive, format, home};
use crate::journal::Note;
use crate::run::{Durability, RunState};

/// The run, which must be named.
pub(super) fn run() -> Arg {
    Arg::new("run")
        .value_name("RUN")
        .required(true)
        .help("Which run: its number, `last`, its id, or a part of its id that no other has")
}

/// The run, the newest if it is not named.
pub(super) fn run_or_last() -> Arg {
    run()
        .required(false)
        .help("Which run: its number, `last`, its id, or a part of its id that no other has [default: last]")
}

/// The run that was said.
pub(super) fn run_word(matches: &ArgMatches) -> &str {
    matches.get_one::<String>("run").map_or("last", String::as_str)
}

/// A task.
pub(super) fn task() -> Arg {
    Arg::new("task").value_name("TASK")
}

/// The task that was said.
pub(super) fn task_word(matches: &ArgMatches) -> Option<&str> {
    matches.get_one::<String>("task").map(String::as_str)
}

/// `--reason`, which stands in the history.
pub(super) fn reason() -> Arg {
    Arg::new("reason").long("reason").value_name("TEXT").help("Why: it stands in the history of the run")
}

/// `--value`, which is JSON.
pub(super) fn json_value() -> Arg {
    Arg::new("value").long("value").value_name("JSON").value_parser(|text: &str| {
        serde_json::from_str::<serde_json::Value>(text)
            .map_err(|error| format!("it is no JSON ({error}); a text is written with quotes: '\"text\"'"))
    })
}

/// Who does it, and why.
pub(super) fn note(matches: &ArgMatches) -> Note {
    Note::by_user(matches.get_one::<String>("reason").cloned().unwrap_or_default())
}

/// `--state`, once or several times.
pub(super) fn states() -> Arg {
    Arg::new("state")
        .long("state")
        .value_name("STATE")
        .action(ArgAction::Append)
        .value_delimiter(',')
        .value_parser(STATES.map(RunState::name))
        .help("Those in this state; several with commas between them")
}

const STATES: [RunState; 6] = [
    RunState::Queued,
    RunState::Running,
    RunState::Success,
    RunState::Failed,
    RunState::Cancelled,
    RunState::Interrupted,
];

/// The states that were said.
pub(super) fn state_words(matches: &ArgMatches) -> Vec<RunState> {
    let said = matches.get_many::<String>("state").unwrap_or_default();
    said.filter_map(|word| STATES.into_iter().find(|state| state.name() == word)).collect()
}

/// A command that goes on with a run in this process, with the flags for that.
pub(super) fn going_on(command: Command) -> Command {
    let options = drive::options().into_iter();
    let journal = [home::durability_arg(&[Durability::Strict, Durability::Relaxed]), home::sync_arg()];
    command.args(options.chain(journal).map(|option| option.help_heading("Options of a run")))
}

/// `--json`, where the output of a verb is so often wanted for programs that it has a short form.
pub(super) fn json() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("As `--output json`")
}

/// Whether JSON was asked for, in either way.
pub(super) fn wants_json(matches: &ArgMatches) -> bool {
    matches.get_flag("json") || super::args::wants_json(matches)
}

/// Prints a document for programs.
pub(super) fn print_json(document: &impl serde::Serialize, terminal: &Terminal) -> Result<Exit, CliError> {
    let json = serde_json::to_string_pretty(document).map_err(|error| CliError::Failure(error.to_string()))?;
    terminal.print_json(&(json + "\n"))?;
    Ok(Exit::Success)
}

/// `3 tasks of run 12: a, b, c`
pub(super) fn tasks_of(number: i64, tasks: &[String]) -> String {
    format!("{} of run {number}: {}", format::count(tasks.len(), "task"), format::some(tasks, 10))
}
