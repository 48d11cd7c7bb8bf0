//! Tables without frames: a header, a line, rows. They fit the terminal.
//!
//! Where a table is wider than the terminal:
//!
//! 1. Columns without content are left out, and so is one that can be spared ([`SPARE`]).
//! 2. The columns of texts ([`Column::text`]) become narrower, the widest first. Their texts are
//!    cut with an ellipsis, between words where possible.
//! 3. A column of reasons ([`Column::reason`]) that gets too narrow to be read leaves the table:
//!    its texts follow their rows on lines of their own.
//! 4. Columns are dropped, the one with the highest [`rank`](Column::rank) first.
//!
//! No row is ever wrapped. Output that is not a terminal has no width, and nothing is cut.

use console::measure_text_width;

use super::fit::{cut, wrapped};
use super::terminal::Paint;
use crate::base::text::one_line;
use crate::log::Redactor;
use crate::render::palette::Mark;
use crate::run::{RunState, TaskState};

/// The space between two columns.
const GAP: usize = 2;
/// The width of a glyph and the space behind it.
const GLYPH: usize = 2;
/// A column of texts is not made narrower than this.
const NARROW: usize = 12;
/// A column of reasons that would be narrower gets lines of its own.
const READABLE: usize = 32;
/// A column of this rank is dropped before any text is cut.
pub(super) const SPARE: u8 = 3;
/// How many lines a reason may have.
const REASON_LINES: usize = 2;

/// A column of a table.
#[derive(Clone, Debug)]
pub(super) struct Column {
    title: String,
    right: bool,
    fit: Fit,
    /// Columns of the highest rank are dropped first; those of rank 0 never.
    rank: u8,
}

/// How a column fits a narrow terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// Shown whole or not at all.
    Whole,
    /// Cut.
    Text,
    /// Cut, or shown below its row.
    Reason,
}

impl Column {
    /// Names, numbers and times: always whole.
    pub(super) fn new(title: impl Into<String>) -> Self {
        Column { title: title.into(), right: false, fit: Fit::Whole, rank: 0 }
    }

    /// As [`Column::new`], aligned right.
    pub(super) fn number(title: impl Into<String>) -> Self {
        Column { right: true, ..Column::new(title) }
    }

    /// Texts that can be cut.
    pub(super) fn text(title: impl Into<String>) -> Self {
        Column { fit: Fit::Text, ..Column::new(title) }
    }

    /// Sentences, in the last column.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "used for stored runs only"))]
    pub(super) fn reason(title: impl Into<String>) -> Self {
        Column { fit: Fit::Reason, ..Column::new(title) }
    }

    /// Can be dropped; those of the highest rank are dropped first.
    pub(super) fn rank(self, rank: u8) -> Self {
        Column { rank, ..self }
    }
}

/// The colour of a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Tone {
    #[default]
    Plain,
    Bad,
    Faint,
}

/// A cell of a table.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
    /// Of a state: it is in front of the text where there are glyphs.
    mark: Option<Mark>,
}

impl Cell {
    /// A text in one line. Unsafe characters and line breaks become visible.
    #[allow(clippy::needless_pass_by_value, reason = "most callers pass a text that they have just made")]
    pub(super) fn new(text: impl ToString) -> Self {
        // Masked before it is cut: a part of a secret would not be recognised.
        let text = text.to_string();
        let text = one_line(&Redactor::current().registered(&text)).into_owned();
        Cell { text, ..Cell::default() }
    }

    fn tone(self, tone: Tone) -> Self {
        Cell { tone, ..self }
    }

    /// In the colour of errors.
    pub(super) fn bad(text: impl ToString) -> Self {
        Cell::new(text).tone(Tone::Bad)
    }

    /// Less visible.
    pub(super) fn faint(self) -> Self {
        self.tone(Tone::Faint)
    }

    /// A state with its glyph.
    pub(super) fn state(mark: Mark, name: impl ToString) -> Self {
        Cell { mark: Some(mark), ..Cell::new(name) }
    }

    /// The width of what is in front of the text.
    fn indent(&self, paint: Paint) -> usize {
        if self.mark.is_some() && paint.0 { GLYPH } else { 0 }
    }

    fn width(&self, paint: Paint) -> usize {
        self.indent(paint) + measure_text_width(&self.text)
    }

    fn painted(&self, text: &str, paint: Paint) -> String {
        match self.mark {
            Some(mark) => paint.state(mark, text),
            None => self.toned(text, paint),
        }
    }

    fn toned(&self, text: &str, paint: Paint) -> String {
        match self.tone {
            Tone::Plain => text.to_owned(),
            Tone::Bad => paint.bad(text),
            Tone::Faint => paint.faint(text),
        }
    }
}

/// A table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// How the columns fit a width.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Layout {
    /// The shown columns with their widths.
    columns: Vec<(usize, usize)>,
    /// The column that is shown below its rows.
    below: Option<usize>,
}

impl Table {
    pub(super) fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Table { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row, which has a cell for each column.
    pub(super) fn add_row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines of the table, each with a line break.
    pub(super) fn render(&self, width: Option<u16>, paint: Paint) -> String {
        let width = width.map_or(usize::MAX, usize::from);
        let layout = self.layout(width, paint);
        let mut text = String::new();
        let header: Vec<Cell> =
            self.columns.iter().map(|column| Cell::default().tone(Tone::Faint).with(&column.title)).collect();
        text += &self.line(&header, &layout, paint);
        let whole: usize = layout.columns.iter().map(|&(_, width)| width + GAP).sum();
        text += &paint.faint(&"─".repeat(whole.min(width)));
        text += "\n";
        for row in &self.rows {
            text += &self.line(row, &layout, paint);
            let below = layout.below.and_then(|column| row.get(column)).filter(|cell| !cell.text.is_empty());
            if let Some(cell) = below {
                for line in wrapped(&cell.text, width.saturating_sub(4).max(NARROW), REASON_LINES) {
                    text += &format!("    {}\n", cell.painted(&line, paint));
                }
            }
        }
        text
    }

    fn line(&self, row: &[Cell], layout: &Layout, paint: Paint) -> String {
        let mut line = String::new();
        let mut owed = 0;
        for &(column, width) in &layout.columns {
            let cell = &row[column];
            // In the narrowest columns the name has all the room.
            let indent = if cell.indent(paint) < width { cell.indent(paint) } else { 0 };
            let shown = cut(&cell.text, width.saturating_sub(indent));
            let space = width - (indent + measure_text_width(&shown)).min(width);
            let (before, after) = if self.columns[column].right { (space, 0) } else { (0, space) };
            if shown.is_empty() {
                owed += width + GAP;
            } else {
                line += &" ".repeat(owed + before);
                line += &if indent > 0 { cell.painted(&shown, paint) } else { cell.toned(&shown, paint) };
                owed = after + GAP;
            }
        }
        line + "\n"
    }

    fn layout(&self, width: usize, paint: Paint) -> Layout {
        let natural = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].width(paint));
            cells.chain([measure_text_width(&self.columns[column].title)]).max().unwrap_or(0)
        };
        let mut columns: Vec<(usize, usize)> =
            (0..self.columns.len()).map(|column| (column, natural(column))).collect();
        let mut below = None;
        loop {
            let total = columns.iter().map(|&(_, width)| width + GAP).sum::<usize>().saturating_sub(GAP);
            let Some(excess) = total.checked_sub(width).filter(|&excess| excess > 0) else { break };
            let least = |column: usize| match self.columns[column].fit {
                Fit::Whole => usize::MAX,
                Fit::Text => NARROW,
                Fit::Reason => READABLE,
            };
            let is_empty = |&(column, _): &(usize, usize)| self.rows.iter().all(|row| row[column].text.is_empty());
            let is_spare = |&(column, _): &(usize, usize)| self.columns[column].rank >= SPARE;
            if let Some(place) = columns.iter().position(is_empty).or_else(|| columns.iter().rposition(is_spare)) {
                columns.remove(place);
                continue;
            }
            let slack: usize = columns.iter().map(|&(column, width)| width.saturating_sub(least(column))).sum();
            if slack >= excess {
                narrow(&mut columns, least, excess);
                break;
            }
            let is_reason = |&(column, _): &(usize, usize)| self.columns[column].fit == Fit::Reason;
            if let Some(reason) = columns.iter().position(is_reason) {
                below = Some(columns.remove(reason).0);
                continue;
            }
            let ranks = columns.iter().enumerate().map(|(place, &(column, _))| (self.columns[column].rank, place));
            match ranks.max().filter(|&(rank, _)| rank > 0) {
                Some((_, place)) => drop(columns.remove(place)),
                None => {
                    // What identifies a row is cut only when nothing else is left.
                    narrow(&mut columns, |_| 1, excess);
                    break;
                }
            }
        }
        Layout { columns, below }
    }
}

impl Cell {
    fn with(self, text: &str) -> Self {
        Cell { text: text.to_owned(), ..self }
    }
}

/// Takes `excess` from the widths, each time from the widest column.
fn narrow(columns: &mut [(usize, usize)], least: impl Fn(usize) -> usize, excess: usize) {
    for _ in 0..excess {
        let widest =
            columns.iter_mut().filter(|(column, width)| *width > least(*column)).max_by_key(|&&mut (_, width)| width);
        let Some((_, width)) = widest else { return };
        *width -= 1;
    }
}

/// A state of a task with its glyph.
pub(super) fn state(state: TaskState) -> Cell {
    Cell::state(Mark::of(state.name()), state)
}

/// A state of a run with its glyph.
#[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "used for stored runs only"))]
pub(super) fn run_state(state: RunState) -> Cell {
    Cell::state(Mark::of(state.name()), state)
}

/// A state of a run with its glyph, for text outside a table.
pub(super) fn painted(state: RunState, paint: Paint) -> String {
    paint.state(Mark::of(state.name()), state.name())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([
            Column::new("task"),
            Column::new("state"),
            Column::number("attempts").rank(2),
            Column::number("duration").rank(1),
            Column::reason("why"),
        ]);
        let why = "the file has not landed: no such file or directory (os error 2) in /data/landing/2026-01-31";
        table.add_row([Cell::new("extract"), Cell::new("success"), Cell::new(1), Cell::new("12 ms"), Cell::new("")]);
        table.add_row([Cell::new("航班加载"), Cell::new("failed"), Cell::new(12), Cell::new("1.20 s"), Cell::new(why)]);
        table
    }

    fn shown(width: u16) -> String {
        table().render(Some(width), Paint(false))
    }

    #[test]
    fn a_wide_terminal_shows_everything_in_one_line() {
        insta::assert_snapshot!(shown(200), @r"
        task      state    attempts  duration  why
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
        extract   success         1     12 ms
        航班加载  failed         12    1.20 s  the file has not landed: no such file or directory (os error 2) in /data/landing/2026-01-31
        ");
    }

    /// Colours have no width.
    #[test]
    fn columns_are_aligned_behind_glyphs() {
        let mut table = Table::new([Column::new("task"), Column::new("state"), Column::number("attempts")]);
        for (task, task_state) in [("load", TaskState::Failed), ("航班", TaskState::UpForReschedule)] {
            table.add_row([Cell::new(task), state(task_state), Cell::new(1)]);
        }
        table.add_row([Cell::new("a"), Cell::new(""), Cell::new(12)]);
        let text = table.render(Some(80), Paint(true));
        let plain: String = console::strip_ansi_codes(&text).into_owned();
        insta::assert_snapshot!(plain, @r"
        task  state                attempts
        ─────────────────────────────────────
        load  ✕ failed                    1
        航班  ◷ up_for_reschedule         1
        a                                12
        ");
        for width in 7..60 {
            let text = table.render(Some(width), Paint(true));
            assert!(text.lines().all(|line| measure_text_width(line) <= usize::from(width)), "{width}: {text}");
        }
    }

    #[test]
    fn a_reason_is_cut_between_words() {
        insta::assert_snapshot!(shown(80), @r"
        task      state    attempts  duration  why
        ────────────────────────────────────────────────────────────────────────────────
        extract   success         1     12 ms
        航班加载  failed         12    1.20 s  the file has not landed: no such file…
        ");
    }

    /// B12: a table with reasons on a narrow terminal.
    #[test]
    fn a_reason_that_cannot_be_read_has_lines_of_its_own() {
        insta::assert_snapshot!(shown(60), @r"
        task      state    attempts  duration
        ───────────────────────────────────────
        extract   success         1     12 ms
        航班加载  failed         12    1.20 s
            the file has not landed: no such file or directory (os
            error 2) in /data/landing/2026-01-31
        ");
    }

    #[test]
    fn columns_are_dropped_by_rank() {
        insta::assert_snapshot!(shown(28), @r"
        task      state    duration
        ────────────────────────────
        extract   success     12 ms
        航班加载  failed     1.20 s
            the file has not landed:
            no such file or directo…
        ");
        insta::assert_snapshot!(shown(18), @r"
        task      state
        ──────────────────
        extract   success
        航班加载  failed
            the file has
            not landed…
        ");
    }

    /// B12: a table on terminals of every width.
    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in 4..120 {
            let text = shown(width);
            let widest = text.lines().map(measure_text_width).max().unwrap_or(0);
            // Reasons keep a few columns.
            assert!(widest <= usize::from(width).max(NARROW + 4), "{width}: {text}");
        }
    }

    #[test]
    fn without_a_terminal_nothing_is_cut() {
        assert_eq!(table().render(None, Paint(false)), shown(200));
    }
}
