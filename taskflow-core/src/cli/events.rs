//! The verbs about assets and their events: `emit`, `events`, `assets`.

use clap::{Arg, ArgMatches, Command, value_parser};

use super::error::{CliError, Exit};
use super::fit;
use super::grid::{Cell, Column, SPARE, Table};
use super::source::Source;
use super::terminal::Terminal;
use super::{args, format, run_args};
use crate::asset::dag_of;
use crate::log::Redactor;
use crate::ops::{AssetDocument, EventDocument, EventQuery, NewAssetEvent};

/// How many characters of a payload are shown.
const PAYLOAD: usize = 120;

pub(super) fn emit_command() -> Command {
    Command::new("emit")
        .about("Emit an event of an asset by hand")
        .after_help("DAGs that consume the asset can start. `dag:` and the id of a DAG is the result of that DAG.")
        .arg(Arg::new("asset").value_name("ASSET").required(true).help("Name of the asset, as `assets` lists it"))
        .arg(run_args::json_value().long(None::<&str>).help("Payload, which has the type of the asset [default: null]"))
        .arg(Arg::new("partition").long("partition").value_name("P").help("Partition, such as 2026-02-03"))
        .arg(
            Arg::new("key")
                .long("key")
                .value_name("K")
                .help("Idempotency key: nothing is stored if the asset has an event with it"),
        )
        .arg(run_args::by().help("Who emits it [default: the account]"))
}

pub(super) fn events_command() -> Command {
    Command::new("events")
        .about("List the events of assets, the newest first")
        .arg(Arg::new("asset").value_name("ASSET").help("Name of the asset, or @ and the number of one event"))
        .arg(Arg::new("partition").long("partition").value_name("P").help("Only this partition"))
        .arg(
            Arg::new("before")
                .long("before")
                .value_name("N")
                .value_parser(value_parser!(i64).range(1..))
                .help("Only events before number N: the next page"),
        )
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..))
                .help("Show at most N events [default: 20]"),
        )
}

pub(super) fn assets_command() -> Command {
    Command::new("assets").about("List the assets of the program, and their last events")
}

pub(super) fn emit(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let asset = text("asset").unwrap_or_default();
    let mut event = NewAssetEvent::new(matches.get_one::<serde_json::Value>("value").cloned().unwrap_or_default());
    (event.partition, event.key) = (text("partition"), text("key"));
    let emitted = source.emit(&asset, event, &run_args::note(matches))?;
    if args::wants_json(matches) {
        return run_args::print_json(&emitted, terminal);
    }
    let (number, key) = (emitted.number, emitted.key.unwrap_or_default());
    match emitted.is_new {
        true => terminal.note(&format!("event {number} of {asset} stored")),
        false => terminal.note(&format!("nothing stored: event {number} of {asset} has the key `{key}`")),
    }
    Ok(Exit::Success)
}

pub(super) fn events(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let asset = matches.get_one::<String>("asset");
    if let Some(number) = asset.and_then(|asset| asset.strip_prefix('@')) {
        let number =
            number.parse().map_err(|_| CliError::usage(format!("`@{number}` is not the number of an event")))?;
        let event = source.event(number)?;
        if args::wants_json(matches) {
            return run_args::print_json(&event, terminal);
        }
        return one(&event, terminal);
    }
    let mut query = EventQuery { asset: asset.cloned(), ..EventQuery::default() };
    query.partition = matches.get_one::<String>("partition").cloned();
    query.before = matches.get_one::<i64>("before").copied();
    let limit = matches.get_one::<u32>("limit").copied().unwrap_or(20);
    query.limit = Some(limit);
    let events = source.events(&query)?;
    if args::wants_json(matches) {
        return run_args::print_json(&events, terminal);
    }
    if events.is_empty() {
        terminal.note("no such events");
        return Ok(Exit::Success);
    }
    let mut table = Table::new([
        Column::number("event"),
        Column::new("asset"),
        Column::new("partition"),
        Column::new("emitted").rank(2),
        Column::text("by").rank(1),
        Column::text("key").rank(SPARE),
        Column::reason("payload"),
    ]);
    for event in &events {
        table.add_row([
            Cell::new(event.number),
            Cell::new(&event.asset),
            Cell::new(event.partition.as_deref().unwrap_or_default()),
            Cell::new(format::time(event.emitted)),
            Cell::new(emitter(event)),
            Cell::new(event.key.as_deref().unwrap_or_default()),
            Cell::new(payload(event)),
        ]);
    }
    terminal.print(&table.render(terminal.width_stdout(), terminal.paint_stdout()))?;
    if let Some(last) = events.last().filter(|_| events.len() == limit as usize) {
        terminal.note(&format!("--before {} shows earlier ones", last.number));
    }
    Ok(Exit::Success)
}

/// One event, with its whole payload on stdout.
fn one(event: &EventDocument, terminal: &Terminal) -> Result<Exit, CliError> {
    let partition = event.partition.as_ref().map(|partition| format!(" {partition}")).unwrap_or_default();
    let note = format!(
        "event {} of {}{partition}, emitted {} by {}",
        event.number,
        event.asset,
        format::time(event.emitted),
        emitter(event)
    );
    terminal.note(&fit::prose(&note, terminal.width_stderr(), 2));
    run_args::print_json(&event.payload, terminal)
}

/// The task and its run, the run, or the person.
fn emitter(event: &EventDocument) -> String {
    match (&event.run_id, &event.task) {
        (Some(run), Some(task)) => format!("`{task}` of {run}"),
        (Some(run), None) => run.clone(),
        (None, _) => event.by.clone(),
    }
}

/// The beginning of a payload, with secrets masked.
fn payload(event: &EventDocument) -> String {
    let Some(payload) = &event.payload else { return crate::base::units::bytes(event.size) };
    let redactor = Redactor::current();
    let text = payload.to_string();
    let shown = redactor.text(&text);
    format::cut(&redactor.beginnings(&shown), PAYLOAD)
}

pub(super) fn assets(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let assets = source.assets()?;
    if args::wants_json(matches) {
        return run_args::print_json(&assets, terminal);
    }
    if assets.is_empty() {
        terminal.note("the program declares no assets, and no DAG has had a result");
        return Ok(Exit::Success);
    }
    let mut table = Table::new([
        Column::new("asset"),
        Column::text("payload").rank(2),
        Column::new("partition"),
        Column::text("produced by").rank(1),
        Column::number("last event"),
        Column::new("emitted"),
        Column::reason("description"),
    ]);
    for AssetDocument { name, doc, ty, partition, producers, last, .. } in &assets {
        let producers = if dag_of(name).is_some() { "its runs".to_owned() } else { producers.join(", ") };
        table.add_row([
            Cell::new(name),
            Cell::new(ty),
            Cell::new(partition.as_deref().unwrap_or_default()),
            Cell::new(producers),
            Cell::new(last.as_ref().map(|last| last.number.to_string()).unwrap_or_default()),
            Cell::new(last.as_ref().map(|last| format::time(last.emitted)).unwrap_or_default()),
            Cell::new(doc.lines().next().unwrap_or_default()),
        ]);
    }
    terminal.print(&table.render(terminal.width_stdout(), terminal.paint_stdout()))?;
    Ok(Exit::Success)
}
