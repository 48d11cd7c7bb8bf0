//! A line of a log: what a task emitted, when and where.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::base::Timestamp;

/// What a task emitted: a JSON object on a line of the file of its attempt.
///
/// Unknown members are ignored and most members are optional, so that older and newer versions can
/// read a log.
///
/// ```
/// use taskflow::log::{LogLevel, LogRecord};
///
/// let line = r#"{"at":"2026-01-31T06:00:00.000000001Z","level":"INFO","message":"done","fields":{"rows":3}}"#;
/// let record: LogRecord = line.parse().unwrap();
/// assert_eq!(record.level, LogLevel::Info);
/// assert_eq!(record.fields["rows"], 3);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LogRecord {
    /// When it was emitted, by the system clock.
    #[serde(serialize_with = "with_nanoseconds")]
    pub at: Timestamp,
    /// The severity.
    pub level: LogLevel,
    /// The target: by default, the module of the event.
    #[serde(default)]
    pub target: String,
    /// The text of the event; empty if it has fields only.
    pub message: String,
    /// The other fields of the event.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
    /// The spans around it, outermost first, without the span of the attempt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<LogSpan>,
    /// The source file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in the source file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The name of the thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// How many records are missing here; only nonzero in records about the log itself.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
}

/// A span around a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LogSpan {
    /// Its name.
    pub name: String,
    /// Its fields.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
}

/// The severity of a record. Ordered: `Trace < Error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogLevel {
    /// Individual steps.
    Trace,
    /// Information for debugging.
    Debug,
    /// Normal operation.
    Info,
    /// Possible problems.
    Warn,
    /// Errors.
    Error,
}

/// The target of records about the log itself.
const OWN_TARGET: &str = "taskflow";

/// A record of an attempt as people read it: a line of JSON.
#[cfg(any(feature = "cli", feature = "server"))]
#[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "only the verbs about stored runs use it"))]
#[derive(Debug, Serialize)]
pub(crate) struct LogLine<'a> {
    pub(crate) task: &'a str,
    pub(crate) attempt: u32,
    #[serde(flatten)]
    pub(crate) record: &'a LogRecord,
}

impl LogRecord {
    /// The lines of the message: at least one.
    #[cfg(feature = "server")]
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.message.trim_end_matches('\n').split('\n')
    }

    /// A record about the log itself, with the current time.
    pub(super) fn own(message: String, dropped: u64) -> Self {
        LogRecord {
            at: Timestamp::now(),
            level: LogLevel::Warn,
            target: OWN_TARGET.to_owned(),
            message,
            fields: Map::new(),
            spans: Vec::new(),
            file: None,
            line: None,
            thread: None,
            dropped,
        }
    }

    /// A record in place of an unreadable line, with the time of the previous record.
    pub(super) fn corrupt(line: &[u8], error: &serde_json::Error, at: Timestamp) -> Self {
        const SHOWN: usize = 200;
        let shown = String::from_utf8_lossy(&line[..line.len().min(SHOWN)]);
        let more = if line.len() > SHOWN { ".." } else { "" };
        let shown = super::redact(&shown);
        let message = format!("this line of the log cannot be read ({error}): {shown}{more}");
        LogRecord { at, ..LogRecord::own(message, 0) }
    }

    /// Appends the record as a line.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        #[cfg(test)]
        assert_ne!(self.message, "make the writer panic");
        let start = out.len();
        // Writing to memory and maps with text keys cannot fail; if it did, remove the partial
        // line.
        if serde_json::to_writer(&mut *out, self).is_err() {
            out.truncate(start);
            return;
        }
        out.push(b'\n');
    }

    /// Approximate size in memory, in bytes.
    pub(super) fn weight(&self) -> usize {
        let spans: usize = self.spans.iter().map(|span| span.name.len() + map_weight(&span.fields)).sum();
        size_of::<LogRecord>() + self.message.len() + self.target.len() + map_weight(&self.fields) + spans
    }
}

fn map_weight(map: &Map<String, Value>) -> usize {
    const NODE: usize = 48;
    map.iter().map(|(key, value)| NODE + key.len() + value.as_str().map_or(0, str::len)).sum()
}

fn with_nanoseconds<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{at:.9}"))
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this signature")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl FromStr for LogRecord {
    type Err = serde_json::Error;

    /// Parses one line.
    fn from_str(line: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(line)
    }
}

impl LogLevel {
    /// The level as written in the file: `INFO`.
    pub fn as_str(self) -> &'static str {
        match self {
            LogLevel::Trace => "TRACE",
            LogLevel::Debug => "DEBUG",
            LogLevel::Info => "INFO",
            LogLevel::Warn => "WARN",
            LogLevel::Error => "ERROR",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<tracing::Level> for LogLevel {
    fn from(level: tracing::Level) -> Self {
        match level {
            tracing::Level::TRACE => LogLevel::Trace,
            tracing::Level::DEBUG => LogLevel::Debug,
            tracing::Level::INFO => LogLevel::Info,
            tracing::Level::WARN => LogLevel::Warn,
            tracing::Level::ERROR => LogLevel::Error,
        }
    }
}

impl From<LogLevel> for tracing::Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Trace => tracing::Level::TRACE,
            LogLevel::Debug => tracing::Level::DEBUG,
            LogLevel::Info => tracing::Level::INFO,
            LogLevel::Warn => tracing::Level::WARN,
            LogLevel::Error => tracing::Level::ERROR,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LogLevel, LogRecord};
    use crate::base::Timestamp;

    fn encoded(record: &LogRecord) -> String {
        let mut line = Vec::new();
        record.encode(&mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_record_is_read_back_unchanged() {
        let mut record = LogRecord::own("two\nlines \u{1b}[31m \"and\" 💥".to_owned(), 3);
        record.fields.insert("rows".to_owned(), 7.into());
        record.spans.push(super::LogSpan { name: "load".to_owned(), fields: serde_json::Map::new() });
        let line = encoded(&record);
        assert_eq!(line.matches('\n').count(), 1);
        assert!(!line.contains('\u{1b}'));
        assert_eq!(line.parse::<LogRecord>().unwrap(), record);
    }

    #[test]
    fn times_have_nine_digits() {
        let record = LogRecord { at: Timestamp::EPOCH, ..LogRecord::own(String::new(), 0) };
        assert!(encoded(&record).starts_with(r#"{"at":"1970-01-01T00:00:00.000000000Z","level":"WARN""#));
    }

    #[test]
    fn members_of_a_later_version_are_ignored() {
        let line = r#"{"at":"1970-01-01T00:00:00Z","level":"ERROR","message":"m","colour":"red"}"#;
        assert_eq!(line.parse::<LogRecord>().unwrap().level, LogLevel::Error);
    }
}
