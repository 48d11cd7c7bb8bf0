//! `next`: when DAGs are due next.

use clap::{Arg, ArgMatches, Command, value_parser};

use super::dag;
use super::pauses::who;
use crate::base::Timestamp;
use crate::cli::error::{CliError, Exit};
use crate::cli::grid::{Cell, Column, Table};
use crate::cli::source::Source;
use crate::cli::terminal::Terminal;
use crate::cli::{args, drive, fit, format, run_args};
use crate::ops::NextSlots;
use crate::schedule::{Backlog, Zone};

pub(in crate::cli) fn next_command() -> Command {
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

pub(in crate::cli) fn next(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let named = matches.get_one::<String>("dag").map(String::as_str);
    let chosen = match named {
        Some(_) => vec![source.dag(named)?],
        None => source.scheduled()?,
    };
    let default = if chosen.len() == 1 { 10 } else { 1 };
    let count = matches.get_one::<u16>("count").map_or(default, |count| usize::from(*count));
    drive::quiet_panics();
    let (mut all, mut exit) = (Vec::new(), Exit::Success);
    for dag in chosen {
        match source.next_slots(&dag, count) {
            Ok(slots) => all.push(slots),
            // The timetable of one DAG does not hide the others.
            Err(CliError::Failure(error)) if named.is_none() => {
                terminal.error(&format!("`{dag}`: {error}"));
                exit = Exit::Failure;
            }
            Err(error) => return Err(error),
        }
    }
    if all.iter().any(|slots| slots.damage.is_some()) {
        exit = Exit::Failure;
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
    for NextSlots { dag_id, pause, behind, note, damage, .. } in &all {
        if let Some(note) = note {
            terminal.note(&fit::prose(&format!("`{dag_id}`: {note}"), terminal.width_stderr(), 2));
        }
        if let Some(damage) = damage {
            terminal.error(&format!("`{dag_id}`: {damage}"));
        }
        if let Some(Backlog { slots, first }) = behind {
            let first = format::moment(*first);
            let note = format!("`{dag_id}` falls behind its schedule: {slots} slots wait since {first}");
            terminal.note(&fit::prose(&note, terminal.width_stderr(), 2));
        }
        if let Some(pause) = pause {
            let note =
                format!("`{dag_id}` is paused by {}; its slots pass, and `unpause {dag_id}` ends that", who(pause));
            terminal.note(&fit::prose(&note, terminal.width_stderr(), 2));
        }
    }
    Ok(exit)
}

fn next_table(all: &[NextSlots], terminal: &Terminal) -> String {
    let now = Timestamp::now();
    // In UTC, both would be the same.
    let has_zones = all.iter().any(|slots| slots.timezone != "UTC");
    let has_deadlines = all.iter().flat_map(|slots| &slots.slots).any(|slot| slot.deadline.is_some());
    let columns = [
        Some(Column::new("dag")),
        Some(Column::new("slot")),
        Some(Column::number("in").rank(1)),
        has_deadlines.then(|| Column::new("deadline").rank(1)),
        has_zones.then(|| Column::new("UTC").rank(2)),
        Some(Column::text("schedule").rank(1)),
    ];
    let mut table = Table::new(columns.into_iter().flatten());
    let mut add_row = |[dag, slot, wait, deadline, utc, schedule]: [Cell; 6]| {
        let (deadline, utc) = (has_deadlines.then_some(deadline), has_zones.then_some(utc));
        table.add_row([Some(dag), Some(slot), Some(wait), deadline, utc, Some(schedule)].into_iter().flatten());
    };
    for NextSlots { dag_id, schedule, timezone, slots, .. } in all {
        let zone = Zone::named(timezone).unwrap_or(Zone::UTC);
        for slot in slots {
            add_row([
                Cell::new(dag_id),
                Cell::new(zone.format(slot.at)),
                Cell::new(format::duration(slot.starts.since(now))),
                Cell::new(slot.deadline.map(|deadline| zone.format(deadline)).unwrap_or_default()),
                Cell::new(Zone::UTC.format(slot.at)),
                Cell::new(schedule),
            ]);
        }
        if slots.is_empty() {
            let [none, empty] = ["none", ""].map(Cell::new);
            add_row([Cell::new(dag_id), none, empty.clone(), empty.clone(), empty, Cell::new(schedule)]);
        }
    }
    table.render(terminal.width_stdout(), terminal.paint_stdout())
}
