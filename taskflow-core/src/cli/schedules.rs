//! The verbs about schedules: `dags`, `next`, `slots`, `pause`, `unpause`, `reset-schedule`.

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde::Serialize;

use super::choose::NOTHING_LINKED;
use super::error::{CliError, Exit};
use super::grid::{self, Cell, Column, Table};
use super::home::Home;
use super::source::Source;
use super::terminal::Terminal;
use super::{args, drive, fit, format, run_args, serve};
use crate::base::{ErrorKind, Timestamp};
use crate::dag::DagDef;
use crate::journal::Journal;
use crate::ops::{self, DagStatus, NextSlots, PastSlots, SlotQuery};
use crate::render::palette::Mark;
use crate::schedule::{Backlog, Catchup, Pause, Unpause, Zone, is_of_events};

fn dag() -> Arg {
    Arg::new("dag").value_name("DAG").help("Id of the DAG; may be omitted if there is only one")
}

fn all() -> Arg {
    Arg::new("all").long("all").action(ArgAction::SetTrue).conflicts_with("dag").help("All DAGs with a schedule")
}

pub(super) fn dags_command() -> Command {
    Command::new("dags")
        .about("List the DAGs with their schedules, pauses and last runs")
        .after_help("A DAG of which there are runs, and that this program no longer has, is `gone`.")
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

pub(super) fn pause_command() -> Command {
    Command::new("pause")
        .about("Pause the schedule and the events of a DAG")
        .after_help("Runs that are active go on, `run` starts runs as before, and events stay pending.")
        .arg(dag())
        .arg(all())
        .arg(tag())
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
        .arg(all())
        .arg(tag())
        .arg(run_args::reason().help("Reason, stored in the history of the schedule"))
        .arg(run_args::by().help("Who unpauses it [default: the account]"))
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

pub(super) fn reset_command() -> Command {
    Command::new("reset-schedule")
        .about("Let the schedule of a DAG continue from now, after the clock was ahead")
        .after_help(
            "A clock that jumps ahead makes `serve` decide the slots up to there. When the clock is right again, it \
             would wait until then.",
        )
        .arg(dag())
        .arg(all())
        .arg(run_args::reason().help("Reason, stored in the history of the schedule"))
        .arg(run_args::by().help("Who resets it [default: the account]"))
}

fn tag() -> Arg {
    Arg::new("tag")
        .long("tag")
        .value_name("TAG")
        .conflicts_with_all(["dag", "all"])
        .help("All DAGs with this tag that have a schedule or event parameters")
}

fn chosen(matches: &ArgMatches, source: &Source) -> Result<String, CliError> {
    source.dag(matches.get_one::<String>("dag").map(String::as_str))
}

/// Carries out an operation on the DAG that is named, or with `--all` or `--tag` on several, and
/// prints each answer. Of several, those that do not need it are left out.
fn each<T: Serialize>(
    matches: &ArgMatches,
    source: &Source,
    terminal: &Terminal,
    operation: impl Fn(&str) -> Result<T, CliError>,
    print: impl Fn(&str, &T),
) -> Result<Exit, CliError> {
    // `reset-schedule` has no tag.
    let tag = matches.try_get_one::<String>("tag").ok().flatten();
    let dags = match tag {
        Some(tag) => source.tagged(tag)?,
        None if matches.get_flag("all") => source.scheduled()?,
        None => {
            let dag = chosen(matches, source)?;
            let answer = operation(&dag)?;
            if args::wants_json(matches) {
                return run_args::print_json(&answer, terminal);
            }
            print(&dag, &answer);
            return Ok(Exit::Success);
        }
    };
    let (mut answers, mut exit) = (serde_json::Map::new(), Exit::Success);
    for dag in dags {
        match operation(&dag) {
            Ok(answer) => {
                if !args::wants_json(matches) {
                    print(&dag, &answer);
                }
                let answer = serde_json::to_value(answer).map_err(|error| CliError::Failure(error.to_string()))?;
                answers.insert(dag, answer);
            }
            // It is in that state.
            Err(CliError::Conflict(_)) => {}
            Err(error) => {
                terminal.error(&format!("`{dag}`: {}", error.text()));
                exit = Exit::Failure;
            }
        }
    }
    if args::wants_json(matches) {
        run_args::print_json(&answers, terminal)?;
    } else if answers.is_empty() && exit == Exit::Success {
        let which = if tag.is_some() { "all these DAGs" } else { "all DAGs with a schedule" };
        terminal.note(&format!("nothing to do: {which} are in that state"));
    }
    Ok(exit)
}

pub(super) fn dags(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    drive::quiet_panics();
    let all = source.dags()?;
    if args::wants_json(matches) {
        return run_args::print_json(&all, terminal);
    }
    if all.is_empty() {
        terminal.error(NOTHING_LINKED);
        return Ok(Exit::Failure);
    }
    let has_notes = all.iter().any(|dag| !remark(dag).is_empty());
    let mut columns = vec![
        Column::new("dag"),
        Column::new("next slot").rank(1),
        Column::number("run"),
        Column::new("last run"),
        Column::new("created").rank(2),
        Column::text("schedule").rank(1),
    ];
    if has_notes {
        columns.push(Column::reason("note"));
    }
    let mut table = Table::new(columns);
    for dag in &all {
        let zone = dag.timezone.as_deref().and_then(|name| Zone::named(name).ok()).unwrap_or(Zone::UTC);
        let next = match dag {
            DagStatus { pause: Some(_), .. } => Cell::state(Mark::of_slot("paused"), "paused"),
            DagStatus { next: Some(next), .. } => Cell::new(zone.format(*next)),
            _ => Cell::new(""),
        };
        let (number, state, created) = match &dag.last_run {
            Some(run) => (Cell::new(run.number), grid::run_state(run.state), Cell::new(format::moment(run.created))),
            None => (Cell::new(""), Cell::new(""), Cell::new("")),
        };
        let mut row = vec![Cell::new(&dag.dag_id), next, number, state, created, Cell::new(starts_with(dag))];
        if has_notes {
            row.push(Cell::new(remark(dag)));
        }
        table.add_row(row);
    }
    terminal.print(&table.render(terminal.width_stdout(), terminal.paint_stdout()))?;
    Ok(Exit::Success)
}

/// `, 3 events pending`
fn pending(count: u64) -> String {
    format!(", {} pending", format::count(count as usize, "event"))
}

/// What starts the runs of a DAG.
fn starts_with(dag: &DagStatus) -> String {
    let events = (!dag.consumes.is_empty()).then(|| format!("events of {}", dag.consumes.join(", ")));
    let all: Vec<String> = dag.schedule.iter().cloned().chain(events).collect();
    all.join(", ")
}

/// What is unusual about a DAG.
fn remark(dag: &DagStatus) -> String {
    match dag {
        DagStatus { is_gone: true, .. } => "gone: this program no longer has it".to_owned(),
        DagStatus { error: Some(error), .. } => error.clone(),
        DagStatus { pause: Some(pause), pending_events, .. } => {
            let pending = pending_events.filter(|&count| count > 0).map(pending).unwrap_or_default();
            format!("paused by {}{pending}", who(pause))
        }
        DagStatus { pending_events: Some(count), waits_for: Some(waits_for), .. } if *count > 0 => {
            format!("waits for {waits_for}{}", pending(*count))
        }
        DagStatus { behind: Some(backlog), .. } => {
            format!("falls behind: {} slots wait since {}", backlog.slots, format::moment(backlog.first))
        }
        DagStatus { queued: 1, .. } => "1 run is queued".to_owned(),
        DagStatus { queued, .. } if *queued > 1 => format!("{queued} runs are queued"),
        _ => String::new(),
    }
}

pub(super) fn next(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
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

/// Who paused a DAG, if it has a schedule and is paused. A schedule that is damaged holds up no run
/// by hand.
pub(super) fn pause_of(dag: &DagDef, journal: &Journal, home: &Home) -> Result<Option<Pause>, CliError> {
    if dag.options.schedule.is_none() {
        return Ok(None);
    }
    home.wait(async {
        match ops::pause_of(journal, dag.id).await {
            Err(error) if error.kind() == ErrorKind::Damaged => Ok(None),
            pause => pause,
        }
    })
}

/// Says that a DAG is paused, when a run of it is started by hand.
pub(super) fn note_pause(id: &str, pause: Option<Pause>, terminal: &Terminal) {
    if let Some(pause) = pause {
        terminal.note(&format!("`{id}` is paused by {}: its schedule waits, and this run does not", who(&pause)));
    }
}

/// `mina until 1 Dec 09:00 (migration)`
pub(super) fn who(pause: &Pause) -> String {
    let until = pause.until.map(|until| format!(" until {}", format::moment(until))).unwrap_or_default();
    let reason = if pause.reason.is_empty() { String::new() } else { format!(" ({})", pause.reason) };
    format!("{}{until}{reason}", pause.by)
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

pub(super) fn slots(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
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

pub(super) fn pause(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let until = matches.get_one::<Timestamp>("until").copied();
    let note = run_args::note(matches);
    let pause = |dag: &str| source.pause(dag, &note, until);
    each(matches, source, terminal, pause, |dag, pause| {
        let until = pause.until.map(|until| format!(" until {}", format::moment(until))).unwrap_or_default();
        terminal.note(&format!("`{dag}` is paused{until}; active runs go on, and `run` starts runs as before"));
    })
}

pub(super) fn unpause(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let catchup = matches.get_one::<String>("catchup").and_then(|name| name.parse().ok()).unwrap_or(Catchup::None);
    let events = matches.get_one::<String>("events").and_then(|name| name.parse().ok()).unwrap_or(Unpause::All);
    let note = run_args::note(matches);
    let unpause = |dag: &str| source.unpause(dag, &note, catchup, events);
    each(matches, source, terminal, unpause, |dag, records| {
        terminal.note(&format!("`{dag}` is unpaused"));
        for PastSlots { count, fate, reason, .. } in records {
            if is_of_events(reason) {
                terminal.note(&format!("{fate}: {reason}"));
                continue;
            }
            let slots = format::count(usize::try_from(*count).unwrap_or(usize::MAX), "slot");
            let rest = if catchup == Catchup::None { "; --catchup last or all would have run them" } else { "" };
            terminal.note(&format!("{slots} passed during the pause: {fate}{rest}"));
        }
    })
}

pub(super) fn reset(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let note = run_args::note(matches);
    let reset = |dag: &str| source.reset_schedule(dag, &note);
    each(matches, source, terminal, reset, |dag, reset| {
        let (from, to) = (format::moment(reset.from), format::moment(reset.to));
        let instead = if from == to { String::new() } else { format!(" instead of {from}") };
        terminal.note(&format!("the schedule of `{dag}` continues from {to}{instead}"));
    })
}
