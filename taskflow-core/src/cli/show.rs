//! `show [DAG]`: the graph of a DAG.

use clap::ArgMatches;

use super::args;
use super::choose::Dags;
use super::error::{CliError, Exit};
use super::terminal::Terminal;
use crate::render::{Format, render};

pub(super) fn show(matches: &ArgMatches, dags: &Dags, terminal: &Terminal) -> Result<Exit, CliError> {
    let dag = dags.find(matches.get_one::<String>("dag").map(String::as_str))?;
    let format = match matches.get_one::<String>("format") {
        Some(name) => {
            name.parse().map_err(|unknown: crate::render::UnknownFormat| CliError::usage(unknown.to_string()))?
        }
        None if args::wants_json(matches) => Format::Json,
        None => Format::Tree,
    };
    let plan = dag.plan().map_err(|errors| CliError::Failure(errors.to_string()))?;
    let picture = render(&plan, format);
    if format == Format::Json {
        terminal.print_json(&picture)?;
    } else {
        terminal.print(&picture)?;
    }
    Ok(Exit::Success)
}
