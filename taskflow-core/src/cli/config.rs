//! `config show`, `config path`: the configuration and the origins of its values.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;
use serde_json::Value;

use super::error::{CliError, Exit};
use super::grid::{Cell, Column, Table};
use super::terminal::Terminal;
use super::{args, setup};
use crate::base::text::one_line;
use crate::config::{Config, Entry, Origin};

pub(super) fn command() -> Command {
    Command::new("config")
        .about("Show the configuration: show, path")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(
            Command::new("show")
                .about("List all settings, variables, connections and secrets; secrets are shown as ***")
                .arg(
                    Arg::new("origin")
                        .long("origin")
                        .action(ArgAction::SetTrue)
                        .help("Show where each value comes from: a line of the file, the environment, a flag"),
                ),
        )
        .subcommand(Command::new("path").about("Print the path of the configuration file"))
}

pub(super) fn config(matches: &ArgMatches, terminal: &Terminal) -> Result<Exit, CliError> {
    match matches.subcommand() {
        Some(("show", matches)) => show(matches, terminal),
        Some((_, matches)) => path(matches, terminal),
        None => path(matches, terminal),
    }
}

fn show(matches: &ArgMatches, terminal: &Terminal) -> Result<Exit, CliError> {
    let config = setup::load(matches)?;
    let rows = rows(&config, matches);
    if args::wants_json(matches) {
        let json = serde_json::to_string_pretty(&rows).map_err(|error| CliError::Failure(error.to_string()))?;
        terminal.print_json(&(json + "\n"))?;
    } else {
        terminal.print(&table(&rows, matches.get_flag("origin"), terminal))?;
    }
    for doubt in config.doubts() {
        terminal.warn(&doubt);
    }
    Ok(Exit::Success)
}

/// A row of the table.
#[derive(Debug, Serialize)]
struct Row {
    section: &'static str,
    name: String,
    value: Value,
    origin: From,
}

/// The origin of a value in the JSON document.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum From {
    Default,
    Flag { flag: &'static str },
    Environment { variable: String },
    File { path: Option<PathBuf>, line: usize },
    Program,
}

impl From {
    fn of(origin: Option<Origin>) -> Self {
        match origin {
            None => From::Default,
            Some(Origin::Code) => From::Program,
            Some(Origin::Environment { variable }) => From::Environment { variable },
            Some(Origin::File { path, line }) => From::File { path, line },
        }
    }

    /// The origin in the table.
    fn text(&self) -> String {
        match self {
            From::Default => "default".to_owned(),
            From::Flag { flag } => (*flag).to_owned(),
            From::Environment { variable } => variable.clone(),
            From::File { path, line } => {
                format!("{}:{line}", path.as_deref().unwrap_or(Path::new("taskflow.toml")).display())
            }
            From::Program => "the program".to_owned(),
        }
    }
}

fn rows(config: &Config, matches: &ArgMatches) -> Vec<Row> {
    let home = setup::home(matches);
    let row = |Entry { section, name, value, origin, .. }: Entry| match &home {
        Some(home) if (section, &*name) == ("store", "home") => {
            Row { section, name, value: home.display().to_string().into(), origin: From::Flag { flag: "--home" } }
        }
        _ => Row { section, name, value, origin: From::of(origin) },
    };
    config.entries().into_iter().map(row).collect()
}

fn table(rows: &[Row], origin: bool, terminal: &Terminal) -> String {
    let mut columns = vec![Column::new("name"), Column::text("value")];
    if origin {
        columns.push(Column::new("origin"));
    }
    let mut table = Table::new(columns);
    for row in rows {
        let text = row.value.as_str().map_or_else(|| row.value.to_string(), str::to_owned);
        // Given values stand out among the defaults.
        let value = match row.origin {
            From::Default => Cell::new(text).faint(),
            _ => Cell::new(text),
        };
        let mut cells = vec![Cell::new(format!("{}.{}", row.section, row.name)), value];
        if origin {
            cells.push(Cell::new(row.origin.text()));
        }
        table.add_row(cells);
    }
    table.render(terminal.width_stdout(), terminal.paint_stdout())
}

/// Prints the path of the file, even if the file has mistakes.
fn path(matches: &ArgMatches, terminal: &Terminal) -> Result<Exit, CliError> {
    match setup::builder(matches).path() {
        Some(path) => {
            terminal.print(&format!("{}\n", one_line(&path.display().to_string())))?;
            Ok(Exit::Success)
        }
        None => Err(CliError::Failure(
            "there is no configuration file: neither --config nor TASKFLOW_CONFIG is set, and there is no \
             taskflow.toml here or in the home"
                .to_owned(),
        )),
    }
}
