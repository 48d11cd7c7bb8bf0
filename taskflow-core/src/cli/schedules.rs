//! The verbs about schedules: `next`, `slots`, `pause`, `unpause`.

use clap::{Arg, ArgMatches, Command, value_parser};

use super::choose::Dags;
use super::error::{CliError, Exit};
use super::grid::{Cell, Column, Table};
use super::home::Home;
use super::terminal::Terminal;
use super::{args, drive, format, run_args};
use crate::base::Timestamp;
use crate::dag::DagDef;
use crate::journal::Journal;
use crate::ops::{self, NextSlots, PastSlots};
use crate::schedule::{Catchup, Pause, Unpause, Zone};

fn dag() -> Arg {
    Arg::new("dag").value_name("DAG").help("Id of the DAG; may be omitted if there is only one")
}

pub(super) fn next_command() -> Command {
    Command::new("next")
        .about("Show when DAGs are due next")
        .arg(dag().help("Id of the DAG [default: all with a schedule]"))
        .arg(
            Arg::new("count")
                .short('n')
                .long("count")
                .value_name("N")
                .value_parser(value_parser!(u16).range(1..))
                .help("How many slots [default: 10 of one DAG, 1 of several]"),
        )
}

pub(super) fn slots_command() -> Command {
    Command::new("slots")
        .about("List the last slots and events of a DAG: their runs, or why there is none")
        .arg(dag())
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..))
                .help("Show at most N entries [default: 20]"),
        )
}

pub(super) fn pause_command() -> Command {
    Command::new("pause")
        .about("Pause the schedule and the events of a DAG")
        .after_help("Runs that are active go on, `run` starts runs as before, and events stay pending.")
        .arg(dag())
        .arg(run_args::reason().help("Reason, stored with the pause"))
        .arg(run_args::by().help("Who pauses it [default: the account]"))
        .arg(
            Arg::new("until")
                .long("until")
                .value_name("TIME")
                .value_parser(|text: &str| text.parse::<Timestamp>().map_err(|error| error.to_string()))
                .help("Unpause it by itself at this time, such as 2026-12-01T09:00:00+09:00"),
        )
}

pub(super) fn unpause_command() -> Command {
    Command::new("unpause")
        .about("Unpause the schedule and the events of a DAG")
        .arg(dag())
        .arg(
            Arg::new("catchup")
                .long("catchup")
                .value_name("WHICH")
                .value_parser(["none", "last", "all"])
                .hide_possible_values(true)
                .help("Of the slots that passed during the pause, run `none`, the `last` one or `all` [default: none]"),
        )
        .arg(
            Arg::new("events")
                .long("events")
                .value_name("WHICH")
                .value_parser(["all", "newest", "skip"])
                .hide_possible_values(true)
                .help(
                    "Of the events that are pending, consume `all`, the `newest` of each asset, or `skip` them \
                     [default: all]",
                ),
        )
}

fn chosen(matches: &ArgMatches) -> Result<&'static DagDef, CliError> {
    Dags::of_binary().find(matches.get_one::<String>("dag").map(String::as_str))
}

pub(super) fn next(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let dags = Dags::of_binary();
    let named = matches.get_one::<String>("dag").map(String::as_str);
    let chosen: Vec<&'static DagDef> = match named {
        Some(_) => vec![dags.find(named)?],
        None => dags.by_id().filter(|dag| dag.options.schedule.is_some()).collect(),
    };
    let default = if chosen.len() == 1 { 10 } else { 1 };
    let count = matches.get_one::<u16>("count").map_or(default, |count| usize::from(*count));
    let journal = home.existing_journal()?;
    drive::quiet_panics();
    let (mut all, mut exit) = (Vec::new(), Exit::Success);
    for dag in chosen {
        match home.wait(ops::next_slots(journal.as_ref(), dag, Timestamp::now(), count)) {
            Ok(slots) => all.push(slots),
            // The timetable of one DAG does not hide the others.
            Err(CliError::Failure(error)) if named.is_none() => {
                terminal.error(&format!("`{}`: {error}", dag.id));
                exit = Exit::Failure;
            }
            Err(error) => return Err(error),
        }
    }
    if args::wants_json(matches) {
        run_args::print_json(&all, terminal)?;
        return Ok(exit);
    }
    if all.is_empty() && exit == Exit::Success {
        terminal.note("no DAG of this program has a schedule");
        return Ok(Exit::Success);
    }
    terminal.print(&next_table(&all, terminal))?;
    for NextSlots { dag_id, pause, .. } in &all {
        if let Some(pause) = pause {
            terminal.note(&format!(
                "`{dag_id}` is paused by {}; its slots pass, and `unpause {dag_id}` ends that",
                who(pause)
            ));
        }
    }
    Ok(exit)
}

/// Says that a DAG is paused, before a run of it is started by hand.
pub(super) fn note_pause(dag: &DagDef, journal: &Journal, home: &Home, terminal: &Terminal) -> Result<(), CliError> {
    if dag.options.schedule.is_some()
        && let Some(pause) = home.wait(ops::pause_of(journal, dag.id))?
    {
        let id = dag.id;
        terminal.note(&format!("`{id}` is paused by {}: its schedule waits, and this run does not", who(&pause)));
    }
    Ok(())
}

/// `mina until 1 Dec 09:00 (migration)`
pub(super) fn who(pause: &Pause) -> String {
    let until = pause.until.map(|until| format!(" until {}", format::moment(until))).unwrap_or_default();
    let reason = if pause.reason.is_empty() { String::new() } else { format!(" ({})", pause.reason) };
    format!("{}{until}{reason}", pause.by)
}

fn next_table(all: &[NextSlots], terminal: &Terminal) -> String {
    let now = Timestamp::now();
    let mut table = Table::new([
        Column::new("dag"),
        Column::new("slot"),
        Column::number("in").rank(1),
        Column::new("UTC").rank(2),
        Column::text("schedule").rank(1),
    ]);
    for NextSlots { dag_id, schedule, timezone, slots, .. } in all {
        let zone = Zone::named(timezone).unwrap_or(Zone::UTC);
        for slot in slots {
            table.add_row([
                Cell::new(dag_id),
                Cell::new(zone.format(slot.at)),
                Cell::new(format::duration(slot.starts.since(now))),
                Cell::new(Zone::UTC.format(slot.at)),
                Cell::new(schedule),
            ]);
        }
        if slots.is_empty() {
            table.add_row([Cell::new(dag_id), Cell::new("none"), Cell::new(""), Cell::new(""), Cell::new(schedule)]);
        }
    }
    table.render(terminal.width_stdout(), terminal.paint_stdout())
}

pub(super) fn slots(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let dag = chosen(matches)?;
    let limit = matches.get_one::<u32>("limit").copied().unwrap_or(20);
    let slots = match home.existing_journal()? {
        Some(journal) => home.wait(ops::past_slots(&journal, dag, limit))?,
        None => Vec::new(),
    };
    if args::wants_json(matches) {
        return run_args::print_json(&slots, terminal);
    }
    if slots.is_empty() {
        terminal.note(&format!(
            "no slot of `{}` has passed yet: `serve` runs its schedule, `next` shows what comes",
            dag.id
        ));
        return Ok(Exit::Success);
    }
    let zone = dag.options.timezone.and_then(|name| Zone::named(name).ok()).unwrap_or(Zone::UTC);
    let mut table = Table::new([
        Column::new("slot"),
        Column::number("slots").rank(1),
        Column::new("what became of it"),
        Column::number("run"),
        Column::reason("why"),
    ]);
    for PastSlots { first, last, count, run, fate, reason, .. } in &slots {
        let slot = match first == last {
            true => zone.format(*first),
            false => format!("{} to {}", zone.format(*first), zone.format(*last)),
        };
        table.add_row([
            Cell::new(slot),
            Cell::new(count),
            Cell::new(fate),
            Cell::new(run.map(|run| run.to_string()).unwrap_or_default()),
            Cell::new(reason),
        ]);
    }
    terminal.print(&table.render(terminal.width_stdout(), terminal.paint_stdout()))?;
    Ok(Exit::Success)
}

pub(super) fn pause(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let dag = chosen(matches)?;
    let journal = home.create_journal(crate::store::SyncMode::Full)?;
    let until = matches.get_one::<Timestamp>("until").copied();
    let pause = home.wait(ops::pause(&journal, dag, &run_args::note(matches), until))?;
    if args::wants_json(matches) {
        return run_args::print_json(&pause, terminal);
    }
    let until = pause.until.map(|until| format!(" until {}", format::moment(until))).unwrap_or_default();
    terminal.note(&format!("`{}` is paused{until}; active runs go on, and `run` starts runs as before", dag.id));
    Ok(Exit::Success)
}

pub(super) fn unpause(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let dag = chosen(matches)?;
    let journal = home.create_journal(crate::store::SyncMode::Full)?;
    let catchup = matches.get_one::<String>("catchup").and_then(|name| name.parse().ok()).unwrap_or(Catchup::None);
    let events = match matches.get_one::<String>("events").map(String::as_str) {
        Some("newest") => Unpause::Newest,
        Some("skip") => Unpause::Skip,
        _ => Unpause::All,
    };
    let records = home.wait(ops::unpause(&journal, dag, catchup, events))?;
    if args::wants_json(matches) {
        return run_args::print_json(&records, terminal);
    }
    terminal.note(&format!("`{}` is unpaused", dag.id));
    for PastSlots { count, fate, reason, .. } in &records {
        if reason.starts_with("event") {
            terminal.note(&format!("{fate}: {reason}"));
            continue;
        }
        let slots = format::count(usize::try_from(*count).unwrap_or(usize::MAX), "slot");
        let rest = if catchup == Catchup::None { "; --catchup last or all would have run them" } else { "" };
        terminal.note(&format!("{slots} passed during the pause: {fate}{rest}"));
    }
    Ok(Exit::Success)
}
