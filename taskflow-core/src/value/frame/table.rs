//! Displays the first rows of a frame, up to a size limit.

use std::fmt::Write as _;

use arrow_array::RecordBatch;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::Schema;

use crate::log::Redactor;

/// With a smaller limit than this, in characters, only the columns are shown.
const TABLE: usize = 300;
/// The most rows shown.
const ROWS: usize = 10;
/// The largest width of a column.
const CELL: usize = 24;
/// The largest width of the table.
const WIDTH: usize = 100;

/// The columns with their types: `day Utf8, rows Int64`. With a colon in between, redaction could
/// mistake them for a secret and its name.
pub(super) fn columns(schema: &Schema) -> String {
    let columns = schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type()));
    columns.collect::<Vec<_>>().join(", ")
}

/// The first rows in at most `limit` characters.
pub(super) fn small(schema: &Schema, batches: &[RecordBatch], rows: usize, limit: usize) -> String {
    let head = format!("{rows} {} of {}", if rows == 1 { "row" } else { "rows" }, columns(schema));
    if limit < TABLE {
        return cut(&head, limit);
    }
    // The lines that fit: the heading, the names, and as many rows as possible.
    let mut lines: Vec<Vec<String>> = vec![schema.fields().iter().map(|field| cut(field.name(), CELL)).collect()];
    lines.extend(first_rows(schema, batches));
    let widths: Vec<usize> = (0..schema.fields().len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut room = WIDTH;
    let fitting = widths.iter().take_while(|&&width| {
        let fits = width <= room;
        room = room.saturating_sub(width + 2);
        fits
    });
    let shown = fitting.count();
    let mut table = String::new();
    let mut rows_shown = 0;
    for (place, line) in lines.iter().enumerate() {
        let mut text = String::new();
        for (cell, width) in line[..shown].iter().zip(&widths) {
            let gap = if text.is_empty() { "" } else { "  " };
            // Writing to a string cannot fail.
            let _ = write!(text, "{gap}{cell:<width$}");
        }
        if table.len() + text.len() + head.len() + 80 > limit && place > 0 {
            break;
        }
        rows_shown = place;
        table.push_str(text.trim_end());
        table.push('\n');
    }
    let more_columns = match &schema.fields()[shown..] {
        [] => String::new(),
        hidden => format!("; {} more columns are not shown", hidden.len()),
    };
    let more_rows = if rows > rows_shown { format!("; the first {rows_shown} of them:") } else { ":".to_owned() };
    format!("{}{more_columns}{more_rows}\n{}", cut(&head, limit / 2), table.trim_end())
}

/// The first rows as texts, without columns whose name marks a secret.
fn first_rows(schema: &Schema, batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let secret: Vec<bool> = schema.fields().iter().map(|field| Redactor::is_secret_name(field.name())).collect();
    let options = FormatOptions::default().with_null("null");
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<Option<ArrayFormatter<'_>>> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).ok()).collect();
        for row in 0..batch.num_rows().min(ROWS - rows.len()) {
            let cells = columns.iter().zip(&secret).map(|(column, secret)| match column {
                _ if *secret => "***".to_owned(),
                Some(column) => cut(&column.value(row).to_string().replace('\n', " "), CELL),
                None => "?".to_owned(),
            });
            rows.push(cells.collect());
        }
        if rows.len() == ROWS {
            break;
        }
    }
    rows
}

fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut shortened: String = text.chars().take(limit.saturating_sub(1)).collect();
    shortened.push('…');
    shortened
}
