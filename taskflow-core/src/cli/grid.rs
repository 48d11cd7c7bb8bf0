//! Tables without frames: a header, a line, rows.

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, TableStyle, presets::NOTHING,
};

use crate::engine::TaskState;

const STYLE: TableStyle = NOTHING.header_separator(LineStyle::none().fill('─').junction('─'));

/// An empty table. Colours and the width come from where it will be printed; without a width nothing is wrapped.
pub(super) fn grid<const N: usize>(header: [&str; N], colour: bool, width: Option<u16>) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).force_no_tty();
    if colour {
        table.enforce_styling();
    }
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table.set_header(header.map(|title| Cell::new(title).add_attribute(Attribute::Dim)));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// A number or a duration.
pub(super) fn right(text: impl ToString) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// A text that says something bad.
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
        TaskState::None | TaskState::Scheduled | TaskState::Running | TaskState::Removed => {
            cell.add_attribute(Attribute::Dim)
        }
    }
}
