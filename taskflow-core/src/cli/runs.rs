//! `runs`: lists stored runs, newest first.

use std::time::Duration;

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::error::{CliError, Exit};
use super::grid::{self, Cell, Column, Table};
use super::source::{RunPage, Source};
use super::terminal::Terminal;
use super::{args, format, run_args};
use crate::base::{Timestamp, nearest};
use crate::dag::Registry;
use crate::ops::{RunListFormat, RunSummaryDocument};
use crate::run::{RunState, TaskState};
use crate::store::RunFilter;

pub(super) fn command() -> Command {
    Command::new("runs")
        .about("List stored runs, newest first")
        .arg(Arg::new("dag").long("dag").value_name("DAG").help("Only runs of this DAG"))
        .arg(run_args::states())
        .arg(
            Arg::new("since")
                .long("since")
                .value_name("TIME")
                .value_parser(since)
                .help("Only runs created since this time, day, or duration ago such as 2d"),
        )
        .arg(
            Arg::new("by")
                .long("by")
                .value_name("NAME")
                .value_parser(NonEmptyStringValueParser::new())
                .help("Only runs that this account, user or token has asked for"),
        )
        .arg(
            Arg::new("param")
                .long("param")
                .value_name("NAME=VALUE")
                .action(ArgAction::Append)
                .value_parser(param)
                .help("Only runs with this value of a parameter; of a name that is repeated, with any of its values"),
        )
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("N")
                .value_parser(value_parser!(u32))
                .help("Show at most N runs; 0 shows all [default: 20, with --format all]"),
        )
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .value_parser(PossibleValuesParser::new(RunListFormat::ALL.map(RunListFormat::name)))
                .help("Print the runs as a file: `csv` for spreadsheets, `jsonl` with a JSON document a line"),
        )
}

pub(super) fn since(text: &str) -> Result<Timestamp, String> {
    match (format::span(text), text.parse::<Timestamp>()) {
        (Ok(span), _) => Ok(Timestamp::now() - span),
        (_, Ok(time)) => Ok(time),
        _ => Err(format!("`{text}` is neither a duration such as 90s, 15m, 12h, 30d or 2w, nor a time or a day")),
    }
}

/// A parameter with a value.
fn param(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a parameter and its value are written NAME=VALUE, such as month=2013-01".to_owned()),
    }
}

pub(super) fn runs(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let format = matches.get_one::<String>("format");
    let format = format.and_then(|name| RunListFormat::ALL.into_iter().find(|format| format.name() == name));
    let limit = matches.get_one::<u32>("limit").copied().unwrap_or(if format.is_some() { 0 } else { 20 });
    let filter = RunFilter {
        dag: matches.get_one::<String>("dag").cloned(),
        states: run_args::given_states(matches),
        since: matches.get_one::<Timestamp>("since").copied(),
        requested_by: matches.get_one::<String>("by").cloned(),
        params: matches.get_many::<(String, String)>("param").unwrap_or_default().cloned().collect(),
        limit: (limit > 0).then_some(limit),
        ..RunFilter::default()
    };
    if let Some(format) = format {
        return export(format, &filter, source, terminal);
    }
    let RunPage { runs, more } = source.runs(&filter)?;
    if args::wants_json(matches) {
        run_args::print_json(&runs, terminal)?;
    } else if !runs.is_empty() {
        terminal.print(&table(&runs, terminal))?;
    }
    if runs.is_empty() {
        terminal.note(&nothing(source, &filter));
    } else if more {
        terminal.note(&format!("and older runs; --limit {} shows more, --limit 0 shows all", limit.saturating_mul(5)));
    }
    Ok(Exit::Success)
}

/// Prints runs page by page: there may be a million.
fn export(format: RunListFormat, filter: &RunFilter, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let offer = |text: &str| match format {
        RunListFormat::Csv => terminal.offer_value(text),
        RunListFormat::JsonLines => terminal.offer_json(text),
    };
    if offer(&format.head())? {
        source.each_page_of_runs(filter, |runs| Ok(offer(&format.lines(runs))?))?;
    }
    Ok(Exit::Success)
}

fn nothing(source: &Source, filter: &RunFilter) -> String {
    let any = RunFilter { limit: filter.limit, ..RunFilter::default() };
    if *filter == any {
        return source.no_runs();
    }
    let dags = Registry::dags();
    match &filter.dag {
        Some(dag) if matches!(source, Source::Home(_)) && !dags.iter().any(|known| known.id == dag) => {
            let near = nearest(dag, dags.iter().map(|known| known.id));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            format!("no runs match: this program has no DAG `{dag}`{near}")
        }
        _ => format!("no runs in {} match; without flags, `runs` lists the newest runs", source.shown()),
    }
}

pub(super) fn table(runs: &[RunSummaryDocument], terminal: &Terminal) -> String {
    let dates = runs.iter().any(|run| is_about_another_time(run.logical_date, run.created));
    let mut columns = vec![
        Column::number("run"),
        Column::new("dag"),
        Column::new("state"),
        Column::new("created").rank(2),
        Column::number("duration").rank(1),
        Column::text("tasks"),
    ];
    if dates {
        columns.insert(4, Column::new("logical date").rank(1));
    }
    let mut table = Table::new(columns);
    let now = Timestamp::now();
    for run in runs {
        let until = match run.state {
            RunState::Running => Some(now),
            _ => run.ended,
        };
        let duration = until.map(|until| format::duration(until.since(run.created))).unwrap_or_default();
        let mut row = vec![
            Cell::new(run.number),
            Cell::new(&run.dag_id),
            grid::run_state(run.state),
            Cell::new(format::moment(run.created)),
            Cell::new(duration),
            Cell::new(tasks(run)),
        ];
        if dates {
            row.insert(4, Cell::new(format::moment(run.logical_date)));
        }
        table.add_row(row);
    }
    table.render(terminal.width_stdout(), terminal.paint_stdout())
}

/// The logical date of a manual run is its creation, which is not worth a second column.
pub(super) fn is_about_another_time(logical_date: Timestamp, created: Timestamp) -> bool {
    const SAME: Duration = Duration::from_secs(60);
    created.since(logical_date) > SAME || logical_date.since(created) > SAME
}

/// `40`, `40: 38 success, 2 failed`, or of a run that leaves tasks out `12 of 40`
fn tasks(run: &RunSummaryDocument) -> String {
    let state = |name: &str| TaskState::ALL.into_iter().find(|state| state.name() == name);
    let mut counts: Vec<(TaskState, u64)> =
        run.counts.iter().filter_map(|(name, count)| Some((state(name)?, count.as_u64()?))).collect();
    let left_out = counts.iter().find(|(state, _)| *state == TaskState::Removed).map(|(_, count)| *count);
    counts.retain(|(state, _)| *state != TaskState::Removed);
    let total = match left_out {
        Some(left_out) => format!("{} of {}", u64::from(run.tasks).saturating_sub(left_out), run.tasks),
        None => run.tasks.to_string(),
    };
    match &*counts {
        [] | [(TaskState::Success, _)] => total,
        _ => {
            counts.sort_by_key(|&(state, _)| grid::place_of(state));
            let counts: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
            format!("{total}: {}", counts.join(", "))
        }
    }
}
