//! The verbs about schedules: `dags`, `next`, `slots`, `pause`, `unpause`, `reset-schedule`.

mod dags;
mod next;
mod pauses;
mod reset;
mod slots;

use clap::{Arg, ArgAction, ArgMatches};
use serde::Serialize;

pub(super) use self::dags::{dags, dags_command};
pub(super) use self::next::{next, next_command};
pub(super) use self::pauses::{note_pause, pause, pause_command, pause_of, unpause, unpause_command};
pub(super) use self::reset::{reset, reset_command};
pub(super) use self::slots::{slots, slots_command};
use super::error::{CliError, Exit};
use super::source::Source;
use super::terminal::Terminal;
use super::{args, run_args};

fn dag() -> Arg {
    Arg::new("dag").value_name("DAG").help("Id of the DAG; may be omitted if there is only one")
}

fn all() -> Arg {
    Arg::new("all").long("all").action(ArgAction::SetTrue).conflicts_with("dag").help("All DAGs with a schedule")
}

fn chosen(matches: &ArgMatches, source: &Source) -> Result<String, CliError> {
    source.dag(matches.get_one::<String>("dag").map(String::as_str))
}

/// Carries out an operation on the DAG that is named, or with `--all` or `--tag` on several, and
/// prints each answer. Of several, those that do not need it are left out.
fn each<T: Serialize>(
    matches: &ArgMatches,
    source: &Source,
    terminal: &Terminal,
    operation: impl Fn(&str) -> Result<T, CliError>,
    print: impl Fn(&str, &T),
) -> Result<Exit, CliError> {
    // `reset-schedule` has no tag.
    let tag = matches.try_get_one::<String>("tag").ok().flatten();
    let dags = match tag {
        Some(tag) => source.tagged(tag)?,
        None if matches.get_flag("all") => source.scheduled()?,
        None => {
            let dag = chosen(matches, source)?;
            let answer = operation(&dag)?;
            if args::wants_json(matches) {
                return run_args::print_json(&answer, terminal);
            }
            print(&dag, &answer);
            return Ok(Exit::Success);
        }
    };
    let (mut answers, mut exit) = (serde_json::Map::new(), Exit::Success);
    for dag in dags {
        match operation(&dag) {
            Ok(answer) => {
                if !args::wants_json(matches) {
                    print(&dag, &answer);
                }
                let answer = serde_json::to_value(answer).map_err(|error| CliError::Failure(error.to_string()))?;
                answers.insert(dag, answer);
            }
            // It is in that state.
            Err(CliError::Conflict(_)) => {}
            Err(error) => {
                terminal.error(&format!("`{dag}`: {}", error.text()));
                exit = Exit::Failure;
            }
        }
    }
    if args::wants_json(matches) {
        run_args::print_json(&answers, terminal)?;
    } else if answers.is_empty() && exit == Exit::Success {
        let which = if tag.is_some() { "all these DAGs" } else { "all DAGs with a schedule" };
        terminal.note(&format!("nothing to do: {which} are in that state"));
    }
    Ok(exit)
}
