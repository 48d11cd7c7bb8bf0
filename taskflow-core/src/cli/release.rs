//! `release RUN KEY`: sends an event that tasks wait for.

use clap::{Arg, ArgMatches, Command};

use super::error::{CliError, Exit};
use super::source::Source;
use super::terminal::Terminal;
use super::{args, run_args};

pub(super) fn command() -> Command {
    Command::new("release")
        .about("Send an event that tasks of a run wait for")
        .arg(run_args::run())
        .arg(Arg::new("key").value_name("KEY").required(true).help("Key of the event, as `explain` shows it"))
        .arg(run_args::json_value().help("Value of the event [default: null]"))
        .arg(run_args::reason())
        .arg(run_args::by())
}

pub(super) fn release(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let run = run_args::run_name(matches);
    let key = matches.get_one::<String>("key").map(String::as_str).unwrap_or_default();
    let value = matches.get_one::<serde_json::Value>("value").cloned().unwrap_or_default();
    let sent = source.send_event(run, key, &value, &run_args::note(matches))?;
    if args::wants_json(matches) {
        return run_args::print_json(&sent, terminal);
    }
    let number = sent.number;
    match &sent.notified {
        Some(worker) => {
            terminal.note(&format!("event `{key}` sent to process {worker}, which is running run {number}"));
        }
        None => {
            terminal.note(&format!(
                "event `{key}` stored; no process is running run {number}: `resume {number}` continues it"
            ));
        }
    }
    if sent.waiting.is_empty() {
        let others: Vec<String> = sent.awaited.iter().map(|key| format!("`{key}`")).collect();
        let others =
            if others.is_empty() { String::new() } else { format!("; tasks are waiting for {}", others.join(", ")) };
        terminal.note(&format!("no task was waiting for it{others}"));
    }
    Ok(Exit::Success)
}
