//! `values RUN [TASK]`: what tasks of a run returned.
//!
//! A terminal gets the beginning of each value, with everything that looks like a secret masked;
//! files, pipes and `--json` get the whole. Secrets of the configuration are always masked.

use std::io::IsTerminal;

use clap::{Arg, ArgAction, ArgMatches, Command};
use console::measure_text_width;

use super::error::{CliError, Exit};
use super::grid::{Cell, Column, Table};
use super::home::Home;
use super::terminal::Terminal;
use super::{format, run_args, summary};
use crate::journal::{Journal, PushedHistory, RunHistory, TaskHistory};
use crate::ops;

/// More values are shown with `--all` only.
const ROWS: usize = 50;
/// How much of a value is shown in a row, in characters.
const IN_A_ROW: usize = 100;
/// How much of a single value is shown.
const ALONE: usize = 4000;

pub(super) fn command() -> Command {
    Command::new("values")
        .about("Show what tasks of a run returned")
        .arg(run_args::run())
        .arg(run_args::task().help("Only the value of this task; whole unless stdout is a terminal"))
        .arg(run_args::json().help("Whole values as JSON; values that only look like secrets are not masked"))
        .arg(Arg::new("all").long("all").action(ArgAction::SetTrue).help("Show every value of a large run"))
}

pub(super) fn values(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let journal = home.journal()?;
    let history = home.wait(journal.history(run_args::run_name(matches)))?;
    let json = run_args::wants_json(matches);
    match run_args::task_name(matches) {
        Some(task) if json || !std::io::stdout().is_terminal() => whole(&history, task, json, &journal, home, terminal),
        Some(task) => {
            let preview = home.wait(journal.preview(&history, task, ALONE))?;
            let preview = preview.ok_or_else(|| ops::no_value(&history, task))?;
            terminal.print(&(preview + "\n"))?;
            Ok(Exit::Success)
        }
        None if json => run_args::print_json(&home.wait(ops::values(&journal, &history))?, terminal),
        None => table(&history, matches.get_flag("all"), &journal, home, terminal),
    }
}

/// One whole value, for programs and files.
fn whole(
    history: &RunHistory,
    task: &str,
    json: bool,
    journal: &Journal,
    home: &Home,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let value = home.wait(ops::value(journal, history, task))?;
    if json {
        return run_args::print_json(&value, terminal);
    }
    summary::print(value, terminal)?;
    Ok(Exit::Success)
}

/// The named values of all tasks.
fn pushed(history: &RunHistory) -> impl Iterator<Item = (&TaskHistory, &PushedHistory)> {
    let tasks = history.in_order().map(|place| &history.tasks[place]);
    tasks.flat_map(|task| task.pushed.iter().map(move |pushed| (task, pushed)))
}

fn table(
    history: &RunHistory,
    every: bool,
    journal: &Journal,
    home: &Home,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    // A task that returns nothing has a value too, which is not worth a row.
    let has_row = |&(place, task): &(usize, &TaskHistory)| task.has_value() && history.type_at(place) != "()";
    let mut rows = history.in_order().map(|place| (place, &history.tasks[place])).filter(has_row);
    let tasks: Vec<(usize, &TaskHistory)> = rows.by_ref().take(if every { usize::MAX } else { ROWS }).collect();
    let hidden = rows.count();
    let pushed: Vec<(&TaskHistory, &PushedHistory)> = pushed(history).collect();
    if tasks.is_empty() && pushed.is_empty() {
        terminal.note(&format!("run {} has no values", history.number));
        return Ok(Exit::Success);
    }
    let in_a_row = room(&tasks, &pushed, history, terminal);
    let mut table = Table::new([Column::new("task"), Column::text("type").rank(1), Column::text("value")]);
    for &(place, task) in &tasks {
        let preview = match journal_preview(history, &task.id, in_a_row, journal, home) {
            Ok(preview) => preview,
            // The other values are still shown.
            Err(error) => error,
        };
        let id = format::task(&task.id, task.label.as_deref());
        table.add_row([Cell::new(id), Cell::new(history.type_at(place)), Cell::new(preview)]);
    }
    for (task, pushed) in pushed.into_iter().take(if every { usize::MAX } else { ROWS }) {
        let value = home.block_on(journal.pushed(history, &task.id, &pushed.key));
        let preview = match value {
            Ok(value) => value.map(|value| value.preview(in_a_row)).unwrap_or_default(),
            Err(error) => error.to_string(),
        };
        let id = format::task(&task.id, task.label.as_deref());
        table.add_row([Cell::new(format!("{id} {}", pushed.key)), Cell::new(&pushed.ty), Cell::new(preview)]);
    }
    terminal.print(&table.render(terminal.width_stdout(), terminal.paint_stdout()))?;
    if hidden > 0 {
        terminal.note(&format!("and {hidden} more; --all shows them"));
    }
    Ok(Exit::Success)
}

/// How much of a value fits beside its task and its type: a preview of that size shows more than
/// the beginning of a longer one.
fn room(
    tasks: &[(usize, &TaskHistory)],
    pushed: &[(&TaskHistory, &PushedHistory)],
    history: &RunHistory,
    terminal: &Terminal,
) -> usize {
    let name = |task: &TaskHistory| measure_text_width(&format::task(&task.id, task.label.as_deref()));
    let of_tasks = tasks.iter().map(|&(place, task)| (name(task), measure_text_width(history.type_at(place))));
    let of_pushed =
        pushed.iter().map(|(task, pushed)| (name(task) + 1 + pushed.key.len(), measure_text_width(&pushed.ty)));
    let (name, ty) = of_tasks.chain(of_pushed).fold((4, 4), |(name, ty), (a, b)| (name.max(a), ty.max(b)));
    let width = terminal.width_stdout().map_or(usize::MAX, usize::from);
    width.saturating_sub(name + ty + 4).clamp(24, IN_A_ROW)
}

fn journal_preview(
    history: &RunHistory,
    task: &str,
    in_a_row: usize,
    journal: &Journal,
    home: &Home,
) -> Result<String, String> {
    let preview = home.block_on(journal.preview(history, task, in_a_row));
    preview.map(Option::unwrap_or_default).map_err(|error| error.to_string())
}
