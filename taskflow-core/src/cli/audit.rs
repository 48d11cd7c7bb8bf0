//! `audit [DAG|RUN]`: who has changed what.

use clap::{Arg, ArgMatches, Command, value_parser};

use super::error::{CliError, Exit};
use super::grid::{Cell, Column, Table};
use super::source::Source;
use super::terminal::Terminal;
use super::{args, format, run_args, runs};
use crate::base::Timestamp;
use crate::ops::{Action, AuditQuery};

pub(super) fn command() -> Command {
    Command::new("audit")
        .about("List who has changed what, the newest first")
        .after_help("Refused changes are listed too. What schedules and events start is in `runs`.")
        .arg(Arg::new("about").value_name("DAG|RUN").help("Only about this DAG or this run, also one that was deleted"))
        .arg(
            Arg::new("by")
                .long("by")
                .value_name("NAME")
                .value_parser(clap::builder::NonEmptyStringValueParser::new())
                .help("Only by this account, user or token"),
        )
        .arg(
            Arg::new("action")
                .long("action")
                .value_name("VERB")
                .value_parser(|text: &str| text.parse::<Action>())
                .help("Only this verb, such as `clear` or `backfills-pause`"),
        )
        .arg(
            Arg::new("since")
                .long("since")
                .value_name("TIME")
                .value_parser(runs::since)
                .help("Only since this time, day, or duration ago such as 2d"),
        )
        .arg(
            Arg::new("until")
                .long("until")
                .value_name("TIME")
                .value_parser(runs::since)
                .help("Only before this time, day, or duration ago"),
        )
        .arg(
            Arg::new("before")
                .long("before")
                .value_name("N")
                .value_parser(value_parser!(i64).range(1..))
                .help("Only entries before number N: the next page"),
        )
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("N")
                .value_parser(value_parser!(u32))
                .help("Show at most N entries; 0 shows all [default: 20]"),
        )
}

pub(super) fn audit(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let limit = matches.get_one::<u32>("limit").copied().unwrap_or(20);
    let query = AuditQuery {
        by: matches.get_one::<String>("by").cloned(),
        action: matches.get_one::<Action>("action").copied(),
        since: matches.get_one::<Timestamp>("since").copied(),
        until: matches.get_one::<Timestamp>("until").copied(),
        before: matches.get_one::<i64>("before").copied(),
        limit: (limit > 0).then_some(limit),
        ..AuditQuery::default()
    };
    let list = source.audit(matches.get_one::<String>("about").map(String::as_str), &query)?;
    if args::wants_json(matches) {
        return run_args::print_json(&list, terminal);
    }
    if list.entries.is_empty() {
        terminal.note("no such changes");
        return Ok(Exit::Success);
    }
    let mut table = Table::new([
        Column::number("entry"),
        Column::new("at"),
        Column::new("via").rank(2),
        Column::new("outcome").rank(1),
        Column::reason("who and what"),
    ]);
    for entry in &list.entries {
        table.add_row([
            Cell::new(entry.number),
            Cell::new(format::moment(entry.at)),
            Cell::new(entry.actor.via.name()),
            Cell::new(entry.outcome.words()),
            Cell::new(&entry.sentence),
        ]);
    }
    terminal.print(&table.render(terminal.width_stdout(), terminal.paint_stdout()))?;
    if let Some(next) = list.next {
        terminal.note(&format!("--before {next} shows earlier ones"));
    }
    Ok(Exit::Success)
}
