//! `consumers`: the DAGs with event parameters, and what is pending for them.

use std::collections::HashMap;

use clap::{Arg, ArgMatches, Command};

use super::error::{CliError, Exit};
use super::fit;
use super::grid::{Cell, Column, Table};
use super::home::Home;
use super::source::Source;
use super::terminal::Terminal;
use super::{args, flags, format, run_args};
use crate::config::Config;
use crate::dag::ParamDef;
use crate::ops::{self, ConsumerInput, ConsumerStatus};
use crate::schedule::Pause;
use crate::value::AnyValue;

pub(super) fn command() -> Command {
    Command::new("consumers")
        .about("Show which DAGs consume events, and what is pending for them")
        .after_help("`serve` starts their runs. `events` lists events, and `pause` and `unpause` hold a DAG.")
        .arg(Arg::new("dag").value_name("DAG").help("Id of the DAG [default: all with event parameters]"))
}

pub(super) fn consumers(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let named = matches.get_one::<String>("dag").map(String::as_str);
    let all = source.consumers(named)?;
    if args::wants_json(matches) {
        return run_args::print_json(&all, terminal);
    }
    if all.is_empty() {
        terminal.note(&match named {
            Some(dag) => format!("`{dag}` has no event parameters"),
            None => "no DAG of this program has event parameters".to_owned(),
        });
        return Ok(Exit::Success);
    }
    terminal.print(&table(&all, terminal))?;
    let note = |text: &str| terminal.note(&fit::prose(text, terminal.width_stderr(), 2));
    for ConsumerStatus { dag_id, pause, waits_for, inputs, .. } in &all {
        match (pause, waits_for) {
            (Some(Pause { by, reason, until, .. }), _) => {
                let until = until.map(|until| format!(" until {}", format::moment(until))).unwrap_or_default();
                let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                note(&format!(
                    "`{dag_id}` is paused by {by}{until}{reason}\nits events stay pending; `unpause {dag_id}` ends that"
                ));
            }
            (None, Some(waits_for)) => note(&format!("`{dag_id}` waits for {waits_for}")),
            (None, None) => {}
        }
        for ConsumerInput { param, keys, periods, .. } in inputs {
            if let Some(keys) = keys.filter(|&keys| keys > 0) {
                let keys = format::count(keys as usize, "key");
                note(&format!("`{param}` of `{dag_id}` has events of {keys}, each with a run of its own"));
            }
            for period in periods {
                note(&format!("`{param}` of `{dag_id}`: {period}"));
            }
        }
    }
    Ok(Exit::Success)
}

/// The values of event parameters that are given as `last` or as the numbers of events, and of
/// those that look at the newest event.
pub(super) fn stored_events(
    matches: &ArgMatches,
    params: &[ParamDef],
    config: &Config,
    terminal: &Terminal,
) -> Result<HashMap<&'static str, AnyValue>, CliError> {
    let mut values = HashMap::new();
    if params.iter().all(|param| param.event.is_none()) {
        return Ok(values);
    }
    let home = Home::of(matches, config.clone(), terminal)?;
    let Some(journal) = home.existing_journal()? else { return Ok(values) };
    for param in params {
        let value = match flags::texts(matches, param) {
            Some(texts) => home.wait(ops::stored_events(&journal, param, &texts))?,
            None => home.wait(ops::seen_event(&journal, param))?,
        };
        values.extend(value.map(|value| (param.name, value)));
    }
    Ok(values)
}

fn table(all: &[ConsumerStatus], terminal: &Terminal) -> String {
    let mut table = Table::new([
        Column::new("dag"),
        Column::new("parameter").rank(1),
        Column::new("asset"),
        Column::new("takes").rank(2),
        Column::number("pending"),
        Column::number("from").rank(1),
        Column::new("since").rank(1),
    ]);
    for ConsumerStatus { dag_id, inputs, .. } in all {
        for ConsumerInput { param, asset, takes, required, pending, first_pending, since, .. } in inputs {
            let optional = if *required || takes == "seen" { "" } else { ", optional" };
            table.add_row([
                Cell::new(dag_id),
                Cell::new(param),
                Cell::new(asset),
                Cell::new(format!("{takes}{optional}")),
                Cell::new(pending),
                Cell::new(first_pending.map(|number| format!("@{number}")).unwrap_or_default()),
                Cell::new(since.map(format::moment).unwrap_or_default()),
            ]);
        }
    }
    table.render(terminal.width_stdout(), terminal.paint_stdout())
}
