//! `backfill [DAG] RANGE`: starts a backfill, which `serve` carries out.

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use serde::Serialize;

use super::choose::Dags;
use super::error::{CliError, Exit};
use super::grid::{Cell, Column, Table};
use super::source::{BackfillAsked, Source};
use super::terminal::Terminal;
use super::{args, flags, format, run_args};
use crate::dag::DagDef;
use crate::ops::{self, BackfillPreview, BackfillTotals, StartedBackfill};
use crate::schedule::{BackfillOrder, BackfillRequest, BackfillScope, FutureSlots, SlotRange, Zone};

/// The slots.
pub(super) fn slots() -> Arg {
    Arg::new("slots")
        .value_name("SLOTS")
        .num_args(1..)
        .required(true)
        .help("A range such as 2026-01-01/2026-01-31 with both ends, or days and times of slots")
}

pub(super) fn options() -> Vec<Arg> {
    let switch =
        |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    vec![
        switch("missing", "Run the slots that have no run [default]").conflicts_with_all(["failed", "all"]),
        switch("failed", "Run the failed tasks of slots whose run has failed").conflicts_with("all"),
        switch("all", "Run all slots: those without a run, and those whose run has ended once more"),
        Arg::new("order")
            .long("order")
            .value_name("ORDER")
            .value_parser(|text: &str| text.parse::<BackfillOrder>().map_err(|error| error.to_string()))
            .help("Which slots come first: `oldest`, `newest` or `random` [default: oldest]"),
        Arg::new("seed")
            .long("seed")
            .value_name("N")
            .value_parser(value_parser!(u64))
            .help("The random order of this seed [default: 0]"),
        limit().help("How many of its runs may be active at once [default: `max_active_runs` of the DAG, or 1]"),
        switch("as-one-run", "Make one run whose data interval is the whole range")
            .conflicts_with_all(["missing", "failed", "all", "order"]),
        run_args::reason().help("Reason, stored with the backfill"),
        run_args::by().help("Who starts it [default: the account]"),
        switch("dry-run", "Show what it would do, and change nothing"),
        Arg::new("token").long("token").value_name("TOKEN").help("Start only what a preview with this token has shown"),
    ]
}

pub(super) fn limit() -> Arg {
    Arg::new("limit").long("limit").value_name("N").value_parser(value_parser!(u32).range(1..))
}

pub(super) fn backfill(matches: &ArgMatches, dags: &Dags, terminal: &Terminal) -> Result<Exit, CliError> {
    let (dag, matches) = match matches.subcommand() {
        Some((name, matches)) => (dags.find(Some(name))?, matches),
        None => (dags.find(None)?, matches),
    };
    let asked = asked(matches, dag)?;
    let source = Source::of(matches, terminal)?;
    let json = args::wants_json(matches);
    if matches.get_flag("dry-run") {
        let preview = source.preview_backfill(&asked)?;
        if json {
            return run_args::print_json(&preview, terminal);
        }
        show(&preview, terminal)?;
        terminal.note(&format!("nothing was started; --token {} starts exactly this", preview.token));
        return Ok(Exit::Success);
    }
    let token = matches.get_one::<String>("token").map(String::as_str);
    let started = source.start_backfill(&asked, token, &run_args::note(matches))?;
    let service = source.serving_process();
    if json {
        return run_args::print_json(&Started { started: &started, service }, terminal);
    }
    show(&started.preview, terminal)?;
    let number = started.status.number;
    let carried_out = match service {
        Some(process) => format!("`serve` carries it out (running as {process})"),
        None => "no service is running: `serve` carries it out".to_owned(),
    };
    terminal
        .note(&format!("backfill {number} is started; {carried_out}, `backfills show {number}` shows how far it is"));
    Ok(Exit::Success)
}

/// A started backfill as a document.
#[derive(Debug, Serialize)]
struct Started<'a> {
    #[serde(flatten)]
    started: &'a StartedBackfill,
    /// The process that carries it out, if a service is running.
    service: Option<String>,
}

fn asked(matches: &ArgMatches, dag: &'static DagDef) -> Result<BackfillAsked, CliError> {
    let mut texts: Vec<&str> = matches.get_many::<String>("slots").unwrap_or_default().map(String::as_str).collect();
    // A program with one DAG may name it or not.
    if texts.len() > 1 && texts[0] == dag.id {
        texts.remove(0);
    }
    let range = |text: &&str| dag.options.slot_range(text).map_err(|error| CliError::usage(error.to_string()));
    let ranges = texts.iter().map(range).collect::<Result<Vec<SlotRange>, _>>()?;
    let scope = match () {
        () if matches.get_flag("failed") => BackfillScope::Failed,
        () if matches.get_flag("all") => BackfillScope::All,
        () => BackfillScope::Missing,
    };
    let given = matches.get_one::<u32>("limit").copied();
    let request = BackfillRequest {
        ranges,
        scope,
        order: matches.get_one::<BackfillOrder>("order").copied().unwrap_or(BackfillOrder::Oldest),
        seed: matches.get_one::<u64>("seed").copied().unwrap_or_default(),
        limit: given.or(dag.options.max_active_runs).unwrap_or(1),
        as_one_run: matches.get_flag("as-one-run"),
        params: flags::all_texts(matches, dag.plan().map_err(ops::OpsError::from)?.params()),
    };
    let slots = texts.into_iter().map(str::to_owned).collect();
    Ok(BackfillAsked { dag: dag.id.to_owned(), slots, request, limit: given })
}

/// The order in words.
pub(super) fn in_words(order: BackfillOrder) -> &'static str {
    match order {
        BackfillOrder::Oldest => "oldest first",
        BackfillOrder::Newest => "newest first",
        BackfillOrder::Random => "in random order",
    }
}

/// Prints a preview.
fn show(preview: &BackfillPreview, terminal: &Terminal) -> Result<(), CliError> {
    let zone = Zone::named(&preview.timezone).unwrap_or(Zone::UTC);
    let mut table = Table::new([
        Column::number("slots"),
        Column::new("what becomes of them"),
        Column::new("first"),
        Column::new("last").rank(1),
        Column::reason("how or why"),
    ]);
    for fate in &preview.fates {
        table.add_row([
            Cell::new(fate.count),
            Cell::new(fate.fate.replace('_', " ")),
            Cell::new(zone.format(fate.first)),
            Cell::new(zone.format(fate.last)),
            Cell::new(&fate.reason),
        ]);
    }
    terminal.print(&table.render(terminal.width_stdout(), terminal.paint_stdout()))?;
    let BackfillPreview { dag_id, schedule, totals, order, limit, as_one_run, .. } = preview;
    let BackfillTotals { slots, .. } = *totals;
    let slots = format::count(usize::try_from(slots).unwrap_or(usize::MAX), "slot");
    let how = match as_one_run {
        true => "as one run".to_owned(),
        false => format!("{}, {} at once", in_words(*order), format::count(*limit as usize, "run")),
    };
    terminal.note(&format!("{slots} of `{dag_id}` ({schedule}), {how}"));
    if let Some(FutureSlots { first, last }) = preview.future {
        let future =
            if first == last { zone.format(first) } else { format!("{} to {}", zone.format(first), zone.format(last)) };
        terminal.note(&format!("left out, because they lie in the future: {future}"));
    }
    for overlap in &preview.overlaps {
        let count = format::count(usize::try_from(overlap.shared.count).unwrap_or(usize::MAX), "slot");
        terminal.warn(&format!(
            "backfill {} still has {count} of these, {} to {}",
            overlap.backfill,
            zone.format(overlap.shared.first),
            zone.format(overlap.shared.last)
        ));
    }
    Ok(())
}
