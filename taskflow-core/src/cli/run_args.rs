//! Arguments that the verbs about runs share: the run, its tasks, the reason.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::error::{CliError, Exit};
use super::terminal::Terminal;
use super::{drive, format, home};
use crate::base::text::one_line;
use crate::journal::Note;
use crate::run::{Durability, RunState};

/// The run, required.
pub(super) fn run() -> Arg {
    Arg::new("run").value_name("RUN").required(true).help("Number or id of the run, a unique part of the id, or `last`")
}

/// The run, by default the newest.
pub(super) fn run_or_last() -> Arg {
    run().required(false).help("Number or id of the run, a unique part of the id, or `last` [default: last]")
}

/// The name of the run.
pub(super) fn run_name(matches: &ArgMatches) -> &str {
    matches.get_one::<String>("run").map_or("last", String::as_str)
}

/// A task.
pub(super) fn task() -> Arg {
    Arg::new("task").value_name("TASK")
}

/// The name of the task.
pub(super) fn task_name(matches: &ArgMatches) -> Option<&str> {
    matches.get_one::<String>("task").map(String::as_str)
}

/// `--reason`, which the history of the run keeps.
pub(super) fn reason() -> Arg {
    Arg::new("reason").long("reason").value_name("TEXT").help("Reason, stored in the history of the run")
}

/// `--by`, which the history of the run keeps.
pub(super) fn by() -> Arg {
    Arg::new("by")
        .long("by")
        .value_name("NAME")
        .value_parser(|text: &str| match text.trim() {
            "" => Err("a name is needed"),
            name => Ok(name.to_owned()),
        })
        .help("Who does it, stored in the history of the run [default: the account]")
}

/// `--value`, which is JSON.
pub(super) fn json_value() -> Arg {
    Arg::new("value").long("value").value_name("JSON").value_parser(|text: &str| {
        serde_json::from_str::<serde_json::Value>(text)
            .map_err(|error| format!("not valid JSON ({error}); a string needs quotes: '\"text\"'"))
    })
}

/// `--dry-run`, which shows what the verb would change.
pub(super) fn dry_run(help: &'static str) -> Arg {
    Arg::new("dry-run").long("dry-run").action(ArgAction::SetTrue).help(help)
}

/// `--token`, which binds the verb to what `--dry-run` has shown.
pub(super) fn token(help: &'static str) -> Arg {
    Arg::new("token").long("token").value_name("TOKEN").conflicts_with("dry-run").help(help)
}

/// The given token.
pub(super) fn token_of(matches: &ArgMatches) -> Option<&str> {
    matches.get_one::<String>("token").map(String::as_str)
}

/// Prints tasks, one a line.
pub(super) fn print_tasks(tasks: &[String], terminal: &Terminal) -> Result<(), CliError> {
    let lines: String = tasks.iter().map(|task| format!("{}\n", one_line(task))).collect();
    Ok(terminal.print(&lines)?)
}

/// The user and the reason.
pub(super) fn note(matches: &ArgMatches) -> Note {
    // Some verbs take no reason.
    let reason = matches.try_get_one::<String>("reason").ok().flatten();
    let note = Note::by_user(reason.cloned().unwrap_or_default());
    match matches.get_one::<String>("by") {
        Some(by) => Note { by: by.clone(), ..note },
        None => note,
    }
}

/// `--state`, repeatable.
pub(super) fn states() -> Arg {
    Arg::new("state")
        .long("state")
        .value_name("STATE")
        .action(ArgAction::Append)
        .value_delimiter(',')
        .value_parser(RunState::ALL.map(RunState::name))
        .help("Only runs in these states, separated by commas")
}

/// The given states.
pub(super) fn given_states(matches: &ArgMatches) -> Vec<RunState> {
    let given = matches.get_many::<String>("state").unwrap_or_default();
    given.filter_map(|name| RunState::ALL.into_iter().find(|state| state.name() == name)).collect()
}

/// Adds the flags of a verb that runs something in this process.
pub(super) fn run_options(command: Command) -> Command {
    let options = drive::options().into_iter();
    let journal = [home::durability_arg(&[Durability::Strict, Durability::Relaxed]), home::sync_arg()];
    command.args(options.chain(journal).map(|option| option.help_heading("Run options")))
}

/// `--json`, a short form of `--output json` for verbs whose output is often read by programs.
pub(super) fn json() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("Same as `--output json`")
}

/// Whether either flag asks for JSON.
pub(super) fn wants_json(matches: &ArgMatches) -> bool {
    matches.get_flag("json") || super::args::wants_json(matches)
}

/// Prints a JSON document.
pub(super) fn print_json(document: &impl serde::Serialize, terminal: &Terminal) -> Result<Exit, CliError> {
    let json = serde_json::to_string_pretty(document).map_err(|error| CliError::Failure(error.to_string()))?;
    terminal.print_json(&(json + "\n"))?;
    Ok(Exit::Success)
}

/// `3 tasks of run 12: a, b, c`
pub(super) fn tasks_of(number: i64, tasks: &[String]) -> String {
    format!("{} of run {number}: {}", format::count(tasks.len(), "task"), format::some(tasks, 10))
}
