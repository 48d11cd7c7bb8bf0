//! The table of a run: a row for each task; in a large DAG, for each task function.

use std::time::Duration;

use super::super::format;
use super::super::grid::{Cell, Column, SPARE, Table, place_of, state as state_cell};
use super::super::terminal::Terminal;
use crate::dag::path_of;
use crate::engine::RunReport;
use crate::run::TaskState;

/// A longer table is hard to read.
const ROWS: usize = 60;

pub(super) fn table(report: &RunReport, terminal: &Terminal) -> String {
    let taking_part = report.tasks().filter(|task| task.state() != TaskState::Removed).count();
    let table = if taking_part <= ROWS { by_task(report) } else { by_function(report) };
    table.render(terminal.width_stderr(), terminal.paint_stderr()).trim_end().to_owned()
}

fn by_task(report: &RunReport) -> Table {
    let mut table = Table::new([
        Column::new("task"),
        Column::new("state"),
        Column::number("attempts").rank(2),
        Column::number("duration").rank(1),
        Column::number("start").rank(SPARE),
    ]);
    let mut tasks: Vec<_> = report.tasks().filter(|task| task.state() != TaskState::Removed).collect();
    // Elements are listed in the place of their node.
    tasks.sort_by_cached_key(|task| (task.node(), path_of(&task.id())));
    for task in tasks {
        let ran = |text: String| Cell::new(if task.started().is_some() { text } else { String::new() });
        table.add_row([
            Cell::new(format::task(&task.id(), task.label().as_deref())),
            state_cell(task.state()),
            ran(task.attempt_count().to_string()),
            ran(format::duration(task.duration())),
            ran(task
                .started()
                .map(|at| format!("+{}", format::duration(at.since(report.started()))))
                .unwrap_or_default()),
        ]);
    }
    table
}

/// The totals of the tasks that call one function.
#[derive(Clone, Debug, Default)]
struct Sum {
    tasks: usize,
    states: Vec<(TaskState, usize)>,
    time: Duration,
    longest: Duration,
}

fn by_function(report: &RunReport) -> Table {
    let plan = report.plan();
    let mut sums = vec![Sum::default(); plan.defs().len()];
    let mut all: Vec<TaskState> = Vec::new();
    for task in report.tasks().filter(|task| task.state() != TaskState::Removed) {
        let sum = &mut sums[plan.def_index(task.node())];
        let (state, took) = (task.state(), task.duration());
        sum.tasks += 1;
        sum.time += took;
        sum.longest = sum.longest.max(took);
        match sum.states.iter_mut().find(|(known, _)| *known == state) {
            Some((_, count)) => *count += 1,
            None => sum.states.push((state, 1)),
        }
        if !all.contains(&state) {
            all.push(state);
        }
    }
    all.sort_by_key(|&state| place_of(state));

    let states = all.iter().map(|state| Column::number(state.name()));
    let columns = [Column::new("function"), Column::number("tasks").rank(1)].into_iter().chain(states);
    let times = [Column::number("total").rank(2), Column::number("longest").rank(SPARE)];
    let mut table = Table::new(columns.chain(times));
    for (def, sum) in plan.defs().iter().zip(&sums).filter(|(_, sum)| sum.tasks > 0) {
        let count = |state| sum.states.iter().find(|(known, _)| *known == state).map(|(_, count)| count.to_string());
        let mut row = vec![Cell::new(def.id), Cell::new(sum.tasks)];
        row.extend(all.iter().map(|&state| Cell::new(count(state).unwrap_or_default())));
        row.extend([Cell::new(format::duration(sum.time)), Cell::new(format::duration(sum.longest))]);
        table.add_row(row);
    }
    table
}
