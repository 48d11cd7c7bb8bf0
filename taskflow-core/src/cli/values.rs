//! `values RUN [TASK]`: what tasks of a run returned.
//!
//! A terminal gets the beginning of each value, with everything that looks like a secret masked;
//! files, pipes and `--json` get the whole. Secrets of the configuration are always masked.

use std::io::IsTerminal;

use clap::{Arg, ArgAction, ArgMatches, Command};
use console::measure_text_width;

use super::error::{CliError, Exit};
use super::grid::{Cell, Column, Table};
use super::source::{Run, Source};
use super::terminal::Terminal;
use super::{format, run_args, summary};
use crate::ops::{ValuePreview, ValuePreviews};

/// More values are shown with `--all` only.
const ROWS: usize = 50;
/// How much of a value is shown in a row, in characters.
const IN_A_ROW: usize = 100;
/// How much of a single value is shown.
const ALONE: usize = 4000;
/// What is shown of a value that cannot be read.
const UNREADABLE: &str = "cannot be read";

pub(super) fn command() -> Command {
    Command::new("values")
        .about("Show what tasks of a run returned")
        .arg(run_args::run())
        .arg(run_args::task().help("Only the value of this task; whole unless stdout is a terminal"))
        .arg(run_args::json().help("Whole values as JSON; values that only look like secrets are not masked"))
        .arg(Arg::new("all").long("all").action(ArgAction::SetTrue).help("Show every value of a large run"))
}

pub(super) fn values(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let run = source.run(run_args::run_name(matches))?;
    let json = run_args::wants_json(matches);
    match run_args::task_name(matches) {
        Some(task) if json => run_args::print_json(&source.value(&run, task)?, terminal),
        Some(task) if std::io::stdout().is_terminal() => {
            terminal.print(&(source.value_preview(&run, task, ALONE)? + "\n"))?;
            Ok(Exit::Success)
        }
        // Whole, for files and pipes.
        Some(task) => {
            summary::print(source.value(&run, task)?, terminal)?;
            Ok(Exit::Success)
        }
        None if json => run_args::print_json(&source.values(&run)?, terminal),
        None => table(&run, matches.get_flag("all"), source, terminal),
    }
}

fn table(run: &Run<'_>, every: bool, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let most = (!every).then_some(ROWS);
    // Without the values: their types decide how much of each is shown.
    let names = source.value_previews(run, 0, most)?;
    if names.values.is_empty() {
        terminal.note(&format!("run {} has no values", run.status.number));
        return Ok(Exit::Success);
    }
    let ValuePreviews { values, more, .. } = source.value_previews(run, room(&names.values, terminal), most)?;
    let mut table = Table::new([Column::new("task"), Column::text("type").rank(1), Column::text("value")]);
    for value in &values {
        let shown = if value.error.is_some() { UNREADABLE } else { &value.preview };
        table.add_row([Cell::new(name(value)), Cell::new(&value.ty), Cell::new(shown)]);
    }
    terminal.print(&table.render(terminal.width_stdout(), terminal.paint_stdout()))?;
    if more > 0 {
        terminal.note(&format!("and {more} more; --all shows them"));
    }
    match unreadable(&values) {
        Some(error) => Err(CliError::Failure(error)),
        None => Ok(Exit::Success),
    }
}

/// What is said of values that cannot be read: the reason of the first one, and their number.
fn unreadable(values: &[ValuePreview]) -> Option<String> {
    let mut wrong = values.iter().filter_map(|value| value.error.as_deref());
    let first = wrong.next()?;
    Some(match wrong.count() {
        0 => first.to_owned(),
        others => format!("{first}; and {} cannot be read", format::count(others, "other value")),
    })
}

/// `load[3] (2013-03)`, and the key of a named value.
fn name(value: &ValuePreview) -> String {
    let task = format::task(&value.task, value.label.as_deref());
    value.key.as_ref().map_or(task.clone(), |key| format!("{task} {key}"))
}

/// How much of a value fits beside its task and its type: a preview of that size shows more than
/// the beginning of a longer one.
fn room(values: &[ValuePreview], terminal: &Terminal) -> usize {
    let sizes = values.iter().map(|value| (measure_text_width(&name(value)), measure_text_width(&value.ty)));
    let (name, ty) = sizes.fold((4, 4), |(name, ty), (a, b)| (name.max(a), ty.max(b)));
    let width = terminal.width_stdout().map_or(usize::MAX, usize::from);
    width.saturating_sub(name + ty + 4).clamp(24, IN_A_ROW)
}
