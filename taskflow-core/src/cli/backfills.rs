//! `backfills`: lists backfills, shows one, and changes it.

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::error::{CliError, Exit};
use super::fit;
use super::grid::{Cell, Column, Table};
use super::source::Source;
use super::terminal::Terminal;
use super::{args, format, run_args};
use crate::base::text::one_line;
use crate::base::{Date, Timestamp};
use crate::dag::Registry;
use crate::ops::{BackfillStatus, CancelledBackfill, ExtendedBackfill};
use crate::render::palette::Mark;
use crate::schedule::{BackfillAction, BackfillCounts, BackfillPhase, SlotRange, Zone};

pub(super) fn command() -> Command {
    let verb = |name: &'static str, about: &'static str| {
        Command::new(name).about(about).arg(
            Arg::new("number")
                .value_name("BACKFILL")
                .required(true)
                .value_parser(value_parser!(i64).range(1..))
                .help("Number of the backfill"),
        )
    };
    let noted =
        |command: Command| command.arg(run_args::reason().help("Reason, stored with the backfill")).arg(run_args::by());
    let list = [
        Arg::new("dag").long("dag").value_name("DAG").help("Only backfills of this DAG"),
        Arg::new("limit")
            .long("limit")
            .value_name("N")
            .value_parser(value_parser!(u32))
            .help("Show at most N backfills; 0 shows all [default: 20]"),
    ];
    Command::new("backfills")
        .about("List backfills, latest first, or act on one")
        .after_help("`backfill` starts one, and `serve` carries it out.")
        .args_conflicts_with_subcommands(true)
        .disable_help_subcommand(true)
        .args(list)
        .subcommand(verb("show", "Show how far a backfill is, its active runs and its history"))
        .subcommand(noted(verb("pause", "Start no more runs of a backfill; active ones go on")))
        .subcommand(noted(verb("resume", "Continue a paused backfill")))
        .subcommand(noted(
            verb("cancel", "Drop the pending slots of a backfill; active runs go on")
                .arg(Arg::new("running").long("running").action(ArgAction::SetTrue).help("Cancel its active runs too")),
        ))
        .subcommand(noted(
            verb("extend", "Extend a backfill to a later end")
                .arg(Arg::new("to").value_name("TO").required(true).help("The new end, a day or a time; inclusive")),
        ))
        .subcommand(noted(verb("retry", "Start another backfill for the slots that have failed")))
        .subcommand(noted(
            verb("limit", "Change how many runs of a backfill may be active at once").arg(
                Arg::new("count")
                    .value_name("N")
                    .required(true)
                    .value_parser(value_parser!(u32).range(1..))
                    .help("How many"),
            ),
        ))
}

pub(super) fn backfills(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let Some((verb, matches)) = matches.subcommand() else { return list(matches, source, terminal) };
    let number = matches.get_one::<i64>("number").copied().unwrap_or_default();
    match verb {
        "show" => show(matches, number, source, terminal),
        "cancel" => cancel(matches, number, source, terminal),
        "extend" => extend(matches, number, source, terminal),
        verb => {
            let note = run_args::note(matches);
            let (status, done) = match verb {
                "pause" => (source.set_backfill(verb, number, &note)?, "paused; active runs go on"),
                "resume" => (source.set_backfill(verb, number, &note)?, "active"),
                "retry" => (source.retry_backfill(number, &note)?.status, "started"),
                _ => {
                    let limit = matches.get_one::<u32>("count").copied().unwrap_or(1);
                    (source.limit_backfill(number, limit, &note)?, "limited")
                }
            };
            if args::wants_json(matches) {
                return run_args::print_json(&status, terminal);
            }
            let number = status.number;
            match verb {
                "retry" => {
                    let slots = count(status.slots, "slot");
                    terminal.note(&format!("backfill {number} is {done}: it retries {slots}"));
                }
                "limit" => {
                    let runs = format::count(status.limit as usize, "run");
                    terminal.note(&format!("backfill {number} has at most {runs} at once"));
                }
                _ => terminal.note(&format!("backfill {number} is {done}")),
            }
            Ok(Exit::Success)
        }
    }
}

fn count(number: u64, noun: &str) -> String {
    format::count(usize::try_from(number).unwrap_or(usize::MAX), noun)
}

fn list(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let limit = matches.get_one::<u32>("limit").copied().unwrap_or(20);
    let dag = matches.get_one::<String>("dag").map(String::as_str);
    let list = source.backfills(dag, (limit > 0).then_some(limit))?;
    if args::wants_json(matches) {
        return run_args::print_json(&list, terminal);
    }
    if list.is_empty() {
        terminal.note("no backfills; `backfill DAG 2026-01-01/2026-01-31` starts one");
        return Ok(Exit::Success);
    }
    let mut table = Table::new([
        Column::number("backfill"),
        Column::new("dag"),
        Column::new("state"),
        Column::number("slots"),
        Column::number("pending"),
        Column::number("active").rank(1),
        Column::number("failed"),
        Column::new("range").rank(1),
        Column::new("started by").rank(2),
    ]);
    for status in &list {
        let by = status.history.first().map(|action| action.by.clone()).unwrap_or_default();
        table.add_row([
            Cell::new(status.number),
            Cell::new(&status.dag_id),
            state(&status.phase),
            Cell::new(status.slots),
            Cell::new(status.pending),
            Cell::new(status.active.len()),
            Cell::new(status.counts.failed),
            Cell::new(ranges(status)),
            Cell::new(by),
        ]);
    }
    terminal.print(&table.render(terminal.width_stdout(), terminal.paint_stdout()))?;
    Ok(Exit::Success)
}

fn state(phase: &BackfillPhase) -> Cell {
    let mark = match phase {
        BackfillPhase::Active => Mark::of("running"),
        BackfillPhase::Paused { .. } => Mark::of_slot("paused"),
        BackfillPhase::Cancelled { .. } => Mark::of("cancelled"),
        BackfillPhase::Done { .. } => Mark::of("success"),
    };
    Cell::state(mark, phase.name())
}

/// The range from the first to the last slot that was asked for.
fn ranges(status: &BackfillStatus) -> String {
    let zone = Zone::named(status.timezone).unwrap_or(Zone::UTC);
    let (Some(SlotRange { from, .. }), Some(SlotRange { to, .. })) = (status.ranges.first(), status.ranges.last())
    else {
        return String::new();
    };
    let end = Timestamp::from_nanos(to.as_nanos().saturating_add(1));
    let whole_days =
        |day: Date, last: Date| zone.start_of(day) == Some(*from) && zone.start_of(last.tomorrow()) == Some(end);
    let range = match (zone.day_of(*from), zone.day_of(*to)) {
        _ if from == to => zone.format(*from),
        (day, last) if whole_days(day, last) && day == last => day.to_string(),
        (day, last) if whole_days(day, last) => format!("{day} to {last}"),
        _ => format!("{} to {}", zone.format(*from), zone.format(*to)),
    };
    match status.ranges.len() {
        1 => range,
        several => format!("{several} ranges in {range}"),
    }
}

fn show(matches: &ArgMatches, number: i64, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let status = source.backfill(number)?;
    if args::wants_json(matches) {
        return run_args::print_json(&status, terminal);
    }
    let zone = Zone::named(status.timezone).unwrap_or(Zone::UTC);
    let BackfillStatus { dag_id, phase, counts, slots, pending, limit, order, scope, .. } = &status;
    let runs = format::count(*limit as usize, "run");
    let mut lines = vec![
        format!("backfill {number} of {dag_id}: {}", outcome(phase, counts)),
        format!(
            "{} ({}), {scope}, {}, {runs} at once",
            ranges(&status),
            count(*slots, "slot"),
            super::backfill::in_words(*order)
        ),
        format!("{} pending, {} active, {}", pending, status.active.len(), decided(counts)),
    ];
    if let Some(trouble) = &status.trouble {
        lines.push(format!("a run could not be made: {trouble}"));
    }
    for (name, texts) in &status.params {
        lines.push(format!("parameter {name}: {}", texts.join(", ")));
    }
    if !status.failed.is_empty() {
        let failed: Vec<String> = status.failed.iter().map(|&at| zone.format(at)).collect();
        lines.push(format!("failed: {}; `backfills retry {number}` runs them again", format::some(&failed, 10)));
    }
    for BackfillAction { at, what, by, reason } in &status.history {
        let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        lines.push(format!("{} {what} by {by}{reason}", format::moment(*at)));
    }
    let lines: String = lines.iter().map(|line| format!("{}\n", one_line(line))).collect();
    terminal.print(&fit::prose(&lines, terminal.width_stdout(), 2))?;
    if !status.active.is_empty() {
        let mut table = Table::new([Column::new("slot"), Column::number("run"), Column::reason("")]);
        for run in &status.active {
            let note = match () {
                () if run.blocks => "has not succeeded; the next slot waits for it",
                () if run.reprocessed => "reprocessed",
                () => "",
            };
            let number = run.number.map(|number| number.to_string()).unwrap_or_default();
            table.add_row([Cell::new(zone.format(run.slot)), Cell::new(number), Cell::new(note)]);
        }
        terminal.print(&table.render(terminal.width_stdout(), terminal.paint_stdout()))?;
    }
    Ok(Exit::Success)
}

/// `28 new runs, 3 reprocessed, 2 left alone`
fn decided(counts: &BackfillCounts) -> String {
    let mut parts = vec![count(counts.new, "new run")];
    let left: u64 = counts.left.values().sum();
    for (number, what) in [(counts.again, "reprocessed"), (left, "left alone"), (counts.dropped, "dropped")] {
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    }
    parts.join(", ")
}

/// The phase in words, with how its runs have ended.
pub(super) fn outcome(phase: &BackfillPhase, counts: &BackfillCounts) -> String {
    let because = |by: &str, reason: &str| match reason {
        "" => format!("by {by}"),
        reason => format!("by {by}: {reason}"),
    };
    let phase = match phase {
        BackfillPhase::Active => "active".to_owned(),
        BackfillPhase::Paused { by, reason, .. } => format!("paused {}", because(by, reason)),
        BackfillPhase::Cancelled { by, reason, .. } => format!("cancelled {}", because(by, reason)),
        BackfillPhase::Done { .. } => "done".to_owned(),
    };
    let mut parts = vec![format!("{} succeeded", count(counts.success, "run"))];
    for (number, what) in [(counts.failed, "failed"), (counts.cancelled, "were cancelled")] {
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    }
    format!("{phase}; {}", parts.join(", "))
}

fn cancel(matches: &ArgMatches, number: i64, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let running = matches.get_flag("running");
    let note = run_args::note(matches);
    let cancelled = source.cancel_backfill(number, running, &note)?;
    if args::wants_json(matches) {
        return run_args::print_json(&cancelled, terminal);
    }
    let CancelledBackfill { dropped, runs, status, .. } = &cancelled;
    let runs = match (running, status.active.len()) {
        (true, _) => format!("{} asked to end or cancelled", format::count(runs.len(), "run")),
        (false, 0) => "no run is active".to_owned(),
        (false, active) => format!("{} active; --running cancels them too", format::count(active, "run")),
    };
    terminal.note(&format!("backfill {number} is cancelled: {} dropped, {runs}", count(*dropped, "pending slot")));
    Ok(Exit::Success)
}

fn extend(matches: &ArgMatches, number: i64, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let text = matches.get_one::<String>("to").map(String::as_str).unwrap_or_default();
    let understood =
        |text: &str, status: &BackfillStatus| match Registry::dags().iter().find(|dag| dag.id == status.dag_id) {
            Some(dag) => Ok(dag.options.slot_range(text).map_err(|error| CliError::usage(error.to_string()))?.to),
            None => text.parse::<Timestamp>().map_err(|error| CliError::usage(error.to_string())),
        };
    let extended = source.extend_backfill(number, text, &run_args::note(matches), understood)?;
    if args::wants_json(matches) {
        return run_args::print_json(&extended, terminal);
    }
    let ExtendedBackfill { added, future, status, .. } = &extended;
    let future = match future {
        Some(future) => {
            format!("; the slots from {} on lie in the future, and are left out", format::moment(future.first))
        }
        None => String::new(),
    };
    terminal.note(&format!(
        "backfill {number} has {} more, and ends at {}{future}",
        count(*added, "slot"),
        ranges(status).rsplit(" to ").next().unwrap_or_default()
    ));
    Ok(Exit::Success)
}
