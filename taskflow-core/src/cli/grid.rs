//! Tables without frames: a header, a line, rows.

use std::borrow::Cow;

use comfy_table::presets::NOTHING;
use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle,
};

use super::terminal::{Paint, marked};
use crate::base::text::one_line;
use crate::run::{RunState, TaskState};

const STYLE: TableStyle = NOTHING.header_separator(LineStyle::none().fill('─').junction('─'));

/// A table whose cells are safe to show, whatever they contain.
#[derive(Debug)]
pub(super) struct Grid(Table);

impl Grid {
    /// Adds a row. Unsafe characters and line breaks in its cells are made visible.
    pub(super) fn add_row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.0.add_row(cells.into_iter().map(|cell| {
            let content = cell.content();
            // A cell cannot be changed. Only states have a colour, and their names are ours.
            match one_line(&content) {
                Cow::Borrowed(_) => cell,
                Cow::Owned(shown) => Cell::new(shown),
            }
        }));
    }

    /// The table without spaces at the ends of lines.
    pub(super) fn trim_fmt(&self) -> String {
        marked(&self.0.trim_fmt()).into_owned()
    }
}

/// An empty table. The title of a column of numbers begins with `>`, that of a column that is never
/// wrapped with `=`. Colours and width are those of the stream; without a width nothing is wrapped.
pub(super) fn grid<'a>(titles: impl IntoIterator<Item = &'a str>, colour: bool, width: Option<u16>) -> Grid {
    let mut table = Table::new();
    table.load_style(STYLE).force_no_tty();
    if colour {
        table.enforce_styling();
    }
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    let titles: Vec<&str> = titles.into_iter().collect();
    let title = |title: &&str| Cell::new(title.trim_start_matches(['>', '='])).add_attribute(Attribute::Dim);
    table.set_header(titles.iter().map(title));
    for (column, title) in table.column_iter_mut().zip(titles) {
        column.set_padding((0, 2));
        if title.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if title.starts_with(['>', '=']) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    Grid(table)
}

/// A text in the colour of errors.
pub(super) fn bad(text: impl ToString) -> Cell {
    Cell::new(text).fg(Color::Red).add_attribute(Attribute::Bold)
}

/// The name of a state in its colour.
pub(super) fn state(state: TaskState) -> Cell {
    let cell = Cell::new(state);
    match state {
        TaskState::Success => cell.fg(Color::Green),
        TaskState::Failed => bad(state),
        TaskState::UpstreamFailed => cell.fg(Color::Red),
        TaskState::Skipped | TaskState::Cancelled | TaskState::UpForRetry => cell.fg(Color::Yellow),
        TaskState::None
        | TaskState::Scheduled
        | TaskState::Running
        | TaskState::Removed
        | TaskState::UpForReschedule
        | TaskState::Deferred => cell.add_attribute(Attribute::Dim),
    }
}

/// The name of a state of a run in its colour.
#[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "used for stored runs only"))]
pub(super) fn run_state(state: RunState) -> Cell {
    match state {
        RunState::Success => Cell::new(state).fg(Color::Green),
        RunState::Failed => bad(state),
        RunState::Cancelled | RunState::Interrupted => Cell::new(state).fg(Color::Yellow),
        RunState::Queued | RunState::Running => Cell::new(state),
    }
}

/// The name of a state of a run, for text outside a table.
pub(super) fn painted(state: RunState, paint: Paint) -> String {
    match state {
        RunState::Success => paint.good(state.name()),
        RunState::Failed => paint.bad(state.name()),
        RunState::Queued | RunState::Running | RunState::Cancelled | RunState::Interrupted => paint.odd(state.name()),
    }
}

/// The order of states in summaries: success first, tasks that are still to run last.
pub(super) fn place_of(state: TaskState) -> usize {
    const ORDER: [TaskState; 12] = [
        TaskState::Success,
        TaskState::Failed,
        TaskState::UpstreamFailed,
        TaskState::Skipped,
        TaskState::Cancelled,
        TaskState::Running,
        TaskState::UpForRetry,
        TaskState::UpForReschedule,
        TaskState::Deferred,
        TaskState::Scheduled,
        TaskState::None,
        TaskState::Removed,
    ];
    ORDER.iter().position(|&known| known == state).unwrap_or(ORDER.len())
}
