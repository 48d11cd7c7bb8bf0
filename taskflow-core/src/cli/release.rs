//! `release RUN KEY`: says that an event has come for which tasks wait.

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::error::{CliError, Exit};
use super::home::Home;
use super::terminal::Terminal;
use super::{args, run_args};
use crate::journal::{Released, RunHistory};

pub(super) fn command() -> Command {
    Command::new("release")
        .about("Say that an event has come for which tasks of a run wait")
        .arg(run_args::run())
        .arg(Arg::new("key").value_name("KEY").required(true).help("Which event: what `explain` names"))
        .arg(run_args::json_value().help("What it brings [default: null]"))
        .arg(run_args::reason())
}

/// What came of it.
#[derive(Serialize)]
struct Document<'a> {
    number: i64,
    key: &'a str,
    /// The process that was told, if one runs the run.
    told: Option<String>,
    /// The tasks that were waiting for it.
    waiting: Vec<&'a str>,
}

pub(super) fn release(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let journal = home.need()?;
    let run = home.find(&journal, run_args::run_word(matches))?;
    let number = run.number;
    let key = matches.get_one::<String>("key").map(String::as_str).unwrap_or_default();
    let value = matches.get_one::<serde_json::Value>("value").cloned().unwrap_or_default();
    let before = home.wait(journal.history(&run.info.run_id))?;
    let told = match home.wait(journal.release(&run.info.run_id, key, &value, &run_args::note(matches)))? {
        Released::Told { worker } => Some(worker),
        Released::Kept => None,
    };
    let waiting = waiting_for(&before, key);
    if args::wants_json(matches) {
        return run_args::print_json(&Document { number, key, told, waiting }, terminal);
    }
    match &told {
        Some(worker) => terminal.note(&format!("`{key}` is released; {worker}, which runs run {number}, is told")),
        None => {
            terminal.note(&format!("`{key}` is released; nobody runs run {number}: `resume {number}` goes on with it"));
        }
    }
    if waiting.is_empty() {
        let others = keys(&before);
        let others =
            if others.is_empty() { String::new() } else { format!("; what is waited for: {}", others.join(", ")) };
        terminal.note(&format!("no task was waiting for it yet{others}"));
    }
    Ok(Exit::Success)
}

fn waiting_for<'a>(history: &'a RunHistory, key: &str) -> Vec<&'a str> {
    let waits = |event: &Option<String>| event.as_deref() == Some(key);
    let tasks = history.tasks.iter().filter(|task| task.waits_for.as_ref().is_some_and(|wait| waits(&wait.event)));
    tasks.map(|task| task.id.as_str()).collect()
}

/// The keys that tasks wait for.
fn keys(history: &RunHistory) -> Vec<String> {
    let waits = history.tasks.iter().filter_map(|task| task.waits_for.as_ref()?.event.clone());
    let mut keys: Vec<String> = waits.map(|key| format!("`{key}`")).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}
