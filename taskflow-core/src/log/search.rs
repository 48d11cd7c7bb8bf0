//! Searches a log for lines with a text, or of a level.
//!
//! Most lines of the file are not parsed. A line is left out by its bytes only if it is certain
//! that the page would not show the text in it: whatever may be shown in another form than it is
//! written, is parsed.

use std::io;
use std::ops::ControlFlow;

use super::lines::{Line, of_record};
use super::lines_index::LinesIndex;
use super::record::{LogLevel, LogRecord};
use super::store::{LogName, LogStore};

/// How many lines the search of a log shows, and how many it counts.
pub(crate) const HITS: usize = 500;
const COUNTED: usize = 10_000;

/// The lines that were searched for.
#[derive(Debug)]
pub(crate) struct Found {
    /// The first ones.
    pub(crate) lines: Vec<Line>,
    pub(crate) count: usize,
}

impl Found {
    /// `3 of 18,204 lines match`
    pub(crate) fn words(&self, total: usize) -> String {
        match self.count {
            count if count >= COUNTED => format!("the first {HITS} of more than {COUNTED} of {total} lines"),
            count if count > HITS => format!("the first {HITS} of {count} of {total} lines match"),
            count => format!("{count} of {total} lines match"),
        }
    }
}

/// The lines with a text, in which case does not matter, of this level and above: the first `most`
/// of them, and how many there are.
///
/// # Errors
///
/// If the log cannot be read.
pub(crate) fn search(
    index: &LinesIndex,
    logs: &dyn LogStore,
    name: &LogName,
    text: &str,
    level: LogLevel,
    most: usize,
) -> io::Result<Found> {
    let lower = text.to_lowercase();
    let mut sieve = Sieve::new(&lower, level);
    let mut found = Found { lines: Vec::new(), count: 0 };
    index.search(
        logs,
        name,
        |line| sieve.may_match(line),
        |before, record| {
            for mut line in of_record(&record, before, index.start()) {
                if !line.is_at_least(level) || !line.has(&lower) {
                    continue;
                }
                found.count += 1;
                if found.count <= most {
                    if !lower.is_empty() {
                        line.mark(&lower);
                    }
                    found.lines.push(line);
                }
            }
            if found.count >= COUNTED { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        },
    )?;
    Ok(found)
}

/// Whether a record has a line that the search for this text would find. The text is in lower case.
pub(crate) fn is_found(record: &LogRecord, lower: &str, level: LogLevel) -> bool {
    of_record(record, 0, None).any(|line| line.is_at_least(level) && line.has(lower))
}

/// Leaves out lines of the file by their bytes.
pub(crate) struct Sieve<'t> {
    /// The letters and digits of the text that follow each other: nothing changes them between the
    /// file and the page.
    words: Vec<&'t str>,
    level: LogLevel,
    lower: String,
}

impl<'t> Sieve<'t> {
    pub(crate) fn new(lower: &'t str, level: LogLevel) -> Self {
        let words = lower.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        Sieve { words: words.collect(), level, lower: String::new() }
    }

    pub(crate) fn may_match(&mut self, line: &[u8]) -> bool {
        // Some letters beyond ASCII have ASCII letters in lower case, and colours may be within a
        // word.
        let Some(line) = std::str::from_utf8(line).ok().filter(|line| line.is_ascii() && !line.contains("\\u")) else {
            return true;
        };
        if level_of(line).is_some_and(|level| level < self.level) {
            return false;
        }
        if self.words.is_empty() {
            return true;
        }
        self.lower.clear();
        self.lower.push_str(line);
        self.lower.make_ascii_lowercase();
        self.words.iter().all(|word| self.lower.contains(word))
    }
}

/// The level of a line, if it is where the writer puts it.
fn level_of(line: &str) -> Option<LogLevel> {
    let (at, rest) = line.split_once(r#"","level":""#)?;
    let (level, _) = rest.split_once('"')?;
    // Of the first two members, the values have no quotes.
    if at.matches('"').count() != 3 {
        return None;
    }
    [LogLevel::Trace, LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error]
        .into_iter()
        .find(|known| known.as_str() == level)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(level: &str, message: &str) -> String {
        let record = json!({"at": "2026-01-31T06:00:00Z", "level": level, "message": message, "fields": {"rows": 3}});
        let record: LogRecord = serde_json::from_value(record).unwrap();
        serde_json::to_string(&record).unwrap()
    }

    #[test]
    fn what_a_page_shows_is_never_left_out() {
        let messages = [
            "plain Words",
            "re\u{1b}[31mset",
            "two\nlines",
            "K of Kelvin \u{212a}elvin",
            "tab\there",
            "quote\"d \\n",
            "ä b",
            "\"level\":\"ERROR\"",
            "a=b",
            "",
        ];
        for level in ["TRACE", "INFO", "ERROR"] {
            for message in messages {
                let raw = line(level, message);
                let record: LogRecord = raw.parse().unwrap();
                for wanted in [LogLevel::Trace, LogLevel::Warn, LogLevel::Error] {
                    for text in
                        ["", "words", "RESET", "kelvin", "lines", "rows=3", "s=3", "d \\n", "ä", "=", "zzz", "level"]
                    {
                        let lower = text.to_lowercase();
                        let shows =
                            of_record(&record, 0, None).any(|line| line.is_at_least(wanted) && line.has(&lower));
                        let may = Sieve::new(&lower, wanted).may_match(raw.as_bytes());
                        assert!(may || !shows, "{raw} {wanted} {text}");
                    }
                }
            }
        }
    }

    #[test]
    fn most_lines_are_left_out() {
        let may = |text: &str, level, raw: String| Sieve::new(text, level).may_match(raw.as_bytes());
        assert!(!may("zebra", LogLevel::Trace, line("INFO", "a horse")));
        assert!(!may("", LogLevel::Warn, line("INFO", "a horse")));
        assert!(may("horse", LogLevel::Warn, line("ERROR", "a Horse")));
    }
}
