//! `slots`: the last slots and events of a DAG, and what became of them.

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::{chosen, dag};
use crate::base::Timestamp;
use crate::cli::error::{CliError, Exit};
use crate::cli::grid::{Cell, Column, Table};
use crate::cli::source::Source;
use crate::cli::terminal::Terminal;
use crate::cli::{args, fit, format, run_args, serve};
use crate::ops::{PastSlots, SlotQuery};
use crate::render::palette::Mark;
use crate::schedule::Zone;

pub(in crate::cli) fn slots_command() -> Command {
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
        .arg(
            Arg::new("fate")
                .long("fate")
                .value_name("FATE")
                .action(ArgAction::Append)
                .value_delimiter(',')
                .value_parser(SlotQuery::fate)
                .help("Only with this fate, such as `failed`, `missed` or `waiting`; can be repeated"),
        )
        .arg(
            Arg::new("before")
                .long("before")
                .value_name("TIME")
                .value_parser(|text: &str| text.parse::<Timestamp>().map_err(|error| error.to_string()))
                .help("Only slots before this time"),
        )
        .after_help(
            "`late` is how long after its slot a run was stored, `waited` how long after that it started. Runs of \
             backfills and events are due at no time, so that they are never late.",
        )
}

pub(in crate::cli) fn slots(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let dag = chosen(matches, source)?;
    let limit = matches.get_one::<u32>("limit").copied().unwrap_or(20);
    let fates = matches.get_many::<String>("fate").into_iter().flatten().cloned().collect();
    let before = matches.get_one::<Timestamp>("before").copied();
    let query = SlotQuery { fates, before, limit: Some(limit) };
    let slots = source.slots(&dag, &query)?;
    if args::wants_json(matches) {
        return run_args::print_json(&slots, terminal);
    }
    if slots.is_empty() && (!query.fates.is_empty() || query.before.is_some()) {
        terminal.note(&format!("no slot of `{dag}` matches"));
        return Ok(Exit::Success);
    }
    if slots.is_empty() {
        let note = format!("no slot of `{dag}` has passed yet: `serve` runs its schedule, `next` shows what comes");
        terminal.note(&fit::prose(&note, terminal.width_stderr(), 2));
        return Ok(Exit::Success);
    }
    let zone = source.timezone(&dag)?.and_then(|name| Zone::named(&name).ok()).unwrap_or(Zone::UTC);
    let mut table = Table::new([
        Column::new("slot"),
        Column::number("slots").rank(1),
        Column::new("what became of it"),
        Column::number("run"),
        Column::number("late").rank(1),
        Column::number("waited").rank(2),
        Column::number("took").rank(1),
        Column::reason("why"),
    ]);
    for PastSlots { first, last, count, run, fate, reason, note, times, .. } in &slots {
        if let Some(note) = note {
            let mut row = vec![Cell::new(zone.format(*first)), Cell::new(""), Cell::new(fate)];
            row.resize(7, Cell::new(""));
            row.push(Cell::new(serve::noted(note)));
            table.add_row(row);
            continue;
        }
        let slot = match first == last {
            true => zone.format(*first),
            false => format!("{} to {}", zone.format(*first), zone.format(*last)),
        };
        let mark = if run.is_some() { Mark::of(fate) } else { Mark::of_slot(fate) };
        table.add_row([
            Cell::new(slot),
            Cell::new(count),
            Cell::state(mark, fate),
            Cell::new(run.map(|run| run.to_string()).unwrap_or_default()),
            between(times.due, times.created),
            between(times.created, times.started),
            between(times.started, times.ended),
            Cell::new(reason),
        ]);
    }
    terminal.print(&table.render(terminal.width_stdout(), terminal.paint_stdout()))?;
    Ok(Exit::Success)
}

/// How long it was from one time to another.
fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> Cell {
    let (Some(from), Some(to)) = (from, to) else { return Cell::new("") };
    Cell::new(format::duration(to.since(from)))
}
