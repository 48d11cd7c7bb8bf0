//! The lines of a log: numbered, with their colours, and without what a terminal would do.

use std::io;
use std::ops::Range;

use super::ansi::{Piece, pieces};
use super::lines_index::LinesIndex;
use super::record::{LogLevel, LogRecord};
use super::store::{LogName, LogStore};
use crate::base::Timestamp;
use crate::base::text::bounded;

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
    /// The message, and the fields of the record with the class `fields`: `rows=3`.
    pub(crate) pieces: Vec<Piece>,
    /// Whether it is too long to be shown: the raw log has all of it.
    pub(crate) is_cut: bool,
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

    /// Makes it a hit of the search for a text, which is in lower case: the text gets the class
    /// `found`.
    pub(crate) fn mark(&mut self, lower: &str) {
        self.is_hit = true;
        let pieces = std::mem::take(&mut self.pieces).into_iter();
        self.pieces = pieces.flat_map(|piece| parts(&piece, lower).unwrap_or_else(|| vec![piece])).collect();
    }

    /// The text without colours.
    fn text(&self) -> String {
        self.pieces.iter().map(|piece| &*piece.text).collect()
    }
}

/// The most places of a piece that are marked: a line may be one letter, ten thousand times.
const MARKS: usize = 20;

/// A piece, split around a text. Nothing if places in lower case are not those in the piece.
fn parts(piece: &Piece, lower: &str) -> Option<Vec<Piece>> {
    let folded = piece.text.to_lowercase();
    if folded.len() != piece.text.len() {
        return None;
    }
    let part = |class, place: Range<usize>| Some(Piece { class, text: piece.text.get(place)?.to_owned() });
    let (mut parts, mut end) = (Vec::new(), 0);
    for (at, _) in folded.match_indices(lower).take(MARKS) {
        parts.push(part(piece.class, end..at)?);
        end = at + lower.len();
        parts.push(part("found", at..end)?);
    }
    parts.push(part(piece.class, end..folded.len())?);
    parts.retain(|part| !part.text.is_empty());
    Some(parts)
}

/// Numbers the lines of a log that comes in parts.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    /// When the log begins, and how many lines there were.
    start: Option<Timestamp>,
    before: usize,
}

impl Numbers {
    /// The numbers of what follows so many lines of a log that begins then.
    pub(crate) fn after(before: usize, start: Option<Timestamp>) -> Self {
        Numbers { start, before }
    }

    /// The next records as lines.
    pub(crate) fn lines(&mut self, records: &[LogRecord]) -> Vec<Line> {
        let mut lines = Vec::with_capacity(records.len());
        for record in records {
            self.start.get_or_insert(record.at);
            lines.extend(of_record(record, self.before, self.start));
            self.before = lines.last().map_or(self.before, |line: &Line| line.number);
        }
        lines
    }
}

/// The lines of a record, of a log that begins then. So many lines come before it.
pub(crate) fn of_record(record: &LogRecord, before: usize, start: Option<Timestamp>) -> impl Iterator<Item = Line> {
    record.lines().enumerate().map(move |(at, text)| {
        let is_first = at == 0;
        let text = text.trim_end_matches('\r');
        let mut pieces = pieces(&bounded(text, LINE));
        let fields = if is_first { fields(record) } else { String::new() };
        // Fields that were cut say so, which makes them longer than the limit.
        let is_cut = text.len() > LINE || fields.len() > LINE;
        if !fields.is_empty() {
            pieces.push(Piece { class: "fields", text: format!(" {fields}") });
        }
        Line {
            number: before + at + 1,
            offset: if is_first { offset(start, record.at) } else { String::new() },
            clock: if is_first { record.at.to_string() } else { String::new() },
            level: if is_first { name(record.level) } else { "" },
            pieces,
            is_cut,
            is_gap: record.dropped > 0,
            is_hit: false,
            severity: record.level,
        }
    })
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
pub(crate) fn last_lines(logs: &dyn LogStore, name: &LogName, most: usize) -> Vec<Line> {
    let mut index = LinesIndex::default();
    let read = index.update(logs, name);
    let lines = index.lines().saturating_sub(most)..index.lines();
    read.and_then(|()| lines_at(&index, logs, name, lines)).unwrap_or_default()
}

/// Lines of a log.
///
/// # Errors
///
/// If it cannot be read.
pub(crate) fn lines_at(
    index: &LinesIndex,
    logs: &dyn LogStore,
    name: &LogName,
    range: Range<usize>,
) -> io::Result<Vec<Line>> {
    let records = index.records(logs, name, range.clone())?;
    let lines = records.iter().flat_map(|(before, record)| of_record(record, *before, index.start()));
    // A record is read as a whole.
    Ok(lines.filter(|line| range.contains(&(line.number - 1))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(records: &[LogRecord]) -> Vec<Line> {
        Numbers::default().lines(records)
    }

    #[test]
    fn a_record_of_several_lines_has_one_number_each() {
        let text =
            r#"{"at":"2026-01-31T06:00:00Z","level":"WARN","message":"a\n\u001b[31mb\u001b[0m","fields":{"n":1}}"#;
        let lines = lines(&[text.parse().unwrap()]);
        assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((lines[0].level, lines[1].level), ("warn", ""));
        assert_eq!((&*lines[0].pieces[1].text, &*lines[1].pieces[0].text), (" n=1", "b"));
        assert!(lines[1].is_at_least(LogLevel::Warn) && lines[1].has("b"));
    }

    #[test]
    fn a_line_that_is_cut_says_so() {
        let line = |message: String, field: String| {
            let text = serde_json::json!({
                "at": "2026-01-31T06:00:00Z", "level": "INFO", "message": message, "fields": { "f": field },
            });
            lines(&[text.to_string().parse().unwrap()]).remove(0)
        };
        let long = || "x".repeat(1 << 20);
        assert!(!line("x".repeat(LINE), "y".repeat(LINE - 2)).is_cut);
        for cut in [line(long(), String::new()), line(String::new(), long()), line(long(), long())] {
            assert!(cut.is_cut && cut.text().len() < 2 * LINE + 100, "{}", cut.text().len());
        }
    }

    #[test]
    fn what_was_searched_for_is_marked_and_the_text_stays() {
        let text = r#"{"at":"2026-01-31T06:00:00Z","level":"INFO","message":"Reset: \u001b[31mreset\u001b[0m by K","fields":{"reset":1}}"#;
        let mut line = lines(&[text.parse().unwrap()]).remove(0);
        let before = line.text();
        line.mark("reset");
        let found = line.pieces.iter().filter(|piece| piece.class == "found").map(|piece| &*piece.text);
        assert_eq!(found.collect::<Vec<_>>(), ["Reset", "reset", "reset"]);
        assert!(line.is_hit && line.text() == before);
        // In lower case this letter has another length.
        let long = Piece { class: "", text: "İ reset".to_owned() };
        assert_eq!(parts(&long, "reset"), None);
    }
}
