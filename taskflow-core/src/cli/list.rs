//! `list`: lists the DAGs of the binary, including those whose graph has mistakes.

use clap::ArgMatches;
use serde::Serialize;

use super::args;
use super::choose::{Dags, NOTHING_LINKED};
use super::error::{CliError, Exit};
use super::grid::{Cell, Column, Table};
use super::terminal::Terminal;
use crate::dag::{BuildError, DagDef, ParamDefault, ScheduleSource};

pub(super) fn list(matches: &ArgMatches, dags: &Dags, terminal: &Terminal) -> Result<Exit, CliError> {
    let entries: Vec<Entry> = dags.all().iter().map(|dag| Entry::of(dag, dags)).collect();
    let broken = entries.iter().any(|entry| !entry.errors.is_empty());
    if args::wants_json(matches) {
        let json = serde_json::to_string_pretty(&entries).map_err(|error| CliError::Failure(error.to_string()))?;
        terminal.print_json(&(json + "\n"))?;
    } else if !entries.is_empty() {
        terminal.print(&table(&entries, terminal))?;
    }
    for entry in &entries {
        for error in &entry.errors {
            terminal.error(&format!("DAG `{}` ({}): {error}", entry.id, entry.location));
        }
    }
    if entries.is_empty() {
        terminal.error(NOTHING_LINKED);
    }
    Ok(if broken || entries.is_empty() { Exit::Failure } else { Exit::Success })
}

/// A DAG in the list.
#[derive(Debug, Serialize)]
struct Entry {
    id: &'static str,
    description: &'static str,
    module: &'static str,
    location: String,
    schedule: Option<&'static str>,
    tags: &'static [&'static str],
    /// Their number; missing when the graph has mistakes.
    tasks: Option<usize>,
    version: Option<String>,
    params: Vec<Param>,
    errors: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Param {
    name: &'static str,
    #[serde(rename = "type")]
    ty: String,
    required: bool,
    /// The value of the default, if it is the same for every run.
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<serde_json::Value>,
    /// The expression that takes the default from the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    default_from_run: Option<String>,
    help: &'static str,
}

impl Entry {
    fn of(dag: &'static DagDef, dags: &Dags) -> Self {
        let plan = dag.plan();
        let mut errors: Vec<String> = match &plan {
            Ok(_) => Vec::new(),
            Err(errors) => errors.errors().iter().map(BuildError::to_string).collect(),
        };
        let twins = dags.all().iter().filter(|other| other.id == dag.id && !std::ptr::eq(**other, dag));
        errors.extend(twins.map(|twin| format!("the DAG at {} has the same id; rename one of them", twin.location)));
        let plan = plan.ok();
        Entry {
            id: dag.id,
            description: dag.doc,
            module: dag.module,
            location: dag.location.to_string(),
            schedule: dag.options.schedule.map(ScheduleSource::text),
            tags: dag.options.tags,
            tasks: plan.as_ref().map(|plan| plan.task_count()),
            version: plan.as_ref().map(|plan| plan.hash().to_owned()),
            params: (dag.params)().iter().map(Param::of).collect(),
            errors,
        }
    }

    /// `day, late_after_min, table*`: a star marks required parameters.
    fn params(&self) -> String {
        let name = |param: &Param| format!("{}{}", param.name, if param.required { "*" } else { "" });
        self.params.iter().map(name).collect::<Vec<_>>().join(", ")
    }
}

impl Param {
    fn of(param: &crate::dag::ParamDef) -> Self {
        let (default, default_from_run) = match param.default_view() {
            Some(ParamDefault::Value(value)) => (Some(value), None),
            Some(ParamDefault::FromRun(expression)) => (None, Some(expression.to_owned())),
            None => (None, None),
        };
        Param {
            name: param.name,
            ty: param.ty.short(),
            required: !param.has_default(),
            default,
            default_from_run,
            help: param.help,
        }
    }
}

fn table(entries: &[Entry], terminal: &Terminal) -> String {
    let mut table = Table::new([
        Column::new("dag"),
        Column::number("tasks").rank(2),
        Column::text("schedule").rank(1),
        Column::text("parameters").rank(1),
        Column::text("description"),
    ]);
    for entry in entries {
        let tasks = match entry.tasks {
            Some(tasks) if entry.errors.is_empty() => Cell::new(tasks),
            _ => Cell::bad("broken"),
        };
        table.add_row([
            Cell::new(entry.id),
            tasks,
            Cell::new(entry.schedule.unwrap_or_default()),
            Cell::new(entry.params()),
            Cell::new(entry.description.lines().next().unwrap_or_default()),
        ]);
    }
    let note =
        if entries.iter().any(|entry| entry.params.iter().any(|param| param.required)) { "* required\n" } else { "" };
    table.render(terminal.width_stdout(), terminal.paint_stdout()) + note
}
