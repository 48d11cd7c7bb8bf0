//! `dags`: the DAGs with their schedules, pauses and last runs.

use clap::{ArgMatches, Command};

use super::pauses::who;
use crate::cli::choose::NOTHING_LINKED;
use crate::cli::error::{CliError, Exit};
use crate::cli::grid::{self, Cell, Column, Table};
use crate::cli::source::Source;
use crate::cli::terminal::Terminal;
use crate::cli::{args, drive, format, run_args};
use crate::ops::DagStatus;
use crate::render::palette::Mark;
use crate::schedule::Zone;

pub(in crate::cli) fn dags_command() -> Command {
    Command::new("dags")
        .about("List the DAGs with their schedules, pauses and last runs")
        .after_help("A DAG of which there are runs, and that this program no longer has, is `gone`.")
}

pub(in crate::cli) fn dags(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
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
