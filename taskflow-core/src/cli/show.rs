//! `show [DAG]`: the graph of a DAG.

use clap::ArgMatches;

use super::choose::Dags;
use super::error::{CliError, Exit};
use super::terminal::Terminal;
use super::{args, drive, fit};
use crate::ops;
use crate::render::{Format, render};

pub(super) fn show(matches: &ArgMatches, dags: &Dags, terminal: &Terminal) -> Result<Exit, CliError> {
    let name = matches.get_one::<String>("dag").map(String::as_str);
    let format = match matches.get_one::<String>("format") {
        Some(name) => {
            name.parse().map_err(|unknown: crate::render::UnknownFormat| CliError::usage(unknown.to_string()))?
        }
        None if args::wants_json(matches) => Format::Json,
        None => Format::Tree,
    };
    #[cfg(feature = "sqlite")]
    if let Some(client) = super::source::Source::service(matches)? {
        let source = super::source::Source::Server(client);
        let dag = source.dag(name)?;
        let picture = source.graph(&dag, format)?;
        // A DAG without a schedule has no slots.
        let note = || source.next_slots(&dag, 1).ok()?.note;
        return print(&picture, format, &dag, note, terminal);
    }
    let dag = dags.find(name)?;
    let plan = dag.plan().map_err(|errors| CliError::Failure(errors.to_string()))?;
    drive::quiet_panics();
    print(&render(&plan, format), format, dag.id, || ops::schedule_note(dag), terminal)
}

/// Prints a picture. Then says what the schedule of the DAG may not be meant to say, unless a
/// program reads it.
fn print(
    picture: &str,
    format: Format,
    dag: &str,
    note: impl FnOnce() -> Option<String>,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    if format == Format::Json {
        terminal.print_json(picture)?;
        return Ok(Exit::Success);
    }
    terminal.print(picture)?;
    if let Some(note) = note() {
        terminal.note(&fit::prose(&format!("`{dag}`: {note}"), terminal.width_stderr(), 2));
    }
    Ok(Exit::Success)
}
