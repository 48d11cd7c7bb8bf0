//! `show [DAG]`: the graph of a DAG.

use clap::ArgMatches;

use super::args;
use super::choose::Dags;
use super::error::{CliError, Exit};
use super::terminal::Terminal;
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
        return print(&source.graph(&source.dag(name)?, format)?, format, terminal);
    }
    let plan = dags.find(name)?.plan().map_err(|errors| CliError::Failure(errors.to_string()))?;
    print(&render(&plan, format), format, terminal)
}

fn print(picture: &str, format: Format, terminal: &Terminal) -> Result<Exit, CliError> {
    match format {
        Format::Json => terminal.print_json(picture)?,
        _ => terminal.print(picture)?,
    }
    Ok(Exit::Success)
}
