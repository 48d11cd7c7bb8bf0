//! The lines of a log: numbered, with their colours, and without what a terminal would do.

use super::ansi::{Piece, pieces};
use crate::base::Timestamp;
use crate::base::text::bounded;
use crate::log::{LogLevel, LogRecord};
use crate::ops::Home;

/// The most bytes of a line that a page shows; the whole line is in the raw log.
const LINE: usize = 10_000;

/// A line of a log: a record, or a further line of its message.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Its number, from 1.
    pub(crate) number: usize,
    /// The time since the first record: `+1.204`. Empty for a further line.
    pub(crate) offset: String,
    /// The clock time, for the title.
    pub(crate) clock: String,
    /// `info`; empty for a further line.
    pub(crate) level: &'static str,
    pub(crate) pieces: Vec<Piece>,
    /// The fields of the record: `rows=3`.
    pub(crate) fields: String,
    /// Whether it is about the log itself, such as lines that were dropped.
    pub(crate) is_gap: bool,
    /// Whether it matches the search.
    pub(crate) is_hit: bool,
    severity: LogLevel,
}

impl Line {
    /// Whether it is of this severity or a higher one.
    pub(crate) fn is_at_least(&self, level: LogLevel) -> bool {
        self.severity >= level
    }

    /// Whether the text is in it. Case does not matter.
    pub(crate) fn has(&self, lower: &str) -> bool {
        self.text().to_lowercase().contains(lower)
    }

    /// The text without colours.
    fn text(&self) -> String {
        let message: String = self.pieces.iter().map(|piece| &*piece.text).collect();
        if self.fields.is_empty() { message } else { format!("{message} {}", self.fields) }
    }
}

/// The records of a log as lines.
pub(crate) fn lines(records: &[LogRecord]) -> Vec<Line> {
    Numbers::default().lines(records)
}

/// Numbers the lines of a log that comes in parts.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    /// When the log begins, and how many lines there were.
    start: Option<Timestamp>,
    before: usize,
}

impl Numbers {
    /// The next records as lines.
    pub(crate) fn lines(&mut self, records: &[LogRecord]) -> Vec<Line> {
        self.start = self.start.or_else(|| records.first().map(|record| record.at));
        let lines = numbered(records, self.start, self.before);
        self.before += lines.len();
        lines
    }
}

fn numbered(records: &[LogRecord], start: Option<Timestamp>, before: usize) -> Vec<Line> {
    let mut lines = Vec::with_capacity(records.len());
    for record in records {
        let message = record.message.trim_end_matches('\n');
        for (at, text) in message.split('\n').enumerate() {
            let is_first = at == 0;
            lines.push(Line {
                number: before + lines.len() + 1,
                offset: if is_first { offset(start, record.at) } else { String::new() },
                clock: if is_first { record.at.to_string() } else { String::new() },
                level: if is_first { name(record.level) } else { "" },
                pieces: pieces(&bounded(text.trim_end_matches('\r'), LINE)),
                fields: if is_first { fields(record) } else { String::new() },
                is_gap: record.dropped > 0,
                is_hit: false,
                severity: record.level,
            });
        }
    }
    lines
}

fn offset(start: Option<Timestamp>, at: Timestamp) -> String {
    let millis = start.map_or(0, |start| at.since(start).as_millis());
    format!("{}.{:03}", millis / 1_000, millis % 1_000)
}

fn name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Trace => "trace",
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}

/// The fields of a record, and those of the spans around it.
fn fields(record: &LogRecord) -> String {
    let spans = record.spans.iter().map(|span| {
        let fields = pairs(&span.fields);
        if fields.is_empty() { format!("{}:", span.name) } else { format!("{}{{{fields}}}:", span.name) }
    });
    let own = pairs(&record.fields);
    let all: Vec<String> = spans.chain((!own.is_empty()).then_some(own)).collect();
    bounded(&all.join(" "), LINE).into_owned()
}

fn pairs(fields: &serde_json::Map<String, serde_json::Value>) -> String {
    let pair = |(name, value): (&String, &serde_json::Value)| match value {
        serde_json::Value::String(text) if !text.contains([' ', '"']) => format!("{name}={text}"),
        value => format!("{name}={value}"),
    };
    fields.iter().map(pair).collect::<Vec<_>>().join(" ")
}

/// The end of the log of an attempt; nothing if it cannot be read.
pub(crate) fn last_lines(home: &Home, run: &str, task: &str, attempt: u32, most: usize) -> Vec<Line> {
    let records = home.logs().read(run, task, attempt).map(|log| log.records).unwrap_or_default();
    let mut lines = lines(&records);
    lines.split_off(lines.len().saturating_sub(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_several_lines_has_one_number_each() {
        let text =
            r#"{"at":"2026-01-31T06:00:00Z","level":"WARN","message":"a\n\u001b[31mb\u001b[0m","fields":{"n":1}}"#;
        let lines = lines(&[text.parse().unwrap()]);
        assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((lines[0].level, lines[1].level), ("warn", ""));
        assert_eq!((&*lines[0].fields, &*lines[1].pieces[0].text), ("n=1", "b"));
        assert!(lines[1].is_at_least(LogLevel::Warn) && lines[1].has("b"));
    }
}
